"""docs/reference/calicoctl.md is what the commands say of themselves.

`UPDATE=1 pytest tests/ctl/test_reference.py` writes it anew.
"""

import os
import pathlib
import re

from conftest import ROOT, Calicoctl

PAGE = ROOT / "docs/reference/calicoctl.md"
HEAD = """\
<!-- Made from what the commands say with --help; see tests/ctl/test_reference.py. -->
# calicoctl

What each command takes. [The guide](../guide/calicoctl.md) says how they are used.
"""


def commands_in(help_text: str) -> list[str]:
    found = re.search(r"\nSubcommands:\n((?:  .*\n)+)", help_text)
    return re.findall(r"^  (\S+)", found[1], re.M) if found else []


def pages(calicoctl: Calicoctl, words: tuple[str, ...] = ()):
    told = calicoctl(*words, "--help")
    below = commands_in(told)
    if words:
        title = " ".join(words)
        yield f"## {title}\n\n```\n{told.strip()}\n```\n"
    for command in below:
        yield from pages(calicoctl, (*words, command))


def test_the_reference_says_what_the_commands_say(tmp_path):
    made = HEAD + "\n" + "\n".join(pages(Calicoctl(tmp_path)))
    if os.environ.get("UPDATE"):
        PAGE.write_text(made)
    assert made.count("\n## ") > 15
    assert pathlib.Path(PAGE).read_text() == made, "run it with UPDATE=1"
