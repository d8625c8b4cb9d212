"""The number of examples and kills of all tests, daily and in the long form of ``make test-long``."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A variable of the environment, since it must reach the processes of pytest-xdist and the modules they import.
FORM = os.environ.get("OPENPROFILES_TEST_FORM", "daily")
IS_LONG = FORM == "long"

# The machine that runs the tests may be busy, so no example is timed.
_UNTIMED = settings(deadline=None, suppress_health_check=list(HealthCheck))
# The same examples every day: a change fails for what it does. The long form looks for new ones, keeps those that fail
# for its next run, and prints the line that repeats one elsewhere.
settings.register_profile("daily", _UNTIMED, derandomize=True, database=None, max_examples=100)
settings.register_profile("long", _UNTIMED, print_blob=True, max_examples=1_000)
settings.load_profile(FORM)


def _examples(*, daily: int, long: int) -> settings:
    return settings(max_examples=long if IS_LONG else daily)


# By what an example does. A drawn test that names none of these takes the number of the profile.
SCANS = _examples(daily=350, long=20_000)
CALLS = _examples(daily=200, long=5_000)
REQUESTS = _examples(daily=700, long=10_000)
EXPRESSIONS = _examples(daily=300, long=10_000)
QUERIES = _examples(daily=100, long=1_000)
LOOKS = _examples(daily=20, long=500)
STATEMENTS = _examples(daily=50, long=500)
FILES = _examples(daily=10, long=200)
# A load takes 0.2 seconds of processor time, and an example has up to three.
LOADS = _examples(daily=5, long=60)
ENTANGLED_LOADS = _examples(daily=7, long=120)
DYING_LOADS = _examples(daily=3, long=30)

# How many processes tests/faults kills while one load runs.
KILLS = 40 if IS_LONG else 5
# How often tests/acceptance kills the workers that follow a segment.
KILLED_FOLLOWERS = 40 if IS_LONG else 4
