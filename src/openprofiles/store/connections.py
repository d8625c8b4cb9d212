"""The interface of a store of either engine: connections for reading and for writing."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

__all__ = ["Connection", "Store", "StoreError"]

# What a connection raises, for those who must not know the library.
StoreError = SQLAlchemyError


class Store(Protocol):
    """Connections to the profile database, of either engine."""

    def read(self) -> AbstractContextManager[Connection]:
        """Open a connection that sees one state of the store from its first statement."""

    def write(self) -> AbstractContextManager[Connection]:
        """Begin a write transaction: committed at the end of the block, rolled back if it raises."""

    def end_part(self, connection: Connection) -> None:
        """End a write transaction by committing it, and begin the next one on its connection."""

    def empty_log(self) -> bool:
        """Move what is committed to its place permanently; return whether the log is empty now."""

    def close(self) -> None:
        """Give every connection up."""
