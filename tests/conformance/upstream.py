"""Every scenario of Kubernetes' own end-to-end tests of NetworkPolicy (test/e2e/network/netpol), by its title.

Title -> the case of cases.py that it is, and its truth table, written by hand for all nine pods: everybody reaches everybody
but for what the lines say, of which the later ones hold. `+`: reached, `-`: not. test_upstream.py holds the oracle to
these tables, and test_network_policy.py the packets to the oracle.
"""

TCP = {  # "NetworkPolicy between server and client"
    "should support a 'default-deny-ingress' policy": ("deny all ingress", {
        (1, "TCP 80"): ["* -> x/* -"]}),
    "should support a 'default-deny-all' policy": ("deny all ingress and egress", {
        (1, "TCP 80"): ["* -> x/* -", "x/* -> * -"]}),
    "should enforce policy to allow traffic from pods within server namespace based on PodSelector": (
        "ingress from a pod of the same namespace", {
            (1, "TCP 80"): ["* -> x/a -", "x/b -> x/a +"]}),
    "should enforce policy to allow ingress traffic for a target": ("a target is opened in a closed namespace", {
        (1, "TCP 80"): ["* -> x/* -"],
        (2, "TCP 80"): ["* -> x/* -", "* -> x/a +"]}),
    "should enforce policy to allow ingress traffic from pods in all namespaces": ("ingress from every namespace", {
        (1, "TCP 80"): []}),
    "should enforce policy to allow traffic only from a different namespace, based on NamespaceSelector": (
        "ingress from a namespace", {
            (1, "TCP 80"): ["* -> x/a -", "y/* -> x/a +"]}),
    "should enforce policy based on PodSelector with MatchExpressions": ("ingress from pods by matchExpressions In", {
        (1, "TCP 80"): ["* -> x/a -", "x/b -> x/a +", "x/c -> x/a +"]}),
    "should enforce policy based on NamespaceSelector with MatchExpressions": (
        "ingress from namespaces by matchExpressions In", {
            (1, "TCP 80"): ["x/* -> x/a -"]}),
    "should enforce policy based on PodSelector or NamespaceSelector": (
        "ingress from a pod, or from other namespaces by matchExpressions NotIn", {
            (1, "TCP 80"): ["x/c -> x/a -"]}),
    "should enforce policy based on PodSelector and NamespaceSelector": (
        "ingress from a pod of other namespaces, by matchExpressions NotIn", {
            (1, "TCP 80"): ["* -> x/a -", "y/b -> x/a +", "z/b -> x/a +"]}),
    "should enforce policy based on Multiple PodSelectors and NamespaceSelectors": (
        "ingress from two pods of other namespaces, by matchExpressions", {
            (1, "TCP 80"): ["x/* -> x/a -", "y/a -> x/a -", "z/a -> x/a -"]}),
    "should enforce policy based on any PodSelectors": ("ingress from either of two pods", {
        (1, "TCP 80"): ["* -> x/a -", "x/b -> x/a +", "x/c -> x/a +"]}),
    "should enforce policy to allow traffic only from a pod in a different namespace based on PodSelector and NamespaceSelector": (
        "ingress from a pod AND a namespace", {
            (1, "TCP 80"): ["* -> x/a -", "y/b -> x/a +"]}),
    "should enforce policy based on Ports": ("ingress from a namespace on one port", {
        (1, "TCP 81"): ["* -> x/a -", "y/* -> x/a +"],
        (1, "TCP 80"): ["* -> x/a -"]}),
    "should enforce multiple, stacked policies with overlapping podSelectors": ("stacked policies for one pod open a port each", {
        (1, "TCP 81"): ["* -> x/a -", "y/* -> x/a +"],
        (1, "TCP 80"): ["* -> x/a -"],
        (2, "TCP 81"): ["* -> x/a -", "y/* -> x/a +"],
        (2, "TCP 80"): ["* -> x/a -", "y/* -> x/a +"]}),
    "should support allow-all policy": ("allow all ingress", {
        (1, "TCP 80"): [], (1, "TCP 81"): []}),
    "should allow ingress access on one named port": ("ingress on a named port", {
        (1, "TCP 81"): [],
        (1, "TCP 80"): ["* -> x/* -"]}),
    "should allow ingress access from namespace on one named port": ("ingress from a namespace on a named port", {
        (1, "TCP 80"): ["* -> x/a -", "y/* -> x/a +"],
        (1, "TCP 81"): ["* -> x/a -"]}),
    "should allow egress access on one named port": ("egress on a named port to everybody", {
        (1, "TCP 80"): [],
        (1, "TCP 81"): ["x/* -> * -"]}),
    "should enforce updated policy": ("an allow-all that becomes a deny-all", {
        (1, "TCP 81"): [],
        (2, "TCP 81"): ["* -> x/* -"]}),
    "should allow ingress access from updated namespace": ("a namespace's new label makes it a peer", {
        (1, "TCP 80"): ["* -> x/a -"],
        (2, "TCP 80"): ["* -> x/a -", "y/* -> x/a +"]}),
    "should allow ingress access from updated pod": ("a pod's new label makes it a peer", {
        (1, "TCP 80"): ["* -> x/a -"],
        (2, "TCP 80"): ["* -> x/a -", "x/b -> x/a +"]}),
    "should deny ingress from pods on other namespaces": ("ingress from every pod of the same namespace", {
        (1, "TCP 80"): ["y/* -> x/* -", "z/* -> x/* -"]}),
    "should deny ingress access to updated pod": ("a pod's label brings it under a policy", {
        (1, "TCP 80"): [],
        (2, "TCP 80"): ["* -> x/c -"]}),
    "should deny egress from pods based on PodSelector": ("deny all egress of one pod", {
        (1, "TCP 80"): ["x/a -> * -"]}),
    "should deny egress from all pods in a namespace": ("deny all egress", {
        (1, "TCP 80"): ["x/* -> * -"]}),
    "should work with Ingress, Egress specified together": ("ingress from a pod and egress on a port in one policy", {
        (1, "TCP 80"): ["* -> x/a -", "x/b -> x/a +"],
        (1, "TCP 81"): ["* -> x/a -", "x/a -> * -", "x/b -> x/a +"]}),
    "should support denying of egress traffic on the client side (even if the server explicitly allows this traffic)": (
        "egress is denied although the server allows it", {
            (1, "TCP 80"): ["x/a -> * -", "* -> y/a -", "* -> y/b -", "x/a -> y/a +"]}),
    "should enforce egress policy allowing traffic to a server in a different namespace based on PodSelector and NamespaceSelector": (
        "egress to a pod AND a namespace", {
            (1, "TCP 80"): ["x/a -> * -", "x/a -> y/b +"]}),
    "should enforce ingress policy allowing any port traffic to a server on a specific protocol": ("ingress of TCP alone", {
        (1, "TCP 80"): [], (1, "TCP 81"): [],
        (1, "UDP 80"): ["* -> x/a -"], (1, "UDP 81"): ["* -> x/a -"]}),
    "should enforce multiple ingress policies with ingress allow-all policy taking precedence": (
        "an allow-all beside a policy for a port: ingress", {
            (1, "TCP 81"): ["* -> x/* -"],
            (2, "TCP 81"): []}),
    "should enforce multiple egress policies with egress allow-all policy taking precedence": (
        "an allow-all beside a policy for a port: egress", {
            (1, "TCP 81"): ["x/* -> * -"],
            (2, "TCP 81"): []}),
    "should stop enforcing policies after they are deleted": ("a deleted policy leaves nothing", {
        (1, "TCP 80"): ["* -> x/* -", "x/* -> * -"],
        (2, "TCP 80"): []}),
    "should allow egress access to server in CIDR block": ("egress to a block", {
        (1, "TCP 80"): ["x/a -> * -", "x/a -> z/a +"]}),
    "should enforce except clause while egress access to server in CIDR block": ("egress to a block with exceptions", {
        (1, "TCP 80"): ["x/a -> z/a -", "x/a -> x/b -"]}),
    "should ensure an IP overlapping both IPBlock.CIDR and IPBlock.Except is allowed": ("a block replaces one that excepted it", {
        (1, "TCP 80"): ["x/a -> x/b -"],
        (2, "TCP 80"): ["x/a -> * -", "x/a -> x/b +"]}),
    "should enforce policies to check ingress and egress policies can be controlled independently based on PodSelector": (
        "ingress and egress of one pod are apart", {
            (1, "TCP 80"): [],
            (2, "TCP 80"): ["* -> x/a -"]}),
    "should not mistakenly treat 'protocol: SCTP' as 'protocol: TCP', even if the plugin doesn't support SCTP": (
        "SCTP is not TCP", {
            (1, "TCP 81"): ["* -> x/* -"],
            (1, "SCTP 81"): ["* -> x/* -", "* -> x/a +"]}),
    "should properly isolate pods that are selected by a policy allowing SCTP, even if the plugin doesn't support SCTP": (
        "a policy about SCTP isolates", {
            (1, "TCP 81"): ["* -> x/a -"],
            (1, "SCTP 80"): [],
            (1, "SCTP 81"): ["* -> x/a -"]}),
    "should not allow access by TCP when a policy specifies only UDP": ("ingress on a numbered UDP port", {
        (1, "TCP 81"): ["* -> x/* -"],
        (1, "UDP 81"): []}),
    "should enforce policy to allow traffic based on NamespaceSelector with MatchLabels using default ns label": (
        "ingress from a namespace by its name", {
            (1, "TCP 80"): ["* -> x/a -", "y/* -> x/a +"]}),
    "should enforce policy based on NamespaceSelector with MatchExpressions using default ns label": (
        "egress to namespaces by their names, NotIn", {
            (1, "TCP 80"): ["x/a -> y/* -"]}),
}

