"""validate, ipam, diff, node and completion: what they print, and how they end."""

import json
import subprocess

import pytest

from conftest import Calicoctl

POOL = {"apiVersion": "projectcalico.org/v3", "kind": "IPPool", "metadata": {"name": "pool-a"},
        "spec": {"cidr": "10.7.0.0/16", "blockSize": 26}}


@pytest.fixture
def plain(tmp_path):
    """Without a datastore."""
    return Calicoctl(tmp_path, DATASTORE_TYPE="etcdv3")


def test_validate_says_what_is_wrong_with_each_object(plain):
    (plain.home / "a.yaml").write_text("""
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: good}
spec: {cidr: 10.0.0.0/16}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: bad}
spec: {selector: "has(", foo: 1}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: kube, namespace: shop}
spec: {podSelector: {}}
---
apiVersion: v9
kind: Thing
metadata: {name: x}
""")
    done = plain.run("validate", "-f", "a.yaml", "-o", "json")
    assert done.returncode == 1
    verdicts = json.loads(done.stdout)
    assert [(one["file"], one["object"], one["valid"]) for one in verdicts] == [
        ("a.yaml", "IPPool/good", True), ("a.yaml", "NetworkPolicy/default/bad", False),
        ("a.yaml", "NetworkPolicy/shop/kube", True), ("a.yaml", "Thing/x", False)]
    assert all(set(one) == {"file", "object", "valid", "errors"} for one in verdicts)
    wrong = {error["path"]: error for error in verdicts[1]["errors"]}
    assert wrong["spec.selector"]["value"] == "has(" and wrong["spec.selector"]["message"]
    assert "spec.foo" in wrong
    assert verdicts[0]["errors"] == []
    assert "Unknown resource type (Thing)" in verdicts[3]["errors"][0]["message"]


def test_validate_ends_well_only_where_all_is_right(plain):
    assert plain("validate", "-f", "-", stdin=json.dumps(POOL)) == "-: IPPool/pool-a: valid\n"
    assert json.loads(plain("validate", "-f", "-", "-o", "json", stdin=json.dumps(POOL))) == [
        {"file": "-", "object": "IPPool/pool-a", "valid": True, "errors": []}]
    assert plain.refused("validate", "-f", "-", "-o", "json", output="[]\n") == "No resources specified in -\n"
    done = plain.run("validate", "-f", "-", "-o", "json", stdin="a: [")
    assert done.returncode == 1 and json.loads(done.stdout)[0]["object"] == ""
    done = plain.run("validate", "-f", "missing", "-o", "json")
    assert done.returncode == 1 and json.loads(done.stdout)[0]["valid"] is False


def test_diff_shows_what_apply_would_change(calicoctl):
    (calicoctl.home / "pool.json").write_text(json.dumps(POOL))
    calicoctl("create", "-f", "-", stdin=json.dumps(POOL | {"kind": "GlobalNetworkSet", "spec": {}}))
    assert calicoctl.refused("diff", "-f", "pool.json", output="IPPool(pool-a): would be created\n") == ""
    calicoctl("apply", "-f", "pool.json")
    assert calicoctl("diff", "-f", "pool.json") == ""
    changed = POOL | {"spec": POOL["spec"] | {"natOutgoing": True, "nodeSelector": "zone == 'x'"}}
    assert calicoctl.refused("diff", "-f", "-", stdin=json.dumps(changed), output=(
        'IPPool(pool-a): would be changed\n'
        '  spec.natOutgoing: (none) -> true\n'
        '  spec.nodeSelector: "all()" -> "zone == \'x\'"\n')) == ""


BLOCK = {"apiVersion": "crd.projectcalico.org/v1", "kind": "IPAMBlock", "metadata": {"name": "10-7-0-0-30"},
         "spec": {"cidr": "10.7.0.0/30", "affinity": "host:node-a", "strictAffinity": False, "deleted": False,
                  "allocations": [None, 0, 1, None], "unallocated": [0, 3],
                  "attributes": [
                      {"handle_id": "k8s.1", "secondary": {"node": "node-a", "pod": "web", "namespace": "shop"}},
                      {"handle_id": "k8s.2", "secondary": {"node": "node-b", "pod": "db", "namespace": "shop"}}]}}
