"""Domains as rows, and the fields that a domain's upload jobs have indexed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.records import Domain
from openprofiles.store.prepared import PreparedQuery
from openprofiles.store.tables import domain as table
from openprofiles.store.tables import indexed_field, job


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
                object_salt=secrets.token_bytes(16),
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


def find_domain_by_number(connection: Connection, domain_id: int) -> Domain | None:
    """Find the domain of this row number; None if it is deleted."""
    query = select(table).where(table.c.domain_id == domain_id, table.c.deleted_at.is_(None))
    row = connection.execute(query).one_or_none()
    return None if row is None else _domain_of(row)


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


def read_indexed_paths(connection: Connection, domain_id: int) -> frozenset[str]:
    """Read the paths of fields, other than standard keys, by which upload jobs find profiles."""
    return frozenset(_INDEXED_PATHS.all(connection, of_domain=domain_id))


def mark_deleted(connection: Connection, domain_id: int, now: datetime) -> None:
    """Mark a domain as deleted, free its name, and stop its jobs."""
    connection.execute(update(table).where(table.c.domain_id == domain_id).values(deleted_at=now))
    connection.execute(
        update(job)
        .where(
            job.c.domain_id == domain_id,
            job.c.status == "IN_PROGRESS",
            job.c.stop_requested_at.is_(None),
        )
        .values(stop_requested_at=now)
    )


def _domain_of(row: Row[Any]) -> Domain:
    return _make_domain(row._asdict())


def _make_domain(row: dict[str, Any]) -> Domain:
    return Domain(**{name: row[name] for name in _DOMAIN_COLUMNS})


_DOMAIN_COLUMNS = [field.name for field in fields(Domain)]
_NAMED = select(*(table.c[name] for name in _DOMAIN_COLUMNS)).where(
    table.c.name == bindparam("name"), table.c.deleted_at.is_(None)
)
_BY_NAME = PreparedQuery(_NAMED, _make_domain)
# The key stays as it is, so rows that refer to the domain need not wait.
_BY_NAME_FOR_CHANGE = PreparedQuery(_NAMED.with_for_update(key_share=True), _make_domain)
_INDEXED_PATHS = PreparedQuery(
    select(indexed_field.c.path).where(indexed_field.c.domain_id == bindparam("of_domain")),
    lambda row: str(row["path"]),
)
