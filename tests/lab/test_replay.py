"""A recording of a real agent, played into the same data plane of another network namespace: what stands in the kernel
there is what the agent programmed on its node."""

import json
import os
import re
import signal

import pytest

import host
from cluster import MARGAY, Cluster, namespace, pod, run, wait_until

NODE = "node1"


def policy(name, selector, order, **spec):
    return {"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "shop"},
            "spec": dict(selector=selector, order=order, **spec)}


POLICIES = [
    policy("db", "app == 'db'", 10, types=["Ingress"], ingress=[
        {"action": "Allow", "protocol": "TCP", "source": {"selector": "app == 'web'"}, "destination": {"ports": [5432, "8000:8080"]}},
        {"action": "Deny", "source": {"nets": ["203.0.113.0/24", "198.51.100.7/32"]}}]),
    policy("web", "app == 'web'", 20, types=["Ingress", "Egress"], ingress=[{"action": "Allow"}], egress=[
        {"action": "Allow", "protocol": "UDP", "destination": {"ports": [53]}},
        {"action": "Allow", "destination": {"namespaceSelector": "team == 'shop'"}}]),
]


@pytest.fixture(scope="module", params=["iptables", "nftables"])
def cluster(request):
    with Cluster(nodes=1, ipv6=True, record=True, dataplane=request.param) as lab:
        lab.apply(namespace("shop", {"team": "shop"}), pod("shop", "db", [(5432, "TCP")], {"app": "db"}),
                  pod("shop", "web", [(80, "TCP", "http")], {"app": "web"}), *POLICIES)
        lab.wait_for_pods(["shop/db", "shop/web"])
        yield lab


def recording(cluster):
    return cluster.directory / "nodes" / NODE / "recording"


@pytest.fixture
def scratch(cluster):
    """A network namespace with interfaces named as the node's: what a replay programs without a node."""
    name = f"mgr-{host.lab_id(cluster.directory)}"
    run("ip", "netns", "add", name)
    try:
        for link in links(cluster):
            run("ip", "-n", name, "link", "add", link, "type", "veth", "peer", "name", f"p{link[-10:]}")
            run("ip", "-n", name, "link", "set", link, "up")
        yield name
    finally:
        run("ip", "netns", "del", name)


def node_namespace(cluster):
    return f"mgl-{host.lab_id(cluster.directory)}-{NODE}"


def links(cluster):
    shown = run("ip", "-n", node_namespace(cluster), "-brief", "link", "show", "type", "veth").stdout
    return [line.split("@")[0].split()[0] for line in shown.splitlines()]


def nft_objects(inside):
    """What nft lists of our tables, without handles, with the elements of each set in order."""
    objects = []
    for entry in json.loads(run(*inside, "nft", "-j", "list", "ruleset").stdout)["nftables"]:
        (kind, value), = entry.items()
        if kind == "metainfo" or "calico" not in (value.get("table"), value.get("name")):
            continue
        value.pop("handle", None)
        if "elem" in value:
            value["elem"].sort(key=json.dumps)
        objects.append(json.dumps({kind: value}, sort_keys=True))
    return sorted(objects)


def rules(network_namespace):
    state = programmed(network_namespace)
    return "\n".join(state["iptables-save"] + state["nft"])


def programmed(network_namespace):
    """Rules and sets, as text that does not depend on order of making or on counters."""
    inside = ["ip", "netns", "exec", network_namespace]
    state = {"nft": nft_objects(inside)}
    for program in ("iptables-save", "ip6tables-save"):
        saved = run(*inside, program).stdout
        state[program] = [re.sub(r"\[\d+:\d+\]", "", line) for line in saved.splitlines() if not line.startswith("#")]
    lines = run(*inside, "ipset", "save").stdout.splitlines()
    # A hash's key and its size as it grew are the kernel's business.
    state["ipset"] = sorted(re.sub(r" (initval \S+|bucketsize \d+|hashsize \d+)", "", line) for line in lines)
    return state


def play(cluster, file, network_namespace, check=True):
    environment = dict(os.environ, FELIX_IPV6SUPPORT="true")
    return run("ip", "netns", "exec", network_namespace, MARGAY, "replay", file, "--dataplane", cluster.dataplane,
               env=environment, check=check)