HANDLES = [{"apiVersion": "crd.projectcalico.org/v1", "kind": "IPAMHandle", "metadata": {"name": name},
            "spec": {"handleID": name, "block": {"10.7.0.0/30": 1}, "deleted": False}} for name in ("k8s.1", "k8s.2")]
AFFINITY = {"apiVersion": "crd.projectcalico.org/v1", "kind": "BlockAffinity", "metadata": {"name": "node-a-10-7-0-0-30"},
            "spec": {"state": "confirmed", "node": "node-a", "cidr": "10.7.0.0/30", "deleted": "false"}}


def create(programs, server, item):
    subprocess.run([programs / "kubectl-current", "--kubeconfig", server.kubeconfig, "create", "-f", "-"],
                   input=json.dumps(item), text=True, check=True, capture_output=True)


@pytest.fixture
def addresses(server, tmp_path, kubectl_programs):
    """A pool with a block of four, two of which are assigned: one to a pod's endpoint, one to nobody that is left."""
    for item in [BLOCK, *HANDLES, AFFINITY]:
        create(kubectl_programs, server, item)
    home = tmp_path / "home"
    home.mkdir()
    calicoctl = Calicoctl(home, KUBECONFIG=str(server.kubeconfig))
    calicoctl("create", "-f", "-", stdin=json.dumps(POOL))
    calicoctl("create", "-f", "-", stdin=json.dumps({
        "apiVersion": "projectcalico.org/v3", "kind": "WorkloadEndpoint",
        "metadata": {"name": "node--a-k8s-web-eth0", "namespace": "default"},
        "spec": {"orchestrator": "k8s", "node": "node-a", "pod": "web", "endpoint": "eth0", "ipNetworks": ["10.7.0.1/32"],
                 "interfaceName": "cali1"}}))
    return calicoctl


def test_ipam_show(addresses):
    assert addresses("ipam", "show") == """\
+----------+-------------+-----------+------------+--------------+
| GROUPING |    CIDR     | IPS TOTAL | IPS IN USE |   IPS FREE   |
+----------+-------------+-----------+------------+--------------+
| IP Pool  | 10.7.0.0/16 |     65536 | 2 (0%)     | 65534 (100%) |
+----------+-------------+-----------+------------+--------------+
"""
    assert addresses("ipam", "show", "--show-blocks") == """\
+----------+-------------+-----------+------------+--------------+
| GROUPING |    CIDR     | IPS TOTAL | IPS IN USE |   IPS FREE   |
+----------+-------------+-----------+------------+--------------+
| IP Pool  | 10.7.0.0/16 |     65536 | 2 (0%)     | 65534 (100%) |
| Block    | 10.7.0.0/30 |         4 | 2 (50%)    | 2 (50%)      |
+----------+-------------+-----------+------------+--------------+
"""
    assert addresses("ipam", "show", "--show-borrowed") == """\
+----------+----------------+-------------+-------------+------+--------------+
|    IP    | BORROWING-NODE |    BLOCK    | BLOCK OWNER | TYPE | ALLOCATED-TO |
+----------+----------------+-------------+-------------+------+--------------+
| 10.7.0.2 | node-b         | 10.7.0.0/30 | node-a      | pod  | shop/db      |
+----------+----------------+-------------+-------------+------+--------------+
"""
    assert addresses("ipam", "show", "--ip=10.7.0.1") == \
        "IP 10.7.0.1 is in use\nAttributes:\n  namespace: shop\n  node: node-a\n  pod: web\n"
    assert addresses("ipam", "show", "--ip=10.7.0.9") == "10.7.0.9 is not assigned\n"
    assert addresses.refused("ipam", "show", "--ip=x") == "Error executing command: invalid IP address specified: x\n"


