"""Format the results of an upload job, for the end of ``import`` and ``jobs watch``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from openprofiles.cli.job_state import KIND_OF_ERROR, changed_count, notice_messages, unprocessed_count
from openprofiles.cli.terminal_text import shown

if TYPE_CHECKING:
    from openprofiles.uploads.mappings.upload_mapping import UploadMapping

_FAULTS_SHOWN = 10


def describe_bad_end(job_id: str, progress: Mapping[str, Any]) -> str | None:
    """Describe why a part of the file was not read; None if all was read."""
    if progress["Status"] == "FAILED":
        return f"Error: Upload job {job_id} failed. {shown(progress.get('Message', ''))}".rstrip()
    if progress["Status"] == "STOPPED":
        return f"Upload job {job_id} was stopped. The rows it had loaded are kept."
    return None


def summary_lines(progress: Mapping[str, Any], seconds: float) -> Iterator[str]:
    """Format the counts of a job that has ended, and why rows failed."""
    counts = f"{progress['CreatedRecords']:,} created, {changed_count(progress):,} updated"
    if progress["UnchangedRecords"]:
        counts += f", {progress['UnchangedRecords']:,} unchanged"
    counts += f", {progress['FailedRecords']:,} failed"
    if unprocessed := unprocessed_count(progress):
        counts += f", {unprocessed:,} not processed"
    yield f"{counts} in {seconds:.1f} seconds."
    if progress.get("RepeatedRecords"):
        yield describe_repeated(progress["RepeatedRecords"])
    yield from notice_messages(progress)
    for line in fault_lines(progress):
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


def state_members(progress: Mapping[str, Any]) -> dict[str, Any]:
    """Make the members of a JSON document that describe the state of a job."""
    return {
        "status": progress["Status"],
        "message": progress.get("Message"),
        **count_members(progress),
        "unprocessed": unprocessed_count(progress),
        "faults": fault_members(progress.get("Faults", ()), "Code", "Column", "Count"),
        "repeated": progress.get("RepeatedRecords"),
        "notices": notice_messages(progress),
        "step_seconds": {one["Step"]: one["Seconds"] for one in progress.get("Steps", ())},
    }


def count_members(progress: Mapping[str, Any]) -> dict[str, int]:
    """Make the members of a JSON document that count the rows so far."""
    return {
        "created": progress["CreatedRecords"],
        "updated": changed_count(progress),
        "unchanged": progress["UnchangedRecords"],
        "failed": progress["FailedRecords"],
    }


def fields_by_header(mapping: UploadMapping) -> dict[str, str | list[str]]:
    """Map each header to its field; an API caller may map one to several."""
    fields: dict[str, list[str]] = {}
    for field in mapping.fields:
        fields.setdefault(field.header, []).append(field.path)
    return {header: paths[0] if len(paths) == 1 else paths for header, paths in fields.items()}


def fault_members(faults: Sequence[Mapping[str, Any]], *names: str) -> list[dict[str, Any]]:
    """Make a member of a JSON document of these members of errors."""
    return [{name.lower(): one.get(name) for name in names} for one in faults]


def fault_lines(progress: Mapping[str, Any], part: str = "column ") -> Iterator[str]:
    """Format why rows failed, the most frequent reason first.

    Args:
        part: what a row has its values in.
    """
    faults = progress.get("Faults", ())
    width = max((len(f"{one['Count']:,}") for one in faults), default=0)
    for one in faults[:_FAULTS_SHOWN]:
        where = f" in {part}{shown(one['Column'])}" if "Column" in one else ""
        yield f"{one['Count']:>{width},}  {one['Code']}{where}"
    if len(faults) > _FAULTS_SHOWN:
        yield f"and {len(faults) - _FAULTS_SHOWN} more reasons"
