"""What a pod can do with every right in its own network namespace: any frame, forged and malformed ones too.

Each attack of a table carries a mark of its own. A packet that is allowed follows on the same way; when it has come, whatever
an attack could get through has come as well.
"""

import itertools
import json
import socket
import struct
from collections import namedtuple

import pytest

import host
import packets as p
from cluster import Cluster, namespace, pod, run, wait_until

OPEN_PORT, CLOSED_PORT = 9999, 80  # for everybody; for friends only
HOST_MAC, NOBODY_MAC = "ee:ee:ee:ee:ee:ee", "02:00:00:00:00:01"
NODE4, NODE6, OTHER_NODE4 = "172.18.0.11", "fd00:172:18::b", "172.18.0.12"
VXLAN_PORT, VNI = 4789, 4096

Pod = namedtuple("Pod", "namespace ip4 ip6 mac")


@pytest.fixture(scope="module")
def cluster():
    with Cluster(nodes=2, ipv6=True) as lab:
        port = [{"port": CLOSED_PORT, "protocol": protocol} for protocol in ("TCP", "UDP")]
        friends = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "friend"}}}
        lab.apply(
            namespace("evil"), namespace("victim"),
            {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
             "metadata": {"namespace": "victim", "name": "friends-only"},
             "spec": {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"],
                      "ingress": [{"from": [friends], "ports": port},
                                  {"ports": [{"port": OPEN_PORT, "protocol": "UDP"}]}]}},
            pod("evil", "eve", [(80, "TCP")], node="node1"),
            pod("victim", "friend", [(80, "TCP")], {"app": "friend"}, node="node1"),
            pod("victim", "near", [(80, "TCP"), (80, "UDP")], {"app": "db"}, node="node1"),
            pod("victim", "far", [(80, "TCP"), (80, "UDP")], {"app": "db"}, node="node2"))
        lab.wait_for_pods(["evil/eve", "victim/friend", "victim/near", "victim/far"])
        wait_until(lambda: {(o["from"], o["to"]): o["result"] for o in lab.probe("--protocol", "tcp")}.items() >= {
            ("victim/friend", "victim/near"): "allow", ("victim/friend", "victim/far"): "allow",
            ("evil/eve", "victim/near"): "deny", ("evil/eve", "victim/far"): "deny"}.items(), "the policy holds")
        yield lab


def look_up(cluster, ns, name):
    metadata, status = (cluster.get("pod", "-n", ns, name)[part] for part in ("metadata", "status"))
    container = metadata["annotations"]["cni.projectcalico.org/containerID"]
    place = f"mgl-{host.lab_id(cluster.directory)}-pod-{container[:12]}"
    ip4, ip6 = (ip["ip"] for ip in status["podIPs"])
    link = json.loads(run("ip", "-j", "-n", place, "link", "show", "eth0").stdout)[0]
    return Pod(place, ip4, ip6, link["address"])


@pytest.fixture(scope="module")
def eve(cluster):
    return look_up(cluster, "evil", "eve")


@pytest.fixture(scope="module")
def friend(cluster):
    return look_up(cluster, "victim", "friend")


@pytest.fixture(scope="module", params=["near", "far"])
def victim(cluster, request):
    return look_up(cluster, "victim", request.param)


@pytest.fixture(scope="module")
def node(cluster):
    return f"mgl-{host.lab_id(cluster.directory)}-node1"


def frames4(eve, *packets_):
    return [p.ethernet(HOST_MAC, eve.mac, p.ETH_P_IP, packet) for packet in packets_]


def frames6(eve, *packets_):
    return [p.ethernet(HOST_MAC, eve.mac, p.ETH_P_IPV6, packet) for packet in packets_]


def datagram4(source, destination, payload, port=CLOSED_PORT, source_port=5555, **ip):
    return p.ipv4(source, destination, p.UDP, p.udp(source, destination, source_port, port, payload), **ip)


def datagram6(source, destination, payload, port=CLOSED_PORT, source_port=5555):
    return p.ipv6(source, destination, p.UDP, p.udp(source, destination, source_port, port, payload))


