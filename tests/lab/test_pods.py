"""What a lab makes of pods: where they go, what they serve, and what it says when it cannot."""

import json
import os
import signal
import socket

import pytest

import host
from cluster import Cluster, namespace, pod, run, wait_until


@pytest.fixture(scope="module")
def cluster():
    with Cluster(nodes=2) as lab:
        lab.apply(namespace("demo", {"team": "demo"}))
        yield lab


@pytest.fixture(autouse=True)
def no_pods(cluster):
    yield
    cluster.kubectl("delete", "pods", "-n", "demo", "--all")


def conditions(cluster, name):
    status = cluster.get("pod", "-n", "demo", name).get("status", {})
    return {c["type"]: c for c in status.get("conditions", [])}


def events(cluster, name):
    return [(e["reason"], e["message"]) for e in cluster.get("events", "-n", "demo")["items"]
            if e["involvedObject"]["name"] == name]


def answers(cluster, *arguments):
    return {(o["from"], o["to"]): o["result"] for o in cluster.probe(*arguments)}


def test_pods_are_spread_over_the_nodes(cluster):
    names = [f"p{i}" for i in range(4)]
    cluster.apply(*(pod("demo", name, [(80, "TCP")]) for name in names))
    cluster.wait_for_pods(f"demo/{name}" for name in names)
    nodes = [p["spec"]["nodeName"] for p in cluster.get("pods", "-n", "demo")["items"]]
    assert sorted(nodes) == ["node1", "node1", "node2", "node2"]


def test_a_pod_that_fits_nowhere_is_told_so_and_placed_when_a_node_fits(cluster):
    cluster.apply(pod("demo", "picky", [(80, "TCP")], nodeSelector={"disk": "ssd"}))
    wait_until(lambda: conditions(cluster, "picky").get("PodScheduled", {}).get("reason") == "Unschedulable", "the condition")
    assert any(reason == "FailedScheduling" and "0/2 nodes" in message for reason, message in events(cluster, "picky"))
    cluster.kubectl("label", "node", "node2", "disk=ssd")
    cluster.wait_for_pods(["demo/picky"])
    assert cluster.get("pod", "-n", "demo", "picky")["spec"]["nodeName"] == "node2"
    cluster.kubectl("label", "node", "node2", "disk-")


def test_tcp_says_who_it_is_and_echoes(cluster):
    cluster.apply(pod("demo", "a", [(80, "TCP")]), pod("demo", "b", [(80, "TCP")]))
    address = cluster.wait_for_pods(["demo/a", "demo/b"])["demo/b"][0]
    talk = ("import socket; s = socket.create_connection(('%s', 80), 5); f = s.makefile('rw'); "
            "print(f.readline(), end=''); f.write('hello\\n'); f.flush(); print(f.readline(), end='')" % address)
    assert cluster.exec("demo/a", "/usr/bin/python3", "-c", talk).stdout == "demo/b\nhello\n"


def test_sctp_is_served_or_the_pod_says_why_not(cluster):
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP).close()
        has_sctp = True
    except OSError:
        has_sctp = False
    cluster.apply(pod("demo", "signalling", [(80, "TCP"), (3868, "SCTP")]))
    ready = wait_until(lambda: conditions(cluster, "signalling").get("Ready"), "the pod runs")
    assert ready["status"] == ("True" if has_sctp else "False")
    if not has_sctp:
        assert ready["message"].startswith("sctp:3868: ")


def test_a_pod_on_the_hosts_network_serves_at_its_nodes_address(cluster):
    cluster.apply(pod("demo", "agent", [(7000, "TCP")], node="node1", hostNetwork=True),
                  pod("demo", "client", [(80, "TCP")], node="node2"))
    addresses = cluster.wait_for_pods(["demo/agent", "demo/client"])
    assert addresses["demo/agent"] == ["172.18.0.11"]
    wait_until(lambda: answers(cluster) == {("demo/agent", "demo/client"): "allow", ("demo/client", "demo/agent"): "allow"},
               "both reach each other")


