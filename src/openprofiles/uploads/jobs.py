r"""The upload job and its states, as callers see them: create, look at, start, stop.

    CREATED --start--> IN_PROGRESS --worker--> SUCCEEDED | PARTIALLY_SUCCEEDED | FAILED
       \--stop--> STOPPED      \--stop, then worker--> STOPPED

The loader runs the job between its start and its end (``load``).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, NewType, TypeAlias, TypeVar

from openprofiles.clock import from_milliseconds, to_milliseconds
from openprofiles.definitions.definitions import list_all_definitions
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.ids import new_job_id
from openprofiles.job_kinds import OBJECT_UPLOAD, UPLOAD
from openprofiles.master_key import MasterKey
from openprofiles.objects.prepared_objects import UsedType
from openprofiles.objects.type_definitions import OBJECT_TYPE
from openprofiles.objects.used_types import find_used_type
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.session import Reading, Writing
from openprofiles.store import job_queue, upload_jobs
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads.arrival.client_token import CLIENT_TOKEN_BYTES, decrypt_client_token, encrypt_client_token
from openprofiles.uploads.failures.failed_row_cipher import (
    FailedRowCipher,
    decrypt_failed_rows_key,
    make_failed_rows_key,
)
from openprofiles.uploads.idempotency import digest_of
from openprofiles.uploads.job_options import LOAD, JobOptions
from openprofiles.uploads.mappings.likely_names import did_you_mean, names_like
from openprofiles.uploads.mappings.upload_mapping import read_mapping
from openprofiles.uploads.reading.dialect import Dialect
from openprofiles.uploads.reading.file_form import FileForm
from openprofiles.uploads.webhook_url import check_webhook_url
from openprofiles.uploads.webhooks import require_webhook

DEFAULT_DATA_EXPIRY_DAYS = 14
STRICT_MAX_DATA_EXPIRY_DAYS = 90

DEFAULT_JOBS_PER_PAGE = 100
DEFAULT_FAILED_ROWS_PER_PAGE = 1000

# A row may have a megabyte.
_FAILED_ROWS_BYTES_PER_PAGE = 8_000_000
# From the first row with a fault on; among them may be no other that has it.
_FAULTS_LOOKED_AT_FOR_EXAMPLES = 200


_NO_OPTIONS_MESSAGE = (
    "This server accepts only what AWS accepts (--compat strict), and AWS's upload jobs have no options."
)

Item = TypeVar("Item")

OpenReading: TypeAlias = Callable[[], AbstractContextManager[Reading]]

# Its content is decrypted here; None also if it was loaded by a version that kept none.
FailedRow: TypeAlias = upload_jobs.FailedRow


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list, and the token for the next, or None at the end."""

    items: list[Item]
    next_token: str | None


