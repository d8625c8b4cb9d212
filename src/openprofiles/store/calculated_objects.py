"""The objects that calculated attributes are computed from, as they are stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, select, type_coerce
from sqlalchemy.engine import Connection

from openprofiles.store.tables import object_list
from openprofiles.store.tables import profile_object as table

_ROWS_AT_ONCE = 5_000


def read_objects(
    connection: Connection,
    domain_id: int,
    object_type_id: int,
    now: datetime,
    *,
    pids: Sequence[int] | range | None = None,
) -> Iterator[tuple[int, int, int, str]]:
    """Read the unexpired objects of a type, those of one profile after the other.

    Args:
        pids: of these profiles of the domain, or of those in a range of row numbers; None: of all in the domain.

    Yields:
        the row number of the profile, the number of the object, when it was ingested last in milliseconds since 1970,
        and its JSON text.
    """
    query = (
        select(
            object_list.c.pid,
            object_list.c.object_no,
            type_coerce(table.c.updated_at, BigInteger),
            table.c.content,
        )
        .join(table, table.c.object_no == object_list.c.object_no)
        .where(object_list.c.object_type_id == object_type_id, table.c.expires_at > now)
        .order_by(object_list.c.pid, object_list.c.object_no)
    )
    # SQLite has no statistics here: with the domain it would read all objects of it by the index of their expiry.
    if pids is None:
        query = query.where(table.c.domain_id == domain_id)
    elif isinstance(pids, range):
        is_of_domain = table.c.domain_id + 0 == domain_id
        query = query.where(object_list.c.pid.between(pids.start, pids.stop - 1), is_of_domain)
    else:
        query = query.where(object_list.c.pid.in_(pids))
    found = connection.execution_options(stream_results=True).execute(query)
    for some in found.partitions(_ROWS_AT_ONCE):
        yield from ((row[0], row[1], row[2], row[3]) for row in some)
