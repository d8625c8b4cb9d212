"""Load one file into a place: the steps of ``openprofiles import`` and of ``Client.load_file``."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from openprofiles.cli.exit_statuses import CommandFault, Refused
from openprofiles.cli.place import ImportDomain, Place
from openprofiles.operations.job_options import options_members
from openprofiles.uploads.reading.file_choices import FileChoices

if TYPE_CHECKING:
    from openprofiles.cli.import_mapping import ImportMapping
    from openprofiles.uploads.job_options import JobOptions


class ImportFault(CommandFault):
    """The import cannot continue; the message says why and what to do."""


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


def read_kept_mapping(place: Place, domain: str, mapping_name: str) -> KeptMapping:
    """Read a saved mapping of the domain; create neither."""
    document = place.own("GetMapping", DomainName=domain, MappingName=mapping_name)
    reading = FileChoices.from_document(document.get("Reading", {}))
    return KeptMapping(document["Fields"], document["UniqueKey"], document["Columns"], reading)


class Importer:
    """One load of a file. The methods are called in this order; each raises CommandFault when it cannot be done. The
    caller closes the place.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._domain = ""
        self._job_id = ""
        self._preview_id = ""

    def find_or_create_domain(self, name: str, *, is_dry_run: bool) -> ImportDomain:
        """Find the domain of this name, or create it with 1098 days.

        Args:
            is_dry_run: instead of a missing domain, create one under another name that nobody else uses.
        """
        domain = self.place.find_domain(name)
        if domain is None:
            domain = self.place.create_domain(f"dry-run-{secrets.token_hex(8)}" if is_dry_run else name)
        self._domain = domain.name
        return domain

    def create_job(
        self,
        mapping: ImportMapping,
        *,
        display_name: str,
        data_expiry_days: int,
        options: JobOptions | None,
        needs_options: bool,
    ) -> str:
        """Make the upload job; returns its id.

        Args:
            options: of the job; None for the defaults.
            needs_options: False: send the file even to a server that accepts no options.
        """
        self._job_id = self.place.create_upload_job(
            options=None if options is None else options_members(options),
            needs_options=needs_options,
            DomainName=self._domain,
            DisplayName=display_name,
            Fields=mapping.fields,
            UniqueKey=mapping.unique_key.name,
            DataExpiry=data_expiry_days,
        )
        return self._job_id

    def create_object_job(self, object_type: str, *, display_name: str, options: JobOptions | None) -> str:
        """Make the upload job of a file of objects; returns its id."""
        self._job_id = self.place.create_upload_job(
            options=None if options is None else options_members(options),
            DomainName=self._domain,
            DisplayName=display_name,
            ObjectType=object_type,
        )
        return self._job_id

    def find_domain(self, name: str) -> ImportDomain:
        """Find the domain of this name.

        Raises:
            ImportFault: there is none.
        """
        domain = self.place.find_domain(name)
        if domain is None:
            raise ImportFault(f"Domain {name} does not exist.")
        self._domain = domain.name
        return domain

    def send_file(self, file: BinaryIO, on_sent: Callable[[int], None]) -> None:
        """Give the job its file. ``on_sent`` is called with the number of bytes so far."""
        self.place.transport.send_file(self._domain, self._job_id, file, on_sent)

    def start_job(self) -> None:
        """Start the job that was made."""
        self._own("StartUploadJob", self._job_id)

    def save_mapping(self, mapping_name: str, mapping: KeptMapping) -> None:
        """Save a mapping in the domain that was found; it replaces one of the same name."""
        self.place.own(
            "PutMapping",
            DomainName=self._domain,
            MappingName=mapping_name,
            Fields=mapping.fields,
            UniqueKey=mapping.unique_key,
            Columns=list(mapping.columns),
            Reading=mapping.reading.to_document() or None,
        )

    def start_preview(self) -> None:
        """Start a preview instead of the job. All that is read afterwards is about the preview."""
        self._preview_id = self._own("PreviewUploadJob", self._job_id)["PreviewId"]

    def read_samples(self) -> Sequence[Mapping[str, Any]]:
        """Read some profiles that would be created or updated, once the preview has ended."""
        return list(self._own("GetPreview", self._preview_id)["Samples"])

    def discard_job(self) -> None:
        """Remove a job that was previewed."""
        self.place.discard_upload_job(self._domain, self._job_id)

    def discard(self, domain: ImportDomain) -> None:
        """Remove a job that was previewed, and a domain that was created for it."""
        if self._job_id:
            self.place.discard_upload_job(self._domain, self._job_id)
        if domain.was_created:
            self.place.call("DeleteDomain", DomainName=domain.name)

    def read_progress(self) -> Mapping[str, Any]:
        """Read the progress of the job. Call this repeatedly: without a server it also runs the job."""
        progress = self._own("GetProgress", self._followed_id)
        self.place.transport.run_job(self._domain, self._followed_id, progress["Status"])
        return progress

    def stop_job(self) -> None:
        """Stop the job, if there is one and it has not ended."""
        if not self._job_id:
            return
        try:
            if self._preview_id:
                self._own("StopPreview", self._preview_id)
            else:
                self.place.call("StopUploadJob", DomainName=self._domain, JobId=self._job_id)
        except CommandFault as fault:
            # It ended on its own first, and its end will be reported.
            if not isinstance(fault, Refused) or fault.code != "BadRequestException":
                raise

    def read_failed_rows(self, *, for_spreadsheet: bool) -> Iterator[bytes]:
        """Read the file of failed rows, part by part: see ``uploads.failures.failed_rows_csv``."""
        return self.place.read_failed_rows_file(self._domain, self._followed_id, for_spreadsheet=for_spreadsheet)

    def _own(self, operation: str, job_id: str) -> dict[str, Any]:
        return self.place.own(operation, DomainName=self._domain, JobId=job_id)

    @property
    def _followed_id(self) -> str:
        """The job that runs: the one that was made, or its preview."""
        return self._preview_id or self._job_id
