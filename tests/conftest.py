"""What all tests share: how Hypothesis runs."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# The machine that runs the tests may be busy, so no example is timed. In CI the examples are the same every time; a
# developer's run looks elsewhere each time.
settings.register_profile(
    "openprofiles",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("openprofiles")
