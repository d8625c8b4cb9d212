from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from acceptance.running import environment

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"


def test_the_demo_shows_the_job_its_failed_rows_and_a_profile() -> None:
    answer = subprocess.run(
        [sys.executable, DEMO],
        # What a newcomer may have set for other things.
        env=environment(AWS_PROFILE="nobody", HTTP_PROXY="http://127.0.0.1:9", http_proxy="http://127.0.0.1:9"),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (answer.returncode, answer.stderr) == (0, "")
    assert '"Status": "PARTIALLY_SUCCEEDED"' in answer.stdout
    assert "line  141  MISSING_UNIQUE_KEY The unique key, column Email, is empty" in answer.stdout
    assert '"EmailAddress": "customer2888@example.com"' in answer.stdout
    assert answer.stdout.endswith("Next, try: openprofiles import --help\n")