UDP = {  # "NetworkPolicy between server and client using UDP"
    "should support a 'default-deny-ingress' policy": ("deny all ingress", {
        (1, "UDP 80"): ["* -> x/* -"]}),
    "should enforce policy based on Ports": ("ingress from a namespace on one UDP port", {
        (1, "UDP 81"): ["* -> x/a -", "y/* -> x/a +"]}),
    "should enforce policy to allow traffic only from a pod in a different namespace based on PodSelector and NamespaceSelector": (
        "ingress from a pod AND a namespace", {
            (1, "UDP 80"): ["* -> x/a -", "y/b -> x/a +"]}),
}

SCTP = {  # "NetworkPolicy between server and client using SCTP"
    "should support a 'default-deny-ingress' policy": ("deny all ingress", {
        (1, "SCTP 80"): ["* -> x/* -"]}),
    "should enforce policy based on Ports": ("ingress from a namespace on one SCTP port", {
        (1, "SCTP 81"): ["* -> x/a -", "y/* -> x/a +"]}),
    "should enforce policy to allow traffic only from a pod in a different namespace based on PodSelector and NamespaceSelector": (
        "ingress from a pod AND a namespace", {
            (1, "SCTP 80"): ["* -> x/a -", "y/b -> x/a +"]}),
}

# "Netpol API": no packets, so in test_policy_api.py; title -> test.
API = {
    "should support creating NetworkPolicy API operations": "test_every_operation",
    "should support creating NetworkPolicy API with endport field": "test_an_end_port_needs_a_port_that_it_is_not_below",
}

# The older suite (network_legacy.go, gone since) has the same titles, and one more.
LEGACY = {
    "should not allow access by TCP when a policy specifies only SCTP": ("SCTP is not TCP", {
        (1, "TCP 81"): ["* -> x/* -"]}),
}

TABLES = {"TCP": TCP, "UDP": UDP, "SCTP": SCTP, "legacy": LEGACY}
