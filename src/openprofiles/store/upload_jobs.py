"""Upload jobs as rows, and the queries of the API and the worker.

The loader writes the same table through ``sqlite_bulk``, in the transactions that write its profiles.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Row,
    Update,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from openprofiles.clock import to_milliseconds
from openprofiles.job_kinds import KINDS, PREVIEW, UNDO, UPLOAD, JobKind, Lane
from openprofiles.store import webhooks
from openprofiles.store.prepared import PreparedQuery
from openprofiles.store.removal import has_rows_of_job
from openprofiles.store.tables import (
    Moment,
    domain,
    failed_row,
    preview_sample,
    repeated_row,
    upload_job,
)
from openprofiles.store.upload_job_states import INTERNAL_FAILURE, KEY_LOST_MESSAGE, UploadJobStatus
from openprofiles.store.webhook_of_job import WEBHOOK_URL_OF_JOB


@dataclass(frozen=True, slots=True)
class UploadJob:
    """One row of the table ``upload_job``; the columns are explained in ``tables``."""

    upload_job_id: int
    job_id: str
    domain_id: int
    display_name: str
    fields: dict[str, dict[str, str]]
    unique_key: str
    data_expiry_days: int
    status: UploadJobStatus
    status_reason: str | None
    failure_message: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    stop_requested_at: datetime | None
    client_token: bytes | None
    file_name: str | None
    file_size_bytes: int | None
    file_received_at: datetime | None
    phase: str | None
    position: int
    record_count: int | None
    created_count: int
    updated_count: int
    unchanged_count: int
    failed_count: int
    pid_base: int | None
    lease_owner: str | None
    lease_until: datetime | None
    epoch: int
    failed_attempts: int
    kind: str
    preview_of: int | None
    undo_of: int | None
    undo_days: int | None
    undo_until: datetime | None
    read_bytes: int | None
    step_started_at: datetime | None

    @property
    def is_hidden(self) -> bool:
        """Whether AWS's API does not show the job: a preview, or the undo of another job."""
        return not KINDS[self.kind].is_listed


@dataclass(frozen=True, slots=True)
class RowFault:
    """One thing that is wrong with a record; ``uploads.failures.faults`` says what codes and their details mean."""

    code: str
    column_name: str | None
    detail: int | None


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A record that was not loaded.

    Attributes:
        line: the physical line on which it starts, from 1.
        faults: all that is wrong with it, at least one.
        content: its bytes in the file without the line end, encrypted; None if they were not kept.
    """

    record: int
    line: int
    faults: tuple[RowFault, ...]
    content: bytes | None


@dataclass(frozen=True, slots=True)
class RepeatedRow:
    """A record whose unique key an earlier one has too, and the first that has it, each with its line in the file."""

    record: int
    line: int
    first_record: int
    first_line: int


@dataclass(frozen=True, slots=True)
class Findings:
    """A load's findings about its file and its work; None if not known yet."""

    file_header: list[str] | None
    repeated_count: int | None
    step_milliseconds: dict[str, int] | None
    file_form: dict[str, Any] | None
    notices: list[Any] | None


@dataclass(frozen=True, slots=True)
class Creation:
    """The change of the number of profiles by one job.

    Attributes:
        at: its end, or its start if it has not ended.
        profiles: how many it made; negative for an undo, which removes them.
    """

    at: datetime
    profiles: int


# Without what only the account needs: a header may be long.
_JOB_COLUMNS = tuple(upload_job.c[field.name] for field in fields(UploadJob))


class CreateTokenTaken(Exception):
    """Another transaction has just created a job of the domain with this token. Roll this one back."""


def insert_job(connection: Connection, values: Mapping[str, Any]) -> None:
    """Write a new job; ``values`` by column.

    Raises:
        CreateTokenTaken: a job of the domain has its ``create_token``.
    """
    try:
        connection.execute(insert(upload_job).values(**values))
    except IntegrityError as error:
        # SQLite names the columns, PostgreSQL the index.
        if "create_token" in str(error.orig):
            raise CreateTokenTaken from error
        raise