def survivors(eve, attacks, listening, control):
    """Names of the attacks whose mark is heard. `attacks`: name -> function of a mark to frames."""
    way = p.wire(eve.namespace)
    for socket_ in listening:
        p.heard(socket_)
    marks = {name: f"<attack-{number:04}>".encode() for number, name in enumerate(attacks)}
    for name, make in attacks.items():
        for frame in make(marks[name]):
            way.send(frame)
    seen = []

    def control_came():
        way.send(control(b"<control>"))
        seen.extend(packet for socket_ in listening for packet in p.heard(socket_))
        return any(b"<control>" in packet for packet in seen)

    wait_until(control_came, "what is allowed comes through", within=10)
    return [name for name, mark in marks.items() if any(mark in packet for packet in seen)]


def forged_sources(eve, friend, victim):
    sources4 = {"another pod's": friend.ip4, "the node's": NODE4, "another node's": OTHER_NODE4, "the victim's own": victim.ip4,
                "loopback": "127.0.0.1", "the gateway's": "169.254.1.1", "none": "0.0.0.0", "broadcast": "255.255.255.255",
                "multicast": "224.0.0.1", "a stranger's": "203.0.113.7", "the API server's": "172.18.0.1"}
    sources6 = {"another pod's": friend.ip6, "the node's": NODE6, "the victim's own": victim.ip6, "loopback": "::1",
                "none": "::", "link-local": "fe80::1", "the gateway's": "fe80::ecee:eeff:feee:eeee", "multicast": "ff02::1",
                "a stranger's": "2001:db8::7", "IPv4 mapped": f"::ffff:{friend.ip4}", "6to4": "2002:c000:204::1"}
    attacks = {}
    for (whose, source), port in itertools.product(sources4.items(), (CLOSED_PORT, OPEN_PORT)):
        attacks[f"IPv4 source: {whose}, port {port}"] = (
            lambda mark, s=source, to=port: frames4(eve, datagram4(s, victim.ip4, mark, to)))
    for (whose, source), port in itertools.product(sources6.items(), (CLOSED_PORT, OPEN_PORT)):
        attacks[f"IPv6 source: {whose}, port {port}"] = (
            lambda mark, s=source, to=port: frames6(eve, datagram6(s, victim.ip6, mark, to)))
    return attacks


