"""Removes the folders of scratch databases that are needed no more."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path


def remove_scratch(scratch_folder: Path, job_id: str) -> None:
    """Remove the scratch database of a job that has ended."""
    shutil.rmtree(scratch_folder / job_id, ignore_errors=True)


def remove_orphaned_scratch(scratch_folder: Path, list_running_job_ids: Callable[[], set[str]]) -> int:
    """Remove what jobs that no longer run have left behind; how many folders were removed."""
    if not scratch_folder.is_dir():
        return 0
    found = list(scratch_folder.iterdir())
    # Asked after looking: a job that begins in between has made no folder that was found.
    running_job_ids = list_running_job_ids()
    orphans = [path for path in found if path.name not in running_job_ids]
    for path in orphans:
        shutil.rmtree(path, ignore_errors=True)
    return len(orphans)
