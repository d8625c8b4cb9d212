"""The loader's way into the SQLite store: Arrow batches in and out through ADBC, no Python object per cell.

A process that opens the store here opens it in no other way: ADBC brings a SQLite library of its own, and two
libraries in one process break each other's locks.

Every write of a load is a chunk: one short transaction that also records the job's position and counts. A chunk is
valid only while the lease is the loader's own; otherwise it is rolled back and ``LeaseLost`` raised.

Reads wrap nullable columns in ``ifnull``: the driver takes a column's type from its first rows, and text after many
nulls fails.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import adbc_driver_sqlite.dbapi as adbc
import pyarrow as pa
import pyarrow.compute
from adbc_driver_manager import OperationalError

from openprofiles.clock import from_milliseconds, to_milliseconds
from openprofiles.errors import Busy
from openprofiles.store.sqlite import OLDEST_SAFE_VERSION
from openprofiles.store.upload_jobs import MAX_FAILED_ATTEMPTS

_LOCK_POLL_SECONDS = 0.002
_LOCK_TIMEOUT_SECONDS = 60.0
# After a chunk the lock stays free for this long, so that a writer that polls every 2 ms gets its turn.
_GAP_SECONDS = 0.004

NULL_TEXT = "\x00"  # never a value: NUL is refused everywhere


class LeaseLost(Exception):
    """Another worker holds the job now, or it has ended; whatever this loader was doing, it must stop."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Which job, and by which claim of it."""

    upload_job_id: int
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class LeasedJob:
    """What the loader needs of its job and the job's domain."""

    job_id: str
    domain_id: int
    fields: Mapping[str, Mapping[str, str]]
    unique_key: str
    data_expiry_days: int
    started_at: datetime
    client_token: bytes
    file_name: str
    phase: str | None
    position: int
    record_count: int | None
    created_count: int
    updated_count: int
    failed_count: int
    pid_base: int | None
    stop_requested: bool
    # Earlier loaders died too often: no more is written but the keys of what is there.
    gives_up: bool
    phone_region: str
    key_version: int
    domain_deleted: bool
    indexed_paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChunkState:
    """What a chunk sees at its beginning, inside its transaction. Giving up counts as a stop."""

    key_version: int
    stop_requested: bool
    domain_deleted: bool


