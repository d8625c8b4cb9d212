"""The worker: claims jobs of every kind, runs each in a loader process, reads feeds, and removes expired data.

A job is claimed by a lease that the worker renews while the loader lives. When a loader dies, its worker releases the
lease at once; when a worker dies, its leases expire. Either way, a worker claims the job again, under a higher epoch.
An old loader that still runs notices the new epoch at its next chunk and ends.

Jobs that write run in the order in which callers started them, one at a time per domain; jobs that only read run next
to them. A worker runs up to two jobs at a time, so that a small file does not wait for a large one of another domain;
all workers of one data folder together run as many as the host has processors, at least two.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from openprofiles.bulk.scratch_folder import remove_orphaned_scratch
from openprofiles.clock import utc_now
from openprofiles.credentials.administer import check_master_key
from openprofiles.errors import Busy, StoreNotWritable, StoreUnreachable
from openprofiles.job_kinds import KINDS
from openprofiles.logs import EventLogger
from openprofiles.master_key import load_master_key
from openprofiles.objects.removal import remove_expired_objects_step, remove_objects_of_deleted_types_step
from openprofiles.profiles.profiles import remove_expired_profiles_step
from openprofiles.settings import Settings
from openprofiles.store import job_queue, schedules, upload_jobs
from openprofiles.store.connections import Store
from openprofiles.store.dead_letters import remove_expired_dead_letters_step
from openprofiles.store.feeds import limit_impossible_waits
from openprofiles.store.forget_jobs import add_forget_jobs
from openprofiles.store.job_queue import Job
from openprofiles.store.open import open_store
from openprofiles.store.profile_changes import remove_old_changes_step
from openprofiles.store.removal import (
    remove_deleted_definitions_step,
    remove_deleted_domain_step,
    remove_expired_jobs,
    remove_rows_of_ended_jobs_step,
)
from openprofiles.store.segment_events import remove_old_events_step
from openprofiles.store.upload_job_states import (
    FILE_DAMAGED_MESSAGE,
    FILE_MISSING_MESSAGE,
    INTERNAL_FAILURE,
    MAX_FAILED_ATTEMPTS,
    UploadJobStatus,
)
from openprofiles.store.use import using
from openprofiles.uploads.arrival.files import Files, open_own_files
from openprofiles.worker.cleaning import Cleaning
from openprofiles.worker.feeds import Feeds, FeedWork
from openprofiles.worker.heartbeat import Heartbeat
from openprofiles.worker.loader_arguments import (
    EXIT_ENDED,
    EXIT_FILE_DAMAGED,
    EXIT_FILE_MISSING,
    EXIT_LEASE_LOST,
    EXIT_NO_ROOM,
    EXIT_SCRATCH_NOT_WRITABLE,
    EXIT_UNREACHABLE,
    LoaderArguments,
)
from openprofiles.worker.loader_process import LoaderProcess, LoaderProcesses, close_input
from openprofiles.worker.loading_slots import LoadingSlots, slot_count
from openprofiles.worker.outages import Outages

MAX_LOADERS = 2
LEASE_SECONDS = 15.0
HEARTBEAT_SECONDS = 3.0

_POLL_SECONDS = 0.1
# After a load. The next job often follows at once and starts its own loader; and many programs load one file and end.
_SPARE_LOADER_SECONDS = 1.0
_CLEANING_SECONDS = 5.0
# After each attempt that something has blocked; one for each that may fail.
_OBSTACLE_PAUSE_SECONDS = (1.0, 5.0, 15.0)
# With what the clocks of two hosts may differ by.
_LONGEST_PAUSE = timedelta(minutes=6)
_UNSTARTED_FILE_AGE = timedelta(days=1)
_ABANDONED_CHECK_AGE = timedelta(days=1)
# So long the values of a deleted profile may stay in what loads have kept; then one job removes those of all.
_DELETED_PROFILE_AGE = timedelta(minutes=15)
# So often what was deleted is overwritten in the file of a SQLite store, too, and its log is emptied.
_LOG_SECONDS = 900.0

_logger = EventLogger("openprofiles.worker")


@dataclass
class _Running:
    """A job that this worker holds, and its loader."""

    job: Job
    process: LoaderProcess
    # None: a command that runs one job needs no slot.
    slot: int | None


def run_worker(settings: Settings, stop: threading.Event) -> None:
    """Work until ``stop`` is set, then stop running loads after a chunk and release them.

    A full disk, a store that cannot be written and one that cannot be reached end no worker: it waits until they are
    good again. What runs has its leases renewed, or notices by itself.
    """
    outages = Outages(stop)
    with contextlib.ExitStack() as use_of_store:
        while True:
            try:
                opened = _open(settings, use_of_store)
                break
            except Exception as error:
                use_of_store.close()
                if not outages.wait(error):
                    raise
            if stop.is_set():
                return
        outages.end()
        _work(*opened, Heartbeat(settings.heartbeat_path), outages, stop)


def _work(worker: Worker, feeds: Feeds, heartbeat: Heartbeat, outages: Outages, stop: threading.Event) -> None:
    feeds.start()
    try:
        while not stop.wait(_POLL_SECONDS):
            heartbeat.beat()
            try:
                worker.step()
            except Exception as error:
                # What this worker could not note in time, another one takes up when the lease runs out.
                if not outages.wait(error):
                    raise
            else:
                outages.end()
    finally:
        worker.close()
        feeds.close()


def _open(settings: Settings, use_of_store: contextlib.ExitStack) -> tuple[Worker, Feeds]:
    store = open_store(settings)
    try:
        use_of_store.enter_context(using(settings))
        # Only now: it may have been changed until then.
        master_key = load_master_key(settings)
        check_master_key(settings, store, master_key)
        worker = Worker(settings, store, open_own_files(settings, master_key), yields=True)
    except BaseException:
        store.close()
        raise
    return worker, Feeds(FeedWork(settings, store, master_key, utc_now), worker.owner)


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
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._running: list[_Running] = []
        # Before a loader is started, since its folder may not be writable.
        self._slots = LoadingSlots(settings.slots_folder, slot_count())
        self._loaders = LoaderProcesses()
        self._loaders.prepare()
        self._prepare_at = 0.0
        self._cleanings = self._list_cleanings()
        self._clean_at = 0.0
        self._clean_files_at = 0.0
        self._empty_log_at = 0.0
        self._closing = threading.Event()
        # In a thread of its own: an object store that does not answer, or a domain that is held for long, must not cost
        # running loads their leases.
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
        if self._running:
            self._prepare_at = time.monotonic() + _SPARE_LOADER_SECONDS
        elif job_id is None and time.monotonic() >= self._prepare_at:
            self._loaders.prepare()
        if job_id is None and time.monotonic() >= self._clean_at:
            is_more_left = self._clean()
            # Beside a load, cleaning would take half of the write lock.
            pause_seconds = 0.0 if is_more_left and not self._running else _CLEANING_SECONDS
            self._clean_at = time.monotonic() + pause_seconds

    @property
    def is_idle(self) -> bool:
        """Whether no loader runs, including one that only removes the files of its finished job."""
        return not self._running

    def close(self) -> None:
        """Stop the loaders and release their jobs; the next worker continues after their last chunk."""
        self._closing.set()
        for running in self._running:
            running.process.kill()
        for running in self._running:
            running.process.wait()
            close_input(running.process)
            self._slots.give_back(running.slot)
            # Where it cannot be written, the lease runs out by itself.
            with suppress(StoreNotWritable, StoreUnreachable, Busy), self._store.write() as connection:
                job_queue.release_lease(connection, running.job, utc_now())
            _logger.info("load_interrupted", job_id=running.job.job_id)
        self._running.clear()
        self._loaders.close()

    def _claim(self, job_id: str | None) -> bool:
        now = utc_now()
        with self._store.read() as connection:
            if not job_queue.has_claimable_job(connection, now):
                return False
        slot = self._slots.take() if job_id is None else None
        if slot is None and job_id is None:
            return False
        job = None
        try:
            with self._store.write() as connection:
                job = job_queue.claim_next_job(
                    connection, owner=self.owner, now=now, lease_until=_lease_until(now), job_id=job_id
                )
        finally:
            if job is None:
                self._slots.give_back(slot)
        if job is None:
            return False
        arguments = LoaderArguments(
            settings=self._settings.to_json(),
            yields=self._yields,
            job_number=job.job_number,
            owner=self.owner,
            epoch=job.epoch,
            kind=job.kind,
        )
        process = self._loaders.begin(arguments)
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
                except (StoreNotWritable, StoreUnreachable, Busy) as error:
                    # The next time, or else the lease runs out.
                    _logger.warning("lease_not_renewed", job_id=running.job.job_id, fault=str(error))
                except Exception:
                    # If this thread ended, every load of this worker would lose its lease.
                    _logger.exception("lease_not_renewed", job_id=running.job.job_id)

    def _renew_lease(self, running: _Running) -> None:
        if running.process.poll() is not None:
            return
        with self._store.write() as connection:
            is_ours = job_queue.extend_lease(connection, running.job, _lease_until(utc_now()))
        if not is_ours and running.process.poll() is None and not self._has_ended(running.job):
            # Somebody else took the job while this worker slept; two loaders of one job must not run.
            _logger.warning("lease_lost", job_id=running.job.job_id)
            running.process.kill()

    def _settle(self, job: Job, status: int) -> None:
        """Handle the end of a loader by its exit status."""
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
        obstacle = _obstacle(job, status)
        with self._store.write() as connection:
            now = job_queue.find_job(connection, job.domain_id, job.job_number)
            # The loader sets the count back to 0 with each progress: only deaths without progress add up. At the
            # limit, one more loader completes the keys of what is written and ends the job; if that dies too, the
            # worker ends it.
            attempts = (now.failed_attempts if now else job.failed_attempts) + 1
            if attempts <= MAX_FAILED_ATTEMPTS:
                # What blocks it may be over soon: a disk that is mounted again, a bucket that is restored.
                pause = None if obstacle is None else timedelta(seconds=_OBSTACLE_PAUSE_SECONDS[attempts - 1])
                job_queue.release_lease(
                    connection,
                    job,
                    utc_now(),
                    not_before=pause and utc_now() + pause,
                    failed_attempts=attempts,
                    failure_message=obstacle,
                )
            else:
                job_queue.end_leased_job(
                    connection,
                    job,
                    status=UploadJobStatus.FAILED,
                    status_reason=INTERNAL_FAILURE,
                    failure_message=obstacle or KINDS[job.kind].gave_up_message,
                    completed_at=utc_now(),
                    failed_attempts=attempts,
                )
        event = "loader_died" if obstacle is None else "load_blocked"
        _logger.error(event, job_id=job.job_id, exit_status=status, failed_attempts=attempts)

    def _has_ended(self, job: Job) -> bool:
        with self._store.read() as connection:
            now = job_queue.find_job(connection, job.domain_id, job.job_number)
        return now is None or now.status is not UploadJobStatus.IN_PROGRESS

    def _clean(self) -> bool:
        """Remove what has expired and what was left behind, in short steps; whether there may be more at once."""
        now = utc_now()
        is_more_left = False
        for cleaning in self._cleanings:
            is_more_left |= cleaning.run(now)
        with self._store.write() as connection:
            schedules.add_due_jobs(connection, now)
            add_forget_jobs(connection, now - _DELETED_PROFILE_AGE, now)
            expired_before = now - timedelta(days=self._settings.failed_rows_days)
            upload_jobs.forget_old_failed_rows_keys(connection, completed_before=expired_before)
            # Before the previews, by which they are known.
            upload_jobs.remove_abandoned_checks(connection, checked_before=now - _ABANDONED_CHECK_AGE)
            remove_expired_jobs(connection, now)
            upload_jobs.forget_unstarted_files(connection, received_before=now - _UNSTARTED_FILE_AGE)
            limit_impossible_waits(connection, now)
            job_queue.limit_pauses(connection, now, _LONGEST_PAUSE)
        if time.monotonic() >= self._clean_files_at:
            self._clean_files_at = time.monotonic() + self._files.cleaning_seconds
            with self._store.read() as connection:
                needed = {name for _, name in upload_jobs.list_job_files(connection)}
            self._files.remove_orphans(needed, now)
        if time.monotonic() >= self._empty_log_at and self._store.empty_log():
            self._empty_log_at = time.monotonic() + _LOG_SECONDS
        remove_orphaned_scratch(self._settings.scratch_folder, self._list_running_job_ids)
        return is_more_left

    def _list_cleanings(self) -> list[Cleaning]:
        remove_rows_of_ended_jobs = partial(
            remove_rows_of_ended_jobs_step,
            failed_rows_days=self._settings.failed_rows_days,
            replaced_values_days=self._settings.replaced_values_days,
        )
        remove_old_changes = partial(
            remove_old_changes_step,
            history_days=self._settings.log_days,
            replaced_values_days=self._settings.replaced_values_days,
        )
        remove_objects_of_deleted_types = partial(
            remove_objects_of_deleted_types_step,
            keeps_replaced=self._settings.replaced_values_days > 0,
            strict=self._settings.compat_strict,
        )
        steps = (
            remove_expired_profiles_step,
            remove_expired_objects_step,
            remove_objects_of_deleted_types,
            remove_expired_dead_letters_step,
            remove_deleted_domain_step,
            remove_deleted_definitions_step,
            remove_rows_of_ended_jobs,
            remove_old_changes,
            remove_old_events_step,
        )
        return [Cleaning(self._store, step) for step in steps]

    def _list_running_job_ids(self) -> set[str]:
        with self._store.read() as connection:
            return set(job_queue.list_running_jobs(connection))


def _obstacle(job: Job, status: int) -> str | None:
    """Find what blocked a loader with this exit status, for people; None if that is not known."""
    messages = {
        EXIT_FILE_MISSING: FILE_MISSING_MESSAGE,
        EXIT_FILE_DAMAGED: FILE_DAMAGED_MESSAGE,
        EXIT_SCRATCH_NOT_WRITABLE: KINDS[job.kind].scratch_message,
    }
    return messages.get(status)


def _lease_until(now: datetime) -> datetime:
    return now + timedelta(seconds=LEASE_SECONDS)
