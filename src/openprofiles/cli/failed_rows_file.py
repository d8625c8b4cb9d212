"""The file of failed rows that ``openprofiles import`` leaves beside the file it loaded."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def default_failed_rows_path(file: Path) -> Path:
    """``customers.failed-rows.csv`` beside ``customers.csv``."""
    return file.with_name(f"{file.stem}.failed-rows.csv")


def write_failed_rows(path: Path, parts: Iterable[bytes]) -> None:
    """Write the file, whole or not at all; one that is there already is replaced.

    Raises:
        OSError: the file cannot be written.
    """
    part_path = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with part_path.open("xb") as output:
            output.writelines(parts)
        part_path.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part_path.unlink()
