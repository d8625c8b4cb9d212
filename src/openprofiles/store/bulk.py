"""What a loader needs of the store, whichever engine it runs on: Arrow tables in and out, no Python object per cell.

Every write of a load is a chunk: one short transaction that also records the job's position and counts. A chunk is
valid only while the lease is the loader's own; otherwise it is rolled back and ``LeaseLost`` raised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.compute

from openprofiles.job_kinds import PREVIEW
from openprofiles.store.upload_job_states import MAX_FAILED_ATTEMPTS


class LeaseLost(Exception):
    """Another worker holds the job now, or it has ended; whatever this loader was doing, it must stop."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Which job, and by which claim of it."""

    job_number: int
    owner: str
    epoch: int
    # One of job_kinds.KINDS.
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedJob:
    """What the loader of any kind of job needs of its job and the job's domain."""

    job_id: str
    domain_id: int
    # One of job_kinds.KINDS.
    kind: str
    # The job that it undoes or previews.
    subject: int | None
    # How often it was claimed.
    epoch: int
    started_at: datetime
    phase: str | None
    position: int
    stop_requested: bool
    # Loaders that have died since the last progress.
    failed_attempts: int
    # What has blocked them, if that is known.
    failure_message: str | None
    phone_region: str
    key_version: int
    domain_deleted: bool
    indexed_paths: tuple[str, ...]
    # Those of them whose index has all stored profiles.
    whole_index_paths: tuple[str, ...]

    @property
    def gives_up(self) -> bool:
        """Whether earlier loaders died too often: no more is written but the keys of what is there."""
        return self.failed_attempts >= MAX_FAILED_ATTEMPTS


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedUpload(LeasedJob):
    """What the loader of an upload job or a preview needs of it in addition."""

    fields: Mapping[str, Mapping[str, str]]
    unique_key: str
    data_expiry_days: int
    client_token: bytes | None
    # As they are kept: see ``uploads.job_options`` and ``uploads.reading.file_form``.
    options: Mapping[str, Any] | None
    file_form: Mapping[str, Any] | None
    # Wrapped, as the client token is; None: a job of an earlier version, whose failed rows have no content.
    failed_rows_key: bytes | None
    file_name: str | None
    record_count: int | None
    created_count: int
    updated_count: int
    failed_count: int
    pid_base: int | None
    # See ``tables``.
    undo_days: int | None

    @property
    def is_preview(self) -> bool:
        """Whether nothing is to be written to the profiles."""
        return self.kind == PREVIEW.name


@dataclass(frozen=True, slots=True)
class ChunkState:
    """What a chunk sees at its beginning, inside its transaction. Giving up counts as a stop."""

    key_version: int
    stop_requested: bool
    domain_deleted: bool


@dataclass(frozen=True, slots=True)
class UndoneJob:
    """What an undo needs of the job that it undoes: its mapping, and the row numbers and count of its new profiles.

    They are above ``pid_base``, up to ``pid_base + record_count``.
    """

    fields: Mapping[str, Mapping[str, str]]
    unique_key: str
    pid_base: int
    record_count: int
    created_count: int


# Code, header of the column or None, how many faults, the first record that has it.
FaultCount: TypeAlias = tuple[str, str | None, int, int]


class PreparedRows(Protocol):
    """Rows in the form in which an engine inserts them, made before the lock is taken."""

    @property
    def table(self) -> pa.Table:
        """The rows themselves."""

    @property
    def num_rows(self) -> int:
        """How many there are."""


