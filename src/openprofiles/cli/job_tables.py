"""Format upload jobs, one job's account and failed rows as lines of a given width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from openprofiles.cli.job_state import changed_count, is_running, notice_messages, unprocessed_count
from openprofiles.cli.job_summary import describe_repeated
from openprofiles.cli.terminal_text import padded, shown, wrapped
from openprofiles.cli.text_table import Column, table_lines
from openprofiles.cli.words import utc_text
from openprofiles.operations.job_options import read_form

if TYPE_CHECKING:
    from openprofiles.uploads.mappings.upload_mapping import UploadMapping

_INDENT = "  "

_JOBS = (
    Column("JOB ID"),
    Column("STATUS"),
    Column("CREATED AT"),
    Column("NAME", shrinks_to=12),
    Column("ROWS", is_number=True),
    Column("CREATED", is_number=True),
    Column("UPDATED", is_number=True),
    Column("UNCHANGED", is_number=True),
    Column("FAILED", is_number=True),
)
_UNDO = Column("UNDO")
_FAILED_ROWS = (
    Column("ROW", is_number=True),
    Column("LINE", is_number=True),
    Column("COLUMN", shrinks_to=8),
    Column("CODE"),
    Column("MESSAGE", shrinks_to=20),
)
_COUNTS = (Column(""), Column("", is_number=True))
_MAPPING = (Column("COLUMN", shrinks_to=12), Column("GOES TO", shrinks_to=12))
_NOT_MAPPED = (Column("", shrinks_to=12),)
_FAULTS = (Column("COUNT", is_number=True), Column("CODE"), Column("COLUMN", shrinks_to=8))
_UNDO_WORDS = {"SUCCEEDED": "undone", "IN_PROGRESS": "is being undone", "FAILED": "failed; run jobs undo again"}
_STEPS = (Column("STEP"), Column("SECONDS", is_number=True))


def job_lines(jobs: Sequence[Mapping[str, Any]], width: int) -> Iterator[str]:
    """Format a table of upload jobs, with a column for undos if there are any.

    Rows are not counted before all are read; until then there is a dash.
    """
    rows = [
        (
            job["JobId"],
            job["Status"],
            utc_text(job["CreatedAt"]),
            job["DisplayName"],
            f"{job['RecordCount']:,}" if "RecordCount" in job else "-",
            f"{job['CreatedRecords']:,}",
            f"{changed_count(job):,}",
            f"{job['UnchangedRecords']:,}",
            f"{job['FailedRecords']:,}",
            _undo_words(job),
        )
        for job in jobs
    ]
    return table_lines((*_JOBS, _UNDO) if any("UndoStatus" in job for job in jobs) else _JOBS, rows, width)


def failed_row_lines(rows: Sequence[Mapping[str, Any]], width: int) -> Iterator[str]:
    """Format a table of failed rows, one line for each error; the message is cut to what is left of the line."""
    cells = [
        (f"{row['Record']:,}", f"{row['Line']:,}", fault.get("Column", ""), fault["Code"], fault["Message"])
        for row in rows
        for fault in row["Faults"]
    ]
    return table_lines(_FAILED_ROWS, cells, width)


def account_lines(job: Mapping[str, Any], mapping: UploadMapping | None, domain: str, width: int) -> Iterator[str]:
    """Format everything about an upload job, in sections; those about which nothing is known yet are left out.

    Args:
        job: the members of GetProgress and of GetUploadJob.
        mapping: None if the rows of the job are profile objects.
    """
    inner = width - len(_INDENT)
    yield from wrapped(f"Upload job {job['JobId']}", width)
    facts = [(label, value) for label, value in _facts(job, mapping, domain) if value]
    label_width = max(len(label) for label, _ in facts)
    for label, value in facts:
        first, *others = wrapped(shown(value), inner - label_width - len(_INDENT))
        yield _INDENT + padded(label, label_width) + _INDENT + first
        for line in others:
            yield _INDENT + " " * label_width + _INDENT + line
    yield from _section("Rows", table_lines(_COUNTS, _counts(job), inner, has_headings=False))
    if job.get("RepeatedRecords"):
        yield from wrapped(describe_repeated(job["RepeatedRecords"]), width)
    for notice in notice_messages(job):
        yield from wrapped(shown(notice), width)
    if mapping is not None:
        yield from mapping_lines(mapping, job.get("ColumnsNotMapped", ()), width)
    if "Faults" in job:
        faults = [(f"{one['Count']:,}", one["Code"], one.get("Column", "")) for one in job["Faults"]]
        yield from _section("Why rows failed", table_lines(_FAULTS, faults, inner))
    if "Steps" in job:
        steps = [(one["Step"], f"{one['Seconds']:,.3f}") for one in job["Steps"]]
        yield from _section("Time of each step", table_lines(_STEPS, steps, inner))


def mapping_lines(mapping: UploadMapping, not_mapped: Sequence[str], width: int) -> Iterator[str]:
    """Format where the columns go, and list those that go nowhere."""
    inner = width - len(_INDENT)
    unique_path = mapping.unique_key.path
    rows = [
        (field.header, f"{field.path} (unique key)" if field.path == unique_path else field.path)
        for field in mapping.fields
    ]
    yield from _section("Columns", table_lines(_MAPPING, rows, inner))
    if not_mapped:
        names = [(header or "(no name)",) for header in not_mapped]
        yield from _section("Columns not mapped", table_lines(_NOT_MAPPED, names, inner, has_headings=False))


def _facts(job: Mapping[str, Any], mapping: UploadMapping | None, domain: str) -> Iterator[tuple[str, str]]:
    yield "domain", domain
    yield "name", job["DisplayName"]
    yield "status", job["Status"]
    yield "reason", job.get("StatusReason", "")
    yield "message", job.get("Message", "")
    if is_running(job):
        yield "step", f"{job['Phase']}, at {job['Position']:,}" if "Phase" in job else ""
        yield "stop", "requested" if job["StopRequested"] else ""
    yield "read as", read_form(job["File"]).describe() if "File" in job else ""
    yield "unique key", job["UniqueKey"] if mapping is None else mapping.unique_key.header
    yield "object type", job.get("ObjectType", "")
    yield "data expiry", "" if mapping is None else f"{job['DataExpiry']:,} days"
    yield "created at", utc_text(job["CreatedAt"])
    yield "started at", utc_text(job.get("StartedAt"))
    yield "ended at", utc_text(job.get("CompletedAt"))
    yield "undo", _undo_words(job)
    yield "undo until", utc_text(job.get("UndoUntil"))
    if "RecordsPerSecond" in job:
        # From started to ended is longer: a job waits for a worker and for others of its domain.
        seconds = sum(one["Seconds"] for one in job.get("Steps", ()))
        yield "speed", f"{job['RecordsPerSecond']:,} rows per second, in {seconds:,.2f} seconds of work"


def _undo_words(job: Mapping[str, Any]) -> str:
    return _UNDO_WORDS.get(job["UndoStatus"], job["UndoStatus"]) if "UndoStatus" in job else ""


def _counts(job: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the counts and their sum."""
    return [
        ("created", f"{job['CreatedRecords']:,}"),
        ("updated", f"{changed_count(job):,}"),
        ("unchanged", f"{job['UnchangedRecords']:,}"),
        ("failed", f"{job['FailedRecords']:,}"),
        ("not yet processed" if is_running(job) else "not processed", f"{unprocessed_count(job):,}"),
        ("all rows in the file", f"{job['RecordCount']:,}" if "RecordCount" in job else "not known"),
    ]


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield ""
    yield title
    for line in lines:
        yield _INDENT + line
