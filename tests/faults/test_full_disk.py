"""A disk that is full while a file is loaded: the load goes on when there is room, or says why it failed."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from acceptance.running import RunningServer, command, environment, running_server, wait_until
from budgets import IS_LONG
from faults.loads import (
    SMALL,
    assert_row_numbers_are_used_once,
    assert_store_is_whole,
    opened,
)
from faults.prepared import prepared_load
from faults.processes import DEADLINE_SECONDS, PHASES, tree_of
from faults.small_disk import SmallDisk
from load.loading import Shop, assert_index_and_log_are_right
from openprofiles.store.upload_jobs import UploadJob

# Longer than the loaders take that are tried one after the other, and shorter than the pauses between two workers.
FULL_SECONDS = 4.0


def fill_in_phase(disk: SmallDisk, server: RunningServer, shop: Shop, job: UploadJob, phase: str) -> None:
    """Wait until the load has come to the phase, and fill the disk while its processes are stopped."""
    coming = PHASES[PHASES.index(phase) :]
    # Almost without a pause: a phase takes as long as some pauses of wait_until.
    deadline = time.monotonic() + DEADLINE_SECONDS
    while shop.job(job).phase not in coming:
        assert time.monotonic() < deadline, f"the load does not come to {phase}"
        time.sleep(0.005)
    # To fill the disk takes longer than some phases.
    loading = [pid for child in server.children() for pid in tree_of(child)]
    for pid in loading:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert shop.job(job).status == "IN_PROGRESS", "the load ended too early"
        disk.fill()
    finally:
        for pid in loading:
            os.kill(pid, signal.SIGCONT)


def wait_for_end(shop: Shop, job: UploadJob, server: RunningServer) -> UploadJob:
    wait_until(lambda: shop.job(job).status != "IN_PROGRESS", f"the job ends, {shop.job(job)}", DEADLINE_SECONDS)
    wait_until(lambda: server.get("/readyz")[0] == 200, "the server is ready")
    return shop.job(job)


def assert_all_is_loaded(shop: Shop, job: UploadJob) -> None:
    """What the undisturbed run leaves, as far as it can be told without one."""
    assert (job.status, job.record_count) == ("PARTIALLY_SUCCEEDED", SMALL.record_count)
    assert job.created_count + job.updated_count + job.failed_count == SMALL.record_count
    assert len(shop.failed_rows(job)) == job.failed_count
    assert_index_and_log_are_right(shop)
    assert_row_numbers_are_used_once(shop)
    assert_store_is_whole(shop)


@pytest.mark.parametrize("phase", ["stage", "create", "update", "index"] if IS_LONG else ["update"])
def test_a_load_whose_disk_is_full_goes_on_when_there_is_room_and_the_api_can_be_read_meanwhile(
    disk: SmallDisk, phase: str
) -> None:
    installation = prepared_load(2, SMALL).copy(disk.data_folder)
    with (
        opened(installation) as (shop, job),
        running_server(disk.data_folder, "--workers", "1") as server,
    ):
        client = server.client()
        fill_in_phase(disk, server, shop, job, phase)
        # Until a loader, or the worker itself, has noticed.
        wait_until(lambda: "disk_full" in server.log(), "something has noticed the want of room")
        shown = client.get_upload_job(DomainName=shop.name, JobId=job.job_id)
        found = client.search_profiles(DomainName=shop.name, KeyName="_email", Values=["twice-1@x.example"])["Items"]
        disk.make_room()
        ended = wait_for_end(shop, job, server)

        assert shown["DisplayName"] == "test"
        assert len(found) == 2
        assert_all_is_loaded(shop, ended)


@pytest.mark.long(daily="test_a_load_whose_disk_is_full_goes_on_when_there_is_room_and_the_api_can_be_read_meanwhile")
@pytest.mark.parametrize("phase", ["stage", "create", "update", "follow", "index"])
def test_a_load_whose_disk_stays_full_waits_for_room_and_the_log_says_so(disk: SmallDisk, phase: str) -> None:
    installation = prepared_load(2, SMALL).copy(disk.data_folder)
    with (
        opened(installation) as (shop, job),
        running_server(disk.data_folder, "--workers", "1") as server,
    ):
        fill_in_phase(disk, server, shop, job, phase)
        full_until = time.monotonic() + FULL_SECONDS
        wait_until(lambda: time.monotonic() >= full_until, "the disk has been full for a while")
        disk.make_room()
        ended = wait_for_end(shop, job, server)

        assert_all_is_loaded(shop, ended)
        assert ended.failed_attempts == 0
        assert "load_waits_for_room" in server.log() or "disk_full" in server.log()


@pytest.mark.long(daily="test_a_load_whose_disk_is_full_goes_on_when_there_is_room_and_the_api_can_be_read_meanwhile")
def test_a_worker_that_finds_the_disk_full_says_so_and_waits_for_room(disk: SmallDisk) -> None:
    installation = prepared_load(2, SMALL).copy(disk.data_folder)
    log_path = disk.data_folder.with_name("worker.log")
    with opened(installation) as (shop, job), log_path.open("w") as log:
        disk.fill()
        worker = subprocess.Popen(
            command("worker", "--data", disk.data_folder), env=environment(), stdout=log, stderr=log
        )
        try:
            wait_until(lambda: "disk_full" in log_path.read_text(), "the worker has noticed the want of room")
            left = shop.job(job)
            disk.make_room()
            wait_until(lambda: shop.job(job).status != "IN_PROGRESS", "the job ends", DEADLINE_SECONDS)
        finally:
            worker.terminate()
            worker.wait()

        assert (left.status, left.failed_attempts) == ("IN_PROGRESS", 0)
        assert_all_is_loaded(shop, shop.job(job))
