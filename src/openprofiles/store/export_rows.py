"""Rows of an export as Arrow batches of texts, from one state of the store.

SQLite is read through ADBC, which makes no Python object for each value: exports take a third of the time. PostgreSQL
is read through the connection of the state, since that driver would take a whole result into memory where a statement
has parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute
from sqlalchemy.engine import Connection

from openprofiles.store.expressions.fragments import Sql, joined, sql

_ROWS_AT_ONCE = 20_000
# Never a value: NUL is refused everywhere.
_NULL_TEXT = "\0"


class ExportRows(Protocol):
    """A state of the store to read from."""

    @property
    def dialect(self) -> str:
        """The name of the engine."""

    def read(self, values: Sequence[Sql], names: Sequence[str], rest: Sql) -> Iterator[pa.RecordBatch]:
        """Select values, which are texts or null.

        Args:
            names: of the columns of the batches.
            rest: the statement after the values.
        """

    def read_numbers(self, query: Sql) -> tuple[int, ...]:
        """Return the only row of a statement."""


class ConnectionRows:
    """See ``ExportRows``."""

    def __init__(self, connection: Connection) -> None:
        # Row by row, not all into memory first.
        self._connection = connection.execution_options(stream_results=True, max_row_buffer=_ROWS_AT_ONCE)

    @property
    def dialect(self) -> str:
        return self._connection.dialect.name

    def read(self, values: Sequence[Sql], names: Sequence[str], rest: Sql) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([(name, pa.string()) for name in names])
        for some in self._execute(_select(values, rest)).partitions(_ROWS_AT_ONCE):
            yield pa.record_batch([pa.array(column, pa.string()) for column in zip(*some, strict=True)], schema=schema)

    def read_numbers(self, query: Sql) -> tuple[int, ...]:
        return tuple(self._execute(query).one())

    def _execute(self, query: Sql) -> Any:
        return self._connection.exec_driver_sql(query.of_driver(self.dialect), query.parameters)


class SqliteRows:
    """See ``ExportRows``."""

    dialect = "sqlite"

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def read(self, values: Sequence[Sql], names: Sequence[str], rest: Sql) -> Iterator[pa.RecordBatch]:
        # The driver takes the type of a column from its first rows, and text after many nulls fails.
        self._execute(_select([sql(f"ifnull({{0}}, char({ord(_NULL_TEXT)}))", value) for value in values], rest))
        schema = pa.schema([(name, pa.string()) for name in names])
        for batch in self._cursor.fetch_record_batch():
            columns = [
                pa.compute.if_else(pa.compute.equal(column, _NULL_TEXT), None, column).cast(pa.string())
                for column in batch.columns
            ]
            if batch.num_rows:
                yield pa.record_batch(columns, schema=schema)

    def read_numbers(self, query: Sql) -> tuple[int, ...]:
        self._execute(query)
        return tuple(self._cursor.fetchone())

    def _execute(self, query: Sql) -> None:
        self._cursor.execute(query.of_driver(self.dialect), query.parameters or None)


@contextmanager
def open_sqlite_rows(path: Path) -> Iterator[ExportRows]:
    """Open a state of an SQLite store that this process has closed."""
    import adbc_driver_sqlite.dbapi as adbc

    connection = adbc.connect(str(path), autocommit=True)
    cursor = connection.cursor()
    try:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(_ROWS_AT_ONCE)})
        for statement in ("pragma busy_timeout = 5000", "pragma query_only = on", "begin"):
            cursor.execute(statement)
            cursor.fetchall()
        yield SqliteRows(cursor)
    finally:
        cursor.close()
        connection.close()


def _select(values: Sequence[Sql], rest: Sql) -> Sql:
    whole = joined(", ", values)
    return sql("select {0} {1}", Sql(whole.text[1:-1], whole.parameters), rest)
