"""Our own operations: what a new one costs, and the credential that each of them needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from openprofiles.wire.model import (
    BlobShape,
    BooleanShape,
    DoubleShape,
    IntegerShape,
    ListShape,
    MapShape,
    Operation,
    Shape,
    StructureShape,
    TextShape,
    TimestampShape,
    load_own_model,
)
from wire.test_upload_jobs import Service, running_service

OPERATIONS = load_own_model().operations
IDENTIFIER = "0" * 32
# Values that the patterns of the model allow, where the first letter of the alphabet is not one.
TEXTS = {"Id": IDENTIFIER, "DomainName": "shop", "DeadLetterId": "1", "WebhookUrl": "https://hooks.example/"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("own") / "data") as running:
        yield running


def value_of(shape: Shape) -> Any:
    """Make a value that the model allows."""
    match shape:
        case TextShape():
            return shape.allowed[0] if shape.allowed else TEXTS.get(shape.name, "a" * max(1, shape.min_length or 0))
        case IntegerShape() | DoubleShape():
            return shape.min_value or 0
        case BooleanShape():
            return False
        case TimestampShape():
            return 0
        case BlobShape():
            return "a,b\n1,2\n"
        case ListShape():
            return [value_of(shape.element)]
        case MapShape():
            return {value_of(shape.key): value_of(shape.value)}
        case StructureShape():
            return {name: value_of(shape.members[name].shape) for name in shape.required}


def send(service: Service, operation: Operation, credentials: Credentials | None, *more: str) -> requests.Response:
    """Send a request with the required members of an operation and some others; unsigned without credentials."""
    path, query, document, body = operation.path, {}, {}, b""
    for name in (*operation.input.required, *more):
        member = operation.input.members[name]
        value = value_of(member.shape)
        match member.location:
            case "label":
                path = path.replace(f"{{{member.wire_name}}}", value)
            case "query":
                query[member.wire_name] = str(value)
            case "payload":
                body = value.encode()
            case _:
                document[member.wire_name] = value
    body = body or (json.dumps(document).encode() if document else b"")
    url = service.address + path + (f"?{urlencode(query)}" if query else "")
    signed = AWSRequest(operation.method, url, data=body)
    if credentials:
        SigV4Auth(credentials, "profile", "us-east-1").add_auth(signed)
    with requests.Session() as session:
        session.trust_env = False
        headers = dict(signed.headers.items())
        return session.request(operation.method, url, data=body, headers=headers, timeout=20)


def outcome(answer: requests.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.headers.get("x-amzn-errortype")


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_an_operation_needs_its_action_on_the_domain(service: Service, operation: Operation) -> None:
    others = [action for action in ("profile:*", "openprofiles:*") if not action.startswith(operation.action[:7])]
    denied = (403, "AccessDeniedException")

    assert outcome(send(service, operation, None)) == (403, "MissingAuthenticationTokenException")
    assert outcome(send(service, operation, service.credentials(*others))) == denied
    assert outcome(send(service, operation, service.credentials("*", domains=("other",)))) == denied
    for allowed in ("*", operation.action):
        answer = send(service, operation, service.credentials(allowed, domains=("shop",)))
        # Most ask for what is not there.
        assert answer.status_code in (200, 204, 400, 404), (allowed, answer.text)


MEMBERS = [
    (operation, member.name)
    for operation in OPERATIONS.values()
    for member in operation.input.members.values()
    if member.action is not None
]


@pytest.mark.parametrize(("operation", "name"), MEMBERS, ids=[f"{one.name}.{name}" for one, name in MEMBERS])
def test_a_member_needs_its_action_in_addition(service: Service, operation: Operation, name: str) -> None:
    needed = operation.input.members[name].action
    assert needed is not None

    without = send(service, operation, service.credentials(operation.action), name)
    both = send(service, operation, service.credentials(operation.action, needed), name)

    assert outcome(without) == (403, "AccessDeniedException")
    assert f"may not call {needed}" in without.json()["Message"]
    assert outcome(both) in ((404, "ResourceNotFoundException"), (400, "BadRequestException"))


def test_there_are_members_with_an_action_of_their_own() -> None:
    assert ("CreateUploadJob", "Options") in [(operation.name, name) for operation, name in MEMBERS]
