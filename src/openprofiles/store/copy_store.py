"""Copy a whole store into another one, of the same or another engine, and verify the copy.

Rows are copied in the order of each primary key, a bounded number in each transaction, so a copy that was killed
continues after the last row of each table in the target. Until all rows are copied and compared, the target is marked
as unfinished, and ``open_store`` refuses it.

Values are copied as the drivers return them: times as numbers, JSON as text. Custom attributes are written in the order
of their names, since engines keep them in different orders. Both engines sort text by its bytes, so both have the same
order of rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

from sqlalchemy import JSON, Boolean, Table, text
from sqlalchemy.engine import Connection
from sqlalchemy.types import TypeEngine

from openprofiles.errors import InvalidRequest, StoreUnreachable
from openprofiles.store import job_queue
from openprofiles.store.connections import Store
from openprofiles.store.lost_connection import is_lost_connection
from openprofiles.store.migrations import NEWEST_REVISION
from openprofiles.store.open import begin_unfinished_store, is_unfinished
from openprofiles.store.owned_rows import owned_rows
from openprofiles.store.profile_words import index_words_again
from openprofiles.store.tables import BinaryJson, metadata

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """One table of a finished copy."""

    name: str
    row_count: int


def copy_store(
    source: Store, target: Store, now: datetime, on_copied: Callable[[str, int], None] = lambda _name, _count: None
) -> list[CopiedTable]:
    """Copy everything, or the rest of an interrupted copy, and compare all of it.

    Args:
        target: a store without any table, or an unfinished copy.
        on_copied: called after each batch with the table's name and how many of its rows came over since the start.

    Raises:
        InvalidRequest: a load runs on the source; the target holds something else; or the two differ afterwards, since
            the source was written to in the meantime or the target is the copy of another store. It
            stays unfinished then.
        SettingsError: the target holds tables of another program.
    """
    _refuse_running_loads(source, now)
    begin_unfinished_store(target)
    for table in metadata.sorted_tables:
        _copy_table(source, target, table, on_copied)
    _refuse_running_loads(source, now)
    tables = [CopiedTable(table.name, _compare(source, target, table)) for table in metadata.sorted_tables]
    with source.read() as reading, target.write() as connection:
        for table in metadata.sorted_tables:
            column = table.autoincrement_column
            if column is not None:
                last = _last_number(reading, table.name, column.name)
                _continue_numbers(connection, table.name, column.name, last)
        index_words_again(connection)
        connection.execute(text("update alembic_version set version_num = :revision"), {"revision": NEWEST_REVISION})
    return tables


def _refuse_running_loads(store: Store, now: datetime) -> None:
    with store.read() as connection:
        if job_queue.is_any_leased(connection, now):
            raise InvalidRequest(
                "An import is running on the store to copy, or was killed within the last 15 seconds. Stop all its "
                "servers and workers first; their jobs continue in the copy."
            )


def _copy_table(source: Store, target: Store, table: Table, on_copied: Callable[[str, int], None]) -> None:
    with target.read() as connection:
        last = _last_key(connection, table)
    count = 0
    for rows in _batches(source, table, last):
        with target.write() as connection:
            if not is_unfinished(connection):
                raise InvalidRequest("Another copy-store command has already completed this copy.")
            _insert(connection, table, rows)
        count += len(rows)
        on_copied(table.name, count)


def _compare(source: Store, target: Store, table: Table) -> int:
    """Compare a table of both stores; return the number of its rows.

    Raises:
        InvalidRequest: they differ.
    """
    count = 0
    ours, theirs = hashlib.sha256(), hashlib.sha256()
    one: list[Row]
    other: list[Row]
    for one, other in zip_longest(_batches(source, table), _batches(target, table), fillvalue=[]):
        count += len(one)
        ours.update(repr(one).encode("utf-8", "surrogatepass"))
        theirs.update(repr(other).encode("utf-8", "surrogatepass"))
        if len(one) != len(other) or ours.digest() != theirs.digest():
            raise InvalidRequest(
                f"The table {table.name} of the copy differs from the original. Either the original was changed in "
                "the meantime, or the copy was started from a different store. Stop all servers and workers of both, "
                "empty the target and start again."
            )
    return count


def _batches(store: Store, table: Table, after: Row | None = None) -> Iterator[list[Row]]:
    """Read the rows of a table by primary key; all engines give the same form."""
    while True:
        with store.read() as connection:
            rows = _read(connection, table, after)
        if not rows:
            return
        yield rows
        after = _key_of(table, rows[-1])


def _read(connection: Connection, table: Table, after: Row | None) -> list[Row]:
    keys = _key_names(table)
    # A driver would take JSON apart; here it is text.
    columns = ", ".join(
        f"cast({column.name} as text) as {column.name}" if isinstance(column.type, JSON | BinaryJson) else column.name
        for column in table.columns
    )
    beyond = ""
    if after is not None:
        beyond = f"where ({', '.join(keys)}) > ({', '.join(f':k{index}' for index in range(len(keys)))})"
    limit = owned_rows(table).rows_at_once
    found = connection.execute(
        text(f"select {columns} from {table.name} {beyond} order by {', '.join(keys)} limit {limit}"),
        {f"k{index}": value for index, value in enumerate(after or ())},
    )
    convert = {
        index: _CONVERTED[kind]
        for index, column in enumerate(table.columns)
        if (kind := type(column.type)) in _CONVERTED
    }
    if not convert:
        return [tuple(row) for row in found]
    return [
        tuple(
            convert[index](value) if index in convert and value is not None else value
            for index, value in enumerate(row)
        )
        for row in found
    ]


def _last_key(connection: Connection, table: Table) -> Row | None:
    keys = _key_names(table)
    order = ", ".join(f"{key} desc" for key in keys)
    row = connection.execute(text(f"select {', '.join(keys)} from {table.name} order by {order} limit 1")).first()
    return None if row is None else tuple(row)


def _insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    names = ", ".join(column.name for column in table.columns)
    if connection.dialect.name != "postgresql":
        places = ", ".join("?" * len(table.columns))
        connection.exec_driver_sql(f"insert into {table.name} ({names}) values ({places})", list(rows))
        return
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(f"copy {table.name} ({names}) from stdin") as copy:
            for row in rows:
                copy.write_row(row)
    except connection.dialect.loaded_dbapi.Error as error:
        if is_lost_connection(error):
            raise StoreUnreachable("The target's database is not responding.") from error
        # What the driver says may hold a value of the row.
        state = getattr(error, "sqlstate", None) or type(error).__name__
        raise InvalidRequest(f"PostgreSQL rejected a row of the table {table.name} (SQLSTATE {state}).") from None


def _last_number(connection: Connection, name: str, column: str) -> int:
    """Read the highest row number that the engine ever assigned in a table."""
    highest = int(connection.execute(text(f"select coalesce(max({column}), 0) from {name}")).scalar_one())
    if connection.dialect.name == "postgresql":
        sequence = connection.execute(text(f"select pg_get_serial_sequence('{name}', '{column}')")).scalar_one()
        last, is_called = connection.execute(text(f"select last_value, is_called from {sequence}")).one()
        return max(highest, int(last) if is_called else 0)
    given = connection.execute(text("select seq from sqlite_sequence where name = :name"), {"name": name}).scalar()
    return max(highest, int(given or 0))


def _continue_numbers(connection: Connection, name: str, column: str, last: int) -> None:
    if not last:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"select setval(pg_get_serial_sequence('{name}', '{column}'), {last})"))
        return
    connection.execute(text("delete from sqlite_sequence where name = :name"), {"name": name})
    if metadata.tables[name].dialect_options["sqlite"]["autoincrement"]:
        connection.execute(
            text("insert into sqlite_sequence (name, seq) values (:name, :last)"), {"name": name, "last": last}
        )


def _key_names(table: Table) -> list[str]:
    return [column.name for column in table.primary_key.columns]


def _key_of(table: Table, row: Row) -> Row:
    positions = {column.name: index for index, column in enumerate(table.columns)}
    return tuple(row[positions[name]] for name in _key_names(table))


def _in_order_of_members(object_text: str) -> str:
    return json.dumps(json.loads(object_text), sort_keys=True, separators=(",", ":"))


# Values of these types that engines or drivers return in different forms, in one form.
_CONVERTED: Mapping[type[TypeEngine[Any]], Callable[[Any], Any]] = {
    Boolean: bool,
    BinaryJson: _in_order_of_members,
}
