"""The state of an upload job as commands show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from openprofiles.server.progress_document import read_progress_document
from openprofiles.uploads.failures.faults import NOT_A_PHONE_NUMBER, NOT_AN_EMAIL_ADDRESS
from openprofiles.uploads.mappings.value_kinds import ValueKind
from openprofiles.uploads.progress import Progress

RUNNING_STATUSES = frozenset(("CREATED", "IN_PROGRESS"))
KIND_OF_ERROR = {NOT_AN_EMAIL_ADDRESS: ValueKind.EMAIL_ADDRESS, NOT_A_PHONE_NUMBER: ValueKind.PHONE_NUMBER}


@dataclass(frozen=True, slots=True)
class FaultCount:
    """How often rows failed for one reason; ``column`` is the header at fault, None where it is the row as a whole."""

    code: str
    column: str | None
    count: int


@dataclass(frozen=True, slots=True)
class JobState:
    """Where an upload job stands.

    Attributes:
        status: as in GetUploadJob.
        phase: what a running job does: ``stage`` (reading the file), ``report``, ``create``, ``update``, ``follow``,
            ``unindex`` or ``index``; None before it begins, and if the server does not report it.
        position: how far it is in this phase; in ``stage``, the number of rows read.
        record_count: rows of the file, None until all are read.
        updated_count: rows that went to a profile which was there, those that changed nothing included.
        message: why the job failed, in a sentence.
        fault_counts: at the end, what the failed rows failed for, the most frequent first.
        repeated_count: rows whose unique key an earlier row of the file has too, None until all are read.
        notices: sentences about rows with an outcome that the user may not expect.
        has_doubtful_rows: whether the user should decide about such rows before they are loaded.
        step_seconds: at the end, how long each step took.
        progress: of a job that a worker has begun with; None before that, and if the server does not report it.
    """

    status: str
    phase: str | None
    position: int
    record_count: int | None
    created_count: int
    updated_count: int
    unchanged_count: int
    failed_count: int
    message: str | None
    fault_counts: tuple[FaultCount, ...] = ()
    repeated_count: int | None = None
    notices: tuple[str, ...] = ()
    has_doubtful_rows: bool = False
    step_seconds: Mapping[str, float] = field(default_factory=dict)
    progress: Progress | None = None

    @property
    def changed_count(self) -> int:
        """Rows that changed a profile which was there."""
        return self.updated_count - self.unchanged_count

    @property
    def done_count(self) -> int:
        """Rows whose fate is settled."""
        return self.created_count + self.updated_count + self.failed_count

    @property
    def unprocessed_count(self) -> int:
        """Rows whose fate is not settled; of a job that has ended, those that it left out after a stop."""
        return 0 if self.record_count is None else self.record_count - self.done_count

    @property
    def columns_of_other_values(self) -> list[tuple[str, str]]:
        """The error and the column of each check for addresses or phone numbers that most rows have failed."""
        return [
            (one.code, one.column)
            for one in self.fault_counts
            if one.column is not None and one.code in KIND_OF_ERROR and 2 * one.count > self.done_count
        ]

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING_STATUSES


def state_of_progress(answer: Mapping[str, Any]) -> JobState:
    """Make the state from the document of ``Client.get_progress``."""
    return JobState(
        status=answer["Status"],
        phase=answer.get("Phase"),
        position=answer.get("Position", 0),
        record_count=answer.get("RecordCount"),
        created_count=answer["CreatedRecords"],
        updated_count=answer["UpdatedRecords"],
        unchanged_count=answer["UnchangedRecords"],
        failed_count=answer["FailedRecords"],
        message=answer.get("Message"),
        fault_counts=tuple(
            FaultCount(one["Code"], one.get("Column"), one["Count"]) for one in answer.get("Faults", ())
        ),
        repeated_count=answer.get("RepeatedRecords"),
        notices=tuple(one["Message"] for one in answer.get("Notices", ())),
        has_doubtful_rows=any(one["Doubtful"] for one in answer.get("Notices", ())),
        step_seconds={one["Step"]: one["Seconds"] for one in answer.get("Steps", ())},
        progress=read_progress_document(answer["Progress"]) if "Progress" in answer else None,
    )
