"""Upload jobs and previews as rows: what they have in addition to every job, and their rows of other tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Update,
    bindparam,
    delete,
    exists,
    func,
    inspect,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.engine import Connection

from openprofiles.job_kinds import PREVIEWS, UNDOS, UPLOADS, Unit
from openprofiles.store.job_queue import Job, columns_of, lock_job
from openprofiles.store.prepared import PreparedQuery
from openprofiles.store.tables import (
    domain,
    failed_row,
    job,
    preview_sample,
    repeated_row,
    undo_job,
    upload_job,
)
from openprofiles.store.upload_job_states import INTERNAL_FAILURE, KEY_LOST_MESSAGE, UploadJobStatus


@dataclass(frozen=True, slots=True)
class UploadJob(Job):
    """An upload job or a preview, without what only its report needs; ``tables`` explains the columns."""

    display_name: str
    fields: dict[str, dict[str, str]]
    unique_key: str
    data_expiry_days: int
    client_token: bytes | None
    file_name: str | None
    file_size_bytes: int | None
    file_received_at: datetime | None
    record_count: int | None
    created_count: int
    updated_count: int
    unchanged_count: int
    failed_count: int
    pid_base: int | None
    failed_rows_key: bytes | None
    options: dict[str, Any] | None
    undo_days: int | None
    object_type: str | None

    @property
    def is_preview(self) -> bool:
        """Whether it is a preview, which AWS's API does not know."""
        return self.kind in PREVIEWS

    def amount(self, unit: Unit) -> tuple[int, int | None]:
        match unit:
            case Unit.BYTES:
                return self.done or 0, self.file_size_bytes
            case Unit.ROWS:
                loadable = None if self.record_count is None else self.record_count - self.failed_count
                return self.created_count + self.updated_count, loadable
        return self.position, None

    @property
    def undo_until(self) -> datetime | None:
        """Until when it can be undone, once it has ended; None if it cannot."""
        return self.completed_at + timedelta(days=self.undo_days) if self.completed_at and self.undo_days else None


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
        record: its number, from 1, without the header.
        line: the line of the file on which it begins, from 1.
        faults: all that is wrong with it, at least one.
        content: its bytes in the file without the line end, encrypted; None if they were not kept, such as those of a
            row that is longer than a row may be.
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


_UPLOAD_JOBS = job.join(upload_job, upload_job.c.job_number == job.c.job_number)


def find_job_made_with(connection: Connection, domain_id: int, create_token: str) -> UploadJob | None:
    """Find the job that was created with this token."""
    return _one(connection, _select().where(job.c.domain_id == domain_id, job.c.create_token == create_token))


def find_job(connection: Connection, domain_id: int, job_id: str, *, for_change: bool = False) -> UploadJob | None:
    """Find the job of this id in the domain.

    Args:
        for_change: hold the row until the end of the write transaction.
    """
    if for_change:
        lock_job(connection, job_id)
    return _BY_DOMAIN_AND_ID.one_or_none(connection, domain_id=domain_id, job_id=job_id)


def find_job_by_number(connection: Connection, domain_id: int, job_number: int) -> UploadJob | None:
    """Find the job of this row number in the domain."""
    return _one(connection, _select().where(job.c.domain_id == domain_id, job.c.job_number == job_number))


