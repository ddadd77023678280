"""`margay controllers` beside a lab: what nodes and pods that are gone had is taken back, and nobody else's.

A node dies by SIGSTOP: its agent and its pod runner are there and do nothing, as those of a machine without power.
"""

import os
import pathlib
import signal
import subprocess

import pytest

from cluster import MARGAY, Cluster, Failed, namespace, pod, run, wait_until


class Controllers:
    def __init__(self, cluster, folder: pathlib.Path, *options, **environment):
        self.status, self.log = folder / "status.json", folder / "controllers.log"
        self.command = [MARGAY, "controllers", "--kubeconfig", cluster.kubeconfig, "--status-file", self.status, *options]
        self.environment = {"PATH": os.environ["PATH"], **environment}

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stderr=log, env=self.environment)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(30) == 0, self.log.read_text()

    def check(self, which):
        return run(MARGAY, "controllers", "check-status", which, "--file", self.status, check=False)

    def wait_until_ready(self):
        wait_until(lambda: self.check("--ready").returncode == 0, "the controllers are ready", within=60)

    def looks(self):
        return self.log.read_text().count("looked at everything")

    def resident_kilobytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))


@pytest.fixture(scope="module")
def cluster():
    with Cluster(nodes=2, ipv6=True) as lab:
        for pool in lab.get("ippools")["items"]:
            lab.kubectl("patch", "ippool", pool["metadata"]["name"], "--type=merge", "-p", '{"spec":{"vxlanMode":"Always"}}')
        lab.apply(namespace("demo"), *(pod("demo", name, [(80, "TCP")], node="node1") for name in ("one", "two")))
        lab.wait_for_pods(["demo/one", "demo/two"])
        yield lab


def stop(cluster, *programs):
    for program in programs:
        os.kill(cluster.pid(program), signal.SIGSTOP)


def go_on(cluster, *programs):
    for program in programs:
        os.kill(cluster.pid(program), signal.SIGCONT)


def remove_pod(cluster, name):
    cluster.kubectl("delete", "pod", "-n", "demo", name, "--force", "--grace-period=0", "--wait=false")
    wait_until(lambda: cluster.kubectl("get", "pod", "-n", "demo", name, check=False).returncode != 0, f"{name} is gone")


def calico_node(cluster, name):
    nodes = cluster.get("nodes.projectcalico.org")["items"]
    return next((node for node in nodes if node["metadata"]["name"] == name), None)


def held(cluster):
    """What all blocks have assigned: (node, pod or type of tunnel)."""
    holders = []
    for block in cluster.get("ipamblocks.crd.projectcalico.org")["items"]:
        for attribute in (block["spec"]["attributes"][a] for a in block["spec"]["allocations"] if a is not None):
            secondary = attribute["secondary"]
            holders.append((secondary["node"], secondary.get("pod") or secondary["type"]))
    return holders


def nodes_of(cluster, kind):
    return {item["spec"].get("node") or item["spec"]["affinity"].removeprefix("host:") for item in cluster.get(kind)["items"]}


def leaves_nothing(cluster, node):
    assert calico_node(cluster, node) is None
    assert node not in {holder for holder, _ in held(cluster)}
    assert node not in nodes_of(cluster, "blockaffinities.crd.projectcalico.org")
    assert node not in nodes_of(cluster, "ipamblocks.crd.projectcalico.org")
    handles = [handle["spec"]["handleID"] for handle in cluster.get("ipamhandles.crd.projectcalico.org")["items"]]
    assert not [handle for handle in handles if node in handle]
    return True


def all_reach_each_other(cluster):
    results = [attempt["result"] for attempt in cluster.probe()]
    return results and set(results) == {"allow"}


