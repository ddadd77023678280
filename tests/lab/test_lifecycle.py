"""`lab down` leaves nothing behind, whatever was killed before it."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

import host
from cluster import MARGAY, Cluster, namespace, pod, run, wait_until

PODS = [("demo", "one"), ("demo", "two")]


def fill(cluster):
    cluster.apply(namespace("demo"), *(pod(ns, name, [(80, "TCP")]) for ns, name in PODS))
    cluster.wait_for_pods([f"{ns}/{name}" for ns, name in PODS])


@pytest.fixture
def clean(tmp_path):
    """The directory of a lab; afterwards nothing of it is left, and the host is as it was."""
    before = host.state()
    directory = tmp_path / "lab"
    yield directory
    run(MARGAY, "lab", "down", "--dir", directory)
    assert not directory.exists()
    assert host.lab_processes(directory) == []
    assert host.lab_namespaces(directory) == []
    assert host.state() == before


def test_up_says_where_the_kubeconfig_is_and_everything_is_ready(clean):
    printed = run(MARGAY, "lab", "up", "--dir", clean, "--nodes", 2).stdout.strip()
    assert printed == str(clean / "kubeconfig")
    cluster = Cluster(clean)
    assert [n["metadata"]["name"] for n in cluster.get("nodes")["items"]] == ["node1", "node2"]
    assert set(json.loads((clean / "processes.json").read_text())) >= {"apiserver", "agent-node1", "agent-node2"}


def test_nothing_is_made_in_the_hosts_namespace(clean):
    before = host.state()
    cluster = Cluster(clean).up()
    fill(cluster)
    assert host.lab_processes(clean) and host.lab_namespaces(clean), "the lab runs, and is found"
    assert host.state() == before


def test_pods_run_on_both_nodes_and_answer(clean):
    cluster = Cluster(clean).up()
    fill(cluster)
    nodes = {p["spec"]["nodeName"] for p in cluster.get("pods", "-n", "demo")["items"]}
    assert nodes == {"node1", "node2"}
    wait_until(lambda: {o["result"] for o in cluster.probe()} == {"allow"}, "the pods reach each other")


def test_exec_runs_in_the_pods_namespace_and_passes_on_its_end(clean):
    cluster = Cluster(clean).up()
    fill(cluster)
    address = cluster.ready_pods()["demo/one"][0]
    assert f" {address}/32 " in cluster.exec("demo/one", "ip", "-4", "-o", "address", "show", "eth0").stdout
    assert cluster.exec("demo/one", "cat", input="hello").stdout == "hello"
    assert cluster.exec("demo/one", "sh", "-c", "exit 7", check=False).returncode == 7
    missing = cluster.exec("demo/none", "true", check=False)
    assert missing.returncode == 1 and "demo/none" in missing.stderr


def test_a_probe_that_makes_no_sense_is_refused_by_the_options_name(clean):
    cluster = Cluster(clean).up()
    for arguments, says in (
            (["--from", "app =="], '--from: Invalid value: "app ==": must be a selector: at position'),
            (["--to", "app"], '--to: Invalid value: "app": must be a selector: at position'),
            (["--port", "99999"], "--port: Value 99999 not in range 1 to 65535"),
            (["--port", "0"], "--port: Value 0 not in range 1 to 65535")):
        refused = cluster.lab("probe", *arguments, check=False)
        assert refused.returncode != 0 and says in refused.stderr, (arguments, refused.stderr)


def test_a_networkpolicy_is_kubernetes_own_unless_said_otherwise(clean):
    cluster = Cluster(clean).up()
    cluster.apply({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                   "metadata": {"namespace": "default", "name": "deny"}, "spec": {"podSelector": {}}})
    assert cluster.kubectl("get", "networkpolicy", "-n", "default", "-o", "name").stdout.split() == [
        "networkpolicy.networking.k8s.io/deny"]
    assert cluster.kubectl("get", "networkpolicies.projectcalico.org", "-n", "default", "-o", "name").stdout == ""


def test_a_deleted_pod_goes_with_its_namespace(clean):
    cluster = Cluster(clean).up()
    fill(cluster)
    before = set(host.lab_namespaces(clean))
    cluster.kubectl("delete", "pod", "-n", "demo", "one", "--wait=true")
    wait_until(lambda: len(before - set(host.lab_namespaces(clean))) == 1, "the pod's namespace is gone")
    assert cluster.exec("demo/one", "true", check=False).returncode == 1


def test_a_second_up_is_refused_and_harms_nothing(clean):
    cluster = Cluster(clean).up()
    fill(cluster)
    refused = cluster.lab("up", check=False)
    assert refused.returncode == 1 and "is running" in refused.stderr
    assert set(cluster.ready_pods()) == {"demo/one", "demo/two"}


def test_an_unknown_data_plane_is_refused_before_anything_is_made(clean):
    refused = run(MARGAY, "lab", "up", "--dir", clean, "--dataplane", "none", check=False)
    assert refused.returncode != 0 and "none" in refused.stderr
    assert not clean.exists()


def test_down_twice_and_down_of_nothing_are_fine(clean):
    assert run(MARGAY, "lab", "down", "--dir", clean).returncode == 0
    Cluster(clean).up()
    assert run(MARGAY, "lab", "down", "--dir", clean).returncode == 0
    assert run(MARGAY, "lab", "down", "--dir", clean).returncode == 0


def test_two_labs_live_side_by_side(clean, tmp_path):
    first = Cluster(clean).up()
    with Cluster(tmp_path / "other", nodes=1) as second:
        fill(first)
        fill(second)
        second.kubectl("delete", "namespace", "demo")
        assert set(first.ready_pods()) == {"demo/one", "demo/two"}
    assert set(first.ready_pods()) == {"demo/one", "demo/two"}, "down of one leaves the other"


def supervisor_pid(cluster):
    pid = cluster.pid("apiserver")
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("PPid:")[1].split()[0])


@pytest.mark.parametrize("victim", ["supervisor", "apiserver", "scheduler", "agent-node1", "runner-node1"])
def test_down_after_a_kill_of(victim, clean):
    cluster = Cluster(clean).up()
    fill(cluster)
    os.kill(supervisor_pid(cluster) if victim == "supervisor" else cluster.pid(victim), signal.SIGKILL)


@pytest.mark.parametrize("victim", ["apiserver", "scheduler", "agent-node2", "runner-node2"])
def test_a_killed_program_is_started_again_and_takes_up_its_work(victim, clean):
    cluster = Cluster(clean).up()
    fill(cluster)
    pid = cluster.pid(victim)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: cluster.pid(victim) not in (pid, None), f"{victim} runs again")
    cluster.apply(pod("demo", "three", [(80, "TCP")], node="node2"))
    cluster.wait_for_pods(["demo/one", "demo/two", "demo/three"])
    wait_until(lambda: len(answers := cluster.probe()) == 6 and {o["result"] for o in answers} == {"allow"},
               "all pods reach each other")


STAGES = {
    "nothing is made yet": lambda directory: directory.exists(),
    "the supervisor has begun": lambda directory: (directory / "supervisor.lock").exists(),
    "the API server is starting": lambda directory: (directory / "apiserver").exists(),
    "the nodes are starting": lambda directory: (directory / "nodes").exists(),
}


@pytest.mark.parametrize("stage", STAGES)
def test_down_after_up_was_killed_when(stage, clean):
    up = subprocess.Popen([MARGAY, "lab", "up", "--dir", clean], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: STAGES[stage](clean) or up.poll() is not None, stage, pause=0.0)
    up.kill()
    up.wait()


@pytest.mark.parametrize("stage", STAGES)
def test_down_while_up_is_at_work_wins(stage, clean):
    up = subprocess.Popen([MARGAY, "lab", "up", "--dir", clean], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True)
    wait_until(lambda: STAGES[stage](clean) or up.poll() is not None, stage, pause=0.0)
    assert run(MARGAY, "lab", "down", "--dir", clean).returncode == 0
    up.communicate(timeout=90)
