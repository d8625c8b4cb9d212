from __future__ import annotations

from pathlib import Path

from openprofiles.uploads.loading.scratch import Scratch


def opened(folder: Path, epoch: int) -> Scratch:
    return Scratch(folder, epoch=epoch, memory_limit_bytes=100_000_000, phone_region="US")


def test_the_next_claim_finds_the_last_numbers_and_the_finished_steps(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        scratch = opened(tmp_path / "scratch", epoch)
        assert scratch.recall("milliseconds") == (None if epoch == 1 else epoch - 1)
        assert scratch.is_done("staged") == (epoch > 1)
        scratch.remember("milliseconds", 1_000)
        scratch.remember("milliseconds", epoch)
        scratch.mark_done("staged")
        scratch.close()


def test_another_connection_knows_what_the_first_one_has_noted_and_the_other_way_round(tmp_path: Path) -> None:
    scratch = opened(tmp_path / "scratch", 1)
    cursor = scratch.another()

    scratch.mark_done("staged")
    cursor.mark_done("sorted")

    assert (cursor.is_done("staged"), scratch.is_done("sorted"), scratch.is_done("planned")) == (True, True, False)
    cursor.close()
    scratch.close()


def test_a_scratch_database_that_another_claim_went_past_is_made_again(tmp_path: Path) -> None:
    scratch = opened(tmp_path / "scratch", 1)
    scratch.mark_done("staged")
    scratch.close()

    scratch = opened(tmp_path / "scratch", 3)

    assert not scratch.is_done("staged")
    scratch.close()


def test_a_damaged_scratch_database_is_made_again(tmp_path: Path) -> None:
    scratch = opened(tmp_path / "scratch", 1)
    scratch.mark_done("staged")
    scratch.close()
    for path in (tmp_path / "scratch").iterdir():
        path.write_bytes(b"damaged" * 10_000)

    scratch = opened(tmp_path / "scratch", 2)

    assert not scratch.is_done("staged")
    scratch.mark_done("staged")
    scratch.close()
