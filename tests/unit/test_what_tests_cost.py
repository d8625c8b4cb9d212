"""What the test command says of the processor time of its parts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from processor_time import processor_seconds

SCRIPTS = Path(__file__).parents[2] / "scripts"
# Takes a second in a process that nobody waits for.
ORPHAN = """
import os, time
read, write = os.pipe()
if os.fork() == 0:
    while time.process_time() < 1:
        pass
    os._exit(0)
os.close(write)
os.read(read, 1)
"""
LIVES_ON = """
import time
while time.process_time() < 0.5:
    pass
print("done", flush=True)
input()
"""


def run_parts(checks: tuple[str, ...], tests: str) -> subprocess.CompletedProcess[str]:
    """Run the test command with other parts than its own."""
    code = f"import run_tests, sys; run_tests.CHECKS = {checks}; run_tests.PYTEST = {(sys.executable, '-c', tests)}"
    return subprocess.run(
        [sys.executable, "-c", f"{code}; sys.exit(run_tests.main())"], cwd=SCRIPTS, capture_output=True, text=True
    )


def test_a_process_that_still_runs_is_counted() -> None:
    arguments = [sys.executable, "-c", LIVES_ON]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()

        seconds = processor_seconds(child.pid)

        child.communicate(b"\n")
    assert 0.4 < seconds < 10


def test_a_process_that_nobody_waited_for_is_counted() -> None:
    ended = run_parts(("help",), ORPHAN)

    found = re.search(r"^(\d+) s of processor time", ended.stdout, re.MULTILINE)
    assert ended.returncode == 0, ended.stdout
    assert found is not None
    assert int(found[1]) >= 1


def test_a_part_that_fails_is_shown_with_what_it_said_and_fails_the_command() -> None:
    ended = run_parts(("no-such-check", "help"), "pass")

    assert ended.returncode == 1
    assert "No rule to make target 'no-such-check'" in ended.stdout
    assert re.search(r"^no-such-check failed in \d+ s$", ended.stdout, re.MULTILINE)
    assert re.search(r"^help +passed in \d+ s$", ended.stdout, re.MULTILINE)
    assert "make demo" not in ended.stdout


def test_tests_that_fail_fail_the_command() -> None:
    assert run_parts(("help",), "raise SystemExit(1)").returncode == 1
