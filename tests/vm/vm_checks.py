"""Debian's kernel under emulation: that it is what tests/vm/run says, and what only it can show."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = ROOT / "tests/vm/run"
MARGAY = os.environ.get("MARGAY", ROOT / "build/release/bin/margay")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the machine's root is this one's, which root alone can read")


def run(*command, options=(), time=300):
    return subprocess.run([RUN, "--time", str(time), *options, *map(str, command)], capture_output=True, text=True, check=False)


def test_a_command_has_its_folder_its_environment_and_its_status():
    ended = subprocess.run([RUN, "--time", "300", "sh", "-c", "pwd; echo $WORD; id -u; exit 3"], cwd=ROOT / "tests", capture_output=True,
                           text=True, check=False, env={**os.environ, "WORD": "spoken"})
    assert ended.returncode == 3, ended.stderr
    assert ended.stdout.split() == [str(ROOT / "tests"), "spoken", "0"]


def test_what_is_written_goes_with_the_machine():
    path = ROOT / "written-in-a-machine"
    ended = run("sh", "-c", f"echo gone > {path} && cat {path}")
    assert (ended.returncode, ended.stdout.strip()) == (0, "gone"), ended.stderr
    assert not path.exists()


def test_it_ends_when_its_time_is_up():
    ended = run("sleep", "600", time=20)
    assert ended.returncode == 124
    assert "not done after 20 s" in ended.stderr


def test_a_module_that_the_kernel_does_not_have_is_named():
    ended = run("true", options=["--modules", "no_such_module"])
    assert ended.returncode == 125
    assert "no_such_module" in ended.stdout


def test_the_kernel_has_what_the_running_one_may_lack():
    modules = ["ipip", "sctp", "wireguard", "ip_vs", "esp4", "xfrm_user"]
    ended = run("sh", "-c", "ip link add name w0 type wireguard && ip link show tunl0 && ip link show w0 && grep -c SCTP /proc/net/protocols",
                options=["--modules", ",".join(modules)])
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_sctp_is_served_and_policed_where_the_kernel_has_it():
    """The lab's own test, which here sees the other half of what it says."""
    ended = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ROOT / "tests/lab/test_pods.py", "-k", "sctp",
                options=["--modules", "sctp"], time=600)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 passed" in ended.stdout
