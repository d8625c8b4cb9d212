"""What is kept to take jobs back, and for how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from openprofiles.facts.records import Domain
from openprofiles.store import tables
from openprofiles.store.connections import Store
from openprofiles.store.removal import remove_rows_of_ended_jobs_step
from store.made_rows import NOW, make_domain, make_job

DAY = timedelta(days=1)
IMAGES = 25


@pytest.fixture
def domain(store: Store) -> Domain:
    return make_domain(store, "shop")


def keep(store: Store, job: int) -> None:
    """As many images and keys as several steps remove."""
    with store.write() as connection:
        for number in range(IMAGES):
            connection.execute(insert(tables.undo_image).values(upload_job_id=job, content=b"a"))
            connection.execute(
                insert(tables.undo_absent_key).values(upload_job_id=job, name="_email", value="a@x", pid=number)
            )


def kept(store: Store, job: int) -> tuple[int, int]:
    with store.read() as connection:
        counts = [
            connection.execute(select(func.count()).select_from(table).where(table.c.upload_job_id == job)).scalar_one()
            for table in (tables.undo_image, tables.undo_absent_key)
        ]
    return counts[0], counts[1]


def clean(store: Store, now: Any) -> int:
    """Remove all that is old; in how many steps."""
    steps = 0
    is_left = True
    while is_left:
        with store.write() as connection:
            is_left = (
                remove_rows_of_ended_jobs_step(connection, now, 10, failed_rows_days=None, replaced_values_days=0) > 0
            )
        steps += 1
    return steps


def test_images_are_removed_some_at_a_time_a_day_after_a_job_can_no_longer_be_taken_back(
    store: Store, domain: Domain
) -> None:
    old, new, unlimited = (
        make_job(store, domain, number, completed_at=NOW - 30 * DAY, undo_days=days)
        for number, days in enumerate((30, 31, None))
    )
    for job in (old, new, unlimited):
        keep(store, job)

    assert clean(store, NOW + DAY) == 1
    assert kept(store, old) == (IMAGES, IMAGES)
    assert clean(store, NOW + DAY + timedelta(milliseconds=1)) == 5

    assert [kept(store, job) for job in (old, new, unlimited)] == [(0, 0), (IMAGES, IMAGES), (IMAGES, IMAGES)]


@pytest.mark.parametrize(("status", "left"), [("IN_PROGRESS", IMAGES), ("FAILED", 0), ("SUCCEEDED", 0)])
def test_an_undo_that_runs_keeps_its_images_to_its_end(store: Store, domain: Domain, status: str, left: int) -> None:
    job = make_job(store, domain, 1, completed_at=NOW, undo_days=1)
    make_job(store, domain, 2, completed_at=NOW, kind="undo", subject=job, status=status)
    keep(store, job)

    clean(store, NOW + 30 * DAY)

    assert kept(store, job) == (left, left)


def test_notes_of_what_stayed_go_with_the_failed_rows(store: Store, domain: Domain) -> None:
    job = make_job(store, domain, 1, completed_at=NOW)
    undo = make_job(store, domain, 2, completed_at=NOW, kind="undo", subject=job)
    rows = [{"upload_job_id": undo, "pid": number, "profile_id": "a", "was_created": False} for number in range(5)]
    with store.write() as connection:
        connection.execute(insert(tables.undo_kept_profile), rows)
        assert not remove_rows_of_ended_jobs_step(connection, NOW + DAY, 3, failed_rows_days=1, replaced_values_days=0)
        later = NOW + DAY + timedelta(milliseconds=1)
        steps = [
            remove_rows_of_ended_jobs_step(connection, later, 3, failed_rows_days=1, replaced_values_days=0)
            for _ in range(3)
        ]
        left = connection.execute(select(func.count()).select_from(tables.undo_kept_profile)).scalar_one()

    assert (steps, left) == ([3, 2, 0], 0)
