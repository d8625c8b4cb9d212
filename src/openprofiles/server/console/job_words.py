"""What pages call a job, its status and its being taken back: the one source of these words."""

from __future__ import annotations

import unicodedata

from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob

STATUS_WORDS = {
    UploadJobStatus.CREATED: "Not started",
    UploadJobStatus.IN_PROGRESS: "Running",
    UploadJobStatus.SUCCEEDED: "Succeeded",
    UploadJobStatus.PARTIALLY_SUCCEEDED: "Partly succeeded",
    UploadJobStatus.FAILED: "Failed",
    UploadJobStatus.STOPPED: "Stopped",
}

_UNDO_WORDS = {
    UploadJobStatus.IN_PROGRESS: "Being taken back",
    UploadJobStatus.SUCCEEDED: "Taken back",
}


def status_word(status: UploadJobStatus) -> str:
    """What has become of a job."""
    return STATUS_WORDS[status]


def undo_word(status: UploadJobStatus) -> str:
    """What has become of taking a job back, by the status of the undo."""
    return _UNDO_WORDS.get(status, "Not wholly taken back")


def job_name(job: UploadJob) -> str:
    """The name of a job, which may be made of nothing that can be seen; its id then."""
    # Separators, and controls such as a zero-width space.
    is_seen = any(unicodedata.category(letter)[0] not in "ZC" for letter in job.display_name)
    return job.display_name if is_seen else job.job_id