def find_job_made_with(connection: Connection, domain_id: int, create_token: str) -> tuple[UploadJob, str] | None:
    """Find the job that was created with this token, and the digest of its request."""
    row = connection.execute(
        select(*_JOB_COLUMNS, upload_job.c.create_digest).where(
            upload_job.c.domain_id == domain_id, upload_job.c.create_token == create_token
        )
    ).one_or_none()
    if row is None:
        return None
    values = row._asdict()
    digest: str = values.pop("create_digest")
    return _make_job(values), digest


def read_start_token(connection: Connection, upload_job_id: int) -> str | None:
    """Read the token that a job was started with."""
    query = select(upload_job.c.start_token).where(upload_job.c.upload_job_id == upload_job_id)
    token: str | None = connection.execute(query).scalar_one()
    return token


def find_job(connection: Connection, domain_id: int, job_id: str, *, for_change: bool = False) -> UploadJob | None:
    """Find the job of this id in the domain.

    Args:
        for_change: hold the row until the end of the write transaction.
    """
    query = _BY_DOMAIN_AND_ID_FOR_CHANGE if for_change else _BY_DOMAIN_AND_ID
    return query.one_or_none(connection, domain_id=domain_id, job_id=job_id)


def find_job_by_number(connection: Connection, domain_id: int, upload_job_id: int) -> UploadJob | None:
    """Find the job of this row number in the domain."""
    return _one(connection, and_(upload_job.c.domain_id == domain_id, upload_job.c.upload_job_id == upload_job_id))


def find_job_by_id(connection: Connection, job_id: str) -> UploadJob | None:
    """Find the job of this id in a domain that still exists."""
    row = connection.execute(
        select(*_JOB_COLUMNS)
        .join(domain, domain.c.domain_id == upload_job.c.domain_id)
        .where(upload_job.c.job_id == job_id, domain.c.deleted_at.is_(None))
    ).one_or_none()
    return None if row is None else _job(row)


def list_jobs(
    connection: Connection,
    domain_id: int,
    *,
    before: tuple[datetime, int] | None,
    limit: int,
    status: UploadJobStatus | None = None,
    with_checks: bool = True,
) -> list[UploadJob]:
    """List jobs of a domain, newest first; ``before`` is creation time and row number of the last one.

    Args:
        status: only those that have it; None: all.
        with_checks: also those that were previewed and never started.
    """
    query = select(*_JOB_COLUMNS).where(upload_job.c.domain_id == domain_id, upload_job.c.kind == UPLOAD.name)
    if status is not None:
        query = query.where(upload_job.c.status == status)
    if not with_checks:
        preview = upload_job.alias()
        previewed = select(preview.c.preview_of).where(preview.c.domain_id == domain_id, preview.c.kind == PREVIEW.name)
        query = query.where(or_(upload_job.c.started_at.is_not(None), upload_job.c.upload_job_id.not_in(previewed)))
    if before is not None:
        place = (upload_job.c.created_at, upload_job.c.upload_job_id)
        # With the columns' types: a bare datetime would be bound as text, which every number comes before.
        query = query.where(tuple_(*place) < tuple_(*before, types=[column.type for column in place]))
    query = query.order_by(upload_job.c.created_at.desc(), upload_job.c.upload_job_id.desc()).limit(limit)
    return [_job(row) for row in connection.execute(query)]


def list_creations(connection: Connection, domain_id: int, *, limit: int) -> list[Creation]:
    """List the profiles that the newest jobs created and the newest undos removed.

    Args:
        limit: how many jobs and undos to read; those that made nothing are among them.
    """
    rows = connection.execute(
        select(
            upload_job.c.created_at,
            upload_job.c.started_at,
            upload_job.c.completed_at,
            upload_job.c.created_count,
            upload_job.c.kind,
        )
        .where(upload_job.c.domain_id == domain_id, upload_job.c.kind.in_((UPLOAD.name, UNDO.name)))
        .order_by(upload_job.c.created_at.desc(), upload_job.c.upload_job_id.desc())
        .limit(limit)
    )
    return [
        Creation(completed or started or created, -count if kind == UNDO.name else count)
        for created, started, completed, count, kind in rows
    ]


