"""The loader: a process that runs one job and ends.

The worker starts it as ``python -m openprofiles.worker.loader``. It reads its arguments as one line of JSON from its
standard input, which may come much later. It opens the store in one way only (``job_kinds.Opens``), and lowers its
priority next to a server after some seconds of work. It may be killed at any moment, and releases its memory when it
ends. It also ends when its standard input is closed: then its worker is gone, and another worker may have taken over
the job.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import closing
from importlib import import_module
from pkgutil import resolve_name
from typing import TYPE_CHECKING, NoReturn

from openprofiles.bulk.scratch import ScratchNotWritable, warm_up
from openprofiles.clock import Clock, utc_now
from openprofiles.errors import FilesUnreachable
from openprofiles.job_kinds import KINDS, Opens
from openprofiles.logs import EventLogger, set_up_logs
from openprofiles.settings import Settings
from openprofiles.store.bulk import BulkStore
from openprofiles.store.leased_jobs import Lease, LeaseLost
from openprofiles.store.lost_connection import is_lost_connection
from openprofiles.store.open_bulk import open_bulk_store, open_leased_store
from openprofiles.uploads.arrival.encrypted_file import DamagedFile
from openprofiles.uploads.reading.uploaded_file import UploadedFileMissing
from openprofiles.worker.full_disk import is_full_disk
from openprofiles.worker.loader_arguments import (
    EXIT_ENDED,
    EXIT_FAULT,
    EXIT_FILE_DAMAGED,
    EXIT_FILE_MISSING,
    EXIT_LEASE_LOST,
    EXIT_NO_ROOM,
    EXIT_PARENT_DIED,
    EXIT_SCRATCH_NOT_WRITABLE,
    EXIT_UNREACHABLE,
    LoaderArguments,
)
from openprofiles.worker.priority import yield_when_long

if TYPE_CHECKING:
    from openprofiles.store.leased_store import LeasedStore

# No fault of the load, and nothing that ends by itself: the worker makes some attempts, then the job says what it is.
_OBSTACLES: tuple[tuple[type[Exception], str, int], ...] = (
    (UploadedFileMissing, "uploaded_file_missing", EXIT_FILE_MISSING),
    (DamagedFile, "uploaded_file_damaged", EXIT_FILE_DAMAGED),
    (ScratchNotWritable, "scratch_not_writable", EXIT_SCRATCH_NOT_WRITABLE),
)

# Nearly all jobs need these, and to import them takes 80 ms, so it is done while there is no job yet.
for _module in (
    "adbc_driver_manager.dbapi",
    "importlib.resources.readers",
    "numpy.ma",
    "numpy.random",
    "openprofiles.uploads.arrival.local_files",
):
    import_module(_module)
for _kind in KINDS.values():
    # The others need what takes as long again.
    if _kind.opens is Opens.IN_BULK:
        resolve_name(_kind.runner)

_logger = EventLogger("openprofiles.worker.loader")


def main() -> int:
    os.umask(0o077)
    warm_up()
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return EXIT_PARENT_DIED
    try:
        arguments = LoaderArguments.from_line(line)
        settings = Settings.from_json(arguments.settings)
    except (TypeError, ValueError, LookupError) as error:
        # The program was upgraded under a running worker. Its jobs wait until it is restarted.
        set_up_logs("text")
        # Without its message, which may name a setting with a password.
        _logger.error("worker_of_another_version", fault=type(error).__name__)  # noqa: TRY400
        return EXIT_UNREACHABLE
    set_up_logs(settings.log_format)
    if arguments.yields:
        yield_when_long()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _run(settings, Lease(arguments.job_number, arguments.owner, arguments.epoch, arguments.kind))
    except LeaseLost:
        return EXIT_LEASE_LOST
    except Exception as error:
        if is_full_disk(error):
            _logger.error("disk_full", job_number=arguments.job_number, epoch=arguments.epoch)  # noqa: TRY400
            return EXIT_NO_ROOM
        if isinstance(error, FilesUnreachable):
            _logger.error("files_unreachable", job_number=arguments.job_number, epoch=arguments.epoch)  # noqa: TRY400
            return EXIT_UNREACHABLE
        if is_lost_connection(error):
            _logger.error("store_unreachable", job_number=arguments.job_number, epoch=arguments.epoch)  # noqa: TRY400
            return EXIT_UNREACHABLE
        for kind, event, status in _OBSTACLES:
            if isinstance(error, kind):
                _logger.error(event, fault=str(error), job_number=arguments.job_number, epoch=arguments.epoch)  # noqa: TRY400
                return status
        # The worker decides what becomes of the job; here is the only place that knows why.
        _logger.exception("load_failed", job_number=arguments.job_number, epoch=arguments.epoch)
        return EXIT_FAULT
    return EXIT_ENDED


def _run(settings: Settings, lease: Lease) -> None:
    is_in_bulk = KINDS[lease.kind].opens is Opens.IN_BULK
    store = open_bulk_store(settings, lease) if is_in_bulk else open_leased_store(settings, lease)
    with closing(store):
        run_leased_job(store, settings, utc_now)


def run_leased_job(store: BulkStore | LeasedStore, settings: Settings, clock: Clock) -> None:
    """Run the leased job to its end, whatever its kind."""
    resolve_name(KINDS[store.read_job().kind].runner)(store, settings, clock)


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    # At once, wherever the load is: what is not committed is rolled back.
    os._exit(EXIT_PARENT_DIED)


def _end(status: int) -> NoReturn:
    """End the process at once: to take its libraries apart would take as long as a small load."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _end(main())
