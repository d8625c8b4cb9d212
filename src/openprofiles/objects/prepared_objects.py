"""An object as its type reads it: its values and keys, before anybody looks into the store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from openprofiles.errors import InvalidRequest
from openprofiles.facts.keys import Key
from openprofiles.facts.standard_profile import FIELD_BY_PATH, MAX_VALUE_LENGTH
from openprofiles.facts.typed_keys import EMAIL_ADDRESS, MAX_KEY_LENGTH, PHONE_NUMBER, typed_key
from openprofiles.objects.field_sources import FieldValue, SourceError
from openprofiles.objects.object_text import parse_object, value_text
from openprofiles.objects.object_types import (
    SOURCE_TIMESTAMP_PATH,
    UNIQUE,
    ObjectField,
    ObjectKey,
    ObjectType,
)
from openprofiles.objects.source_timestamps import read_source_time
from openprofiles.objects.standard_objects import PROFILE, standard_objects
from openprofiles.store.definitions import Definition

# Text of AWS: reference, 4.7.
_NO_KEY = "The UNIQUE key or PROFILE key does not exist in the profile object"
# Where a value goes that has no target, if its object creates a profile.
_INFERRED = {EMAIL_ADDRESS: "EmailAddress", PHONE_NUMBER: "PhoneNumber"}


class Fault(Enum):
    """What keeps an object from being ingested."""

    NOT_AN_OBJECT = auto()
    NO_VALUE = auto()
    NO_KEY = auto()
    KEY_TOO_LONG = auto()
    VALUE_TOO_LONG = auto()
    NOT_TEXT = auto()


class FaultyObject(InvalidRequest):
    """An object that cannot be ingested.

    Args:
        fault: what is wrong.
        name: of the field or key that is concerned, or of several; None: the whole object is.
    """

    def __init__(self, message: str, fault: Fault, name: str | None = None) -> None:
        super().__init__(message)
        self.fault = fault
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedType:
    """An object type in use.

    Attributes:
        definition: its row; a type that is named as a template and was never used has none yet.
        mapping: what reads its objects.
        members: of the definition, as in GetProfileObjectType.
    """

    name: str
    definition: Definition | None
    mapping: ObjectType
    members: Mapping[str, Any]

    @property
    def creates_profiles(self) -> bool:
        return bool(self.members.get("AllowProfileCreation"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedObject:
    """An object that was read.

    Attributes:
        content: its JSON text, as it came.
        unique_key: 32 bytes that identify it in its domain and type.
        keys: those that its values give, in the order of the type.
        profile_values: the values for the profile, by path.
        inferred_values: the values that a profile gets in addition if the object creates it.
        standard_values: the values for each standard object that the object writes to or is about, by name and path.
        source_at: when the source has changed it last, if it says so in the form of its type.
        unread_time: the field that says so in a different form, so that the time of the ingestion counts.
        values: those of the fields of the type, by name, without fields that have none.
    """

    type: UsedType
    content: str
    unique_key: bytes
    keys: tuple[tuple[ObjectKey, Key], ...]
    profile_values: Mapping[str, str]
    inferred_values: Mapping[str, str]
    standard_values: Mapping[str, Mapping[str, FieldValue]]
    source_at: datetime | None
    unread_time: str | None
    values: Mapping[str, FieldValue]


def prepare_object(object_type: UsedType, content: str, *, salt: bytes, phone_region: str) -> PreparedObject:
    """Read the values and keys of an object.

    Raises:
        FaultyObject: it is not a JSON object, lacks its keys, or has a value that cannot be stored; the message names
            the field, without the value.
    """
    try:
        source = parse_object(content)
    except InvalidRequest as error:
        raise FaultyObject(str(error), Fault.NOT_AN_OBJECT) from None
    mapping = object_type.mapping
    values = _read_values(mapping, source)
    for name, value in values.items():
        _check_characters(name, _text(value) or "")
    keys = tuple(
        (key, Key(key.name, value))
        for key in mapping.keys
        if (value := _key_value(key, values, phone_region)) is not None
    )
    unique = next((key.value for definition, key in keys if definition is mapping.unique_key), None)
    if unique is None:
        raise _without([mapping.unique_key])
    if not any(definition.is_for_profiles for definition, _ in keys):
        wanted = [key for key in mapping.keys if key.is_for_profiles]
        raise _without(wanted)
    profile_values: dict[str, str] = {}
    source_at = unread_time = None
    for field in mapping.targets.get(PROFILE, ()):
        text = _text(values.get(field.name))
        if text is None or field.target is None:
            continue
        if field.target.path == SOURCE_TIMESTAMP_PATH:
            source_at = read_source_time(text, object_type.members.get("SourceLastUpdatedTimestampFormat", ""))
            unread_time = field.name if source_at is None else None
        else:
            profile_values[field.target.path] = _storable(field, text)
    return PreparedObject(
        type=object_type,
        content=content,
        # The salt has a fixed length and the name ends with a zero byte, so no two objects give the same bytes.
        unique_key=hashlib.sha256(salt + object_type.name.encode() + b"\0" + unique.encode()).digest(),
        keys=keys,
        profile_values=profile_values,
        inferred_values=_inferred_values(mapping, values),
        standard_values=_standard_values(mapping, values, keys),
        source_at=source_at,
        unread_time=unread_time,
        values=values,
    )


def _without(keys: Sequence[ObjectKey]) -> FaultyObject:
    """Make the error of an object that has no value for any of these keys."""
    described = " or ".join(f"the key {one.name} ({', '.join(field.name for field in one.fields)})" for one in keys)
    fields = dict.fromkeys(field.name for one in keys for field in one.fields)
    return FaultyObject(f"{_NO_KEY}. It has no value for {described}.", Fault.NO_KEY, ", ".join(fields))


def _read_values(mapping: ObjectType, source: Mapping[str, Any]) -> dict[str, FieldValue]:
    values: dict[str, FieldValue] = {}
    for field in mapping.fields.values():
        try:
            value = field.read(source)
        except SourceError as error:
            message = f"The value of field {field.name} cannot be computed: {error}."
            raise FaultyObject(message, Fault.NO_VALUE, field.name) from None
        if value is not None:
            values[field.name] = value
    return values


def _key_value(key: ObjectKey, values: Mapping[str, FieldValue], phone_region: str) -> str | None:
    texts = [_text(values.get(field.name)) for field in key.fields]
    # An empty part of a unique key counts as empty, as long as another one has a value.
    value = typed_key(key.name, key.form, texts, phone_region, allow_gaps=UNIQUE in key.identifiers)
    if value is None:
        return None
    if len(value) > MAX_KEY_LENGTH:
        message = f"The value of the key {key.name} is longer than {MAX_KEY_LENGTH} characters."
        raise FaultyObject(message, Fault.KEY_TOO_LONG, key.name)
    return value


def _text(value: FieldValue) -> str | None:
    return value_text(value) if isinstance(value, list) else value


def _storable(field: ObjectField, text: str) -> str:
    path = "" if field.target is None else field.target.path
    limit = FIELD_BY_PATH[path].max_length if path in FIELD_BY_PATH else MAX_VALUE_LENGTH
    if len(text) > limit:
        message = f"The value of field {field.name} is longer than {limit} characters."
        raise FaultyObject(message, Fault.VALUE_TOO_LONG, field.name)
    return text


def _check_characters(field_name: str, text: str) -> None:
    if "\0" in text:
        message = f"The value of field {field_name} contains the character U+0000."
        raise FaultyObject(message, Fault.NOT_TEXT, field_name)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            message = f"The value of field {field_name} contains half of a surrogate pair."
            raise FaultyObject(message, Fault.NOT_TEXT, field_name) from None


def _inferred_values(mapping: ObjectType, values: Mapping[str, FieldValue]) -> dict[str, str]:
    found: dict[str, str] = {}
    for field in mapping.fields.values():
        path = _INFERRED.get(field.content_type)
        text = _text(values.get(field.name))
        if path is not None and path not in found and text is not None and len(text) <= MAX_VALUE_LENGTH:
            found[path] = text
    return found


def _standard_values(
    mapping: ObjectType, values: Mapping[str, FieldValue], keys: Sequence[tuple[ObjectKey, Key]]
) -> dict[str, dict[str, FieldValue]]:
    found: dict[str, dict[str, FieldValue]] = {}
    for object_name, fields in mapping.targets.items():
        if object_name == PROFILE:
            continue
        identifier = standard_objects()[object_name].identifier
        given = {
            field.target.path: values[field.name]
            for field in fields
            if field.target is not None and field.name in values
        }
        if given or any(identifier in definition.identifiers for definition, _ in keys):
            found[object_name] = given
    return found
