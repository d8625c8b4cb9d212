"""The loader's statements about its own job, in words that both engines read."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from openprofiles.clock import from_milliseconds, to_milliseconds, utc_now
from openprofiles.feed_kinds import WEBHOOK
from openprofiles.job_kinds import KINDS
from openprofiles.store.bulk_protocols import JobNotes
from openprofiles.store.change_actions import IS_REMOVAL_SQL, ChangeAction
from openprofiles.store.leased_jobs import (
    ChunkState,
    FaultCount,
    Lease,
    LeasedJob,
    LeasedUpload,
    LeaseLost,
    UndoneJob,
)
from openprofiles.store.row_number_lists import pack_row_numbers, unpack_row_numbers
from openprofiles.store.upload_job_states import MAX_FAILED_ATTEMPTS
from openprofiles.store.webhook_of_job import WEBHOOK_URL_OF_JOB

# How often something else than this job has changed profiles of its domain.
_KEY_VERSION = "d.change_number - j.change_count"
_JOB_COLUMNS = (
    "j.job_id",
    "j.domain_id",
    "j.subject",
    "j.started_at",
    "j.phase",
    "j.position",
    "j.stop_requested_at",
    "j.failed_attempts",
    "j.failure_message",
    "d.phone_region",
    f"{_KEY_VERSION} as key_version",
    "d.deleted_at",
)
_UPLOAD_JSON = ("fields", "options", "file_form")
_UPLOAD_COLUMNS = [
    f"cast(u.{field.name} as text) as {field.name}" if field.name in _UPLOAD_JSON else f"u.{field.name}"
    for field in fields(LeasedUpload)
    if field not in fields(LeasedJob)
]
# Key changes (a row for each chunk, some of a megabyte) and record numbers that are removed in one chunk.
_NOTES_PER_CHUNK = (10, 20_000)
_IMAGES_PER_CHUNK = 10
# Some 50 bytes each.
REMOVED_PIDS_AT_A_TIME = 1_000_000
_ABSENT_KEYS_PER_READ = 20_000
# Failed rows may have a megabyte each.
_REPORTED_PER_CHUNK = 2_000


class LeasedJobReader(ABC):
    """Reads the job of a lease, its domain and its notes."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    @abstractmethod
    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The answer to a statement with ``?`` for each parameter."""

    @abstractmethod
    def _table(self, sql: str, types: Mapping[str, pa.DataType], *parameters: object) -> pa.Table:
        """The answer as a table of these columns."""

    def read_job(self) -> LeasedJob:
        """The job and its domain as they stand.

        Raises:
            LeaseLost: the job is no longer this loader's.
        """
        return LeasedJob(**self._read_job())

    def read_upload(self) -> LeasedUpload:
        """The same of an upload job or a preview.

        Raises:
            LeaseLost: the job is no longer this loader's.
        """
        values = self._read_job(*_UPLOAD_COLUMNS, details="join upload_job u on u.job_number = j.job_number")
        return LeasedUpload(**values | {name: json.loads(values[name] or "null") for name in _UPLOAD_JSON})

    def _read_job(self, *more: str, details: str = "") -> dict[str, Any]:
        columns = (*_JOB_COLUMNS, *more)
        rows = self._rows(
            f"select {', '.join(columns)} from job j join domain d on d.domain_id = j.domain_id {details} "
            "where j.job_number = ? and j.lease_owner = ? and j.epoch = ? and j.status = 'IN_PROGRESS'",
            *self._lease_values,
        )
        if not rows:
            raise LeaseLost
        row = dict(zip((re.split(r"[. ]", column)[-1] for column in columns), rows[0], strict=True))
        paths = self._rows(
            "select path, is_built from indexed_field where domain_id = ? order by path", row["domain_id"]
        )
        return row | {
            "kind": self._lease.kind,
            "epoch": self._lease.epoch,
            "started_at": from_milliseconds(row["started_at"]),
            "stop_requested": row.pop("stop_requested_at") is not None,
            "domain_deleted": row.pop("deleted_at") is not None,
            "indexed_paths": tuple(path for path, _ in paths),
            "whole_index_paths": tuple(path for path, is_built in paths if is_built),
        }

    @cached_property
    def _job_facts(self) -> tuple[int, int]:
        """What never changes of the job: the number of its domain, and when it started."""
        rows = self._rows("select domain_id, started_at from job where job_number = ?", self._lease.job_number)
        return int(rows[0][0]), int(rows[0][1])

    @property
    def _domain_id(self) -> int:
        return self._job_facts[0]

    @property
    def _lease_values(self) -> tuple[int, str, int]:
        return self._lease.job_number, self._lease.owner, self._lease.epoch

    def read_key_version(self) -> int:
        """See ``JobNotes``."""
        rows = self._rows(
            f"select {_KEY_VERSION} from job j join domain d on d.domain_id = j.domain_id where j.job_number = ?",
            self._lease.job_number,
        )
        return int(rows[0][0])

    def has_keys(self, name: str) -> bool:
        """Whether any profile of the domain has a key of this name."""
        return bool(
            self._rows("select 1 from profile_key where domain_id = ? and name = ? limit 1", self._domain_id, name)
        )

    def read_some_keys(self, name: str, limit: int) -> list[str]:
        """Return the first and the last keys of this name, about half of the limit each."""
        sql = "select value from profile_key where domain_id = ? and name = ? order by value{} limit ?"
        ends = (self._rows(sql.format(order), self._domain_id, name, limit // 2) for order in ("", " desc"))
        return list({value for rows in ends for (value,) in rows})

    def read_notices(self) -> list[Any]:
        """See ``JobNotes``."""
        rows = self._rows("select cast(notices as text) from upload_job where job_number = ?", self._lease.job_number)
        notices: list[Any] = json.loads(rows[0][0] or "[]")
        return notices

    def count_faults(self) -> list[FaultCount]:
        """What the reported rows of this job failed for, the most frequent first."""
        rows = self._rows(
            "select code, column_name, count(*), min(record) from failed_row where upload_job_id = ? "
            "group by code, column_name order by 3 desc, 1, 2",
            self._lease.job_number,
        )
        return [(code, column_name, int(count), int(first)) for code, column_name, count, first in rows]

    def read_undone_job(self, job_number: int) -> UndoneJob:
        """The job that this one undoes."""
        fields, unique_key, *counts = self._rows(
            "select cast(fields as text), unique_key, coalesce(pid_base, 0), coalesce(record_count, 0), created_count "
            "from upload_job where job_number = ?",
            job_number,
        )[0]
        return UndoneJob(json.loads(fields), unique_key, *(int(count) for count in counts))

    def read_undo_counts(self) -> tuple[int, int]:
        """How many profiles this undo has removed, and how many it has kept."""
        rows = self._rows("select removed_count, kept_count from undo_job where job_number = ?", self._lease.job_number)
        return int(rows[0][0]), int(rows[0][1])

    def read_pending_keys(self) -> Iterator[pa.Table]:
        """Key changes that this job's updates left, chunk by chunk: added (0 or 1), name, value, pid."""
        for content in self._read_contents("pending_keys", "changes", self._lease.job_number):
            with pa.ipc.open_stream(content) as stream:
                yield stream.read_all()

    def read_ordered_records(self, after: int, limit: int) -> pa.Table:
        """See ``JobNotes``."""
        return self._read_records("ordered_record", after, limit)

    def read_failed_records(self, limit: int) -> Iterator[pa.Table]:
        """The records that this job has reported as failed, ``limit`` at a time: ``record``."""
        after = 0
        while (records := self._read_records("failed_row", after, limit, "fault = 0")).num_rows:
            yield records
            after = records["record"][-1].as_py()

    def _read_records(self, table: str, after: int, limit: int, condition: str = "true") -> pa.Table:
        return self._table(
            f"select record from {table} where upload_job_id = ? and record > ? and {condition} "
            "order by record limit ?",
            {"record": pa.int64()},
            self._lease.job_number,
            after,
            limit,
        )

    def read_undo_images(self, upload_job_id: int) -> Iterator[bytes]:
        """What profiles were before a job changed them, chunk by chunk: see ``bulk.images``."""
        return self._read_contents("undo_image", "content", upload_job_id)

    def read_absent_keys(self, upload_job_id: int) -> Iterator[pa.Table]:
        """Keys that a job would have taken out of the index, had they been there, some at a time: name, value, pid."""
        last: tuple[str, str, int] = ("", "", 0)
        while True:
            rows = self._table(
                "select name, value, pid from undo_absent_key "
                "where upload_job_id = ? and (name, value, pid) > (?, ?, ?) order by name, value, pid limit ?",
                {"name": pa.string(), "value": pa.string(), "pid": pa.int64()},
                upload_job_id,
                *last,
                _ABSENT_KEYS_PER_READ,
            )
            if not rows.num_rows:
                return
            yield rows
            last = tuple(rows[name][-1].as_py() for name in ("name", "value", "pid"))

    def read_removed_pids(self) -> tuple[int, pa.Array]:
        """The first profiles that were deleted since a job last forgot them, and the number of their last change.

        They are about a million at most, since they are held in memory.
        """
        rows = self._rows(
            "select number, first_pid, last_pid, pids from (select c.number, c.first_pid, c.last_pid, c.pids, "
            "sum(c.profile_count) over (order by c.number) - c.profile_count as count_before "
            "from profile_change c join domain d on d.domain_id = c.domain_id "
            f"where c.domain_id = ? and c.number > d.forgotten_number and {IS_REMOVAL_SQL}) removed "
            "where count_before < ? order by number",
            self._domain_id,
            REMOVED_PIDS_AT_A_TIME,
        )
        pids = sorted({pid for _, *packed in rows for pid in unpack_row_numbers(*packed)})
        return max((row[0] for row in rows), default=0), pa.array(pids, pa.int64())

    def list_images(self) -> list[tuple[int, int, pa.Array | None]]:
        """What is kept of the domain's profiles by loads: job, number, and row numbers if they are known."""
        rows = self._rows(
            "select i.upload_job_id, i.undo_image_id, c.first_pid, c.last_pid, c.pids from undo_image i "
            "join job j on j.job_number = i.upload_job_id "
            "left join profile_change c on c.domain_id = j.domain_id and c.number = i.number "
            "where j.domain_id = ? order by i.upload_job_id, i.undo_image_id",
            self._domain_id,
        )
        return [
            (job, number, None if packed[0] is None else pa.array(unpack_row_numbers(*packed), pa.int64()))
            for job, number, *packed in rows
        ]

    def list_jobs_with_absent_keys(self) -> list[int]:
        """The jobs of the domain that keep keys which they would have taken out of the index."""
        rows = self._rows(
            "select j.job_number from job j where j.domain_id = ? "
            "and exists (select 1 from undo_absent_key a where a.upload_job_id = j.job_number)",
            self._domain_id,
        )
        return [row[0] for row in rows]

    def read_image(self, upload_job_id: int, number: int) -> list[bytes]:
        """One of them, unless it was removed meanwhile: see ``bulk.images``."""
        rows = self._rows(
            "select content from undo_image where upload_job_id = ? and undo_image_id = ?", upload_job_id, number
        )
        return [row[0] for row in rows]

    def _read_contents(self, table: str, column: str, upload_job_id: int) -> Iterator[bytes]:
        """What a job has in the rows of a table, in their order, one at a time."""
        after = 0
        while rows := self._rows(
            f"select {table}_id, {column} from {table} "
            f"where upload_job_id = ? and {table}_id > ? order by {table}_id limit 1",
            upload_job_id,
            after,
        ):
            after, content = rows[0]
            yield content


