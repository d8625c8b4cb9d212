"""Insert domains and upload jobs as rows of a store, for tests of queries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from openprofiles.clock import from_milliseconds
from openprofiles.facts.records import Domain
from openprofiles.job_kinds import KINDS, UPLOAD
from openprofiles.store import job_queue
from openprofiles.store.connections import Connection, Store
from openprofiles.store.domains import insert_domain

NOW = from_milliseconds(1_780_000_000_123)


def make_domain(store: Store, name: str) -> Domain:
    """Insert a domain alone: no feed follows its profiles."""
    with store.write() as connection:
        return insert_domain(
            connection, name, default_expiration_days=30, config={}, tags={}, phone_region="US", now=NOW
        )


def insert_job(connection: Connection, domain_id: int, job_id: str, *, kind: str = "upload", **values: Any) -> int:
    """Insert a job with this id, by default SUCCEEDED; return its number."""
    given: dict[str, Any] = {"job_id": job_id, "domain_id": domain_id, "status": "SUCCEEDED", "created_at": NOW}
    known = KINDS.get(kind, replace(UPLOAD, name=kind, details=None))
    if known.details == "upload_job":
        given |= {"display_name": job_id, "fields": {}, "unique_key": "Email", "data_expiry_days": 14}
    return job_queue.insert_job(connection, known, given | values)


def make_job(store: Store, domain: Domain, number: int, **values: Any) -> int:
    """Insert a job with this number in its id, by default SUCCEEDED; return its row number."""
    with store.write() as connection:
        return insert_job(connection, domain.domain_id, f"{number:032x}", **values)
