"""A data folder with domains, profiles and upload jobs, created by functions of the program, and a loader."""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import func, update
from sqlalchemy import select as select_rows

import by_hand
from load.change_log import assert_log_is_right
from load.loader_server import DIE, GO_ON, Orders
from load.oracle import Column, FailedRecord, Job, KnownDomain, KnownProfile, Policies
from openprofiles.clock import from_milliseconds, to_milliseconds
from openprofiles.facts.keys import Key
from openprofiles.facts.records import Domain, Profile
from openprofiles.master_key import load_master_key
from openprofiles.profiles import domains
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.profiles.session import Reading, reading
from openprofiles.settings import PostgresqlUrl, Settings
from openprofiles.store import job_queue, tables, upload_jobs
from openprofiles.store import profiles as profile_rows
from openprofiles.store import undos as undo_rows
from openprofiles.store.job_queue import Job as StoredJob
from openprofiles.store.open import open_store
from openprofiles.store.undos import UndoJob
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs, previews, undos
from openprofiles.uploads.arrival.files import open_own_files
from openprofiles.uploads.arrival.receive import FileReceiver
from openprofiles.uploads.job_options import JobOptions
from openprofiles.uploads.job_report import list_repeated_rows, read_report
from openprofiles.uploads.jobs import FailedRow, JobRequest, client_token
from openprofiles.uploads.reading.file_form import STRICT_OPTIONS, FileOptions
from openprofiles.uploads.undos import Undo

DEFAULT_POLICIES = Policies()
NOW = from_milliseconds(1_780_000_000_123)
DAY = timedelta(days=1)
FAR_FUTURE = from_milliseconds(9_000_000_000_000)
# Nothing here takes longer than half a minute; a machine may be slow.
DEADLINE_SECONDS = 150.0

AnyJob = TypeVar("AnyJob", bound=StoredJob)

_TESTS = Path(__file__).parent.parent


class LoaderFault(AssertionError):
    """The loader ended without its job."""


