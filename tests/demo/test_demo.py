"""The demo holds with the oldest kubectl that is supported, which is Debian's, and with a current one."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def kubectl_programs():
    folder = ROOT / "build" / "kubectl"
    subprocess.run([ROOT / "tests" / "kubectl" / "prepare", folder], check=True)
    return folder


@pytest.mark.parametrize("kubectl", ["kubectl-1.20", "kubectl-current"])
def test_demo(kubectl, kubectl_programs):
    done = subprocess.run([ROOT / "tests" / "demo" / "demo"], capture_output=True, text=True, timeout=300, check=False,
                          env=dict(os.environ, KUBECTL=str(kubectl_programs / kubectl)))
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    passed = re.fullmatch(r"demo: (\d+) checks passed, 0 failed", last)
    assert passed and int(passed[1]) > 35, last
