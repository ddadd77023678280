"""Sessions of calicoctl about resources, on every datastore: what it prints, byte by byte, and how it ends."""

import json
import textwrap

import pytest

from conftest import Calicoctl

KINDS = [  # what users call it, name, namespace, spec, tables: ps, wide
    ("bgpConfiguration", "default", None,
     {"asNumber": 64513, "nodeToNodeMeshEnabled": False, "logSeverityScreen": "Info"},
     ["NAME      LOGSEVERITY   MESHENABLED   ASNUMBER   ",
      "default   Info          false         64513      "],
     ["NAME      LOGSEVERITY   MESHENABLED   ASNUMBER   ",
      "default   Info          false         64513      "]),
    ("bgppeers", "peer-a", None, {"peerIP": "192.0.2.1", "asNumber": 64512},
     ["NAME     PEERIP      NODE       ASN     ",
      "peer-a   192.0.2.1   (global)   64512   "],
     ["NAME     PEERIP      NODE       ASN     ",
      "peer-a   192.0.2.1   (global)   64512   "]),
    ("felixconfig", "default", None, {"logSeverityScreen": "Debug"},
     ["NAME      ", "default   "],
     ["NAME      ", "default   "]),
    ("gnp", "deny", None, {"order": 10.5, "selector": "all()", "types": ["Ingress"]},
     ["NAME   ", "deny   "],
     ["NAME   ORDER   SELECTOR   ", "deny   10.5    all()      "]),
    ("gnetsets", "set-g", None, {"nets": [f"10.{i}.0.0/16" for i in range(1, 10)]},
     ["NAME    ", "set-g   "],
     ["NAME    NETS                                                                               ",
      "set-g   10.1.0.0/16,10.2.0.0/16,10.3.0.0/16,10.4.0.0/16,10.5.0.0/16,10.6.0.0/16,10.7....   "]),
    ("hep", "hep-a", None,
     {"node": "n1", "interfaceName": "eth0", "expectedIPs": ["192.0.2.10", "2001:db8::1"], "profiles": ["p1", "p2"]},
     ["NAME    NODE   ", "hep-a   n1     "],
     ["NAME    NODE   INTERFACE   IPS                      PROFILES   ",
      "hep-a   n1     eth0        192.0.2.10,2001:db8::1   p1,p2      "]),
    ("pool", "pool-a", None, {"cidr": "10.7.0.0/16", "natOutgoing": True, "ipipMode": "Always"},
     ["NAME     CIDR          SELECTOR   ",
      "pool-a   10.7.0.0/16   all()      "],
     ["NAME     CIDR          NAT    IPIPMODE   VXLANMODE   DISABLED   SELECTOR   ",
      "pool-a   10.7.0.0/16   true   Always     Never       false      all()      "]),
    ("kubecontrollersconfig", "default", None, {"logSeverityScreen": "Info"},
     ["NAME      ", "default   "],
     ["NAME      ", "default   "]),
    ("policy", "web", "default", {"order": 1000000, "selector": "app == 'web'", "types": ["Ingress"]},
     ["NAME   ", "web    "],
     ["NAME   ORDER   SELECTOR       ", "web    1e+06   app == 'web'   "]),
    ("netsets", "set-n", "default", {"nets": ["10.9.0.0/16", "192.0.2.1"]},
     ["NAME    ", "set-n   "],
     ["NAME    NETS                    ", "set-n   10.9.0.0/16,192.0.2.1   "]),
    ("node", "node-a", None, {"bgp": {"ipv4Address": "10.0.0.5/24", "ipv6Address": "fd00::5/64"}},
     ["NAME     ", "node-a   "],
     ["NAME     ASN       IPV4          IPV6         ",
      "node-a   (64512)   10.0.0.5/24   fd00::5/64   "]),
    ("wep", "node--a-k8s-web-eth0", "default",
     {"orchestrator": "k8s", "node": "node-a", "pod": "web", "endpoint": "eth0", "ipNetworks": ["10.7.0.9/32"],
      "ipNATs": [{"internalIP": "10.7.0.9", "externalIP": "192.0.2.77"}], "profiles": ["kns.default"],
      "interfaceName": "cali12345678901"},
     ["WORKLOAD   NODE     NETWORKS      INTERFACE         ",
      "web        node-a   10.7.0.9/32   cali12345678901   "],
     ["NAME                   WORKLOAD   NODE     NETWORKS      INTERFACE         PROFILES      NATS                    ",
      "node--a-k8s-web-eth0   web        node-a   10.7.0.9/32   cali12345678901   kns.default   {10.7.0.9 192.0.2.77}   "]),
    ("tiers", "ops", None, {"order": 7},
     None, None),
    ("stagednetworkpolicy", "staged", "default", {"selector": "all()"}, None, None),
]
CALLED = {"bgpConfiguration": "BGPConfiguration", "bgppeers": "BGPPeer", "felixconfig": "FelixConfiguration",
          "gnp": "GlobalNetworkPolicy", "gnetsets": "GlobalNetworkSet", "hep": "HostEndpoint", "pool": "IPPool",
          "kubecontrollersconfig": "KubeControllersConfiguration", "policy": "NetworkPolicy", "netsets": "NetworkSet",
          "node": "Node", "wep": "WorkloadEndpoint", "tiers": "Tier", "stagednetworkpolicy": "StagedNetworkPolicy"}


