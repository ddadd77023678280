"""BGPConfiguration's prefixes of services, as the node's rules have them."""

import pytest

from cluster import Cluster, run, wait_until
from host import lab_namespaces

RULES = {"iptables": ["iptables-save", "-t", "filter"], "nftables": ["nft", "list", "table", "ip", "calico"]}


@pytest.fixture(scope="module", params=["iptables", "nftables"])
def cluster(request):
    with Cluster(nodes=1, dataplane=request.param) as lab:
        yield lab


def blocked(cluster):
    """The lines of its rules that are about the prefix."""
    node = next(name for name in lab_namespaces(cluster.directory) if name.endswith("node1"))
    rules = run("ip", "netns", "exec", node, *RULES[cluster.dataplane]).stdout
    return [line.lower() for line in rules.splitlines() if "10.96.0.0/12" in line]


def bgp_configuration(*prefixes):
    return {"apiVersion": "projectcalico.org/v3", "kind": "BGPConfiguration", "metadata": {"name": "default"},
            "spec": {"serviceClusterIPs": [{"cidr": prefix} for prefix in prefixes]}}


def prevention(how):
    return {"apiVersion": "projectcalico.org/v3", "kind": "FelixConfiguration", "metadata": {"name": "default"},
            "spec": {"serviceLoopPrevention": how}}


def test_packets_to_services_that_are_not_there_are_blocked_as_set(cluster):
    assert not blocked(cluster)
    cluster.apply(bgp_configuration("10.96.0.0/12", "fd96::/108"))
    wait_until(lambda: any("drop" in line for line in blocked(cluster)), "dropped")
    cluster.apply(prevention("Reject"))
    wait_until(lambda: any("reject" in line for line in blocked(cluster)), "rejected")
    cluster.apply(prevention("Disabled"))
    wait_until(lambda: not blocked(cluster), "let through")
    cluster.apply(prevention("Drop"))
    wait_until(lambda: blocked(cluster), "dropped again")
    cluster.apply(bgp_configuration())
    wait_until(lambda: not blocked(cluster), "no prefix is said")
