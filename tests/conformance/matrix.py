"""What the oracle must know of the cluster of cases.py, and how each step changes it."""

import copy
import itertools

from cases import WITH_SCTP
from oracle import Oracle, Pod

NAMESPACES, PODS, PORTS, PROTOCOLS = "xyz", "abc", (80, 81), ("TCP", "UDP")
SERVED = list(itertools.product(PORTS, PROTOCOLS))


def port_name(number, protocol):
    return f"serve-{number}-{protocol.lower()}"


def namespace_labels(name):
    return {"ns": name, "kubernetes.io/metadata.name": name}


class Model:
    def __init__(self, ips):
        """`ips`: "x/a" -> its addresses."""
        ports = {(port_name(number, protocol), protocol): number for number, protocol in SERVED}
        self.ips = ips
        self.namespaces = {n: namespace_labels(n) for n in NAMESPACES}
        self.pods = {f"{n}/{p}": Pod(n, p, {"pod": p}, ips[f"{n}/{p}"], ports) for n in NAMESPACES for p in PODS}
        self.policies = {}

    def take(self, step):
        for key in step.remove:
            del self.policies[key]
        if step.label_namespace:
            name, key, value = step.label_namespace
            self._label(self.namespaces[name], key, value)
        if step.label_pod:
            name, key, value = step.label_pod
            self._label(self.pods[name].labels, key, value)
        for key, spec in step.apply.items():
            ns, name = key.split("/")
            self.policies[key] = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                                  "metadata": {"namespace": ns, "name": name}, "spec": self._resolve(spec)}

    @staticmethod
    def _label(labels, key, value):
        labels.pop(key, None)
        if value is not None:
            labels[key] = value

    def _resolve(self, value):
        if callable(value):
            return value(self.ips)
        if isinstance(value, dict):
            return {k: self._resolve(v) for k, v in value.items()}
        return [self._resolve(v) for v in value] if isinstance(value, list) else copy.deepcopy(value)

    def expected(self, case):
        """(source, target, protocol, number, target's address) -> whether it is reached."""
        oracle = Oracle(self.namespaces, self.pods.values(), list(self.policies.values()))
        protocols = PROTOCOLS + ("SCTP",) * (case in WITH_SCTP)
        return {(source.id, target.id, protocol, number, address): oracle.allows(source, target, protocol, number, address)
                for source, target in itertools.permutations(self.pods.values(), 2)
                for protocol, number, address in itertools.product(protocols, PORTS, target.addresses)}
