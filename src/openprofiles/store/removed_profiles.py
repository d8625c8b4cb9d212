"""The ids of profiles that were removed while a segment of their domain was followed, so that events can name them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, insert, select
from sqlalchemy.engine import Connection

from openprofiles.store.subscription_states import is_followed_sql
from openprofiles.store.tables import profile
from openprofiles.store.tables import removed_profile as table


def keep_ids(connection: Connection, domain_id: int, is_row: ColumnElement[bool], now: datetime) -> None:
    """Keep the ids of profiles that are about to be removed.

    If no segment of the domain is followed, none is needed.

    Args:
        is_row: the condition for these profiles.
    """
    if connection.exec_driver_sql(is_followed_sql(domain_id)).one_or_none() is None:
        return
    found = connection.execute(select(profile.c.domain_id, profile.c.pid, profile.c.profile_id).where(is_row))
    rows = [{**row._asdict(), "removed_at": now} for row in found]
    if rows:
        connection.execute(insert(table), rows)


def read_ids_of_removed(connection: Connection, domain_id: int, pids: Collection[int]) -> dict[int, str]:
    """Read the ids that were kept of these row numbers."""
    found = select(table.c.pid, table.c.profile_id).where(table.c.domain_id == domain_id, table.c.pid.in_(pids))
    return dict(connection.execute(found).all())
