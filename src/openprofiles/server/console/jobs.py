"""The pages of imports: the list of a domain, and one import with its progress, results and undo."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.field_labels import full_label_of
from openprofiles.job_kinds import PHASE_WORDS
from openprofiles.profiles.session import Reading, Writing
from openprofiles.segments.condition_text import name_of_import
from openprofiles.segments.definitions import has_segment
from openprofiles.server.console.failed_rows import parts_of_file, send_as_csv
from openprofiles.server.console.job_progress import (
    milliseconds_between_looks,
    news_of,
    shown_progress,
    state_document,
    view_of,
)
from openprofiles.server.console.job_words import STATUS_WORDS, job_name
from openprofiles.server.console.page_permissions import NEEDS, Page, path_of_tab
from openprofiles.server.console.profile_list import result_of
from openprofiles.server.console.render import PAGE_HEADERS
from openprofiles.server.console.result_bar import describe, parts_of
from openprofiles.server.console.visitors import Visitor, json_answer, signed_in, wants_json
from openprofiles.server.services import Services
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs, undos
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_table
from openprofiles.uploads.failures.failed_rows_workbook import write_failed_rows_workbook
from openprofiles.uploads.failures.failure_groups import read_failures
from openprofiles.uploads.failures.text_workbook import TooLargeForWorkbook
from openprofiles.uploads.job_options import (
    CLEAR,
    CREATE_ONLY,
    LOAD,
    OVERWRITE,
    REJECT,
    UPDATE_ONLY,
    JobOptions,
)
from openprofiles.uploads.job_report import JobReport, list_repeated_rows, read_report
from openprofiles.uploads.made_profiles import list_made_profiles
from openprofiles.uploads.mappings.upload_mapping import read_mapping
from openprofiles.uploads.notices import is_refusal
from openprofiles.uploads.undo_outlook import UndoOutlook, read_undo_outlook
from openprofiles.uploads.undos import Undo
from openprofiles.uploads.webhook_url import host_of
from openprofiles.wire.check import violations
from openprofiles.wire.model import load_model

JOBS_PATH = "/console/domains/{domain_name}/jobs"
JOB_PATH = JOBS_PATH + "/{job_id}"

_SETTING_OPTIONS = "openprofiles:SetUploadJobOptions"
_UNDOING = "openprofiles:UndoUploadJob"
_JOBS_PER_PAGE = 50
_REPEATED_ROWS_SHOWN = 10
_KEPT_PROFILES_PER_PAGE = 100
_MADE_PROFILES_PER_PAGE = 25
_MIN_RECORDS_OF_A_SPEED = 1000
# Up to this many profiles are checked before an undo page is sent; if there are more, the page asks afterwards.
_MAX_CHECKED_BEFORE = 5_000
_WORKBOOK_BYTES_IN_MEMORY = 4 << 20


def routes(services: Services) -> list[Route]:
    """Return the routes of ``/console/domains/{domain_name}/jobs`` and below."""

    def route(path: str, handler: Callable[[Visitor], Response], method: str, *, is_counted: bool = True) -> Route:
        return Route(path, signed_in(services, _with_gone_page(handler), is_counted=is_counted), methods=[method])

    return [
        route(JOBS_PATH, list_jobs, "GET"),
        route(JOB_PATH, show_job, "GET"),
        # Not counted: an open page asks all the time.
        route(JOB_PATH + "/state", send_state, "GET", is_counted=False),
        route(JOB_PATH + "/profiles", show_profiles, "GET"),
        route(JOB_PATH + "/failed-rows.csv", send_failed_rows, "GET"),
        route(JOB_PATH + "/failed-rows.xlsx", send_failed_rows_workbook, "GET"),
        route(JOB_PATH + "/start", start_job, "POST"),
        route(JOB_PATH + "/stop", stop_job, "POST"),
        route(JOB_PATH + "/undo", show_undo, "GET"),
        route(JOB_PATH + "/undo", start_undo, "POST"),
    ]


def list_jobs(visitor: Visitor) -> Response:
    """Show the imports of the domain, latest first, or only those with one status."""
    query = visitor.request.query_params
    # Any other status in an address means all jobs.
    status = next((one for one in UploadJobStatus if one.value == query.get("status")), None)
    with visitor.reading(*NEEDS[Page.JOBS]) as session:
        page = jobs.list_jobs(
            session,
            max_results=_JOBS_PER_PAGE,
            next_token=query.get("next-token"),
            status=status,
            with_checks=False,
        )
        # As in the API, listing jobs shows neither their counts nor whether they were undone.
        may_see_more = visitor.may_open(Page.JOB, session.domain.name)
        undo_statuses = undos.find_undo_statuses(session, page.items) if may_see_more else {}
    return visitor.page(
        "jobs.html",
        domain=session.domain,
        page=page,
        wanted=status,
        undo_statuses=undo_statuses,
        may_see_more=may_see_more,
        statuses=list(STATUS_WORDS),
        is_first_page="next-token" not in query,
    )


def send_state(visitor: Visitor) -> Response:
    """Send the state of the job to the script of its page."""
    with visitor.reading(*NEEDS[Page.JOB]) as session:
        report, undo = _read(session, _job_id(visitor))
    return json_answer(state_document(report, undo, session.now))


def show_profiles(visitor: Visitor) -> Response:
    """Show the profiles that the import created and that still exist."""
    token = visitor.request.query_params.get("next-token")
    with visitor.reading(*NEEDS[Page.JOB_PROFILES]) as session:
        job, page = list_made_profiles(session, _job_id(visitor), max_results=_MADE_PROFILES_PER_PAGE, next_token=token)
        changed_count = _count_changed(session, job)
    return visitor.page(
        "job_profiles.html",
        domain=session.domain,
        job=job,
        changed_count=changed_count,
        job_path=_job_path(visitor),
        profiles=[result_of(profile) for profile in page.items],
        next_token=page.next_token,
        is_first_page=token is None,
    )


def _count_changed(session: Reading, job: UploadJob) -> int | None:
    """Count the profiles from before the import that it changed; None if that takes too long or is not kept.

    The count of rows is not the answer: several rows may go to one profile, which the import itself may have created.
    """
    changed_rows = job.updated_count - job.unchanged_count
    if changed_rows == 0:
        return 0
    if changed_rows > _MAX_CHECKED_BEFORE:
        return None
    try:
        outlook = read_undo_outlook(session, job.job_id)
    except InvalidRequest:
        return None
    return outlook.changed_count if outlook.all_seen else None


def send_failed_rows(visitor: Visitor) -> Response:
    """Send the failed rows as a CSV file that can be fixed and imported again."""
    job = _get_job(visitor)
    return send_as_csv(visitor, job.job_id, _as_file(job, "csv"))


def send_failed_rows_workbook(visitor: Visitor) -> Response:
    """Send the failed rows as an Excel workbook, which ``openprofiles import`` loads."""
    job = _get_job(visitor)
    rows = jobs.read_failed_rows(visitor.reading, visitor.services.master_key, job.job_id)
    # Written before it is sent, since it may be too large.
    output = tempfile.SpooledTemporaryFile(_WORKBOOK_BYTES_IN_MEMORY)  # noqa: SIM115 (closed when it is sent)
    try:
        write_failed_rows_workbook(output, failed_rows_table(*rows))
        output.seek(0)
    except TooLargeForWorkbook as error:
        output.close()
        return _fault_page(visitor, InvalidRequest(f"No workbook was made: {error}. Download the CSV file."))
    except BaseException:
        output.close()
        raise
    return StreamingResponse(
        parts_of_file(output),
        media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        headers=PAGE_HEADERS | {"Content-Disposition": _as_file(job, "xlsx")},
    )


def _get_job(visitor: Visitor) -> UploadJob:
    """Return the job in the path; a preview, which has failed rows but no page, is refused."""
    with visitor.reading(*NEEDS[Page.JOB]) as session:
        return jobs.get_job(session, _job_id(visitor))


def _as_file(job: UploadJob, extension: str) -> str:
    """Return the header that names the file of failed rows (RFC 6266)."""
    name = re.sub(r"\.csv$", "", job_name(job), flags=re.IGNORECASE)
    # A browser adapts it to the names that its system allows.
    in_full = quote(f"{name}.failed-rows.{extension}", safe="")
    return f"attachment; filename=\"{job.job_id}.failed-rows.{extension}\"; filename*=UTF-8''{in_full}"


def start_job(visitor: Visitor) -> Response:
    """Start a job whose file has arrived."""
    return _change_job(visitor, "profile:StartUploadJob", jobs.start_job, "job-started")


def stop_job(visitor: Visitor) -> Response:
    """Stop a job before it ends."""
    return _change_job(visitor, "profile:StopUploadJob", jobs.stop_job, "job-stopped")


def _change_job(visitor: Visitor, action: str, change: Callable[[Writing, str], None], done: str) -> Response:
    try:
        with visitor.writing(action) as session:
            change(session, _job_id(visitor))
    except InvalidRequest as error:
        return _fault_page(visitor, error)
    return _redirect_to_job(visitor, done, _job_path(visitor))


def start_undo(visitor: Visitor) -> Response:
    """Start the undo of a job."""
    try:
        with visitor.writing(_UNDOING) as session:
            undos.start_undo(session, _job_id(visitor))
    except InvalidRequest as error:
        if not visitor.may_open(Page.JOB, visitor.domain_name):
            raise
        return show_undo(visitor, str(error))
    return _redirect_to_job(visitor, "undo-started", _job_path(visitor) + "/undo")


def show_job(visitor: Visitor, fault: str | None = None) -> Response:
    """Show one import."""
    repeated = []
    segment_name: str | None
    with visitor.reading(*NEEDS[Page.JOB]) as session:
        report, undo = _read(session, _job_id(visitor))
        job = report.job
        groups, more_reasons, failed_rows_kept = read_failures(session, visitor.services.master_key, report)
        if job.completed_at is not None and report.repeated_count:
            repeated = list_repeated_rows(session, job.job_id, max_results=_REPEATED_ROWS_SHOWN).items
        segment_name = name_of_import(job.job_id)
        if not visitor.may_open(Page.SEGMENT, session.domain.name) or not has_segment(session, segment_name):
            segment_name = None
    mapping = None if job.object_type is not None else read_mapping(job.fields, job.unique_key, strict=False)
    fields = () if mapping is None else mapping.fields
    options = JobOptions.from_json(job.options)
    notices = report.console_sentences()
    doubts = []
    if is_refusal(job.failure_message):
        doubts = [text for text, notice in zip(notices, report.notices, strict=True) if notice.is_doubtful]
    return visitor.page(
        "job.html",
        status=200 if fault is None else 400,
        **_shared(visitor, session, report, undo),
        fault=fault,
        segment_name=segment_name,
        mapping=mapping,
        groups=groups,
        more_reasons=more_reasons,
        failed_rows_kept=failed_rows_kept,
        repeated=repeated,
        doubts=doubts,
        notices=[text for text in notices if text not in doubts],
        policies=_policies(
            options,
            [full_label_of(field.path) for field in fields if field.name in options.checks],
            with_webhook=visitor.may(_SETTING_OPTIONS, session.domain.name),
        ),
        steps=[(PHASE_WORDS.get(step, step), seconds) for step, seconds in report.step_seconds.items()],
        records_per_second=_speed_to_show(report),
    )


def show_undo(visitor: Visitor, fault: str | None = None) -> Response:
    """Show the preview of an undo, its progress or its result."""
    outlook: UndoOutlook | None = None
    kept = None
    may_undo = False
    query = visitor.request.query_params
    with visitor.reading(*NEEDS[Page.JOB]) as session:
        job_id = _job_id(visitor)
        report, undo = _read(session, job_id)
        changed_rows = report.job.updated_count - report.job.unchanged_count
        if undo is None and fault is None:
            try:
                undos.require_undoable(report.job, session.now)
                may_undo = True
                if report.job.created_count + changed_rows <= _MAX_CHECKED_BEFORE or "looked" in query:
                    outlook = read_undo_outlook(session, job_id)
            except InvalidRequest as error:
                fault = str(error)
        elif undo is not None and undo.job.completed_at is not None:
            token = query.get("next-token")
            kept = undos.list_kept_profiles(session, job_id, max_results=_KEPT_PROFILES_PER_PAGE, next_token=token)
    return visitor.page(
        "undo.html",
        status=200 if fault is None else 400,
        **_shared(visitor, session, report, undo),
        fault=fault,
        is_undoable=may_undo,
        outlook=outlook,
        changed_rows=changed_rows,
        kept=kept,
        is_first_page="next-token" not in query,
    )


def _shared(visitor: Visitor, session: Reading, report: JobReport, undo: Undo | None) -> dict[str, Any]:
    """Return what every page about one job needs."""
    parts = parts_of(report.job)
    until = report.job.undo_until
    return {
        "domain": session.domain,
        "report": report,
        "job": report.job,
        "job_path": _job_path(visitor),
        "view": view_of(report),
        "milliseconds_between_looks": milliseconds_between_looks(report),
        "news": news_of(report, undo),
        "progress": shown_progress(report, undo, session.now),
        "parts": parts,
        "description": describe(parts),
        "undo": undo,
        "is_in_time": until is not None and until > session.now,
    }


def _read(session: Reading, job_id: str) -> tuple[JobReport, Undo | None]:
    report = read_report(session, job_id)
    if report.job.is_preview:
        raise NotFound(f"Upload job {job_id} does not exist in domain {session.domain.name}.")
    return report, None if report.undo_status is None else undos.read_undo(session, job_id)


def _policies(options: JobOptions, checked: Sequence[str], *, with_webhook: bool) -> list[str]:
    """Describe the options that differ from the defaults, in sentences with numbers in braces (``render.plain``).

    Args:
        checked: the labels of the fields whose values are checked.
        with_webhook: include the webhook: only its host, since the rest of the URL may hold a token.
    """
    modes = {CREATE_ONLY: "Only creates profiles.", UPDATE_ONLY: "Only updates existing profiles."}
    sentences = [modes[options.write_mode]] if options.write_mode in modes else []
    if options.blank_cells == CLEAR:
        sentences.append("Empty cells clear the field.")
    if options.short_rows == LOAD:
        sentences.append("Imports rows that are too short, with their last cells empty.")
    if options.short_rows == REJECT:
        sentences.append("Rows that are too short fail.")
    if options.hand_set_fields == OVERWRITE:
        sentences.append("Overwrites values edited by hand.")
    if options.max_failed_records is not None:
        sentences.append(f"Cancels if more than {{{options.max_failed_records}}} rows fail.")
    if options.max_failed_percent is not None:
        sentences.append(f"Cancels if more than {{{Decimal(str(options.max_failed_percent)):f}}} % of rows fail.")
    if checked:
        sentences.append(f"Checks the values in: {', '.join(checked)}.")
    if with_webhook and options.webhook_url is not None:
        sentences.append(f"Calls a webhook at {host_of(options.webhook_url)} when it ends.")
    return sentences


def _job_id(visitor: Visitor) -> str:
    """Return the job id in the path.

    Raises:
        NotFound: no job can have such an id.
    """
    job_id: str = visitor.request.path_params["job_id"]
    if violations(load_model().operations["GetUploadJob"].input.members["JobId"].shape, job_id):
        raise NotFound(f"Upload job {job_id} does not exist in domain {visitor.domain_name}.")
    return job_id


def _with_gone_page(handler: Callable[[Visitor], Response]) -> Callable[[Visitor], Response]:
    """Answer for a missing job or domain with a page that says which."""

    def answer(visitor: Visitor) -> Response:
        try:
            return handler(visitor)
        except NotFound:
            if wants_json(visitor.request):
                raise
            domain = None
            with suppress(NotFound):
                domain = visitor.domain()
            return visitor.page("job_gone.html", 404, domain_name=visitor.domain_name, domain=domain)

    return answer


def _fault_page(visitor: Visitor, error: InvalidRequest) -> Response:
    """Show an error above the current state of the job.

    Only the error if the visitor may not see the job.
    """
    if not visitor.may_open(Page.JOB, visitor.domain_name):
        raise error
    return show_job(visitor, str(error))


def _speed_to_show(report: JobReport) -> int | None:
    """Return the rows per second.

    None for a small file, where starting and ending takes most of the time.
    """
    if report.records_per_second is None or report.processed_count < _MIN_RECORDS_OF_A_SPEED:
        return None
    return round(report.records_per_second)


def _job_path(visitor: Visitor) -> str:
    return JOB_PATH.format(**visitor.request.path_params)


def _redirect_to_job(visitor: Visitor, done: str, place: str) -> Response:
    name = visitor.domain_name
    return visitor.redirect_after(name, done, (Page.JOB, place), (Page.JOBS, path_of_tab(Page.JOBS, name)))
