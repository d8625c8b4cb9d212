"""An AWS client sees no difference: every answer is as the version before our own extensions gave it."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path

import pytest

from acceptance.answer_recorder import Answer
from acceptance.aws_scenario import MODES, run_scenario

pytestmark = pytest.mark.usefixtures("quick_servers")

RECORDED: dict[str, list[Answer]] = json.loads(Path(__file__).with_name("aws_answers.json").read_bytes())

# One difference may bring others along, in whatever was written afterwards.
_MOST_SHOWN = 8
_NUMBER = re.compile(" [0-9]+>")


_DAILY_OF_STRICT = "tests/load/test_file_forms.py::test_a_strict_server_takes_no_other_form_than_aws"


@pytest.mark.parametrize(
    "mode",
    # What a strict server adds to the scenario is that it refuses other forms of files.
    [pytest.param(mode, marks=pytest.mark.long(daily=_DAILY_OF_STRICT) if mode == "strict" else ()) for mode in MODES],
)
def test_every_answer_is_as_before_the_extensions(mode: str, tmp_path: Path) -> None:
    before = RECORDED[mode]

    now = run_scenario(mode, tmp_path / "data")

    assert [answer["call"] for answer in now] == [answer["call"] for answer in before], (
        "the scenario was changed: record the answers anew, as aws_scenario.py says"
    )
    differing = [pair for pair in zip(before, now, strict=True) if pair[0] != pair[1]]
    # A name that was given earlier, or later, gives all that follow other numbers.
    telling = [pair for pair in differing if _unnumbered(pair[0]) != _unnumbered(pair[1])] or differing
    shown = "\n\n".join(_difference(*pair) for pair in telling[:_MOST_SHOWN])
    assert not differing, f"{len(differing)} of {len(now)} answers differ. The first that tell why:\n\n{shown}"


def _difference(before: Answer, now: Answer) -> str:
    """The lines that differ, below the name of the call."""
    lines = difflib.unified_diff(_lines(before), _lines(now), "before", "now", n=2, lineterm="")
    return "\n".join([f"== {now['call']} ==", *lines])


def _unnumbered(answer: Answer) -> list[str]:
    return [_NUMBER.sub(">", line) for line in _lines(answer)]


def _lines(answer: Answer) -> list[str]:
    return json.dumps(answer, indent=1, sort_keys=True, ensure_ascii=False).splitlines()
