"""Profiles: created, read, changed and deleted, one at a time; their keys, and their expiry.

Every write is one short transaction that keeps the index of keys, the domain's count of profiles and its log of changes
in step. Whatever is read has not expired, even before the worker has removed what has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.field_ownership import without_paths
from openprofiles.facts.keys import Key, derived_keys, key_changes
from openprofiles.facts.precedence import HAND
from openprofiles.facts.records import Domain, Profile
from openprofiles.facts.standard_profile import (
    ATTRIBUTES_PREFIX,
    ENGAGEMENT_PREFERENCES_PATH,
    KEY_FIELD_PATHS,
    PROFILE_ID_KEY,
)
from openprofiles.facts.typed_keys import searched_key
from openprofiles.ids import new_profile_id, row_number_of
from openprofiles.profiles.change_contents import pack_keys, pack_values_before
from openprofiles.profiles.key_forms import read_forms
from openprofiles.profiles.session import Reading, Writing, hold_domain
from openprofiles.store import domains as domain_rows
from openprofiles.store import profile_keys as key_rows
from openprofiles.store import profiles as profile_rows
from openprofiles.store import row_sequence
from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.connections import Connection
from openprofiles.store.objects import delete_objects_of_profiles
from openprofiles.store.prepared import written_together
from openprofiles.store.profile_changes import NewChange, forget_contents, insert_changes

# What PerformedBy says of profiles that have expired.
SERVICE = "profile.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChange:
    """What a caller gives for a profile. What is absent stays as it is; an empty text removes the value.

    Attributes:
        values: by path of the standard profile.
        attributes: the custom attributes by name.
        engagement_preferences: in the API's own form, replacing the old ones as a whole; an empty one removes
            them, None keeps them.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    engagement_preferences: Mapping[str, Any] | None = None


class ChangedMeanwhile(Exception):
    """A profile is no longer as it was when somebody began to change it; nothing was written.

    Attributes:
        profile: as it stands now.
    """

    def __init__(self, profile: Profile) -> None:
        super().__init__("The profile was changed in the meantime.")
        self.profile = profile


@dataclass(frozen=True, slots=True)
class FoundProfiles:
    """The profiles of a list of ids, in the order of the list, and the ids that name none."""

    profiles: tuple[Profile, ...]
    missing_ids: tuple[str, ...]


def create_profile(session: Writing, change: ProfileChange) -> Profile:
    """Create a profile, even if another has the same values. It expires by the domain's default.

    Raises:
        InvalidRequest: a custom attribute has no name.
    """
    _check_attribute_names(change)
    connection, domain, now = session.connection, session.domain, session.now
    pid = row_sequence.reserve(connection, 1)
    empty = Profile(
        pid=pid,
        domain_id=domain.domain_id,
        profile_id=new_profile_id(now, pid),
        values={},
        created_at=now,
        updated_at=now,
        expires_at=now + timedelta(days=domain.default_expiration_days),
    )
    profile = _with_change(empty, change)
    with written_together(connection) as writes:
        profile_rows.insert_profile(writes, profile)
    key_rows.add_to_index(connection, domain.domain_id, _derived_keys(connection, domain, [profile]))
    _note_change(session, ChangeAction.CREATED, profile, profiles_added=1)
    return profile


def update_profile(
    session: Writing, profile_id: str, change: ProfileChange, *, only_revision: int | None = None
) -> Profile:
    """Change a profile by hand; keep it for at least the domain's default from now.

    A change that leaves every value as it was touches the profile all the same.

    Args:
        only_revision: the revision that the change was made for; None takes whatever there is.

    Raises:
        NotFound: the domain has no such profile.
        InvalidRequest: a custom attribute has no name.
        ChangedMeanwhile: the profile has another revision.
    """
    _check_attribute_names(change)
    connection, domain = session.connection, session.domain
    before = _lock_profile(session, profile_id)
    if only_revision is not None and before.revision != only_revision:
        raise ChangedMeanwhile(before)
    after = _touched(_with_change(before, change), session)
    pid = before.pid
    changes = key_changes(
        _derived_keys(connection, domain, [before])[pid],
        _derived_keys(connection, domain, [after])[pid],
        key_rows.read_held_keys(connection, [pid])[pid],
    )
    with written_together(connection) as writes:
        profile_rows.update_profile(writes, before, after)
    key_rows.remove_from_index(connection, domain.domain_id, {pid: changes.removed})
    key_rows.add_to_index(connection, domain.domain_id, {pid: changes.added})
    # Also when no key changed: a running load must see what was edited by hand.
    _note_change(session, ChangeAction.UPDATED, after, content=pack_values_before(before, after))
    return after


