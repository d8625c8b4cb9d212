"""The scratch folder removed under a loader that runs: by a person who makes room, or by a cleaner of old files."""

from __future__ import annotations

import functools
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from acceptance.running import wait_until
from budgets import IS_LONG
from faults.loads import (
    SMALL,
    Installation,
    Rows,
    assert_row_numbers_are_used_once,
    assert_store_is_whole,
    differences,
    opened,
    prepare_load,
    read_store,
)
from faults.processes import DEADLINE_SECONDS, PHASES, read_log, run_undisturbed, running_worker
from load.loading import assert_index_is_right


@pytest.fixture(scope="module")
def work_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@functools.lru_cache(maxsize=1)
def prepared(work_folder: Path) -> tuple[Installation, dict[str, Rows]]:
    """An installation with a job that waits for a worker, and the store that an undisturbed worker makes of it."""
    waiting = Installation(Path(tempfile.mkdtemp(dir=work_folder)) / "prepared")
    prepare_load(waiting, 2, SMALL)
    return waiting, run_undisturbed(waiting)


@pytest.mark.parametrize("phase", PHASES if IS_LONG else ["update"])
def test_a_load_whose_scratch_folder_is_removed_while_it_runs_ends_like_an_undisturbed_one(
    work_folder: Path, phase: str
) -> None:
    waiting, expected = prepared(work_folder)
    disturbed = waiting.copy(work_folder / phase)
    with opened(disturbed) as (shop, job), running_worker(disturbed) as worker:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while shop.job(job).phase not in PHASES[PHASES.index(phase) :]:
            assert time.monotonic() < deadline, f"the load does not come to {phase}"
            time.sleep(0.002)

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
        assert_index_is_right(shop)
        assert_row_numbers_are_used_once(shop)
        assert_store_is_whole(shop)
