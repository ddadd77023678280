"""`margay vector run` between two pods: network namespaces, each with one end of a TAP device.

Environment: MARGAY, the program (default: build/release/bin/margay).
"""

import contextlib
import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess

from cluster import MARGAY, run, wait_until

ADDRESS = {("a", 4): "10.65.0.1", ("b", 4): "10.65.0.2", ("a", 6): "fd00:65::1", ("b", 6): "fd00:65::2"}
MAC = {"a": "02:00:00:00:00:0a", "b": "02:00:00:00:00:0b"}
SERVICE = {4: "10.96.0.10", 6: "fd00:96::10"}
SERVICE_PORT, BACKEND_PORT = 80, 8080


def two_pods(**changes):
    """The configuration of every test, with some top-level fields replaced."""
    configuration = {
        "interfaces": [
            {"name": f"cali-{pod}", "device": f"net_tap{number},iface=vtap-{pod},mac={MAC[pod]}", "workload": True}
            for number, pod in enumerate("ab")
        ],
        "nodeAddresses": ["172.18.0.1", "fd00:172::1"],
        "workloads": [
            {"name": pod, "interface": f"cali-{pod}", "mac": MAC[pod],
             "addresses": [ADDRESS[pod, 4], ADDRESS[pod, 6]], "policies": ["open"]}
            for pod in "ab"
        ],
        "policies": [{"name": "open", "ingress": [{"action": "Allow"}], "egress": [{"action": "Allow"}]}],
        "services": [{
            "name": "web",
            "frontends": [{"address": SERVICE[family], "port": SERVICE_PORT} for family in (4, 6)],
            "backends": [{"address": ADDRESS["b", family], "port": BACKEND_PORT} for family in (4, 6)],
        }],
    }
    configuration.update(changes)
    return configuration


class Pods:
    """The namespaces: one for each pod, and one in which the engine makes its devices."""

    def __init__(self):
        self.namespaces = {name: f"mgv-{os.getpid()}-{name}" for name in ("a", "b", "engine")}

    def __enter__(self):
        for namespace in self.namespaces.values():
            run("ip", "netns", "add", namespace)
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        for namespace in self.namespaces.values():
            run("ip", "netns", "del", namespace, check=False)

    def take(self, pod):
        """Moves the pod's device into its namespace and sets it up as Calico's CNI plugin does."""
        namespace, device = self.namespaces[pod], f"vtap-{pod}"
        run("ip", "-n", self.namespaces["engine"], "link", "set", device, "netns", namespace)
        run("ip", "-n", namespace, "link", "set", device, "up")
        run("ip", "-n", namespace, "address", "add", f"{ADDRESS[pod, 4]}/32", "dev", device)
        run("ip", "-n", namespace, "address", "add", f"{ADDRESS[pod, 6]}/128", "dev", device, "nodad")
        run("ip", "-n", namespace, "route", "add", "169.254.1.1", "dev", device, "scope", "link")
        run("ip", "-n", namespace, "route", "add", "default", "via", "169.254.1.1", "dev", device)
        run("ip", "-n", namespace, "-6", "route", "add", "default", "via", "fe80::1", "dev", device)

    @contextlib.contextmanager
    def inside(self, pod):
        """This thread's new sockets belong to the pod."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as before, open(f"/run/netns/{self.namespaces[pod]}") as there:
            if libc.setns(there.fileno(), 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                libc.setns(before.fileno(), 0x40000000)

    def open_socket(self, pod, family, kind=socket.SOCK_STREAM, timeout=10.0, protocol=0):
        with self.inside(pod):
            made = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, kind, protocol)
        made.settimeout(timeout)
        return made

    def listen(self, pod, family, port, kind=socket.SOCK_STREAM):
        made = self.open_socket(pod, family, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("0.0.0.0" if family == 4 else "::", port))
        if kind == socket.SOCK_STREAM:
            made.listen(16)
        return made

    def can_connect(self, pod, address, port, timeout=1.5):
        family = 6 if ":" in address else 4
        with contextlib.closing(self.open_socket(pod, family, timeout=timeout)) as client:
            try:
                client.connect((address, port))
            except TimeoutError:
                return False
            return True

    def exec(self, pod, *command, **options):
        return run("ip", "netns", "exec", self.namespaces[pod], *command, **options)


class Engine:
    def __init__(self, directory, pods, workers=1):
        self.directory, self.pods, self.workers = pathlib.Path(directory), pods, workers
        self.config, self.socket = self.directory / "vector.yaml", self.directory / "vector.sock"
        self.process = None

    def __enter__(self):
        self.write(two_pods())
        with open(self.directory / "log", "w") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.pods.namespaces["engine"], MARGAY, "vector", "run", "--config", self.config,
                 "--socket", self.socket, "--workers", str(self.workers), "--memory", "256", "--buffers", "16383"],
                stdout=log, stderr=log)
        try:
            wait_until(lambda: self.socket.exists() or self.process.poll() is not None, "the engine's socket", 60)
            assert self.process.poll() is None, self.log()
            for pod in "ab":
                self.pods.take(pod)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the engine does not stop\n{self.log()}") from None
        assert status == 0, f"status {status}\n{self.log()}"
        assert not self.socket.exists(), "the socket is still there"

    def log(self):
        return (self.directory / "log").read_text()

    def write(self, configuration):
        # JSON is YAML.
        self.config.write_text(json.dumps(configuration, indent=1))

    def configure(self, configuration):
        self.write(configuration)
        self.command("reload")

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def command(self, *words, **options):
        return run(MARGAY, "vector", *words, "--socket", self.socket, **options)

    def show(self, what, *options):
        return json.loads(self.command("show", what, "-o", "json", *options).stdout)

    def drops(self):
        return {drop["name"]: drop["packets"] for drop in self.show("drops", "--all")["drops"]}

    def ask(self, line, timeout=10.0):
        """Sends bytes to the control socket as they are; what comes back until it closes or a whole line is there."""
        with contextlib.closing(self.connect(timeout)) as client:
            client.sendall(line)
            return receive_line(client)

    def connect(self, timeout=10.0):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(timeout)
        client.connect(str(self.socket))
        return client


def receive_line(client):
    received = b""
    while not received.endswith(b"\n"):
        try:
            part = client.recv(65536)
        except ConnectionResetError:
            break
        if not part:
            break
        received += part
    return received
