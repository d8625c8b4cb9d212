"""The rules by which the console and the commands show how far a job is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from openapi_document import validator
from openprofiles.member_names import attributes_of
from openprofiles.operations.upload_job_reports import _job_members
from openprofiles.store.job_queue import Job
from openprofiles.store.undos import UndoJob
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads.progress import Progress, describe_amount, describe_step, progress_of

BEGAN = datetime(2026, 11, 28, tzinfo=UTC)
COMMON: dict[str, Any] = {
    "job_number": 1,
    "job_id": "0" * 32,
    "domain_id": 1,
    "subject": None,
    "status": UploadJobStatus.IN_PROGRESS,
    "status_reason": None,
    "failure_message": None,
    "created_at": BEGAN,
    "not_before": None,
    "started_at": BEGAN,
    "completed_at": None,
    "stop_requested_at": None,
    "step_started_at": BEGAN,
    "lease_owner": None,
    "lease_until": None,
    "epoch": 1,
    "failed_attempts": 0,
    "create_digest": None,
    "start_token": None,
}
RUNNING = UploadJob(
    **COMMON,
    kind="upload",
    phase=None,
    position=0,
    done=None,
    total=None,
    display_name="customers.csv",
    fields={},
    unique_key="Email",
    data_expiry_days=14,
    client_token=b"",
    file_name="file",
    file_size_bytes=40_000_000,
    file_received_at=BEGAN,
    record_count=None,
    created_count=0,
    updated_count=0,
    unchanged_count=0,
    failed_count=0,
    pid_base=None,
    failed_rows_key=None,
    options=None,
    undo_days=None,
    object_type=None,
)
READING = replace(RUNNING, phase="stage", position=100_000, done=10_000_000)
LOADING = replace(
    RUNNING, phase="update", record_count=300_000, failed_count=100_000, created_count=40_000, updated_count=10_000
)


def after(seconds: float, job: Job) -> Progress:
    progress = progress_of(job, BEGAN + timedelta(seconds=seconds))
    assert progress is not None
    return progress


def test_a_job_that_waits_for_a_worker_has_no_progress() -> None:
    assert progress_of(RUNNING, BEGAN) is None


def test_while_a_file_is_read_the_share_of_its_bytes_counts() -> None:
    progress = after(5, READING)

    assert (progress.done, progress.total, progress.unit) == (10_000_000, 40_000_000, "bytes")
    assert progress.seconds_left == 15
    assert describe_step(progress) == "Reading the file (step 1 of 4)"
    assert describe_amount(progress) == "{10} of {40} MB, about {15} s left in this step"


def test_a_file_that_is_read_to_its_end_is_not_being_read_any_more() -> None:
    progress = after(5, replace(READING, done=40_000_000))

    assert describe_step(progress) == "Checking for errors (step 2 of 4)"
    assert describe_amount(progress) == ""


def test_failed_rows_that_are_found_before_loading_are_no_progress() -> None:
    reporting = replace(LOADING, phase="report", position=250_000, created_count=0, updated_count=0)
    begins_to_load = replace(reporting, phase="create", position=0)

    assert after(60, reporting).seconds_left is None
    assert describe_amount(after(60, reporting)) == ""
    assert after(0, begins_to_load).share == after(60, reporting).share + 0.1
    assert describe_amount(after(0, begins_to_load)) == "{0} of {200000} rows"


def test_the_time_left_is_an_average_over_the_step() -> None:
    progress = after(10, LOADING)

    assert progress.per_second == 5_000
    assert progress.seconds_left == 30
    assert (
        describe_amount(progress) == "{50000} of {200000} rows, {5000} rows per second, about {30} s left in this step"
    )


@pytest.mark.parametrize("done", [0, 1, 9_999])
def test_there_is_no_time_left_before_a_twentieth_of_the_step_is_done(done: int) -> None:
    assert after(10, replace(LOADING, created_count=done, updated_count=0)).seconds_left is None
    assert after(10, replace(LOADING, created_count=10_000, updated_count=0)).seconds_left == 190


def test_there_is_no_time_left_in_the_first_second_nor_where_the_step_is_of_unknown_length() -> None:
    indexing = replace(LOADING, phase="index", position=500_000)
    of_an_earlier_version = replace(LOADING, step_started_at=None)

    for progress in (after(0.9, LOADING), after(10, indexing), after(10, of_an_earlier_version)):
        assert progress.seconds_left is None
        assert progress.per_second is None
    assert describe_amount(after(10, indexing)) == "{500000} keys"


def test_one_bar_goes_through_all_steps_and_never_back() -> None:
    jobs = [
        replace(READING, done=0),
        READING,
        replace(READING, done=40_000_000),
        replace(LOADING, phase="report", created_count=0, updated_count=0),
        replace(LOADING, phase="create", updated_count=0),
        LOADING,
        replace(LOADING, phase="follow", created_count=150_000),
        replace(LOADING, phase="unindex", created_count=190_000, position=5),
        replace(LOADING, phase="index", created_count=190_000, position=9),
    ]

    shares = [after(1, job).share for job in jobs]
    steps = [after(1, job).step for job in jobs]

    assert shares == sorted(shares)
    assert (shares[0], shares[-1] < 1) == (0, True)
    assert steps == [1, 1, 2, 2, 3, 3, 3, 4, 4]


def test_a_preview_and_an_undo_have_steps_of_their_own() -> None:
    checking = replace(LOADING, phase="preview", kind="preview")
    undoing = UndoJob(
        **COMMON,
        kind="undo",
        phase="restore",
        position=7,
        done=None,
        total=1_000,
        removed_count=300,
        restored_count=100,
        kept_count=90,
        gone_count=10,
    )

    assert describe_step(after(10, checking)) == "Comparing with existing profiles (step 3 of 3)"
    assert after(10, checking).seconds_left == 30
    assert describe_step(after(10, undoing)) == "Removing and restoring profiles (step 2 of 4)"
    assert describe_amount(after(10, undoing)) == (
        "{500} of {1000} profiles, {50} profiles per second, about {10} s left in this step"
    )


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "{1} s"), (59.4, "{59} s"), (150, "{2} min"), (5_400, "{1.5} h")])
def test_a_time_is_told_in_the_unit_that_suits_it(seconds: float, words: str) -> None:
    progress = replace(after(10, LOADING), per_second=None, seconds_left=seconds)

    assert describe_amount(progress) == f"{{50000}} of {{200000}} rows, about {words} left in this step"


@pytest.mark.parametrize("size", [(700, 999, "bytes"), (9_000, 20_000, "kB"), (9_000_000, 20_000_000, "MB")])
def test_bytes_are_told_in_the_unit_that_suits_the_file(size: tuple[int, int, str]) -> None:
    read, whole, unit = size
    divisor = {"bytes": 1, "kB": 1_000, "MB": 1_000_000}[unit]

    progress = after(0, replace(READING, done=read, file_size_bytes=whole))

    assert describe_amount(progress) == f"{{{read // divisor}}} of {{{whole // divisor}}} {unit}"


@pytest.mark.parametrize("job", [READING, LOADING, replace(LOADING, phase="index")])
def test_a_server_answers_as_documented_with_all_that_a_command_shows(job: UploadJob) -> None:
    progress = after(10, job)

    members = _job_members(job, BEGAN + timedelta(seconds=10))["Progress"]
    document = {name: value for name, value in members.items() if value is not None}
    read = Progress(**attributes_of(document))

    validator("StepProgress").validate(document)
    assert describe_step(read) == describe_step(progress)
    assert describe_amount(read) == describe_amount(progress)
    assert read.share == pytest.approx(progress.share, abs=1e-4)
