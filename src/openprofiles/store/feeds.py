"""Feeds as rows: which are due, who holds each, and how far it has come.

A worker that claims a feed has it for ``LEASE``. Each claim counts up the epoch, and only the last one can move the
feed's number, so a worker that was suspended changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from pkgutil import resolve_name
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, exists, func, insert, literal, or_, select, update
from sqlalchemy.engine import Connection

from openprofiles.feed_kinds import FEEDS, FeedKind
from openprofiles.store.prepared import PreparedQuery
from openprofiles.store.tables import Moment, domain, feed

# Longer than a reader takes: after this time another worker takes over a feed that has not been released.
LEASE = timedelta(seconds=30)
# How far the clocks of two hosts may differ.
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class HeldFeed:
    """A feed that a worker holds; see the table ``feed``.

    Attributes:
        was_held: whether the lease before has run out, since its worker ended or took too long.
    """

    name: str
    subject: int
    domain_id: int
    target: str | None
    number: int
    epoch: int
    attempts: int
    was_held: bool = False


class FeedHealth(NamedTuple):
    """The state of all feeds of a kind.

    Attributes:
        failing: how many have failed and not moved since.
        waiting_since: when the oldest row that waits was written; None if none waits.
    """

    failing: int
    waiting_since: datetime | None


def add_feed(
    connection: Connection,
    kind: FeedKind,
    subject: int,
    *,
    domain_id: int,
    now: datetime,
    target: str | None = None,
    number: int = 0,
) -> None:
    """Add a feed that reads the rows after ``number``."""
    values = {"target": target, "number": number, "next_attempt_at": now, "created_at": now}
    connection.execute(insert(feed).values(name=kind.name, subject=subject, domain_id=domain_id, **values))


def begin_feed(
    connection: Connection, kind: FeedKind, subject: int, *, domain_id: int, number: int, now: datetime
) -> None:
    """Have a feed read the rows after ``number``; there may be one of this subject."""
    # Another epoch, so that a worker that still holds the former one changes nothing.
    values = {
        "number": number,
        "epoch": feed.c.epoch + 1,
        "attempts": 0,
        "lease_owner": None,
        "next_attempt_at": now,
        "last_error": None,
        "given_up_at": None,
    }
    if not connection.execute(update(feed).where(_is_feed(kind, subject)).values(values)).rowcount:
        add_feed(connection, kind, subject, domain_id=domain_id, now=now, number=number)


def end_feed(connection: Connection, kind: FeedKind, subject: int) -> None:
    """Have a feed read no more."""
    ending = update(feed).where(_is_feed(kind, subject))
    connection.execute(ending.values(epoch=feed.c.epoch + 1, next_attempt_at=None, lease_owner=None, last_error=None))


def read_feed_number(connection: Connection, kind: FeedKind, subject: int) -> int:
    """Read the number of the last row that a feed has acted on."""
    return int(connection.execute(select(feed.c.number).where(_is_feed(kind, subject))).scalar_one())


def is_held(connection: Connection, held: HeldFeed) -> bool:
    """Return whether a feed is still held, which does not change until the transaction ends."""
    query = select(feed.c.subject).where(*_is_ours(held)).with_for_update()
    return connection.execute(query).one_or_none() is not None


def renew_lease(connection: Connection, held: HeldFeed, now: datetime) -> bool:
    """Hold a feed for another ``LEASE``; False if it is no longer held."""
    renewing = update(feed).where(*_is_ours(held), feed.c.next_attempt_at.is_not(None))
    return connection.execute(renewing.values(next_attempt_at=now + LEASE)).rowcount > 0


def has_due_feed(connection: Connection, now: datetime, kinds: Collection[FeedKind] | None = None) -> bool:
    """Return whether a feed is due; a read, so that an idle worker takes no lock.

    Args:
        kinds: of these kinds; None: of any.
    """
    return _prepared(tuple(kinds or FEEDS.values())).one_or_none(connection, now=now) is not None


def claim_feed(
    connection: Connection, *, owner: str, now: datetime, kinds: Collection[FeedKind] | None = None
) -> HeldFeed | None:
    """Claim the feed that is due for longest.

    Feeds of deleted domains are never due, nor are those of a kind that this version does not know.

    Args:
        kinds: of these kinds; None: of any.
    """
    query = _due(tuple(kinds or FEEDS.values())).with_for_update(skip_locked=True)
    due = connection.execute(query, {"now": now}).one_or_none()
    if due is None:
        return None
    claiming = update(feed).where(feed.c.name == due.name, feed.c.subject == due.subject)
    row = connection.execute(
        claiming.values(
            epoch=feed.c.epoch + 1, attempts=feed.c.attempts + 1, lease_owner=owner, next_attempt_at=now + LEASE
        ).returning(*(feed.c[field.name] for field in fields(HeldFeed) if field.name != "was_held"))
    ).one()
    return HeldFeed(**row._asdict(), was_held=due.lease_owner is not None)


def move_feed(connection: Connection, held: HeldFeed, number: int, *, now: datetime) -> bool:
    """Record the last row acted on, and release the feed; False if its lease was lost."""
    values = {"number": number, "last_error": None, "moved_at": now, "given_up_at": None}
    if FEEDS[held.name].reads_one_row:
        return _release(connection, held, next_attempt_at=None, **values)
    return _release(connection, held, next_attempt_at=now + FEEDS[held.name].rest, attempts=0, **values)


def record_failure(
    connection: Connection,
    held: HeldFeed,
    error: str,
    *,
    next_attempt_at: datetime | None,
    now: datetime,
    number: int | None = None,
) -> bool:
    """Record that an attempt has failed, and release the feed; False if its lease was lost or it is over.

    Args:
        next_attempt_at: None gives the feed up.
        number: of the last row acted on before; None: there was none.
    """
    given_up_at = now if next_attempt_at is None else None
    values = {
        "attempts": held.attempts,
        "last_error": error,
        "next_attempt_at": next_attempt_at,
        "given_up_at": given_up_at,
        "number": held.number if number is None else number,
    }
    return _release(connection, held, feed.c.next_attempt_at.is_not(None), **values)


def limit_impossible_waits(connection: Connection, now: datetime) -> None:
    """Limit waits that are longer than any lease or pause, since a clock was wrong.

    They end a lease from now: until then, a worker may still act.
    """
    for kind in FEEDS.values():
        is_leased = feed.c.lease_owner.is_not(None)
        longest = case(
            (is_leased, literal(now + LEASE + _CLOCK_SKEW, Moment())),
            else_=literal(now + max(LEASE, *kind.pauses) + _CLOCK_SKEW, Moment()),
        )
        waiting = update(feed).where(feed.c.name == kind.name, feed.c.next_attempt_at > longest)
        connection.execute(waiting.values(next_attempt_at=now + LEASE))


def read_feed_health(connection: Connection) -> dict[str, FeedHealth]:
    """Read the state of the feeds of each kind, by its name; feeds that are over do not count."""
    is_failing = or_(feed.c.last_error.is_not(None), feed.c.attempts > 1)
    health = {}
    for kind in FEEDS.values():
        query = select(func.count().filter(is_failing), func.min(resolve_name(kind.waiting_since)))
        is_open = and_(feed.c.name == kind.name, feed.c.next_attempt_at.is_not(None), _HAS_DOMAIN)
        health[kind.name] = FeedHealth(*connection.execute(query.where(is_open)).one())
    return health


_HAS_DOMAIN = exists().where(domain.c.domain_id == feed.c.domain_id, domain.c.deleted_at.is_(None))


@cache
def _due(kinds: tuple[FeedKind, ...]) -> Select[tuple[str, int, str | None]]:
    now = bindparam("now", type_=Moment())
    has_work = [
        and_(
            feed.c.name == kind.name,
            resolve_name(kind.has_rows) if kind.has_rows else resolve_name(kind.waiting_since).is_not(None),
        )
        for kind in kinds
    ]
    has_work += [and_(feed.c.name == kind.name, resolve_name(kind.acts_at) <= now) for kind in kinds if kind.acts_at]
    return (
        select(feed.c.name, feed.c.subject, feed.c.lease_owner)
        .where(feed.c.next_attempt_at <= now, _HAS_DOMAIN, or_(*has_work))
        .order_by(feed.c.next_attempt_at)
        .limit(1)
    )


@cache
def _prepared(kinds: tuple[FeedKind, ...]) -> PreparedQuery[bool]:
    return PreparedQuery(_due(kinds), bool)


def _release(connection: Connection, held: HeldFeed, *conditions: ColumnElement[bool], **values: Any) -> bool:
    releasing = update(feed).where(*_is_ours(held), *conditions).values(lease_owner=None, **values)
    return connection.execute(releasing).rowcount > 0


def _is_feed(kind: FeedKind, subject: int) -> ColumnElement[bool]:
    return and_(feed.c.name == kind.name, feed.c.subject == subject)


def _is_ours(held: HeldFeed) -> tuple[ColumnElement[bool], ...]:
    return feed.c.name == held.name, feed.c.subject == held.subject, feed.c.epoch == held.epoch
