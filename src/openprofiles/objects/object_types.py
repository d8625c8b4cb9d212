"""An object type: how its objects find their profile, and which fields they fill.

``compile_object_type`` checks a definition by AWS's rules and makes of it what reads objects.

Source: admin guide, pages on mapping field definitions, key definitions and standard identifiers; design page of
objects, 4.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openprofiles.errors import InvalidRequest
from openprofiles.facts.standard_profile import (
    MAX_ATTRIBUTE_NAME_LENGTH,
    PROFILE_ID_KEY,
    TWINS,
    attribute_of_target,
    field_of_target,
)
from openprofiles.facts.typed_keys import STANDARD_KEYS, STRING, KeyForms
from openprofiles.objects.field_sources import ReadField, SourceError, compile_source
from openprofiles.objects.standard_objects import PROFILE, PROFILE_IDENTIFIER, standard_objects
from openprofiles.objects.templates import template_key_names

MAX_FIELDS = 250
MAX_KEYS = 10

UNIQUE = "UNIQUE"
SECONDARY = "SECONDARY"
LOOKUP_ONLY = "LOOKUP_ONLY"
NEW_ONLY = "NEW_ONLY"

# The target that says when the source has changed the object last.
SOURCE_TIMESTAMP_PATH = "SourceLastUpdatedTimestamp"
# Names of keys that find profiles and standard objects by ids that the service sets.
ID_KEYS = frozenset((PROFILE_ID_KEY, "_orderId", "_caseId", "_assetId"))

_FIELD_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]*\Z")
_KEY_NAME = re.compile(r"_?[a-zA-Z][a-zA-Z0-9_-]*\Z")
_TAGS = ("Tags", "tags")
# What a profile has that no object sets.
_SET_BY_SERVICE = ("ProfileId", "ImportIds", "FoundByItems", "FoundByItems[]")
# An object that is stored under one of these needs no key of its own.
_KEYLESS = frozenset(("_communicationRecord",))


@dataclass(frozen=True, slots=True)
class Target:
    """Where the value of a field goes: a standard object, and a path in it."""

    object_name: str
    path: str


@dataclass(frozen=True, slots=True)
class ObjectField:
    """A field of an object type.

    Attributes:
        read: reads the value from an object.
        target: None if the value serves keys only.
    """

    name: str
    read: ReadField
    content_type: str
    target: Target | None


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """A key of an object type; its value is made from one or more fields."""

    name: str
    fields: tuple[ObjectField, ...]
    identifiers: frozenset[str]

    @property
    def is_for_profiles(self) -> bool:
        """Whether it finds the profile of an object."""
        return PROFILE_IDENTIFIER in self.identifiers

    @property
    def form(self) -> tuple[str, ...]:
        return tuple(field.content_type for field in self.fields)


@dataclass(frozen=True, slots=True)
class ObjectType:
    """A checked definition.

    Attributes:
        unique_key: identifies an object of this type.
        primary_keys: find the profile, in the order of the definition.
        secondary_keys: find it if no primary key does.
        targets: the fields with a target, by the name of the standard object.
    """

    fields: Mapping[str, ObjectField]
    keys: tuple[ObjectKey, ...]
    unique_key: ObjectKey
    primary_keys: tuple[ObjectKey, ...]
    secondary_keys: tuple[ObjectKey, ...]
    targets: Mapping[str, tuple[ObjectField, ...]]


def compile_object_type(definition: Mapping[str, Any], *, strict: bool = False) -> ObjectType:
    """Check the members of a definition as AWS does, and make what reads objects.

    Args:
        definition: with the members of PutProfileObjectType.
        strict: also refuse what AWS refuses although it can be done: own names of keys that begin with an underscore,
            and types that could create profiles but store none of their profile keys.

    Raises:
        InvalidRequest: a rule is broken; the message names the field or the key, without its content.
    """
    given_fields: Mapping[str, Any] = definition.get("Fields") or {}
    given_keys: Mapping[str, Any] = definition.get("Keys") or {}
    if len(given_fields) > MAX_FIELDS:
        raise InvalidRequest(f"Fields has {len(given_fields)} fields; an object type has at most {MAX_FIELDS}.")
    fields = {name: _field(name, members) for name, members in given_fields.items()}
    keys = tuple(key for name, definitions in given_keys.items() for key in _keys(name, definitions, fields, strict))
    if len(keys) > MAX_KEYS:
        raise InvalidRequest(
            f"Keys has {len(keys)} keys; an object type has at most {MAX_KEYS}. Each entry of a key's list counts."
        )
    targets: dict[str, tuple[ObjectField, ...]] = {}
    for field in fields.values():
        if field.target is not None:
            targets[field.target.object_name] = (*targets.get(field.target.object_name, ()), field)
    _check_keys(keys, creates=bool(definition.get("AllowProfileCreation")), strict=strict)
    _check_targets(given_fields, targets, keys, definition)
    profile_keys = [key for key in keys if key.is_for_profiles]
    return ObjectType(
        fields=fields,
        keys=keys,
        unique_key=next(key for key in keys if UNIQUE in key.identifiers),
        primary_keys=tuple(key for key in profile_keys if SECONDARY not in key.identifiers),
        secondary_keys=tuple(key for key in profile_keys if SECONDARY in key.identifiers),
        targets=targets,
    )


def key_forms(definition: Mapping[str, Any]) -> KeyForms:
    """Return the content types of the keys of a definition whose values compare by them."""
    fields: Mapping[str, Any] = definition.get("Fields") or {}
    return {
        name: frozenset(
            tuple(fields[field].get("ContentType", STRING) for field in one["FieldNames"]) for one in definitions
        )
        for name, definitions in (definition.get("Keys") or {}).items()
        if name not in STANDARD_KEYS and name not in ID_KEYS
    }


def _field(name: str, members: Mapping[str, Any]) -> ObjectField:
    if not _FIELD_NAME.match(name) or name in _TAGS:
        raise InvalidRequest(
            f"Fields: the name {name} is not possible. A name begins with a letter and is not {' or '.join(_TAGS)}."
        )
    if not members.get("Source"):
        raise InvalidRequest(f"Fields.{name}: Source is missing. It says where the value is in an object.")
    try:
        read = compile_source(members["Source"])
    except SourceError as error:
        raise InvalidRequest(f"Fields.{name}: {error}") from None
    target = _target(name, members["Target"]) if members.get("Target") else None
    return ObjectField(name, read, members.get("ContentType", STRING), target)


def _target(name: str, text: str) -> Target:
    object_name, _, path = text.partition(".")
    if object_name != PROFILE and object_name not in standard_objects():
        raise InvalidRequest(
            f"Fields.{name}: Target must begin with {PROFILE}. or with the name of a standard object, such as _order."
        )
    first = path.partition(".")[0].removesuffix("[]")
    if not path or not all(step.removesuffix("[]") for step in path.split(".")):
        raise InvalidRequest(f"Fields.{name}: Target {text} names no field of {object_name}.")
    if object_name != PROFILE:
        standard = standard_objects()[object_name]
        if first == standard.id_field:
            raise InvalidRequest(f"Fields.{name}: {text} is set by the service. Choose another target.")
        if standard.fields is not None and first not in standard.fields:
            raise InvalidRequest(
                f"Fields.{name}: {object_name} has no field {first}. Use {object_name}.Attributes.{first} instead."
            )
        return Target(object_name, path)
    if path in _SET_BY_SERVICE:
        raise InvalidRequest(f"Fields.{name}: {text} is set by the service. Choose another target.")
    attribute = attribute_of_target(path)
    if attribute is not None:
        if not 0 < len(attribute) <= MAX_ATTRIBUTE_NAME_LENGTH:
            raise InvalidRequest(
                f"Fields.{name}: the name of the attribute has {len(attribute)} characters; 1 to "
                f"{MAX_ATTRIBUTE_NAME_LENGTH} are possible."
            )
        return Target(PROFILE, path)
    field = field_of_target(path)
    if path != SOURCE_TIMESTAMP_PATH and field is None:
        raise InvalidRequest(
            f"Fields.{name}: {text} is not a field of the standard profile. Use {PROFILE}.Attributes.<name> for your "
            "own fields."
        )
    return Target(PROFILE, path if field is None else field.path)


def _keys(
    name: str, definitions: Sequence[Mapping[str, Any]], fields: Mapping[str, ObjectField], strict: bool
) -> Iterator[ObjectKey]:
    if not _KEY_NAME.match(name) or name in _TAGS:
        raise InvalidRequest(
            f"Keys: the name {name} is not possible. A name begins with a letter and is not {' or '.join(_TAGS)}."
        )
    if strict and name.startswith("_") and name not in STANDARD_KEYS | ID_KEYS | template_key_names():
        raise InvalidRequest(f"Keys: the name {name} begins with an underscore, which is reserved for AWS's own keys.")
    for one in definitions:
        identifiers = frozenset(one.get("StandardIdentifiers") or ())
        names = one.get("FieldNames") or ()
        if not names:
            raise InvalidRequest(f"Keys.{name}: FieldNames is empty. Name the fields that the key is made from.")
        for field_name in names:
            if field_name not in fields:
                raise InvalidRequest(f"Keys.{name}: the field {field_name} is not in Fields.")
        _check_identifiers(name, identifiers)
        yield ObjectKey(name, tuple(fields[field_name] for field_name in names), identifiers)


def _check_identifiers(name: str, identifiers: frozenset[str]) -> None:
    for other in (LOOKUP_ONLY, NEW_ONLY):
        if UNIQUE in identifiers and other in identifiers:
            raise InvalidRequest(f"Keys.{name}: a key that is {UNIQUE} cannot be {other}.")
    if SECONDARY in identifiers and PROFILE_IDENTIFIER not in identifiers:
        raise InvalidRequest(f"Keys.{name}: {SECONDARY} is possible only together with {PROFILE_IDENTIFIER}.")
    if name in ID_KEYS and LOOKUP_ONLY not in identifiers:
        raise InvalidRequest(f"Keys.{name}: the service sets this id, so the key must be {LOOKUP_ONLY}.")


def _check_keys(keys: Sequence[ObjectKey], *, creates: bool, strict: bool) -> None:
    unique_count = sum(UNIQUE in key.identifiers for key in keys)
    if unique_count != 1:
        raise InvalidRequest(
            f"Exactly one key must have the identifier {UNIQUE}, which identifies an object; {unique_count} have it."
        )
    profile_keys = [key for key in keys if key.is_for_profiles]
    if not profile_keys:
        raise InvalidRequest(
            f"At least one key must have the identifier {PROFILE_IDENTIFIER}, so that objects find their profile."
        )
    # A profile that is named by its id exists already.
    by_value = [key for key in profile_keys if key.name != PROFILE_ID_KEY]
    never_stored = [key for key in by_value if LOOKUP_ONLY in key.identifiers]
    seldom_stored = [key for key in by_value if key.identifiers & {LOOKUP_ONLY, NEW_ONLY}]
    if by_value and strict and len(seldom_stored) == len(by_value):
        raise InvalidRequest(f"At least one {PROFILE_IDENTIFIER} key must be neither {LOOKUP_ONLY} nor {NEW_ONLY}.")
    if by_value and creates and len(never_stored) == len(by_value):
        raise InvalidRequest(
            f"All {PROFILE_IDENTIFIER} keys are {LOOKUP_ONLY}, so no later object would find a profile that this type "
            f"creates. Remove {LOOKUP_ONLY} from one of them, or set AllowProfileCreation to false."
        )


def _check_shapes(object_name: str, paths: Sequence[str]) -> None:
    """Check that targets agree about what is a value, a list or a group."""
    shapes: dict[str, str] = {}
    for path in paths:
        steps = path.split(".")
        for size in range(1, len(steps) + 1):
            step = ".".join(steps[:size])
            place = step.replace("[]", "")
            shape = ("list" if step.endswith("[]") else "value") + (" of groups" if size < len(steps) else "")
            if shapes.setdefault(place, shape) != shape:
                raise InvalidRequest(
                    f"Fields write to {object_name}.{place} both as {shapes[place]} and as {shape}. Choose one of them."
                )


def _check_targets(
    given_fields: Mapping[str, Any],
    targets: Mapping[str, Sequence[ObjectField]],
    keys: Sequence[ObjectKey],
    definition: Mapping[str, Any],
) -> None:
    for object_name in targets:
        if object_name == PROFILE or object_name in _KEYLESS:
            continue
        identifier = standard_objects()[object_name].identifier
        if not any(identifier in key.identifiers for key in keys):
            raise InvalidRequest(f"Fields write to {object_name}, so at least one key must be {identifier}.")
    for object_name, fields in targets.items():
        if object_name != PROFILE:
            _check_shapes(object_name, [field.target.path for field in fields if field.target is not None])
    given_targets = {members.get("Target") for members in given_fields.values()}
    for member, (twin, _) in TWINS.items():
        if {f"{PROFILE}.{member}", f"{PROFILE}.{twin}"} <= given_targets:
            raise InvalidRequest(f"Fields write to both {PROFILE}.{member} and {PROFILE}.{twin}. Choose one of them.")
    if f"{PROFILE}.{SOURCE_TIMESTAMP_PATH}" in given_targets and not definition.get("SourceLastUpdatedTimestampFormat"):
        raise InvalidRequest(
            f"A field writes to {PROFILE}.{SOURCE_TIMESTAMP_PATH}, so SourceLastUpdatedTimestampFormat is required."
        )
