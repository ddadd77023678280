"""Frames as bytes, also those that no well-behaved sender makes, and sockets in other network namespaces."""

import contextlib
import ctypes
import ipaddress
import os
import socket
import struct

CLONE_NEWNET = 0x40000000
ETH_P_ALL, ETH_P_IP, ETH_P_ARP, ETH_P_IPV6, ETH_P_8021Q, ETH_P_8021AD = 3, 0x800, 0x806, 0x86DD, 0x8100, 0x88A8
HOP_BY_HOP, ICMP, IPIP, TCP, UDP, ROUTING, FRAGMENT, GRE, AH, ICMPV6, NO_NEXT, DEST_OPTS = (
    0, 1, 4, 6, 17, 43, 44, 47, 51, 58, 59, 60)
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32

_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(namespace):
    """This thread in the network namespace of that name; what it opens stays there."""
    with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{namespace}", "rb") as there:
        if _libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        try:
            yield
        finally:
            if _libc.setns(home.fileno(), CLONE_NEWNET) != 0:
                os._exit(70)  # nothing may go on in somebody else's namespace


def wire(namespace, interface="eth0"):
    """A socket for whole frames; it hears what comes and goes there, before any rule."""
    with inside(namespace):
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        opened.bind((interface, 0))
    opened.setblocking(False)
    return opened


def delivered(namespace, family, protocol):
    """A socket that hears what of a protocol is handed to the namespace's own stack, so after the rules of INPUT."""
    with inside(namespace):
        opened = socket.socket(family, socket.SOCK_RAW, protocol)
    opened.setblocking(False)
    return opened


def heard(listening):
    """All that has come so far."""
    packets = []
    with contextlib.suppress(BlockingIOError):
        while True:
            packets.append(listening.recv(65535))
    return packets


def checksum(content):
    padded = content + b"\0" * (len(content) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packed(address):
    return ipaddress.ip_address(address).packed


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ethernet(destination, source, protocol, content, tags=()):
    """`tags`: [(0x8100, vlan)], the outermost first."""
    shim = b"".join(struct.pack("!HH", kind, vlan) for kind, vlan in tags)
    return mac(destination) + mac(source) + shim + struct.pack("!H", protocol) + content


def arp(operation, sender_mac, sender, target_mac, target):
    return (struct.pack("!HHBBH", 1, ETH_P_IP, 6, 4, operation) + mac(sender_mac) + packed(sender) + mac(target_mac) +
            packed(target))


def pseudo_header(source, destination, protocol, length):
    if len(packed(source)) == 4:
        return packed(source) + packed(destination) + struct.pack("!BBH", 0, protocol, length)
    return packed(source) + packed(destination) + struct.pack("!II", length, protocol)


def udp(source, destination, source_port, port, payload):
    length = 8 + len(payload)
    header = struct.pack("!HHHH", source_port, port, length, 0)
    total = checksum(pseudo_header(source, destination, UDP, length) + header + payload) or 0xFFFF
    return struct.pack("!HHHH", source_port, port, length, total) + payload


def tcp(source, destination, source_port, port, flags, payload, sequence=1000, acknowledged=2000):
    def header(total):
        return struct.pack("!HHIIBBHHH", source_port, port, sequence, acknowledged, 5 << 4, flags, 8192, total, 0)

    length = 20 + len(payload)
    return header(checksum(pseudo_header(source, destination, TCP, length) + header(0) + payload)) + payload


def icmp(kind, code, rest, payload):
    body = struct.pack("!BBH", kind, code, 0) + rest + payload
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def icmpv6(source, destination, kind, code, rest, payload=b""):
    body = struct.pack("!BBH", kind, code, 0) + rest + payload
    total = checksum(pseudo_header(source, destination, ICMPV6, len(body)) + body)
    return body[:2] + struct.pack("!H", total) + body[4:]


def ipv4(source, destination, protocol, content, options=b"", number=1, offset=0, more=False, ttl=64):
    """`offset`: of a fragment, in bytes."""
    options += b"\0" * (-len(options) % 4)
    words = 5 + len(options) // 4

    def header(total):
        return struct.pack("!BBHHHBBH", 4 << 4 | words, 0, words * 4 + len(content), number,
                           more << 13 | offset // 8, ttl, protocol, total) + packed(source) + packed(destination) + options

    return header(checksum(header(0))) + content


def ipv6(source, destination, next_header, content, hops=64):
    return struct.pack("!IHBB", 6 << 28, len(content), next_header, hops) + packed(source) + packed(destination) + content


def extended(protocol, content, *kinds):
    """The content behind IPv6 extension headers of these kinds: (first header's number, bytes)."""
    for kind in reversed(kinds):
        content, protocol = extension(kind, protocol) + content, kind
    return protocol, content


def extension(kind, next_header, routing=(0, 0, ())):
    """`routing`: type, segments left, addresses."""
    if kind == ROUTING:
        way, left, addresses = routing
        return struct.pack("!BBBBI", next_header, 2 * len(addresses), way, left, 0) + b"".join(map(packed, addresses))
    if kind == FRAGMENT:
        return struct.pack("!BBHI", next_header, 0, 0, 7)
    if kind == AH:
        return struct.pack("!BBHII", next_header, 2, 0, 1, 1) + b"\0" * 4
    return struct.pack("!BB", next_header, 0) + b"\x01\x04\0\0\0\0"  # options: PadN


def ipv6_fragment(next_header, content, offset, more, number=9):
    return struct.pack("!BBHI", next_header, 0, offset | more, number) + content


def vxlan(vni, frame):
    return struct.pack("!II", 0x08000000, vni << 8) + frame
