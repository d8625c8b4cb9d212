"""The worker: claims upload jobs, has a loader run each, tells who wants to know of their end, and removes what has had
its time.

A job is claimed by a lease that the worker renews while the loader lives. When the worker dies, the lease runs out
and another worker claims the job, under a higher epoch; the old loader, should it still live, finds its epoch gone at
its next chunk and leaves.

Jobs start in the order in which they were started by their callers, one at a time per domain. A worker loads up to two
domains at a time, so that a small file does not wait for a large one of another domain; all workers of one data folder
together, as many as the host has processors.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from openprofiles.clock import utc_now
from openprofiles.credentials.administer import check_master_key
from openprofiles.errors import Busy, FilesUnreachable, StorageFull, StoreUnreachable
from openprofiles.master_key import load_master_key
from openprofiles.profiles.profiles import remove_expired_profiles_step
from openprofiles.settings import Settings
from openprofiles.store import undos, upload_jobs
from openprofiles.store.connections import Store
from openprofiles.store.domains import remove_deleted_domain_step
from openprofiles.store.open import open_store
from openprofiles.store.upload_job_states import (
    GAVE_UP_MESSAGE,
    INTERNAL_FAILURE,
    MAX_FAILED_ATTEMPTS,
    UNDO_GAVE_UP_MESSAGE,
    UploadJobStatus,
)
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads.arrival.files import Files, open_own_files
from openprofiles.uploads.loading.scratch_folder import remove_orphaned_scratch
from openprofiles.worker.loader_process import LoaderProcess, LoaderProcesses, close_input
from openprofiles.worker.loading_slots import LoadingSlots, slot_count
from openprofiles.worker.orders import (
    EXIT_ENDED,
    EXIT_LEASE_LOST,
    EXIT_NO_ROOM,
    EXIT_UNREACHABLE,
    Orders,
)
from openprofiles.worker.webhook_deliveries import WebhookDeliveries

MAX_LOADERS = 2
LEASE_SECONDS = 15.0
HEARTBEAT_SECONDS = 3.0

_POLL_SECONDS = 0.1
_NO_ROOM_SECONDS = 5.0
_UNREACHABLE_SECONDS = 1.0
_CLEANING_SECONDS = 5.0
# One cleaning step is one write transaction; so many rows take well under a tenth of a second.
_ROWS_PER_CLEANING_STEP = 300
_CLEANING_STEPS_AT_A_TIME = 20
_UNSTARTED_FILE_DAYS = 1

_logger = structlog.get_logger("openprofiles.worker")


@dataclass
class _Running:
    """A job that this worker holds, and its loader."""

    job: UploadJob
    process: LoaderProcess
    # None: of a command that came to run one job, whoever else loads.
    slot: int | None


def run_worker(settings: Settings, stop: threading.Event) -> None:
    """Work until ``stop`` is set. Loads that run then are ended at a chunk and given back."""
    master_key = load_master_key(settings)
    store = open_store(settings)
    check_master_key(settings, store, master_key)
    worker = Worker(settings, store, open_own_files(settings, master_key), yields=True)
    deliveries = WebhookDeliveries(store, master_key, private_addresses=settings.webhook_private_addresses)
    deliveries.start()
    try:
        while not stop.wait(_POLL_SECONDS):
            try:
                worker.step()
            except StorageFull:
                # Loaders that run find it out by themselves; the jobs stay, and go on when there is room.
                _logger.error("disk_full")  # noqa: TRY400 (the name says it all)
                stop.wait(_NO_ROOM_SECONDS)
            except (StoreUnreachable, FilesUnreachable, Busy) as error:
                # Here too; and what this worker could not note in time, another one takes up when the lease runs out.
                event = "files_unreachable" if isinstance(error, FilesUnreachable) else "store_unreachable"
                _logger.error(event, fault=str(error))  # noqa: TRY400
                stop.wait(_UNREACHABLE_SECONDS)
    finally:
        worker.close()
        deliveries.close()


class Worker:
    """One worker on one store.

    Args:
        yields: whether its long loads give way to other programs, among them a server.
    """

    def __init__(self, settings: Settings, store: Store, files: Files, *, yields: bool) -> None:
        self._settings = settings
        self._store = store
        self._files = files
        self._yields = yields
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._running: list[_Running] = []
        self._loaders = LoaderProcesses()
        self._loaders.prepare()
        self._slots = LoadingSlots(settings.slots_folder, slot_count())
        self._clean_at = 0.0
        self._clean_files_at = 0.0
        self._closing = threading.Event()
        # In a thread of its own: an object store that does not answer, or a domain that is held for long, must not cost
        # the leases of loads that go on.
        threading.Thread(target=self._renew_leases, daemon=True).start()

    def step(self, job_id: str | None = None) -> None:
        """Look after the loaders that run, claim jobs, and clean up now and then.

        Args:
            job_id: claim only this job, and clean nothing: for a command that came to run one job.
        """
        for running in list(self._running):
            self._look_after(running)
        while len(self._running) < (MAX_LOADERS if job_id is None else 1) and self._claim(job_id):
            pass
        if job_id is None and not self._running:
            self._loaders.prepare()
        if job_id is None and time.monotonic() >= self._clean_at:
            self._clean()
            self._clean_at = time.monotonic() + _CLEANING_SECONDS

    @property
    def is_idle(self) -> bool:
        """Whether no loader runs, not even to remove the files of a job that has ended."""
        return not self._running

    def close(self) -> None:
        """End the loaders and give their jobs back; the next worker goes on at their last chunk."""
        self._closing.set()
        for running in self._running:
            running.process.kill()
        for running in self._running:
            running.process.wait()
            close_input(running.process)
            self._slots.give_back(running.slot)
            # Where it cannot be written, the lease runs out by itself.
            with suppress(StorageFull, StoreUnreachable, Busy), self._store.write() as connection:
                upload_jobs.release_lease(connection, running.job)
            _logger.info("load_interrupted", job_id=running.job.job_id)
        self._running.clear()
        self._loaders.close()

    def _claim(self, job_id: str | None) -> bool:
        now = utc_now()
        with self._store.read() as connection:
            if not upload_jobs.has_claimable_job(connection, now):
                return False
        slot = self._slots.take() if job_id is None else None
        if slot is None and job_id is None:
            return False
        job = None
        try:
            with self._store.write() as connection:
                job = upload_jobs.claim_next_job(
                    connection, owner=self._owner, now=now, lease_until=_lease_until(now), job_id=job_id
                )
        finally:
            if job is None:
                self._slots.give_back(slot)
        if job is None:
            return False
        orders = Orders(
            data_folder=str(self._settings.data_folder),
            store=self._settings.store_argument,
            files=str(self._settings.files) if self._settings.files else None,
            master_key=str(self._settings.master_key) if self._settings.master_key else None,
            memory_limit_bytes=self._settings.memory_limit_bytes,
            max_upload_size_bytes=self._settings.max_upload_size_bytes,
            compat_strict=self._settings.compat_strict,
            undo_days=self._settings.undo_days,
            log_format=self._settings.log_format,
            yields=self._yields,
            upload_job_id=job.upload_job_id,
            owner=self._owner,
            epoch=job.epoch,
        )
        process = self._loaders.begin(orders)
        _logger.info("load_begins", job_id=job.job_id, epoch=job.epoch, pid=process.pid)
        self._running.append(_Running(job, process, slot))
        return True

    def _look_after(self, running: _Running) -> None:
        status = running.process.poll()
        if status is not None:
            self._running.remove(running)
            self._slots.give_back(running.slot)
            close_input(running.process)
            self._settle(running.job, status)

    def _renew_leases(self) -> None:
        while not self._closing.wait(HEARTBEAT_SECONDS):
            for running in tuple(self._running):
                try:
                    self._renew_lease(running)
                except (StorageFull, StoreUnreachable, Busy) as error:
                    # The next time, or else the lease runs out.
                    _logger.warning("lease_not_renewed", job_id=running.job.job_id, fault=str(error))

    def _renew_lease(self, running: _Running) -> None:
        if running.process.poll() is not None:
            return
        with self._store.write() as connection:
            is_ours = upload_jobs.extend_lease(connection, running.job, _lease_until(utc_now()))
        if not is_ours and running.process.poll() is None and not self._has_ended(running.job):
            # Somebody else took the job while this worker slept; two loaders of one job must not run.
            _logger.warning("lease_lost", job_id=running.job.job_id)
            running.process.kill()

    def _settle(self, job: UploadJob, status: int) -> None:
        """A loader has ended: with its job, or without."""
        if status == EXIT_ENDED:
            _logger.info("load_ended", job_id=job.job_id)
            return
        if status == EXIT_NO_ROOM:
            # Nothing can be written now. The lease runs out by itself, and the next loader sees whether there is room.
            _logger.error("load_waits_for_room", job_id=job.job_id)
            return
        if status == EXIT_UNREACHABLE:
            # No fault of the load. The lease runs out by itself: a pause before the next attempt.
            _logger.error("load_lost_store_or_files", job_id=job.job_id)
            return
        if status == EXIT_LEASE_LOST:
            _logger.warning("lease_lost", job_id=job.job_id)
            return
        with self._store.write() as connection:
            now = upload_jobs.find_job(connection, job.domain_id, job.job_id)
            # The loader sets the count back to 0 with each progress: only deaths without progress add up. At the
            # limit, one more loader completes the keys of what is written and ends the job; if that dies too, so be it.
            attempts = (now.failed_attempts if now else job.failed_attempts) + 1
            if attempts <= MAX_FAILED_ATTEMPTS:
                upload_jobs.release_lease(connection, job, failed_attempts=attempts)
            else:
                completed_at = utc_now()
                upload_jobs.end_leased_job(
                    connection,
                    job,
                    status=UploadJobStatus.FAILED,
                    status_reason=INTERNAL_FAILURE,
                    failure_message=GAVE_UP_MESSAGE if job.undo_of is None else UNDO_GAVE_UP_MESSAGE,
                    completed_at=completed_at,
                    undo_until=completed_at + timedelta(days=now.undo_days) if now and now.undo_days else None,
                    client_token=None,
                    failed_attempts=attempts,
                )
        _logger.error("loader_died", job_id=job.job_id, exit_status=status, failed_attempts=attempts)

    def _has_ended(self, job: UploadJob) -> bool:
        with self._store.read() as connection:
            now = upload_jobs.find_job(connection, job.domain_id, job.job_id)
        return now is None or now.status is not UploadJobStatus.IN_PROGRESS

    def _clean(self) -> None:
        """Remove what has expired and what was left behind, in short steps; the rest waits for the next time."""
        now = utc_now()
        for _ in range(_CLEANING_STEPS_AT_A_TIME):
            with self._store.write() as connection:
                removed = remove_expired_profiles_step(connection, now, _ROWS_PER_CLEANING_STEP)
            if removed < _ROWS_PER_CLEANING_STEP:
                break
        for _ in range(_CLEANING_STEPS_AT_A_TIME):
            with self._store.write() as connection:
                if not remove_deleted_domain_step(connection, now, _ROWS_PER_CLEANING_STEP):
                    break
        old = now - timedelta(days=self._settings.failed_rows_days)
        for _ in range(_CLEANING_STEPS_AT_A_TIME):
            with self._store.write() as connection:
                if not upload_jobs.remove_old_failed_rows_step(
                    connection, completed_before=old, limit=_ROWS_PER_CLEANING_STEP
                ):
                    break
        with self._store.write() as connection:
            upload_jobs.forget_old_failed_rows_keys(connection, completed_before=old)
            upload_jobs.remove_old_previews(connection, completed_before=old)
        for _ in range(_CLEANING_STEPS_AT_A_TIME):
            with self._store.write() as connection:
                if not undos.remove_old_images_step(connection, now, _ROWS_PER_CLEANING_STEP):
                    break
        for _ in range(_CLEANING_STEPS_AT_A_TIME):
            with self._store.write() as connection:
                if not undos.remove_old_kept_profiles_step(
                    connection, completed_before=old, limit=_ROWS_PER_CLEANING_STEP
                ):
                    break
        for _ in range(_CLEANING_STEPS_AT_A_TIME):
            with self._store.write() as connection:
                if not upload_jobs.remove_notes_of_ended_jobs_step(
                    connection, completed_before=old, limit=_ROWS_PER_CLEANING_STEP
                ):
                    break
        with self._store.write() as connection:
            upload_jobs.forget_unstarted_files(connection, received_before=now - timedelta(days=_UNSTARTED_FILE_DAYS))
        if time.monotonic() >= self._clean_files_at:
            self._clean_files_at = time.monotonic() + self._files.cleaning_seconds
            with self._store.read() as connection:
                needed = {name for _, name in upload_jobs.list_job_files(connection)}
            self._files.remove_orphans(needed, now)
        remove_orphaned_scratch(self._settings.scratch_folder, self._list_running_job_ids)

    def _list_running_job_ids(self) -> set[str]:
        with self._store.read() as connection:
            return upload_jobs.list_running_job_ids(connection)


def _lease_until(now: datetime) -> datetime:
    return now + timedelta(seconds=LEASE_SECONDS)
