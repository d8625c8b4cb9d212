"""Format the results of ``openprofiles import --dry-run``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from openprofiles.cli.terminal_text import shown

_SAMPLES_SHOWN = 5


def describe_dry_run_end(progress: Mapping[str, Any]) -> str | None:
    """Describe why an import would fail, or that the dry run was stopped; None if neither."""
    if progress["Status"] == "FAILED":
        return f"A load would fail. {shown(progress.get('Message', ''))}".rstrip()
    if progress["Status"] == "STOPPED":
        return "The dry run was stopped."
    return None


def sample_lines(samples: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Format a few of the profiles that would be created or updated, field by field."""
    for title, some in (
        ("Examples of new profiles:", [one for one in samples if "ProfileId" not in one]),
        ("Examples of updated profiles:", [one for one in samples if "ProfileId" in one]),
    ):
        if some:
            yield title
        for sample in some[:_SAMPLES_SHOWN]:
            yield f"  row {sample['Record']:,}" + (f", profile {sample['ProfileId']}" if "ProfileId" in sample else "")
            for one in sample["Fields"]:
                before = f"{shown(one['Before'])} -> " if "Before" in one else ""
                yield f"    {shown(one['Field'])}: {before}{shown(one['After']) if 'After' in one else '(cleared)'}"


def sample_members(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Make the members of a JSON document."""
    return {
        "record": sample["Record"],
        "profile_id": sample.get("ProfileId"),
        "fields": [{name.lower(): one.get(name) for name in ("Field", "Before", "After")} for one in sample["Fields"]],
    }