def hidden_ports_v4(eve, friend, victim):
    def plain(mark, **ip):
        return datagram4(eve.ip4, victim.ip4, mark, **ip)

    def fragments(mark, cuts, reorder=False):
        whole = p.udp(eve.ip4, victim.ip4, 5555, CLOSED_PORT, mark + b"." * 40)
        ends = cuts[1:] + [len(whole)]
        parts = [p.ipv4(eve.ip4, victim.ip4, p.UDP, whole[start:end], number=77 + len(cuts), offset=start,
                        more=end != len(whole)) for start, end in zip(cuts, ends)]
        return frames4(eve, *(reversed(parts) if reorder else parts))

    number = itertools.count(90)

    def overlap(mark, ports, cuts):  # each fragment is cut from a datagram to the port beside it
        wholes = [p.udp(eve.ip4, victim.ip4, 5555, port, mark + b"." * 40) for port in ports]
        same = next(number)
        return frames4(eve, *(p.ipv4(eve.ip4, victim.ip4, p.UDP, whole[start:end], number=same, offset=start,
                                     more=end < len(whole)) for whole, (start, end) in zip(wholes, cuts)))

    def route(kind, *via):
        addresses = b"".join(map(p.packed, via))
        return bytes([kind, 3 + len(addresses), 4]) + addresses

    inner = datagram4(friend.ip4, victim.ip4, b"")
    attacks = {
        "as it is": lambda mark: frames4(eve, plain(mark)),
        "fragments, ports in the first": lambda mark: fragments(mark, [0, 8]),
        "fragments, the last first": lambda mark: fragments(mark, [0, 24], reorder=True),
        "fragments that overlap, behind the ports": lambda mark: overlap(
            mark, (OPEN_PORT, CLOSED_PORT), ((0, 24), (16, 99))),
        "fragments that overlap, over the ports": lambda mark: overlap(
            mark, (OPEN_PORT, CLOSED_PORT, OPEN_PORT), ((0, 16), (0, 24), (24, 99))),
        "ports said twice": lambda mark: overlap(mark, (CLOSED_PORT, OPEN_PORT, OPEN_PORT), ((0, 24), (0, 24), (24, 99))),
        "a fragment without a first": lambda mark: frames4(
            eve, p.ipv4(eve.ip4, victim.ip4, p.UDP, mark, number=55, offset=8)),
        "a fragment that ends past 64 KiB": lambda mark: frames4(
            eve, p.ipv4(eve.ip4, victim.ip4, p.UDP, mark + b"." * 80, number=56, offset=65528)),
        "options: padding": lambda mark: frames4(eve, plain(mark, options=b"\1" * 40)),
        "options: record route": lambda mark: frames4(eve, plain(mark, options=b"\7\x07\4\0\0\0\0\0")),
        "options: router alert": lambda mark: frames4(eve, plain(mark, options=b"\x94\4\0\0")),
        "options: loose source route over the victim": lambda mark: frames4(
            eve, datagram4(eve.ip4, NODE4, mark, options=route(131, victim.ip4))),
        "options: strict source route over the victim": lambda mark: frames4(
            eve, datagram4(eve.ip4, NODE4, mark, options=route(137, victim.ip4))),
        "options: source route over a friend": lambda mark: frames4(
            eve, datagram4(eve.ip4, friend.ip4, mark, options=route(131, victim.ip4))),
        "a header that is too short": lambda mark: frames4(eve, b"\x44" + plain(mark)[1:]),
        "an IP version that is none": lambda mark: frames4(eve, b"\x55" + plain(mark)[1:]),
        "an IPv4 packet as IPv6": lambda mark: frames6(eve, plain(mark)),
        "IPIP": lambda mark: frames4(eve, p.ipv4(eve.ip4, victim.ip4, p.IPIP, inner + mark)),
        "GRE": lambda mark: frames4(eve, p.ipv4(eve.ip4, victim.ip4, p.GRE, b"\0\0\x08\0" + inner + mark)),
        "IPv6 in IPv4": lambda mark: frames4(
            eve, p.ipv4(eve.ip4, victim.ip4, 41, datagram6(friend.ip6, victim.ip6, mark))),
        "UDP-Lite": lambda mark: frames4(
            eve, p.ipv4(eve.ip4, victim.ip4, 136, p.udp(eve.ip4, victim.ip4, 5555, CLOSED_PORT, mark))),
        "VXLAN to the open port's pod": lambda mark: frames4(
            eve, datagram4(eve.ip4, victim.ip4, p.vxlan(VNI, mark), port=VXLAN_PORT)),
        "ICMP echo": lambda mark: frames4(eve, p.ipv4(eve.ip4, victim.ip4, p.ICMP, p.icmp(8, 0, b"\0\1\0\1", mark))),
        "ICMP echo reply": lambda mark: frames4(eve, p.ipv4(eve.ip4, victim.ip4, p.ICMP, p.icmp(0, 0, b"\0\1\0\1", mark))),
        "ICMP error about no flow": lambda mark: frames4(
            eve, p.ipv4(eve.ip4, victim.ip4, p.ICMP, p.icmp(3, 4, b"\0\0\2\x40", datagram4(victim.ip4, eve.ip4, mark)))),
        "ICMP redirect": lambda mark: frames4(
            eve, p.ipv4(eve.ip4, victim.ip4, p.ICMP, p.icmp(5, 1, p.packed(eve.ip4), datagram4(victim.ip4, friend.ip4, mark)))),
        "to everybody's Ethernet address": lambda mark: [
            p.ethernet("ff:ff:ff:ff:ff:ff", eve.mac, p.ETH_P_IP, plain(mark))],
        "to the victim's Ethernet address": lambda mark: [p.ethernet(victim.mac, eve.mac, p.ETH_P_IP, plain(mark))],
        "from another's Ethernet address": lambda mark: [p.ethernet(HOST_MAC, friend.mac, p.ETH_P_IP, plain(mark))],
        "another EtherType": lambda mark: [p.ethernet(HOST_MAC, eve.mac, 0x88B5, mark)],
        "MPLS": lambda mark: [p.ethernet(HOST_MAC, eve.mac, 0x8847, b"\0\0\1\x40" + plain(mark))],
        "PPPoE": lambda mark: [p.ethernet(HOST_MAC, eve.mac, 0x8864, b"\x11\0\0\0\0\x40\0\x21" + plain(mark))],
    }
    for tags in ([(p.ETH_P_8021Q, 0)], [(p.ETH_P_8021Q, 5)], [(p.ETH_P_8021AD, 5), (p.ETH_P_8021Q, 0)]):
        attacks[f"VLAN tags {tags}"] = lambda mark, t=tags: [
            p.ethernet(HOST_MAC, eve.mac, p.ETH_P_IP, plain(mark), tags=t)]
    for flags in (0, p.SYN, p.ACK, p.PSH | p.ACK, p.RST, p.RST | p.ACK, p.FIN | p.ACK, p.SYN | p.ACK, p.SYN | p.RST, p.SYN | p.FIN,
                  p.FIN | p.PSH | p.URG, 0x3F):
        attacks[f"TCP flags {flags:#04x} out of nowhere"] = lambda mark, f=flags: frames4(
            eve, p.ipv4(eve.ip4, victim.ip4, p.TCP, p.tcp(eve.ip4, victim.ip4, 4000 + f, CLOSED_PORT, f, mark)))
    return attacks


