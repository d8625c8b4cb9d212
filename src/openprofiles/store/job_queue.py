"""Jobs of any kind as rows: how they are added, claimed by workers, and ended.

A loader writes the same rows through ``bulk_jobs``, in the transactions that write its profiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    FromClause,
    Table,
    Update,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.engine import Connection

from openprofiles.job_kinds import KINDS, PREVIEWS, JobKind, Lane, Unit
from openprofiles.store import webhooks
from openprofiles.store.prepared import PreparedQuery
from openprofiles.store.tables import Moment, domain, job, metadata, upload_job
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.webhook_of_job import WEBHOOK_URL_OF_JOB

# The clocks of two hosts differ by less.
_SET_BACK_MILLISECONDS = 3_600_000


@dataclass(frozen=True, slots=True)
class Job:
    """What every kind of job has; the columns are explained in ``tables``."""

    job_number: int
    job_id: str
    domain_id: int
    kind: str
    subject: int | None
    status: UploadJobStatus
    status_reason: str | None
    failure_message: str | None
    created_at: datetime
    not_before: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    stop_requested_at: datetime | None
    phase: str | None
    position: int
    done: int | None
    total: int | None
    step_started_at: datetime | None
    lease_owner: str | None
    lease_until: datetime | None
    epoch: int
    failed_attempts: int
    create_digest: str | None
    start_token: str | None

    def amount(self, _unit: Unit) -> tuple[int, int | None]:
        """Return how much of the present step is done, and its total if known."""
        return self.position if self.done is None else self.done, self.total

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """Make the job of the columns ``columns_of`` this class."""
        return cls(**{**row, "status": UploadJobStatus(row["status"])})


def columns_of(record: type[Any], *tables: Table) -> list[Column[Any]]:
    """List the columns of these tables that a record has as fields."""
    return [next(table.c[field.name] for table in tables if field.name in table.c) for field in fields(record)]


def insert_job(connection: Connection, kind: JobKind, values: Mapping[str, Any]) -> int:
    """Write a new job and return its number; ``values`` by column, of the kind's details too."""
    own = {name: value for name, value in values.items() if name in job.c}
    job_number: int = connection.execute(
        insert(job).values(kind=kind.name, **own).returning(job.c.job_number)
    ).scalar_one()
    if kind.details is not None:
        details = {name: value for name, value in values.items() if name not in own}
        connection.execute(insert(metadata.tables[kind.details]).values(job_number=job_number, **details))
    return job_number


def find_job(connection: Connection, domain_id: int, job_number: int) -> Job | None:
    """Find the job of this number in the domain, whatever its kind."""
    query = select(*columns_of(Job, job)).where(job.c.domain_id == domain_id, job.c.job_number == job_number)
    row = connection.execute(query).one_or_none()
    return None if row is None else Job.of_row(row._asdict())


def lock_job(connection: Connection, job_id: str) -> None:
    """Hold a job until the end of the transaction; what is read after this is its state until then."""
    connection.execute(select(job.c.job_number).where(job.c.job_id == job_id).with_for_update(key_share=True))


def list_running_jobs(connection: Connection, domain_id: int | None = None) -> list[str]:
    """List the ids of running jobs, by default of all domains, in order of start."""
    query = select(job.c.job_id).where(job.c.status == UploadJobStatus.IN_PROGRESS)
    if domain_id is not None:
        query = query.where(job.c.domain_id == domain_id)
    return list(connection.execute(query.order_by(job.c.started_at, job.c.job_number)).scalars())


def is_any_leased(connection: Connection, now: datetime) -> bool:
    """Return whether any job is leased, even by a worker that died."""
    leased = select(job.c.job_id).where(job.c.lease_until > now).limit(1)
    return connection.execute(leased).first() is not None


def update_job(connection: Connection, of_job: Job, *, only_in: UploadJobStatus, **values: Any) -> bool:
    """Change a job if it is still in the given status; whether it was."""
    return connection.execute(_in_status(of_job, only_in).values(**values)).rowcount == 1


def has_claimable_job(connection: Connection, now: datetime) -> bool:
    """Return whether a job can be claimed; a read, so that an idle worker takes no lock."""
    # Each worker asks ten times a second.
    return _CLAIMABLE.one_or_none(connection, now=now) is not None


