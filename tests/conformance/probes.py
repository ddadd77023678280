"""Who reaches whom, by real packets from sockets in other network namespaces.

    tcp, udp        a server answers and says who it is
    icmp, icmpv6    an echo request is answered; of another type and code: it is heard where it is sent to
    sctp            an INIT is heard where it is sent to: no SCTP socket is needed at either end

Silence can only be waited for. An attempt that is expected to be answered is waited for with patience, so that a busy
machine makes no difference; one that is not is given up a little after the last of those was answered. Every
attempt of a namespace has a source port (or echo identifier) of its own: connection tracking would take it for part of
an earlier flow, whatever policy says now.
"""

import errno
import itertools
import resource
import selectors
import socket
import struct
import time
from collections import defaultdict
from dataclasses import dataclass

import packets

FIRST_PATIENCE, PATIENCE = 0.3, 8.0  # seconds for what is expected to be answered
SILENCE = 0.12  # and for what is not, after the last of the others
CONVERGES_WITHIN = 60.0
ASK_AGAIN = 0.1
FIRST_PORT, PORTS = 20000, 40000
SCTP = 132
ECHO = {"icmp": (8, 0), "icmpv6": (128, 0)}

resource.setrlimit(resource.RLIMIT_NOFILE, (max(resource.getrlimit(resource.RLIMIT_NOFILE)),) * 2)


@dataclass(frozen=True)
class Attempt:
    namespace: str  # the network namespace it is sent from
    source: str  # the address it is sent from
    target: str  # and to
    protocol: str
    port: object  # a number; of ICMP: (type, code)
    identity: str = ""  # who must answer; of what is only heard: the network namespace it must be heard in

    @property
    def one_way(self):
        return self.protocol == "sctp" or (self.protocol in ECHO and self.port != ECHO[self.protocol])


_marks = itertools.count(0xC0DE0000)
_counters = defaultdict(lambda: itertools.cycle(range(FIRST_PORT, FIRST_PORT + PORTS)))


def fresh(namespace):
    return next(_counters[namespace])


class _Flight:
    """An attempt under way. `result`: "allow", what went wrong, or None as long as there is silence."""

    def __init__(self, attempt):
        self.attempt, self.result, self.sockets, self.listening = attempt, None, [], None
        self.family = socket.AF_INET6 if ":" in attempt.target else socket.AF_INET

    def open(self, kind, protocol=0):
        opened = socket.socket(self.family, kind | socket.SOCK_NONBLOCK, protocol)
        self.sockets.append(opened)
        return opened

    def bind(self, opened):
        for _ in range(PORTS):
            try:
                return opened.bind((self.attempt.source, fresh(self.attempt.namespace)))
            except OSError as wrong:
                if wrong.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, "no port is free")

    def start(self):  # in the source's namespace
        raise NotImplementedError

    def listen(self):  # in the namespace where it must be heard, if any
        pass

    def ask(self):
        pass

    def read(self):
        raise NotImplementedError

    def on_readable(self):
        try:
            self.read()
        except BlockingIOError:
            pass
        except OSError as wrong:
            self.result = wrong.strerror

    def close(self):
        for opened in self.sockets:
            opened.close()


class _Connection(_Flight):
    answer = b""

    def start(self):
        self.listening = self.open(socket.SOCK_STREAM)
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.bind(self.listening)
        wrong = self.listening.connect_ex((self.attempt.target, self.attempt.port))
        if wrong not in (0, errno.EINPROGRESS):
            self.result = errno.errorcode[wrong]

    def read(self):
        got = self.listening.recv(256)
        self.answer += got
        if b"\n" in self.answer or not got:
            self.judge()

    def judge(self):
        who = self.answer.split(b"\n")[0].decode()
        self.result = "allow" if who == self.attempt.identity else f"answered by {who or 'nobody'}"


class _Datagram(_Connection):
    def start(self):
        self.listening = self.open(socket.SOCK_DGRAM)
        self.bind(self.listening)
        self.listening.connect((self.attempt.target, self.attempt.port))

    def ask(self):
        self.listening.send(b"?")

    def read(self):
        self.answer = self.listening.recv(256)
        self.judge()


class _Echo(_Flight):
    def start(self):
        self.number = fresh(self.attempt.namespace)
        protocol = packets.ICMP if self.family == socket.AF_INET else packets.ICMPV6
        self.listening = self.open(socket.SOCK_RAW, protocol)
        self.listening.bind((self.attempt.source, 0))

    def ask(self):
        rest = struct.pack("!HH", self.number, 1)
        if self.family == socket.AF_INET:
            message = packets.icmp(8, 0, rest, b"conformance")
        else:
            message = packets.icmpv6(self.attempt.source, self.attempt.target, 128, 0, rest, b"conformance")
        self.listening.sendto(message, (self.attempt.target, 0))

    def read(self):
        packet = self.listening.recv(2048)
        message = packet[(packet[0] & 15) * 4:] if self.family == socket.AF_INET else packet
        if message[0] in (0, 129) and struct.unpack("!H", message[4:6])[0] == self.number:
            self.result = "allow"


