"""Decode requests from HTTP and encode answers to HTTP, by the shapes of the model.

The codec is strict about types, because a silently truncated number would damage data. It ignores unknown members of
AWS's operations, because newer clients may send them. JSON is always UTF-8, whatever the content type says.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeAlias
from urllib.parse import unquote_to_bytes

from openprofiles.wire.check import entry_path, member_path, unknown_members
from openprofiles.wire.errors import WireError, bad_request
from openprofiles.wire.model import (
    BlobShape,
    BooleanShape,
    DoubleShape,
    IntegerShape,
    ListShape,
    MapShape,
    Member,
    Operation,
    Shape,
    StructureShape,
    TextShape,
    TimestampShape,
)


class AnswerError(Exception):
    """A handler's answer does not fit the model. This is our fault, never the caller's; no value is in the message."""


# A whole body, or the parts of one.
Content: TypeAlias = bytes | Iterable[bytes]


def read(
    operation: Operation,
    labels: Mapping[str, bytes],
    query_string: bytes,
    body: bytes,
    *,
    is_exact: bool = False,
) -> dict[str, Any]:
    """Read the request of ``operation`` into a dict by member name; constraints are not checked here.

    Args:
        is_exact: refuse a body with unknown members, and a PUT without a body.
        operation: as the router found it.
        labels: as the router gave them, still percent-encoded.
        query_string: as sent, without the question mark.
        body: all of it; not looked at when no member travels there.

    Returns:
        Only members that were sent: null counts as absent, unknown members are left out. Timestamps are aware datetimes
        in UTC, of microseconds.

    Raises:
        WireError: BadRequestException, naming the member, when a value cannot be what its shape asks for.
    """
    request = {
        member.name: _read_text(member.shape, _decode(labels[member.wire_name], member.name), member.name)
        for member in operation.input.members_in("label")
    }
    in_query = operation.input.members_in("query")
    if in_query:
        request |= _read_query(in_query, query_string)
    for member in operation.input.members_in("payload"):
        limit_bytes = member.shape.max_length if isinstance(member.shape, BlobShape) else None
        if limit_bytes is not None and len(body) > limit_bytes:
            raise WireError("RequestEntityTooLargeException", f"The body is larger than {limit_bytes} bytes.")
        request[member.name] = body
    in_body = operation.input.members_in("body")
    if in_body:
        if is_exact and operation.method == "PUT" and not body:
            # It would replace something by nothing.
            raise bad_request("The body must be a JSON object.")
        sent = _parse(body)
        if is_exact:
            refuse_unknown(in_body, sent)
        request |= _read_members(in_body, sent, "")
    return request


def refuse_unknown(members: Iterable[Member], given: Mapping[str, Any]) -> None:
    """Refuse members that are not among these, at any depth.

    Raises:
        WireError: BadRequestException, naming the first of them and the members that there are.
    """
    for path, known in unknown_members({member.name: member for member in members}, given):
        # It may have characters that no answer can carry.
        raise bad_request(f"There is no member {path!r}. The members there are {', '.join(sorted(known))}.")


def write(operation: Operation, answer: Mapping[str, Any]) -> tuple[int, list[tuple[bytes, bytes]], Content]:
    """Write the answer of ``operation``: status, headers and body.

    Members that are None are left out. A member bound to the status sets it and stays out of the body, like those bound
    to headers; one that is the payload is the whole body. Timestamps are cut to milliseconds, the finest that Smithy
    allows.

    Raises:
        AnswerError: a member is unknown, missing though required, or of another type than the model's; a datetime is
            naive; the status is not one of success.
    """
    document = to_document(operation, answer)
    status = operation.status
    for member in operation.output.members_in("status"):
        status = document.pop(member.wire_name, status)
        if not 200 <= status <= 299:
            raise AnswerError(f"{operation.output.name}.{member.name} is the status, and not one of success.")
    headers = [
        (member.wire_name.lower().encode("ascii"), document.pop(member.wire_name).encode("utf-8"))
        for member in operation.output.members_in("header")
        if member.wire_name in document
    ]
    for member in operation.output.members_in("payload"):
        return status, headers, document[member.wire_name]
    if status == NO_CONTENT:
        return status, headers, b""
    body = _ENCODER.encode(document).encode("utf-8")
    return status, [*headers, (b"content-type", b"application/json")], body


def to_document(operation: Operation, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Make the JSON document of an answer, with timestamps as epoch seconds.

    Raises:
        AnswerError: as ``write``.
    """
    try:
        return _write_structure(operation.output, answer)
    except _Unfit as unfit:
        raise AnswerError(f"{operation.output.name}{unfit.place} {unfit.what}.") from None


# Reading the text of paths and queries


_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,20}")
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def _decode(raw: bytes, path: str) -> str:
    if _BROKEN_ESCAPE.search(raw):
        raise _wrong(path, "is not percent-encoded correctly")
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise _wrong(path, "is not UTF-8") from None


