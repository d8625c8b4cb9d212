"""Loaders that die: whoever goes on, nothing is lost, nothing is done twice, and the counts are exact."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

import budgets
import by_hand
from acceptance.forked_loaders import ForkedLoaders
from load.loader_server import AFTER, BEFORE, INSIDE
from load.loading import DEADLINE_SECONDS, NOW, LoaderFault, Place, Shop, assert_index_and_log_are_right
from load.oracle import Column
from load.test_oracle import COUNTS, Scenario, check, entangled_scenarios, scenarios, scenarios_with_policies
from openprofiles.clock import utc_now
from openprofiles.job_kinds import UPLOAD
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.store import job_queue, tables
from openprofiles.store.domains import read_domain
from openprofiles.store.upload_job_states import (
    FILE_DAMAGED_MESSAGE,
    FILE_MISSING_MESSAGE,
    MAX_FAILED_ATTEMPTS,
)
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs, previews
from openprofiles.uploads.arrival.local_files import LocalFiles
from openprofiles.uploads.job_options import UPDATE_ONLY, JobOptions
from openprofiles.uploads.jobs import stop_job
from openprofiles.worker import main as worker_main
from openprofiles.worker.loader_arguments import (
    EXIT_FILE_DAMAGED,
    EXIT_FILE_MISSING,
    EXIT_SCRATCH_NOT_WRITABLE,
    LoaderArguments,
)
from openprofiles.worker.loader_process import LoaderProcess
from openprofiles.worker.main import Worker

EMAIL = Column("Email", "EmailAddress")
PERSONAL = Column("Personal", "PersonalEmailAddress")
FIRST = Column("First", "FirstName")
TIER = Column("tier", "Attributes.tier")
COLUMNS = (EMAIL, PERSONAL, FIRST, TIER)

Deaths = list[tuple[int, str, bool]]


def scratch_kept_daily(test: str) -> list[ParameterSet]:
    """Whether the scratch database is lost; on most days it is kept, since test_a_death_in_any_chunk loses it."""
    return [
        pytest.param(False, id="scratch kept"),
        pytest.param(True, id="scratch lost", marks=pytest.mark.long(daily=test)),
    ]


def lose_scratch(shop: Shop, job: UploadJob) -> None:
    shutil.rmtree(shop.place.settings.scratch_folder / job.job_id, ignore_errors=True)


def run_with_deaths(shop: Shop, job: UploadJob, deaths: Deaths, **more: int | None) -> UploadJob:
    """Run the job; its loaders die one after the other.

    Args:
        deaths: in which of its chunks and where in it, and whether the scratch database is lost then.
    """
    loader = shop.place.loader
    for chunk, point, loses_scratch in deaths:
        event = loader.send(shop.claim(job, die_at=(chunk, point), **more))
        if event["event"] == "ended":
            return shop.job(job)
        if event["event"] != "died":
            raise LoaderFault(event.get("trace", str(event)))
        if shop.job(job).status != "IN_PROGRESS":
            # It had set the final state already; what it left lying, the worker's cleaning removes.
            if job.kind == "upload":
                (shop.place.settings.uploads_folder / (job.file_name or "")).unlink(missing_ok=True)
            lose_scratch(shop, job)
            return shop.job(job)
        shop.release(job)
        if loses_scratch:
            lose_scratch(shop, job)
    return shop.run(job, **more)


deaths = st.lists(
    st.tuples(st.integers(1, 14), st.sampled_from([BEFORE, INSIDE, AFTER]), st.booleans()), min_size=1, max_size=4
)


@budgets.DYING_LOADS
@given(scenario=st.one_of(scenarios(), entangled_scenarios(), scenarios_with_policies()), deaths=deaths)
def test_a_load_whose_loaders_die_leaves_what_a_reading_row_by_row_leaves(
    place: Place, scenario: Scenario, deaths: Deaths
) -> None:
    def run(shop: Shop, job: UploadJob) -> UploadJob:
        return run_with_deaths(
            shop, job, deaths, rows_per_chunk=1, block_bytes=scenario.block_bytes, strict=scenario.strict
        )

    check(place, scenario, run, follows_rows=True)


@budgets.DYING_LOADS
@given(scenario=scenarios_with_policies(), deaths=deaths)
def test_a_preview_whose_loaders_die_counts_what_the_load_then_does(
    place: Place, scenario: Scenario, deaths: Deaths
) -> None:
    def preview_and_run(shop: Shop, job: UploadJob) -> UploadJob:
        started = by_hand.At(job.created_at).write(
            shop.store, shop.domain, previews.start_preview, shop.place.master_key, job.job_id
        )
        form = {"block_bytes": scenario.block_bytes, "strict": scenario.strict}
        preview = run_with_deaths(shop, started, deaths, **form)
        failed = [(row.record, row.faults) for row in shop.failed_rows(preview)]
        by_hand.At(job.created_at).write(shop.store, shop.domain, jobs.start_job, job.job_id)
        ended = shop.run(job, **form)
        for name in (*COUNTS, "status", "failure_message", "record_count"):
            assert getattr(preview, name) == getattr(ended, name), name
        assert failed == [(row.record, row.faults) for row in shop.failed_rows(ended)]
        return ended

    check(place, scenario, preview_and_run, starts=False)


@pytest.mark.parametrize("chunk", range(2, 9) if budgets.IS_LONG else (3, 6))
def test_all_or_nothing_loads_nothing_also_when_the_loader_dies_while_it_reports(shop: Shop, chunk: int) -> None:
    data = b"Email,Personal,First,tier\n" + b"".join(b"n%d@x,,,\n" % number for number in range(5))
    shop.create_profile(EmailAddress="n0@x", ingested=True)
    options = JobOptions(write_mode=UPDATE_ONLY, max_failed_records=0)
    job = shop.create_job(COLUMNS, "Email", data, options=options)

    job = run_with_deaths(shop, job, [(chunk, INSIDE, True)])

    assert (job.status, job.updated_count, job.failed_count) == ("FAILED", 0, 4)
    assert "Nothing was loaded" in (job.failure_message or "")


@pytest.mark.parametrize(
    ("loses_scratch", "second_deaths"),
    [
        # What a load without its scratch database does is the same on both engines.
        pytest.param(False, [], id="scratch kept", marks=pytest.mark.daily_on("postgresql")),
        pytest.param(True, [], id="scratch lost"),
        pytest.param(
            True,
            [(2, AFTER, False)],
            id="scratch lost, then a second death",
            marks=pytest.mark.long(daily="test_a_load_whose_loaders_die_leaves_what_a_reading_row_by_row_leaves"),
        ),
    ],
)
def test_a_death_in_any_chunk_changes_nothing(place: Place, loses_scratch: bool, second_deaths: Deaths) -> None:
    expected = _everything(*_small_load(place, []))

    # In the long form each engine has every chunk with its scratch database. Without it a load begins anew in much the
    # same way on both engines, which share the chunks. Daily, each has every fourth chunk: tests/unit/test_steps.py has
    # deaths in every chunk of steps that do no work.
    step = 4 if not budgets.IS_LONG else 2 if loses_scratch else 1
    first = 1 if step == 1 or place.settings.store is None else 2
    for chunk in range(first, 30, step):
        shop, job = _small_load(place, [(chunk, INSIDE, loses_scratch), *second_deaths])

        assert (chunk, _everything(shop, job)) == (chunk, expected)
        assert_index_and_log_are_right(shop)
        if job.epoch == 1:
            assert chunk > 8, "the loader ended before it came to many chunks"
            return
    raise AssertionError("the load has more chunks than this test tries")


def _small_load(place: Place, deaths: Deaths) -> tuple[Shop, UploadJob]:
    shop = place.open_shop()
    shop.create_profile(EmailAddress="a@x", PersonalEmailAddress="p@x", ingested=True)
    shop.create_profile(EmailAddress="b@x", FirstName="By hand")
    shop.create_profile(EmailAddress="twice@x")
    shop.create_profile(EmailAddress="twice@x")
    data = (
        b"Email,Personal,First,tier\na@x,q@x,Ann,1\nc@x,,Cy,2\ntwice@x,,,\n"
        b"b@x,b2@x,Bo,\nd@x,p@x,,3\nc@x,c2@x,,\n,,,\np@x,,,4\n"
    )
    return shop, run_with_deaths(shop, shop.create_job(COLUMNS, "Email", data), deaths, rows_per_chunk=2)


def _everything(shop: Shop, job: UploadJob) -> tuple[object, ...]:
    """What a load has left, without what differs between two loads of one file."""
    known = shop.known()
    first_pid = min(known.profiles)
    return (
        job.status,
        (job.created_count, job.updated_count, job.unchanged_count, job.failed_count, job.record_count),
        shop.failed_rows(job),
        [
            (
                pid - first_pid,
                profile.values,
                profile.attributes,
                profile.expires_at,
                profile.keys,
                profile.last_upload_job == job.job_number,
            )
            for pid, profile in sorted(known.profiles.items())
        ],
    )


def run_to_phase(shop: Shop, job: UploadJob, phase: str, **more: int | None) -> None:
    """Start a loader and let it go on until it waits before a chunk that follows one of this phase."""
    loader = shop.place.loader
    event = loader.send(shop.claim(job, rows_per_chunk=1, pause_at=[0], **more))
    while not (shop.job(job).phase or "").startswith(phase):
        assert event["event"] == "paused", event
        event = loader.go_on()
    assert event["event"] == "paused", event


@pytest.mark.parametrize("loses_scratch", [False, True], ids=["scratch kept", "scratch lost"])
# Without its scratch database, a load goes on in the same way in both phases of writing, and in both of the index.
@pytest.mark.parametrize("phase", ["create", "update", "unindex", "index"] if budgets.IS_LONG else ["update", "index"])
def test_a_profile_changed_through_the_api_while_no_loader_lived_gets_the_right_keys(
    shop: Shop, phase: str, loses_scratch: bool
) -> None:
    olds = [
        shop.create_profile(EmailAddress=f"{name}@x", PersonalEmailAddress=f"{name}2@x", ingested=True) for name in "ab"
    ]
    data = b"Email,Personal,First,tier\na@x,a3@x,Ann,\nb@x,b3@x,Bo,\nc@x,c3@x,Cy,\nd@x,d3@x,,\n"
    job = shop.create_job(COLUMNS, "Email", data)

    run_to_phase(shop, job, phase)
    by_hand.update_profile(
        shop.store, shop.name, olds[0].profile_id, ProfileChange(values={"PersonalEmailAddress": "a4@x"}), NOW
    )
    shop.place.loader.die()
    shop.release(job)
    if loses_scratch:
        lose_scratch(shop, job)
    job = shop.run(job, rows_per_chunk=1)

    assert (job.created_count, job.updated_count, job.failed_count) == (2, 2, 0)
    assert_index_and_log_are_right(shop)


def test_records_that_are_followed_in_another_order_than_their_profiles_are_told_to_change_nothing(shop: Shop) -> None:
    for name in "abc":
        shop.create_profile(EmailAddress=f"{name}@x", FirstName=name.upper(), ingested=True)
    data = b"Email,First\nc@x,C\nb@x,B\nd@x,D\na@x,A\nd@x,D\n"
    job = shop.create_job((EMAIL, FIRST), "Email", data)

    run_to_phase(shop, job, "report")
    shop.place.loader.die()
    shop.release(job)
    lose_scratch(shop, job)
    job = shop.run(job)

    assert (job.created_count, job.updated_count, job.unchanged_count) == (1, 4, 4)


@pytest.mark.parametrize("phase", ["create", "update"])
def test_a_scratch_database_that_another_host_went_on_without_is_not_taken_up_again(shop: Shop, phase: str) -> None:
    for name in "ab":
        shop.create_profile(EmailAddress=f"{name}@x", PersonalEmailAddress=f"{name}2@x", ingested=True)
    data = b"Email,Personal,First,tier\na@x,a3@x,Ann,\nb@x,b3@x,Bo,\nc@x,c3@x,Cy,\nd@x,d3@x,,\ne@x,,,\n"
    job = shop.create_job(COLUMNS, "Email", data)
    scratch = shop.place.settings.scratch_folder / job.job_id
    on_first_host = scratch.with_name(f"{job.job_id}-on-first-host")

    run_to_phase(shop, job, phase)
    shop.place.loader.die()
    shop.release(job)
    scratch.rename(on_first_host)
    # It has made a plan of its own by its second chunk, which would be the first to write.
    event = shop.place.loader.send(shop.claim(job, rows_per_chunk=1, die_at=(2, BEFORE)))
    assert event["event"] == "died"
    assert shop.count(tables.ordered_record, tables.ordered_record.c.upload_job_id == job.job_number) > 0
    shop.release(job)
    lose_scratch(shop, job)
    on_first_host.rename(scratch)
    job = shop.run(job, rows_per_chunk=1)

    assert (job.created_count, job.updated_count, job.failed_count) == (3, 2, 0)
    assert_index_and_log_are_right(shop)


# Not in phase update with the scratch database lost: nothing then tells whether the deleted profile had been updated.
@pytest.mark.parametrize(
    ("phase", "loses_scratch"),
    [("update", False), ("unindex", False), ("index", False), ("unindex", True), ("index", True)],
)
def test_a_profile_deleted_through_the_api_while_no_loader_lived_stays_away(
    shop: Shop, phase: str, loses_scratch: bool
) -> None:
    olds = [
        shop.create_profile(EmailAddress=f"{name}@x", PersonalEmailAddress=f"{name}2@x", ingested=True) for name in "ab"
    ]
    data = b"Email,Personal,First,tier\na@x,a3@x,Ann,\nb@x,b3@x,Bo,\nc@x,c3@x,Cy,\nd@x,d3@x,,\n"
    job = shop.create_job(COLUMNS, "Email", data)

    run_to_phase(shop, job, phase)
    by_hand.delete_profile(shop.store, shop.name, olds[0].profile_id, NOW)
    shop.place.loader.die()
    shop.release(job)
    if loses_scratch:
        lose_scratch(shop, job)
    job = shop.run(job, rows_per_chunk=1)

    assert (job.created_count, job.updated_count, job.failed_count) == (2, 2, 0)
    assert sorted(one.values["EmailAddress"] for one in shop.known().profiles.values()) == ["b@x", "c@x", "d@x"]
    assert_index_and_log_are_right(shop)


def test_a_profile_that_loses_its_match_after_the_scratch_database_is_lost_is_counted_all_the_same(shop: Shop) -> None:
    """It was to be updated; while no loader lives it is deleted, so its row becomes a new profile."""
    olds = [shop.create_profile(EmailAddress=f"{name}@x", ingested=True) for name in "ab"]
    job = shop.create_job((EMAIL, FIRST), "Email", b"Email,First\na@x,Ann\nb@x,Bo\nc@x,Cy\n")

    run_to_phase(shop, job, "update")
    by_hand.delete_profile(shop.store, shop.name, olds[1].profile_id, NOW)
    shop.place.loader.die()
    shop.release(job)
    lose_scratch(shop, job)
    job = shop.run(job, rows_per_chunk=1)

    assert (job.created_count, job.updated_count, job.failed_count) == (2, 1, 0)
    assert_index_and_log_are_right(shop)


@pytest.mark.parametrize(
    "loses_scratch", scratch_kept_daily("test_a_stop_that_is_asked_for_while_no_loader_lives_keeps_what_was_written")
)
@pytest.mark.parametrize("phase", ["create", "update", "unindex", "index"])
def test_a_stop_that_is_asked_for_while_no_loader_lives_keeps_what_was_written(
    shop: Shop, phase: str, loses_scratch: bool
) -> None:
    for name in "ab":
        shop.create_profile(EmailAddress=f"{name}@x", PersonalEmailAddress=f"{name}2@x", ingested=True)
    data = b"Email,Personal,First,tier\na@x,a3@x,Ann,\nb@x,b3@x,Bo,\nc@x,c3@x,Cy,\nd@x,d3@x,,\n"
    job = shop.create_job(COLUMNS, "Email", data)

    run_to_phase(shop, job, phase)
    shop.place.loader.die()
    before = shop.job(job)
    shop.release(job)
    by_hand.write(shop.store, shop.domain, stop_job, job.job_id)
    if loses_scratch:
        lose_scratch(shop, job)
    job = shop.run(job, rows_per_chunk=1)

    assert job.status == "STOPPED"
    assert (job.created_count, job.updated_count) == (before.created_count, before.updated_count)
    assert_index_and_log_are_right(shop)
    assert shop.place.left_files(job) == []


@pytest.mark.parametrize("phase", ["stage", "report", "create", "update", "unindex", "index"])
def test_a_loader_whose_lease_was_taken_over_writes_nothing_more(shop: Shop, phase: str) -> None:
    shop.create_profile(EmailAddress="a@x", PersonalEmailAddress="p@x", ingested=True)
    job = shop.create_job(COLUMNS, "Email", b"Email,Personal,First,tier\na@x,q@x,,\nb@x,,,\nc@x,,,\n,,Zed,\n")

    run_to_phase(shop, job, phase)
    with shop.store.write() as connection:
        raised = {"epoch": tables.job.c.epoch + 1, "lease_owner": "another"}
        connection.execute(update(tables.job).where(tables.job.c.job_id == job.job_id).values(**raised))
    before = (shop.job(job), shop.known(), shop.profile_count(), shop.failed_rows(job))
    event = shop.place.loader.go_on_to_the_end(shop.place.loader.go_on())

    assert event["event"] == "lease_lost"
    assert (shop.job(job), shop.known(), shop.profile_count(), shop.failed_rows(job)) == before
    # The new owner needs them.
    assert job.file_name in shop.place.left_files(job)
    shop.release(job)
    assert shop.run(job).status == "PARTIALLY_SUCCEEDED"
    assert_index_and_log_are_right(shop)


# With the worker's own loader processes


def wait_for(what: str, condition: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        meanwhile()
        time.sleep(0.01)


@pytest.mark.long(
    daily="tests/faults/test_kills.py::"
    "test_a_load_killed_in_every_step_and_at_random_moments_ends_like_an_undisturbed_one"
)
def test_a_load_of_30000_rows_killed_at_random_moments_ends_like_an_undisturbed_one(place: Place) -> None:
    dice = random.Random(30_000)
    undisturbed = _large_load(place)
    undisturbed_job = _run_worker(undisturbed[0], undisturbed[1], lambda _: None)
    shop, job = _large_load(place)
    killed_in: list[str | None] = []

    def kill_now_and_then(worker: Worker) -> None:
        if len(killed_in) == 5 or not worker._running:
            return
        running = worker._running[0]
        now = shop.job(job)
        # Only after some progress: three deaths without any are the end of a job, and staging begins anew each time.
        has_progress = (now.phase, now.position) != (running.job.phase, running.job.position)
        if has_progress and not (now.phase == "stage" and killed_in) and dice.random() < 0.15:
            running.process.kill()
            running.process.wait()
            killed_in.append(shop.job(job).phase)
            if dice.random() < 0.4:
                lose_scratch(shop, job)

    ended = _run_worker(shop, job, kill_now_and_then)

    assert len(killed_in) >= 3, killed_in
    assert _everything(shop, ended) == _everything(undisturbed[0], undisturbed_job)
    assert ended.record_count == 30_000
    assert_index_and_log_are_right(shop)
    assert place.left_files(job) == []


def _large_load(place: Place) -> tuple[Shop, UploadJob]:
    """30,000 rows, half of them for profiles that are there already; some repeat, some move values, some fail."""
    shop = place.open_shop()
    header = b"Email,Personal,First,tier\n"
    shop.load(COLUMNS, "Email", header + b"".join(b"%d@x,p%d@x,Old,\n" % (n, n) for n in range(0, 30_000, 2)))
    rows = [b"%d@x,q%d@x,New,%d\n" % (n % 29_000, n % 29_990, n) for n in range(30_000)]
    rows[100::1000] = [b",,nobody,\n"] * 30
    rows[150::1000] = [b"p%d@x,,Moved,\n" % n for n in range(0, 60, 2)]
    return shop, shop.create_job(COLUMNS, "Email", header + b"".join(rows))


def _run_worker(shop: Shop, job: UploadJob, meanwhile: Callable[[Worker], object]) -> UploadJob:
    worker = Worker(shop.place.settings, shop.store, shop.place.files, yields=False)

    def step() -> None:
        worker.step(job.job_id)
        meanwhile(worker)

    try:
        wait_for("the job ends", lambda: shop.job(job).status != "IN_PROGRESS" and not worker._running, step)
    finally:
        worker.close()
    return shop.job(job)


class _BlockingFiles(LocalFiles):
    """An object store that does not answer, for as long as a test wants."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked, self.answer = threading.Event(), threading.Event()

    def remove_orphans(self, needed: set[str], now: datetime) -> int:
        self.asked.set()
        assert self.answer.wait(DEADLINE_SECONDS)
        return super().remove_orphans(needed, now)