class LeasedJobWriter(LeasedJobReader):
    """Writes the job of a lease, within a chunk."""

    # How a text becomes what a JSON column holds.
    _JSON = "{}"

    # What a select says to keep a row of ``d`` to itself until the chunk ends, where a chunk alone does not.
    _LOCK_DOMAIN = ""

    def _read_chunk_state(self) -> ChunkState:
        rows = self._rows(
            f"select {_KEY_VERSION}, "
            f"j.stop_requested_at is not null or j.failed_attempts >= {MAX_FAILED_ATTEMPTS}, "
            "d.deleted_at is not null "
            "from job j join domain d on d.domain_id = j.domain_id "
            f"where j.job_number = ? {self._LOCK_DOMAIN}",
            self._lease.job_number,
        )
        if not rows:
            raise LeaseLost
        return ChunkState(rows[0][0], bool(rows[0][1]), bool(rows[0][2]))

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
        kind, now = KINDS[self._lease.kind], to_milliseconds(utc_now())
        # Staging begins again each time, so it is no progress; and a job that has given up stays that way.
        is_no_progress = (
            f"{phase == 'stage'} or failed_attempts >= {MAX_FAILED_ATTEMPTS} "
            "or (phase is not distinct from ? and position = ?)"
        )
        # A file that is read again from its beginning begins its step again.
        same_step = () if done == 0 else kind.step_of(phase).phases
        self._update_job(
            "phase = ?, position = ?, done = cast(? as bigint), total = coalesce(cast(? as bigint), total), "
            f"failed_attempts = case when {is_no_progress} then failed_attempts else 0 end, "
            f"failure_message = case when {is_no_progress} then failure_message end, "
            f"step_started_at = case when {' or '.join('phase = ?' for _ in same_step) or 'false'} "
            "then coalesce(step_started_at, cast(? as bigint)) else cast(? as bigint) end",
            phase,
            position,
            done,
            total,
            *(phase, position) * 2,
            *same_step,
            now,
            now,
        )
        added = {f"{name}_count": count for name, count in counts.items() if count}
        if added:
            self._run(
                f"update {kind.details} set {', '.join(f'{name} = {name} + ?' for name in added)} where job_number = ?",
                *added.values(),
                self._lease.job_number,
            )

    def _update_job(self, sql: str, *parameters: object, returning: str = "1") -> tuple[Any, ...]:
        """Update the row of the job, if this loader still holds it."""
        rows = self._rows(
            f"update job set {sql} where job_number = ? and lease_owner = ? and epoch = ? and status = 'IN_PROGRESS' "
            f"returning {returning}",
            *parameters,
            *self._lease_values,
        )
        if not rows:
            raise LeaseLost
        return rows[0]

    def record_file_form(self, file_form: Mapping[str, Any]) -> None:
        """Record what the file is read as."""
        self._run(
            f"update upload_job set file_form = {self._JSON.format('?')} where job_number = ?",
            json.dumps(dict(file_form)),
            self._lease.job_number,
        )

    def record_plan(
        self,
        *,
        record_count: int,
        pid_base: int,
        file_header: Sequence[str],
        repeated_count: int | None,
        notices: Sequence[Any],
        undo_days: int | None,
    ) -> None:
        """Record what reading the file and planning have found, in a chunk that has recorded progress.

        Args:
            notices: see ``tables``.
            undo_days: see ``tables``; None for a job that changes nothing.
        """
        self._run(
            f"update upload_job set record_count = ?, pid_base = ?, file_header = {self._JSON.format('?')}, "
            f"repeated_count = cast(? as bigint), notices = {self._JSON.format('?')}, undo_days = cast(? as bigint) "
            "where job_number = ?",
            record_count,
            pid_base,
            json.dumps(list(file_header)),
            repeated_count,
            json.dumps(list(notices)),
            undo_days,
            self._lease.job_number,
        )

    def record_notices(self, notices: Sequence[Any]) -> None:
        """See ``JobNotes``."""
        self._run(
            f"update upload_job set notices = {self._JSON.format('?')} where job_number = ?",
            json.dumps(list(notices)),
            self._lease.job_number,
        )

    def check_lease(self) -> None:
        """Hold a chunk that records no progress to the lease, too.

        Raises:
            LeaseLost: the job is no longer this loader's; the chunk must be rolled back.
        """
        self.read_job()

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
        (webhook_url,) = self._update_job(
            "status = ?, status_reason = cast(? as text), failure_message = cast(? as text), "
            f"step_milliseconds = {self._JSON.format('?')}, completed_at = ?, lease_owner = null, lease_until = null",
            status,
            reason,
            message,
            json.dumps(dict(step_milliseconds)),
            to_milliseconds(completed_at),
            returning=WEBHOOK_URL_OF_JOB,
        )
        # Jobs without a file have no such row.
        self._run(
            f"update upload_job set fault_counts = {self._JSON.format('?')}, client_token = null where job_number = ?",
            json.dumps(fault_counts) if fault_counts else None,
            self._lease.job_number,
        )
        if webhook_url is not None:
            self._run(
                "insert into feed (name, subject, domain_id, target, next_attempt_at, created_at) "
                f"values ('{WEBHOOK.name}', ?, ?, ?, ?, ?)",
                self._lease.job_number,
                self._domain_id,
                webhook_url,
                to_milliseconds(completed_at),
                to_milliseconds(completed_at),
            )

    def reserve_row_numbers(self, count: int) -> int:
        """Reserve ``count`` row numbers that nothing else will use; the first of them."""
        rows = self._rows(
            "insert into row_sequence (name, next_value) values ('profile', 1 + cast(? as bigint)) "
            "on conflict (name) do update set next_value = row_sequence.next_value + ? returning next_value",
            count,
            count,
        )
        return int(rows[0][0]) - count

    def insert_pending_keys(self, rows: pa.Table) -> None:
        """Columns added (0 or 1), name, value, pid."""
        if not rows.num_rows:
            return
        stream = pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, rows.schema) as writer:
            writer.write_table(rows)
        self._rows(
            "insert into pending_keys (upload_job_id, changes) values (?, ?) returning 1",
            self._lease.job_number,
            stream.getvalue().to_pybytes(),
        )

    def replace_image(self, upload_job_id: int, number: int, content: bytes) -> None:
        """Replace what a chunk of a load has kept."""
        self._run(
            "update undo_image set content = ? where upload_job_id = ? and undo_image_id = ?",
            content,
            upload_job_id,
            number,
        )

    def forget_absent_key(self, upload_job_id: int, name: str, value: str, pid: int) -> None:
        """Remove a key that a load would have taken out of the index."""
        self._run(
            "delete from undo_absent_key where upload_job_id = ? and name = ? and value = ? and pid = ?",
            upload_job_id,
            name,
            value,
            pid,
        )

    def note_forgotten(self, number: int) -> None:
        """Note up to which change the values of deleted profiles are forgotten."""
        self._run("update domain set forgotten_number = ? where domain_id = ?", number, self._domain_id)

    def forget_undo(self, upload_job_id: int) -> bool:
        """Remove some of what is kept to take a job back; whether anything was left."""
        return self._forget(
            ("undo_image", "undo_image_id", _IMAGES_PER_CHUNK),
            ("undo_absent_key", "pid", _NOTES_PER_CHUNK[1]),
            upload_job_id=upload_job_id,
        )

    def forget_report(self) -> bool:
        """Remove some of what this job has reported of its file, and of what it noted; whether anything was left."""
        return self._forget(
            ("failed_row", "record", _REPORTED_PER_CHUNK),
            ("repeated_row", "record", _NOTES_PER_CHUNK[1]),
            ("ordered_record", "record", _NOTES_PER_CHUNK[1]),
        )

    def restart(self) -> None:
        """Take the job back to its beginning: no counts, nothing known of the file. Row numbers stay reserved.

        Raises:
            LeaseLost: the job is no longer this loader's; the chunk must be rolled back.
        """
        self._update_job("phase = null, position = 0")
        self._run(
            "update upload_job set record_count = null, repeated_count = null, notices = null, undo_days = null, "
            "created_count = 0, updated_count = 0, unchanged_count = 0, failed_count = 0 where job_number = ?",
            self._lease.job_number,
        )

    def forget_notes(self) -> bool:
        """Remove some of what this job noted for itself, when it is done; whether anything was left."""
        return self._forget(
            ("pending_keys", "pending_keys_id", _NOTES_PER_CHUNK[0]),
            ("ordered_record", "record", _NOTES_PER_CHUNK[1]),
        )

    def _forget(self, *parts: tuple[str, str, int], upload_job_id: int | None = None) -> bool:
        """Remove up to so many rows of each table, the first by a column; whether there were any.

        Args:
            upload_job_id: whose rows; by default this job's own.
        """
        of_job = self._lease.job_number if upload_job_id is None else upload_job_id
        is_left = False
        for table, column, limit in parts:
            last = self._rows(
                f"select max({column}) from (select {column} from {table} where upload_job_id = ? "
                f"order by {column} limit {limit}) t",
                of_job,
            )[0][0]
            if last is not None:
                is_left = True
                self._run(f"delete from {table} where upload_job_id = ? and {column} <= ?", of_job, last)
        return is_left

    def register_indexed_field(self, path: str) -> bool:
        """Have every writer of the domain keep this field's index from now on; whether it is whole already."""
        self._run(
            "insert into indexed_field (domain_id, path, is_built) values (?, ?, false) on conflict do nothing",
            self._domain_id,
            path,
        )
        rows = self._rows("select is_built from indexed_field where domain_id = ? and path = ?", self._domain_id, path)
        return bool(rows[0][0])

    def finish_indexed_field(self, path: str) -> None:
        """Note that the profiles stored before are in this field's index as well."""
        self._run("update indexed_field set is_built = true where domain_id = ? and path = ?", self._domain_id, path)

    def _note_change(
        self,
        action: ChangeAction,
        pids: pa.Array | pa.ChunkedArray,
        now: datetime,
        *,
        added: int = 0,
        image: bytes | None = None,
        object_type: str | None = None,
    ) -> None:
        """Write a change by this job to the log.

        Args:
            pids: of the changed profiles, ascending.
            added: how many more profiles the domain has.
            image: what they were before: see ``bulk.images``; None: it is not kept.
            object_type: the name of the type of the objects that were ingested.
        """
        numbers = pids.cast(pa.int64()).to_pylist()
        if not numbers:
            return
        ((number,),) = self._rows(
            "update domain set change_number = change_number + 1, profile_count = profile_count + ? "
            "where domain_id = ? returning change_number",
            added,
            self._domain_id,
        )
        self._run("update job set change_count = change_count + 1 where job_number = ?", self._lease.job_number)
        self._run(
            "insert into profile_change (domain_id, number, changed_at, action, job_number, first_pid, last_pid, "
            "profile_count, pids, object_type) values (?, ?, ?, ?, ?, ?, ?, ?, ?, cast(? as text))",
            self._domain_id,
            number,
            to_milliseconds(now),
            action.value,
            self._lease.job_number,
            numbers[0],
            numbers[-1],
            len(numbers),
            pack_row_numbers(numbers),
            object_type,
        )
        if image is not None:
            self._run(
                "insert into undo_image (upload_job_id, content, number) values (?, ?, ?)",
                self._lease.job_number,
                image,
                number,
            )

    def _run(self, sql: str, *parameters: object) -> None:
        """Run a statement that has no answer."""
        self._rows(sql, *parameters)


class JobStore(LeasedJobWriter, JobNotes):
    """What every job asks of the store, however its loader opens it."""
