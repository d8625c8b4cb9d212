"""Which upload jobs a worker may claim, and what is removed in time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from openprofiles.profiles.domains import create_domain
from openprofiles.store import job_queue, tables, upload_jobs
from openprofiles.store.connections import Store
from openprofiles.store.domains import read_domain
from openprofiles.store.job_queue import Job
from openprofiles.store.removal import remove_expired_jobs, remove_rows_of_ended_jobs_step
from openprofiles.store.statistics import oldest_waiting_since
from openprofiles.store.upload_job_states import UploadJobStatus
from store.made_rows import insert_job

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def make_job(store: Store, domain: str, job_id: str, **values: Any) -> None:
    with store.write() as connection:
        domain_id = connection.execute(select(tables.domain.c.domain_id).where(tables.domain.c.name == domain))
        given: dict[str, Any] = {"status": UploadJobStatus.IN_PROGRESS, "created_at": NOW} | values
        insert_job(connection, domain_id.scalar_one(), job_id, **given)


def claim(store: Store, owner: str, now: datetime) -> Job | None:
    with store.write() as connection:
        return job_queue.claim_next_job(connection, owner=owner, now=now, lease_until=now + MINUTE)


@pytest.fixture
def shops(store: Store) -> Store:
    for name in ("shop", "other"):
        create_domain(store, name, default_expiration_days=30, config={}, tags={}, phone_region="US", now=NOW)
    return store


def test_jobs_of_one_domain_are_claimed_one_after_the_other_and_other_domains_go_on(shops: Store) -> None:
    make_job(shops, "shop", "first", started_at=NOW)
    make_job(shops, "shop", "second", started_at=NOW + MINUTE)
    make_job(shops, "other", "third", started_at=NOW + 2 * MINUTE)

    claimed = [job.job_id if (job := claim(shops, "a", NOW + 3 * MINUTE)) else None for _ in range(3)]

    assert claimed == ["first", "third", None]


def test_previews_and_the_jobs_of_their_domain_do_not_wait_for_each_other(shops: Store) -> None:
    make_job(shops, "shop", "load", started_at=NOW)
    make_job(shops, "shop", "preview", started_at=NOW + MINUTE, kind="preview", subject=1)
    make_job(shops, "shop", "later load", started_at=NOW + 2 * MINUTE)

    claimed = [job.job_id if (job := claim(shops, "a", NOW + 3 * MINUTE)) else None for _ in range(3)]

    assert claimed == ["load", "preview", None]


def test_a_domain_with_many_waiting_previews_does_not_hold_up_another_one(shops: Store) -> None:
    for number in range(100):
        make_job(shops, "shop", f"preview-{number}", started_at=NOW, kind="preview", subject=1)
    make_job(shops, "other", "other", started_at=NOW + MINUTE)

    claimed = [job.job_id if (job := claim(shops, "a", NOW + MINUTE)) else None for _ in range(3)]

    assert claimed == ["preview-0", "other", "preview-1"]


def test_a_job_of_an_unknown_kind_is_left_to_workers_of_another_version_and_nothing_overtakes_it(shops: Store) -> None:
    make_job(shops, "shop", "of a newer version", started_at=NOW, kind="merge")
    make_job(shops, "shop", "load", started_at=NOW + MINUTE)
    make_job(shops, "shop", "preview", started_at=NOW + MINUTE, kind="preview", subject=2)

    # It may write to profiles.
    claimed = [job.job_id if (job := claim(shops, "a", NOW + MINUTE)) else None for _ in range(2)]

    assert claimed == ["preview", None]


def test_a_job_that_waits_until_a_time_holds_up_no_other_one_and_is_then_claimed(shops: Store) -> None:
    make_job(shops, "shop", "later", started_at=NOW, not_before=NOW + MINUTE)
    make_job(shops, "shop", "load", started_at=NOW + MINUTE / 2)

    early = [job.job_id if (job := claim(shops, "a", NOW + MINUTE / 2)) else None for _ in range(2)]
    with shops.read() as connection:
        # The other one, until its lease has run out; only a job that is due waits for a worker.
        waiting = [job_queue.has_claimable_job(connection, NOW + MINUTE - timedelta(milliseconds=1))]
        waiting.append(oldest_waiting_since(connection, NOW + MINUTE / 2) is not None)
        end_lease = NOW + 2 * MINUTE
        waiting.append(job_queue.has_claimable_job(connection, end_lease))

    assert early == ["load", None]
    assert waiting == [False, False, True]


def test_a_job_that_was_begun_after_its_time_does_not_wait_again_when_the_clock_is_set_back(shops: Store) -> None:
    make_job(shops, "shop", "later", started_at=NOW, not_before=NOW + MINUTE)
    begun = claim(shops, "a", NOW + MINUTE)
    assert begun is not None
    with shops.write() as connection:
        job_queue.release_lease(connection, begun, NOW)

    assert claim(shops, "b", NOW) is not None


def test_a_job_that_was_added_by_a_clock_of_years_ahead_does_not_wait_for_years(shops: Store) -> None:
    wrong = NOW + 4_000 * DAY
    make_job(shops, "shop", "later", created_at=wrong, started_at=wrong, not_before=wrong + MINUTE)
    # Two hosts may differ by some seconds.
    make_job(shops, "other", "skewed", created_at=NOW + MINUTE / 9, started_at=NOW, not_before=NOW + MINUTE)

    claimed = [job.job_id if (job := claim(shops, "a", NOW)) else None for _ in range(2)]

    assert claimed == ["later", None]


def test_a_pause_that_a_clock_ahead_has_set_ends(shops: Store) -> None:
    def blocked(name: str, until: datetime, **values: Any) -> None:
        make_job(shops, name, name, started_at=NOW, not_before=until, **values)

    blocked("shop", NOW + DAY, failed_attempts=1)
    # A pause of the usual length, and a job that has been given a time, stay.
    blocked("other", NOW + MINUTE / 6, failed_attempts=1)
    make_job(shops, "other", "timed", started_at=NOW, not_before=NOW + DAY, kind="preview", subject=1)

    before = claim(shops, "a", NOW)
    with shops.write() as connection:
        job_queue.limit_pauses(connection, NOW, 6 * MINUTE)
    after = [claim(shops, "a", NOW) for _ in range(2)]

    assert before is None
    assert [one and one.job_id for one in after] == ["shop", None]


def test_a_job_that_is_given_back_for_later_keeps_its_place_before_the_others_of_its_domain(shops: Store) -> None:
    make_job(shops, "shop", "blocked", started_at=NOW)
    make_job(shops, "shop", "load", started_at=NOW)
    blocked = claim(shops, "a", NOW)
    assert blocked is not None
    with shops.write() as connection:
        job_queue.release_lease(connection, blocked, NOW, not_before=NOW + MINUTE)

    early, later = claim(shops, "b", NOW), claim(shops, "b", NOW + MINUTE)

    assert early is None
    assert later is not None
    assert (later.job_id, later.not_before) == ("blocked", None)


def test_a_job_is_claimed_although_its_domain_is_being_written_to(shops: Store) -> None:
    make_job(shops, "shop", "first", started_at=NOW)
    held, done = threading.Event(), threading.Event()

    def write() -> None:
        with shops.write() as connection:
            read_domain(connection, "shop", for_change=True)
            held.set()
            done.wait(0.3)

    with ThreadPoolExecutor(2) as threads:
        writing = threads.submit(write)
        held.wait()
        claimed = threads.submit(claim, shops, "a", NOW).result()
        done.set()
        writing.result()

    assert claimed is not None


def test_only_one_of_many_workers_that_ask_at_once_gets_a_job(shops: Store) -> None:
    for number in range(4):
        make_job(shops, "shop", f"job-{number}", started_at=NOW)
    make_job(shops, "other", "job-other", started_at=NOW)

    with ThreadPoolExecutor(8) as threads:
        claims = list(threads.map(lambda number: claim(shops, f"worker-{number}", NOW), range(8)))

    assert sorted(job.job_id for job in claims if job is not None) == ["job-0", "job-other"]


def test_a_job_whose_start_is_dated_before_that_of_a_running_one_waits_for_it(shops: Store) -> None:
    make_job(shops, "shop", "running", started_at=NOW + MINUTE)
    assert claim(shops, "a", NOW + MINUTE) is not None
    make_job(shops, "shop", "late", started_at=NOW)

    claimed = claim(shops, "b", NOW + MINUTE)

    assert claimed is None


def test_a_job_whose_worker_no_longer_renews_its_lease_is_claimed_again_under_a_higher_epoch(shops: Store) -> None:
    make_job(shops, "shop", "orphan", started_at=NOW)
    first = claim(shops, "a", NOW)
    assert claim(shops, "b", NOW + MINUTE / 2) is None

    second = claim(shops, "b", NOW + MINUTE)

    assert first is not None
    assert second is not None
    assert (second.job_id, second.lease_owner, second.epoch) == ("orphan", "b", first.epoch + 1)
    with shops.write() as connection:
        assert not job_queue.extend_lease(connection, first, NOW + DAY)


@pytest.mark.parametrize("way", ["released", "died"])
def test_the_time_in_which_nobody_works_on_a_job_does_not_count_in_its_step(shops: Store, way: str) -> None:
    make_job(shops, "shop", "first", started_at=NOW, step_started_at=NOW)
    before = claim(shops, "a", NOW)
    assert before is not None
    if way == "released":
        with shops.write() as connection:
            job_queue.release_lease(connection, before, NOW + MINUTE)

    again = claim(shops, "b", NOW + DAY)

    assert again is not None
    assert again.step_started_at == NOW + DAY - MINUTE


def test_a_job_that_was_begun_goes_on_before_one_that_seems_to_have_been_started_earlier(shops: Store) -> None:
    make_job(shops, "shop", "begun", started_at=NOW + MINUTE)
    assert claim(shops, "a", NOW + MINUTE) is not None
    make_job(shops, "shop", "dated earlier", started_at=NOW)

    # The lease has run out, and the loader of the job may still live.
    claimed = claim(shops, "b", NOW + 3 * MINUTE)

    assert claimed is not None
    assert (claimed.job_id, claimed.epoch) == ("begun", 2)


def test_a_file_that_waits_for_its_start_is_kept_from_when_it_arrived(shops: Store) -> None:
    waiting = {"status": UploadJobStatus.CREATED, "file_size_bytes": 1, "created_at": NOW - 9 * DAY}
    make_job(shops, "shop", "just arrived", file_name="new", file_received_at=NOW - MINUTE, **waiting)
    make_job(shops, "shop", "long ago", file_name="old", file_received_at=NOW - 2 * DAY, **waiting)
    make_job(shops, "shop", "running", file_name="used", file_received_at=NOW - 2 * DAY)

    with shops.write() as connection:
        upload_jobs.forget_unstarted_files(connection, received_before=NOW - DAY)

    with shops.read() as connection:
        assert {name for _, name in upload_jobs.list_job_files(connection)} == {"new", "used"}


def test_failed_rows_are_removed_some_at_a_time_when_their_job_ended_long_ago(shops: Store) -> None:
    make_job(shops, "shop", "old", status=UploadJobStatus.PARTIALLY_SUCCEEDED, completed_at=NOW - 31 * DAY)
    make_job(shops, "shop", "new", status=UploadJobStatus.PARTIALLY_SUCCEEDED, completed_at=NOW - 29 * DAY)
    with shops.write() as connection:
        for upload_job_id in (1, 2):
            for record, fault in ((1, 0), (2, 0), (2, 1)):
                values = {"upload_job_id": upload_job_id, "record": record, "fault": fault, "line": record + 1}
                connection.execute(insert(tables.failed_row).values(**values, code="NUL_BYTE"))
            for record in (3, 4, 5):
                values = {"upload_job_id": upload_job_id, "record": record, "line": record + 1}
                connection.execute(insert(tables.repeated_row).values(**values, first_record=1, first_line=2))

    steps = []
    while True:
        with shops.write() as connection:
            more = remove_rows_of_ended_jobs_step(connection, NOW, 2, failed_rows_days=30, replaced_values_days=0) > 0
        steps.append(more)
        if not more:
            break

    assert steps == [True, True, False]
    with shops.read() as connection:
        kept = connection.execute(select(tables.failed_row.c.upload_job_id, tables.failed_row.c.record)).all()
        kept_notes = connection.execute(select(tables.repeated_row.c.upload_job_id, tables.repeated_row.c.record)).all()
    assert [tuple(row) for row in kept] == [(2, 1), (2, 2), (2, 2)]
    assert [tuple(row) for row in kept_notes] == [(2, 3), (2, 4), (2, 5)]


def test_the_key_of_failed_rows_goes_when_the_last_of_them_has_gone(shops: Store) -> None:
    ended = {"status": UploadJobStatus.PARTIALLY_SUCCEEDED, "failed_rows_key": b"key"}
    make_job(shops, "shop", "emptied", completed_at=NOW - 31 * DAY, **ended)
    make_job(shops, "shop", "has rows", completed_at=NOW - 31 * DAY, **ended)
    make_job(shops, "shop", "new", completed_at=NOW - 29 * DAY, **ended)
    with shops.write() as connection:
        connection.execute(insert(tables.failed_row).values(upload_job_id=2, record=1, line=2, code="NUL_BYTE"))

        upload_jobs.forget_old_failed_rows_keys(connection, completed_before=NOW - 30 * DAY)

    with shops.read() as connection:
        assert [job_id for job_id, _, key in upload_jobs.list_job_keys(connection) if key] == ["has rows", "new"]


def test_checks_that_were_not_followed_up_go_after_a_day_and_others_stay(shops: Store) -> None:
    unstarted = {"status": UploadJobStatus.CREATED}
    started = {"status": UploadJobStatus.SUCCEEDED, "started_at": NOW, "completed_at": NOW}
    ended = {"status": UploadJobStatus.SUCCEEDED, "started_at": NOW}
    # Their row numbers are 1 to 6.
    make_job(shops, "shop", "checked long ago", **unstarted)
    make_job(shops, "shop", "replaced long ago", status=UploadJobStatus.STOPPED, completed_at=NOW - 3 * DAY)
    make_job(shops, "shop", "checked again", **unstarted)
    make_job(shops, "shop", "being checked again", **unstarted)
    make_job(shops, "shop", "imported", **started)
    make_job(shops, "shop", "not checked", **unstarted)
    for number in (1, 2, 3, 4, 5):
        make_job(
            shops, "shop", f"old check of {number}", kind="preview", subject=number, completed_at=NOW - 2 * DAY, **ended
        )
    make_job(shops, "shop", "new check of 3", kind="preview", subject=3, completed_at=NOW - MINUTE, **ended)
    make_job(shops, "shop", "check of 4", kind="preview", subject=4, status=UploadJobStatus.IN_PROGRESS, started_at=NOW)
    with shops.write() as connection:
        for upload_job_id in (7, 11, 12):
            values = {"upload_job_id": upload_job_id, "record": 1, "line": 2, "code": "NUL_BYTE"}
            connection.execute(insert(tables.failed_row).values(**values))

        remove_rows_of_ended_jobs_step(connection, NOW, 9, failed_rows_days=30, replaced_values_days=0)
        upload_jobs.remove_abandoned_checks(connection, checked_before=NOW - DAY)
        remove_expired_jobs(connection, NOW)

    with shops.read() as connection:
        left = connection.execute(select(tables.job.c.job_id)).scalars().all()
        rows = connection.execute(select(tables.failed_row.c.upload_job_id)).scalars().all()
    assert set(left) == {
        "checked again",
        "being checked again",
        "imported",
        "not checked",
        "new check of 3",
        "check of 4",
    }
    assert rows == [12]
