"""Typed Go clients, which speak protobuf, and what else comes in that form."""

import contextlib
import pathlib
import random
import subprocess

import pytest

from test_http import ask, connect

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTOBUF = {"Content-Type": "application/vnd.kubernetes.protobuf", "Accept": "application/vnd.kubernetes.protobuf"}


def test_every_kind_through_every_verb(server, kubectl_programs):
    done = subprocess.run([kubectl_programs / "clientgo", server.kubeconfig], capture_output=True, text=True, timeout=300,
                          check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "ok"), done.stdout + done.stderr


def test_table_of_messages_is_that_of_the_client(kubectl_programs):
    printed = subprocess.run([kubectl_programs / "messages"], capture_output=True, text=True, check=True).stdout
    assert (ROOT / "src/apiserver/kubernetes_messages.inc").read_text() == printed, \
        "stale: build/kubectl/messages > src/apiserver/kubernetes_messages.inc"


# ---- what nobody should send ------------------------------------------------------------------------

def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def body(kind: str, raw: bytes, api_version: str = "v1") -> bytes:
    return b"k8s\0" + field(1, field(1, api_version.encode()) + field(2, kind.encode())) + field(2, raw)


def nested(depth: int) -> bytes:
    out = b""
    for _ in range(depth):
        out = field(1, out)
    return out


METADATA = field(1, field(1, b"odd"))
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.mark.parametrize("content, says", [
    pytest.param(b"", "k8s", id="empty"),
    pytest.param(b"{}", "k8s", id="JSON"),
    pytest.param(body("ConfigMap", METADATA)[:-3], "malformed", id="cut off"),
    pytest.param(body("ConfigMap", field(1, field(1, b"\xff\xfe"))), "metadata.name: the text is not UTF-8", id="name"),
    pytest.param(body("ConfigMap", METADATA + field(2, field(1, b"k") + field(2, b"\xed\xa0\x80"))), "data: the text is not UTF-8",
                 id="surrogate"),
    pytest.param(body("ConfigMap", METADATA + field(2, field(1, b"\xc0\xaf"))), "data: a key is not UTF-8", id="overlong key"),
    pytest.param(body("ConfigMap", nested(3000)), "metadata.name: ", id="deep"),
    pytest.param(body("ConfigMap", METADATA + field(77, b"x")), "field 77", id="unknown field"),
    pytest.param(body("ConfigMap", METADATA + varint(1 << 3 | 3)), "cut off", id="group"),
    pytest.param(body("ConfigMap", METADATA + b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "cut off", id="longest"),
    pytest.param(body("ConfigMap", METADATA) + field(3, b"gzip"), "encoding", id="encoded"),
])
def test_malformed_protobuf_is_400(server, content, says):
    status, said = ask(server, "POST", CONFIG_MAPS, content, PROTOBUF)
    assert status == 400 and says in said["message"], said


def test_custom_resources_have_no_protobuf(server):
    pools = "/apis/projectcalico.org/v3/ippools"
    assert ask(server, "POST", pools, body("IPPool", b"", "projectcalico.org/v3"), {"Content-Type": PROTOBUF["Content-Type"]})[0] == 415
    assert ask(server, "GET", pools, headers=PROTOBUF)[0] == 406
    assert ask(server, "GET", pools, headers={"Accept": PROTOBUF["Accept"] + ",application/json"})[0] == 200


def test_random_protobuf_is_answered_and_harms_nobody(server):
    source = random.Random(1)
    with contextlib.closing(connect(server)) as connection:
        for _ in range(2000):
            raw = METADATA + bytes(source.choices(range(256), k=source.randrange(40)))
            kind, plural = source.choice([("ConfigMap", "configmaps"), ("Pod", "pods"), ("Secret", "secrets"), ("Event", "events")])
            connection.request("POST", f"/api/v1/namespaces/default/{plural}?dryRun=All", body(kind, raw), PROTOBUF)
            response = connection.getresponse()
            assert response.status in (201, 400, 422), response.read()
            response.read()
    assert ask(server, "GET", "/api/v1/namespaces/default/configmaps")[0] == 200


def test_values_that_no_form_can_carry_are_refused_in_json_too(server):
    pod = {"metadata": {"name": "odd"}, "spec": {"containers": [{"name": "c", "image": "i"}], "affinity": {"nodeAffinity": "x"}}}
    status, said = ask(server, "POST", "/api/v1/namespaces/default/pods", pod)
    assert status == 422 and "spec.affinity.nodeAffinity" in said["message"], said
