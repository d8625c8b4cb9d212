"""What is left to ``make test-long`` is promised by a test of ``make test`` too."""

from __future__ import annotations

import pytest

from long_tests import TESTS


def test_a_long_test_names_a_daily_one_that_there_is(pytestconfig: pytest.Config) -> None:
    collected = pytestconfig.stash[TESTS]
    files = {test.partition("::")[0] for test in collected}
    daily = {test for test, named in collected.items() if named is None}
    # A name without parameters is that of all tests of the function.
    daily |= {test.partition("[")[0] for test in daily}
    named = {name for name in collected.values() if name is not None and name.partition("::")[0] in files}
    if not named:
        pytest.skip("only a run of all tests knows the long ones")

    assert named - daily == set()