class _OneWay(_Flight):
    """Heard with a mark, which no other has, by a socket that gets what the target's own stack gets."""

    def start(self):
        self.number, self.mark = fresh(self.attempt.namespace), struct.pack("!I", next(_marks))
        self.sending = self.open(socket.SOCK_RAW, self.protocol)
        self.sending.bind((self.attempt.source, 0))

    def listen(self):
        self.listening = self.open(socket.SOCK_RAW, self.protocol)

    def ask(self):
        self.sending.sendto(self.message(), (self.attempt.target, 0))

    def read(self):
        if self.mark in self.listening.recv(2048):
            self.result = "allow"


class _Init(_OneWay):
    protocol = SCTP

    def message(self):  # the mark is the initiate tag
        chunk = struct.pack("!BBH", 1, 0, 20) + self.mark + struct.pack("!IHHI", 65535, 1, 1, 1)
        ports = struct.pack("!HHI", self.number, self.attempt.port, 0)
        return ports + struct.pack("<I", crc32c(ports + bytes(4) + chunk)) + chunk


class _Error(_OneWay):
    """An ICMP error about a flow that nobody has."""
    protocol = packets.ICMP

    def message(self):
        about = packets.udp(self.attempt.target, "198.51.100.99", self.number, 9, self.mark)
        return packets.icmp(*self.attempt.port, bytes(4), packets.ipv4(self.attempt.target, "198.51.100.99", packets.UDP, about))


def crc32c(content):
    value = 0xFFFFFFFF
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def _flight(attempt):
    if attempt.protocol == "sctp":
        return _Init(attempt)
    if attempt.one_way:
        return _Error(attempt)
    return {"tcp": _Connection, "udp": _Datagram}.get(attempt.protocol, _Echo)(attempt)


def settle(expected, what):
    """Until everything is as expected, and then once more: it has to stay so."""
    patience, deadline = FIRST_PATIENCE, time.monotonic() + CONVERGES_WITHIN
    while wrong := _differences(expected, patience):
        patience = min(2 * patience, PATIENCE)  # what was dropped a moment ago is sent again by TCP after a second only
        if time.monotonic() > deadline:
            raise AssertionError("\n  ".join([f"{what}: not within {CONVERGES_WITHIN:.0f} s", *wrong]))
    wrong = _differences(expected, PATIENCE)
    assert not wrong, "\n  ".join([f"{what}: did not stay so", *wrong])


def _differences(expected, patience):
    seen = probe({attempt: verdict for attempt, (verdict, _) in expected.items()}, patience)
    wrong = [f"{text}  {attempt.source} -> {attempt.target}: got {seen[attempt]}"
             for attempt, (verdict, text) in expected.items() if seen[attempt] != verdict]
    return wrong[:20] + [f"and {len(wrong) - 20} more"] * (len(wrong) > 20)


def probe(expected, patience=PATIENCE):
    """`expected`: Attempt -> "allow" or "deny", which decides only how long it is waited for. The same of what came."""
    flights = [_flight(attempt) for attempt in expected]
    waiting = selectors.DefaultSelector()
    try:
        _in_each([(flight.attempt.namespace, flight.start) for flight in flights])
        _in_each([(flight.attempt.identity, flight.listen) for flight in flights if flight.attempt.one_way])
        for flight in flights:
            if flight.listening is not None:
                waiting.register(flight.listening, selectors.EVENT_READ, flight)
        _wait(flights, waiting, [f for f in flights if expected[f.attempt] == "allow"], patience)
        return {flight.attempt: flight.result or "deny" for flight in flights}
    finally:
        waiting.close()
        for flight in flights:
            flight.close()


def _in_each(actions):
    for namespace, group in itertools.groupby(sorted(actions, key=lambda one: one[0]), key=lambda one: one[0]):
        with packets.inside(namespace):
            for _, action in group:
                action()


def _wait(flights, waiting, wanted, patience):
    give_up, ask, silence_ends = time.monotonic() + patience, 0, None
    while True:
        now = time.monotonic()
        if now >= ask:
            for flight in flights:
                _ask(flight)
            ask = now + ASK_AGAIN
        if silence_ends is None and all(flight.result for flight in wanted):
            silence_ends = now + SILENCE
        if now >= (give_up if silence_ends is None else silence_ends) or all(flight.result for flight in flights):
            return
        for key, _ in waiting.select(min(ask - now, 0.02)):
            key.data.on_readable()
            if key.data.result:
                waiting.unregister(key.fileobj)


def _ask(flight):
    if flight.result is None:
        try:
            flight.ask()
        except (PermissionError, BlockingIOError):
            pass  # a rule of the sender's own host denies it
        except OSError as wrong:
            flight.result = wrong.strerror
