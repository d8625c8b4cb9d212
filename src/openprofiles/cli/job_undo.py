"""Format the results of ``openprofiles jobs undo``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from openprofiles.cli.terminal_text import shown
from openprofiles.cli.text_table import Column, table_lines
from openprofiles.cli.words import iso_text, utc_text

_KEPT = (Column("PROFILE ID"), Column("LOADED AS"))


def undo_lines(job_id: str, undo: Mapping[str, Any], unchanged_count: int, *, was_undone: bool) -> Iterator[str]:
    """Format the counts of profiles.

    Args:
        unchanged_count: the rows of the job that changed no values.
        was_undone: whether the undo had ended before it was requested now.
    """
    counts = f"{undo['RemovedProfiles']:,} removed, {undo['RestoredProfiles']:,} restored"
    if undo["GoneProfiles"]:
        counts += f", {undo['GoneProfiles']:,} already deleted"
    counts += f", {undo['KeptProfiles']:,} kept because they have been changed since"
    verb = "has been undone" if undo["Status"] == "SUCCEEDED" else "has been partly undone"
    if was_undone and "CompletedAt" in undo:
        verb = f"was already undone at {utc_text(undo['CompletedAt'])}"
    yield f"Upload job {job_id} {verb}. Profiles: {counts}."
    if unchanged_count and undo["RestoredProfiles"]:
        yield (
            f"Rows of the import that had changed no values: {unchanged_count:,}. Of their profiles, only the expiry "
            "and the date of the last update are restored."
        )


def describe_bad_undo(job_id: str, undo: Mapping[str, Any]) -> str:
    """Describe why an undo did not finish."""
    if undo["Status"] == "STOPPED":
        return f"Upload job {job_id} was only partly undone, because its domain was deleted."
    return f"Upload job {job_id} was only partly undone. {shown(undo.get('Message', ''))}".rstrip()


def kept_profile_lines(kept: Sequence[Mapping[str, Any]], width: int) -> Iterator[str]:
    """Format a table of the kept profiles."""
    return table_lines(_KEPT, [(one["ProfileId"], one["Loaded"].lower()) for one in kept], width)


def undo_members(undo: Mapping[str, Any]) -> dict[str, Any]:
    """Make the members of a JSON document."""
    return {
        "status": undo["Status"],
        "message": undo.get("Message"),
        "removed": undo["RemovedProfiles"],
        "restored": undo["RestoredProfiles"],
        "kept": undo["KeptProfiles"],
        "gone": undo["GoneProfiles"],
        "completed_at": iso_text(undo.get("CompletedAt")),
    }
