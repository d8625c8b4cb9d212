"""The scratch folder removed under a loader that runs: by a person who makes room, or by a cleaner of old files."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from acceptance.running import run_command, wait_until
from budgets import IS_LONG
from faults.loads import (
    SMALL,
    Installation,
    assert_row_numbers_are_used_once,
    assert_store_is_whole,
    differences,
    opened,
    read_store,
)
from faults.prepared import prepared_load, undisturbed_load
from faults.processes import DEADLINE_SECONDS, PHASES, let_lease_run_out, read_log, running_worker
from load.loading import assert_index_and_log_are_right


@pytest.mark.parametrize("phase", PHASES if IS_LONG else ["update"])
def test_a_load_whose_scratch_folder_is_removed_while_it_runs_ends_like_an_undisturbed_one(
    tmp_path: Path, phase: str
) -> None:
    expected = undisturbed_load(2, SMALL)
    disturbed = prepared_load(2, SMALL).copy(tmp_path / "disturbed")
    with opened(disturbed) as (shop, job), running_worker(disturbed) as worker:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while shop.job(job).phase not in PHASES[PHASES.index(phase) :]:
            assert time.monotonic() < deadline, f"the load does not come to {phase}"
            time.sleep(0.005)

        shutil.rmtree(shop.place.settings.scratch_folder, ignore_errors=True)
        was_running = shop.job(job).status == "IN_PROGRESS"
        wait_until(lambda: shop.job(job).status != "IN_PROGRESS", "the job ends", DEADLINE_SECONDS)
        wait_until(lambda: not shop.place.left_files(job), "the job's files are removed", DEADLINE_SECONDS)
        ended = shop.job(job)

        assert was_running
        assert worker.stop() == 0
        assert ended.status == "PARTIALLY_SUCCEEDED", read_log(disturbed.data_folder)
        # What is followed one by one after the loss is more changes of a profile, and fewer keys to write at the end.
        assert differences(expected, read_store(shop), without=("revision", "position")) == []
        assert_index_and_log_are_right(shop)
        assert_row_numbers_are_used_once(shop)
        assert_store_is_whole(shop)


@pytest.mark.long(daily="test_a_load_whose_scratch_folder_is_removed_while_it_runs_ends_like_an_undisturbed_one")
def test_a_load_goes_on_from_a_backup_that_was_made_while_it_ran(tmp_path: Path) -> None:
    expected = undisturbed_load(2, SMALL)
    running = prepared_load(2, SMALL).copy(tmp_path / "backed-up")
    with opened(running) as (shop, job), running_worker(running) as worker:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while shop.job(job).phase not in PHASES[PHASES.index("create") :]:
            assert time.monotonic() < deadline, "the load does not come to writing"
            time.sleep(0.005)
        loaders = worker.loaders()

        # The load must not end before the backup has begun.
        for pid in loaders:
            os.kill(pid, signal.SIGSTOP)
        backed_up = run_command("backup", tmp_path / "backups", *running.options)
        for pid in loaders:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: shop.job(job).status != "IN_PROGRESS", "the job ends", DEADLINE_SECONDS)
        worker.stop()
        undisturbed = differences(expected, read_store(shop))
    (backup,) = (tmp_path / "backups").glob("openprofiles-*")
    restored = Installation(tmp_path / "restored")
    again = run_command("restore", backup, *restored.options, "--master-key", running.data_folder / "master.key")

    assert backed_up.returncode == 0, backed_up.stderr
    assert again.returncode == 0, again.stderr
    assert "Uploaded files of jobs that will continue: 1" in again.stdout
    # The load itself did not notice the backup.
    assert undisturbed == []
    with opened(restored) as (shop, job):
        assert_store_is_whole(shop)
        in_backup = shop.job(job)
        let_lease_run_out(shop, job)
        with running_worker(restored) as worker:
            wait_until(lambda: shop.job(job).status != "IN_PROGRESS", "the job ends", DEADLINE_SECONDS)
            assert worker.stop() == 0

        assert (in_backup.status, in_backup.phase in PHASES[PHASES.index("create") :]) == ("IN_PROGRESS", True)
        assert shop.job(job).status == "PARTIALLY_SUCCEEDED", read_log(restored.data_folder)
        # As after the loss of a scratch folder, which is not in a backup.
        assert differences(expected, read_store(shop), without=("revision", "position")) == []
        assert_index_and_log_are_right(shop)
        assert_row_numbers_are_used_once(shop)
        assert_store_is_whole(shop)
