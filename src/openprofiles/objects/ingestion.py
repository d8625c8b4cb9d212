"""Ingest objects: each finds its profile, fills its fields, and is kept with it.

An object replaces the one with its unique key as a whole; the fields of profiles and of standard objects keep what
earlier objects have given. Source: design page of objects, 4.3.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from openprofiles.clock import to_milliseconds
from openprofiles.facts.field_ownership import owner_of, with_source
from openprofiles.facts.keys import Key, KeyChanges, derived_keys, key_changes
from openprofiles.facts.precedence import ObjectSource
from openprofiles.facts.records import FieldSource, Profile
from openprofiles.facts.standard_profile import ATTRIBUTES_PREFIX, KEY_FIELD_PATHS
from openprofiles.ids import new_profile_id
from openprofiles.objects.object_types import ID_KEYS, LOOKUP_ONLY, NEW_ONLY
from openprofiles.objects.placement import (
    DeadLetterCode,
    Rejected,
    TriedKey,
    find_profile,
    find_standard_object,
    standard_keys,
)
from openprofiles.objects.prepared_objects import PreparedObject
from openprofiles.objects.read_ahead import ReadAhead
from openprofiles.objects.removal import has_too_many, remove_object, remove_oldest_over_limit
from openprofiles.objects.standard_object_rows import write_standard_object
from openprofiles.objects.standard_objects import standard_objects
from openprofiles.objects.type_definitions import read_priorities
from openprofiles.profiles.change_contents import pack_values_before
from openprofiles.profiles.session import Writing
from openprofiles.store import domains as domain_rows
from openprofiles.store import objects as rows
from openprofiles.store import profile_keys as key_rows
from openprofiles.store import profiles as profile_rows
from openprofiles.store import row_sequence
from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.dead_letters import delete_dead_letter_of, write_dead_letter
from openprofiles.store.definitions import Definition
from openprofiles.store.objects import ProfileObject
from openprofiles.store.prepared import Writes
from openprofiles.store.profile_changes import NewChange, insert_changes

DEAD_LETTER_DAYS = 14
# Of an object and its profile.
_FIRST_NUMBERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an object.

    Attributes:
        tried: the keys by which its profile was looked for.
        before: its profile before; None if the object created it, or is rejected.
        after: its profile now; None if the object is rejected.
        replaced: whether an object of its unique key was there.
        is_same: whether that object was the same, and the fields of the profile stay as they are.
        rejection: why it was not given to a profile.
    """

    tried: tuple[TriedKey, ...]
    before: Profile | None = None
    after: Profile | None = None
    replaced: bool = False
    is_same: bool = False
    rejection: DeadLetterCode | None = None


@dataclass(slots=True)
class _Pending:
    """What was ingested and is not written yet. An object that has any of it in common waits until it is."""

    pids: set[int] = field(default_factory=set)
    unique_keys: set[bytes] = field(default_factory=set)
    keys: set[Key] = field(default_factory=set)
    changes: list[NewChange] = field(default_factory=list)
    profiles_added: int = 0
    objects_added: int = 0


