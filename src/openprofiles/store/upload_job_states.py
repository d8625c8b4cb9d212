"""The states of jobs of all kinds, shared by all modules that read or write its row."""

from __future__ import annotations

from enum import StrEnum


class UploadJobStatus(StrEnum):
    """The states of the service model. The last four are final."""

    CREATED = "CREATED"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    PARTIALLY_SUCCEEDED = "PARTIALLY_SUCCEEDED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"


VALIDATION_FAILURE = "VALIDATION_FAILURE"
INTERNAL_FAILURE = "INTERNAL_FAILURE"

FILE_MISSING_MESSAGE = "The uploaded file was removed from the server's storage. Upload the file again in a new job."
FILE_DAMAGED_MESSAGE = (
    "The uploaded file was damaged in the server's storage. Check its disk or bucket, then upload the file again in "
    "a new job."
)

KEY_LOST_MESSAGE = (
    "The store was restored without its master key, so the uploaded file could not be read. Undo this job if it has "
    "changed profiles, then upload the file again."
)

# Loaders of one job that may die in a row without progress. The next one only completes the keys of what is written.
MAX_FAILED_ATTEMPTS = 3
