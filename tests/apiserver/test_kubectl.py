"""Sessions with a real kubectl: Debian's 1.20 and a current one."""

import json
import re
import textwrap

import pytest

POLICY = """
    apiVersion: projectcalico.org/v3
    kind: NetworkPolicy
    metadata:
      name: allow-web
    spec:
      order: 10
      selector: app == 'web'
      types: [Ingress]
      ingress:
      - action: Allow
        protocol: TCP
        source:
          selector: app == 'client'
        destination:
          ports: [80, "8080:8090"]
"""
POD = """
    apiVersion: v1
    kind: Pod
    metadata:
      name: web
      labels: {app: web}
    spec:
      nodeName: node1
      containers:
      - name: main
        image: none
        ports: [{name: http, containerPort: 80}]
"""
POLICIES = "networkpolicies.projectcalico.org"


def text(document: str) -> str:
    return textwrap.dedent(document)


def test_apply_is_idempotent_and_get_shows_columns(kubectl, namespace):
    assert kubectl("apply", "-n", namespace, "-f", "-", stdin=text(POLICY)).endswith("created\n")
    assert kubectl("apply", "-n", namespace, "-f", "-", stdin=text(POLICY)).endswith("unchanged\n")
    changed = text(POLICY).replace("order: 10", "order: 20")
    assert kubectl("apply", "-n", namespace, "-f", "-", stdin=changed).endswith("configured\n")
    header, row = kubectl("get", "-n", namespace, "cnp", "-o", "wide").splitlines()
    assert header.split() == ["NAME", "TIER", "ORDER", "SELECTOR", "AGE"]
    assert row.split()[:3] == ["allow-web", "default", "20"]


def test_tiers(kubectl, namespace):
    header, *rows = kubectl("get", "tiers").splitlines()
    assert header.split() == ["NAME", "ORDER", "DEFAULTACTION", "AGE"]
    assert [row.split()[:3] for row in rows] == [["default", "1000000", "Deny"], ["kube-admin", "1000", "Pass"],
                                                 ["kube-baseline", "10000000", "Pass"]]
    assert "may not be deleted" in kubectl.refused("delete", "tier", "default")
    policy = text(POLICY).replace("allow-web", "ops.web").replace("order: 10", "order: 10\n  tier: ops")
    assert 'tiers.projectcalico.org "ops" not found' in kubectl.refused("apply", "-n", namespace, "-f", "-", stdin=policy)
    tier = "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: ops}\nspec: {order: 10}\n"
    kubectl("apply", "-f", "-", stdin=tier)
    kubectl("apply", "-n", namespace, "-f", "-", stdin=policy)
    assert kubectl("apply", "-n", namespace, "-f", "-", stdin=policy).endswith("unchanged\n")
    of_tier = kubectl("get", "-n", namespace, "cnp", "-l", "projectcalico.org/tier=ops", "-o", "name")
    assert of_tier.split() == ["networkpolicy.projectcalico.org/ops.web"]
    assert "ops.web is in it" in kubectl.refused("delete", "tier", "ops")
    kubectl("delete", "-n", namespace, "cnp", "ops.web")
    kubectl("delete", "tier", "ops")


def test_staged_policies(kubectl, namespace):
    for plural in ("stagednetworkpolicies", "stagedkubernetesnetworkpolicies", "stagedglobalnetworkpolicies"):
        assert kubectl("get", "-n", namespace, plural, "-o", "name") == ""
    staged = text(POLICY).replace("kind: NetworkPolicy", "kind: StagedNetworkPolicy")
    kubectl("apply", "-n", namespace, "-f", "-", stdin=staged)
    _, row = kubectl("get", "-n", namespace, "snp").splitlines()
    assert row.split()[:3] == ["allow-web", "default", "10"]
    assert "Set" in row


def test_kubernetes_and_calico_kinds_share_a_file(kubectl, namespace):
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"
    policy = ("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny}\n"
              "spec: {podSelector: {}, policyTypes: [Ingress]}\n")
    files = "---\n".join([text(POLICY), text(POD), service, policy])
    kubectl("apply", "-n", namespace, "-f", "-", stdin=files)
    names = kubectl("get", "-n", namespace, f"{POLICIES},networkpolicies.networking.k8s.io,pods,services", "-o", "name").split()
    assert names == ["networkpolicy.projectcalico.org/allow-web", "networkpolicy.networking.k8s.io/deny", "pod/web", "service/web"]
    assert kubectl("diff", "-n", namespace, "-f", "-", stdin=files) == ""
    kubectl("delete", "-n", namespace, "--now", "--wait=false", "-f", "-", stdin=files)