def list_running_jobs_of_domain(connection: Connection, domain_id: int) -> list[str]:
    """List the ids of the domain's running jobs and previews, in order of start."""
    query = (
        select(upload_job.c.job_id)
        .where(upload_job.c.domain_id == domain_id, upload_job.c.status == UploadJobStatus.IN_PROGRESS)
        .order_by(upload_job.c.started_at, upload_job.c.upload_job_id)
    )
    return list(connection.execute(query).scalars())


def update_job(connection: Connection, job: UploadJob, *, only_in: UploadJobStatus, **values: Any) -> bool:
    """Change a job if it is still in the given status; whether it was."""
    result = connection.execute(
        update(upload_job)
        .where(upload_job.c.upload_job_id == job.upload_job_id, upload_job.c.status == only_in)
        .values(**values)
    )
    return result.rowcount == 1


def list_failed_rows(
    connection: Connection, upload_job_id: int, *, after_record: int, limit: int, max_content_bytes: int
) -> tuple[list[FailedRow], bool]:
    """List failed rows in file order, after ``after_record``, and whether there are more.

    Args:
        limit: how many at most.
        max_content_bytes: of all of them together, except the first.
    """
    of_job = failed_row.c.upload_job_id == upload_job_id
    first_faults = connection.execute(
        select(failed_row.c.record, func.coalesce(func.length(failed_row.c.content), 0))
        .where(of_job, failed_row.c.record > after_record, failed_row.c.fault == 0)
        .order_by(failed_row.c.record)
        .limit(limit + 1)
    ).all()
    sizes = itertools.accumulate(size_bytes for _, size_bytes in first_faults)
    count = max(1, sum(size_bytes <= max_content_bytes for size_bytes in sizes))
    count = min(count, limit, len(first_faults))
    if not count:
        return [], False
    last = first_faults[count - 1].record
    query = (
        select(failed_row)
        .where(of_job, failed_row.c.record > after_record, failed_row.c.record <= last)
        .order_by(failed_row.c.record, failed_row.c.fault)
    )
    return list(_failed_rows(connection.execute(query))), count < len(first_faults)


def list_first_failed_rows(
    connection: Connection,
    upload_job_id: int,
    *,
    code: str,
    column_name: str | None,
    first_record: int,
    limit: int,
    max_looked_at: int,
) -> list[int]:
    """List the records of the first failed rows with an error, in file order.

    Args:
        first_record: no earlier record has it.
        limit: how many at most.
        max_looked_at: how many faults of any kind are looked at, from the first record on.
    """
    near = (
        select(failed_row.c.record, failed_row.c.fault, failed_row.c.code, failed_row.c.column_name)
        .where(failed_row.c.upload_job_id == upload_job_id, failed_row.c.record >= first_record)
        .order_by(failed_row.c.record, failed_row.c.fault)
        .limit(max_looked_at)
        .subquery()
    )
    records = connection.execute(
        select(near.c.record)
        .where(near.c.code == code, near.c.column_name.is_not_distinct_from(column_name))
        .order_by(near.c.record)
        .limit(limit)
    )
    return list(records.scalars())


def read_failed_row(connection: Connection, upload_job_id: int, record: int) -> FailedRow | None:
    """Read the failed row of this record; None if it is not kept."""
    query = (
        select(failed_row)
        .where(failed_row.c.upload_job_id == upload_job_id, failed_row.c.record == record)
        .order_by(failed_row.c.fault)
    )
    return next(_failed_rows(connection.execute(query)), None)


def read_fault_counts(connection: Connection, upload_job_id: int) -> list[tuple[str, str | None, int, int]]:
    """Count the errors in the failed rows of a job that has ended.

    Each with its code, the header of the column or None, its count, and the first record that has it, or 0 if that was
    not noted.
    """
    query = select(upload_job.c.fault_counts).where(upload_job.c.upload_job_id == upload_job_id)
    counts = connection.execute(query).scalar_one()
    if counts is None:
        # The worker ended the job, since its loaders died.
        columns = (failed_row.c.code, failed_row.c.column_name)
        counts = connection.execute(
            select(*columns, func.count(), func.min(failed_row.c.record))
            .where(failed_row.c.upload_job_id == upload_job_id)
            .group_by(*columns)
            .order_by(func.count().desc(), *columns)
        )
    # An earlier version did not note the first record.
    return [(code, column_name, count, *(first or (0,))) for code, column_name, count, *first in counts]


