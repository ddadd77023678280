"""A published document about policy as a table: what is in effect at each step, and who reaches whom then.

    Case(steps=["", "deny-all", "deny-all allow-web"], table='''
        default/test -> default/web     tcp 80   | + - +
        203.0.113.7  -> node1           tcp 22   | + + +
    ''')

Objects are called by their names in the case's manifest, and are those of the whole cluster but the cast's (cast.py).
A place is a pod, a node (its own process, or a port that a service has there) or an address; both families are
tried where both ends have them, or the one of `tcp4` and `tcp6`. `+`: reached, `-`: not, `~`: not, though policy
allows it, because connection tracking calls it or its answer invalid.
"""

import ipaddress
import json
import re
from collections import namedtuple
from dataclasses import dataclass, field

import yaml

from api import Api
from cluster import ROOT, Failed
from probes import ECHO, Attempt, settle
from surroundings import MAINTENANCE, NODES, OUTSIDE

FOLDER = ROOT / "tests" / "conformance" / "manifests"
ROW = re.compile(r"(?P<source>\S+) +-> +(?P<target>\S+) +(?P<protocol>icmpv6|[a-z]+)(?P<family>[46]?) +(?P<port>[\d/]+) *\| *(?P<verdicts>[-+~ ]+)")
CAST = ("Namespace", "Pod", "ServiceAccount")  # there from the start

# `address` "": a port of the node's own address. `masquerade`: the backend sees the node's address.
Service = namedtuple("Service", "node address port pod pod_port masquerade")


@dataclass
class Case:
    steps: list
    table: str
    services: list = field(default_factory=list)
    manifests: str = ""  # a folder, where they are not this case's own
    open: str = ""  # why nothing is ever denied

    def rows(self):
        lines = [line.strip() for line in self.table.splitlines() if line.strip()]
        for line in lines:
            matched = ROW.fullmatch(line)
            assert matched, f"not a row: {line}"
            yield line, Row(matched["source"], matched["target"], matched["protocol"], matched["family"], matched["port"],
                            matched["verdicts"].split())


Row = namedtuple("Row", "source target protocol family port verdicts")
SEEN = {"+": "allow", "-": "deny", "~": "deny"}
SIMULATED = {"+": "allow", "-": "deny", "~": "allow"}


def load(kind, name, case):
    """Name -> object ("namespace/name" where two have one name), and the pods that the manifest brings along."""
    files = sorted((ROOT / case.manifests).glob("*.yaml")) if case.manifests else [FOLDER / kind / f"{name.replace('/', '-')}.yaml"]
    everything = [one for path in files for one in yaml.safe_load_all(path.read_text()) if one]
    people = [one for one in everything if one["kind"] in CAST]
    policies = [one for one in everything if one["kind"] not in CAST]
    names = [one["metadata"]["name"] for one in policies]
    objects = {}
    for one, called in zip(policies, names):
        key = called if names.count(called) == 1 else f"{one['metadata']['namespace']}/{called}"
        assert key not in objects, f"{name}: two objects are called {key}"
        objects[key] = one
    return objects, people