def delete_profile(session: Writing, profile_id: str) -> None:
    """Remove a profile and everything that belongs to it.

    Raises:
        NotFound: the domain has no such profile.
    """
    profile = _lock_profile(session, profile_id)
    derived = _derived_keys(session.connection, session.domain, [profile])
    _remove_with_keys(session, ChangeAction.DELETED, derived)


def get_profiles(session: Reading, profile_ids: Sequence[str]) -> FoundProfiles:
    """Return the profiles of these ids, in their order; a repeated id repeats its profile."""
    pids = {pid for profile_id in profile_ids if (pid := row_number_of(profile_id)) is not None}
    rows = profile_rows.read_profiles(session.connection, session.domain.domain_id, pids, session.now)
    by_id = {str(profile.profile_id): profile for profile in rows.values()}
    return FoundProfiles(
        tuple(by_id[profile_id] for profile_id in profile_ids if profile_id in by_id),
        tuple(profile_id for profile_id in profile_ids if profile_id not in by_id),
    )


def get_profile(session: Reading, profile_id: str) -> Profile:
    """Return the profile of this id.

    Raises:
        NotFound: the domain has no such profile.
    """
    found = get_profiles(session, [profile_id])
    if not found.profiles:
        raise NotFound(no_such_profile_message(profile_id, session.domain.name))
    return found.profiles[0]


def add_profile_key(session: Writing, profile_id: str, key_name: str, values: Sequence[str]) -> None:
    """Add values of a key to a profile, whatever its fields hold.

    Extends its expiration as an update does.

    Raises:
        NotFound: the domain has no such profile.
        InvalidRequest: the key is ``_profileId``, or a value holds nothing that the key can be found by.
    """
    _check_key_name(key_name)
    connection, domain = session.connection, session.domain
    profile = _lock_profile(session, profile_id)
    keys = set()
    forms = read_forms(session, [key_name])
    for position, text in enumerate(values):
        normal = searched_key(key_name, text, forms, domain.phone_region)
        if normal is None:
            raise InvalidRequest(f"Values[{position}] is not a valid value of the key {key_name}.")
        keys.add(Key(key_name, normal))
    key_rows.hold_keys(connection, {profile.pid: keys}, key_rows.HAND)
    key_rows.add_to_index(connection, domain.domain_id, {profile.pid: keys})
    with written_together(connection) as writes:
        profile_rows.update_profile(writes, profile, _touched(profile, session))
    _note_change(session, ChangeAction.ADDED_KEY, profile, content=pack_keys(key_name, values))


def delete_profile_key(session: Writing, profile_id: str, key_name: str, values: Sequence[str]) -> None:
    """Remove values of a key from a profile; unknown values are ignored.

    A value that still stands in one of the profile's fields comes back when that field changes. The profile's
    expiry stays as it is. Source: reference, U45.

    Raises:
        NotFound: the domain has no such profile.
        InvalidRequest: the key is ``_profileId``.
    """
    _check_key_name(key_name)
    connection, domain = session.connection, session.domain
    profile = _lock_profile(session, profile_id)
    forms = read_forms(session, [key_name])
    normal_values = {searched_key(key_name, text, forms, domain.phone_region) for text in values}
    keys = {Key(key_name, value) for value in normal_values if value is not None}
    released = key_rows.release_keys(connection, {profile.pid: keys})
    removed = key_rows.remove_from_index(connection, domain.domain_id, {profile.pid: keys})
    if released or removed:
        touched = dataclasses.replace(profile, revision=profile.revision + 1, updated_at=session.now)
        with written_together(connection) as writes:
            profile_rows.update_profile(writes, profile, touched)
        _note_change(session, ChangeAction.DELETED_KEY, profile, content=pack_keys(key_name, values))


def remove_expired_profiles_step(connection: Connection, now: datetime, limit: int) -> int:
    """Remove up to ``limit`` expired profiles of all domains, with their keys; return their number.

    Fewer than ``limit`` means that all are gone.

    The data of deleted domains goes its own way, in ``store.removal.remove_deleted_domain_step``.
    """
    removed = 0
    for domain in domain_rows.read_all_domains(connection):
        if profile_rows.count_expired_profiles(connection, domain.domain_id, now, at_most=1):
            session = hold_domain(connection, domain, now, SERVICE, keeps_replaced=False)
            removed += _remove_expired(session, limit - removed)
        if removed == limit:
            break
    return removed


def no_such_profile_message(profile_id: str, domain_name: str) -> str:
    """Build the message for an id without a profile in the domain."""
    return f"Profile {profile_id} does not exist in domain {domain_name}."


def _check_attribute_names(change: ProfileChange) -> None:
    if "" in change.attributes:
        raise InvalidRequest(
            "Attributes contains a value without a name. Give each attribute a name of 1 to 255 characters."
        )


