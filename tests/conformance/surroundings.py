"""What stands around a lab: a host outside the cluster, a second network behind a node, and kube-proxy's place.

Everything is made in network namespaces of the lab's own name, so that `lab down` takes it away.
"""

import contextlib
import pathlib
import selectors
import socket
import threading

import host
import packets
from cluster import run

ROUTER4, ROUTER6 = "203.0.113.1", "2001:db8::1"  # the underlay's end of the way outside
OUTSIDE = ["203.0.113.7", "2001:db8::7", "203.0.113.9", "192.0.2.55", "50.60.0.7", "70.80.90.7"]
MAINTENANCE, MAINTENANCE_GATEWAY = "192.168.0.20", "192.168.0.45"
NODES = {"node1": ["172.18.0.11", "fd00:172:18::b"], "node2": ["172.18.0.12", "fd00:172:18::c"]}
SERVED = {"tcp": [22, 53, 80, 443, 2379], "udp": [53, 80]}


class Server:
    """Answers everybody with its name, on these ports of a network namespace, until it is closed."""

    def __init__(self, namespace, name):
        self.name, self.waiting, self.stopped = name.encode() + b"\n", selectors.DefaultSelector(), False
        with packets.inside(namespace):
            for protocol, ports in SERVED.items():
                for port in ports:
                    self._open(protocol, port)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _open(self, protocol, port):
        kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[protocol]
        for family, everywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            opened = socket.socket(family, kind | socket.SOCK_NONBLOCK)
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # What it answers comes from the address that was asked.
            if protocol == "udp":
                level, option = ((socket.IPPROTO_IP, 8) if family == socket.AF_INET
                                 else (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO))
                opened.setsockopt(level, option, 1)
            opened.bind((everywhere, port))
            if protocol == "tcp":
                opened.listen(64)
            self.waiting.register(opened, selectors.EVENT_READ, self._accept if protocol == "tcp" else self._answer)

    def _accept(self, listening):
        accepted, _ = listening.accept()
        with accepted:
            accepted.sendall(self.name)

    def _answer(self, opened):
        _, asked, _, sender = opened.recvmsg(256, 128)
        opened.sendmsg([self.name], [_reply_from(one) for one in asked], 0, sender)

    def _serve(self):
        while not self.stopped:
            for key, _ in self.waiting.select(0.2):
                with contextlib.suppress(OSError):
                    key.data(key.fileobj)

    def close(self):
        self.stopped = True
        self.thread.join()
        for key in list(self.waiting.get_map().values()):
            key.fileobj.close()
        self.waiting.close()


def _reply_from(asked):
    """The pktinfo of a datagram as that of its answer: the same address, by whatever interface."""
    level, kind, content = asked
    if level == socket.IPPROTO_IP:
        return level, kind, bytes(4) + content[4:8] + bytes(4)
    return level, socket.IPV6_PKTINFO, content[:16] + bytes(4)


class Surroundings:
    def __init__(self, cluster):
        self.prefix = f"mgl-{host.lab_id(cluster.directory)}-"
        self.servers = []
        self.dataplane = cluster.dataplane
        self._outside()
        self._maintenance()

    def close(self):
        for server in self.servers:
            server.close()

    def name(self, short):
        return self.prefix + short

    def ip(self, namespace, *lines):
        for line in lines:
            run("ip", "-n", self.name(namespace), *line.split())

    def _outside(self):
        run("ip", "netns", "add", self.name("outside"))
        self.ip("underlay", f"link add outside type veth peer name eth0 netns {self.name('outside')}",
                f"addr add {ROUTER4}/24 dev outside", f"addr add {ROUTER6}/64 dev outside nodad", "link set outside up")
        self.ip("outside", "link set lo up", "link set eth0 up")
        for address in OUTSIDE:
            near = address.startswith("203.0.113.") or ":" in address
            self.ip("outside", f"addr add {address}/{64 if ':' in address else 24 if near else 32} dev eth0"
                    + (" nodad" if ":" in address else ""))
            if not near:
                self.ip("underlay", f"route add {address}/32 via {OUTSIDE[0]}")
        self.ip("outside", f"route add default via {ROUTER4}", f"-6 route add default via {ROUTER6}")
        self._forwards("underlay")
        self.servers.append(Server(self.name("outside"), "outside"))

    def _maintenance(self):
        """A network that only node1 is connected to, by eth1."""
        run("ip", "netns", "add", self.name("maintenance"))
        self.ip("node1", f"link add eth1 type veth peer name eth0 netns {self.name('maintenance')}",
                f"addr add {MAINTENANCE_GATEWAY}/24 dev eth1", "link set eth1 up")
        self.ip("maintenance", "link set lo up", f"addr add {MAINTENANCE}/24 dev eth0", "link set eth0 up",
                f"route add default via {MAINTENANCE_GATEWAY}")
        self.route(f"{MAINTENANCE}/32", "node1")
        self.servers.append(Server(self.name("maintenance"), "maintenance"))

    def _forwards(self, namespace):
        with packets.inside(self.name(namespace)):
            for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                pathlib.Path("/proc/sys/net", setting).write_text("1")

    def route(self, destination, node):
        """The way from outside, as BGP would tell the routers of it."""
        via = NODES[node][1 if ":" in destination else 0]
        self.ip("underlay", f"{'-6 ' if ':' in destination else ''}route replace {destination} via {via}")

    # ---- kube-proxy's place, on both data planes by nftables, which takes no part in either's rules -----------
    def translate(self, services, addresses):
        """`services`: (node, address or "", port, pod, pod's port, masquerade); "": a port of the node's own address."""
        for node in NODES:
            mine = [service for service in services if service.node == node]
            lines = [line for service in mine for line in self._rules(service, addresses)]
            run("ip", "netns", "exec", self.name(node), "nft", "-f", "-", input="\n".join(
                ["table ip services", "delete table ip services", "table ip services {",
                 "chain in { type nat hook prerouting priority dstnat;", *(l for l in lines if "dnat to" in l), "}",
                 "chain out { type nat hook postrouting priority srcnat;", *(l for l in lines if "masquerade" in l), "}",
                 "}"] + ([] if mine else ["delete table ip services"])) + "\n")
            for service in mine:
                if service.address:
                    self.route(f"{service.address}/32", node)

    @staticmethod
    def _rules(service, addresses):
        frontend = service.address or NODES[service.node][0]
        backend = next(a for a in addresses[service.pod] if ":" not in a)
        yield f"ip daddr {frontend} tcp dport {service.port} dnat to {backend}:{service.pod_port}"
        if service.masquerade:
            yield f"ct original ip daddr {frontend} ct status dnat masquerade"


def pod_namespaces(cluster, prefix):
    """ "namespace/pod" -> its network namespace: of one on its host's network, the node's. """
    places = {}
    for one in cluster.get("pods", "-A")["items"]:
        metadata, spec = one["metadata"], one["spec"]
        container = metadata.get("annotations", {}).get("cni.projectcalico.org/containerID", "")
        places[f"{metadata['namespace']}/{metadata['name']}"] = prefix + (
            spec["nodeName"] if spec.get("hostNetwork") else f"pod-{container[:12]}")
    return places


