"""What a lab must leave untouched: the host's namespaces, links, rules and processes."""

import pathlib

from cluster import run


def lab_id(directory):
    """The name that everything of the lab in this directory carries: FNV-1a of its path (src/lab/layout.h)."""
    value = 2166136261
    for byte in str(pathlib.Path(directory).resolve()).encode():
        value = ((value ^ byte) * 16777619) % 2**32
    return f"{value:08x}"


def _environment(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def lab_processes(directory):
    """Pids of every process of that lab."""
    mark = f"MARGAY_LAB={lab_id(directory)}".encode()
    pids = (entry.name for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit())
    return sorted(int(pid) for pid in pids if mark in _environment(pid))


def lab_namespaces(directory):
    """Names of every network namespace of that lab."""
    listed = run("ip", "netns", "list").stdout.splitlines()
    return sorted(line.split()[0] for line in listed if line.startswith(f"mgl-{lab_id(directory)}-"))


def state():
    """Everything of the host's own namespace that a lab could have changed, as comparable values."""
    return {
        "links": sorted(line.split()[0] for line in run("ip", "-brief", "link").stdout.splitlines()),
        "addresses": run("ip", "-brief", "address").stdout,
        "routes": run("ip", "route", "show", "table", "all").stdout,
        "iptables": run("iptables-save", check=False).stdout.count("-A "),
        "ip6tables": run("ip6tables-save", check=False).stdout.count("-A "),
        "ipsets": run("ipset", "list", "-name", check=False).stdout,
    }