def test_a_lease_is_kept_while_the_worker_waits_for_something_else(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_main, "HEARTBEAT_SECONDS", 0.05)
    files = _BlockingFiles(shop.place.settings.uploads_folder)
    job = shop.create_job((EMAIL,), "Email", b"Email\na@x\n")
    worker = Worker(shop.place.settings, shop.store, files, yields=False)
    begin = worker._loaders.begin

    def begin_and_stop(orders: LoaderArguments) -> LoaderProcess:
        # Before it can come to the end of so small a job.
        loader = begin(orders)
        loader.send_signal(signal.SIGSTOP)
        return loader

    monkeypatch.setattr(worker._loaders, "begin", begin_and_stop)
    with ThreadPoolExecutor(1) as threads:
        step = threads.submit(worker.step)
        assert files.asked.wait(DEADLINE_SECONDS)
        (loader,) = [running.process for running in worker._running if running.job.job_id == job.job_id]
        first = shop.job(job).lease_until
        assert first is not None
        wait_for("the lease is renewed", lambda: (shop.job(job).lease_until or first) > first, lambda: None)
        loader.send_signal(signal.SIGCONT)
        files.answer.set()
        step.result()
    wait_for("the job ends", lambda: shop.job(job).status != "IN_PROGRESS", worker.step)
    worker.close()

    assert (shop.job(job).status, shop.job(job).epoch) == ("SUCCEEDED", 1)


