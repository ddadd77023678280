"""Each page of Calico v3.19's documentation under security/ that shows a policy, by its path, as a table (documents.py).

The manifests are our own, in manifests/pages, or one of the tutorials in examples/. Pages that show no policy stand at the end,
and so does what of a page cannot be tried here.
"""

from documents import Case, Service

# Two nodes' ports with one backend, on node1; node2 passes what it gets on in its own name.
NODE_PORTS = [Service("node1", "", 31852, "services/svc-a", 80, masquerade=False),
              Service("node2", "", 31852, "services/svc-a", 80, masquerade=True)]
CLUSTER_IPS = [Service("node2", "10.20.30.40", 80, "services/svc-a", 80, masquerade=True),
               Service("node1", "10.20.30.41", 80, "services/svc-b", 80, masquerade=True),
               Service("node1", "10.20.30.42", 80, "services/svc-c", 80, masquerade=False),
               Service("node1", "", 30080, "services/svc-c", 80, masquerade=False)]

PAGES = {
    "adopt-zero-trust": Case(steps=["", "by-name", "by-label"], table="""
        microblog/api    -> microblog/post    tcp 8080  | + + +
        microblog/search -> microblog/post    tcp 8080  | + + +
        microblog/ads    -> microblog/post    tcp 8080  | + - -
        elsewhere/api    -> microblog/post    tcp 8080  | + - -
        203.0.113.7      -> microblog/post    tcp 8080  | + - -
        microblog/api    -> microblog/post    tcp 80    | + - -
        microblog/ads    -> microblog/search  tcp 80    | + + +
    """),

    "calico-network-policy": Case(
        steps=["", "same-namespace", "circles", "same-namespace circles", "deny-blue", "deny-circle-blue deny-blue",
               "deny-circle-blue same-namespace", "egress-to-net", "egress-past-net", "allow-inside drop-other",
               "drop-other allow-inside-too-late", "log-and-deny"], table="""
        production/blue  -> production/red   tcp 6379  | + + - + - - + + + + - -
        production/blue  -> production/red   tcp 80    | + - - - - - - + + + - -
        production/green -> production/red   tcp 6379  | + - - - - - - + + + - +
        circle/blue      -> production/red   tcp 6379  | + - + + - - - + + + - +
        circle/green     -> production/red   tcp 6379  | + - - - - - - + + + - +
        square/blue      -> production/red   tcp 6379  | + - - - - - - + + + - +
        203.0.113.7      -> production/red   tcp 6379  | + - - - - - - + + - - +
        production/blue  -> production/red   icmp 8    | + - - - - - - + + + - +
        production/red   -> 203.0.113.7      tcp 80    | + + + + + + + + - + + -
        production/red   -> 192.0.2.55       tcp 80    | + + + + + + + - + + + -
        production/red   -> production/blue  tcp 80    | + + + + + + + - + + + -
        production/green -> production/blue  tcp 80    | + + + + + + + + + + + +
    """),

    # In a namespace's policy a selector means that namespace's pods: a Prometheus of another one is not let in. And a list
    # of what is denied isolates the pod it is about, as any policy does (step 4).
    "comms/secure-metrics": Case(
        steps=["", "hosts-open metrics-node1 metrics-node2",
               "hosts-open metrics-node1 metrics-node2 deny-node-metrics deny-typha-metrics",
               "hosts-open metrics-node1 metrics-node2 deny-node-metrics deny-typha-metrics metrics-readers",
               "deny-controllers-metrics",
               "metrics-node1 metrics-node2 allow-node-metrics",
               "metrics-node1 metrics-node2 allow-node-metrics allow-typha-metrics metrics-readers allow-controllers-metrics"],
        table="""
        monitoring/prometheus -> node1  tcp 9091  | + + + + + + +
        monitoring/grafana    -> node1  tcp 9091  | + + - - + - -
        monitoring/prometheus -> node1  tcp 9093  | + + + + + - +
        monitoring/grafana    -> node1  tcp 9093  | + + - - + - -
        monitoring/grafana    -> node1  tcp 8080  | + + + + + - -
        203.0.113.9           -> node1  tcp 9091  | + + - + + - +
        203.0.113.7           -> node1  tcp 9091  | + + - - + - -
        203.0.113.9           -> node2  tcp 9093  | + + - + + - +
        203.0.113.7           -> node2  tcp 8080  | + + + + + - -
        203.0.113.7           -> node2  tcp 22    | + + + + + + +
        calico-system/prometheus -> calico-system/kube-controllers  tcp 9094  | + + + + - + +
        monitoring/prometheus -> calico-system/kube-controllers  tcp 9094  | + + + + - + -
        monitoring/grafana    -> calico-system/kube-controllers  tcp 9094  | + + + + - + -
        monitoring/prometheus -> calico-system/kube-controllers  tcp 80    | + + + + - + -
    """),

    "defend-dos-attack": Case(
        steps=["", "host-open shielded attackers", "host-open shielded attackers attackers-out"], table="""
        192.0.2.55   -> node1           tcp 8080  | + + -
        192.0.2.55   -> node1           udp 8080  | + + -
        192.0.2.55   -> node1           icmp 8    | + + -
        192.0.2.55   -> node1           tcp 22    | + + +
        192.0.2.55   -> production/red  tcp 80    | + + -
        192.0.2.55   -> 192.168.0.20    tcp 80    | + + -
        192.0.2.55   -> node2           tcp 8080  | + + +
        192.0.2.55   -> production/blue tcp 80    | + + +
        203.0.113.7  -> node1           tcp 8080  | + + +
        203.0.113.7  -> production/red  tcp 80    | + + +
        node1        -> 203.0.113.7     tcp 80    | + + +
    """),

    # What doNotTrack lets in belongs to no flow: neither does the answer to a connection that the node or its pods opened, and
    # connection tracking calls what follows invalid. So the page's pair of policies ends all such connections.
    "external-ips-policy": Case(
        steps=["", "egress-external", "kept-out host-open guarded", "kept-out host-open guarded others-in listed-out"], table="""
        production/red   -> 203.0.113.7      udp 53    | + + + +
        production/red   -> 192.0.2.55       udp 53    | + - + ~
        production/red   -> 203.0.113.7      tcp 80    | + + + ~
        production/red   -> production/blue  tcp 80    | + - + ~
        production/green -> 192.0.2.55       tcp 80    | + + + ~
        203.0.113.7      -> node1            udp 8080  | + + + +
        192.0.2.55       -> node1            udp 8080  | + + + -
        203.0.113.7      -> default/web      udp 80    | + + + +
        192.0.2.55       -> default/web      udp 80    | + + + -
        192.0.2.55       -> 192.168.0.20     udp 80    | + + + -
        192.0.2.55       -> node2            udp 8080  | + + + +
    """),

    "high-connection-workloads": Case(
        steps=["", "memcached-eth0 client-eth0 client-open", "memcached-eth0 client-eth0 client-open untracked",
               "memcached-eth0 client-eth0 client-open half-untracked"], table="""
        node2        -> node1       tcp 12211  | + - + ~
        node2        -> node1       tcp 8080   | + - - -
        203.0.113.7  -> node1       tcp 12211  | + - - -
        203.0.113.7  -> node1       tcp 22     | + + + +
        node1        -> node2       tcp 8080   | + - - -
        203.0.113.7  -> default/web tcp 80     | + + + +
    """),

    "host-forwarded-traffic": Case(
        steps=["", "ssh-to-maintenance node1-eth1", "own-ssh-to-maintenance node1-eth1"], table="""
        203.0.113.7      -> 192.168.0.20  tcp 22    | + + +
        203.0.113.7      -> 192.168.0.20  tcp 80    | + - +
        203.0.113.7      -> 192.168.0.20  icmp 8    | + - +
        production/red   -> 192.168.0.20  tcp 22    | + + +
        production/red   -> 192.168.0.20  tcp 80    | + - +
        node1            -> 192.168.0.20  tcp 22    | + + +
        node1            -> 192.168.0.20  tcp 80    | + - -
        192.168.0.20     -> 203.0.113.7   tcp 80    | + + +
        192.168.0.20     -> node1         tcp 8080  | + - -
        203.0.113.7      -> node1         tcp 8080  | + + +
    """),

    "http-methods": Case(steps=["", "readers"], table="""
        bank/summary  -> bank/customer  tcp 80  | + -
        203.0.113.7   -> bank/customer  tcp 80  | + -
        bank/customer -> bank/summary   tcp 80  | + +
        bank/database -> bank/summary   tcp 80  | + +
    """),

    "icmp-ping": Case(
        steps=["", "others-open ping-node1 ping-node2", "others-open ping-node1 ping-node2 block-icmp",
               "ping-node1 ping-node2 hosts-speak ping-inside", "default", "default host-unreachable"], table="""
        production/blue  -> production/red    icmp 8      | + + - + + -
        production/blue  -> production/red    icmpv6 128  | + + - + + -
        production/blue  -> production/red    tcp 80      | + + + - + -
        production/green -> production/red    icmp 8      | + + - + + -
        203.0.113.7      -> production/red    icmp 8      | + + - - + -
        2001:db8::7      -> production/red    icmpv6 128  | + + - - + -
        203.0.113.7      -> node1             icmp 8      | + + - - + +
        node2            -> node1             icmp 8      | + + - + + +
        node2            -> node1             icmpv6 128  | + + - + + +
        203.0.113.7      -> node1             tcp 8080    | + + + - + +
        203.0.113.7      -> production/red    icmp 3/1    | ~ ~ - - + +
        203.0.113.7      -> production/red    icmp 3/3    | ~ ~ - - + -
    """),

    "kubernetes-default-deny": Case(
        steps=["", "deny-everything denied-node1", "deny-applications", "deny-namespace", "deny-namespace-kubernetes"], table="""
        engineering/api  -> engineering/db   tcp 80    | + - - - -
        production/blue  -> engineering/db   tcp 80    | + - - - -
        engineering/db   -> production/blue  tcp 80    | + - - - -
        production/blue  -> production/red   tcp 80    | + - - + +
        production/red   -> 203.0.113.7      tcp 80    | + - - + +
        production/red   -> kube-system/dns  udp 53    | + - + + +
        production/red   -> kube-system/dns  tcp 53    | + - - + +
        kube-system/dns  -> kube-system/other tcp 80   | + - + + +
        203.0.113.7      -> node1            tcp 8080  | + - + + +
        203.0.113.7      -> node1            tcp 22    | + + + + +
        node1            -> 203.0.113.7      tcp 80    | + - + + +
        203.0.113.7      -> node2            tcp 8080  | + + + + +
    """),

    "kubernetes-network-policy": Case(
        steps=["", "in-from-same-namespace", "in-from-squares", "out-to-same-namespace", "out-to-net", "deny-all"], table="""
        production/red   -> production/blue   tcp 80    | + + - + - -
        production/green -> production/blue   tcp 80    | + - - + + -
        square/red       -> production/blue   tcp 80    | + - + + + -
        square/blue      -> production/blue   tcp 80    | + - - + + -
        production/blue  -> production/red    tcp 80    | + + + + + -
        production/blue  -> production/red    tcp 6379  | + + + - + -
        production/blue  -> production/green  tcp 80    | + + + - + -
        production/blue  -> square/red        tcp 80    | + + + - + -
        production/red   -> 203.0.113.7       tcp 80    | + + + + + -
        production/red   -> 2001:db8::7       tcp 80    | + + + + - -
        production/red   -> 192.0.2.55        tcp 80    | + + + + - -
    """),

    "kubernetes-node-ports": Case(
        steps=["", "ports-node1 ports-node2", "cluster-only hosts-may-speak ports-node1 ports-node2",
               "cluster-only hosts-may-speak ports-node1 ports-node2 port-everywhere",
               "cluster-only hosts-may-speak ports-node1 ports-node2 port-of-some"],
        services=NODE_PORTS, table="""
        203.0.113.7     -> node1           tcp 31852  | + + - + +
        203.0.113.7     -> node2           tcp 31852  | + + - + -
        services/client -> node1           tcp 31852  | + + + + +
        node2           -> node1           tcp 31852  | + - + + +
        203.0.113.7     -> services/svc-a  tcp 80     | + + - - -
        203.0.113.7     -> node1           tcp 10250  | + - - - -
        203.0.113.7     -> node1           tcp 22     | + + + + +
        node2           -> node1           tcp4 10250 | + - + + +
        services/client -> services/svc-a  tcp4 80    | + + + + +
        services/svc-a  -> 203.0.113.7     tcp 80     | + + + + +
        node1           -> 203.0.113.7     tcp 80     | + - + + +
    """),

    # What a node sends to itself is policed by `*`, too.
    "kubernetes-nodes": Case(
        steps=["", "node1-auto-hep node2-auto-hep", "node1-auto-hep node2-auto-hep into-masters into-workers",
               "node1-auto-hep node2-auto-hep into-masters into-workers default",
               "node1-auto-hep node2-auto-hep some-nodes"], table="""
        203.0.113.7  -> node1       tcp 6443   | + + + + +
        203.0.113.7  -> node2       tcp 6443   | + + + - +
        203.0.113.7  -> node1       tcp 22     | + + + + +
        203.0.113.7  -> node1       tcp 2380   | + + + - +
        203.0.113.7  -> node1       tcp 10250  | + + - - +
        203.0.113.7  -> node2       tcp 10250  | + + - - +
        node1        -> node2       tcp 10250  | + + + + +
        node2        -> node1       tcp 10250  | + + - - +
        node1        -> node2       tcp 8080   | + + - - -
        node2        -> node1       tcp 8080   | + + - - +
        node2        -> 127.0.0.1   tcp 10250  | + + + + +
        node2        -> 127.0.0.1   tcp 8080   | + + + + -
        203.0.113.7  -> default/web tcp 80     | + + + + +
        node1        -> 203.0.113.7 tcp 80     | + + + + +
    """),

    "namespace-policy": Case(
        steps=["", "same-namespace", "circles", "same-namespace circles", "development-alone"], table="""
        production/blue   -> production/red    tcp 6379  | + + - + +
        production/blue   -> production/red    tcp 80    | + - - - +
        production/green  -> production/red    tcp 6379  | + - - - +
        circle/blue       -> production/red    tcp 6379  | + - + + +
        circle/green      -> production/red    tcp 6379  | + - - - +
        square/blue       -> production/red    tcp 6379  | + - - - +
        production/blue   -> production/green  tcp 80    | + + + + +
        development/one   -> development/two   tcp 80    | + + + + +
        development/one   -> production/green  tcp 80    | + + + + -
        production/green  -> development/one   tcp 80    | + + + + -
        development/one   -> 203.0.113.7       tcp 80    | + + + + -
    """),

    # Pods with the labels that Calico's OpenStack plugin gives to machines stand for them.
    "network-policy-openstack": Case(
        steps=["", "not-to-superman not-to-lexluthor projects-open", "projects-open", "web-between-groups"], table="""
        stack/lexluthor -> stack/superman   tcp 80  | + - + -
        stack/superman  -> stack/lexluthor  tcp 80  | + - + +
        stack/lois      -> stack/superman   tcp 80  | + + + +
        stack/lois      -> stack/superman   icmp 8  | + + + -
        stack/superman  -> stack/lois       tcp 80  | + + + +
    """),

    "protect-hosts": Case(
        steps=["", "protected", "protected k8s-worker", "protected k8s-worker default"], table="""
        203.0.113.7      -> node1        tcp 22     | + + + +
        192.0.2.55       -> node1        tcp 22     | + + + -
        192.0.2.55       -> node1        tcp 10250  | + - + +
        192.0.2.55       -> node1        tcp 8080   | + - - -
        192.0.2.55       -> node1        icmp 8     | + - + +
        192.0.2.55       -> node1        udp 8080   | + - - -
        node1            -> 192.0.2.55   tcp 2379   | + + + +
        node1            -> 203.0.113.7  tcp 2379   | + + + -
        node1            -> 203.0.113.7  udp 53     | + + + +
        node1            -> 203.0.113.7  tcp 53     | + - - -
        node1            -> 203.0.113.7  tcp 80     | + - - -
        production/red   -> node1        tcp 8080   | - - - +
        192.0.2.55       -> production/red  tcp 80  | + + + +
        node1            -> production/red  tcp 80  | + + + +
    """),

    "service-accounts": Case(steps=["", "by-name", "by-label", "interns"], table="""
        engineering/api      -> engineering/db        tcp 80  | + + - +
        engineering/auth     -> engineering/db        tcp 80  | + + - +
        engineering/web      -> engineering/db        tcp 80  | + - + +
        contractors/api      -> engineering/db        tcp 80  | + - - +
        203.0.113.7          -> engineering/db        tcp 80  | + - - +
        engineering/intern-1 -> engineering/intern-2  tcp 80  | + + + +
        engineering/intern-1 -> engineering/web       tcp 80  | + + + -
        engineering/web      -> engineering/intern-1  tcp 80  | + + + -
        engineering/web      -> engineering/api       tcp 80  | + + + +
    """),

    # The page has no "deny-the-rest", and without it (step 1) nobody is kept out: before services there is no end of tier.
    "services-cluster-ips": Case(
        steps=["", "services-node1 services-node2 hosts-may-speak allow-cluster-ips allow-to-pods allow-to-hosts",
               "services-node1 services-node2 hosts-may-speak allow-cluster-ips allow-to-pods allow-to-hosts deny-the-rest",
               "services-node1 services-node2 hosts-may-speak allow-cluster-ips allow-to-pods allow-to-hosts deny-the-rest "
               "pods-for-nodes",
               "pod-for-clients"],
        services=CLUSTER_IPS, table="""
        50.60.0.7       -> 10.20.30.40     tcp 80     | + + + + +
        70.80.90.7      -> 10.20.30.40     tcp 80     | + + - - +
        70.80.90.7      -> 10.20.30.41     tcp 80     | + + + + +
        50.60.0.7       -> 10.20.30.41     tcp 80     | + + - - +
        203.0.113.7     -> 10.20.30.40     tcp 80     | + + - - +
        203.0.113.7     -> node1           tcp 8080   | + + + + +
        203.0.113.7     -> node1           tcp 30080  | + + - - -
        203.0.113.7     -> services/svc-a  tcp4 80    | + + + - +
        services/client -> services/svc-a  tcp4 80    | + + + - +
        node2           -> services/svc-a  tcp4 80    | + + + + +
        services/client -> services/svc-c  tcp4 80    | + + + + -
        services/client -> services/svc-c  tcp6 80    | + + - - -
        50.60.0.7       -> 10.20.30.42     tcp 80     | + + - - +
        70.80.90.7      -> 10.20.30.42     tcp 80     | + + - - -
    """),

    "tutorials/app-layer-policy/enforce-policy-istio": Case(steps=["", "customer summary database"], table="""
        bank/customer -> bank/summary   tcp 80    | + +
        bank/database -> bank/summary   tcp 80    | + -
        bank/summary  -> bank/database  tcp 2379  | + +
        bank/customer -> bank/database  tcp 2379  | + -
        203.0.113.7   -> bank/database  tcp 2379  | + -
        203.0.113.7   -> bank/customer  tcp 80    | + -
    """),

    "tutorials/calico-policy": Case(
        manifests="examples/tutorials/calico-policy",
        steps=["", "default-deny", "default-deny allow-client-egress", "default-deny allow-client-egress allow-nginx-ingress"],
        table="""
        advanced-demo/client -> advanced-demo/nginx   tcp 80    | + - - +
        advanced-demo/client -> 203.0.113.7           tcp 80    | + - + +
        advanced-demo/nginx  -> advanced-demo/client  tcp 8080  | + - - -
        advanced-demo/nginx  -> 203.0.113.7           tcp 80    | + - - -
        kube-system/other    -> kube-system/dns       tcp 80    | + + + +
    """),

    "tutorials/kubernetes-policy-advanced": Case(
        manifests="examples/tutorials/kubernetes-egress",
        steps=["", "default-deny-ingress", "default-deny-ingress access-nginx",
               "default-deny-ingress access-nginx default-deny-egress",
               "default-deny-ingress access-nginx default-deny-egress allow-dns",
               "default-deny-ingress access-nginx default-deny-egress allow-dns allow-egress-to-nginx"], table="""
        egress-demo/client -> egress-demo/nginx   tcp 80    | + - + - - +
        egress-demo/nginx  -> egress-demo/client  tcp 8080  | + - - - - -
        egress-demo/client -> 203.0.113.7         tcp 80    | + + + - - -
        egress-demo/client -> dns/resolver        udp 53    | + + + - + +
        egress-demo/client -> dns/resolver        tcp 53    | + + + - - -
    """),

    "tutorials/kubernetes-policy-basic": Case(
        manifests="examples/tutorials/kubernetes-policy", steps=["", "default-deny", "default-deny access-nginx"], table="""
        policy-demo/access      -> policy-demo/nginx   tcp 80    | + - +
        policy-demo/cant-access -> policy-demo/nginx   tcp 80    | + - -
        policy-demo/nginx       -> policy-demo/access  tcp 8080  | + - -
        policy-demo/nginx       -> 203.0.113.7         tcp 80    | + + +
    """),

    "tutorials/kubernetes-policy-demo/kubernetes-demo": Case(
        manifests="examples/stars",
        steps=["", "stars/default-deny client/default-deny", "stars/default-deny client/default-deny stars/allow-ui client/allow-ui",
               "stars/default-deny client/default-deny stars/allow-ui client/allow-ui backend-policy",
               "stars/default-deny client/default-deny stars/allow-ui client/allow-ui backend-policy frontend-policy"], table="""
        management-ui/management-ui -> stars/backend   tcp 6379  | + - + + +
        management-ui/management-ui -> stars/frontend  tcp 80    | + - + + +
        management-ui/management-ui -> client/client   tcp 9000  | + - + + +
        stars/frontend              -> stars/backend   tcp 6379  | + - - + +
        client/client               -> stars/backend   tcp 6379  | + - - - -
        client/client               -> stars/frontend  tcp 80    | + - - - +
        stars/backend               -> stars/frontend  tcp 80    | + - - - -
        stars/frontend              -> client/client   tcp 9000  | + - - - -
    """),

    # "pinhole-of-some": on node2 alone, whose service is passed on to node1.
    "tutorials/protect-hosts": Case(
        steps=["", "outer-node1 outer-node2", "allow-cluster drop-others allow-outbound outer-node1 outer-node2",
               "allow-cluster drop-others allow-outbound outer-node1 outer-node2 pinhole",
               "allow-cluster drop-others allow-outbound outer-node1 outer-node2 pinhole-of-some"],
        services=NODE_PORTS, table="""
        203.0.113.7     -> node1           tcp 31852  | + + - + -
        203.0.113.7     -> node2           tcp 31852  | + + - + +
        services/client -> node1           tcp 31852  | + + + + +
        node2           -> node1           tcp 31852  | + - + + +
        203.0.113.7     -> services/svc-a  tcp 80     | + + - - -
        203.0.113.7     -> node1           tcp 8080   | + - - - -
        203.0.113.7     -> node1           tcp 22     | + + + + +
        192.168.0.20    -> services/svc-a  tcp 80     | + + + + +
        node1           -> 203.0.113.7     tcp 80     | + - + + +
        services/client -> services/svc-a  tcp4 80    | + + + + +
    """),
}

