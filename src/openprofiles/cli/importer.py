"""What ``openprofiles import`` needs from the place that the file goes to: the store itself, or a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from openprofiles.uploads.file_form import FileOptions

NEW_DOMAIN_EXPIRATION_DAYS = 1098

RUNNING_STATUSES = frozenset(("CREATED", "IN_PROGRESS"))


class ImportFault(Exception):
    """The import cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ImportDomain:
    """The domain that the file goes to.

    Attributes:
        expiration_days: how long its profiles live after they were last touched.
        was_created: whether it was missing and has been made.
    """

    name: str
    expiration_days: int
    was_created: bool


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
            ``unindex`` or ``index``; None before it begins, and where the server does not tell.
        position: how far it is in this phase; in ``stage``, the number of rows read.
        record_count: rows of the file, None until all are read.
        updated_count: rows that went to a profile which was there, those that changed nothing included.
        message: why the job failed, in a sentence.
        fault_counts: at the end, what the failed rows failed for, the most frequent first.
        repeated_count: rows whose unique key an earlier row of the file has too, None until all are read.
        step_seconds: at the end, how long each step took.
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
    step_seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def done_count(self) -> int:
        """Rows whose fate is settled."""
        return self.created_count + self.updated_count + self.failed_count

    @property
    def unprocessed_count(self) -> int:
        """Rows that a job which has ended left out, after a stop."""
        return 0 if self.record_count is None else self.record_count - self.done_count

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING_STATUSES


@dataclass(frozen=True, slots=True)
class KeptMapping:
    """A mapping that a domain keeps by name.

    Attributes:
        fields, unique_key: as in CreateUploadJob.
        columns: the header of the file that it was made for.
    """

    fields: Mapping[str, Mapping[str, str]]
    unique_key: str
    columns: Sequence[str]


class Importer(Protocol):
    """One way to load a file. The methods are called in this order; each raises ImportFault or a DomainError when it
    cannot be done.
    """

    def read_mapping(self, domain: str, mapping_name: str) -> KeptMapping:
        """The mapping that the domain keeps under this name; makes neither."""

    def find_or_create_domain(self, name: str) -> ImportDomain:
        """The domain of this name, made with 1098 days if there is none."""

    def create_job(
        self,
        domain: str,
        *,
        display_name: str,
        fields: Mapping[str, Mapping[str, str]],
        unique_key: str,
        data_expiry_days: int,
        file: FileOptions | None,
    ) -> str:
        """Make the upload job; returns its id.

        Args:
            file: what its file is to be read as; None: as it is found.
        """

    def send_file(self, file: BinaryIO, on_sent: Callable[[int], None]) -> None:
        """Give the job its file. ``on_sent`` is called with the number of bytes so far."""

    def start_job(self) -> None:
        """Start the job that was made."""

    def save_mapping(self, mapping_name: str, mapping: KeptMapping) -> None:
        """Keep a mapping in the domain that was found, in place of the one of this name."""

    def read_state(self) -> JobState:
        """Where the job stands; has to be called again and again, since in local mode this is what runs it."""

    def stop_job(self) -> None:
        """Ask for the end of the job; nothing happens if there is none or it has ended already."""

    def read_failed_rows(self) -> Iterator[bytes]:
        """The file of the rows that were not loaded, part by part: see ``uploads.failed_rows_csv``."""

    def close(self) -> None:
        """Let go of everything; a load of ours that still runs is given back and can be taken up later."""
