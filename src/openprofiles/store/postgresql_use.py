"""The lock of ``use`` on PostgreSQL: an advisory lock, on a connection of its own that is kept for it.

A lost connection loses the lock. A thread asks for the connection every few seconds and takes the lock again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from openprofiles.errors import StoreUnreachable
from openprofiles.logs import EventLogger
from openprofiles.settings import PostgresqlUrl
from openprofiles.store.postgresql_session import COMMON_SESSION, connection_url, session_statement

# Any number will do, except that of ``open``; all who use one database have it in common.
_USE_LOCK = 7_308_604_897_068_083_559
_CHECK_SECONDS = 5.0

_logger = EventLogger("openprofiles.store")


@contextmanager
def held_lock(url: PostgresqlUrl, *, is_shared: bool) -> Iterator[bool]:
    """Hold the lock for the block; whether it was free.

    Raises:
        StoreUnreachable: the database does not answer.
    """
    lock = _Lock(url, is_shared=is_shared)
    try:
        yield lock.is_held
    finally:
        lock.close()


class _Lock:
    def __init__(self, url: PostgresqlUrl, *, is_shared: bool) -> None:
        self._url = url
        self._function = "pg_try_advisory_lock_shared" if is_shared else "pg_try_advisory_lock"
        self._closing = threading.Event()
        self._connection: psycopg.Connection | None = None
        try:
            self.is_held = self._take()
        except psycopg.Error as error:
            raise StoreUnreachable("The store's database is not responding. Try again.") from error
        self._thread = threading.Thread(target=self._keep, name="keep lock of the store", daemon=True)
        if self.is_held:
            self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._connection is not None:
            # The server notices a closed connection a little later, and the next command would find the lock held.
            with suppress(psycopg.Error):
                self._connection.execute("select pg_advisory_unlock_all()")
            self._connection.close()

    def _take(self) -> bool:
        if self._connection is None:
            self._connection = psycopg.connect(
                connection_url(self._url), autocommit=True, application_name="openprofiles lock"
            )
            self._connection.execute(session_statement(COMMON_SESSION).encode())
        row = self._connection.execute(f"select {self._function}({_USE_LOCK})".encode()).fetchone()
        return row is not None and bool(row[0])

    def _keep(self) -> None:
        is_held = True
        while not self._closing.wait(_CHECK_SECONDS):
            try:
                if self._connection is not None and is_held:
                    self._connection.execute("select 1")
                else:
                    is_held = self._take()
            except psycopg.Error:
                is_held = False
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
            if not is_held:
                _logger.warning("store_lock_lost", store=str(self._url))
