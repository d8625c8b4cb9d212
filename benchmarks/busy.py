"""Measure how much longer loads take while another program keeps every processor busy.

That program is one endless loop for each processor, at normal priority, in a session of its own. Measured is all that a
user waits for, quiet and busy in turn.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.api import Caller, Place, running_server
from benchmarks.loads import Figures, Sizes, first_file, import_command
from benchmarks.processes import run

PREFIX = "on a busy machine: "
QUIET, BUSY = "quiet", "busy"
SMALL_ROWS, MIDDLE_ROWS = 3_000, 100_000
SMALL_IMPORT, MIDDLE_IMPORT, SMALL_LOAD, LARGE_LOAD = "small import", "middle import", "small load", "large load"

_POLL_SECONDS = 0.1
_LOOP = "while True: pass"
_LOOPS = (
    "import os, subprocess, sys; loops = [subprocess.Popen([sys.executable, '-c', sys.argv[1]]) "
    "for _ in range(os.cpu_count())]; sys.stdin.read(); [loop.kill() for loop in loops]"
)


@dataclass(frozen=True)
class _Load:
    """One load through a server.

    Attributes:
        seconds: from the creation of its job to its end.
        longest_stand_still: the longest time without any change of its progress.
    """

    seconds: float
    longest_stand_still: float


class BusyBenchmark:
    """Rounds of the same loads on a quiet and on a busy machine."""

    def __init__(self, folder: Path, sizes: Sizes, figures: Figures) -> None:
        self._folder = folder / "data-busy"
        self._figures = figures
        self._small, self._middle, self._large = (
            first_file(folder, rows) for rows in (SMALL_ROWS, MIDDLE_ROWS, sizes.load_rows)
        )

    def round(self, *, is_first: bool) -> None:
        """Measure everything once; the large file only in the first round."""
        for state in (QUIET, BUSY):
            self._import(SMALL_IMPORT, self._small, state)
            self._import(MIDDLE_IMPORT, self._middle, state)
            self._load_through_server(SMALL_LOAD, self._small, state)
            if is_first:
                self._load_through_server(LARGE_LOAD, self._large, state)

    def _import(self, name: str, file: Path, state: str) -> None:
        with self._fresh_place() as place, _loops(state):
            done = run(import_command(file, *place.options))
        self._figures.add(f"{PREFIX}{name}, {state}, seconds", done.seconds)

    def _load_through_server(self, name: str, file: Path, state: str) -> None:
        with self._fresh_place() as place, running_server(place) as port:
            caller = Caller(place.folder, port)
            # This load takes the one-time costs of a server's start.
            _load(caller, place, self._small)
            with _loops(state):
                load = _load(caller, place, file)
        self._figures.add(f"{PREFIX}{name}, {state}, seconds", load.seconds)
        self._figures.add(f"{PREFIX}{name}, {state}, stands still", load.longest_stand_still)

    @contextmanager
    def _fresh_place(self) -> Iterator[Place]:
        shutil.rmtree(self._folder, ignore_errors=True)
        yield Place(self._folder)
        shutil.rmtree(self._folder)


def _load(caller: Caller, place: Place, file: Path) -> _Load:
    started = changed_at = time.perf_counter()
    job = caller.start_load("busy", file)
    query = (
        "select completed_at, phase, position, done, created_count, updated_count, failed_count "
        "from job join upload_job using (job_number) where job_id = ?"
    )
    address = f"{(place.folder / 'openprofiles.db').as_uri()}?mode=ro"
    longest = 0.0
    before: tuple[Any, ...] | None = None
    with closing(sqlite3.connect(address, uri=True, timeout=60)) as connection:
        while before is None or before[0] is None:
            state = connection.execute(query, (job[1],)).fetchone()
            now = time.perf_counter()
            if state != before:
                before, changed_at = state, now
            longest = max(longest, now - changed_at)
            time.sleep(_POLL_SECONDS)
    seconds = time.perf_counter() - started
    if (status := caller.status(job)) != "SUCCEEDED":
        raise RuntimeError(f"The load of {file.name} ended as {status}.")
    return _Load(seconds, longest)


@contextmanager
def _loops(state: str) -> Iterator[None]:
    """Keep every processor busy while the block runs, if the state is busy."""
    if state != BUSY:
        yield
        return
    process = subprocess.Popen(
        [sys.executable, "-c", _LOOPS, _LOOP], stdin=subprocess.PIPE, start_new_session=True, env={**os.environ}
    )
    try:
        yield
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