class Stage:
    """The cluster with its surroundings, and what a case has applied to it."""

    def __init__(self, cluster, surroundings, addresses, namespaces, on_node):
        self.cluster, self.surroundings = cluster, surroundings
        self.addresses, self.namespaces, self.on_node = addresses, namespaces, on_node
        self.services = []
        self.api = Api(cluster.kubeconfig)
        self.before = {}  # path -> what the agents had made there themselves

    # ---- changes ------------------------------------------------------------------------------------
    def serve(self, services):
        self.services = services
        self.surroundings.translate(services, self.addresses)

    def change(self, old, new):
        """From some objects to others: what comes is there before what goes has gone."""
        for name, one in new.items():
            if name not in old:
                if (before := self.api.get(one)) is not None:
                    self.before[self.api.path(one)] = {"apiVersion": one["apiVersion"], "kind": one["kind"],
                                                       "metadata": one["metadata"], "spec": before["spec"]}
                self.api.put(one)
        for name, one in old.items():
            if name not in new:
                before = self.before.pop(self.api.path(one), None)
                self.api.delete(one) if before is None else self.api.put(before)

    # ---- places --------------------------------------------------------------------------------------
    def addresses_of(self, place):
        return NODES.get(place) or self.addresses.get(place) or [place]

    def namespace_of(self, place):
        if place in self.namespaces:
            return self.namespaces[place]
        if place in OUTSIDE:
            return self.surroundings.name("outside")
        return self.surroundings.name("maintenance" if place == MAINTENANCE else place)

    def node_of(self, place):
        return place if place in NODES else self.on_node.get(place)

    def service(self, row):
        for one in self.services:
            if (row.protocol, row.target, row.port) == ("tcp", one.address or one.node, str(one.port)):
                return one
        return None

    def identity(self, row):
        if service := self.service(row):
            return service.pod
        if row.target in NODES:
            return f"hosts/{row.target}"
        if row.target == "127.0.0.1":
            return f"hosts/{row.source}"
        if row.target in OUTSIDE:
            return "outside"
        return "maintenance" if row.target == MAINTENANCE else row.target

    def attempts(self, row):
        """One for each family that both ends have."""
        icmp = {"icmp": "4", "icmpv6": "6"}.get(row.protocol)
        port = tuple(map(int, row.port.split("/"))) if "/" in row.port else int(row.port)
        if icmp:
            port = port if isinstance(port, tuple) else (port, 0)
        sources = ["127.0.0.1"] if row.target == "127.0.0.1" else self.addresses_of(row.source)
        found = []
        for source in sources:
            for target in self.addresses_of(row.target):
                version = ipaddress.ip_address(target).version
                if version != ipaddress.ip_address(source).version or str(version) not in (row.family or icmp or "46"):
                    continue
                if self.service(row) and version == 6:
                    continue  # services are translated in IPv4 only
                attempt = Attempt(self.namespace_of(row.source), source, target, row.protocol, port, self.identity(row))
                if attempt.one_way:
                    attempt = Attempt(*[*vars(attempt).values()][:-1], self.namespace_of(row.target))
                found.append(attempt)
        assert found, f"no address in common: {row}"
        return found

    # ---- what the reference evaluator says ----------------------------------------------------------------
    def questions(self, row, attempt):
        """Of a flow that a node passes on in its own name there are two."""
        flow = {"protocol": row.protocol, "ipVersion": 6 if ":" in attempt.target else 4}
        if row.protocol in ECHO:
            flow |= {"icmpType": attempt.port[0], "icmpCode": attempt.port[1]}
        else:
            flow["port"] = attempt.port
        source, target = self._end(row.source), self._end(row.target)
        service = self.service(row)
        if not service:
            return [flow | {"from": source, "to": target} | self._way(row.source, row.target)]
        flow |= {"from": source, "to": service.pod, "port": service.pod_port}
        original = {"original": {"to": service.address or f"node/{service.node}", "port": service.port}}
        if self.node_of(service.pod) == service.node:
            return [flow | original | self._way(row.source, service.pod)]
        passed = {"via": f"node/{service.node}", "in": "eth0", "out": "eth0"}
        assert self.node_of(row.source) != service.node and service.masquerade
        return [flow | original | passed, flow | {"from": f"node/{service.node}"} | self._way(service.node, service.pod)]

    def _end(self, place):
        return f"node/{place}" if place in NODES else place

    def _way(self, source, target):
        """The interfaces by which it leaves the source's node, and enters the target's."""
        here, there = self.node_of(source), self.node_of(target)
        if MAINTENANCE in (source, target):
            other = source if target == MAINTENANCE else target
            behind = ("out", "in") if target == MAINTENANCE else ("in", "out")
            if self.node_of(other) == "node1":
                return {behind[0]: "eth1"}
            return {"via": "node/node1", behind[0]: "eth1", behind[1]: "eth0"}
        if here == there:
            return {}
        return ({"out": "eth0"} if here else {}) | ({"in": "eth0"} if there else {})

    def simulated(self, asked):
        """`asked`: (row's text, attempt) -> questions. Who is let through by all that is asked of each."""
        lines = [dict(question, id=[str(number), part]) for number, questions in enumerate(asked.values())
                 for part, question in enumerate(questions)]
        answers = self.cluster.ctl("simulate", "--queries", "-", input="\n".join(map(json.dumps, lines)) + "\n", check=False)
        verdicts = {key: "allow" for key in asked}
        for answer in map(json.loads, answers.stdout.splitlines()):
            key = list(asked)[int(answer["id"][0])]
            if "error" in answer:
                raise Failed(f"{key[0]}: {answer['error']}")
            parts = [answer]
            if len(asked[key]) > 1:
                # Of the first the node that passes it on is asked, and of the second the backend and its node: what was
                # passed on has the node's address, and is none of its own processes'.
                passed_on = asked[key][0]["via"].removeprefix("node/")
                first = answer["id"][1] == 0
                parts = [part for part in answer.get("host", []) if (part["node"] == passed_on) == first]
                parts += [] if first else [answer["ingress"]]
            if any(part["verdict"] == "deny" for part in parts):
                verdicts[key] = "deny"
        if answers.returncode or len(answers.stdout.splitlines()) != len(lines):
            raise Failed(f"simulate: {answers.stderr}")
        return verdicts


def run(stage, kind, name, case):
    objects, _ = load(kind, name, case)
    rows = dict(case.rows())
    in_effect = {}
    try:
        stage.serve(case.services)
        attempts = {(text, attempt): row for text, row in rows.items() for attempt in stage.attempts(row)}
        for number, step in enumerate(case.steps):
            wanted = {called: objects[called] for called in step.split()}
            old, in_effect = in_effect, {**in_effect, **wanted}
            stage.change(old, wanted)
            in_effect = wanted
            check(stage, f"{name}, step {number} ({step or 'no policy'})",
                  {key: (row, row.verdicts[number]) for key, row in attempts.items()})
    finally:
        stage.change(in_effect, {})
        stage.serve([])


def check(stage, what, expected):
    """`expected`: (row's text, attempt) -> (row, sign)."""
    asked = {(text, attempt): stage.questions(row, attempt) for (text, attempt), (row, _) in expected.items()
             if row.target != "127.0.0.1"}  # what a host sends to itself is not simulated
    simulated = stage.simulated(asked)
    wrong = [f"{text}  {attempt.source} -> {attempt.target}: simulate says {simulated[text, attempt]}"
             for text, attempt in asked if simulated[text, attempt] != SIMULATED[expected[text, attempt][1]]]
    assert not wrong, f"{what}:\n  " + "\n  ".join(wrong)

    settle({attempt: (SEEN[sign], text) for (text, attempt), (_, sign) in expected.items()}, what)
