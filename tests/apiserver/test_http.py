"""What only shows on the wire: authentication, limits, watches, first start, stop."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import re
import socket
import sqlite3
import ssl
import subprocess
import threading
import time

import pytest

DEADLINE = 60
PROGRAM = os.environ.get("MARGAY", str(pathlib.Path(__file__).resolve().parents[2] / "build/release/bin/margay"))
PODS = "/api/v1/namespaces/default/pods"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def tls(server, client: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server.folder / "pki/ca.crt")
    if client:
        context.load_cert_chain(server.folder / "pki/admin.crt", server.folder / "pki/admin.key")
    return context


def connect(server, client: bool = True) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection("127.0.0.1", server.port, context=tls(server, client), timeout=DEADLINE)


def ask(server, method: str, path: str, body=None, headers=None, client: bool = True):
    """One request on a connection of its own: its code, and its body as JSON or text."""
    with contextlib.closing(connect(server, client)) as connection:
        data = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        connection.request(method, path, data, headers or {})
        response = connection.getresponse()
        content = response.read().decode()
        return response.status, json.loads(content) if content.startswith("{") else content


def create(server, name: str, **fields) -> dict:
    status, made = ask(server, "POST", CONFIG_MAPS, {"metadata": {"name": name}, **fields})
    assert status == 201, made
    return made


class Watch:
    """The events of one watch, read line by line."""

    def __init__(self, server, path: str):
        self.connection = connect(server)
        self.connection.request("GET", path)
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()

    def next(self) -> dict | None:
        line = self.response.readline()
        return json.loads(line) if line else None

    def close(self):
        self.connection.close()


# ---- who may ask ------------------------------------------------------------------------------------

@pytest.mark.parametrize("path, code", [("/healthz", 200), ("/livez", 200), ("/readyz", 200), ("/version", 200),
                                        ("/api", 401), ("/metrics", 401), (PODS, 401), ("/openapi/v2", 401)])
def test_anonymous_sees_health_and_version_only(server, path, code):
    assert ask(server, "GET", path, client=False)[0] == code


def test_tokens_open_and_bad_ones_do_not_even_see_health(server):
    token = (server.folder / "tokens.csv").read_text().split(",")[0]
    bearer = lambda value: {"Authorization": f"Bearer {value}"}
    assert ask(server, "GET", PODS, headers=bearer(token), client=False)[0] == 200
    for path in (PODS, "/healthz"):
        assert ask(server, "GET", path, headers=bearer("wrong"), client=False)[0] == 401


def test_certificate_of_another_authority_is_nobody(server, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/O=system:masters/CN=kubernetes-admin", "-keyout", tmp_path / "key", "-out", tmp_path / "crt"],
                   check=True, capture_output=True)
    context = tls(server, client=False)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=DEADLINE)) as c:
        c.request("GET", PODS)
        assert c.getresponse().status == 401


def test_old_tls_is_refused(server):
    context = tls(server)
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as plain:
            context.wrap_socket(plain, server_hostname="127.0.0.1")


# ---- limits -----------------------------------------------------------------------------------------

def test_oversized_body_is_413_and_the_server_goes_on(server):
    status, said = ask(server, "POST", CONFIG_MAPS, b" " * ((3 << 20) + 1))
    assert (status, said["reason"], said["code"]) == (413, "RequestEntityTooLarge", 413)
    with contextlib.closing(connect(server)) as connection:
        connection.request("POST", CONFIG_MAPS, iter([b" " * (1 << 20)] * 4), encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})
        assert connection.getresponse().status == 413
    assert ask(server, "GET", "/healthz")[0] == 200


def test_oversized_headers_are_431(server):
    assert ask(server, "GET", "/healthz", headers={"X-Long": "x" * 70_000})[0] == 431


def raw(server, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as plain:
        with tls(server).wrap_socket(plain, server_hostname="127.0.0.1") as stream:
            stream.sendall(text)
            return stream.recv(65536)


def raw_until_closed(server, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as plain:
        with tls(server).wrap_socket(plain, server_hostname="127.0.0.1") as stream:
            stream.sendall(text)
            with socket.socket(fileno=os.dup(stream.fileno())) as sending:
                sending.shutdown(socket.SHUT_WR)  # or the server waits for more before it closes
            return b"".join(iter(lambda: stream.recv(65536), b""))


def test_nothing_is_done_as_the_client_itself_that_was_to_be_done_as_another(server):
    for header in ("Impersonate-User", "impersonate-group", "Impersonate-Extra-scopes"):
        status, said = ask(server, "POST", CONFIG_MAPS, {"metadata": {"name": "alices"}}, {header: "alice"})
        assert (status, said["reason"]) == (403, "Forbidden"), header
    assert ask(server, "GET", CONFIG_MAPS + "/alices")[0] == 404


def test_a_path_that_is_not_utf8_is_400(server):
    for path in ("/api/v1/namespaces/%ff%fe", PODS + "?labelSelector=a%3D%ff"):
        assert ask(server, "GET", path)[0] == 400


def test_what_is_not_http_is_400(server):
    assert raw(server, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("headers, code", [
    ("Transfer-Encoding: xchunked", 400), ("Transfer-Encoding: chunked, gzip", 400), ("Transfer-Encoding: gzip", 400),
    ("Transfer-Encoding: identity, chunked", 400), ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
    ("Transfer-Encoding: chunked\r\nContent-Length: 4", 400), ("Content-Length: 4\r\nTransfer-Encoding: chunked", 400),
    ("Content-Length: 4\r\nContent-Length: 5", 400), ("Content-Length: 4, 5", 400), ("Content-Length: +4", 400),
    ("Content-Length: 18446744073709551620", 400), ("Content-Length : 4", 400), ("Content-Length: 5\r\nContent-Encoding: gzip", 415)])
def test_a_body_of_doubtful_length_or_coding_is_refused_and_nothing_after_it_is_a_request(server, headers, code):
    head = f"POST {CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    said = raw_until_closed(server, f"{head}{headers}\r\n\r\n0\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert said.startswith(f"HTTP/1.1 {code} ".encode())
    assert said.count(b"\r\nContent-Type:") == 1


def test_chunks_are_for_http_1_1(server):
    head = f"POST {CONFIG_MAPS} HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
    assert raw(server, head.encode() + b"2\r\n{}\r\n0\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_expect_continue_is_answered(server):
    head = f"POST {CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    assert raw(server, head.encode()).startswith(b"HTTP/1.1 100")


def test_stalled_clients_hold_nobody_up(server):
    """Connections that never finish their handshake, headers or body."""
    with contextlib.ExitStack() as open_ones:
        for _ in range(50):
            open_ones.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE))
            half = open_ones.enter_context(contextlib.closing(connect(server)))
            half.connect()
            half.sock.sendall(b"POST /api HTTP/1.1\r\nContent-Length: 100\r\n")
        assert ask(server, "GET", PODS)[0] == 200


def test_connections_are_kept_alive(server):
    with contextlib.closing(connect(server)) as connection:
        for _ in range(3):
            connection.request("GET", PODS)
            assert json.loads(connection.getresponse().read())["kind"] == "PodList"


# ---- bad input --------------------------------------------------------------------------------------

@pytest.mark.parametrize("method, path, body, headers, code", [
    ("GET", "/nothing", None, {}, 404),
    ("GET", "/apis/projectcalico.org/v9/ippools", None, {}, 404),
    ("POST", "/api/v1/namespaces/default", "{}", {}, 405),
    ("GET", PODS, None, {"Accept": "text/html"}, 406),
    ("POST", PODS, "x", {"Content-Type": "text/html"}, 415),
    ("PATCH", PODS + "/x", "{}", {"Content-Type": "application/apply-patch+yaml"}, 415),
    ("POST", PODS, "{", {}, 400),
    ("GET", PODS + "?limit=x", None, {}, 400),
    ("GET", PODS + "?watch=1&resourceVersion=x", None, {}, 400),
])
def test_refusals_are_statuses(server, method, path, body, headers, code):
    status, said = ask(server, method, path, body, headers)
    assert (status, said["kind"], said["status"], said["code"]) == (code, "Status", "Failure", code)


# ---- watches ----------------------------------------------------------------------------------------

def test_watch_streams_and_ends_at_its_timeout(server):
    with contextlib.closing(Watch(server, CONFIG_MAPS + "?watch=1&timeoutSeconds=2&fieldSelector=metadata.name%3Dtimed")) as watch:
        create(server, "timed")
        assert watch.next()["type"] == "ADDED"
        assert watch.next() is None


def test_a_watch_ends_between_events(server):
    """Its time is over while a client is in the middle of a large one: that one is finished."""
    create(server, "long", data={"k": "x" * (1 << 20)})
    query = "?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dlong"
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(DEADLINE)
        plain.connect(("127.0.0.1", server.port))
        with tls(server).wrap_socket(plain, server_hostname="127.0.0.1") as stream:
            stream.sendall(f"GET {CONFIG_MAPS}{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            response = http.client.HTTPResponse(stream)
            response.begin()
            began = time.monotonic()
            text = response.read(1000)
            while time.monotonic() < began + 2:  # a client that is slow until after the end
                text += response.read(1000)
                time.sleep(0.1)
            text += response.read()
    assert [json.loads(line)["type"] for line in text.splitlines()] == ["ADDED"]
    ask(server, "DELETE", CONFIG_MAPS + "/long")


def test_a_thousand_watchers_see_a_change(server):
    path = CONFIG_MAPS + "?watch=1&fieldSelector=metadata.name%3Dpopular"
    with contextlib.ExitStack() as watchers:
        watches = [watchers.enter_context(contextlib.closing(Watch(server, path))) for _ in range(1000)]
        create(server, "popular")
        assert all(watch.next()["object"]["metadata"]["name"] == "popular" for watch in watches)
        _, metrics = ask(server, "GET", "/metrics")
        assert re.search(r"^apiserver_longrunning_requests 1000", metrics, re.MULTILINE)


def test_watcher_that_reads_late_misses_nothing(server):
    """More than the server keeps for all watches of the kind, while this one reads nothing."""
    start = ask(server, "GET", CONFIG_MAPS)[1]["metadata"]["resourceVersion"]
    made = create(server, "big", data={"k": ""})
    with contextlib.closing(Watch(server, CONFIG_MAPS + "?watch=1&resourceVersion=" + start)) as slow:
        with contextlib.closing(connect(server)) as connection:
            for number in range(10, 60):
                made["data"]["k"] = str(number) * (1 << 19)
                made["metadata"].pop("resourceVersion", None)
                connection.request("PUT", CONFIG_MAPS + "/big", json.dumps(made))
                response = connection.getresponse()
                assert (response.status, len(response.read()) > 1 << 19) == (200, True)
        events = [slow.next() for _ in range(51)]
    assert [event["object"]["data"]["k"][:2] for event in events[1:]] == [str(number) for number in range(10, 60)]


@pytest.mark.parametrize("version, code", [("1.1", 400), ("1.0", 200)])
def test_a_request_without_host_is_refused_where_http_asks_for_one(server, version, code):
    assert raw(server, f"GET /healthz HTTP/{version}\r\n\r\n".encode()).startswith(f"HTTP/1.1 {code}".encode())


def test_head_is_answered_without_a_body(server):
    with contextlib.closing(connect(server)) as connection:
        for path in ("/healthz", PODS, CONFIG_MAPS + "/none"):
            connection.request("HEAD", path)
            response = connection.getresponse()
            assert (response.status, response.read()) == (404 if path.endswith("none") else 200, b"")


# ---- start and stop -----------------------------------------------------------------------------------

def test_objects_and_kubeconfig_survive_kill(own_server):
    own_server.start()
    port = own_server.port
    first = own_server.kubeconfig.read_text()
    made = create(own_server, "kept")
    own_server.kill()
    own_server.start(f"127.0.0.1:{port}")
    assert own_server.kubeconfig.read_text() == first
    assert ask(own_server, "GET", CONFIG_MAPS + "/kept")[1] == made


def test_first_start_killed_at_any_moment_is_finished_by_the_next(own_server):
    for attempt in range(10):
        program = subprocess.Popen(
            [PROGRAM, "apiserver", "--data-dir", own_server.folder,
             "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        timer = threading.Timer(0.01 * attempt, program.kill)
        timer.start()
        program.stdout.read()
        program.wait(DEADLINE)
        timer.cancel()
    own_server.start()
    assert ask(own_server, "GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200
    assert (own_server.kubeconfig.stat().st_mode & 0o777) == 0o600


def test_stop_ends_watches_and_idle_connections_at_once(own_server):
    own_server.start()
    watch = Watch(own_server, CONFIG_MAPS + "?watch=1&fieldSelector=metadata.name%3Dnone")
    idle = connect(own_server)
    idle.connect()
    assert own_server.stop() == 0
    assert watch.next() is None
    watch.close()
    idle.close()


def test_rows_that_cannot_be_read_are_set_aside_by_name(own_server):
    """The server starts, answers the rest, and says which."""
    own_server.start()
    for name in ("bad", "good"):
        create(own_server, name)
    ask(own_server, "POST", "/api/v1/namespaces", {"metadata": {"name": "damaged"}})
    own_server.stop()
    with contextlib.closing(sqlite3.connect(own_server.folder / "store.db")) as store:
        store.execute("UPDATE log SET value = '{\"metadata\":{\"name\":' WHERE name IN ('bad', 'damaged') AND resource IN ('configmaps', 'namespaces')")
        store.commit()
    own_server.start()
    for path in (CONFIG_MAPS, "/api/v1/namespaces"):
        status, listed = ask(own_server, "GET", path)
        names = {item["metadata"]["name"] for item in listed["items"]}
        assert status == 200 and names & {"bad", "damaged"} == set() and names & {"good", "default"}
    _, metrics = ask(own_server, "GET", "/metrics")
    for resource, name in (("configmaps", "bad"), ("namespaces", "damaged")):
        assert re.search(rf'^apiserver_unreadable_objects_total{{.*name="{name}".*resource="{resource}".*}} 1', metrics, re.MULTILINE), metrics
    assert ask(own_server, "GET", CONFIG_MAPS + "/bad")[0] == 500
    assert ask(own_server, "DELETE", CONFIG_MAPS + "/bad")[0] == 200
    assert ask(own_server, "GET", CONFIG_MAPS + "/bad")[0] == 404


def test_second_server_on_the_same_folder_is_refused(server):
    program = PROGRAM
    done = subprocess.run([program, "apiserver", "--data-dir", server.folder, "--listen", "127.0.0.1:0"],
                          capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 1
    assert "another server uses the data directory" in done.stderr


def test_kubeconfig_carries_the_administrators_certificate(server):
    data = re.search(r"client-certificate-data: (\S+)", server.kubeconfig.read_text()).group(1)
    shown = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=base64.b64decode(data), capture_output=True, check=True)
    assert b"system:masters" in shown.stdout and b"kubernetes-admin" in shown.stdout
