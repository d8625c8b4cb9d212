"""Run the query of an SQL segment: its tables go into a file of DuckDB, which a process of its own reads.

That process may take neither too much memory nor too long: it is watched, and killed.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from openprofiles.calculated.object_values import ObjectValues
from openprofiles.calculated.profile_values import ObjectType
from openprofiles.errors import Busy, InvalidRequest
from openprofiles.profiles.session import Reading
from openprofiles.segments.sql import sandbox_exits
from openprofiles.segments.sql.query_check import MEMBER, CheckedQuery
from openprofiles.segments.sql.tables import PROFILE_ID, TEXT, UPDATED_AT, SqlTable
from openprofiles.segments.surroundings import sql_surroundings
from openprofiles.store.calculated_objects import read_objects
from openprofiles.store.export_rows import ExportRows
from openprofiles.store.sql_segment_rows import ROW_NUMBER, read_profile_columns

if TYPE_CHECKING:
    import duckdb

# What DuckDB may take, and when the process is killed: its own limit does not hold for every function.
_MEMORY_BYTES = 500_000_000
_MOST_MEMORY_BYTES = 1_000_000_000
_MOST_SECONDS = 60
_SPILL_BYTES = 2_000_000_000
_WATCH_SECONDS = 0.02
_OBJECTS_AT_ONCE = 10_000
_PAGE_BYTES = 4096
_DATABASE = "tables.duckdb"


class QueryFailed(InvalidRequest):
    """A query was run and did not end well; the message says why, without values of customers."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the process of a query may take."""

    memory_bytes: int = _MOST_MEMORY_BYTES
    seconds: float = _MOST_SECONDS


DEFAULT_LIMITS = Limits()
_LIMITS_OF_CHECKS = Limits(seconds=5)
_CHECK_PATIENCE_SECONDS = 5.0
# A server has many threads for requests, and a check takes a tenth of a second of a processor.
_CHECKS = threading.BoundedSemaphore(2)


def require_runs(query: CheckedQuery, tables: Sequence[SqlTable]) -> None:
    """Require that DuckDB accepts a query, on empty tables; it looks at types that the check does not know.

    Raises:
        InvalidRequest: it does not; the message says why.
        Busy: too many queries are being checked.
    """
    statements = []
    for table in tables:
        if table.duckdb_name in query.columns:
            columns = (
                f"{_quoted(name)} {table.types.get(source, TEXT)}"
                for name, source in query.columns[table.duckdb_name].items()
            )
            statements.append(f"create table {table.duckdb_name} ({', '.join(columns)})")
    if not _CHECKS.acquire(timeout=_CHECK_PATIENCE_SECONDS):
        raise Busy("Other SQL queries are being checked. Try again.")
    try:
        with tempfile.TemporaryDirectory() as folder:
            _run(Path(folder), query.text, empty_tables=statements, limits=_LIMITS_OF_CHECKS)
    finally:
        _CHECKS.release()


class QueryTables:
    """The tables of a query, in a folder.

    Args:
        folder: an empty one; the caller removes it.
    """

    def __init__(self, folder: Path, query: CheckedQuery, tables: Sequence[SqlTable]) -> None:
        self._folder = folder
        self._query = query
        self._profiles, *types = tables
        self._types = [table for table in types if table.duckdb_name in query.columns]
        self._connection = _open(folder / _DATABASE)

    @property
    def needs_objects(self) -> bool:
        """Whether the query reads objects."""
        return bool(self._types)

    def add_profiles(self, rows: ExportRows, session: Reading) -> None:
        """Read the profiles, of one state of the store. They are needed in any case, to know who is one."""
        table = self._profiles
        columns = {
            name: table.columns.get(source, source)
            for name, source in {**self._query.columns.get(table.duckdb_name, {}), PROFILE_ID: PROFILE_ID}.items()
        }
        batches = read_profile_columns(rows, session.domain.domain_id, sql_surroundings(session), columns)
        values = [f"cast({ROW_NUMBER} as bigint) as {ROW_NUMBER}"]
        values += [_as_moment(name) if name in table.types else _quoted(name) for name in columns]
        self._fill(table, [ROW_NUMBER, *columns], batches, f"select {', '.join(values)} from batches")

    def add_objects(self, session: Reading) -> None:
        """Read the objects of the types that the query names, of profiles that were added."""
        for table in self._types:
            fields = {
                column: field
                for column, field in self._query.columns[table.duckdb_name].items()
                if column not in (PROFILE_ID, UPDATED_AT)
            }
            batches = _object_batches(session, table, fields)
            values = ["p.pid", f"p.{PROFILE_ID}", f"{_as_moment('b.updated_at')}"]
            values += [f"b.{_quoted(column)}" for column in fields]
            profiles = f"{self._profiles.duckdb_name} p on p.pid = cast(b.pid as bigint)"
            select = f"select {', '.join(values)} from batches b join {profiles}"
            self._fill(table, [ROW_NUMBER, UPDATED_AT, *fields], batches, select)

    def find_members(self, limits: Limits = DEFAULT_LIMITS) -> list[int]:
        """Run the query; return the row numbers of its members, each once, ascending.

        Raises:
            QueryFailed: it takes too much memory or time, or cannot be run.
        """
        self._connection.close()
        query = (
            f"select {ROW_NUMBER} from {self._profiles.duckdb_name} where {PROFILE_ID} in "
            f"(select {_quoted(self._query.id_column)} from ({self._query.text}) as members)"
        )
        found = array("q", _run(self._folder, query, empty_tables=None, limits=limits))
        return sorted(found)

    def _fill(self, table: SqlTable, columns: Sequence[str], batches: Iterator[pa.RecordBatch], select: str) -> None:
        schema = pa.schema([(column, pa.string()) for column in columns])
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        self._connection.register("batches", reader)
        self._connection.execute(f"create table {table.duckdb_name} as {select}")
        self._connection.unregister("batches")


