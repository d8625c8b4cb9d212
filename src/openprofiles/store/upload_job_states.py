"""The states of an upload job, for everybody who reads or writes its row."""

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

GAVE_UP_MESSAGE = "The load ended unexpectedly three times in a row. The server's log says why."

UNDO_GAVE_UP_MESSAGE = (
    "The undo ended unexpectedly three times in a row. The server's log says why. Start the undo again to continue "
    "where it stopped."
)

# Loaders of one job that may die in a row without progress. The next one only completes the keys of what is written.
MAX_FAILED_ATTEMPTS = 3
