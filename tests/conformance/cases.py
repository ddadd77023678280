"""The cases: what the upstream Kubernetes NetworkPolicy tests cover (upstream.py has their titles), and more, as data.

Namespaces x, y, z carry the label ns=<name>; each has pods a, b, c with the label pod=<name>, serving TCP and UDP on
80 and 81 under the names serve-80-tcp, serve-81-udp, ... A case is a list of steps from a cluster without policies;
after each step the whole matrix is probed and compared with the oracle. In the cases of WITH_SCTP that is SCTP on 80 and 81, too.
"""

from dataclasses import dataclass, field


@dataclass
class Step:
    """What happens, in this order. In a policy's spec, a callable is asked for the value: it gets `ips`, which maps
    "x/a" to the pod's addresses."""
    remove: tuple = ()  # policies, "x/name"
    label_namespace: tuple = ()  # (namespace, key, value or None)
    label_pod: tuple = ()  # ("x/a", key, value or None)
    apply: dict = field(default_factory=dict)  # "x/name" -> spec


EVERY_POD = {}
INGRESS, EGRESS, BOTH = ["Ingress"], ["Egress"], ["Ingress", "Egress"]


def pod(*names):
    if len(names) == 1:
        return {"matchLabels": {"pod": names[0]}}
    return {"matchExpressions": [{"key": "pod", "operator": "In", "values": list(names)}]}


def ns(*names):
    if len(names) == 1:
        return {"matchLabels": {"ns": names[0]}}
    return {"matchExpressions": [{"key": "ns", "operator": "In", "values": list(names)}]}


def expression(key, operator, *values):
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


def ingress(*rules, to=EVERY_POD):
    return {"podSelector": to, "policyTypes": INGRESS, "ingress": list(rules)}


def egress(*rules, of=EVERY_POD):
    return {"podSelector": of, "policyTypes": EGRESS, "egress": list(rules)}


def allow(*peers, ports=(), side="from"):
    rule = {}
    if peers:
        rule[side] = list(peers)
    if ports:
        rule["ports"] = list(ports)
    return rule


def allow_to(*peers, ports=()):
    return allow(*peers, ports=ports, side="to")


def peer(pods=None, namespaces=None):
    return {**({"podSelector": pods} if pods is not None else {}),
            **({"namespaceSelector": namespaces} if namespaces is not None else {})}


def tcp(port, **more):
    return {"protocol": "TCP", "port": port, **more}


def udp(port, **more):
    return {"protocol": "UDP", "port": port, **more}


def sctp(port):
    return {"protocol": "SCTP", "port": port}


def named(*names, operator="In"):
    """Namespaces, by the label that Kubernetes gives each."""
    return expression("kubernetes.io/metadata.name", operator, *names)


def blocks_of(*pods_in_block):
    """ipBlock peers of exactly these pods, one for each address."""
    return lambda ips: [{"ipBlock": {"cidr": _single(a)}} for p in pods_in_block for a in ips[p]]


def everything_except(*excluded):
    """ipBlock peers of every address of both families but these pods'."""
    def peers(ips):
        singles = [_single(a) for p in excluded for a in ips[p]]
        return [{"ipBlock": {"cidr": "0.0.0.0/0", "except": [s for s in singles if ":" not in s]}}] + [
            {"ipBlock": {"cidr": "::/0", "except": v6}} for v6 in [[s for s in singles if ":" in s]] if v6]
    return peers


def _single(address):
    return f"{address}/{128 if ':' in address else 32}"

# Where nothing is ever denied, that is what the case is about; each has a counterpart that closes.
OPEN = {
    "no policy: every pod reaches every pod": "deny all ingress",
    "allow all ingress": "an empty rule opens what a deny closed",
    "allow all egress": "an allow-all beside a policy for a port: egress",
    "a policy that selects no pod does nothing": "an isolated pod leaves its neighbours open",
    "ingress from every namespace": "ingress from every pod of the same namespace",
    "an exception holds for its own block alone": "ingress from a block with exceptions",
}

WITH_SCTP = ("deny all ingress", "SCTP is not TCP", "a policy about SCTP isolates", "ingress from a namespace on one SCTP port",
             "ingress from a pod AND a namespace")