def list_repeated_rows(
    connection: Connection, upload_job_id: int, *, after_record: int, limit: int
) -> list[RepeatedRow]:
    """List rows that repeat a unique key, in file order, after ``after_record``."""
    rows = connection.execute(
        select(*(repeated_row.c[field.name] for field in fields(RepeatedRow)))
        .where(repeated_row.c.upload_job_id == upload_job_id, repeated_row.c.record > after_record)
        .order_by(repeated_row.c.record)
        .limit(limit)
    )
    return [RepeatedRow(*row) for row in rows]


def read_failed_rows_key(connection: Connection, upload_job_id: int) -> bytes | None:
    """Read the wrapped key of a job's failed rows."""
    query = select(upload_job.c.failed_rows_key).where(upload_job.c.upload_job_id == upload_job_id)
    key: bytes | None = connection.execute(query).scalar_one()
    return key


def read_options(connection: Connection, upload_job_id: int) -> dict[str, Any] | None:
    """Read the options of a job, as they are stored."""
    query = select(upload_job.c.options).where(upload_job.c.upload_job_id == upload_job_id)
    options: dict[str, Any] | None = connection.execute(query).scalar_one()
    return options


def read_findings(connection: Connection, upload_job_id: int) -> Findings:
    """Read the findings of a load about its file and its own work."""
    columns = (upload_job.c[field.name] for field in fields(Findings))
    return Findings(*connection.execute(select(*columns).where(upload_job.c.upload_job_id == upload_job_id)).one())


def has_claimable_job(connection: Connection, now: datetime) -> bool:
    """Return whether a job can be claimed; a read, so that an idle worker takes no lock."""
    # Each worker asks ten times a second.
    return _CLAIMABLE.one_or_none(connection, now=to_milliseconds(now)) is not None


def claim_next_job(
    connection: Connection, *, owner: str, now: datetime, lease_until: datetime, job_id: str | None = None
) -> UploadJob | None:
    """Take the lease of the job that waits longest, or of the one named.

    A job can be taken when it is IN_PROGRESS, nobody holds a live lease on it, and no other job of its domain is
    ahead of it: jobs of one domain run one after the other, in the order in which they were started. Those that only
    read can be taken at any time. A domain of which fewer jobs run comes first, so that many previews do not hold up
    other domains. A job of a kind that this version does not know is left to others.
    """
    query = (
        select(upload_job.c.upload_job_id, upload_job.c.lease_until, upload_job.c.step_started_at)
        .join(domain, domain.c.domain_id == upload_job.c.domain_id)
        .where(*_claimable(now))
        .order_by(_running_in_domain(now), upload_job.c.started_at, upload_job.c.upload_job_id)
        .limit(1)
    )
    if job_id is not None:
        query = query.where(upload_job.c.job_id == job_id)
    # While the domain's row is held, no other worker claims another job of the domain. Every writer of the domain holds
    # it too, so a domain that is never idle has to be waited for if there is no other.
    for skip_locked in (True, False):
        found = connection.execute(
            query.with_for_update(key_share=True, of=domain, skip_locked=skip_locked)
        ).one_or_none()
        if found is None:
            continue
        upload_job_id, released_at, step_started_at = found
        if step_started_at is not None and released_at is not None:
            # The time for which nobody worked on the job is not counted: it says nothing of how long the rest takes.
            step_started_at += now - released_at
        # Asked again: another worker may have claimed a job between the first question and the lock.
        claimed = connection.execute(
            update(upload_job)
            .where(upload_job.c.upload_job_id == upload_job_id, *_claimable(now))
            .values(
                lease_owner=owner,
                lease_until=lease_until,
                epoch=upload_job.c.epoch + 1,
                step_started_at=step_started_at,
            )
        )
        if claimed.rowcount:
            return _one(connection, upload_job.c.upload_job_id == upload_job_id)
    return None


def extend_lease(connection: Connection, job: UploadJob, lease_until: datetime) -> bool:
    """Keep the lease for longer; False when it is no longer ours or the job has ended."""
    return _update_leased(connection, job, lease_until=lease_until)


