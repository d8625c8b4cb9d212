"""Every operation through boto3 over a socket, every member, both ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore import xform_name

from openprofiles.wire.app import Context, WireApp
from openprofiles.wire.check import violations
from openprofiles.wire.model import StructureShape
from wire.samples import TAG_ARN, filled, filled_answer
from wire.served import MODEL, allow_everything, connect, serve, verify_signature


class Echo:
    """Remembers the last request, and answers what it was told to."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] | None = None
        self.context: Context[str] | None = None
        self.answer: dict[str, Any] = {}

    def __call__(self, context: Context[str], request: dict[str, Any]) -> dict[str, Any]:
        self.seen, self.context = request, context
        return self.answer


@dataclass(frozen=True)
class Service:
    client: Any
    echo: Echo

    def call(self, operation_name: str, request: dict[str, Any]) -> dict[str, Any]:
        self.echo.seen = None
        answer: dict[str, Any] = getattr(self.client, xform_name(operation_name))(**request)
        return answer


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    echo = Echo()
    app = WireApp(MODEL, dict.fromkeys(MODEL.operations, echo), verify_signature, allow_everything, version="1.2.3")
    with serve(app) as address:
        client = connect(address)
        yield Service(client, echo)
        client.close()


def only_required(shape: StructureShape, value: dict[str, Any]) -> dict[str, Any]:
    return {name: entry for name, entry in value.items() if name in shape.required}


@pytest.mark.parametrize("name", sorted(MODEL.operations))
def test_an_operation_round_trips_with_every_member_filled(service: Service, name: str) -> None:
    operation = MODEL.operations[name]
    request = filled(operation.input)
    assert violations(operation.input, request) == []
    service.echo.answer = filled_answer(operation, milliseconds=678)

    answer = service.call(name, request)

    assert service.echo.seen == request
    assert service.echo.context is not None
    assert service.echo.context.operation == name
    metadata = answer.pop("ResponseMetadata")
    assert metadata["RequestId"] == service.echo.context.request_id
    assert metadata["HTTPStatusCode"] == service.echo.answer.get("StatusCode", operation.status)
    assert answer == service.echo.answer


def test_an_operation_round_trips_with_only_what_is_required(service: Service) -> None:
    for name, operation in MODEL.operations.items():
        request = only_required(operation.input, filled(operation.input))
        service.echo.answer = only_required(operation.output, filled_answer(operation))

        answer = service.call(name, request)

        assert service.echo.seen == request
        answer.pop("ResponseMetadata")
        # botocore fills a member that is bound to the status from the status line.
        answer.pop("StatusCode", None)
        assert answer == service.echo.answer


def test_a_tag_arn_with_slashes_arrives_as_one_label(service: Service) -> None:
    service.echo.answer = {}

    service.call("UntagResource", {"resourceArn": TAG_ARN, "tagKeys": ["a", "b/c", "d+e"]})

    assert service.echo.seen == {"resourceArn": TAG_ARN, "tagKeys": ["a", "b/c", "d+e"]}


def test_boto3s_paginator_follows_the_tokens(service: Service) -> None:
    pages: Iterator[dict[str, Any]] = iter([{"Items": [], "NextToken": "a+/=&b"}, {"Items": []}])
    tokens = []

    def list_upload_jobs(context: Context[str], request: dict[str, Any]) -> dict[str, Any]:
        tokens.append(request.get("NextToken"))
        return next(pages)

    handlers = {"ListUploadJobs": list_upload_jobs}
    app = WireApp(MODEL, handlers, verify_signature, allow_everything, version="1.2.3")
    with serve(app) as address:
        client = connect(address)

        found = list(client.get_paginator("list_upload_jobs").paginate(DomainName="d"))

        client.close()
    assert len(found) == 2
    assert tokens == [None, "a+/=&b"]
