#!/usr/bin/python3
"""Steady traffic to a pod of the lab, and how much of it was answered.

Usage: stream.py ADDRESS UDP_PORT TCP_PORT RATE. Sends RATE datagrams and RATE messages on one TCP connection a second,
each with a number; the pod echoes them. Says "running" when both are answered, goes on until its standard input ends,
waits for stragglers, and prints {"udp": {"sent": N, "lost": N}, "tcp": {...}}.
"""

import json
import select
import socket
import struct
import sys
import time

STRAGGLERS = 2.0  # seconds
NUMBER = struct.Struct("!Q")


class Datagrams:
    def __init__(self, family, address, port):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.connect((address, port))
        self.sent, self.answered = 0, set()

    def send(self):
        self.socket.send(NUMBER.pack(self.sent))
        self.sent += 1

    def receive(self):
        self.answered.add(NUMBER.unpack(self.socket.recv(2048)[-NUMBER.size:])[0])


class Connection:
    def __init__(self, family, address, port):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect((address, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not self.socket.recv(1) == b"\n":
            pass  # the greeting
        self.sent, self.answered, self.partial = 0, set(), b""

    def send(self):
        self.socket.sendall(NUMBER.pack(self.sent))
        self.sent += 1

    def receive(self):
        received = self.socket.recv(65536)
        if not received:
            raise ConnectionError("the connection was closed")
        self.partial += received
        while len(self.partial) >= NUMBER.size:
            self.answered.add(NUMBER.unpack(self.partial[:NUMBER.size])[0])
            self.partial = self.partial[NUMBER.size:]


def main():
    address, udp_port, tcp_port, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flows = {"udp": Datagrams(family, address, udp_port), "tcp": Connection(family, address, tcp_port)}
    by_socket = {flow.socket: flow for flow in flows.values()}
    next_send, stop_at, announced = time.monotonic(), None, False
    while stop_at is None or (time.monotonic() < stop_at and any(len(f.answered) < f.sent for f in flows.values())):
        now = time.monotonic()
        if stop_at is None and now >= next_send:
            for flow in flows.values():
                flow.send()
            next_send += 1 / rate
        watched = list(by_socket) + ([sys.stdin] if stop_at is None else [])
        readable, _, _ = select.select(watched, [], [], max(0, min(next_send - now, 0.1)) if stop_at is None else 0.05)
        for one in readable:
            if one is sys.stdin:
                if not sys.stdin.buffer.read1():
                    stop_at = time.monotonic() + STRAGGLERS
            else:
                by_socket[one].receive()
        if not announced and all(flow.answered for flow in flows.values()):
            announced = True
            print("running", flush=True)
    print(json.dumps({name: {"sent": f.sent, "lost": f.sent - len(f.answered)} for name, f in flows.items()}), flush=True)


if __name__ == "__main__":
    main()