def hidden_ports_v6(eve, friend, victim):
    def datagram(mark, *kinds):
        return p.ipv6(eve.ip6, victim.ip6, *p.extended(p.UDP, p.udp(eve.ip6, victim.ip6, 5555, CLOSED_PORT, mark), *kinds))

    def routed(mark, way, left, *via):
        content = p.udp(eve.ip6, victim.ip6, 5555, CLOSED_PORT, mark)
        return p.ipv6(eve.ip6, via[0] if left else victim.ip6, p.ROUTING,
                      p.extension(p.ROUTING, p.UDP, (way, left, via)) + content)

    def fragments(mark, first_kind, whole, cut, overlap=0):
        return frames6(eve, p.ipv6(eve.ip6, victim.ip6, p.FRAGMENT, p.ipv6_fragment(first_kind, whole[:cut], 0, True, cut)),
                       p.ipv6(eve.ip6, victim.ip6, p.FRAGMENT,
                              p.ipv6_fragment(first_kind, whole[cut - overlap:], cut - overlap, False, cut)))

    def behind_options(mark):  # the first fragment holds an extension header only
        kind, whole = p.extended(p.UDP, p.udp(eve.ip6, victim.ip6, 5555, CLOSED_PORT, mark), p.DEST_OPTS)
        return fragments(mark, kind, whole, 8)

    def cut(mark, at, overlap=0):
        return fragments(mark, p.UDP, p.udp(eve.ip6, victim.ip6, 5555, CLOSED_PORT, mark + b"." * 40), at, overlap)

    attacks = {
        "as it is": lambda mark: frames6(eve, datagram(mark)),
        "hop-by-hop options": lambda mark: frames6(eve, datagram(mark, p.HOP_BY_HOP)),
        "destination options": lambda mark: frames6(eve, datagram(mark, p.DEST_OPTS)),
        "20 destination options": lambda mark: frames6(eve, datagram(mark, *[p.DEST_OPTS] * 20)),
        "authentication header": lambda mark: frames6(eve, datagram(mark, p.AH)),
        "an atomic fragment": lambda mark: frames6(eve, datagram(mark, p.FRAGMENT)),
        "hop-by-hop options after others": lambda mark: frames6(eve, datagram(mark, p.DEST_OPTS, p.HOP_BY_HOP)),
        "fragments, ports in the first": lambda mark: cut(mark, 8),
        "fragments that overlap": lambda mark: cut(mark, 24, overlap=16),
        "fragments, the ports behind options in the second": behind_options,
        "no next header": lambda mark: frames6(eve, p.ipv6(eve.ip6, victim.ip6, p.NO_NEXT, mark)),
        "a protocol nobody knows": lambda mark: frames6(eve, p.ipv6(eve.ip6, victim.ip6, 253, mark)),
        "IPv4 in IPv6": lambda mark: frames6(
            eve, p.ipv6(eve.ip6, victim.ip6, p.IPIP, datagram4(friend.ip4, victim.ip4, mark))),
        "IPv6 in IPv6": lambda mark: frames6(
            eve, p.ipv6(eve.ip6, victim.ip6, 41, datagram6(friend.ip6, victim.ip6, mark))),
        "VXLAN": lambda mark: frames6(eve, datagram6(eve.ip6, victim.ip6, p.vxlan(VNI, mark), port=VXLAN_PORT)),
        "ICMPv6 echo": lambda mark: frames6(
            eve, p.ipv6(eve.ip6, victim.ip6, p.ICMPV6, p.icmpv6(eve.ip6, victim.ip6, 128, 0, b"\0\1\0\1", mark))),
        "ICMPv6 error about no flow": lambda mark: frames6(
            eve, p.ipv6(eve.ip6, victim.ip6, p.ICMPV6, p.icmpv6(
                eve.ip6, victim.ip6, 2, 0, b"\0\0\5\0", datagram6(victim.ip6, eve.ip6, mark)))),
        "a router's advertisement": lambda mark: frames6(
            eve, p.ipv6(eve.ip6, victim.ip6, p.ICMPV6, p.icmpv6(eve.ip6, victim.ip6, 134, 0, b"\x40\0\7\x08" + b"\0" * 8, mark), 255)),
        "a neighbour's advertisement": lambda mark: frames6(
            eve, p.ipv6(eve.ip6, victim.ip6, p.ICMPV6, p.icmpv6(
                eve.ip6, victim.ip6, 136, 0, b"\x60\0\0\0" + p.packed(friend.ip6), mark), 255)),
        "an IPv6 packet as IPv4": lambda mark: frames4(eve, datagram(mark)),
    }
    for way, left in itertools.product((0, 2, 3, 4, 253), (0, 1)):
        attacks[f"routing header of type {way}, {left} left, over a friend"] = (
            lambda mark, w=way, n=left: frames6(eve, routed(mark, w, n, friend.ip6)))
        attacks[f"routing header of type {way}, {left} left, over the node"] = (
            lambda mark, w=way, n=left: frames6(eve, routed(mark, w, n, NODE6)))
    for flags in (p.SYN, p.ACK, p.RST, p.SYN | p.ACK, 0x3F):
        attacks[f"TCP flags {flags:#04x} out of nowhere"] = lambda mark, f=flags: frames6(
            eve, p.ipv6(eve.ip6, victim.ip6, p.TCP, p.tcp(eve.ip6, victim.ip6, 4000 + f, CLOSED_PORT, f, mark)))
    return attacks


