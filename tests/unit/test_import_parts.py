"""The parts of ``openprofiles import`` that need no store: header, progress, the file of failed rows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from openprofiles.cli.failed_rows_file import default_failed_rows_path, write_failed_rows
from openprofiles.cli.import_progress import ProgressDisplay
from openprofiles.cli.job_state import JobState
from openprofiles.errors import InvalidRequest
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
        (b"\nCaf\xe9,b\n", "The header on line 2 holds bytes that are no text"),
        ("Email,Name\n".encode("utf-16-le"), "The header on line 1 holds NUL bytes"),
        (b'"Em"ail,b\n', "The header on line 1 has a double quote where none may stand"),
        (b"a" * 1_100_000, "The header on line 1 is longer than 1 MiB"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused_with_its_line(content: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        read_file_header(io.BytesIO(content).read)


# Failed rows


def test_the_failed_rows_stand_beside_the_file() -> None:
    assert default_failed_rows_path(Path("data/customers.csv")) == Path("data/customers.failed-rows.csv")


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


# Progress


def job(phase: str | None, *, position: int = 0, record_count: int | None = None, done: int = 0) -> JobState:
    return JobState("IN_PROGRESS", phase, position, record_count, done, 0, 0, 0, None)


def test_where_there_is_no_terminal_a_line_is_printed_for_each_step_and_every_five_seconds() -> None:
    stream, now = io.StringIO(), [100.0]
    states = [
        (0.0, job(None)),
        (0.1, job(None)),
        (0.2, job("stage", position=10_000)),
        (4.0, job("stage", position=300_000)),
        (5.5, job("stage", position=600_000)),
        (6.0, job("create:0", record_count=1_000_000)),
        (8.0, job("create:0", record_count=1_000_000, done=200_000)),
        (11.0, job("update:0", record_count=1_000_000, done=500_000)),
        (13.0, job("index", position=1_000, record_count=1_000_000, done=1_000_000)),
    ]

    with ProgressDisplay(stream, clock=lambda: now[0]) as display:
        for seconds, state in states:
            now[0] = 100.0 + seconds
            display.show_job(state)

    assert stream.getvalue().splitlines() == [
        "Waiting for the worker",
        "Reading: 10,000 rows",
        "Reading: 600,000 rows",
        "Loading: 0 of 1,000,000 rows",
        "Loading: 500,000 of 1,000,000 rows, 100,000 rows per second, 5 s left",
        "Indexing for search: 1,000,000 rows loaded, 1,000 keys",
    ]


def test_progress_can_be_kept_from_a_log() -> None:
    stream = io.StringIO()

    with ProgressDisplay(stream, lines=False) as display:
        display.show_job(job("stage", position=1))

    assert stream.getvalue() == ""
