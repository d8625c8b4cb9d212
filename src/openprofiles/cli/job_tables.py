"""Format upload jobs, one job's account and failed rows as lines of a given width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from openprofiles.cli.job_place import FaultyRow, JobAccount, ListedJob
from openprofiles.cli.job_state import JobState
from openprofiles.cli.job_summary import describe_repeated
from openprofiles.cli.terminal_text import padded, shown, wrapped
from openprofiles.cli.text_table import Column, table_lines

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


def job_lines(jobs: Sequence[ListedJob], width: int) -> Iterator[str]:
    """Format a table of upload jobs, with a column for undos if there are any.

    Rows are not counted before all are read; until then there is a dash.
    """
    rows = [
        (
            job.job_id,
            job.state.status,
            utc_text(job.created_at),
            job.display_name,
            "-" if job.state.record_count is None else f"{job.state.record_count:,}",
            f"{job.state.created_count:,}",
            f"{job.state.changed_count:,}",
            f"{job.state.unchanged_count:,}",
            f"{job.state.failed_count:,}",
            _undo_words(job),
        )
        for job in jobs
    ]
    return table_lines((*_JOBS, _UNDO) if any(job.undo_status for job in jobs) else _JOBS, rows, width)


def failed_row_lines(rows: Sequence[FaultyRow], width: int) -> Iterator[str]:
    """Format a table of failed rows, one line for each error; the message is cut to what is left of the line."""
    cells = [
        (f"{row.record:,}", f"{row.line:,}", fault.column or "", fault.code, fault.message)
        for row in rows
        for fault in row.faults
    ]
    return table_lines(_FAILED_ROWS, cells, width)


def account_lines(account: JobAccount, domain: str, width: int) -> Iterator[str]:
    """Format everything about an upload job, in sections; those about which nothing is known yet are left out."""
    state = account.state
    inner = width - len(_INDENT)
    yield from wrapped(f"Upload job {account.job_id}", width)
    facts = [(label, value) for label, value in _facts(account, domain) if value]
    label_width = max(len(label) for label, _ in facts)
    for label, value in facts:
        first, *others = wrapped(shown(value), inner - label_width - len(_INDENT))
        yield _INDENT + padded(label, label_width) + _INDENT + first
        for line in others:
            yield _INDENT + " " * label_width + _INDENT + line
    yield from _section("Rows", table_lines(_COUNTS, _counts(state), inner, has_headings=False))
    if state.repeated_count:
        yield from wrapped(describe_repeated(state.repeated_count), width)
    for notice in state.notices:
        yield from wrapped(shown(notice), width)
    yield from mapping_lines(account.mapping, account.unique_field, account.columns_not_mapped or (), width)
    if state.fault_counts:
        faults = [(f"{one.count:,}", one.code, one.column or "") for one in state.fault_counts]
        yield from _section("Why rows failed", table_lines(_FAULTS, faults, inner))
    if state.step_seconds:
        steps = [(step, f"{seconds:,.3f}") for step, seconds in state.step_seconds.items()]
        yield from _section("Time of each step", table_lines(_STEPS, steps, inner))


def mapping_lines(
    mapping: Sequence[tuple[str, str]], unique_field: str, not_mapped: Sequence[str], width: int
) -> Iterator[str]:
    """Format where the columns go, and list those that go nowhere."""
    if not mapping:
        return
    inner = width - len(_INDENT)
    rows = [(header, f"{field} (unique key)" if field == unique_field else field) for header, field in mapping]
    yield from _section("Columns", table_lines(_MAPPING, rows, inner))
    if not_mapped:
        names = [(header or "(no name)",) for header in not_mapped]
        yield from _section("Columns not mapped", table_lines(_NOT_MAPPED, names, inner, has_headings=False))


def utc_text(moment: datetime | None) -> str:
    """Write a moment as ``2026-01-31T12:00:00Z``, and None as nothing."""
    return "" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _facts(account: JobAccount, domain: str) -> Iterator[tuple[str, str]]:
    state = account.state
    yield "domain", domain
    yield "name", account.display_name
    yield "status", state.status
    yield "reason", account.status_reason or ""
    yield "message", state.message or ""
    if state.is_running:
        yield "step", "" if state.phase is None else f"{state.phase}, at {state.position:,}"
        yield "stop", "requested" if account.stop_requested else ""
    yield "read as", "" if account.file_form is None else account.file_form.describe()
    yield "unique key", account.unique_key
    yield "object type", account.object_type or ""
    yield "data expiry", f"{account.data_expiry_days:,} days" if account.object_type is None else ""
    yield "created at", utc_text(account.created_at)
    yield "started at", utc_text(account.started_at)
    yield "ended at", utc_text(account.completed_at)
    yield "undo", _undo_words(account)
    yield "undo until", utc_text(account.undo_until)
    if account.rows_per_second is not None:
        # From started to ended is longer: a job waits for a worker and for others of its domain.
        seconds = sum(state.step_seconds.values())
        yield "speed", f"{account.rows_per_second:,} rows per second, in {seconds:,.2f} seconds of work"


def _undo_words(job: ListedJob) -> str:
    return "" if job.undo_status is None else _UNDO_WORDS.get(job.undo_status, job.undo_status)


def _counts(state: JobState) -> list[tuple[str, str]]:
    """List the counts and their sum."""
    return [
        ("created", f"{state.created_count:,}"),
        ("updated", f"{state.changed_count:,}"),
        ("unchanged", f"{state.unchanged_count:,}"),
        ("failed", f"{state.failed_count:,}"),
        ("not yet processed" if state.is_running else "not processed", f"{state.unprocessed_count:,}"),
        ("all rows in the file", "not known" if state.record_count is None else f"{state.record_count:,}"),
    ]


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield ""
    yield title
    for line in lines:
        yield _INDENT + line
