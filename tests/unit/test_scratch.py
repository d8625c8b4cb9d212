from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from openprofiles.bulk.scratch import Scratch


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


def damage(path: Path) -> None:
    path.write_bytes(b"damaged\n" * 10_000)


@pytest.mark.parametrize("harm", [damage, Path.unlink])
@pytest.mark.parametrize("harmed", ["load-9.duckdb", "facts", "*"])
def test_a_scratch_database_of_which_a_file_is_damaged_or_gone_is_made_again(
    tmp_path: Path, harmed: str, harm: Callable[[Path], None]
) -> None:
    scratch = opened(tmp_path / "scratch", 1)
    scratch.run("create table staged as select 1")
    scratch.mark_done("staged")
    scratch.close()
    paths = list((tmp_path / "scratch").glob(harmed))
    assert paths
    for path in paths:
        harm(path)

    scratch = opened(tmp_path / "scratch", 2)

    assert not scratch.is_done("staged")
    scratch.run("create table staged as select 1")
    scratch.mark_done("staged")
    scratch.close()


def test_a_number_that_was_written_in_part_is_left_out(tmp_path: Path) -> None:
    scratch = opened(tmp_path / "scratch", 1)
    scratch.remember("rows", 1)
    scratch.close()
    with (tmp_path / "scratch" / "facts").open("ab") as file:
        file.write(b"2 ro")

    scratch = opened(tmp_path / "scratch", 2)
    left = scratch.recall("rows")
    scratch.remember("rows", 3)
    scratch.close()
    scratch = opened(tmp_path / "scratch", 3)

    assert (left, scratch.recall("rows")) == (1, 3)
    scratch.close()