def test_a_killed_server_is_started_again(cluster):
    cluster.apply(pod("demo", "a", [(80, "TCP")]), pod("demo", "b", [(80, "TCP")]))
    cluster.wait_for_pods(["demo/a", "demo/b"])
    wait_until(lambda: answers(cluster).get(("demo/a", "demo/b")) == "allow", "b answers")
    for pid in host.lab_processes(cluster.directory):
        words = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")
        if b"serve" in words and b"demo/b" in words:
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: answers(cluster).get(("demo/a", "demo/b")) == "allow", "b answers again")


def test_a_pod_made_anew_under_its_name_is_another_pod(cluster):
    cluster.apply(pod("demo", "phoenix", [(80, "TCP")]))
    cluster.wait_for_pods(["demo/phoenix"])
    before = cluster.get("pod", "-n", "demo", "phoenix")["metadata"]["uid"]
    cluster.kubectl("delete", "pod", "-n", "demo", "phoenix")
    cluster.apply(pod("demo", "phoenix", [(80, "TCP")]), pod("demo", "other", [(80, "TCP")]))
    cluster.wait_for_pods(["demo/phoenix", "demo/other"])
    assert cluster.get("pod", "-n", "demo", "phoenix")["metadata"]["uid"] != before
    wait_until(lambda: answers(cluster).get(("demo/other", "demo/phoenix")) == "allow", "the new one answers")


def test_a_plugin_that_fails_is_told_in_an_event(cluster):
    broken = pod("demo", "broken", [(80, "TCP")])
    broken["metadata"]["annotations"] = {"cni.projectcalico.org/ipv4pools": '["no-such-pool"]'}
    cluster.apply(broken)
    told = wait_until(lambda: [m for r, m in events(cluster, "broken") if r == "FailedCreatePodSandBox"], "the event")
    assert "no-such-pool" in told[0]


def test_probe_selects_by_the_labels_that_policies_see(cluster):
    cluster.apply(pod("demo", "a", [(80, "TCP")], {"app": "a"}), pod("demo", "b", [(80, "TCP"), (53, "UDP")], {"app": "b"}))
    cluster.wait_for_pods(["demo/a", "demo/b"])
    wait_until(lambda: len(answers(cluster)) == 2, "both are probed")
    assert answers(cluster, "--from", "app == 'a'").keys() == {("demo/a", "demo/b")}
    assert answers(cluster, "--to", "pcns.team == 'demo' && app == 'a'").keys() == {("demo/b", "demo/a")}
    assert answers(cluster, "--from", "projectcalico.org/namespace == 'other'") == {}
    udp = cluster.probe("--protocol", "udp")
    assert [(o["to"], o["protocol"], o["port"], o["family"]) for o in udp] == [("demo/b", "udp", 53, 4)]
    closed = cluster.probe("--protocol", "tcp", "--port", "81", "--to", "app == 'b'")
    assert [(o["result"], o["detail"]) for o in closed] == [("error", "Connection refused")]
    bad = cluster.lab("probe", "--from", "app ==", check=False)
    assert bad.returncode == 1 and "margay lab: " in bad.stderr


def test_nodes_are_joined_by_vxlan_when_the_pool_asks_for_it(cluster):
    cluster.apply(pod("demo", "a", [(80, "TCP")], node="node1"), pod("demo", "b", [(80, "TCP")], node="node2"))
    address = cluster.wait_for_pods(["demo/a", "demo/b"])["demo/b"][0]
    both = {("demo/a", "demo/b"): "allow", ("demo/b", "demo/a"): "allow"}
    node1 = f"mgl-{host.lab_id(cluster.directory)}-node1"

    def device():
        return json.loads(run("ip", "-j", "-n", node1, "route", "get", address).stdout)[0]["dev"]

    wait_until(lambda: answers(cluster) == both and device() == "eth0", "routed directly")
    for mode, expected in (("Always", "vxlan.calico"), ("Never", "eth0")):
        cluster.kubectl("patch", "ippools.projectcalico.org", "default-ipv4-ippool", "--type=merge",
                        "-p", json.dumps({"spec": {"vxlanMode": mode}}))
        wait_until(lambda: device() == expected and answers(cluster) == both, f"vxlanMode {mode}", within=30)
