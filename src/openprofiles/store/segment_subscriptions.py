"""Streams of domains and subscriptions to segments, as rows, with the feeds that follow them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, exists, insert, null, select, type_coerce, update
from sqlalchemy.engine import Connection

from openprofiles.feed_kinds import SEGMENT_STREAM, SEGMENT_SUBSCRIPTION
from openprofiles.store.feeds import begin_feed, end_feed
from openprofiles.store.profile_changes import read_last_change_number
from openprofiles.store.profile_sets import SetOwner, remove_set
from openprofiles.store.subscription_states import ACTIVE, SubscriptionStatus
from openprofiles.store.tables import Moment, definition, domain, feed, segment_event
from openprofiles.store.tables import segment_stream as streams
from openprofiles.store.tables import segment_subscription as table


@dataclass(frozen=True, slots=True)
class Stream:
    """Where the events of a domain go; ``tables`` explains the columns.

    Attributes:
        failure: why the destination cannot be reached now; None: it can, or was not tried.
    """

    destination: str
    role: str
    associated_at: datetime
    disassociated_at: datetime | None
    probed_at: datetime | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription to the changes of a segment; ``tables`` explains the columns."""

    domain_id: int
    definition_id: int
    interval_hours: int
    status: SubscriptionStatus
    message: str | None
    started_at: datetime
    updated_at: datetime
    next_at: datetime
    last_at: datetime | None
    scanned_pid: int | None

    @property
    def is_active(self) -> bool:
        """Whether the segment is followed."""
        return self.status in ACTIVE


@dataclass(frozen=True, slots=True)
class SubscriptionCounts:
    """What a subscription has found since it was started first."""

    domain_name: str
    segment_name: str
    joined_count: int
    left_count: int
    scheduled_count: int


def find_stream(connection: Connection, domain_id: int) -> Stream | None:
    """Find the stream of a domain, which may be disassociated."""
    columns = [feed.c.last_error if one.name == "failure" else streams.c[one.name] for one in fields(Stream)]
    of_stream = and_(feed.c.subject == streams.c.domain_id, feed.c.name == SEGMENT_STREAM.name)
    row = connection.execute(
        select(*columns).select_from(streams).outerjoin(feed, of_stream).where(streams.c.domain_id == domain_id)
    ).one_or_none()
    return None if row is None else Stream(*row)


def associate_stream(connection: Connection, domain_id: int, *, destination: str, role: str, now: datetime) -> None:
    """Write the stream of a domain. Events that were found before are not sent."""
    values = {
        "destination": destination,
        "role": role,
        "associated_at": now,
        "disassociated_at": None,
        "probed_at": None,
    }
    of_domain = streams.c.domain_id == domain_id
    if not connection.execute(update(streams).where(of_domain).values(values)).rowcount:
        connection.execute(insert(streams).values(domain_id=domain_id, **values))
    number = connection.execute(select(streams.c.event_number).where(of_domain)).scalar_one()
    begin_feed(connection, SEGMENT_STREAM, domain_id, domain_id=domain_id, number=number, now=now)


def disassociate_stream(connection: Connection, domain_id: int, now: datetime) -> None:
    """End the stream of a domain, and its subscriptions."""
    connection.execute(update(streams).where(streams.c.domain_id == domain_id).values(disassociated_at=now))
    end_feed(connection, SEGMENT_STREAM, domain_id)
    for one in list_subscriptions(connection, domain_id):
        if one.is_active:
            end_subscription(connection, one, SubscriptionStatus.STOPPED, None, now)


def note_probe(connection: Connection, domain_id: int, now: datetime) -> None:
    """Note that the destination of a stream was tried."""
    connection.execute(update(streams).where(streams.c.domain_id == domain_id).values(probed_at=now))


def note_failed_notifications(connection: Connection, domain_id: int, count: int) -> None:
    """Count attempts to send notifications that failed."""
    connection.execute(
        update(streams).where(streams.c.domain_id == domain_id).values(failed_count=streams.c.failed_count + count)
    )


def find_subscription(connection: Connection, domain_id: int, definition_id: int) -> Subscription | None:
    """Find the subscription to a segment."""
    row = connection.execute(_SELECT.where(_is_row(domain_id, definition_id))).one_or_none()
    return None if row is None else _subscription_of(row)


def list_subscriptions(connection: Connection, domain_id: int) -> list[Subscription]:
    """List the subscriptions of a domain, the oldest segment first."""
    query = _SELECT.where(table.c.domain_id == domain_id).order_by(table.c.definition_id)
    return [_subscription_of(row) for row in connection.execute(query)]


