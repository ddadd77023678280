"""What a node's agent leaves on its node, and what holds while it, or what it needs, is not there."""

import os
import pathlib
import signal

import pytest

import host
from cluster import MARGAY, Cluster, namespace, pod, run, wait_until

NODE = "node1"


@pytest.fixture(scope="module", params=["iptables", "nftables"])
def cluster(request):
    with Cluster(nodes=1, dataplane=request.param) as lab:
        lab.apply(namespace("demo"), pod("demo", "a", [(80, "TCP")]), pod("demo", "b", [(80, "TCP")]))
        lab.wait_for_pods(["demo/a", "demo/b"])
        yield lab


def node_command(cluster, *words, **options):
    return run("ip", "netns", "exec", f"mgl-{host.lab_id(cluster.directory)}-{NODE}", *words, **options)


def mark(cluster) -> pathlib.Path:
    return cluster.directory / "nodes" / NODE / "run" / "closed-start"


def passes(cluster, address) -> bool:
    """Whether packets of pod a reach pod b: without kubectl and the API server."""
    connect = f"exec 3<>/dev/tcp/{address}/80"
    return cluster.exec("demo/a", "timeout", "0.5", "bash", "-c", connect, check=False).returncode == 0


def flush(cluster):
    """As a reboot leaves the kernel: no rules, no sets, no mark."""
    for program in ("iptables", "ip6tables", "iptables-legacy", "ip6tables-legacy"):
        for table in ("raw", "mangle", "nat", "filter"):
            node_command(cluster, program, "-t", table, "-F", check=False)
            node_command(cluster, program, "-t", table, "-X", check=False)
    node_command(cluster, "ipset", "destroy", check=False)
    node_command(cluster, "nft", "flush", "ruleset")
    mark(cluster).unlink()


def test_after_a_boot_nothing_passes_until_policy_is_known_though_the_api_server_is_away(cluster):
    address = cluster.ready_pods()["demo/b"][0]
    wait_until(lambda: passes(cluster, address), "an open cluster")
    assert mark(cluster).exists()
    api_server, agent = cluster.pid("apiserver"), cluster.pid(f"agent-{NODE}")
    os.kill(api_server, signal.SIGSTOP)
    try:
        os.kill(agent, signal.SIGSTOP)
        flush(cluster)
        assert passes(cluster, address), "without rules everything passes: what the closed start is for"
        os.kill(agent, signal.SIGKILL)
        wait_until(lambda: mark(cluster).exists(), "the next agent has laid the closed start")
        assert cluster.pid(f"agent-{NODE}") != agent
        assert not passes(cluster, address)
    finally:
        os.kill(api_server, signal.SIGCONT)
    wait_until(lambda: passes(cluster, address), "policy is known again")


def test_the_workloads_mtu_follows_the_uplink(cluster):
    written = cluster.directory / "nodes" / NODE / "lib" / "mtu"
    wait_until(lambda: written.read_text().strip() == "1500", "that of the uplink")
    node_command(cluster, "ip", "link", "set", "eth0", "mtu", "1460")
    wait_until(lambda: written.read_text().strip() == "1460", "the uplink's new one")
    pools = {"spec": {"vxlanMode": "Always"}}
    cluster.kubectl("patch", "ippools", "default-ipv4-ippool", "--type=merge", "-p", str(pools).replace("'", '"'))
    wait_until(lambda: written.read_text().strip() == "1410", "room for VXLAN")

    def overlay():
        shown = node_command(cluster, "ip", "-o", "link", "show", "vxlan.calico", check=False).stdout
        return " mtu 1410 " in shown
    wait_until(overlay, "the overlay's device has it too")


def test_the_node_is_named_where_the_cni_plugin_looks(cluster):
    assert (cluster.directory / "nodes" / NODE / "lib" / "nodename").read_text() == NODE


def test_a_bad_setting_of_this_start_is_not_blamed_on_the_last_run():
    ended = run("unshare", "--net", "--mount", "env", "FELIX_INTERFACEPREFIX=a b", MARGAY, "node", "--name", "n1", check=False)
    assert ended.returncode == 1 and "InterfacePrefix: " in ended.stderr
    assert "last run" not in ended.stderr
