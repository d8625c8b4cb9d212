"""The page that imports a file: a sample, the mapping of its columns, a check, and then the import.

The page's script uses the other paths here. The file itself goes straight to the upload URL.
"""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.records import Domain
from openprofiles.facts.standard_profile import FIELDS, TWINS
from openprofiles.profiles.session import Writing
from openprofiles.server.console.domains import MAX_EXPIRATION_DAYS
from openprofiles.server.console.failed_rows import parts_of_file, read_failures, send_as_csv
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
from openprofiles.uploads.job_options import LOAD, JobOptions
from openprofiles.uploads.job_report import read_report
from openprofiles.uploads.mappings import saved_mappings
from openprofiles.uploads.mappings.header_evidence import describe_doubt, doubt_header
from openprofiles.uploads.mappings.known_attributes import list_known_attributes
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
# What it unpacks to has a limit of its own.
MAX_WORKBOOK_BYTES = 200_000_000
_WORKBOOKS_AT_ONCE = 2


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
    settings = visitor.services.settings
    usual_checks = {field.path: SuggestedField("", "", field.path).usual_check for field in FIELDS}
    checked = {path: check for path, check in usual_checks.items() if check}
    mappings = None
    with visitor.reading(*NEEDS[Page.UPLOAD]) as session:
        domain = session.domain
        if visitor.may(_READING, domain.name):
            mappings = saved_mappings.list_mappings(session).items
    max_days = jobs.STRICT_MAX_DATA_EXPIRY_DAYS if settings.compat_strict else MAX_EXPIRATION_DAYS
    detected = {"": "Detect automatically"}
    return visitor.page(
        "upload.html",
        domain=domain,
        targets={field.path: full_label_of(field.path) for field in FIELDS},
        checked=checked,
        twins={name: twin for name, (twin, _) in TWINS.items()},
        delimiters=detected | {delimiter: name.capitalize() for delimiter, name in DELIMITER_NAMES.items()},
        mappings=mappings,
        encodings=detected | {name: name for name in encodings()},
        is_strict=settings.compat_strict,
        may_set_options=_may_set_options(visitor, domain),
        may_preview=visitor.may(_PREVIEWING, domain.name) and visitor.may(_READING, domain.name),
        may_stop=visitor.may(_STOPPING, domain.name),
        may_start=visitor.may("profile:StartUploadJob", domain.name),
        sample_bytes=SAMPLE_BYTES,
        max_size_bytes=settings.max_upload_size_bytes,
        max_workbook_bytes=min(MAX_WORKBOOK_BYTES, settings.max_upload_size_bytes),
        workbook_form=FileChoices(file=WORKBOOK_OPTIONS).to_document(),
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
        with visitor.reading(_READING) as session:
            mapping = saved_mappings.get_mapping(session, name)
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
    may_know = not strict and visitor.may(_READING, domain.name)
    open_session = partial(visitor.services.reading, domain.name)
    find_attributes = partial(list_known_attributes, open_session) if may_know else tuple
    suggestion = suggest_mapping(
        sample.headers, None, sample.rows, domain.phone_region, find_attributes=find_attributes
    )
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
        chain([document], parts_of_file(table.csv)),
        media_type="application/octet-stream",
        headers=PAGE_HEADERS | {"X-Document-Bytes": str(len(document))},
    )


def _require_workbooks(visitor: Visitor) -> None:
    """Raise an error unless the visitor may send a workbook."""
    domain = visitor.domain(*NEEDS[Page.UPLOAD])
    if not _may_set_options(visitor, domain):
        # How its CSV is written has to be said in the options of the job.
        raise InvalidRequest("Excel workbooks cannot be imported with your access key. Save the sheet as CSV.")


def apply_mapping(visitor: Visitor) -> Response:
    """Return a saved mapping, applied to the columns of the file."""
    with visitor.reading(_READING) as session:
        mapping = saved_mappings.get_mapping(session, _mapping_name(visitor))
    # How a job reads its file is one of its options.
    reading = FileChoices.from_json(mapping.reading) if _may_set_options(visitor, session.domain) else FileChoices()
    return json_answer(saved_mapping_document(mapping, reading, read_columns(visitor.body)))


def save_mapping(visitor: Visitor) -> Response:
    """Save the mapping of the page under a name."""
    visitor.domain("openprofiles:PutMapping")
    strict = visitor.services.settings.compat_strict
    given = read_mapping_to_save(_mapping_name(visitor), visitor.body, strict=strict)
    with visitor.writing() as session:
        saved_mappings.put_mapping(session, given)
    return json_answer({"MappingName": given.name})


def create_job(visitor: Visitor) -> Response:
    """Create the job and return where to upload its file."""
    visitor.domain(*NEEDS[Page.UPLOAD])
    try:
        job = _make_job(visitor)
    except WebhookRefused as error:
        # The page knows by this status which field the message belongs to.
        return json_answer({"message": str(error)}, 422)
    return json_answer({"JobId": job.job_id} | _upload_path(visitor, job))