def test_describe_shows_spec_and_labels(kubectl, namespace):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(POLICY) + "---\n" + text(POD))
    assert "app == 'client'" in kubectl("describe", "-n", namespace, POLICIES, "allow-web")
    described = kubectl("describe", "-n", namespace, "pod", "web")
    assert re.search(r"Labels:\s+app=web", described)
    assert re.search(r"Service Account:\s+default", described) or "1.20" in str(kubectl.program)


def test_edit_replaces_what_the_editor_changed(kubectl, namespace):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(POLICY))
    kubectl("edit", "-n", namespace, POLICIES, "allow-web", environment={"EDITOR": "sed -i s/10$/30/"})
    assert kubectl("get", "-n", namespace, POLICIES, "allow-web", "-o", "jsonpath={.spec.order}") == "30"


@pytest.mark.parametrize("kind, patch, path, expected", [
    ("json", [{"op": "add", "path": "/metadata/labels/x", "value": "1"}], "{.metadata.labels.x}", "1"),
    ("merge", {"metadata": {"labels": {"app": None, "y": "2"}}}, "{.metadata.labels}", '{"y":"2"}'),
    ("strategic", {"spec": {"containers": [{"name": "main", "image": "new"}]}}, "{.spec.containers[*].image}", "new"),
])
def test_patch_types(kubectl, namespace, kind, patch, path, expected):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(POD))
    kubectl("patch", "-n", namespace, "pod", "web", "--type", kind, "-p", json.dumps(patch))
    assert kubectl("get", "-n", namespace, "pod", "web", "-o", f"jsonpath={path}").replace("map[y:2]", '{"y":"2"}') == expected


def test_label_annotate_and_selectors(kubectl, namespace):
    for name in ("a", "b"):
        kubectl("create", "-n", namespace, "configmap", name, "--from-literal=k=v")
    kubectl("label", "-n", namespace, "configmap", "a", "tier=front")
    kubectl("annotate", "-n", namespace, "configmap", "a", "note=x")
    get = lambda *arguments: kubectl("get", "-n", namespace, "configmaps", "-o", "name", *arguments).split()
    assert get("-l", "tier in (front,back)") == ["configmap/a"]
    assert get("-l", "!tier") == ["configmap/b"]
    assert get("--field-selector", "metadata.name=b") == ["configmap/b"]
    assert get("--chunk-size=1") == ["configmap/a", "configmap/b"]
    kubectl("label", "-n", namespace, "configmap", "a", "tier-")
    assert get("-l", "tier") == []


def test_create_subcommands(kubectl, namespace):
    kubectl("create", "-n", namespace, "secret", "generic", "s", "--from-literal=k=v")
    assert kubectl("get", "-n", namespace, "secret", "s", "-o", "jsonpath={.data.k}") == "dg=="
    kubectl("create", "-n", namespace, "serviceaccount", "robot")
    kubectl("create", "-n", namespace, "service", "clusterip", "svc", "--tcp=80:http")
    port = kubectl("get", "-n", namespace, "service", "svc", "-o", "jsonpath={.spec.ports[0].port}:{.spec.ports[0].targetPort}")
    assert port == "80:http"


def test_explain_documents_fields(kubectl):
    assert "Rules for traffic to the endpoints" in kubectl("explain", "cnp.spec.ingress")
    assert "containerPort" in kubectl("explain", "pods.spec.containers.ports")


def test_watch_prints_each_change(kubectl, namespace):
    watch = kubectl.start("get", "-n", namespace, "configmaps", "-w", "-o", "name")
    try:
        for name in ("a", "b"):
            kubectl("create", "-n", namespace, "configmap", name)
            assert watch.stdout.readline() == f"configmap/{name}\n"
        kubectl("label", "-n", namespace, "configmap", "a", "x=y")
        assert watch.stdout.readline() == "configmap/a\n"
    finally:
        watch.kill()
        watch.communicate()


def test_delete_waits_until_the_object_has_gone(kubectl, namespace):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(POD))
    deletion = kubectl.start("delete", "-n", namespace, "pod", "web")
    assert "deleted" in deletion.stdout.readline()
    assert kubectl("get", "-n", namespace, "pod", "web", "-o", "jsonpath={.metadata.deletionGracePeriodSeconds}") == "30"
    assert deletion.poll() is None
    kubectl("delete", "-n", namespace, "pod", "web", "--grace-period=0", "--force", "--wait=false")
    assert deletion.communicate(timeout=60) and deletion.returncode == 0


def test_deleting_a_namespace_takes_its_content(kubectl, namespace):
    other = namespace + "-x"
    kubectl("create", "namespace", other)
    kubectl("create", "-n", other, "configmap", "a")
    kubectl("delete", "namespace", other)
    assert "NotFound" in kubectl.refused("get", "-n", other, "configmap", "a")


def test_dry_run_on_the_server_changes_nothing(kubectl, namespace):
    assert "server dry run" in kubectl("apply", "-n", namespace, "--dry-run=server", "-f", "-", stdin=text(POLICY))
    assert "NotFound" in kubectl.refused("get", "-n", namespace, POLICIES, "allow-web")


