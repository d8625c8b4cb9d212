"""Credentials in the store. Secrets are read and written encrypted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import insert, select, text, update
from sqlalchemy.engine import Connection, Row

from openprofiles.store.tables import credential


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """One credential as it is stored.

    Attributes:
        secret: encrypted with the master key.
        requests_per_second: the rate it is held to, or None.
        revoked_at: from when on it is refused, or None.
    """

    access_key_id: str
    name: str
    secret: bytes
    actions: tuple[str, ...]
    domains: tuple[str, ...]
    requests_per_second: float | None
    created_at: datetime
    revoked_at: datetime | None = None


def lock_credentials(connection: Connection) -> None:
    """Have nobody else write a credential until the end of the write transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("lock table credential in share row exclusive mode"))


def insert_credential(connection: Connection, new: StoredCredential) -> None:
    connection.execute(insert(credential).values(asdict(new)))


def find_credential(connection: Connection, access_key_id: str) -> StoredCredential | None:
    """Find the credential with this access key id, revoked or not."""
    row = connection.execute(select(credential).where(credential.c.access_key_id == access_key_id)).one_or_none()
    return None if row is None else _from_row(row)


def list_credentials(connection: Connection) -> list[StoredCredential]:
    """List all credentials, oldest first, including revoked ones."""
    rows = connection.execute(select(credential).order_by(credential.c.created_at, credential.c.access_key_id))
    return [_from_row(row) for row in rows]


def has_credentials(connection: Connection) -> bool:
    """Return whether a credential was ever created, revoked or not."""
    return connection.execute(select(credential.c.access_key_id).limit(1)).first() is not None


def replace_secret(connection: Connection, access_key_id: str, secret: bytes) -> None:
    """Store a credential's secret as another master key encrypts it."""
    connection.execute(update(credential).where(credential.c.access_key_id == access_key_id).values(secret=secret))


def mark_revoked(connection: Connection, access_key_id: str, now: datetime) -> None:
    """Revoke a credential; one that was revoked before keeps its time."""
    connection.execute(
        update(credential)
        .where(credential.c.access_key_id == access_key_id, credential.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def _from_row(row: Row[tuple[object, ...]]) -> StoredCredential:
    values = row._asdict()
    return StoredCredential(**values | {"actions": tuple(values["actions"]), "domains": tuple(values["domains"])})
