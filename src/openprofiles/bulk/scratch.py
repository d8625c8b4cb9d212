"""A job's scratch database: DuckDB in a folder of its own, under a memory limit, spilling to disk.

It holds what staging and planning found out, so that a job that was killed continues where it stood. It can be
made again at any time, and is removed when the job ends.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from openprofiles.bulk.scratch_facts import ScratchFacts
from openprofiles.bulk.sql_functions import register_sql_functions
from openprofiles.disk_faults import disk_fault
from openprofiles.errors import StorageFull
from openprofiles.facts.sql_text import sql_text

# With the number of the form of its tables: one that an earlier version left is not taken up.
_FILE_NAME = "load-9.duckdb"
_PROBE_NAME = "probe"
_DATABASE = "scratch"
_EPOCH = "epoch"
_RECORD_COUNT = "record_count"
_HAS_FEW_RECORDS = "few records"
# For so few values, DuckDB's optimizer takes longer than everything else.
FEW_CELLS = 20_000

_CONFIG: dict[str, Any] = {
    # The threads of the loader read, sort and write at the same time.
    "threads": 1,
    # Files are read and written by the threads that need them.
    "async_threads": 0,
    "preserve_insertion_order": True,
    # Packing the text of a million rows costs 1.5 s of processor time, and saves room for some seconds.
    "force_compression": "uncompressed",
    # Everything it needs is built in; it must not look for more on the network.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
# Instances of DuckDB to which no scratch database was attached yet.
_waiting: list[duckdb.DuckDBPyConnection] = []
# All others. A loader runs one job and ends at once; to shut an instance down would take as long as writing 20 rows.
_used: list[duckdb.DuckDBPyConnection] = []


def warm_up() -> None:
    """Start an instance of DuckDB for the next scratch database: a fifth of the time of a small load."""
    instance = duckdb.connect(":memory:", config=_CONFIG)
    # What is used for the first time takes some milliseconds, such as the parser, Arrow tables, attaching and CSV.
    instance.register("first", pa.table({"n": [1]}))
    instance.execute("create temp table first_table as select n from first")
    instance.unregister("first")
    instance.execute("attach ':memory:' as first; detach first; drop table first_table")
    instance.execute(f"from read_csv('{os.devnull}', columns = {{'c': 'text'}}, auto_detect = false)")
    _waiting.append(instance)


class ScratchNotWritable(Exception):
    """The folder of scratch databases cannot be written, and not for want of room."""


class ScratchCursor:
    """One connection to a scratch database, for one thread. Temporary tables and names of ``put`` are its own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, facts: ScratchFacts) -> None:
        self.connection = connection
        self._facts = facts
        self._is_optimized = True
        connection.execute(f"use {_DATABASE}")
        self.optimize(not self.has_few_records)

    @property
    def record_count(self) -> int:
        """The number of records of the file; 0 as long as it is not known."""
        return self.recall(_RECORD_COUNT) or 0

    @property
    def has_few_records(self) -> bool:
        """Whether there are so few that the loader does all of its work in one thread, with few statements."""
        return bool(self.recall(_HAS_FEW_RECORDS))

    def optimize(self, is_worth_it: bool) -> None:
        """Use DuckDB's optimizer or leave it out, on this connection."""
        if is_worth_it != self._is_optimized:
            self._is_optimized = is_worth_it
            self.run(f"pragma {'enable' if is_worth_it else 'disable'}_optimizer")

    @contextmanager
    def not_optimized(self) -> Iterator[None]:
        """Leave DuckDB's optimizer out for the block: a long condition on few values takes a fifth of the time."""
        was_optimized = self._is_optimized
        self.optimize(False)
        try:
            yield
        finally:
            self.optimize(was_optimized)

    def another(self) -> ScratchCursor:
        """Open a connection for another thread."""
        return ScratchCursor(self.connection.cursor(), self._facts)

    def close(self) -> None:
        self.connection.close()

    def run(self, sql: str, parameters: list[Any] | None = None) -> None:
        self.connection.execute(sql, parameters)

    def table(self, sql: str, parameters: list[Any] | None = None) -> pa.Table:
        """Return the answer as an Arrow table."""
        if self.has_few_records:
            # ``sql`` parses and binds the query twice, which takes longer than to copy a few rows.
            return self._copied_table(sql, parameters)
        return self.connection.sql(sql, params=parameters).to_arrow_table()

    def only_row(self, sql: str, parameters: list[Any] | None = None) -> tuple[Any, ...]:
        """Return the answer to a query that has exactly one row."""
        # All of it: a result that is left half read stays open and bars the next query.
        row: tuple[Any, ...]
        (row,) = self.connection.execute(sql, parameters).fetchall()
        return row

    def value(self, sql: str, parameters: list[Any] | None = None) -> Any:
        """Return the first cell of the answer, None if there is no row."""
        rows = self.connection.execute(sql, parameters).fetchall()
        return rows[0][0] if rows else None

    def tables(self, sql: str, row_count: int) -> Iterator[pa.Table]:
        """Yield the answer, ``row_count`` rows at a time. It is read on a cursor of its own."""
        if self.has_few_records:
            table = self._copied_table(sql)
            yield from (table.slice(start, row_count) for start in range(0, len(table), row_count))
            return
        for batch in self.another().connection.sql(sql).to_arrow_reader(row_count):
            yield pa.table(batch)

    def _copied_table(self, sql: str, parameters: list[Any] | None = None) -> pa.Table:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)
            return self.connection.execute(sql, parameters).to_arrow_table()

    def put(self, name: str, table: pa.Table) -> None:
        """Give an Arrow table a name in SQL, until the next one of that name."""
        self.connection.register(name, table)

    def is_done(self, step: str) -> bool:
        """Return whether a step was finished, by this process or one before it."""
        return self.recall(_step(step)) is not None

    def mark_done(self, step: str) -> None:
        self.remember(_step(step), 1)

    def remember(self, name: str, value: int) -> None:
        """Keep a number for a loader that continues where this one stopped; see ``ScratchFacts``."""
        self._facts.remember(name, value)

    def recall(self, name: str) -> int | None:
        """Return the number that was kept under this name, if any."""
        return self._facts.recall(name)


