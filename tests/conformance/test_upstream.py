"""The oracle is held to what is written by hand of each upstream scenario, and every case can fail. No cluster is needed."""

import fnmatch
import itertools

import pytest

import test_policy_api
from cases import CASES, OPEN
from matrix import Model
from upstream import API, SCTP, TABLES, TCP, UDP

IPS = {f"{n}/{p}": [f"10.0.{i}.{j}", f"fd00::{i}:{j}"] for i, n in enumerate("xyz", 1) for j, p in enumerate("abc", 1)}
SCENARIOS = [(suite, title) for suite, table in TABLES.items() for title in table]


def by_hand(lines):
    """(source, target) -> whether it is reached."""
    reached = dict.fromkeys(itertools.permutations(IPS, 2), True)
    for line in lines:
        source, _, target, sign = line.split()
        for pair in reached:
            if fnmatch.fnmatchcase(pair[0], source) and fnmatch.fnmatchcase(pair[1], target):
                reached[pair] = {"+": True, "-": False}[sign]
    return reached


def models(case):
    """What the oracle expects after each step."""
    model = Model(IPS)
    for step in CASES[case]:
        model.take(step)
        yield model.expected(case)


@pytest.mark.parametrize("suite, title", SCENARIOS, ids=[f"{suite}: {title}" for suite, title in SCENARIOS])
def test_the_oracle_agrees_with_the_table(suite, title):
    case, tables = TABLES[suite][title]
    after = list(models(case))
    assert {number for number, _ in tables} == set(range(1, len(set(n for n, _ in tables)) + 1))
    for (number, service), lines in tables.items():
        protocol, port = service.split()
        expected = {(a, b, address): allowed for (a, b, p, n, address), allowed in after[number - 1].items()
                    if (p, n) == (protocol, int(port))}
        assert len(expected) == 144, f"both families of 72 pairs are asked: {case}, {service}"
        wanted = by_hand(lines)
        for (a, b, address), allowed in expected.items():
            assert allowed == wanted[a, b], f"{case}, step {number}: {a} -> {b} at {address} {service}"


def test_every_scenario_is_there():
    """42 of TCP, three each of UDP and SCTP, and two of the API."""
    assert (len(TCP), len(UDP), len(SCTP), len(API)) == (42, 3, 3, 2)
    for test in API.values():
        assert callable(getattr(test_policy_api, test))


@pytest.mark.parametrize("case", CASES)
def test_its_matrix_can_fail(case):
    verdicts = [allowed for expected in models(case) for allowed in expected.values()]
    assert any(verdicts)
    assert (not all(verdicts)) or OPEN[case] in CASES, "nothing is ever denied"
