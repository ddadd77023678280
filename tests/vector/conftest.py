import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))

from engine import Engine, Pods, two_pods  # noqa: E402


def pytest_collection_modifyitems(items):
    for item in items:
        if os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))
        elif not pathlib.Path("/dev/net/tun").exists():
            item.add_marker(pytest.mark.skip(reason="TAP devices need /dev/net/tun"))


@pytest.fixture(scope="module", params=[1, 2], ids=["1-worker", "2-workers"])
def engine(request, tmp_path_factory):
    """An engine with two pods, a and b, behind TAP devices in network namespaces of their own."""
    with Pods() as pods, Engine(tmp_path_factory.mktemp("vector"), pods, workers=request.param) as engine:
        yield engine


@pytest.fixture(autouse=True)
def usual_configuration(request):
    """Whatever a test changes is taken back."""
    yield
    if "engine" in request.fixturenames:
        request.getfixturevalue("engine").configure(two_pods())