CASES = {
    # ---- nothing and everything -------------------------------------------------------------------
    "no policy: every pod reaches every pod": [Step()],
    "deny all ingress": [Step(apply={"x/deny": ingress()})],
    "deny all egress": [Step(apply={"x/deny": egress()})],
    "deny all ingress and egress": [Step(apply={"x/deny": {"podSelector": EVERY_POD, "policyTypes": BOTH}})],
    "deny all ingress by default types": [Step(apply={"x/deny": {"podSelector": EVERY_POD}})],
    "deny ingress in every namespace": [
        Step(apply={f"{n}/deny": ingress() for n in "xyz"}), Step(remove=("z/deny",))],
    "allow all ingress": [Step(apply={"x/allow": ingress({})})],
    "allow all egress": [Step(apply={"x/allow": egress({})})],
    "an empty rule opens what a deny closed": [
        Step(apply={"x/deny": ingress()}), Step(apply={"x/allow": ingress({})}), Step(remove=("x/allow",))],
    "an isolated pod leaves its neighbours open": [Step(apply={"x/deny": ingress(to=pod("a"))})],
    "a policy that selects no pod does nothing": [Step(apply={"x/deny": ingress(to=pod("nobody"))})],

    # ---- peers of ingress -----------------------------------------------------------------------------
    "ingress from a pod of the same namespace": [
        Step(apply={"x/p": ingress(allow(peer(pod("b"))), to=pod("a"))})],
    "ingress from every pod of the same namespace": [Step(apply={"x/p": ingress(allow(peer(EVERY_POD)))})],
    "ingress from every namespace": [Step(apply={"x/p": ingress(allow(peer(namespaces={})), to=pod("a"))})],
    "ingress from a namespace": [Step(apply={"x/p": ingress(allow(peer(namespaces=ns("y"))), to=pod("a"))})],
    "ingress from namespaces by matchExpressions In": [
        Step(apply={"x/p": ingress(allow(peer(namespaces=ns("y", "z"))), to=pod("a"))})],
    "ingress from namespaces by matchExpressions NotIn": [
        Step(apply={"x/p": ingress(allow(peer(namespaces=expression("ns", "NotIn", "x", "y"))), to=pod("a"))})],
    "ingress from pods by matchExpressions In": [
        Step(apply={"x/p": ingress(allow(peer(pod("b", "c"))), to=pod("a"))})],
    "ingress from pods by matchExpressions NotIn": [
        Step(apply={"x/p": ingress(allow(peer(expression("pod", "NotIn", "b"))), to=pod("a"))})],
    "ingress from pods that lack a label": [
        Step(apply={"x/p": ingress(allow(peer(expression("team", "DoesNotExist"), {})))}),
        Step(label_pod=("y/b", "team", "red"))],
    "ingress from pods that have a label": [
        Step(apply={"x/p": ingress(allow(peer(expression("team", "Exists"), {})))}),
        Step(label_pod=("y/b", "team", "red"))],
    "ingress from a pod AND a namespace": [
        Step(apply={"x/p": ingress(allow(peer(pod("b"), ns("y"))), to=pod("a"))})],
    "ingress from a pod OR a namespace": [
        Step(apply={"x/p": ingress(allow(peer(pod("b")), peer(namespaces=ns("y"))), to=pod("a"))})],
    "ingress from pods of all namespaces": [
        Step(apply={"x/p": ingress(allow(peer(pod("b"), {})), to=pod("a"))})],
    "several rules and several peers add up": [
        Step(apply={"x/p": ingress(allow(peer(pod("b"), ns("y")), peer(pod("c"), ns("z"))), allow(peer(pod("c"))),
                                   to=pod("a"))})],
    "ingress from either of two pods": [
        Step(apply={"x/p": ingress(allow(peer(pod("b")), peer(pod("c"))), to=pod("a"))})],
    "ingress from a pod, or from other namespaces by matchExpressions NotIn": [
        Step(apply={"x/p": ingress(allow(peer(namespaces=expression("ns", "NotIn", "x")), peer(pod("b"))), to=pod("a"))})],
    "ingress from a pod of other namespaces, by matchExpressions NotIn": [
        Step(apply={"x/p": ingress(allow(peer(pod("b"), expression("ns", "NotIn", "x"))), to=pod("a"))})],
    "ingress from two pods of other namespaces, by matchExpressions": [
        Step(apply={"x/p": ingress(allow(peer(pod("b", "c"), expression("ns", "NotIn", "x"))), to=pod("a"))})],
    "ingress from a namespace by its name": [
        Step(apply={"x/p": ingress(allow(peer(namespaces={"matchLabels": {"kubernetes.io/metadata.name": "y"}})), to=pod("a"))})],
    "a policy for pods by matchExpressions": [
        Step(apply={"x/p": ingress(allow(peer(namespaces=ns("z"))), to=pod("a", "c"))})],

    # ---- ports ------------------------------------------------------------------------------------------
    "ingress on a numbered port": [Step(apply={"x/p": ingress(allow(ports=[tcp(80)]))})],
    "ingress on a numbered UDP port": [Step(apply={"x/p": ingress(allow(ports=[udp(81)]))})],
    "ingress on a named port": [Step(apply={"x/p": ingress(allow(ports=[tcp("serve-81-tcp")]))})],
    "ingress on a named UDP port": [Step(apply={"x/p": ingress(allow(ports=[udp("serve-80-udp")]))})],
    "a named port of the other protocol opens nothing": [
        Step(apply={"x/p": ingress(allow(ports=[udp("serve-80-tcp")]))})],
    "a named port nobody has opens nothing": [Step(apply={"x/p": ingress(allow(ports=[tcp("nobody-has-it")]))})],
    "ingress on a range of ports": [
        Step(apply={"x/p": ingress(allow(ports=[tcp(79, endPort=80)]))}),
        Step(apply={"x/p": ingress(allow(ports=[tcp(79, endPort=81)]))})],
    "ingress of one protocol": [Step(apply={"x/p": ingress(allow(ports=[{"protocol": "UDP"}]))})],
    "an empty port entry means all TCP": [Step(apply={"x/p": ingress(allow(ports=[{}]))})],
    "ports and peers of one rule must both match": [
        Step(apply={"x/p": ingress(allow(peer(namespaces=ns("y")), ports=[tcp(80), udp(81)]), to=pod("a"))})],
    "different ports for different peers": [
        Step(apply={"x/p": ingress(allow(peer(namespaces=ns("y")), ports=[tcp(80)]),
                                   allow(peer(namespaces=ns("z")), ports=[tcp(81)]), to=pod("a"))})],
    "numbered and named ports of both protocols at once": [
        Step(apply={"x/p": ingress(allow(ports=[tcp(80), udp("serve-81-udp")]))})],

    "ingress from a namespace on one port": [
        Step(apply={"x/p": ingress(allow(peer(namespaces=ns("y")), ports=[tcp(81)]), to=pod("a"))})],
    "ingress from a namespace on one UDP port": [
        Step(apply={"x/p": ingress(allow(peer(namespaces=ns("y")), ports=[udp(81)]), to=pod("a"))})],
    "ingress from a namespace on one SCTP port": [
        Step(apply={"x/p": ingress(allow(peer(namespaces=ns("y")), ports=[sctp(81)]), to=pod("a"))})],
    "ingress from a namespace on a named port": [
        Step(apply={"x/p": ingress(allow(peer(namespaces=ns("y")), ports=[tcp("serve-80-tcp")]), to=pod("a"))})],
    "ingress of TCP alone": [Step(apply={"x/p": ingress(allow(ports=[{"protocol": "TCP"}]), to=pod("a"))})],
    "SCTP is not TCP": [
        Step(apply={"x/deny": ingress(), "x/p": ingress(allow(ports=[sctp(81)]), to=pod("a"))})],
    "a policy about SCTP isolates": [Step(apply={"x/p": ingress(allow(ports=[sctp(80)]), to=pod("a"))})],

    # ---- egress ---------------------------------------------------------------------------------------------
    "egress to a namespace": [Step(apply={"x/p": egress(allow_to(peer(namespaces=ns("y"))), of=pod("a"))})],
    "egress to a pod of the same namespace": [Step(apply={"x/p": egress(allow_to(peer(pod("b"))), of=pod("a"))})],
    "egress to a pod AND a namespace": [
        Step(apply={"x/p": egress(allow_to(peer(pod("b"), ns("y"))), of=pod("a"))})],
    "egress on a numbered port": [Step(apply={"x/p": egress(allow_to(ports=[tcp(80)]))})],
    "egress on a named port is the destination's": [
        Step(apply={"x/p": egress(allow_to(peer(namespaces={}), ports=[tcp("serve-81-tcp")]))})],
    "egress on a range of ports": [
        Step(apply={"x/p": egress(allow_to(peer(namespaces=ns("y")), ports=[udp(80, endPort=81)]))})],
    "deny all egress of one pod": [Step(apply={"x/p": egress(of=pod("a"))})],
    "egress on a named port to everybody": [Step(apply={"x/p": egress(allow_to(ports=[tcp("serve-80-tcp")]))})],
    "egress to namespaces by their names, NotIn": [
        Step(apply={"x/p": egress(allow_to(peer(namespaces=named("y", operator="NotIn"))), of=pod("a"))})],
    "egress by a list alone, without policyTypes": [
        Step(apply={"x/p": {"podSelector": pod("a"), "egress": [allow_to(peer(namespaces=ns("z")))]}})],
    "ingress and egress in one policy": [
        Step(apply={"x/p": {"podSelector": pod("a"), "policyTypes": BOTH,
                            "ingress": [allow(peer(namespaces=ns("y")))],
                            "egress": [allow_to(peer(namespaces=ns("z")))]}})],
    "ingress from a pod and egress on a port in one policy": [
        Step(apply={"x/p": {"podSelector": pod("a"), "policyTypes": BOTH, "ingress": [allow(peer(pod("b")))],
                            "egress": [allow_to(ports=[tcp(80)])]}})],
    "ingress and egress of one pod are apart": [
        Step(apply={"x/out": egress({}, of=pod("a"))}),
        Step(apply={"x/in": ingress(to=pod("a"))})],
    "egress is denied although the server allows it": [
        Step(apply={"x/out": egress(allow_to(peer(pod("a"), ns("y"))), of=pod("a")),
                    "y/a": ingress(allow(peer(pod("a"), ns("x"))), to=pod("a")),
                    "y/b": ingress(allow(peer(pod("a"), ns("x"))), to=pod("b"))})],
    "both ends must allow": [
        Step(apply={"x/out": egress(allow_to(peer(pod("b"), ns("y"))), of=pod("a"))}),
        Step(apply={"y/in": ingress(allow(peer(pod("b"), ns("x"))), to=pod("b"))}),
        Step(apply={"y/in": ingress(allow(peer(pod("a"), ns("x"))), to=pod("b"))})],

    # ---- ipBlock -----------------------------------------------------------------------------------------------
    "ingress from a block": [
        Step(apply={"x/p": ingress({"from": blocks_of("y/b", "x/c")}, to=pod("a"))})],
    "ingress from a block with exceptions": [
        Step(apply={"x/p": ingress({"from": everything_except("y/b", "z/c")}, to=pod("a"))})],
    "egress to a block": [Step(apply={"x/p": egress({"to": blocks_of("z/a")}, of=pod("a"))})],
    "egress to a block with exceptions": [
        Step(apply={"x/p": egress({"to": everything_except("z/a", "x/b")}, of=pod("a"))})],
    "a block and a selector are two peers": [
        Step(apply={"x/p": ingress({"from": lambda ips: blocks_of("y/b")(ips) + [peer(namespaces=ns("z"))]},
                                   to=pod("a"))})],
    "an exception holds for its own block alone": [
        Step(apply={"x/p": ingress({"from": lambda ips: everything_except("y/b")(ips) + blocks_of("y/b")(ips)},
                                   to=pod("a"))})],

    "a block replaces one that excepted it": [
        Step(apply={"x/p": egress({"to": everything_except("x/b")}, of=pod("a"))}),
        Step(apply={"x/p": egress({"to": blocks_of("x/b")}, of=pod("a"))})],

    # ---- several policies -------------------------------------------------------------------------------------------
    "policies for the same pods add up": [
        Step(apply={"x/one": ingress(allow(peer(namespaces=ns("y"))), to=pod("a"))}),
        Step(apply={"x/two": ingress(allow(peer(namespaces=ns("z"))), to=pod("a"))}),
        Step(remove=("x/one",))],
    "stacked policies open one port each": [
        Step(apply={"x/deny": ingress()}),
        Step(apply={"x/80": ingress(allow(ports=[tcp(80)]))}),
        Step(apply={"x/81": ingress(allow(ports=[tcp(81)]))}),
        Step(remove=("x/deny", "x/80"))],
    "stacked policies for one pod open a port each": [
        Step(apply={"x/81": ingress(allow(peer(namespaces=ns("y")), ports=[tcp(81)]), to=pod("a"))}),
        Step(apply={"x/80": ingress(allow(peer(namespaces=ns("y")), ports=[tcp(80)]), to=pod("a"))})],
    "a target is opened in a closed namespace": [
        Step(apply={"x/deny": ingress()}),
        Step(apply={"x/p": ingress(allow(peer(EVERY_POD, {})), to=pod("a"))})],
    "an allow-all beside a policy for a port: ingress": [
        Step(apply={"x/80": ingress(allow(ports=[tcp(80)]))}), Step(apply={"x/all": ingress({})})],
    "an allow-all beside a policy for a port: egress": [
        Step(apply={"x/80": egress(allow_to(ports=[tcp(80)]))}), Step(apply={"x/all": egress({})})],
    "policies of different namespaces don't meet": [
        Step(apply={"x/p": ingress(allow(peer(pod("a")))), "y/p": ingress(allow(peer(pod("b"))))})],

    # ---- changes -------------------------------------------------------------------------------------------------------
    "an updated policy takes effect": [
        Step(apply={"x/p": ingress(allow(peer(namespaces=ns("y"))), to=pod("a"))}),
        Step(apply={"x/p": ingress(allow(peer(namespaces=ns("z"))), to=pod("a"))}),
        Step(apply={"x/p": ingress(to=pod("a"))}),
        Step(apply={"x/p": ingress({}, to=pod("a"))})],
    "an allow-all that becomes a deny-all": [Step(apply={"x/p": ingress({})}), Step(apply={"x/p": ingress()})],
    "an updated pod selector moves the isolation": [
        Step(apply={"x/p": ingress(to=pod("a"))}), Step(apply={"x/p": ingress(to=pod("b"))})],
    "a deleted policy leaves nothing": [
        Step(apply={"x/p": {"podSelector": EVERY_POD, "policyTypes": BOTH}}), Step(remove=("x/p",))],
    "a pod's label makes it a peer and unmakes it": [
        Step(apply={"x/p": ingress(allow(peer(pod("guest"), {})), to=pod("a"))}),
        Step(label_pod=("y/b", "pod", "guest")),
        Step(label_pod=("y/b", "pod", "b"))],
    "a pod's new label makes it a peer": [
        Step(apply={"x/p": ingress(allow(peer({"matchLabels": {"pod": "b", "pod2": "updated"}})), to=pod("a"))}),
        Step(label_pod=("x/b", "pod2", "updated"))],
    "a namespace's new label makes it a peer": [
        Step(apply={"x/p": ingress(allow(peer(namespaces={"matchLabels": {"ns2": "updated"}})), to=pod("a"))}),
        Step(label_namespace=("y", "ns2", "updated"))],
    "a pod's label brings it under a policy": [
        Step(apply={"x/p": ingress(to={"matchLabels": {"secret": "yes"}})}),
        Step(label_pod=("x/c", "secret", "yes")),
        Step(label_pod=("x/c", "secret", None))],
    "a namespace's label makes it a peer and unmakes it": [
        Step(apply={"x/p": ingress(allow(peer(namespaces=ns("guest"))), to=pod("a"))}),
        Step(label_namespace=("y", "ns", "guest")),
        Step(label_namespace=("y", "ns", "y"))],
    "a namespace's new label counts": [
        Step(apply={"x/p": ingress(allow(peer(namespaces=expression("team", "Exists"))))}),
        Step(label_namespace=("z", "team", "red")),
        Step(label_namespace=("z", "team", None))],
}
