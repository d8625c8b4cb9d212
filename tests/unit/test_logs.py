from __future__ import annotations

import json
import subprocess
import sys

import pytest

# The set-up is for a whole process, so each test gets one.
PROLOGUE = """
import logging
from openprofiles.errors import InvalidRequest
from openprofiles.logs import EventLogger, set_up_logs
set_up_logs({log_format!r})
log = EventLogger("openprofiles.test")
"""


def log_of(program: str, log_format: str = "json") -> str:
    answer = subprocess.run(
        [sys.executable, "-c", PROLOGUE.format(log_format=log_format) + program],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == ""
    return answer.stderr


def test_an_event_is_one_line_of_json_with_its_fields() -> None:
    (line,) = log_of("log.info('job_ended', job_id='a', count=3)").splitlines()

    entry = json.loads(line)

    assert entry.pop("time").endswith("Z")
    assert entry == {"event": "job_ended", "job_id": "a", "count": 3, "level": "info", "logger": "openprofiles.test"}


def test_an_event_of_a_library_takes_the_same_form() -> None:
    (line,) = log_of("logging.getLogger('uvicorn.error').warning('%s broke', 'it')").splitlines()

    entry = json.loads(line)

    assert (entry["event"], entry["level"], entry["logger"]) == ("it broke", "warning", "uvicorn.error")


def test_text_is_one_line_for_people() -> None:
    (line,) = log_of("log.warning('worker_died', pid=7)", "text").splitlines()

    assert "[warning" in line
    assert "worker_died" in line
    assert "pid=7" in line


def test_what_is_below_information_is_not_logged() -> None:
    assert log_of("logging.getLogger('openprofiles').debug('x'); logging.getLogger('a').debug('y')") == ""


FOREIGN = """
def fail():
    secret_value = 'joe@example.com'
    raise ValueError('not a number: ' + secret_value)
"""


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize(
    "call",
    ["log.exception('failed')", "log.exception('failed', error)", "logging.getLogger('x').exception('failed')"],
)
def test_a_foreign_exception_is_logged_by_type_and_place_and_without_its_text(log_format: str, call: str) -> None:
    program = f"{FOREIGN}\ntry:\n    fail()\nexcept ValueError as error:\n    {call}\n"

    log = log_of(program, log_format)

    assert "failed" in log
    assert "builtins.ValueError" in log
    assert "in fail" in log
    assert "joe@example.com" not in log


def test_an_exception_of_ours_keeps_its_text_and_its_cause_is_shown_without() -> None:
    program = FOREIGN + (
        "try:\n    try:\n        fail()\n    except ValueError as error:\n"
        "        raise InvalidRequest('The port is wrong.') from error\n"
        "except InvalidRequest:\n    log.exception('failed')\n"
    )

    (line,) = log_of(program).splitlines()

    described = json.loads(line)["exception"]
    assert "openprofiles.errors.InvalidRequest: The port is wrong." in described
    assert described.index("builtins.ValueError") < described.index("caused:") < described.index("InvalidRequest")
    assert "joe@example.com" not in described


def test_each_part_of_a_group_of_exceptions_is_shown_without_its_text() -> None:
    program = "try:\n    raise ExceptionGroup('joe', [KeyError('joe'), OSError(28, 'No space left')])\n" + (
        "except ExceptionGroup:\n    log.exception('failed')\n"
    )

    described = json.loads(log_of(program))["exception"]

    assert "builtins.KeyError" in described
    assert "builtins.OSError: No space left" in described
    # The source line of the raise holds the word; what the exceptions say does not follow their types.
    assert "KeyError: " not in described
    assert "ExceptionGroup: " not in described


REPEATED = """
for _ in range(1000):
    {call}
log.error('another', fault='y')
"""


@pytest.mark.parametrize(
    "call",
    [
        "log.error('too_many', fault='x')",
        "logging.getLogger('x').error('%s is too many', 7)",
        "logging.getLogger('x').error('too many', exc_info=OSError(24, 'Too many open files'))",
    ],
)
def test_a_line_that_repeats_is_written_once_a_second_and_then_counted(call: str) -> None:
    entries = [json.loads(line) for line in log_of(REPEATED.format(call=call)).splitlines()]

    first, another, last = (entry["event"] for entry in entries)
    assert another == "another"
    assert first in last
    assert entries[2].get("repeated") == 999 or "(repeated 999 times)" in last


def test_lines_that_differ_are_all_written() -> None:
    lines = log_of("for number in range(20): log.error('job_failed', job_id=number)").splitlines()

    assert [json.loads(line)["job_id"] for line in lines] == list(range(20))


def test_the_count_of_repeated_lines_is_written_without_a_further_event() -> None:
    program = (
        "import sys, threading, openprofiles.logs\n"
        "openprofiles.logs._REPEAT_SECONDS = 0.01\n"
        "for _ in range(3): log.error('x')\n"
        "for thread in threading.enumerate():\n"
        "    if thread.daemon: thread.join()\n"
        "print('later', file=sys.stderr)"
    )

    lines = log_of(program).splitlines()

    assert lines[-1] == "later"
    assert sum(json.loads(line).get("repeated", 1) for line in lines[:-1]) == 3


def test_a_malformed_line_of_a_library_that_repeats_raises_nothing() -> None:
    program = "for _ in range(3): logging.getLogger('x').error('bad %d', 'x')\nlog.info('after')"

    assert '"event": "after"' in log_of(program).splitlines()[-2]
    assert "bad %d (repeated 2 times)" in log_of(program).splitlines()[-1]
