"""The document docs/openapi.yaml, with which the tests compare answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

TEXT = (Path(__file__).parents[1] / "docs" / "openapi.yaml").read_text()
# The loader in C is ten times as fast, and each process of the tests reads it.
OPENAPI: dict[str, Any] = yaml.load(TEXT, Loader=yaml.CSafeLoader)
