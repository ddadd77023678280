"""Real connections between two pods through the engine."""

import contextlib
import hashlib
import json
import os
import socket
import struct
import subprocess
import threading

import pytest

from cluster import MARGAY, wait_until
from engine import ADDRESS, BACKEND_PORT, MAC, SERVICE, SERVICE_PORT, two_pods

FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
MEGABYTES = 4


class Receiver:
    """Accepts one connection and keeps the digest of all that comes."""

    def __init__(self, pods, pod, family, port):
        self.listener = pods.listen(pod, family, port)
        self.digest, self.bytes, self.peer = hashlib.sha256(), 0, None
        self.thread = threading.Thread(target=self._receive)
        self.thread.start()

    def _receive(self):
        with contextlib.closing(self.listener):
            try:
                connection, self.peer = self.listener.accept()
            except TimeoutError:
                return
        connection.settimeout(60)
        with contextlib.closing(connection):
            while part := connection.recv(1 << 16):
                self.digest.update(part)
                self.bytes += len(part)
            connection.sendall(self.digest.digest())

    def join(self):
        self.thread.join(timeout=120)
        assert not self.thread.is_alive()


def transfer(engine, family, address, port, listening_on):
    """Some megabytes from a to b; both ends must agree on what they were."""
    receiver = Receiver(engine.pods, "b", family, listening_on)
    content = os.urandom(1 << 20)
    digest = hashlib.sha256()
    with contextlib.closing(engine.pods.open_socket("a", family, timeout=60)) as client:
        client.connect((address, port))
        for _ in range(MEGABYTES):
            client.sendall(content)
            digest.update(content)
        client.shutdown(socket.SHUT_WR)
        answer = client.recv(32, socket.MSG_WAITALL)
    receiver.join()
    assert receiver.bytes == MEGABYTES << 20
    assert receiver.digest.digest() == digest.digest() == answer
    return receiver


def policy(action):
    """b's policy about new TCP connections to it; everything else stays as it is."""
    rules = [{"action": action, "protocol": "TCP"}, {"action": "Allow"}]
    configuration = two_pods()
    configuration["policies"].append({"name": "tcp-to-b", "ingress": rules})
    configuration["workloads"][1]["policies"] = ["tcp-to-b", "open"]
    return configuration


@FAMILIES
def test_tcp(engine, family):
    receiver = transfer(engine, family, ADDRESS["b", family], 5001, 5001)
    assert receiver.peer[0] == ADDRESS["a", family]


@FAMILIES
def test_udp(engine, family):
    for size in (1, 100, 1400):
        with contextlib.closing(engine.pods.listen("b", family, 5002, socket.SOCK_DGRAM)) as server, \
                contextlib.closing(engine.pods.open_socket("a", family, socket.SOCK_DGRAM)) as client:
            sent = os.urandom(size)
            client.sendto(sent, (ADDRESS["b", family], 5002))
            received, peer = server.recvfrom(2000)
            assert received == sent and peer[0] == ADDRESS["a", family]
            server.sendto(received[::-1], peer)
            assert client.recvfrom(2000)[0] == sent[::-1]


def echo_request(family, sequence, content):
    """An ICMP echo request; of ICMPv6 the kernel makes the checksum."""
    message = struct.pack("!BBHHH", 8 if family == 4 else 128, 0, 0, 4711, sequence) + content
    total = sum(struct.unpack(f"!{len(message) // 2}H", message))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return message if family == 6 else message[:2] + struct.pack("!H", ~total & 0xFFFF) + message[4:]


@FAMILIES
def test_ping(engine, family):
    protocol, reply = (socket.IPPROTO_ICMP, 0) if family == 4 else (socket.IPPROTO_ICMPV6, 129)
    with contextlib.closing(engine.pods.open_socket("a", family, socket.SOCK_RAW, protocol=protocol)) as client:
        for sequence in range(3):
            content = os.urandom(56)
            client.sendto(echo_request(family, sequence, content), (ADDRESS["b", family], 0))
            while True:
                received, peer = client.recvfrom(2000)
                message = received[20:] if family == 4 else received
                if message[0] == reply and message[4:8] == struct.pack("!HH", 4711, sequence):
                    break
            assert peer[0] == ADDRESS["b", family] and message[8:] == content