def test_nothing_of_a_node_that_is_gone_stays_and_it_may_come_back(cluster, tmp_path):
    cluster.apply(*(pod("demo", name, [(80, "TCP")], node="node2") for name in ("three", "four")))
    before = cluster.wait_for_pods(["demo/three", "demo/four"])
    wait_until(lambda: all((calico_node(cluster, node) or {}).get("spec", {}).get("ipv6VXLANTunnelAddr")
                           for node in ("node1", "node2")), "both nodes have tunnel addresses")
    # Pods with two addresses, and two tunnels.
    assert sorted(node for node, _ in held(cluster)) == ["node1"] * 6 + ["node2"] * 6

    with Controllers(cluster, tmp_path) as controllers:
        controllers.wait_until_ready()
        assert controllers.check("--live").stdout == "Live\n"
        stop(cluster, "agent-node2", "runner-node2")
        for name in ("three", "four"):
            remove_pod(cluster, name)
        assert "node2" in {node for node, _ in held(cluster)}, "nobody has taken it back"
        cluster.kubectl("delete", "nodes", "node2")
        wait_until(lambda: asserts(leaves_nothing, cluster, "node2"), "nothing of node2 is left", within=60)

        # node1 has all that it had.
        assert sorted(held(cluster)) == sorted([("node1", "one"), ("node1", "two"), ("node1", "vxlanTunnelAddress")] * 2)
        assert calico_node(cluster, "node1")["spec"]["ipv4VXLANTunnelAddr"]
        after = cluster.ready_pods()
        assert {name: after[name] for name in ("demo/one", "demo/two")} == {
            name: before[name] for name in ("demo/one", "demo/two")}
        wait_until(lambda: all_reach_each_other(cluster), "the pods of node1 reach each other")

        go_on(cluster, "runner-node2")
        os.kill(cluster.pid("agent-node2"), signal.SIGKILL)
        wait_until(lambda: (calico_node(cluster, "node2") or {}).get("spec", {}).get("ipv4VXLANTunnelAddr"),
                   "node2 is back", within=60)
        cluster.apply(pod("demo", "five", [(80, "TCP")], node="node2"))
        cluster.wait_for_pods(["demo/five"])
        wait_until(lambda: all_reach_each_other(cluster), "so are its pods", within=60)


def test_an_address_that_leaks_is_taken_back_and_no_other(cluster, tmp_path):
    cluster.apply(pod("demo", "leaks", [(80, "TCP")], node="node1"))
    cluster.wait_for_pods(["demo/leaks"])
    others = sorted(holder for holder in held(cluster) if holder[1] != "leaks")
    stop(cluster, "runner-node1")
    remove_pod(cluster, "leaks")
    assert ("node1", "leaks") in held(cluster)
    with Controllers(cluster, tmp_path, "--leak-grace-period", "1s", RECONCILER_PERIOD="200ms"):
        wait_until(lambda: ("node1", "leaks") not in held(cluster), "the address is taken back", within=60)
    assert sorted(held(cluster)) == others
    go_on(cluster, "runner-node1")


def test_two_at_a_time_do_no_harm_and_many_looks_take_no_memory(cluster, tmp_path):
    before = sorted(held(cluster))
    (tmp_path / "other").mkdir()
    fast = {"RECONCILER_PERIOD": "1ms", "LOG_LEVEL": "debug"}
    with Controllers(cluster, tmp_path, **fast) as one, Controllers(cluster, tmp_path / "other", **fast) as other:
        wait_until(lambda: one.looks() > 50 and other.looks() > 50, "both look", within=60)
        warm = one.resident_kilobytes()
        wait_until(lambda: one.looks() > 250, "one looks on", within=60)
        assert one.resident_kilobytes() < warm + 4096
    assert sorted(held(cluster)) == before


def test_without_its_api_server_it_says_so_and_lives(cluster, tmp_path):
    with Controllers(cluster, tmp_path) as controllers:
        controllers.wait_until_ready()
        stop(cluster, "apiserver")
        try:
            wait_until(lambda: controllers.check("--ready").returncode == 1, "it is not ready", within=60)
            assert controllers.check("--live").returncode == 0
        finally:
            go_on(cluster, "apiserver")
        controllers.wait_until_ready()


@pytest.mark.parametrize("variables, says", [
    ({"ENABLED_CONTROLLERS": "nodes"}, 'ENABLED_CONTROLLERS: Invalid value: "nodes"'),
    ({"DATASTORE_TYPE": "etcdv3"}, 'DATASTORE_TYPE: Invalid value: "etcdv3"'),
    ({"LEAK_GRACE_PERIOD": "soon"}, '--leak-grace-period: Invalid value: "soon"')])
def test_a_setting_that_is_wrong_ends_it_by_name(tmp_path, variables, says):
    done = run(MARGAY, "controllers", "--kubeconfig", tmp_path / "none", env={"PATH": os.environ["PATH"], **variables}, check=False)
    assert done.returncode == 1 and says in done.stderr


def asserts(check, *arguments):
    try:
        return check(*arguments)
    except (AssertionError, Failed):
        return False