def _object_batches(session: Reading, table: SqlTable, fields: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    of_type = ObjectType(session, str(table.object_type))
    if of_type.number is None:
        return
    schema = pa.schema([(column, pa.string()) for column in (ROW_NUMBER, UPDATED_AT, *fields)])
    rows: list[list[str | None]] = []
    for pid, _, updated_ms, text in read_objects(
        session.connection, session.domain.domain_id, of_type.number, session.now
    ):
        values = ObjectValues(text, of_type.fields)
        rows.append([str(pid), str(updated_ms), *(_first(values, field) for field in fields.values())])
        if len(rows) == _OBJECTS_AT_ONCE:
            yield _batch(rows, schema)
            rows = []
    if rows:
        yield _batch(rows, schema)


def _first(values: ObjectValues, field: str) -> str | None:
    return next(iter(values.texts(field)), None)


def _batch(rows: Sequence[Sequence[str | None]], schema: pa.Schema) -> pa.RecordBatch:
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    return pa.record_batch(columns, schema=schema)


def _open(database: Path) -> duckdb.DuckDBPyConnection:
    # Imported here: a server needs it only for SQL segments.
    import duckdb

    return duckdb.connect(str(database), config={"threads": 1, "memory_limit": f"{_MEMORY_BYTES}B"})


def _as_moment(name: str) -> str:
    return f"make_timestamp(cast({name} as bigint) * 1000) as {name.rpartition('.')[2]}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _run(folder: Path, query: str, *, empty_tables: Sequence[str] | None, limits: Limits) -> bytes:
    """Run a query in a process of its own; return what it writes.

    Args:
        empty_tables: statements that make empty tables; the query is checked with them, and not run.
    """
    request = {
        "database": ":memory:" if empty_tables is not None else str(folder / _DATABASE),
        "query": query,
        "empty_tables": empty_tables,
        "seconds": int(limits.seconds),
        "memory_bytes": min(_MEMORY_BYTES, limits.memory_bytes),
        "spill_folder": str(folder / "spill"),
        "spill_bytes": _SPILL_BYTES,
    }
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "openprofiles.segments.sql.sandbox"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},
        cwd=folder,
    )
    watched = _Watched(process, limits)
    with process:
        output, message = process.communicate(json.dumps(request).encode() + b"\n")
    watched.close()
    _require_success(process.returncode, watched, message.decode(errors="replace"), limits)
    return output


def _require_success(status: int, watched: _Watched, message: str, limits: Limits) -> None:
    if status == sandbox_exits.DONE:
        return
    if watched.took_time or status == -signal.SIGXCPU:
        raise QueryFailed(f"The query took more than {limits.seconds:g} seconds.")
    # Another one kills processes only where the machine has no memory left.
    if watched.took_memory or status in (sandbox_exits.NO_MEMORY, -signal.SIGKILL):
        gigabytes = limits.memory_bytes / 1_000_000_000
        raise QueryFailed(f"The query needed more than {gigabytes:g} GB of memory.")
    if status == sandbox_exits.NOT_VALID:
        raise QueryFailed(f"{MEMBER}: {message}")
    reason = message if status == sandbox_exits.FAULT else f"status {status}"
    raise QueryFailed(f"The query could not be run ({reason}).")


class _Watched:
    """Watches a process, and kills it when it takes too much memory or time."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits) -> None:
        self.took_memory = False
        self.took_time = False
        self._process = process
        self._limits = limits
        self._ends_at = time.monotonic() + limits.seconds
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closing.wait(_WATCH_SECONDS) and self._process.poll() is None:
            if self._memory_bytes() > self._limits.memory_bytes:
                self.took_memory = True
            elif time.monotonic() > self._ends_at:
                self.took_time = True
            else:
                continue
            self._process.kill()
            return

    def _memory_bytes(self) -> int:
        try:
            return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * _PAGE_BYTES
        except (OSError, IndexError):
            # It has just ended.
            return 0
