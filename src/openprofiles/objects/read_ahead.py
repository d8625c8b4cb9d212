"""What the objects of a group look for in the store, read by one statement of each kind instead of one for each object.

An entry holds until something writes what it was read from; what has no entry is read by itself. The transaction holds
the row of the domain, so nothing else writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from openprofiles.facts.keys import Key
from openprofiles.facts.records import Profile
from openprofiles.objects.object_types import ID_KEYS
from openprofiles.objects.prepared_objects import PreparedObject
from openprofiles.profiles.session import Writing
from openprofiles.store import objects as rows
from openprofiles.store import profile_keys as key_rows
from openprofiles.store.dead_letters import find_dead_letters_of
from openprofiles.store.index_order import read_single_rows
from openprofiles.store.objects import ProfileObject
from openprofiles.store.profiles import lock_profile, read_profiles


class ReadAhead:
    """Reads objects, profiles and keys, some of them ahead."""

    def __init__(self, session: Writing) -> None:
        self.session = session
        self._without_letter: set[bytes] = set()
        self._objects: dict[bytes, ProfileObject | None] = {}
        self._pids: dict[Key, list[int]] = {}
        self._profiles: dict[int, Profile | None] = {}
        self._holders: dict[int, dict[Key, set[str]]] = {}

    def read(self, group: Sequence[PreparedObject]) -> None:
        """Read what these objects look for; their types have definitions."""
        self.clear()
        connection, domain_id = self.session.connection, self.session.domain.domain_id
        read_single_rows(connection)
        unique_keys: dict[int, list[bytes]] = {}
        for one in group:
            if one.type.definition is not None:
                unique_keys.setdefault(one.type.definition.definition_id, []).append(one.unique_key)
        for type_id, of_type in unique_keys.items():
            self._objects |= rows.find_by_unique_keys(connection, domain_id, type_id, of_type)
        self._without_letter = self._objects.keys() - find_dead_letters_of(connection, domain_id, self._objects.keys())
        keys = {
            key
            for one in group
            for definition, key in one.keys
            if definition.is_for_profiles and key.name not in ID_KEYS
        }
        self._pids = key_rows.pids_with_keys(connection, domain_id, keys)
        pids = {one.pid for one in self._objects.values() if one is not None}
        pids.update(*self._pids.values())
        if pids:
            found = read_profiles(connection, domain_id, pids, self.session.now)
            self._profiles = {pid: found.get(pid) for pid in pids}
            self._holders = key_rows.read_holders_of(connection, pids)

    def object(self, type_id: int, unique_key: bytes) -> ProfileObject | None:
        """Find an object by its unique key, expired or not."""
        if unique_key in self._objects:
            return self._objects[unique_key]
        return rows.find_by_unique_key(self.session.connection, self.session.domain.domain_id, type_id, unique_key)

    def may_have_dead_letter(self, unique_key: bytes) -> bool:
        """Return whether an object has a dead letter, as far as was read."""
        return unique_key not in self._without_letter

    def pids_with_key(self, key: Key, after_pid: int, limit: int) -> list[int]:
        """Find profiles by a key, as the function of this name in the store does."""
        found = self._pids.get(key)
        if found is not None and after_pid == 0 and len(found) <= limit:
            return found
        return key_rows.pids_with_key(self.session.connection, self.session.domain.domain_id, key, after_pid, limit)

    def profile(self, pid: int) -> Profile | None:
        """Read a profile for a change; None if it does not exist or has expired."""
        if pid in self._profiles:
            return self._profiles[pid]
        return lock_profile(self.session.connection, self.session.domain.domain_id, pid, self.session.now)

    def holders(self, pid: int) -> dict[Key, set[str]]:
        """Read what holds each of the keys of a profile that something holds."""
        if pid in self._holders:
            return self._holders[pid]
        return key_rows.read_holders(self.session.connection, pid)

    def forget(self, pid: int, unique_key: bytes, keys: Iterable[Key]) -> None:
        """Forget what an object has written: its profile with what holds its keys, itself, and keys of the index."""
        self._profiles.pop(pid, None)
        self._holders.pop(pid, None)
        self._objects.pop(unique_key, None)
        for key in keys:
            self._pids.pop(key, None)

    def forget_letter(self, unique_key: bytes) -> None:
        """Forget that an object has no dead letter."""
        self._without_letter.discard(unique_key)

    def clear(self) -> None:
        """Forget everything."""
        self._without_letter = set()
        self._objects, self._pids, self._profiles, self._holders = {}, {}, {}, {}
