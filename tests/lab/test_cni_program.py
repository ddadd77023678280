"""The CNI plugin as a program: whatever it is given, standard output is one JSON object, which is all that runtimes read."""

import json
import os
import subprocess

import pytest

from cluster import MARGAY

CONF = {"cniVersion": "0.3.1", "name": "net", "type": "calico", "ipam": {"type": "calico-ipam"}}
CALL = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_NETNS": "/nowhere", "CNI_IFNAME": "eth0", "CNI_PATH": "/nowhere"}


@pytest.mark.parametrize("given, variables, code", [
    (b"", {}, 6), (b"{", {}, 6), (b"[" * 1_000_000, {}, 6), (b"\0" * 100, {}, 6), (b"\xff\xfe", {}, 6),
    (dict(CONF, mtu=-1), {}, 7), (dict(CONF, cniVersion="9.9\n"), {}, 1), (dict(CONF, log_level="loud\x1b[2J"), {}, None),
    (CONF, {"CNI_COMMAND": "EXPLODE\n"}, 4), (CONF, {"CNI_CONTAINERID": "../../x"}, 4), (CONF, {"CNI_CONTAINERID": "a\nb"}, 4),
    (CONF, {"CNI_IFNAME": "a/b"}, 4), (CONF, {"CNI_IFNAME": ".."}, 4), (CONF, {"CNI_IFNAME": "\x1b[2J"}, 4),
    (CONF, {"CNI_ARGS": "x"}, 4), (CONF, {"CNI_ARGS": "IP=ten"}, 4)])
@pytest.mark.parametrize("name", ["calico", "calico-ipam"])
def test_hostile_input_is_answered_by_an_error_object_and_nothing_else(tmp_path, name, given, variables, code):
    program = tmp_path / name
    program.symlink_to(MARGAY)
    state = {"MARGAY_STATE_DIR": str(tmp_path / "lib"), "MARGAY_RUN_DIR": str(tmp_path / "run")}
    answer = subprocess.run([program], input=given if isinstance(given, bytes) else json.dumps(given).encode(), capture_output=True,
                            env={"PATH": os.environ["PATH"], **CALL, **state, **variables}, timeout=60, check=False)
    said = json.loads(answer.stdout)
    assert answer.returncode == 1 and said["msg"]
    assert code is None or said["code"] == code
    assert all(byte >= 0x20 or byte == 0x0A for byte in answer.stderr)
