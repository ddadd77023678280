"""What Kubernetes' end-to-end tests ask of the API of NetworkPolicies (upstream.py)."""

import json

import pytest

from api import Api

NAMESPACED = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies"
ALL = "/apis/networking.k8s.io/v1/networkpolicies"
OURS = "?labelSelector=special=ours"
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module")
def api(cluster):
    return Api(cluster.kubeconfig)


def policy(**spec):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"generateName": "ours-", "labels": {"special": "ours"}},
            "spec": {"podSelector": {"matchLabels": {"pod": "nobody"}}, **spec}}


def items(api, path):
    status, listed = api.request("GET", path + OURS)
    assert status == 200
    return listed


def test_every_operation(api, cluster):
    groups = {group["name"]: [one["version"] for one in group["versions"]] for group in api.request("GET", "/apis")[1]["groups"]}
    assert "v1" in groups["networking.k8s.io"]
    assert "v1" in [one["version"] for one in api.request("GET", "/apis/networking.k8s.io")[1]["versions"]]
    resource = next(one for one in api.request("GET", "/apis/networking.k8s.io/v1")[1]["resources"] if one["name"] == "networkpolicies")
    assert {"create", "get", "list", "watch", "update", "patch", "delete", "deletecollection"} <= set(resource["verbs"])

    spec = policy(ingress=[{"from": [{"podSelector": {"matchLabels": {"pod": "a"}}, "namespaceSelector": {"matchLabels": {"ns": "y"}}}]}])
    made = [api.request("POST", NAMESPACED, spec) for _ in range(3)]
    assert [status for status, _ in made] == [201] * 3
    assert len({one["metadata"]["name"] for _, one in made}) == 3
    last = made[-1][1]
    name = f"{NAMESPACED}/{last['metadata']['name']}"
    assert api.request("GET", name)[1]["metadata"]["uid"] == last["metadata"]["uid"]
    listed = items(api, NAMESPACED)
    assert len(listed["items"]) == len(items(api, ALL)["items"]) == 3

    watches = [watch(cluster, path + f"{OURS}&watch=1&resourceVersion={listed['metadata']['resourceVersion']}") for path in (NAMESPACED, ALL)]
    status, patched = api.request("PATCH", name, {"metadata": {"annotations": {"patched": "true"}}}, MERGE)
    assert (status, patched["metadata"]["annotations"]["patched"]) == (200, "true")
    patched["metadata"]["annotations"]["updated"] = "true"
    status, updated = api.request("PUT", name, patched)
    assert (status, updated["metadata"]["annotations"]["updated"]) == (200, "true")
    for events in watches:
        seen = [json.loads(events.readline()) for _ in range(2)]
        assert [event["type"] for event in seen] == ["MODIFIED"] * 2
        assert seen[-1]["object"]["metadata"]["annotations"].items() >= {"patched": "true", "updated": "true"}.items()
        events.close()

    assert api.request("DELETE", name)[0] == 200
    assert api.request("GET", name)[0] == 404
    assert len(items(api, NAMESPACED)["items"]) == 2
    assert api.request("DELETE", NAMESPACED + OURS)[0] == 200
    assert items(api, NAMESPACED)["items"] == []


def watch(cluster, path):
    """A stream of lines, on a connection of its own."""
    connection = Api(cluster.kubeconfig).connection
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200
    return answer


@pytest.mark.parametrize("port, accepted", [
    ({"endPort": 20000}, False),
    ({"port": "serve-80", "endPort": 20000}, False),
    ({"port": 30000, "endPort": 20000}, False),
    ({"port": 20000, "endPort": 20000}, True),
    ({"port": 10000, "endPort": 20000}, True),
], ids=["no port", "a name", "below", "equal", "above"])
def test_an_end_port_needs_a_port_that_it_is_not_below(api, port, accepted):
    status, answer = api.request("POST", NAMESPACED, policy(policyTypes=["Egress"], egress=[{"ports": [port]}]))
    assert status == (201 if accepted else 422), answer
    if not accepted:
        assert "spec.egress[0].ports[0].endPort" in answer["message"]
    assert api.request("DELETE", NAMESPACED + OURS)[0] == 200
    assert items(api, NAMESPACED)["items"] == []
