"""The service models: which operations exist, where each member travels, and what is allowed in it.

``model.json`` next to this file is AWS's, which ``scripts/generate_wire.py`` writes. ``own_model.json`` is that of our
own operations, in the same form, and edited by hand. Loading refuses everything that the router, codec and check do not
know (`UnsupportedModel`, with its location), so that a newer model cannot work partly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

# The largest text of AWS's model is a Layout of 2,000,000 characters, 8 MB at most; AWS's API gateway has this limit.
DEFAULT_BODY_LIMIT_BYTES = 10 * 1024 * 1024

OWN_MODEL_PATH = Path(__file__).with_name("own_model.json")
# What an action begins with: profile:GetDomain is AWS's, openprofiles:PutMapping our own.
AWS_PREFIX, OWN_PREFIX = "profile", "openprofiles"

Location = Literal["body", "label", "query", "status", "header", "payload"]


class UnsupportedModel(Exception):
    """The model uses something that the wire layer does not know. The message names the place."""


@dataclass(frozen=True, slots=True)
class TextShape:
    """Text. Lengths are in code points; ``pattern_text`` is as the model has it, ``pattern`` is for ``search``."""

    name: str
    min_length: int | None
    max_length: int | None
    pattern_text: str | None
    pattern: re.Pattern[str] | None
    allowed: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class IntegerShape:
    """A whole number of 32 bits (the model's integer) or 64 bits (its long)."""

    name: str
    bits: Literal[32, 64]
    min_value: int | None
    max_value: int | None


@dataclass(frozen=True, slots=True)
class DoubleShape:
    """A finite number."""

    name: str
    min_value: float | None
    max_value: float | None


@dataclass(frozen=True, slots=True)
class BooleanShape:
    """True or false."""

    name: str


@dataclass(frozen=True, slots=True)
class TimestampShape:
    """An aware datetime; epoch seconds in bodies, ISO 8601 in paths and queries."""

    name: str


@dataclass(frozen=True, slots=True)
class BlobShape:
    """Bytes that are a whole body. ``streaming``: an answer's, sent part by part."""

    name: str
    max_length: int | None
    streaming: bool


@dataclass(frozen=True, slots=True)
class ListShape:
    """A list. Lengths are counts of elements."""

    name: str
    element: Shape
    min_length: int | None
    max_length: int | None


@dataclass(frozen=True, slots=True)
class MapShape:
    """A map with text keys. Lengths are counts of entries."""

    name: str
    key: TextShape
    value: Shape
    min_length: int | None
    max_length: int | None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a structure: its name in the API, its shape, and where it travels under which name.

    ``action``: what the caller of a request with this member must be allowed to do in addition; None: nothing.
    """

    name: str
    shape: Shape
    location: Location
    wire_name: str
    action: str | None


@dataclass(frozen=True, slots=True)
class StructureShape:
    """A structure; of a union exactly one member is set."""

    name: str
    members: Mapping[str, Member]
    required: tuple[str, ...]
    union: bool

    def members_in(self, location: Location) -> list[Member]:
        """List the members that travel in ``location``, by name."""
        return [member for member in self.members.values() if member.location == location]


Shape: TypeAlias = (
    TextShape
    | IntegerShape
    | DoubleShape
    | BooleanShape
    | TimestampShape
    | BlobShape
    | ListShape
    | MapShape
    | StructureShape
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        action: what its caller must be allowed to do, such as ``profile:GetUploadJob``.
        body_limit_bytes: a longer body of a request is refused.
        path: the template (``/domains/{DomainName}``).
        status: of a good answer.
    """

    name: str
    action: str
    body_limit_bytes: int
    method: str
    path: str
    status: int
    input: StructureShape
    output: StructureShape
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """The whole service.

    Attributes:
        botocore_version: the botocore that the model was taken from; empty for our own.
        signing_name: the service name in a signature's credential scope.
        operations: by name.
        errors: HTTP status by error code.
        paginators: by operation, as botocore's paginator file has them.
        structures: every structure but the errors, by name.
        enums: every text shape with a set of values, by name.
    """

    botocore_version: str
    signing_name: str
    operations: Mapping[str, Operation]
    errors: Mapping[str, int]
    paginators: Mapping[str, Mapping[str, Any]]
    structures: Mapping[str, StructureShape]
    enums: Mapping[str, TextShape]


@cache
def load_model(path: Path | None = None) -> Model:
    """Read the model, by default the one that belongs to this package.

    Raises:
        UnsupportedModel: the model has a binding, trait, type or format that the wire layer does not know.
    """
    source = path or Path(__file__).with_name("model.json")
    return build_model(json.loads(source.read_text(encoding="utf-8")))


def load_own_model() -> Model:
    """Read the model of our own operations."""
    return load_model(OWN_MODEL_PATH)


def own_actions() -> list[str]:
    """List the actions that only our own operations need, by name."""
    operations = load_own_model().operations.values()
    needed = {one.action for one in operations}
    needed |= {member.action for one in operations for member in one.input.members.values() if member.action}
    return sorted(action for action in needed if action.startswith(OWN_PREFIX + ":"))


def build_model(document: Mapping[str, Any]) -> Model:
    """Build the model from the parsed ``model.json``.

    Raises:
        UnsupportedModel: as `load_model`.
    """
    _refuse_unknown("the model", document, {"botocore", "metadata", "operations", "pagination", "shapes"})
    protocol = document["metadata"]["protocol"]
    if protocol != "rest-json":
        raise UnsupportedModel(f"The model's protocol is {protocol}; only rest-json is supported.")
    prefix = OWN_PREFIX if document["metadata"].get("serviceId") == "openprofiles" else AWS_PREFIX
    shapes = _Shapes(document["shapes"])
    # Every shape is built, also those that no operation reaches: types.py has them all.
    built = {name: shapes.build(name) for name in document["shapes"]}
    error_names = {name for name, traits in document["shapes"].items() if traits.get("exception")}
    return Model(
        botocore_version=document.get("botocore", ""),
        signing_name=document["metadata"]["signingName"],
        operations={
            name: _build_operation(name, traits, built, prefix) for name, traits in document["operations"].items()
        },
        errors={name: document["shapes"][name]["error"]["httpStatusCode"] for name in error_names},
        paginators=document["pagination"],
        structures={
            name: shape
            for name, shape in built.items()
            if isinstance(shape, StructureShape) and name not in error_names
        },
        enums={name: shape for name, shape in built.items() if isinstance(shape, TextShape) and shape.allowed},
    )


# What only explains. Our own model has it; AWS's is stored without it.
_PROSE = {"documentation", "default", "example"}
# Known and without a meaning here: no message or log has a customer's value, whether it is sensitive or not.
_ANY_SHAPE = {"type", "box", "deprecated", "sensitive"}
_TRAITS: Mapping[str, set[str]] = {
    "string": {"min", "max", "pattern", "enum"},
    "integer": {"min", "max"},
    "long": {"min", "max"},
    "double": {"min", "max"},
    "boolean": set(),
    "timestamp": set(),
    "blob": {"max", "streaming"},
    "list": {"member", "min", "max"},
    "map": {"key", "value", "min", "max"},
    "structure": {"members", "required", "union", "exception", "error", "fault", "payload"},
}
_LOCATIONS: Mapping[str | None, Location] = {
    None: "body",
    "uri": "label",
    "querystring": "query",
    "statusCode": "status",
    "header": "header",
}
# An SDK fills in an idempotencyToken by itself; a server reads it like other members.
_MEMBER_TRAITS = {"shape", "location", "locationName", "box", "deprecated", "idempotencyToken", "action"}
_OPERATION_TRAITS = {"name", "http", "input", "output", "errors", "idempotent", "readonly", "deprecated"}
_OPERATION_TRAITS |= {"action", "bodyLimitBytes"}

# The model writes ids as this, without anchors; as written, any text that holds 32 hex digits would pass.
_BARE_ID_PATTERN = "[a-f0-9]{32}"


class _Shapes:
    """Builds each shape once, and what it refers to before it."""

    def __init__(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        self._documents = documents
        self._built: dict[str, Shape] = {}
        self._under_way: set[str] = set()

    def build(self, name: str) -> Shape:
        if name not in self._built:
            if name in self._under_way:
                raise UnsupportedModel(f"Shape {name} refers to itself; recursive shapes are not supported.")
            self._under_way.add(name)
            self._built[name] = self._build(name, self._documents[name])
            self._under_way.remove(name)
        return self._built[name]

    def _build(self, name: str, traits: Mapping[str, Any]) -> Shape:
        kind = traits["type"]
        if kind not in _TRAITS:
            raise UnsupportedModel(f"Shape {name} has the unknown type {kind}.")
        _refuse_unknown(f"shape {name}", traits, _ANY_SHAPE | _TRAITS[kind])
        low, high = traits.get("min"), traits.get("max")
        match kind:
            case "string":
                return _build_text(name, traits)
            case "integer" | "long":
                return IntegerShape(name, 32 if kind == "integer" else 64, low, high)
            case "double":
                return DoubleShape(name, low, high)
            case "boolean":
                return BooleanShape(name)
            case "timestamp":
                return TimestampShape(name)
            case "blob":
                return BlobShape(name, high, bool(traits.get("streaming")))
            case "list":
                return ListShape(name, self._part(f"{name}.member", traits["member"]), low, high)
            case "map":
                key = self._part(f"{name}.key", traits["key"])
                if not isinstance(key, TextShape):
                    raise UnsupportedModel(f"Shape {name} is a map whose keys are not text.")
                return MapShape(name, key, self._part(f"{name}.value", traits["value"]), low, high)
            case _:
                return self._structure(name, traits)

    def _part(self, place: str, reference: Mapping[str, Any]) -> Shape:
        """Return the shape of a list's element, or of a map's key or value."""
        _refuse_unknown(place, reference, {"shape"})
        return self._nested(place, reference["shape"])

    def _structure(self, name: str, traits: Mapping[str, Any]) -> StructureShape:
        members = {}
        for member_name, reference in traits["members"].items():
            place = f"member {name}.{member_name}"
            _refuse_unknown(place, reference, _MEMBER_TRAITS)
            if reference.get("location") not in _LOCATIONS:
                raise UnsupportedModel(f"{place} has the unknown location {reference['location']}.")
            shape = self._nested(place, reference["shape"])
            is_payload = traits.get("payload") == member_name
            if is_payload != isinstance(shape, BlobShape):
                raise UnsupportedModel(f"{place}: bytes must be the payload, and the payload must be bytes.")
            members[member_name] = Member(
                name=member_name,
                shape=shape,
                location="payload" if is_payload else _LOCATIONS[reference.get("location")],
                wire_name=reference.get("locationName", member_name),
                action=reference.get("action"),
            )
        return StructureShape(name, members, tuple(traits.get("required", ())), bool(traits.get("union")))

    def _nested(self, place: str, name: str) -> Shape:
        """Return a shape inside another one: all of it is in the body."""
        shape = self.build(name)
        if isinstance(shape, StructureShape) and len(shape.members_in("body")) != len(shape.members):
            raise UnsupportedModel(f"{place} holds {name}, whose members are bound outside the body.")
        return shape


def _build_text(name: str, traits: Mapping[str, Any]) -> TextShape:
    text = traits.get("pattern")
    return TextShape(
        name=name,
        min_length=traits.get("min"),
        max_length=traits.get("max"),
        pattern_text=text,
        pattern=None if text is None else compile_pattern(text),
        allowed=tuple(traits["enum"]) if "enum" in traits else None,
    )


def compile_pattern(text: str) -> re.Pattern[str]:
    r"""Compile a pattern of the model (ECMA 262) for ``search``.

    Classes as ``\d`` and ``\w`` are ASCII, ``$`` is the very end (Python's also matches before a last newline).
    Patterns are not anchored unless they say so (Smithy), except the bare pattern of ids.
    """
    if text == _BARE_ID_PATTERN:
        text = f"^{text}$"
    translated, in_class, position = [], False, 0
    while position < len(text):
        character = text[position]
        if character == "\\":
            translated.append(text[position : position + 2])
            position += 2
            continue
        if character in "[]":
            in_class = character == "["
        translated.append(r"\Z" if character == "$" and not in_class else character)
        position += 1
    return re.compile("".join(translated), re.ASCII)


def _build_operation(name: str, traits: Mapping[str, Any], shapes: Mapping[str, Shape], prefix: str) -> Operation:
    place = f"operation {name}"
    _refuse_unknown(place, traits, _OPERATION_TRAITS)
    _refuse_unknown(f"{place}, http", traits["http"], {"method", "requestUri", "responseCode"})
    for end in ("input", "output"):
        if end not in traits:
            raise UnsupportedModel(f"{place} has no {end}.")
        _refuse_unknown(f"{place}, {end}", traits[end], {"shape"})
    request, answer = shapes[traits["input"]["shape"]], shapes[traits["output"]["shape"]]
    if not isinstance(request, StructureShape) or not isinstance(answer, StructureShape):
        raise UnsupportedModel(f"{place}: input and output must be structures.")
    _refuse_bindings(place, request, {"body", "label", "query", "payload"})
    _refuse_bindings(place, answer, {"body", "status", "header", "payload"})
    _refuse_path(place, traits["http"]["requestUri"], request)
    for member in answer.members_in("status"):
        if not isinstance(member.shape, IntegerShape):
            raise UnsupportedModel(f"Member {answer.name}.{member.name} is the status and not an integer.")
    return Operation(
        name=name,
        action=traits.get("action", f"{prefix}:{name}"),
        body_limit_bytes=traits.get("bodyLimitBytes", DEFAULT_BODY_LIMIT_BYTES),
        method=traits["http"]["method"],
        path=traits["http"]["requestUri"],
        status=traits["http"].get("responseCode", 200),
        input=request,
        output=answer,
        errors=tuple(error["shape"] for error in traits["errors"]),
    )


def _refuse_bindings(place: str, structure: StructureShape, allowed: set[Location]) -> None:
    for member in structure.members.values():
        if member.location not in allowed:
            raise UnsupportedModel(
                f"{place}: member {structure.name}.{member.name} cannot be in the {member.location}."
            )
        shape = member.shape
        if member.location == "query" and isinstance(shape, ListShape):
            shape = shape.element
        plain = isinstance(shape, TextShape | IntegerShape | BooleanShape | TimestampShape)
        if member.location in ("label", "query") and not plain:
            raise UnsupportedModel(
                f"{place}: member {structure.name}.{member.name} has a shape that the {member.location} cannot carry."
            )


def _refuse_path(place: str, path: str, request: StructureShape) -> None:
    # A greedy label ({Key+}), a label next to other text, or a fixed query string fails here.
    if not re.fullmatch(r"(/([A-Za-z0-9_.-]+|\{[A-Za-z0-9]+\}))+", path):
        raise UnsupportedModel(f"{place} has the path {path}, whose form is not supported.")
    labels = set(re.findall(r"\{(\w+)\}", path))
    bound = {member.wire_name for member in request.members_in("label")}
    if labels != bound:
        raise UnsupportedModel(f"{place}: the labels of {path} and the members bound to it differ: {labels ^ bound}.")


def _refuse_unknown(place: str, traits: Mapping[str, Any], known: Collection[str]) -> None:
    unknown = sorted(set(traits) - set(known) - _PROSE)
    if unknown:
        raise UnsupportedModel(f"{place} has what the wire layer does not know: {', '.join(unknown)}.")
