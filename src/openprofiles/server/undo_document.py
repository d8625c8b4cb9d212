"""The undo of an upload job as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from openprofiles.clock import to_milliseconds
from openprofiles.store.undos import KeptProfile
from openprofiles.uploads.undos import Undo

_MADE = "CREATED"
_CHANGED = "UPDATED"


def undo_document(undo: Undo) -> dict[str, Any]:
    """Where it stands, and what has become of the profiles so far; what is None is left out by the caller."""
    job = undo.job
    return {
        "JobId": undo.undone.job_id,
        "Status": job.status.value,
        "StatusReason": job.status_reason,
        "Message": job.failure_message,
        "Phase": job.phase,
        "ProfileCount": job.total,
        "RemovedProfiles": undo.job.removed_count,
        "RestoredProfiles": undo.job.restored_count,
        "KeptProfiles": undo.job.kept_count,
        "GoneProfiles": undo.job.gone_count,
        "CreatedAt": _epoch_seconds(job.created_at),
        "StartedAt": _epoch_seconds(job.started_at),
        "CompletedAt": _epoch_seconds(job.completed_at),
    }


def kept_profile_item(kept: KeptProfile) -> dict[str, Any]:
    """A profile that stayed, and what the undone job had done to it."""
    return {"ProfileId": kept.profile_id, "Loaded": _MADE if kept.was_created else _CHANGED}


def _epoch_seconds(moment: datetime | None) -> float | None:
    return None if moment is None else to_milliseconds(moment) / 1000
