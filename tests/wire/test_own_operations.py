"""Our own operations: what a new one costs, and the credential that each of them needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
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
from openprofiles.server.console.sessions import make_cookie, read_cookie
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


# What each operation needs, written down here again, so that no change of the model opens one.
ACTIONS = {
    "GetDomainSettings": "profile:GetDomain",
    "GetKnownAttributes": "profile:GetUploadJob",
    "CreateUploadJob": "profile:CreateUploadJob",
    "StartUploadJob": "profile:StartUploadJob",
    "GetUploadTarget": "profile:GetUploadJobPath",
    "RenameUploadJob": "profile:CreateUploadJob",
    "DiscardUploadJob": "profile:StopUploadJob",
    "ListProgress": "profile:GetUploadJob",
    "GetProgress": "profile:GetUploadJob",
    "PreviewUploadJob": "openprofiles:PreviewUploadJob",
    "GetPreview": "profile:GetUploadJob",
    "StopPreview": "openprofiles:PreviewUploadJob",
    "UndoUploadJob": "openprofiles:UndoUploadJob",
    "GetUndo": "profile:GetUploadJob",
    "ListKeptProfiles": "profile:GetUploadJob",
    "GetUploadJobOptions": "profile:GetUploadJob",
    "SetUploadJobOptions": "openprofiles:SetUploadJobOptions",
    "ListFailedRows": "profile:GetUploadJob",
    "ListRepeatedRows": "profile:GetUploadJob",
    "GetFailedRowsFile": "profile:GetUploadJob",
    "GetFailureReasons": "profile:GetUploadJob",
    "SuggestMapping": "profile:GetUploadJob",
    "SampleFile": "profile:CreateUploadJob",
    "ListMappings": "profile:GetUploadJob",
    "GetMapping": "profile:GetUploadJob",
    "PutMapping": "openprofiles:PutMapping",
    "DeleteMapping": "openprofiles:DeleteMapping",
    "CompareMapping": "profile:GetUploadJob",
    "ExplainObject": "openprofiles:ExplainObject",
    "ScrubProfileObject": "openprofiles:ScrubProfileObject",
    "GetLineage": "openprofiles:GetLineage",
    "ListDeadLetters": "openprofiles:GetDeadLetter",
    "GetDeadLetter": "openprofiles:GetDeadLetter",
    "DeleteDeadLetter": "openprofiles:DeleteDeadLetter",
    "RetryDeadLetter": "openprofiles:RetryDeadLetter",
    "FindProfiles": "profile:SearchProfiles",
    "GetSegmentEstimateDetails": "profile:GetSegmentEstimate",
    "ListSegmentMembers": "profile:GetSegmentMembership",
    "CheckSegmentSql": "profile:CreateSegmentEstimate",
    "ListSegmentSnapshots": "profile:GetSegmentSnapshot",
    "ListSegmentSnapshotChanges": "profile:GetSegmentMembership",
    "ExplainSegmentMembership": "profile:GetSegmentMembership",
    "GetWebhook": "openprofiles:GetWebhook",
    "PutWebhook": "openprofiles:PutWebhook",
    "DeleteWebhook": "openprofiles:DeleteWebhook",
}


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


def test_the_actions_are_those_that_are_written_down() -> None:
    assert {name: operation.action for name, operation in OPERATIONS.items()} == ACTIONS


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_an_operation_needs_its_action_on_the_domain(service: Service, operation: Operation) -> None:
    # A required member may need one of its own.
    needed = [ACTIONS[operation.name]]
    needed += [one for name in operation.input.required if (one := operation.input.members[name].action)]
    # Each action of all operations but its own.
    others = sorted({*ACTIONS.values()} - {ACTIONS[operation.name]})
    denied = (403, "AccessDeniedException")

    assert outcome(send(service, operation, None)) == (403, "MissingAuthenticationTokenException")
    assert outcome(send(service, operation, service.credentials(*others))) == denied
    assert outcome(send(service, operation, service.credentials("*", domains=("other",)))) == denied
    for allowed in (["*"], needed):
        answer = send(service, operation, service.credentials(*allowed, domains=("shop",)))
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
    assert both.status_code in (200, 400, 404), both.text


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
    ("SetUploadJobOptions", {"Checks": {"A": {"Type": "POSTCODE"}}}),
    ("SetUploadJobOptions", {"Checks": {"A": {"Type": "PATTERN", "Pattern": "a" * 1001}}}),
    *(("SetUploadJobOptions", {"File": {name: "x"}}) for name in ("Delimiter", "Quote", "LineEnds")),
    *(("SetUploadJobOptions", {"File": {name: -1}}) for name in ("HeaderLine", "FirstRow")),
    *(("CreateUploadJob", {"ObjectType": name}) for name in ("", "x" * 256)),
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


def test_options_are_the_same_wherever_they_are_sent() -> None:
    whole = load_own_model().structures["UploadJobOptions"]
    sent = OPERATIONS["SetUploadJobOptions"].input

    assert {name: one for name, one in sent.members.items() if one.location == "body"} == whole.members
    described = json.loads(model.OWN_MODEL_PATH.read_text())["shapes"]
    assert (
        described["SetUploadJobOptionsRequest"]["members"].items() >= described["UploadJobOptions"]["members"].items()
    )


# A session instead of a signature

SCRIPT = "x-csrf-token"
FOREIGN: list[dict[str, str | None]] = [
    {SCRIPT: "0" * 64},
    {SCRIPT: "é".encode().decode("latin-1")},
    {"Origin": "https://elsewhere.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Cookie": None},
    {"Cookie": "openprofiles_session=x"},
    {SCRIPT: None},
]


@pytest.fixture(scope="module")
def headers(service: Service) -> dict[str, str]:
    """What a script of the console sends with the session of a loader for the domain shop."""
    keys = service.credentials(
        "profile:GetUploadJob", "profile:StopUploadJob", "openprofiles:PutMapping", domains=("shop",)
    )
    cookie = make_cookie(service.services.master_key, keys.access_key, service.clock.now())
    session = read_cookie(service.services.master_key, cookie, service.clock.now())
    assert session is not None
    return {"Cookie": f"openprofiles_session={cookie}", SCRIPT: session.csrf_token, "Origin": service.address}


def ask(service: Service, method: str, path: str, headers: Mapping[str, str | None]) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        given = {name: value for name, value in headers.items() if value is not None}
        return session.request(method, service.address + path, headers=given, timeout=20)


def test_a_session_has_the_permissions_of_its_key(service: Service, headers: dict[str, str]) -> None:
    job_id = service.create()
    job = f"/openprofiles/v1/domains/shop/upload-jobs/{job_id}"

    progress = ask(service, "GET", f"{job}/progress", headers)
    refused = ask(service, "POST", f"{job}/preview", headers)
    elsewhere = ask(service, "GET", "/openprofiles/v1/domains/other/mappings", headers)
    stopped = ask(service, "PUT", f"/domains/shop/upload-jobs/{job_id}/stop", headers)

    assert (progress.status_code, progress.json()["JobId"]) == (200, job_id)
    assert progress.headers["cache-control"] == "no-store"
    assert [outcome(one) for one in (refused, elsewhere)] == [(403, "AccessDeniedException")] * 2
    assert (stopped.status_code, ask(service, "GET", f"{job}/progress", headers).json()["Status"]) == (200, "STOPPED")


@pytest.mark.parametrize("change", FOREIGN, ids=str)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/openprofiles/v1/domains/shop/mappings"),
        ("DELETE", "/openprofiles/v1/domains/shop/mappings/daily"),
        ("PUT", f"/domains/shop/upload-jobs/{IDENTIFIER}/stop"),
    ],
)
def test_a_request_that_no_page_of_the_session_sends_is_refused(
    service: Service, headers: dict[str, str], method: str, path: str, change: dict[str, str | None]
) -> None:
    answer = ask(service, method, path, {**headers, **change})

    assert outcome(answer)[0] == 403
    assert outcome(answer)[1] in ("InvalidSignatureException", "MissingAuthenticationTokenException")


def test_a_signature_counts_more_than_a_session(service: Service, headers: dict[str, str]) -> None:
    path = "/openprofiles/v1/domains/shop/mappings"
    keys = service.credentials("profile:ListDomains")
    signed = AWSRequest("GET", service.address + path)
    SigV4Auth(keys, "profile", "us-east-1").add_auth(signed)

    assert outcome(ask(service, "GET", path, {**headers, **dict(signed.headers.items())}))[1] == "AccessDeniedException"


# Cases of single operations


def test_a_mapping_keeps_every_choice_about_the_file(service: Service) -> None:
    reading = {"Encoding": "utf-8", "Delimiter": ",", "Quote": '"', "LineEnds": "LF", "HeaderLine": 2, "FirstRow": 1}
    reading |= {"Sheet": "A", "ShortRows": "LOAD", "Checks": ["Phone=none"]}
    operations = create_operations_client(session_of(service, "*"), service.address)

    operations.put_mapping(
        DomainName="shop", MappingName="all", Targets={"Email": "EmailAddress"}, UniqueKey="Email", Columns=["Email"],
        Reading=reading,
    )  # fmt: skip

    assert operations.get_mapping(DomainName="shop", MappingName="all")["Reading"] == reading


def test_a_mapping_by_headers_is_that_of_create_upload_job(service: Service) -> None:
    operations = create_operations_client(session_of(service, "*"), service.address)
    given = {"DomainName": "shop", "DisplayName": "a.csv", "UniqueKey": "Mail", "IdempotencyToken": "by-headers"}
    targets = {"Mail": "EmailAddress", "Tier": "Attributes.tier"}
    checks = {"Checks": {"Mail": {"Type": "EMAIL_ADDRESS"}}}

    job_id = operations.create_upload_job(**given, Targets=targets, Options=checks)["JobId"]
    again = operations.create_upload_job(**given, Targets=targets, Options=checks, Replaces=job_id)["JobId"]

    shown = service.client.get_upload_job(DomainName="shop", JobId=job_id)
    fields = {one["Source"]: one["Target"] for one in shown["Fields"].values()}
    assert fields == {"_source.Mail": "_profile.EmailAddress", "_source.Tier": "_profile.Attributes.tier"}
    assert shown["Fields"][shown["UniqueKey"]]["Source"] == "_source.Mail"
    assert list(operations.get_upload_job_options(DomainName="shop", JobId=job_id)["Checks"]) == [shown["UniqueKey"]]
    # It does not replace itself.
    assert (again, shown["Status"]) == (job_id, "CREATED")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"Targets": targets, "Fields": shown["Fields"]}, "Send either Fields or Targets"),
        ({"Targets": {}}, "Targets is empty"),
        ({"Targets": {"Tier": "Attributes.tier"}}, "unique key"),
        ({"Targets": targets, "Options": {"Checks": {"E": {"Type": "DATE"}}}}, "not a column in Targets"),
        ({"Targets": targets, "ObjectType": "Orders"}, "Give either ObjectType"),
        ({"Fields": shown["Fields"], "ObjectType": "Orders"}, "Give either ObjectType"),
    ]
    for more, message in wrong:
        with pytest.raises(ClientError, match=message):
            operations.create_upload_job(**given | {"IdempotencyToken": "other"}, **more)


def test_a_job_that_has_been_started_is_not_discarded(service: Service) -> None:
    operations = create_operations_client(session_of(service, "*"), service.address)
    waiting, upload = service.create(), service.upload()
    upload.put()
    operations.start_upload_job(DomainName="shop", JobId=upload.job_id)

    for job_id in (waiting, upload.job_id):
        operations.discard_upload_job(DomainName="shop", JobId=job_id)

    assert [service.job(job_id).status.value for job_id in (waiting, upload.job_id)] == ["STOPPED", "IN_PROGRESS"]


def test_bodies_are_limited_as_the_model_says(service: Service) -> None:
    for name in ("SetUploadJobOptions", "PutMapping", "SuggestMapping"):
        limit_bytes = {"SetUploadJobOptions": 65_536}.get(name, 1_048_576)
        path = OPERATIONS[name].path.format(DomainName="shop", JobId=IDENTIFIER, MappingName="a")
        method, url, body = OPERATIONS[name].method, service.address + path, b" " * (limit_bytes + 1)
        signed = AWSRequest(method, url, data=body)
        SigV4Auth(service.credentials("*"), "profile", "us-east-1").add_auth(signed)

        answer = requests.request(method, url, data=body, headers=dict(signed.headers), timeout=20)

        assert outcome(answer) == (413, "RequestEntityTooLargeException"), name