class LoaderProcess:
    """The process of ``loader_server``, and the messages to it."""

    def __init__(self) -> None:
        paths = [str(_TESTS), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "load.loader_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        self._received = b""
        self._is_paused = False

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(DEADLINE_SECONDS)
        self._process.stdout.close()

    def send(self, orders: Orders) -> dict[str, Any]:
        """Start a job; return the first event."""
        if self._is_paused:
            # A test has failed half way; the next one shall not hear of it.
            self.die()
        return self._send(orders.to_line())

    def go_on(self) -> dict[str, Any]:
        """Continue a paused job; return the next event."""
        return self._send(GO_ON)

    def die(self) -> None:
        """Kill the process of a paused job with SIGKILL."""
        event = self._send(DIE)
        assert event == {"event": "died", "signal": signal.SIGKILL}

    def go_on_to_the_end(self, event: dict[str, Any]) -> dict[str, Any]:
        while event["event"] == "paused":
            event = self.go_on()
        return event

    def _send(self, line: bytes) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        return self._next_event()

    def _next_event(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        deadline = time.monotonic() + DEADLINE_SECONDS
        while b"\n" not in self._received:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(self._process.stdout.fileno(), 65536) if ready else b""
            if not part:
                self._process.kill()
                raise LoaderFault("the loader process is gone" if ready else "the loader does not answer")
            self._received += part
        line, _, self._received = self._received.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        self._is_paused = event["event"] == "paused"
        return event


@dataclass(frozen=True)
class Contents:
    """Profiles by row number; keys, and keys added by hand, as row number, name and value."""

    profiles: dict[int, dict[str, Any]]
    keys: set[tuple[int, str, str]]
    added_keys: set[tuple[int, str, str]]
    profile_count: int


class Shop:
    """A domain, and the actions of a test on it. All times are given, so the clock of the machine does not matter."""

    def __init__(self, place: Place, domain: Domain) -> None:
        self.place = place
        self.store = place.store
        self.domain = domain

    @property
    def name(self) -> str:
        return self.domain.name

    def reading(self) -> AbstractContextManager[Reading]:
        """Open a session that reads."""
        return reading(self.store, self.name, NOW)

    def create_profile(self, *, ingested: bool = False, **values: str) -> Profile:
        """Create a profile with these values."""
        return self.make_profile(values, ingested=ingested)

    def make_profile(
        self,
        values: Mapping[str, str],
        attributes: Mapping[str, str] | None = None,
        *,
        now: datetime = NOW,
        ingested: bool = False,
    ) -> Profile:
        """Create a profile as the API does; if ``ingested``, its fields do not count as edited."""
        change = ProfileChange(values=values, attributes=attributes or {})
        made = by_hand.create_profile(self.store, self.name, change, now)
        if ingested:
            with self.store.write() as connection:
                connection.execute(update(tables.profile).where(tables.profile.c.pid == made.pid).values(origins=None))
        return made

    def create_job(
        self,
        columns: Sequence[Column],
        unique_key: str,
        data: bytes,
        *,
        expiry_days: int = 14,
        start: bool = True,
        now: datetime = NOW,
        file: FileOptions = STRICT_OPTIONS,
        options: JobOptions | None = None,
    ) -> UploadJob:
        """Create a job with its file, and start it by default.

        Args:
            file: by default what the oracle reads; nothing is detected.
            options: with ``file`` in place of its own.
        """
        request = JobRequest(
            display_name="test",
            fields={
                f"field {index}": {"Source": f"_source.{column.header}", "Target": f"_profile.{column.path}"}
                for index, column in enumerate(columns)
            },
            unique_key=unique_key,
            data_expiry_days=expiry_days,
            options=replace(options or JobOptions(), file=file),
        )
        return self._with_file(request, data, start=start, now=now)

    def create_object_job(
        self,
        object_type: str,
        data: bytes,
        *,
        start: bool = True,
        now: datetime = NOW,
        options: JobOptions | None = None,
    ) -> UploadJob:
        """Create a job of objects with its file, and start it by default."""
        request = JobRequest(display_name="test", object_type=object_type, options=options)
        return self._with_file(request, data, start=start, now=now)

    def _with_file(self, request: JobRequest, data: bytes, *, start: bool, now: datetime) -> UploadJob:
        job = by_hand.create_job(self.store, self.domain, self.place.master_key, request, now)
        receiver = FileReceiver(
            self.store,
            self.place.files,
            job,
            client_token(self.place.master_key, job),
            self.place.settings.max_upload_size_bytes,
        )
        receiver.write(data)
        receiver.publish()
        if start:
            by_hand.At(now).write(self.store, self.domain, jobs.start_job, job.job_id)
        return self.job(job)

    def job(self, job: AnyJob) -> AnyJob:
        """Return the current state of the job, the preview or the undo."""
        found: StoredJob | None
        with self.store.read() as connection:
            if isinstance(job, UndoJob):
                assert job.subject is not None
                undone = upload_jobs.find_job_by_number(connection, self.domain.domain_id, job.subject)
                assert undone is not None
                found = undo_rows.find_undo(connection, undone)
            else:
                found = upload_jobs.find_job_by_number(connection, self.domain.domain_id, job.job_number)
        assert isinstance(found, type(job))
        return found

    def claim(self, job: StoredJob, **more: Any) -> Orders:
        """Take the lease of the job, as a worker does, and return the orders for its loader."""
        with self.store.write() as connection:
            claimed = job_queue.claim_next_job(
                connection, owner="test", now=NOW, lease_until=FAR_FUTURE, job_id=job.job_id
            )
        assert claimed is not None, "the job cannot be claimed"
        return Orders(
            data_folder=str(self.place.settings.data_folder),
            store=self.place.settings.store_argument,
            job_number=claimed.job_number,
            owner="test",
            epoch=claimed.epoch,
            kind=claimed.kind,
            now_ms=to_milliseconds(NOW),
            **more,
        )

    def release(self, job: StoredJob, failed_attempts: int = 0) -> None:
        """Return the lease, as a worker does when its loader has died."""
        with self.store.write() as connection:
            job_queue.release_lease(connection, self.job(job), NOW, failed_attempts=failed_attempts)

    def run(self, job: AnyJob, **more: Any) -> AnyJob:
        """Run the job to its end; return the job."""
        loader = self.place.loader
        event = loader.go_on_to_the_end(loader.send(self.claim(job, **more)))
        if event["event"] != "ended":
            raise LoaderFault(event.get("trace", str(event)))
        return self.job(job)

    def load(
        self,
        columns: Sequence[Column],
        unique_key: str,
        data: bytes,
        *,
        expiry_days: int = 14,
        now: datetime = NOW,
        **more: Any,
    ) -> UploadJob:
        """Create a job, upload its file, start it and run it."""
        return self.run(self.create_job(columns, unique_key, data, expiry_days=expiry_days, now=now), **more)

    def preview(self, job: UploadJob, **more: Any) -> UploadJob:
        """Preview a job that was not started; return the finished job of the preview."""
        started = by_hand.At(job.created_at).write(
            self.store, self.domain, previews.start_preview, self.place.master_key, job.job_id
        )
        loader = self.place.loader
        event = loader.go_on_to_the_end(loader.send(self.claim(started, **more)))
        if event["event"] != "ended":
            raise LoaderFault(event.get("trace", str(event)))
        return by_hand.read(self.store, self.domain, previews.read_preview, self.place.master_key, started.job_id).job

    def start_undo(self, job: UploadJob, *, now: datetime = NOW) -> UndoJob:
        """Request the undo of a job; return the job of the undo."""
        return by_hand.At(now).write(self.store, self.domain, undos.start_undo, job.job_id).job

    def undo(self, job: UploadJob, **more: Any) -> Undo:
        """Undo a job, and wait for the end."""
        loader = self.place.loader
        event = loader.go_on_to_the_end(loader.send(self.claim(self.start_undo(job), **more)))
        if event["event"] != "ended":
            raise LoaderFault(event.get("trace", str(event)))
        return self.read_undo(job)

    def read_undo(self, job: UploadJob) -> Undo:
        """Return the result of the undo of a job."""
        return by_hand.read(self.store, self.domain, undos.read_undo, job.job_id)

    def contents(self) -> Contents:
        """Return everything that the store has about the domain's profiles."""
        domain_id = self.domain.domain_id
        profile, key, added = tables.profile, tables.profile_key, tables.held_key
        with self.store.read() as connection:
            rows = connection.execute(select_rows(profile).where(profile.c.domain_id == domain_id)).mappings().all()
            keys = connection.execute(select_rows(key).where(key.c.domain_id == domain_id)).all()
            by_hand = connection.execute(select_rows(added).where(added.c.pid.in_([row["pid"] for row in rows]))).all()
        return Contents(
            {row["pid"]: dict(row) for row in rows},
            {(one.pid, one.name, one.value) for one in keys},
            {(one.pid, one.name, one.value) for one in by_hand},
            self.profile_count(),
        )

    def failed_rows(self, job: UploadJob) -> list[FailedRow]:
        return list(jobs.read_failed_rows(self.reading, self.place.master_key, job.job_id)[1])

    def failed_records(self, job: UploadJob) -> list[FailedRecord]:
        return [
            FailedRecord(
                row.record, row.line, tuple((fault.code, fault.column_name) for fault in row.faults), row.content
            )
            for row in self.failed_rows(job)
        ]

    def repeated_rows(self, job: UploadJob) -> list[tuple[int, ...]] | None:
        """Return all of them, or None if the job never counted them."""
        page = by_hand.read(self.store, self.domain, list_repeated_rows, job.job_id, max_results=1000)
        count = by_hand.read(self.store, self.domain, read_report, job.job_id).repeated_count
        assert (page.next_token, len(page.items)) == (None, count or 0)
        return None if count is None else [astuple(row) for row in page.items]

    def known(self, *, is_loading: bool = False) -> KnownDomain:
        """Return the content of the domain in the form of the oracle.

        Args:
            is_loading: ignore keys without a profile: one that a load is about to remove outlives a deleted profile.
        """
        domain_id = self.domain.domain_id
        profile, key, added, indexed = tables.profile, tables.profile_key, tables.held_key, tables.indexed_field
        with self.store.read() as connection:
            pids = list(
                connection.execute(select_rows(profile.c.pid).where(profile.c.domain_id == domain_id)).scalars()
            )
            rows: dict[int, Profile] = {}
            for start in range(0, len(pids), 10_000):
                part = pids[start : start + 10_000]
                rows |= profile_rows.read_profiles(connection, domain_id, part, from_milliseconds(0))
            keys = connection.execute(
                select_rows(key.c.pid, key.c.name, key.c.value).where(key.c.domain_id == domain_id)
            ).all()
            added_keys: dict[int, set[Key]] = {}
            for one in connection.execute(select_rows(added)).all():
                added_keys.setdefault(one.pid, set()).add(Key(one.name, one.value))
            paths = set(
                connection.execute(select_rows(indexed.c.path).where(indexed.c.domain_id == domain_id)).scalars()
            )
        known = {
            pid: KnownProfile(
                dict(row.values),
                dict(row.attributes),
                row.expires_at,
                row.origins,
                set(),
                frozenset(added_keys.get(pid, ())),
                row.last_upload_job,
            )
            for pid, row in rows.items()
        }
        for one in keys:
            if is_loading and one.pid not in known:
                continue
            assert one.pid in known, f"a key points to profile {one.pid}, which does not exist"
            known[one.pid].keys.add(Key(one.name, one.value))
        return KnownDomain(known, paths)

    def profile_count(self) -> int:
        return by_hand.get_domain(self.store, self.name).profile_count

    def count(self, table: Any, condition: Any) -> int:
        with self.store.read() as connection:
            number: int = connection.execute(select_rows(func.count()).select_from(table).where(condition)).scalar_one()
        return number

    def oracle_job(
        self, job: UploadJob, columns: Sequence[Column], unique_key: Column, policies: Policies = DEFAULT_POLICIES
    ) -> Job:
        assert job.started_at is not None
        return Job(
            job.job_number,
            tuple(columns),
            unique_key,
            job.started_at,
            job.data_expiry_days,
            self.domain.phone_region,
            policies,
        )


class Place:
    """A data folder, its store and a loader for it."""

    def __init__(self, data_folder: Path, store: PostgresqlUrl | None = None) -> None:
        self.settings = Settings(data_folder=data_folder, store=store)
        self.store = open_store(self.settings)
        self.master_key = load_master_key(self.settings)
        self.files = open_own_files(self.settings, self.master_key)
        self._loader: LoaderProcess | None = None
        self._numbers = itertools.count(1)

    @property
    def loader(self) -> LoaderProcess:
        if self._loader is None:
            self._loader = LoaderProcess()
        return self._loader

    def close(self) -> None:
        if self._loader is not None:
            self._loader.close()
        self.store.close()

    def open_shop(self, *, phone_region: str = "US", expiration_days: int = 30) -> Shop:
        """Create a domain."""
        name = f"shop-{next(self._numbers)}"
        domain = domains.create_domain(
            self.store,
            name,
            default_expiration_days=expiration_days,
            config={},
            tags={},
            phone_region=phone_region,
            now=NOW,
        )
        return Shop(self, domain)

    def left_files(self, job: StoredJob) -> list[str]:
        """List the files of the job in the folders for uploads and scratch databases."""
        folders = (self.settings.uploads_folder, self.settings.scratch_folder)
        return [path.name for folder in folders if folder.is_dir() for path in folder.glob(f"{job.job_id}*")]


def assert_index_and_log_are_right(shop: Shop, deleted_keys: Collection[tuple[int, Key]] = ()) -> None:
    """Check that the index has exactly the keys of fields and those added by hand, and the log every change.

    Args:
        deleted_keys: row numbers and keys that DeleteProfileKey took away; those may be missing.
    """
    known = shop.known()
    for pid, profile in known.profiles.items():
        right = profile.derived(shop.domain.phone_region, known.indexed_paths) | profile.added_keys
        missing = {key for key in right - profile.keys if (pid, key) not in deleted_keys}
        assert (pid, missing, profile.keys - right) == (pid, set(), set())
    assert shop.profile_count() == len(known.profiles)
    jobs_of_domain = select_rows(tables.job.c.job_number).where(tables.job.c.domain_id == shop.domain.domain_id)
    assert shop.count(tables.pending_keys, tables.pending_keys.c.upload_job_id.in_(jobs_of_domain)) == 0
    assert_log_is_right(shop)