def start_subscription(
    connection: Connection, domain_id: int, definition_id: int, *, interval_hours: int, now: datetime, next_at: datetime
) -> None:
    """Begin to follow a segment: all profiles are looked at first, then each change from now on."""
    values = {
        "interval_hours": interval_hours,
        "status": SubscriptionStatus.STARTING.value,
        "message": None,
        "started_at": now,
        "updated_at": now,
        "next_at": next_at,
        "last_at": None,
        "scanned_pid": 0,
    }
    remove_set(connection, domain_id, SetOwner.SUBSCRIPTION, definition_id)
    if not connection.execute(update(table).where(_is_row(domain_id, definition_id)).values(values)).rowcount:
        connection.execute(insert(table).values(domain_id=domain_id, definition_id=definition_id, **values))
    number = read_last_change_number(connection, domain_id)
    begin_feed(connection, SEGMENT_SUBSCRIPTION, definition_id, domain_id=domain_id, number=number, now=now)


def change_subscription(connection: Connection, subscription: Subscription, **values: Any) -> None:
    """Write columns of a subscription."""
    of_row = _is_row(subscription.domain_id, subscription.definition_id)
    connection.execute(update(table).where(of_row).values(values))


def count_events(connection: Connection, subscription: Subscription, *, joined: int, left: int) -> None:
    """Add to the counts of a subscription."""
    change_subscription(
        connection,
        subscription,
        joined_count=table.c.joined_count + joined,
        left_count=table.c.left_count + left,
    )


def count_scheduled_run(connection: Connection, subscription: Subscription) -> None:
    """Add a finished look at all profiles to the counts of a subscription."""
    change_subscription(connection, subscription, scheduled_count=table.c.scheduled_count + 1)


def end_subscription(
    connection: Connection, subscription: Subscription, status: SubscriptionStatus, message: str | None, now: datetime
) -> None:
    """Stop following a segment."""
    change_subscription(connection, subscription, status=status.value, message=message, updated_at=now)
    _forget(connection, subscription)


def delete_subscription(connection: Connection, subscription: Subscription) -> None:
    """Remove a subscription; its events stay."""
    connection.execute(delete(table).where(_is_row(subscription.domain_id, subscription.definition_id)))
    _forget(connection, subscription)


def read_subscription_counts(connection: Connection) -> Sequence[SubscriptionCounts]:
    """Read the counts of all subscriptions."""
    rows = connection.execute(
        select(domain.c.name, definition.c.name, table.c.joined_count, table.c.left_count, table.c.scheduled_count)
        .select_from(table)
        .join(domain, domain.c.domain_id == table.c.domain_id)
        .join(definition, definition.c.definition_id == table.c.definition_id)
        .where(domain.c.deleted_at.is_(None))
    )
    return [SubscriptionCounts(*row) for row in rows]


def read_failed_notifications(connection: Connection) -> dict[str, int]:
    """Read how many attempts to send notifications have failed, by domain."""
    rows = connection.execute(
        select(domain.c.name, streams.c.failed_count)
        .join(domain, domain.c.domain_id == streams.c.domain_id)
        .where(domain.c.deleted_at.is_(None))
    )
    return dict(rows.all())


def _forget(connection: Connection, subscription: Subscription) -> None:
    remove_set(connection, subscription.domain_id, SetOwner.SUBSCRIPTION, subscription.definition_id)
    end_feed(connection, SEGMENT_SUBSCRIPTION, subscription.definition_id)


def _is_row(domain_id: int, definition_id: int) -> ColumnElement[bool]:
    return and_(table.c.domain_id == domain_id, table.c.definition_id == definition_id)


def _subscription_of(row: Any) -> Subscription:
    values = row._asdict()
    return Subscription(**{**values, "status": SubscriptionStatus(values["status"])})


_SELECT = select(*(table.c[field.name] for field in fields(Subscription)))

# When a subscription looks at all profiles: at once while it does, or when it is due.
LOOKS_AT_ALL_AT: ColumnElement[datetime] = (
    select(case((table.c.scanned_pid.is_not(None), table.c.started_at), else_=table.c.next_at))
    .where(table.c.domain_id == feed.c.domain_id, table.c.definition_id == feed.c.subject)
    .scalar_subquery()
)
# Whether there is an event that a stream has yet to send.
EVENTS_WAIT: ColumnElement[bool] = exists().where(
    streams.c.domain_id == feed.c.domain_id, streams.c.event_number > feed.c.number
)
# When the oldest event was found that a stream has yet to send.
EVENTS_WAIT_SINCE: ColumnElement[datetime] = (
    select(segment_event.c.at)
    .where(segment_event.c.domain_id == feed.c.domain_id, segment_event.c.number > feed.c.number)
    .order_by(segment_event.c.number)
    .limit(1)
    .scalar_subquery()
)
# When a stream tries its destination for the first time.
PROBES_AT: ColumnElement[datetime] = (
    select(case((streams.c.probed_at.is_(None), streams.c.associated_at), else_=type_coerce(null(), Moment())))
    .where(streams.c.domain_id == feed.c.domain_id)
    .scalar_subquery()
)