def test_dry_run_in_the_client_of_a_changed_object_changes_nothing(kubectl, namespace):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(POLICY))
    changed = text(POLICY).replace("80,", "81,")
    assert "(dry run)" in kubectl("apply", "-n", namespace, "--dry-run=client", "-f", "-", stdin=changed)
    assert "81" not in kubectl("get", "-n", namespace, POLICIES, "allow-web", "-o", "jsonpath={.spec}")


def test_invalid_policy_is_refused_with_every_error(kubectl, namespace):
    broken = text(POLICY).replace("'web'", "'web").replace("action: Allow", "action: Maybe").replace("80,", "99999,")
    said = kubectl.refused("apply", "-n", namespace, "--validate=false", "-f", "-", stdin=broken)
    for field in ("spec.selector", "spec.ingress[0].action", "spec.ingress[0].destination.ports[0]"):
        assert field in said
    assert "is invalid" in said


def test_misspelt_field_is_refused_by_validation(kubectl, namespace):
    said = kubectl.refused("apply", "-n", namespace, "-f", "-", stdin=text(POLICY).replace("order:", "oder:"))
    assert "unknown field" in said and "oder" in said


def test_namespace_that_does_not_exist(kubectl):
    said = kubectl.refused("apply", "-n", "nowhere", "-f", "-", stdin=text(POLICY))
    assert 'namespaces "nowhere" not found' in said


def test_unknown_kind_and_wrong_version(kubectl):
    for line in ("apiVersion: projectcalico.org/v3\nkind: Nonsense", "apiVersion: projectcalico.org/v1\nkind: NetworkPolicy"):
        assert "no matches for kind" in kubectl.refused("apply", "-f", "-", stdin=line + "\nmetadata: {name: a}\n")


def test_stale_replace_is_a_conflict(kubectl, namespace):
    kubectl("create", "-n", namespace, "configmap", "a", "--from-literal=k=1")
    stale = kubectl("get", "-n", namespace, "configmap", "a", "-o", "yaml")
    kubectl("label", "-n", namespace, "configmap", "a", "x=y")
    said = kubectl.refused("replace", "-f", "-", stdin=stale.replace('"1"', '"2"'))
    assert "the object has been modified" in said


def test_oversized_object_is_refused(kubectl, namespace):
    big = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"k": "x" * (4 << 20)}})
    assert "larger than the limit" in kubectl.refused("create", "-n", namespace, "--validate=false", "-f", "-", stdin=big)


def test_bad_token_is_unauthorized(kubectl, server):
    url = ("--server", server.url, "--certificate-authority", str(server.folder / "pki/ca.crt"))
    nobody = {"KUBECONFIG": "/dev/null"}
    said = kubectl.refused(*url, "--token", "wrong", "get", "namespaces", environment=nobody)
    assert "nauthorized" in said or "must be logged in" in said
    token = (server.folder / "tokens.csv").read_text().split(",")[0]
    assert "default" in kubectl(*url, "--token", token, "get", "namespaces", environment=nobody)


def test_sessions_that_need_a_kubelet_say_so(kubectl, namespace):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(POD))
    assert "kubelet" in kubectl.refused("logs", "-n", namespace, "web")


def test_version_and_discovery(kubectl):
    assert "margay" in kubectl("version")
    resources = kubectl("api-resources")
    assert re.search(r"globalnetworkpolicies\s+gnp\S*\s+projectcalico.org/v3\s+false\s+GlobalNetworkPolicy", resources)


# ---- who am I, and what may I -----------------------------------------------------------------------

def test_auth_can_i(kubectl, namespace):
    assert kubectl("auth", "can-i", "create", "pods", "-n", namespace).strip() == "yes"
    assert kubectl("auth", "can-i", "get", "/metrics").strip() == "yes"
    assert kubectl("auth", "can-i", "patch", "globalnetworkpolicies.projectcalico.org").strip() == "yes"
    assert re.search(r"^\*\.\*\s+\[\]\s+\[\]\s+\[\*\]", kubectl("auth", "can-i", "--list", "-n", namespace), re.MULTILINE)


def test_auth_whoami(kubectl):
    if "1.20" in str(kubectl.program):
        pytest.skip("this release has no such command")
    said = kubectl("auth", "whoami", "-o", "json")
    info = json.loads(said)["status"]["userInfo"]
    assert info["username"] == "kubernetes-admin"
    assert {"system:masters", "system:authenticated"} <= set(info["groups"])


def test_dry_run_on_the_client_of_a_changed_policy(kubectl, namespace):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(POLICY))
    changed = text(POLICY).replace("order: ", "order: 1")
    assert "configured (dry run)" in kubectl("apply", "-n", namespace, "--dry-run=client", "-f", "-", stdin=changed)
