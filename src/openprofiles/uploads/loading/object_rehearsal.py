"""Find out what the objects of a file would do: they are ingested into a copy of the profiles that they concern.

The copy is a store of its own next to the scratch database, and goes with it. What is copied is read from the real
store when an object first asks for it, so the result is exact as long as nothing else writes to the domain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from openprofiles.facts.keys import Key, derived_keys
from openprofiles.facts.records import Profile
from openprofiles.ids import row_number_of
from openprofiles.objects.object_types import ID_KEYS
from openprofiles.objects.prepared_objects import PreparedObject
from openprofiles.profiles.profiles import SERVICE
from openprofiles.profiles.recorded_changes import RecordedChanges
from openprofiles.profiles.session import Writing, hold_domain
from openprofiles.store import domains as domain_rows
from openprofiles.store import objects as object_rows
from openprofiles.store import profile_keys as key_rows
from openprofiles.store import profiles as profile_rows
from openprofiles.store.connections import Connection, Store
from openprofiles.store.domain_copy import make_domain_copy
from openprofiles.store.index_order import read_single_rows
from openprofiles.store.prepared import written_together

_FILE_NAME = "rehearsal.db"
# Of one key: more of them are as ambiguous.
_PIDS_PER_KEY = 50


class Rehearsal:
    """A copy of a domain that grows as objects ask for profiles."""

    def __init__(self, source: Store, folder: Path, domain_id: int, now: datetime) -> None:
        self._source = source
        self._domain_id = domain_id
        self._now = now
        path = folder / _FILE_NAME
        for left in folder.glob(f"{_FILE_NAME}*"):
            left.unlink()
        with source.read() as connection:
            self._copy = make_domain_copy(connection, path, domain_id)

    def close(self) -> None:
        """Give every connection up."""
        self._copy.close()

    @contextmanager
    def writing(self, objects: Sequence[PreparedObject]) -> Iterator[Writing | None]:
        """Open a session on the copy, with all that these objects ask for; None if the domain is deleted."""
        with self._copy.write() as connection:
            domain = domain_rows.find_domain_by_number(connection, self._domain_id)
            if domain is None:
                yield None
                return
            session = hold_domain(
                connection, domain, self._now, SERVICE, keeps_replaced=False, recorded=RecordedChanges()
            )
            with self._source.read() as source:
                self._bring(session, source, objects)
            yield session

    def _bring(self, session: Writing, source: Connection, objects: Sequence[PreparedObject]) -> None:
        read_single_rows(source)
        pids: set[int] = set()
        unique_keys: dict[int, list[bytes]] = {}
        for one in objects:
            if one.type.definition is not None:
                unique_keys.setdefault(one.type.definition.definition_id, []).append(one.unique_key)
        for type_id, of_type in unique_keys.items():
            found = object_rows.find_by_unique_keys(source, self._domain_id, type_id, of_type)
            pids |= {one.pid for one in found.values() if one is not None}
        keys = {key for one in objects for definition, key in one.keys if definition.is_for_profiles}
        for key in keys:
            if key.name in ID_KEYS:
                pid = row_number_of(key.value)
                pids |= set() if pid is None else {pid}
            else:
                pids.update(key_rows.pids_with_key(source, self._domain_id, key, 0, _PIDS_PER_KEY))
        # Those that were brought may have changed here.
        brought = profile_rows.read_revisions(session.connection, self._domain_id, pids)
        self._bring_profiles(session, source, pids - brought.keys())

    def _bring_profiles(self, session: Writing, source: Connection, pids: Collection[int]) -> None:
        if not pids:
            return
        profiles = profile_rows.read_profiles(source, self._domain_id, pids, self._now)
        holders = key_rows.read_holders_of(source, list(profiles))
        objects = object_rows.list_objects_of_profiles(source, self._domain_id, list(profiles))
        with written_together(session.connection) as writes:
            for profile in profiles.values():
                profile_rows.insert_profile(writes, profile)
            for one in objects:
                object_rows.insert_object(writes, one)
        for pid, profile in profiles.items():
            of_profile = holders[pid]
            for holder in {holder for of_key in of_profile.values() for holder in of_key}:
                held = {key for key, of_key in of_profile.items() if holder in of_key}
                key_rows.hold_keys(session.connection, {pid: held}, holder)
            keys = {key for key in self._derived_keys(session, profile) if self._is_in_index(source, key, pid)}
            key_rows.add_to_index(session.connection, self._domain_id, {pid: keys | of_profile.keys()})

    def _derived_keys(self, session: Writing, profile: Profile) -> frozenset[Key]:
        paths = domain_rows.read_indexed_paths(session.connection, self._domain_id)
        return derived_keys(profile.values, profile.attributes, session.domain.phone_region, paths)

    def _is_in_index(self, source: Connection, key: Key, pid: int) -> bool:
        """Return whether a key of a field is in the index: it may have been deleted by hand."""
        return key_rows.pids_with_key(source, self._domain_id, key, pid - 1, 1) == [pid]
