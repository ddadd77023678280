"""The recipes and Calico's pages, row by row, with real packets and by the reference evaluator, on both data planes."""

import pytest

import cast
import documents
from pages import NOT_TRIED, PAGES, WITHOUT_POLICY
from recipes import RECIPES
from surroundings import Surroundings, pod_namespaces

DOCUMENTS = {"pages": PAGES, "recipes": RECIPES}
EVERY = [(kind, name) for kind, cases in DOCUMENTS.items() for name in cases]
every_document = pytest.mark.parametrize("kind, name", EVERY, ids=["/".join(one) for one in EVERY])


@pytest.fixture(scope="module")
def stage(cluster):
    brought = {}
    for kind, name in EVERY:
        for one in documents.load(kind, name, DOCUMENTS[kind][name])[1]:
            brought[one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]] = one
    for pool in ("default-ipv4-ippool", "default-ipv6-ippool"):  # who is outside is to see pods' own addresses
        cluster.kubectl("patch", "ippool", pool, "--type=merge", "-p", '{"spec":{"natOutgoing":false}}')
    cluster.apply(*cast.objects(), *brought.values())
    names = cast.names() + [f"{namespace}/{name}" for kind, namespace, name in brought if kind == "Pod"]
    ready = cluster.wait_for_pods(names, within=180)
    surroundings = Surroundings(cluster)
    try:
        on_node = {f"{one['metadata']['namespace']}/{one['metadata']['name']}": one["spec"]["nodeName"]
                   for one in cluster.get("pods", "-A")["items"]}
        for name in names:
            for address in ready[name]:
                if not name.startswith("hosts/"):
                    surroundings.route(f"{address}/{128 if ':' in address else 32}", on_node[name])
        yield documents.Stage(cluster, surroundings, ready, pod_namespaces(cluster, surroundings.prefix), on_node)
    finally:
        surroundings.close()


@every_document
def test_it_is_as_its_table_says(kind, name, stage):
    documents.run(stage, kind, name, DOCUMENTS[kind][name])


# ---- the tables themselves: none of this needs a cluster ----------------------------------------------------
@every_document
def test_its_table_can_fail(kind, name):
    case = DOCUMENTS[kind][name]
    objects, _ = documents.load(kind, name, case)
    rows = dict(case.rows())
    assert len(rows) >= 3
    for text, row in rows.items():
        assert len(row.verdicts) == len(case.steps), text
        assert "+" in row.verdicts, f"silence that nothing ever breaks proves nothing: {text}"
    assert case.steps[0] == "", "the first step is without policy"
    assert any("-" in row.verdicts for row in rows.values())
    used = {called for step in case.steps for called in step.split()}
    assert used == set(objects), "every object is in effect at some step"


def test_the_pages_are_those_of_calico():
    """48 pages under security/ in v3.19, of which 24 show a policy; three of those are tried only in part."""
    assert not set(PAGES) & set(WITHOUT_POLICY)
    assert set(NOT_TRIED) <= set(PAGES)
    assert (len(PAGES), len(PAGES) + len(WITHOUT_POLICY)) == (24, 48)


def test_the_recipes_are_all_there():
    """01 to 14, with a 02a and without a 13; 00 makes a cluster."""
    assert [name.split("-")[0] for name in RECIPES] == "01 02 02a 03 04 05 06 07 08 09 10 11 12 14".split()
