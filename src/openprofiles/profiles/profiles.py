"""Profiles: created, read, changed and deleted, one at a time; their keys, and their expiry.

Every write is one short transaction that keeps the index of keys, the domain's count of profiles and its key
version in step. Whatever is read has not expired, even before the worker has removed what has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.ids import new_profile_id, row_number_of
from openprofiles.profiles.keys import Key, derived_keys, key_changes
from openprofiles.profiles.normal_forms import normal_key
from openprofiles.profiles.records import Domain, Profile
from openprofiles.profiles.standard_profile import ATTRIBUTES_PREFIX, KEY_FIELD_PATHS, PROFILE_ID_KEY
from openprofiles.store import domains as domain_rows
from openprofiles.store import profile_keys as key_rows
from openprofiles.store import profiles as profile_rows
from openprofiles.store import row_sequence
from openprofiles.store.connections import Connection, Store

ENGAGEMENT_PREFERENCES_PATH = "EngagementPreferences"


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


def create_profile(store: Store, domain_name: str, change: ProfileChange, now: datetime) -> Profile:
    """Create a profile, even if another has the same values. It expires by the domain's default.

    Raises:
        NotFound: there is no such domain.
        InvalidRequest: a custom attribute has no name.
    """
    _check_attribute_names(change)
    with store.write() as connection:
        domain = domain_rows.read_domain(connection, domain_name, for_change=True)
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
        profile_rows.insert_profile(connection, profile)
        key_rows.add_to_index(connection, domain.domain_id, _derived_keys(connection, domain, [profile]))
        domain_rows.count_write(connection, domain.domain_id, profiles_added=1)
        return profile


def update_profile(
    store: Store,
    domain_name: str,
    profile_id: str,
    change: ProfileChange,
    now: datetime,
    *,
    only_revision: int | None = None,
) -> Profile:
    """Change a profile by hand; keep it for at least the domain's default from now.

    A change that leaves every value as it was touches the profile all the same.

    Args:
        only_revision: the revision that the change was made for; None takes whatever there is.

    Raises:
        NotFound: there is no such domain, or no such profile in it.
        InvalidRequest: a custom attribute has no name.
        ChangedMeanwhile: the profile has another revision.
    """
    _check_attribute_names(change)
    with store.write() as connection:
        domain = domain_rows.read_domain(connection, domain_name, for_change=True)
        before = _lock_profile(connection, domain, profile_id, now)
        if only_revision is not None and before.revision != only_revision:
            raise ChangedMeanwhile(before)
        after = _touched(_with_change(before, change), domain, now)
        pid = before.pid
        changes = key_changes(
            _derived_keys(connection, domain, [before])[pid],
            _derived_keys(connection, domain, [after])[pid],
            key_rows.keys_added_by_hand(connection, [pid])[pid],
        )
        profile_rows.update_profile(connection, after)
        key_rows.remove_from_index(connection, domain.domain_id, {pid: changes.removed})
        key_rows.add_to_index(connection, domain.domain_id, {pid: changes.added})
        # Also when no key changed: a running load must see what was edited by hand.
        domain_rows.count_write(connection, domain.domain_id)
        return after


def delete_profile(store: Store, domain_name: str, profile_id: str, now: datetime) -> None:
    """Remove a profile and everything that belongs to it.

    Raises:
        NotFound: there is no such domain, or no such profile in it.
    """
    with store.write() as connection:
        domain = domain_rows.read_domain(connection, domain_name, for_change=True)
        profile = _lock_profile(connection, domain, profile_id, now)
        _remove_profiles(connection, domain, [profile])


def get_profiles(store: Store, domain_name: str, profile_ids: Sequence[str], now: datetime) -> FoundProfiles:
    """Return the profiles of these ids, in their order; a repeated id repeats its profile.

    Raises:
        NotFound: there is no such domain.
    """
    pids = {pid for profile_id in profile_ids if (pid := row_number_of(profile_id)) is not None}
    with store.read() as connection:
        domain = domain_rows.read_domain(connection, domain_name)
        rows = profile_rows.read_profiles(connection, domain.domain_id, pids, now)
    by_id = {str(profile.profile_id): profile for profile in rows.values()}
    return FoundProfiles(
        tuple(by_id[profile_id] for profile_id in profile_ids if profile_id in by_id),
        tuple(profile_id for profile_id in profile_ids if profile_id not in by_id),
    )


def get_profile(store: Store, domain_name: str, profile_id: str, now: datetime) -> Profile:
    """Return the profile of this id.

    Raises:
        NotFound: there is no such domain, or no such profile in it.
    """
    found = get_profiles(store, domain_name, [profile_id], now)
    if not found.profiles:
        raise NotFound(no_such_profile_message(profile_id, domain_name))
    return found.profiles[0]


def add_profile_key(
    store: Store, domain_name: str, profile_id: str, key_name: str, values: Sequence[str], now: datetime
) -> None:
    """Add values of a key to a profile, whatever its fields hold.

    Extends its expiration as an update does.

    Raises:
        NotFound: there is no such domain, or no such profile in it.
        InvalidRequest: the key is ``_profileId``, or a value holds nothing that the key can be found by.
    """
    _check_key_name(key_name)
    with store.write() as connection:
        domain = domain_rows.read_domain(connection, domain_name, for_change=True)
        profile = _lock_profile(connection, domain, profile_id, now)
        keys = set()
        for position, text in enumerate(values):
            normal = normal_key(key_name, text, domain.phone_region)
            if normal is None:
                raise InvalidRequest(f"Values[{position}] is not a valid value of the key {key_name}.")
            keys.add(Key(key_name, normal))
        key_rows.remember_added_by_hand(connection, {profile.pid: keys})
        key_rows.add_to_index(connection, domain.domain_id, {profile.pid: keys})
        profile_rows.update_profile(connection, _touched(profile, domain, now))
        domain_rows.count_write(connection, domain.domain_id)


def delete_profile_key(
    store: Store, domain_name: str, profile_id: str, key_name: str, values: Iterable[str], now: datetime
) -> None:
    """Remove values of a key from a profile; unknown values are ignored.

    A value that still stands in one of the profile's fields comes back when that field changes. The profile's
    expiry stays as it is. Source: reference, U45.

    Raises:
        NotFound: there is no such domain, or no such profile in it.
        InvalidRequest: the key is ``_profileId``.
    """
    _check_key_name(key_name)
    with store.write() as connection:
        domain = domain_rows.read_domain(connection, domain_name, for_change=True)
        profile = _lock_profile(connection, domain, profile_id, now)
        normal_values = {normal_key(key_name, text, domain.phone_region) for text in values}
        keys = {Key(key_name, value) for value in normal_values if value is not None}
        forgotten = key_rows.forget_added_by_hand(connection, {profile.pid: keys})
        removed = key_rows.remove_from_index(connection, domain.domain_id, {profile.pid: keys})
        if forgotten or removed:
            touched = dataclasses.replace(profile, revision=profile.revision + 1, updated_at=now)
            profile_rows.update_profile(connection, touched)
            domain_rows.count_write(connection, domain.domain_id)


def remove_expired_profiles_step(connection: Connection, now: datetime, limit: int) -> int:
    """Remove up to ``limit`` expired profiles of all domains, with their keys; return their number.

    Fewer than ``limit`` means that all are gone.

    The data of deleted domains goes its own way, in ``store.removal.remove_deleted_domain_step``.
    """
    removed = 0
    for domain in domain_rows.read_all_domains(connection):
        if profile_rows.count_expired_profiles(connection, domain.domain_id, now, at_most=1):
            domain_rows.lock_domain(connection, domain.domain_id)
            removed += _remove_expired(connection, domain, now, limit - removed)
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


def _lock_profile(connection: Connection, domain: Domain, profile_id: str, now: datetime) -> Profile:
    pid = row_number_of(profile_id)
    profile = None if pid is None else profile_rows.lock_profile(connection, domain.domain_id, pid, now)
    if profile is None or profile.profile_id != profile_id:
        raise NotFound(no_such_profile_message(profile_id, domain.name))
    return profile


def _with_change(profile: Profile, change: ProfileChange) -> Profile:
    preferences = change.engagement_preferences
    set_by_hand = {path: bool(text) for path, text in change.values.items()}
    set_by_hand |= {ATTRIBUTES_PREFIX + name: bool(text) for name, text in change.attributes.items()}
    if preferences is not None:
        set_by_hand[ENGAGEMENT_PREFERENCES_PATH] = bool(preferences)
    given = {path for path, is_given in set_by_hand.items() if is_given}
    # A value that a person removed may come back with a later load. Our choice; AWS does not say.
    return dataclasses.replace(
        profile,
        values=_merged(profile.values, change.values),
        attributes=_merged(profile.attributes, change.attributes),
        engagement_preferences=profile.engagement_preferences if preferences is None else preferences or None,
        origins=(profile.origins - set_by_hand.keys()) | given,
    )


def _merged(before: Mapping[str, str], change: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in {**before, **change}.items() if text}


def _touched(profile: Profile, domain: Domain, now: datetime) -> Profile:
    # The longest expiry wins (admin guide, "Data expiration").
    return dataclasses.replace(
        profile,
        revision=profile.revision + 1,
        updated_at=now,
        expires_at=max(profile.expires_at, now + timedelta(days=domain.default_expiration_days)),
    )


def _remove_expired(connection: Connection, domain: Domain, now: datetime, limit: int) -> int:
    indexed_paths = domain_rows.read_indexed_paths(connection, domain.domain_id)
    # Nothing but what keys are derived from: a whole profile takes four times as long.
    expired = profile_rows.read_expired_profiles(
        connection, domain.domain_id, now, limit, KEY_FIELD_PATHS | indexed_paths
    )
    derived = {one.pid: derived_keys(one.values, one.attributes, domain.phone_region, indexed_paths) for one in expired}
    _remove_with_keys(connection, domain, derived)
    return len(derived)


def _derived_keys(connection: Connection, domain: Domain, profiles: Sequence[Profile]) -> dict[int, frozenset[Key]]:
    indexed_paths = domain_rows.read_indexed_paths(connection, domain.domain_id)
    return {
        profile.pid: derived_keys(profile.values, profile.attributes, domain.phone_region, indexed_paths)
        for profile in profiles
    }


def _remove_profiles(connection: Connection, domain: Domain, profiles: Sequence[Profile]) -> None:
    _remove_with_keys(connection, domain, _derived_keys(connection, domain, profiles))


def _remove_with_keys(connection: Connection, domain: Domain, derived: Mapping[int, frozenset[Key]]) -> None:
    """Remove profiles, given by row number with the keys that their fields give them."""
    added_by_hand = key_rows.keys_added_by_hand(connection, derived.keys())
    # The index holds no key that is neither derived from the fields nor added by hand.
    keys = {pid: derived[pid] | added_by_hand[pid] for pid in derived}
    key_rows.remove_from_index(connection, domain.domain_id, keys)
    key_rows.forget_added_by_hand(connection, added_by_hand)
    profile_rows.delete_profiles(connection, domain.domain_id, derived.keys())
    domain_rows.count_write(connection, domain.domain_id, profiles_added=-len(derived))
