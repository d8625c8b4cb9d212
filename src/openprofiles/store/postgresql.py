"""The server store: one PostgreSQL database, shared by servers and workers on any number of hosts.

Writers of one domain wait for each other at the domain's row, which every change of its profiles or keys holds first;
writers of different domains do not. A load's chunk holds it too, so that it is whole or absent for everybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from openprofiles.errors import Busy, StorageFull, StoreNotWritable, StoreUnreachable
from openprofiles.settings import PostgresqlUrl
from openprofiles.store.postgresql_session import COMMON_SESSION, connection_url, session_statement

_DISK_FULL = "53100"
_READ_ONLY = "25006"
# Waited too long for a lock; chosen to end a deadlock; no connection is free; the statement took too long.
_BUSY = frozenset({"55P03", "40P01", "40001", "53300", "57014"})

_CONNECTIONS_KEPT = 8
_CONNECTIONS_BEYOND = 16
_CONNECTION_WAIT_SECONDS = 30.0
# No answer of ours takes as long; what does is given up by the server, so that it holds nothing for ever.
_SESSION = {"lock_timeout": "30s", "statement_timeout": "60s", **COMMON_SESSION}


class PostgresqlStore:
    """Connections to one PostgreSQL database.

    ``read()`` gives a snapshot, ``write()`` a transaction whose statements each see what was committed before them.
    """

    def __init__(self, url: PostgresqlUrl) -> None:
        self.url = url
        self.engine = _engine(url)
        self._snapshots = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a connection that sees one state of the store from its first statement.

        Raises:
            Busy: every connection was in use for 30 seconds.
            StoreUnreachable: the database does not answer.
        """
        with _clear_errors(), self._snapshots.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Begin a write transaction: committed at the end of the block, rolled back if it raises.

        Raises:
            Busy: another writer held the domain for 30 seconds, or every connection was in use for so long.
            StorageFull: the disk of the database has no room for what was written; it is rolled back.
            StoreUnreachable: the database does not answer. What was written is rolled back, unless the connection broke
                while it was being committed: then the outcome is unknown.
        """
        with _clear_errors(), self.engine.begin() as connection:
            yield connection

    def end_part(self, connection: Connection) -> None:
        """See ``Store``."""
        driver: Any = connection.connection.driver_connection
        # The driver begins the next transaction with the next statement.
        driver.commit()

    def empty_log(self) -> bool:
        """See ``Store``: the server does so by itself."""
        return True

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise Busy("Every connection to the store was in use for 30 seconds. Try again.") from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state in _BUSY:
            raise Busy("The store was locked by another writer for too long. Try again.") from error
        if state == _DISK_FULL:
            raise StorageFull("The store's disk is full. Free some space, then try again.") from error
        if state == _READ_ONLY:
            raise StoreNotWritable(
                "The store's database is read-only; it may be a standby. Name the primary server, or make this "
                "one writable."
            ) from error
        if error.connection_invalidated or state is None or state.startswith(("08", "57P")):
            raise StoreUnreachable("The store's database is not responding. Try again.") from error
        raise


def _engine(url: PostgresqlUrl) -> Engine:
    engine = create_engine(
        make_url(connection_url(url)).set(drivername="postgresql+psycopg"),
        # Errors must not repeat what was bound: it may be a customer's.
        hide_parameters=True,
        pool_size=_CONNECTIONS_KEPT,
        max_overflow=_CONNECTIONS_BEYOND,
        pool_timeout=_CONNECTION_WAIT_SECONDS,
        # A connection that the server has closed is replaced silently.
        pool_pre_ping=True,
        connect_args={"application_name": "openprofiles"},
    )

    @event.listens_for(engine, "connect")
    def prepare(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.autocommit = True
        dbapi_connection.execute(session_statement(_SESSION))
        dbapi_connection.autocommit = False

    return engine