def manifest(kind, name, namespace, spec, **metadata):
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **metadata}
    return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": metadata, "spec": spec}


POOL = manifest("IPPool", "pool-a", None, {"cidr": "10.7.0.0/16", "natOutgoing": True})
POLICY = """
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: web, namespace: default, labels: {"yes": "true"}}
spec:
  order: 5
  selector: app == 'web'
  ingress:
  - {action: Allow, protocol: TCP, destination: {ports: [80, "8000:9000"]}}
"""


def table(lines):
    return "\n".join(lines) + "\n\n"


def test_every_kind_lives_its_life(calicoctl):
    for called, name, namespace, spec, ps, wide in KINDS:
        kind = CALLED[called]
        text = json.dumps(manifest(kind, name, namespace, spec))
        assert calicoctl("create", "-f", "-", stdin=text) == f"Successfully created 1 '{kind}' resource(s)\n"
        assert calicoctl.refused("create", "-f", "-", stdin=text).startswith(
            f"Failed to create '{kind}' resource: [resource already exists: {kind}("), kind
        assert calicoctl("create", "--skip-exists", "-f", "-", stdin=text) == f"Successfully created 1 '{kind}' resource(s)\n"
        if ps:
            assert calicoctl("get", called, name) == table(ps), kind
            assert calicoctl("get", called.upper(), name, "-o", "wide") == table(wide), kind
        found = json.loads(calicoctl("get", called, name, "-o", "json"))
        assert spec.items() <= found["spec"].items()
        assert calicoctl("patch", called, name, "-p", '{"metadata": {"labels": {"a": "b"}}}') == \
            f"Successfully patched 1 '{kind}' resource\n"
        assert calicoctl("label", called, name, "c=d") == f"Successfully set label c on {called} {name}\n"
        assert calicoctl("replace", "-f", "-", stdin=text) == f"Successfully replaced 1 '{kind}' resource(s)\n"
        again = json.loads(calicoctl("get", called, name, "-o", "json"))
        assert again["metadata"]["uid"] == found["metadata"]["uid"]
        assert "a" not in again["metadata"].get("labels", {}), "a replaced object has the labels that it was given"
        assert calicoctl("apply", "-f", "-", stdin=text) == f"Successfully applied 1 '{kind}' resource(s)\n"
        assert calicoctl("delete", called, name) == f"Successfully deleted 1 '{kind}' resource(s)\n"
        missing = calicoctl.refused("delete", called, name)
        assert missing.startswith(f"Failed to delete '{kind}' resource: resource does not exist: {kind}("), kind
        assert calicoctl("delete", called, name, "--skip-not-exists") == f"Successfully deleted 1 '{kind}' resource(s)\n"


def test_what_is_printed_can_be_applied(calicoctl):
    calicoctl("apply", "-f", "-", stdin=POLICY)
    for output in ("yaml", "json"):
        text = calicoctl("get", "policy", "-A", "-o", output)
        assert calicoctl("apply", "-f", "-", stdin=text) == "Successfully applied 1 'NetworkPolicy' resource(s)\n"


