"""What the tests of an overloaded server stand on: a memory limit, a bystander who must be answered, and clients that misbehave."""

import contextlib
import json
import math
import os
import pathlib
import socket
import ssl
import statistics
import subprocess
import sys

import pytest

from conftest import Server
from test_http import CONFIG_MAPS, DEADLINE, ask, connect, create, tls

MIB = 1 << 20
LIMIT = 1024 * MIB
OVER_DATA = 300 * MIB
PROMISE = 0.1  # seconds, on an idle machine
SHARE = 0.98  # of the answers


# ---- a memory limit ---------------------------------------------------------------------------------

class MemoryLimit:
    """A control group of this test's own, version 2 or 1."""

    def __init__(self, limit: int):
        version_2 = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").is_file() and not pathlib.Path("/sys/fs/cgroup/memory").is_dir()
        root = pathlib.Path("/sys/fs/cgroup" if version_2 else "/sys/fs/cgroup/memory")
        self.folder = root / f"margay-overload-{os.getpid()}"
        try:
            self.folder.mkdir()
            (self.folder / ("memory.max" if version_2 else "memory.limit_in_bytes")).write_text(str(limit))
        except OSError as error:
            with contextlib.suppress(OSError):
                self.folder.rmdir()
            pytest.skip(f"no control group with a memory limit can be made here: {error}")

    def enter(self):
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def close(self):
        self.folder.rmdir()


@pytest.fixture(scope="module")
def memory_limit():
    limit = MemoryLimit(LIMIT)
    yield limit
    limit.close()


@pytest.fixture
def limited(memory_limit, tmp_path):
    own = Server(tmp_path / "data")
    own.preexec = memory_limit.enter
    own.start()
    yield own
    own.stop()


def in_status(server, field: str) -> int:
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) * 1024


def resident(server) -> int:
    return in_status(server, "VmRSS")


def peak(server) -> int:
    """The most that was ever resident: a client that takes nothing is cut after a while, and its memory returns."""
    return in_status(server, "VmHWM")


# ---- the bystander ----------------------------------------------------------------------------------

class Bystander:
    """Asks for one small object again and again, and notes how long each answer took. A process of its own: what the
    test does meanwhile must not hold it up."""

    def __init__(self, server):
        create(server, "small")
        self.process = subprocess.Popen([sys.executable, pathlib.Path(__file__).with_name("bystander.py"), str(server.port),
                                         server.folder / "pki", CONFIG_MAPS + "/small"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "asking\n"

    def stop(self) -> list[float]:
        said, _ = self.process.communicate(timeout=DEADLINE)  # the end of its input ends it
        assert self.process.returncode == 0, "the bystander was answered"
        return sorted(json.loads(said))

    def check(self):
        times = self.stop()
        assert len(times) >= 5, "the bystander was answered"
        allowed = PROMISE * max(1.0, os.getloadavg()[0] / os.cpu_count())
        most = times[math.ceil(len(times) * SHARE) - 1]
        # Nor may a few wait for long: of answers so many a stall of seconds is less than two in a hundred.
        assert times[-1] < 10 * allowed, f"one answer took {times[-1]:.2f} s"
        print(f"bystander: {len(times)} answers, median {statistics.median(times) * 1000:.1f} ms, {SHARE:.0%} within "
              f"{most * 1000:.1f} ms, worst {times[-1] * 1000:.1f} ms, allowed {allowed * 1000:.0f} ms")
        assert most < allowed


@contextlib.contextmanager
def bystander(server):
    watching = Bystander(server)
    try:
        yield
    except BaseException:
        watching.process.kill()
        raise
    watching.check()


# ---- clients that misbehave -------------------------------------------------------------------------

def open_unread(server, context: ssl.SSLContext, path: str) -> ssl.SSLSocket:
    """Asks, and never reads; the kernel takes as little as it can for it."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(DEADLINE)
    plain.connect(("127.0.0.1", server.port))
    stream = context.wrap_socket(plain, server_hostname="127.0.0.1")
    stream.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return stream


def put_large(server, count: int, size: int):
    """Objects of `size` bytes, each written once."""
    with contextlib.closing(connect(server)) as connection:
        for number in range(count):
            body = json.dumps({"metadata": {"name": f"large{number}"}, "data": {"k": f"{number:06}" * (size // 6)}})
            connection.request("POST", CONFIG_MAPS, body)
            response = connection.getresponse()
            response.read()
            assert response.status == 201, response.status


def change_large(server, times: int, size: int):
    with contextlib.closing(connect(server)) as connection:
        for number in range(times):
            body = json.dumps({"data": {"k": f"{number + 1:06}" * (size // 6)}})
            connection.request("PATCH", CONFIG_MAPS + "/large0", body, {"Content-Type": "application/merge-patch+json"})
            response = connection.getresponse()
            response.read()
            assert response.status == 200, response.status
