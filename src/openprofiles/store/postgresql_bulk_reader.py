"""The loader's way of reading the PostgreSQL store: Arrow tables through ADBC, no Python object per cell.

What is asked for goes into temporary tables by ``COPY``; a join with them is one statement for any number of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from openprofiles.clock import LAST_MOMENT_MS
from openprofiles.facts.precedence import PROTECTED
from openprofiles.store.bulk import BulkReader
from openprofiles.store.bulk_protocols import PreparedRows
from openprofiles.store.definition_names import OBJECT_TYPES
from openprofiles.store.leased_jobs import Lease
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
    "changed_origins": ("create temp table changed_origins (origins text, pid bigint)",),
}


class PostgresqlBulkReader(BulkReader):
    """One connection of one loader, for reading; see ``BulkReader``."""

    _TEXT = "cast({} as text)"
    SPELLS_AS_JSONB = True
    _JOIN = "join"
    _PROTECTING = (
        "(select json_agg(path) from ("
        "select value as path from json_array_elements_text(coalesce(p.origins, '[]'::json)) union all "
        f"select '{PROTECTED}' || given from json_array_elements(p.sources) source, "
        "json_array_elements_text(source->4) given "
        "where (source->>1)::bigint in ({types})) paths)"
    )
    _PROTECTING_TYPES = (
        f"select definition_id from definition where domain_id = ? and kind = '{OBJECT_TYPES}' and deleted_at is null "
        "and summary->>'SourcePriority' is not null"
    )
    _FOR_EXPIRY_INDEX = f" and expires_at < {LAST_MOMENT_MS}"

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

    def prepare_rows(self, table: pa.Table) -> PreparedRows:
        """See ``BulkReader``."""
        return PreparedRows(table.combine_chunks())

    def _each(self, table: str, condition: str) -> str:
        # As written: a planner that nobody has told of the tables' sizes began with the domain and went through all of
        # it for each batch (a second load of a million rows took 104 s instead of 49).
        return f"cross join lateral (select * from {table} where {condition} offset 0) {table.split()[1]}"

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


def _numbered(sql: str) -> str:
    """The statement with ``$1``, ``$2`` ... in place of each ``?``."""
    first, *others = sql.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))
