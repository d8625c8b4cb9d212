"""``Client.load_file``: what it returns, what it raises, and how it uses the parts of ``openprofiles import``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.job_state import (
    KIND_OF_ERROR,
    changed_count,
    columns_of_other_values,
    is_running,
    notice_messages,
    unprocessed_count,
)
from openprofiles.errors import DomainError
from openprofiles.job_kinds import UPLOAD, Unit
from openprofiles.missing_packages import describe_missing_package
from openprofiles.wire.errors import WireError

if TYPE_CHECKING:
    import boto3

    from openprofiles.cli.import_mapping import ImportMapping
    from openprofiles.cli.import_progress import ProgressDisplay
    from openprofiles.cli.importer import Importer, KeptMapping
    from openprofiles.cli.place import ImportDomain
    from openprofiles.cli.source_file import SourceFile
    from openprofiles.client import Client
    from openprofiles.uploads.job_options import JobOptions
    from openprofiles.uploads.reading.file_choices import FileChoices
    from openprofiles.uploads.reading.file_form import FileOptions

_POLL_SECONDS = 0.25
_DISPLAY_NAME_MAX_LENGTH = 255

Step = Literal["sending", "waiting", "reading", "loading", "indexing"]
_STEP_OF_UNIT: dict[Unit | None, Step] = {Unit.BYTES: "reading", Unit.KEYS: "indexing"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProgress:
    """How far a load is.

    Attributes:
        step: ``sending`` the file, ``waiting`` for a worker, ``reading`` the file, ``loading`` its rows, or
            ``indexing`` for search.
        done: bytes sent; rows read or loaded; keys indexed.
        total: what ``done`` comes to at the end of the step; None if that is not known.
    """

    step: Step
    done: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureReason:
    """How many rows failed for one reason.

    Attributes:
        code: such as ``MISSING_UNIQUE_KEY``.
        column: the name of the column at fault; None for the row as a whole.
    """

    code: str
    column: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What became of a file.

    Attributes:
        status: of the upload job: ``SUCCEEDED``, ``PARTIALLY_SUCCEEDED``, ``STOPPED`` or ``FAILED``.
        domain_created: whether the domain was missing and has been created.
        created: rows that made a profile.
        updated: rows that changed a profile.
        unchanged: rows whose profile had all of their values.
        failed: rows that were not loaded; see ``failed_rows``.
        not_processed: rows that a stopped job did not come to.
        failure_reasons: the most frequent first. A row can fail for several.
        notices: sentences about rows with an outcome that you may not expect, such as rows with too few cells.
        mapping: where each column went, by its name.
        new_columns: columns that a saved mapping does not know, and that were not loaded.
        missing_columns: columns that a saved mapping was made with but does not load, and that the file does not have.
        values_checked: False if the server takes no checks, so that email addresses and phone numbers were not checked.
        seconds: from the beginning of the call.
    """

    domain: str
    job_id: str
    status: str
    domain_created: bool
    created: int
    updated: int
    unchanged: int
    failed: int
    not_processed: int
    failure_reasons: tuple[FailureReason, ...]
    notices: tuple[str, ...]
    mapping: Mapping[str, str]
    new_columns: tuple[str, ...]
    missing_columns: tuple[str, ...]
    values_checked: bool
    seconds: float
    _client: Client = field(repr=False, compare=False)

    @property
    def failed_rows(self) -> Iterator[dict[str, Any]]:
        """The failed rows in file order, fetched from the server as they are read: see ``Client.list_failed_rows``."""
        return self._client.list_failed_rows(self.domain, self.job_id)


class LoadError(Exception):
    """A file cannot be loaded; the message says why and what to do."""