def find_job_by_id(connection: Connection, job_id: str, *, for_change: bool = False) -> UploadJob | None:
    """Find the job of this id in a domain that still exists.

    Args:
        for_change: hold the row until the end of the write transaction.
    """
    if for_change:
        lock_job(connection, job_id)
    query = _select().join(domain, domain.c.domain_id == job.c.domain_id)
    return _one(connection, query.where(job.c.job_id == job_id, domain.c.deleted_at.is_(None)))


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
    query = _select().where(job.c.domain_id == domain_id, job.c.kind.in_(UPLOADS))
    if status is not None:
        query = query.where(job.c.status == status)
    if not with_checks:
        preview = job.alias()
        previewed = select(preview.c.subject).where(preview.c.domain_id == domain_id, preview.c.kind.in_(PREVIEWS))
        query = query.where(or_(job.c.started_at.is_not(None), job.c.job_number.not_in(previewed)))
    if before is not None:
        place = (job.c.created_at, job.c.job_number)
        # With the columns' types: a bare datetime would be bound as text, which every number comes before.
        query = query.where(tuple_(*place) < tuple_(*before, types=[column.type for column in place]))
    query = query.order_by(job.c.created_at.desc(), job.c.job_number.desc()).limit(limit)
    return [UploadJob.of_row(row._asdict()) for row in connection.execute(query)]


def list_creations(connection: Connection, domain_id: int, *, limit: int) -> list[Creation]:
    """List the profiles that the newest jobs created and the newest undos removed.

    Args:
        limit: how many jobs and undos to read; those that made nothing are among them.
    """
    at = func.coalesce(job.c.completed_at, job.c.started_at, job.c.created_at, type_=job.c.created_at.type)
    rows = connection.execute(
        select(at, func.coalesce(upload_job.c.created_count, -undo_job.c.removed_count))
        .outerjoin_from(job, upload_job, upload_job.c.job_number == job.c.job_number)
        .outerjoin(undo_job, undo_job.c.job_number == job.c.job_number)
        .where(job.c.domain_id == domain_id, job.c.kind.in_((*UPLOADS, *UNDOS)))
        .order_by(job.c.created_at.desc(), job.c.job_number.desc())
        .limit(limit)
    )
    return [Creation(*row) for row in rows]


def update_job(connection: Connection, upload: UploadJob, **values: Any) -> None:
    """Change what an upload job has in addition to every job; the caller holds its row."""
    connection.execute(update(upload_job).where(upload_job.c.job_number == upload.job_number).values(**values))


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
    query = select(upload_job.c.fault_counts).where(upload_job.c.job_number == upload_job_id)
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


def read_findings(connection: Connection, upload_job_id: int) -> Findings:
    """Read the findings of a load about its file and its own work."""
    columns = columns_of(Findings, job, upload_job)
    query = select(*columns).select_from(_UPLOAD_JOBS).where(job.c.job_number == upload_job_id)
    return Findings(*connection.execute(query).one())


def forget_unstarted_files(connection: Connection, *, received_before: datetime) -> None:
    """Remove the file of jobs that received it long ago and were never started; they need a new PUT."""
    connection.execute(_forget_unstarted(upload_job.c.file_received_at < received_before))


def give_up_files(connection: Connection, now: datetime) -> tuple[int, int]:
    """Forget all uploaded files, which nobody can read any more.

    Jobs that were started end as FAILED, whatever they have written; the others need a new PUT.

    Returns:
        how many ended, and how many had a file and need a new one.
    """
    of_file = select(upload_job.c.job_number)
    running = (job.c.status == UploadJobStatus.IN_PROGRESS, job.c.job_number.in_(of_file))
    of_running = upload_job.c.job_number.in_(select(job.c.job_number).where(*running))
    connection.execute(update(upload_job).where(of_running).values(client_token=None, file_name=None))
    ended = connection.execute(
        update(job)
        .where(*running)
        .values(
            status=UploadJobStatus.FAILED,
            status_reason=INTERNAL_FAILURE,
            failure_message=KEY_LOST_MESSAGE,
            completed_at=now,
            lease_owner=None,
            lease_until=None,
        )
    )
    forgotten = connection.execute(_forget_unstarted(upload_job.c.file_name.is_not(None)))
    return ended.rowcount, forgotten.rowcount


