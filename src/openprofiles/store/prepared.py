"""Statements that run with every request, compiled once and run by the driver directly.

Building, compiling and unpacking a statement through SQLAlchemy takes 0.15 to 0.25 ms each time, more than all the rest
of a request, and some 2 ms for one with all columns of a profile. The statement is still SQLAlchemy's, so it fits every
engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from sqlalchemy import Delete, Insert, Select, TextClause, Update
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")


class PreparedQuery(Generic[T]):
    """A select with named parameters, whose rows are made into ``T``."""

    def __init__(self, query: Select[Any], make: Callable[[dict[str, Any]], T]) -> None:
        self._query = query
        self._make = make
        self._compiled: dict[str, _CompiledQuery] = {}

    def one_or_none(self, connection: Connection, **values: Any) -> T | None:
        """Return the only row, if there is one; ``values`` by the names of the query's parameters."""
        rows = self.all(connection, **values)
        return rows[0] if rows else None

    def all(self, connection: Connection, **values: Any) -> list[T]:
        """Return all rows; ``values`` by the names of the query's parameters."""
        compiled = self._compiled.get(connection.dialect.name)
        if compiled is None:
            compiled = self._compiled[connection.dialect.name] = _CompiledQuery(self._query, connection.dialect)
        return [self._make(row) for row in compiled.fetch(connection, values)]


class PreparedStatement:
    """A statement that writes, with named parameters: all columns of an insert, or those that are bound by name."""

    def __init__(self, statement: Insert | Update | Delete | TextClause) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, **values: Any) -> int:
        """Run the statement once, and return the number of rows that it wrote."""
        cursor = self._of(connection).run(connection, values)
        count: int = cursor.rowcount
        cursor.close()
        return count

    def run_each(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Run the statement once for each of these rows, given by name."""
        self._of(connection).run_each(connection, rows)

    def number(self, connection: Connection, **values: Any) -> int:
        """Run the statement once, and return the only value that it returns."""
        cursor = self._of(connection).run(connection, values)
        number: int = cursor.fetchone()[0]
        cursor.close()
        return number

    def _of(self, connection: Connection) -> _Compiled:
        compiled = self._compiled.get(connection.dialect.name)
        if compiled is None:
            compiled = self._compiled[connection.dialect.name] = _Compiled(self._statement, connection.dialect)
        return compiled


class Writes:
    """Collects the writes of a transaction, and runs those of one statement together.

    Writes to different rows may be run in any order. Before a row is written a second time, run what was added.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._rows: dict[PreparedStatement, list[dict[str, Any]]] = {}

    def add(self, statement: PreparedStatement, **values: Any) -> None:
        """Add a statement with its values, by the names of its parameters."""
        self._rows.setdefault(statement, []).append(values)

    def run(self) -> None:
        """Run what was added, in the order in which the statements came first."""
        for statement, rows in self._rows.items():
            statement.run_each(self.connection, rows)
        self._rows = {}


@contextmanager
def written_together(connection: Connection) -> Iterator[Writes]:
    """Collect writes, and run them at the end of the block unless it raises."""
    writes = Writes(connection)
    yield writes
    writes.run()


class _Compiled:
    """The text of a statement for one engine, and how its values are converted."""

    def __init__(self, statement: Select[Any] | Insert | Update | Delete | TextClause, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._names: list[str] | None = getattr(compiled, "positiontup", None)
        self._fixed: Mapping[str, Any] = compiled.params
        # An insert writes null into the columns that it is not given.
        self._required = {name for one, name in compiled.bind_names.items() if one.required and not compiled.isinsert}
        self._converted = [
            (name, convert)
            for parameter, name in compiled.bind_names.items()
            if (convert := parameter.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        ]

    def run(self, connection: Connection, values: dict[str, Any]) -> Any:
        """Run the statement, and return the cursor on its result, which the caller closes."""
        parameters = self._parameters(values)
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self._sql, parameters)
        except connection.dialect.loaded_dbapi.Error as error:
            cursor.close()
            raise _library_error(connection, self._sql, error) from error
        return cursor

    def run_each(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Run the statement for each of these values."""
        cursor = connection.connection.cursor()
        parameters = self._parameters_of(rows)
        try:
            cursor.executemany(self._sql, parameters)
        except connection.dialect.loaded_dbapi.Error as error:
            raise _library_error(connection, self._sql, error) from error
        finally:
            cursor.close()

    def _parameters(self, values: dict[str, Any]) -> Any:
        return self._parameters_of([values])[0]

    def _parameters_of(self, rows: Sequence[dict[str, Any]]) -> list[Any]:
        found: list[Any] = []
        fixed, names, converted = self._fixed, self._names, self._converted
        for values in rows:
            if not self._required <= values.keys() <= fixed.keys():
                raise TypeError(f"The statement takes {sorted(self._required)}, but was given {sorted(values)}.")
            given = {**fixed, **values} if len(values) < len(fixed) else dict(values)
            for name, convert in converted:
                given[name] = convert(given[name])
            found.append(given if names is None else [given[name] for name in names])
        return found


def _library_error(connection: Connection, sql: str, error: Exception) -> Exception:
    """Return the error as SQLAlchemy raises it, without the parameters: they may be a customer's."""
    kind = connection.dialect.loaded_dbapi.Error
    return DBAPIError.instance(sql, None, error, kind, hide_parameters=True)


class _CompiledQuery(_Compiled):
    """The text of a query for one engine, and how its values and columns are converted."""

    def __init__(self, query: Select[Any], dialect: Dialect) -> None:
        super().__init__(query, dialect)
        self._columns = [
            (column.key or "", column.type.dialect_impl(dialect).result_processor(dialect, None))
            for column in query.selected_columns
        ]

    def fetch(self, connection: Connection, values: dict[str, Any]) -> list[dict[str, Any]]:
        cursor = self.run(connection, values)
        try:
            rows = cursor.fetchall()
        except connection.dialect.loaded_dbapi.Error as error:
            raise _library_error(connection, self._sql, error) from error
        finally:
            cursor.close()
        return [
            {
                name: cell if process is None else process(cell)
                for (name, process), cell in zip(self._columns, row, strict=True)
            }
            for row in rows
        ]
