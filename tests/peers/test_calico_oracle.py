"""What is accepted, and how selectors read, beside Calico v3.19's own validator and parser.

calico-oracle is a Go program made from Calico's published module; calico-differential generates objects,
asks it and Margay, and compares. Longer runs:

    tests/peers/calico-oracle/prepare build/calico-oracle
    build/release/bin/margay_calico_differential --oracle build/calico-oracle/calico-oracle --objects 20000 --seed 7
"""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIFFERENTIAL = pathlib.Path(os.environ.get("MARGAY", ROOT / "build/release/bin/margay")).parent / "margay_calico_differential"
REASONS = ROOT / "docs/reference/calico-validation.md"
DEADLINE = 300  # seconds; for a loaded machine


@pytest.fixture(scope="module")
def oracle() -> pathlib.Path:
    folder = ROOT / "build/calico-oracle"
    subprocess.run([ROOT / "tests/peers/calico-oracle/prepare", folder], check=True)
    return folder / "calico-oracle"


def test_verdicts_and_selectors_agree(oracle):
    said = subprocess.run([DIFFERENTIAL, "--oracle", oracle, "--objects", "2000", "--selectors", "20000", "--seed", "1"],
                          capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


def test_each_difference_has_its_reason_in_the_reference():
    named = subprocess.run([DIFFERENTIAL, "--differences"], capture_output=True, text=True, timeout=DEADLINE, check=True)
    rows = [line.split("|")[1].strip() for line in REASONS.read_text().splitlines() if line.startswith("| ")]
    assert sorted(named.stdout.splitlines()) == sorted(row for row in rows if row not in ("difference", "---"))