def _read_query(members: list[Member], query_string: bytes) -> dict[str, Any]:
    given: dict[bytes, list[bytes]] = {}
    for pair in query_string.split(b"&"):
        name, _, value = pair.partition(b"=")
        # A plus is a blank in a query, as every web framework reads it; SDKs send %20 and %2B.
        given.setdefault(unquote_to_bytes(name.replace(b"+", b" ")), []).append(value.replace(b"+", b" "))
    request: dict[str, Any] = {}
    for member in members:
        # An empty value is not absence: `max-results=` is a wrong number.
        texts = [_decode(value, member.name) for value in given.get(member.wire_name.encode(), ())]
        if not texts:
            continue
        if isinstance(member.shape, ListShape):
            element = member.shape.element
            request[member.name] = [
                _read_text(element, text, f"{member.name}[{position}]") for position, text in enumerate(texts)
            ]
        elif len(texts) > 1:
            raise _wrong(member.name, f"appears {len(texts)} times in the query ({member.wire_name}); send it once")
        else:
            request[member.name] = _read_text(member.shape, texts[0], member.name)
    return request


def _read_text(shape: Shape, text: str, path: str) -> Any:
    match shape:
        case BooleanShape():
            if text not in ("true", "false"):
                raise _wrong(path, "must be true or false")
            return text == "true"
        case IntegerShape():
            # Python's int takes underscores, blanks and the digits of every script.
            if not _WHOLE_NUMBER.fullmatch(text):
                raise _wrong(path, "must be an integer")
            return _in_range(shape, int(text), path)
        case TimestampShape():
            return _read_date_time(text, path)
        case _:
            return _storable(text, path)


def _read_date_time(text: str, path: str) -> datetime:
    try:
        if _DATE_TIME.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # The form is right and the date does not exist: refused below.
    raise _wrong(path, "must be a timestamp such as 2026-01-31T12:00:00Z")


# Reading JSON


def _parse(body: bytes) -> dict[str, Any]:
    """Parse the body as a JSON object; an empty body is one without members."""
    if not body:
        return {}
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        raise bad_request("The body is nested too deeply.") from None
    except ValueError as error:
        # Not UTF-8, not JSON, NaN, or a number of thousands of digits. The parser's own message could repeat the body.
        raise bad_request(f"The body is not JSON in UTF-8{json_error_place(error)}.") from None
    if not isinstance(document, dict):
        raise bad_request("The body must be a JSON object.")
    return document


def json_error_place(error: ValueError) -> str:
    """Name the place of a JSON error, as the end of a sentence.

    Returns:
        an empty text if the parser does not name the place.
    """
    match error:
        case json.JSONDecodeError(lineno=line, colno=column):
            pass
        case UnicodeDecodeError(object=body, start=start):
            before = body[:start]
            line = before.count(b"\n") + 1
            column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        case _:
            return ""
    return f", see line {line}, column {column}"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _read_members(members: list[Member], document: dict[str, Any], path: str) -> dict[str, Any]:
    values = {}
    for member in members:
        value = document.get(member.wire_name)
        if value is not None:
            values[member.name] = read_value(member.shape, value, member_path(path, member.name))
    return values


def read_value(shape: Shape, value: Any, path: str) -> Any:
    """Read a value of a JSON body; unknown members are left out.

    Args:
        path: where it is, for messages: ``Fields.Email.Target``.

    Raises:
        WireError: BadRequestException, naming the member, when it cannot be what its shape asks for.
    """
    match shape:
        case TextShape():
            if not isinstance(value, str):
                raise _wrong(path, "must be text")
            return _storable(value, path)
        case IntegerShape():
            return _read_integer(shape, value, path)
        case DoubleShape():
            return _read_double(value, path)
        case BooleanShape():
            if not isinstance(value, bool):
                raise _wrong(path, "must be true or false")
            return value
        case TimestampShape():
            return _read_epoch_seconds(value, path)
        case ListShape():
            if not isinstance(value, list):
                raise _wrong(path, "must be a list")
            return [read_value(shape.element, element, f"{path}[{at}]") for at, element in enumerate(value)]
        case MapShape():
            if not isinstance(value, dict):
                raise _wrong(path, "must be an object")
            return _read_map(shape, value, path)
        case BlobShape():
            return value
        case StructureShape():
            if not isinstance(value, dict):
                raise _wrong(path, "must be an object")
            return _read_members(list(shape.members.values()), value, path)


def _read_map(shape: MapShape, value: dict[str, Any], path: str) -> dict[str, Any]:
    entries = {}
    for at, (key, entry) in enumerate(value.items()):
        entries[_storable(key, f"{path}[{at}]")] = read_value(shape.value, entry, entry_path(path, shape, at, key))
    return entries


def _read_integer(shape: IntegerShape, value: Any, path: str) -> int:
    # bool is an int in Python. 10.0 is the same number as 10 in JSON; 10.9 is not an integer.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(path, "must be an integer")
    if isinstance(value, float) and not value.is_integer():
        raise _wrong(path, "must be an integer")
    return _in_range(shape, int(value), path)


