"""Row numbers of profiles: reserved by range, never given twice.

A load reserves one number per record before it writes, while the API goes on creating profiles.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Connection

_RESERVE = text(
    "insert into row_sequence (name, next_value) values ('profile', 1 + cast(:count as bigint)) "
    "on conflict (name) do update set next_value = row_sequence.next_value + :count "
    "returning next_value"
)


def reserve(connection: Connection, count: int) -> int:
    """Reserves ``count`` successive row numbers of profiles and returns the first; the very first is 1."""
    next_value: int = connection.execute(_RESERVE, {"count": count}).scalar_one()
    return next_value - count
