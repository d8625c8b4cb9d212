"""The AWS SDK for JavaScript, for which tests need node and its packages."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "js"


def require_sdk() -> str:
    """Skip the test where the SDK is not installed; return the path of node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (FOLDER / "node_modules" / "@aws-sdk" / "client-customer-profiles").is_dir():
        pytest.skip("the AWS SDK for JavaScript is not installed: run npm install in tests/acceptance/js")
    return node
