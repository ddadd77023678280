"""Docs and code point at each other: what they name must be there."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = re.compile(r"(?<![\w/])docs/[\w./-]+\.md")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
DECISION = re.compile(r"[Dd]ecision (\d+)")


def tracked(*patterns):
    names = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in names.splitlines() if (ROOT / name).is_file()]


def lines(paths):
    for path in paths:
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            yield f"{path.relative_to(ROOT)}:{number}", path, line


def test_every_page_that_code_cites_exists():
    sources = tracked("*.h", "*.cpp", "*.py", "*.go", "*.proto", "*.cmake", "Makefile", "scripts/*", "tests/*")
    missing = [f"{where}: {page}" for where, path, line in lines(sources) if path != pathlib.Path(__file__)
               for page in PAGE.findall(line) if not (ROOT / page).exists()]
    assert not missing, "\n".join(missing)


def test_every_link_between_pages_leads_somewhere():
    broken = [f"{where}: {target}" for where, path, line in lines(tracked("*.md")) for target in LINK.findall(line)
              if not (path.parent / target).exists()]
    assert not broken, "\n".join(broken)


def test_every_decision_that_is_cited_exists():
    known = {int(path.name[:4]) for path in tracked("docs/decisions/*.md")}
    assert known, "decisions are named NNNN-title.md"
    unknown = [f"{where}: decision {number}" for where, _, line in lines(tracked("*.h", "*.cpp", "*.md"))
               for number in DECISION.findall(line) if int(number) not in known]
    assert not unknown, "\n".join(unknown)
