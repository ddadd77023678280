"""What must hold once things are quiet again, whatever was killed."""

import collections
import ipaddress
import itertools
import json
import tempfile

import host
from cluster import run


def pod_addresses(cluster):
    """Address -> "namespace/pod", of every pod there is."""
    return {ip["ip"]: f"{p['metadata']['namespace']}/{p['metadata']['name']}"
            for p in cluster.get("pods", "-A")["items"] for ip in p.get("status", {}).get("podIPs", [])}


def allocated_addresses(cluster):
    """Address -> handle, from the blocks themselves."""
    allocated = {}
    for block in cluster.get("ipamblocks.crd.projectcalico.org")["items"]:
        spec = block["spec"]
        first = ipaddress.ip_network(spec["cidr"]).network_address
        for offset, attribute in enumerate(spec["allocations"]):
            if attribute is not None:
                allocated[str(first + offset)] = spec["attributes"][attribute].get("handle_id", "")
    return allocated


def address_findings(cluster):
    """Leaked, unassigned or uncounted addresses, as text; empty when all is well."""
    used, allocated = pod_addresses(cluster), allocated_addresses(cluster)
    findings = [f"{a} is assigned to {allocated[a]} and no pod has it" for a in allocated.keys() - used.keys()]
    findings += [f"{a} of {used[a]} is not assigned" for a in used.keys() - allocated.keys()]
    counts = collections.Counter(allocated.values())
    handles = {h["spec"]["handleID"]: sum(h["spec"]["block"].values())
               for h in cluster.get("ipamhandles.crd.projectcalico.org")["items"]}
    findings += [f"handle {h} counts {handles.get(h)}, blocks hold {counts.get(h)}"
                 for h in handles.keys() | counts.keys() if handles.get(h, 0) != counts.get(h, 0)]
    return findings


def namespace_findings(cluster):
    """Every pod has one network namespace, and no others are there."""
    pods = len(cluster.get("pods", "-A")["items"])
    wanted = {json.loads(r.read_text())["netns"] for r in cluster.directory.glob("nodes/*/pods/*.json")}
    there = {n for n in host.lab_namespaces(cluster.directory) if "-pod-" in n}
    return ([] if pods == len(wanted) else [f"{pods} pods, {len(wanted)} records"]) + [
        f"namespace {n} of no pod" for n in there - wanted] + [f"namespace {n} is missing" for n in wanted - there]


def interface_findings(cluster):
    """Each node has a cali interface for each of its pods, and a route to each of their addresses."""
    findings = []
    pods = cluster.get("pods", "-A")["items"]
    for node in {p["spec"]["nodeName"] for p in pods}:
        netns = f"mgl-{host.lab_id(cluster.directory)}-{node}"
        local = [p for p in pods if p["spec"]["nodeName"] == node]
        links = [l for l in run("ip", "-n", netns, "-brief", "link").stdout.splitlines() if l.startswith("cali")]
        if len(links) != len(local):
            findings.append(f"{node}: {len(links)} cali interfaces, {len(local)} pods")
        routes = run("ip", "-n", netns, "route").stdout.splitlines()
        routed = {line.split()[0] for line in routes if " dev cali" in line}
        wanted = {ip["ip"] for p in local for ip in p["status"]["podIPs"] if ":" not in ip["ip"]}
        if routed != wanted:
            findings.append(f"{node}: routes {sorted(routed)}, pods {sorted(wanted)}")
    return findings


def matrix_findings(cluster, port=80):
    """Real connections against what `margay ctl simulate` says of the same cluster."""
    probed = {(o["from"], o["to"], 4 if o["family"] == 4 else 6): o["result"]
              for o in cluster.probe("--protocol", "tcp", "--port", port)}
    queries = [{"id": f"{a} {b} {v}", "from": a, "to": b, "protocol": "tcp", "port": port, "ipVersion": v}
               for a, b, v in probed]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("".join(json.dumps(q) + "\n" for q in queries))
        file.flush()
        answers = [json.loads(line) for line in cluster.ctl("simulate", "--queries", file.name).stdout.splitlines()]
    simulated = {tuple(a["id"].split()[:2]) + (int(a["id"].split()[2]),): a["verdict"] for a in answers}
    pods = set(cluster.ready_pods())
    pairs = {(a, b, 4) for a, b in itertools.permutations(pods, 2)}
    findings = [f"{key} was not probed" for key in pairs - probed.keys()]
    return findings + [f"{a} -> {b} IPv{v}: {result}, simulate says {simulated.get((a, b, v))}"
                       for (a, b, v), result in probed.items() if simulated.get((a, b, v)) != result]


def findings(cluster):
    return (address_findings(cluster) + namespace_findings(cluster) + interface_findings(cluster)
            + matrix_findings(cluster))
