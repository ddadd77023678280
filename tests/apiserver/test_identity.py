"""Who asks, as the server takes it: by certificate, token or front proxy; and the record of it."""

import contextlib
import http.client
import json
import subprocess
import time

import pytest

from test_http import DEADLINE, ask, tls

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    def __init__(self, folder, name):
        self.folder, self.certificate, self.key = folder, folder / f"{name}.crt", folder / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", self.key, "-out", self.certificate)

    def sign(self, name):
        key, request, certificate = (self.folder / f"{name}{suffix}" for suffix in (".key", ".csr", ".crt"))
        usage = self.folder / "client.cnf"
        usage.write_text("extendedKeyUsage=clientAuth\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", key,
                "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-extfile", usage,
                "-out", certificate)
        return certificate, key


def whoami(server, context, headers=None):
    with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=DEADLINE)) as c:
        c.request("POST", WHO, "{}", headers or {})
        response = c.getresponse()
        said = json.loads(response.read())
        return said["status"]["userInfo"] if response.status == 201 else response.status


@pytest.fixture
def guarded(own_server, tmp_path):
    own_server.proxies = Authority(tmp_path, "front-proxy-ca")
    own_server.audit_log = tmp_path / "audit.log"
    own_server.start("127.0.0.1:0", "--requestheader-client-ca-file", str(own_server.proxies.certificate),
                     "--requestheader-allowed-names", "front-proxy,other-proxy", "--audit-log", str(own_server.audit_log))
    return own_server


ALICE = {"X-Remote-User": "alice", "X-Remote-Group": "readers", "X-Remote-Extra-Scopes": "a"}


def test_front_proxy_says_who_asks(guarded):
    context = tls(guarded, client=False)
    context.load_cert_chain(*guarded.proxies.sign("front-proxy"))
    assert whoami(guarded, context, ALICE) == {"username": "alice", "groups": ["readers", "system:authenticated"],
                                               "extra": {"scopes": ["a"]}}
    assert whoami(guarded, context) == 401, "the proxy itself is nobody"


def test_a_front_proxys_authority_is_replaced_without_a_restart(guarded, tmp_path):
    (tmp_path / "next").mkdir()
    following = Authority(tmp_path / "next", "front-proxy-ca")
    context = tls(guarded, client=False)
    context.load_cert_chain(*following.sign("front-proxy"))
    assert whoami(guarded, context, ALICE) == 401
    guarded.proxies.certificate.write_text(guarded.proxies.certificate.read_text() + following.certificate.read_text())
    deadline = time.monotonic() + DEADLINE
    while (said := whoami(guarded, context, ALICE)) == 401 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert said["username"] == "alice"


@pytest.mark.parametrize("name", ["impostor", None])
def test_headers_of_others_mean_nothing(guarded, name):
    context = tls(guarded, client=name is None)
    if name:
        context.load_cert_chain(*guarded.proxies.sign(name))
    said = whoami(guarded, context, ALICE)
    assert said == 401 if name else said["username"] == "kubernetes-admin"


def test_headers_mean_nothing_without_a_front_proxy(server):
    assert whoami(server, tls(server), ALICE)["username"] == "kubernetes-admin"


def test_token_has_its_uid_and_groups(server):
    token = (server.folder / "tokens.csv").read_text().split(",")
    info = whoami(server, tls(server, client=False), {"Authorization": f"Bearer {token[0]}"})
    assert (info["username"], info["uid"]) == (token[1], token[2])
    assert info["groups"] == ["margay:agents", "system:authenticated"]


def test_audit_log_has_a_line_for_each_request(guarded):
    path = "/api/v1/namespaces/default/configmaps"
    assert ask(guarded, "POST", path, {"metadata": {"name": "a"}}, {"User-Agent": "test/1"})[0] == 201
    assert ask(guarded, "GET", path + "/none")[0] == 404
    ask(guarded, "GET", "/healthz", client=False)
    events = [json.loads(line) for line in guarded.audit_log.read_text().splitlines()]
    made, missed = events[-2:]
    assert (made["verb"], made["user"]["username"], made["userAgent"], made["sourceIPs"], made["responseStatus"]["code"]) == \
        ("create", "kubernetes-admin", "test/1", ["127.0.0.1"], 201)
    assert made["objectRef"] == {"resource": "configmaps", "namespace": "default", "name": "a", "apiVersion": "v1"}
    assert (missed["responseStatus"]["code"], missed["responseStatus"]["reason"]) == (404, "NotFound")
    assert guarded.audit_log.stat().st_mode & 0o777 == 0o600


def test_audit_log_has_a_line_for_each_request_that_nobody_known_made(guarded):
    path = "/api/v1/namespaces/default/configmaps/a"
    assert ask(guarded, "DELETE", path, headers={"Authorization": "Bearer nonsense"}, client=False)[0] == 401
    event = json.loads(guarded.audit_log.read_text().splitlines()[-1])
    assert (event["verb"], event["requestURI"], event["responseStatus"]["code"], event["user"]["username"]) == \
        ("delete", path, 401, "system:anonymous")
    assert "annotations" not in event, "the authorizer was not asked"
