"""Our own operations: what a new one costs, and the credential that each of them needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import boto3
import pytest
import requests
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from scripts import generate_openapi, generate_wire

from openprofiles.operations import registry
from openprofiles.operations.call import Call
from openprofiles.own_operations import create_operations_client
from openprofiles.wire import model
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


def send(
    service: Service,
    operation: Operation,
    credentials: Credentials | None,
    *more: str,
    is_empty: bool = False,
    **given: Any,
) -> requests.Response:
    """Send a request with the required members of an operation and some others; unsigned without credentials.

    Args:
        more: other members, with any value that the model allows.
        is_empty: send no body.
        given: the values of members.
    """
    path, body = operation.path, b""
    query: dict[str, str] = {}
    document: dict[str, Any] = {}
    for name in dict.fromkeys((*operation.input.required, *more, *given)):
        member = operation.input.members[name]
        value = given.get(name, value_of(member.shape))
        match member.location:
            case "label":
                path = path.replace(f"{{{member.wire_name}}}", quote(value))
            case "query":
                query[member.wire_name] = str(value)
            case "payload":
                body = value.encode()
            case _:
                document[member.wire_name] = value
    body = body or (json.dumps(document).encode() if not is_empty and (document or operation.method == "PUT") else b"")
    url = service.address + path + (f"?{urlencode(query)}" if query else "")
    signed = AWSRequest(operation.method, url, data=body)
    if credentials:
        SigV4Auth(credentials, "profile", "us-east-1").add_auth(signed)
    with requests.Session() as session:
        session.trust_env = False
        headers = dict(signed.headers.items())
        return session.request(operation.method, url, data=body, headers=headers, timeout=20)


def session_of(service: Service, *actions: str) -> boto3.Session:
    keys = service.credentials(*actions)
    return boto3.Session(keys.access_key, keys.secret_key, region_name="us-east-1")


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


def test_a_new_operation_costs_a_shape_and_a_handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(model.OWN_MODEL_PATH.read_text())
    domain_name = document["shapes"]["GetKnownAttributesRequest"]["members"]["DomainName"]
    document["operations"]["CountNames"] = {
        "name": "CountNames",
        "http": {"method": "POST", "requestUri": "/openprofiles/v1/domains/{DomainName}/names"},
        "input": {"shape": "CountNamesRequest"},
        "output": {"shape": "CountedNames", "documentation": "The count."},
        "errors": [{"shape": "ResourceNotFoundException", "documentation": "There is no such domain."}],
        "documentation": "Count names. It is a toy.",
    }
    document["shapes"] |= {
        "CountNamesRequest": {
            "type": "structure",
            "required": ["DomainName", "Names"],
            "members": {"DomainName": domain_name, "Names": {"shape": "StringList"}},
        },
        "CountedNames": {
            "type": "structure",
            "members": {"Count": {"shape": "Count"}, "Longest": {"shape": "String"}, "At": {"shape": "Timestamp"}},
        },
    }
    path = tmp_path / "own_model.json"
    path.write_text(json.dumps(document))
    monkeypatch.setattr(model, "OWN_MODEL_PATH", path)
    monkeypatch.setattr(registry, "_own_handlers", dict(registry.own_handlers()))

    @registry.own_operation("CountNames")
    def count_names(call: Call, request: Any) -> Any:
        with call.reading(request["DomainName"]) as session:
            return {
                "Count": len(request["Names"]),
                "Longest": max(request["Names"], key=len, default=None),
                "At": session.now,
            }

    with running_service(tmp_path / "data") as running:
        operations = create_operations_client(session_of(running, "*"), running.address)
        counted = operations.count_names(DomainName="shop", Names=["Ann", "Bo"])
        nobody = operations.count_names(DomainName="shop", Names=[])
        with pytest.raises(ClientError, match="Domain other does not exist"):
            operations.count_names(DomainName="other", Names=[])
        limited = create_operations_client(session_of(running, "profile:*"), running.address)
        with pytest.raises(ClientError, match="may not call openprofiles:CountNames"):
            limited.count_names(DomainName="shop", Names=[])
        metrics = requests.get(running.address + "/metrics", timeout=20).text

    assert (counted["Count"], counted["Longest"], type(counted["At"])) == (2, "Ann", float)
    assert "Longest" not in nobody
    assert "openprofiles:CountNames" in model.own_actions()
    assert 'operation="openprofiles:CountNames"' in metrics
    described = generate_openapi.build_document(document, yaml.safe_load(generate_openapi.HEAD.read_text()))
    assert described["paths"]["/openprofiles/v1/domains/{DomainName}/names"]["post"]["operationId"] == "CountNames"
    assert "class CountNamesRequest(TypedDict)" in generate_wire.write_types(model.load_own_model())


# What the model refuses is not checked again behind it.
REFUSED: list[tuple[str, dict[str, Any]]] = [
    *(("CreateUploadJob", {"IdempotencyToken": token}) for token in ("", "x" * 65, "a b", "a\n", "é", "a/b", "\0")),
    *(("StartUploadJob", {"IdempotencyToken": token}) for token in ("", "x" * 65, "a\n")),
    *(("PutWebhook", {"Secret": secret}) for secret in ("x" * 15, "x" * 257, "geheim" * 3 + "\n", "ö" * 20)),
    *(("SetUploadJobOptions", {name: "OTHER"}) for name in ("WriteMode", "BlankCells", "ShortRows", "HandSetFields")),
    ("SetUploadJobOptions", {"DoubtfulRows": "OTHER"}),
    ("SetUploadJobOptions", {"FailureLimit": {"Records": -1}}),
    ("SetUploadJobOptions", {"FailureLimit": {"Percent": 100.5}}),
    ("SetUploadJobOptions", {"Checks": {"A": {"Type": "ONE_OF", "Values": ["x"] * 1001}}}),
    *(("PutMapping", {"Reading": {"Encoding": text}}) for text in (5, "x" * 2001)),
    ("PutMapping", {"Reading": {"ShortRows": []}}),
    ("PutMapping", {"Reading": {"Sheet": "x" * 2001}}),
    *(("PutMapping", {"Reading": {"Checks": checks}}) for checks in ("A=none", [1], ["x"] * 1001, ["x" * 2001])),
    ("PutMapping", {"Reading": {"Colour": "red"}}),
    *(("PutMapping", {"MappingName": name}) for name in ("my mapping", "x" * 65, "daily\n")),
]


@pytest.mark.parametrize(("name", "members"), REFUSED, ids=str)
def test_a_value_that_the_model_does_not_allow_is_refused_and_not_repeated(
    service: Service, name: str, members: dict[str, Any]
) -> None:
    answer = send(service, OPERATIONS[name], service.credentials("*"), **members)

    assert outcome(answer) == (400, "BadRequestException"), answer.text
    (value,) = members.values()
    assert not isinstance(value, str) or len(value) < 15 or value not in answer.text


@pytest.mark.parametrize("name", [one.name for one in OPERATIONS.values() if one.method == "PUT"])
def test_a_put_without_a_body_is_refused(service: Service, name: str) -> None:
    answer = send(service, OPERATIONS[name], service.credentials("*"), is_empty=True)

    assert (outcome(answer), answer.json()["Message"]) == (
        (400, "BadRequestException"),
        "The body must be a JSON object.",
    )
