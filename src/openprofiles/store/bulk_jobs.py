"""The loader's statements about its own job, in words that both engines read."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from openprofiles.clock import from_milliseconds, to_milliseconds, utc_now
from openprofiles.feed_kinds import WEBHOOK
from openprofiles.job_kinds import phases_of_step
from openprofiles.store.bulk import ChunkState, FaultCount, Lease, LeasedJob, LeaseLost, UndoneJob
from openprofiles.store.upload_job_states import MAX_FAILED_ATTEMPTS
from openprofiles.store.webhook_of_job import WEBHOOK_URL_OF_JOB

_JOB_COLUMNS = (
    "job_id",
    "domain_id",
    "unique_key",
    "data_expiry_days",
    "started_at",
    "client_token",
    "failed_rows_key",
    "file_name",
    "phase",
    "position",
    "record_count",
    "created_count",
    "updated_count",
    "failed_count",
    "pid_base",
    "stop_requested_at",
    "failed_attempts",
    "failure_message",
    "kind",
    "undo_of",
    "undo_days",
)
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
        rows = self._rows(
            f"select {', '.join('j.' + column for column in _JOB_COLUMNS)}, cast(j.fields as text), "
            "cast(j.options as text), cast(j.file_form as text), "
            "d.phone_region, d.key_version, d.deleted_at "
            "from upload_job j join domain d on d.domain_id = j.domain_id "
            "where j.upload_job_id = ? and j.lease_owner = ? and j.epoch = ? and j.status = 'IN_PROGRESS'",
            self._lease.upload_job_id,
            self._lease.owner,
            self._lease.epoch,
        )
        if not rows:
            raise LeaseLost
        *values, fields, options, file_form, phone_region, key_version, deleted_at = rows[0]
        row = dict(zip(_JOB_COLUMNS, values, strict=True))
        paths = self._rows(
            "select path, is_built from indexed_field where domain_id = ? order by path", row["domain_id"]
        )
        return LeasedJob(
            job_id=row["job_id"],
            domain_id=row["domain_id"],
            epoch=self._lease.epoch,
            fields=json.loads(fields),
            options=None if options is None else json.loads(options),
            file_form=None if file_form is None else json.loads(file_form),
            unique_key=row["unique_key"],
            data_expiry_days=row["data_expiry_days"],
            started_at=from_milliseconds(row["started_at"]),
            client_token=row["client_token"],
            failed_rows_key=row["failed_rows_key"],
            file_name=row["file_name"],
            phase=row["phase"],
            position=row["position"],
            record_count=row["record_count"],
            created_count=row["created_count"],
            updated_count=row["updated_count"],
            failed_count=row["failed_count"],
            pid_base=row["pid_base"],
            stop_requested=row["stop_requested_at"] is not None,
            failed_attempts=row["failed_attempts"],
            failure_message=row["failure_message"],
            phone_region=phone_region,
            key_version=key_version,
            domain_deleted=deleted_at is not None,
            kind=row["kind"],
            undo_of=row["undo_of"],
            undo_days=row["undo_days"],
            indexed_paths=tuple(path for path, _ in paths),
            whole_index_paths=tuple(path for path, is_built in paths if is_built),
        )

    def read_key_version(self, domain_id: int) -> int:
        """See ``BulkReader``."""
        return int(self._rows("select key_version from domain where domain_id = ?", domain_id)[0][0])

    def has_keys(self, domain_id: int, name: str) -> bool:
        """See ``BulkReader``."""
        return bool(self._rows("select 1 from profile_key where domain_id = ? and name = ? limit 1", domain_id, name))

    def read_notices(self) -> list[Any]:
        """See ``BulkReader``."""
        rows = self._rows(
            "select cast(notices as text) from upload_job where upload_job_id = ?", self._lease.upload_job_id
        )
        notices: list[Any] = json.loads(rows[0][0] or "[]")
        return notices

    def count_faults(self) -> list[FaultCount]:
        """See ``BulkReader``."""
        rows = self._rows(
            "select code, column_name, count(*), min(record) from failed_row where upload_job_id = ? "
            "group by code, column_name order by 3 desc, 1, 2",
            self._lease.upload_job_id,
        )
        return [(code, column_name, int(count), int(first)) for code, column_name, count, first in rows]

    def read_undone_job(self, upload_job_id: int) -> UndoneJob:
        """See ``BulkReader``."""
        row = self._rows(
            "select coalesce(pid_base, 0), coalesce(record_count, 0), created_count from upload_job "
            "where upload_job_id = ?",
            upload_job_id,
        )[0]
        return UndoneJob(*(int(number) for number in row))

    def read_pending_keys(self) -> Iterator[pa.Table]:
        """See ``BulkReader``."""
        for content in self._read_contents("pending_keys", "changes", self._lease.upload_job_id):
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
            "from upload_job j join domain d on d.domain_id = j.domain_id "
            f"where j.upload_job_id = ? {self._LOCK_DOMAIN}",
            self._lease.upload_job_id,
        )
        if not rows:
            raise LeaseLost
        return ChunkState(rows[0][0], bool(rows[0][1]), bool(rows[0][2]))

    def record_progress(
        self,
        *,
        phase: str,
        position: int,
        created: int = 0,
        updated: int = 0,
        unchanged: int = 0,
        failed: int = 0,
        read_bytes: int | None = None,
    ) -> None:
        """See ``BulkStore``."""
        # Staging begins again each time, so it is no progress; and a job that has given up stays that way.
        is_no_progress = (
            f"failed_attempts >= {MAX_FAILED_ATTEMPTS} or ? = 'stage' "
            + "or (phase is not distinct from ? and position = ?)"
        )
        same_step, now = phases_of_step(phase), to_milliseconds(utc_now())
        rows = self._rows(
            "update upload_job set phase = ?, position = ?, created_count = created_count + ?, "
            "updated_count = updated_count + ?, unchanged_count = unchanged_count + ?, "
            "failed_count = failed_count + ?, "
            f"failed_attempts = case when {is_no_progress} then failed_attempts else 0 end, "
            f"failure_message = case when {is_no_progress} then failure_message end, "
            "read_bytes = coalesce(cast(? as bigint), read_bytes), "
            # A file that is read again from its beginning begins its step again.
            f"step_started_at = case when phase in ({', '.join('?' * len(same_step))}) "
            "and coalesce(cast(? as bigint), 1) > 0 "
            "then coalesce(step_started_at, cast(? as bigint)) else cast(? as bigint) end "
            "where upload_job_id = ? and lease_owner = ? and epoch = ? and status = 'IN_PROGRESS' returning 1",
            phase,
            position,
            created,
            updated,
            unchanged,
            failed,
            *(phase, phase, position) * 2,
            read_bytes,
            *same_step,
            read_bytes,
            now,
            now,
            self._lease.upload_job_id,
            self._lease.owner,
            self._lease.epoch,
        )
        if not rows:
            raise LeaseLost

    def record_file_form(self, file_form: Mapping[str, Any]) -> None:
        """See ``BulkStore``."""
        self._run(
            f"update upload_job set file_form = {self._JSON.format('?')} where upload_job_id = ?",
            json.dumps(dict(file_form)),
            self._lease.upload_job_id,
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
            "where upload_job_id = ?",
            record_count,
            pid_base,
            json.dumps(list(file_header)),
            repeated_count,
            json.dumps(list(notices)),
            undo_days,
            self._lease.upload_job_id,
        )

    def record_notices(self, notices: Sequence[Any]) -> None:
        """See ``BulkStore``."""
        self._run(
            f"update upload_job set notices = {self._JSON.format('?')} where upload_job_id = ?",
            json.dumps(list(notices)),
            self._lease.upload_job_id,
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
        undo_until: datetime | None,
    ) -> None:
        """See ``BulkStore``."""
        rows = self._rows(
            "update upload_job set status = ?, status_reason = cast(? as text), failure_message = cast(? as text), "
            f"fault_counts = {self._JSON.format('?')}, step_milliseconds = {self._JSON.format('?')}, completed_at = ?, "
            "undo_until = cast(? as bigint), "
            "client_token = null, lease_owner = null, lease_until = null "
            "where upload_job_id = ? and lease_owner = ? and epoch = ? and status = 'IN_PROGRESS' "
            f"returning domain_id, {WEBHOOK_URL_OF_JOB}",
            status,
            reason,
            message,
            json.dumps(fault_counts) if fault_counts else None,
            json.dumps(dict(step_milliseconds)),
            to_milliseconds(completed_at),
            None if undo_until is None else to_milliseconds(undo_until),
            self._lease.upload_job_id,
            self._lease.owner,
            self._lease.epoch,
        )
        if not rows:
            raise LeaseLost
        domain_id, webhook_url = rows[0]
        if webhook_url is not None:
            self._run(
                "insert into feed (name, subject, domain_id, target, next_attempt_at, created_at) "
                f"values ('{WEBHOOK.name}', ?, ?, ?, ?, ?)",
                self._lease.upload_job_id,
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
            self._lease.upload_job_id,
            stream.getvalue().to_pybytes(),
        )

    def insert_undo_image(self, content: bytes) -> None:
        """See ``BulkStore``."""
        self._rows(
            "insert into undo_image (upload_job_id, content) values (?, ?) returning 1",
            self._lease.upload_job_id,
            content,
        )

    def record_undo_plan(self, record_count: int) -> None:
        """See ``BulkStore``."""
        self._run(
            "update upload_job set record_count = ? where upload_job_id = ?", record_count, self._lease.upload_job_id
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
        rows = self._rows(
            "update upload_job set phase = null, position = 0, record_count = null, repeated_count = null, "
            "notices = null, undo_days = null, read_bytes = null, "
            "created_count = 0, updated_count = 0, unchanged_count = 0, failed_count = 0 "
            "where upload_job_id = ? and lease_owner = ? and epoch = ? and status = 'IN_PROGRESS' returning 1",
            self._lease.upload_job_id,
            self._lease.owner,
            self._lease.epoch,
        )
        if not rows:
            raise LeaseLost

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
        of_job = self._lease.upload_job_id if upload_job_id is None else upload_job_id
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
