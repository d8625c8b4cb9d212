"""The embedded store: one SQLite file in the data folder, shared by several processes of one machine.

Every process opens it through ``pysqlite3``, which brings a SQLite of its own: versions before 3.51.3 can corrupt a
write-ahead log that two processes write and checkpoint at once. The loader is the exception, it opens the file
through ADBC alone (``sqlite_bulk``): two SQLite libraries in one process break each other's locks.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from openprofiles.disk_faults import disk_is_full
from openprofiles.errors import Busy, StorageFull, StoreNotWritable
from openprofiles.store.sqlite_version import require_safe_sqlite

SQLITE_VERSION: str = sqlite.sqlite_version

# A load holds the lock for about 0.1 s at a time. SQLite's own busy handler backs off so far that a writer
# next to a load waited 0.8 to 1.3 s; asking every 2 ms it waited 0.1 to 0.2 s. A loader leaves the lock free for 2 ms,
# so it is asked for more often than that.
_LOCK_POLL_SECONDS = 0.001
_LOCK_TIMEOUT_SECONDS = 30.0
_READERS_KEPT = 16

_OF_DISK = ("SQLITE_IOERR", "SQLITE_CANTOPEN")
_NOT_WRITABLE = (
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
    "SQLITE_PERM",
    "SQLITE_IOERR_WRITE",
    "SQLITE_IOERR_FSYNC",
    "SQLITE_IOERR_DIR_FSYNC",
    "SQLITE_IOERR_TRUNCATE",
    "SQLITE_IOERR_DELETE",
    "SQLITE_IOERR_SHM",
)


class SqliteStore:
    """Connections to one SQLite file.

    ``read()`` gives a snapshot, ``write()`` the one write transaction at a time. Neither is held while a caller waits
    for anything else.
    """

    def __init__(self, path: Path) -> None:
        require_safe_sqlite(SQLITE_VERSION, "pysqlite3")
        self.path = path
        self.engine = _engine(path)
        # Idle connections for reading, the last used at the end. Threads take from it and give back without a lock.
        self._readers: deque[Connection] = deque()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a connection that sees one state of the store from its first statement.

        Raises:
            StoreNotWritable: it cannot even be opened, since its write-ahead log cannot be made.
        """
        # To open a connection of SQLAlchemy's, and to begin and end through it, takes longer than a query: those for
        # reading are kept open, and the driver itself begins and ends.
        try:
            connection = self._readers.pop()
        except IndexError:
            with self._clear_errors():
                connection = self.engine.connect()
        try:
            driver: Any = connection.connection.driver_connection
            driver.execute("begin")
            try:
                yield connection
            finally:
                # One in which SQLAlchemy was interrupted (Ctrl-C) has been given up already.
                if not connection.invalidated:
                    driver.execute("rollback")
                    if connection.in_transaction():
                        connection.rollback()
        except BaseException:
            connection.close()
            raise
        if len(self._readers) < _READERS_KEPT:
            self._readers.append(connection)
        else:
            connection.close()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Begin the write transaction: committed at the end of the block, rolled back if it raises.

        Raises:
            Busy: another process held the write lock for 30 seconds.
            StorageFull: the disk has no room for what was written; it is rolled back.
            StoreNotWritable: the file or its folder cannot be written; nothing was.
        """
        with self._clear_errors(), self.engine.connect() as connection:
            _begin_immediate(connection)
            try:
                yield connection
                connection.exec_driver_sql("commit")
            except BaseException:
                # A failed commit, or a full disk, may have rolled back by itself; and SQLAlchemy gives up a connection
                # in which it was interrupted (Ctrl-C), which rolls back too.
                if not connection.invalidated and connection.connection.in_transaction:
                    connection.exec_driver_sql("rollback")
                raise

    def empty_log(self) -> bool:
        """See ``Store``. It is not possible while another connection reads what was, or writes."""
        with self._clear_errors(), self.engine.connect() as connection:
            is_busy = connection.exec_driver_sql("pragma wal_checkpoint(truncate)").one()[0]
        return not is_busy

    def end_part(self, connection: Connection) -> None:
        connection.exec_driver_sql("commit")
        _begin_immediate(connection)

    def close(self) -> None:
        self._close_idle()

    def _close_idle(self) -> None:
        while True:
            try:
                reader = self._readers.pop()
            except IndexError:
                break
            reader.close()
        self.engine.dispose()

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            name = _name_of(error)
            # The shared memory next to the write-ahead log is a file too. Where there is no room for it, SQLite reports
            # any error of a disk.
            if name == "SQLITE_FULL" or (name.startswith(_OF_DISK) and disk_is_full(self.path.parent)):
                raise StorageFull("The store's disk is full. Free some space, then try again.") from error
            if not name.startswith(_NOT_WRITABLE):
                raise
            # Opened while it could only be read, a connection never writes.
            self._close_idle()
            raise StoreNotWritable(
                f"The store cannot be written to ({error.orig}). Make its file and folder writable by the user that "
                "runs openprofiles, and check the disk."
            ) from error


def _engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        module=sqlite,
        # Errors must not repeat what was bound: it may be a customer's.
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=16,
        max_overflow=48,
        # Transactions are begun by read() and write() alone.
        isolation_level="AUTOCOMMIT",
        connect_args={"check_same_thread": False, "timeout": 0},
    )

    @event.listens_for(engine, "connect")
    def prepare(dbapi_connection: Any, _record: object) -> None:
        for pragma in (
            "busy_timeout = 5000",
            "journal_mode = wal",
            "synchronous = full",
            "foreign_keys = on",
            "temp_store = memory",
            "cache_size = -16000",
            # Of a deleted profile, nothing must stay in the file.
            "main.secure_delete = on",
        ):
            dbapi_connection.execute(f"pragma {pragma}").fetchall()
        dbapi_connection.execute("pragma busy_timeout = 0").fetchall()

    return engine


def _begin_immediate(connection: Connection) -> None:
    deadline = time.monotonic() + _LOCK_TIMEOUT_SECONDS
    while True:
        try:
            connection.exec_driver_sql("begin immediate")
        except OperationalError as error:
            if _name_of(error) not in ("SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT"):
                raise
            if time.monotonic() > deadline:
                raise Busy("The store was locked by another writer for 30 seconds. Try again.") from error
            time.sleep(_LOCK_POLL_SECONDS)
        else:
            return


def _name_of(error: OperationalError) -> str:
    name: str = getattr(error.orig, "sqlite_errorname", "")
    return name
