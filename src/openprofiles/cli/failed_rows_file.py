"""The file of failed rows that commands write, and the note next to it that shows whether somebody has changed it.

The note holds the checksum of the file as it was written. Only a file that still has this checksum is replaced or
removed, since people fix rows in it.
"""

from __future__ import annotations

import csv
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import click

from openprofiles.cli.importer import Importer, ImportFault
from openprofiles.uploads.failures.failed_rows_workbook import write_failed_rows_workbook
from openprofiles.uploads.failures.text_workbook import TooLargeForWorkbook

# More than any row has.
_MAX_CELL_CHARACTERS = 1 << 30


class FailedRowsFileChanged(Exception):
    """The file that would be replaced is not as it was written."""


def default_failed_rows_path(file: Path) -> Path:
    """Name ``customers.failed-rows.csv`` next to ``customers.csv``.

    That of ``customers.xlsx`` is ``customers.xlsx.failed-rows.csv``: no load removes the failed rows of another.
    """
    return file.with_name(f"{file.stem if file.suffix.lower() == '.csv' else file.name}.failed-rows.csv")


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


def check_unchanged(path: Path) -> None:
    """Refuse a file of failed rows that somebody has changed, before anything is loaded.

    Raises:
        ImportFault: the message names the file and says what to do.
    """
    if is_changed(path):
        raise ImportFault(f"{describe_changed(path)} or name another file with --failed-rows. Nothing was loaded.")


def describe_changed(path: Path) -> str:
    """Describe why the file is not replaced, and the first way out."""
    return (
        f"{path} was changed after openprofiles wrote it, or openprofiles did not write it, so it is not overwritten. "
        "Move or remove it,"
    )


def is_changed(path: Path) -> bool:
    """Return whether there is a file that is not as it was written; an empty one has nothing to lose."""
    if not path.is_file() or not path.stat().st_size:
        return False
    try:
        noted = _note_of(path).read_text(encoding="utf-8").partition(" ")[0]
        return noted != _checksum_of(path)
    except (OSError, UnicodeDecodeError):
        return True


def is_workbook(path: Path) -> bool:
    """Return whether failed rows are written to this file as an Excel workbook."""
    return path.suffix.lower() == ".xlsx"


def write_failed_rows(path: Path, parts: Iterable[bytes]) -> None:
    """Write the file, whole or not at all; an older one is replaced if nobody has changed it.

    Args:
        parts: the content of the CSV file; for a workbook, in its plain form.

    Raises:
        OSError: the file cannot be written.
        FailedRowsFileChanged: an older one was changed.
        TooLargeForWorkbook: the rows do not fit into a workbook.
    """
    part_path = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    note_path = part_path.with_suffix(".note")
    try:
        with part_path.open("xb") as output:
            if is_workbook(path):
                write_failed_rows_workbook(output, _read_table(parts))
            else:
                output.writelines(parts)
        # As sha256sum writes it.
        note_path.write_text(f"{_checksum_of(part_path)}  {path.name}\n", encoding="utf-8")
        if is_changed(path):
            raise FailedRowsFileChanged
        part_path.replace(path)
        note_path.replace(_note_of(path))
    finally:
        for left in (part_path, note_path):
            with suppress(FileNotFoundError):
                left.unlink()


def remove_failed_rows(path: Path) -> bool:
    """Remove the file, unless somebody has changed it; returns whether it is gone."""
    if is_changed(path):
        return False
    path.unlink(missing_ok=True)
    _note_of(path).unlink(missing_ok=True)
    return True


def _read_table(parts: Iterable[bytes]) -> Iterator[list[str]]:
    """Read the cells of the plain CSV file."""
    # The default limit is lower than what a row may have.
    csv.field_size_limit(_MAX_CELL_CHARACTERS)
    return csv.reader(_lines(parts), strict=True)


def _lines(parts: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "surrogateescape") + "\n"


def _note_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")


def _checksum_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_failed_rows(importer: Importer, path: Path, failed_count: int, other_way: str) -> Path | None:
    """Write the failed rows of a job that has ended to a file; return its path.

    If it cannot be written, print why: the load itself is done, and its counts must still be printed.

    Args:
        other_way: what to do then, in a sentence.
    """
    try:
        write_failed_rows(path, importer.read_failed_rows(for_spreadsheet=not is_workbook(path)))
    except OSError as error:
        reason = error.strerror
    except FailedRowsFileChanged:
        reason = "the file was changed during the import"
    except TooLargeForWorkbook as error:
        reason = f"{error}; a CSV file can have more"
    else:
        return path
    click.echo(f"The {failed_count:,} failed rows cannot be written to {path}: {reason}.{other_way}", err=True)
    return None
