"""Insert domains and upload jobs as rows of a store, for tests of queries."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert

from openprofiles.clock import from_milliseconds
from openprofiles.profiles import domains
from openprofiles.profiles.records import Domain
from openprofiles.store import tables
from openprofiles.store.connections import Store

NOW = from_milliseconds(1_780_000_000_123)


def make_domain(store: Store, name: str) -> Domain:
    return domains.create_domain(
        store, name, default_expiration_days=30, config={}, tags={}, phone_region="US", now=NOW
    )


def kind_of(values: dict[str, Any]) -> str:
    """Return the kind of the job with these columns."""
    return "preview" if "preview_of" in values else "undo" if "undo_of" in values else "upload"


def make_job(store: Store, domain: Domain, number: int, **values: Any) -> int:
    """Insert a job with this number in its id, by default SUCCEEDED; return its row number."""
    given = {
        "job_id": f"{number:032x}",
        "domain_id": domain.domain_id,
        "display_name": "a",
        "fields": {},
        "unique_key": "a",
        "data_expiry_days": 14,
        "status": "SUCCEEDED",
        "created_at": NOW,
        "kind": kind_of(values),
    }
    with store.write() as connection:
        row = connection.execute(
            insert(tables.upload_job).values(given | values).returning(tables.upload_job.c.upload_job_id)
        )
        return int(row.scalar_one())
