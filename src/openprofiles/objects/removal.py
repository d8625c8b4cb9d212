"""Remove objects of profiles that stay: deleted, expired, moved to a different profile, or over the limit."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from openprofiles.clock import to_milliseconds
from openprofiles.facts.field_ownership import with_source, without_paths
from openprofiles.facts.keys import Key, derived_keys
from openprofiles.facts.records import FieldSource, Profile
from openprofiles.facts.standard_profile import ATTRIBUTES_PREFIX, attribute_of_target
from openprofiles.objects.stored_values import StoredValues, best_first, read_stored_values, read_values_of
from openprofiles.objects.type_definitions import MAX_OBJECTS_PER_PROFILE, read_object_limits, read_type_name
from openprofiles.profiles.change_contents import pack_values_before
from openprofiles.profiles.profiles import SERVICE
from openprofiles.profiles.session import Writing, hold_domain
from openprofiles.store import domains as domain_rows
from openprofiles.store import objects as rows
from openprofiles.store import profile_keys as key_rows
from openprofiles.store import profiles as profile_rows
from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.connections import Connection
from openprofiles.store.definitions import Definition, list_deleted_object_types
from openprofiles.store.objects import ProfileObject
from openprofiles.store.prepared import written_together
from openprofiles.store.profile_changes import NewChange, insert_changes


def remove_object(session: Writing, one: ProfileObject, action: ChangeAction, type_name: str) -> None:
    """Remove an object, and the keys that nothing else gives its profile; the profile keeps its fields."""
    _delete_row(session, one)
    profile = profile_rows.lock_profile(session.connection, session.domain.domain_id, one.pid, session.now)
    # One that has expired is removed with its keys.
    if profile is not None:
        _write_profile(session, profile, profile, one, action, type_name)


def has_too_many(profile: Profile) -> bool:
    """Return whether a profile has more objects than the limit."""
    return profile.object_count > MAX_OBJECTS_PER_PROFILE


def remove_oldest_over_limit(
    session: Writing, profile: Profile, incoming: Sequence[int], incoming_nos: Collection[int]
) -> None:
    """Remove the oldest objects of a profile that has too many.

    Each is of the type that is furthest over its own limit; if no type is, of the incoming one's type, or of a standard
    object that it has filled and of which there are more. If there is none, the profile keeps one too many.

    Args:
        incoming: the number of the type of the object that has just come, and those of the standard objects it filled.
        incoming_nos: the numbers of all of these, which stay.
    """
    limits = read_object_limits(session)
    counts = rows.count_by_type(session.connection, profile.pid)
    for _ in range(profile.object_count - MAX_OBJECTS_PER_PROFILE):
        over = {number: count - limits[number] for number, count in counts.items() if count > limits.get(number, count)}
        # Objects of a type go with about as many of the standard objects that they have brought.
        victims = sorted(incoming, key=lambda number: counts.get(number, 0), reverse=True)
        if over:
            victims.insert(0, max(over, key=lambda number: (over[number], number)))
        for victim in victims:
            oldest = rows.find_oldest_object(session.connection, profile.domain_id, profile.pid, victim, incoming_nos)
            if oldest is not None:
                counts[victim] -= 1
                type_name = read_type_name(session.connection, victim)
                remove_object(session, oldest, ChangeAction.EXPIRED_OBJECT, type_name)
                break
        else:
            return


def remove_expired_objects_step(connection: Connection, now: datetime, limit: int) -> int:
    """Remove up to ``limit`` expired objects of all domains; return their number."""
    removed = 0
    for domain in domain_rows.read_all_domains(connection):
        if rows.list_expired_objects(connection, domain.domain_id, now, 1):
            session = hold_domain(connection, domain, now, SERVICE, keeps_replaced=False)
            expired = rows.list_expired_objects(connection, domain.domain_id, now, limit - removed)
            names = {number: read_type_name(connection, number) for number in {one.object_type_id for one in expired}}
            for one in expired:
                remove_object(session, one, ChangeAction.EXPIRED_OBJECT, names[one.object_type_id])
            removed += len(expired)
        if removed >= limit:
            break
    return removed


def remove_objects_of_deleted_types_step(
    connection: Connection, now: datetime, limit: int, *, keeps_replaced: bool, strict: bool
) -> int:
    """Remove up to ``limit`` objects of deleted object types.

    The fields that they have given go with them, or get the value of the best object that is left, by priority and
    recency. What was set by hand stays. Source: design page of objects, O14.

    Args:
        keeps_replaced: whether the log of changes keeps the values that are replaced.
        strict: clear the fields, as AWS does, also if another object has a value.
    """
    domains = {domain.domain_id: domain for domain in domain_rows.read_all_domains(connection)}
    for definition in list_deleted_object_types(connection):
        domain = domains.get(definition.domain_id)
        if domain is None or not rows.has_objects_of_type(connection, domain.domain_id, definition.definition_id):
            continue
        session = hold_domain(connection, domain, now, SERVICE, keeps_replaced=keeps_replaced)
        found = rows.list_objects_of_type(connection, domain.domain_id, definition.definition_id, limit)
        for one in found:
            scrub_object(session, one, definition, falls_back=not strict)
        return len(found)
    return 0


def scrub_object(session: Writing, one: ProfileObject, definition: Definition, *, falls_back: bool) -> None:
    """Remove an object, and the fields that it has given its profile.

    Args:
        falls_back: whether a field gets the value of the best object that is left.
    """
    _delete_row(session, one)
    profile = profile_rows.lock_profile(session.connection, session.domain.domain_id, one.pid, session.now)
    if profile is None:
        return
    own = [source for source in profile.sources if source.object_no == one.object_no]
    values = read_values_of(session, definition, one)
    freed = [path for source in own for path in source.paths if not _is_from_file(profile, source, path, values)]
    owned = [path for source in own for path in source.paths]
    after = _without_values(dataclasses.replace(profile, sources=without_paths(profile.sources, owned)), freed)
    if falls_back and freed:
        for source, best in _best_values(session, one, freed):
            after = _with_values(after, source, best)
    _write_profile(session, profile, after, one, ChangeAction.UPDATED, definition.name)


def _is_from_file(profile: Profile, source: FieldSource, path: str, values: StoredValues | None) -> bool:
    """Return whether a file has replaced what an object gave: files note no fields, so the values differ then."""
    if values is None or to_milliseconds(values.updated_at) != source.ingested_at_ms:
        return False
    given = values.values.get(path)
    attribute = attribute_of_target(path)
    stored = profile.values.get(path) if attribute is None else profile.attributes.get(attribute)
    return given is not None and stored is not None and given != stored


def _without_values(profile: Profile, paths: Collection[str]) -> Profile:
    return dataclasses.replace(
        profile,
        values={path: text for path, text in profile.values.items() if path not in paths},
        attributes={name: text for name, text in profile.attributes.items() if ATTRIBUTES_PREFIX + name not in paths},
        sources=without_paths(profile.sources, paths),
    )


def _with_values(profile: Profile, source: FieldSource, given: Mapping[str, str]) -> Profile:
    prefix = len(ATTRIBUTES_PREFIX)
    attributes = {path[prefix:]: text for path, text in given.items() if path.startswith(ATTRIBUTES_PREFIX)}
    values = {path: text for path, text in given.items() if not path.startswith(ATTRIBUTES_PREFIX)}
    return dataclasses.replace(
        profile,
        values={**profile.values, **values},
        attributes={**profile.attributes, **attributes},
        sources=with_source(profile.sources, source),
    )


def _best_values(
    session: Writing, removed: ProfileObject, paths: Collection[str]
) -> list[tuple[FieldSource, dict[str, str]]]:
    """Find what the other objects of a profile have for these fields: which of them, and their values, each once."""
    left = set(paths)
    found = []
    for one in best_first(read_stored_values(session, removed.pid)):
        values = {path: text for path, text in one.values.items() if path in left}
        left -= values.keys()
        if values:
            found.append((one.as_source(values), values))
    return found


def _delete_row(session: Writing, one: ProfileObject) -> None:
    rows.delete_object(session.connection, one)
    rows.count_objects(session.connection, session.domain.domain_id, -1)


def _write_profile(
    session: Writing, before: Profile, after: Profile, one: ProfileObject, action: ChangeAction, type_name: str
) -> None:
    """Write a profile that has lost an object, and the changes of its keys."""
    connection, domain_id, pid = session.connection, session.domain.domain_id, before.pid
    holder = key_rows.holder_of_object(one.object_no)
    holders = key_rows.read_holders(connection, pid)
    own = {key for key, of_key in holders.items() if holder in of_key}
    held_by_others = {key for key, of_key in holders.items() if of_key - {holder}}
    derived_before, derived_after = (_derived_keys(session, profile) for profile in (before, after))
    written = dataclasses.replace(after, object_count=before.object_count - 1)
    if action is not ChangeAction.EXPIRED_OBJECT:
        # Otherwise an import could not be undone any more because an object has expired, which changes no field.
        written = dataclasses.replace(written, revision=before.revision + 1, updated_at=session.now)
    with written_together(connection) as writes:
        key_rows.change_keys(
            writes,
            domain_id,
            pid,
            holder,
            held=(),
            released=own,
            added=derived_after - derived_before,
            removed=(derived_before | own) - derived_after - held_by_others,
        )
        profile_rows.update_profile(writes, before, written)
    if session.recorded is not None:
        session.recorded.write_profile(before, written)
        session.recorded.replace_object(one, own)
    change = NewChange(
        action=action,
        pids=[pid],
        changed_at=session.now,
        actor=session.actor,
        content=pack_values_before(before, written)
        if action is ChangeAction.UPDATED and session.keeps_replaced
        else None,
        object_type=type_name,
    )
    insert_changes(connection, domain_id, [change])


def _derived_keys(session: Writing, profile: Profile) -> frozenset[Key]:
    domain = session.domain
    indexed_paths = domain_rows.read_indexed_paths(session.connection, domain.domain_id)
    return derived_keys(profile.values, profile.attributes, domain.phone_region, indexed_paths)
