"""The scripts of the console's pages that need no page: ``tests/unit/scripts``, run by node's own test runner."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts"


def find_node() -> str | None:
    """Return the node of Playwright's driver, which is there wherever the console's tests run, or any other."""
    spec = importlib.util.find_spec("playwright")
    if spec is not None and spec.origin is not None:
        of_playwright = Path(spec.origin).parent / "driver" / "node"
        if of_playwright.exists():
            return str(of_playwright)
    return shutil.which("node")


def test_the_scripts_pass_their_own_tests() -> None:
    node = find_node()
    if node is None:
        pytest.skip("There is no node here, so the tests of the console's scripts are left out. Playwright brings one.")
    files = sorted(str(path) for path in SCRIPTS.glob("*.test.mjs"))

    done = subprocess.run([node, "--test", *files], capture_output=True, text=True, timeout=60)

    assert files
    assert done.returncode == 0, done.stdout + done.stderr
