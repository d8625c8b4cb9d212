"""Format the results of ``openprofiles jobs undo``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from openprofiles.cli.job_place import KeptProfile, UndoState
from openprofiles.cli.terminal_text import shown
from openprofiles.cli.text_table import Column, table_lines

_KEPT = (Column("PROFILE ID"), Column("LOADED AS"))


def undo_lines(job_id: str, state: UndoState, unchanged_count: int, *, was_undone: bool) -> Iterator[str]:
    """Format the counts of profiles.

    Args:
        unchanged_count: the rows of the job that changed no values.
        was_undone: whether the undo had ended before it was requested now.
    """
    counts = f"{state.removed_count:,} removed, {state.restored_count:,} restored"
    if state.gone_count:
        counts += f", {state.gone_count:,} already deleted"
    counts += f", {state.kept_count:,} kept because they have been changed since"
    verb = "has been undone" if state.status == "SUCCEEDED" else "has been partly undone"
    if was_undone and state.completed_at is not None:
        verb = f"was already undone at {state.completed_at:%Y-%m-%dT%H:%M:%SZ}"
    yield f"Upload job {job_id} {verb}. Profiles: {counts}."
    if unchanged_count and state.restored_count:
        yield (
            f"Rows of the import that had changed no values: {unchanged_count:,}. Of their profiles, only the expiry "
            "and the date of the last update are restored."
        )


def describe_bad_undo(job_id: str, state: UndoState) -> str:
    """Describe why an undo did not finish."""
    if state.status == "STOPPED":
        return f"Upload job {job_id} was only partly undone, because its domain was deleted."
    return f"Upload job {job_id} was only partly undone. {shown(state.message or '')}".rstrip()


def kept_profile_lines(kept: Sequence[KeptProfile], width: int) -> Iterator[str]:
    """Format a table of the kept profiles."""
    return table_lines(_KEPT, [(one.profile_id, loaded_word(one)) for one in kept], width)


def loaded_word(kept: KeptProfile) -> str:
    """Return whether the job had created or updated the profile, in a word."""
    return "created" if kept.was_created else "updated"


def undo_members(state: UndoState) -> dict[str, Any]:
    """Make the members of a JSON document."""
    return {
        "status": state.status,
        "message": state.message,
        "removed": state.removed_count,
        "restored": state.restored_count,
        "kept": state.kept_count,
        "gone": state.gone_count,
        "completed_at": None if state.completed_at is None else state.completed_at.isoformat(),
    }