def iterate_pages(open_session: OpenReading, read_page: Callable[[Reading, str | None], Page[Item]]) -> Iterator[Item]:
    """Iterate over the items of all pages, without a transaction in between: who takes them may be slow.

    Args:
        open_session: opens a session for each page.
        read_page: reads the page of a token.
    """
    token = None
    while True:
        with open_session() as session:
            page = read_page(session, token)
        yield from page.items
        token = page.next_token
        if token is None:
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What an upload job is to be made of.

    Attributes:
        fields, unique_key, data_expiry_days: as in CreateUploadJob.
        object_type: the name of the type of the objects that the rows are, which has no fields and no unique key here;
            None: the rows are profiles.
        options: None stands for the defaults.
        idempotency_token: the same request with the same token, sent again, gives the job that the first one made,
            whatever has become of it.
    """

    display_name: str
    fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unique_key: str = ""
    object_type: str | None = None
    data_expiry_days: int | None = None
    options: JobOptions | None = None
    idempotency_token: str | None = None


# What ``check_request`` has found to be good.
CheckedRequest = NewType("CheckedRequest", JobRequest)


def check_request(request: JobRequest, *, strict: bool, private_addresses: bool = False) -> CheckedRequest:
    """Check what a job is to be made of.

    It may look up the host of a webhook, so no transaction may be open.

    Args:
        strict: accept only what AWS accepts.
        private_addresses: whether a webhook may lead to addresses that are not of the open Internet.

    Raises:
        InvalidRequest: the mapping, the expiry or the options cannot be used; the message names the field.
    """
    if request.object_type is None:
        read_mapping(request.fields, request.unique_key, strict=strict)
    else:
        _check_object_request(request, strict=strict)
    if request.options is not None:
        check_options(request.options, request.fields, strict=strict, private_addresses=private_addresses)
    expiry_days = request.data_expiry_days or 0
    if strict and expiry_days > STRICT_MAX_DATA_EXPIRY_DAYS:
        raise InvalidRequest(f"DataExpiry is {expiry_days} days; AWS allows at most {STRICT_MAX_DATA_EXPIRY_DAYS}.")
    return CheckedRequest(request)


def _check_object_request(request: JobRequest, *, strict: bool) -> None:
    if strict:
        raise InvalidRequest(
            "This server accepts only what AWS accepts (--compat strict), and AWS's upload jobs have no objects."
        )
    if request.fields or request.unique_key:
        raise InvalidRequest(
            "Give either ObjectType, or Fields and UniqueKey: an object type has its own fields and keys."
        )
    if request.data_expiry_days is not None:
        raise InvalidRequest(
            "An object type says when its objects expire, so DataExpiry cannot be given with ObjectType."
        )
    if request.options is not None:
        _check_object_options(request.options)


def _check_object_options(options: JobOptions) -> None:
    """Check the options of a job of objects.

    Raises:
        InvalidRequest: one is set that says what is written, which the object type decides.
    """
    usual = JobOptions()
    for what, given, default in (
        ("write mode", options.write_mode, usual.write_mode),
        ("policy for blank cells", options.blank_cells, usual.blank_cells),
        ("policy for fields edited by hand", options.hand_set_fields, usual.hand_set_fields),
        ("policy for doubtful rows", options.doubtful_rows, usual.doubtful_rows),
    ):
        if given != default:
            raise InvalidRequest(f"The {what} cannot be set with ObjectType: the object type decides what is written.")


def check_options(
    options: JobOptions, fields: Collection[str] | None = None, *, strict: bool, private_addresses: bool
) -> None:
    """Check options that somebody gives a job; see ``check_request``.

    Args:
        fields: the names of the job's fields, if they are known.
    """
    if strict:
        raise InvalidRequest(_NO_OPTIONS_MESSAGE)
    if fields is not None:
        options.require_fields(fields)
    if options.webhook_url is not None:
        check_webhook_url(options.webhook_url, private_addresses=private_addresses)


def create_job(session: Writing, master_key: MasterKey, request: CheckedRequest) -> UploadJob:
    """Make a job that waits for its file.

    Raises:
        NotFound: there is no such object type.
        InvalidRequest: another request came with the same token, the domain has no secret for the webhook, or the
            object type has no mapping.
    """
    options = request.options
    job_id = new_job_id(session.now)
    values: dict[str, Any] = {
        "job_id": job_id,
        "domain_id": session.domain.domain_id,
        "display_name": request.display_name,
        "fields": {name: dict(field) for name, field in request.fields.items()},
        "unique_key": request.unique_key,
        "object_type": request.object_type,
        "data_expiry_days": request.data_expiry_days or DEFAULT_DATA_EXPIRY_DAYS,
        "status": UploadJobStatus.CREATED,
        "created_at": session.now,
        "client_token": encrypt_client_token(master_key, os.urandom(CLIENT_TOKEN_BYTES), job_id),
        "failed_rows_key": make_failed_rows_key(master_key, job_id),
        "options": None if options is None else options.to_json(),
    }
    if request.idempotency_token is not None:
        told = {name: values[name] for name in ("display_name", "fields", "unique_key", "data_expiry_days")}
        if request.object_type is not None:
            told["object_type"] = request.object_type
        told["options"] = (options or JobOptions()).to_json()
        values |= {"create_token": request.idempotency_token, "create_digest": digest_of(told)}
        made = _find_made(session, values)
        if made is not None:
            return made
    if options is not None and options.webhook_url is not None:
        require_webhook(session)
    if request.object_type is not None:
        values["unique_key"] = _find_object_type(session, request.object_type).mapping.unique_key.name
    job_queue.insert_job(session.connection, UPLOAD if request.object_type is None else OBJECT_UPLOAD, values)
    return get_job(session, job_id)


def _find_object_type(session: Reading, name: str) -> UsedType:
    try:
        return find_used_type(session, name)
    except NotFound as error:
        names = [one.name for one in list_all_definitions(session, OBJECT_TYPE)]
        raise NotFound(f"{error}{did_you_mean(names_like(name, names))}") from None


def get_job(session: Reading, job_id: str, *, for_change: bool = False, or_preview: bool = False) -> UploadJob:
    """Read a job.

    Args:
        for_change: hold it until the transaction ends.
        or_preview: it may be a preview, which AWS's API does not know.

    Raises:
        NotFound: no such job in this domain.
    """
    job = upload_jobs.find_job(session.connection, session.domain.domain_id, job_id, for_change=for_change)
    if job is None or (job.is_preview and not or_preview):
        raise NotFound(f"Upload job {job_id} does not exist in domain {session.domain.name}.")
    return job


def find_job_of_number(session: Reading, job_number: int) -> UploadJob | None:
    """Find a job by row number, as in ``Profile.last_upload_job``; None if AWS's API has no such job."""
    job = upload_jobs.find_job_by_number(session.connection, session.domain.domain_id, job_number)
    return None if job is None or job.is_preview else job


