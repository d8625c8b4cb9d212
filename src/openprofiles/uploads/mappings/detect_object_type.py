"""Suggest the definition of an object type from a few objects.

Fields get their targets as the columns of a file do (``suggest``). The key that identifies an object is a member named
as an id that every object has, with a value of its own; the keys that find the profile are email addresses, customer
numbers and phone numbers. Without both, there is no suggestion, as AWS's website warns.

Source: design page of objects, 4.6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from openprofiles.errors import InvalidRequest
from openprofiles.facts.normal_forms import normal_key
from openprofiles.facts.standard_profile import ACCOUNT_KEY, EMAIL_KEY, KEY_PATHS, PHONE_KEY
from openprofiles.objects.field_sources import SourceError, compile_source
from openprofiles.objects.object_text import parse_object, value_text
from openprofiles.objects.object_types import MAX_KEYS, SOURCE_TIMESTAMP_PATH
from openprofiles.objects.source_timestamps import EPOCH_MILLISECONDS, read_source_time
from openprofiles.uploads.mappings.header_names import names_customer_number, words_of
from openprofiles.uploads.mappings.suggest import MAX_FIELD_NAME_LENGTH, SuggestedField, suggest_mapping

MAX_ATTRIBUTES = 120

_ID_WORDS = frozenset(("id", "uuid", "guid", "number", "no", "nr", "key", "sku", "code", "reference", "ref"))
_TIME_WORDS = frozenset(("updated", "modified", "changed", "timestamp"))
_TIME_PATTERNS = (
    "yyyy-MM-dd'T'HH:mm:ssXXX",
    "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "yyyy-MM-dd'T'HH:mm:ss",
    "yyyy-MM-dd HH:mm:ss",
)
# Milliseconds since 1970 of the years 2001 to 2286.
_EPOCH = re.compile(r"[0-9]{13}\Z")
_NOT_IN_KEY_NAME = re.compile(r"[^a-zA-Z0-9_-]+")


def detect_object_type(texts: Sequence[str], phone_region: str) -> dict[str, Any] | None:
    """Suggest Fields and Keys, and the format of the timestamp if there is one; None if a key is missing.

    Args:
        texts: JSON texts of objects, at least one.
        phone_region: country (ISO 3166) of phone numbers without a country code.

    Raises:
        InvalidRequest: a text is not a JSON object, or the objects have too many members.
    """
    rows = [dict(_flat("", parse_object(text))) for text in texts]
    paths = list(dict.fromkeys(path for row in rows for path in row if _is_readable(path)))
    if len(paths) > MAX_ATTRIBUTES:
        # Text of AWS: reference, 4.9.
        raise InvalidRequest(f"Breached limit of {MAX_ATTRIBUTES} attributes")
    if not paths:
        return None
    suggestion = suggest_mapping(paths, sample=[[row.get(path, "") for path in paths] for row in rows])
    columns = [replace(field, name=_field_name(field.name)) for field in suggestion.fields]
    fields = {field.name: field for field in columns}
    timestamp, time_format = _find_timestamp(columns, rows)
    unique = _find_unique(columns, rows)
    profile_keys = _find_profile_keys(columns, rows, phone_region)
    if unique is None or not profile_keys:
        return None
    members = {name: _entry(field, is_timestamp=field is timestamp) for name, field in fields.items()}
    keys: dict[str, list[dict[str, Any]]] = {}
    for key_name, field in profile_keys:
        identifiers = ["PROFILE", "UNIQUE"] if field is unique else ["PROFILE"]
        keys.setdefault(key_name, []).append({"StandardIdentifiers": identifiers, "FieldNames": [field.name]})
    if all(field is not unique for _, field in profile_keys):
        name = _own_key_name(unique.name, keys)
        keys[name] = [{"StandardIdentifiers": ["UNIQUE"], "FieldNames": [unique.name]}]
    found: dict[str, Any] = {"Fields": members, "Keys": keys}
    return found if time_format is None else {**found, "SourceLastUpdatedTimestampFormat": time_format}


def _is_readable(path: str) -> bool:
    """Return whether a source can name the member."""
    try:
        compile_source(f"_source.{path}")
    except SourceError:
        return False
    return "[]" not in path and "{{" not in path


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the path and text of each member, but of no list."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else name, member)
    elif not isinstance(value, list) and prefix:
        yield prefix, value_text(value) or ""


def _entry(field: SuggestedField, *, is_timestamp: bool) -> dict[str, str]:
    if is_timestamp:
        return {"Source": f"_source.{field.header}", "Target": f"_profile.{SOURCE_TIMESTAMP_PATH}"}
    return field.to_entry()


def _find_unique(fields: Sequence[SuggestedField], rows: Sequence[Mapping[str, str]]) -> SuggestedField | None:
    """Find the field that identifies an object: of several, the one that is named least deep, then the first."""
    found = []
    for field in fields:
        values = [row.get(field.header, "") for row in rows]
        is_own = all(values) and len({*values}) == len(values)
        if is_own and _ID_WORDS.intersection(words_of(field.header)) and not names_customer_number(field.header):
            found.append(field)
    if not found:
        found = [
            field
            for field in fields
            if names_customer_number(field.header)
            and all(row.get(field.header) for row in rows)
            and len({row[field.header] for row in rows}) == len(rows)
        ]
    return min(found, key=lambda field: field.header.count("."), default=None)


def _find_profile_keys(
    fields: Sequence[SuggestedField], rows: Sequence[Mapping[str, str]], phone_region: str
) -> list[tuple[str, SuggestedField]]:
    found: list[tuple[str, SuggestedField]] = []
    for key_name in (EMAIL_KEY, ACCOUNT_KEY, PHONE_KEY):
        for field in fields:
            is_of_key = field.target in KEY_PATHS[key_name]
            if key_name == ACCOUNT_KEY:
                is_of_key = is_of_key or names_customer_number(field.header)
            values = [text for row in rows if (text := row.get(field.header))]
            if is_of_key and values and all(normal_key(key_name, text, phone_region) for text in values):
                found.append((key_name, field))
    return found[: MAX_KEYS - 1]


def _find_timestamp(
    fields: Sequence[SuggestedField], rows: Sequence[Mapping[str, str]]
) -> tuple[SuggestedField | None, str | None]:
    for field in fields:
        values = [text for row in rows if (text := row.get(field.header))]
        if not values or not _TIME_WORDS.intersection(words_of(field.header)):
            continue
        if all(_EPOCH.match(text) for text in values):
            return field, EPOCH_MILLISECONDS
        for pattern in _TIME_PATTERNS:
            if all(read_source_time(text, pattern) is not None for text in values):
                return field, pattern
    return None, None


def _field_name(name: str) -> str:
    """Return a name that a field of an object type can have."""
    if name in ("Tags", "tags") or not name[0].isalpha():
        name = f"field_{name}"
    return name[:MAX_FIELD_NAME_LENGTH]


def _own_key_name(field_name: str, taken: Mapping[str, Any]) -> str:
    name = _NOT_IN_KEY_NAME.sub("_", field_name).strip("_-") or "id"
    name = name if name[0].isalpha() else f"key_{name}"
    while name in taken or name in ("Tags", "tags"):
        name += "_"
    return name[:64]