def release_lease(connection: Connection, job: UploadJob, now: datetime, **values: Any) -> bool:
    """Give the job back, to be claimed again at once."""
    return _update_leased(connection, job, lease_owner=None, lease_until=now, **values)


def postpone(connection: Connection, job: UploadJob, until: datetime, **values: Any) -> bool:
    """Give the job back, to be claimed again from the given time on."""
    return _update_leased(connection, job, lease_until=until, **values)


def end_leased_job(connection: Connection, job: UploadJob, **values: Any) -> bool:
    """Set the final state of a job that we hold, and note its webhook call.

    Returns False if we no longer hold it.
    """
    ending = _leased(job).values(lease_owner=None, lease_until=None, **values)
    return _end(connection, ending)


def end_job(connection: Connection, job: UploadJob, *, only_in: UploadJobStatus, **values: Any) -> bool:
    """End a job that is in the given status, and note its webhook call.

    Returns whether it was in that status.
    """
    ending = update(upload_job).where(upload_job.c.upload_job_id == job.upload_job_id, upload_job.c.status == only_in)
    return _end(connection, ending.values(**values))


def _end(connection: Connection, ending: Update) -> bool:
    ended = connection.execute(
        ending.returning(
            upload_job.c.upload_job_id,
            upload_job.c.domain_id,
            upload_job.c.completed_at,
            literal_column(WEBHOOK_URL_OF_JOB),
        )
    ).one_or_none()
    if ended is None:
        return False
    upload_job_id, domain_id, completed_at, url = ended
    if url is not None:
        webhooks.insert_delivery(connection, upload_job_id, domain_id=domain_id, url=url, now=completed_at)
    return True


def forget_unstarted_files(connection: Connection, *, received_before: datetime) -> None:
    """Remove the file of jobs that received it long ago and were never started; they need a new PUT."""
    connection.execute(
        update(upload_job)
        .where(
            upload_job.c.status == UploadJobStatus.CREATED,
            upload_job.c.file_received_at < received_before,
        )
        .values(file_name=None, file_size_bytes=None, file_received_at=None)
    )


def give_up_files(connection: Connection, now: datetime) -> tuple[int, int]:
    """Forget all uploaded files, which nobody can read any more.

    Jobs that were started end as FAILED, whatever they have written; the others need a new PUT.

    Returns:
        how many ended, and how many had a file and need a new one.
    """
    running = select(upload_job.c.upload_job_id, upload_job.c.undo_days).where(
        upload_job.c.status == UploadJobStatus.IN_PROGRESS, upload_job.c.kind != UNDO.name
    )
    ended = connection.execute(running).all()
    for upload_job_id, undo_days in ended:
        connection.execute(
            update(upload_job)
            .where(upload_job.c.upload_job_id == upload_job_id)
            .values(
                status=UploadJobStatus.FAILED,
                status_reason=INTERNAL_FAILURE,
                failure_message=KEY_LOST_MESSAGE,
                completed_at=now,
                undo_until=now + timedelta(days=undo_days) if undo_days else None,
                lease_owner=None,
                lease_until=None,
                client_token=None,
                file_name=None,
            )
        )
    forgotten = connection.execute(
        update(upload_job)
        .where(upload_job.c.status == UploadJobStatus.CREATED, upload_job.c.file_name.is_not(None))
        .values(file_name=None, file_size_bytes=None, file_received_at=None)
    )
    return len(ended), forgotten.rowcount


def forget_old_failed_rows_keys(connection: Connection, *, completed_before: datetime) -> None:
    """Remove the key of failed rows from old jobs that have none left."""
    has_rows = exists().where(failed_row.c.upload_job_id == upload_job.c.upload_job_id)
    connection.execute(
        update(upload_job)
        .where(upload_job.c.completed_at < completed_before, upload_job.c.failed_rows_key.is_not(None), ~has_rows)
        .values(failed_rows_key=None)
    )


