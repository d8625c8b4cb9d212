"""Copy a SQLite store at one moment, while it is in use.

The pages are copied with SQLite's backup interface inside a read transaction. It sees one state for as long as it
lasts: writers do not wait for the copy, and it never begins again, as it would if each step read the newest state.
Pages that are written in that time stay in the write-ahead log. Afterwards it is moved into the store here, so that
no writer has to do it within a commit.

``vacuum into`` also reads one state and took as long, with a third more processor time. But it does not run inside a
transaction, so the uploaded files that the copy needs could not be listed beforehand.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite

from openprofiles.store.connections import Connection
from openprofiles.store.sqlite import SqliteStore

# 4 MB, which are on the disk before the next step. Left to the end, gigabytes would be written at once, and a
# writer's commit took 1.7 s in that time. Ctrl-C is heard between two steps.
_PAGES_PER_STEP = 1_024


@contextmanager
def one_state(path: Path) -> Iterator[Connection]:
    """Read one state of the store for the block, from the first statement on. The store is not migrated."""
    with closing(SqliteStore(path)) as store:
        with store.read() as connection:
            yield connection
        with store.engine.connect() as connection:
            _move_log(connection.connection.driver_connection)


def copy_state(connection: Connection, target: Path) -> None:
    """Copy the store, as a connection of ``one_state`` sees it, into a private new file.

    Raises:
        OSError: the copy cannot be written, or the store cannot be read.
    """
    source: Any = connection.connection.driver_connection
    written = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with closing(sqlite.connect(target)) as copy:
            # A copy that is not finished is thrown away, so nothing needs to be undone or on the disk before its end.
            copy.execute("pragma journal_mode = off").fetchall()
            copy.execute("pragma synchronous = off").fetchall()
            source.backup(copy, pages=_PAGES_PER_STEP, progress=lambda *_: os.fsync(written))
        os.fsync(written)
    except sqlite.Error as error:
        number = errno.ENOSPC if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL" else errno.EIO
        raise OSError(number, str(error), str(target)) from error
    finally:
        os.close(written)


def sync(path: Path) -> None:
    """Have a file or folder on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move_log(driver: Any) -> None:
    # Passive: other kinds block writers. The log file keeps its size and is written from its start again.
    driver.execute("pragma wal_checkpoint(passive)").fetchall()