@pytest.mark.parametrize("table", [forged_sources, hidden_ports_v4, hidden_ports_v6], ids=lambda table: table.__name__)
def test_nothing_forged_or_hidden_reaches_a_pod(eve, friend, victim, table):
    listening = [p.wire(victim.namespace)]
    assert survivors(eve, table(eve, friend, victim), listening,
                     lambda mark: frames4(eve, datagram4(eve.ip4, victim.ip4, mark, OPEN_PORT))[0]) == []


def to_the_node(eve, friend, destinations4, destinations6):
    attacks = {}
    for name, destination in destinations4.items():
        for port in (53, 67, 111, 4789, 9091, 9099, 10250):
            attacks[f"UDP {port}, {name}"] = lambda mark, d=destination, to=port: frames4(eve, datagram4(eve.ip4, d, mark, to))
        for port, flags in itertools.product((22, 9091, 9099, 10250), (p.SYN, p.ACK)):
            attacks[f"TCP {port} {flags}, {name}"] = lambda mark, d=destination, to=port, f=flags: frames4(
                eve, p.ipv4(eve.ip4, d, p.TCP, p.tcp(eve.ip4, d, 4100, to, f, mark)))
        for kind in (0, 3, 5, 8, 9, 13):
            attacks[f"ICMP {kind}, {name}"] = lambda mark, d=destination, k=kind: frames4(
                eve, p.ipv4(eve.ip4, d, p.ICMP, p.icmp(k, 0, b"\0" * 4, datagram4(d, eve.ip4, mark))))
        for protocol in (p.IPIP, p.GRE):
            attacks[f"protocol {protocol}, {name}"] = lambda mark, d=destination, number=protocol: frames4(
                eve, p.ipv4(eve.ip4, d, number, b"\0\0\x08\0" * (number == p.GRE) + datagram4(friend.ip4, d, mark)))
        for whose, source in {"another pod": friend.ip4, "another node": OTHER_NODE4, "nobody": "0.0.0.0"}.items():
            attacks[f"VXLAN as {whose}, {name}"] = lambda mark, d=destination, s=source: frames4(
                eve, datagram4(s, d, p.vxlan(VNI, mark), VXLAN_PORT))
    for name, destination in destinations6.items():
        attacks[f"UDP 4789, {name}"] = lambda mark, d=destination: frames6(eve, datagram6(eve.ip6, d, mark, 4789))
        attacks[f"UDP from a link-local address, {name}"] = lambda mark, d=destination: frames6(
            eve, datagram6("fe80::66", d, mark, 9099))
        for kind in (128, 134, 137, 2, 143):
            attacks[f"ICMPv6 {kind}, {name}"] = lambda mark, d=destination, k=kind: frames6(
                eve, p.ipv6("fe80::66", d, p.ICMPV6, p.icmpv6("fe80::66", d, k, 0, b"\0" * 4, mark), 255))
        attacks[f"TCP, {name}"] = lambda mark, d=destination: frames6(
            eve, p.ipv6(eve.ip6, d, p.TCP, p.tcp(eve.ip6, d, 4100, 9099, p.SYN, mark)))
    return attacks


