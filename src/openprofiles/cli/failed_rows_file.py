"""The file of failed rows that ``openprofiles import`` writes next to the file it loaded."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from openprofiles.cli.importer import ImportFault


def default_failed_rows_path(file: Path) -> Path:
    """Name ``customers.failed-rows.csv`` next to ``customers.csv``."""
    return file.with_name(f"{file.stem}.failed-rows.csv")


def has_folder(file: Path) -> bool:
    """Return whether failed rows can lie next to the file: a pipe such as /dev/stdin is in no folder of the user."""
    place = file.absolute().parent
    return file.is_file() and place != Path("/dev") and not place.is_relative_to("/dev/fd")


def check_failed_rows_path(path: Path, file: Path) -> None:
    """Refuse, before anything is loaded, a place where the failed rows could not be written.

    Args:
        file: the file to load.

    Raises:
        ImportFault: the message says what is wrong with the path.
    """
    if path.exists() and file.exists() and path.samefile(file):
        raise ImportFault(f"--failed-rows names {file}, the file that is being loaded. Name another file.")
    if not path.parent.is_dir():
        raise ImportFault(f"--failed-rows: there is no folder {path.parent}. Nothing was loaded.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ImportFault(
            f"--failed-rows: you do not have permission to write to the folder {path.parent}. Nothing was loaded."
        )


def write_failed_rows(path: Path, parts: Iterable[bytes]) -> None:
    """Write the file, whole or not at all; an older one is replaced.

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
