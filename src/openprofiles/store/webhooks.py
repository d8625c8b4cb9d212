"""Webhooks of domains, and their deliveries: the calls for the ends of upload jobs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.engine import Connection

from openprofiles.clock import to_milliseconds
from openprofiles.store.prepared import PreparedQuery
from openprofiles.store.tables import Moment, domain, job, upload_job, webhook, webhook_delivery


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
    """The state of the call for a job's end; see the table ``webhook_delivery``."""

    url: str
    attempts: int
    next_attempt_at: datetime | None
    last_error: str | None
    delivered_at: datetime | None
    given_up_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """An attempt that its worker alone makes.

    Attributes:
        attempt: its number, from 1.
        secret: encrypted with the master key; None if the domain has no webhook any more.
    """

    upload_job_id: int
    domain_id: int
    url: str
    attempt: int
    secret: bytes | None


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
    pending = update(webhook_delivery).where(
        webhook_delivery.c.domain_id == domain_id,
        webhook_delivery.c.url == before.url,
        webhook_delivery.c.next_attempt_at.is_not(None),
    )
    connection.execute(
        pending.values(next_attempt_at=None, given_up_at=now) if url is None else pending.values(url=url)
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
    connection.execute(
        update(webhook_delivery)
        .where(webhook_delivery.c.domain_id == domain_id, webhook_delivery.c.next_attempt_at.is_not(None))
        .values(next_attempt_at=None, given_up_at=now)
    )
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
    connection.execute(
        insert(webhook_delivery).values(
            upload_job_id=upload_job_id, domain_id=domain_id, url=url, attempts=0, next_attempt_at=now
        )
    )


def find_delivery(connection: Connection, upload_job_id: int) -> Delivery | None:
    """Find the state of the call for a job's end; None if there is no webhook."""
    columns = (webhook_delivery.c[field.name] for field in fields(Delivery))
    row = connection.execute(select(*columns).where(webhook_delivery.c.upload_job_id == upload_job_id)).one_or_none()
    return None if row is None else Delivery(*row)


def has_due_delivery(connection: Connection, now: datetime) -> bool:
    """Return whether a delivery is due; a read, so that an idle worker takes no lock."""
    return _DUE.one_or_none(connection, now=to_milliseconds(now)) is not None


def claim_due_delivery(connection: Connection, *, now: datetime, until: datetime) -> ClaimedDelivery | None:
    """Begin the next attempt of the delivery that is due for longest.

    Args:
        until: when the next attempt may be made if this one never ends, since its worker died.
    """
    due = connection.execute(
        select(
            webhook_delivery.c.upload_job_id,
            webhook_delivery.c.domain_id,
            webhook_delivery.c.url,
            webhook_delivery.c.attempts,
        )
        .where(webhook_delivery.c.next_attempt_at <= now)
        .order_by(webhook_delivery.c.next_attempt_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if due is None:
        return None
    connection.execute(
        update(webhook_delivery)
        .where(webhook_delivery.c.upload_job_id == due.upload_job_id)
        .values(attempts=due.attempts + 1, next_attempt_at=until)
    )
    found = find_webhook(connection, due.domain_id)
    return ClaimedDelivery(
        due.upload_job_id, due.domain_id, due.url, due.attempts + 1, None if found is None else found.secret
    )


def record_delivered(connection: Connection, claimed: ClaimedDelivery, now: datetime) -> None:
    """Record that the receiver has acknowledged it, independent of other attempts."""
    connection.execute(
        update(webhook_delivery)
        .where(webhook_delivery.c.upload_job_id == claimed.upload_job_id)
        .values(delivered_at=now, next_attempt_at=None, last_error=None, given_up_at=None)
    )


def record_failed(
    connection: Connection, claimed: ClaimedDelivery, error: str, *, next_attempt_at: datetime | None, now: datetime
) -> None:
    """Record that an attempt has failed.

    Args:
        next_attempt_at: None gives up.
    """
    connection.execute(
        update(webhook_delivery)
        .where(
            webhook_delivery.c.upload_job_id == claimed.upload_job_id,
            # Not if it was dropped since, or another worker has taken it over.
            webhook_delivery.c.attempts == claimed.attempt,
            webhook_delivery.c.next_attempt_at.is_not(None),
        )
        .values(
            last_error=error,
            next_attempt_at=next_attempt_at,
            given_up_at=now if next_attempt_at is None else None,
        )
    )


def read_ended_job(connection: Connection, claimed: ClaimedDelivery) -> EndedJob | None:
    """Read the content of the call; None if the job's domain was deleted."""
    names = [field.name for field in fields(EndedJob)]
    row = connection.execute(
        select(domain.c.name, *((job if name in job.c else upload_job).c[name] for name in names[1:]))
        .select_from(job)
        .join(upload_job, upload_job.c.job_number == job.c.job_number)
        .join(domain, domain.c.domain_id == job.c.domain_id)
        .where(
            job.c.domain_id == claimed.domain_id,
            job.c.job_number == claimed.upload_job_id,
            domain.c.deleted_at.is_(None),
        )
    ).one_or_none()
    return None if row is None else EndedJob(*row)


def _number(row: dict[str, Any]) -> int:
    return int(row["upload_job_id"])


_DUE = PreparedQuery(
    select(webhook_delivery.c.upload_job_id)
    .where(webhook_delivery.c.next_attempt_at <= bindparam("now", type_=Moment()))
    .limit(1),
    _number,
)
