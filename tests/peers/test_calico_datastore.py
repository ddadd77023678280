"""The API server as the datastore of Calico v3.19: what libcalico-go writes as custom resources, v3 reads, and the reverse.

calico-client is a Go program made from Calico's published module; it does one thing as calicoctl, Felix or the CNI
plugin do it. The other side is HTTP. A table has an object of each kind.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/apiserver"))

from conftest import Server  # noqa: E402
from test_http import ask  # noqa: E402

DEADLINE = 120  # seconds; for a loaded machine
ANNOTATION = "projectcalico.org/metadata"

KINDS = [  # kind, plural, namespace, name, stored name, spec, change
    ("NetworkPolicy", "networkpolicies", "default", "web", "default.web",
     {"order": 5, "selector": "app == 'web'", "types": ["Ingress"],
      "ingress": [{"action": "Allow", "protocol": "TCP", "source": {}, "destination": {"ports": [80]}}]}, {"order": 6}),
    ("GlobalNetworkPolicy", "globalnetworkpolicies", "", "deny", "default.deny",
     {"order": 500, "selector": "all()", "types": ["Ingress"]}, {"order": 501}),
    ("NetworkSet", "networksets", "default", "set.a", "set.a", {"nets": ["10.9.0.0/16"]}, {"nets": ["2001:db8::/32"]}),
    ("GlobalNetworkSet", "globalnetworksets", "", "set.a", "set.a", {"nets": ["10.9.0.0/16"]}, {"nets": ["192.0.2.1"]}),
    ("HostEndpoint", "hostendpoints", "", "hep.a", "hep.a", {"node": "n1", "interfaceName": "eth0"}, {"interfaceName": "*"}),
    ("IPPool", "ippools", "", "pool", "pool",
     {"cidr": "10.7.0.0/16", "ipipMode": "Always", "vxlanMode": "Never", "natOutgoing": True, "blockSize": 26,
      "nodeSelector": "all()"}, {"disabled": True}),
    ("FelixConfiguration", "felixconfigurations", "", "node.n1", "node.n1",
     {"logSeverityScreen": "Debug", "bpfLogLevel": "Off", "reportingInterval": "1m0s"}, {"logSeverityScreen": "Info"}),
    ("ClusterInformation", "clusterinformations", "", "default", "default",
     {"clusterGUID": "g", "clusterType": "k8s", "calicoVersion": "v3.19.0", "datastoreReady": True}, {"datastoreReady": False}),
    ("BGPConfiguration", "bgpconfigurations", "", "default", "default",
     {"asNumber": 64513, "nodeToNodeMeshEnabled": False, "serviceClusterIPs": [{"cidr": "10.96.0.0/12"}]}, {"asNumber": 64514}),
    ("BGPPeer", "bgppeers", "", "peer", "peer", {"peerIP": "192.0.2.1", "asNumber": 64512}, {"peerIP": "[2001:db8::1]:1790"}),
    ("KubeControllersConfiguration", "kubecontrollersconfigurations", "", "default", "default",
     {"controllers": {"node": {"hostEndpoint": {"autoCreate": "Enabled"}}}, "prometheusMetricsPort": 9094},
     {"healthChecks": "Disabled"}),
]
each_kind = pytest.mark.parametrize("kind, plural, namespace, name, stored, spec, change", KINDS, ids=[row[0] for row in KINDS])


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("datastore") / "data").start()
    yield started
    assert started.stop() == 0


class Client:
    def __init__(self, program: pathlib.Path, kubeconfig: pathlib.Path):
        self.command = [program, "--kubeconfig", kubeconfig]
        # Nothing of the machine's own configuration of Calico.
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(kubeconfig.parent)}

    def run(self, *arguments, object=None) -> subprocess.CompletedProcess:
        return subprocess.run([*self.command, *arguments], input=json.dumps(object or {}), text=True, capture_output=True,
                              timeout=DEADLINE, check=False, env=self.environment)

    def __call__(self, *arguments, object=None):
        done = self.run(*arguments, object=object)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *arguments, object=None) -> str:
        done = self.run(*arguments, object=object)
        assert done.returncode == 1, done.stdout
        return done.stderr

    def start(self, *arguments) -> subprocess.Popen:
        return subprocess.Popen([*self.command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.environment)


@pytest.fixture(scope="module")
def calico(server):
    folder = ROOT / "build/calico-client"
    subprocess.run([ROOT / "tests/peers/datastore/prepare", folder], check=True)
    return Client(folder / "calico-client", server.kubeconfig)


def collection(group, plural, namespace):
    return f"/apis/{group}/{'namespaces/' + namespace + '/' if namespace else ''}{plural}"


def shown(plural, namespace):
    return collection("projectcalico.org/v3", plural, namespace)


def stored_at(plural, namespace):
    return collection("crd.projectcalico.org/v1", plural, namespace)


def as_object(kind, namespace, name, spec):
    metadata = {"name": name, "labels": {"team": "a"}, "annotations": {"why": "test"}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": metadata, "spec": spec}


def same(ours, theirs):
    """A v3 object here, and as Calico's client has it."""
    for field in ("name", "namespace", "uid", "creationTimestamp", "resourceVersion", "labels", "annotations"):
        assert ours["metadata"].get(field) == theirs["metadata"].get(field), field
    for field, value in ours["spec"].items():
        if (field, value) == ("tier", "default"):  # which v3.19 does not know, nor has to
            continue
        assert theirs["spec"].get(field, value if value in (False, []) else None) == value, field