def claim_next_job(
    connection: Connection, *, owner: str, now: datetime, lease_until: datetime, job_id: str | None = None
) -> Job | None:
    """Take the lease of the job that waits longest, or of the one named.

    A job can be taken when it is IN_PROGRESS and due, nobody holds a live lease on it, and no other job of its domain
    is ahead of it: jobs of one domain run one after the other, in the order in which they were started. Those that only
    read can be taken at any time. A domain of which fewer jobs run comes first, so that many previews do not hold up
    other domains. A job of a kind that this version does not know is left to others.
    """
    query = (
        select(job.c.job_number, job.c.lease_until, job.c.step_started_at)
        .join(domain, domain.c.domain_id == job.c.domain_id)
        .where(*_claimable(now))
        .order_by(_running_in_domain(now), job.c.started_at, job.c.job_number)
        .limit(1)
    )
    if job_id is not None:
        query = query.where(job.c.job_id == job_id)
    # While the domain's row is held, no other worker claims another job of the domain. Every writer of the domain holds
    # it too, so a domain that is never idle has to be waited for if there is no other.
    for skip_locked in (True, False):
        found = connection.execute(
            query.with_for_update(key_share=True, of=domain, skip_locked=skip_locked)
        ).one_or_none()
        if found is None:
            continue
        job_number, released_at, step_started_at = found
        if step_started_at is not None and released_at is not None:
            # The time for which nobody worked on the job is not counted: it says nothing of how long the rest takes.
            step_started_at += now - released_at
        # Asked again: another worker may have claimed a job between the first question and the lock.
        claimed = connection.execute(
            update(job)
            .where(job.c.job_number == job_number, *_claimable(now))
            .values(
                lease_owner=owner,
                lease_until=lease_until,
                epoch=job.c.epoch + 1,
                step_started_at=step_started_at,
                # A job that was begun does not wait again when the clock is set back.
                not_before=None,
            )
            .returning(*columns_of(Job, job))
        )
        row = claimed.one_or_none()
        if row is not None:
            return Job.of_row(row._asdict())
    return None


def extend_lease(connection: Connection, leased: Job, lease_until: datetime) -> bool:
    """Keep the lease for longer; False when it is no longer ours or the job has ended."""
    return connection.execute(_leased(leased).values(lease_until=lease_until)).rowcount == 1


def release_lease(connection: Connection, leased: Job, now: datetime, **values: Any) -> bool:
    """Give the job back, to be claimed again at once, or not before a time."""
    given_back = _leased(leased).values(lease_owner=None, lease_until=now, **values)
    return connection.execute(given_back).rowcount == 1


def limit_pauses(connection: Connection, now: datetime, longest: timedelta) -> None:
    """End pauses of jobs that are longer than any pause.

    The clock of the worker that set them was ahead.
    """
    is_paused = and_(
        job.c.status == UploadJobStatus.IN_PROGRESS, job.c.lease_owner.is_(None), job.c.failed_attempts > 0
    )
    connection.execute(update(job).where(is_paused, job.c.not_before > now + longest).values(not_before=now))


def end_leased_job(connection: Connection, leased: Job, **values: Any) -> bool:
    """Set the final state of a job that we hold, and note its webhook call.

    Returns False if we no longer hold it.
    """
    return _end(connection, _leased(leased).values(lease_owner=None, lease_until=None, **values))


def stop_job(connection: Connection, of_job: Job, now: datetime) -> None:
    """End a job that no worker has begun; one that was begun ends at its next chunk."""
    _stop(connection, now, job.c.job_number == of_job.job_number)


def stop_previews_of(connection: Connection, subject: Job, now: datetime) -> None:
    """Stop the previews of an upload job."""
    of_job = (job.c.domain_id == subject.domain_id, job.c.subject == subject.job_number)
    _stop(connection, now, *of_job, job.c.kind.in_(PREVIEWS))


