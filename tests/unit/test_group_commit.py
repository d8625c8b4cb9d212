"""Calls that write at the same time are committed together."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from openprofiles.objects.group_commit import MAX_GROUP_SIZE, GroupCommit


class Disk:
    """What a group is written to; the first write waits until it may go on."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.has_begun = threading.Event()
        self.may_go_on = threading.Event()

    def write(self, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        if len(self.groups) == 1:
            self.has_begun.set()
            assert self.may_go_on.wait(30)
        if -1 in items:
            raise ValueError("item -1 cannot be written")
        return [item * 10 for item in items]


def submit_while_the_first_is_written(disk: Disk, items: Sequence[int]) -> list[int | Exception]:
    """Submit 0, and the others while it is written; return the results of the others."""
    group: GroupCommit[int, int] = GroupCommit()

    def submit(item: int) -> int | Exception:
        try:
            return group.submit(item, disk.write)
        except ValueError as error:
            return error

    with ThreadPoolExecutor(len(items) + 1) as threads:
        first = threads.submit(submit, 0)
        assert disk.has_begun.wait(30)
        others = [threads.submit(submit, item) for item in items]
        while len(group._queue) < len(items):
            threading.Event().wait(0.001)
        disk.may_go_on.set()
        assert first.result(30) == 0
        return [one.result(30) for one in others]


def test_what_arrives_while_a_group_is_written_is_the_next_group() -> None:
    disk = Disk()

    results = submit_while_the_first_is_written(disk, range(1, 21))

    assert results == [item * 10 for item in range(1, 21)]
    assert [len(group) for group in disk.groups] == [1, 20]


def test_a_group_has_a_largest_size_and_none_is_left_out() -> None:
    disk = Disk()
    count = 2 * MAX_GROUP_SIZE + 5

    results = submit_while_the_first_is_written(disk, range(1, count + 1))

    assert results == [item * 10 for item in range(1, count + 1)]
    assert max(map(len, disk.groups)) <= MAX_GROUP_SIZE
    assert sorted(item for group in disk.groups for item in group) == list(range(count + 1))
    assert len(disk.groups) < count / 2


def test_one_that_fails_takes_no_other_with_it() -> None:
    disk = Disk()

    results = submit_while_the_first_is_written(disk, [1, -1, 2])

    assert results[::2] == [10, 20]
    assert isinstance(results[1], ValueError)


def test_a_call_that_is_alone_is_written_at_once() -> None:
    group: GroupCommit[int, int] = GroupCommit()

    assert group.submit(3, lambda items: [item + 1 for item in items]) == 4
    with pytest.raises(ZeroDivisionError):
        group.submit(0, lambda items: [1 // item for item in items])
    assert group.submit(4, lambda items: [item + 1 for item in items]) == 5