class BulkReader(Protocol):
    """One connection of one loader, for reading."""

    def close(self) -> None:
        """Give the connection up."""

    def open_reader(self) -> BulkReader:
        """Another connection, for reading in another thread. It sees what is committed."""

    def prepare_rows(self, table: pa.Table) -> PreparedRows:
        """Do what an insert needs before it holds the lock."""

    def read_job(self) -> LeasedJob:
        """The job and its domain as they stand.

        Raises:
            LeaseLost: the job is no longer this loader's.
        """

    def read_upload(self) -> LeasedUpload:
        """The same of an upload job or a preview.

        Raises:
            LeaseLost: the job is no longer this loader's.
        """

    def read_key_version(self, domain_id: int) -> int:
        """How often profiles or keys of the domain were written outside loads."""

    def has_keys(self, domain_id: int, name: str) -> bool:
        """Whether any profile of the domain has a key of this name."""

    def find_key_holders(
        self, domain_id: int, name: str, keys: pa.Array, at: datetime, columns: Sequence[str] = ()
    ) -> pa.Table:
        """Which profiles hold which of these keys.

        Args:
            keys: text, normal forms, without nulls or repeats; sorted is fastest.
            at: profiles that have expired by then are left out.
            columns: of the table ``profile``; their texts are read as well.

        Returns:
            columns ``i`` (int64, position in ``keys``) and ``pid`` (int64), one row per holder, and ``columns``.
        """

    def read_profiles(
        self, domain_id: int, pids: pa.Array, columns: Sequence[str], numbers: Sequence[str] = ()
    ) -> pa.Table:
        """Columns of the profiles that the domain has among these row numbers.

        Args:
            columns: those to be read as text.
            numbers: those to be read as numbers.

        Returns:
            ``pid``, the columns (text, null where the profile has none) and the numbers (int64, 0 where it has none),
            in order of ``pid``.
        """

    def read_profile_range(
        self, domain_id: int, after: int, upto: int, limit: int, columns: Sequence[str], numbers: Sequence[str]
    ) -> pa.Table:
        """The same of the first profiles of the domain with a row number above ``after``, up to ``upto``."""

    def read_domain_column(self, domain_id: int, column: str, after_pid: int, limit: int) -> pa.Table:
        """One text column of a domain's profiles, in order of row number: ``pid`` and ``value``, without nulls."""

    def find_present_keys(self, domain_id: int, name: str, values: pa.Array, pids: pa.Array) -> pa.Table:
        """Which of these pairs of key value and row number stand in the index: column ``i``, position in the arrays."""

    def read_added_keys(self, pids: pa.Array, name: str) -> pa.Table:
        """Keys of one name that AddProfileKey gave these profiles: ``pid`` and ``value``."""

    def read_pending_keys(self) -> Iterator[pa.Table]:
        """Key changes that this job's updates left, chunk by chunk: added (0 or 1), name, value, pid."""

    def read_undone_job(self, job_number: int) -> UndoneJob:
        """The job that this one undoes."""

    def read_undo_counts(self) -> tuple[int, int]:
        """How many profiles this undo has removed, and how many it has kept."""

    def read_undo_images(self, upload_job_id: int) -> Iterator[bytes]:
        """What profiles were before a job changed them, chunk by chunk: see ``uploads.loading.undo_images``."""

    def read_absent_keys(self, upload_job_id: int) -> Iterator[pa.Table]:
        """Keys that a job would have taken out of the index, had they been there, some at a time: name, value, pid."""

    def read_ordered_records(self, after: int, limit: int) -> pa.Table:
        """The records that this job follows one by one: ``record``."""

    def read_notices(self) -> list[Any]:
        """Read the notices of this job: see ``tables``."""

    def count_faults(self) -> list[FaultCount]:
        """What the reported rows of this job failed for, the most frequent first."""

    def read_failed_records(self, limit: int) -> Iterator[pa.Table]:
        """The records that this job has reported as failed, ``limit`` at a time: ``record``."""

    def read_touched(self, domain_id: int, pids: pa.Array) -> pa.Table:
        """Those of these profiles that the domain has and that this job was the last upload job to touch: ``pid``."""


