"""The code of docs/python.md runs, in one program, and prints what the page says it does."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance.running import environment, running_server

pytestmark = pytest.mark.usefixtures("quick_servers")

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_END = "-- end of block"


def test_the_code_of_the_page_prints_what_it_says(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "customers.csv", tmp_path)
    blocks = _BLOCK.findall((ROOT / "docs" / "python.md").read_text(encoding="utf-8"))
    code = [text for kind, text in blocks if kind == "python"]
    expected = [text.splitlines() for kind, text in blocks if kind == "text"]
    program = "".join(f"{block}\nprint({_END!r})\n" for block in code)

    with running_server(tmp_path / "data", "--workers", "1") as server:
        access_key_id, secret = server.admin()
        answer = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=environment(
                AWS_ENDPOINT_URL_CUSTOMER_PROFILES=server.url,
                AWS_ACCESS_KEY_ID=access_key_id,
                AWS_SECRET_ACCESS_KEY=secret,
                NO_PROXY="127.0.0.1",
            ),
            capture_output=True,
            text=True,
            timeout=120,
        )

    assert answer.returncode == 0, answer.stderr
    # Standard error is not a terminal here.
    assert answer.stderr == ""
    printed = answer.stdout.split(f"{_END}\n")[:-1]
    assert len(printed) == len(code) == len(expected)
    for output, lines in zip(printed, expected, strict=True):
        for line in lines:
            assert line in output, f"{line!r} is not in:\n{output}"
