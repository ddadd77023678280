"""What somebody can do who may write pods in one namespace, by what their annotations claim."""

import json

import pytest

import host
from cluster import Cluster, namespace, pod, run, wait_until

CNI = "cni.projectcalico.org/"
API_SERVER, OTHER_NODE = "172.18.0.1", "172.18.0.12"


@pytest.fixture(scope="module")
def cluster():
    with Cluster(nodes=2) as lab:
        lab.apply(namespace("evil"), namespace("victim"), pod("evil", "eve", [(80, "TCP")], node="node1"),
                  pod("victim", "near", [(80, "TCP")], node="node1"), pod("victim", "far", [(80, "TCP")], node="node2"))
        lab.wait_for_pods(["evil/eve", "victim/near", "victim/far"])
        wait_until(lambda: all(o["result"] == "allow" for o in lab.probe()), "all reach each other")
        yield lab


@pytest.fixture
def node(cluster):
    return f"mgl-{host.lab_id(cluster.directory)}-node1"


@pytest.fixture(autouse=True)
def no_more_claims(cluster):
    yield
    cluster.kubectl("delete", "pods", "-n", "evil", "-l", "claims=something")


def results(cluster, ns):
    """Of all who ask the pods of a namespace; nobody is waited for who never starts."""
    return {o["result"] for o in cluster.probe("--wait", "1", "--to", f"projectcalico.org/namespace == '{ns}'")}


def addresses(cluster):
    return {name: ips[0] for name, ips in cluster.ready_pods().items()}


def see_that_the_agent_has_read_all(cluster, name):
    """A pod that comes later has its route, so what was written before it is in effect."""
    cluster.apply(pod("evil", name, [(80, "TCP")], node="node1"))
    cluster.wait_for_pods([f"evil/{name}"])
    wait_until(lambda: results(cluster, "evil") == {"allow"}, "the later pod is reached")


def leads_to(node, address):
    route = json.loads(run("ip", "-j", "-n", node, "route", "get", address).stdout)[0]
    return route.get("gateway"), route["dev"]


@pytest.mark.parametrize("annotation", ["podIPs", "podIP"])
@pytest.mark.parametrize("starts", [False, True], ids=["never starts", "starts"])
def test_an_annotation_takes_nobodys_address(cluster, node, annotation, starts):
    whose = addresses(cluster)
    claims = {"the neighbour's": whose["victim/near"], "one's of another node": whose["victim/far"],
              "another node's": OTHER_NODE, "the API server's": API_SERVER, "a stranger's": "203.0.113.7"}
    before = {name: leads_to(node, address) for name, address in claims.items()}
    for number, address in enumerate(claims.values()):  # lower names than the victims'
        claiming = pod("evil", f"a-{annotation.lower()}-{starts:d}-{number}", [(80, "TCP")], {"claims": "something"}, "node1")
        claiming["metadata"]["annotations"] = {CNI + annotation: f"{address}/32"}
        if not starts:
            claiming["metadata"]["annotations"][CNI + "ipv4pools"] = '["no-such-pool"]'
        cluster.apply(claiming)
    see_that_the_agent_has_read_all(cluster, f"later-{annotation.lower()}-{starts:d}")
    assert {name: leads_to(node, address) for name, address in claims.items()} == before
    assert results(cluster, "victim") == {"allow"}


def test_a_floating_ip_that_nobody_allowed_captures_nothing(cluster, node):
    whose = addresses(cluster)
    taken = [API_SERVER, OTHER_NODE, whose["victim/near"], whose["victim/far"], "203.0.113.7"]
    cluster.kubectl("annotate", "pod", "-n", "evil", "eve", f"{CNI}floatingIPs={json.dumps(taken)}")
    see_that_the_agent_has_read_all(cluster, "later-floating")
    assert "DNAT" not in run("ip", "netns", "exec", node, "iptables-save", "-t", "nat").stdout