@FAMILIES
def test_a_datagram_in_fragments(engine, family):
    with contextlib.closing(engine.pods.listen("b", family, 5003, socket.SOCK_DGRAM)) as server, \
            contextlib.closing(engine.pods.open_socket("a", family, socket.SOCK_DGRAM)) as client:
        sent = os.urandom(5000)
        client.sendto(sent, (ADDRESS["b", family], 5003))
        assert server.recvfrom(8000)[0] == sent


@FAMILIES
def test_a_service(engine, family):
    before = engine.show("services")["services"][0]["counts"]["flows"]
    receiver = transfer(engine, family, SERVICE[family], SERVICE_PORT, BACKEND_PORT)
    assert receiver.peer[0] == ADDRESS["a", family], "the client's address must be kept"
    assert engine.show("services")["services"][0]["counts"]["flows"] == before + 1
    shown = engine.show("sessions", "--to", SERVICE[family])["sessions"]
    assert any(each["translated"] and each["forward"]["destination"] == SERVICE[family] and
               each["reverse"]["source"] == ADDRESS["b", family] for each in shown)


def test_a_port_that_the_service_does_not_have(engine):
    before = engine.drops()["service-no-port"]
    assert not engine.pods.can_connect("a", SERVICE[4], SERVICE_PORT + 1)
    assert engine.drops()["service-no-port"] > before


@FAMILIES
def test_a_change_of_policy(engine, family):
    with contextlib.closing(engine.pods.listen("b", family, 5004)):
        assert engine.pods.can_connect("a", ADDRESS["b", family], 5004)

        engine.configure(policy("Deny"))
        before = engine.drops()["policy-denied-ingress"]
        assert not engine.pods.can_connect("a", ADDRESS["b", family], 5004)
        assert engine.drops()["policy-denied-ingress"] > before
        shown = next(each for each in engine.show("policies")["workloads"] if each["workload"] == "b")
        assert shown["ingress"][0]["action"] == "Deny" and shown["ingress"][0]["flows"] > 0

        engine.write(policy("Allow"))
        engine.hang_up()
        wait_until(lambda: engine.show("policies")["workloads"][1]["ingress"][0]["action"] == "Allow", "the new policy")
        assert engine.pods.can_connect("a", ADDRESS["b", family], 5004)


def test_an_established_connection_outlives_a_change_of_policy(engine):
    with contextlib.closing(engine.pods.listen("b", 4, 5005)) as listener, \
            contextlib.closing(engine.pods.open_socket("a", 4)) as client:
        client.connect((ADDRESS["b", 4], 5005))
        with contextlib.closing(listener.accept()[0]) as server:
            engine.configure(policy("Deny"))
            client.sendall(b"still there")
            assert server.recv(100) == b"still there"


def test_a_spoofed_source(engine):
    pods = engine.pods
    before = engine.drops()["spoofed-source"]
    device = ["dev", "vtap-a"]
    pods.exec("a", "ip", "address", "add", "10.65.0.77/32", *device)
    try:
        with contextlib.closing(pods.listen("b", 4, 5006)), contextlib.closing(pods.open_socket("a", 4, timeout=1)) as client:
            client.bind(("10.65.0.77", 0))
            with pytest.raises(TimeoutError):
                client.connect((ADDRESS["b", 4], 5006))
    finally:
        pods.exec("a", "ip", "address", "del", "10.65.0.77/32", *device)
    assert engine.drops()["spoofed-source"] > before


# ---- configuration --------------------------------------------------------------------------------
def test_a_bad_configuration_changes_nothing(engine):
    bad = policy("Deny")
    bad["policies"][1]["ingress"][0]["source"] = {"nets": ["10.0.0/8"]}
    bad["services"] = []
    engine.write(bad)
    done = engine.command("reload", check=False)
    assert done.returncode == 1
    assert 'policies[1].ingress[0].source.nets[0]: Invalid value: "10.0.0/8": must be a CIDR' in done.stderr
    assert len(engine.show("services")["services"]) == 1
    with contextlib.closing(engine.pods.listen("b", 4, 5007)):
        assert engine.pods.can_connect("a", ADDRESS["b", 4], 5007)


