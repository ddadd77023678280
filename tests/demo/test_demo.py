"""The demo holds with the oldest kubectl that is supported, which is Debian's, and with a current one, on either data plane."""

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


@pytest.mark.parametrize("kubectl, dataplane", [("kubectl-1.20", "iptables"), ("kubectl-current", "iptables"),
                                                ("kubectl-current", "nftables")])
def test_demo(kubectl, dataplane, kubectl_programs):
    done = subprocess.run([ROOT / "tests" / "demo" / "demo", "--dataplane", dataplane], capture_output=True, text=True, timeout=300, check=False,
                          env=dict(os.environ, KUBECTL=str(kubectl_programs / kubectl)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"--dataplane {dataplane}" in done.stdout
    last = done.stdout.splitlines()[-1]
    passed = re.fullmatch(r"demo: (\d+) checks passed, 0 failed", last)
    assert passed and int(passed[1]) > 35, last
