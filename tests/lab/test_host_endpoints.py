"""What host endpoints do to a node's own traffic, and to what it forwards, as kubectl asks for it."""

import pytest

from cluster import Cluster, namespace, pod, wait_until

OPEN, CLOSED, WEB = "demo/open", "demo/closed", "demo/web"  # two on the host's network, and one that is not


@pytest.fixture(scope="module", params=["iptables", "nftables"])
def cluster(request):
    with Cluster(nodes=2, dataplane=request.param) as lab:
        lab.apply(namespace("demo"), pod("demo", "open", [(7000, "TCP")], node="node1", hostNetwork=True),
                  pod("demo", "closed", [(7001, "TCP")], node="node1", hostNetwork=True),
                  pod("demo", "web", [(80, "TCP")], node="node1"), pod("demo", "client", [(81, "TCP")], node="node2"))
        lab.wait_for_pods([OPEN, CLOSED, WEB, "demo/client"])
        wait_until(lambda: seen(lab) == {OPEN: "allow", CLOSED: "allow", WEB: "allow"}, "an open node")
        yield lab


def seen(cluster):
    """By the client on the other node."""
    return {o["to"]: o["result"] for o in cluster.probe("--wait", "1") if o["from"] == "demo/client"}


def host_endpoint():
    return {"apiVersion": "projectcalico.org/v3", "kind": "HostEndpoint",
            "metadata": {"name": "edge", "labels": {"role": "edge"}},
            "spec": {"node": "node1", "interfaceName": "eth0"}}


def policy(name, **spec):
    return {"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": {"name": name},
            "spec": {"selector": "role == 'edge'", **spec}}


def test_a_host_endpoint_polices_its_node_and_leaves_its_pods_alone(cluster):
    cluster.apply(policy("edge", types=["Ingress", "Egress"], egress=[{"action": "Allow"}],
                         ingress=[{"action": "Allow", "protocol": "TCP", "destination": {"ports": [7000]}}]),
                  host_endpoint())
    wait_until(lambda: seen(cluster) == {OPEN: "allow", CLOSED: "deny", WEB: "allow"}, "policy is in effect")
    answer = cluster.ctl("explain", "--from", "demo/client", "--to", "node/node1", "--port", "7001", "--in", "eth0").stdout
    assert "host endpoint edge on node1 eth0, ingress, normal: deny" in answer

    cluster.apply(policy("transit", applyOnForward=True, types=["Ingress"], order=1,
                         ingress=[{"action": "Deny", "protocol": "TCP", "destination": {"ports": [80]}},
                                  {"action": "Allow"}]))
    wait_until(lambda: seen(cluster) == {OPEN: "allow", CLOSED: "allow", WEB: "deny"}, "forwarded traffic is policed")

    cluster.kubectl("delete", "globalnetworkpolicy", "transit")
    wait_until(lambda: seen(cluster) == {OPEN: "allow", CLOSED: "deny", WEB: "allow"}, "as before")
    cluster.kubectl("delete", "hostendpoint", "edge")
    wait_until(lambda: seen(cluster) == {OPEN: "allow", CLOSED: "allow", WEB: "allow"}, "an open node again")
