"""What the endpoint does around the codec: errors, identification, limits of what is said and logged."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import botocore.exceptions
import pytest

from openprofiles.wire.app import Context, Finished, Handler, WireApp
from openprofiles.wire.errors import STATUS_BY_CODE, WireError, write_error
from openprofiles.wire.model import Operation
from openprofiles.wire.signature import SignedRequest, verify_head
from wire.samples import filled_answer
from wire.served import (
    ACCESS_KEY_ID,
    MODEL,
    SECRET,
    UNVERIFIED,
    RawClient,
    allow_everything,
    connect,
    serve,
    trust_everyone,
    verify_signature,
)

SECRET_VALUE = "Geheimnis"


class CustomerFault(Exception):
    """An error of the domain that the caller should see."""


def to_wire_error(error: Exception) -> WireError | None:
    return WireError("ResourceNotFoundException", str(error)) if isinstance(error, CustomerFault) else None


@contextmanager
def raw_service(**handlers: Handler[str]) -> Iterator[tuple[RawClient, list[Finished[str]]]]:
    """A server that trusts everyone, and what it reported."""
    finished: list[Finished[str]] = []
    app = WireApp(
        MODEL,
        handlers,
        trust_everyone,
        allow_everything,
        version="1.2.3",
        to_wire_error=to_wire_error,
        on_finished=finished.append,
    )
    with serve(app) as address:
        client = RawClient(address)
        yield client, finished
        client.close()


def test_an_operation_without_a_handler_says_so_and_is_not_repeated_by_sdks() -> None:
    with raw_service() as (http, _):
        answer = http.send("GET", "/domains")

    assert (answer.status, answer.error_code) == (400, "BadRequestException")
    assert answer.message == "ListDomains is not available in openprofiles 1.2.3"


def test_a_handlers_own_error_reaches_boto3_as_its_modelled_exception() -> None:
    def get_domain(context: Context[str], request: Any) -> dict[str, Any]:
        raise CustomerFault("Domain d does not exist.")

    app = WireApp(
        MODEL,
        {"GetDomain": get_domain},
        verify_signature,
        allow_everything,
        version="1.2.3",
        to_wire_error=to_wire_error,
    )
    with serve(app) as address:
        client = connect(address)
        with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
            client.get_domain(DomainName="d")
        client.close()

    assert caught.value.response["Error"] == {
        "Code": "ResourceNotFoundException",
        "Message": "Domain d does not exist.",
    }
    assert caught.value.response["Message"] == "Domain d does not exist."
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert caught.value.response["ResponseMetadata"]["RequestId"]


def test_an_unexpected_error_is_answered_without_detail_and_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def create_profile(context: Context[str], request: Any) -> dict[str, Any]:
        try:
            return {}[request["FirstName"]]
        except KeyError as error:
            raise RuntimeError(request["FirstName"]) from error

    with raw_service(CreateProfile=create_profile) as (http, _), caplog.at_level(logging.DEBUG):
        body = json.dumps({"FirstName": SECRET_VALUE}).encode()
        answer = http.send("POST", f"/domains/d/profiles?x={SECRET_VALUE}", body)

    assert (answer.status, answer.error_code) == (500, "InternalServerException")
    assert answer.message == "An internal service error occurred."
    [record] = [record for record in caplog.records if record.name == "openprofiles.wire"]
    logged = record.getMessage()
    assert f"CreateProfile failed unexpectedly (request {answer.headers['x-amzn-requestid']})" in logged
    assert "builtins.RuntimeError" in logged
    assert "builtins.KeyError" in logged
    assert "test_app.py" in logged
    assert SECRET_VALUE not in caplog.text


def test_an_answer_that_does_not_fit_the_model_is_our_fault_and_names_the_member(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def get_domain(context: Context[str], request: Any) -> dict[str, Any]:
        return {**filled_answer(MODEL.operations["GetDomain"]), "DomainNmae": "d"}

    with raw_service(GetDomain=get_domain) as (http, _):
        answer = http.send("GET", "/domains/d")

    assert answer.status == 500
    assert "GetDomainResponse has members that GetDomainResponse has not: DomainNmae" in caplog.text


def test_every_answer_has_a_request_id_of_its_own_and_a_date() -> None:
    def list_domains(context: Context[str], request: Any) -> dict[str, Any]:
        return {}

    with raw_service(ListDomains=list_domains) as (http, _):
        answers = [http.send("GET", target) for target in ("/domains", "/domains", "/nowhere")]

    assert [answer.status for answer in answers] == [200, 200, 404]
    assert answers[0].body == b"{}"
    assert len({answer.headers["x-amzn-requestid"] for answer in answers}) == 3
    for answer in answers:
        # SDKs correct their clocks by it.
        assert answer.headers["date"].endswith("GMT")
        assert answer.headers["content-type"] == "application/json"


def test_nothing_is_said_about_routes_before_the_signature_is_verified() -> None:
    app = WireApp(MODEL, {}, verify_signature, allow_everything, version="1.2.3")
    with serve(app) as address:
        http = RawClient(address)
        answers = [
            http.send("GET", "/domains"),
            http.send("GET", "/nowhere"),
            http.send("POST", "/domains/d/profiles", b"no JSON"),
        ]
        http.close()

    assert len({(answer.status, answer.error_code) for answer in answers}) == 1
    assert answers[0].status == 403


def test_a_request_is_authorised_by_operation_and_request_before_its_values_are_checked() -> None:
    asked: list[tuple[str, str, dict[str, Any]]] = []

    def refuse(principal: str, operation: Operation, request: dict[str, Any]) -> None:
        asked.append((principal, operation.name, request))
        raise WireError("AccessDeniedException", "Not allowed.")

    def tag_resource(context: Context[str], request: Any) -> dict[str, Any]:
        raise AssertionError("called without permission")

    app = WireApp(MODEL, {"TagResource": tag_resource}, trust_everyone, refuse, version="1.2.3")
    with serve(app) as address:
        http = RawClient(address)
        answer = http.send("POST", "/tags/no-arn", b'{"tags": {}}')
        http.close()

    # TagResource lists no such code; the truth is answered all the same.
    assert (answer.status, answer.error_code) == (403, "AccessDeniedException")
    assert asked == [("anyone", "TagResource", {"resourceArn": "no-arn", "tags": {}})]


def test_a_handler_learns_the_caller_the_region_and_the_operation_off_the_event_loop() -> None:
    seen: list[tuple[Context[str], str]] = []

    def list_domains(context: Context[str], request: Any) -> dict[str, Any]:
        seen.append((context, threading.current_thread().name))
        return {}

    with raw_service(ListDomains=list_domains) as (http, _):
        answer = http.send("GET", "/domains")

    [(context, thread_name)] = seen
    assert (context.principal, context.region, context.operation) == ("anyone", "us-east-1", "ListDomains")
    assert context.request_id == answer.headers["x-amzn-requestid"]
    assert context.now.tzinfo is not None
    assert "worker" in thread_name


def test_each_answered_request_is_reported_once() -> None:
    def get_domain(context: Context[str], request: Any) -> dict[str, Any]:
        raise CustomerFault("Domain d does not exist.")

    with raw_service(GetDomain=get_domain) as (http, finished):
        answers = [http.send("GET", "/domains/d"), http.send("GET", "/nowhere")]

    assert [(each.operation, each.principal, each.status, each.error_code) for each in finished] == [
        ("GetDomain", "anyone", 404, "ResourceNotFoundException"),
        (None, "anyone", 404, "UnknownOperationException"),
    ]
    assert [each.request_id for each in finished] == [answer.headers["x-amzn-requestid"] for answer in answers]
    assert all(0 < each.duration_seconds < 10 for each in finished)


def test_a_handler_for_an_operation_that_does_not_exist_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match="no operation GetDomian"):
        WireApp(MODEL, {"GetDomian": lambda _, __: {}}, trust_everyone, allow_everything, version="1.2.3")


def test_boto3_sees_each_error_code_of_authentication() -> None:
    app = WireApp(MODEL, {"ListDomains": lambda _, __: {}}, verify_signature, allow_everything, version="1.2.3")
    with serve(app) as address:
        clients = [connect(address, secret="wrong"), connect(address, access_key_id="AKIDUNKNOWN")]
        codes = []
        for client in clients:
            with pytest.raises(botocore.exceptions.ClientError) as caught:
                client.list_domains()
            codes.append((caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]))
            client.close()

    assert codes[0][0] == "InvalidSignatureException"
    assert codes[1] == ("UnrecognizedClientException", "The security token included in the request is invalid.")
    assert all(ACCESS_KEY_ID not in message for _, message in codes)


@pytest.mark.parametrize("code", sorted(STATUS_BY_CODE))
def test_an_error_has_its_bare_name_in_the_header_and_its_message_in_the_body(code: str) -> None:
    status, headers, body = write_error(WireError(code, "Nö."))

    assert status == STATUS_BY_CODE[code]
    assert (b"x-amzn-errortype", code.encode()) in headers
    assert json.loads(body) == {"Message": "Nö."}
    assert (b"x-amzn-error-message", b"N?.") in headers


def test_the_message_in_the_header_is_one_short_line() -> None:
    _, headers, _ = write_error(WireError("BadRequestException", "a\r\nb\x00" + "c" * 5000))

    (message,) = [value for name, value in headers if name == b"x-amzn-error-message"]
    assert message == b"a  b " + b"c" * 1019


def test_the_models_errors_have_the_models_status() -> None:
    assert {code: STATUS_BY_CODE[code] for code in MODEL.errors} == dict(MODEL.errors)


def test_an_unknown_error_code_is_refused() -> None:
    with pytest.raises(ValueError, match="ConflictException is not an error code"):
        WireError("ConflictException", "x")


def test_a_server_that_hides_the_raw_path_is_refused() -> None:
    app = WireApp(MODEL, {}, trust_everyone, allow_everything, version="1.2.3")
    scope = _scope("http")
    del scope["raw_path"]

    with pytest.raises(RuntimeError, match="raw_path"):
        asyncio.run(app(scope, _unused_receive, _unused_send))


def test_a_client_that_leaves_in_the_middle_of_its_body_is_neither_served_nor_answered() -> None:
    app = WireApp(MODEL, {}, _unused_authenticate, allow_everything, version="1.2.3")
    messages: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> dict[str, Any]:
        return next(messages)

    asyncio.run(app(_scope("http"), receive, _unused_send))

    assert list(messages) == []


def test_a_web_socket_is_closed() -> None:
    app = WireApp(MODEL, {}, _unused_authenticate, allow_everything, version="1.2.3")
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(_scope("websocket"), _unused_receive, send))

    assert [message["type"] for message in sent] == ["websocket.close"]


def _scope(kind: str) -> dict[str, Any]:
    return {
        "type": kind,
        "method": "POST",
        "path": "/domains",
        "raw_path": b"/domains",
        "query_string": b"",
        "headers": [],
    }


def _unused_authenticate(request: SignedRequest) -> str:
    raise AssertionError("no request should come this far")


async def _unused_receive() -> dict[str, Any]:
    raise AssertionError("nothing should be received")


async def _unused_send(message: Any) -> None:
    raise AssertionError("nothing should be sent")


def test_authentication_sees_the_request_as_it_was_sent() -> None:
    seen: list[SignedRequest] = []

    def remember(request: SignedRequest) -> str:
        seen.append(request)
        return "anyone"

    app = WireApp(MODEL, {}, remember, allow_everything, version="1.2.3")
    with serve(app) as address:
        http = RawClient(address)
        http.send("DELETE", "/tags/arn%3aaws%2Fx?tagKeys=a%20b&tagKeys=+", b"body")
        http.close()

    [request] = seen
    assert (request.method, request.raw_path) == ("DELETE", b"/tags/arn%3aaws%2Fx")
    assert (request.raw_query, request.body) == (b"tagKeys=a%20b&tagKeys=+", b"body")


def test_a_large_request_that_no_body_could_make_good_is_refused_before_it_is_sent() -> None:
    def check_head(request: SignedRequest) -> None:
        verify_head(request, {ACCESS_KEY_ID: SECRET}.get, datetime.now(UTC))

    app = WireApp(MODEL, {}, verify_signature, allow_everything, version="1.2.3", check_head=check_head)
    head = f"POST /domains/d HTTP/1.1\r\nHost: h\r\nAuthorization: {UNVERIFIED}\r\nContent-Length: 1000000\r\n\r\n"

    with serve(app) as address, socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as connection:
        connection.settimeout(20)
        connection.sendall(head.encode())
        answer = connection.recv(1 << 16)

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"IncompleteSignatureException" in answer