def test_nothing_but_neighbour_discovery_reaches_the_node_itself(eve, friend, node):
    attacks = to_the_node(
        eve, friend,
        {"the node's address": NODE4, "loopback": "127.0.0.1", "loopback's net": "127.1.2.3", "broadcast": "255.255.255.255",
         "multicast": "224.0.0.1", "the nodes' broadcast": "172.18.0.255", "no address": "0.0.0.0"},
        {"the node's IPv6 address": NODE6, "the gateway": "fe80::ecee:eeff:feee:eeee", "all nodes": "ff02::1",
         "all routers": "ff02::2", "loopback 6": "::1"})
    listening = [p.delivered(node, socket.AF_INET, protocol) for protocol in (p.UDP, p.TCP, p.ICMP, p.IPIP, p.GRE)]
    listening += [p.delivered(node, socket.AF_INET6, protocol) for protocol in (p.UDP, p.TCP, p.ICMPV6)]
    solicitation = b"\0" * 4 + p.packed("fe80::ecee:eeff:feee:eeee")

    def control(mark):  # a neighbour's solicitation, which the node hears; the mark is an option nobody knows
        return frames6(eve, p.ipv6(eve.ip6, "fe80::ecee:eeff:feee:eeee", p.ICMPV6, p.icmpv6(
            eve.ip6, "fe80::ecee:eeff:feee:eeee", 135, 0, solicitation, b"\xfd\2" + mark.ljust(14, b"\0")), 255))[0]

    assert survivors(eve, attacks, listening, control) == []


def test_nothing_forged_leaves_the_node(eve, friend, node):
    inner = p.ethernet("66:00:00:00:00:01", NOBODY_MAC, p.ETH_P_IP, datagram4(friend.ip4, "10.65.0.9", b"inner"))

    def vxlan(mark, source=eve.ip4, **ip):
        return datagram4(source, OTHER_NODE4, p.vxlan(VNI, inner + mark), VXLAN_PORT, **ip)

    def in_fragments(mark):
        whole = p.udp(eve.ip4, OTHER_NODE4, 5555, VXLAN_PORT, p.vxlan(VNI, inner + mark))
        return frames4(eve, p.ipv4(eve.ip4, OTHER_NODE4, p.UDP, whole[:8], number=31, more=True),
                       p.ipv4(eve.ip4, OTHER_NODE4, p.UDP, whole[8:], number=31, offset=8))

    attacks = {
        "VXLAN": lambda mark: frames4(eve, vxlan(mark)),
        "VXLAN from its own port": lambda mark: frames4(eve, datagram4(
            eve.ip4, OTHER_NODE4, p.vxlan(VNI, inner + mark), VXLAN_PORT, VXLAN_PORT)),
        "VXLAN with options": lambda mark: frames4(eve, vxlan(mark, options=b"\1" * 4)),
        "VXLAN in fragments": in_fragments,
        "VXLAN in the node's name": lambda mark: frames4(eve, vxlan(mark, source=NODE4)),
        "VXLAN behind IPv6 options": lambda mark: frames6(eve, p.ipv6(eve.ip6, "fd00:172:18::c", *p.extended(
            p.UDP, p.udp(eve.ip6, "fd00:172:18::c", 5555, VXLAN_PORT, p.vxlan(VNI, inner + mark)), p.DEST_OPTS))),
        "IPIP": lambda mark: frames4(eve, p.ipv4(eve.ip4, OTHER_NODE4, p.IPIP, datagram4(friend.ip4, "10.65.0.9", mark))),
        "a stranger's source": lambda mark: frames4(eve, datagram4("203.0.113.7", OTHER_NODE4, mark)),
        "the node's source": lambda mark: frames4(eve, datagram4(NODE4, OTHER_NODE4, mark)),
        "another pod's source": lambda mark: frames4(eve, datagram4(friend.ip4, OTHER_NODE4, mark)),
        "loopback's source": lambda mark: frames4(eve, datagram4("127.0.0.1", OTHER_NODE4, mark)),
        "another pod's IPv6 source": lambda mark: frames6(eve, datagram6(friend.ip6, "fd00:172:18::c", mark)),
        "multicast": lambda mark: frames4(eve, datagram4(eve.ip4, "239.1.2.3", mark)),
        "the nodes' broadcast": lambda mark: frames4(eve, datagram4(eve.ip4, "172.18.0.255", mark)),
    }
    assert survivors(eve, attacks, [p.wire(node)],
                     lambda mark: frames4(eve, datagram4(eve.ip4, OTHER_NODE4, mark))[0]) == []


