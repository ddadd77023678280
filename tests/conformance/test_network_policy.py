"""The upstream Kubernetes NetworkPolicy matrix on a dual-stack lab: one test a case, the whole matrix after each step."""

import copy
import itertools

import pytest

from cases import CASES
from cluster import Cluster, Failed, namespace, pod, wait_until
from oracle import Oracle, Pod

NAMESPACES, PODS, PORTS, PROTOCOLS = "xyz", "abc", (80, 81), ("TCP", "UDP")
CONVERGES_WITHIN = 20.0


def port_name(number, protocol):
    return f"serve-{number}-{protocol.lower()}"


class Matrix:
    """The cluster and, beside it, what the oracle must know of it."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.reset_model()
        served = list(itertools.product(PORTS, PROTOCOLS))
        cluster.apply(*(namespace(n, {"ns": n}) for n in NAMESPACES))
        cluster.apply(*(pod(n, p, [(number, protocol, port_name(number, protocol)) for number, protocol in served],
                            {"pod": p}) for n in NAMESPACES for p in PODS))
        self.ips = cluster.wait_for_pods(f"{n}/{p}" for n in NAMESPACES for p in PODS)
        self.reset_model()

    def reset_model(self):
        ports = {(port_name(n, p), p): n for n in PORTS for p in PROTOCOLS}
        self.namespaces = {n: {"ns": n} for n in NAMESPACES}
        self.pods = {f"{n}/{p}": Pod(n, p, {"pod": p}, getattr(self, "ips", {}).get(f"{n}/{p}", []), ports)
                     for n in NAMESPACES for p in PODS}
        self.policies = {}

    # ---- changes, to the cluster and to the model ---------------------------------------------------
    def take(self, step):
        for key in step.remove:
            ns, name = key.split("/")
            self.cluster.kubectl("delete", "networkpolicy", "-n", ns, name)
            del self.policies[key]
        if step.label_namespace:
            name, key, value = step.label_namespace
            self._label(["namespace", name], self.namespaces[name], key, value)
        if step.label_pod:
            name, key, value = step.label_pod
            ns, pod_name = name.split("/")
            self._label(["pod", "-n", ns, pod_name], self.pods[name].labels, key, value)
        for key, spec in step.apply.items():
            ns, name = key.split("/")
            self.policies[key] = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                                  "metadata": {"namespace": ns, "name": name}, "spec": self._resolve(spec)}
        if step.apply:
            self.cluster.apply(*(self.policies[key] for key in step.apply))

    def reset(self):
        self.cluster.kubectl("delete", "networkpolicy", "--all-namespaces", "--all")
        for name, labels in self.namespaces.items():
            self._restore(["namespace", name], labels, {"ns": name})
        for one in self.pods.values():
            self._restore(["pod", "-n", one.ns, one.name], one.labels, {"pod": one.name})
        self.reset_model()

    def _restore(self, target, labels, wanted):
        for key in set(labels) | set(wanted):
            if labels.get(key) != wanted.get(key):
                self._label(target, labels, key, wanted.get(key))

    def _label(self, target, labels, key, value):
        self.cluster.kubectl("label", "--overwrite", *target, f"{key}-" if value is None else f"{key}={value}")
        labels.pop(key, None)
        if value is not None:
            labels[key] = value

    def _resolve(self, value):
        if callable(value):
            return value(self.ips)
        if isinstance(value, dict):
            return {k: self._resolve(v) for k, v in value.items()}
        return [self._resolve(v) for v in value] if isinstance(value, list) else copy.deepcopy(value)

    # ---- comparison ------------------------------------------------------------------------------------
    def expected(self):
        oracle = Oracle(self.namespaces, self.pods.values(), list(self.policies.values()))
        return {(source.id, target.id, protocol, number, address):
                "allow" if oracle.allows(source, target, protocol, number, address) else "deny"
                for source, target in itertools.permutations(self.pods.values(), 2)
                for protocol, number, address in itertools.product(PROTOCOLS, PORTS, target.addresses)}

    def probed(self):
        outcomes = self.cluster.probe("--protocol", "tcp", "--protocol", "udp", "--port", "80", "--port", "81")
        return {(o["from"], o["to"], o["protocol"].upper(), o["port"], o["ip"]): o["result"] for o in outcomes}

    def differences(self):
        expected, probed = self.expected(), self.probed()
        return [f"{source} -> {target} {protocol} {number} at {address}: expected {want}, got "
                f"{probed.get((source, target, protocol, number, address))}"
                for (source, target, protocol, number, address), want in expected.items()
                if probed.get((source, target, protocol, number, address)) != want] + [
                    f"unexpected: {key}" for key in probed.keys() - expected.keys()]

    def check(self, what):
        def converged():
            differences = self.differences()
            if differences:
                raise Failed(f"{len(differences)} differences, such as\n  " + "\n  ".join(differences[:10]))
            return True
        wait_until(converged, what, CONVERGES_WITHIN)
        assert not self.differences(), f"{what}: did not stay so"


@pytest.fixture(scope="module")
def matrix():
    with Cluster(nodes=2, ipv6=True) as cluster:
        yield Matrix(cluster)


@pytest.mark.parametrize("case", CASES)
def test_case(case, matrix):
    try:
        for number, step in enumerate(CASES[case], 1):
            matrix.take(step)
            matrix.check(f"{case}, step {number}")
    finally:
        matrix.reset()
