"""What a job has changed in a transaction, and what that was before, so that the job can be undone.

A job writes one line of the log for all of it. A job that ingests objects changes profiles by their revisions, as calls
do; several of its objects may go to one profile.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from openprofiles.facts.keys import Key
from openprofiles.facts.records import Profile
from openprofiles.store.objects import ProfileObject


@dataclass(frozen=True, slots=True)
class ReplacedObject:
    """An object as it was before it was replaced or removed, and the keys that it held of its profile."""

    row: ProfileObject
    keys: frozenset[Key]


@dataclass(slots=True)
class RecordedProfile:
    """A profile that was changed.

    Attributes:
        before: what it was; None: it was created.
        after: what it is.
        added_objects: the numbers of the objects that it has got.
        replaced_objects: those that it had, by number, as they were before the first change.
    """

    before: Profile | None
    after: Profile
    added_objects: list[int] = field(default_factory=list)
    replaced_objects: dict[int, ReplacedObject] = field(default_factory=dict)


@dataclass(slots=True)
class RecordedChanges:
    """The changes of a transaction, by the row numbers of the profiles.

    Attributes:
        profiles_added, objects_added: how many more the domain has, those that were removed left out.
    """

    profiles: dict[int, RecordedProfile] = field(default_factory=dict)
    profiles_added: int = 0
    objects_added: int = 0

    def write_profile(self, before: Profile | None, after: Profile) -> None:
        """Record that a profile was written."""
        found = self.profiles.get(after.pid)
        if found is None:
            self.profiles[after.pid] = RecordedProfile(before, after)
        else:
            found.after = after

    def add_object(self, pid: int, object_no: int) -> None:
        """Record a new object of a profile that was recorded; one that has come back is not new."""
        found = self.profiles[pid]
        if object_no not in found.replaced_objects:
            found.added_objects.append(object_no)

    def replace_object(self, row: ProfileObject, keys: Collection[Key]) -> None:
        """Record an object, before it is changed or removed, of a profile that was recorded."""
        found = self.profiles[row.pid]
        if row.object_no not in found.added_objects:
            found.replaced_objects.setdefault(row.object_no, ReplacedObject(row, frozenset(keys)))
