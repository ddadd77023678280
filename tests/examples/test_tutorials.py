"""The tutorials in examples/: who reaches whom after each file, by real connections."""

import itertools

import pytest

from cluster import Cluster, ROOT, wait_until

STARS = ["stars/backend", "stars/frontend", "client/client", "management-ui/management-ui"]
UI = STARS[3]
KUBERNETES = ["policy-demo/nginx", "policy-demo/access", "policy-demo/cant-access"]
EGRESS = ["egress-demo/nginx", "egress-demo/client", "dns/resolver"]
CALICO = ["advanced-demo/nginx", "advanced-demo/client"]


def everyone(pods):
    return set(itertools.permutations(pods, 2))


def all_to(target, pods):
    return {(pod, target) for pod in pods if pod != target}


UI_SEES = {(UI, pod) for pod in STARS[:3]}
TO_UI = all_to(UI, STARS)
TO_DNS = all_to("dns/resolver", EGRESS)
CLIENT_TO_SERVER = {("egress-demo/client", "egress-demo/nginx")}

# Folder, pods, and what each file leaves reachable.
TUTORIALS = [
    ("stars", STARS, [
        ("1-pods", everyone(STARS)),
        ("2-default-deny", TO_UI),
        ("3-allow-ui", TO_UI | UI_SEES),
        ("4-backend", TO_UI | UI_SEES | {("stars/frontend", "stars/backend")}),
        ("5-frontend", TO_UI | UI_SEES | {("stars/frontend", "stars/backend"), ("client/client", "stars/frontend")}),
    ]),
    ("tutorials/kubernetes-policy", KUBERNETES, [
        ("1-pods", everyone(KUBERNETES)),
        ("2-default-deny", set()),
        ("3-access-nginx", {("policy-demo/access", "policy-demo/nginx")}),
    ]),
    ("tutorials/kubernetes-egress", EGRESS, [
        ("1-pods", everyone(EGRESS)),
        ("2-deny-ingress", TO_DNS),
        ("3-allow-nginx", TO_DNS | CLIENT_TO_SERVER),
        ("4-deny-egress", set()),
        ("5-allow-dns", TO_DNS),
        ("6-allow-nginx", TO_DNS | CLIENT_TO_SERVER),
    ]),
    ("tutorials/calico-policy", CALICO, [
        ("1-pods", everyone(CALICO)),
        ("2-default-deny", set()),
        ("3-allow-client", set()),
        ("4-allow-nginx", {("advanced-demo/client", "advanced-demo/nginx")}),
    ]),
]


@pytest.fixture(scope="module", params=["iptables", "nftables"])
def cluster(request):
    with Cluster(nodes=2, dataplane=request.param) as lab:
        yield lab


def reached(cluster):
    return {(one["from"], one["to"]) for one in cluster.probe("--timeout", 500) if one["result"] == "allow"}


@pytest.mark.parametrize("folder, pods, stages", TUTORIALS, ids=[folder for folder, _, _ in TUTORIALS])
def test_a_tutorial_ends_each_step_as_told(cluster, folder, pods, stages):
    path = ROOT / "examples" / folder
    assert [f"{name}.yaml" for name, _ in stages] == sorted(p.name for p in path.iterdir()), "every file is a step"
    for name, expected in stages:
        cluster.kubectl("apply", "-f", path / f"{name}.yaml")
        if name == "1-pods":
            cluster.wait_for_pods(pods)
        wait_until(lambda: reached(cluster) == expected, f"{folder}/{name}: {sorted(expected)}")
    cluster.kubectl("delete", "--ignore-not-found", "-f", path)