def _forget_unstarted(condition: ColumnElement[bool]) -> Update:
    # Held, so that no other transaction starts them in the same moment.
    unstarted = select(job.c.job_number).select_from(_UPLOAD_JOBS).where(job.c.status == UploadJobStatus.CREATED)
    held = unstarted.where(condition).with_for_update(of=job, skip_locked=True)
    return (
        update(upload_job)
        # Again, for a file that came while the rows of the jobs were locked.
        .where(upload_job.c.job_number.in_(held), condition)
        .values(file_name=None, file_size_bytes=None, file_received_at=None)
    )


def forget_old_failed_rows_keys(connection: Connection, *, completed_before: datetime) -> None:
    """Remove the key of failed rows from old jobs that have none left."""
    has_rows = exists().where(failed_row.c.upload_job_id == upload_job.c.job_number)
    old = select(job.c.job_number).where(job.c.completed_at < completed_before)
    connection.execute(
        update(upload_job)
        .where(upload_job.c.failed_rows_key.is_not(None), upload_job.c.job_number.in_(old), ~has_rows)
        .values(failed_rows_key=None)
    )


def remove_abandoned_checks(connection: Connection, *, checked_before: datetime) -> None:
    """Remove jobs that were never started, if their last preview ended before the given time.

    Their files are removed as those of no job.
    """
    preview = job.alias()
    previews = select(preview.c.subject).where(preview.c.kind.in_(PREVIEWS))
    is_recent = or_(preview.c.completed_at.is_(None), preview.c.completed_at >= checked_before)
    connection.execute(
        delete(job).where(
            job.c.job_number.in_(previews),
            job.c.job_number.not_in(previews.where(is_recent)),
            job.c.started_at.is_(None),
            job.c.status.in_((UploadJobStatus.CREATED, UploadJobStatus.STOPPED)),
        )
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
        select(job.c.job_id, upload_job.c.client_token, upload_job.c.failed_rows_key)
        .select_from(_UPLOAD_JOBS)
        .where(or_(upload_job.c.client_token.is_not(None), upload_job.c.failed_rows_key.is_not(None)))
    )
    return [(job_id, client_token, failed_rows_key) for job_id, client_token, failed_rows_key in rows]


def replace_job_keys(
    connection: Connection, job_id: str, client_token: bytes | None, failed_rows_key: bytes | None
) -> None:
    """Store the keys of a job as another master key encrypts them."""
    of_job = select(job.c.job_number).where(job.c.job_id == job_id).scalar_subquery()
    connection.execute(
        update(upload_job)
        .where(upload_job.c.job_number == of_job)
        .values(client_token=client_token, failed_rows_key=failed_rows_key)
    )


def list_job_files(connection: Connection) -> list[tuple[str, str]]:
    """List the uploaded files that some job may still read: job id and name of the file."""
    # A backup may be of a store of an earlier version, which had one table of jobs.
    jobs = "upload_job join job using (job_number)" if inspect(connection).has_table("job") else "upload_job"
    rows = connection.exec_driver_sql(
        f"select job_id, file_name from {jobs} where file_name is not null and status in ('CREATED', 'IN_PROGRESS')"
    )
    return [(job_id, file_name) for job_id, file_name in rows]


def _failed_rows(faults: Iterable[Row[Any]]) -> Iterator[FailedRow]:
    for record, of_record in itertools.groupby(faults, key=lambda row: row.record):
        found = list(of_record)
        yield FailedRow(
            record,
            found[0].line,
            tuple(RowFault(row.code, row.column_name, row.detail) for row in found),
            found[0].content,
        )


def _select() -> Select[Any]:
    return select(*columns_of(UploadJob, job, upload_job)).select_from(_UPLOAD_JOBS)


def _one(connection: Connection, query: Select[Any]) -> UploadJob | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else UploadJob.of_row(row._asdict())


_BY_DOMAIN_AND_ID = PreparedQuery(
    _select().where(job.c.domain_id == bindparam("domain_id"), job.c.job_id == bindparam("job_id")), UploadJob.of_row
)