def _step(name: str) -> str:
    return f"finished: {name}"


class Scratch(ScratchCursor):
    """The scratch database of one job; made again unless it is whole and of the claim before this one.

    Args:
        epoch: the claim of the job that it is opened for. If there were others since it was written, on other hosts,
            they may have continued in another way, and what it says no longer holds.
    """

    def __init__(self, folder: Path, *, epoch: int, memory_limit_bytes: int, phone_region: str) -> None:
        self.folder = folder
        self._make_folder()
        self._epoch = epoch
        self.memory_limit_bytes = memory_limit_bytes
        self._phone_region = phone_region
        self._is_new = not any(self.folder.iterdir())
        if not self._is_new and not (self.folder / _FILE_NAME).exists():
            self._make_folder_again()
        try:
            # First, since a database that is attached already cannot be made again.
            facts = ScratchFacts(self.folder)
            super().__init__(self._open(), facts)
        except (duckdb.Error, ValueError):
            # Damaged, or of another DuckDB's form: it is made again.
            self._is_new = False
            self.start_over()
        written_for = self.recall(_EPOCH)
        if self._is_new or written_for == epoch - 1:
            self.remember(_EPOCH, epoch)
        elif written_for != epoch:
            self.start_over()

    def start_over(self) -> None:
        """Forget everything."""
        if self._is_new:
            # To make it takes as long as to load a small file; this one holds nothing yet.
            self._is_new = False
            return
        if hasattr(self, "connection"):
            self.close()
        self._make_folder_again()
        super().__init__(self._open(), ScratchFacts(self.folder))
        self.remember(_EPOCH, self._epoch)

    def expect_records(self, count: int, field_count: int) -> None:
        """Work in a way that suits this number of records."""
        self.remember(_RECORD_COUNT, count)
        self.remember(_HAS_FEW_RECORDS, int(count * field_count <= FEW_CELLS))
        self.optimize(not self.has_few_records)

    def close(self) -> None:
        """Close the database and the file of facts."""
        # After a fatal error of DuckDB nothing can be detached; the next loader opens the file or makes it again.
        with suppress(duckdb.Error):
            self.run(f"use memory; detach {_DATABASE}")
        super().close()
        self._facts.close()

    def _make_folder_again(self) -> None:
        shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o700)

    def _make_folder(self) -> None:
        probe = self.folder / _PROBE_NAME
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            if isinstance(disk_fault(error), StorageFull):
                raise
            raise ScratchNotWritable(f"{self.folder} cannot be written: {error.strerror}") from error

    def _open(self) -> duckdb.DuckDBPyConnection:
        if not _waiting:
            warm_up()
        _used.append(_waiting.pop())
        connection = _used[-1].cursor()
        try:
            connection.execute(f"set memory_limit = '{self.memory_limit_bytes}B'")
            connection.execute(f"set temp_directory = {sql_text(str(self.folder / 'spill'))}")
            # The job has nearly always ended when it is closed, and its files are removed next.
            connection.execute("pragma disable_checkpoint_on_shutdown")
            connection.execute(f"attach {sql_text(str(self.folder / _FILE_NAME))} as {_DATABASE}")
            register_sql_functions(connection, self._phone_region)
        except duckdb.Error:
            connection.close()
            raise
        return connection
