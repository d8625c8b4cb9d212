from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Python's own traceback ends with what the exception says. The fault is put in where the worker begins its work.
PROGRAM = """
import openprofiles.worker.main as worker
from openprofiles.cli.main import openprofiles

def fail(settings, stop):
    raise ValueError("joe" + "@example.com")

worker.run_worker = fail
openprofiles(["worker", "--data", {folder!r}])
"""


def test_an_unexpected_fault_ends_the_worker_and_is_logged_without_what_it_says(tmp_path: Path) -> None:
    program = PROGRAM.format(folder=str(tmp_path / "data"))

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)

    assert answer.returncode == 2
    assert "worker_failed" in answer.stderr
    assert "builtins.ValueError" in answer.stderr
    assert "joe@example.com" not in answer.stderr
