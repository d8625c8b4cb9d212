"""Leaves the tests that are marked ``long`` to ``make test-long``.

The mark names a test of ``make test`` that holds the same promise; tests/docs sees to it that there is one.
"""

from __future__ import annotations

import pytest

import budgets

# Every test that was collected, and for a long one the daily test that its mark names.
TESTS = pytest.StashKey[dict[str, str | None]]()


ENGINES = ("sqlite", "postgresql")


def leave_out_long_tests(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take the long tests out of those that were collected, except in the long form."""
    for item in items:
        _mark_engine(item)
    daily = {item: _daily_test(item) for item in items}
    config.stash[TESTS] = {item.nodeid: name for item, name in daily.items()}
    if not budgets.IS_LONG:
        config.hook.pytest_deselected(items=[item for item in items if daily[item]])
        items[:] = [item for item in items if not daily[item]]


def _mark_engine(item: pytest.Item) -> None:
    """Mark a test that has a parameter for the engine as long, if it need not run on this engine daily."""
    parameters: dict[str, object] = item.callspec.params if hasattr(item, "callspec") else {}
    daily = _daily_engines(item)
    for engine in ENGINES:
        if engine in parameters.values() and engine not in daily:
            item.add_marker(pytest.mark.long(daily=item.nodeid.replace(engine, daily[0])))


def _daily_engines(item: pytest.Item) -> tuple[str, ...]:
    if mark := item.get_closest_marker("daily_on"):
        return mark.args
    # What a load does with rows, once they are read, hardly depends on the engine.
    return ENGINES[:1] if item.path.parent.name == "load" else ENGINES


def _daily_test(item: pytest.Item) -> str | None:
    mark = item.get_closest_marker("long")
    if mark is None:
        return None
    name: str = mark.kwargs["daily"]
    # A name without a file is that of a test in the same file.
    return name if "::" in name else f"{item.nodeid.partition('::')[0]}::{name}"