def _check_key_name(key_name: str) -> None:
    if key_name == PROFILE_ID_KEY:
        raise InvalidRequest(
            f"KeyName {PROFILE_ID_KEY} is the profile's own id; its values cannot be added or deleted."
        )


def _lock_profile(session: Writing, profile_id: str) -> Profile:
    domain, pid = session.domain, row_number_of(profile_id)
    profile = None if pid is None else profile_rows.lock_profile(session.connection, domain.domain_id, pid, session.now)
    if profile is None or profile.profile_id != profile_id:
        raise NotFound(no_such_profile_message(profile_id, domain.name))
    return profile


def _with_change(profile: Profile, change: ProfileChange) -> Profile:
    preferences = change.engagement_preferences
    written = {path: bool(text) for path, text in change.values.items()}
    written |= {ATTRIBUTES_PREFIX + name: bool(text) for name, text in change.attributes.items()}
    if preferences is not None:
        written[ENGAGEMENT_PREFERENCES_PATH] = bool(preferences)
    # A value that a person removed may come back with a later load. Our choice; AWS does not say.
    return dataclasses.replace(
        profile,
        values=_merged(profile.values, change.values),
        attributes=_merged(profile.attributes, change.attributes),
        engagement_preferences=profile.engagement_preferences if preferences is None else preferences or None,
        origins=HAND.leaves_set_by_hand(written, profile.origins),
        sources=without_paths(profile.sources, written),
    )


def _merged(before: Mapping[str, str], change: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in {**before, **change}.items() if text}


def _touched(profile: Profile, session: Writing) -> Profile:
    # The longest expiry wins (admin guide, "Data expiration").
    return dataclasses.replace(
        profile,
        revision=profile.revision + 1,
        updated_at=session.now,
        expires_at=max(profile.expires_at, session.now + timedelta(days=session.domain.default_expiration_days)),
    )


def _remove_expired(session: Writing, limit: int) -> int:
    connection, domain = session.connection, session.domain
    indexed_paths = domain_rows.read_indexed_paths(connection, domain.domain_id)
    # Nothing but what keys are derived from: a whole profile takes four times as long.
    expired = profile_rows.read_expired_profiles(
        connection, domain.domain_id, session.now, limit, KEY_FIELD_PATHS | indexed_paths
    )
    if not expired:
        # Another worker has removed them since they were counted.
        return 0
    derived = {one.pid: derived_keys(one.values, one.attributes, domain.phone_region, indexed_paths) for one in expired}
    _remove_with_keys(session, ChangeAction.EXPIRED, derived)
    return len(derived)


def _derived_keys(connection: Connection, domain: Domain, profiles: Sequence[Profile]) -> dict[int, frozenset[Key]]:
    indexed_paths = domain_rows.read_indexed_paths(connection, domain.domain_id)
    return {
        profile.pid: derived_keys(profile.values, profile.attributes, domain.phone_region, indexed_paths)
        for profile in profiles
    }


def remove_profiles(session: Writing, profiles: Sequence[Profile]) -> None:
    """Remove profiles for a job, which writes the log itself."""
    _remove_rows(session, _derived_keys(session.connection, session.domain, profiles))


def _remove_with_keys(session: Writing, action: ChangeAction, derived: Mapping[int, frozenset[Key]]) -> None:
    """Remove profiles, given by row number with the keys that their fields give them."""
    _remove_rows(session, derived)
    pids = sorted(derived)
    change = NewChange(action=action, pids=pids, changed_at=session.now, actor=session.actor)
    insert_changes(session.connection, session.domain.domain_id, [change], profiles_added=-len(pids))


def _remove_rows(session: Writing, derived: Mapping[int, frozenset[Key]]) -> None:
    if not derived:
        return
    connection, domain_id = session.connection, session.domain.domain_id
    held = key_rows.read_held_keys(connection, derived.keys())
    # The index holds no key that is neither derived from the fields nor held.
    keys = {pid: derived[pid] | held[pid] for pid in derived}
    key_rows.remove_from_index(connection, domain_id, keys)
    key_rows.release_keys(connection, held)
    delete_objects_of_profiles(connection, domain_id, derived.keys())
    profile_rows.delete_profiles(connection, domain_id, derived.keys(), session.now)
    forget_contents(connection, domain_id, derived)


def _note_change(
    session: Writing,
    action: ChangeAction,
    profile: Profile,
    *,
    profiles_added: int = 0,
    content: bytes | None = None,
) -> None:
    change = NewChange(
        action=action,
        pids=[profile.pid],
        changed_at=session.now,
        actor=session.actor,
        content=content if session.keeps_replaced else None,
    )
    insert_changes(session.connection, session.domain.domain_id, [change], profiles_added=profiles_added)
