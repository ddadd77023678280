"""A real server per test session part, and real kubectls to drive it.

MARGAY names the program (default: build/release/bin/margay). Ports are chosen by the server,
folders are temporary, and everything waits on conditions.
"""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEADLINE = 60  # seconds; for a loaded machine


class Server:
    """`margay apiserver` on a folder, from its ready line to its end."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.process = None
        self.url = None
        self.preexec = None  # called in the process before it becomes the server

    @property
    def kubeconfig(self) -> pathlib.Path:
        return self.folder / "kubeconfig"

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def start(self, listen: str = "127.0.0.1:0", *options: str):
        program = os.environ.get("MARGAY", str(ROOT / "build/release/bin/margay"))
        self.log = open(self.folder.parent / f"{self.folder.name}.log", "ab")
        self.process = subprocess.Popen(
            [program, "apiserver", "--data-dir", str(self.folder), "--listen", listen, *options],
            stdout=subprocess.PIPE, stderr=self.log, text=True, preexec_fn=self.preexec)
        line = self.process.stdout.readline().split()
        assert line[:1] == ["serving"], pathlib.Path(self.log.name).read_text()
        self.url = line[1]
        return self

    def kill(self):
        self.process.kill()
        self.process.wait(DEADLINE)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(DEADLINE)
        self.process.stdout.close()
        self.log.close()
        return status


class Kubectl:
    """One release of kubectl, talking to one server, with a cache of its own."""

    def __init__(self, program: pathlib.Path, kubeconfig: pathlib.Path, home: pathlib.Path):
        self.program = program
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(kubeconfig)}

    def run(self, *arguments, stdin: str | None = None, environment: dict | None = None) -> subprocess.CompletedProcess:
        return subprocess.run([self.program, *arguments], input=stdin, text=True, capture_output=True,
                              timeout=DEADLINE, check=False, env=self.environment | (environment or {}))

    def __call__(self, *arguments, **options) -> str:
        done = self.run(*arguments, **options)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def refused(self, *arguments, **options) -> str:
        """What kubectl says when the command is refused."""
        done = self.run(*arguments, **options)
        assert done.returncode != 0, f"kubectl {' '.join(arguments)} was not refused: {done.stdout}"
        return done.stderr

    def start(self, *arguments) -> subprocess.Popen:
        return subprocess.Popen([self.program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, env=self.environment)


@pytest.fixture(scope="session")
def kubectl_programs() -> pathlib.Path:
    folder = ROOT / "build/kubectl"
    subprocess.run([ROOT / "tests/kubectl/prepare", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("apiserver") / "data").start()
    yield started
    assert started.stop() == 0


@pytest.fixture
def own_server(tmp_path):
    """A server that the test may stop, kill and start again."""
    own = Server(tmp_path / "data")
    yield own
    if own.process is not None:
        own.stop()


@pytest.fixture(params=["1.20", "current"])
def kubectl(request, kubectl_programs, server, tmp_path):
    return Kubectl(kubectl_programs / f"kubectl-{request.param}", server.kubeconfig, tmp_path)


@pytest.fixture
def namespace(kubectl, request):
    """A namespace of the test's own, gone again after it."""
    name = "t-" + request.node.callspec.params["kubectl"].replace(".", "-") + "-" + os.urandom(3).hex()
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")