class Ingestion:
    """Ingests the objects of one transaction, one after the other; ``finish`` writes what is not written yet."""

    def __init__(self, session: Writing) -> None:
        self.session = session
        self.writes = Writes(session.connection)
        self.reads = ReadAhead(session)
        self.pending = _Pending()
        self._numbers = range(0)
        self._numbers_per_reserve = _FIRST_NUMBERS
        # The row number that the next new profile gets, if it is reserved already.
        self.reserved_pid: int | None = None

    def expect_numbers(self, count: int) -> None:
        """Reserve this many numbers together, once they are needed."""
        self._numbers_per_reserve = max(self._numbers_per_reserve, count)

    def next_number(self) -> int:
        """Return a new row number of a profile or an object."""
        if not self._numbers:
            # Each time twice as many, so that at most half of them are left unused; those are not missed.
            first = row_sequence.reserve(self.session.connection, self._numbers_per_reserve)
            self._numbers = range(first, first + self._numbers_per_reserve)
            self._numbers_per_reserve *= 2
        number, self._numbers = self._numbers[0], self._numbers[1:]
        return number

    @cached_property
    def indexed_paths(self) -> frozenset[str]:
        """The fields, other than standard keys, that profiles are indexed by."""
        return domain_rows.read_indexed_paths(self.session.connection, self.session.domain.domain_id)

    @cached_property
    def priorities(self) -> Mapping[int, int]:
        """The SourcePriority of each object type that has one, by its number."""
        return read_priorities(self.session)

    def read_ahead(self, group: Sequence[PreparedObject]) -> None:
        """Read what the next objects look for, before any of them is ingested."""
        self.finish()
        if len(group) > 1:
            self.reads.read(group)

    def ingest(self, prepared: PreparedObject) -> Outcome:
        """Give an object to its profile; one that finds none becomes a dead letter.

        Args:
            prepared: of a type that the domain has.
        """
        outcome = self.ingest_or_reject(prepared)
        connection, domain_id = self.session.connection, self.session.domain.domain_id
        if outcome.rejection is not None:
            # Among them may be the removal of this object's former letter.
            self.writes.run()
            self.reads.forget_letter(prepared.unique_key)
            write_dead_letter(
                connection,
                domain_id,
                object_type=prepared.type.name,
                unique_key=prepared.unique_key,
                content=prepared.content,
                code=outcome.rejection.value,
                now=self.session.now,
                expires_at=self.session.now + timedelta(days=DEAD_LETTER_DAYS),
            )
        return outcome

    def ingest_or_reject(self, prepared: PreparedObject) -> Outcome:
        """Give an object to its profile; of one that finds none, nothing is written.

        Args:
            prepared: of a type that the domain has.
        """
        outcome = self.place(prepared)
        if outcome.rejection is None and self.reads.may_have_dead_letter(prepared.unique_key):
            delete_dead_letter_of(self.writes, self.session.domain.domain_id, prepared.unique_key)
        return outcome

    def place(self, prepared: PreparedObject) -> Outcome:
        """Give an object to its profile; of one that finds none, nothing is written.

        Args:
            prepared: of a type that the domain has.
        """
        definition = prepared.type.definition
        if definition is None:
            raise ValueError(f"Object type {prepared.type.name} has no definition yet.")
        session, pending = self.session, self.pending
        if prepared.unique_key in pending.unique_keys or any(key in pending.keys for _, key in prepared.keys):
            self.finish()
        before = self._find_before(prepared, definition)
        try:
            placement = find_profile(self.reads, prepared, before)
            pids = {one.pid for one in (before, placement.profile) if one is not None}
            if pids & self.pending.pids:
                # It is read again as the objects before this one leave it.
                self.finish()
                before = self._find_before(prepared, definition)
                placement = find_profile(self.reads, prepared, before)
            standard = {
                name: find_standard_object(session, name, placement.profile, standard_keys(prepared, name))
                for name in prepared.standard_values
            }
        except Rejected as rejected:
            return Outcome(tried=rejected.tried, rejection=rejected.code)
        after = _ObjectInPlace(self, prepared, definition, before, standard).run(placement.profile)
        return Outcome(
            tried=placement.tried,
            before=placement.profile,
            after=after,
            replaced=before is not None,
            is_same=before is not None
            and before.content == prepared.content
            and placement.profile is not None
            and (placement.profile.values, placement.profile.attributes) == (after.values, after.attributes),
        )

    def finish(self) -> None:
        """Write what is not written yet."""
        pending, self.pending = self.pending, _Pending()
        self.writes.run()
        recorded = self.session.recorded
        if recorded is not None:
            recorded.profiles_added += pending.profiles_added
            recorded.objects_added += pending.objects_added
        elif pending.changes:
            insert_changes(
                self.session.connection,
                self.session.domain.domain_id,
                pending.changes,
                profiles_added=pending.profiles_added,
                objects_added=pending.objects_added,
            )

    def finish_for_removal(self) -> None:
        """Write what is not written yet, before an object is removed."""
        self.finish()
        self.reads.clear()

    def _find_before(self, prepared: PreparedObject, definition: Definition) -> ProfileObject | None:
        """Find the object that an object replaces; one that has expired is removed."""
        session = self.session
        before = self.reads.object(definition.definition_id, prepared.unique_key)
        if before is not None and before.expires_at <= session.now:
            self.finish_for_removal()
            remove_object(session, before, ChangeAction.EXPIRED_OBJECT, prepared.type.name)
            return None
        return before