class JobFailed(LoadError):
    """The upload job ended as FAILED or STOPPED. What it had loaded stays.

    Attributes:
        result: as of a job that ended well.
    """

    def __init__(self, message: str, result: LoadResult) -> None:
        super().__init__(message)
        self.result = result


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLoad:
    """One call of ``Client.load_file``; see there for the attributes."""

    path: Path
    domain: str
    unique_key: str | None
    map: Mapping[str, str]
    only: Sequence[str]
    mapping: str | None
    sheet: str | None
    options: Mapping[str, Any]
    data_expiry: int | None
    display_name: str | None
    progress: Callable[[LoadProgress], object] | bool

    def run(self, client: Client, session: boto3.Session, endpoint_url: str) -> LoadResult:
        """Load the file and wait for the end.

        Raises:
            LoadError: it cannot be done.
        """
        try:
            return self._run(client, session, endpoint_url)
        except (CommandFault, DomainError, WireError) as error:
            # The error of boto3, requests or the file, if there is one.
            raise LoadError(str(error)) from error.__cause__ or error
        except ModuleNotFoundError as error:
            # Such as pyarrow, for a Parquet file.
            raise LoadError(describe_missing_package(error) or str(error)) from error

    def _run(self, client: Client, session: boto3.Session, endpoint_url: str) -> LoadResult:
        from openprofiles.cli.importer import Importer, read_kept_mapping
        from openprofiles.cli.place import Place
        from openprofiles.cli.source_file import open_source
        from openprofiles.cli.transport_remote import RemoteTransport
        from openprofiles.operations.job_options import check_options
        from openprofiles.settings import Settings
        from openprofiles.uploads.reading.file_choices import FileChoices

        started = time.monotonic()
        if self.only and self.mapping is not None:
            raise LoadError("only and mapping cannot be combined. A saved mapping already selects the columns.")
        # Checked before anything is made, like the file and the mapping.
        file_options = check_options(self.options).file
        with ExitStack() as at_end:
            importer = Importer(at_end.enter_context(closing(Place(RemoteTransport(endpoint_url, session)))))
            # It may keep how the file is read.
            saved = None if self.mapping is None else read_kept_mapping(importer.place, self.domain, self.mapping)
            kept = FileChoices() if saved is None else saved.reading
            source = at_end.enter_context(
                open_source(
                    self.path,
                    file_options,
                    self.sheet,
                    Settings.max_upload_size_bytes,
                    kept,
                    [] if saved is None else saved.columns_to_find(self._choices),
                )
            )
            find_attributes = partial(importer.place.list_attributes, self.domain)
            mapping = (
                self._suggested_mapping(source, find_attributes)
                if saved is None
                else self._saved_mapping(source, saved)
            )
            options = self._job_options(mapping, source.form.to_options(), kept)
            source.check_clearing(options, [one.header for one in mapping.columns.fields])
            found = importer.find_or_create_domain(self.domain, is_dry_run=False)
            self._check_phone_country(importer, source, mapping, found)
            job_id = importer.create_job(
                mapping,
                display_name=(self.display_name or self.path.name)[:_DISPLAY_NAME_MAX_LENGTH],
                data_expiry_days=self.data_expiry or found.expiration_days,
                options=options,
                needs_options=bool(self.options) or source.needs_options,
            )
            progress = self._send_and_watch(importer, source)
        result = LoadResult(
            domain=found.name,
            job_id=job_id,
            status=progress["Status"],
            domain_created=found.was_created,
            created=progress["CreatedRecords"],
            updated=changed_count(progress),
            unchanged=progress["UnchangedRecords"],
            failed=progress["FailedRecords"],
            not_processed=unprocessed_count(progress),
            failure_reasons=tuple(
                FailureReason(code=one["Code"], column=one.get("Column"), count=one["Count"])
                for one in progress.get("Faults", ())
            ),
            notices=tuple(notice_messages(progress)),
            mapping={one.header: one.target for one in mapping.columns.fields},
            new_columns=tuple(mapping.drift.new),
            missing_columns=tuple(mapping.drift.missing_other),
            values_checked=options is not None and not importer.place.left_out_options,
            seconds=time.monotonic() - started,
            _client=client,
        )
        if result.status == "FAILED":
            ways = "".join(
                f" If the column {column!r} does not contain {KIND_OF_ERROR[code].value}, "
                + (
                    "give another unique_key"
                    if column == mapping.unique_key.header
                    else f"leave it out with map={{{column!r}: ''}}"
                )
                + ", or check no values with options={'Checks': {}}."
                for code, column in columns_of_other_values(progress)
            )
            raise JobFailed(f"Upload job {job_id} failed. {progress.get('Message', '')}{ways}".rstrip(), result)
        if result.status == "STOPPED":
            raise JobFailed(f"Upload job {job_id} was stopped. The rows it had loaded are kept.", result)
        return result

    @property
    def _choices(self) -> list[str]:
        """The overrides in the form of ``import --map``."""
        return [f"{column}={target}" for column, target in self.map.items()]

    def _suggested_mapping(self, source: SourceFile, find_attributes: Callable[[], Iterable[str]]) -> ImportMapping:
        from openprofiles.cli.import_mapping import choices_of_only, suggest_for, use_suggested
        from openprofiles.uploads.mappings.suggest import DEFAULT_PHONE_REGION

        choices = [*self._choices, *choices_of_only(self.only, self._choices, self.unique_key, source.headers)]
        if self.unique_key is not None:
            return use_suggested(source, choices, self.unique_key, DEFAULT_PHONE_REGION, find_attributes)
        suggestion = suggest_for(source, choices, DEFAULT_PHONE_REGION)
        hint = ""
        if suggestion.unique_key is not None:
            hint = f" {suggestion.unique_key.header!r} seems to be one ({suggestion.unique_key_confidence:.0%})."
            doubts = [doubt for one in suggestion.weigh_keys()[:1] for doubt in one.doubts]
            hint += "".join(f" Doubtful: {doubt}." for doubt in doubts)
        raise LoadError(
            f"Neither unique_key nor mapping was given. Give unique_key, the column that identifies customers.{hint}"
        )

    def _saved_mapping(self, source: SourceFile, saved: KeptMapping) -> ImportMapping:
        from openprofiles.cli.import_mapping import use_saved
        from openprofiles.uploads.mappings.suggest import DEFAULT_PHONE_REGION

        assert self.mapping is not None, "otherwise the suggested one is used"
        return use_saved(source, self.mapping, saved, self._choices, self.unique_key, DEFAULT_PHONE_REGION)

    def _job_options(self, mapping: ImportMapping, form: FileOptions | None, kept: FileChoices) -> JobOptions | None:
        """Make the options that ``import`` gives a job, replaced by those of the caller."""
        from openprofiles.cli.import_policies import ImportPolicies
        from openprofiles.operations.job_options import check_options, options_members

        policies = ImportPolicies(kept_checks=kept.checks, short_rows=kept.short_rows)
        usual = policies.to_options(mapping, form)
        if not self.options:
            return usual
        given = dict(self.options)
        # What was detected with the caller's help.
        given.pop("File", None)
        return check_options(({} if usual is None else dict(options_members(usual))) | given)

    def _check_phone_country(
        self, importer: Importer, source: SourceFile, mapping: ImportMapping, domain: ImportDomain
    ) -> None:
        """Remove a new domain whose country is not that of the phone numbers."""
        from openprofiles.cli.phone_country_check import GivenPhoneRegion, check_phone_country, weigh_phones

        country = weigh_phones(source, mapping.columns.fields, domain.phone_region)
        try:
            check_phone_country(country, GivenPhoneRegion(domain.phone_region), domain)
        except CommandFault:
            importer.discard(domain)
            raise

    def _send_and_watch(self, importer: Importer, source: SourceFile) -> Mapping[str, Any]:
        """Give the job its file, start it and follow it to its end."""
        from openprofiles.cli.import_progress import ProgressDisplay

        with ExitStack() as at_end:
            display = at_end.enter_context(ProgressDisplay(lines=False)) if self.progress is True else None
            try:
                importer.send_file(
                    source.file, lambda sent_bytes: self._show_sending(display, sent_bytes, source.size_bytes)
                )
                importer.start_job()
                while is_running(progress := importer.read_progress()):
                    self._show_job(display, progress)
                    time.sleep(_POLL_SECONDS)
            except BaseException:
                # Also Ctrl-C and errors of the caller's own function. The caller gets that error, not one of stopping.
                with suppress(CommandFault, DomainError):
                    importer.stop_job()
                raise
        return progress

    def _show_sending(self, display: ProgressDisplay | None, sent_bytes: int, size_bytes: int) -> None:
        if display is not None:
            display.show_sending(sent_bytes, size_bytes)
        elif callable(self.progress):
            self.progress(LoadProgress(step="sending", done=sent_bytes, total=size_bytes))

    def _show_job(self, display: ProgressDisplay | None, progress: Mapping[str, Any]) -> None:
        if display is not None:
            display.show_job(progress)
        elif callable(self.progress):
            # A server that does not show the phase still counts.
            done, phase = progress["ProcessedRecords"], progress.get("Phase")
            step: Step = "loading" if done or phase else "waiting"
            if phase is not None:
                step = _STEP_OF_UNIT.get(UPLOAD.step_of(phase).unit, "loading")
            is_loading = step == "loading"
            self.progress(
                LoadProgress(
                    step=step,
                    done=done if is_loading else progress.get("Position", 0),
                    total=progress.get("RecordCount") if is_loading else None,
                )
            )
