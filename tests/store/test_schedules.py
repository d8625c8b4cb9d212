"""Jobs that come again are added when they are due, once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

import by_hand
from openprofiles.facts.records import Domain
from openprofiles.job_kinds import KINDS, UNDO
from openprofiles.profiles.domains import delete_domain
from openprofiles.store import tables
from openprofiles.store.connections import Store
from openprofiles.store.removal import remove_deleted_domain_step
from openprofiles.store.schedules import add_due_jobs
from store.made_rows import NOW, insert_job, make_domain

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _toy_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "toy", replace(UNDO, name="toy", details=None))


@pytest.fixture
def domain(store: Store) -> Domain:
    return make_domain(store, "shop")


def plan(store: Store, domain: Domain, next_at: datetime, *, kind: str = "toy") -> None:
    """Have a job come every hour."""
    values = {"domain_id": domain.domain_id, "kind": kind, "every_seconds": 3600, "next_at": next_at}
    with store.write() as connection:
        connection.execute(insert(tables.schedule).values(values))


def add(store: Store, now: datetime) -> list[tuple[str, str, datetime]]:
    """Add what is due; return all jobs: kind, status, when it was added."""
    with store.write() as connection:
        add_due_jobs(connection, now)
        rows = connection.execute(
            select(tables.job.c.kind, tables.job.c.status, tables.job.c.created_at).order_by(tables.job.c.job_number)
        )
        return [(kind, status, created_at) for kind, status, created_at in rows]


def end_all(store: Store) -> None:
    with store.write() as connection:
        connection.execute(update(tables.job).values(status="SUCCEEDED"))


def next_times(store: Store) -> list[datetime]:
    with store.read() as connection:
        return list(connection.execute(select(tables.schedule.c.next_at)).scalars())


def test_a_job_comes_when_it_is_due_and_again_after_its_interval(store: Store, domain: Domain) -> None:
    plan(store, domain, NOW)

    early = add(store, NOW - timedelta(milliseconds=1))
    due = add(store, NOW)
    end_all(store)
    between = add(store, NOW + HOUR - timedelta(milliseconds=1))
    again = add(store, NOW + HOUR)

    assert (early, due) == ([], [("toy", "IN_PROGRESS", NOW)])
    assert (len(between), again[1:]) == (1, [("toy", "IN_PROGRESS", NOW + HOUR)])


def test_a_schedule_in_the_past_makes_up_for_one_job_not_for_each_that_was_missed(store: Store, domain: Domain) -> None:
    plan(store, domain, NOW - 1000 * HOUR)

    added = add(store, NOW)
    end_all(store)

    assert len(added) == len(add(store, NOW + HOUR / 2)) == 1
    assert next_times(store) == [NOW + HOUR]


def test_no_second_job_is_added_while_the_one_before_waits_or_runs(store: Store, domain: Domain) -> None:
    plan(store, domain, NOW)
    add(store, NOW)

    assert len(add(store, NOW + 3 * HOUR)) == 1
    end_all(store)
    assert len(add(store, NOW + 3 * HOUR)) == 2


def test_of_many_workers_that_look_at_once_one_adds_the_job(store: Store, domain: Domain) -> None:
    plan(store, domain, NOW)
    ready = threading.Barrier(8)

    def work(_: int) -> None:
        ready.wait(30)
        add(store, NOW)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))

    assert len(add(store, NOW)) == 1


def test_a_schedule_of_an_unknown_kind_is_left_to_workers_of_another_version(store: Store, domain: Domain) -> None:
    plan(store, domain, NOW, kind="of a newer version")

    assert add(store, NOW + HOUR) == []
    assert next_times(store) == [NOW]


def test_a_clock_that_was_ahead_for_a_while_does_not_keep_the_next_job_away(store: Store, domain: Domain) -> None:
    plan(store, domain, NOW)
    add(store, NOW + 4_000 * timedelta(days=1))
    end_all(store)

    assert len(add(store, NOW)) == 1
    assert next_times(store) == [NOW + HOUR]
    assert len(add(store, NOW + HOUR)) == 2


def test_the_schedules_and_waiting_jobs_of_a_deleted_domain_go_with_it(store: Store, domain: Domain) -> None:
    plan(store, domain, NOW)
    plan(store, make_domain(store, "other"), NOW + HOUR)
    add(store, NOW)
    with store.write() as connection:
        for number in range(3):
            insert_job(connection, domain.domain_id, f"job {number}", status="IN_PROGRESS", started_at=NOW)
    by_hand.write(store, "shop", delete_domain)
    end_all(store)

    assert len(add(store, NOW + HOUR / 2)) == 4
    while True:
        with store.write() as connection:
            if not remove_deleted_domain_step(connection, NOW, 10):
                break

    assert add(store, NOW + HOUR / 2) == []
    assert next_times(store) == [NOW + HOUR]
    with store.read() as connection:
        assert connection.execute(select(tables.upload_job)).all() == []
