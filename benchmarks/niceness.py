"""How much a load disturbs reads at each niceness, and how long it takes: what ``worker.priority`` was chosen by.

The loader is given each niceness from outside, again and again: it takes its own in between. That needs root.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.api import CLIENTS, ApiBenchmark, Caller, measure, reads_during_load, running_server
from benchmarks.loads import Figures
from benchmarks.processes import family

NICENESSES = (0, 5, 10, 15)
PREFIX = "niceness "

_LOADER = b"openprofiles.worker.loader"
_SECONDS_BETWEEN_CHANGES = 0.1


class NicenessBenchmark:
    """Rounds of reads during a load, for each niceness."""

    def __init__(self, folder: Path, file: Path, figures: Figures) -> None:
        self._file = file
        self._figures = figures
        self._api = ApiBenchmark(folder, file, figures)

    def round(self) -> None:
        """Measure everything once."""
        with self._api.copy() as place, running_server(place) as port:
            caller = Caller(place.folder, port)
            for clients in CLIENTS:
                for operation, requests in (
                    ("SearchProfiles", caller.searches()),
                    ("GetUploadJob", [caller.get_upload_job()]),
                ):
                    answer = measure(port, clients, requests)
                    self._figures.add(f"{PREFIX}idle, {operation}, {clients}, p99_ms", answer["p99_ms"])
        for niceness in NICENESSES:
            with self._api.copy() as place, running_server(place) as port, _loaders_kept_at(niceness):
                caller = Caller(place.folder, port)
                started = time.perf_counter()
                for (operation, clients), answer in reads_during_load(caller, self._file).items():
                    self._figures.add(f"{PREFIX}{niceness}, {operation}, {clients}, p99_ms", answer["p99_ms"])
                self._figures.add(f"{PREFIX}{niceness}, seconds", time.perf_counter() - started)


@contextmanager
def _loaders_kept_at(niceness: int) -> Iterator[None]:
    """Keep all loaders of this process at a niceness while the block runs."""
    has_ended = threading.Event()

    def keep() -> None:
        while not has_ended.wait(_SECONDS_BETWEEN_CHANGES):
            for pid in family(os.getpid()):
                # It may have ended in the meantime.
                with suppress(FileNotFoundError, ProcessLookupError):
                    if _LOADER in Path(f"/proc/{pid}/cmdline").read_bytes():
                        _give_niceness(pid, niceness)

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        thread.join()


def _give_niceness(pid: int, niceness: int) -> None:
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.setpriority(os.PRIO_PROCESS, int(task.name), niceness)
    autogroup = Path(f"/proc/{pid}/autogroup")
    if autogroup.exists():
        autogroup.write_text(str(niceness))
