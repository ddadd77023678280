"""kill -9 at random moments under pod churn: afterwards everything is as wanted, no address has leaked, and no
established flow was cut.

Environment: FAULT_COUNT, how many kills of each kind (default 3; `make fault` 50); FAULT_SEED (default 1).
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest

import audit
from churn import NAMESPACE, Churn
from cluster import ROOT, Cluster, Failed, namespace, pod, wait_until

COUNT = int(os.environ.get("FAULT_COUNT", "3"))
SEED = int(os.environ.get("FAULT_SEED", "1"))
LONGEST_PAUSE = 0.6  # seconds between kills, at random
QUIET_WITHIN = 60.0
RATE = 20  # messages a second of the established flows
STEADY = [("steady", "client", "node1"), ("steady", "server", "node2")]
# Red pods hear from red ones alone; that is policy's part in the matrix.
POLICY = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
          "metadata": {"namespace": NAMESPACE, "name": "red"},
          "spec": {"podSelector": {"matchLabels": {"app": "red"}},
                   "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "red"}}}]}]}}


@pytest.fixture(scope="module")
def cluster():
    with Cluster(nodes=2) as lab:
        lab.apply(namespace(NAMESPACE), namespace("steady"), POLICY)
        lab.apply(*(pod(ns, name, [(80, "TCP"), (81, "UDP")], node=node) for ns, name, node in STEADY))
        lab.wait_for_pods(f"{ns}/{name}" for ns, name, _ in STEADY)
        yield lab


class Flow:
    """Traffic from steady/client to steady/server that was there before, and must live through it all."""

    def __init__(self, cluster):
        address = cluster.ready_pods()["steady/server"][0]
        command = cluster.exec_command("steady/client", "/usr/bin/python3", ROOT / "tests/demo/stream.py", address, 81, 80, RATE)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "running\n"

    def end(self):
        """{"udp": {"sent", "lost"}, "tcp": {...}}; fails when the connection was cut."""
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, "the established flow was cut"
        return json.loads(out.splitlines()[-1])


def kill_program(*names):
    """A way to kill: one of the lab's programs, when it runs."""
    def kill(cluster, rng):
        pid = wait_until(lambda: cluster.pid(rng.choice(names)), f"one of {names} runs")
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True
    return kill


def kill_cni_plugin(cluster, rng):
    """Waits for a plugin to run and lets it live for a random while: up to about as long as one takes."""
    links = {str(cluster.directory / "cni-bin" / name) for name in ("calico", "calico-ipam")}

    def running():
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "cmdline").read_bytes().split(b"\0")[0].decode() in links:
                    return int(entry.name)
            except OSError:
                continue
        return None

    pid = wait_until(running, "a CNI plugin runs", pause=0.0)
    time.sleep(rng.uniform(0, 0.08))
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False  # it was quicker
    return True


VICTIMS = {
    "the agent": kill_program("agent-node1", "agent-node2"),
    "the API server": kill_program("apiserver"),
    "the CNI plugin": kill_cni_plugin,
    "the pod runner": kill_program("runner-node1", "runner-node2"),
}


def quiet(cluster):
    """Every pod that is left is ready, and nothing is found wrong."""
    pods = cluster.get("pods", "-A")["items"]
    ready = cluster.ready_pods()
    if len(ready) != len(pods):
        raise Failed(f"{len(ready)} of {len(pods)} pods are ready")
    found = audit.findings(cluster)
    if found:
        raise Failed("\n  ".join(found[:10]))
    return True


@pytest.mark.parametrize("victim", VICTIMS)
def test_kill(victim, cluster):
    print(f"FAULT_SEED={SEED} FAULT_COUNT={COUNT}")
    rng = random.Random(f"{SEED} {victim}")
    flow = Flow(cluster)
    with Churn(cluster, rng.random()) as churn:
        wait_until(lambda: churn.created > 0, "pods come and go")
        kills = 0
        while kills < COUNT:
            time.sleep(rng.uniform(0, LONGEST_PAUSE))
            kills += VICTIMS[victim](cluster, rng)
    wait_until(lambda: quiet(cluster), f"all is well after {kills} kills of {victim}", QUIET_WITHIN)

    traffic = flow.end()
    assert {name: count["lost"] for name, count in traffic.items()} == {"udp": 0, "tcp": 0}, traffic

    cluster.kubectl("delete", "pods", "-n", NAMESPACE, "--all")
    wait_until(lambda: quiet(cluster), "all is well with the churned pods gone", QUIET_WITHIN)
    assert len(audit.allocated_addresses(cluster)) == len(STEADY)
