"""The loader's way of reading the PostgreSQL store: Arrow tables through ADBC, no Python object per cell.

What is asked for goes into temporary tables by ``COPY``; a join with them is one statement for any number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
import pyarrow.compute

from openprofiles.clock import to_milliseconds
from openprofiles.store.bulk import Lease, only_living
from openprofiles.store.bulk_jobs import LeasedJobReader
from openprofiles.store.postgresql_session import COMMON_SESSION, session_statement

_SESSION = {
    "application_name": "openprofiles loader",
    "lock_timeout": "60s",
    "statement_timeout": "10min",
    # Nobody has counted a temporary table, and a new store's own tables have grown since they were counted; left to
    # guess, the planner reads whole tables for a few rows. Both sides of each join have an index, so that looking up
    # one row after the other is right whichever it begins with.
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    **COMMON_SESSION,
}
# Each is made when it is first filled: a table of its own for each connection costs the server some milliseconds.
_TEMPORARY_TABLES = {
    "wanted": ('create temp table wanted (i bigint, v text collate "C")', "create index on pg_temp.wanted (v)"),
    "wanted_pid": ("create temp table wanted_pid (pid bigint)", "create index on pg_temp.wanted_pid (pid)"),
    "wanted_key": (
        'create temp table wanted_key (i bigint, v text collate "C", pid bigint)',
        "create index on pg_temp.wanted_key (v, pid)",
    ),
    "changed_key": (
        'create temp table changed_key (name text collate "C", value text collate "C", pid bigint)',
        "create index on pg_temp.changed_key (name, value, pid)",
    ),
    "changed_record": ("create temp table changed_record (record bigint)",),
    "changed_origins": ("create temp table changed_origins (origins text, pid bigint)",),
}
# The profile of each row of ``wanted_pid``, one after the other as written, and so is each lateral join here: a planner
# that nobody has told of the tables' sizes began with the domain and went through all of it for each batch (a second
# load of a million rows took 104 s instead of 49).
_EACH_PROFILE = "cross join lateral (select {} from profile where domain_id = ? and pid = w.pid offset 0) p"


@dataclass(frozen=True, slots=True)
class PostgresqlRows:
    """Rows as they are: ``COPY`` takes them so."""

    table: pa.Table

    @property
    def num_rows(self) -> int:
        """How many there are."""
        return int(self.table.num_rows)


class PostgresqlBulkReader(LeasedJobReader):
    """One connection of one loader, for reading; see ``BulkReader``."""

    def __init__(self, connection: adbc.Connection, lease: Lease) -> None:
        super().__init__(lease)
        self._connection = connection
        self._cursor = self._connection.cursor()
        self._rows(session_statement(_SESSION))
        # The temporary tables that are there.
        self._made: set[str] = set()

    def close(self) -> None:
        """See ``BulkReader``."""
        self._cursor.close()
        self._connection.close()

    def open_reader(self) -> PostgresqlBulkReader:
        """See ``BulkReader``."""
        # Not connected anew: the driver would read the catalogue of types again (57 ms instead of 3).
        connection = self._connection.adbc_clone()
        connection.adbc_connection.set_autocommit(True)
        return PostgresqlBulkReader(connection, self._lease)

    def prepare_rows(self, table: pa.Table) -> PostgresqlRows:
        """See ``BulkReader``."""
        return PostgresqlRows(table.combine_chunks())

    # Reading

    def find_key_holders(
        self, domain_id: int, name: str, keys: pa.Array, at: datetime, columns: Sequence[str] = ()
    ) -> pa.Table:
        """See ``BulkReader``."""
        self._fill("wanted", {"i": pa.array(range(len(keys)), pa.int64()), "v": keys})
        found = self._table(
            "select w.i, k.pid from wanted w cross join lateral ("
            "select pid from profile_key where domain_id = ? and name = ? and value = w.v offset 0) k",
            {"i": pa.int64(), "pid": pa.int64()},
            domain_id,
            name,
        )
        # The profiles are looked at in their own order: in that of the keys, each would be a page of its own.
        pids = pa.compute.unique(found["pid"].combine_chunks())
        self._fill("wanted_pid", {"pid": pids.take(pa.compute.sort_indices(pids))})
        chosen, types = _chosen_columns(columns, ())
        names = ", ".join(f"p.{name}" for name in types)
        living = self._table(
            f"select {names} from wanted_pid w {_EACH_PROFILE.format(f'{chosen}, expires_at')} where p.expires_at > ?",
            types,
            domain_id,
            to_milliseconds(at),
        )
        return only_living(found, living, columns)

    def read_profiles(
        self, domain_id: int, pids: pa.Array, columns: Sequence[str], numbers: Sequence[str] = ()
    ) -> pa.Table:
        """See ``BulkReader``."""
        self._fill_pids(pids)
        chosen, types = _chosen_columns(columns, numbers)
        return self._table(
            f"select p.* from wanted_pid w {_EACH_PROFILE.format(chosen)} order by p.pid", types, domain_id
        )

    def read_profile_range(
        self, domain_id: int, after: int, upto: int, limit: int, columns: Sequence[str], numbers: Sequence[str]
    ) -> pa.Table:
        """See ``BulkReader``."""
        chosen, types = _chosen_columns(columns, numbers)
        return self._table(
            f"select {chosen} from profile where domain_id = ? and pid > ? and pid <= ? order by pid limit ?",
            types,
            domain_id,
            after,
            upto,
            limit,
        )

    def read_domain_column(self, domain_id: int, column: str, after_pid: int, limit: int) -> pa.Table:
        """See ``BulkReader``."""
        return self._table(
            f"select pid, cast({column} as text) as value from profile "
            f"where domain_id = ? and pid > ? and {column} is not null order by pid limit ?",
            {"pid": pa.int64(), "value": pa.string()},
            domain_id,
            after_pid,
            limit,
        )

    def find_present_keys(self, domain_id: int, name: str, values: pa.Array, pids: pa.Array) -> pa.Table:
        """See ``BulkReader``."""
        self._fill("wanted_key", {"i": pa.array(range(len(values)), pa.int64()), "v": values, "pid": pids})
        return self._table(
            "select w.i from wanted_key w cross join lateral ("
            "select 1 from profile_key where domain_id = ? and name = ? and value = w.v and pid = w.pid offset 0) k",
            {"i": pa.int64()},
            domain_id,
            name,
        )

    def read_added_keys(self, pids: pa.Array, name: str) -> pa.Table:
        """See ``BulkReader``."""
        self._fill_pids(pids)
        return self._table(
            "select a.pid, a.value from wanted_pid w join added_key a on a.pid = w.pid and a.name = ?",
            {"pid": pa.int64(), "value": pa.string()},
            name,
        )

    def read_ordered_records(self, after: int, limit: int) -> pa.Table:
        """See ``BulkReader``."""
        return self._table(
            "select record from ordered_record where upload_job_id = ? and record > ? order by record limit ?",
            {"record": pa.int64()},
            self._lease.job_number,
            after,
            limit,
        )

    def read_failed_records(self, limit: int) -> Iterator[pa.Table]:
        """See ``BulkReader``."""
        after = 0
        while True:
            records = self._table(
                "select record from failed_row where upload_job_id = ? and record > ? and fault = 0 "
                "order by record limit ?",
                {"record": pa.int64()},
                self._lease.job_number,
                after,
                limit,
            )
            if not records.num_rows:
                return
            after = records["record"][-1].as_py()
            yield records

    def read_touched(self, domain_id: int, pids: pa.Array) -> pa.Table:
        """See ``BulkReader``."""
        self._fill_pids(pids)
        return self._table(
            f"select p.pid from wanted_pid w {_EACH_PROFILE.format('pid, last_upload_job')} "
            "where p.last_upload_job = ?",
            {"pid": pa.int64()},
            domain_id,
            self._lease.job_number,
        )

    # The driver

    def _execute(self, sql: str) -> None:
        self._cursor.execute(sql)

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        self._cursor.execute(_numbered(sql), parameters or None)
        return list(self._cursor.fetchall())

    def _run(self, sql: str, *parameters: object) -> None:
        self._cursor.execute(_numbered(sql), parameters or None)

    def _table(self, sql: str, types: Mapping[str, pa.DataType], *parameters: object) -> pa.Table:
        self._cursor.execute(_numbered(sql), parameters or None)
        return self._cursor.fetch_arrow_table().cast(pa.schema(list(types.items())))

    def _copy(self, table: str, rows: pa.Table, *, temporary: bool = False) -> None:
        if rows.num_rows:
            self._cursor.adbc_ingest(table, rows, mode="append", temporary=temporary)

    def _fill(
        self, temporary_table: str, rows: pa.Table | Mapping[str, Any], definition: Sequence[str] | None = None
    ) -> None:
        """Have a temporary table hold these rows and no others.

        Args:
            definition: the statements that make it, where it is not one of ``_TEMPORARY_TABLES``.
        """
        if temporary_table in self._made:
            self._execute(f"truncate pg_temp.{temporary_table}")
        else:
            for statement in definition or _TEMPORARY_TABLES[temporary_table]:
                self._execute(statement)
            self._made.add(temporary_table)
        self._copy(temporary_table, rows if isinstance(rows, pa.Table) else pa.table(dict(rows)), temporary=True)

    def _fill_pids(self, pids: pa.Array) -> None:
        self._fill("wanted_pid", {"pid": pa.compute.unique(pids)})


def _chosen_columns(columns: Sequence[str], numbers: Sequence[str]) -> tuple[str, dict[str, pa.DataType]]:
    """What a select reads of a profile, and its types."""
    texts = "".join(f", cast({column} as text) as {column}" for column in columns)
    integers = "".join(f", coalesce({column}, 0) as {column}" for column in numbers)
    types = {"pid": pa.int64(), **dict.fromkeys(columns, pa.string()), **dict.fromkeys(numbers, pa.int64())}
    return f"pid{texts}{integers}", types


def _numbered(sql: str) -> str:
    """The statement with ``$1``, ``$2`` ... in place of each ``?``."""
    first, *others = sql.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))
