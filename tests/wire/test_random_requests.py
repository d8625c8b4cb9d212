"""Random requests from the model's shapes, some of them spoilt: every answer is good or a modelled refusal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import budgets
from openprofiles.wire.app import Context, WireApp
from openprofiles.wire.check import violations
from openprofiles.wire.codec import write
from openprofiles.wire.model import (
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
)
from wire.samples import filled, filled_answer
from wire.served import MODEL, RawClient, allow_everything, serve, trust_everyone

ANSWERED = ("BadRequestException", "UnknownOperationException")


@pytest.fixture(scope="module")
def http() -> Iterator[RawClient]:
    def check_and_answer(context: Context[str], request: dict[str, Any]) -> dict[str, Any]:
        # What reaches a handler has the types and obeys the constraints of the model.
        assert violations(MODEL.operations[context.operation].input, request) == []
        assert_readable_types(MODEL.operations[context.operation].input, request)
        return filled_answer(MODEL.operations[context.operation])

    handlers = dict.fromkeys(MODEL.operations, check_and_answer)
    with serve(WireApp(MODEL, handlers, trust_everyone, allow_everything, version="1.2.3")) as address:
        client = RawClient(address)
        yield client
        client.close()


def assert_readable_types(shape: Shape, value: Any) -> None:
    match shape:
        case TextShape():
            assert isinstance(value, str)
            assert "\0" not in value.encode("utf-8").decode("utf-8")
        case IntegerShape():
            assert type(value) is int
            assert abs(value) <= 1 << (shape.bits - 1)
        case DoubleShape():
            assert type(value) is float
        case BooleanShape():
            assert type(value) is bool
        case TimestampShape():
            assert isinstance(value, datetime)
            assert value.tzinfo is UTC
        case ListShape():
            for element in value:
                assert_readable_types(shape.element, element)
        case MapShape():
            for key, entry in value.items():
                assert_readable_types(shape.key, key)
                assert_readable_types(shape.value, entry)
        case StructureShape():
            for name, entry in value.items():
                assert_readable_types(shape.members[name].shape, entry)


# JSON text may escape half a surrogate pair; UTF-8 cannot hold it, json.dumps escapes it for us.
any_text = st.text(st.characters(), max_size=20)
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([1 << 31, 1 << 63, 10**400, -1, 1e300])
    | st.floats()
    | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=4,
)


@st.composite
def values(draw: st.DrawFn, shape: Shape, spoilt: bool) -> Any:
    """A JSON value for a shape. Of a spoilt one, about one place in eight holds something else."""
    if spoilt and draw(st.integers(0, 7)) == 0:
        return draw(junk)
    match shape:
        case StructureShape():
            names = draw(st.lists(st.sampled_from(sorted(shape.members)), unique=True)) if shape.members else []
            names += [name for name in shape.required if name not in names]
            if shape.union and not spoilt:
                names = [draw(st.sampled_from(sorted(shape.members)))]
            return {shape.members[name].wire_name: draw(values(shape.members[name].shape, spoilt)) for name in names}
        case ListShape():
            least = shape.min_length or 0
            return draw(st.lists(values(shape.element, spoilt), min_size=least, max_size=max(least, 2)))
        case MapShape():
            entries = filled(shape)
            keys = draw(st.lists(any_text, max_size=2)) if spoilt else []
            return {key: draw(values(shape.value, spoilt)) for key in [*entries, *keys]}
        case TextShape():
            return draw(any_text) if spoilt else filled(shape, draw(st.integers(0, 9)))
        case IntegerShape() | DoubleShape():
            return draw(st.integers(0, 20) | st.floats(0, 1)) if spoilt else filled(shape, draw(st.integers(0, 9)))
        case BooleanShape():
            return draw(st.booleans())
        case TimestampShape():
            return draw(st.floats(-1e11, 1e12) if spoilt else st.floats(0, 2e9))


parts = st.binary(max_size=12) | st.sampled_from([b"1", b"true", b"%", b"%zz", b"a/b", b"..", b"\xff", b"x" * 300])


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, bytes]:
    """Method, target and body of a request for some operation, spoilt in one of these or nowhere."""
    operation = draw(st.sampled_from([MODEL.operations[name] for name in sorted(MODEL.operations)]))
    spoilt = draw(st.sampled_from(["nothing", "method", "label", "query", "body", "body", "body"]))
    sample = filled(operation.input)
    path = operation.path
    for member in operation.input.members_in("label"):
        raw, safe = sample[member.name].encode(), ""
        if spoilt == "label":
            raw, safe = draw(parts), draw(st.sampled_from(["", "/%"]))
        path = path.replace("{" + member.wire_name + "}", quote_from_bytes(raw, safe=safe))
    pairs = []
    for member in operation.input.members_in("query"):
        if spoilt == "query":
            raws = draw(st.lists(parts, max_size=2))
            pairs += [f"{member.wire_name}={quote_from_bytes(raw, safe='%&=+')}" for raw in raws]
        elif member.name in operation.input.required:
            pairs.append(f"{member.wire_name}={quote_from_bytes(filled(member.shape)[0].encode())}")
    method = draw(st.sampled_from(["HEAD", "OPTIONS", "PUT"])) if spoilt == "method" else operation.method
    return method, path + ("?" + "&".join(pairs) if pairs else ""), draw(bodies(operation, spoilt == "body"))


@st.composite
def bodies(draw: st.DrawFn, operation: Operation, spoilt: bool) -> bytes:
    document = {
        member.wire_name: draw(values(member.shape, spoilt))
        for member in operation.input.members_in("body")
        if member.name in operation.input.required or draw(st.booleans())
    }
    body = json.dumps(document).encode()
    if spoilt and draw(st.integers(0, 5)) == 0:
        start = draw(st.integers(0, len(body)))
        body = body[:start] + draw(st.binary(max_size=8)) + body[start + draw(st.integers(0, 8)) :]
    return body


@budgets.REQUESTS
@given(request=requests())
def test_any_request_gets_a_good_answer_or_a_modelled_refusal(http: RawClient, request: tuple[str, str, bytes]) -> None:
    method, target, body = request

    answer = http.send(method, target, body)

    event(f"answered {answer.status}")
    if answer.error_code is None:
        assert 200 <= answer.status < 300
    else:
        assert answer.error_code in ANSWERED
        assert 400 <= answer.status < 500
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-amzn-requestid"]


@budgets.CALLS
@given(st.datetimes(timezones=st.timezones()))
def test_a_timestamp_is_answered_to_the_millisecond_and_never_rounded_up(moment: datetime) -> None:
    operation = MODEL.operations["GetUploadJobPath"]

    _, _, body = write(operation, {"Url": "u", "ValidUntil": moment})
    assert isinstance(body, bytes)

    milliseconds = Decimal(json.loads(body, parse_float=Decimal)["ValidUntil"]) * 1000
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert milliseconds == milliseconds.to_integral_value()
    assert 0 <= microseconds - 1000 * milliseconds < 1000
