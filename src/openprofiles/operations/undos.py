"""The undo of upload jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from openprofiles.member_names import members_of
from openprofiles.operations.call import Call
from openprofiles.operations.registry import OWN_PAGE_SIZE, own_operation, page_of
from openprofiles.uploads import undos

if TYPE_CHECKING:
    from openprofiles.wire import own_types as own


@own_operation("UndoUploadJob")
def undo_upload_job(call: Call, request: own.UndoUploadJobRequest) -> own.UploadJobUndo:
    """Request the undo of a job; if it was requested before, return its state."""
    with call.writing(request["DomainName"]) as session:
        return _members(undos.start_undo(session, request["JobId"]))


@own_operation("GetUndo")
def get_undo(call: Call, request: own.GetUndoRequest) -> own.UploadJobUndo:
    """Return the state of the undo of a job."""
    with call.reading(request["DomainName"]) as session:
        return _members(undos.read_undo(session, request["JobId"]))


@own_operation("ListKeptProfiles")
def list_kept_profiles(call: Call, request: own.ListKeptProfilesRequest) -> own.KeptProfiles:
    """List the profiles that an undo kept as they are."""
    with call.reading(request["DomainName"]) as session:
        page = undos.list_kept_profiles(session, request["JobId"], **page_of(request, OWN_PAGE_SIZE))
    items = [{"ProfileId": one.profile_id, "Loaded": "CREATED" if one.was_created else "UPDATED"} for one in page.items]
    return cast("own.KeptProfiles", {"Items": items, "NextToken": page.next_token})


def _members(undo: undos.Undo) -> own.UploadJobUndo:
    """Return the state of an undo, and the results of the profiles so far."""
    job = undo.job
    members = {
        **members_of(job, "status_reason", "phase", "created_at", "started_at", "completed_at"),
        "JobId": undo.undone.job_id,
        "Status": job.status.value,
        "Message": job.failure_message,
        "ProfileCount": job.total,
        "RemovedProfiles": job.removed_count,
        "RestoredProfiles": job.restored_count,
        "KeptProfiles": job.kept_count,
        "GoneProfiles": job.gone_count,
    }
    return cast("own.UploadJobUndo", members)
