"""What Kubernetes says a NetworkPolicy means, for TCP and UDP between pods.

Written from the API's documentation alone, for clarity, and shares nothing with Margay:
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

import ipaddress
from dataclasses import dataclass, field


@dataclass
class Pod:
    ns: str
    name: str
    labels: dict
    addresses: list = field(default_factory=list)
    ports: dict = field(default_factory=dict)  # (name, protocol) -> number

    @property
    def id(self):
        return f"{self.ns}/{self.name}"


def labels_match(selector, labels):
    """A LabelSelector; the empty one matches everything."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for requirement in selector.get("matchExpressions", []):
        key, values = requirement["key"], requirement.get("values", [])
        holds = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }[requirement["operator"]]
        if not holds:
            return False
    return True


def port_matches(entry, protocol, number, target):
    if entry.get("protocol", "TCP") != protocol:
        return False
    port = entry.get("port")
    if port is None:
        return True
    if isinstance(port, str):
        return target.ports.get((port, protocol)) == number
    return port <= number <= entry.get("endPort", port)


class Oracle:
    def __init__(self, namespaces, pods, policies):
        """`namespaces`: name -> labels. `policies`: NetworkPolicy objects."""
        self.namespaces, self.pods, self.policies = namespaces, pods, policies

    def allows(self, source, target, protocol, number, address):
        """Whether `source` reaches `target` at `address`; the family of the source's address follows it."""
        version = ipaddress.ip_address(address).version
        source_address = next(a for a in source.addresses if ipaddress.ip_address(a).version == version)
        return (self._side("Egress", source, target, address, protocol, number, target)
                and self._side("Ingress", target, source, source_address, protocol, number, target))

    def _side(self, direction, subject, other, other_address, protocol, number, target):
        applying = [p for p in self.policies if self._applies(p, direction, subject)]
        if not applying:
            return True
        rules, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
        return any(
            self._rule(rule, peers, policy["metadata"]["namespace"], other, other_address, protocol, number, target)
            for policy in applying for rule in policy["spec"].get(rules) or [])

    @staticmethod
    def _applies(policy, direction, subject):
        spec = policy["spec"]
        types = spec.get("policyTypes") or ["Ingress"] + (["Egress"] if spec.get("egress") else [])
        return (direction in types and policy["metadata"]["namespace"] == subject.ns
                and labels_match(spec.get("podSelector", {}), subject.labels))

    def _rule(self, rule, peers, ns, other, other_address, protocol, number, target):
        ports, others = rule.get("ports") or [], rule.get(peers) or []
        return ((not ports or any(port_matches(p, protocol, number, target) for p in ports))
                and (not others or any(self._peer(p, ns, other, other_address) for p in others)))

    def _peer(self, peer, ns, other, other_address):
        if "ipBlock" in peer:
            address = ipaddress.ip_address(other_address)
            inside = lambda cidr: address in ipaddress.ip_network(cidr, strict=False)  # False across families
            return inside(peer["ipBlock"]["cidr"]) and not any(map(inside, peer["ipBlock"].get("except", [])))
        if "namespaceSelector" in peer:
            if not labels_match(peer["namespaceSelector"], self.namespaces[other.ns]):
                return False
        elif other.ns != ns:
            return False
        return "podSelector" not in peer or labels_match(peer["podSelector"], other.labels)
