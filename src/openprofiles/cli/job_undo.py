"""What ``openprofiles jobs undo`` tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from openprofiles.cli.job_place import KeptProfile, UndoState
from openprofiles.cli.terminal_text import shown
from openprofiles.cli.text_table import Column, table_lines

_KEPT = (Column("PROFILE ID"), Column("LOADED AS"))


def undo_lines(job_id: str, state: UndoState) -> Iterator[str]:
    """What has become of the profiles."""
    counts = f"{state.removed_count:,} removed, {state.restored_count:,} as before"
    if state.gone_count:
        counts += f", {state.gone_count:,} deleted since"
    counts += f", {state.kept_count:,} changed since and left as they are"
    verb = "is taken back" if state.status == "SUCCEEDED" else "is not taken back yet"
    yield f"Upload job {job_id} {verb}. Profiles: {counts}."


def describe_bad_undo(job_id: str, state: UndoState) -> str:
    """Why it did not come to its end."""
    if state.status == "STOPPED":
        return f"Upload job {job_id} was not taken back wholly, since its domain was deleted."
    return f"Upload job {job_id} was not taken back wholly. {shown(state.message or '')}".rstrip()


def kept_profile_lines(kept: Sequence[KeptProfile], width: int) -> Iterator[str]:
    """A table of the profiles that stayed."""
    return table_lines(_KEPT, [(one.profile_id, loaded_word(one)) for one in kept], width)


def loaded_word(kept: KeptProfile) -> str:
    """What the job had done to the profile."""
    return "created" if kept.was_created else "updated"


def undo_members(state: UndoState) -> dict[str, Any]:
    """The members of a JSON document."""
    return {
        "status": state.status,
        "message": state.message,
        "removed": state.removed_count,
        "restored": state.restored_count,
        "kept": state.kept_count,
        "gone": state.gone_count,
    }
