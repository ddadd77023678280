#!/usr/bin/env python3
"""clang-tidy over every file of the compilation database, remembering what was clean.

Parsing Boost takes longer than checking our code, so a file is checked again only when it, a project
header it reaches, its command line or the configuration has changed.
"""

import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "margay" / "clang-tidy"
TIDY = "clang-tidy-19"
INCLUDE = re.compile(rb'^\s*#\s*include\s+"([^"]+)"', re.M)


@functools.lru_cache(maxsize=None)
def reached(path: pathlib.Path) -> frozenset:
    """The project's own files that `path` includes, and theirs."""
    found, todo = set(), [path]
    while todo:
        current = todo.pop()
        if current in found or not current.exists():
            continue
        found.add(current)
        for name in INCLUDE.findall(current.read_bytes()):
            todo += [ROOT / "src" / name.decode(), current.parent / name.decode()]
    return frozenset(found)


def fingerprint(entry) -> str:
    digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    digest.update(re.sub(r"-o \S+", "", entry["command"]).replace(str(ROOT), "").encode())
    for path in sorted(reached(pathlib.Path(entry["file"]))):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


def only_foreign(output: str) -> bool:
    """The analyzer follows a path into a library's header now and then, and stumbles there."""
    found = [line for line in output.splitlines() if ": error: " in line]
    return bool(found) and all("[clang-analyzer-" in line and not line.startswith(str(ROOT)) for line in found)


def check(entry, build: str):
    stamp = CACHE / fingerprint(entry)
    if stamp.exists():
        return None
    done = subprocess.run(
        [TIDY, "-p", build, "--quiet", "--extra-arg=-Wno-unknown-warning-option", entry["file"]],
        capture_output=True, text=True, check=False)
    if done.returncode != 0 and not only_foreign(done.stdout):
        return done.stdout or done.stderr
    CACHE.mkdir(parents=True, exist_ok=True)
    stamp.touch()
    return None


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("paths", nargs="*", help="only files under these")
    options = parser.parse_args()
    wanted = [str(pathlib.Path(p).resolve()) for p in options.paths] or [str(ROOT)]
    entries = json.loads((pathlib.Path(options.build) / "compile_commands.json").read_text())
    # Tests and benchmarks are half the files and none of the product: the compiler's warnings do for them.
    entries = [e for e in entries if any(e["file"].startswith(w) for w in wanted)
               and not re.search(r"_(test|bench)\.cpp$|/tests/", e["file"])]
    entries = list({e["file"]: e for e in reversed(entries)}.values())  # once, though compiled for several CPUs
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for complaint in pool.map(lambda e: check(e, options.build), entries):
            if complaint:
                failed += 1
                print(complaint)
    print(f"clang-tidy: {len(entries)} files, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
