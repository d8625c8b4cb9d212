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
    "Taking the job back ended unexpectedly three times in a row. The server's log says why. Ask for it again to go on "
    "where it stood."
)

# Loaders of one job that may die in a row without progress. The next one only completes the keys of what is written.
MAX_FAILED_ATTEMPTS = 3

# Phases that people see as one step; each other phase is a step of its own.
_STEPS_OF_PHASES = (("create", "update", "follow"), ("unindex", "index"), ("remove", "restore"))


def phases_of_step(phase: str) -> tuple[str, ...]:
    """The phases that make one step with this one, itself included."""
    return next((phases for phases in _STEPS_OF_PHASES if phase in phases), (phase,))
