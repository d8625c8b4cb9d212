"""Format the results of ``openprofiles import --dry-run``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from openprofiles.cli.job_state import JobState
from openprofiles.cli.terminal_text import shown

if TYPE_CHECKING:
    from openprofiles.uploads.preview_sample import PreviewSample

_SAMPLES_SHOWN = 5


def describe_dry_run_end(state: JobState) -> str | None:
    """Describe why an import would fail, or that the dry run was stopped; None if neither."""
    if state.status == "FAILED":
        return f"A load would fail. {shown(state.message or '')}".rstrip()
    if state.status == "STOPPED":
        return "The dry run was stopped."
    return None


def sample_lines(samples: Sequence[PreviewSample]) -> Iterator[str]:
    """Format a few of the profiles that would be created or updated, field by field."""
    for title, some in (
        ("Examples of new profiles:", [one for one in samples if one.profile_id is None]),
        ("Examples of updated profiles:", [one for one in samples if one.profile_id is not None]),
    ):
        if some:
            yield title
        for sample in some[:_SAMPLES_SHOWN]:
            yield f"  row {sample.record:,}" + (f", profile {sample.profile_id}" if sample.profile_id else "")
            for path, before, after in sample.fields:
                change = shown(after) if after is not None else "(cleared)"
                yield f"    {shown(path)}: " + (f"{shown(before)} -> {change}" if before is not None else change)


def sample_members(sample: PreviewSample) -> dict[str, Any]:
    """Make the members of a JSON document."""
    return {
        "record": sample.record,
        "profile_id": sample.profile_id,
        "fields": [{"field": path, "before": before, "after": after} for path, before, after in sample.fields],
    }