@pytest.fixture
def forked_here(forked_loaders: ForkedLoaders, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the loaders of one test forked: a worker of it starts several, and what they are does not matter."""
    for name, value in forked_loaders.variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("forked_here")
def test_the_spare_loader_for_the_next_job_is_started_only_a_while_after_a_load(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = shop.create_job((EMAIL,), "Email", b"Email\na@x\n")
    worker = Worker(shop.place.settings, shop.store, LocalFiles(shop.place.settings.uploads_folder), yields=False)
    prepared: list[bool] = []
    monkeypatch.setattr(worker._loaders, "prepare", lambda: prepared.append(True))
    monkeypatch.setattr(worker_main, "_SPARE_LOADER_SECONDS", DEADLINE_SECONDS)

    wait_for("the job ends", lambda: shop.job(job).status != "IN_PROGRESS", worker.step)
    wait_for("the worker notices it", lambda: not worker._running, worker.step)
    worker.step()
    prepared_at_once = bool(prepared)
    worker._prepare_at -= DEADLINE_SECONDS
    wait_for("a spare loader is started", lambda: bool(prepared), worker.step)
    worker.close()

    assert not prepared_at_once


@pytest.mark.usefixtures("forked_here")
def test_a_loader_that_fails_three_times_without_progress_ends_the_job(
    shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    job = shop.create_job((EMAIL,), "Email", b"Email\na@x\n")
    with shop.store.write() as connection:
        connection.execute(update(tables.upload_job).values(client_token=b"not one that the master key has made"))

    def assert_few_attempts(_: Worker) -> None:
        assert shop.job(job).epoch <= MAX_FAILED_ATTEMPTS + 1, "the loader is started again and again"

    ended = _run_worker(shop, job, assert_few_attempts)

    assert (ended.status, ended.status_reason) == ("FAILED", "INTERNAL_FAILURE")
    assert ended.failure_message == UPLOAD.gave_up_message
    assert ended.completed_at is not None
    assert ended.client_token is None
    # The last one comes to complete what the others have left.
    assert capfd.readouterr().err.count("DecryptionError: ") == MAX_FAILED_ATTEMPTS + 1


def _damage_file(shop: Shop, job: UploadJob) -> None:
    path = shop.place.settings.uploads_folder / (job.file_name or "")
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)


def _remove_file(shop: Shop, job: UploadJob) -> None:
    shop.place.files.remove(job.file_name or "")


def _bar_scratch(shop: Shop, job: UploadJob) -> None:
    # What not even root can write to.
    path = shop.place.settings.scratch_folder / job.job_id
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        (_damage_file, "DamagedFile"),
        (_remove_file, "UploadedFileMissing"),
        (_bar_scratch, "ScratchNotWritable"),
    ],
)
def test_a_load_that_something_blocks_ends_with_what_it_is(
    shop: Shop, block: Callable[[Shop, UploadJob], None], kind: str
) -> None:
    job = shop.create_job((EMAIL,), "Email", b"Email\na@x\n")
    block(shop, job)

    with pytest.raises(LoaderFault, match=kind):
        shop.run(job)


@pytest.mark.parametrize(
    ("exit_status", "message"),
    [
        (EXIT_FILE_DAMAGED, FILE_DAMAGED_MESSAGE),
        (EXIT_FILE_MISSING, FILE_MISSING_MESSAGE),
        (EXIT_SCRATCH_NOT_WRITABLE, UPLOAD.scratch_message),
    ],
)
def test_a_job_that_something_blocks_is_tried_again_after_growing_pauses_and_then_says_what_it_is(
    shop: Shop, exit_status: int, message: str
) -> None:
    job = shop.create_job((EMAIL,), "Email", b"Email\na@x\n")
    worker = Worker(shop.place.settings, shop.store, shop.place.files, yields=False)
    pauses = []

    for _ in range(MAX_FAILED_ATTEMPTS):
        shop.claim(job)
        before = utc_now()
        worker._settle(shop.job(job), exit_status)
        waiting = shop.job(job)
        assert (waiting.status, waiting.failure_message) == ("IN_PROGRESS", message)
        assert waiting.not_before is not None
        pauses.append(round((waiting.not_before - before).total_seconds()))
        with shop.store.write() as connection:
            job_queue.update_job(connection, waiting, only_in=waiting.status, not_before=NOW, lease_until=NOW)
    ended = shop.run(job)
    worker.close()

    assert pauses == [1, 5, 15]
    assert (ended.status, ended.status_reason, ended.failure_message) == ("FAILED", "INTERNAL_FAILURE", message)


@pytest.mark.usefixtures("forked_here")
def test_a_job_that_something_has_blocked_is_loaded_once_that_is_over(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_main, "_OBSTACLE_PAUSE_SECONDS", (0.2, 0.2, 0.2))
    job = shop.create_job((EMAIL,), "Email", b"Email\na@x\n")
    path = shop.place.settings.uploads_folder / (job.file_name or "")
    path.rename(path.with_suffix(".away"))
    attempts = []

    def put_back(_: Worker) -> None:
        now = shop.job(job)
        if now.failed_attempts and not path.exists():
            attempts.append((now.status, now.failed_attempts, now.failure_message))
            path.with_suffix(".away").rename(path)

    ended = _run_worker(shop, job, put_back)

    assert attempts == [("IN_PROGRESS", 1, FILE_MISSING_MESSAGE)]
    assert (ended.status, ended.created_count, ended.failure_message) == ("SUCCEEDED", 1, None)


@pytest.mark.parametrize(
    "loses_scratch", scratch_kept_daily("test_what_was_written_of_a_job_that_ends_by_an_internal_failure_is_found")
)
@pytest.mark.parametrize("phase", ["create", "update", "unindex", "index"])
def test_what_was_written_of_a_job_that_ends_by_an_internal_failure_is_found(
    shop: Shop, phase: str, loses_scratch: bool
) -> None:
    shop.create_profile(EmailAddress="a@x", PersonalEmailAddress="a2@x", ingested=True)
    shop.create_profile(EmailAddress="b@x", PersonalEmailAddress="b2@x", ingested=True)
    data = b"Email,Personal,First,tier\na@x,a3@x,,\nb@x,b3@x,,\nc@x,c3@x,,\nd@x,,,\n"
    job = shop.create_job(COLUMNS, "Email", data)
    run_to_phase(shop, job, phase)
    shop.place.loader.die()
    before = shop.job(job)
    with shop.store.write() as connection:
        job_queue.release_lease(connection, before, NOW, failed_attempts=MAX_FAILED_ATTEMPTS)
    if loses_scratch:
        lose_scratch(shop, job)

    job = shop.run(job, rows_per_chunk=1)

    assert (job.status, job.status_reason) == ("FAILED", "INTERNAL_FAILURE")
    assert (job.created_count, job.updated_count) == (before.created_count, before.updated_count)
    assert len(shop.known().profiles) == 2 + job.created_count
    assert_index_and_log_are_right(shop)
    assert shop.place.left_files(job) == []


_WORKER_SOURCE = """
import sys, time
from pathlib import Path
from openprofiles.master_key import load_master_key
from openprofiles.settings import Settings, parse_store
from openprofiles.store.open import open_store
from openprofiles.uploads.arrival.files import open_own_files
from openprofiles.worker.main import Worker
settings = Settings(data_folder=Path(sys.argv[1]), store=parse_store(sys.argv[3]))
worker = Worker(settings, open_store(settings), open_own_files(settings, load_master_key(settings)), yields=False)
while not worker._running:
    worker.step(sys.argv[2])
print(worker._running[0].process.pid, file=sys.stderr, flush=True)
while True:
    time.sleep(1)
"""


def test_the_loader_of_a_killed_worker_ends_by_itself_and_another_worker_goes_on(shop: Shop) -> None:
    data = b"Email\n" + b"".join(b"%d@x\n" % number for number in range(1000))
    job = shop.create_job((EMAIL,), "Email", data)
    settings = shop.place.settings
    arguments = [sys.executable, "-c", _WORKER_SOURCE, str(settings.data_folder), job.job_id, settings.store_argument]

    # No load can write while this process holds the domain, so the loader cannot end in any other way.
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        loader_pid = int(first.stderr.readline())
        with shop.store.write() as connection:
            read_domain(connection, shop.name, for_change=True)
            first.kill()
            wait_for("the loader ends", lambda: not _is_alive(loader_pid))
    left = shop.job(job)
    with shop.store.write() as connection:
        # The lease of the dead worker runs out.
        job_queue.extend_lease(connection, left, NOW - timedelta(days=1))
    ended = _run_worker(shop, job, lambda _: None)

    assert left.status == "IN_PROGRESS"
    assert (ended.status, ended.created_count) == ("SUCCEEDED", 1000)
    assert_index_and_log_are_right(shop)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # Dead, and nobody has asked for its exit status yet: that is dead enough.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_worker_that_closes_gives_its_job_back_and_the_next_goes_on(shop: Shop) -> None:
    data = b"Email\n" + b"".join(b"%d@x\n" % number for number in range(20_000))
    job = shop.create_job((EMAIL,), "Email", data)
    first = Worker(shop.place.settings, shop.store, shop.place.files, yields=False)
    first.step(job.job_id)
    wait_for("the load has begun", lambda: shop.job(job).phase is not None)
    first.close()
    left = shop.job(job)

    ended = _run_worker(shop, job, lambda _: None)

    assert (left.status, left.lease_owner) == ("IN_PROGRESS", None)
    assert left.failed_attempts == 0
    assert (ended.status, ended.created_count) == ("SUCCEEDED", 20_000)
    assert_index_and_log_are_right(shop)


def test_a_worker_cleans_again_at_once_while_more_is_left(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [True, True, True, False]
    worker = Worker(shop.place.settings, shop.store, shop.place.files, yields=False)
    monkeypatch.setattr(worker, "_clean", lambda: left.pop(0))

    for _ in range(9):
        worker.step()
    worker.close()

    assert left == []
