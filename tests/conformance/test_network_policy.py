"""The upstream Kubernetes NetworkPolicy matrix on a dual-stack lab: one test a case, the whole matrix after each step."""

import pytest

import host
from api import Api
from cases import CASES
from cluster import namespace, pod
from matrix import NAMESPACES, PODS, SERVED, Model, port_name
from probes import Attempt, settle
from surroundings import pod_namespaces


class Matrix:
    """The cluster and, beside it, the model of it."""

    def __init__(self, cluster):
        cluster.apply(*(namespace(n, {"ns": n}) for n in NAMESPACES))
        cluster.apply(*(pod(n, p, [(number, protocol, port_name(number, protocol)) for number, protocol in SERVED], {"pod": p})
                        for n in NAMESPACES for p in PODS))
        self.ips = cluster.wait_for_pods([f"{n}/{p}" for n in NAMESPACES for p in PODS], within=120)
        self.places = pod_namespaces(cluster, f"mgl-{host.lab_id(cluster.directory)}-")
        self.api = Api(cluster.kubeconfig)
        self.model = Model(self.ips)

    @staticmethod
    def _object(kind, name):
        ns, _, own = name.rpartition("/")
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": own, **({"namespace": ns} if ns else {})}}

    def take(self, step):
        for key in step.remove:
            self.api.delete(self.model.policies[key])
        if step.label_namespace:
            name, key, value = step.label_namespace
            self.api.label(self._object("Namespace", name), key, value)
        if step.label_pod:
            name, key, value = step.label_pod
            self.api.label(self._object("Pod", name), key, value)
        self.model.take(step)
        for key in step.apply:
            self.api.put(self.model.policies[key])

    def reset(self):
        for policy in self.model.policies.values():
            self.api.delete(policy)
        changed, self.model = self.model, Model(self.ips)
        for name, labels in changed.namespaces.items():
            self._restore("Namespace", name, labels, self.model.namespaces[name])
        for name, one in changed.pods.items():
            self._restore("Pod", name, one.labels, self.model.pods[name].labels)

    def _restore(self, kind, name, labels, wanted):
        for key in set(labels) | set(wanted):
            if labels.get(key) != wanted.get(key):
                self.api.label(self._object(kind, name), key, wanted.get(key))

    def check(self, case, what):
        settle({self._attempt(*flow): ("allow" if allowed else "deny", f"{flow[0]} -> {flow[1]} {flow[2]} {flow[3]}")
                for flow, allowed in self.model.expected(case).items()}, what)

    def _attempt(self, source, target, protocol, number, address):
        own = next(one for one in self.ips[source] if (":" in one) == (":" in address))
        heard = self.places[target] if protocol == "SCTP" else target
        return Attempt(self.places[source], own, address, protocol.lower(), number, heard)


@pytest.fixture(scope="module")
def matrix(cluster):
    return Matrix(cluster)


@pytest.mark.parametrize("case", CASES)
def test_case(case, matrix):
    try:
        for number, step in enumerate(CASES[case], 1):
            matrix.take(step)
            matrix.check(case, f"{case}, step {number}")
    finally:
        matrix.reset()
