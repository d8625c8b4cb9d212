"""The upload jobs of a domain, as ``openprofiles jobs`` shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from openprofiles.cli.job_state import JobState, state_of_progress
from openprofiles.cli.place import Place
from openprofiles.clock import from_epoch_seconds

if TYPE_CHECKING:
    from openprofiles.uploads.reading.file_form import FileForm

_JOBS_PER_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedJob:
    """An upload job as a list of them shows it; ``undo_status`` is None if no undo was requested."""

    job_id: str
    display_name: str
    state: JobState
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    undo_status: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAccount(ListedJob):
    """All that is known of an upload job.

    Attributes:
        status_reason: of a failed job, as in GetUploadJob.
        stop_requested: whether it was asked to stop.
        unique_key: header of the column that tells customers apart; of objects the name of the UNIQUE key.
        unique_field: the field of the profile that this column goes to as the unique key.
        mapping: header of each column that is loaded, and the field of the profile that it goes to; none of objects.
        object_type: the name of the type of the objects that the rows are; None: they are profiles.
        columns_not_mapped: headers of the others; None until the file is read.
        file_form: what the file is read as; None until reading has begun.
        rows_per_second: of a job that has ended, waiting left out.
        undo_until: until when it can be taken back; None if it cannot, or was.
    """

    status_reason: str | None
    stop_requested: bool
    data_expiry_days: int
    unique_key: str
    unique_field: str
    mapping: tuple[tuple[str, str], ...]
    object_type: str | None
    columns_not_mapped: tuple[str, ...] | None
    file_form: FileForm | None
    rows_per_second: int | None
    undo_until: datetime | None

    @property
    def seconds(self) -> float:
        """From its start to its end, waiting for a worker included; 0 if it has not had both."""
        if self.started_at is None or self.completed_at is None:
            return 0.0
        return (self.completed_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class ToldFault:
    """One thing that is wrong with a row; ``column`` is the header at fault, None where it is the row as a whole."""

    code: str
    column: str | None
    message: str


@dataclass(frozen=True, slots=True)
class FaultyRow:
    """A row that was not loaded: its number without the header, the line it begins on, and what is wrong with it."""

    record: int
    line: int
    faults: tuple[ToldFault, ...]


@dataclass(frozen=True, slots=True)
class UndoState:
    """Where taking an upload job back stands; see ``uploads.undos.Undo`` for the counts."""

    status: str
    message: str | None
    removed_count: int
    restored_count: int
    kept_count: int
    gone_count: int
    profile_count: int | None
    completed_at: datetime | None

    @property
    def is_running(self) -> bool:
        return self.status == "IN_PROGRESS"

    @property
    def done_count(self) -> int:
        return self.removed_count + self.restored_count + self.kept_count + self.gone_count


@dataclass(frozen=True, slots=True)
class KeptProfile:
    """A profile that stayed when a job was taken back; ``was_created``: whether the job had made it."""

    profile_id: str
    was_created: bool


def list_jobs(place: Place, domain: str, status: str | None, limit: int) -> list[ListedJob]:
    """List the newest jobs, of this status if one is given, the newest first."""
    items = place.list_upload_jobs(domain, min(limit, _JOBS_PER_PAGE))
    wanted = (item for item in items if status in (None, item["Status"]))
    return [
        ListedJob(**_listed(item["DisplayName"], place.read_listed_job(domain, item))) for item in islice(wanted, limit)
    ]


def read_account(place: Place, domain: str, job_id: str) -> JobAccount:
    """Read all that is known of a job."""
    from openprofiles.server.job_options_document import read_file_form
    from openprofiles.uploads.mappings.upload_mapping import read_mapping

    job = place.get_upload_job(domain, job_id)
    progress = place.get_progress(domain, job_id)
    object_type = progress.get("ObjectType")
    mapping = None if object_type is not None else read_mapping(job["Fields"], job["UniqueKey"], strict=False)
    not_mapped = progress.get("ColumnsNotMapped")
    return JobAccount(
        **_listed(job["DisplayName"], progress),
        status_reason=progress.get("StatusReason"),
        stop_requested=progress["StopRequested"],
        data_expiry_days=job["DataExpiry"],
        unique_key=job["UniqueKey"] if mapping is None else mapping.unique_key.header,
        unique_field="" if mapping is None else mapping.unique_key.path,
        mapping=() if mapping is None else tuple((field.header, field.path) for field in mapping.fields),
        object_type=object_type,
        columns_not_mapped=None if not_mapped is None else tuple(not_mapped),
        file_form=read_file_form(progress["File"]) if "File" in progress else None,
        rows_per_second=progress.get("RecordsPerSecond"),
        undo_until=from_epoch_seconds(progress.get("UndoUntil")),
    )


def list_failed_rows(place: Place, domain: str, job_id: str, limit: int) -> list[FaultyRow]:
    """List the first failed rows of a job that are kept, in the order of the file."""
    return [
        FaultyRow(
            row["Record"],
            row["Line"],
            tuple(ToldFault(fault["Code"], fault.get("Column"), fault["Message"]) for fault in row["Faults"]),
        )
        for row in islice(place.list_failed_rows(domain, job_id), limit)
    ]


def read_undo(place: Place, domain: str, job_id: str) -> UndoState:
    """Read the state of the undo of a job. Without a server this also runs it, so call it repeatedly."""
    undo = place.get_undo(domain, job_id)
    return UndoState(
        status=undo["Status"],
        message=undo.get("Message"),
        removed_count=undo["RemovedProfiles"],
        restored_count=undo["RestoredProfiles"],
        kept_count=undo["KeptProfiles"],
        gone_count=undo["GoneProfiles"],
        profile_count=undo.get("ProfileCount"),
        completed_at=from_epoch_seconds(undo.get("CompletedAt")),
    )


def list_kept_profiles(place: Place, domain: str, job_id: str, limit: int) -> list[KeptProfile]:
    """List the first profiles that stayed when a job was undone."""
    return [
        KeptProfile(item["ProfileId"], item["Loaded"] == "CREATED")
        for item in islice(place.list_kept_profiles(domain, job_id), limit)
    ]


def _listed(display_name: str, progress: Mapping[str, Any]) -> dict[str, Any]:
    """Make the members of a ``ListedJob``."""
    return {
        "job_id": progress["JobId"],
        "display_name": display_name,
        "state": state_of_progress(progress),
        "created_at": from_epoch_seconds(progress["CreatedAt"]),
        "started_at": from_epoch_seconds(progress.get("StartedAt")),
        "completed_at": from_epoch_seconds(progress.get("CompletedAt")),
        "undo_status": progress.get("UndoStatus"),
    }
