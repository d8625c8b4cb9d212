"""Lists of upload jobs: newest first, by status, in pages."""

from __future__ import annotations

from datetime import timedelta

import by_hand
from openprofiles.clock import from_milliseconds
from openprofiles.profiles import domains
from openprofiles.store.connections import Store
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.uploads.jobs import list_jobs
from store.made_rows import insert_job

NOW = from_milliseconds(1_780_000_000_123)


def test_jobs_of_one_status_come_in_pages_newest_first(store: Store) -> None:
    domain = domains.create_domain(
        store, "shop", default_expiration_days=30, config={}, tags={}, phone_region="US", now=NOW
    )
    with store.write() as connection:
        for number in range(10):
            insert_job(
                connection,
                domain.domain_id,
                f"{number:032x}",
                status="FAILED" if number % 2 else "STOPPED",
                # Two at a time.
                created_at=NOW + timedelta(seconds=number // 4),
                kind="undo" if number == 9 else "upload",
                subject=1 if number == 9 else None,
            )

    found, token = [], None
    while True:
        page = by_hand.read(store, domain, list_jobs, max_results=3, next_token=token, status=UploadJobStatus.FAILED)
        found.append([int(job.job_id, 16) for job in page.items])
        token = page.next_token
        if token is None:
            break

    with store.write() as connection:
        insert_job(connection, domain.domain_id, "f" * 32, kind="preview", subject=2)
    everything, imports = (
        by_hand.read(store, domain, list_jobs, with_checks=with_checks).items for with_checks in (True, False)
    )

    assert found == [[7, 5, 3], [1]]
    # The second was only previewed.
    assert [job for job in everything if job not in imports] == [everything[-2]]
    assert len(by_hand.read(store, domain, list_jobs).items) == 9
    assert by_hand.read(store, domain, list_jobs, status=UploadJobStatus.IN_PROGRESS).items == []