# What of a page is not tried, and why.
NOT_TRIED = {
    "http-methods": "HTTP is read by Istio's Envoy, which asks Calico's Dikastes; neither is here. That such a rule opens nothing is tried",
    "tutorials/app-layer-policy/enforce-policy-istio": "the same, and certificates of Istio's: what is decided by addresses is tried",
    "kubernetes-nodes": "that host endpoints are made for each node: `margay controllers` does not make them (docs/status.md). They are applied as "
                        "Calico's controllers make them",
}

WITHOUT_POLICY = {
    "app-layer-policy": "installs Istio and Dikastes",
    "calico-enterprise/compliance": "about Calico Enterprise", "calico-enterprise/egress-access-controls": "about Calico Enterprise",
    "calico-enterprise/federation": "about Calico Enterprise", "calico-enterprise/index": "about Calico Enterprise",
    "calico-enterprise/network-visibility": "about Calico Enterprise", "calico-enterprise/policy-workflow": "about Calico Enterprise",
    "calico-enterprise/threat-defense": "about Calico Enterprise", "calico-enterprise/user-console": "about Calico Enterprise",
    "calico-policy": "a list of pages", "comms/crypto-auth": "certificates of Calico's components", "comms/index": "a list of pages",
    "comms/reduce-nodes": "route reflectors", "comms/secure-bgp": "passwords of BGP sessions",
    "encrypt-cluster-pod-traffic": "WireGuard", "extreme-traffic": "a list of pages", "get-started": "a list of pages",
    "hosts": "a list of pages", "index": "a list of pages", "istio": "a list of pages", "kubernetes-policy": "a list of pages",
    "policy-rules": "a list of pages", "policy-rules-overview": "words, and links to pages", "services": "a list of pages",
}
