"""Remove the rows of deleted domains, and jobs and their rows that have been kept long enough.

Which tables these are, and in which order, follows from what each table says of its rows (``owned_rows``). Each step
removes rows of one table of a deleted domain, or some rows of each table of ended jobs, so that its transaction stays
short.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Row,
    Table,
    and_,
    any_,
    case,
    cast,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.engine import Connection

from openprofiles.clock import to_milliseconds
from openprofiles.job_kinds import KINDS, SEGMENT_SNAPSHOT, UNDOS
from openprofiles.store.index_order import read_in_index_order
from openprofiles.store.owned_rows import Kept, Owner, owned_rows
from openprofiles.store.profile_sets import SetOwner, remove_set
from openprofiles.store.tables import (
    FOR_EXPIRY_INDEX,
    definition,
    definition_body,
    domain,
    job,
    metadata,
    object_unique,
    profile,
    tables_of,
    upload_job,
)
from openprofiles.store.upload_job_states import UploadJobStatus

# What is kept for an undo goes this much later than the undo can be requested, so that no host whose clock is behind
# requests it too late.
_GRACE = timedelta(days=1)
_MILLISECONDS_PER_DAY = 86_400_000


def remove_deleted_domain_step(connection: Connection, now: datetime, limit: int) -> int:
    """Remove up to ``limit`` rows of one deleted domain; the domain's own row goes last.

    A domain with a job that a worker is still running waits until the job has ended or its lease has run out.

    Args:
        now: decides whether a lease is still good.

    Returns:
        How many rows were removed; another step may find more unless it is 0.
    """
    of_running_job = exists().where(
        job.c.domain_id == domain.c.domain_id,
        job.c.status == UploadJobStatus.IN_PROGRESS,
        job.c.lease_until > now,
    )
    domain_id = connection.execute(
        select(domain.c.domain_id)
        .where(domain.c.deleted_at.is_not(None), ~of_running_job)
        .order_by(domain.c.domain_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).scalar_one_or_none()
    if domain_id is None:
        return 0
    read_in_index_order(connection)
    jobs = select(job.c.job_number).where(job.c.domain_id == domain_id).scalar_subquery()
    # What jobs own goes before them, since it is found through ``job``. They go before keys and profiles: a job that is
    # gone cannot be claimed and write more.
    for table in reversed(metadata.tables.values()):
        owner = owned_rows(table).owner
        if table is profile:
            removed = _remove_some_profiles(connection, domain_id, limit)
        elif owner is Owner.UPLOAD_JOB:
            removed = _remove_some(connection, table, table.c.upload_job_id.in_(jobs), limit)
        elif owner is Owner.DOMAIN:
            removed = _remove_some(connection, table, table.c.domain_id == domain_id, limit)
        else:
            continue
        if removed:
            return removed
    return 0


def remove_rows_of_ended_jobs_step(
    connection: Connection, now: datetime, limit: int, *, failed_rows_days: int | None, replaced_values_days: int
) -> int:
    """Remove up to ``limit`` expired rows of ended jobs from each table.

    Args:
        failed_rows_days: how long failed rows are kept; None: not known, so that only data for undo is removed.
        replaced_values_days: how long what a job has replaced is kept, if longer than the job can be undone.

    Returns:
        the highest number of rows removed from one table; another step may find more unless it is 0.
    """
    undo = job.alias()
    is_being_undone = exists().where(
        undo.c.subject == job.c.job_number,
        undo.c.kind.in_(UNDOS),
        undo.c.status == UploadJobStatus.IN_PROGRESS,
    )
    undo_days = cast(upload_job.c.undo_days, BigInteger)
    kept_days = case((undo_days < replaced_values_days, replaced_values_days), else_=undo_days)
    kept_milliseconds = kept_days * _MILLISECONDS_PER_DAY
    undo_until = type_coerce(job.c.completed_at, BigInteger) + kept_milliseconds
    is_over = {Kept.FOR_UNDO: and_(undo_until < to_milliseconds(now - _GRACE), ~is_being_undone)}
    if failed_rows_days is not None:
        is_old = job.c.completed_at < now - timedelta(days=failed_rows_days)
        is_over[Kept.AS_FAILED_ROWS] = or_(is_old, _is_expired(now))
        # An undo whose last loader died before it had given up continues with its own, once it is requested again.
        is_over[Kept.WHILE_IT_RUNS] = and_(
            job.c.status != UploadJobStatus.IN_PROGRESS,
            or_(job.c.kind.not_in(UNDOS), job.c.status != UploadJobStatus.FAILED, is_old),
        )
    of_upload = upload_job.c.job_number == job.c.job_number
    most = 0
    for table in tables_of(Owner.UPLOAD_JOB):
        kept = owned_rows(table).kept
        if kept not in is_over or not connection.execute(select(exists().select_from(table))).scalar_one():
            continue
        jobs = select(job.c.job_number).outerjoin(upload_job, of_upload).where(is_over[kept]).scalar_subquery()
        most = max(most, _remove_some(connection, table, table.c.upload_job_id.in_(jobs), limit))
    return most


def remove_deleted_definitions_step(connection: Connection, _now: datetime, limit: int) -> int:
    """Remove up to ``limit`` deleted definitions with their bodies; return their number.

    An object type stays until its objects are removed.
    """
    has_objects = exists().where(
        object_unique.c.domain_id == definition.c.domain_id,
        object_unique.c.object_type_id == definition.c.definition_id,
    )
    limit = min(limit, owned_rows(definition_body).rows_at_once)
    rows = connection.execute(
        select(definition.c.domain_id, definition.c.definition_id)
        .where(definition.c.deleted_at.is_not(None), ~has_objects)
        .order_by(definition.c.definition_id)
        .limit(limit)
    ).all()
    for domain_id, definition_id in rows:
        connection.execute(
            delete(definition_body).where(
                definition_body.c.domain_id == domain_id, definition_body.c.definition_id == definition_id
            )
        )
        connection.execute(delete(definition).where(definition.c.definition_id == definition_id))
    return len(rows)


def remove_expired_jobs(connection: Connection, now: datetime) -> None:
    """Remove jobs that their kind keeps for some days, once they own no other rows."""
    has_rows = (exists().where(table.c.upload_job_id == job.c.job_number) for table in tables_of(Owner.UPLOAD_JOB))
    is_over = and_(_is_expired(now), ~or_(*has_rows))
    exports = select(job.c.domain_id, job.c.job_number).where(is_over, job.c.kind == SEGMENT_SNAPSHOT.name)
    for domain_id, number in connection.execute(exports).all():
        remove_set(connection, domain_id, SetOwner.SNAPSHOT, number)
    connection.execute(delete(job).where(is_over))


def _is_expired(now: datetime) -> ColumnElement[bool]:
    return or_(
        *(
            and_(job.c.kind == kind.name, job.c.completed_at < now - timedelta(days=kind.kept_days))
            for kind in KINDS.values()
            if kind.kept_days is not None
        )
    )


def _remove_some(connection: Connection, table: Table, condition: ColumnElement[bool], limit: int) -> int:
    """Remove up to ``limit`` rows that match the condition; return their number."""
    limit = min(limit, owned_rows(table).rows_at_once)
    key = tuple(table.primary_key)
    rows = select(*key).where(condition).limit(limit)
    if "domain_id" in table.c:
        rows = rows.order_by(*key)
    if connection.dialect.name == "sqlite":
        return _remove_by_key(connection, table, connection.execute(rows).all())
    # By the places of the rows: ten times as fast as by their keys.
    places = rows.with_only_columns(literal_column(f"{table.name}.ctid")).correlate(None).scalar_subquery()
    is_there = literal_column("ctid") == any_(func.array(places))
    return connection.execute(delete(table).where(condition, is_there)).rowcount


def _remove_by_key(connection: Connection, table: Table, keys: Sequence[Row[Any]]) -> int:
    if keys:
        # One by one: for a range of keys SQLite walks everything that the domain has in the table. The driver itself
        # takes them, twice as fast as SQLAlchemy.
        is_row = " and ".join(f"{column.name} = ?" for column in table.primary_key)
        connection.exec_driver_sql(f"delete from {table.name} where {is_row}", [tuple(key) for key in keys])
    return len(keys)


def _remove_some_profiles(connection: Connection, domain_id: int, limit: int) -> int:
    """Remove what up to ``limit`` profiles own; once that is gone, the profiles."""
    is_of_domain = profile.c.domain_id == domain_id
    pids = list(
        connection.execute(
            select(profile.c.pid)
            .where(is_of_domain, FOR_EXPIRY_INDEX)
            .order_by(profile.c.domain_id, profile.c.expires_at)
            .limit(limit)
        ).scalars()
    )
    if not pids:
        return 0
    for table in tables_of(Owner.PROFILE):
        if removed := _remove_some(connection, table, table.c.pid.in_(pids), limit):
            return removed
    is_row: ColumnElement[bool] = profile.c.pid.in_(pids)
    if connection.dialect.name == "postgresql":
        is_row = and_(is_of_domain, profile.c.pid == any_(cast(pids, ARRAY(BigInteger))))
    return connection.execute(delete(profile).where(is_row)).rowcount
