"""The slots that the workers of one data folder share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from openprofiles.worker.loading_slots import LoadingSlots, slot_count

TAKE_AND_WAIT = """
import sys
from pathlib import Path
from openprofiles.worker.loading_slots import LoadingSlots
print(LoadingSlots(Path(sys.argv[1]), 1).take() is not None, flush=True)
sys.stdin.read()
"""


def test_workers_of_one_folder_share_its_slots(tmp_path: Path) -> None:
    one, other = LoadingSlots(tmp_path / "slots", 2), LoadingSlots(tmp_path / "slots", 2)

    first, second = one.take(), other.take()

    assert first is not None
    assert second is not None
    assert one.take() is None
    assert other.take() is None
    one.give_back(first)
    third = other.take()
    assert third is not None
    for slot in (second, third):
        other.give_back(slot)


def test_the_slot_of_a_killed_worker_is_free(tmp_path: Path) -> None:
    slots = LoadingSlots(tmp_path / "slots", 1)
    worker = subprocess.Popen(
        [sys.executable, "-c", TAKE_AND_WAIT, tmp_path / "slots"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert worker.stdout is not None
    assert worker.stdin is not None
    assert worker.stdout.readline() == b"True\n"
    assert slots.take() is None

    worker.send_signal(signal.SIGKILL)
    worker.wait()

    slot = slots.take()
    assert slot is not None
    slots.give_back(slot)
    worker.stdin.close()
    worker.stdout.close()


def test_a_slot_is_not_passed_on_to_a_loader(tmp_path: Path) -> None:
    slots = LoadingSlots(tmp_path / "slots", 1)
    slot = slots.take()
    assert slot is not None
    loader = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)

    slots.give_back(slot)

    again = slots.take()
    assert again is not None
    slots.give_back(again)
    loader.communicate()


def test_there_are_two_slots_at_least_and_one_for_each_processor() -> None:
    assert slot_count() == max(2, len(os.sched_getaffinity(0)))