@each_kind
def test_what_calico_writes_v3_reads(server, calico, kind, plural, namespace, name, stored, spec, change):
    place = f"{namespace}/{name}" if namespace else name
    made = calico("create", kind, object=as_object(kind, namespace, name, spec))
    code, seen = ask(server, "GET", f"{shown(plural, namespace)}/{name}")
    assert code == 200, seen
    same(seen, made)
    assert spec.items() <= seen["spec"].items()
    assert seen["metadata"]["annotations"] == {"why": "test"}, "the annotation of the stored form is hidden"
    assert "AlreadyExists" in calico.refused("create", kind, object=as_object(kind, namespace, name, spec))

    found = calico("get", kind, place)
    found["spec"].update(change)
    changed = calico("update", kind, object=found)
    seen = ask(server, "GET", f"{shown(plural, namespace)}/{name}")[1]
    same(seen, changed)
    assert change.items() <= seen["spec"].items()
    assert seen["metadata"]["uid"] == made["metadata"]["uid"]
    assert "UpdateConflict" in calico.refused("update", kind, object=found | {"spec": spec}), "an old resourceVersion"

    calico("delete", kind, place)
    assert ask(server, "GET", f"{shown(plural, namespace)}/{name}")[0] == 404


@each_kind
def test_what_v3_writes_calico_reads(server, calico, kind, plural, namespace, name, stored, spec, change):
    place = f"{namespace}/{name}" if namespace else name
    code, made = ask(server, "POST", shown(plural, namespace), as_object(kind, namespace, name, spec))
    assert code == 201, made
    same(made, calico("get", kind, place))
    listed = calico("list", kind, f"{namespace}/" if namespace else "")
    # Calico's client makes a FelixConfiguration, default, for a pool with tunnels.
    listed = [item for item in listed["items"] if item["metadata"]["name"] == name]
    assert len(listed) == 1
    same(made, listed[0])

    code, custom = ask(server, "GET", f"{stored_at(plural, namespace)}/{stored}")
    assert code == 200 and custom["metadata"]["name"] == stored
    held = json.loads(custom["metadata"]["annotations"][ANNOTATION])
    assert held == {field: made["metadata"][field] for field in ("uid", "creationTimestamp")}

    made["spec"].update(change)
    code, changed = ask(server, "PUT", f"{shown(plural, namespace)}/{name}", made)
    assert code == 200, changed
    same(changed, calico("get", kind, place))
    assert ask(server, "DELETE", f"{shown(plural, namespace)}/{name}")[0] == 200
    assert "ErrorResourceDoesNotExist" in calico.refused("get", kind, place)


