"""`margay check dataplane` on a node: its exit status, and what it says of what others have changed."""

import json
import os
import re
import signal

import pytest

from cluster import MARGAY, Cluster, namespace, pod, run
from host import lab_namespaces

RULE = {"iptables": ["iptables", "-w", "-I", "cali-FORWARD", "1", "-j", "ACCEPT"],
        "nftables": ["nft", "insert", "rule", "ip", "calico", "filter-cali-FORWARD", "accept"]}
MEMBER = {"iptables": ["ipset", "flush", "cali40all-ipam-pools"],
          "nftables": ["nft", "flush", "set", "ip", "calico", "cali40all-ipam-pools"]}


def node_kubeconfig(cluster):
    return cluster.directory / "nodes" / "node1" / "kubeconfig"


@pytest.fixture(scope="module", params=["iptables", "nftables"])
def cluster(request):
    with Cluster(nodes=1, dataplane=request.param) as lab:
        lab.apply(namespace("demo"), pod("demo", "web", [(80, "TCP")], node="node1"))
        lab.wait_for_pods(["demo/web"])
        yield lab


def in_node(cluster, *command, **options):
    node = next(name for name in lab_namespaces(cluster.directory) if name.endswith("node1"))
    return run("ip", "netns", "exec", node, *command, **options)


def check(cluster, *arguments, kubeconfig=None):
    # What the lab tells the agent by its environment.
    done = in_node(cluster, "env", f"MARGAY_STATE_DIR={cluster.directory}/none", "FELIX_IPV6SUPPORT=false", MARGAY,
                   "check", "dataplane", "--name", "node1", "--kubeconfig", kubeconfig or node_kubeconfig(cluster),
                   "--dataplane", cluster.dataplane, *arguments, check=False)
    return done.returncode, done.stdout, done.stderr


def test_what_the_agent_has_programmed_is_as_desired(cluster):
    assert check(cluster) == (0, "as desired\n", "")
    status, out, _ = check(cluster, "-o", "json")
    assert (status, json.loads(out)) == (0, {"equal": True, "differences": []})


def test_what_others_change_is_named_and_left_as_it_is(cluster):
    agent = cluster.pid("agent-node1")
    os.kill(agent, signal.SIGSTOP)  # so that it repairs nothing meanwhile
    try:
        address = cluster.ready_pods()["demo/web"][0]
        for command in RULE, MEMBER:
            in_node(cluster, *command[cluster.dataplane])
        in_node(cluster, "ip", "route", "del", f"{address}/32")
        status, out, _ = check(cluster, "-o", "json", "--settle", "0")
        assert status == 1
        found = json.loads(out)
        assert not found["equal"]
        assert {d["kind"] for d in found["differences"]} == {"rules", "sets", "routes"}
        status, text, _ = check(cluster, "--settle", "0")
        assert status == 1
        assert "cali-FORWARD: rule 1 is not the wanted" in text
        assert "set cali40all-ipam-pools: lacks " in text
        assert f"route {address}" in text and ": missing" in text
        assert check(cluster, "--settle", "0")[1] == text, "a check writes nothing"
    finally:
        os.kill(agent, signal.SIGCONT)


def test_what_cannot_be_told_is_said_so(cluster, tmp_path):
    status, out, err = check(cluster, kubeconfig=tmp_path / "none")
    assert (status, out) == (2, "") and err.startswith("margay check: ")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(re.sub(r'https://[^"\s]+', "https://127.0.0.9:1", node_kubeconfig(cluster).read_text()))
    status, out, err = check(cluster, "--timeout", "3", kubeconfig=elsewhere)
    assert (status, out) == (2, "") and err.startswith("margay check: ")
