"""Explain what an object would do if it were ingested now, and why. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from openprofiles.facts.field_ownership import owner_of
from openprofiles.facts.records import Profile
from openprofiles.facts.standard_profile import ATTRIBUTES_PREFIX
from openprofiles.objects.ingestion import Ingestion
from openprofiles.objects.placement import DeadLetterCode, TriedKey
from openprofiles.objects.prepared_objects import PreparedObject, prepare_object
from openprofiles.objects.type_definitions import read_priorities, read_type_name
from openprofiles.objects.used_types import find_used_type, with_definition
from openprofiles.profiles.session import Writing


class ExplainedOutcome(StrEnum):
    """What would become of an object."""

    WOULD_CREATE = "WOULD_CREATE"
    WOULD_JOIN = "WOULD_JOIN"
    WOULD_BE_REJECTED = "WOULD_BE_REJECTED"


class FieldEffect(StrEnum):
    """What would become of a field of the profile."""

    WRITE = "WRITE"
    SAME = "SAME"
    KEEP = "KEEP"


@dataclass(frozen=True, slots=True)
class ExplainedField:
    """A field that the object has a value for.

    Attributes:
        path: of the profile.
        before: the value that the profile has; None: it has none.
        given: the value of the object.
        reason: why the profile keeps its own value; None: it does not.
    """

    path: str
    effect: FieldEffect
    before: str | None
    given: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What an object would do.

    Attributes:
        rejection: why it would be a dead letter.
        profile_id: of the profile that it would join.
        overwrites: whether it would replace an object with its unique key.
        tried: the keys by which the profile is looked for, in their order.
        fields: those of the profile that it has values for.
        missing: the fields of the type for which it has no value.
        unread_time: see ``PreparedObject``.
        standard_objects: the names of those that it would write to.
    """

    outcome: ExplainedOutcome
    rejection: DeadLetterCode | None
    profile_id: str | None
    unique_key: bytes
    overwrites: bool
    tried: tuple[TriedKey, ...]
    fields: tuple[ExplainedField, ...]
    missing: tuple[str, ...]
    unread_time: str | None
    standard_objects: tuple[str, ...]


def explain_object(session: Writing, type_name: str, content: str) -> Explanation:
    """Explain what an object would do; its transaction is rolled back to where it was.

    Raises:
        NotFound: there is no such object type.
        InvalidRequest: the object cannot be read, or lacks its keys.
    """
    attempt = session.connection.begin_nested()
    try:
        return _explain(session, type_name, content)
    finally:
        attempt.rollback()


def _explain(session: Writing, type_name: str, content: str) -> Explanation:
    object_type = with_definition(session, find_used_type(session, type_name))
    domain = session.domain
    prepared = prepare_object(object_type, content, salt=domain.object_salt, phone_region=domain.phone_region)
    outcome = Ingestion(session).place(prepared)
    if outcome.rejection is not None:
        result = ExplainedOutcome.WOULD_BE_REJECTED
    else:
        result = ExplainedOutcome.WOULD_CREATE if outcome.before is None else ExplainedOutcome.WOULD_JOIN
    return Explanation(
        outcome=result,
        rejection=outcome.rejection,
        profile_id=None if outcome.before is None else outcome.before.profile_id,
        unique_key=prepared.unique_key,
        overwrites=outcome.replaced,
        tried=outcome.tried,
        fields=() if outcome.after is None else tuple(_fields(session, prepared, outcome.before, outcome.after)),
        missing=tuple(name for name in object_type.mapping.fields if name not in prepared.values),
        unread_time=prepared.unread_time,
        standard_objects=tuple(prepared.standard_values),
    )


def _fields(
    session: Writing, prepared: PreparedObject, before: Profile | None, after: Profile
) -> Iterator[ExplainedField]:
    given = dict(prepared.profile_values)
    if before is None:
        given = {**prepared.inferred_values, **given}
    for path, text in given.items():
        old = None if before is None else _value(before, path)
        if _value(after, path) == text:
            yield ExplainedField(path, FieldEffect.SAME if old == text else FieldEffect.WRITE, old, text, None)
        elif before is not None:
            yield ExplainedField(path, FieldEffect.KEEP, old, text, _reason_to_keep(session, before, path))


def _reason_to_keep(session: Writing, profile: Profile, path: str) -> str:
    if path in profile.origins:
        return "It was edited by hand, and the object type has no SourcePriority."
    source = owner_of(profile.sources, path)
    if source is None:
        raise ValueError(f"{path} is kept, although nothing protects it.")
    name = read_type_name(session.connection, source.object_type_id)
    priority = read_priorities(session).get(source.object_type_id)
    if priority is None:
        return f"An object of the type {name} was changed later at its source."
    return f"An object of the type {name}, which has the SourcePriority {priority}, has given it."


def _value(profile: Profile, path: str) -> str | None:
    if path.startswith(ATTRIBUTES_PREFIX):
        return profile.attributes.get(path.removeprefix(ATTRIBUTES_PREFIX))
    return profile.values.get(path)