def test_fields_that_v319_does_not_have_survive_its_writes(server, calico):
    spec = {"cidr": "10.8.0.0/16", "allowedUses": ["Tunnel"]}
    assert ask(server, "POST", shown("ippools", ""), as_object("IPPool", "", "tunnels", spec))[0] == 201
    found = calico("get", "IPPool", "tunnels")
    assert "allowedUses" not in found["spec"], "this version has it"
    found["spec"]["natOutgoing"] = True
    calico("update", "IPPool", object=found)
    seen = ask(server, "GET", f"{shown('ippools', '')}/tunnels")[1]
    assert seen["spec"]["natOutgoing"] is True and seen["spec"]["allowedUses"] == ["Tunnel"]
    calico("delete", "IPPool", "tunnels")


def test_calico_sees_no_policies_of_other_tiers(server, calico):
    place = shown("globalnetworkpolicies", "")
    tier = {"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": {"name": "ops"}}
    assert ask(server, "POST", shown("tiers", ""), tier)[0] == 201
    for name, spec in (("web", {"order": 1}), ("ops.web", {"order": 2, "tier": "ops"})):
        code, said = ask(server, "POST", place, as_object("GlobalNetworkPolicy", "", name, spec))
        assert code == 201, said
    listed = calico("list", "GlobalNetworkPolicy")["items"]
    assert [(item["metadata"]["name"], item["spec"]["order"]) for item in listed] == [("web", 1)]
    assert calico("delete", "GlobalNetworkPolicy", "web")["spec"]["order"] == 1
    assert "ErrorResourceDoesNotExist" in calico.refused("delete", "GlobalNetworkPolicy", "web")
    assert ask(server, "DELETE", f"{place}/ops.web")[0] == 200, "it is where it was"
    assert ask(server, "DELETE", f"{shown('tiers', '')}/ops")[0] == 200


def test_calicos_watch_sees_what_v3_writes(server, calico):
    watch = calico.start("watch", "NetworkPolicy", "3")
    try:
        assert watch.stdout.readline() == "watching\n", watch.stderr.read()
        place = shown("networkpolicies", "default")
        made = ask(server, "POST", place, as_object("NetworkPolicy", "default", "seen", {"order": 1}))[1]
        ask(server, "PUT", f"{place}/seen", made | {"spec": {"order": 2}})
        ask(server, "DELETE", f"{place}/seen")
        told, errors = watch.communicate(timeout=DEADLINE)
    finally:
        watch.kill()
    assert watch.returncode == 0, errors
    events = [line.split(" ", 1) for line in told.splitlines()]
    assert [(event, json.loads(text)["metadata"]["name"]) for event, text in events] == \
        [("ADDED", "seen"), ("MODIFIED", "seen"), ("DELETED", "seen")]


def test_the_cluster_is_initialized_as_calicos_programs_do_it(server, calico):
    done = calico.run("initialize")
    assert done.returncode == 0, done.stderr
    code, seen = ask(server, "GET", f"{shown('clusterinformations', '')}/default")
    assert code == 200 and seen["spec"]["datastoreReady"] is True
    assert ask(server, "DELETE", f"{shown('clusterinformations', '')}/default")[0] == 200


def test_v3s_rules_hold_for_custom_resources(server, calico):
    place = stored_at("globalnetworkpolicies", "")
    code, said = ask(server, "POST", place, {"metadata": {"name": "default.x"}, "spec": {"selector": "has("}})
    assert code == 422 and "spec.selector" in said["message"]
    code, said = ask(server, "POST", place, {"metadata": {"name": "default.x", "annotations": {ANNOTATION: "{"}}})
    assert code == 422 and f"metadata.annotations[{ANNOTATION}]" in said["message"]
    assert calico("list", "GlobalNetworkPolicy")["items"] in (None, [])
