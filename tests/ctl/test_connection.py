"""How calicoctl gets to its datastore: by file and environment, and beside a server on one data directory."""

import concurrent.futures
import fcntl
import json
import os
import resource
import struct
import subprocess

from conftest import DEADLINE, Calicoctl, Server

POOL = json.dumps({"apiVersion": "projectcalico.org/v3", "kind": "IPPool", "metadata": {"name": "pool-a"},
                   "spec": {"cidr": "10.7.0.0/16"}})
NAMES = ("get", "pool", "-o", "name")


def embedded(tmp_path, **environment):
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return Calicoctl(home, DATASTORE_TYPE="embedded", MARGAY_DATA_DIR=str(tmp_path / "data"), **environment)


def network_set(name):
    return json.dumps({"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkSet", "metadata": {"name": name}, "spec": {}})


def test_what_is_written_without_a_server_is_there_for_it_and_the_reverse(tmp_path):
    (tmp_path / "data").mkdir()
    calicoctl = embedded(tmp_path)
    calicoctl("create", "-f", "-", stdin=POOL)
    server = Server(tmp_path / "data").start()
    over_https = Calicoctl(calicoctl.home, KUBECONFIG=str(server.kubeconfig))
    assert calicoctl(*NAMES) == over_https(*NAMES) == "ippool/pool-a\n"
    calicoctl("delete", "pool", "pool-a")
    assert over_https(*NAMES) == ""
    over_https("create", "-f", "-", stdin=network_set("a"))
    assert server.stop() == 0
    assert calicoctl("get", "gnetsets", "-o", "name") == "globalnetworkset/a\n"


def test_a_read_makes_no_store(tmp_path):
    calicoctl = embedded(tmp_path)
    assert calicoctl.refused(*NAMES) == \
        f"Failed to get resources: Failed to create Calico API client: there is no directory {tmp_path}/data\n"
    (tmp_path / "data").mkdir()
    assert calicoctl.refused(*NAMES) == \
        f"Failed to get resources: Failed to create Calico API client: there is no store in {tmp_path}/data\n"
    assert list((tmp_path / "data").iterdir()) == []


def test_a_server_that_starts_waits_for_a_command_that_has_the_store(tmp_path):
    (tmp_path / "data").mkdir()
    calicoctl = embedded(tmp_path)
    calicoctl("create", "-f", "-", stdin=POOL)
    lock = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    with open(tmp_path / "data/store.db.lock", "rb+") as held, concurrent.futures.ThreadPoolExecutor() as pool:
        fcntl.fcntl(held, fcntl.F_OFD_SETLK, lock)  # as a command has it
        server = Server(tmp_path / "data")
        starting = pool.submit(server.start)
        asking = pool.submit(calicoctl, *NAMES)
        concurrent.futures.wait([starting], timeout=1)
        assert not starting.done()
        held.close()
        assert starting.result(DEADLINE) is server
        assert asking.result(DEADLINE) == "ippool/pool-a\n"
    assert server.stop() == 0


def test_many_commands_at_once_lose_nothing_while_a_server_starts(tmp_path):
    (tmp_path / "data").mkdir()
    calicoctl = embedded(tmp_path)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        names = [f"set-{i}" for i in range(12)]
        made = [pool.submit(calicoctl, "create", "-f", "-", stdin=network_set(name)) for name in names]
        server = Server(tmp_path / "data").start()
        for one in made:
            assert one.result(DEADLINE) == "Successfully created 1 'GlobalNetworkSet' resource(s)\n"
    assert server.stop() == 0
    assert calicoctl("get", "gnetsets", "-o", "name").split() == sorted(f"globalnetworkset/{name}" for name in names)


def test_a_configuration_file_is_used_instead_of_the_environment(tmp_path):
    (tmp_path / "data").mkdir()
    calicoctl = embedded(tmp_path)
    calicoctl("create", "-f", "-", stdin=POOL)
    (calicoctl.home / "calicoctl.cfg").write_text(f"""
apiVersion: projectcalico.org/v3
kind: CalicoAPIConfig
metadata: {{}}
spec: {{datastoreType: embedded, dataDir: {tmp_path}/data}}
""")
    elsewhere = Calicoctl(calicoctl.home, DATASTORE_TYPE="etcdv3", ETCD_ENDPOINTS="http://127.0.0.1:1")
    assert elsewhere(*NAMES, "--config", "calicoctl.cfg", "--allow-version-mismatch") == "ippool/pool-a\n"
    assert elsewhere.refused(*NAMES) == "Failed to get resources: Failed to create Calico API client: " \
                                        "datastore type etcdv3 is not there yet: use kubernetes or embedded\n"
    assert "Error reading config file: none.cfg" in calicoctl.refused(*NAMES, "--config", "none.cfg")


def test_an_unreachable_server_is_an_error(tmp_path):
    (tmp_path / "kubeconfig").write_text(json.dumps({
        "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "s", "user": "u"}}],
        "clusters": [{"name": "s", "cluster": {"server": "https://127.0.0.1:1"}}], "users": [{"name": "u", "user": {"token": "t"}}]}))
    said = Calicoctl(tmp_path, KUBECONFIG=str(tmp_path / "kubeconfig")).refused(*NAMES)
    assert "127.0.0.1:1" in said
    said = Calicoctl(tmp_path, KUBECONFIG=str(tmp_path / "kubeconfig")).refused("--context", "other", *NAMES)
    assert "other" in said


def test_version(tmp_path):
    (tmp_path / "data").mkdir()
    calicoctl = embedded(tmp_path)
    calicoctl("create", "-f", "-", stdin=POOL)
    done = calicoctl.run("version")
    assert done.returncode == 1
    assert done.stdout.startswith("Client Version:    v")
    assert done.stderr == 'Unable to retrieve Cluster Version or Type: resource does not exist: ClusterInformation(default) ' \
                          'with error: clusterinformations.crd.projectcalico.org "default" not found\n'
    assert calicoctl.refused("version", "--poll", "soon") == "Invalid poll duration specified: soon\n"


def test_a_get_is_cheap(tmp_path):
    """Within some tens of milliseconds of a CPU, start and end of the program included: 10 ms on an idle machine of today."""
    (tmp_path / "data").mkdir()
    calicoctl = embedded(tmp_path)
    calicoctl("create", "-f", "-", stdin=POOL)
    best = 1.0
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([calicoctl.program, *NAMES], env=calicoctl.environment, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert best < 0.05, best
