"""What the metrics ask of the store."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from openprofiles.store.connections import Store
from openprofiles.store.statistics import (
    RowCounts,
    count_jobs_by_status,
    oldest_waiting_since,
    read_row_counts,
    store_size_bytes,
)
from openprofiles.store.tables import job
from store.made_rows import NOW, make_domain, make_job

MINUTE = timedelta(minutes=1)
COUNTS = {"created_count": 5, "updated_count": 3, "unchanged_count": 2, "failed_count": 1}


def test_the_job_that_waits_longest_is_the_first_that_was_started_and_that_no_worker_has(store: Store) -> None:
    domain = make_domain(store, "shop")
    running = {"status": "IN_PROGRESS", "started_at": NOW - 9 * MINUTE, "lease_until": NOW + MINUTE}
    make_job(store, domain, 1, **running)
    with store.read() as connection:
        none_waits = oldest_waiting_since(connection, NOW)
    make_job(store, domain, 2, status="IN_PROGRESS", started_at=NOW - 5 * MINUTE)
    make_job(store, domain, 3, status="IN_PROGRESS", started_at=NOW - 6 * MINUTE)
    make_job(store, domain, 4, status="CREATED")

    with store.read() as connection:
        first = oldest_waiting_since(connection, NOW)
        first_without_worker = oldest_waiting_since(connection, NOW + 2 * MINUTE)

    assert none_waits is None
    assert first == NOW - 6 * MINUTE
    assert first_without_worker == NOW - 9 * MINUTE


def test_the_store_has_a_size(store: Store) -> None:
    with store.read() as connection:
        assert 10_000 < store_size_bytes(connection) < 100_000_000


def test_rows_are_counted_of_jobs_that_run_that_ended_since_and_that_are_new(store: Store) -> None:
    domain = make_domain(store, "shop")
    waiting = make_job(store, domain, 1, status="CREATED")
    running = make_job(store, domain, 2, status="IN_PROGRESS", created_count=7)
    old = make_job(store, domain, 3, **COUNTS)
    with store.read() as connection:
        open_jobs, _ = read_row_counts(connection, after=old, known=())
    new = make_job(store, domain, 4, **COUNTS)
    make_job(store, domain, 5, kind="preview", subject=1, **COUNTS)
    with store.write() as connection:
        connection.execute(update(job).where(job.c.job_number == waiting).values(status="SUCCEEDED"))

    with store.read() as connection:
        still_open, ended = read_row_counts(connection, after=old, known=open_jobs)
        by_status = count_jobs_by_status(connection)

    assert open_jobs == {waiting: RowCounts(0, 0, 0, 0), running: RowCounts(7, 0, 0, 0)}
    assert still_open == {running: RowCounts(7, 0, 0, 0)}
    assert ended == {waiting: RowCounts(0, 0, 0, 0), new: RowCounts(created=5, updated=1, unchanged=2, failed=1)}
    assert sum(by_status.values()) == 4


@pytest.mark.parametrize("count", [501, 1200])
def test_more_jobs_may_end_at_once_than_one_query_names(store: Store, count: int) -> None:
    with store.read() as connection:
        assert read_row_counts(connection, after=0, known=range(1, count)) == ({}, {})