def test_yaml_and_json_are_in_calicos_order(calicoctl):
    calicoctl("apply", "-f", "-", stdin=POLICY)
    metadata = json.loads(calicoctl("get", "np", "web", "-o", "json"))["metadata"]
    assert list(metadata) == ["name", "namespace", "uid", "resourceVersion", "creationTimestamp", "labels"]
    assert calicoctl("get", "np", "web", "-o", "yaml") == textwrap.dedent(f"""\
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata:
          creationTimestamp: "{metadata['creationTimestamp']}"
          labels:
            projectcalico.org/tier: default
            "yes": "true"
          name: web
          namespace: default
          resourceVersion: "{metadata['resourceVersion']}"
          uid: {metadata['uid']}
        spec:
          ingress:
          - action: Allow
            destination:
              ports:
              - 80
              - 8000:9000
            protocol: TCP
            source: {{}}
          order: 5
          selector: app == 'web'
          types:
          - Ingress
        """)
    exported = calicoctl("get", "np", "web", "-o", "json", "--export")
    assert json.loads(exported)["metadata"] == {
        "name": "web", "creationTimestamp": None, "labels": {"projectcalico.org/tier": "default", "yes": "true"}}
    listed = json.loads(calicoctl("get", "np", "-o", "json"))
    assert list(listed) == ["kind", "apiVersion", "metadata", "items"] and listed["kind"] == "NetworkPolicyList"
    several = json.loads(calicoctl("get", "np", "web", "web", "-o", "json"))
    assert [one["metadata"]["name"] for one in several] == ["web", "web"]


def test_other_formats(calicoctl):
    calicoctl("apply", "-f", "-", stdin=POLICY)
    assert calicoctl("get", "np", "-o", "custom-columns=ORDER,NAME") == table(["ORDER   NAME   ", "5       web    "])
    assert calicoctl("get", "np", "-A", "-o", "name") == "networkpolicy/web\n"
    template = "{{range .}}{{range .Items}}{{.ObjectMeta.Name}}:{{.Spec.Order}}{{range .Spec.Ingress}} {{.Action}}{{end}}{{end}}{{end}}"
    assert calicoctl("get", "np", "-o", f"go-template={template}") == "web:5 Allow"
    (calicoctl.home / "template").write_text(template)
    assert calicoctl("get", "np", "-o", "go-template-file=template") == "web:5 Allow"
    assert calicoctl.refused("get", "np", "-o", "custom-columns=NAME,X") == \
        "Unknown heading X, valid values are: NAME, NAMESPACE, ORDER, SELECTOR\n"
    assert calicoctl.refused("get", "np", "-o", "csv") == "unrecognized output format 'csv'\n"
    assert calicoctl.refused("get", "np", "-o", "go-template=") == "need to specify a template\n"
    assert "unclosed action" in calicoctl.refused("get", "np", "-o", "go-template={{")


def test_namespaces(calicoctl):
    calicoctl("apply", "-f", "-", stdin=POLICY)
    assert calicoctl("get", "np", "-A") == table(["NAMESPACE   NAME   ", "default     web    "])
    assert calicoctl("get", "np", "-n", "kube-system") == table(["NAMESPACE   NAME   "])
    assert calicoctl.refused("get", "np", "web", "-A") == "cannot use --all-namespace flag for getting a single resource\n"
    assert calicoctl.refused("get", "pool", "-A") == "IPPool is not namespaced\n"
    assert calicoctl.refused("apply", "-f", "-", "-n", "kube-system", stdin=POLICY) == \
        "Failed to apply 'NetworkPolicy' resource: [resource namespace does not match client namespace. default != kube-system]\n"
    pool = json.dumps(POOL | {"metadata": {"name": "p", "namespace": "default"}})
    assert calicoctl.refused("apply", "-f", "-", stdin=pool) == \
        "Failed to apply 'IPPool' resource: [namespace should not be specified for a non-namespaced resource. " \
        "IPPool is not a namespaced resource]\n"
    assert 'namespaces "nowhere" not found' in calicoctl.refused(
        "create", "-f", "-", "-n", "nowhere", stdin=POLICY.replace("namespace: default, ", ""))


def test_what_is_missing_is_told_by_name(calicoctl):
    (calicoctl.home / "seed.json").write_text(json.dumps(POOL))
    calicoctl("create", "-f", "seed.json")
    missing = 'resource does not exist: IPPool(nope) with error: ippools.crd.projectcalico.org "nope" not found\n'
    assert calicoctl.refused("get", "pool", "nope") == missing
    assert calicoctl.refused("get", "pool", "nope", "pool-a",
                             output=table(["NAME     CIDR          SELECTOR   ", "pool-a   10.7.0.0/16   all()      "])) == missing
    assert calicoctl.refused("get", "np", "web", "-n", "default") == \
        'resource does not exist: NetworkPolicy(default/default.web) with error: ' \
        'networkpolicies.crd.projectcalico.org "default.web" not found\n'
    assert calicoctl.refused("get", "wep", "node--a-k8s-web-eth0") == \
        'resource does not exist: WorkloadEndpoint(default/node--a-k8s-web-eth0) with error: pods "web" not found\n'
    assert calicoctl.refused("get", "node", "nope") == 'resource does not exist: Node(nope) with error: nodes "nope" not found\n'
    assert calicoctl.refused("get", "foo") == "Failed to get resources: resource type 'foo' is not supported\n"
    assert calicoctl.refused("get", "pool", "") == "Failed to get resources: resource name may not be empty\n"
    assert calicoctl.refused("label", "pool", "nope", "a=b") == "pool nope not found\n"
    assert calicoctl.refused("replace", "-f", "-", stdin=json.dumps(POOL | {"metadata": {"name": "nope"}})) == \
        f"Failed to replace 'IPPool' resource: [{missing[:-1]}]\n"