def make_path(visitor: Visitor) -> Response:
    """Return again where to upload the file of a job."""
    # As in AWS, profile:Get* includes GetUploadJobPath, and with a path one can replace the file.
    with visitor.reading(*NEEDS[Page.UPLOAD]) as session:
        job = jobs.get_job(session, _job_id(visitor))
    return json_answer(_upload_path(visitor, job))


def rename_job(visitor: Visitor) -> Response:
    """Rename a job that was not started; its file is kept."""
    with visitor.writing(*NEEDS[Page.UPLOAD]) as session:
        jobs.rename_job(session, _job_id(visitor), read_name(visitor.body))
    return json_answer({})


def stop_unsent_job(visitor: Visitor) -> Response:
    """Stop a job whose upload was cancelled."""
    with visitor.writing(_STOPPING) as session:
        jobs.stop_job(session, _job_id(visitor), only_if_created=True)
    return json_answer({})


def start_preview(visitor: Visitor) -> Response:
    """Start a preview of a job."""
    with visitor.writing(_PREVIEWING) as session:
        preview = previews.start_preview(session, visitor.services.master_key, _job_id(visitor))
    return json_answer({"PreviewId": preview.job_id})


def read_preview(visitor: Visitor) -> Response:
    """Return the progress of a preview or, once it has ended, its results."""
    master_key = visitor.services.master_key
    with visitor.reading(_READING) as session:
        preview_id = _job_id(visitor)
        preview = previews.read_preview(session, master_key, preview_id)
        report = read_report(session, preview_id)
        groups, more_reasons, _ = read_failures(session, master_key, report)
    answer = preview_document(
        preview,
        preview_counts(report),
        # Stored values need a permission of their own; the rest is the visitor's own file.
        with_stored=visitor.may("profile:SearchProfiles", session.domain.name),
    )
    if report.fault_counts:
        answer |= fault_members(groups, more_reasons=more_reasons)
    return json_answer(answer)


def send_failed_rows(visitor: Visitor) -> Response:
    """Send the rows that would fail as a CSV file that can be fixed."""
    with visitor.reading(_READING) as session:
        preview_id = _require_job_id(visitor.request.query_params.get("preview", ""))
        previews.read_preview(session, visitor.services.master_key, preview_id)
    # The link to it names the file.
    return send_as_csv(visitor, preview_id, "attachment")


def stop_preview(visitor: Visitor) -> Response:
    """Stop a preview before it ends."""
    with visitor.writing(_PREVIEWING) as session:
        jobs.stop_job(session, _job_id(visitor), is_preview=True)
    return json_answer({})


def start_job(visitor: Visitor) -> Response:
    """Start a job whose file has arrived, and return the page to go to."""
    with visitor.writing("profile:StartUploadJob") as session:
        job_id = _job_id(visitor)
        if read_start(visitor.body):
            _allow_doubtful_rows(session, job_id)
        # The script repeats the request if the answer was lost.
        jobs.start_job(session, job_id, idempotency_token=f"console-{job_id}")
    jobs_path = path_of_tab(Page.JOBS, visitor.domain_name)
    pages = (Page.JOB, f"{jobs_path}/{job_id}"), (Page.JOBS, jobs_path)
    return json_answer({"Location": visitor.path_after(visitor.domain_name, "job-started", *pages)})


def _may_set_options(visitor: Visitor, domain: Domain) -> bool:
    """Return whether the page offers the options of a job."""
    return visitor.may(_SETTING_OPTIONS, domain.name) and not visitor.services.settings.compat_strict


def _make_job(visitor: Visitor) -> UploadJob:
    services, settings = visitor.services, visitor.services.settings
    given = read_job(visitor.domain_name, visitor.body)
    request = given.job
    if request.options is not None:
        visitor.require(_SETTING_OPTIONS, visitor.domain_name)
    if not settings.compat_strict:
        options = replace(request.options or JobOptions(), doubtful_rows=given.doubtful_rows)
        request = replace(request, options=options)
    checked = jobs.check_request(
        request, strict=settings.compat_strict, private_addresses=settings.webhook_private_addresses
    )
    with visitor.writing() as session:
        job = jobs.create_job(session, services.master_key, checked)
        if given.replaces is not None and visitor.may(_STOPPING, visitor.domain_name):
            # Otherwise it would wait for ever. It may be deleted already.
            with suppress(NotFound):
                jobs.stop_job(session, given.replaces, only_if_created=True)
    return job


def _allow_doubtful_rows(session: Writing, job_id: str) -> None:
    options = jobs.get_options(session, job_id)
    # A repeated request finds it allowed, and the job started.
    if options.doubtful_rows != LOAD:
        jobs.set_options(session, job_id, replace(options, doubtful_rows=LOAD))


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


def _upload_path(visitor: Visitor, job: UploadJob) -> dict[str, Any]:
    services = visitor.services
    path = make_upload_path(
        services.master_key,
        job,
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
