"""The codec's corners that the service model of today does not reach, and what it refuses to answer."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from openprofiles.wire.check import violations
from openprofiles.wire.codec import AnswerError, read, to_document, write
from openprofiles.wire.errors import WireError
from openprofiles.wire.model import Operation, load_model
from openprofiles.wire.model import build_model as build

MODEL = load_model()


def invented(location: str | None = "querystring") -> Operation:
    """An operation with a member of each scalar type in one place."""
    kinds = ["timestamp", "integer", "long", "string", "boolean"] + (["double"] if location is None else [])
    members: dict[str, Any] = {kind: {"shape": kind} for kind in kinds}
    for kind, member in members.items():
        if location is not None:
            member |= {"location": location, "locationName": f"{kind}-name"}
    model = build(
        {
            "botocore": "0",
            "metadata": {"protocol": "rest-json", "signingName": "x"},
            "pagination": {},
            "operations": {
                "Ask": {
                    "http": {"method": "GET", "requestUri": "/ask"},
                    "input": {"shape": "Question"},
                    "output": {"shape": "Answer"},
                    "errors": [],
                }
            },
            "shapes": {
                "Question": {"type": "structure", "members": members},
                "Answer": {"type": "structure", "members": {kind: {"shape": kind} for kind in ("double", "long")}},
                **{kind: {"type": kind} for kind in [*kinds, "double"]},
            },
        }
    )
    return model.operations["Ask"]


ASK = invented()
READ_AS = [
    (b"timestamp-name=2026-01-31T12:30:45Z", {"timestamp": datetime(2026, 1, 31, 12, 30, 45, tzinfo=UTC)}),
    (
        b"timestamp-name=2026-01-31T12%3A30%3A45.678%2B02%3A00",
        {"timestamp": datetime(2026, 1, 31, 10, 30, 45, 678000, UTC)},
    ),
    (b"integer-name=-2147483648&long-name=9223372036854775807", {"integer": -(1 << 31), "long": (1 << 63) - 1}),
    (b"boolean-name=true&string-name=", {"boolean": True, "string": ""}),
    (b"", {}),
]


@pytest.mark.parametrize(("query", "expected"), READ_AS)
def test_scalars_are_read_from_a_query(query: bytes, expected: dict[str, Any]) -> None:
    assert read(ASK, {}, query, b"") == expected


@pytest.mark.parametrize(
    "text",
    [
        "1700000000",
        "2026-01-31",
        "2026-02-31T00:00:00Z",
        "2026-01-31T00:00:60Z",
        "2026-01-31T00:00:00",
        "2026-01-31 00:00:00Z",
        "\u0662026-01-31T00:00:00Z",
        "0001-01-01T00:00:00%2B23:59",
        "",
    ],
)
def test_a_timestamp_in_a_query_that_is_not_iso_8601_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="'timestamp' must be a timestamp such as"):
        read(ASK, {}, b"timestamp-name=" + text.encode(), b"")


@pytest.mark.parametrize("query", [b"long-name=9223372036854775808", b"integer-name=-2147483649"])
def test_a_number_in_a_query_that_does_not_fit_is_refused(query: bytes) -> None:
    with pytest.raises(WireError, match="does not fit in"):
        read(ASK, {}, query, b"")


def test_a_long_of_64_bits_keeps_every_digit() -> None:
    operation = invented(location=None)

    request = read(operation, {}, b"", b'{"long": 9223372036854775807, "double": 1}')

    assert request == {"long": (1 << 63) - 1, "double": 1.0}
    assert type(request["double"]) is float


def test_infinite_numbers_are_answered_as_words() -> None:
    bodies = [to_document(ASK, {"double": value}) for value in (float("nan"), float("inf"), float("-inf"), 0.5)]

    assert [body["double"] for body in bodies] == ["NaN", "Infinity", "-Infinity", 0.5]


JANUARY = datetime(2026, 1, 31, tzinfo=UTC)


def upload_job(**members: Any) -> dict[str, Any]:
    return {"JobId": "0" * 32, **members}


def test_absent_members_are_left_out_of_an_answer() -> None:
    status, headers, body = write(MODEL.operations["GetUploadJob"], upload_job(StatusReason=None))

    assert (status, headers) == (200, [(b"content-type", b"application/json")])
    assert body == b'{"JobId":"00000000000000000000000000000000"}'


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 1, 31, tzinfo=UTC), b"1769817600"),
        (datetime(2026, 1, 31, 1, tzinfo=timezone(timedelta(hours=1))), b"1769817600"),
        (datetime(2026, 1, 31, 0, 0, 0, 678999, UTC), b"1769817600.678"),
        (datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), b"-0.001"),
    ],
)
def test_a_timestamp_is_answered_in_epoch_seconds_cut_to_milliseconds(moment: datetime, expected: bytes) -> None:
    _, _, body = write(MODEL.operations["GetUploadJob"], {"CreatedAt": moment})

    assert body == b'{"CreatedAt":' + expected + b"}"


NAIVE = datetime(2026, 1, 31)  # noqa: DTZ001
MATCHING = {"DomainName": "d", "CreatedAt": JANUARY, "LastUpdatedAt": JANUARY, "Matching": {"Enabled": 1}}

# Each row: id, operation, answer, part of the message.
UNFIT: list[tuple[str, str, Any, str]] = [
    ("unknown member", "GetUploadJob", upload_job(Jobid="x"), "has members that GetUploadJobResponse has not: Jobid"),
    (
        "unknown member further in",
        "GetUploadJob",
        upload_job(ResultsSummary={"X": 1}),
        "GetUploadJobResponse.ResultsSummary has",
    ),
    ("naive datetime", "GetUploadJob", upload_job(CreatedAt=NAIVE), "CreatedAt is not an aware datetime"),
    ("number for a datetime", "GetUploadJob", upload_job(CreatedAt=1), "CreatedAt is not an aware datetime"),
    ("number for text", "GetUploadJob", upload_job(StatusReason=7), "StatusReason is not a str"),
    (
        "half a surrogate pair",
        "GetUploadJob",
        upload_job(UniqueKey="\ud800"),
        "UniqueKey contains half of a surrogate pair",
    ),
    ("text for a number", "GetUploadJob", upload_job(DataExpiry="7"), "DataExpiry is not an int"),
    ("bool for a number", "GetUploadJob", upload_job(DataExpiry=True), "DataExpiry is not an int"),
    ("33 bits", "GetUploadJob", upload_job(DataExpiry=1 << 31), "DataExpiry is not an int of 32 bits"),
    ("number for a bool", "GetDomain", MATCHING, "Matching.Enabled is not a bool"),
    ("list for a map", "GetUploadJob", upload_job(Fields=[]), "Fields is not a mapping"),
    ("map for a list", "ListUploadJobs", {"Items": {}}, "Items is not a list"),
    ("text for a list", "ListUploadJobs", {"Items": "ab"}, "Items is not a list"),
    ("None in a list", "ListUploadJobs", {"Items": [None]}, "Items[0] is not a mapping"),
    ("required member missing", "CreateUploadJob", {}, "CreateUploadJobResponse.JobId is required and missing"),
    ("required member None", "CreateUploadJob", {"JobId": None}, "JobId is required and missing"),
    ("no mapping at all", "CreateUploadJob", None, "CreateUploadJobResponse is not a mapping"),
    (
        "status of an error",
        "GetSegmentEstimate",
        {"StatusCode": 404},
        "StatusCode is the status, and not one of success",
    ),
]


@pytest.mark.parametrize(("operation", "answer", "message"), [row[1:] for row in UNFIT], ids=[row[0] for row in UNFIT])
def test_an_answer_that_does_not_fit_the_model_is_refused_and_the_member_named(
    operation: str, answer: Any, message: str
) -> None:
    with pytest.raises(AnswerError) as caught:
        write(MODEL.operations[operation], answer)

    assert message in str(caught.value)


def test_a_member_bound_to_the_status_sets_it_and_stays_out_of_the_body() -> None:
    status, _, body = write(MODEL.operations["GetSegmentEstimate"], {"StatusCode": 202, "Estimate": "1"})

    assert (status, body) == (202, b'{"Estimate":"1"}')


def test_a_request_is_read_and_checked_in_well_under_a_millisecond() -> None:
    operation = MODEL.operations["CreateProfile"]
    body = json.dumps({"FirstName": "Ada", "Attributes": {f"a{number}": "x" for number in range(20)}}).encode()

    fastest_seconds = 1.0
    for _ in range(50):
        started = time.perf_counter()
        assert violations(operation.input, read(operation, {"DomainName": b"d"}, b"", body)) == []
        fastest_seconds = min(fastest_seconds, time.perf_counter() - started)

    assert fastest_seconds < 0.001
