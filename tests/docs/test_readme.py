"""The code of the README runs: its shell and Python blocks, in their order, in one shell."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance.running import environment, running_server

pytestmark = pytest.mark.usefixtures("quick_servers")

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def runnable_blocks() -> list[str]:
    """What is marked sh, bash or python; console, javascript, java and hcl are for reading."""
    blocks = []
    for language, code in _BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8")):
        if language in ("sh", "bash"):
            blocks.append(code)
        elif language == "python":
            # A short block stands on what the one before it has imported.
            imports = "" if "import boto3" in code else "import boto3\n"
            blocks.append(f"python - <<'END'\n{imports}{code}END\n")
    return blocks


def test_the_tutorial_of_the_readme_runs(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    shutil.copy(ROOT / "examples" / "customers.csv", tmp_path / "examples")
    bash = shutil.which("bash")
    if bash is None or not shutil.which("curl") or not shutil.which("openssl"):
        pytest.skip("the tutorial uses bash, curl and openssl")
    script = "set -u -o pipefail\n" + "".join(
        f'{block}\necho "-- block {number} ended with $?"\n' for number, block in enumerate(runnable_blocks())
    )
    variables = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path), "AWS_PAGER": ""}

    # The server that the README starts in a second terminal.
    with running_server(tmp_path / "openprofiles-data", "--workers", "1"):
        answer = subprocess.run(
            [bash, "-c", script],
            cwd=tmp_path,
            env=environment(**variables),
            capture_output=True,
            text=True,
            timeout=120,
        )

    told = f"{answer.stdout}\n{answer.stderr}"
    statuses = re.findall(r"^-- block (\d+) ended with (\d+)$", answer.stdout, re.MULTILINE)
    assert answer.returncode == 0, told
    # The import ends with 1, as the README says: some rows failed.
    assert [status for _, status in statuses] == ["1"] + ["0"] * (len(statuses) - 1), told
    assert len(statuses) == len(runnable_blocks()) == 6
    assert "2,900 created, 100 updated, 7 failed in " in answer.stdout
    assert "141,Email,MISSING_UNIQUE_KEY," in answer.stdout
    assert '"AccountNumber": "C-02888"' in answer.stdout
    assert '"ProfileCount": 2900' in answer.stdout
    assert "SUCCEEDED {'UpdatedRecords': 2, 'CreatedRecords': 0, 'FailedRecords': 0}" in answer.stdout
    assert "'FirstName': 'Ada'" in answer.stdout
