"""Runs jobs of the embedded store within a command, where there may be no server to do it."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack

from openprofiles.clock import utc_now
from openprofiles.errors import Busy, StoreNotWritable, StoreUnreachable
from openprofiles.logs import EventLogger, set_up_logs
from openprofiles.master_key import load_master_key
from openprofiles.running_server import has_server
from openprofiles.settings import Settings
from openprofiles.store.connections import Store
from openprofiles.store.removal import remove_rows_of_ended_jobs_step
from openprofiles.store.use import using
from openprofiles.uploads import previews
from openprofiles.uploads.arrival.files import open_own_files
from openprofiles.uploads.jobs import OpenReading
from openprofiles.worker.main import Worker

# What a loader does after its job has ended: it removes the uploaded file and its scratch database.
_LOADER_TIDIES_SECONDS = 30.0
_POLL_SECONDS = 0.02
_CLEANING_STEPS = 20
_ROWS_PER_CLEANING_STEP = 300

_logger = EventLogger("openprofiles.cli.job_runner")


class JobRunner:
    """A worker for one job at a time, and for those that are ahead of it in its domain.

    A server may run on the same store. Then its worker may be the one that runs the job; if it is this one, a long load
    gives way to the server. Without a server, somebody waits for the command, and the load is as quick as it can be.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        # The worker logs each start and end of a load; here the command itself prints them.
        set_up_logs("text")
        logging.getLogger().setLevel(logging.WARNING)
        self._store = store
        self._replaced_values_days = settings.replaced_values_days
        self._at_end = ExitStack()
        self._at_end.enter_context(using(settings))
        files = open_own_files(settings, load_master_key(settings))
        self._worker = Worker(settings, store, files, yields=has_server(settings))
        self._job_ids: list[str] = []

    def run(self, open_session: OpenReading, job_id: str) -> None:
        """Have the job begun with, if it can be, and look after it; to be called again and again until it has ended."""
        if job_id not in self._job_ids:
            # Jobs of a domain run in order. One that was interrupted would be ahead for ever if nobody else runs it.
            with open_session() as session:
                ahead = [other for other in previews.list_running(session) if other != job_id]
            self._job_ids = [*ahead, job_id]
        for one in self._job_ids:
            self._worker.step(one)

    def run_alone(self, job_id: str) -> None:
        """Have a job begun with that waits for no other; to be called again and again until it has ended."""
        self._worker.step(job_id)

    def wait_until_idle(self) -> None:
        """Give the loader the time to remove its files; killed before, it would leave them behind."""
        deadline = time.monotonic() + _LOADER_TIDIES_SECONDS
        while not self._worker.is_idle and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            for one in self._job_ids:
                self._worker.step(one)

    def clean(self) -> None:
        """Remove images that have had their time, some of them: without a server nobody else does.

        Nothing else: how long failed rows are kept is a setting of the server's that a command does not know.
        """
        try:
            for _ in range(_CLEANING_STEPS):
                with self._store.write() as connection:
                    if not remove_rows_of_ended_jobs_step(
                        connection,
                        utc_now(),
                        _ROWS_PER_CLEANING_STEP,
                        failed_rows_days=None,
                        replaced_values_days=self._replaced_values_days,
                    ):
                        break
        except (StoreNotWritable, StoreUnreachable, Busy) as error:
            # What the command was for is done; the next one cleans.
            _logger.warning("cleaning_put_off", fault=str(error))

    def close(self) -> None:
        """End a running load after its current chunk, where the next loader continues."""
        self._worker.close()
        self._at_end.close()
