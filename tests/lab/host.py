"""What a lab must leave untouched: the host's namespaces, links, rules and processes."""

import pathlib

from cluster import run


def _process_environment(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def lab_processes():
    """Pids of every process that carries a lab's mark."""
    pids = (entry.name for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit())
    return sorted(int(pid) for pid in pids if any(v.startswith(b"MARGAY_LAB=") for v in _process_environment(pid)))


def lab_namespaces():
    return sorted(line.split()[0] for line in run("ip", "netns", "list").stdout.splitlines() if line.startswith("mgl-"))


def state():
    """Everything of the host's that a lab could have changed, as comparable text."""
    return {
        "namespaces": lab_namespaces(),
        "links": sorted(line.split()[0] for line in run("ip", "-brief", "link").stdout.splitlines()),
        "addresses": run("ip", "-brief", "address").stdout,
        "routes": run("ip", "route", "show", "table", "all").stdout,
        "iptables": run("iptables-save", check=False).stdout.count("-A "),
        "ip6tables": run("ip6tables-save", check=False).stdout.count("-A "),
        "ipsets": run("ipset", "list", "-name", check=False).stdout,
        "processes": lab_processes(),
    }
