"""Check whether the store can be written, before a request needs it."""

from __future__ import annotations

from sqlalchemy import text

from openprofiles.store.connections import Store


def check_writable(store: Store) -> None:
    """Write what is there already.

    Raises:
        StoreNotWritable: it cannot be written, perhaps for want of room.
        Busy: somebody else writes for long.
        StoreUnreachable: it does not answer.
    """
    with store.write() as connection:
        connection.execute(text("update alembic_version set version_num = version_num"))