def neighbours_and_routes(node, eve):
    """Its own addresses at its own link are a pod's to announce."""
    def told(*words):
        return {json.dumps({key: entry.get(key) for key in ("dst", "dev", "lladdr", "gateway", "type", "local")}, sort_keys=True)
                for entry in json.loads(run("ip", "-j", *words).stdout or "[]") if entry.get("dev") != "eth0"}

    return {"routes": told("-n", node, "route") | told("-n", node, "-6", "route"),
            "neighbours": {n for n in told("-n", node, "neigh")
                           if json.loads(n)["dst"] not in eve and '"fe80:' not in n}}


def test_forged_neighbours_and_routers_change_nothing_on_the_node(eve, friend, victim, node):
    before = neighbours_and_routes(node, eve)
    way = p.wire(eve.namespace)
    for operation, sender, target in itertools.product((1, 2), (friend.ip4, victim.ip4, NODE4, "169.254.1.1", "172.18.0.1", eve.ip4),
                                                       (NODE4, "169.254.1.1", friend.ip4, "172.18.0.1")):
        for destination in (HOST_MAC, "ff:ff:ff:ff:ff:ff"):
            way.send(p.ethernet(destination, NOBODY_MAC, p.ETH_P_ARP, p.arp(operation, NOBODY_MAC, sender, HOST_MAC, target)))
    lladdr = p.mac(NOBODY_MAC)
    prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 86400, 86400, 0) + p.packed("2001:db8:bad::")
    for source in ("fe80::66", eve.ip6, friend.ip6):
        for to in ("ff02::1", "fe80::ecee:eeff:feee:eeee", NODE6):
            for kind, rest, payload in (
                    (134, struct.pack("!BBHII", 64, 0, 1800, 0, 0), prefix + b"\1\1" + lladdr),
                    (136, b"\x60\0\0\0", p.packed(friend.ip6) + b"\2\1" + lladdr),
                    (136, b"\xe0\0\0\0", p.packed(victim.ip6) + b"\2\1" + lladdr),
                    (136, b"\xe0\0\0\0", p.packed("fd00:172:18::1") + b"\2\1" + lladdr),
                    (135, b"\0" * 4, p.packed(NODE6) + b"\1\1" + lladdr),
                    (137, b"\0" * 4, p.packed("fe80::66") + p.packed("fd00:172:18::1") + b"\2\1" + lladdr)):
                way.send(frames6(eve, p.ipv6(source, to, p.ICMPV6, p.icmpv6(source, to, kind, 0, rest, payload), 255))[0])
    listening = [p.wire(victim.namespace)]
    assert survivors(eve, {}, listening, lambda mark: frames4(eve, datagram4(eve.ip4, victim.ip4, mark, OPEN_PORT))[0]) == []
    after = neighbours_and_routes(node, eve)
    assert {kind: after[kind] - before[kind] for kind in before} == {"routes": set(), "neighbours": set()}
    assert after == before
