"""The threads of a loader: what one of them raises reaches the one that waits for it."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from openprofiles.bulk.prefetch import prefetch
from openprofiles.store.sqlite_checkpoints import Checkpointer


def numbers(count: int, ended: threading.Event, *, fails_at: int | None = None) -> Generator[int, None, None]:
    try:
        for number in range(count):
            if number == fails_at:
                raise ValueError("no more")
            yield number
    finally:
        ended.set()


def test_what_is_made_ahead_comes_in_its_order() -> None:
    with prefetch(numbers(100, threading.Event()), 2) as items:
        assert list(items) == list(range(100))


def test_an_error_of_the_maker_is_raised_after_what_it_made_before() -> None:
    with prefetch(numbers(5, threading.Event(), fails_at=3), 2) as items:
        assert [next(items), next(items), next(items)] == [0, 1, 2]
        with pytest.raises(ValueError, match="no more"):
            next(items)


def test_a_taker_that_leaves_early_ends_the_maker() -> None:
    ended = threading.Event()

    with prefetch(numbers(1_000_000, ended), 2) as items:
        assert next(items) == 0

    assert ended.is_set()


def test_a_failed_checkpoint_is_told_to_whoever_commits_next() -> None:
    def fail() -> None:
        raise OSError("disk")

    checkpointer = Checkpointer(fail)

    def commit_until_it_has_waited() -> None:
        # The checkpoints begin at commit 20, and commit 24 waits for one.
        for _ in range(24):
            checkpointer.after_commit()

    try:
        with pytest.raises(OSError, match="disk"):
            commit_until_it_has_waited()
    finally:
        checkpointer.close()
