"""The loader's statements about its own job, in words that both engines read."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from openprofiles.clock import from_milliseconds, to_milliseconds, utc_now
from openprofiles.feed_kinds import WEBHOOK
from openprofiles.job_kinds import KINDS
from openprofiles.store.bulk import ChunkState, FaultCount, Lease, LeasedJob, LeasedUpload, LeaseLost, UndoneJob
from openprofiles.store.upload_job_states import MAX_FAILED_ATTEMPTS
from openprofiles.store.webhook_of_job import WEBHOOK_URL_OF_JOB

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
    "d.key_version",
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
        """See ``BulkReader``."""
        return LeasedJob(**self._read_job())

    def read_upload(self) -> LeasedUpload:
        """See ``BulkReader``."""
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

    @property
    def _lease_values(self) -> tuple[int, str, int]:
        return self._lease.job_number, self._lease.owner, self._lease.epoch

    def read_key_version(self, domain_id: int) -> int:
        """See ``BulkReader``."""
        return int(self._rows("select key_version from domain where domain_id = ?", domain_id)[0][0])

    def has_keys(self, domain_id: int, name: str) -> bool:
        """See ``BulkReader``."""
        return bool(self._rows("select 1 from profile_key where domain_id = ? and name = ? limit 1", domain_id, name))

    def read_notices(self) -> list[Any]:
        """See ``BulkReader``."""
        rows = self._rows("select cast(notices as text) from upload_job where job_number = ?", self._lease.job_number)
        notices: list[Any] = json.loads(rows[0][0] or "[]")
        return notices

    def count_faults(self) -> list[FaultCount]:
        """See ``BulkReader``."""
        rows = self._rows(
            "select code, column_name, count(*), min(record) from failed_row where upload_job_id = ? "
            "group by code, column_name order by 3 desc, 1, 2",
            self._lease.job_number,
        )
        return [(code, column_name, int(count), int(first)) for code, column_name, count, first in rows]

    def read_undone_job(self, job_number: int) -> UndoneJob:
        """See ``BulkReader``."""
        fields, unique_key, *counts = self._rows(
            "select cast(fields as text), unique_key, coalesce(pid_base, 0), coalesce(record_count, 0), created_count "
            "from upload_job where job_number = ?",
            job_number,
        )[0]
        return UndoneJob(json.loads(fields), unique_key, *(int(count) for count in counts))

    def read_undo_counts(self) -> tuple[int, int]:
        """See ``BulkReader``."""
        rows = self._rows("select removed_count, kept_count from undo_job where job_number = ?", self._lease.job_number)
        return int(rows[0][0]), int(rows[0][1])

    def read_pending_keys(self) -> Iterator[pa.Table]:
        """See ``BulkReader``."""
        for content in self._read_contents("pending_keys", "changes", self._lease.job_number):
            with pa.ipc.open_stream(content) as stream:
                yield stream.read_all()

    def read_undo_images(self, upload_job_id: int) -> Iterator[bytes]:
        """See ``BulkReader``."""
        return self._read_contents("undo_image", "content", upload_job_id)

    def read_absent_keys(self, upload_job_id: int) -> Iterator[pa.Table]:
        """See ``BulkReader``."""
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
            "select d.key_version, "
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
        """See ``BulkStore``."""
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
        """See ``BulkStore``."""
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
        repeated_count: int,
        notices: Sequence[Any],
        undo_days: int | None,
    ) -> None:
        """See ``BulkStore``."""
        self._run(
            f"update upload_job set record_count = ?, pid_base = ?, file_header = {self._JSON.format('?')}, "
            f"repeated_count = ?, notices = {self._JSON.format('?')}, undo_days = cast(? as bigint) "
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
        """See ``BulkStore``."""
        self._run(
            f"update upload_job set notices = {self._JSON.format('?')} where job_number = ?",
            json.dumps(list(notices)),
            self._lease.job_number,
        )

    def check_lease(self) -> None:
        """See ``BulkStore``."""
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
        """See ``BulkStore``."""
        domain_id, webhook_url = self._update_job(
            "status = ?, status_reason = cast(? as text), failure_message = cast(? as text), "
            f"step_milliseconds = {self._JSON.format('?')}, completed_at = ?, lease_owner = null, lease_until = null",
            status,
            reason,
            message,
            json.dumps(dict(step_milliseconds)),
            to_milliseconds(completed_at),
            returning=f"domain_id, {WEBHOOK_URL_OF_JOB}",
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
                domain_id,
                webhook_url,
                to_milliseconds(completed_at),
                to_milliseconds(completed_at),
            )

    def reserve_row_numbers(self, count: int) -> int:
        """See ``BulkStore``."""
        rows = self._rows(
            "insert into row_sequence (name, next_value) values ('profile', 1 + cast(? as bigint)) "
            "on conflict (name) do update set next_value = row_sequence.next_value + ? returning next_value",
            count,
            count,
        )
        return int(rows[0][0]) - count

    def insert_pending_keys(self, rows: pa.Table) -> None:
        """See ``BulkStore``."""
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

    def insert_undo_image(self, content: bytes) -> None:
        """See ``BulkStore``."""
        self._rows(
            "insert into undo_image (upload_job_id, content) values (?, ?) returning 1",
            self._lease.job_number,
            content,
        )

    def forget_undo(self, upload_job_id: int) -> bool:
        """See ``BulkStore``."""
        return self._forget(
            ("undo_image", "undo_image_id", _IMAGES_PER_CHUNK),
            ("undo_absent_key", "pid", _NOTES_PER_CHUNK[1]),
            upload_job_id=upload_job_id,
        )

    def forget_report(self) -> bool:
        """See ``BulkStore``."""
        return self._forget(
            ("failed_row", "record", _REPORTED_PER_CHUNK),
            ("repeated_row", "record", _NOTES_PER_CHUNK[1]),
            ("ordered_record", "record", _NOTES_PER_CHUNK[1]),
        )

    def restart(self) -> None:
        """See ``BulkStore``."""
        self._update_job("phase = null, position = 0")
        self._run(
            "update upload_job set record_count = null, repeated_count = null, notices = null, undo_days = null, "
            "created_count = 0, updated_count = 0, unchanged_count = 0, failed_count = 0 where job_number = ?",
            self._lease.job_number,
        )

    def forget_notes(self) -> bool:
        """See ``BulkStore``."""
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

    def register_indexed_field(self, domain_id: int, path: str) -> bool:
        """See ``BulkStore``."""
        self._run(
            "insert into indexed_field (domain_id, path, is_built) values (?, ?, false) on conflict do nothing",
            domain_id,
            path,
        )
        rows = self._rows("select is_built from indexed_field where domain_id = ? and path = ?", domain_id, path)
        return bool(rows[0][0])

    def finish_indexed_field(self, domain_id: int, path: str) -> None:
        """See ``BulkStore``."""
        self._run("update indexed_field set is_built = true where domain_id = ? and path = ?", domain_id, path)

    def _count_profiles(self, domain_id: int, added: int) -> None:
        self._run("update domain set profile_count = profile_count + ? where domain_id = ?", added, domain_id)

    def _run(self, sql: str, *parameters: object) -> None:
        """Run a statement that has no answer."""
        self._rows(sql, *parameters)
