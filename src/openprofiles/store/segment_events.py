"""Events of segments, as rows: profiles that have joined or left one, in the order in which it was found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Connection

from openprofiles.store.prepared import PreparedStatement
from openprofiles.store.tables import Moment, definition, domain, removed_profile, segment_stream
from openprofiles.store.tables import segment_event as table

_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """A profile that has joined or left a segment.

    Attributes:
        previous_at: when the event of this segment and profile before it was found.
    """

    pid: int
    profile_id: str
    has_joined: bool
    previous_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEvent:
    """An event as it is stored; ``tables`` explains the columns."""

    number: int
    profile_id: str
    has_joined: bool
    is_live: bool
    at: datetime
    previous_at: datetime | None
    segment_name: str
    segment_summary: Mapping[str, Any]


def insert_events(
    connection: Connection,
    domain_id: int,
    definition_id: int,
    events: Sequence[NewEvent],
    *,
    is_live: bool,
    now: datetime,
) -> None:
    """Write events of a segment, in a transaction that holds the row of the domain."""
    if not events:
        return
    last = connection.execute(
        update(segment_stream)
        .where(segment_stream.c.domain_id == domain_id)
        .values(event_number=segment_stream.c.event_number + len(events))
        .returning(segment_stream.c.event_number)
    ).scalar_one()
    rows = [
        {
            "domain_id": domain_id,
            "number": number,
            "definition_id": definition_id,
            "pid": event.pid,
            "profile_id": event.profile_id,
            "has_joined": event.has_joined,
            "is_live": is_live,
            "at": now,
            "previous_at": event.previous_at,
        }
        for number, event in zip(count(last - len(events) + 1), events, strict=False)
    ]
    _INSERT.run_each(connection, rows)


def list_events(
    connection: Connection, domain_id: int, definition_id: int, *, before: int | None, limit: int
) -> list[SegmentEvent]:
    """List up to ``limit`` events of a segment, the newest first.

    Args:
        before: only events with a lower number; None: all.
    """
    query = _SELECT.where(table.c.domain_id == domain_id, table.c.definition_id == definition_id)
    if before is not None:
        query = query.where(table.c.number < before)
    return [
        SegmentEvent(**row._asdict()) for row in connection.execute(query.order_by(table.c.number.desc()).limit(limit))
    ]


def read_events_after(connection: Connection, domain_id: int, number: int, limit: int) -> list[SegmentEvent]:
    """Read up to ``limit`` events of a domain after a number, in order; those of removed segments are left out."""
    query = _SELECT.where(table.c.domain_id == domain_id, table.c.number > number, definition.c.deleted_at.is_(None))
    return [SegmentEvent(**row._asdict()) for row in connection.execute(query.order_by(table.c.number).limit(limit))]


def last_event_number(connection: Connection, domain_id: int) -> int:
    """Return the number of the last event of a domain."""
    query = select(segment_stream.c.event_number).where(segment_stream.c.domain_id == domain_id)
    return int(connection.execute(query).scalar_one())


def read_previous_times(
    connection: Connection, domain_id: int, definition_id: int, pids: Collection[int]
) -> dict[int, datetime]:
    """Read when the last events of a segment and these profiles were found."""
    found = connection.execute(
        select(table.c.pid, func.max(table.c.at, type_=Moment()))
        .where(table.c.domain_id == domain_id, table.c.definition_id == definition_id, table.c.pid.in_(pids))
        .group_by(table.c.pid)
    )
    return dict(found.all())


def remove_old_events_step(connection: Connection, now: datetime, limit: int) -> int:
    """Remove up to ``limit`` events or ids of removed profiles, after 30 days; return their number."""
    before = now - _KEPT
    streams = select(segment_stream.c.domain_id).join(domain, domain.c.domain_id == segment_stream.c.domain_id)
    removed = 0
    for domain_id in connection.execute(streams.where(domain.c.deleted_at.is_(None))).scalars().all():
        removed += _remove_old_ids(connection, domain_id, before, limit - removed)
        removed += _remove_old_events(connection, domain_id, before, limit - removed)
    return removed


def _remove_old_ids(connection: Connection, domain_id: int, before: datetime, limit: int) -> int:
    of_domain = removed_profile.c.domain_id == domain_id
    old = select(removed_profile.c.pid).where(of_domain, removed_profile.c.removed_at < before).limit(limit)
    pids = connection.execute(old).scalars().all()
    if pids:
        connection.execute(delete(removed_profile).where(of_domain, removed_profile.c.pid.in_(pids)))
    return len(pids)


def _remove_old_events(connection: Connection, domain_id: int, before: datetime, limit: int) -> int:
    # The first rows are the oldest, so a later one need not be looked at.
    first = (
        select(table.c.number, table.c.at)
        .where(table.c.domain_id == domain_id)
        .order_by(table.c.number)
        .limit(limit)
        .subquery()
    )
    last, found = connection.execute(
        select(func.max(first.c.number), func.count()).select_from(first).where(first.c.at < before)
    ).one()
    if found:
        connection.execute(delete(table).where(table.c.domain_id == domain_id, table.c.number <= last))
    return int(found)


_SELECT = select(
    table.c.number,
    table.c.profile_id,
    table.c.has_joined,
    table.c.is_live,
    table.c.at,
    table.c.previous_at,
    definition.c.name.label("segment_name"),
    definition.c.summary.label("segment_summary"),
).join(definition, definition.c.definition_id == table.c.definition_id)
_INSERT = PreparedStatement(insert(table))
