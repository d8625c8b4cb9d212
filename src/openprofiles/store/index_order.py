"""Make PostgreSQL use an index, for one transaction, where it would choose to read a whole table."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Connection


def read_in_index_order(connection: Connection) -> None:
    """Make the rest of this transaction find first rows by walking an index.

    Right after a large load, before the rows of a table are counted, PostgreSQL would collect and sort all rows of a
    domain to find its first thousand, half a second for two million. SQLite walks the index anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("set local enable_bitmapscan = off"))
        connection.execute(text("set local enable_sort = off"))


def read_single_rows(connection: Connection) -> None:
    """Make the rest of this transaction look up rows by their keys.

    PostgreSQL plans a statement once for many transactions. If it does while a table is nearly empty, it would read the
    whole table each time until the table is counted. SQLite looks up keys anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("set local enable_seqscan = off"))
