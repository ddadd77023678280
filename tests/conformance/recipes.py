"""Each recipe of github.com/ahmetb/kubernetes-network-policy-recipes, by the name of its page, as a table (documents.py).

The manifests are our own, in manifests/recipes. There is no 13, and 00 shows how to make a cluster, without a policy.
"""

from documents import Case, Service

WEB = Service("node1", "10.96.0.80", 80, "default/web", 80, masquerade=False)  # of type LoadBalancer

RECIPES = {
    "01-deny-all-traffic-to-an-application": Case(steps=["", "web-closed"], table="""
        default/test  -> default/web        tcp 80    | + -
        other/test    -> default/web        tcp 80    | + -
        203.0.113.7   -> default/web        tcp 80    | + -
        default/test  -> default/web        udp 80    | + -
        default/web   -> default/test       tcp 80    | + +
        default/test  -> default/apiserver  tcp 80    | + +
    """),
    "02-limit-traffic-to-an-application": Case(steps=["", "api-for-bookstore"], table="""
        default/frontend  -> default/apiserver  tcp 80  | + +
        default/db        -> default/apiserver  tcp 80  | + +
        default/test      -> default/apiserver  tcp 80  | + -
        default/inventory -> default/apiserver  tcp 80  | + -
        other/test        -> default/apiserver  tcp 80  | + -
        default/test      -> default/frontend   tcp 80  | + +
    """),
    "02a-allow-all-traffic-to-an-application": Case(steps=["", "web-closed", "web-closed web-open", "web-open"], table="""
        default/test  -> default/web  tcp 80  | + - + +
        other/test    -> default/web  tcp 80  | + - + +
        203.0.113.7   -> default/web  tcp 80  | + - + +
        default/test  -> default/web  udp 80  | + - + +
    """),
    "03-deny-all-non-whitelisted-traffic-in-the-namespace": Case(
        steps=["", "namespace-closed", "namespace-closed web-for-test"], table="""
        default/test       -> default/web         tcp 80  | + - -
        default/monitoring -> default/web         tcp 80  | + - +
        default/monitoring -> default/apiserver   tcp 80  | + - -
        other/test         -> default/web         tcp 80  | + - -
        other/monitoring   -> default/web         tcp 80  | + - -
        default/web        -> other/test          tcp 80  | + + +
    """),
    "04-deny-traffic-from-other-namespaces": Case(steps=["", "neighbours-only"], table="""
        default/test -> default/web   tcp 80  | + +
        default/web  -> default/test  tcp 80  | + +
        other/test   -> default/web   tcp 80  | + -
        203.0.113.7  -> default/web   tcp 80  | + -
        default/web  -> other/test    tcp 80  | + +
    """),
    "05-allow-traffic-from-all-namespaces": Case(
        steps=["", "namespace-closed", "namespace-closed web-for-pods"], table="""
        default/test  -> default/web   tcp 80  | + - +
        other/test    -> default/web   tcp 80  | + - +
        prod/test     -> default/web   udp 80  | + - +
        203.0.113.7   -> default/web   tcp 80  | + - -
        2001:db8::7   -> default/web   tcp 80  | + - -
        other/test    -> default/test  tcp 80  | + - -
    """),
    "06-allow-traffic-from-a-namespace": Case(steps=["", "web-for-production"], table="""
        prod/test     -> default/web   tcp 80  | + +
        dev/test      -> default/web   tcp 80  | + -
        default/test  -> default/web   tcp 80  | + -
        dev/test      -> default/test  tcp 80  | + +
    """),
    "07-allow-traffic-from-some-pods-in-another-namespace": Case(
        steps=["", "monitoring-of-operations", "monitoring-or-operations"], table="""
        default/test       -> default/web   tcp 80  | + - -
        default/monitoring -> default/web   tcp 80  | + - +
        other/test         -> default/web   tcp 80  | + - +
        other/monitoring   -> default/web   tcp 80  | + + +
        prod/test          -> default/web   tcp 80  | + - -
    """),
    "08-allow-external-traffic": Case(
        steps=["", "namespace-closed", "namespace-closed web-for-everybody", "namespace-closed web-port-for-everybody"],
        services=[WEB], table="""
        203.0.113.7   -> 10.96.0.80    tcp 80  | + - + +
        203.0.113.7   -> default/web   tcp 80  | + - + +
        2001:db8::7   -> default/web   tcp 80  | + - + +
        203.0.113.7   -> default/web   udp 80  | + - + -
        default/test  -> default/web   tcp 80  | + - + +
        203.0.113.7   -> default/test  tcp 80  | + - - -
    """),
    "09-allow-traffic-only-to-a-port": Case(steps=["", "metrics-by-number", "metrics-by-name"], table="""
        default/monitoring -> default/metered  tcp 5000  | + + +
        default/monitoring -> default/metered  tcp 8000  | + - -
        default/test       -> default/metered  tcp 5000  | + - -
        default/test       -> default/metered  tcp 8000  | + - -
        other/monitoring   -> default/metered  tcp 5000  | + - -
    """),
    "10-allowing-traffic-with-multiple-selectors": Case(steps=["", "db-for-three"], table="""
        default/search    -> default/db  tcp 6379  | + +
        default/apiserver -> default/db  tcp 6379  | + +
        default/inventory -> default/db  tcp 6379  | + +
        default/frontend  -> default/db  tcp 6379  | + -
        default/test      -> default/db  tcp 6379  | + -
    """),
    "11-deny-egress-traffic-from-an-application": Case(steps=["", "foo-silent", "foo-may-resolve"], table="""
        default/foo  -> default/web        tcp 80  | + - -
        default/foo  -> 203.0.113.7        tcp 80  | + - -
        default/foo  -> 203.0.113.7        icmp 8  | + - -
        default/foo  -> kube-system/dns    udp 53  | + - +
        default/foo  -> kube-system/dns    tcp 53  | + - +
        default/foo  -> kube-system/dns    tcp 80  | + - -
        default/foo  -> kube-system/other  udp 53  | + - -
        default/foo  -> 203.0.113.7        udp 53  | + - -
        default/web  -> default/foo        tcp 80  | + + +
        default/test -> 203.0.113.7        tcp 80  | + + +
    """),
    "12-deny-all-non-whitelisted-traffic-from-the-namespace": Case(
        steps=["", "namespace-silent", "namespace-silent foo-may-speak"], table="""
        default/foo  -> default/web      tcp 80  | + - +
        default/test -> default/web      tcp 80  | + - -
        default/foo  -> other/test       tcp 80  | + - -
        default/foo  -> kube-system/dns  udp 53  | + - -
        default/test -> 203.0.113.7      tcp 80  | + - -
        other/test   -> default/web      tcp 80  | + + +
    """),
    "14-deny-external-egress-traffic": Case(
        steps=["", "foo-may-resolve", "foo-may-resolve foo-stays-inside"], table="""
        default/foo  -> kube-system/dns  udp 53  | + + +
        default/foo  -> kube-system/dns  tcp 53  | + + +
        default/foo  -> default/web      tcp 80  | + - +
        default/foo  -> other/test       tcp 80  | + - +
        default/foo  -> 203.0.113.7      tcp 80  | + - -
        default/foo  -> 2001:db8::7      tcp 80  | + - -
        default/foo  -> 203.0.113.7      udp 53  | + - -
        default/test -> 203.0.113.7      tcp 80  | + + +
    """),
}
