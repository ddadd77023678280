"""calicoctl on each way to a datastore: an embedded store by itself, the same behind its server, and the API of a server."""

import importlib.util
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load(name: str, path: pathlib.Path):
    """A module of another folder, whose name a module here has too."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


apiserver = load("apiserver_conftest", ROOT / "tests/apiserver/conftest.py")
Server, DEADLINE = apiserver.Server, apiserver.DEADLINE


class Calicoctl:
    """The program under its name, with an environment of its own."""

    def __init__(self, home: pathlib.Path, **environment):
        self.home = home
        self.program = home / "calicoctl"
        if not self.program.exists():
            self.program.symlink_to(os.environ.get("MARGAY", str(ROOT / "build/release/bin/margay")))
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), **environment}

    def run(self, *arguments, stdin="", environment=None) -> subprocess.CompletedProcess:
        return subprocess.run([self.program, *map(str, arguments)], input=stdin, text=True, capture_output=True,
                              timeout=DEADLINE, check=False, cwd=self.home,
                              env=self.environment | (environment or {}))

    def __call__(self, *arguments, **options) -> str:
        done = self.run(*arguments, **options)
        assert done.returncode == 0, f"calicoctl {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}"
        assert done.stderr == ""
        return done.stdout

    def refused(self, *arguments, output="", **options) -> str:
        """What it says on standard error; on standard output only `output`."""
        done = self.run(*arguments, **options)
        assert done.returncode == 1, f"calicoctl {' '.join(map(str, arguments))} was not refused: {done.stdout}"
        assert done.stdout == output
        return done.stderr


@pytest.fixture
def server(tmp_path):
    started = Server(tmp_path / "data").start()
    yield started
    assert started.stop() == 0


@pytest.fixture(params=["embedded", "embedded, served", "kubernetes"])
def calicoctl(request, tmp_path):
    data = tmp_path / "data"
    home = tmp_path / "home"
    home.mkdir()
    if request.param == "embedded":
        data.mkdir()
        yield Calicoctl(home, DATASTORE_TYPE="embedded", MARGAY_DATA_DIR=str(data))
        return
    started = Server(data).start()
    if request.param == "kubernetes":
        yield Calicoctl(home, DATASTORE_TYPE="kubernetes", KUBECONFIG=str(started.kubeconfig))
    else:
        yield Calicoctl(home, DATASTORE_TYPE="embedded", MARGAY_DATA_DIR=str(data))
    assert started.stop() == 0


kubectl_programs = apiserver.kubectl_programs
