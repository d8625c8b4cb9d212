"""Remove objects of profiles that stay: deleted, expired, moved to a different profile, or over the limit."""

from __future__ import annotations

import dataclasses

from openprofiles.facts.keys import Key, derived_keys
from openprofiles.facts.records import Profile
from openprofiles.objects.type_definitions import MAX_OBJECTS_PER_PROFILE, read_object_limits
from openprofiles.profiles.session import Writing
from openprofiles.store import domains as domain_rows
from openprofiles.store import objects as rows
from openprofiles.store import profile_keys as key_rows
from openprofiles.store import profiles as profile_rows
from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.definitions import Definition
from openprofiles.store.objects import ProfileObject
from openprofiles.store.profile_changes import insert_change


def remove_object(session: Writing, one: ProfileObject, action: ChangeAction, type_name: str) -> None:
    """Remove an object, and the keys that nothing else gives its profile; the profile keeps its fields."""
    connection, domain_id = session.connection, session.domain.domain_id
    rows.delete_object(connection, one)
    rows.count_objects(connection, domain_id, -1)
    profile = profile_rows.lock_profile(connection, domain_id, one.pid, session.now)
    if profile is None:
        # It has expired, and is removed with its keys.
        return
    _release_keys(session, profile, key_rows.holder_of_object(one.object_no))
    after = dataclasses.replace(
        profile, object_count=profile.object_count - 1, revision=profile.revision + 1, updated_at=session.now
    )
    profile_rows.update_profile(connection, after)
    insert_change(
        connection,
        domain_id,
        action,
        [one.pid],
        changed_at=session.now,
        actor=session.actor,
        object_type=type_name,
    )


def remove_oldest_over_limit(session: Writing, profile: Profile, incoming: Definition) -> None:
    """Remove the oldest object of a profile that has too many.

    It is of the type that is furthest over its own limit; if no type is, of the incoming one's type.
    """
    if profile.object_count <= MAX_OBJECTS_PER_PROFILE:
        return
    limits = read_object_limits(session)
    counts = rows.count_by_type(session.connection, profile.pid)
    over = {number: count - limits[number] for number, count in counts.items() if count > limits.get(number, count)}
    victim = max(over, key=lambda number: (over[number], number)) if over else incoming.definition_id
    oldest = rows.find_oldest_object(session.connection, profile.pid, victim)
    if oldest is not None:
        remove_object(session, oldest, ChangeAction.EXPIRED_OBJECT, incoming.name)


def _release_keys(session: Writing, profile: Profile, holder: str) -> None:
    connection, domain = session.connection, session.domain
    holders = key_rows.read_holders(connection, profile.pid)
    own = {key for key, of_key in holders.items() if holder in of_key}
    if not own:
        return
    held_by_others = {key for key, of_key in holders.items() if of_key - {holder}}
    indexed_paths = domain_rows.read_indexed_paths(connection, domain.domain_id)
    derived = derived_keys(profile.values, profile.attributes, domain.phone_region, indexed_paths)
    gone: set[Key] = own - held_by_others - derived
    key_rows.release_keys_of(connection, profile.pid, own, holder)
    key_rows.remove_from_index(connection, domain.domain_id, {profile.pid: gone})
