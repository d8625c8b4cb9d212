"""Domains as rows, the fields that a domain's upload jobs have indexed, and the removal of a deleted domain's data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Row,
    Table,
    and_,
    any_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.profiles.records import Domain
from openprofiles.store.index_order import read_in_index_order
from openprofiles.store.prepared import PreparedQuery
from openprofiles.store.tables import (
    added_key,
    failed_row,
    indexed_field,
    ordered_record,
    pending_keys,
    preview_sample,
    profile,
    profile_key,
    repeated_row,
    saved_mapping,
    undo_absent_key,
    undo_image,
    undo_kept_profile,
    upload_job,
    webhook,
    webhook_delivery,
)
from openprofiles.store.tables import domain as table


def insert_domain(
    connection: Connection,
    name: str,
    *,
    config: Mapping[str, Any],
    tags: Mapping[str, str],
    default_expiration_days: int,
    phone_region: str,
    now: datetime,
) -> Domain:
    """Write a new domain.

    Raises:
        InvalidRequest: a domain of this name exists (and is not deleted).
    """
    try:
        row = connection.execute(
            insert(table)
            .values(
                name=name,
                config=dict(config),
                tags=dict(tags),
                default_expiration_days=default_expiration_days,
                phone_region=phone_region,
                created_at=now,
                updated_at=now,
            )
            .returning(*table.c)
        ).one()
    except IntegrityError as error:
        # The text is AWS's own; its CloudFormation handlers look for it (reference, section 14).
        raise InvalidRequest(f"Domain {name} already exists") from error
    return _domain_of(row)


def read_domain(connection: Connection, name: str, *, for_change: bool = False) -> Domain:
    """Read the domain of this name.

    Args:
        for_change: hold the row until the end of the write transaction.

    Raises:
        NotFound: the domain does not exist, or is deleted.
    """
    found = (_BY_NAME_FOR_CHANGE if for_change else _BY_NAME).one_or_none(connection, name=name)
    if found is None:
        raise NotFound(f"Domain {name} does not exist.")
    return found


def read_domains(connection: Connection, after_name: str, limit: int) -> list[Domain]:
    """Read up to ``limit`` domains after ``after_name``, by name (in code point order)."""
    rows = connection.execute(
        select(table).where(table.c.name > after_name, table.c.deleted_at.is_(None)).order_by(table.c.name).limit(limit)
    )
    return [_domain_of(row) for row in rows]


def read_all_domains(connection: Connection) -> list[Domain]:
    """Read every domain that is not deleted, oldest first."""
    rows = connection.execute(select(table).where(table.c.deleted_at.is_(None)).order_by(table.c.domain_id))
    return [_domain_of(row) for row in rows]


def lock_domain(connection: Connection, domain_id: int) -> None:
    """Lock the domain's row until the transaction ends, as every writer of its profiles does."""
    connection.execute(
        select(table.c.domain_id).where(table.c.domain_id == domain_id).with_for_update(key_share=True)
    ).one_or_none()


def update_domain(connection: Connection, domain: Domain) -> None:
    """Write the columns of a domain that a caller can change."""
    connection.execute(
        update(table)
        .where(table.c.domain_id == domain.domain_id)
        .values(
            config=dict(domain.config),
            tags=dict(domain.tags),
            default_expiration_days=domain.default_expiration_days,
            updated_at=domain.updated_at,
        )
    )


def count_write(connection: Connection, domain_id: int, profiles_added: int = 0) -> None:
    """Note that profiles or keys of the domain changed: increase its version and its count of profiles."""
    connection.execute(
        update(table)
        .where(table.c.domain_id == domain_id)
        .values(key_version=table.c.key_version + 1, profile_count=table.c.profile_count + profiles_added)
    )


def read_indexed_paths(connection: Connection, domain_id: int) -> frozenset[str]:
    """Read the paths of fields, other than standard keys, by which upload jobs find profiles."""
    paths = connection.execute(select(indexed_field.c.path).where(indexed_field.c.domain_id == domain_id))
    return frozenset(paths.scalars())


def mark_deleted(connection: Connection, domain_id: int, now: datetime) -> None:
    """Mark a domain as deleted, free its name, and stop its upload jobs."""
    connection.execute(update(table).where(table.c.domain_id == domain_id).values(deleted_at=now))
    connection.execute(
        update(upload_job)
        .where(
            upload_job.c.domain_id == domain_id,
            upload_job.c.status == "IN_PROGRESS",
            upload_job.c.stop_requested_at.is_(None),
        )
        .values(stop_requested_at=now)
    )


