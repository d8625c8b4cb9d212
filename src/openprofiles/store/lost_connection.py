"""Recognise a load that failed because the database was lost; it continues when the database is back."""

from __future__ import annotations

from openprofiles.errors import StoreUnreachable

# Connection exceptions, and the server's own words for being shut down or not up yet (PostgreSQL, appendix A).
_STATES = ("08", "57P")
# libpq's, where the server can say nothing any more.
_SAYINGS = (
    "server closed the connection",
    "no connection to the server",
    "connection to server",
    "could not receive data from server",
    "could not send data to server",
    "SSL connection has been closed",
    "Connection reset by peer",
    "Broken pipe",
)


def is_lost_connection(error: BaseException) -> bool:
    """Return whether an error, or its cause, is a lost or unreachable database."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        state = getattr(cause, "sqlstate", None) or ""
        if isinstance(cause, StoreUnreachable) or state.startswith(_STATES):
            return True
        if any(saying in str(cause) for saying in _SAYINGS):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
