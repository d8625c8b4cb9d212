"""What ``openprofiles import`` needs from the place that the file goes to: the store itself, or a server."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.job_state import JobState
from openprofiles.uploads.reading.file_choices import FileChoices

if TYPE_CHECKING:
    from openprofiles.uploads.job_options import JobOptions
    from openprofiles.uploads.preview_sample import PreviewSample

NEW_DOMAIN_EXPIRATION_DAYS = 1098


def new_domain_name(name: str, *, is_dry_run: bool) -> str:
    """Choose the name of a domain to create."""
    return f"dry-run-{secrets.token_hex(8)}" if is_dry_run else name


class ImportFault(CommandFault):
    """The import cannot continue; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ImportDomain:
    """The domain that the file goes to.

    Attributes:
        expiration_days: how long its profiles live after they were last touched.
        was_created: whether it was missing and has been made.
        phone_region: the country (ISO 3166) of its phone numbers without a country code; None if it is not known yet.
    """

    name: str
    expiration_days: int
    was_created: bool
    phone_region: str | None


@dataclass(frozen=True, slots=True)
class KeptMapping:
    """A mapping that a domain keeps by name.

    Attributes:
        fields, unique_key: as in CreateUploadJob.
        columns: the header of the file that it was made for.
        reading: what was chosen about reading the file.
    """

    fields: Mapping[str, Mapping[str, str]]
    unique_key: str
    columns: Sequence[str]
    reading: FileChoices

    def columns_to_find(self, choices: Sequence[str]) -> list[str]:
        """List the mapped columns, without those that ``--map`` replaces."""
        from openprofiles.uploads.mappings.upload_mapping import SOURCE_PREFIX, TARGET_PREFIX

        entries = ((one["Source"].removeprefix(SOURCE_PREFIX), one["Target"]) for one in self.fields.values())
        return [
            header
            for header, target in entries
            if not any(
                choice.startswith(f"{header}=")
                or choice.rpartition("=")[2] in (target, target.removeprefix(TARGET_PREFIX))
                for choice in choices
            )
        ]


def read_kept_mapping(document: Mapping[str, Any]) -> KeptMapping:
    """Read a saved mapping as a server answers it."""
    reading = FileChoices.from_document(document.get("Reading", {}))
    return KeptMapping(document["Fields"], document["UniqueKey"], document["Columns"], reading)


class Importer(Protocol):
    """One way to load a file. The methods are called in this order; each raises CommandFault or a DomainError when it
    cannot be done.
    """

    def read_mapping(self, domain: str, mapping_name: str) -> KeptMapping:
        """Read a saved mapping of the domain; create neither."""

    def find_phone_region(self, domain: str) -> str | None:
        """Find the country of the phone numbers of a domain; None if there is no such domain or it is not known."""

    def find_or_create_domain(self, name: str, *, is_dry_run: bool) -> ImportDomain:
        """Find the domain of this name, or create it with 1098 days.

        Args:
            is_dry_run: instead of a missing domain, create one under another name that nobody else uses.
        """

    def domain_names(self) -> Sequence[str]:
        """List the domains that there are; empty where the credential has no permission for that."""

    def create_job(
        self,
        domain: str,
        *,
        display_name: str,
        fields: Mapping[str, Mapping[str, str]],
        unique_key: str,
        data_expiry_days: int,
        options: JobOptions | None,
        needs_options: bool,
    ) -> str:
        """Make the upload job; returns its id.

        Args:
            options: of the job; None for the defaults.
            needs_options: False: send the file even to a server that accepts no options.
        """

    def read_phone_region(self) -> str | None:
        """Read the country of the domain's phone numbers, once there is a job; None if the server does not say."""

    @property
    def left_out_options(self) -> bool:
        """Whether the job was made without the options, since the server takes none."""

    def send_file(self, file: BinaryIO, on_sent: Callable[[int], None]) -> None:
        """Give the job its file. ``on_sent`` is called with the number of bytes so far."""

    def start_job(self) -> None:
        """Start the job that was made."""

    def save_mapping(self, mapping_name: str, mapping: KeptMapping) -> None:
        """Save a mapping in the domain that was found; it replaces one of the same name."""

    def start_preview(self) -> None:
        """Start a preview instead of the job. All that is read afterwards is about the preview."""

    def read_samples(self) -> Sequence[PreviewSample]:
        """Read some profiles that would be created or updated, once the preview has ended."""

    def discard(self, domain: ImportDomain) -> None:
        """Remove a job that was previewed, and a domain that was created for it."""

    def read_state(self) -> JobState:
        """Read the state of the job. Call this repeatedly: without a server it also runs the job."""

    def stop_job(self) -> None:
        """Stop the job, if there is one and it has not ended."""

    def read_failed_rows(self, *, for_spreadsheet: bool) -> Iterator[bytes]:
        """Read the file of failed rows, part by part: see ``uploads.failures.failed_rows_csv``."""

    def close(self) -> None:
        """Let go of everything; a load of ours that still runs is given back and can be taken up later."""
