"""What AWS has no operation for: why rows of an upload job failed, how far it has come, what else it can be told, help
with mappings, creating and starting jobs in a way that can be repeated, and who is told when a job ends.

The same signatures, errors and permissions as the API: who may call GetUploadJob may read all of it; what changes
something has an action of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeAlias, TypedDict

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from openprofiles.credentials.authorise import authorise_action
from openprofiles.credentials.principal import Principal
from openprofiles.errors import InvalidRequest
from openprofiles.facts.records import Domain
from openprofiles.objects import dead_letters
from openprofiles.objects.explanation import explain_object
from openprofiles.objects.lineage import read_lineage
from openprofiles.objects.objects import scrub_profile_object
from openprofiles.profiles.session import Reading, Writing
from openprofiles.server.job_options_document import options_document, read_options
from openprofiles.server.job_report_documents import failed_row_item, repeated_row_item, report_document
from openprofiles.server.json_bodies import without_none
from openprofiles.server.mapping_documents import (
    mapping_document,
    mapping_item,
    read_mapping_document,
    suggestion_document,
)
from openprofiles.server.object_documents import (
    dead_letter_document,
    dead_letter_item,
    explanation_document,
    lineage_document,
    read_explain_document,
    read_retry_document,
    read_scrub_document,
    retry_document,
)
from openprofiles.server.preview_document import preview_document
from openprofiles.server.services import Services
from openprofiles.server.undo_document import kept_profile_item, undo_document
from openprofiles.server.upload_job_documents import read_create_document, read_start_document
from openprofiles.server.webhook_documents import read_webhook_document, webhook_document
from openprofiles.uploads import jobs, previews, undos, webhooks
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv
from openprofiles.uploads.job_report import list_repeated_rows, read_report
from openprofiles.uploads.mappings import saved_mappings
from openprofiles.uploads.mappings.header_evidence import describe_doubt, doubt_header
from openprofiles.uploads.mappings.known_attributes import list_known_attributes
from openprofiles.uploads.mappings.suggest import suggest_mapping
from openprofiles.uploads.reading.file_form import STRICT_OPTIONS
from openprofiles.uploads.webhook_url import check_webhook_url
from openprofiles.wire.app import DEFAULT_BODY_LIMIT_BYTES
from openprofiles.wire.check import Violation, describe_violations, violations
from openprofiles.wire.errors import WireError, bad_request
from openprofiles.wire.model import load_model
from openprofiles.wire.signature import SignedRequest

# Who may look at upload jobs may read all that is here.
_READING = "profile:GetUploadJob"
_SETTING_OPTIONS = "openprofiles:SetUploadJobOptions"
_DOMAIN_PATH = "/openprofiles/v1/domains/{domain_name}"
_MAPPING_PATH = "/mappings/{mapping_name}"
_PUTTING_OBJECTS = "profile:PutProfileObject"
_DEAD_LETTER_PATH = "/dead-letters/{dead_letter_id}"
_EXPLAINING = "openprofiles:ExplainObject"
_READING_LETTERS = "openprofiles:GetDeadLetter"
_MAX_RESULTS = jobs.DEFAULT_FAILED_ROWS_PER_PAGE
_BODY_LIMIT_BYTES = 64 * 1024
# 500 fields with long names, or the beginning of a file.
_LARGE_BODY_LIMIT_BYTES = 1 << 20
_WHOLE_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)


class _PageGiven(TypedDict):
    max_results: int | None
    next_token: str | None


@dataclass
class _Asked:
    """A request whose caller may do what it asks for."""

    services: Services
    request: Request
    body: bytes

    @property
    def domain_name(self) -> str:
        return str(self.request.path_params["domain_name"])

    @property
    def job_id(self) -> str:
        return str(self.request.path_params["job_id"])

    @property
    def principal(self) -> Principal:
        found: Principal = self.request.state.principal
        return found

    def reading(self) -> AbstractContextManager[Reading]:
        """Open a session that reads the domain in the path."""
        return self.services.reading(self.domain_name)

    def writing(self) -> AbstractContextManager[Writing]:
        """Begin a session that writes to the domain in the path."""
        return self.services.writing(self.domain_name, self.principal)

    @cached_property
    def domain(self) -> Domain:
        """Read the domain in the path as it is now."""
        with self.reading() as session:
            return session.domain

    @property
    def is_strict(self) -> bool:
        return self.services.settings.compat_strict

    def may(self, action: str) -> bool:
        """Return whether the caller may also do this."""
        return self.principal.may_do(action)

    def read_once(self, name: str) -> str | None:
        """Read a parameter of the query; None if it was not sent."""
        given = self.request.query_params.getlist(name)
        if len(given) > 1:
            raise bad_request(f"{name} appears {len(given)} times in the query; send it once.")
        return given[0] if given else None

    def page(self) -> _PageGiven:
        """Read which page of a list is asked for."""
        text = self.read_once("max-results")
        if text is not None and (not _WHOLE_NUMBER.fullmatch(text) or not 1 <= int(text) <= _MAX_RESULTS):
            raise bad_request(f"max-results must be an integer from 1 to {_MAX_RESULTS}.")
        return {"max_results": None if text is None else int(text), "next_token": self.read_once("next-token")}


# What a route answers with: a JSON document without the members that are None, or nothing, or something else.
_Answer: TypeAlias = dict[str, Any] | Response | None


def routes(services: Services) -> list[Route]:
    """Make the routes of upload jobs, mappings, objects and webhooks."""

    def route(
        method: str,
        path: str,
        handle: Callable[[_Asked], _Answer],
        *,
        action: str = _READING,
        like: str | None = "GetUploadJob",
        body_limit_bytes: int = 0,
    ) -> Route:
        """Make a route.

        Args:
            action: what the caller must be allowed to do on the domain.
            like: the operation whose input the names in the path are held to; None leaves that to ``handle``.
            body_limit_bytes: 0: whatever is sent is never read, and the signature must be for none.
        """

        def answer(request: Request, body: bytes) -> Response:
            asked = _Asked(services, request, body)
            _authorise(asked, action)
            if like is not None:
                _check_path(asked, like)
                if body_limit_bytes:
                    # That a domain does not exist is said before anything about the body.
                    _ = asked.domain
            answered = handle(asked)
            if answered is None:
                return Response(status_code=204)
            return answered if isinstance(answered, Response) else JSONResponse(without_none(answered))

        async def endpoint(request: Request) -> Response:
            body = bytearray()
            if body_limit_bytes:
                async for part in request.stream():
                    body += part
                    if len(body) > body_limit_bytes:
                        raise WireError(
                            "RequestEntityTooLargeException", f"The body is larger than {body_limit_bytes} bytes."
                        )
            return await run_in_threadpool(answer, request, bytes(body))

        return Route(path, endpoint, methods=[method])

    def of_domain(method: str, path: str, handle: Callable[[_Asked], _Answer], **more: Any) -> Route:
        return route(method, _DOMAIN_PATH + path, handle, like="GetDomain", **more)

    def of_job(method: str, path: str, handle: Callable[[_Asked], _Answer], **more: Any) -> Route:
        return route(method, f"{_DOMAIN_PATH}/upload-jobs/{{job_id}}/{path}", handle, **more)

    preview, small, large = "openprofiles:PreviewUploadJob", _BODY_LIMIT_BYTES, _LARGE_BODY_LIMIT_BYTES
    return [
        of_job("POST", "preview", _start_preview, action=preview),
        of_job("GET", "preview", _read_preview),
        of_job("DELETE", "preview", _stop_preview, action=preview),
        of_job("GET", "options", _read_options),
        of_job("PUT", "options", _set_options, action=_SETTING_OPTIONS, body_limit_bytes=small),
        of_job("GET", "failed-rows", _list_failed_rows),
        of_job("GET", "failed-rows.csv", _read_failed_rows_file),
        of_job("GET", "progress", _read_progress),
        of_job("GET", "repeated-rows", _list_repeated_rows),
        of_job("POST", "undo", _start_undo, action="openprofiles:UndoUploadJob"),
        of_job("GET", "undo", _read_undo),
        of_job("GET", "kept-profiles", _list_kept_profiles),
        # The API's operations, with a token that makes them safe to send again, and the first one with options.
        route(
            "POST",
            f"{_DOMAIN_PATH}/upload-jobs",
            _create_upload_job,
            action="profile:CreateUploadJob",
            like=None,
            body_limit_bytes=DEFAULT_BODY_LIMIT_BYTES,
        ),
        of_job("POST", "start", _start_upload_job, action="profile:StartUploadJob", body_limit_bytes=small),
        of_domain("POST", "/mapping-suggestions", _suggest_mapping, body_limit_bytes=large),
        of_domain("GET", "/mappings", _list_mappings),
        of_domain("GET", _MAPPING_PATH, _get_mapping),
        of_domain("PUT", _MAPPING_PATH, _put_mapping, action="openprofiles:PutMapping", body_limit_bytes=large),
        of_domain("DELETE", _MAPPING_PATH, _delete_mapping, action="openprofiles:DeleteMapping"),
        of_domain("POST", "/objects/explain", _explain_object, action=_EXPLAINING, body_limit_bytes=large),
        of_domain(
            "POST",
            "/objects/scrub",
            _scrub_object,
            action="openprofiles:ScrubProfileObject",
            body_limit_bytes=small,
        ),
        of_domain("GET", "/profiles/{profile_id}/lineage", _read_lineage, action="openprofiles:GetLineage"),
        of_domain("GET", "/dead-letters", _list_dead_letters, action=_READING_LETTERS),
        of_domain("GET", _DEAD_LETTER_PATH, _get_dead_letter, action=_READING_LETTERS),
        of_domain(
            "POST",
            f"{_DEAD_LETTER_PATH}/retry",
            _retry_dead_letter,
            action="openprofiles:RetryDeadLetter",
            body_limit_bytes=large,
        ),
        of_domain("DELETE", _DEAD_LETTER_PATH, _delete_dead_letter, action="openprofiles:DeleteDeadLetter"),
        of_domain("GET", "/webhook", _get_webhook, action="openprofiles:GetWebhook"),
        of_domain("PUT", "/webhook", _put_webhook, action="openprofiles:PutWebhook", body_limit_bytes=small),
        of_domain("DELETE", "/webhook", _delete_webhook, action="openprofiles:DeleteWebhook"),
    ]


def _authorise(asked: _Asked, action: str) -> None:
    scope, state = asked.request.scope, asked.request.state
    signed = SignedRequest(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"], asked.body)
    state.principal = asked.services.authenticator.authenticate(signed)
    state.access_key_id = state.principal.access_key_id
    authorise_action(state.principal, action, asked.domain_name)


def _check_path(asked: _Asked, like: str) -> None:
    """Check the names in the path as those of an operation of the API."""
    shape = load_model().operations[like].input
    names = {"DomainName": asked.domain_name, "JobId": asked.request.path_params.get("job_id")}
    if broken := violations(shape, {name: names[name] for name in shape.members}):
        raise bad_request(describe_violations(broken))


def _list_failed_rows(asked: _Asked) -> _Answer:
    with asked.reading() as session:
        page = jobs.list_failed_rows(session, asked.services.master_key, asked.job_id, **asked.page())
        headers, dialect = jobs.read_file_columns(session, asked.job_id)
    items = [failed_row_item(row, headers, dialect) for row in page.items]
    return {"Columns": headers, "Items": items, "NextToken": page.next_token}


def _read_failed_rows_file(asked: _Asked) -> _Answer:
    form = asked.read_once("form")
    if form not in (None, "spreadsheet"):
        raise bad_request("form must be spreadsheet, or left out for a plain CSV file.")
    found = jobs.read_failed_rows(asked.reading, asked.services.master_key, asked.job_id)
    # A strict server refuses the byte order mark, and reads commas only.
    return StreamingResponse(
        failed_rows_csv(*found, for_spreadsheet=form is not None and not asked.is_strict),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{asked.job_id}.failed-rows.csv"'},
    )


def _read_progress(asked: _Asked) -> _Answer:
    with asked.reading() as session:
        document = report_document(read_report(session, asked.job_id), session.now)
    return document | {"PhoneRegion": session.domain.phone_region}


def _list_repeated_rows(asked: _Asked) -> _Answer:
    with asked.reading() as session:
        page = list_repeated_rows(session, asked.job_id, **asked.page())
    return {"Items": [repeated_row_item(row) for row in page.items], "NextToken": page.next_token}


def _read_options(asked: _Asked) -> _Answer:
    with asked.reading() as session:
        document = options_document(jobs.get_options(session, asked.job_id))
    if not asked.may(_SETTING_OPTIONS):
        # The address may hold a token.
        document.pop("Webhook")
    return document


def _set_options(asked: _Asked) -> _Answer:
    options = read_options(asked.body)
    jobs.check_options(
        options, strict=asked.is_strict, private_addresses=asked.services.settings.webhook_private_addresses
    )
    with asked.writing() as session:
        jobs.set_options(session, asked.job_id, options)
    return options_document(options)


def _start_preview(asked: _Asked) -> _Answer:
    with asked.writing() as session:
        preview = previews.start_preview(session, asked.services.master_key, asked.job_id)
    return {"PreviewId": preview.job_id}


def _read_preview(asked: _Asked) -> _Answer:
    with asked.reading() as session:
        preview = previews.read_preview(session, asked.services.master_key, asked.job_id)
        progress = report_document(read_report(session, asked.job_id), session.now)
    # The rest is the caller's own file; this is what others have stored.
    return preview_document(preview, progress, with_stored=asked.may("profile:SearchProfiles"))


def _stop_preview(asked: _Asked) -> _Answer:
    with asked.writing() as session:
        jobs.stop_job(session, asked.job_id, is_preview=True)
    return {}


def _start_undo(asked: _Asked) -> _Answer:
    with asked.writing() as session:
        return undo_document(undos.start_undo(session, asked.job_id))


def _read_undo(asked: _Asked) -> _Answer:
    with asked.reading() as session:
        return undo_document(undos.read_undo(session, asked.job_id))


def _list_kept_profiles(asked: _Asked) -> _Answer:
    with asked.reading() as session:
        page = undos.list_kept_profiles(session, asked.job_id, **asked.page())
    return {"Items": [kept_profile_item(one) for one in page.items], "NextToken": page.next_token}


def _create_upload_job(asked: _Asked) -> _Answer:
    given = read_create_document(asked.domain_name, asked.body)
    if given.options is not None:
        authorise_action(asked.principal, _SETTING_OPTIONS, asked.domain_name)
    if given.object_type is not None:
        authorise_action(asked.principal, _PUTTING_OBJECTS, asked.domain_name)
    private_addresses = asked.services.settings.webhook_private_addresses
    checked = jobs.check_request(given, strict=asked.is_strict, private_addresses=private_addresses)
    with asked.writing() as session:
        job = jobs.create_job(session, asked.services.master_key, checked)
    return {"JobId": job.job_id}


def _start_upload_job(asked: _Asked) -> _Answer:
    token = read_start_document(asked.body)
    with asked.writing() as session:
        jobs.start_job(session, asked.job_id, idempotency_token=token)
    return {}


def _suggest_mapping(asked: _Asked) -> _Answer:
    # It uses numpy, which a server can start without.
    from openprofiles.uploads.reading.file_sample import sample_beginning

    strict, region = asked.is_strict, asked.domain.phone_region
    form, sample = sample_beginning(asked.body, STRICT_OPTIONS if strict else None, region=region, strict=strict)
    if not strict and form.header_line is None and (doubt := doubt_header(sample.headers, sample.rows)) is not None:
        raise InvalidRequest(
            f"{describe_doubt(doubt)} Add a row with the column names. If this row is the header, map its "
            "columns yourself."
        )
    # They are those of other jobs.
    may_know = not strict and asked.may("profile:GetUploadJob")
    find_attributes = partial(list_known_attributes, asked.reading) if may_know else tuple
    suggestion = suggest_mapping(sample.headers, None, sample.rows, region, find_attributes=find_attributes)
    return suggestion_document(form, sample.headers, suggestion)


def _list_mappings(asked: _Asked) -> _Answer:
    with asked.reading() as session:
        page = saved_mappings.list_mappings(session, **asked.page())
    return {"Items": [mapping_item(one) for one in page.items], "NextToken": page.next_token}


def _get_mapping(asked: _Asked) -> _Answer:
    with asked.reading() as session:
        return mapping_document(saved_mappings.get_mapping(session, _mapping_name(asked)))


def _put_mapping(asked: _Asked) -> _Answer:
    given = read_mapping_document(_mapping_name(asked), asked.body, strict=asked.is_strict)
    with asked.writing() as session:
        return mapping_document(saved_mappings.put_mapping(session, given))


def _delete_mapping(asked: _Asked) -> _Answer:
    with asked.writing() as session:
        saved_mappings.delete_mapping(session, _mapping_name(asked))
    return None


def _mapping_name(asked: _Asked) -> str:
    """Read the name in the path.

    Raises:
        WireError: a mapping can have no such name.
    """
    name: str = asked.request.path_params["mapping_name"]
    if broken := violations(load_model().operations["GetDomain"].input.members["DomainName"].shape, name):
        raise bad_request(describe_violations([Violation("MappingName", one.message) for one in broken]))
    return name


def _explain_object(asked: _Asked) -> _Answer:
    type_name, content = read_explain_document(asked.body)
    with asked.writing() as session:
        return explanation_document(explain_object(session, type_name, content))


def _scrub_object(asked: _Asked) -> _Answer:
    profile_id, type_name, unique_key = read_scrub_document(asked.body)
    with asked.writing() as session:
        scrub_profile_object(session, profile_id, type_name, unique_key, falls_back=not asked.is_strict)
    return None


def _read_lineage(asked: _Asked) -> _Answer:
    with asked.reading() as session:
        return lineage_document(read_lineage(session, asked.request.path_params["profile_id"]))


def _list_dead_letters(asked: _Asked) -> _Answer:
    page_given = asked.page()
    with asked.reading() as session:
        page = dead_letters.list_dead_letters(
            session, page_given["max_results"] or _MAX_RESULTS, page_given["next_token"]
        )
    return {"Items": [dead_letter_item(one) for one in page.letters], "NextToken": page.next_token}


def _get_dead_letter(asked: _Asked) -> _Answer:
    with asked.reading() as session:
        return dead_letter_document(dead_letters.get_dead_letter(session, _dead_letter_id(asked)))


def _retry_dead_letter(asked: _Asked) -> _Answer:
    content = read_retry_document(asked.body)
    if content is not None:
        authorise_action(asked.principal, _PUTTING_OBJECTS, asked.domain_name)
    with asked.writing() as session:
        return retry_document(dead_letters.retry_dead_letter(session, _dead_letter_id(asked), content))


def _delete_dead_letter(asked: _Asked) -> _Answer:
    with asked.writing() as session:
        dead_letters.delete_dead_letter(session, _dead_letter_id(asked))
    return None


def _dead_letter_id(asked: _Asked) -> int:
    """Read the id in the path.

    Raises:
        WireError: a dead letter can have no such id.
    """
    text = asked.request.path_params["dead_letter_id"]
    if not _WHOLE_NUMBER.fullmatch(text):
        raise bad_request("DeadLetterId must be a whole number, as ListDeadLetters shows it.")
    return int(text)


def _get_webhook(asked: _Asked) -> _Answer:
    with asked.reading() as session:
        return webhook_document(webhooks.get_webhook(session))


def _put_webhook(asked: _Asked) -> _Answer:
    url, secret = read_webhook_document(asked.body)
    private_addresses = asked.services.settings.webhook_private_addresses
    checked = None if url is None else check_webhook_url(url, private_addresses=private_addresses)
    with asked.writing() as session:
        webhook, its_secret = webhooks.put_webhook(session, asked.services.master_key, url=checked, secret=secret)
    # Who has given it knows it.
    made = {"Secret": its_secret} if secret is None else {}
    return webhook_document(webhook) | made


def _delete_webhook(asked: _Asked) -> _Answer:
    with asked.writing() as session:
        webhooks.delete_webhook(session)
    return None
