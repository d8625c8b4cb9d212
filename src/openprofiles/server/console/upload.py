"""The page that imports a file: a sample, the mapping of its columns, a check, and then the import.

The page's script uses the other paths here. The file itself goes straight to the upload URL.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, BinaryIO

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.profiles.records import Domain
from openprofiles.profiles.standard_profile import FIELDS, TWINS
from openprofiles.server.console.domains import MAX_EXPIRATION_DAYS
from openprofiles.server.console.page_permissions import NEEDS, Page, path_of_tab
from openprofiles.server.console.profile_fields import full_label_of
from openprofiles.server.console.render import PAGE_HEADERS
from openprofiles.server.console.upload_documents import (
    fault_members,
    preview_counts,
    question_about_encoding,
    question_about_header,
    read_columns,
    read_job,
    read_mapping_to_save,
    read_name,
    read_start,
    sample_document,
    saved_mapping_document,
)
from openprofiles.server.console.visitors import Handler, Visitor, json_answer, signed_in, takes_file
from openprofiles.server.preview_document import preview_document
from openprofiles.server.services import Services
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs, previews
from openprofiles.uploads.arrival.receive import (
    ALGORITHM_HEADER,
    KEY_HEADER,
    KEY_MD5_HEADER,
    make_upload_path,
)
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv
from openprofiles.uploads.failures.failure_groups import EXAMPLES_PER_GROUP, group_failures
from openprofiles.uploads.job_options import LOAD, JobOptions
from openprofiles.uploads.job_report import read_report
from openprofiles.uploads.mappings import saved_mappings
from openprofiles.uploads.mappings.header_evidence import describe_doubt, doubt_header
from openprofiles.uploads.mappings.suggest import SuggestedField, suggest_mapping
from openprofiles.uploads.mappings.upload_mapping import SOURCE_PREFIX
from openprofiles.uploads.reading.detect_encoding import EncodingGuess, EncodingUnclear
from openprofiles.uploads.reading.file_choices import FileChoices
from openprofiles.uploads.reading.file_form import DELIMITER_NAMES, STRICT_OPTIONS, FileOptions, encodings
from openprofiles.uploads.webhook_url import WebhookRefused
from openprofiles.wire.check import violations
from openprofiles.wire.errors import WireError
from openprofiles.wire.model import load_model
from openprofiles.worker.table_process import WORKBOOK_OPTIONS, convert_in_process

# The part of a file that is sampled: enough for some thousand rows.
SAMPLE_BYTES = 512 * 1024

_SETTING_OPTIONS = "openprofiles:SetUploadJobOptions"
_PREVIEWING = "openprofiles:PreviewUploadJob"
_READING = "profile:GetUploadJob"
_STOPPING = "profile:StopUploadJob"
_REASONS_SHOWN = 20
# What it unpacks to has a limit of its own.
MAX_WORKBOOK_BYTES = 200_000_000
_WORKBOOKS_AT_ONCE = 2
_SENT_BYTES = 256 * 1024


def routes(services: Services) -> list[Route]:
    """Return the routes of ``/console/domains/{domain_name}/upload`` and of its script."""
    page = "/console/domains/{domain_name}/upload"
    job, preview = f"{page}/jobs/{{job_id}}", f"{page}/previews/{{job_id}}"

    def post(path: str, handler: Handler) -> Route:
        return Route(path, signed_in(services, _with_wire_errors(handler)), methods=["POST"])

    return [
        Route(page, signed_in(services, show_page), methods=["GET"]),
        post(f"{page}/sample", read_sample),
        Route(
            f"{page}/workbook",
            takes_file(
                services,
                convert_workbook,
                may_send=_require_workbooks,
                max_bytes=min(MAX_WORKBOOK_BYTES, services.settings.max_upload_size_bytes),
                max_at_once=_WORKBOOKS_AT_ONCE,
            ),
            methods=["POST"],
        ),
        post(f"{page}/mappings/{{mapping_name}}", apply_mapping),
        post(f"{page}/mappings/{{mapping_name}}/save", save_mapping),
        post(f"{page}/jobs", create_job),
        post(f"{job}/path", make_path),
        post(f"{job}/name", rename_job),
        post(f"{job}/stop", stop_unsent_job),
        post(f"{job}/preview", start_preview),
        post(f"{job}/start", start_job),
        Route(preview, signed_in(services, read_preview), methods=["GET"]),
        post(f"{preview}/stop", stop_preview),
        # The preview is in the query: without the name of the file, it is the path of the page.
        Route(f"{page}/failed-rows.csv", signed_in(services, send_failed_rows), methods=["GET"]),
    ]


def show_page(visitor: Visitor) -> Response:
    """Show the page without a file."""
    domain = visitor.domain(*NEEDS[Page.UPLOAD])
    settings = visitor.services.settings
    usual_checks = {field.path: SuggestedField("", "", field.path).usual_check for field in FIELDS}
    checked = {path: check for path, check in usual_checks.items() if check}
    mappings = None
    if visitor.may(_READING, domain.name):
        mappings = saved_mappings.list_mappings(visitor.services.store, domain, max_results=None, next_token=None).items
    max_days = jobs.STRICT_MAX_DATA_EXPIRY_DAYS if settings.compat_strict else MAX_EXPIRATION_DAYS
    return visitor.page(
        "upload.html",
        domain=domain,
        targets={field.path: full_label_of(field.path) for field in FIELDS},
        checked=checked,
        twins={name: twin for name, (twin, _) in TWINS.items()},
        delimiters=DELIMITER_NAMES,
        mappings=mappings,
        encodings=encodings(),
        is_strict=settings.compat_strict,
        may_set_options=_may_set_options(visitor, domain),
        may_preview=visitor.may(_PREVIEWING, domain.name) and visitor.may(_READING, domain.name),
        may_stop=visitor.may(_STOPPING, domain.name),
        may_start=visitor.may("profile:StartUploadJob", domain.name),
        sample_bytes=SAMPLE_BYTES,
        max_size_bytes=settings.max_upload_size_bytes,
        max_workbook_bytes=min(MAX_WORKBOOK_BYTES, settings.max_upload_size_bytes),
        workbook_form={
            "Encoding": WORKBOOK_OPTIONS.encoding,
            "Delimiter": WORKBOOK_OPTIONS.delimiter,
            "Quote": WORKBOOK_OPTIONS.quote,
            "LineEnds": WORKBOOK_OPTIONS.line_ends,
            "FirstRow": WORKBOOK_OPTIONS.first_row,
        },
        days=min(domain.default_expiration_days, max_days),
        max_days=max_days,
    )


def read_sample(visitor: Visitor) -> Response:
    """Return a sample of a file, read as the query says or as detected."""
    # They use numpy, which a server can start without.
    from openprofiles.uploads.reading.file_header import HeaderNotText
    from openprofiles.uploads.reading.file_sample import sample_beginning

    domain = visitor.domain(*NEEDS[Page.UPLOAD])
    query = visitor.request.query_params
    given = FileOptions(
        encoding=query.get("encoding") or None,
        delimiter=query.get("delimiter") or None,
        header_line=_read_header_line(query.get("header_line", "")),
    )
    if "workbook" in query:
        given = replace(WORKBOOK_OPTIONS, header_line=given.header_line)
    strict = visitor.services.settings.compat_strict
    if strict:
        given = STRICT_OPTIONS
    kept = None
    columns: list[str] = []
    if (name := query.get("mapping")) and _may_set_options(visitor, domain):
        visitor.require(_READING, domain.name)
        mapping = saved_mappings.get_mapping(visitor.services.store, domain, name)
        kept = FileChoices.from_json(mapping.reading)
        columns = [one["Source"].removeprefix(SOURCE_PREFIX) for one in mapping.fields.values()]
    doubts: list[EncodingGuess] = []
    try:
        form, sample = sample_beginning(
            visitor.body,
            given,
            is_whole=query.get("whole") == "1",
            region=domain.phone_region,
            strict=strict,
            kept=kept,
            columns=columns,
            on_doubt=doubts.append,
        )
    except EncodingUnclear as error:
        advice = error.advice[0].upper() + error.advice[1:]
        if not _may_set_options(visitor, domain):
            raise InvalidRequest(f"{error.reason} {advice}.") from error
        return json_answer(question_about_encoding(error.reason, error.candidates), 422)
    except HeaderNotText as error:
        if not _may_set_options(visitor, domain):
            raise InvalidRequest(f"{error.reason} Save the file as UTF-8.") from error
        return json_answer(question_about_encoding(error.reason, ()), 422)
    is_known = bool(columns) and set(columns) <= set(sample.headers)
    if not strict and not is_known and form.header_line is None and given.header_line is None:
        reason = doubt_header(sample.headers, sample.rows)
        if reason is not None:
            if not _may_set_options(visitor, domain):
                raise InvalidRequest(f"{describe_doubt(reason)} Add a row with the column names.")
            return json_answer(question_about_header(describe_doubt(reason)), 422)
    suggestion = suggest_mapping(sample.headers, None, sample.rows, domain.phone_region)
    return json_answer(sample_document(form, sample, suggestion, domain.phone_region, *doubts))


def _read_header_line(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 7):
        raise InvalidRequest("Enter the number of the line that is the header, or 0 if the file has no header.")
    return int(text)


def convert_workbook(visitor: Visitor) -> Response:
    """Return a sheet of a workbook as CSV, after a JSON document about it; the header says where the CSV begins."""
    assert visitor.file is not None, "the route takes a file"
    settings = visitor.services.settings
    table = convert_in_process(
        visitor.file,
        visitor.request.query_params.get("sheet"),
        max_unpacked_bytes=settings.max_upload_size_bytes,
    )
    document = json.dumps(table.account).encode()
    return StreamingResponse(
        _sent_parts(document, table.csv),
        media_type="application/octet-stream",
        headers=PAGE_HEADERS | {"X-Document-Bytes": str(len(document))},
    )


def _sent_parts(document: bytes, csv: BinaryIO) -> Iterator[bytes]:
    with csv:
        yield document
        while part := csv.read(_SENT_BYTES):
            yield part


def _require_workbooks(visitor: Visitor) -> None:
    """Raise an error unless the visitor may send a workbook."""
    domain = visitor.domain(*NEEDS[Page.UPLOAD])
    if not _may_set_options(visitor, domain):
        # How its CSV is written has to be said in the options of the job.
        raise InvalidRequest("Excel workbooks cannot be imported with your access key. Save the sheet as CSV.")


def apply_mapping(visitor: Visitor) -> Response:
    """Return a saved mapping, applied to the columns of the file."""
    domain = visitor.domain(_READING)
    mapping = saved_mappings.get_mapping(visitor.services.store, domain, _mapping_name(visitor))
    # How a job reads its file is one of its options.
    reading = FileChoices.from_json(mapping.reading) if _may_set_options(visitor, domain) else FileChoices()
    return json_answer(saved_mapping_document(mapping, reading, read_columns(visitor.body)))


def save_mapping(visitor: Visitor) -> Response:
    """Save the mapping of the page under a name."""
    domain = visitor.domain("openprofiles:PutMapping")
    name = _mapping_name(visitor)
    given = read_mapping_to_save(name, visitor.body)
    saved_mappings.put_mapping(
        visitor.services.store,
        domain,
        name,
        fields=given.fields,
        unique_key=given.unique_key,
        columns=given.columns,
        reading=given.reading,
        strict=visitor.services.settings.compat_strict,
        now=visitor.services.clock(),
    )
    return json_answer({"MappingName": name})


def create_job(visitor: Visitor) -> Response:
    """Create the job and return where to upload its file."""
    domain = visitor.domain(*NEEDS[Page.UPLOAD])
    try:
        job = _make_job(visitor, domain)
    except WebhookRefused as error:
        # The page knows by this status which field the message belongs to.
        return json_answer({"message": str(error)}, 422)
    return json_answer({"JobId": job.job_id} | _upload_path(visitor, domain, job.job_id))


def make_path(visitor: Visitor) -> Response:
    """Return again where to upload the file of a job."""
    # As in AWS, profile:Get* includes GetUploadJobPath, and with a path one can replace the file.
    domain = visitor.domain(*NEEDS[Page.UPLOAD])
    return json_answer(_upload_path(visitor, domain, _job_id(visitor)))


def rename_job(visitor: Visitor) -> Response:
    """Rename a job that was not started; its file is kept."""
    domain = visitor.domain(*NEEDS[Page.UPLOAD])
    jobs.rename_job(visitor.services.store, domain, _job_id(visitor), read_name(visitor.body))
    return json_answer({})


def stop_unsent_job(visitor: Visitor) -> Response:
    """Stop a job whose upload was cancelled."""
    domain = visitor.domain(_STOPPING)
    _stop_if_created(visitor, domain, _job_id(visitor))
    return json_answer({})


def start_preview(visitor: Visitor) -> Response:
    """Start a preview of a job."""
    domain = visitor.domain(_PREVIEWING)
    services = visitor.services
    job_id = _job_id(visitor)
    preview = previews.start_preview(services.store, services.master_key, domain, job_id, now=services.clock())
    return json_answer({"PreviewId": preview.job_id})


def read_preview(visitor: Visitor) -> Response:
    """Return the progress of a preview or, once it has ended, its results."""
    domain = visitor.domain(_READING)
    store, master_key = visitor.services.store, visitor.services.master_key
    preview_id = _job_id(visitor)
    preview = previews.read_preview(store, master_key, domain, preview_id)
    report = read_report(store, domain, preview_id)
    answer: dict[str, Any] = preview_document(
        preview,
        preview_counts(report),
        # Stored values need a permission of their own; the rest is the visitor's own file.
        with_stored=visitor.may("profile:SearchProfiles", domain.name),
    )
    if report.fault_counts:
        counts = report.fault_counts[:_REASONS_SHOWN]
        rows = jobs.list_example_rows(
            store,
            master_key,
            domain,
            preview_id,
            [(one.code, one.column_name, one.first_record) for one in counts],
            rows_per_reason=EXAMPLES_PER_GROUP,
        )
        headers, dialect = jobs.read_file_columns(store, domain, preview_id)
        answer |= fault_members(
            group_failures(counts, rows, headers, dialect), more_reasons=len(report.fault_counts) - len(counts)
        )
    return json_answer(answer)


def send_failed_rows(visitor: Visitor) -> Response:
    """Send the rows that would fail as a CSV file that can be fixed."""
    domain = visitor.domain(_READING)
    services = visitor.services
    preview_id = _require_job_id(visitor.request.query_params.get("preview", ""))
    previews.read_preview(services.store, services.master_key, domain, preview_id)
    headers, dialect = jobs.read_file_columns(services.store, domain, preview_id)
    rows = jobs.iterate_failed_rows(services.store, services.master_key, domain, preview_id)
    return StreamingResponse(
        failed_rows_csv(headers, rows, dialect, for_spreadsheet=not services.settings.compat_strict),
        media_type="text/csv",
        # The link to it names the file.
        headers=PAGE_HEADERS | {"Content-Disposition": "attachment"},
    )


def stop_preview(visitor: Visitor) -> Response:
    """Stop a preview before it ends."""
    domain = visitor.domain(_PREVIEWING)
    services, preview_id = visitor.services, _job_id(visitor)
    jobs.stop_job(services.store, domain, preview_id, now=services.clock(), is_preview=True)
    return json_answer({})


def start_job(visitor: Visitor) -> Response:
    """Start a job whose file has arrived, and return the page to go to."""
    domain = visitor.domain("profile:StartUploadJob")
    services, job_id = visitor.services, _job_id(visitor)
    if read_start(visitor.body):
        _allow_doubtful_rows(visitor, domain, job_id)
    # The script repeats the request if the answer was lost.
    jobs.start_job(services.store, domain, job_id, now=services.clock(), idempotency_token=f"console-{job_id}")
    jobs_path = path_of_tab(Page.JOBS, domain.name)
    pages = (Page.JOB, f"{jobs_path}/{job_id}"), (Page.JOBS, jobs_path)
    return json_answer({"Location": visitor.path_after(domain.name, "job-started", *pages)})


def _may_set_options(visitor: Visitor, domain: Domain) -> bool:
    """Return whether the page offers the options of a job."""
    return visitor.may(_SETTING_OPTIONS, domain.name) and not visitor.services.settings.compat_strict


def _make_job(visitor: Visitor, domain: Domain) -> UploadJob:
    services = visitor.services
    given = read_job(domain.name, visitor.body)
    options = given.job.options
    if options is not None:
        visitor.require(_SETTING_OPTIONS, domain.name)
    if not services.settings.compat_strict:
        options = replace(options or JobOptions(), doubtful_rows=given.doubtful_rows)
    job = jobs.create_job(
        services.store,
        services.master_key,
        domain,
        display_name=given.job.display_name,
        fields=given.job.fields,
        unique_key=given.job.unique_key,
        data_expiry_days=given.job.data_expiry_days,
        strict=services.settings.compat_strict,
        now=services.clock(),
        options=options,
        idempotency_token=given.job.idempotency_token,
        private_addresses=services.settings.webhook_private_addresses,
    )
    if given.replaces is not None and visitor.may(_STOPPING, domain.name):
        # Otherwise it would wait for ever. It may be deleted already.
        with suppress(NotFound):
            _stop_if_created(visitor, domain, given.replaces)
    return job


def _allow_doubtful_rows(visitor: Visitor, domain: Domain, job_id: str) -> None:
    services = visitor.services
    options = jobs.get_options(services.store, domain, job_id)
    # A repeated request finds it allowed, and the job started.
    if options.doubtful_rows != LOAD:
        jobs.set_options(
            services.store,
            domain,
            job_id,
            replace(options, doubtful_rows=LOAD),
            strict=services.settings.compat_strict,
            private_addresses=services.settings.webhook_private_addresses,
        )


def _job_id(visitor: Visitor) -> str:
    """Return the id of the upload job in the path.

    Raises:
        NotFound: no job can have such an id.
    """
    return _require_job_id(visitor.request.path_params["job_id"])


def _require_job_id(job_id: str) -> str:
    if violations(load_model().operations["GetUploadJob"].input.members["JobId"].shape, job_id):
        raise NotFound("No upload job has this ID.")
    return job_id


def _mapping_name(visitor: Visitor) -> str:
    """Return the name of the mapping in the path.

    Raises:
        InvalidRequest: no mapping can have such a name.
    """
    name: str = visitor.request.path_params["mapping_name"]
    if violations(load_model().operations["GetDomain"].input.members["DomainName"].shape, name):
        raise InvalidRequest("Use 1 to 64 letters, digits, _ and - for the name of a mapping.")
    return name


def _with_wire_errors(handler: Handler) -> Handler:
    """Report an invalid document like any other invalid request."""

    def handle(visitor: Visitor) -> Response:
        try:
            return handler(visitor)
        except WireError as error:
            raise InvalidRequest(error.message) from error

    return handle


def _upload_path(visitor: Visitor, domain: Domain, job_id: str) -> dict[str, Any]:
    services = visitor.services
    path = make_upload_path(
        services.master_key,
        jobs.get_job(services.store, domain, job_id),
        # The console's own origin, to which its pages may connect.
        base_url="",
        lifetime_seconds=services.settings.upload_url_lifetime_seconds,
        now=services.clock(),
    )
    # MD5 detects a corrupted key, as S3 defines it. Browsers can't compute it.
    digest = hashlib.md5(base64.b64decode(path.client_token), usedforsecurity=False).digest()
    headers = {
        ALGORITHM_HEADER: "AES256",
        KEY_HEADER: path.client_token,
        KEY_MD5_HEADER: base64.b64encode(digest).decode(),
    }
    return {"Url": path.url, "Headers": headers}


def _stop_if_created(visitor: Visitor, domain: Domain, job_id: str) -> None:
    jobs.stop_job(visitor.services.store, domain, job_id, now=visitor.services.clock(), only_if_created=True)