def remove_abandoned_checks(connection: Connection, *, checked_before: datetime) -> None:
    """Remove jobs that were never started, if their last preview ended before the given time.

    Their files are removed as those of no job.
    """
    preview = upload_job.alias()
    previewed = (
        select(preview.c.preview_of)
        .where(preview.c.kind == PREVIEW.name)
        .group_by(preview.c.preview_of)
        .having(
            func.count() == func.count(preview.c.completed_at),
            func.max(preview.c.completed_at, type_=preview.c.completed_at.type) < checked_before,
        )
    )
    ids = list(connection.execute(previewed).scalars())
    connection.execute(
        delete(upload_job).where(
            upload_job.c.upload_job_id.in_(ids),
            upload_job.c.started_at.is_(None),
            upload_job.c.status.in_((UploadJobStatus.CREATED, UploadJobStatus.STOPPED)),
        )
    )


def remove_old_previews(connection: Connection, *, completed_before: datetime) -> None:
    """Remove previews that ended before the given time, once nothing of theirs is left."""
    has_rows = has_rows_of_job(upload_job.c.upload_job_id)
    connection.execute(
        delete(upload_job).where(
            upload_job.c.kind == PREVIEW.name, upload_job.c.completed_at < completed_before, ~has_rows
        )
    )


def stop_previews(connection: Connection, job: UploadJob, now: datetime) -> None:
    """End the previews of a job, whose file they can soon read no more; those that run end at their next chunk."""
    running = (
        upload_job.c.domain_id == job.domain_id,
        upload_job.c.preview_of == job.upload_job_id,
        upload_job.c.status == UploadJobStatus.IN_PROGRESS,
    )
    connection.execute(
        update(upload_job)
        .where(*running, upload_job.c.epoch == 0)
        .values(
            status=UploadJobStatus.STOPPED,
            stop_requested_at=now,
            completed_at=now,
            client_token=None,
            file_name=None,
        )
    )
    connection.execute(
        update(upload_job)
        .where(*running, upload_job.c.epoch > 0, upload_job.c.stop_requested_at.is_(None))
        .values(stop_requested_at=now)
    )


def list_preview_samples(connection: Connection, upload_job_id: int) -> list[tuple[int, bytes]]:
    """List the samples of a preview: number and encrypted content."""
    rows = connection.execute(
        select(preview_sample.c.number, preview_sample.c.content)
        .where(preview_sample.c.upload_job_id == upload_job_id)
        .order_by(preview_sample.c.number)
    )
    return [(number, content) for number, content in rows]


def list_job_keys(connection: Connection) -> list[tuple[str, bytes | None, bytes | None]]:
    """List the jobs with keys: job id, key of the file and key of the failed rows, as stored."""
    rows = connection.execute(
        select(upload_job.c.job_id, upload_job.c.client_token, upload_job.c.failed_rows_key).where(
            or_(upload_job.c.client_token.is_not(None), upload_job.c.failed_rows_key.is_not(None))
        )
    )
    return [(job_id, client_token, failed_rows_key) for job_id, client_token, failed_rows_key in rows]


def replace_job_keys(
    connection: Connection, job_id: str, client_token: bytes | None, failed_rows_key: bytes | None
) -> None:
    """Store the keys of a job as another master key encrypts them."""
    connection.execute(
        update(upload_job)
        .where(upload_job.c.job_id == job_id)
        .values(client_token=client_token, failed_rows_key=failed_rows_key)
    )


def is_any_leased(connection: Connection, now: datetime) -> bool:
    """Return whether any job is leased, even by a worker that died."""
    leased = select(upload_job.c.job_id).where(upload_job.c.lease_until > now).limit(1)
    return connection.execute(leased).first() is not None


def list_job_files(connection: Connection) -> list[tuple[str, str]]:
    """List the uploaded files that some job may still read: job id and name of the file."""
    query = select(upload_job.c.job_id, upload_job.c.file_name).where(
        upload_job.c.file_name.is_not(None),
        upload_job.c.status.in_([UploadJobStatus.CREATED, UploadJobStatus.IN_PROGRESS]),
    )
    return [(job_id, file_name) for job_id, file_name in connection.execute(query)]


def list_running_job_ids(connection: Connection) -> set[str]:
    """List the ids of the jobs that are IN_PROGRESS."""
    query = select(upload_job.c.job_id).where(upload_job.c.status == UploadJobStatus.IN_PROGRESS)
    return set(connection.execute(query).scalars())