def _stop(connection: Connection, now: datetime, *which: ColumnElement[bool]) -> None:
    is_begun = and_(job.c.status == UploadJobStatus.IN_PROGRESS, job.c.epoch > 0)
    is_waiting = and_(job.c.status.in_((UploadJobStatus.CREATED, UploadJobStatus.IN_PROGRESS)), ~is_begun)
    stopped = {"status": UploadJobStatus.STOPPED, "stop_requested_at": now, "completed_at": now}
    _end(connection, update(job).where(*which, is_waiting).values(stopped))
    request = update(job).where(*which, is_begun, job.c.stop_requested_at.is_(None))
    connection.execute(request.values(stop_requested_at=now))


def _end(connection: Connection, ending: Update) -> bool:
    """Carry out an update that ends jobs, and note their webhook calls; whether it ended any."""
    ended = connection.execute(
        ending.returning(job.c.job_number, job.c.domain_id, job.c.completed_at, literal_column(WEBHOOK_URL_OF_JOB))
    ).all()
    for job_number, domain_id, completed_at, url in ended:
        # Its file can no longer be read.
        connection.execute(update(upload_job).where(upload_job.c.job_number == job_number).values(client_token=None))
        if url is not None:
            webhooks.insert_delivery(connection, job_number, domain_id=domain_id, url=url, now=completed_at)
    return bool(ended)


def _claimable(now: datetime | BindParameter[Any]) -> tuple[ColumnElement[bool], ...]:
    other = job.alias()
    readers = [kind for kind in KINDS.values() if kind.lane is Lane.READ]
    may_block = and_(
        other.c.domain_id == job.c.domain_id,
        other.c.status == UploadJobStatus.IN_PROGRESS,
        # One of a kind that this version does not know may write.
        ~_is_of(other, readers),
        or_(other.c.epoch > 0, is_due(other, now)),
    )
    ahead = exists().where(
        may_block,
        or_(
            # A job that was begun continues first, although a host whose clock is behind started another one earlier:
            # its loader may still live.
            and_(other.c.epoch > 0, job.c.epoch == 0),
            and_(
                or_(other.c.epoch > 0, job.c.epoch == 0),
                tuple_(other.c.started_at, other.c.job_number) < tuple_(job.c.started_at, job.c.job_number),
            ),
        ),
    )
    running = exists().where(may_block, other.c.job_number != job.c.job_number, other.c.lease_until > now)
    return (
        job.c.status == UploadJobStatus.IN_PROGRESS,
        _is_of(job, KINDS.values()),
        is_due(job, now),
        or_(job.c.lease_until.is_(None), job.c.lease_until <= now),
        or_(
            _is_of(job, readers),
            # The second also when the order of starting is not that of the clock: two loads of one domain must never
            # overlap.
            and_(~ahead, ~running),
        ),
    )


def is_due(jobs: FromClause, now: datetime | BindParameter[Any]) -> ColumnElement[bool]:
    """Build the condition that a job does not wait for a time."""
    created_earlier = type_coerce(type_coerce(jobs.c.created_at, BigInteger) - _SET_BACK_MILLISECONDS, Moment())
    # The clock by which the last ones were created was set back since, so nobody knows how long they have waited.
    return or_(jobs.c.not_before.is_(None), jobs.c.not_before <= now, created_earlier > now)


def _is_of(jobs: FromClause, kinds: Iterable[JobKind]) -> ColumnElement[bool]:
    # Without a list of parameters, which a prepared query does not take.
    return or_(*(jobs.c.kind == kind.name for kind in kinds))


def _running_in_domain(now: datetime) -> ColumnElement[int]:
    """Build SQL for the number of jobs of the job's domain that workers run."""
    other = job.alias()
    return (
        select(func.count())
        .where(
            other.c.domain_id == job.c.domain_id,
            other.c.status == UploadJobStatus.IN_PROGRESS,
            other.c.lease_until > now,
        )
        .scalar_subquery()
    )


def _leased(leased: Job) -> Update:
    return _in_status(leased, UploadJobStatus.IN_PROGRESS).where(
        job.c.lease_owner == leased.lease_owner, job.c.epoch == leased.epoch
    )


def _in_status(of_job: Job, status: UploadJobStatus) -> Update:
    return update(job).where(job.c.job_number == of_job.job_number, job.c.status == status)


_CLAIMABLE = PreparedQuery(
    select(job.c.job_number).where(*_claimable(bindparam("now", type_=Moment()))).limit(1),
    lambda row: int(row["job_number"]),
)
