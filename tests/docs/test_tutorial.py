"""The commands of docs/tutorial.md run, in one shell, and print what the page says they do."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance.running import environment

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A suggestion and a refusal end with 2, a load of which some rows failed with 1.
STATUSES = [2, 1, 1, 0, 0, 1, 0, 2]


def test_the_commands_of_the_tutorial_print_what_it_says(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("the tutorial uses bash")
    (tmp_path / "examples").mkdir()
    shutil.copy(ROOT / "examples" / "webshop-export.csv", tmp_path / "examples")
    blocks = _BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"))
    commands = [code for kind, code in blocks if kind == "sh"]
    expected = [text.splitlines() for kind, text in blocks if kind == "text"]
    script = "set -u -o pipefail\n" + "".join(f'{code}\necho "-- ended with $?"\n' for code in commands)
    variables = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path), "COLUMNS": "200"}

    answer = subprocess.run(
        [bash, "-c", script],
        cwd=tmp_path,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )

    told = re.split(r"^-- ended with (\d+)\n", answer.stdout, flags=re.MULTILINE)
    assert [int(status) for status in told[1::2]] == STATUSES, answer.stdout
    assert len(commands) == len(expected) == len(STATUSES)
    for output, lines in zip(told[0::2], expected, strict=False):
        for line in lines:
            assert line in output, f"{line!r} is not in:\n{output}"
