"""Webhooks of domains, and their deliveries: feeds that call them for the ends of upload jobs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import ColumnElement, Update, delete, insert, select, update
from sqlalchemy.engine import Connection

from openprofiles.feed_kinds import WEBHOOK
from openprofiles.store.feeds import HeldFeed, add_feed
from openprofiles.store.tables import domain, feed, job, upload_job, webhook

# A feed is added when its job ends, and is over when it has called.
WAITING_SINCE: ColumnElement[datetime] = feed.c.created_at


@dataclass(frozen=True, slots=True)
class Webhook:
    """A domain's webhook.

    Attributes:
        url: called when a job of the domain ends; None: only jobs that have a URL of their own call one.
        secret: encrypted with the master key.
    """

    url: str | None
    secret: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """The state of the call for a job's end; see the table ``feed``."""

    url: str
    attempts: int
    next_attempt_at: datetime | None
    last_error: str | None
    delivered_at: datetime | None
    given_up_at: datetime | None


@dataclass(frozen=True, slots=True)
class EndedJob:
    """The content of a call: only the domain's name comes from a caller, and nothing from a customer."""

    domain_name: str
    job_id: str
    status: str
    status_reason: str | None
    record_count: int | None
    created_count: int
    updated_count: int
    unchanged_count: int
    failed_count: int
    started_at: datetime | None
    completed_at: datetime


def write_webhook(connection: Connection, domain_id: int, *, url: str | None, secret: bytes, now: datetime) -> None:
    """Write the domain's webhook; it replaces an earlier one.

    Calls that the former URL has not received yet go to the new one, and are dropped if there is no new URL. The
    caller holds the domain's row, so that of two at once the second one sees what the first one wrote.
    """
    before = find_webhook(connection, domain_id)
    values = {"url": url, "secret": secret, "created_at": now}
    if before is None:
        connection.execute(insert(webhook).values(domain_id=domain_id, **values))
        return
    connection.execute(update(webhook).where(webhook.c.domain_id == domain_id).values(values))
    if before.url is None or before.url == url:
        return
    pending = _pending(domain_id).where(feed.c.target == before.url)
    connection.execute(
        pending.values(next_attempt_at=None, given_up_at=now) if url is None else pending.values(target=url)
    )


def find_webhook(connection: Connection, domain_id: int) -> Webhook | None:
    row = connection.execute(
        select(webhook.c.url, webhook.c.secret, webhook.c.created_at).where(webhook.c.domain_id == domain_id)
    ).one_or_none()
    return None if row is None else Webhook(*row)


def delete_webhook(connection: Connection, domain_id: int, now: datetime) -> bool:
    """Remove the domain's webhook and drop its pending calls; return whether it existed."""
    # In the order of ``write_webhook``, so that neither waits for the other.
    was_there = connection.execute(delete(webhook).where(webhook.c.domain_id == domain_id)).rowcount > 0
    connection.execute(_pending(domain_id).values(next_attempt_at=None, given_up_at=now))
    return was_there


def list_secrets(connection: Connection) -> list[tuple[int, bytes]]:
    """List the stored secrets of all webhooks, by the number of the domain."""
    return [
        (domain_id, secret) for domain_id, secret in connection.execute(select(webhook.c.domain_id, webhook.c.secret))
    ]


def replace_secret(connection: Connection, domain_id: int, secret: bytes) -> None:
    """Store a secret as another master key encrypts it."""
    connection.execute(update(webhook).where(webhook.c.domain_id == domain_id).values(secret=secret))


def insert_delivery(connection: Connection, upload_job_id: int, *, domain_id: int, url: str, now: datetime) -> None:
    """Note that a webhook must be called for the end of a job."""
    add_feed(connection, WEBHOOK, upload_job_id, domain_id=domain_id, target=url, now=now)


def find_delivery(connection: Connection, upload_job_id: int) -> Delivery | None:
    """Find the state of the call for a job's end; None if there is no webhook."""
    columns = (feed.c.target, feed.c.epoch, feed.c.next_attempt_at, feed.c.last_error, feed.c.moved_at)
    row = connection.execute(
        select(*columns, feed.c.given_up_at).where(feed.c.name == WEBHOOK.name, feed.c.subject == upload_job_id)
    ).one_or_none()
    return None if row is None else Delivery(*row)


def read_ended_job(connection: Connection, held: HeldFeed) -> EndedJob | None:
    """Read the content of the call; None if the job's domain was deleted."""
    names = [field.name for field in fields(EndedJob)]
    row = connection.execute(
        select(domain.c.name, *((job if name in job.c else upload_job).c[name] for name in names[1:]))
        .select_from(job)
        .join(upload_job, upload_job.c.job_number == job.c.job_number)
        .join(domain, domain.c.domain_id == job.c.domain_id)
        .where(
            job.c.domain_id == held.domain_id,
            job.c.job_number == held.subject,
            domain.c.deleted_at.is_(None),
        )
    ).one_or_none()
    return None if row is None else EndedJob(*row)


def _pending(domain_id: int) -> Update:
    return update(feed).where(
        feed.c.name == WEBHOOK.name, feed.c.domain_id == domain_id, feed.c.next_attempt_at.is_not(None)
    )
