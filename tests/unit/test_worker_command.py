from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from openprofiles.cli.main import openprofiles
from openprofiles.settings import Settings

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


def test_the_worker_of_a_server_has_the_limit_for_what_a_file_unpacks_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []
    limits: list[int] = []

    def start_server(_settings: Settings, worker_command: list[str], _on_ready: object) -> None:
        commands.append(worker_command)

    def start_worker(settings: Settings, _stop: object) -> None:
        limits.append(settings.max_upload_size_bytes)

    monkeypatch.setattr("openprofiles.server.run.run_server", start_server)
    monkeypatch.setattr("openprofiles.worker.main.run_worker", start_worker)

    CliRunner().invoke(openprofiles, ["serve", "--data", str(tmp_path), "--max-upload-size", "20MB"])
    arguments = commands[0][commands[0].index("worker") :]
    CliRunner().invoke(openprofiles, [one for one in arguments if one != "--stop-with-parent"])

    assert limits == [20_000_000]
