"""The loader's way of writing the PostgreSQL store: binary ``COPY`` through ADBC, and set-based merges.

New rows are copied straight into their tables. Changes are copied into temporary tables and merged from there by one
statement. Both come in the order of the table or index they go to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
import pyarrow.compute
from adbc_driver_manager import Error, IntegrityError

from openprofiles.clock import to_milliseconds
from openprofiles.errors import Busy
from openprofiles.settings import PostgresqlUrl
from openprofiles.store.bulk import BulkStore
from openprofiles.store.bulk_protocols import NUMBERS, PreparedRows, ProfileWrite
from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.leased_jobs import ChunkState, Lease
from openprofiles.store.note_tables import NoteTable
from openprofiles.store.postgresql_bulk_reader import PostgresqlBulkReader
from openprofiles.store.postgresql_session import connection_url
from openprofiles.store.subscription_states import is_followed_sql

_LOCK_NOT_AVAILABLE = "55P03"
_UNIQUE_VIOLATION = "23505"

# The types of columns that are not text.
_JSON_TYPES = {"attributes": "jsonb", "origins": "json"}
# What a binary copy of a ``jsonb`` begins with: the version of its form.
_JSONB_VERSION = pa.scalar("\x01")


class PostgresqlBulkStore(PostgresqlBulkReader, BulkStore):
    """The connection of one loader that writes; see ``BulkStore``."""

    # Everybody who changes the domain's profiles holds its row first.
    _LOCK_DOMAIN = "for no key update of d"
    _JSON = "cast({} as json)"

    def __init__(self, url: PostgresqlUrl, lease: Lease) -> None:
        super().__init__(adbc.connect(connection_url(url), autocommit=True), lease)

    @contextmanager
    def chunk(self) -> Iterator[ChunkState]:
        """See ``JobNotes``."""
        made_before = set(self._made)
        self._execute("begin")
        try:
            yield self._read_locked_state()
        except BaseException:
            self._made = made_before
            # A connection that is gone has rolled back already.
            with suppress(Error):
                self._execute("rollback")
            raise
        self._execute("commit")

    def add_notes(self, table: NoteTable, rows: pa.Table) -> None:
        """See ``JobNotes``."""
        rows = _with_constants(
            rows.select(table.rows.names).cast(table.rows), {"upload_job_id": self._lease.job_number}
        )
        if table.may_be_there:
            self._copy_missing(table.name, rows)
        else:
            self._copy(table.name, rows)

    def insert_profiles(self, rows: pa.Table | PreparedRows, write: ProfileWrite) -> None:
        """See ``ProfileRows``."""
        table = _table_of(rows).rename_columns(["pid", "profile_id", *write.columns, "attributes"])
        table = table.set_column(0, "pid", table["pid"].cast(pa.int64()))
        attributes = pa.compute.binary_join_element_wise(_JSONB_VERSION, table["attributes"], "")
        table = table.set_column(table.num_columns - 1, "attributes", attributes)
        moment = to_milliseconds(write.now)
        constants = {
            "domain_id": self._domain_id,
            "created_at": moment,
            "updated_at": moment,
            "expires_at": to_milliseconds(write.expires_at),
            "last_upload_job": self._lease.job_number,
        }
        self._copy("profile", _with_constants(table, constants))
        self._note_change(ChangeAction.CREATED, table["pid"], write.now, added=table.num_rows)

    def update_profiles(self, rows: pa.Table, write: ProfileWrite) -> None:
        """See ``ProfileRows``."""
        if not rows.num_rows:
            return
        texts = "".join(f"{column} text, " for column in write.columns)
        table = rows.rename_columns([*write.columns, "attributes", "pid"])
        self._fill(
            "changed_profile",
            table.set_column(table.num_columns - 1, "pid", table["pid"].cast(pa.int64())),
            [f"create temp table changed_profile ({texts}attributes text, pid bigint primary key)"],
        )
        change = "nullif(coalesce(c.{0}, p.{0}), '')" if write.clears else "coalesce(c.{0}, p.{0})"
        changes = "".join(f"{column} = {change.format(column)}, " for column in write.columns)
        attributes = "coalesce(p.attributes, '{}') || cast(c.attributes as jsonb)"
        if write.clears:
            attributes = f"nullif(jsonb_strip_nulls({attributes}), '{{}}')"
        self._execute(
            f"update profile p set {changes}"
            f"attributes = case when c.attributes is null then p.attributes else {attributes} end, "
            f"revision = p.revision + 1, updated_at = {to_milliseconds(write.now)}, "
            f"expires_at = greatest(p.expires_at, {to_milliseconds(write.expires_at)}), "
            f"last_upload_job = {self._lease.job_number} "
            f"from {self._each_place('changed_profile')}"
        )
        self._note_change(ChangeAction.INGESTED, rows.column(-1), write.now, image=write.image)

    def update_origins(self, rows: pa.Table) -> None:
        """See ``ProfileRows``."""
        if not rows.num_rows:
            return
        self._fill("changed_origins", rows.cast(pa.schema([("origins", pa.string()), ("pid", pa.int64())])))
        self._execute(
            f"update profile p set origins = cast(c.origins as json) from {self._each_place('changed_origins')}"
        )

    def restore_profiles(self, rows: pa.Table, columns: Sequence[str], now: datetime) -> None:
        """See ``BulkStore``."""
        if not rows.num_rows:
            return
        texts = "".join(f"{column} text, " for column in columns)
        self._fill(
            "restored_profile",
            rows.rename_columns([*columns, *NUMBERS, "pid"]),
            [
                f"create temp table restored_profile ({texts}{', '.join(f'{name} bigint' for name in NUMBERS)}, "
                "pid bigint primary key)"
            ],
        )
        changes = "".join(
            f"{column} = {f'cast(c.{column} as {_JSON_TYPES[column]})' if column in _JSON_TYPES else f'c.{column}'}, "
            for column in columns
        )
        self._execute(
            f"update profile p set {changes}revision = c.revision, updated_at = c.updated_at, "
            "expires_at = c.expires_at, last_upload_job = nullif(c.last_upload_job, 0) "
            f"from {self._each_place('restored_profile')}"
        )
        self._note_change(ChangeAction.UPDATED, rows["pid"], now)

    def delete_profiles(self, pids: pa.Array, now: datetime) -> None:
        """See ``BulkStore``."""
        if not len(pids):
            return
        self._fill_pids(pids)
        if self._rows(is_followed_sql(self._domain_id)):
            self._execute(
                "insert into removed_profile (domain_id, pid, profile_id, removed_at) "
                f"select p.domain_id, p.pid, p.profile_id, {to_milliseconds(now)} "
                f"from profile p, {self._each_place('wanted_pid')}"
            )
        self._execute(f"delete from profile p using {self._each_place('wanted_pid')}")
        self._note_change(ChangeAction.DELETED, pids, now, added=-len(pids))

    def add_keys(self, name: str, rows: pa.Table | PreparedRows) -> None:
        """See ``KeyIndex``."""
        table = _key_rows(name, rows)
        self._copy_missing("profile_key", _with_constants(table, {"domain_id": self._domain_id}))

    def _copy_missing(self, table: str, rows: pa.Table) -> None:
        """Insert rows, some of which may be there already."""
        # Nearly always none of them is there, and copying them is several times as fast as asking for each.
        self._execute("savepoint before_rows")
        try:
            self._copy(table, rows)
        except IntegrityError as error:
            if error.sqlstate != _UNIQUE_VIOLATION:
                raise
            self._execute("rollback to savepoint before_rows")
            names = ", ".join(rows.column_names)
            copied = f"copied_{table}"
            self._fill(copied, rows, [f"create temp table {copied} (like {table})"])
            self._execute(f"insert into {table} ({names}) select {names} from {copied} on conflict do nothing")
        else:
            self._execute("release savepoint before_rows")

    def remove_keys(self, name: str, rows: pa.Table | PreparedRows) -> int:
        """See ``KeyIndex``."""
        table = _key_rows(name, rows)
        if not table.num_rows:
            return 0
        self._fill("changed_key", table)
        # As written, a key after the other: a planner that knows nothing of the domain's size began with the index and
        # went through all of it (80 s instead of 3 for 240,000 keys).
        removed = self._rows(
            "with removed as (delete from profile_key k using ("
            "select present.place from changed_key c cross join lateral ("
            f"select i.ctid as place from profile_key i where i.domain_id = {self._domain_id} and i.name = c.name "
            "and i.value = c.value and i.pid = c.pid offset 0) present "
            "where not exists (select 1 from held_key a where a.pid = c.pid and a.name = c.name and a.value = c.value)"
            f") found where k.domain_id = {self._domain_id} and k.ctid = found.place returning 1) "
            "select count(*) from removed"
        )
        return int(removed[0][0])

    def _each_place(self, table: str) -> str:
        """Build what a statement on the table ``profile p`` ends with: its rows of those of a temporary table ``c``."""
        return (
            f"(select w.*, present.place from {table} w cross join lateral (select i.ctid as place "
            f"from profile i where i.domain_id = {self._domain_id} and i.pid = w.pid offset 0) present"
            f") c where p.domain_id = {self._domain_id} and p.ctid = c.place"
        )

    def _read_locked_state(self) -> ChunkState:
        try:
            return self._read_chunk_state()
        except Error as error:
            if error.sqlstate == _LOCK_NOT_AVAILABLE:
                raise Busy("Another writer has kept the domain locked for a minute.") from error
            raise


def _table_of(rows: pa.Table | PreparedRows) -> pa.Table:
    return rows if isinstance(rows, pa.Table) else rows.table


def _key_rows(name: str, rows: pa.Table | PreparedRows) -> pa.Table:
    table = _table_of(rows)
    table = table.select(["value", "pid"]).add_column(0, "name", pa.repeat(pa.scalar(name), table.num_rows))
    return table.cast(pa.schema([("name", pa.string()), ("value", pa.string()), ("pid", pa.int64())]))


def _with_constants(rows: pa.Table, constants: dict[str, int]) -> pa.Table:
    for name, value in constants.items():
        rows = rows.append_column(name, pa.repeat(pa.scalar(value, pa.int64()), rows.num_rows))
    return rows
