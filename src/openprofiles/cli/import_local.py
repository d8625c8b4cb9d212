"""``openprofiles import`` on the embedded store: no server, no credentials, the same upload job."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO

from openprofiles.cli.existing_domain import domain_names, find_domain
from openprofiles.cli.importer import (
    NEW_DOMAIN_EXPIRATION_DAYS,
    ImportDomain,
    ImportFault,
    KeptMapping,
    new_domain_name,
)
from openprofiles.cli.job_runner import JobRunner
from openprofiles.cli.job_state import JobState, state_of_report
from openprofiles.clock import utc_now
from openprofiles.credentials.administer import ensure_admin_credential
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.master_key import load_master_key
from openprofiles.profiles.domains import create_domain, delete_domain, get_domain
from openprofiles.profiles.records import Domain
from openprofiles.settings import Settings
from openprofiles.store.open import open_store
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs, previews
from openprofiles.uploads.arrival.files import open_own_files
from openprofiles.uploads.arrival.receive import receive_local
from openprofiles.uploads.arrival.refused import Refused
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv
from openprofiles.uploads.job_options import JobOptions
from openprofiles.uploads.job_report import read_report
from openprofiles.uploads.mappings import saved_mappings
from openprofiles.uploads.preview_sample import PreviewSample
from openprofiles.uploads.reading.file_choices import FileChoices


class LocalImporter:
    """Loads a file into the store of a data folder; see ``Importer``.

    A server may run on the same data folder. Then its worker may be the one that runs the job.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = open_store(settings)
        self._master_key = load_master_key(settings)
        # Whatever opens a new data folder first makes it complete.
        ensure_admin_credential(settings, self._store, self._master_key, utc_now())
        self._files = open_own_files(settings, self._master_key)
        self._job_runner = JobRunner(settings, self._store)
        self._domain: Domain | None = None
        self._job: UploadJob | None = None
        self._preview_id: str | None = None
        self._has_ended = False

    def read_mapping(self, domain: str, mapping_name: str) -> KeptMapping:
        found = saved_mappings.get_mapping(self._store, find_domain(self._store, domain), mapping_name)
        return KeptMapping(found.fields, found.unique_key, found.columns, FileChoices.from_json(found.reading))

    def find_phone_region(self, domain: str) -> str | None:
        try:
            return get_domain(self._store, domain).phone_region
        except NotFound:
            return None

    def find_or_create_domain(self, name: str, *, is_dry_run: bool) -> ImportDomain:
        was_created = False
        try:
            domain = get_domain(self._store, name)
        except NotFound:
            domain = create_domain(
                self._store,
                new_domain_name(name, is_dry_run=is_dry_run),
                default_expiration_days=NEW_DOMAIN_EXPIRATION_DAYS,
                config={},
                tags={},
                phone_region=self._settings.phone_region,
                now=utc_now(),
            )
            was_created = True
        self._domain = domain
        return ImportDomain(domain.name, domain.default_expiration_days, was_created, domain.phone_region)

    def domain_names(self) -> Sequence[str]:
        return domain_names(self._store)

    def create_job(
        self,
        domain: str,  # noqa: ARG002  (the one that was found; a server needs its name again)
        *,
        display_name: str,
        fields: Mapping[str, Mapping[str, str]],
        unique_key: str,
        data_expiry_days: int,
        options: JobOptions | None,
        needs_options: bool,  # noqa: ARG002  (the store itself takes them)
    ) -> str:
        self._job = jobs.create_job(
            self._store,
            self._master_key,
            self._known_domain,
            display_name=display_name,
            fields=fields,
            unique_key=unique_key,
            data_expiry_days=data_expiry_days,
            strict=False,
            now=utc_now(),
            options=options,
        )
        return self._job.job_id

    def read_phone_region(self) -> str | None:
        return self._known_domain.phone_region

    @property
    def left_out_options(self) -> bool:
        return False

    def send_file(self, file: BinaryIO, on_sent: Callable[[int], None]) -> None:
        try:
            receive_local(self._store, self._master_key, self._files, self._known_job, file, on_sent)
        except Refused as refused:
            raise ImportFault(refused.message) from refused
        except OSError as error:
            raise ImportFault(f"The file cannot be copied to {self._files.place}: {error.strerror}.") from error

    def start_job(self) -> None:
        jobs.start_job(self._store, self._known_domain, self._known_job.job_id, now=utc_now())

    def save_mapping(self, mapping_name: str, mapping: KeptMapping) -> None:
        saved_mappings.put_mapping(
            self._store,
            self._known_domain,
            mapping_name,
            fields=mapping.fields,
            unique_key=mapping.unique_key,
            columns=mapping.columns,
            reading=mapping.reading,
            strict=False,
            now=utc_now(),
        )

    def start_preview(self) -> None:
        preview = previews.start_preview(
            self._store, self._master_key, self._known_domain, self._known_job.job_id, now=utc_now()
        )
        self._preview_id = preview.job_id

    def read_samples(self) -> Sequence[PreviewSample]:
        return previews.read_preview(self._store, self._master_key, self._known_domain, self._followed_id).samples

    def discard(self, domain: ImportDomain) -> None:
        if self._job is None:
            if domain.was_created:
                delete_domain(self._store, domain.name, utc_now())
            return
        job_id = self._known_job.job_id
        file_name = jobs.get_job(self._store, self._known_domain, job_id).file_name
        jobs.stop_job(self._store, self._known_domain, job_id, now=utc_now())
        if file_name is not None:
            # There may be no worker to do it.
            self._files.remove(file_name)
        if domain.was_created:
            delete_domain(self._store, domain.name, utc_now())

    def read_state(self) -> JobState:
        account = read_report(self._store, self._known_domain, self._followed_id)
        status = account.job.status
        if status is UploadJobStatus.IN_PROGRESS:
            self._job_runner.run(self._known_domain, self._followed_id)
        elif status is not UploadJobStatus.CREATED:
            self._job_runner.wait_until_idle()
            self._has_ended = True
        return state_of_report(account)

    def stop_job(self) -> None:
        if self._job is None:
            return
        try:
            is_preview = self._preview_id is not None
            jobs.stop_job(self._store, self._known_domain, self._followed_id, now=utc_now(), is_preview=is_preview)
        except InvalidRequest:
            # It ended on its own first, and its end will be told.
            return

    def read_failed_rows(self, *, for_spreadsheet: bool) -> Iterator[bytes]:
        job_id = self._followed_id
        headers, dialect = jobs.read_file_columns(self._store, self._known_domain, job_id)
        rows = jobs.iterate_failed_rows(self._store, self._master_key, self._known_domain, job_id)
        return failed_rows_csv(headers, rows, dialect, for_spreadsheet=for_spreadsheet)

    def close(self) -> None:
        if self._has_ended:
            self._job_runner.clean()
        self._job_runner.close()
        self._store.close()

    @property
    def _followed_id(self) -> str:
        """The job that runs: the one that was made, or its preview."""
        return self._preview_id or self._known_job.job_id

    @property
    def _known_domain(self) -> Domain:
        assert self._domain is not None, "the domain is found first"
        return self._domain

    @property
    def _known_job(self) -> UploadJob:
        assert self._job is not None, "the job is created first"
        return self._job
