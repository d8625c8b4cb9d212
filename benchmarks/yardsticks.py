"""What else loads a CSV file into a table on one machine. Run as a program: ``yardsticks.py NAME FILE DATABASE``.

None of them checks a value, finds a profile by e-mail, phone or name, reports a row or survives a crash half-way.
"""

from __future__ import annotations

import csv
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.data import UNIQUE_KEY


def bare(file: Path, database: Path) -> None:
    """Python's csv and executemany, an upsert into one table, all in one transaction, as durable as ours."""
    connection = sqlite3.connect(database)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    with file.open(newline="", encoding="utf-8") as lines:
        rows = csv.reader(lines)
        columns = next(rows)
        declared = ", ".join(f"{name} text{' primary key' if name == UNIQUE_KEY else ''}" for name in columns)
        changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name != UNIQUE_KEY)
        connection.execute(f"create table customer ({declared})")
        connection.executemany(
            f"insert into customer values ({', '.join('?' * len(columns))}) "
            f"on conflict ({UNIQUE_KEY}) do update set {changed}",
            rows,
        )
    connection.commit()
    connection.close()


def pandas_to_sql(file: Path, database: Path) -> None:
    """pandas: read all of it, write all of it. It does not upsert."""
    import pandas

    connection = sqlite3.connect(database)
    pandas.read_csv(file, dtype=str, keep_default_na=False).to_sql("customer", connection, index=False)
    connection.commit()
    connection.close()


def duckdb_create_table(file: Path, database: Path) -> None:
    """The physical floor: DuckDB reads the file into a table of its own form, with no key at all."""
    import duckdb

    connection = duckdb.connect(str(database))
    connection.execute(f"create table customer as select * from read_csv('{file}', all_varchar = true)")
    connection.close()


YARDSTICKS: dict[str, Callable[[Path, Path], None]] = {
    "bare": bare,
    "pandas": pandas_to_sql,
    "duckdb": duckdb_create_table,
}

if __name__ == "__main__":
    YARDSTICKS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
