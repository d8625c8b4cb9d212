"""The bar of what became of the rows of a job."""

from __future__ import annotations

import re
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.server.console.render import plain, share
from openprofiles.server.console.result_bar import describe, parts_of
from openprofiles.store.upload_jobs import UploadJob

counts = st.integers(0, 10_000_000)


class Job:
    """What the bar needs of a job."""

    def __init__(
        self, created: int, updated: int, unchanged: int, failed: int, left: int, completed_at: Any = 1
    ) -> None:
        self.created_count, self.failed_count, self.unchanged_count = created, failed, unchanged
        self.updated_count = updated + unchanged
        self.record_count = created + updated + unchanged + failed + left
        self.completed_at = completed_at


def job(*numbers: int, **more: Any) -> UploadJob:
    return cast(UploadJob, Job(*numbers, **more))


@given(st.tuples(counts, counts, counts, counts, counts))
def test_the_parts_fill_the_bar_and_what_has_rows_can_be_seen(numbers: tuple[int, ...]) -> None:
    parts = parts_of(job(*numbers))

    assert tuple(part.count for part in parts) == numbers
    assert sum(part.width for part in parts) == pytest.approx(100 if any(numbers) else 0, abs=0.01)
    place = 0.0
    for part in parts:
        assert part.x == pytest.approx(place, abs=0.01)
        assert (part.width > 0.5) == (part.count > 0)
        place += part.width


def test_shares_and_words_are_for_people() -> None:
    parts = parts_of(job(999_999, 0, 0, 1, 0))
    texts = [re.sub("<[^>]+>", "", share(part.share)) for part in parts]
    assert texts == ["&gt; 99.9 %", "0 %", "0 %", "&lt; 0.1 %", "0 %"]
    assert plain(describe(parts)) == "Of 1,000,000 rows: 999,999 created, 1 failed."
    assert plain(describe(parts_of(job(1, 0, 0, 0, 0)))) == "Of 1 row: 1 created."
    assert describe(parts_of(job(0, 0, 0, 0, 0))) == "No rows were processed."
    assert parts_of(job(1, 0, 0, 0, 1, completed_at=None))[-1].word == "not yet processed"