def test_ipam_configuration(calicoctl):
    calicoctl("create", "-f", "-", stdin=json.dumps(POOL))
    assert calicoctl("ipam", "configure", "--strictaffinity=true") == "Successfully set StrictAffinity to: true\n"
    assert calicoctl("ipam", "show", "--show-configuration") == """\
+--------------------+-------+
|      PROPERTY      | VALUE |
+--------------------+-------+
| StrictAffinity     | true  |
| AutoAllocateBlocks | true  |
| MaxBlocksPerHost   |     0 |
+--------------------+-------+
"""
    assert calicoctl.refused("ipam", "configure", "--strictaffinity=maybe") == \
        "Invalid value. Use true or false to set strictaffinity\n"


def test_ipam_check_and_release(addresses, server, kubectl_programs):
    assert "ClusterInformation(default)" in addresses.run("ipam", "check").stderr
    information = {"apiVersion": "projectcalico.org/v3", "kind": "ClusterInformation", "metadata": {"name": "default"},
                   "spec": {"clusterGUID": "g", "clusterType": "k8s", "calicoVersion": "v3.19.0", "datastoreReady": False}}
    create(kubectl_programs, server, information)
    assert addresses("version").splitlines()[2:] == ["Cluster Version:   v3.19.0", "Cluster Type:      k8s"]
    assert addresses("ipam", "check", "--show-problem-ips", "-o", "report.json") == """\
Checking IPAM for inconsistencies...

Loading all IPAM blocks...
Found 1 IPAM blocks.
 IPAM block 10.7.0.0/30 affinity=host:node-a:
IPAM blocks record 2 allocations.

Loading all IPAM pools...
  10.7.0.0/16
Found 1 active IP pools.

Loading all nodes.
Found 0 node tunnel IPs.

Loading all workload endpoints.
Found 1 workload IPs.
Workloads and nodes are using 1 IPs.

Looking for top (up to 20) nodes by allocations...
  node-a has 1 allocations
  node-b has 1 allocations
Node with most allocations has 1; median is 1

Scanning for IPs that are allocated but not actually in use...
  10.7.0.2 leaked; attrs Main:k8s.2 Extra:namespace=shop,node=node-b,pod=db
Found 1 IPs that are allocated in IPAM but not actually in use.
Scanning for IPs that are in use by a workload or node but not allocated in IPAM...
Found 0 in-use IPs that are not in active IP pools.
Found 0 in-use IPs that are in active IP pools but have no corresponding IPAM allocation.

Check complete; found 1 problems.
"""
    report = json.loads((addresses.home / "report.json").read_text())
    assert report["allocations"]["10.7.0.2"] == [
        {"ip": "10.7.0.2", "handle": "k8s.2", "pod": "db", "namespace": "shop", "node": "node-b", "inUse": False, "borrowed": True,
         "owners": None}]
    assert report["allocations"]["10.7.0.1"][0]["owners"] == ["Workload(default/node--a-k8s-web-eth0)"]
    (addresses.home / "other.json").write_text(json.dumps(report | {"clusterGUID": "x"}))
    assert "mismatched cluster GUID" in addresses.refused("ipam", "release", "--from-report=other.json")
    # Whose handle is another's by now, and who is there, keeps what it has, whatever the report says.
    other = json.loads(json.dumps(report))
    other["allocations"]["10.7.0.2"][0]["handle"] = "k8s.other"
    other["allocations"]["10.7.0.1"][0]["inUse"] = False
    (addresses.home / "other.json").write_text(json.dumps(other))
    assert "Releasing 2 old IPs\nReleased 0 IPs. Warning: " in addresses("ipam", "release", "--from-report=other.json")
    assert addresses("ipam", "release", "--from-report=report.json") == \
        "Releasing 1 old IPs\nReleased 1 IPs successfully\nYou may now unlock the data store.\n"
    assert addresses("ipam", "release", "--ip", "10.7.0.1") == "Successfully released IP address 10.7.0.1\n"
    assert addresses.refused("ipam", "release", "--ip", "10.7.0.1") == "IP address 10.7.0.1 is not assigned\n"