def is_enforcing(cluster):
    """The agent has programmed both pods' policies, and nothing is under way."""
    state = programmed(node_namespace(cluster))
    everything = "\n".join(state["iptables-save"] + state["ipset"] + state["nft"])
    return "5432" in everything and "203.0.113.0" in everything and state


def settled(cluster):
    wait_until(lambda: is_enforcing(cluster), "the policies are programmed")
    before = [None]

    def still():
        now, before[0] = before[0], (programmed(node_namespace(cluster)), recording(cluster).stat().st_size)
        return now == before[0]
    wait_until(still, "nothing changes any more", pause=0.5)
    return programmed(node_namespace(cluster))


def test_a_replay_programs_what_the_agent_did(cluster, scratch, tmp_path):
    wanted = settled(cluster)
    done = play(cluster, recording(cluster), scratch)
    assert f"node {NODE}: " in done.stdout and ", 0 of them failed" in done.stdout, done.stdout
    assert programmed(scratch) == wanted


def test_a_replay_over_a_restart_of_the_agent_ends_as_the_next_one_did(cluster, scratch):
    settled(cluster)
    agent = cluster.pid(f"agent-{NODE}")
    os.kill(agent, signal.SIGKILL)
    wait_until(lambda: cluster.pid(f"agent-{NODE}") not in (None, agent), "the next agent")
    previous = recording(cluster).with_name("recording.previous")
    wait_until(previous.exists, "what the killed one recorded is kept")
    cluster.kubectl("delete", "--ignore-not-found", "-n", "shop", "networkpolicies.projectcalico.org", "web")
    cluster.apply(policy("late", "app == 'db'", 5, types=["Ingress"], ingress=[
        {"action": "Deny", "protocol": "TCP", "destination": {"ports": [6379]}}]))
    wait_until(lambda: "6379" in rules(node_namespace(cluster)), "the late policy")
    wanted = settled(cluster)
    first = play(cluster, previous, scratch, check=False)
    assert first.returncode == 0 or "it is cut off" in first.stderr, first.stdout + first.stderr
    assert "6379" not in rules(scratch)
    play(cluster, recording(cluster), scratch)
    assert programmed(scratch) == wanted


def test_what_was_cut_off_says_so_and_leaves_its_last_apply(cluster, scratch, tmp_path):
    settled(cluster)
    whole = recording(cluster).read_bytes()
    cut = tmp_path / "cut"
    cut.write_bytes(whole[:len(whole) * 2 // 3])
    done = play(cluster, cut, scratch, check=False)
    if done.returncode == 0:  # just between two frames
        cut.write_bytes(whole[:len(whole) * 2 // 3 - 1])
        done = play(cluster, cut, scratch, check=False)
    assert done.returncode == 1
    assert re.search(r"after \d+ deltas and \d+ applies: byte \d+: it is cut off", done.stderr), done.stderr


def test_what_a_later_version_wrote_is_refused(cluster, scratch, tmp_path):
    settled(cluster)
    untouched = programmed(scratch)
    whole = recording(cluster).read_bytes()
    later = tmp_path / "later"
    # The header's version: field 2 of it, after its format.
    assert whole.count(b"margay data plane\x10\x01") == 1
    later.write_bytes(whole.replace(b"margay data plane\x10\x01", b"margay data plane\x10\x02"))
    done = play(cluster, later, scratch, check=False)
    assert done.returncode == 1 and "this program reads version 1" in done.stderr, done.stderr
    assert programmed(scratch) == untouched

    later.write_bytes(whole + bytes([5]) + b"\xaa\x01\x02hi")  # a frame with field 21 alone
    done = play(cluster, later, scratch, check=False)
    assert done.returncode == 1 and "of a kind that this version does not know" in done.stderr, done.stderr


def test_what_is_no_recording_is_refused(cluster, scratch, tmp_path):
    other = tmp_path / "other"
    other.write_text('{"kind": "Pod"}\n')
    done = play(cluster, other, scratch, check=False)
    assert done.returncode == 1 and "is no recording" in done.stderr
    done = play(cluster, tmp_path / "none", scratch, check=False)
    assert done.returncode == 1 and "No such file" in done.stderr
