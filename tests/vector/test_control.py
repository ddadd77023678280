"""The control socket and the program's own errors: nothing that a client does may hurt the engine."""

import contextlib
import json
import os
import random
import shutil
import socket
import stat

from cluster import MARGAY, run, wait_until
from engine import receive_line

RUNTIME = b'{"command": "show", "what": "runtime"}\n'


def answers(engine):
    return b'"workers"' in engine.ask(RUNTIME)


def test_only_the_owner_may_open_it(engine):
    assert stat.S_IMODE(os.stat(engine.socket).st_mode) == 0o600


def test_garbage(engine):
    rng = random.Random(1)
    for _ in range(200):
        line = rng.randbytes(rng.randrange(1, 300)).replace(b"\n", b"") + b"\n"
        assert b"error" in engine.ask(line)
    for line in (b"\n", b"[]\n", b"null\n", b"{}\n", b'{"command":5}\n', b'{"command":"show"}\n', b'{"command":"fly"}\n',
                 b'{"command":"show","what":"sessions","limit":-1}\n', b'{"command":"show","what":"sessions","limit":1e99}\n',
                 b'{"command":"show","what":"sessions","from":"x"}\n', b'{"command":"show","what":"nodes","more":1}\n',
                 b'{"command":"trace","count":0}\n', b'{"command":"pcap"}\n', b"[" * 4000 + b"\n"):
        assert "error" in json.loads(engine.ask(line)), line
    assert answers(engine)


def test_a_request_without_end(engine):
    assert b"too long" in engine.ask(b"x" * 5000)
    with contextlib.closing(engine.connect()) as client:
        client.setblocking(False)
        with contextlib.suppress(OSError):
            for _ in range(1000):
                client.send(b"{" * 100_000)
    assert answers(engine)


def test_half_a_request_and_gone(engine):
    for _ in range(100):
        with contextlib.closing(engine.connect()) as client:
            client.sendall(RUNTIME[:20])
    assert answers(engine)


def test_several_requests_of_one_client(engine):
    with contextlib.closing(engine.connect()) as client:
        for _ in range(3):
            client.sendall(RUNTIME)
            assert b'"workers"' in receive_line(client)
        client.sendall(RUNTIME[:10])
        client.sendall(RUNTIME[10:])
        assert b'"workers"' in receive_line(client)


def test_too_many_clients(engine):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(contextlib.closing(engine.connect())) for _ in range(32)]
        for client in clients:
            client.sendall(RUNTIME)
            receive_line(client)
        with contextlib.closing(engine.connect()) as one_more:
            assert b"too many clients" in receive_line(one_more)
    wait_until(lambda: answers(engine), "an answer again")


def test_clients_that_take_no_reply(engine):
    """They ask for much and read nothing; others are answered meanwhile."""
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            client = stack.enter_context(contextlib.closing(engine.connect()))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.setblocking(False)
            with contextlib.suppress(OSError):
                for _ in range(2000):
                    client.send(b'{"command":"show","what":"drops","all":true}\n')
        assert answers(engine)


def test_one_watch_at_a_time(engine):
    with contextlib.closing(engine.connect()) as client:
        client.sendall(b'{"command":"trace","from":"192.0.2.1","timeoutMs":600000}\n')
        wait_until(lambda: b"somebody else" in engine.ask(b'{"command":"trace","from":"192.0.2.1","timeoutMs":1}\n'), "busy")
    # Nobody waits for that trace any more, so it must not be in the way of others.
    wait_until(lambda: b'"packets"' in engine.ask(b'{"command":"trace","from":"192.0.2.1","timeoutMs":1}\n'), "not busy")


# ---- the program ----------------------------------------------------------------------------------
def test_a_second_engine_does_not_take_the_socket(engine):
    other = engine.directory / "empty.yaml"
    other.write_text("interfaces: []\n")
    done = run(MARGAY, "vector", "run", "--config", other, "--socket", engine.socket, "--memory", "128", "--buffers",
               "4095", check=False)
    assert done.returncode == 1 and "listens on" in done.stderr
    assert answers(engine)


def test_a_configuration_that_cannot_be(tmp_path):
    config = tmp_path / "bad.yaml"
    config.write_text("""
interfaces:
- {name: eth0, device: net_null0, mtu: 9000}
- {name: eth0, device: eth1}
routes:
- {destination: 0.0.0.0/0}
- {destination: 10.0.0.0/8, via: {interface: eth7, mac: "02:00:00:00:00:01"}, colour: red}
policies:
- {name: a, egress: [{action: allow}, {action: Deny, protocol: ICMP, destination: {ports: [80]}}]}
""")
    done = run(MARGAY, "vector", "run", "--config", config, "--socket", tmp_path / "s", check=False)
    assert done.returncode == 1
    for message in ("interfaces[0].mtu: Invalid value: 9000: must be a number from 576 to 1900",
                    'routes[0]: Invalid value: {"destination":"0.0.0.0/0"}: must have one of via',
                    "routes[1].colour",
                    'policies[0].egress[0].action: Unsupported value: "allow": must be Allow, Deny, Pass or Log',
                    "policies[0].egress[1]", "ports need a protocol that has them"):
        assert message in done.stderr, done.stderr
    config.write_text("""
interfaces:
- {name: eth0, device: net_null0}
- {name: eth0, device: net_null0}
- {name: cali1, device: net_null2, workload: true}
routes:
- {destination: 10.65.0.1/32, via: {interface: cali1, mac: "02:00:00:00:00:01"}}
workloads:
- {name: a, interface: cali1, mac: "02:00:00:00:00:01", addresses: [10.65.0.1], policies: [nowhere]}
- {name: b, interface: cali1, mac: "02:00:00:00:00:01"}
""")
    done = run(MARGAY, "vector", "run", "--config", config, "--socket", tmp_path / "s", check=False)
    assert done.returncode == 1
    for message in ("interfaces[1].name", "interfaces[1].device", "must not be a workload's", "10.65.0.1/32",
                    "must be one of the policies", "must have one workload"):
        assert message in done.stderr, done.stderr


def test_asking_where_no_engine_is(tmp_path):
    done = run(MARGAY, "vector", "show", "nodes", "--socket", tmp_path / "none", check=False)
    assert done.returncode == 1 and "no engine answers on" in done.stderr


def test_other_instruction_sets():
    for level in ("v2", "v9"):
        done = run("env", f"MARGAY_VECTOR_ISA={level}", MARGAY, "vector", "--help", check=False)
        assert (done.returncode == 0) == (level == "v2"), done.stderr
    assert 'MARGAY_VECTOR_ISA: Invalid value: "v9"' in done.stderr


def test_an_engine_that_is_not_built_is_not_the_cpus_fault(tmp_path):
    alone = shutil.copy(MARGAY, tmp_path / "margay")
    done = run(alone, "vector", "show", "nodes", check=False)
    assert done.returncode == 1 and f"no margay-vector in {tmp_path} beside margay (`make build` builds it)" in done.stderr
