"""Run upload jobs for the tests as ``worker.loader`` does, without starting a process for each job.

A SQLite store may be open through one SQLite library per process: the tests hold it through ``pysqlite3``, most loaders
through ADBC. So each job runs in a process of its own, forked from this one, which has imported everything and opened
nothing. It is told what to do by one JSON line per job and answers with JSON lines:

    {"event": "paused", "chunk": 3}     before its third chunk; goes on, or dies, as the next line says
    {"event": "ended", "status": ...}   the job has its final status
    {"event": "lease_lost"}
    {"event": "fault", "trace": ...}
    {"event": "died", "signal": 9}
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# What would be imported in each child, for phone numbers, by the engines' modules and by the loader.
import phonenumbers.data.region_US  # noqa: F401

import openprofiles.store.postgresql_bulk
import openprofiles.store.sqlite_bulk
import openprofiles.worker.loader  # noqa: F401
from chunk_sizes import fix_chunk_size
from load.oracle import FEWEST_COMMON
from openprofiles.bulk import forget, scratch
from openprofiles.bulk.scratch import warm_up
from openprofiles.clock import from_milliseconds
from openprofiles.job_kinds import KINDS, Opens
from openprofiles.master_key import load_master_key
from openprofiles.settings import PostgresqlUrl, Settings, parse_store
from openprofiles.store import bulk_jobs
from openprofiles.store.bulk import BulkStore
from openprofiles.store.bulk_jobs import JobStore
from openprofiles.store.leased_jobs import ChunkState, Lease, LeaseLost
from openprofiles.store.leased_store import LeasedStore
from openprofiles.store.open_bulk import open_bulk_store, open_leased_store
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.uploads.arrival.files import open_files
from openprofiles.uploads.loading import load, object_load, object_undo, other_names, undo  # noqa: F401
from openprofiles.uploads.reading import records
from openprofiles.worker.loader import run_leased_job

BEFORE = "before"
INSIDE = "inside"
AFTER = "after"
GO_ON = b"\n"
DIE = b"die\n"


@dataclass(frozen=True)
class Orders:
    """The orders for the loader.

    Attributes:
        now_ms: the time by which it runs, milliseconds since 1970.
        rows_per_chunk: write so many rows at a time; None: as always.
        block_bytes: read so much of the file at a time; None: as always.
        pause_at: numbers of the chunks (from 1) before which it waits; 0 stands for each of them.
        die_at: number of a chunk, and whether to die before it, inside of it, just before its commit, or after it.
    """

    data_folder: str
    store: str
    job_number: int
    owner: str
    epoch: int
    kind: str
    now_ms: int
    rows_per_chunk: int | None = None
    block_bytes: int | None = None
    pause_at: list[int] = field(default_factory=list)
    die_at: tuple[int, str] | None = None
    strict: bool = False
    max_unpacked_bytes: int = 100_000_000
    undo_days: int = 7
    keeps_replaced: bool = False
    memory_limit_bytes: int = 256_000_000

    def to_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"


def _watch(store: JobStore, orders: Orders) -> None:
    """Make a store pause, or the process die, at the chunks that the orders name."""
    chunk_numbers = itertools.count(1)
    chunk_as_always = store.chunk

    def perhaps_die(number: int, point: str) -> None:
        if orders.die_at is not None and tuple(orders.die_at) == (number, point):
            _die()

    @contextmanager
    def chunk() -> Iterator[ChunkState]:
        number = next(chunk_numbers)
        if number in orders.pause_at or 0 in orders.pause_at:
            _say("paused", chunk=number)
            if _read_line() == DIE:
                _die()
        perhaps_die(number, BEFORE)
        with chunk_as_always() as state:
            yield state
            perhaps_die(number, INSIDE)
        perhaps_die(number, AFTER)

    watched: Any = store
    watched.chunk = chunk


def main() -> None:
    # So that files as short as those of the tests have common words.
    other_names.FEWEST_COMMON = FEWEST_COMMON
    # As a loader does while it waits for a job.
    warm_up()
    # Otherwise each child would copy what the collector looks at.
    gc.collect()
    gc.freeze()
    while line := _read_line():
        pid = os.fork()
        if pid == 0:
            try:
                _run(Orders(**json.loads(line)))
            finally:
                os._exit(0)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            _say("died", signal=os.WTERMSIG(status))
    # DuckDB's driver would print which of the frozen objects are left.
    gc.unfreeze()


def _run_job(store: BulkStore | LeasedStore, settings: Settings, orders: Orders) -> UploadJobStatus:
    if isinstance(store, LeasedStore):
        run_leased_job(store, settings, lambda: from_milliseconds(orders.now_ms))
        return UploadJobStatus.SUCCEEDED
    if orders.kind == "forget":
        forget.run(store, settings, lambda: from_milliseconds(orders.now_ms))
        return UploadJobStatus.SUCCEEDED
    if orders.kind == "undo":
        return undo.run_undo(
            store,
            settings.scratch_folder,
            memory_limit_bytes=orders.memory_limit_bytes,
            clock=lambda: from_milliseconds(orders.now_ms),
        )
    return load.run_load(
        store,
        load_master_key(settings),
        open_files(settings),
        settings.scratch_folder,
        memory_limit_bytes=orders.memory_limit_bytes,
        max_unpacked_bytes=orders.max_unpacked_bytes,
        undo_days=orders.undo_days,
        keeps_replaced=orders.keeps_replaced,
        strict=orders.strict,
        clock=lambda: from_milliseconds(orders.now_ms),
    )


def _run(orders: Orders) -> None:
    if orders.rows_per_chunk is not None:
        fix_chunk_size(orders.rows_per_chunk)
        bulk_jobs.REMOVED_PIDS_AT_A_TIME = orders.rows_per_chunk
    if orders.block_bytes is not None:
        _fix_block_size(orders.block_bytes)
    settings = Settings(
        data_folder=Path(orders.data_folder),
        store=parse_store(orders.store),
        undo_days=orders.undo_days,
        history_content_days=7 if orders.keeps_replaced else 0,
    )
    if isinstance(settings.store, PostgresqlUrl):
        # The files of the tests are short: on this engine they are loaded as long ones are, in several threads.
        scratch.FEW_CELLS = 0
    try:
        lease = Lease(orders.job_number, orders.owner, orders.epoch, orders.kind)
        is_in_bulk = KINDS[orders.kind].opens is Opens.IN_BULK
        store = open_bulk_store(settings, lease) if is_in_bulk else open_leased_store(settings, lease)
        _watch(store, orders)
        status = _run_job(store, settings, orders)
        store.close()
    except LeaseLost:
        _say("lease_lost")
    except Exception:  # noqa: BLE001 (whatever it is, the test shall show it)
        _say("fault", trace=traceback.format_exc())
    else:
        _say("ended", status=status)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fix_block_size(block_bytes: int) -> None:
    defaults: dict[str, Any] = dict(records.Scanner.__init__.__kwdefaults__ or {})
    scanner: Any = records.Scanner.__init__
    scanner.__kwdefaults__ = {**defaults, "block_bytes": block_bytes, "read_bytes": block_bytes}


def _say(event: str, **more: object) -> None:
    os.write(1, json.dumps({"event": event, **more}).encode() + b"\n")


def _read_line() -> bytes:
    # Byte by byte: what a buffer holds would be lost to the other process of the two that read here in turn.
    line = b""
    while (byte := os.read(0, 1)) and byte != b"\n":
        line += byte
    return line + byte


if __name__ == "__main__":
    main()
