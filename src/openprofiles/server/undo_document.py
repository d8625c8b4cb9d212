"""The undo of an upload job as JSON."""

from __future__ import annotations

from typing import Any

from openprofiles.clock import to_epoch_seconds
from openprofiles.server.json_bodies import without_none
from openprofiles.store.undos import KeptProfile
from openprofiles.uploads.undos import Undo


def undo_document(undo: Undo) -> dict[str, Any]:
    """Where it stands, and what has become of the profiles so far."""
    job = undo.job
    return without_none(
        {
            "JobId": undo.undone.job_id,
            "Status": job.status.value,
            "StatusReason": job.status_reason,
            "Message": job.failure_message,
            "Phase": job.phase,
            "ProfileCount": job.total,
            "RemovedProfiles": job.removed_count,
            "RestoredProfiles": job.restored_count,
            "KeptProfiles": job.kept_count,
            "GoneProfiles": job.gone_count,
            "CreatedAt": to_epoch_seconds(job.created_at),
            "StartedAt": to_epoch_seconds(job.started_at),
            "CompletedAt": to_epoch_seconds(job.completed_at),
        }
    )


def kept_profile_item(kept: KeptProfile) -> dict[str, Any]:
    """A profile that stayed, and what the undone job had done to it."""
    return {"ProfileId": kept.profile_id, "Loaded": "CREATED" if kept.was_created else "UPDATED"}
