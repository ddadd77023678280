"""Sessions with a real kubectl: Calico's kinds of routing and controllers, and Calico's stored form of all its kinds."""

import json
import pathlib

import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples/routing"
BGP = (EXAMPLES / "1-bgp.yaml").read_text()
STORED_POLICY = (EXAMPLES / "2-stored-form.yaml").read_text().replace("  namespace: default\n", "")
STORED, SHOWN = "networkpolicies.crd.projectcalico.org", "networkpolicies.projectcalico.org"


def read(kubectl, *what):
    return json.loads(kubectl("get", *what, "-o", "json"))


@pytest.fixture
def bgp(kubectl):
    kubectl("apply", "-f", "-", stdin=BGP)
    yield
    kubectl("delete", "--ignore-not-found", "-f", "-", stdin=BGP)


def test_kinds_of_routing_and_controllers(kubectl, bgp):
    told = kubectl("apply", "-f", "-", stdin=BGP).splitlines()
    assert [line.split()[-1] for line in told] == ["unchanged"] * 3
    header, row = kubectl("get", "bgppeers").splitlines()
    assert header.split() == ["NAME", "PEERIP", "NODE", "ASN", "AGE"]
    assert row.split()[:4] == ["rack-a", "[2001:db8::1]:1790", "<none>", "64512"]
    header, row = kubectl("get", "bgpconfig").splitlines()
    assert row.split()[:4] == ["default", "<none>", "false", "64513"]
    assert read(kubectl, "kubecontrollersconfigurations", "default")["spec"]["prometheusMetricsPort"] == 9094
    for field in ("bgppeer.spec.password.secretKeyRef", "bgpconfiguration.spec.communities",
                  "kubecontrollersconfiguration.spec.controllers.node"):
        assert "DESCRIPTION" in kubectl("explain", "--api-version=projectcalico.org/v3", field)
    refused = kubectl.refused("patch", "bgppeer", "rack-a", "--type=merge", "-p", '{"spec":{"peerSelector":"all()"}}')
    assert "spec.peerIP: Forbidden" in refused and "spec.asNumber: Forbidden" in refused
    refused = kubectl.refused("apply", "-f", "-", stdin=BGP.replace("name: default", "name: node.a", 1))
    assert "spec.asNumber: Forbidden: can only be set in the BGPConfiguration named default" in refused


def test_the_stored_form_is_another_view_of_the_same_object(kubectl, namespace):
    assert kubectl("apply", "-n", namespace, "-f", "-", stdin=STORED_POLICY).endswith("created\n")
    assert kubectl("apply", "-n", namespace, "-f", "-", stdin=STORED_POLICY).endswith("unchanged\n")
    shown = read(kubectl, "-n", namespace, SHOWN, "web")
    stored = read(kubectl, "-n", namespace, STORED, "default.web")
    for field in ("uid", "resourceVersion", "creationTimestamp"):
        assert shown["metadata"][field] == stored["metadata"][field]
    assert json.loads(stored["metadata"]["annotations"].pop("projectcalico.org/metadata"))["uid"] == shown["metadata"]["uid"]
    assert shown["metadata"]["annotations"] == stored["metadata"]["annotations"], "kubectl's own"

    kubectl("label", "-n", namespace, SHOWN, "web", "from=v3")
    kubectl("annotate", "-n", namespace, STORED, "default.web", "from=crd")
    kubectl("patch", "-n", namespace, STORED, "default.web", "--type=json", "-p",
            '[{"op":"replace","path":"/spec/order","value":20}]')
    shown = read(kubectl, "-n", namespace, SHOWN, "web")
    assert (shown["metadata"]["labels"]["from"], shown["metadata"]["annotations"]["from"], shown["spec"]["order"]) == ("v3", "crd", 20)
    whole = kubectl("get", "-n", namespace, STORED, "default.web", "-o", "yaml")
    assert kubectl("replace", "-f", "-", stdin=whole).endswith("replaced\n"), "what was read can be written"

    assert kubectl("get", "-n", namespace, STORED, "-l", "from=v3", "-o", "name").strip() == "networkpolicy.crd.projectcalico.org/default.web"
    assert kubectl("get", "-n", namespace, STORED, "--field-selector", "metadata.name=default.web", "-o", "name").strip() != ""
    kubectl("delete", "-n", namespace, STORED, "--all")
    assert kubectl("get", "-n", namespace, SHOWN, "-o", "name") == ""


def test_the_stored_form_is_judged_as_the_object(kubectl, namespace):
    refused = kubectl.refused("apply", "-n", namespace, "-f", "-", stdin=STORED_POLICY.replace("default.web", "web"))
    assert "metadata.name: Invalid value" in refused and "must be default. and the policy's name" in refused
    refused = kubectl.refused("apply", "-n", namespace, "-f", "-", stdin=STORED_POLICY.replace("== 'web'", "="))
    assert "spec.selector: Invalid value" in refused
    refused = kubectl.refused("apply", "-n", namespace, "-f", "-", stdin=STORED_POLICY.replace("order:", "oder:"))
    assert "unknown field" in refused
    assert kubectl("apply", "-n", namespace, "--dry-run=server", "-f", "-", stdin=STORED_POLICY).endswith("created (server dry run)\n")
    assert kubectl("get", "-n", namespace, SHOWN, "-o", "name") == ""


def test_plain_names_are_v3s(kubectl, bgp):
    assert read(kubectl, "bgppeers", "rack-a")["apiVersion"] == "projectcalico.org/v3"
    listed = kubectl("api-resources", "--api-group=crd.projectcalico.org", "-o", "name").split()
    assert {"bgppeers.crd.projectcalico.org", STORED, "ippools.crd.projectcalico.org", "ipamblocks.crd.projectcalico.org"} <= set(listed)
    assert "DESCRIPTION" in kubectl("explain", "--api-version=crd.projectcalico.org/v1", "bgppeers.spec")
