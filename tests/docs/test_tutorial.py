"""The commands of the tutorials and of docs/testing.md run, in one shell, and print what the pages say they do."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance.running import environment, forked_commands

pytestmark = pytest.mark.usefixtures("quick_servers")

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The exit status of each block, and those that print nothing. A suggestion and a refusal end with 2, a load of which
# some rows failed and objects without a profile with 1.
TUTORIAL = ("tutorial.md", [2, 0, 1, 1, 0, 0, 1, 0, 0, 2], (1,))
OBJECTS = ("objects.md", [*[0] * 7, 1, 1, 1, *[0] * 4], ())

SEGMENTS = ("segments.md", [0] * 11, ())
TESTING = ("testing.md", [0, 0], ())


def pattern_of(transcript: str) -> str:
    """What a command prints: the lines of the transcript, and any text in place of ``…`` and of seconds."""
    escaped = re.escape(transcript.rstrip("\n"))
    escaped = re.sub(r"(^|\n)(\\ )*…(?=\\\n|$)", r"\1(?:.*\\n)*?.*", escaped)
    return re.sub(r"in\\ 1\\\.0\\ seconds", r"in \\d+\\.\\d seconds", escaped.replace("…", ".*"))


@pytest.mark.parametrize(
    ("page", "statuses", "silent"),
    [TUTORIAL, OBJECTS, SEGMENTS, TESTING],
    ids=["tutorial", "objects", "segments", "testing"],
)
def test_the_commands_of_a_tutorial_print_what_it_says(
    tmp_path: Path, page: str, statuses: list[int], silent: tuple[int, ...]
) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("the tutorial uses bash")
    (tmp_path / "examples").mkdir()
    shutil.copy(ROOT / "examples" / "webshop-export.csv", tmp_path / "examples")
    blocks = _BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    commands = [code for kind, code in blocks if kind == "sh"]
    expected = [text for kind, text in blocks if kind == "text"]
    script = "set -u -o pipefail\n" + "".join(f'{code}\necho "-- ended with $?"\n' for code in commands)
    variables = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)}

    answer = subprocess.run(
        [bash, "-c", script],
        cwd=tmp_path,
        env=environment(**variables, **forked_commands().commands),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )

    told = re.split(r"^-- ended with (\d+)\n", answer.stdout, flags=re.MULTILINE)
    outputs = [output for number, output in enumerate(told[0:-1:2]) if number not in silent]
    assert [int(status) for status in told[1::2]] == statuses, answer.stdout
    assert len(outputs) == len(expected)
    for output, transcript in zip(outputs, expected, strict=True):
        # What is printed before and after it on standard error is not part of the page.
        assert re.search(pattern_of(transcript), output), f"{transcript}\n-- is not what was printed:\n{output}"
