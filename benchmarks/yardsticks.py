"""Other ways to load a CSV file into a table on one machine. Run it as a program: ``yardsticks.py NAME FILE DATABASE``.

No yardstick checks values, finds profiles by email, phone or name, reports failed rows, or can resume after a crash.
"""

from __future__ import annotations

import csv
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.data import UNIQUE_KEY


def bare(file: Path, database: Path) -> None:
    """Load with csv and executemany, an upsert into one table in one durable transaction."""
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
    """Read and write the whole file with pandas, without an upsert."""
    import pandas

    connection = sqlite3.connect(database)
    pandas.read_csv(file, dtype=str, keep_default_na=False).to_sql("customer", connection, index=False)
    connection.commit()
    connection.close()


def duckdb_create_table(file: Path, database: Path) -> None:
    """Read the file into a DuckDB table without keys: the physical floor."""
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
