"""Words for an import, its status and the status of its undo: the one table of them, for all pages."""

from __future__ import annotations

import unicodedata

from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob

STATUS_WORDS = {
    UploadJobStatus.CREATED: "Not started",
    UploadJobStatus.IN_PROGRESS: "Running",
    UploadJobStatus.SUCCEEDED: "Succeeded",
    UploadJobStatus.PARTIALLY_SUCCEEDED: "Some rows failed",
    UploadJobStatus.FAILED: "Failed",
    UploadJobStatus.STOPPED: "Stopped",
}

_UNDO_WORDS = {
    UploadJobStatus.IN_PROGRESS: "Undoing",
    UploadJobStatus.SUCCEEDED: "Undone",
}


def status_word(status: UploadJobStatus) -> str:
    """Name the status of a job."""
    return STATUS_WORDS[status]


def undo_word(status: UploadJobStatus) -> str:
    """Name the status of an undo."""
    return _UNDO_WORDS.get(status, "Partly undone")


def job_name(job: UploadJob) -> str:
    """Return the name of a job, or its id if the name is invisible."""
    # Separators, and controls such as a zero-width space.
    is_visible = any(unicodedata.category(letter)[0] not in "ZC" for letter in job.display_name)
    return job.display_name if is_visible else job.job_id
