"""The parts of ``openprofiles import`` that need no store: header, progress, the file of failed rows."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openprofiles.cli.failed_rows_file import (
    FailedRowsFileChanged,
    default_failed_rows_path,
    has_folder,
    remove_failed_rows,
    write_failed_rows,
)
from openprofiles.cli.import_progress import ProgressDisplay
from openprofiles.errors import InvalidRequest
from openprofiles.job_kinds import Unit
from openprofiles.uploads.reading.file_header import read_file_header

# The header


def test_the_header_is_read_without_its_byte_order_mark_after_blank_lines() -> None:
    file = io.BytesIO(b'\xef\xbb\xbf\r\n  \n"First\nName",E-mail\r\nAda,a@example.com\r\n')

    assert read_file_header(file.read) == ["First\nName", "E-mail"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty"),
        (b"\n\n", "The file is empty"),
        (b'\n"Email,Name\n', "The double quote that opens a name in the header on line 2 is never closed"),
        (b"\nCaf\xe9,b\n", "The header on line 2 contains characters that are not valid"),
        ("Email,Name\n".encode("utf-16-le"), "The header on line 1 contains NUL bytes"),
        (b'"Em"ail,b\n', "The header on line 1 has a double quote where none is allowed"),
        (b"a" * 1_100_000, "The header on line 1 is longer than 1 MiB"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused_with_its_line(content: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        read_file_header(io.BytesIO(content).read)


# Failed rows


@pytest.mark.parametrize(
    ("file", "failed_rows"),
    [
        ("data/customers.csv", "data/customers.failed-rows.csv"),
        ("data/CUSTOMERS.CSV", "data/CUSTOMERS.failed-rows.csv"),
        # Two files of one name and different kinds would replace the failed rows of each other.
        ("data/customers.xlsx", "data/customers.xlsx.failed-rows.csv"),
        ("data/customers.csv.gz", "data/customers.csv.gz.failed-rows.csv"),
    ],
)
def test_the_failed_rows_of_each_file_are_next_to_it(file: str, failed_rows: str) -> None:
    assert default_failed_rows_path(Path(file)) == Path(failed_rows)


@pytest.mark.parametrize("pipe", ["-", "/dev/stdin", "/dev/fd/0", "/dev/null"])
def test_no_failed_rows_stand_next_to_a_pipe(tmp_path: Path, pipe: str) -> None:
    (tmp_path / "a.csv").write_text("Email\n")

    assert has_folder(tmp_path / "a.csv")
    assert not has_folder(Path(pipe))


def test_a_report_that_breaks_off_leaves_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("older")

    def break_off() -> Iterator[bytes]:
        yield b"newer"
        raise RuntimeError("broken off")

    with pytest.raises(RuntimeError, match="broken off"):
        write_failed_rows(path, break_off())

    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]
    assert path.read_text() == "older"


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(path.read_bytes() + b"more"),
        # As a spreadsheet saves it: another file under the same name.
        lambda path: path.with_name("new").write_bytes(b"edited") and path.with_name("new").replace(path),
        lambda path: path.with_name(".out.csv.sha256").unlink(),
        lambda path: path.with_name(".out.csv.sha256").write_bytes(b"\xff"),
    ],
)
def test_a_file_of_failed_rows_that_is_not_as_it_was_written_stays(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    path = tmp_path / "out.csv"
    write_failed_rows(path, [b"older"])
    change(path)
    changed = path.read_bytes()

    with pytest.raises(FailedRowsFileChanged):
        write_failed_rows(path, [b"newer"])
    was_removed = remove_failed_rows(path)

    assert (was_removed, path.read_bytes()) == (False, changed)
    assert {each.name for each in tmp_path.iterdir()} <= {"out.csv", ".out.csv.sha256"}


def test_a_file_of_failed_rows_that_nobody_has_changed_is_replaced_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.touch()

    write_failed_rows(path, [b"older"])
    write_failed_rows(path, [b"new", b"er"])

    assert path.read_bytes() == b"newer"
    assert remove_failed_rows(path)
    assert list(tmp_path.iterdir()) == []


# Progress


def running(progress: dict[str, Any] | None) -> dict[str, Any]:
    return {"Status": "IN_PROGRESS"} | ({} if progress is None else {"Progress": progress})


def step(number: int, doing: str, done: int, total: int | None, unit: str, left: float | None = None) -> dict[str, Any]:
    members = {"Step": number, "StepCount": 4, "Doing": doing, "Done": done, "Unit": unit, "Share": number / 4}
    return members | {name: one for name, one in (("Total", total), ("SecondsLeft", left)) if one is not None}


def test_where_there_is_no_terminal_a_line_is_printed_for_each_step_and_every_five_seconds() -> None:
    stream, now = io.StringIO(), [100.0]
    states = [
        (0.0, None),
        (0.1, None),
        (0.2, step(1, "Reading the file", 1_000_000, 120_000_000, Unit.BYTES)),
        (4.0, step(1, "Reading the file", 40_000_000, 120_000_000, Unit.BYTES, 8.0)),
        (5.5, step(1, "Reading the file", 60_000_000, 120_000_000, Unit.BYTES, 5.4)),
        (6.0, step(2, "Checking for errors", 0, None, Unit.ROWS)),
        (8.0, step(3, "Importing rows", 200_000, 1_000_000, Unit.ROWS)),
        (13.0, step(4, "Indexing", 1_000, None, Unit.KEYS)),
    ]

    with ProgressDisplay(stream, clock=lambda: now[0]) as display:
        for seconds, progress in states:
            now[0] = 100.0 + seconds
            display.show_job(running(progress))

    assert stream.getvalue().splitlines() == [
        "Waiting for the worker",
        "Reading the file (step 1 of 4): 1 of 120 MB",
        "Reading the file (step 1 of 4): 60 of 120 MB, about 5 s left in this step",
        "Checking for errors (step 2 of 4)",
        "Importing rows (step 3 of 4): 200,000 of 1,000,000 rows",
        "Indexing (step 4 of 4): 1,000 keys",
    ]


def test_progress_can_be_kept_from_a_log() -> None:
    stream = io.StringIO()

    with ProgressDisplay(stream, lines=False) as display:
        display.show_job(running(step(1, "Reading the file", 1, 2, Unit.BYTES)))

    assert stream.getvalue() == ""