def test_what_is_wrong_is_told_and_not_stored(calicoctl):
    wrong = json.dumps(POOL | {"spec": {"cidr": "10.0.0.0/33", "nodeSelector": "has("}})
    said = calicoctl.refused("create", "-f", "-", stdin=wrong)
    assert said.startswith("Failed to create 'IPPool' resource: [error with the following fields:\n-  spec.")
    assert "spec.cidr = '10.0.0.0/33'" in said and "spec.nodeSelector = 'has('" in said
    unknown = json.dumps(POOL | {"spec": {"cidr": "10.7.0.0/16", "foo": 1}})
    assert "spec.foo" in calicoctl.refused("create", "-f", "-", stdin=unknown)
    assert "not supported on Profile(kns.x)" in calicoctl.refused(
        "create", "-f", "-", stdin=json.dumps(manifest("Profile", "kns.x", None, {})))
    assert "kubernetes network policies must be managed through the kubernetes API" in calicoctl.refused(
        "create", "-f", "-", stdin=POLICY.replace("name: web", "name: knp.default.web"))
    information = json.dumps(manifest("ClusterInformation", "default", None, {"datastoreReady": True}))
    assert calicoctl.refused("apply", "-f", "-", stdin=information) == \
        "Failed to apply 'ClusterInformation' resource: [operation apply is not supported on ClusterInformation: resource is readonly]\n"
    assert calicoctl.refused("create", "-f", "-", stdin="kind: Foo\napiVersion: v1\n") == \
        "Failed to execute command: Unknown resource type (Foo) and/or version (v1)\n"
    calicoctl("create", "-f", "-", stdin=json.dumps(POOL))
    overlapping = json.dumps(manifest("IPPool", "pool-b", None, {"cidr": "10.7.1.0/24"}))
    assert "pool-a" in calicoctl.refused("create", "-f", "-", stdin=overlapping)
    assert "has no effect" not in calicoctl.refused("patch", "pool", "pool-a", "-p", '{"spec": {"cidr": "x"}}')
    assert calicoctl("get", "pool", "-o", "custom-columns=NAME") == table(["NAME     ", "pool-a   "])


def test_metadata_is_judged_as_it_was_written(calicoctl):
    """Not after what is not known of it has been left out, or filled in."""
    calicoctl("create", "-f", "-", stdin=json.dumps(POOL))
    policy = "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nspec: {}\nmetadata: "
    for metadata, wrong in (("{name: p, lables: {role: bad}}", "metadata.lables"), ("{name: p, namespace: 123}", "metadata.namespace"),
                            ("{name: p, resourceVersion: 1}", "metadata.resourceVersion"), ("{name: 12}", "metadata.name")):
        for command in ("create", "apply", "replace", "delete", "get"):
            assert wrong in calicoctl.refused(command, "-f", "-", stdin=policy + metadata), (command, metadata)
        assert wrong in calicoctl.run("validate", "-f", "-", stdin=policy + metadata).stdout
    assert calicoctl("get", "networkpolicy", "-A") == "NAMESPACE   NAME   \n\n"


def test_an_old_resource_version_is_refused(calicoctl):
    calicoctl("create", "-f", "-", stdin=json.dumps(POOL))
    old = calicoctl("get", "pool", "pool-a", "-o", "json")
    calicoctl("label", "pool", "pool-a", "a=b")
    assert calicoctl.refused("replace", "-f", "-", stdin=old) == \
        "Failed to replace 'IPPool' resource: [update conflict: IPPool(pool-a)]\n"
    assert calicoctl.refused("delete", "-f", "-", stdin=old) == \
        "Failed to delete 'IPPool' resource: update conflict: IPPool(pool-a)\n\n"
    assert json.loads(calicoctl("get", "pool", "pool-a", "-o", "json"))["metadata"]["labels"] == {"a": "b"}


