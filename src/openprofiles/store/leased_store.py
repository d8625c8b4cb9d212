"""The store of a job that writes what calls of the API write: a chunk is a transaction as of a server.

Other jobs open the store through ``bulk``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy.engine import Connection

from openprofiles.store.bulk_jobs import JobStore
from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.connections import Store
from openprofiles.store.leased_jobs import ChunkState, Lease
from openprofiles.store.note_tables import NoteTable

# After a chunk the lock of SQLite stays free for this long, so that a writer that polls it gets its turn.
_GAP_SECONDS = 0.002


class LeasedStore(JobStore):
    """The connections of one loader. Statements of its chunk run in the transaction of the chunk."""

    def __init__(self, store: Store, lease: Lease) -> None:
        super().__init__(lease)
        self.store = store
        self._chunk: Connection | None = None

    def close(self) -> None:
        """Give every connection up."""
        self.store.close()

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Close every connection for the block, in which another library may open the store."""
        self.store.close()
        yield

    @property
    def connection(self) -> Connection:
        """The connection of the present chunk."""
        if self._chunk is None:
            raise ValueError("There is no chunk.")
        return self._chunk

    @contextmanager
    def chunk(self) -> Iterator[ChunkState]:
        """See ``JobNotes``."""
        with self.store.write() as connection:
            self._chunk = connection
            try:
                yield self._read_chunk_state()
            finally:
                self._chunk = None
        if connection.dialect.name == "sqlite":
            time.sleep(_GAP_SECONDS)

    def add_notes(self, table: NoteTable, rows: pa.Table) -> None:
        """See ``JobNotes``."""
        names = table.rows.names
        places = ", ".join("?" * (len(names) + 1))
        sql = f"insert into {table.name} (upload_job_id, {', '.join(names)}) values ({places})"
        if table.may_be_there:
            sql += " on conflict do nothing"
        columns = rows.select(names).to_pydict()
        values = [(self._lease.job_number, *row) for row in zip(*columns.values(), strict=True)]
        if values:
            self.connection.exec_driver_sql(_of_engine(self.connection, sql), values)

    def note_change(
        self,
        action: ChangeAction,
        pids: Sequence[int],
        now: datetime,
        *,
        added: int = 0,
        image: bytes | None = None,
        object_type: str | None = None,
    ) -> None:
        """Write a change of profiles by this job to the log, in its chunk.

        Args:
            pids: of the changed profiles, ascending.
            added: how many more profiles the domain has.
            image: what they were before; None: it is not kept.
            object_type: the name of the type of the objects that were ingested.
        """
        self._note_change(action, pa.array(pids, pa.int64()), now, added=added, image=image, object_type=object_type)

    @property
    def _JSON(self) -> str:  # type: ignore[override]  # noqa: N802
        return "cast({} as json)" if self._is_postgresql else "{}"

    @property
    def _LOCK_DOMAIN(self) -> str:  # type: ignore[override]  # noqa: N802
        return "for no key update of d" if self._is_postgresql else ""

    @property
    def _is_postgresql(self) -> bool:
        return self.connection.dialect.name == "postgresql"

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        if self._chunk is not None:
            return _answer(self._chunk, sql, parameters)
        with self.store.read() as connection:
            return _answer(connection, sql, parameters)

    def _table(self, sql: str, types: Mapping[str, pa.DataType], *parameters: object) -> pa.Table:
        rows = self._rows(sql, *parameters)
        columns = zip(*rows, strict=True) if rows else [()] * len(types)
        return pa.table(
            {name: pa.array(column, kind) for (name, kind), column in zip(types.items(), columns, strict=True)}
        )


def _answer(connection: Connection, sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    result = connection.exec_driver_sql(_of_engine(connection, sql), tuple(parameters))
    return [tuple(row) for row in result] if result.returns_rows else []


def _of_engine(connection: Connection, sql: str) -> str:
    """Write the places of parameters as the driver reads them; no statement of a job has such a character else."""
    return sql.replace("?", "%s") if connection.dialect.name == "postgresql" else sql