def _claimable(now: datetime | BindParameter[Any]) -> tuple[ColumnElement[bool], ...]:
    other = upload_job.alias()
    readers = [kind for kind in KINDS.values() if kind.lane is Lane.READ]
    may_block = and_(
        other.c.domain_id == upload_job.c.domain_id,
        other.c.status == UploadJobStatus.IN_PROGRESS,
        # One of a kind that this version does not know may write.
        ~_is_of(other, readers),
    )
    ahead = exists().where(
        may_block,
        or_(
            # A job that was begun continues first, although a host whose clock is behind started another one earlier:
            # its loader may still live.
            and_(other.c.epoch > 0, upload_job.c.epoch == 0),
            and_(
                or_(other.c.epoch > 0, upload_job.c.epoch == 0),
                tuple_(other.c.started_at, other.c.upload_job_id)
                < tuple_(upload_job.c.started_at, upload_job.c.upload_job_id),
            ),
        ),
    )
    running = exists().where(may_block, other.c.upload_job_id != upload_job.c.upload_job_id, other.c.lease_until > now)
    return (
        upload_job.c.status == UploadJobStatus.IN_PROGRESS,
        _is_of(upload_job, KINDS.values()),
        or_(upload_job.c.lease_until.is_(None), upload_job.c.lease_until <= now),
        or_(
            _is_of(upload_job, readers),
            # The second also when the order of starting is not that of the clock: two loads of one domain must never
            # overlap.
            and_(~ahead, ~running),
        ),
    )


def _is_of(job: FromClause, kinds: Iterable[JobKind]) -> ColumnElement[bool]:
    # Without a list of parameters, which a prepared query does not take.
    return or_(*(job.c.kind == kind.name for kind in kinds))


def _running_in_domain(now: datetime) -> ColumnElement[int]:
    """Build SQL for the number of jobs of the job's domain that workers run."""
    other = upload_job.alias()
    return (
        select(func.count())
        .where(
            other.c.domain_id == upload_job.c.domain_id,
            other.c.status == UploadJobStatus.IN_PROGRESS,
            other.c.lease_until > now,
        )
        .scalar_subquery()
    )


def _update_leased(connection: Connection, job: UploadJob, **values: Any) -> bool:
    return connection.execute(_leased(job).values(**values)).rowcount == 1


def _leased(job: UploadJob) -> Update:
    return update(upload_job).where(
        upload_job.c.upload_job_id == job.upload_job_id,
        upload_job.c.status == UploadJobStatus.IN_PROGRESS,
        upload_job.c.lease_owner == job.lease_owner,
        upload_job.c.epoch == job.epoch,
    )


def _failed_rows(faults: Iterable[Row[Any]]) -> Iterator[FailedRow]:
    for record, of_record in itertools.groupby(faults, key=lambda row: row.record):
        found = list(of_record)
        yield FailedRow(
            record,
            found[0].line,
            tuple(RowFault(row.code, row.column_name, row.detail) for row in found),
            found[0].content,
        )


def _one(connection: Connection, condition: Any) -> UploadJob | None:
    row = connection.execute(select(*_JOB_COLUMNS).where(condition)).one_or_none()
    return None if row is None else _job(row)


def _job(row: Row[Any]) -> UploadJob:
    return _make_job(row._asdict())


def _make_job(values: dict[str, Any]) -> UploadJob:
    return UploadJob(**{**values, "status": UploadJobStatus(values["status"])})


_OF_DOMAIN_AND_ID = select(*_JOB_COLUMNS).where(
    upload_job.c.domain_id == bindparam("domain_id"), upload_job.c.job_id == bindparam("job_id")
)
_BY_DOMAIN_AND_ID = PreparedQuery(_OF_DOMAIN_AND_ID, _make_job)
_BY_DOMAIN_AND_ID_FOR_CHANGE = PreparedQuery(_OF_DOMAIN_AND_ID.with_for_update(key_share=True), _make_job)
_CLAIMABLE = PreparedQuery(
    select(upload_job.c.upload_job_id).where(*_claimable(bindparam("now", type_=Moment()))).limit(1),
    lambda row: int(row["upload_job_id"]),
)
