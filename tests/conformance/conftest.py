import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))

from cluster import Cluster  # noqa: E402  the path decides where it is


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            if "cluster" in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture(scope="session", params=["iptables", "nftables"])
def cluster(request):
    """One lab for all that is tried on a data plane."""
    with Cluster(nodes=2, ipv6=True, dataplane=request.param) as lab:
        yield lab
