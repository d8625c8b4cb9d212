"""A toy kind of feed, in one module: it notes which rows it has read, two at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Column, MetaData, Table, func, insert, select
from sqlalchemy.engine import Connection

from openprofiles.feed_kinds import FeedKind
from openprofiles.store.domains import lock_domain
from openprofiles.store.feeds import HeldFeed
from openprofiles.store.tables import Moment, feed
from openprofiles.worker.feeds import FeedWork

TOY = FeedKind(
    name="toy",
    waiting_since="store.toy_feed:WAITING_SINCE",
    reader="store.toy_feed:read",
    pauses=(timedelta(minutes=1), timedelta(minutes=10)),
)

toy_row = Table(
    "toy_row",
    MetaData(),
    Column("domain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("written_at", Moment, nullable=False),
)

WAITING_SINCE = (
    select(func.min(toy_row.c.written_at))
    .where(toy_row.c.domain_id == feed.c.domain_id, toy_row.c.number > feed.c.number)
    .scalar_subquery()
)

# By subject.
acted: dict[int, list[int]] = {}


def write_row(connection: Connection, domain_id: int, now: datetime) -> None:
    lock_domain(connection, domain_id)
    newest = select(func.coalesce(func.max(toy_row.c.number), 0)).where(toy_row.c.domain_id == domain_id)
    number = connection.execute(newest).scalar_one() + 1
    connection.execute(insert(toy_row).values(domain_id=domain_id, number=number, written_at=now))


def read(work: FeedWork, held: HeldFeed) -> int:
    rows = select(toy_row.c.number).where(toy_row.c.domain_id == held.domain_id, toy_row.c.number > held.number)
    with work.store.read() as connection:
        numbers = list(connection.execute(rows.order_by(toy_row.c.number).limit(2)).scalars())
    act(held, numbers)
    return int(numbers[-1])


def act(held: HeldFeed, numbers: list[int]) -> None:
    acted.setdefault(held.subject, []).extend(numbers)
