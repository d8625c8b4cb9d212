"""Requests to create and start upload jobs as JSON: what AWS's operations take, and more."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from openprofiles.server.job_options_document import read_options_member
from openprofiles.server.json_bodies import members, read_json, text
from openprofiles.uploads.jobs import JobRequest
from openprofiles.wire import codec
from openprofiles.wire.check import describe_violations, violations
from openprofiles.wire.errors import bad_request
from openprofiles.wire.model import load_model

_CREATE_MEMBERS = ("DisplayName", "Fields", "UniqueKey", "ObjectType", "DataExpiry", "Options", "IdempotencyToken")
# What CreateUploadJob requires, and what a job of objects has not.
_OF_PROFILES = {"Fields": {}, "UniqueKey": "-"}


def read_create_document(domain_name: str, body: bytes) -> JobRequest:
    """The upload job that a request describes, held to the constraints of CreateUploadJob.

    Raises:
        WireError: it is no JSON object, or the domain's name or a member is missing, not known or of another form; the
            message names it.
        InvalidRequest: the value of an option is none of the possible ones.
    """
    create = load_model().operations["CreateUploadJob"]
    is_of_objects = b'"ObjectType"' in body and "ObjectType" in members("The body", read_json(body), _CREATE_MEMBERS)
    checked = json.dumps(_OF_PROFILES | read_json(body)).encode() if is_of_objects else body
    values = codec.read(create, {"DomainName": quote(domain_name, safe="").encode()}, b"", checked)
    if broken := violations(create.input, values):
        raise bad_request(describe_violations(broken))
    document = members("The body", read_json(body), _CREATE_MEMBERS)
    options = document.get("Options")
    return JobRequest(
        display_name=values["DisplayName"],
        fields=values["Fields"],
        unique_key="" if is_of_objects and "UniqueKey" not in document else values["UniqueKey"],
        object_type=text("ObjectType", document["ObjectType"]) if is_of_objects else None,
        data_expiry_days=values.get("DataExpiry"),
        options=None if options is None else read_options_member("Options", options),
        idempotency_token=_read_token(document),
    )


def read_start_document(body: bytes) -> str | None:
    """The idempotency token of a request to start an upload job, if it sends one; its body may be empty.

    Raises:
        WireError: it is no JSON object, or has another member; the message names it.
    """
    if not body:
        return None
    return _read_token(members("The body", read_json(body), ("IdempotencyToken",)))


def _read_token(document: dict[str, Any]) -> str | None:
    token = document.get("IdempotencyToken")
    return None if token is None else text("IdempotencyToken", token)