def test_labels(calicoctl):
    calicoctl("create", "-f", "-", stdin=json.dumps(POOL))
    assert calicoctl("label", "pools", "pool-a", "a=b") == "Successfully set label a on pools pool-a\n"
    assert calicoctl("label", "pool", "pool-a", "a=b") == "Successfully updated label a on pool pool-a\n"
    assert calicoctl.refused("label", "pool", "pool-a", "a=c") == \
        "failed to update label of pool pool-a, key a is already present. please use '--overwrite' to set a new value.\n"
    assert calicoctl("label", "pool", "pool-a", "a=c", "--overwrite") == "Successfully updated label a on pool pool-a\n"
    assert calicoctl("label", "pool", "pool-a", "a", "--remove") == "Successfully removed label a from pool pool-a\n"
    assert calicoctl.refused("label", "pool", "pool-a", "a", "--remove") == \
        "can not remove label of pool pool-a, key a does not exist\n"
    assert calicoctl.refused("label", "pool", "pool-a", "a=b=c") == "invalid label a=b=c\n"


def test_files_and_folders(calicoctl):
    folder = calicoctl.home / "manifests"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.yaml").write_text(POLICY + "---\n" + json.dumps(POOL) + "\n")
    (folder / "b.JSON").write_text(json.dumps([manifest("GlobalNetworkSet", "set-g", None, {"nets": []})]))
    (folder / "notes.txt").write_text("nothing of ours")
    (folder / "inner" / "c.yml").write_text(json.dumps(
        {"apiVersion": "projectcalico.org/v3", "kind": "NetworkSetList", "items": [manifest("NetworkSet", "set-n", "default", {})]}))
    assert calicoctl("create", "-f", folder) == "Successfully created 3 resource(s)\n"
    assert calicoctl.refused("create", "-R", "-f", folder).startswith("Hit error: [resource already exists: NetworkPolicy(")
    assert calicoctl("apply", "-R", "-f", folder) == "Successfully applied 4 resource(s)\n"
    assert calicoctl("get", "-R", "-f", folder, "-o", "name") == \
        "networkpolicy/web\nippool/pool-a\nglobalnetworkset/set-g\nnetworkset/set-n\n"
    (folder / "empty.yaml").write_text("# nothing\n")
    assert calicoctl.refused("apply", "-f", folder) == f"No resources specified in file {folder}/empty.yaml\n"
    assert calicoctl("apply", "-f", folder, "--skip-empty") == "Successfully applied 3 resource(s)\n"
    assert calicoctl("apply", "-f", folder / "empty.yaml", "--skip-empty") == "No resources specified\n"
    (calicoctl.home / "none").mkdir()
    assert calicoctl.refused("apply", "-f", "none") == "No resources specified in directory none\n"
    assert calicoctl.refused("apply", "-f", "missing.yaml").startswith("Failed to execute command: ")
    assert calicoctl("delete", "-R", "-f", folder, "--skip-empty") == "Successfully deleted 4 resource(s)\n"


def test_some_of_many(calicoctl):
    bad = manifest("IPPool", "pool-b", None, {"cidr": "nonsense"})
    good = [manifest("GlobalNetworkSet", name, None, {}) for name in ("a", "b")]
    said = calicoctl.refused("create", "-f", "-", stdin=json.dumps([*good, bad]),
                             output="Partial success: created the first 2 out of 3 resources:\n")
    assert said.startswith("Hit error: [error with field spec.cidr = 'nonsense' (")
    said = calicoctl.refused("apply", "-f", "-", stdin=json.dumps([*good, bad]),
                             output="Partial success: applied the first 2 out of 3 resources:\n")
    assert said.startswith("Hit error(s): [error with field spec.cidr")
    assert calicoctl.refused("create", "-f", "-", stdin=json.dumps([bad, bad])).startswith(
        "Failed to create any 'IPPool' resources: [error with field")


@pytest.mark.parametrize("arguments", [("get",), ("get", "pool", "--bogus"), ("get", "pool", "-f", "x"), ("create",),
                                       ("patch", "pool"), ("label", "pool", "a"), ()])
def test_what_is_no_command_is_refused(tmp_path, arguments):
    said = Calicoctl(tmp_path).refused(*arguments)
    assert said == f"Invalid option: 'calicoctl{''.join(' ' + word for word in arguments)}'. " \
                   "Use flag '--help' to read about a specific subcommand.\n"


def test_an_unknown_command_is_named(tmp_path):
    said = Calicoctl(tmp_path).refused("frobnicate")
    assert said.startswith('Unknown command: "frobnicate"\n') and "Subcommands:" in said
