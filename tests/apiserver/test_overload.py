"""The server in a memory limit of 1 GiB under clients that stall, bomb, flood and kill: it lives, and others are answered.

Latency is asserted here on purpose: the promise is 100 ms to a bystander. The margin is stated: 98 % of the answers
must keep it, scaled by how many runnable processes each core of this machine has at the time.
"""

import collections
import contextlib
import http.client
import json
import select
import socket
import ssl
import struct
import threading
import time

import pytest

from conftest import Server
from overload import (LIMIT, MIB, OVER_DATA, bystander, change_large, limited, memory_limit,  # noqa: F401 (fixtures)
                      open_unread, peak, put_large, resident)
from test_http import CONFIG_MAPS, DEADLINE, PODS, ask, connect, create, tls


@pytest.mark.parametrize("count, size", [(400, 50_000), (200, 100_000), (20, 1_000_000)])
def test_stalled_watches_and_unread_lists_cost_little(limited, count, size):
    """1,000 watches that nobody reads, half of them with a selector, 200 lists that nobody reads, and 30 MB of changes."""
    put_large(limited, count, size)
    before = resident(limited)
    context = tls(limited)
    with contextlib.ExitStack() as held:
        with bystander(limited):
            for number in range(1000):
                path = CONFIG_MAPS + "?watch=1" + ("&labelSelector=%21absent" if number % 2 else "")
                held.enter_context(contextlib.closing(open_unread(limited, context, path)))
            for _ in range(200):
                held.enter_context(contextlib.closing(open_unread(limited, context, CONFIG_MAPS)))
            change_large(limited, 30_000_000 // size, size)
        most = peak(limited)
        print(f"resident: {before / MIB:.0f} MiB before, at most {most / MIB:.0f} MiB under load")
        assert most - before < OVER_DATA
    assert ask(limited, "GET", CONFIG_MAPS + "/small")[0] == 200


def test_lists_leave_no_memory_behind(limited):
    """A list costs pages, not its size, and what it took is given back."""
    put_large(limited, 300, 100_000)
    ask(limited, "GET", CONFIG_MAPS + "/large0")
    before = resident(limited)
    for _ in range(6):
        status, said = ask(limited, "GET", CONFIG_MAPS)
        assert (status, len(said["items"])) == (200, 300)
    grown = resident(limited) - before
    print(f"six lists of 30 MB: {grown / MIB:.1f} MiB more resident")
    assert grown < 30 * MIB


def test_bombs_are_refused(limited):
    create(limited, "target", data={"a": "0123456789"})
    copies = [{"op": "copy", "from": "", "path": "/data/b"}, {"op": "copy", "from": "/data", "path": "/metadata/annotations"}] * 10
    lists = ",".join(["[]"] * 260_000)
    too_many = ",".join(["[]"] * 900_000)
    with bystander(limited):
        for _ in range(20):
            status, _ = ask(limited, "PATCH", CONFIG_MAPS + "/target", copies, {"Content-Type": "application/json-patch+json"})
            assert status == 422
        aliases = "a: &a '" + "x" * (MIB // 2) + "'\nb: [" + ",".join(["*a"] * 100_000) + "]\n"
        assert ask(limited, "POST", CONFIG_MAPS, aliases, {"Content-Type": "application/yaml"})[0] == 400
        bomb = '{"metadata":{"name":"bomb"},"unknown":[' + lists + "]}"
        status, said = ask(limited, "POST", CONFIG_MAPS + "?dryRun=All", '{"metadata":{"name":"bomb"},"unknown":[' + too_many + "]}")
        assert status == 400 and "more values and keys than an object may have" in said["message"]
        codes = []
        senders = [threading.Thread(target=lambda: codes.append(ask(limited, "POST", CONFIG_MAPS + "?dryRun=All", bomb)[0]))
                   for _ in range(16)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(DEADLINE)
        assert len(codes) == 16 and set(codes) <= {201, 429}, codes
    print(f"resident after: {resident(limited) / MIB:.0f} MiB")


def test_an_object_as_deep_as_may_be_is_seen_by_everybody(limited):
    deep = "1"
    for _ in range(40):
        deep = '{"a":[' + deep + "]}"
    body = '{"metadata":{"name":"deep"},"spec":{"containers":[{"name":"a","image":"b"}],"affinity":' + deep + "}}"
    assert ask(limited, "POST", PODS + "?fieldValidation=Ignore", body)[0] == 201
    status, pods = ask(limited, "GET", PODS)
    assert (status, [pod["metadata"]["name"] for pod in pods["items"]]) == (200, ["deep"])
    assert ask(limited, "GET", PODS, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})[0] == 200


DENSE = {  # as many values as an object may have, in the forms that weigh most
    "small lists": "[0]",
    "texts": '"0123456789abcdef"',
    "objects": '{"a":{}}',
    "named numbers": '{"aaaaaaaaa":1.5}',
}
COUNT = {"small lists": 130_000, "texts": 150_000, "objects": 87_000, "named numbers": 87_000}


@pytest.mark.parametrize("form", DENSE)
def test_small_requests_about_a_heavy_object_are_bounded(limited, form):
    """What a request costs goes by the object that it is about: the body of a patch says nothing of it."""
    dense = "[" + ",".join([DENSE[form]] * COUNT[form]) + "]"
    body = '{"metadata":{"name":"dense"},"spec":{"containers":[{"name":"a","image":"b"}],"affinity":{"x":' + dense + "}}}"
    assert ask(limited, "POST", PODS + "?fieldValidation=Ignore", body)[0] == 201
    before = resident(limited)
    merge = {"Content-Type": "application/merge-patch+json"}
    requests = [
        ("PATCH", "/dense", {"metadata": {"labels": {"a": "1"}}}, merge),
        ("PATCH", "/dense/status?dryRun=All", {"metadata": {"annotations": {"a": "1"}}}, merge),
        ("PATCH", "/dense?dryRun=All", {"metadata": {"labels": {"a": "1"}}}, {"Content-Type": "application/strategic-merge-patch+json"}),
        ("GET", "/dense", None, {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}),
        ("GET", "/dense", None, {"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}),
        ("GET", "/dense", None, {"Accept": "application/yaml"}),
        ("GET", "?labelSelector=a%3Db", None, {}),
        ("GET", "?fieldSelector=spec.nodeName%3Da", None, {}),
        ("DELETE", "/dense?dryRun=All", None, {}),
        ("DELETE", "?dryRun=All&labelSelector=absent", None, {}),
    ]
    codes = collections.Counter()
    with bystander(limited):
        for method, path, sent, headers in requests:
            asking = [threading.Thread(target=lambda: codes.update([ask(limited, method, PODS + path, sent, headers)[0]]))
                      for _ in range(8)]
            for thread in asking:
                thread.start()
            for thread in asking:
                thread.join(DEADLINE)
    most = peak(limited)
    print(f"{form}: {dict(codes)}, resident: {before / MIB:.0f} MiB before, at most {most / MIB:.0f} MiB")
    assert set(codes) <= {200, 429} and codes[200] >= len(requests), codes
    assert most - before < OVER_DATA


def test_watches_of_a_large_object_keep_nobody_waiting(limited):
    """200 watches that want a table of an object with 60,000 keys each time it changes."""
    assert ask(limited, "POST", CONFIG_MAPS, {"metadata": {"name": "large"}, "data": {f"k{i}": "v" for i in range(60_000)}})[0] == 201
    start = ask(limited, "GET", CONFIG_MAPS + "?limit=1")[1]["metadata"]["resourceVersion"]
    with contextlib.ExitStack() as held:
        watches = []
        for _ in range(200):
            connection = held.enter_context(contextlib.closing(connect(limited)))
            connection.request("GET", CONFIG_MAPS + "?watch=1&resourceVersion=" + start,
                               headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
            watches.append(connection.getresponse())
        with bystander(limited):
            for number in range(3):
                assert ask(limited, "PATCH", CONFIG_MAPS + "/large", {"metadata": {"labels": {"a": str(number)}}},
                           {"Content-Type": "application/merge-patch+json"})[0] == 200
            for watch in watches:
                names = []
                while names.count("large") < 3:  # beside the bystander's object
                    names.append(json.loads(watch.readline())["object"]["rows"][0]["object"]["metadata"]["name"])
                assert len(names) <= 4


def test_long_removals_keep_neither_others_nor_the_end_waiting(limited):
    spaces = [f"n{number}" for number in range(8)]
    for space in spaces:
        assert ask(limited, "POST", "/api/v1/namespaces", {"metadata": {"name": space}})[0] == 201

    def fill(space):
        with contextlib.closing(connect(limited)) as connection:
            for number in range(1_500):
                connection.request("POST", f"/api/v1/namespaces/{space}/configmaps", json.dumps({"metadata": {"name": f"c{number}"}}))
                response = connection.getresponse()
                response.read()
                assert response.status == 201

    def run(work, over):
        threads = [threading.Thread(target=work, args=(item,)) for item in over]
        for thread in threads:
            thread.start()
        return threads

    codes = collections.Counter()
    for thread in run(fill, spaces):
        thread.join(DEADLINE)
    with bystander(limited):
        for thread in run(lambda space: codes.update([ask(limited, "DELETE", f"/api/v1/namespaces/{space}/configmaps")[0]]), spaces):
            thread.join(DEADLINE)
    assert codes == {200: 8}
    fill("n0")
    removing = run(lambda space: codes.update([ask(limited, "DELETE", f"/api/v1/namespaces/{space}/configmaps")[0]]), ["n0"])
    with contextlib.closing(connect(limited)) as connection:
        left, deadline = 1_500, time.monotonic() + DEADLINE
        while left == 1_500 and time.monotonic() < deadline:
            connection.request("GET", "/api/v1/namespaces/n0/configmaps?limit=1")
            left = 1 + json.loads(connection.getresponse().read())["metadata"].get("remainingItemCount", 0)
    limited.stop()
    removing[0].join(DEADLINE)
    assert codes[503] == 1, f"told that the server stops, with a part removed: {codes}"


def test_bodies_are_not_read_for_unknown_clients(limited):
    """401 on the headers alone: no byte of the body is waited for."""
    with contextlib.closing(connect(limited, client=False)) as connection:
        connection.putrequest("POST", CONFIG_MAPS)
        connection.putheader("Content-Length", "3000000")
        connection.endheaders()
        assert connection.getresponse().status == 401


def test_idle_connections_give_way(limited):
    """Known clients keep more connections for later than fit: the ones idle for longest are closed."""
    before = resident(limited)
    context = tls(limited)
    with contextlib.ExitStack() as held:
        with bystander(limited):
            kept = []
            for _ in range(7_000):
                connection = http.client.HTTPSConnection("127.0.0.1", limited.port, context=context, timeout=DEADLINE)
                held.callback(connection.close)
                connection.request("GET", "/readyz")
                assert connection.getresponse().read() == b"ok"
                kept.append(connection)
        _, metrics = ask(limited, "GET", "/metrics")
        count = float(next(line for line in metrics.splitlines() if line.startswith("apiserver_connections")).split()[1])
        most = peak(limited)
        print(f"{count:.0f} open; resident: {before / MIB:.0f} MiB before, at most {most / MIB:.0f} MiB")
        assert 2_000 < count < 3_000, "half of the memory's worth"
        assert most - before < LIMIT / 2
        kept[-1].request("GET", "/readyz")
        assert kept[-1].getresponse().read() == b"ok", "the last was idle for less long"
        with pytest.raises((OSError, http.client.HTTPException)):
            kept[0].request("GET", "/readyz")
            kept[0].getresponse()


def test_anonymous_connections_are_bounded_and_lock_nobody_out(limited):
    flood = 2_000
    with contextlib.ExitStack() as held:
        with bystander(limited):
            for _ in range(flood):
                held.enter_context(socket.create_connection(("127.0.0.1", limited.port), timeout=DEADLINE))
            assert ask(limited, "GET", CONFIG_MAPS + "/small")[0] == 200, "who says who it is gets in"
            _, metrics = ask(limited, "GET", "/metrics")
            count = next(line for line in metrics.splitlines() if line.startswith("apiserver_connections"))
            print(count)
            assert float(count.split()[1]) < 1_100


def test_connections_of_nobody_that_come_and_go_do_no_harm(limited):
    """The oldest ends by itself just when it is to give way to the next."""

    def say_nothing():
        plain = socket.create_connection(("127.0.0.1", limited.port), timeout=DEADLINE)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return plain

    with bystander(limited):
        held = collections.deque(say_nothing() for _ in range(1_024))
        for _ in range(60_000):
            held.popleft().close()
            held.append(say_nothing())
        for plain in held:
            plain.close()
    assert limited.process.poll() is None


def test_bodies_of_nobody_take_no_room_from_others(limited):
    with contextlib.ExitStack() as held:
        for _ in range(40):
            connection = held.enter_context(contextlib.closing(connect(limited, client=False)))
            connection.putrequest("GET", "/healthz")
            connection.putheader("Content-Length", str(3 << 20))
            connection.endheaders()
            held.callback(connection.close)
        create(limited, "others", data={"k": "x" * 50_000})
    with contextlib.closing(connect(limited, client=False)) as connection:
        connection.putrequest("GET", "/healthz")
        connection.putheader("Content-Length", "3000000")
        connection.endheaders()
        assert connection.getresponse().status == 400


def test_bodies_that_never_end_are_bounded(limited):
    """Known clients that announce large bodies and send half of them."""
    context = tls(limited)
    before = resident(limited)
    head = f"POST {CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n".encode()
    streams = []
    with contextlib.ExitStack() as held:
        with bystander(limited):
            for _ in range(200):
                plain = held.enter_context(socket.create_connection(("127.0.0.1", limited.port), timeout=DEADLINE))
                stream = held.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))
                streams.append(stream)
                stream.sendall(head)
                with contextlib.suppress(OSError):
                    stream.sendall(b" " * 1_500_000)
            # There is room for 96 MiB of bodies, and so for 33 at the most.
            refused, deadline = 0, time.monotonic() + DEADLINE
            while refused < 200 - 33 and time.monotonic() < deadline:
                for stream in select.select(streams, [], [], 1)[0]:
                    streams.remove(stream)
                    assert stream.recv(12) == b"HTTP/1.1 429"
                    refused += 1
            assert refused >= 200 - 33
        most = peak(limited)
        print(f"resident: {before / MIB:.0f} MiB before, at most {most / MIB:.0f} MiB with 200 half bodies of 3 MB")
        assert most - before < OVER_DATA


def all_at_once(count: int, work):
    """What the threads that do it return."""
    results = [None] * count
    def one(number):
        results[number] = work(number)
    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("begin", [b"5;", b"0\r\nX-Trailer: "], ids=["the line of a chunk", "a trailer"])
def test_what_surrounds_chunks_is_bounded(limited, begin):
    before = resident(limited)
    head = f"POST {CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with bystander(limited), socket.create_connection(("127.0.0.1", limited.port), timeout=DEADLINE) as plain:
        with tls(limited).wrap_socket(plain, server_hostname="127.0.0.1") as stream:
            with pytest.raises(OSError):
                stream.sendall(head + begin)
                for _ in range(200):
                    stream.sendall(b"a" * MIB)
    assert peak(limited) - before < 16 * MIB


def test_an_object_with_countless_faults_is_refused_in_few_words(limited):
    before = resident(limited)
    body = json.dumps({"metadata": {"name": "x", "labels": {f"{i:x}!": "!" for i in range(100_000)}}})
    with bystander(limited):
        answers = all_at_once(4, lambda _: ask(limited, "POST", CONFIG_MAPS + "?dryRun=All", body))
    for status, said in answers:
        assert status in (422, 429)
        assert len(json.dumps(said)) < 200_000
    assert answers[0][0] == 422 or any(status == 422 for status, _ in answers)
    assert peak(limited) - before < OVER_DATA


def test_yaml_that_opens_and_never_closes_is_bounded(limited):
    """yaml-cpp keeps every word of a flow collection until its end."""
    before = resident(limited)
    headers = {"Content-Type": "application/yaml"}
    with bystander(limited):
        codes = all_at_once(4, lambda _: ask(limited, "POST", CONFIG_MAPS, "[" * 1_000_000, headers)[0])
        assert set(codes) <= {400, 429} and 400 in codes
        assert ask(limited, "POST", CONFIG_MAPS, "[" * 1_100_000, headers)[0] == 413
    assert peak(limited) - before < OVER_DATA


def test_a_watch_keeps_short_selectors_only(limited):
    for name, terms in (("fieldSelector", ["metadata.name!%3Da"] * 300), ("labelSelector", ["a"] * 300),
                        ("fieldSelector", ["metadata.name!%3D" + "a" * 17_000])):
        path = f"{CONFIG_MAPS}?{name}=" + ",".join(terms)
        assert ask(limited, "GET", path)[0] == 200
        status, said = ask(limited, "GET", path + "&watch=1")
        assert status == 400 and "selectors of a watch" in said["message"]
    assert ask(limited, "GET", f"{CONFIG_MAPS}?fieldSelector=" + ",".join(["metadata.name!%3Da"] * 1_100))[0] == 400


def test_watches_that_begin_together_with_a_large_object_are_bounded(limited):
    """Each has to parse it for its selector."""
    create(limited, "large", data={f"k{i}": "" for i in range(100_000)})
    before, context = resident(limited), tls(limited)
    with bystander(limited), contextlib.ExitStack() as held:
        for _ in range(300):
            watch = held.enter_context(contextlib.closing(open_unread(limited, context, CONFIG_MAPS + "?watch=1&labelSelector=a!%3Db")))
        said = b""
        while b"ADDED" not in said:  # they are served in the order in which they came
            piece = watch.recv(1 << 16)
            assert piece
            said += piece
    assert peak(limited) - before < OVER_DATA


def test_what_half_a_request_holds_is_what_a_connection_counts_for(limited):
    count, context = 800, tls(limited)
    head = (f"POST {CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nX-Long: {'a' * 60_000}\r\nContent-Length: 16000\r\n\r\n" + "{" * 15_000).encode()
    before = resident(limited)
    with bystander(limited), contextlib.ExitStack() as held:
        for _ in range(count):
            plain = socket.create_connection(("127.0.0.1", limited.port), timeout=DEADLINE)
            stream = held.enter_context(contextlib.closing(context.wrap_socket(plain, server_hostname="127.0.0.1")))
            stream.sendall(head)
        each = (peak(limited) - before) / count
        print(f"{each / 1024:.0f} KiB for each connection with half a request")
        assert each < 224 * 1024


def test_messages_of_nothing_are_values_too(limited):
    """A pod of 1,450,000 containers in three megabytes of protobuf."""
    def field(number: int, content: bytes) -> bytes:
        length, size = len(content), b""
        while length >= 0x80:
            size += bytes([length & 0x7F | 0x80])
            length >>= 7
        return bytes([number << 3 | 2]) + size + bytes([length]) + content
    pod = field(1, field(1, b"x")) + field(2, field(2, b"") * 1_450_000)
    body = b"k8s\0" + field(1, field(1, b"v1") + field(2, b"Pod")) + field(2, pod)
    before = resident(limited)
    with bystander(limited):
        status, said = ask(limited, "POST", PODS + "?dryRun=All", body, {"Content-Type": "application/vnd.kubernetes.protobuf"})
    assert (status, said["reason"]) == (400, "BadRequest"), said
    assert "values and keys" in said["message"]
    assert peak(limited) - before < OVER_DATA


def test_removals_of_collections_hold_little_for_their_answers(limited):
    for number in range(200):
        create(limited, f"m{number}", data={"k": "x" * 20_000})
    before = resident(limited)
    with bystander(limited):
        answers = all_at_once(60, lambda _: ask(limited, "DELETE", CONFIG_MAPS + "?dryRun=All"))
    assert {status for status, _ in answers} <= {200, 429}
    assert any(status == 200 for status, _ in answers)
    assert len(ask(limited, "GET", CONFIG_MAPS)[1]["items"]) >= 200
    assert peak(limited) - before < OVER_DATA


def test_a_slow_but_honest_watcher_misses_nothing(limited):
    """It falls behind what watches share, and goes on from history."""
    start = ask(limited, "GET", CONFIG_MAPS)[1]["metadata"]["resourceVersion"]
    put_large(limited, 1, 100_000)
    context = tls(limited)
    with contextlib.closing(open_unread(limited, context, CONFIG_MAPS + "?watch=1&resourceVersion=" + start)) as slow:
        change_large(limited, 150, 100_000)
        last = ask(limited, "GET", CONFIG_MAPS + "/large0")[1]["metadata"]["resourceVersion"]
        response = http.client.HTTPResponse(slow)
        response.begin()
        seen = []
        while not seen or seen[-1] != last:
            event = json.loads(response.readline())
            assert event["type"] in ("ADDED", "MODIFIED"), event
            seen.append(event["object"]["metadata"]["resourceVersion"])
    assert len(seen) == 151 and seen == sorted(seen, key=int), "each change once, in order"


def test_killed_under_load_it_comes_back_with_what_it_acknowledged(limited):
    acknowledged = []
    context = tls(limited)
    with contextlib.ExitStack() as held:
        for _ in range(100):
            held.enter_context(contextlib.closing(open_unread(limited, context, CONFIG_MAPS + "?watch=1")))

        def write():
            with contextlib.suppress(OSError, http.client.HTTPException):
                for number in range(10_000):
                    create(limited, f"kept{number}")
                    acknowledged.append(f"kept{number}")

        writer = threading.Thread(target=write)
        writer.start()
        deadline = time.monotonic() + DEADLINE
        while len(acknowledged) < 20 and time.monotonic() < deadline:
            writer.join(0.05)
        limited.kill()
        writer.join(DEADLINE)
    limited.start()
    names = {item["metadata"]["name"] for item in ask(limited, "GET", CONFIG_MAPS)[1]["items"]}
    assert len(acknowledged) >= 20 and set(acknowledged) <= names


# ---- certificates -----------------------------------------------------------------------------------

def test_a_replaced_certificate_is_served_without_a_restart(own_server, tmp_path):
    """Connections that are open go on with the one they have."""
    own_server.start()
    donor = Server(tmp_path / "donor")
    (tmp_path / "donor" / "pki").mkdir(parents=True)
    for name in ("ca.crt", "ca.key"):
        (tmp_path / "donor" / "pki" / name).write_bytes((own_server.folder / "pki" / name).read_bytes())
    donor.start()
    donor.stop()
    held = connect(own_server)
    held.request("GET", PODS)
    held.getresponse().read()
    wanted = ssl.PEM_cert_to_DER_cert((tmp_path / "donor/pki/apiserver.crt").read_text())
    for name in ("apiserver.crt", "apiserver.key"):
        (own_server.folder / "pki" / name).write_bytes((tmp_path / "donor/pki" / name).read_bytes())
    deadline = time.monotonic() + DEADLINE
    served = None
    while served != wanted and time.monotonic() < deadline:
        with contextlib.closing(connect(own_server)) as fresh:
            fresh.connect()
            served = fresh.sock.getpeercert(binary_form=True)
    assert served == wanted
    held.request("GET", PODS)
    assert held.getresponse().status == 200
    held.close()