def test_a_report_releases_nothing_of_others(addresses, server, kubectl_programs):
    """Whose it is nobody can say: an address of another orchestrator's workload is released by itself or not at all."""
    create(kubectl_programs, server, {
        "apiVersion": "projectcalico.org/v3", "kind": "ClusterInformation", "metadata": {"name": "default"},
        "spec": {"clusterGUID": "g", "datastoreReady": False}})
    spec = BLOCK["spec"] | {"cidr": "10.7.0.4/30", "allocations": [0, None, None, None], "unallocated": [1, 2, 3],
                            "attributes": [{"handle_id": "vm.1", "secondary": {}}]}
    create(kubectl_programs, server, BLOCK | {"metadata": {"name": "10-7-0-4-30"}, "spec": spec})
    create(kubectl_programs, server, HANDLES[0] | {
        "metadata": {"name": "vm.1"}, "spec": {"handleID": "vm.1", "block": {"10.7.0.4/30": 1}, "deleted": False}})
    addresses("ipam", "check", "-o", "report.json")
    assert json.loads((addresses.home / "report.json").read_text())["allocations"]["10.7.0.4"][0]["inUse"] is False
    assert "Released 1 IPs. Warning: " in addresses("ipam", "release", "--from-report=report.json")  # shop/db
    assert "10.7.0.4 is in use" in addresses("ipam", "show", "--ip=10.7.0.4")


def among_processes(calicoctl, script):
    """Runs a script where it sees no process but its own."""
    return subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "bash", "-c", script], cwd=calicoctl.home,
                          env=calicoctl.environment, capture_output=True, text=True, check=False)


def test_node_status_where_no_agent_runs(plain):
    done = among_processes(plain, "./calicoctl node status")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Calico process is not running.\n")


def test_node_status_where_an_agent_runs(plain):
    done = among_processes(plain, """
        (exec -a calico-felix sleep 60) &
        until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done
        ./calicoctl node status""")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == \
        "Calico process is running.\n\nNone of the BGP backend processes (BIRD or GoBGP) are running.\n\n"


def test_completion(plain):
    for shell in ("bash", "zsh", "fish"):
        assert "calicoctl __complete" in plain("completion", shell)
    assert plain("__complete", "ge") == "get\n"
    assert plain("__complete", "get", "ippo") == "ippool\n"
    assert plain("__complete", "ipam", "show", "--show-b") == "--show-blocks\n--show-borrowed\n"
    done = subprocess.run(["bash", "-c", 'source <(./calicoctl completion bash); calicoctl() { ./calicoctl "$@"; }; '
                                         'COMP_WORDS=(calicoctl get bgpp); COMP_CWORD=2; _calicoctl; echo "${COMPREPLY[@]}"'],
                          cwd=plain.home, env=plain.environment, capture_output=True, text=True, check=True)
    assert done.stdout == "bgppeer\n"


def test_help_names_every_command(plain):
    told = plain("--help")
    for command in ("create", "replace", "apply", "patch", "delete", "get", "label", "ipam", "node", "version", "validate", "diff"):
        assert f"\n  {command} " in told
    assert "--skip-exists" in plain("create", "--help")


def test_documents_are_printed(tmp_path):
    program = Calicoctl(tmp_path).program.resolve()
    def told(*arguments):
        return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout
    definitions = told("crds").split("---\n")
    assert all(one.startswith("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n") for one in definitions)
    assert sum("\n  name: ippools.crd.projectcalico.org\n" in one for one in definitions) == 1
    assert json.loads(told("openapi"))["swagger"] == "2.0"
    assert json.loads(told("openapi", "--v3", "apis/projectcalico.org/v3"))["openapi"].startswith("3.")
