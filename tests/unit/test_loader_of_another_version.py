"""A loader that a worker of another version starts does not count as crashed."""

from __future__ import annotations

import subprocess
import sys

from openprofiles.worker.loader_arguments import EXIT_UNREACHABLE


def test_a_loader_that_does_not_know_its_arguments_says_so_and_ends_without_counting_a_crash() -> None:
    line = b'{"settings": {"store": "postgresql://u:secret@db/x"}, "upload_job_id": 1}\n'

    ended = subprocess.run(
        [sys.executable, "-m", "openprofiles.worker.loader"], input=line, capture_output=True, timeout=60, check=False
    )

    assert ended.returncode == EXIT_UNREACHABLE
    assert b"worker_of_another_version" in ended.stderr
    assert b"secret" not in ended.stderr
