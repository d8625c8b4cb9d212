"""Leaves the tests that are marked ``long`` to ``make test-long``.

The mark names a test of ``make test`` that holds the same promise; tests/docs sees to it that there is one.
"""

from __future__ import annotations

import pytest

import budgets

# Every test that was collected, and for a long one the daily test that its mark names.
TESTS = pytest.StashKey[dict[str, str | None]]()


def leave_out_long_tests(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take the long tests out of those that were collected, except in the long form."""
    daily = {item: _daily_test(item) for item in items}
    config.stash[TESTS] = {item.nodeid: name for item, name in daily.items()}
    if not budgets.IS_LONG:
        config.hook.pytest_deselected(items=[item for item in items if daily[item]])
        items[:] = [item for item in items if not daily[item]]


def _daily_test(item: pytest.Item) -> str | None:
    mark = item.get_closest_marker("long")
    if mark is None:
        return None
    name: str = mark.kwargs["daily"]
    # A name without a file is that of a test in the same file.
    return name if "::" in name else f"{item.nodeid.partition('::')[0]}::{name}"
