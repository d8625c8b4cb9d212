"""The loader's way of reading the SQLite store: Arrow tables through ADBC, no Python object per cell.

Reads wrap nullable columns in ``ifnull``: the driver takes a column's type from its first rows, and text after many
nulls fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import adbc_driver_sqlite.dbapi as adbc
import numpy as np
import pyarrow as pa
import pyarrow.compute

from openprofiles.clock import to_milliseconds
from openprofiles.store.bulk import Lease, PreparedRows, only_living
from openprofiles.store.bulk_jobs import LeasedJobReader
from openprofiles.store.sqlite_version import require_safe_sqlite

NULL_TEXT = "\x00"  # never a value: NUL is refused everywhere

# Rows go in several to a statement: half of what a row of an index costs is the start and end of a statement.
_ROWS_PER_STATEMENT = 64
_PARAMETERS_PER_STATEMENT = 256


@dataclass(frozen=True, slots=True)
class SqliteRows:
    """Rows as an insert takes them: ``rows_per_statement`` of the table beside each other, and what is left over."""

    table: pa.Table
    several: pa.Table
    rows_per_statement: int
    single: pa.Table

    @property
    def num_rows(self) -> int:
        """How many there are."""
        return int(self.table.num_rows)


class SqliteBulkReader(LeasedJobReader):
    """One connection of one loader, for reading; see ``BulkReader``."""

    def __init__(self, path: Path, lease: Lease) -> None:
        super().__init__(lease)
        self._path = path
        self._connection = adbc.connect(str(path), autocommit=True)
        self._cursor = self._connection.cursor()
        require_safe_sqlite(self._rows("select sqlite_version()")[0][0], "adbc-driver-sqlite")
        for pragma in ("busy_timeout = 5000", "synchronous = full", "temp_store = file", "cache_size = -64000"):
            self._rows(f"pragma {pragma}")
        self._execute("create temp table wanted (i integer primary key, v text)")
        self._execute("create temp table wanted_pid (pid integer primary key)")

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

    def find_key_holders(
        self, domain_id: int, name: str, keys: pa.Array, at: datetime, columns: Sequence[str] = ()
    ) -> pa.Table:
        """See ``BulkReader``."""
        self._execute("delete from temp.wanted")
        self._insert("insert into temp.wanted", "(?, ?)", {"i": pa.array(np.arange(len(keys))), "v": keys})
        found = self._table(
            "select w.i, k.pid from temp.wanted w cross join profile_key k "
            "on k.domain_id = ? and k.name = ? and k.value = w.v",
            {"i": pa.int64(), "pid": pa.int64()},
            domain_id,
            name,
        )
        # The profiles are looked at in their own order: in that of the keys, each would be a page of its own.
        self._execute("delete from temp.wanted_pid")
        self._insert("insert into temp.wanted_pid", "(?)", {"pid": pa.compute.unique(found["pid"].combine_chunks())})
        chosen, types = _chosen_columns(columns, ())
        living = self._table(
            f"select {chosen} from temp.wanted_pid w cross join profile p "
            "on p.pid = w.pid and p.domain_id = ? and p.expires_at > ?",
            types,
            domain_id,
            to_milliseconds(at),
        )
        return only_living(found, _with_nulls(living), columns)

    def read_profiles(
        self, domain_id: int, pids: pa.Array, columns: Sequence[str], numbers: Sequence[str] = ()
    ) -> pa.Table:
        """See ``BulkReader``."""
        if len(pids) and (np.diff(pids) == 1).all():
            # Most often they are a range, which needs no table to be joined with.
            return self.read_profile_range(
                domain_id, pids[0].as_py() - 1, pids[-1].as_py(), len(pids), columns, numbers
            )
        self._execute("delete from temp.wanted_pid")
        self._insert("insert or ignore into temp.wanted_pid", "(?)", {"pid": pids})
        chosen, types = _chosen_columns(columns, numbers)
        table = self._table(
            f"select {chosen} from temp.wanted_pid w cross join profile p "
            "on p.pid = w.pid and p.domain_id = ? order by p.pid",
            types,
            domain_id,
        )
        return _with_nulls(table)

    def read_profile_range(
        self, domain_id: int, after: int, upto: int, limit: int, columns: Sequence[str], numbers: Sequence[str]
    ) -> pa.Table:
        """See ``BulkReader``."""
        chosen, types = _chosen_columns(columns, numbers)
        # The domain's index would be walked as a whole.
        table = self._table(
            f"select {chosen} from profile p "
            "where p.pid > ? and p.pid <= ? and +p.domain_id = ? order by p.pid limit ?",
            types,
            after,
            upto,
            domain_id,
            limit,
        )
        return _with_nulls(table)

    def read_domain_column(self, domain_id: int, column: str, after_pid: int, limit: int) -> pa.Table:
        """See ``BulkReader``."""
        return self._table(
            f"select pid, {column} value from profile where domain_id = ? and pid > ? and {column} is not null "
            "order by pid limit ?",
            {"pid": pa.int64(), "value": pa.string()},
            domain_id,
            after_pid,
            limit,
        )

    def find_present_keys(self, domain_id: int, name: str, values: pa.Array, pids: pa.Array) -> pa.Table:
        """See ``BulkReader``."""
        self._execute("create temp table if not exists wanted_key (i integer primary key, v text, pid integer)")
        self._execute("delete from temp.wanted_key")
        self._insert(
            "insert into temp.wanted_key",
            "(?, ?, ?)",
            {"i": pa.array(np.arange(len(values))), "v": values, "pid": pids},
        )
        return self._table(
            "select w.i from temp.wanted_key w cross join profile_key k "
            "on k.domain_id = ? and k.name = ? and k.value = w.v and k.pid = w.pid",
            {"i": pa.int64()},
            domain_id,
            name,
        )

    def read_added_keys(self, pids: pa.Array, name: str) -> pa.Table:
        """See ``BulkReader``."""
        self._execute("delete from temp.wanted_pid")
        self._insert("insert or ignore into temp.wanted_pid", "(?)", {"pid": pids})
        return self._table(
            "select a.pid, a.value from temp.wanted_pid w cross join added_key a on a.pid = w.pid and a.name = ?",
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
        self._execute("delete from temp.wanted_pid")
        self._insert("insert or ignore into temp.wanted_pid", "(?)", {"pid": pids})
        return self._table(
            "select p.pid from temp.wanted_pid w cross join profile p "
            "on p.pid = w.pid and p.domain_id = ? and p.last_upload_job = ?",
            {"pid": pa.int64()},
            domain_id,
            self._lease.job_number,
        )

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

    def _insert(self, into: str, row: str, rows: pa.Table | PreparedRows | Mapping[str, Any]) -> None:
        """Run ``insert into``, with a ``row`` such as ``(1, ?, ?)`` for each of these."""
        if not isinstance(rows, SqliteRows):
            rows = self.prepare_rows(
                rows if isinstance(rows, pa.Table) else pa.table(dict(cast("Mapping[str, Any]", rows)))
            )
        if rows.several.num_rows:
            self._write_rows(f"{into} values {', '.join([row] * rows.rows_per_statement)}", rows.several)
        if rows.single.num_rows:
            self._write_rows(f"{into} values {row}", rows.single)


def _chosen_columns(columns: Sequence[str], numbers: Sequence[str]) -> tuple[str, dict[str, pa.DataType]]:
    """What a select reads of a profile ``p``, and its types."""
    texts = "".join(f", ifnull(p.{column}, char(0)) {column}" for column in columns)
    integers = "".join(f", ifnull(p.{column}, 0) {column}" for column in numbers)
    types = {"pid": pa.int64(), **dict.fromkeys(columns, pa.string()), **dict.fromkeys(numbers, pa.int64())}
    return f"p.pid{texts}{integers}", types


def _with_nulls(table: pa.Table) -> pa.Table:
    columns = [
        pa.compute.if_else(pa.compute.equal(column, NULL_TEXT), None, column) if column.type == pa.string() else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)
