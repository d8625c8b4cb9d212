"""The loader's way of writing the SQLite store: Arrow batches through ADBC, no Python object per cell.

A process that opens the store here opens it in no other way: ADBC brings a SQLite library of its own, and two
libraries in one process break each other's locks.

Every write of a load is a chunk: one short transaction that also records the job's position and counts. A chunk is
valid only while the lease is the loader's own; otherwise it is rolled back and ``LeaseLost`` raised.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
from adbc_driver_manager import OperationalError

from openprofiles.clock import to_milliseconds
from openprofiles.errors import Busy
from openprofiles.store.sqlite_bulk_reader import Lease, LeaseLost, PreparedRows, SqliteBulkReader
from openprofiles.store.sqlite_checkpoints import Checkpointer
from openprofiles.store.upload_job_states import MAX_FAILED_ATTEMPTS

_LOCK_POLL_SECONDS = 0.002
_LOCK_TIMEOUT_SECONDS = 60.0
# After a chunk the lock stays free for this long, so that a writer that polls every millisecond gets its turn.
_GAP_SECONDS = 0.002
# Key changes (a row for each chunk, some of a megabyte) and record numbers that are removed in one chunk.
_NOTES_PER_CHUNK = (10, 20_000)


@dataclass(frozen=True, slots=True)
class ChunkState:
    """What a chunk sees at its beginning, inside its transaction. Giving up counts as a stop."""

    key_version: int
    stop_requested: bool
    domain_deleted: bool


class SqliteBulkStore(SqliteBulkReader):
    """The connection of one loader that writes."""

    def __init__(self, path: Path, lease: Lease) -> None:
        super().__init__(path, lease)
        self._rows("pragma busy_timeout = 0")
        self._rows("pragma wal_autocheckpoint = 0")
        self._log = SqliteBulkReader(path, lease)
        self._checkpointer = Checkpointer(self._log.checkpoint)

    def close(self) -> None:
        self._checkpointer.close()
        self._log.close()
        super().close()

    @contextmanager
    def chunk(self) -> Iterator[ChunkState]:
        """One write transaction. Every chunk ends with ``record_progress`` or ``end_job``, which check the lease.

        Raises:
            Busy: another process held the write lock for a minute.
        """
        self._begin()
        try:
            rows = self._rows(
                "select d.key_version, "
                f"j.stop_requested_at is not null or j.failed_attempts >= {MAX_FAILED_ATTEMPTS}, "
                "d.deleted_at is not null "
                "from upload_job j join domain d on d.domain_id = j.domain_id where j.upload_job_id = ?",
                self._lease.upload_job_id,
            )
            if not rows:
                raise LeaseLost  # noqa: TRY301 (rolled back like every other way out)
            yield ChunkState(rows[0][0], bool(rows[0][1]), bool(rows[0][2]))
        except BaseException:
            # A full disk has rolled back already; then there is nothing to roll back, and that is no news.
            with suppress(OperationalError):
                self._execute("rollback")
            raise
        self._execute("commit")
        self._checkpointer.after_commit()
        time.sleep(_GAP_SECONDS)

    def record_progress(
        self,
        *,
        phase: str,
        position: int,
        created: int = 0,
        updated: int = 0,
        failed: int = 0,
        record_count: int | None = None,
        pid_base: int | None = None,
    ) -> None:
        """Record where the job stands now, and add to its counts.

        Raises:
            LeaseLost: the job is no longer this loader's; the chunk must be rolled back.
        """
        rows = self._rows(
            "update upload_job set phase = ?1, position = ?2, created_count = created_count + ?, "
            "updated_count = updated_count + ?, failed_count = failed_count + ?, "
            # Staging begins anew each time, so it is no progress; and who has given up does not take it back.
            f"failed_attempts = case when failed_attempts >= {MAX_FAILED_ATTEMPTS} or ?1 = 'stage' "
            "or (phase is ?1 and position = ?2) then failed_attempts else 0 end, "
            "record_count = ifnull(?, record_count), pid_base = ifnull(?, pid_base) "
            "where upload_job_id = ? and lease_owner = ? and epoch = ? and status = 'IN_PROGRESS' returning 1",
            phase,
            position,
            created,
            updated,
            failed,
            record_count,
            pid_base,
            self._lease.upload_job_id,
            self._lease.owner,
            self._lease.epoch,
        )
        if not rows:
            raise LeaseLost

    def check_lease(self) -> None:
        """Hold a chunk that records no progress to the lease, too.

        Raises:
            LeaseLost: the job is no longer this loader's; the chunk must be rolled back.
        """
        self.read_job()

    def end_job(self, *, status: str, reason: str | None, message: str | None, completed_at: datetime) -> None:
        """Set the final state, and forget the job's key: the file can no longer be read.

        Raises:
            LeaseLost: the job is no longer this loader's; the chunk must be rolled back.
        """
        rows = self._rows(
            "update upload_job set status = ?, status_reason = ?, failure_message = ?, completed_at = ?, "
            "client_token = null, lease_owner = null, lease_until = null "
            "where upload_job_id = ? and lease_owner = ? and epoch = ? and status = 'IN_PROGRESS' returning 1",
            status,
            reason,
            message,
            to_milliseconds(completed_at),
            self._lease.upload_job_id,
            self._lease.owner,
            self._lease.epoch,
        )
        if not rows:
            raise LeaseLost

    def reserve_row_numbers(self, count: int) -> int:
        """Reserve ``count`` row numbers that nothing else will use; the first of them."""
        rows = self._rows(
            "insert into row_sequence (name, next_value) values ('profile', 1 + ?) "
            "on conflict (name) do update set next_value = next_value + ? returning next_value - ?",
            count,
            count,
            count,
        )
        return int(rows[0][0])

    def insert_failed_rows(self, rows: pa.Table) -> None:
        """Columns record, line, code, column_name, detail."""
        self._insert(
            "insert into failed_row (upload_job_id, record, line, code, column_name, detail)",
            f"({self._lease.upload_job_id}, ?, ?, ?, ?, ?)",
            rows,
        )

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
        names = ", ".join(("pid", "profile_id", *columns, "attributes"))
        moment = to_milliseconds(now)
        self._insert(
            f"insert into profile ({names}, domain_id, created_at, updated_at, expires_at, last_upload_job)",
            f"({'?, ' * (len(columns) + 3)}{domain_id}, {moment}, {moment}, {to_milliseconds(expires_at)}, "
            f"{self._lease.upload_job_id})",
            rows,
        )
        self._rows(
            "update domain set profile_count = profile_count + ? where domain_id = ? returning 1",
            rows.num_rows,
            domain_id,
        )

    def update_profiles(self, rows: pa.Table, *, columns: Sequence[str], now: datetime, expires_at: datetime) -> None:
        """Changes of existing profiles: ``columns`` (text, null keeps), attributes (JSON object or null), then pid."""
        changes = "".join(f"{column} = coalesce(?, {column}), " for column in columns)
        # json_patch adds and replaces members; none of the values is null, so none is removed. It takes a microsecond,
        # and attributes seldom change.
        patch = f"?{len(columns) + 1}"
        self._write_rows(
            f"update profile set {changes}"
            f"attributes = case when {patch} is null then attributes "
            f"when attributes is null or attributes = {patch} then {patch} else json_patch(attributes, {patch}) end, "
            f"revision = revision + 1, updated_at = {to_milliseconds(now)}, "
            f"expires_at = max(expires_at, {to_milliseconds(expires_at)}), "
            f"last_upload_job = {self._lease.upload_job_id} where pid = ?",
            rows,
        )

    def insert_ordered_records(self, rows: pa.Table) -> None:
        """Column record; those already there stay."""
        self._insert(
            "insert or ignore into ordered_record (upload_job_id, record)",
            f"({self._lease.upload_job_id}, ?)",
            rows,
        )

    def insert_pending_keys(self, rows: pa.Table) -> None:
        """Columns added (0 or 1), name, value, pid."""
        if not rows.num_rows:
            return
        stream = pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, rows.schema) as writer:
            writer.write_table(rows)
        self._rows(
            "insert into pending_keys (upload_job_id, changes) values (?, ?)",
            self._lease.upload_job_id,
            stream.getvalue().to_pybytes(),
        )

    def forget_notes(self) -> bool:
        """Remove some of what this job noted for itself, when it is done; whether anything was left."""
        removed = 0
        for table, column, limit in (
            ("pending_keys", "pending_keys_id", _NOTES_PER_CHUNK[0]),
            ("ordered_record", "record", _NOTES_PER_CHUNK[1]),
        ):
            self._rows(
                f"delete from {table} where upload_job_id = ?1 and {column} in "
                f"(select {column} from {table} where upload_job_id = ?1 order by {column} limit {limit})",
                self._lease.upload_job_id,
            )
            removed += self._rows("select changes()")[0][0]
        return bool(removed)

    def add_keys(self, domain_id: int, rows: pa.Table | PreparedRows) -> None:
        """Columns name, value, pid; those already there stay."""
        self._insert("insert or ignore into profile_key (domain_id, name, value, pid)", f"({domain_id}, ?, ?, ?)", rows)

    def remove_keys(self, domain_id: int, rows: pa.Table | PreparedRows) -> None:
        """Columns name, value, pid; keys that were added by hand stay."""
        self._write_rows(
            f"delete from profile_key where domain_id = {domain_id} and name = ?1 and value = ?2 and pid = ?3 "
            "and not exists (select 1 from added_key a where a.pid = ?3 and a.name = ?1 and a.value = ?2)",
            rows.table if isinstance(rows, PreparedRows) else rows,
        )

    def register_indexed_field(self, domain_id: int, path: str) -> bool:
        """Have every writer of the domain keep this field's index from now on; whether it is whole already."""
        self._rows(
            "insert into indexed_field (domain_id, path, is_built) values (?, ?, 0) on conflict do nothing returning 1",
            domain_id,
            path,
        )
        rows = self._rows("select is_built from indexed_field where domain_id = ? and path = ?", domain_id, path)
        return bool(rows[0][0])

    def finish_indexed_field(self, domain_id: int, path: str) -> None:
        """Note that the profiles stored before are in this field's index as well."""
        self._rows(
            "update indexed_field set is_built = 1 where domain_id = ? and path = ? returning 1", domain_id, path
        )

    def _begin(self) -> None:
        deadline = time.monotonic() + _LOCK_TIMEOUT_SECONDS
        while True:
            try:
                self._execute("begin immediate")
            except OperationalError as error:
                if "database is locked" not in str(error):
                    raise
                if time.monotonic() > deadline:
                    raise Busy("The store was locked by another writer for a minute.") from error
                time.sleep(_LOCK_POLL_SECONDS)
            else:
                return
