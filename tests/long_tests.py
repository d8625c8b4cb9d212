"""Leave tests with the mark ``long`` to ``make test-long``.

The mark names a test of ``make test`` with the same promise; a test in tests/docs checks that it exists.
"""

from __future__ import annotations

import pytest

import budgets

# Every test that was collected, and for a long one the daily test that its mark names.
TESTS = pytest.StashKey[dict[str, str | None]]()


ENGINES = ("sqlite", "postgresql")
# Parameters that a test need not have all of on every day.
_ALTERNATIVES = (ENGINES, ("directly", "through a server"))


def leave_out_long_tests(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Remove the long tests from the collected ones, except in the long form."""
    for item in items:
        _mark_alternative(item)
    daily = {item: _daily_test(item) for item in items}
    config.stash[TESTS] = {item.nodeid: name for item, name in daily.items()}
    if not budgets.IS_LONG:
        config.hook.pytest_deselected(items=[item for item in items if daily[item]])
        items[:] = [item for item in items if not daily[item]]


def _mark_alternative(item: pytest.Item) -> None:
    """Mark a test as long if its mark ``daily_on`` names only other parameters."""
    parameters: dict[str, object] = item.callspec.params if hasattr(item, "callspec") else {}
    mark = item.get_closest_marker("daily_on")
    # What a load does with rows, once they are read, hardly depends on the engine.
    of_folder = ENGINES[:1] if item.path.parent.name == "load" else ()
    daily = mark.args if mark else of_folder
    for name in daily:
        if not any(name in alternatives for alternatives in _ALTERNATIVES):
            raise pytest.UsageError(f"{item.nodeid}: daily_on names {name}, which is not a parameter that it knows.")
    name = item.nodeid
    for alternatives in _ALTERNATIVES:
        given = [one for one in alternatives if one in parameters.values()]
        named = [one for one in alternatives if one in daily]
        if given and named and given[0] not in named:
            name = name.replace(given[0], named[0])
    if name != item.nodeid:
        item.add_marker(pytest.mark.long(daily=name))


def _daily_test(item: pytest.Item) -> str | None:
    mark = item.get_closest_marker("long")
    if mark is None:
        return None
    name: str = mark.kwargs["daily"]
    # A name without a file is that of a test in the same file.
    return name if "::" in name else f"{item.nodeid.partition('::')[0]}::{name}"
