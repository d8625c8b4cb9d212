"""The place of commands without ``--endpoint-url``: the store itself, without a server and without credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, BinaryIO

from openprofiles.cli.api_requests import checked_request
from openprofiles.cli.existing_domain import domain_names, of_existing_domain
from openprofiles.cli.importer import ImportFault
from openprofiles.cli.place import NEW_DOMAIN_EXPIRATION_DAYS, ImportDomain
from openprofiles.clock import utc_now
from openprofiles.credentials.principal import Principal
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.master_key import MasterKey, load_master_key, read_master_key
from openprofiles.profiles.domains import create_domain, delete_domain
from openprofiles.profiles.session import Reading, Writing, reading, writing
from openprofiles.server.job_options_document import read_options_member
from openprofiles.server.job_report_documents import failed_row_item, job_document, report_document
from openprofiles.server.mapping_documents import mapping_document, mapping_item
from openprofiles.server.undo_document import kept_profile_item, undo_document
from openprofiles.settings import Settings
from openprofiles.store.open import open_existing_store, open_store
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.uploads import jobs, previews, undos
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv
from openprofiles.uploads.job_report import read_report
from openprofiles.uploads.mappings import saved_mappings
from openprofiles.uploads.mappings.known_attributes import list_known_attributes
from openprofiles.uploads.preview_sample import PreviewSample
from openprofiles.uploads.reading.file_choices import FileChoices

if TYPE_CHECKING:
    from openprofiles.cli.job_runner import JobRunner
    from openprofiles.cli.local_objects import LocalObjects
    from openprofiles.uploads.arrival.files import Files

# Who calls: nobody asks for the credentials of somebody who can read the store.
_PRINCIPAL = Principal("", "openprofiles", ("*",), ("*",))


class LocalPlace:
    """The domains, jobs and mappings of a store.

    A server may run on the same store. Then its worker may be the one that runs a job.

    Args:
        for_import: create what is missing, and let others know from the beginning that the store is in use.
    """

    # Whether a job was made without its options, since the server takes none; the store itself does.
    left_out_options = False
    # What ``send_file`` does with the file, in a word.
    sending = "Copying"

    def __init__(self, settings: Settings, *, for_import: bool = False) -> None:
        self._settings = settings
        self._store = open_store(settings) if for_import else open_existing_store(settings)
        # Most commands look at jobs, or leave them to others.
        self._known_runner: JobRunner | None = None
        self._has_loaded = False
        if for_import:
            from openprofiles.credentials.administer import ensure_admin_credential

            # Whatever opens a new data folder first makes it complete.
            ensure_admin_credential(settings, self._store, load_master_key(settings), utc_now())
            self._runner()

    def find_domain(self, name: str) -> ImportDomain | None:
        """Find the domain of this name."""
        try:
            with reading(self._store, name, utc_now()) as session:
                found = session.domain
        except NotFound:
            return None
        return ImportDomain(name, found.default_expiration_days, was_created=False, phone_region=found.phone_region)

    def find_phone_region(self, domain_name: str) -> str | None:
        """Find the country of the phone numbers of a domain; None if there is no such domain or it is not known."""
        found = self.find_domain(domain_name)
        return None if found is None else found.phone_region

    def list_attributes(self, domain_name: str) -> Sequence[str]:
        """List the custom attributes that the latest upload jobs of a domain have loaded; none without a domain."""
        try:
            return list_known_attributes(partial(reading, self._store, domain_name, utc_now()))
        except NotFound:
            return ()

    def create_domain(self, name: str) -> ImportDomain:
        """Create a domain with 1098 days."""
        made = create_domain(
            self._store,
            name,
            default_expiration_days=NEW_DOMAIN_EXPIRATION_DAYS,
            config={},
            tags={},
            phone_region=self._settings.phone_region,
            now=utc_now(),
        )
        return ImportDomain(name, made.default_expiration_days, was_created=True, phone_region=made.phone_region)

    def delete_domain(self, name: str) -> None:
        """Delete a domain."""
        with self._writing(name) as session:
            delete_domain(session)

    def call(self, operation: str, **request: Any) -> Any:
        """Call an operation of the API; return its answer."""
        from openprofiles.operations.call import Call
        from openprofiles.operations.registry import handlers

        settings = self._settings
        call = Call(
            settings=settings,
            store=self._store,
            read_master_key=lambda: self._master_key,
            principal=_PRINCIPAL,
            request_id="",
            region=settings.region,
            now=utc_now(),
            base_url="",
        )
        return handlers()[operation](call, checked_request(operation, request))

    def domain_names(self) -> Sequence[str]:
        """List the domains that there are; empty where the credential has no permission for that."""
        return domain_names(self._store)

    def create_upload_job(
        self,
        domain_name: str,
        *,
        display_name: str,
        fields: Mapping[str, Mapping[str, str]] | None = None,
        unique_key: str | None = None,
        object_type: str | None = None,
        data_expiry: int | None = None,
        options: Mapping[str, Any] | None = None,
        needs_options: bool = True,  # noqa: ARG002  (see left_out_options)
    ) -> str:
        """Make an upload job; returns its id.

        Args:
            needs_options: False: make it even on a server that accepts no options.
        """
        given = jobs.JobRequest(
            display_name=display_name,
            fields=fields or {},
            unique_key=unique_key or "",
            object_type=object_type,
            data_expiry_days=data_expiry,
            options=None if options is None else read_options_member("Options", options),
        )
        checked = jobs.check_request(given, strict=False)
        with self._writing(domain_name) as session:
            return jobs.create_job(session, self._master_key, checked).job_id

    def send_file(self, domain_name: str, job_id: str, file: BinaryIO, on_sent: Callable[[int], None]) -> None:
        """Give a job its file. ``on_sent`` is called with the number of bytes so far."""
        from openprofiles.uploads.arrival.receive import receive_local
        from openprofiles.uploads.arrival.refused import Refused

        with self._reading(domain_name) as session:
            job = jobs.get_job(session, job_id)
        try:
            receive_local(self._store, self._master_key, self._files, job, file, on_sent)
        except Refused as refused:
            raise ImportFault(refused.message) from refused
        except OSError as error:
            raise ImportFault(f"The file cannot be copied to {self._files.place}: {error.strerror}.") from error

    def start_upload_job(self, domain_name: str, job_id: str) -> None:
        """Start a job that has its file."""
        with self._writing(domain_name) as session:
            jobs.start_job(session, job_id)

    def run_upload_job(self, domain_name: str, job_id: str, status: str) -> None:
        """Run a job of this status where there is no server. Call this repeatedly, until the job has ended."""
        if status == UploadJobStatus.IN_PROGRESS:
            self._runner().run(self._opener(domain_name), job_id)
        elif status != UploadJobStatus.CREATED:
            self._runner().wait_until_idle()
            self._has_loaded = True

    def list_upload_jobs(self, domain_name: str, page_size: int = 100) -> Iterator[Mapping[str, Any]]:
        """Yield all jobs as in ListUploadJobs, the newest first, fetched a page at a time."""

        def read_page(session: Reading, token: str | None) -> jobs.Page[Mapping[str, Any]]:
            page = jobs.list_jobs(session, max_results=page_size, next_token=token)
            undos_of_page = undos.find_undo_statuses(session, page.items)
            items: list[Mapping[str, Any]] = [
                job_document(job, session.now)
                | {"DisplayName": job.display_name, "UndoStatus": undos_of_page.get(job.job_number)}
                for job in page.items
            ]
            return jobs.Page(items, page.next_token)

        return jobs.iterate_pages(self._opener(domain_name), read_page)

    def read_listed_job(self, domain_name: str, item: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Read the counts and times of a job that was listed, as in ``get_progress``."""
        return item

    def get_upload_job(self, domain_name: str, job_id: str) -> Mapping[str, Any]:
        """Read a job as in GetUploadJob."""
        with self._reading(domain_name) as session:
            job = jobs.get_job(session, job_id)
        return {
            "DisplayName": job.display_name,
            "Fields": job.fields,
            "UniqueKey": job.unique_key,
            "DataExpiry": job.data_expiry_days,
        }

    def get_progress(self, domain_name: str, job_id: str) -> Mapping[str, Any]:
        """Read the state of a job or a preview, and its report."""
        with self._reading(domain_name) as session:
            document = report_document(read_report(session, job_id), session.now)
        return document | {"PhoneRegion": session.domain.phone_region}

    def stop_upload_job(self, domain_name: str, job_id: str) -> None:
        """Request the end of a job; nothing happens if it is STOPPED."""
        with self._writing(domain_name) as session:
            jobs.stop_job(session, job_id)

    def is_refusal(self, fault: Exception) -> bool:
        """Return whether a call has failed because the job is in another status."""
        return isinstance(fault, InvalidRequest)

    def discard_upload_job(self, domain_name: str, job_id: str) -> None:
        """Stop a job that was not started, and remove its file."""
        with self._writing(domain_name) as session:
            file_name = jobs.get_job(session, job_id).file_name
            jobs.stop_job(session, job_id)
        if file_name is not None:
            # There may be no worker to do it.
            self._files.remove(file_name)

    def start_preview(self, domain_name: str, job_id: str) -> str:
        """Start a preview of a job; returns the id of the preview."""
        with self._writing(domain_name) as session:
            return previews.start_preview(session, self._master_key, job_id).job_id

    def read_samples(self, domain_name: str, preview_id: str) -> Sequence[PreviewSample]:
        """Read some profiles that would be created or updated, once the preview has ended."""
        with self._reading(domain_name) as session:
            return previews.read_preview(session, self._master_key, preview_id).samples

    def stop_preview(self, domain_name: str, preview_id: str) -> None:
        """End a preview early."""
        with self._writing(domain_name) as session:
            jobs.stop_job(session, preview_id, is_preview=True)

    def start_undo(self, domain_name: str, job_id: str) -> Mapping[str, Any]:
        """Request the undo of a job, which changes nothing if it was requested before."""
        with self._writing(domain_name) as session:
            return undo_document(undos.start_undo(session, job_id))

    def get_undo(self, domain_name: str, job_id: str) -> Mapping[str, Any]:
        """Read the state of an undo. Without a server this also runs it, so call it repeatedly."""
        with self._reading(domain_name) as session:
            undo = undos.read_undo(session, job_id)
        if undo.job.status is UploadJobStatus.IN_PROGRESS:
            self._runner().run(self._opener(domain_name), undo.job.job_id)
        elif self._known_runner is not None:
            self._known_runner.wait_until_idle()
        return undo_document(undo)

    def list_kept_profiles(self, domain_name: str, job_id: str) -> Iterator[Mapping[str, Any]]:
        """Yield the profiles that stayed when a job was undone."""
        kept = jobs.iterate_pages(
            self._opener(domain_name),
            lambda session, token: undos.list_kept_profiles(session, job_id, next_token=token),
        )
        return map(kept_profile_item, kept)

    def list_failed_rows(self, domain_name: str, job_id: str) -> Iterator[Mapping[str, Any]]:
        """Yield the failed rows that are kept, in the order of the file."""
        headers, rows, dialect = jobs.read_failed_rows(self._opener(domain_name), self._master_key, job_id)
        for row in rows:
            yield failed_row_item(row, headers, dialect)

    def read_failed_rows_file(self, domain_name: str, job_id: str, *, for_spreadsheet: bool = False) -> Iterator[bytes]:
        """Read the file of all failed rows, part by part: see ``uploads.failures.failed_rows_csv``."""
        found = jobs.read_failed_rows(self._opener(domain_name), self._master_key, job_id)
        return failed_rows_csv(*found, for_spreadsheet=for_spreadsheet)

    def list_mappings(self, domain_name: str) -> Iterator[Mapping[str, Any]]:
        """Yield the saved mappings, by name."""
        found = jobs.iterate_pages(
            self._opener(domain_name), lambda session, token: saved_mappings.list_mappings(session, next_token=token)
        )
        return map(mapping_item, found)

    def get_mapping(self, domain_name: str, mapping_name: str) -> Mapping[str, Any]:
        """Read a saved mapping."""
        with self._reading(domain_name) as session:
            return mapping_document(saved_mappings.get_mapping(session, mapping_name))

    def put_mapping(
        self,
        domain_name: str,
        mapping_name: str,
        *,
        fields: Mapping[str, Mapping[str, str]],
        unique_key: str,
        columns: Sequence[str],
        reading: Mapping[str, Any] | None = None,
    ) -> None:
        """Save a mapping; it replaces one of the same name."""
        given = saved_mappings.NewMapping(
            name=mapping_name,
            fields=fields,
            unique_key=unique_key,
            columns=columns,
            reading=FileChoices.from_document(reading or {}),
            strict=False,
        )
        with self._writing(domain_name) as session:
            saved_mappings.put_mapping(session, given)

    def delete_mapping(self, domain_name: str, mapping_name: str) -> None:
        """Delete a saved mapping."""
        with self._writing(domain_name) as session:
            saved_mappings.delete_mapping(session, mapping_name)

    @property
    def objects(self) -> LocalObjects:
        """What is done with objects."""
        # Other commands, such as a small import, do not wait for it.
        from openprofiles.cli.local_objects import LocalObjects

        return LocalObjects(self._reading, self._writing)

    def close(self) -> None:
        """Let go of everything; a job of ours that still runs is given back and can be taken up later."""
        if self._known_runner is not None:
            if self._has_loaded:
                self._known_runner.clean()
            self._known_runner.close()
        self._store.close()

    def _reading(self, domain_name: str) -> AbstractContextManager[Reading]:
        return of_existing_domain(self._store, domain_name, reading(self._store, domain_name, utc_now()))

    def _writing(self, domain_name: str) -> AbstractContextManager[Writing]:
        actor = _PRINCIPAL.arn(self._settings.account_id)
        keeps_replaced = self._settings.replaced_values_days > 0
        session = writing(self._store, domain_name, utc_now(), actor, keeps_replaced=keeps_replaced)
        return of_existing_domain(self._store, domain_name, session)

    def _opener(self, domain_name: str) -> jobs.OpenReading:
        return partial(self._reading, domain_name)

    def _runner(self) -> JobRunner:
        if self._known_runner is None:
            # With all that a worker needs: a fifth of a second that a command which only looks at jobs saves.
            from openprofiles.cli.job_runner import JobRunner

            self._known_runner = JobRunner(self._settings, self._store)
        return self._known_runner

    @cached_property
    def _master_key(self) -> MasterKey:
        return read_master_key(self._settings.master_key_path)

    @cached_property
    def _files(self) -> Files:
        from openprofiles.uploads.arrival.files import open_own_files

        return open_own_files(self._settings, self._master_key)
