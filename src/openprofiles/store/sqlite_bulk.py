"""The loader's way of writing the SQLite store: Arrow batches through ADBC, no Python object per cell.

A process that opens the store here opens it in no other way: ADBC brings a SQLite library of its own, and two
libraries in one process break each other's locks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import pyarrow as pa
from adbc_driver_manager import OperationalError

from openprofiles.clock import to_milliseconds
from openprofiles.errors import Busy
from openprofiles.facts.sql_text import sql_text
from openprofiles.store.bulk import BulkStore
from openprofiles.store.bulk_protocols import PreparedRows, ProfileWrite
from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.leased_jobs import ChunkState, Lease
from openprofiles.store.note_tables import NoteTable
from openprofiles.store.sqlite_bulk_reader import SqliteBulkReader
from openprofiles.store.sqlite_checkpoints import Checkpointer
from openprofiles.store.subscription_states import is_followed_sql

_LOCK_POLL_SECONDS = 0.002
_LOCK_TIMEOUT_SECONDS = 60.0
# After a chunk the lock stays free for this long, so that a writer that polls every millisecond gets its turn.
_GAP_SECONDS = 0.002


class SqliteBulkStore(SqliteBulkReader, BulkStore):
    """The connection of one loader that writes; see ``BulkStore``."""

    def __init__(self, path: Path, lease: Lease) -> None:
        super().__init__(path, lease)
        self._rows("pragma busy_timeout = 0")
        self._rows("pragma wal_autocheckpoint = 0")
        self._log: SqliteBulkReader | None = None
        self._checkpointer = Checkpointer(self._move_log)

    def close(self) -> None:
        self._checkpointer.close()
        if self._log is not None:
            self._log.close()
        else:
            # There were few commits. If this fails, the log keeps them, and others move it.
            with suppress(OperationalError):
                self.checkpoint()
        super().close()

    def _move_log(self) -> None:
        """Move the write-ahead log, in a thread that uses no other connection of this store."""
        if self._log is None:
            self._log = self.open_reader()
        self._log.checkpoint()

    @contextmanager
    def chunk(self) -> Iterator[ChunkState]:
        """See ``JobNotes``."""
        self._begin()
        try:
            yield self._read_chunk_state()
        except BaseException:
            # A full disk has rolled back already; then there is nothing to roll back, and that is no news.
            with suppress(OperationalError):
                self._execute("rollback")
            raise
        self._execute("commit")
        self._checkpointer.after_commit()
        time.sleep(_GAP_SECONDS)

    def add_notes(self, table: NoteTable, rows: pa.Table) -> None:
        """See ``JobNotes``."""
        names = table.rows.names
        self._insert(
            f"insert {'or ignore ' if table.may_be_there else ''}into {table.name} (upload_job_id, {', '.join(names)})",
            f"({self._lease.job_number}{', ?' * len(names)})",
            rows.select(names),
        )

    def insert_profiles(self, rows: pa.Table | PreparedRows, write: ProfileWrite) -> None:
        """See ``ProfileRows``."""
        names = ", ".join(("pid", "profile_id", *write.columns, "attributes"))
        moment = to_milliseconds(write.now)
        self._insert(
            f"insert into profile ({names}, domain_id, created_at, updated_at, expires_at, last_upload_job)",
            f"({'?, ' * (len(write.columns) + 3)}{self._domain_id}, {moment}, {moment}, "
            f"{to_milliseconds(write.expires_at)}, {self._lease.job_number})",
            rows,
        )
        pids = (rows if isinstance(rows, pa.Table) else rows.table).column(0)
        self._note_change(ChangeAction.CREATED, pids, write.now, added=len(pids))

    def update_profiles(self, rows: pa.Table, write: ProfileWrite) -> None:
        """See ``ProfileRows``."""
        change = "nullif(coalesce(?, {0}), '')" if write.clears else "coalesce(?, {0})"
        changes = "".join(f"{column} = {change.format(column)}, " for column in write.columns)
        # json_patch adds and replaces members; none of the values is null, so none is removed. It takes a microsecond,
        # and attributes seldom change.
        patch = f"?{len(write.columns) + 1}"
        attributes = (
            f"case when {patch} is null then attributes "
            f"when attributes is null or attributes = {patch} then {patch} else json_patch(attributes, {patch}) end"
        )
        if write.clears:
            # A null in a patch takes the member away.
            attributes = (
                f"case when {patch} is null then attributes "
                f"else nullif(json_patch(coalesce(attributes, '{{}}'), {patch}), '{{}}') end"
            )
        self._write_rows(
            f"update profile set {changes}attributes = {attributes}, "
            f"revision = revision + 1, updated_at = {to_milliseconds(write.now)}, "
            f"expires_at = max(expires_at, {to_milliseconds(write.expires_at)}), "
            f"last_upload_job = {self._lease.job_number} where pid = ? and domain_id = {self._domain_id}",
            rows,
        )
        self._note_change(ChangeAction.INGESTED, rows.column(-1), write.now, image=write.image)

    def update_origins(self, rows: pa.Table) -> None:
        """See ``ProfileRows``."""
        if rows.num_rows:
            self._write_rows(f"update profile set origins = ? where pid = ? and domain_id = {self._domain_id}", rows)

    def restore_profiles(self, rows: pa.Table, columns: Sequence[str], now: datetime) -> None:
        """See ``BulkStore``."""
        changes = "".join(f"{column} = ?, " for column in columns)
        self._write_rows(
            f"update profile set {changes}revision = ?, updated_at = ?, expires_at = ?, "
            f"last_upload_job = nullif(?, 0) where pid = ? and domain_id = {self._domain_id}",
            rows,
        )
        self._note_change(ChangeAction.UPDATED, rows["pid"], now)

    def delete_profiles(self, pids: pa.Array, now: datetime) -> None:
        """See ``BulkStore``."""
        if self._rows(is_followed_sql(self._domain_id)):
            self._write_rows(
                "insert into removed_profile (domain_id, pid, profile_id, removed_at) "
                f"select domain_id, pid, profile_id, {to_milliseconds(now)} from profile "
                f"where pid = ? and domain_id = {self._domain_id}",
                pa.table({"pid": pids}),
            )
        self._write_rows(
            f"delete from profile where pid = ? and domain_id = {self._domain_id}", pa.table({"pid": pids})
        )
        self._note_change(ChangeAction.DELETED, pids, now, added=-len(pids))

    def add_keys(self, name: str, rows: pa.Table | PreparedRows) -> None:
        """See ``KeyIndex``."""
        # A name that stands in the statement need not be bound for each row: a fifth of the time.
        self._insert(
            "insert or ignore into profile_key (domain_id, name, value, pid)",
            f"({self._domain_id}, {sql_text(name)}, ?, ?)",
            rows,
        )

    def remove_keys(self, name: str, rows: pa.Table | PreparedRows) -> int:
        """See ``KeyIndex``."""
        before = self._rows("select total_changes()")[0][0]
        self._write_rows(
            f"delete from profile_key where domain_id = {self._domain_id} and name = {sql_text(name)} and value = ?1 "
            "and pid = ?2 and not exists "
            f"(select 1 from held_key a where a.pid = ?2 and a.name = {sql_text(name)} and a.value = ?1)",
            rows if isinstance(rows, pa.Table) else rows.table,
        )
        return int(self._rows("select total_changes()")[0][0] - before)

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
