"""The loader's way of reading the SQLite store: Arrow tables through ADBC, no Python object per cell.

Reads wrap nullable columns in ``ifnull``: the driver takes a column's type from its first rows, and text after many
nulls fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import adbc_driver_sqlite.dbapi as adbc
import numpy as np
import pyarrow as pa
import pyarrow.compute

from openprofiles.facts.precedence import PROTECTED
from openprofiles.store.bulk import BulkReader
from openprofiles.store.bulk_protocols import PreparedRows
from openprofiles.store.definition_names import OBJECT_TYPES
from openprofiles.store.leased_jobs import Lease
from openprofiles.store.sqlite_version import require_safe_sqlite

NULL_TEXT = "\x00"  # never a value: NUL is refused everywhere

# Rows go in several to a statement: half of what a row of an index costs is the start and end of a statement.
_ROWS_PER_STATEMENT = 64
_PARAMETERS_PER_STATEMENT = 256


@dataclass(frozen=True, slots=True)
class SqliteRows(PreparedRows):
    """Rows as an insert takes them: ``rows_per_statement`` of the table beside each other, and what is left over."""

    several: pa.Table
    rows_per_statement: int
    single: pa.Table


class SqliteBulkReader(BulkReader):
    """One connection of one loader, for reading; see ``BulkReader``."""

    _TEXT = "ifnull({}, char(0))"
    _JOIN = "cross join"
    _PROTECTING = (
        "(select nullif(json_group_array(path), '[]') from ("
        "select value as path from json_each(coalesce(p.origins, '[]')) union all "
        f"select '{PROTECTED}' || given.value from json_each(p.sources) source, json_each(source.value, '$[4]') given "
        "where json_extract(source.value, '$[1]') in ({types})))"
    )
    _PROTECTING_TYPES = (
        f"select definition_id from definition where domain_id = ? and kind = '{OBJECT_TYPES}' and deleted_at is null "
        "and json_extract(summary, '$.SourcePriority') is not null"
    )
    # The domain's index would be walked as a whole.
    _OF_DOMAIN = "+p.domain_id"

    def __init__(self, path: Path, lease: Lease) -> None:
        super().__init__(lease)
        self._path = path
        self._connection = adbc.connect(str(path), autocommit=True)
        self._cursor = self._connection.cursor()
        require_safe_sqlite(self._rows("select sqlite_version()")[0][0], "adbc-driver-sqlite")
        for pragma in (
            "busy_timeout = 5000",
            "synchronous = full",
            "temp_store = file",
            "cache_size = -64000",
            "main.secure_delete = on",
        ):
            self._rows(f"pragma {pragma}")
        self._execute("create temp table wanted (i integer primary key, v text)")
        self._execute("create temp table wanted_pid (pid integer primary key)")
        self._execute("create temp table wanted_key (i integer primary key, v text, pid integer)")

    def close(self) -> None:
        self._cursor.close()
        self._connection.close()

    def checkpoint(self) -> None:
        """Move what is committed from the write-ahead log into the database file, as far as nobody reads what was."""
        self._rows("pragma wal_checkpoint(passive)")

    def open_reader(self) -> SqliteBulkReader:
        """See ``BulkReader``."""
        return SqliteBulkReader(self._path, self._lease)

    def prepare_rows(self, table: pa.Table) -> SqliteRows:
        """See ``BulkReader``."""
        size = max(1, min(_ROWS_PER_STATEMENT, _PARAMETERS_PER_STATEMENT // table.num_columns))
        whole = table.num_rows - table.num_rows % size
        table = table.combine_chunks()
        # Columns 0 of rows 0, size, 2 * size, ..., then columns 1 of those, and so on: in the order of the parameters.
        starts = [pa.array(np.arange(first, whole, size)) for first in range(size)] if whole else []
        columns = [column.take(rows_of_slot) for rows_of_slot in starts for column in table.columns]
        several = pa.table(columns, [str(number) for number in range(len(columns))])
        return SqliteRows(table, several, size, table.slice(whole))

    # Reading

    def read_profiles(self, pids: pa.Array, columns: Sequence[str]) -> pa.Table:
        """See ``ProfileReader``."""
        if len(pids) and (np.diff(pids) == 1).all():
            # Most often they are a range, which needs no table to be joined with.
            return self.read_profile_range(pids[0].as_py() - 1, pids[-1].as_py(), len(pids), columns)
        return super().read_profiles(pids, columns)

    def _fill(self, temporary_table: str, rows: Mapping[str, pa.Array]) -> None:
        self._execute(f"delete from temp.{temporary_table}")
        self._insert(f"insert into temp.{temporary_table}", f"(?{', ?' * (len(rows) - 1)})", pa.table(dict(rows)))

    def _each(self, table: str, condition: str) -> str:
        return f"cross join {table} on {condition}"

    def _read_texts(self, sql: str, types: Mapping[str, pa.DataType], *parameters: object) -> pa.Table:
        table = self._table(sql, types, *parameters)
        columns = [
            pa.compute.if_else(pa.compute.equal(column, NULL_TEXT), None, column)
            if column.type == pa.string()
            else column
            for column in table.columns
        ]
        return pa.table(columns, names=table.column_names)

    # The driver

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

    def _write_rows(self, sql: str, rows: pa.Table) -> None:
        """Run the statement once for each row."""
        for batch in rows.combine_chunks().to_batches():
            self._cursor.executemany(sql, batch)

    def _insert(self, into: str, row: str, rows: pa.Table | PreparedRows) -> None:
        """Run ``insert into``, with a ``row`` such as ``(1, ?, ?)`` for each of these."""
        if not isinstance(rows, SqliteRows):
            rows = self.prepare_rows(rows if isinstance(rows, pa.Table) else rows.table)
        if rows.several.num_rows:
            self._write_rows(f"{into} values {', '.join([row] * rows.rows_per_statement)}", rows.several)
        if rows.single.num_rows:
            self._write_rows(f"{into} values {row}", rows.single)
