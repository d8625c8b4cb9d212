"""Find the profile of an object, and the standard objects that it belongs to.

Source: admin guide, "Profile matching"; design page of objects, 4.3, O7 to O9 and O12.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from openprofiles.facts.keys import Key
from openprofiles.facts.records import Profile
from openprofiles.facts.standard_profile import PROFILE_ID_KEY
from openprofiles.ids import row_number_of
from openprofiles.objects.object_types import ID_KEYS, LOOKUP_ONLY
from openprofiles.objects.prepared_objects import PreparedObject
from openprofiles.objects.read_ahead import ReadAhead
from openprofiles.objects.standard_objects import standard_objects
from openprofiles.profiles.session import Writing
from openprofiles.store import objects as rows
from openprofiles.store.objects import ProfileObject

# The key of a standard object that no key of its object identifies. No key of an object type has an empty name.
_OWN_OBJECT = ""
# So many profiles of one key are several.
_AMBIGUOUS = 2
_PIDS_PER_READ = 20


class DeadLetterCode(StrEnum):
    """Why an object was not given to a profile."""

    AMBIGUOUS_KEYS = "AMBIGUOUS_KEYS"
    NO_PROFILE = "NO_PROFILE"
    AMBIGUOUS_STANDARD_OBJECT = "AMBIGUOUS_STANDARD_OBJECT"

    @property
    def message(self) -> str:
        """What people read, as AWS writes it where that is known (reference, 4.7)."""
        return _MESSAGES[self]


_MESSAGES = {
    DeadLetterCode.AMBIGUOUS_KEYS: "All keys of this object are binding to more than one profiles",
    DeadLetterCode.NO_PROFILE: "No key of this object finds a profile, and its object type does not create profiles",
    DeadLetterCode.AMBIGUOUS_STANDARD_OBJECT: "A key of this object finds more than one standard object of the profile",
}


@dataclass(frozen=True, slots=True)
class TriedKey:
    """A key by which a profile was looked for.

    Attributes:
        profile_count: how many profiles it found; 2 stands for several.
        decided: whether it found the profile of the object.
    """

    key: Key
    profile_count: int
    decided: bool


class Rejected(Exception):
    """The object cannot be given to a profile. Nothing was written."""

    def __init__(self, code: DeadLetterCode, tried: Sequence[TriedKey] = ()) -> None:
        super().__init__(code.message)
        self.code = code
        self.tried = tuple(tried)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an object goes.

    Attributes:
        profile: its profile, locked; None: a new one.
        tried: the keys that were looked for, in their order.
    """

    profile: Profile | None
    tried: tuple[TriedKey, ...]


def find_profile(reads: ReadAhead, prepared: PreparedObject, before: ProfileObject | None) -> Placement:
    """Find the profile of an object.

    Args:
        reads: reads what is stored.
        before: the object that it replaces, if it is stored already.

    Raises:
        Rejected: no profile can be found or created.
    """
    tried: list[TriedKey] = []
    for key in _profile_keys(prepared):
        found = _living_profiles(reads, key)
        tried.append(TriedKey(key, len(found), decided=len(found) == 1))
        if len(found) == 1:
            return Placement(found[0], tuple(tried))
    if before is not None:
        return Placement(reads.profile(before.pid), tuple(tried))
    if all(one.profile_count for one in tried):
        raise Rejected(DeadLetterCode.AMBIGUOUS_KEYS, tried)
    if not prepared.type.creates_profiles:
        raise Rejected(DeadLetterCode.NO_PROFILE, tried)
    return Placement(None, tuple(tried))


def find_standard_object(
    session: Writing, object_name: str, profile: Profile | None, keys: Sequence[Key]
) -> ProfileObject | None:
    """Find the standard object of a profile that one of the keys belongs to.

    Raises:
        Rejected: there are several.
    """
    if profile is None:
        return None
    pid = profile.pid
    number = standard_objects()[object_name].number
    found: dict[int, ProfileObject] = {}
    for key in keys:
        for one in _stored_under(session, number, pid, key):
            # An expired one does not come back.
            if one.pid == pid and one.expires_at > session.now:
                found[one.object_no] = one
    if len(found) > 1:
        raise Rejected(DeadLetterCode.AMBIGUOUS_STANDARD_OBJECT)
    return next(iter(found.values()), None)


def standard_keys(prepared: PreparedObject, object_name: str, *, to_store: bool = False) -> list[Key]:
    """Return the keys of an object that find a standard object.

    One without a key belongs to the object that has written it.

    Args:
        to_store: leave out those that are only looked up.
    """
    identifier = standard_objects()[object_name].identifier
    found = [(one, key) for one, key in prepared.keys if identifier in one.identifiers]
    if not found:
        return [Key(_OWN_OBJECT, prepared.unique_key.hex())]
    keys = (key for one, key in found if not (to_store and LOOKUP_ONLY in one.identifiers))
    return list(dict.fromkeys(keys))


def standard_unique_key(salt: bytes, object_id: str) -> bytes:
    """Return the unique key of a standard object."""
    return hashlib.sha256(salt + object_id.encode()).digest()


def _stored_under(session: Writing, number: int, pid: int, key: Key) -> list[ProfileObject]:
    connection, domain_id = session.connection, session.domain.domain_id
    if key.name in ID_KEYS:
        unique_key = standard_unique_key(session.domain.object_salt, key.value)
        named = rows.find_by_unique_key(connection, domain_id, number, unique_key)
        return [] if named is None else [named]
    found = rows.find_by_hash(connection, domain_id, number, rows.standard_key(pid, key.name, key.value))
    return [one for one in found if list(key) in map(list, one.keys or ())]


def _profile_keys(prepared: PreparedObject) -> list[Key]:
    """Return the keys that find the profile, in the order in which they are tried."""
    mapping = prepared.type.mapping
    return [
        key
        for group in (mapping.primary_keys, mapping.secondary_keys)
        for definition, key in prepared.keys
        if definition in group
    ]


def _living_profiles(reads: ReadAhead, key: Key) -> list[Profile]:
    """Find up to two unexpired profiles by a key, and lock them."""
    if key.name == PROFILE_ID_KEY:
        pid = row_number_of(key.value)
        named = None if pid is None else reads.profile(pid)
        return [named] if named is not None and named.profile_id == key.value else []
    found: list[Profile] = []
    after_pid = 0
    while len(found) < _AMBIGUOUS:
        pids = reads.pids_with_key(key, after_pid, _PIDS_PER_READ)
        for pid in pids:
            profile = reads.profile(pid)
            if profile is not None:
                found.append(profile)
                if len(found) == _AMBIGUOUS:
                    break
        if len(pids) < _PIDS_PER_READ:
            break
        after_pid = pids[-1]
    return found
