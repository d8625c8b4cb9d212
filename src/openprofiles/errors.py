"""Errors in a caller's request. Callers see the messages.

One table in ``operations`` turns these into the codes of the wire; nothing here knows HTTP.
"""

from __future__ import annotations


class DomainError(Exception):
    """A request of the caller cannot be fulfilled; the message says why and what to do."""


class NotFound(DomainError):
    """The named thing does not exist, or not in this domain."""


class InvalidRequest(DomainError):
    """The values given, or the state of the thing named, do not allow this.

    Attributes:
        member: the path of the member at fault, for programs; None: only the message names it.
    """

    member: str | None = None


class StoreNotWritable(DomainError):
    """The store, or a folder next to it, cannot be written; the request may succeed once that is fixed."""


class StorageFull(StoreNotWritable):
    """The disk that the store is on has no room left; nothing was written."""


class StoreUnreachable(DomainError):
    """The database of the store does not answer; the same request may succeed when it does."""


class FilesUnreachable(DomainError):
    """The object store of the uploaded files does not answer; the same request may succeed when it does."""


class Busy(DomainError):
    """The store was locked for too long; the same request may succeed a little later."""
