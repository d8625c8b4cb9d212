"""The upload jobs of a domain: all of them, and one with its progress, its account and taking it back."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.profiles.domains import get_domain
from openprofiles.profiles.records import Domain
from openprofiles.server.console.account_picture import describe, parts_of
from openprofiles.server.console.job_progress import (
    STEP_WORDS,
    milliseconds_between_looks,
    news_of,
    shown_progress,
    state_document,
    view_of,
)
from openprofiles.server.console.job_words import STATUS_WORDS, job_name
from openprofiles.server.console.places import NEEDS, Page, place_of_tab
from openprofiles.server.console.profile_list import result_of
from openprofiles.server.console.render import PAGE_HEADERS
from openprofiles.server.console.visitors import Visitor, json_answer, signed_in, wants_json
from openprofiles.server.services import Services
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs, undos
from openprofiles.uploads.account import Account, list_repeated_rows, read_account
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv
from openprofiles.uploads.failures.failure_groups import EXAMPLES_PER_GROUP, FailureGroup, group_failures
from openprofiles.uploads.job_options import CLEAR, CREATE_ONLY, OVERWRITE, UPDATE_ONLY, JobOptions
from openprofiles.uploads.made_profiles import list_made_profiles
from openprofiles.uploads.mappings.upload_mapping import read_mapping
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
_REASONS_SHOWN = 20
_REPEATED_ROWS_SHOWN = 10
_KEPT_PROFILES_PER_PAGE = 100
_MADE_PROFILES_PER_PAGE = 25
_MIN_RECORDS_OF_A_SPEED = 1000
# What has become of so many profiles is found out while the reader waits; of more, once the page is there.
_MAX_LOOKED_AT_BEFORE = 5_000


def routes(services: Services) -> list[Route]:
    """``/console/domains/{domain_name}/jobs`` and what is below it."""

    def route(path: str, handler: Callable[[Visitor], Response], method: str, *, is_counted: bool = True) -> Route:
        return Route(path, signed_in(services, _with_place(handler), is_counted=is_counted), methods=[method])

    return [
        route(JOBS_PATH, list_jobs, "GET"),
        route(JOB_PATH, show_job, "GET"),
        # Whoever watches a job asks all the time.
        route(JOB_PATH + "/state", tell_state, "GET", is_counted=False),
        route(JOB_PATH + "/profiles", show_profiles, "GET"),
        route(JOB_PATH + "/failed-rows.csv", send_failed_rows, "GET"),
        route(JOB_PATH + "/start", start_job, "POST"),
        route(JOB_PATH + "/stop", stop_job, "POST"),
        route(JOB_PATH + "/undo", show_undo, "GET"),
        route(JOB_PATH + "/undo", start_undo, "POST"),
    ]


def list_jobs(visitor: Visitor) -> Response:
    """The jobs of the domain, newest first, perhaps only those with one status."""
    domain = visitor.domain(*NEEDS[Page.JOBS])
    query = visitor.request.query_params
    # Whatever else stands in an address means all jobs.
    status = next((one for one in UploadJobStatus if one.value == query.get("status")), None)
    page = jobs.list_jobs(
        visitor.services.store,
        domain,
        max_results=_JOBS_PER_PAGE,
        next_token=query.get("next-token"),
        status=status,
    )
    # As in the API, who may list jobs learns neither their counts nor whether they were taken back.
    may_see_more = visitor.may_open(Page.JOB, domain.name)
    return visitor.page(
        "jobs.html",
        domain=domain,
        page=page,
        wanted=status,
        undo_statuses=undos.read_undo_statuses(visitor.services.store, page.items) if may_see_more else {},
        may_see_more=may_see_more,
        statuses=list(STATUS_WORDS),
        is_first_page="next-token" not in query,
    )


def show_job(visitor: Visitor) -> Response:
    """One job as it stands."""
    return _job_page(visitor)


def tell_state(visitor: Visitor) -> Response:
    """How far the job is, for the script of its page."""
    domain, job_id = _enter(visitor, *NEEDS[Page.JOB])
    account, undo = _read(visitor, domain, job_id)
    return json_answer(state_document(account, undo, visitor.services.clock()))


def show_profiles(visitor: Visitor) -> Response:
    """The profiles that the job has made and that are still there."""
    domain, job_id = _enter(visitor, *NEEDS[Page.JOB_PROFILES])
    token = visitor.request.query_params.get("next-token")
    job, page = list_made_profiles(
        visitor.services.store,
        domain,
        job_id,
        max_results=_MADE_PROFILES_PER_PAGE,
        next_token=token,
        now=visitor.services.clock(),
    )
    return visitor.page(
        "job_profiles.html",
        domain=domain,
        job=job,
        place=_place_of(domain, job_id),
        profiles=[result_of(profile) for profile in page.items],
        next_token=page.next_token,
        is_first_page=token is None,
    )


def send_failed_rows(visitor: Visitor) -> Response:
    """The rows that were not loaded, as a file to mend."""
    domain, job_id = _enter(visitor, *NEEDS[Page.JOB])
    services = visitor.services
    # A preview has rows of its own, but no page.
    job = jobs.get_job(services.store, domain, job_id)
    headers, dialect = jobs.read_file_columns(services.store, domain, job_id)
    rows = jobs.iterate_failed_rows(services.store, services.master_key, domain, job_id)
    return StreamingResponse(
        failed_rows_csv(headers, rows, dialect),
        media_type="text/csv",
        headers=PAGE_HEADERS | {"Content-Disposition": _as_file(job)},
    )


def _as_file(job: UploadJob) -> str:
    """The header that names the file of failed rows after the file that was loaded (RFC 6266)."""
    name = re.sub(r"\.csv$", "", job_name(job), flags=re.IGNORECASE)
    # A browser makes of it a name that its system takes.
    in_full = quote(f"{name}.failed-rows.csv", safe="")
    return f"attachment; filename=\"{job.job_id}.failed-rows.csv\"; filename*=UTF-8''{in_full}"


def start_job(visitor: Visitor) -> Response:
    """Start a job whose file is there."""
    domain, job_id = _enter(visitor, "profile:StartUploadJob")
    try:
        jobs.start_job(visitor.services.store, domain, job_id, now=visitor.services.clock())
    except InvalidRequest as error:
        return _fault_page(visitor, error)
    return _lead_on(visitor, domain, "job-started", _place_of(domain, job_id))


def stop_job(visitor: Visitor) -> Response:
    """End a job early."""
    domain, job_id = _enter(visitor, "profile:StopUploadJob")
    try:
        jobs.stop_job(visitor.services.store, domain, job_id, now=visitor.services.clock())
    except InvalidRequest as error:
        return _fault_page(visitor, error)
    return _lead_on(visitor, domain, "job-stopped", _place_of(domain, job_id))


def show_undo(visitor: Visitor) -> Response:
    """What taking the job back would do, or what it does, or what it has done."""
    return _undo_page(visitor)


def start_undo(visitor: Visitor) -> Response:
    """Take the job back."""
    domain, job_id = _enter(visitor, _UNDOING)
    try:
        undos.start_undo(visitor.services.store, domain, job_id, now=visitor.services.clock())
    except InvalidRequest as error:
        if not visitor.may_open(Page.JOB, domain.name):
            raise
        return _undo_page(visitor, str(error))
    return _lead_on(visitor, domain, "undo-started", _place_of(domain, job_id) + "/undo")


def _job_page(visitor: Visitor, fault: str | None = None) -> Response:
    domain, job_id = _enter(visitor, *NEEDS[Page.JOB])
    account, undo = _read(visitor, domain, job_id)
    job = account.job
    mapping = read_mapping(job.fields, job.unique_key, strict=False)
    groups, failed_rows_kept = _failures(visitor, domain, account)
    repeated = []
    if job.completed_at is not None and account.repeated_count:
        repeated = list_repeated_rows(
            visitor.services.store, domain, job_id, max_results=_REPEATED_ROWS_SHOWN, next_token=None
        ).items
    return visitor.page(
        "job.html",
        status=200 if fault is None else 400,
        **_shared(visitor, domain, account, undo),
        fault=fault,
        mapping=mapping,
        groups=groups,
        more_reasons=max(0, len(account.fault_counts) - _REASONS_SHOWN),
        failed_rows_kept=failed_rows_kept,
        repeated=repeated,
        policies=_policies(
            jobs.get_options(visitor.services.store, domain, job_id),
            with_webhook=visitor.may(_SETTING_OPTIONS, domain.name),
        ),
        steps=[(STEP_WORDS.get(step, step), seconds) for step, seconds in account.step_seconds.items()],
        records_per_second=_speed_worth_telling(account),
    )


def _undo_page(visitor: Visitor, fault: str | None = None) -> Response:
    domain, job_id = _enter(visitor, *NEEDS[Page.JOB])
    account, undo = _read(visitor, domain, job_id)
    store = visitor.services.store
    outlook: UndoOutlook | None = None
    kept = None
    may_undo = False
    query = visitor.request.query_params
    changed_rows = account.job.updated_count - account.job.unchanged_count
    if undo is None and fault is None:
        try:
            undos.require_undoable(account.job, visitor.services.clock())
            may_undo = True
            if account.job.created_count + changed_rows <= _MAX_LOOKED_AT_BEFORE or "looked" in query:
                outlook = read_undo_outlook(store, domain, job_id, now=visitor.services.clock())
        except InvalidRequest as error:
            fault = str(error)
    elif undo is not None and undo.job.completed_at is not None:
        token = query.get("next-token")
        kept = undos.list_kept_profiles(store, domain, job_id, max_results=_KEPT_PROFILES_PER_PAGE, next_token=token)
    return visitor.page(
        "undo.html",
        status=200 if fault is None else 400,
        **_shared(visitor, domain, account, undo),
        fault=fault,
        is_undoable=may_undo,
        outlook=outlook,
        changed_rows=changed_rows,
        kept=kept,
        is_first_page="next-token" not in query,
    )


def _shared(visitor: Visitor, domain: Domain, account: Account, undo: Undo | None) -> dict[str, Any]:
    """What every page about one job needs."""
    parts = parts_of(account.job)
    until = account.job.undo_until
    return {
        "domain": domain,
        "account": account,
        "job": account.job,
        "place": _place_of(domain, account.job.job_id),
        "view": view_of(account),
        "milliseconds_between_looks": milliseconds_between_looks(account),
        "news": news_of(account, undo),
        "progress": shown_progress(account, undo, visitor.services.clock()),
        "parts": parts,
        "description": describe(parts),
        "undo": undo,
        "is_in_time": until is not None and until > visitor.services.clock(),
    }


def _read(visitor: Visitor, domain: Domain, job_id: str) -> tuple[Account, Undo | None]:
    store = visitor.services.store
    account = read_account(store, domain, job_id)
    if account.job.is_hidden:
        raise NotFound(f"Upload job {job_id} does not exist in domain {domain.name}.")
    return account, None if account.undo_status is None else undos.read_undo(store, domain, job_id)


def _failures(visitor: Visitor, domain: Domain, account: Account) -> tuple[list[FailureGroup], bool]:
    """Why rows failed, and whether the rows are still kept. However many there are, only some are read."""
    if not account.fault_counts:
        return [], False
    store, job_id = visitor.services.store, account.job.job_id
    headers, dialect = jobs.read_file_columns(store, domain, job_id)
    counts = account.fault_counts[:_REASONS_SHOWN]
    rows = jobs.list_example_rows(
        store,
        visitor.services.master_key,
        domain,
        job_id,
        [(one.code, one.column_name, one.first_record) for one in counts],
        rows_per_reason=EXAMPLES_PER_GROUP,
    )
    return group_failures(counts, rows, headers, dialect), bool(rows)


def _policies(options: JobOptions, *, with_webhook: bool) -> list[str]:
    """What was asked for beyond the mapping, in sentences with numbers in braces (``render.plain``); nothing of what is
    so anyway.

    Args:
        with_webhook: also who is told of the end: the host alone, since the rest of the URL may hold a token.
    """
    told = {
        CREATE_ONLY: "Only creates profiles.",
        UPDATE_ONLY: "Only updates profiles that are there.",
    }
    sentences = [told[options.write_mode]] if options.write_mode in told else []
    if options.blank_cells == CLEAR:
        sentences.append("A blank cell clears the field.")
    if options.hand_set_fields == OVERWRITE:
        sentences.append("Overwrites what was set by hand.")
    if options.max_failed_records is not None:
        sentences.append(f"Fails with more than {{{options.max_failed_records}}} failed rows.")
    if options.max_failed_percent is not None:
        sentences.append(f"Fails with more than {{{Decimal(str(options.max_failed_percent)):f}}} % failed rows.")
    if options.checks:
        sentences.append(f"Checks the values of {len(options.checks)} fields.")
    if with_webhook and options.webhook_url is not None:
        sentences.append(f"Tells {host_of(options.webhook_url)} when it has ended.")
    return sentences


def _enter(visitor: Visitor, *actions: str) -> tuple[Domain, str]:
    """The domain and the job id in the path, of somebody who may do this.

    Raises:
        Forbidden: they may not.
        NotFound: there is no such domain, or no job can have such an id.
    """
    job_id: str = visitor.request.path_params["job_id"]
    domain = visitor.domain(*actions)
    if violations(load_model().operations["GetUploadJob"].input, {"DomainName": domain.name, "JobId": job_id}):
        raise NotFound(f"Upload job {job_id} does not exist in domain {domain.name}.")
    return domain, job_id


def _with_place(handler: Callable[[Visitor], Response]) -> Callable[[Visitor], Response]:
    """Tell of a job or a domain that is not there on a page that leads on."""

    def answer(visitor: Visitor) -> Response:
        try:
            return handler(visitor)
        except NotFound:
            if wants_json(visitor.request):
                raise
            name: str = visitor.request.path_params["domain_name"]
            try:
                domain = get_domain(visitor.services.store, name)
            except NotFound:
                domain = None
            return visitor.page("job_gone.html", 404, domain_name=name, has_domain=domain is not None)

    return answer


def _fault_page(visitor: Visitor, error: InvalidRequest) -> Response:
    """Why something was not done, above the job as it stands now; the error alone for those who may not see it."""
    if not visitor.may_open(Page.JOB, visitor.request.path_params["domain_name"]):
        raise error
    return _job_page(visitor, str(error))


def _speed_worth_telling(account: Account) -> int | None:
    """Records per second; None of a small file, most of whose time goes into beginning and ending."""
    if account.records_per_second is None or account.processed_count < _MIN_RECORDS_OF_A_SPEED:
        return None
    return round(account.records_per_second)


def _place_of(domain: Domain, job_id: str) -> str:
    return JOB_PATH.format(domain_name=domain.name, job_id=job_id)


def _lead_on(visitor: Visitor, domain: Domain, done: str, place: str) -> Response:
    return visitor.lead_to(domain.name, done, (Page.JOB, place), (Page.JOBS, place_of_tab(Page.JOBS, domain.name)))
