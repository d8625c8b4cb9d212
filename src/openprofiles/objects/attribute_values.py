"""The attributes that objects and profiles have, their values, and statistics of numbers.

They come from the newest objects of a type, or profiles of the domain. A list of values is kept for a minute, since
pages show it again and again.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.standard_profile import ATTRIBUTES_PREFIX, attribute_of_target, field_of_target
from openprofiles.objects.object_text import parse_object, value_text
from openprofiles.objects.standard_objects import PROFILE, standard_objects
from openprofiles.objects.templates import templates
from openprofiles.objects.type_definitions import OBJECT_TYPE
from openprofiles.objects.used_types import read_used_type
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.session import Reading
from openprofiles.store import objects as rows
from openprofiles.store.definitions import find_definition
from openprofiles.store.profiles import read_newest

# Our choice; the values of older objects are not listed.
SAMPLED_OBJECTS = 20_000
# Source: service model, ListObjectTypeAttributeValues.
_MAX_VALUE_CHARACTERS = 350_000
_MAX_VALUE_LENGTH = 1_000
# Source: reference, section 11.
_MAX_CUSTOM_ATTRIBUTES = 1_000
_KEPT_SECONDS = 60.0
PERCENTS = (5, 25, 50, 75, 95)
_MOST_KEPT = 100

# The values of one object, by attribute, with the time when it came.
_Row: TypeAlias = "tuple[Mapping[str, str], datetime]"


@dataclass(slots=True)
class _Values:
    """The distinct values of an attribute, newest first, with the time of the newest object that has each."""

    at: dict[str, datetime] = field(default_factory=dict)
    characters: int = 0

    def add(self, text: str, at: datetime) -> None:
        known = self.at.get(text)
        if known is not None:
            self.at[text] = max(known, at)
        elif len(text) <= _MAX_VALUE_LENGTH and self.characters + len(text) <= _MAX_VALUE_CHARACTERS:
            self.at[text] = at
            self.characters += len(text)


@dataclass(frozen=True, slots=True)
class AttributePage:
    """A page of names or values with their times; ``next_token`` is None on the last."""

    items: tuple[tuple[str, datetime], ...]
    next_token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberStatistics:
    """Statistics of the numbers of an attribute; the standard deviation is that of the whole population."""

    minimum: float
    maximum: float
    average: float
    standard_deviation: float
    percentiles: Mapping[int, float]


_kept: dict[tuple[object, ...], tuple[float, Mapping[str, _Values]]] = {}


def list_attributes(session: Reading, type_name: str, max_results: int, next_token: str | None) -> AttributePage:
    """List the attributes that objects of a type have, by name.

    The time of each is that of the newest object that has it.

    Raises:
        NotFound: there is no such object type.
        InvalidRequest: the token is not one of this list's.
    """
    values = _values_of_type(session, type_name)
    items = sorted((name, max(one.at.values())) for name, one in values.items() if one.at)
    custom = [one for one in items if one[0].startswith(ATTRIBUTES_PREFIX)][_MAX_CUSTOM_ATTRIBUTES:]
    return _page("ListObjectTypeAttributes", [one for one in items if one not in custom], max_results, next_token)


def list_values(
    session: Reading, type_name: str, attribute: str, max_results: int, next_token: str | None
) -> AttributePage:
    """List the distinct values of an attribute of a type, newest first.

    Raises:
        NotFound: there is no such object type.
        InvalidRequest: the type has no such attribute, or the token is not one of this list's.
    """
    values = _values_of_type(session, type_name).get(attribute)
    if values is None:
        _check_attribute(session, type_name, attribute)
        values = _Values()
    items = sorted(values.at.items(), key=lambda one: (-one[1].timestamp(), one[0]))
    return _page("ListObjectTypeAttributeValues", items, max_results, next_token)


def list_profile_values(session: Reading, attribute: str) -> list[str]:
    """List the distinct values of a field or attribute of profiles, newest first.

    Raises:
        InvalidRequest: it is not a field of profiles.
    """
    _check_attribute(session, PROFILE, attribute)
    found = _values_of_type(session, PROFILE).get(attribute, _Values())
    return [text for text, _ in sorted(found.at.items(), key=lambda one: (-one[1].timestamp(), one[0]))]


def read_statistics(session: Reading, type_name: str, attribute: str) -> NumberStatistics | None:
    """Calculate statistics of an attribute over the newest objects; None if it has no numbers.

    Raises:
        NotFound: there is no such object type.
        InvalidRequest: the domain has no data store, or the type has no such attribute.
    """
    if not (session.domain.config.get("DataStore") or {}).get("Enabled"):
        raise InvalidRequest(
            f"Domain {session.domain.name} has no data store, which statistics need. Switch it on with "
            "DataStore.Enabled in UpdateDomain."
        )
    _check_attribute(session, type_name, attribute)
    texts = (row[attribute] for row, _ in _rows_of_type(session, type_name) if attribute in row)
    numbers = sorted(number for text in texts if (number := _number(text)) is not None)
    if not numbers:
        return None
    # Sums and squares of numbers at most 1 do not overflow.
    scale = max(abs(numbers[0]), abs(numbers[-1])) or 1.0
    scaled = [number / scale for number in numbers]
    return NumberStatistics(
        minimum=numbers[0],
        maximum=numbers[-1],
        average=statistics.fmean(scaled) * scale,
        standard_deviation=statistics.pstdev(scaled) * scale,
        percentiles={percent: _percentile(numbers, percent) for percent in PERCENTS},
    )


def _values_of_type(session: Reading, type_name: str) -> Mapping[str, _Values]:
    definition = find_definition(session.connection, session.domain.domain_id, OBJECT_TYPE.name, type_name)
    version = None if definition is None else (definition.definition_id, definition.version)
    key = (session.domain.object_salt, type_name, version)
    until, kept = _kept.get(key, (0.0, {}))
    if time.monotonic() < until:
        return kept
    values: dict[str, _Values] = {}
    for row, at in _rows_of_type(session, type_name):
        for name, text in row.items():
            values.setdefault(name, _Values()).add(text, at)
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    _kept[key] = (time.monotonic() + _KEPT_SECONDS, values)
    return values


def _rows_of_type(session: Reading, type_name: str) -> Iterator[_Row]:
    """Yield the values of the newest objects of a type, or of the newest profiles."""
    if type_name == PROFILE:
        for profile in read_newest(session.connection, session.domain.domain_id, session.now, SAMPLED_OBJECTS):
            attributes = {ATTRIBUTES_PREFIX + name: text for name, text in profile.attributes.items()}
            yield {**profile.values, **attributes}, profile.updated_at
        return
    number, read = _reader_of_type(session, type_name)
    if number is not None:
        newest = rows.read_newest_objects(
            session.connection, session.domain.domain_id, number, session.now, SAMPLED_OBJECTS
        )
        for content, at in newest:
            yield read(parse_object(content)), at


def _reader_of_type(
    session: Reading, type_name: str
) -> tuple[int | None, Callable[[Mapping[str, Any]], Mapping[str, str]]]:
    """Return the number of a type, if it was used, and what reads its objects.

    Raises:
        NotFound: there is no such object type.
    """
    standard = standard_objects().get(type_name)
    if standard is not None:
        return standard.number, lambda document: dict(_flat("", document))
    definition = find_definition(session.connection, session.domain.domain_id, OBJECT_TYPE.name, type_name)
    if definition is None:
        if type_name not in templates():
            raise NotFound(f"Object type {type_name} does not exist in domain {session.domain.name}.")
        return None, lambda _document: {}
    fields = read_used_type(session, definition, None).mapping.fields.values()

    def read(document: Mapping[str, Any]) -> dict[str, str]:
        found = {one.name: one.read(document) for one in fields}
        return {
            name: text
            for name, value in found.items()
            if (text := value_text(value) if isinstance(value, list) else value) is not None
        }

    return definition.definition_id, read


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else name, member)
    elif (text := value_text(value)) is not None:
        yield prefix, text


def _check_attribute(session: Reading, type_name: str, attribute: str) -> None:
    if type_name == PROFILE:
        if field_of_target(attribute) is None and not attribute_of_target(attribute):
            raise InvalidRequest(
                f"AttributeName {attribute} is neither a field of profiles nor {ATTRIBUTES_PREFIX}<name>."
            )
        return
    standard = standard_objects().get(type_name)
    if standard is not None:
        is_known = standard.fields is None or attribute.partition(".")[0] in standard.fields
    else:
        definition = find_definition(session.connection, session.domain.domain_id, OBJECT_TYPE.name, type_name)
        if definition is None:
            if type_name not in templates():
                raise NotFound(f"Object type {type_name} does not exist in domain {session.domain.name}.")
            fields: Sequence[str] = list(templates()[type_name]["Fields"])
        else:
            fields = list(read_used_type(session, definition, None).mapping.fields)
        is_known = attribute in fields
    if not is_known:
        raise InvalidRequest(f"AttributeName: the object type {type_name} has no attribute {attribute}.")


def _page(
    list_name: str, items: Sequence[tuple[str, datetime]], max_results: int, next_token: str | None
) -> AttributePage:
    start = 0 if next_token is None else int(read_token(list_name, next_token, (int,))[0])
    end = start + max_results
    token = write_token(list_name, [end]) if end < len(items) else None
    return AttributePage(tuple(items[start:end]) if start >= 0 else (), token)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _percentile(numbers: Sequence[float], percent: int) -> float:
    """Return a percentile of sorted numbers, between two of them in proportion."""
    place = (len(numbers) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(numbers) - 1)
    share = place - low
    return numbers[low] * (1 - share) + numbers[high] * share