def remove_deleted_domain_step(connection: Connection, now: datetime, limit: int) -> int:
    """Remove up to ``limit`` rows of one deleted domain; the domain's own row goes last.

    A domain with a job that a worker is still running waits until the job has ended or its lease has run out. What
    is removed is never more than one kind of rows, so that a step stays short.

    Args:
        now: decides whether a lease is still good.

    Returns:
        How many rows were removed; another step may find more unless it is 0.
    """
    of_running_job = exists().where(
        upload_job.c.domain_id == table.c.domain_id,
        upload_job.c.status == "IN_PROGRESS",
        upload_job.c.lease_until > now,
    )
    domain_id = connection.execute(
        select(table.c.domain_id)
        .where(table.c.deleted_at.is_not(None), ~of_running_job)
        .order_by(table.c.domain_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).scalar_one_or_none()
    if domain_id is None:
        return 0
    read_in_index_order(connection)
    jobs = select(upload_job.c.upload_job_id).where(upload_job.c.domain_id == domain_id).scalar_subquery()
    # Jobs before data: a job that is gone cannot be claimed and write more.
    for of_jobs in _TABLES_OF_JOBS:
        if removed := _remove_some(connection, of_jobs, of_jobs.c.upload_job_id.in_(jobs), limit):
            return removed
    for of_domain in (webhook_delivery, upload_job, profile_key):
        if removed := _remove_some(connection, of_domain, of_domain.c.domain_id == domain_id, limit):
            return removed
    if removed := _remove_some_profiles(connection, domain_id, limit):
        return removed
    for of_domain in (indexed_field, saved_mapping, webhook, table):
        if removed := _remove_some(connection, of_domain, of_domain.c.domain_id == domain_id, limit):
            return removed
    return 0


_TABLES_OF_JOBS = (
    failed_row,
    repeated_row,
    preview_sample,
    undo_image,
    undo_absent_key,
    undo_kept_profile,
    pending_keys,
    ordered_record,
)
# Rows of these may have up to a megabyte.
_LIMITS = {failed_row.name: 300, preview_sample.name: 300, undo_image.name: 10, pending_keys.name: 10}


def _remove_some(connection: Connection, from_table: Table, condition: ColumnElement[bool], limit: int) -> int:
    """Remove up to ``limit`` rows that match the condition; return their number."""
    limit = min(limit, _LIMITS.get(from_table.name, limit))
    key = tuple(from_table.primary_key)
    rows = select(*key).where(condition).limit(limit)
    if "domain_id" in from_table.c:
        rows = rows.order_by(*key)
    if connection.dialect.name == "sqlite":
        return _remove_by_key(connection, from_table, connection.execute(rows).all())
    # By the places of the rows: ten times as fast as by their keys.
    places = rows.with_only_columns(literal_column(f"{from_table.name}.ctid")).correlate(None).scalar_subquery()
    is_there = literal_column("ctid") == any_(func.array(places))
    return connection.execute(delete(from_table).where(condition, is_there)).rowcount


def _remove_by_key(connection: Connection, from_table: Table, keys: Sequence[Row[Any]]) -> int:
    if keys:
        # One by one: for a range of keys SQLite walks everything that the domain has in the table. The driver itself
        # takes them, twice as fast as SQLAlchemy.
        is_row = " and ".join(f"{column.name} = ?" for column in from_table.primary_key)
        connection.exec_driver_sql(f"delete from {from_table.name} where {is_row}", [tuple(key) for key in keys])
    return len(keys)


def _remove_some_profiles(connection: Connection, domain_id: int, limit: int) -> int:
    """Remove hand-added keys of up to ``limit`` profiles; once they are gone, the profiles."""
    is_of_domain = profile.c.domain_id == domain_id
    pids = list(
        connection.execute(
            select(profile.c.pid).where(is_of_domain).order_by(profile.c.domain_id, profile.c.expires_at).limit(limit)
        ).scalars()
    )
    if not pids:
        return 0
    if removed := _remove_some(connection, added_key, added_key.c.pid.in_(pids), limit):
        return removed
    is_row: ColumnElement[bool] = profile.c.pid.in_(pids)
    if connection.dialect.name == "postgresql":
        is_row = and_(is_of_domain, profile.c.pid == any_(cast(pids, ARRAY(BigInteger))))
    return connection.execute(delete(profile).where(is_row)).rowcount


def _domain_of(row: Row[Any]) -> Domain:
    return _make_domain(row._asdict())


def _make_domain(row: dict[str, Any]) -> Domain:
    return Domain(**{name: row[name] for name in _DOMAIN_COLUMNS})


_DOMAIN_COLUMNS = [field.name for field in fields(Domain)]
_NAMED = select(*(table.c[name] for name in _DOMAIN_COLUMNS)).where(
    table.c.name == bindparam("name"), table.c.deleted_at.is_(None)
)
_BY_NAME = PreparedQuery(_NAMED, _make_domain)
# The key stays as it is, so rows that refer to the domain (a new upload job) need not wait.
_BY_NAME_FOR_CHANGE = PreparedQuery(_NAMED.with_for_update(key_share=True), _make_domain)