def test_interfaces_stay_while_it_runs(engine):
    configuration = two_pods()
    configuration["interfaces"][0]["mtu"] = 1400
    engine.write(configuration)
    done = engine.command("reload", check=False)
    assert done.returncode == 1 and "start the engine again" in done.stderr


# ---- looking into it ------------------------------------------------------------------------------
def test_show(engine):
    transfer(engine, 4, ADDRESS["b", 4], 5008, 5008)
    transfer(engine, 6, ADDRESS["b", 6], 5008, 5008)  # a second session
    nodes = {node["name"]: node for node in engine.show("nodes")["nodes"]}
    assert nodes["parse"]["packets"] > 1000 and nodes["session4"]["packets"] > 1000
    assert nodes["parse"]["cyclesPerPacket"] > 0
    session, = engine.show("sessions", "--from", ADDRESS["a", 4], "--port", "5008")["sessions"]
    assert session["protocol"] == "TCP" and session["bytes"][0] > MEGABYTES << 20
    assert engine.show("sessions", "--limit", "1")["whole"] is False
    assert engine.show("sessions", "--from", "192.0.2.1")["sessions"] == []
    runtime = engine.show("runtime")
    assert len(runtime["workers"]) == engine.workers
    assert all(each["polls"] > 0 for each in runtime["workers"])
    assert 0 < runtime["buffersFree"] <= runtime["buffers"] == 16383
    for what in ("nodes", "drops", "sessions", "policies", "services", "runtime"):
        lines = engine.command("show", what).stdout.splitlines()
        assert len(lines) > 1, what


def watch(engine, port, *words):
    """The output of a command that watches packets to that port of b, while a connects to it again and again."""
    command = [MARGAY, "vector", *words, "--socket", engine.socket, "--timeout", "20",
               "--to", ADDRESS["b", 4], "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, \
            contextlib.closing(engine.pods.listen("b", 4, port)) as listener:
        while process.poll() is None:
            if engine.pods.can_connect("a", ADDRESS["b", 4], port, timeout=1):
                listener.accept()[0].close()
        assert process.returncode == 0
        return process.stdout.read()


def test_trace(engine):
    answer = watch(engine, 5009, "trace", "--count", "2", "-o", "json")
    packets = json.loads(answer)["packets"]
    assert len(packets) == 2
    for packet in packets:
        nodes = [step["node"] for step in packet["steps"]]
        assert nodes[0] == "parse" and nodes[-1] == "output" and packet["fate"] == "sent"
        assert packet["interface"] == "cali-a" and f"> {ADDRESS['b', 4]}:5009" in packet["packet"]


def test_trace_tells_why_a_packet_is_dropped(engine):
    engine.configure(policy("Deny"))
    text = watch(engine, 5010, "trace", "--count", "1")
    assert text.startswith("cali-a: TCP 10.65.0.1:") and "first-packet4" in text
    assert text.endswith("  dropped: policy of the receiving workload\n")


def test_trace_of_nothing(engine):
    text = engine.command("trace", "--from", "192.0.2.1", "--timeout", "1").stdout
    assert text == "No packet came.\n"


def test_pcap(engine, tmp_path):
    file = tmp_path / "seen.pcap"
    output = watch(engine, 5011, "pcap", "--node", "parse", "--count", "3", "-w", str(file))
    assert output == "3 packets\n"
    content = file.read_bytes()
    magic, major, minor, _, _, snap, link = struct.unpack("=IHHIIII", content[:24])
    assert (magic, major, minor, link) == (0xA1B23C4D, 2, 4, 1)
    at, frames = 24, []
    while at < len(content):
        seconds, nanoseconds, captured, original = struct.unpack("=IIII", content[at:at + 16])
        assert captured == original <= snap and nanoseconds < 10**9 and seconds > 10**9
        frames.append(content[at + 16:at + 16 + captured])
        at += 16 + captured
    assert len(frames) == 3
    for frame in frames:
        assert frame[6:12] == bytes.fromhex(MAC["a"].replace(":", "")) and frame[12:14] == b"\x08\x00"
        assert socket.inet_ntoa(frame[30:34]) == ADDRESS["b", 4]