class _ObjectInPlace:
    """One object that has found its place.

    Args:
        before: the object that it replaces.
        standard: the standard objects that it writes to, by name; None: a new one.
    """

    def __init__(
        self,
        ingestion: Ingestion,
        prepared: PreparedObject,
        definition: Definition,
        before: ProfileObject | None,
        standard: Mapping[str, ProfileObject | None],
    ) -> None:
        self._ingestion = ingestion
        self._session = session = ingestion.session
        self._prepared = prepared
        self._definition = definition
        self._before = before
        self._standard = standard
        days = prepared.type.members.get("ExpirationDays", session.domain.default_expiration_days)
        self._expires_at = session.now + timedelta(days=days)
        self._object_no = ingestion.next_number() if before is None else before.object_no

    def run(self, profile: Profile | None) -> Profile:
        """Write the object with its profile, its standard objects and its keys; return the profile."""
        ingestion, session, before = self._ingestion, self._session, self._before
        if before is not None and (profile is None or before.pid != profile.pid):
            # It belongs to a different customer now.
            ingestion.finish_for_removal()
            remove_object(session, before, ChangeAction.DELETED_OBJECT, self._prepared.type.name)
            self._before = before = None
        writes, pending = ingestion.writes, ingestion.pending
        objects_added = (before is None) + sum(one is None for one in self._standard.values())
        written = self._new_profile(objects_added) if profile is None else self._changed_profile(profile, objects_added)
        if session.recorded is not None:
            session.recorded.write_profile(profile, written)
        self._write_object(written, made_profile=profile is None)
        numbers = [self._object_no]
        for name, one in self._standard.items():
            number = ingestion.next_number() if one is None else one.object_no
            numbers.append(number)
            self._record_object(written.pid, number, one, ())
            write_standard_object(session, writes, number, self._prepared, name, one, written.pid, self._expires_at)
        if profile is None:
            profile_rows.insert_profile(writes, written)
        else:
            profile_rows.update_profile(writes, profile, written)
        self._write_keys(profile, written, made_profile=profile is None or bool(before and before.made_profile))
        if session.recorded is None:
            pending.changes.append(
                NewChange(
                    action=ChangeAction.INGESTED,
                    pids=[written.pid],
                    changed_at=session.now,
                    actor=session.actor,
                    content=pack_values_before(profile, written) if profile and session.keeps_replaced else None,
                    object_type=self._prepared.type.name,
                )
            )
        pending.pids.add(written.pid)
        pending.unique_keys.add(self._prepared.unique_key)
        pending.profiles_added += profile is None
        pending.objects_added += objects_added
        if has_too_many(written):
            ingestion.finish_for_removal()
            filled = [standard_objects()[name].number for name in self._standard]
            remove_oldest_over_limit(session, written, [self._definition.definition_id, *filled], numbers)
        return written

    def _new_profile(self, objects_added: int) -> Profile:
        session, prepared = self._session, self._prepared
        pid = self._ingestion.reserved_pid or self._ingestion.next_number()
        given = {**prepared.inferred_values, **prepared.profile_values}
        values, attributes = _divided(given)
        return Profile(
            pid=pid,
            domain_id=session.domain.domain_id,
            profile_id=new_profile_id(session.now, pid),
            values=values,
            attributes=attributes,
            created_at=session.now,
            updated_at=session.now,
            expires_at=self._expires_at,
            sources=with_source((), self._field_source(given)),
            object_count=objects_added,
        )

    def _changed_profile(self, profile: Profile, objects_added: int) -> Profile:
        own = self._object_source()
        won = {
            path: text
            for path, text in self._prepared.profile_values.items()
            if own.wins(path, profile.origins, self._owner(profile, path))
        }
        values, attributes = _divided(won)
        return dataclasses.replace(
            profile,
            values={**profile.values, **values} if values else profile.values,
            attributes={**profile.attributes, **attributes} if attributes else profile.attributes,
            origins=profile.origins - won.keys() if profile.origins else profile.origins,
            sources=with_source(profile.sources, self._field_source(won)),
            object_count=profile.object_count + objects_added,
            revision=profile.revision + 1,
            updated_at=self._session.now,
            expires_at=max(profile.expires_at, self._expires_at),
        )

    def _object_source(self) -> ObjectSource:
        return ObjectSource(self._prepared.type.members.get("SourcePriority"), self._source_at_ms())

    def _owner(self, profile: Profile, path: str) -> ObjectSource | None:
        source = owner_of(profile.sources, path)
        if source is None:
            return None
        if source.object_type_id == self._definition.definition_id:
            return ObjectSource(self._prepared.type.members.get("SourcePriority"), source.source_at_ms)
        return ObjectSource(self._ingestion.priorities.get(source.object_type_id), source.source_at_ms)

    def _source_at_ms(self) -> int | None:
        source_at = self._prepared.source_at
        return None if source_at is None else to_milliseconds(source_at)

    def _field_source(self, given: Iterable[str]) -> FieldSource:
        return FieldSource(
            object_no=self._object_no,
            object_type_id=self._definition.definition_id,
            ingested_at_ms=to_milliseconds(self._session.now),
            source_at_ms=self._source_at_ms(),
            paths=tuple(given),
        )

    def _write_object(self, profile: Profile, *, made_profile: bool) -> None:
        session, before = self._session, self._before
        made = made_profile or (before is not None and before.made_profile)
        written = ProfileObject(
            object_no=self._object_no,
            domain_id=profile.domain_id,
            pid=profile.pid,
            object_type_id=self._definition.definition_id,
            unique_key=self._prepared.unique_key,
            content=self._prepared.content,
            version=self._definition.version,
            made_profile=made,
            keys=None,
            source_at=self._prepared.source_at,
            created_at=session.now if before is None else before.created_at,
            updated_at=session.now,
            expires_at=self._expires_at,
        )
        if before is None:
            rows.insert_object(self._ingestion.writes, written)
        else:
            rows.update_object(self._ingestion.writes, before, written)

    def _write_keys(self, before: Profile | None, after: Profile, *, made_profile: bool) -> None:
        """Write the changes of the index of keys."""
        session, pid = self._session, after.pid
        domain_id = session.domain.domain_id
        holder = key_rows.holder_of_object(self._object_no)
        own = {
            key
            for definition, key in self._prepared.keys
            if key.name not in ID_KEYS
            and LOOKUP_ONLY not in definition.identifiers
            and (made_profile or NEW_ONLY not in definition.identifiers)
        }
        holders = {} if before is None else self._ingestion.reads.holders(pid)
        former = {key for key, of_key in holders.items() if holder in of_key}
        self._record_object(pid, self._object_no, self._before, former)
        held_by_others = {key for key, of_key in holders.items() if of_key - {holder}}
        if before is not None and former <= own and self._has_same_key_fields(before, after):
            # To derive the keys of both takes longer than all else.
            changes = KeyChanges(removed=frozenset(), added=frozenset())
        else:
            derived_before, derived_after = (
                frozenset[Key]() if one is None else self._derived_keys(one) for one in (before, after)
            )
            changes = key_changes(derived_before | former, derived_after | own, held_by_others | own)
        added = changes.added | (own - former)
        key_rows.change_keys(
            self._ingestion.writes,
            domain_id,
            pid,
            holder,
            held=own - former,
            released=former - own,
            added=added,
            removed=changes.removed,
        )
        touched = added | changes.removed
        self._ingestion.pending.keys |= touched
        self._ingestion.reads.forget(pid, self._prepared.unique_key, touched)

    def _record_object(self, pid: int, number: int, before: ProfileObject | None, keys: Collection[Key]) -> None:
        """Record, for a job, that an object is new or replaces what it was before."""
        recorded = self._session.recorded
        if recorded is None:
            return
        if before is None:
            recorded.add_object(pid, number)
        else:
            recorded.replace_object(before, keys)

    def _has_same_key_fields(self, before: Profile, after: Profile) -> bool:
        """Return whether all fields that give keys are the same in two states."""
        if before.values is after.values and before.attributes is after.attributes:
            return True
        paths = self._ingestion.indexed_paths
        return all(before.values.get(path) == after.values.get(path) for path in (*KEY_FIELD_PATHS, *paths)) and (
            not paths or before.attributes == after.attributes
        )

    def _derived_keys(self, profile: Profile) -> frozenset[Key]:
        region = self._session.domain.phone_region
        return derived_keys(profile.values, profile.attributes, region, self._ingestion.indexed_paths)


def _divided(given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Divide values by path into standard fields, and custom attributes by name."""
    values, attributes = {}, {}
    for path, text in given.items():
        if path.startswith(ATTRIBUTES_PREFIX):
            attributes[path.removeprefix(ATTRIBUTES_PREFIX)] = text
        else:
            values[path] = text
    return values, attributes