class BulkStore(BulkReader, Protocol):
    """The connection of one loader that writes."""

    def chunk(self) -> AbstractContextManager[ChunkState]:
        """One write transaction, with ``record_progress``, ``check_lease`` or ``end_job``, which check the lease.

        The row of the job is locked before the one of its details, so ``record_progress`` comes before other records.

        Raises:
            Busy: another process held the write lock for a minute.
        """

    def record_progress(
        self, *, phase: str, position: int, done: int | None = None, total: int | None = None, **counts: int
    ) -> None:
        """Record where the job stands now, and add to its counts.

        Args:
            done: how much of the step is done, in its unit, if neither position nor counts say it; 0 begins it again.
            total: how much there is of that; None if that has not changed.
            counts: those of the kind's details, without their ending ``_count``; of an upload job, ``updated`` contains
                ``unchanged``.

        Raises:
            LeaseLost: the job is no longer this loader's; the chunk must be rolled back.
        """

    def record_file_form(self, file_form: Mapping[str, Any]) -> None:
        """Record what the file is read as."""

    def record_plan(
        self,
        *,
        record_count: int,
        pid_base: int,
        file_header: Sequence[str],
        repeated_count: int,
        notices: Sequence[Any],
        undo_days: int | None,
    ) -> None:
        """Record what reading the file and planning have found, in a chunk that has recorded progress.

        Args:
            notices: see ``tables``.
            undo_days: see ``tables``; None for a job that changes nothing.
        """

    def record_notices(self, notices: Sequence[Any]) -> None:
        """Replace the notices of this job, in a chunk that has recorded progress."""

    def check_lease(self) -> None:
        """Hold a chunk that records no progress to the lease, too.

        Raises:
            LeaseLost: the job is no longer this loader's; the chunk must be rolled back.
        """

    def end_job(
        self,
        *,
        status: str,
        reason: str | None,
        message: str | None,
        fault_counts: Sequence[FaultCount],
        step_milliseconds: Mapping[str, int],
        completed_at: datetime,
    ) -> None:
        """Set the final state, and forget the job's key: the file can no longer be read.

        Raises:
            LeaseLost: the job is no longer this loader's; the chunk must be rolled back.
        """

    def reserve_row_numbers(self, count: int) -> int:
        """Reserve ``count`` row numbers that nothing else will use; the first of them."""

    def insert_failed_rows(self, rows: pa.Table) -> None:
        """Columns record, fault, line, code, column_name, detail, content."""

    def insert_repeated_rows(self, rows: pa.Table) -> None:
        """Columns record, line, first_record, first_line, in order of record; those already there stay."""

    def insert_preview_samples(self, rows: pa.Table) -> None:
        """Columns number, content."""

    def insert_profiles(
        self,
        rows: pa.Table | PreparedRows,
        *,
        domain_id: int,
        columns: Sequence[str],
        now: datetime,
        expires_at: datetime,
    ) -> None:
        """New profiles: columns pid, profile_id, then ``columns`` (text), then attributes (JSON text or null)."""

    def update_profiles(
        self,
        rows: pa.Table,
        *,
        domain_id: int,
        columns: Sequence[str],
        now: datetime,
        expires_at: datetime,
        clears: bool,
    ) -> None:
        """Changes of existing profiles: ``columns`` (text, null keeps), attributes (JSON object or null), then pid.

        Args:
            clears: an empty text, and a null in the JSON object, clear what is there. Without it there are none.
        """

    def update_origins(self, domain_id: int, rows: pa.Table) -> None:
        """What profiles keep as set by hand: columns origins (a JSON list or null), then pid."""

    def restore_profiles(self, rows: pa.Table, *, domain_id: int, columns: Sequence[str]) -> None:
        """Make existing profiles hold exactly this.

        Args:
            rows: ``columns`` (text or null), then the numbers revision, updated_at, expires_at and last_upload_job (0
                for none), then pid.
        """

    def delete_profiles(self, domain_id: int, pids: pa.Array) -> None:
        """Remove these profiles, which are there; their keys are the caller's affair."""

    def insert_undo_image(self, content: bytes) -> None:
        """What profiles were before the chunk changed them: see ``uploads.loading.undo_images``."""

    def insert_absent_keys(self, rows: pa.Table) -> None:
        """Columns name, value, pid; those already there stay."""

    def insert_kept_profiles(self, rows: pa.Table) -> None:
        """Columns pid, profile_id, was_created."""

    def forget_undo(self, upload_job_id: int) -> bool:
        """Remove some of what is kept to take a job back; whether anything was left."""

    def insert_ordered_records(self, rows: pa.Table) -> None:
        """Column record; those already there stay."""

    def insert_pending_keys(self, rows: pa.Table) -> None:
        """Columns added (0 or 1), name, value, pid."""

    def forget_report(self) -> bool:
        """Remove some of what this job has reported of its file, and of what it noted; whether anything was left."""

    def restart(self) -> None:
        """Take the job back to its beginning: no counts, nothing known of the file. Row numbers stay reserved.

        Raises:
            LeaseLost: the job is no longer this loader's; the chunk must be rolled back.
        """

    def forget_notes(self) -> bool:
        """Remove some of what this job noted for itself, when it is done; whether anything was left."""

    def add_keys(self, domain_id: int, name: str, rows: pa.Table | PreparedRows) -> None:
        """Keys of one name, columns value and pid; those already there stay."""

    def remove_keys(self, domain_id: int, name: str, rows: pa.Table | PreparedRows) -> int:
        """Keys of one name, columns value and pid; keys that were added by hand stay. How many were removed."""

    def register_indexed_field(self, domain_id: int, path: str) -> bool:
        """Have every writer of the domain keep this field's index from now on; whether it is whole already."""

    def finish_indexed_field(self, domain_id: int, path: str) -> None:
        """Note that the profiles stored before are in this field's index as well."""


def only_living(found: pa.Table, living: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Keep the holders that have not expired, with their columns: see ``BulkReader.find_key_holders``."""
    place = pa.compute.index_in(found["pid"], living["pid"].combine_chunks())
    is_living = pa.compute.is_valid(place)
    kept, places = found.filter(is_living), place.filter(is_living)
    for column in columns:
        kept = kept.append_column(column, living[column].take(places))
    return kept
