"""Row numbers of profiles: reserved by range, never used twice.

A load reserves one number per record before it writes, while the API continues to create profiles.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Connection

from openprofiles.store.prepared import PreparedStatement

_RESERVE = PreparedStatement(
    text(
        "insert into row_sequence (name, next_value) values ('profile', 1 + cast(:count as bigint)) "
        "on conflict (name) do update set next_value = row_sequence.next_value + :count "
        "returning next_value"
    )
)


def reserve(connection: Connection, count: int) -> int:
    """Reserve ``count`` successive row numbers of profiles; return the first, which is 1 at least."""
    return _RESERVE.number(connection, count=count) - count


def last_reserved(connection: Connection) -> int:
    """Return the highest row number of a profile, in whatever domain; 0 if there is none."""
    found = connection.execute(text("select next_value - 1 from row_sequence where name = 'profile'")).scalar()
    return int(found or 0)