class SqliteBulkStore:
    """One connection for one loader."""

    def __init__(self, path: Path, lease: Lease) -> None:
        self._lease = lease
        self._connection = adbc.connect(str(path), autocommit=True)
        self._cursor = self._connection.cursor()
        version = self._rows("select sqlite_version()")[0][0]
        if tuple(int(part) for part in version.split(".")) < OLDEST_SAFE_VERSION:
            raise RuntimeError(f"ADBC brings SQLite {version}, which is too old. Install a newer adbc-driver-sqlite.")
        for pragma in ("busy_timeout = 5000", "synchronous = full", "temp_store = file", "cache_size = -64000"):
            self._rows(f"pragma {pragma}")
        self._rows("pragma busy_timeout = 0")
        self._execute("create temp table wanted (i integer primary key, v text)")
        self._execute("create temp table wanted_pid (pid integer primary key)")

    def close(self) -> None:
        self._cursor.close()
        self._connection.close()

    # Reading

    def read_job(self) -> LeasedJob:
        """The job and its domain as they stand.

        Raises:
            LeaseLost: the job is no longer this loader's.
        """
        columns = (
            "job_id",
            "domain_id",
            "fields",
            "unique_key",
            "data_expiry_days",
            "started_at",
            "client_token",
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
        )
        rows = self._rows(
            f"select {', '.join('j.' + column for column in columns)}, d.phone_region, d.key_version, d.deleted_at "
            "from upload_job j join domain d on d.domain_id = j.domain_id "
            "where j.upload_job_id = ? and j.lease_owner = ? and j.epoch = ? and j.status = 'IN_PROGRESS'",
            self._lease.upload_job_id,
            self._lease.owner,
            self._lease.epoch,
        )
        if not rows:
            raise LeaseLost
        *values, phone_region, key_version, deleted_at = rows[0]
        row = dict(zip(columns, values, strict=True))
        paths = self._rows("select path from indexed_field where domain_id = ? order by path", row["domain_id"])
        return LeasedJob(
            job_id=row["job_id"],
            domain_id=row["domain_id"],
            fields=json.loads(row["fields"]),
            unique_key=row["unique_key"],
            data_expiry_days=row["data_expiry_days"],
            started_at=from_milliseconds(row["started_at"]),
            client_token=row["client_token"],
            file_name=row["file_name"],
            phase=row["phase"],
            position=row["position"],
            record_count=row["record_count"],
            created_count=row["created_count"],
            updated_count=row["updated_count"],
            failed_count=row["failed_count"],
            pid_base=row["pid_base"],
            stop_requested=row["stop_requested_at"] is not None,
            gives_up=row["failed_attempts"] >= MAX_FAILED_ATTEMPTS,
            phone_region=phone_region,
            key_version=key_version,
            domain_deleted=deleted_at is not None,
            indexed_paths=tuple(path for (path,) in paths),
        )

    def read_key_version(self, domain_id: int) -> int:
        """How often profiles or keys of the domain were written outside loads."""
        return int(self._rows("select key_version from domain where domain_id = ?", domain_id)[0][0])

    def has_keys(self, domain_id: int, name: str) -> bool:
        """Whether any profile of the domain has a key of this name."""
        return bool(self._rows("select 1 from profile_key where domain_id = ? and name = ? limit 1", domain_id, name))

    def find_key_holders(self, domain_id: int, name: str, keys: pa.Array, at: datetime) -> pa.Table:
        """Which profiles hold which of these keys.

        Args:
            keys: text, normal forms, without nulls or repeats; sorted is fastest.
            at: profiles that have expired by then are left out.

        Returns:
            columns ``i`` (int64, position in ``keys``) and ``pid`` (int64), one row per holder.
        """
        self._execute("delete from temp.wanted")
        self._insert("insert into temp.wanted values (?, ?)", {"i": pa.array(range(len(keys)), pa.int64()), "v": keys})
        return self._table(
            "select w.i, k.pid from temp.wanted w cross join profile_key k "
            "on k.domain_id = ? and k.name = ? and k.value = w.v "
            "join profile p on p.pid = k.pid and p.expires_at > ?",
            {"i": pa.int64(), "pid": pa.int64()},
            domain_id,
            name,
            to_milliseconds(at),
        )

    def read_profiles(self, pids: pa.Array, columns: Sequence[str]) -> pa.Table:
        """Text columns of the profiles that exist among these row numbers.

        Returns:
            ``pid`` and the columns asked for, all text, null where the profile has none, in order of ``pid``.
        """
        self._execute("delete from temp.wanted_pid")
        self._insert("insert or ignore into temp.wanted_pid values (?)", {"pid": pids})
        texts = "".join(f", ifnull(p.{column}, char(0)) {column}" for column in columns)
        table = self._table(
            f"select p.pid{texts} from temp.wanted_pid w cross join profile p on p.pid = w.pid order by p.pid",
            {"pid": pa.int64(), **dict.fromkeys(columns, pa.string())},
        )
        return _with_nulls(table)

    def read_domain_column(self, domain_id: int, column: str, after_pid: int, limit: int) -> pa.Table:
        """One text column of a domain's profiles, in order of row number: ``pid`` and ``value``, without nulls."""
        return self._table(
            f"select pid, {column} value from profile where domain_id = ? and pid > ? and {column} is not null "
            "order by pid limit ?",
            {"pid": pa.int64(), "value": pa.string()},
            domain_id,
            after_pid,
            limit,
        )

    def find_present_keys(self, domain_id: int, name: str, values: pa.Array, pids: pa.Array) -> pa.Table:
        """Which of these pairs of key value and row number stand in the index: column ``i``, position in the arrays."""
        self._execute("create temp table if not exists wanted_key (i integer primary key, v text, pid integer)")
        self._execute("delete from temp.wanted_key")
        self._insert(
            "insert into temp.wanted_key values (?, ?, ?)",
            {"i": pa.array(range(len(values)), pa.int64()), "v": values, "pid": pids},
        )
        return self._table(
            "select w.i from temp.wanted_key w cross join profile_key k "
            "on k.domain_id = ? and k.name = ? and k.value = w.v and k.pid = w.pid",
            {"i": pa.int64()},
            domain_id,
            name,
        )

    def read_added_keys(self, pids: pa.Array, name: str) -> pa.Table:
        """Keys of one name that AddProfileKey gave these profiles: ``pid`` and ``value``."""
        self._execute("delete from temp.wanted_pid")
        self._insert("insert or ignore into temp.wanted_pid values (?)", {"pid": pids})
        return self._table(
            "select a.pid, a.value from temp.wanted_pid w cross join added_key a on a.pid = w.pid and a.name = ?",
            {"pid": pa.int64(), "value": pa.string()},
            name,
        )

    def read_pending_keys(self, after: int, limit: int) -> pa.Table:
        """Key changes that this job's updates left: pending_key_id, added (0 or 1), name, value, pid."""
        return self._table(
            "select pending_key_id, added, name, value, pid from pending_key "
            "where upload_job_id = ? and pending_key_id > ? order by pending_key_id limit ?",
            {
                "pending_key_id": pa.int64(),
                "added": pa.int64(),
                "name": pa.string(),
                "value": pa.string(),
                "pid": pa.int64(),
            },
            self._lease.upload_job_id,
            after,
            limit,
        )

    def read_ordered_records(self, after: int, limit: int) -> pa.Table:
        """The records that this job follows one by one: ``record``."""
        return self._table(
            "select record from ordered_record where upload_job_id = ? and record > ? order by record limit ?",
            {"record": pa.int64()},
            self._lease.upload_job_id,
            after,
            limit,
        )

    def read_failed_records(self, limit: int) -> Iterator[pa.Table]:
        """The records that this job has reported as failed, ``limit`` at a time: ``record``."""
        after = 0
        while True:
            records = self._table(
                "select record from failed_row where upload_job_id = ? and record > ? order by record limit ?",
                {"record": pa.int64()},
                self._lease.upload_job_id,
                after,
                limit,
            )
            if not records.num_rows:
                return
            after = records["record"][-1].as_py()
            yield records

    def read_touched(self, pids: pa.Array) -> pa.Table:
        """Those of these profiles that exist and that this job was the last upload job to touch: ``pid``."""
        self._execute("delete from temp.wanted_pid")
        self._insert("insert or ignore into temp.wanted_pid values (?)", {"pid": pids})
        return self._table(
            "select p.pid from temp.wanted_pid w cross join profile p on p.pid = w.pid and p.last_upload_job = ?",
            {"pid": pa.int64()},
            self._lease.upload_job_id,
        )

    # Writing

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
            "insert into failed_row (upload_job_id, record, line, code, column_name, detail) "
            f"values ({self._lease.upload_job_id}, ?, ?, ?, ?, ?)",
            rows,
        )

    def insert_profiles(
        self, rows: pa.Table, *, domain_id: int, columns: Sequence[str], now: datetime, expires_at: datetime
    ) -> None:
        """New profiles: columns pid, profile_id, then ``columns`` (text), then attributes (JSON text or null)."""
        names = ", ".join(("pid", "profile_id", *columns, "attributes"))
        moment = to_milliseconds(now)
        self._insert(
            f"insert into profile ({names}, domain_id, created_at, updated_at, expires_at, last_upload_job) "
            f"values ({'?, ' * (len(columns) + 3)}{domain_id}, {moment}, {moment}, {to_milliseconds(expires_at)}, "
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
        # json_patch adds and replaces members; none of the values is null, so none is removed. Binding the patch
        # once and joining it to an empty object keeps a null patch from touching the column.
        self._insert(
            f"update profile set {changes}"
            "attributes = nullif(json_patch(coalesce(attributes, '{}'), coalesce(?, '{}')), '{}'), "
            f"revision = revision + 1, updated_at = {to_milliseconds(now)}, "
            f"expires_at = max(expires_at, {to_milliseconds(expires_at)}), "
            f"last_upload_job = {self._lease.upload_job_id} where pid = ?",
            rows,
        )

    def insert_ordered_records(self, rows: pa.Table) -> None:
        """Column record; those already there stay."""
        self._insert(
            f"insert or ignore into ordered_record (upload_job_id, record) values ({self._lease.upload_job_id}, ?)",
            rows,
        )

    def insert_pending_keys(self, rows: pa.Table) -> None:
        """Columns added (0 or 1), name, value, pid."""
        self._insert(
            "insert into pending_key (upload_job_id, added, name, value, pid) "
            f"values ({self._lease.upload_job_id}, ?, ?, ?, ?)",
            rows,
        )

    def forget_notes(self, limit: int) -> int:
        """Remove up to ``limit`` of what this job noted for itself, when it is done; how many were removed."""
        removed = self._rows(
            "delete from pending_key where pending_key_id in "
            "(select pending_key_id from pending_key where upload_job_id = ? order by pending_key_id limit ?) "
            "returning 1",
            self._lease.upload_job_id,
            limit,
        )
        removed += self._rows(
            "delete from ordered_record where upload_job_id = ?1 and record in "
            "(select record from ordered_record where upload_job_id = ?1 order by record limit ?2) returning 1",
            self._lease.upload_job_id,
            limit - len(removed),
        )
        return len(removed)

    def add_keys(self, domain_id: int, rows: pa.Table) -> None:
        """Columns name, value, pid; those already there stay."""
        self._insert(
            f"insert or ignore into profile_key (domain_id, name, value, pid) values ({domain_id}, ?, ?, ?)", rows
        )

    def remove_keys(self, domain_id: int, rows: pa.Table) -> None:
        """Columns name, value, pid; keys that were added by hand stay."""
        self._insert(
            f"delete from profile_key where domain_id = {domain_id} and name = ?1 and value = ?2 and pid = ?3 "
            "and not exists (select 1 from added_key a where a.pid = ?3 and a.name = ?1 and a.value = ?2)",
            rows,
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

    # The driver

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

    def _execute(self, sql: str) -> None:
        self._cursor.execute(sql)
        self._cursor.fetchall()

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        self._cursor.execute(sql, parameters or None)
        return list(self._cursor.fetchall())

    def _table(self, sql: str, types: Mapping[str, pa.DataType], *parameters: object) -> pa.Table:
        self._cursor.execute(sql, parameters or None)
        table = self._cursor.fetch_arrow_table()
        # An empty result has no types of its own.
        return table.cast(pa.schema(list(types.items())))

    def _insert(self, sql: str, rows: pa.Table | Mapping[str, Any]) -> None:
        table = rows if isinstance(rows, pa.Table) else pa.table(dict(rows))
        if table.num_rows:
            for batch in table.combine_chunks().to_batches():
                self._cursor.executemany(sql, batch)


def _with_nulls(table: pa.Table) -> pa.Table:
    columns = [
        pa.compute.if_else(pa.compute.equal(column, NULL_TEXT), None, column) if column.type == pa.string() else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)
