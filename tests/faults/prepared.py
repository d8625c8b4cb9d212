"""Prepared loads that test files share, in whatever processes these run: to make one takes as long as a test."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.loads import Installation, LoadSize, Rows, prepare_load
from faults.processes import run_undisturbed

# The folder, in the environment, since a process on a small disk reads it too.
VARIABLE = "FAULTS_PREPARED"


def prepared_load(seed: int, size: LoadSize) -> Installation:
    """Return an installation on SQLite with a job that waits for a worker. Copy it; it must not change."""
    with _only_here(seed, size) as folder:
        installation = Installation(folder / "prepared")
        if not (made := folder / "made").exists():
            prepare_load(installation, seed, size)
            made.touch()
    return installation


def undisturbed_load(seed: int, size: LoadSize) -> dict[str, Rows]:
    """Return the store that an undisturbed worker makes of such an installation."""
    installation = prepared_load(seed, size)
    with _only_here(seed, size) as folder:
        path = folder / "undisturbed"
        if not path.exists():
            path.write_bytes(pickle.dumps(run_undisturbed(installation)))
        rows: dict[str, Rows] = pickle.loads(path.read_bytes())  # noqa: S301 (written above)
    return rows


@contextmanager
def _only_here(seed: int, size: LoadSize) -> Iterator[Path]:
    folder = Path(os.environ[VARIABLE]) / f"{seed}-{size.record_count}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
