"""The README's own sequence, pasted whole into a shell."""

import re
import subprocess
import tempfile

from cluster import MARGAY, ROOT

DEFAULT_DIRECTORY = "/run/margay-lab"


def sequence():
    text = (ROOT / "README.md").read_text()
    block = re.search(r"## Try it by hand\n\n```\n(.*?)```", text, re.DOTALL).group(1)
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def test_it_works_without_a_pause_between_its_lines(tmp_path):
    where, *commands = sequence()
    assert where == "export PATH=$PWD/build/release/bin:$PATH" and commands[0].startswith("margay lab up") and commands[-1] == "margay lab down"
    directory = tempfile.mkdtemp(prefix="margay-lab-")
    # The same program and the same words, in a lab of the test's own.
    program = tmp_path / "margay"
    program.write_text(f"""#!/bin/bash
if [ "$1" = lab ]; then exec {MARGAY} lab "$2" --dir {directory} "${{@:3}}"; fi
exec {MARGAY} "$@"
""")
    program.chmod(0o755)
    script = "set -e\n" + "\n".join(commands).replace(DEFAULT_DIRECTORY, directory) + "\n"
    try:
        done = subprocess.run(["bash", "-c", f'PATH="{tmp_path}:$PATH"\n{script}'], cwd=ROOT, capture_output=True, text=True,
                              timeout=180, check=False)
    finally:
        subprocess.run([MARGAY, "lab", "down", "--dir", directory], check=True)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert "no pods to probe" not in told, told
    assert re.search(r"from .* to", done.stdout), f"a matrix of who reaches whom:\n{told}"
    assert "ingress of shop/db" in done.stdout, f"an explanation:\n{told}"
