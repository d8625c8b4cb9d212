"""What ``openprofiles jobs`` needs from the place of a domain's upload jobs: the store, or a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from openprofiles.cli.endpoint import check_endpoint_url, needs_client_packages
from openprofiles.cli.job_state import JobState

if TYPE_CHECKING:
    from openprofiles.settings import Settings
    from openprofiles.uploads.reading.file_form import FileForm


@dataclass(frozen=True, slots=True)
class JobName:
    """An upload job by its id and the name that people know it by."""

    job_id: str
    display_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedJob:
    """An upload job as a list of them shows it."""

    job_id: str
    display_name: str
    state: JobState
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAccount(ListedJob):
    """All that is known of an upload job.

    Attributes:
        status_reason: of a failed job, as in GetUploadJob.
        stop_requested: whether it was asked to stop.
        unique_key: header of the column that tells customers apart.
        unique_field: the field of the profile that this column goes to as the unique key.
        mapping: header of each column that is loaded, and the field of the profile that it goes to.
        columns_not_mapped: headers of the others; None until the file is read.
        file_form: what the file is read as; None until reading has begun.
        rows_per_second: of a job that has ended, waiting left out.
        undo_until: until when it can be taken back; None if it cannot, or was.
        undo_status: where taking it back stands; None if that was not asked for.
    """

    status_reason: str | None
    stop_requested: bool
    data_expiry_days: int
    unique_key: str
    unique_field: str
    mapping: tuple[tuple[str, str], ...]
    columns_not_mapped: tuple[str, ...] | None
    file_form: FileForm | None
    rows_per_second: int | None
    undo_until: datetime | None
    undo_status: str | None

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


class JobPlace(Protocol):
    """The upload jobs of one domain.

    Each method raises CommandFault or DomainError when it cannot be done; the message says why. It runs no upload job.
    """

    def list_jobs(self, status: str | None, limit: int) -> list[ListedJob]:
        """The newest jobs, of this status if one is given, the newest first."""

    def iterate_job_names(self) -> Iterator[JobName]:
        """Yield all jobs, the newest first, fetched a page at a time."""

    def read_report(self, job_id: str) -> JobAccount:
        """All that is known of the job."""

    def read_state(self, job_id: str) -> JobState:
        """Where the job stands."""

    def list_failed_rows(self, job_id: str, limit: int) -> list[FaultyRow]:
        """The first failed rows that are kept, in the order of the file."""

    def read_failed_rows_file(self, job_id: str, *, for_spreadsheet: bool) -> Iterator[bytes]:
        """The file of all failed rows, part by part: see ``uploads.failures.failed_rows_csv``."""

    def stop_job(self, job_id: str) -> None:
        """Ask for the end of the job; nothing happens if it is STOPPED."""

    def start_undo(self, job_id: str) -> UndoState:
        """Ask for the job to be taken back, which changes nothing if it was."""

    def read_undo(self, job_id: str) -> UndoState:
        """Where taking the job back stands. Without a server this is also what does it, so it is to be asked again."""

    def list_kept_profiles(self, job_id: str, limit: int) -> list[KeptProfile]:
        """The first profiles that stayed when the job was taken back."""

    def close(self) -> None:
        """Let go of everything."""


@contextmanager
def open_job_place(settings: Settings, endpoint_url: str | None, domain: str) -> Iterator[JobPlace]:
    """The jobs of the domain on the server at this address, or else in the store that the settings name.

    Raises:
        CommandFault: there is no store, the address is none, or a package is missing.
        SettingsError: the store cannot be used.
    """
    place: JobPlace
    if endpoint_url is None:
        from openprofiles.cli.job_place_local import LocalJobs

        place = LocalJobs(settings, domain)
    else:
        with needs_client_packages():
            from openprofiles.cli.job_place_remote import RemoteJobs
        place = RemoteJobs(check_endpoint_url(endpoint_url), domain)
    try:
        yield place
    finally:
        place.close()


def mapping_members(fields: Mapping[str, Mapping[str, str]], unique_key: str) -> dict[str, Any]:
    """The members of a ``JobAccount`` that say where the columns go, of a job's ``Fields`` and ``UniqueKey``."""
    from openprofiles.uploads.mappings.upload_mapping import read_mapping

    mapping = read_mapping(fields, unique_key, strict=False)
    return {
        "unique_key": mapping.unique_key.header,
        "unique_field": mapping.unique_key.path,
        "mapping": tuple((field.header, field.path) for field in mapping.fields),
    }