def _in_range(shape: IntegerShape, value: int, path: str) -> int:
    limit = 1 << (shape.bits - 1)
    if not -limit <= value < limit:
        raise _wrong(path, f"does not fit in {shape.bits} bits")
    return value


def _read_double(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(path, "must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _wrong(path, "is too large")
    return number


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _read_epoch_seconds(value: Any, path: str) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(path, "must be a number of seconds since 1970-01-01T00:00:00Z")
    try:
        return _EPOCH + timedelta(seconds=value)
    except OverflowError:
        # Milliseconds sent by mistake end here, 50,000 years ahead.
        raise _wrong(path, "is outside the years 1 to 9999; it must be a number of seconds, not milliseconds") from None


def _storable(text: str, path: str) -> str:
    """Refuse what a database cannot hold as text: NUL, and half a surrogate pair (``\\ud800`` alone in JSON)."""
    if "\0" in text:
        raise _wrong(path, "must not contain the character U+0000")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise _wrong(path, "contains half of a surrogate pair, which is not a character") from None
    return text


def _wrong(path: str, what: str) -> WireError:
    return bad_request(f"Value at '{path}' {what}.")


# Writing

NO_CONTENT = 204
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


# The value of a member that is null in an answer although the model requires it, as AWS documents it in one place.
NULL: Any = object()


class _Unfit(Exception):
    """An error in a part of an answer. Its location is added while it is raised, so a valid answer costs nothing."""

    def __init__(self, what: str, place: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.place = place

    def within(self, place: str) -> _Unfit:
        return _Unfit(self.what, place + self.place)


def _write_structure(shape: StructureShape, value: Any) -> dict[str, Any]:
    # The type first: to ask for the abstract one takes several times as long.
    if type(value) is not dict and not isinstance(value, Mapping):
        raise _Unfit("is not a mapping")
    members = shape.members
    if not value.keys() <= members.keys():
        unknown = value.keys() - members.keys()
        raise _Unfit(f"has members that {shape.name} has not: {', '.join(sorted(map(str, unknown)))}")
    for name in shape.required:
        if value.get(name) is None:
            raise _Unfit("is required and missing", f".{name}")
    document: dict[str, Any] = {}
    for name, entry in value.items():
        if entry is NULL:
            document[members[name].wire_name] = None
        elif entry is not None:
            member = members[name]
            shape_of_member = member.shape
            if type(entry) is str and type(shape_of_member) is TextShape and entry.isascii():
                # What most members are.
                document[member.wire_name] = entry
                continue
            try:
                document[member.wire_name] = _write_json(shape_of_member, entry)
            except _Unfit as unfit:
                raise unfit.within(f".{name}") from None
    return document


def _write_list(shape: ListShape, value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise _Unfit("is not a list")
    entries = []
    for at, element in enumerate(value):
        try:
            entries.append(_write_json(shape.element, element))
        except _Unfit as unfit:
            raise unfit.within(f"[{at}]") from None
    return entries


def _write_map(shape: MapShape, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _Unfit("is not a mapping")
    entries = {}
    for at, (key, entry) in enumerate(value.items()):
        try:
            entries[_write_text(shape.key, key)] = _write_json(shape.value, entry)
        except _Unfit as unfit:
            raise unfit.within(f"[{at}]") from None
    return entries


def _write_text(_shape: TextShape, value: Any) -> str:
    if not isinstance(value, str):
        raise _Unfit("is not a str")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise _Unfit("contains half of a surrogate pair") from None
    return value


def _write_integer(shape: IntegerShape, value: Any) -> int:
    limit = 1 << (shape.bits - 1)
    if isinstance(value, bool) or not isinstance(value, int) or not -limit <= value < limit:
        raise _Unfit(f"is not an int of {shape.bits} bits")
    return value


def _write_double(_shape: DoubleShape, value: Any) -> float | str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit("is not a number")
    if math.isfinite(value):
        return value
    # JSON has no such numbers; Smithy sends them as these words.
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _write_boolean(_shape: BooleanShape, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Unfit("is not a bool")
    return value


def _write_epoch_seconds(_shape: TimestampShape, value: Any) -> int | float:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _Unfit("is not an aware datetime")
    milliseconds = (value - _EPOCH) // timedelta(milliseconds=1)
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000


def _write_blob(_shape: BlobShape, value: Any) -> Any:
    # Bytes, or an iterator of them, which must not be read here.
    return value


_WRITERS: dict[type[Shape], Callable[[Any, Any], Any]] = {
    StructureShape: _write_structure,
    ListShape: _write_list,
    MapShape: _write_map,
    TextShape: _write_text,
    IntegerShape: _write_integer,
    DoubleShape: _write_double,
    BlobShape: _write_blob,
    BooleanShape: _write_boolean,
    TimestampShape: _write_epoch_seconds,
}


def _write_json(shape: Shape, value: Any) -> Any:
    return _WRITERS[type(shape)](shape, value)
