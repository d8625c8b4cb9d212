"""The values of calculated attributes of profiles, computed from their objects as they are now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from openprofiles.calculated.definitions import CalculatedDefinition
from openprofiles.calculated.object_values import ObjectValues
from openprofiles.calculated.values import CalculatedValue, CountedObject, DayRange, calculate, passes
from openprofiles.clock import to_milliseconds
from openprofiles.expressions.moment_text import DAY_MS
from openprofiles.facts.records import Profile
from openprofiles.objects.field_sources import ReadField
from openprofiles.objects.standard_objects import standard_objects
from openprofiles.objects.type_definitions import OBJECT_TYPE
from openprofiles.objects.used_types import read_used_type
from openprofiles.profiles.session import Reading
from openprofiles.store.calculated_objects import read_objects
from openprofiles.store.definitions import find_definition


class ObjectType:
    """An object type whose objects count.

    Attributes:
        number: in the store; None: it has no objects yet.
        fields: what reads its fields, by name.
    """

    def __init__(self, session: Reading, name: str) -> None:
        self.number: int | None = None
        self.fields: Mapping[str, ReadField] = {}
        standard = standard_objects().get(name)
        if standard is not None:
            self.number = standard.number
            return
        found = find_definition(session.connection, session.domain.domain_id, OBJECT_TYPE.name, name)
        if found is not None:
            self.number = found.definition_id
            mapping = read_used_type(session, found, None).mapping
            self.fields = {field.name: field.read for field in mapping.fields.values()}


def calculate_for(
    session: Reading,
    profiles: Sequence[Profile],
    definitions: Sequence[CalculatedDefinition],
    days: DayRange | None = None,
) -> Iterator[tuple[Profile, CalculatedDefinition, CalculatedValue]]:
    """Compute values of some profiles; objects of a type are read once for all definitions.

    Args:
        days: replaces the ranges of the definitions.
    """
    types: dict[str, ObjectType] = {}
    objects: dict[str, dict[int, list[CountedObject]]] = {}
    pids = [profile.pid for profile in profiles]
    for definition in definitions:
        calculation = definition.calculation(session.now)
        name = calculation.formula.type_name
        if not definition.is_age and name not in types:
            types[name] = ObjectType(session, name)
            objects[name] = _objects_by_profile(session, types[name], pids)
        for profile in profiles:
            if definition.is_age:
                yield profile, definition, profile_age(definition, profile, session.now)
            else:
                yield profile, definition, calculate(calculation, objects[name].get(profile.pid, ()), session.now, days)


def calculate_for_all(
    session: Reading,
    definition: CalculatedDefinition,
    days: DayRange | None = None,
    *,
    among: Sequence[int] | range | None = None,
) -> Iterator[tuple[int, CalculatedValue]]:
    """Compute the value of every profile that has objects of the type.

    Args:
        days: replaces the range of the definition.
        among: only of profiles with these row numbers; None: of all.

    Yields:
        the row number of a profile, and its value.
    """
    calculation = definition.calculation(session.now)
    of_type = ObjectType(session, calculation.formula.type_name)
    if of_type.number is None:
        return
    rows = read_objects(session.connection, session.domain.domain_id, of_type.number, session.now, pids=among)
    for pid, of_profile in groupby(rows, key=itemgetter(0)):
        objects = [CountedObject(number, at, ObjectValues(text, of_type.fields)) for _, number, at, text in of_profile]
        yield pid, calculate(calculation, objects, session.now, days)


def profile_age(definition: CalculatedDefinition, profile: Profile, now: datetime) -> CalculatedValue:
    """Compute the age of a profile in days, or whether it is below the threshold."""
    age = (to_milliseconds(now) - to_milliseconds(profile.created_at)) // DAY_MS
    threshold = definition.calculation(now).threshold
    text = str(age) if threshold is None else str(passes(str(age), *threshold)).lower()
    return CalculatedValue(text, None, is_partial=False)


def _objects_by_profile(session: Reading, of_type: ObjectType, pids: Sequence[int]) -> dict[int, list[CountedObject]]:
    found: dict[int, list[CountedObject]] = {}
    if of_type.number is None:
        return found
    rows = read_objects(session.connection, session.domain.domain_id, of_type.number, session.now, pids=pids)
    for pid, number, ingested_at_ms, content in rows:
        values = ObjectValues(content, of_type.fields)
        found.setdefault(pid, []).append(CountedObject(number, ingested_at_ms, values))
    return found