def list_jobs(
    session: Reading,
    *,
    max_results: int | None = None,
    next_token: str | None = None,
    status: UploadJobStatus | None = None,
    with_checks: bool = True,
) -> Page[UploadJob]:
    """List the jobs of a domain, newest first.

    Args:
        status: only those that have it; None: all.
        with_checks: also those that were previewed and never started.
    """
    before = None
    if next_token is not None:
        created_at_ms, job_number = read_token("ListUploadJobs", next_token, (int, int))
        before = (_moment(int(created_at_ms)), int(job_number))
    limit = max_results or DEFAULT_JOBS_PER_PAGE
    domain_id = session.domain.domain_id
    jobs = upload_jobs.list_jobs(
        session.connection, domain_id, before=before, limit=limit + 1, status=status, with_checks=with_checks
    )
    token = None
    if len(jobs) > limit:
        last = jobs[limit - 1]
        token = write_token("ListUploadJobs", [to_milliseconds(last.created_at), last.job_number])
    return Page(jobs[:limit], token)


def list_failed_rows(
    session: Reading,
    master_key: MasterKey,
    job_id: str,
    *,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Page[FailedRow]:
    """List the failed rows of a job, in file order.

    Raises:
        NotFound: no such job in this domain.
    """
    after = int(read_token("failed-rows", next_token, (int,))[0]) if next_token is not None else 0
    limit = max_results or DEFAULT_FAILED_ROWS_PER_PAGE
    job = get_job(session, job_id, or_preview=True)
    rows, has_more = upload_jobs.list_failed_rows(
        session.connection,
        job.job_number,
        after_record=after,
        limit=limit,
        max_content_bytes=_FAILED_ROWS_BYTES_PER_PAGE,
    )
    token = write_token("failed-rows", [rows[-1].record]) if has_more else None
    return Page(_decrypted(rows, master_key, job), token)


def list_example_rows(
    session: Reading,
    master_key: MasterKey,
    job_id: str,
    reasons: Sequence[tuple[str, str | None, int]],
    *,
    rows_per_reason: int,
) -> list[FailedRow]:
    """List some of the first failed rows for each reason, in file order.

    It takes little time, also with many failed rows.

    Args:
        reasons: code, header of the column, and the first record that has it (0: not known) of each.
        rows_per_reason: at most; one at least, unless rows are very long, not kept, or the first record is not known.

    Raises:
        NotFound: no such job in this domain.
    """
    job = get_job(session, job_id, or_preview=True)
    found = [
        upload_jobs.list_first_failed_rows(
            session.connection,
            job.job_number,
            code=code,
            column_name=column_name,
            first_record=first_record,
            limit=rows_per_reason,
            max_looked_at=_FAULTS_LOOKED_AT_FOR_EXAMPLES,
        )
        for code, column_name, first_record in reasons
    ]
    # One row for each reason before the second for any.
    records = dict.fromkeys(
        record for of_turn in itertools.zip_longest(*found) for record in of_turn if record is not None
    )
    rows: list[FailedRow] = []
    left_bytes = _FAILED_ROWS_BYTES_PER_PAGE
    for record in records:
        row = upload_jobs.read_failed_row(session.connection, job.job_number, record)
        if row is not None:
            rows.append(row)
            left_bytes -= len(row.content or b"")
        if left_bytes <= 0:
            break
    rows.sort(key=lambda row: row.record)
    return _decrypted(rows, master_key, job)


def read_failed_rows(
    open_session: OpenReading, master_key: MasterKey, job_id: str
) -> tuple[list[str], Iterator[FailedRow], Dialect]:
    """Read the columns of a job's file, its failed rows in order, and the dialect.

    The rows are read by pages, each in a session of its own.

    Raises:
        NotFound: no such job in this domain.
    """
    with open_session() as session:
        headers, dialect = read_file_columns(session, job_id)

    def read_page(session: Reading, token: str | None) -> Page[FailedRow]:
        return list_failed_rows(session, master_key, job_id, next_token=token)

    return headers, iterate_pages(open_session, read_page), dialect


def read_file_columns(session: Reading, job_id: str) -> tuple[list[str], Dialect]:
    """Read the column names of a job's file and its dialect; no names before the file was read.

    Raises:
        NotFound: no such job in this domain.
    """
    job = get_job(session, job_id, or_preview=True)
    findings = upload_jobs.read_findings(session.connection, job.job_number)
    return findings.file_header or [], FileForm.from_json(findings.file_form).dialect


def get_options(session: Reading, job_id: str) -> JobOptions:
    """Return the options of a job.

    Raises:
        NotFound: no such job in this domain.
    """
    return JobOptions.from_json(get_job(session, job_id).options)


def set_options(session: Writing, job_id: str, options: JobOptions) -> None:
    """Give a job that was not started other options, all of them.

    Args:
        options: if they are new, ``check_options`` has found them to be good.

    Raises:
        NotFound: no such job in this domain.
        InvalidRequest: the job is not CREATED, or the domain has no secret for the webhook.
    """
    job = get_job(session, job_id, for_change=True)
    options.require_fields(job.fields)
    if job.object_type is not None:
        _check_object_options(options)
    if options.webhook_url is not None:
        require_webhook(session)
    if job.status is not UploadJobStatus.CREATED:
        raise InvalidRequest(
            f"Upload job {job_id} is in {job.status} status; options can be set only before it is started."
        )
    upload_jobs.update_job(session.connection, job, options=options.to_json())


def allow_doubtful_rows(session: Writing, job_id: str) -> None:
    """Let a job load doubtful rows, whatever it was created with.

    Raises:
        NotFound: no such job in this domain.
        InvalidRequest: the job is not CREATED, and refuses them.
    """
    options = get_options(session, job_id)
    # A repeated request finds it allowed, and the job started.
    if options.doubtful_rows != LOAD:
        set_options(session, job_id, replace(options, doubtful_rows=LOAD))


def rename_job(session: Writing, job_id: str, display_name: str) -> None:
    """Give a job that was not started another name.

    Raises:
        NotFound: no such job in this domain.
        InvalidRequest: the job is not CREATED.
    """
    job = get_job(session, job_id, for_change=True)
    if job.status is not UploadJobStatus.CREATED:
        raise InvalidRequest(
            f"Upload job {job_id} is in {job.status} status; it can be renamed only before it is started."
        )
    upload_jobs.update_job(session.connection, job, display_name=display_name)


def start_job(session: Writing, job_id: str, *, idempotency_token: str | None = None) -> None:
    """Start a job; a worker then checks its file.

    Args:
        idempotency_token: the job may have been started with the same one, and have ended since; then nothing happens.

    Raises:
        NotFound: no such job in this domain.
        InvalidRequest: the job is not CREATED, or no file has arrived.
    """
    job = get_job(session, job_id, for_change=True)
    if job.status is not UploadJobStatus.CREATED:
        if idempotency_token is not None and idempotency_token == job.start_token:
            return
        raise InvalidRequest(
            f"Upload job {job_id} is in {job.status} status and cannot be started; only a CREATED job can."
        )
    if job.file_name is None:
        raise InvalidRequest(
            f"Upload job {job_id} has no file yet. PUT the file to the Url that GetUploadJobPath returns, then "
            "start the job."
        )
    job_queue.update_job(
        session.connection,
        job,
        only_in=UploadJobStatus.CREATED,
        status=UploadJobStatus.IN_PROGRESS,
        started_at=session.now,
        start_token=idempotency_token,
    )
    # Whoever starts a job waits for no preview of it.
    job_queue.stop_previews_of(session.connection, job, session.now)


def stop_job(session: Writing, job_id: str, *, is_preview: bool = False, only_if_created: bool = False) -> None:
    """End the job early. What was written stays, is counted and can be searched.

    A job that a worker has taken up is STOPPED once the keys of what was written are in; it writes no further
    profile. Stopping a stopped job does nothing.

    Args:
        is_preview: stop a preview, and nothing else.
        only_if_created: leave a job alone that was started.

    Raises:
        NotFound: no such job in this domain.
        InvalidRequest: the job has ended otherwise.
    """
    job = get_job(session, job_id, for_change=True, or_preview=is_preview)
    if is_preview and not job.is_preview:
        raise InvalidRequest(f"Upload job {job_id} is not a preview.")
    if job.status is UploadJobStatus.STOPPED:
        return
    if only_if_created and job.status is not UploadJobStatus.CREATED:
        return
    if job.status not in (UploadJobStatus.CREATED, UploadJobStatus.IN_PROGRESS):
        raise InvalidRequest(f"Upload job {job_id} is in {job.status} status and can no longer be stopped.")
    job_queue.stop_previews_of(session.connection, job, session.now)
    job_queue.stop_job(session.connection, job, session.now)


def client_token(master_key: MasterKey, job: UploadJob) -> bytes:
    """Decrypt the 32 bytes that the job's file is encrypted with.

    Raises:
        InvalidRequest: the job has ended and its key is gone.
    """
    if job.client_token is None:
        raise InvalidRequest(f"Upload job {job.job_id} is in {job.status} status; its key no longer exists.")
    return decrypt_client_token(master_key, job.client_token, job.job_id)


def _find_made(session: Writing, values: Mapping[str, Any]) -> UploadJob | None:
    """Find the job that an earlier request with the same token created; None if there was none.

    Raises:
        InvalidRequest: it was another request.
    """
    found = upload_jobs.find_job_made_with(session.connection, session.domain.domain_id, values["create_token"])
    if found is not None and found.create_digest != values["create_digest"]:
        raise InvalidRequest(
            f"IdempotencyToken was used before by a different request, which created the upload job {found.job_id}. "
            "Repeat that request unchanged, or use a new token."
        )
    return found


def _decrypted(rows: Iterable[FailedRow], master_key: MasterKey, job: UploadJob) -> list[FailedRow]:
    cipher = None
    if job.failed_rows_key is not None:
        cipher = FailedRowCipher(decrypt_failed_rows_key(master_key, job.failed_rows_key, job.job_id))
    return [
        replace(row, content=None if row.content is None or cipher is None else cipher.decrypt(row.record, row.content))
        for row in rows
    ]


def _moment(milliseconds: int) -> datetime:
    try:
        return from_milliseconds(milliseconds)
    except (ValueError, OverflowError, OSError):
        raise InvalidRequest(
            "NextToken is not valid here. Pass the NextToken of the previous page unchanged."
        ) from None
