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
from adbc_driver_manager import Error, IntegrityError

from openprofiles.clock import to_milliseconds
from openprofiles.errors import Busy
from openprofiles.settings import PostgresqlUrl
from openprofiles.store.bulk import ChunkState, Lease, PreparedRows
from openprofiles.store.bulk_jobs import LeasedJobWriter
from openprofiles.store.postgresql_bulk_reader import PostgresqlBulkReader
from openprofiles.store.postgresql_session import connection_url

_LOCK_NOT_AVAILABLE = "55P03"
_UNIQUE_VIOLATION = "23505"

_JSON_COLUMNS = ("attributes", "origins")

_FAILED_ROWS = pa.schema(
    [
        ("record", pa.int64()),
        ("fault", pa.int32()),
        ("line", pa.int64()),
        ("code", pa.string()),
        ("column_name", pa.string()),
        ("detail", pa.int64()),
        ("content", pa.binary()),
    ]
)


class PostgresqlBulkStore(PostgresqlBulkReader, LeasedJobWriter):
    """The connection of one loader that writes; see ``BulkStore``."""

    # Everybody who changes the domain's profiles holds its row first.
    _LOCK_DOMAIN = "for no key update of d"
    _JSON = "cast({} as json)"

    def __init__(self, url: PostgresqlUrl, lease: Lease) -> None:
        super().__init__(adbc.connect(connection_url(url), autocommit=True), lease)

    @contextmanager
    def chunk(self) -> Iterator[ChunkState]:
        """See ``BulkStore``."""
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

    def insert_failed_rows(self, rows: pa.Table) -> None:
        """See ``BulkStore``."""
        rows = rows.cast(_FAILED_ROWS)
        self._copy("failed_row", _with_constants(rows, {"upload_job_id": self._lease.job_number}))

    def insert_repeated_rows(self, rows: pa.Table) -> None:
        """See ``BulkStore``."""
        if not rows.num_rows:
            return
        # Rows come in order of their records, so what is there of them already is one range.
        self._execute(
            f"delete from repeated_row where upload_job_id = {self._lease.job_number} "
            f"and record between {rows['record'][0].as_py()} and {rows['record'][-1].as_py()}"
        )
        self._copy("repeated_row", _with_constants(rows, {"upload_job_id": self._lease.job_number}))

    def insert_preview_samples(self, rows: pa.Table) -> None:
        """See ``BulkStore``."""
        self._copy("preview_sample", _with_constants(rows, {"upload_job_id": self._lease.job_number}))

    def insert_profiles(
        self,
        rows: pa.Table | PreparedRows,
        *,
        domain_id: int,
        columns: Sequence[str],
        now: datetime,
        expires_at: datetime,
    ) -> None:
        """See ``BulkStore``."""
        table = _table_of(rows).rename_columns(["pid", "profile_id", *columns, "attributes"])
        table = table.set_column(0, "pid", table["pid"].cast(pa.int64()))
        moment = to_milliseconds(now)
        constants = {
            "domain_id": domain_id,
            "created_at": moment,
            "updated_at": moment,
            "expires_at": to_milliseconds(expires_at),
            "last_upload_job": self._lease.job_number,
        }
        self._copy("profile", _with_constants(table, constants))
        self._count_profiles(domain_id, table.num_rows)

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
        """See ``BulkStore``."""
        if not rows.num_rows:
            return
        texts = "".join(f"{column} text, " for column in columns)
        table = rows.rename_columns([*columns, "attributes", "pid"])
        self._fill(
            "changed_profile",
            table.set_column(table.num_columns - 1, "pid", table["pid"].cast(pa.int64())),
            [f"create temp table changed_profile ({texts}attributes text, pid bigint primary key)"],
        )
        change = "nullif(coalesce(c.{0}, p.{0}), '')" if clears else "coalesce(c.{0}, p.{0})"
        changes = "".join(f"{column} = {change.format(column)}, " for column in columns)
        merged = "cast(p.attributes as jsonb) || cast(c.attributes as jsonb)"
        attributes = f"when p.attributes is null then cast(c.attributes as json) else cast({merged} as json)"
        if clears:
            merged = "coalesce(cast(p.attributes as jsonb), '{}') || cast(c.attributes as jsonb)"
            attributes = f"else cast(nullif(jsonb_strip_nulls({merged}), '{{}}') as json)"
        self._execute(
            f"update profile p set {changes}"
            f"attributes = case when c.attributes is null then p.attributes {attributes} end, "
            f"revision = p.revision + 1, updated_at = {to_milliseconds(now)}, "
            f"expires_at = greatest(p.expires_at, {to_milliseconds(expires_at)}), "
            f"last_upload_job = {self._lease.job_number} from ("
            "select w.*, present.place from changed_profile w cross join lateral ("
            f"select i.ctid as place from profile i where i.domain_id = {domain_id} and i.pid = w.pid offset 0) present"
            f") c where p.domain_id = {domain_id} and p.ctid = c.place"
        )

    def update_origins(self, domain_id: int, rows: pa.Table) -> None:
        """See ``BulkStore``."""
        if not rows.num_rows:
            return
        self._fill("changed_origins", rows.cast(pa.schema([("origins", pa.string()), ("pid", pa.int64())])))
        self._execute(
            "update profile p set origins = cast(c.origins as json) from ("
            "select w.origins, present.place from changed_origins w cross join lateral ("
            f"select i.ctid as place from profile i where i.domain_id = {domain_id} and i.pid = w.pid offset 0) present"
            f") c where p.domain_id = {domain_id} and p.ctid = c.place"
        )

    def restore_profiles(self, rows: pa.Table, *, domain_id: int, columns: Sequence[str]) -> None:
        """See ``BulkStore``."""
        if not rows.num_rows:
            return
        numbers = ("revision", "updated_at", "expires_at", "last_upload_job")
        texts = "".join(f"{column} text, " for column in columns)
        self._fill(
            "restored_profile",
            rows.rename_columns([*columns, *numbers, "pid"]),
            [
                f"create temp table restored_profile ({texts}{', '.join(f'{name} bigint' for name in numbers)}, "
                "pid bigint primary key)"
            ],
        )
        changes = "".join(
            f"{column} = {f'cast(c.{column} as json)' if column in _JSON_COLUMNS else f'c.{column}'}, "
            for column in columns
        )
        self._execute(
            f"update profile p set {changes}revision = c.revision, updated_at = c.updated_at, "
            "expires_at = c.expires_at, last_upload_job = nullif(c.last_upload_job, 0) from ("
            "select w.*, present.place from restored_profile w cross join lateral ("
            f"select i.ctid as place from profile i where i.domain_id = {domain_id} and i.pid = w.pid offset 0) present"
            f") c where p.domain_id = {domain_id} and p.ctid = c.place"
        )

    def delete_profiles(self, domain_id: int, pids: pa.Array) -> None:
        """See ``BulkStore``."""
        if not len(pids):
            return
        self._fill_pids(pids)
        self._execute(
            "delete from profile p using (select present.place from wanted_pid w cross join lateral ("
            f"select i.ctid as place from profile i where i.domain_id = {domain_id} and i.pid = w.pid offset 0) present"
            f") found where p.domain_id = {domain_id} and p.ctid = found.place"
        )
        self._count_profiles(domain_id, -len(pids))

    def insert_absent_keys(self, rows: pa.Table) -> None:
        """See ``BulkStore``."""
        if not rows.num_rows:
            return
        self._fill("changed_key", rows.select(["name", "value", "pid"]))
        self._execute(
            "insert into undo_absent_key (upload_job_id, name, value, pid) "
            f"select {self._lease.job_number}, name, value, pid from changed_key on conflict do nothing"
        )

    def insert_kept_profiles(self, rows: pa.Table) -> None:
        """See ``BulkStore``."""
        self._copy("undo_kept_profile", _with_constants(rows, {"upload_job_id": self._lease.job_number}))

    def insert_ordered_records(self, rows: pa.Table) -> None:
        """See ``BulkStore``."""
        if not rows.num_rows:
            return
        self._fill("changed_record", rows.cast(pa.schema([("record", pa.int64())])))
        self._execute(
            "insert into ordered_record (upload_job_id, record) "
            f"select {self._lease.job_number}, record from changed_record order by record on conflict do nothing"
        )

    def add_keys(self, domain_id: int, name: str, rows: pa.Table | PreparedRows) -> None:
        """See ``BulkStore``."""
        table = _key_rows(name, rows)
        if not table.num_rows:
            return
        # Nearly always none of them is there, and copying them is several times as fast as asking for each.
        self._execute("savepoint before_keys")
        try:
            self._copy("profile_key", _with_constants(table, {"domain_id": domain_id}))
        except IntegrityError as error:
            if error.sqlstate != _UNIQUE_VIOLATION:
                raise
            self._execute("rollback to savepoint before_keys")
            self._fill("changed_key", table)
            self._execute(
                "insert into profile_key (domain_id, name, value, pid) "
                f"select {domain_id}, name, value, pid from changed_key order by name, value, pid "
                "on conflict do nothing"
            )
        else:
            self._execute("release savepoint before_keys")

    def remove_keys(self, domain_id: int, name: str, rows: pa.Table | PreparedRows) -> int:
        """See ``BulkStore``."""
        table = _key_rows(name, rows)
        if not table.num_rows:
            return 0
        self._fill("changed_key", table)
        # As written, a key after the other: a planner that knows nothing of the domain's size began with the index and
        # went through all of it (80 s instead of 3 for 240,000 keys).
        removed = self._rows(
            "with removed as (delete from profile_key k using ("
            "select present.place from changed_key c cross join lateral ("
            f"select i.ctid as place from profile_key i where i.domain_id = {domain_id} and i.name = c.name "
            "and i.value = c.value and i.pid = c.pid offset 0) present "
            "where not exists (select 1 from added_key a where a.pid = c.pid and a.name = c.name and a.value = c.value)"
            f") found where k.domain_id = {domain_id} and k.ctid = found.place returning 1) "
            "select count(*) from removed"
        )
        return int(removed[0][0])

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
