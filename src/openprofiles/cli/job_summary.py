"""Format the results of an upload job, for the end of ``import`` and ``jobs watch``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from openprofiles.cli.job_state import KIND_OF_ERROR, FaultCount, JobState
from openprofiles.cli.terminal_text import shown

_FAULTS_SHOWN = 10


def describe_bad_end(job_id: str, state: JobState) -> str | None:
    """Describe why a part of the file was not read; None if all was read."""
    if state.status == "FAILED":
        return f"Error: Upload job {job_id} failed. {shown(state.message or '')}".rstrip()
    if state.status == "STOPPED":
        return f"Upload job {job_id} was stopped. The rows it had loaded are kept."
    return None


def summary_lines(state: JobState, seconds: float) -> Iterator[str]:
    """Format the counts of a job that has ended, and why rows failed."""
    counts = f"{state.created_count:,} created, {state.changed_count:,} updated"
    if state.unchanged_count:
        counts += f", {state.unchanged_count:,} unchanged"
    counts += f", {state.failed_count:,} failed"
    if state.unprocessed_count:
        counts += f", {state.unprocessed_count:,} not processed"
    yield f"{counts} in {seconds:.1f} seconds."
    if state.repeated_count:
        yield describe_repeated(state.repeated_count)
    yield from state.notices
    for line in fault_lines(state.fault_counts):
        yield f"  {line}"


def describe_way_past_check(code: str, column: str, *, is_key: bool) -> str:
    """Describe how to import a file whose values in a column fail its usual check.

    Args:
        code: the error of these values.
        is_key: whether the column is the unique key.
    """
    another = "name another unique key" if is_key else f"leave it out with --map {shlex.quote(f'{column}=')}"
    return shown(
        f"If the column {column!r} does not contain {KIND_OF_ERROR[code].value}, {another}, or load its values "
        f"unchecked with --check {shlex.quote(f'{column}=none')}."
    )


def describe_repeated(count: int) -> str:
    return f"Rows with the unique key of an earlier row: {count:,}. Unless they fail, they overwrite its values."


def state_members(state: JobState) -> dict[str, Any]:
    """Make the members of a JSON document that describe the state of a job."""
    return {
        "status": state.status,
        "message": state.message,
        **count_members(state),
        "unprocessed": state.unprocessed_count,
        "faults": [asdict(one) for one in state.fault_counts],
        "repeated": state.repeated_count,
        "notices": list(state.notices),
        "step_seconds": dict(state.step_seconds),
    }


def count_members(state: JobState) -> dict[str, int]:
    """Make the members of a JSON document that count the rows so far."""
    return {
        "created": state.created_count,
        "updated": state.changed_count,
        "unchanged": state.unchanged_count,
        "failed": state.failed_count,
    }


def fault_lines(counts: Sequence[FaultCount], part: str = "column ") -> Iterator[str]:
    """Format why rows failed, the most frequent reason first.

    Args:
        part: what a row has its values in.
    """
    width = max((len(f"{one.count:,}") for one in counts), default=0)
    for one in counts[:_FAULTS_SHOWN]:
        where = "" if one.column is None else f" in {part}{shown(one.column)}"
        yield f"{one.count:>{width},}  {one.code}{where}"
    if len(counts) > _FAULTS_SHOWN:
        yield f"and {len(counts) - _FAULTS_SHOWN} more reasons"
