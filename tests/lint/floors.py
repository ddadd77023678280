#!/usr/bin/env python3
"""Include edges respect the floors of docs/architecture.md.

A folder includes from floors below its own and from itself, and nothing else. The few edges inside a
floor are named here, each with its reason; a new one is a decision, not a convenience.
"""

import pathlib
import re
import sys

FLOORS = [
    {"base"},
    {"selector", "api"},
    {"store", "net"},
    {"policy", "k8s", "ipam"},
    {"dataplane", "vector"},
    {"node", "apiserver", "ctl", "cni", "controllers", "fanout", "bgp", "lab"},
    {"cmd"},
]
SAME_FLOOR = {
    ("api", "selector"),  # validating a resource means parsing the selectors in it
    ("k8s", "policy"),  # conversion's result is the policy model
}
# Only a program chooses among the stores, and tests that need one to stand on.
CHOSEN_BY_PROGRAMS = re.compile(r'^\s*#\s*include\s+"(store/(?:sqlite)/)', re.M)
LEVEL = {folder: level for level, folders in enumerate(FLOORS) for folder in folders}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"/]+)/', re.M)


def allowed(source: str, target: str) -> bool:
    return source == target or LEVEL[target] < LEVEL[source] or (source, target) in SAME_FLOOR


def violations(root: pathlib.Path):
    files = [p for top in ("src", "cmd") for p in (root / top).rglob("*") if p.suffix in (".h", ".cpp")]
    for path in sorted(files):
        parts = path.relative_to(root).parts
        source = parts[1] if parts[0] == "src" else parts[0]
        if source not in LEVEL:
            yield f"{path.relative_to(root)}: folder {source!r} stands on no floor"
            continue
        is_test = path.stem.endswith(("_test", "_bench", "_fixture")) or "testing" in parts
        for chosen in CHOSEN_BY_PROGRAMS.findall(path.read_text()):
            if parts[0] == "src" and not is_test and not str(path.relative_to(root / "src")).startswith(chosen):
                yield f"{path.relative_to(root)}: only programs include {chosen}"
        for target in INCLUDE.findall(path.read_text()):
            if target in LEVEL and not allowed(source, target):
                yield f"{path.relative_to(root)}: {source} may not include {target}"


def main() -> int:
    assert not allowed("base", "api") and not allowed("store", "net"), "the check itself is broken"
    found = list(violations(pathlib.Path(__file__).resolve().parents[2]))
    print("\n".join(found) if found else "floors: every include edge goes down")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
