"""Undo an upload job of objects: remove the profiles and objects that it made, and restore those that it changed.

It is a job of its own, run by a loader under a lease, in chunks that each move ``phase`` and ``position`` in its row:

    stage          reading the images that the load left; nothing is written, so it begins anew
    restore        new profiles are gone, and changed ones are as before, up to the group ``position``
    forget         the images are being removed

A profile that something else has changed since has another revision than the load left. It stays as it is, with its
objects, and is noted. Profiles between which objects have moved are a group, and are undone in one transaction or stay
together: else an object would be lost, or there twice. All others are groups of one. The number of a group is the
least row number in it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from openprofiles.bulk.chunks import ChunkSize
from openprofiles.bulk.images import unpack_images
from openprofiles.bulk.leased_work import check_stop
from openprofiles.bulk.run_job import End, run_job
from openprofiles.bulk.scratch import Scratch
from openprofiles.bulk.steps import Part, Standing, Step
from openprofiles.clock import Clock
from openprofiles.facts.keys import Key, derived_keys
from openprofiles.facts.records import Profile
from openprofiles.job_kinds import OBJECT_UNDO
from openprofiles.profiles.profiles import SERVICE, remove_profiles
from openprofiles.profiles.recorded_changes import ReplacedObject
from openprofiles.profiles.session import Writing, hold_domain
from openprofiles.settings import Settings
from openprofiles.store import domains as domain_rows
from openprofiles.store import objects as object_rows
from openprofiles.store import profile_keys as key_rows
from openprofiles.store import profiles as profile_rows
from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.leased_store import LeasedStore
from openprofiles.store.note_tables import KEPT_PROFILES
from openprofiles.store.prepared import Writes
from openprofiles.store.upload_job_states import INTERNAL_FAILURE, UploadJobStatus
from openprofiles.uploads.loading.object_images import read_objects, read_profile

STAGE = "stage"
RESTORE = "restore"
FORGET = "forget"

_FIRST_CHUNK = 200
_IMAGES = "image (pid bigint, revision bigint, left_revision bigint, profile text, objects text)"


def run(store: LeasedStore, settings: Settings, clock: Clock) -> None:
    """Run the leased job, which undoes another one, to its end."""
    job = store.read_job()
    if job.subject is None:
        raise ValueError(f"Job {job.job_id} is not an undo.")

    @contextmanager
    def begin(scratch: Scratch) -> Iterator[_Undoing]:
        yield _Undoing(store, scratch, clock)

    run_job(store, job, settings.scratch_folder, begin, memory_limit_bytes=settings.memory_limit_bytes, clock=clock)


@dataclasses.dataclass(frozen=True, slots=True)
class _Member:
    """A profile of a group.

    Attributes:
        group: its number.
        revision: as the load has left it.
        is_chained: whether nothing else wrote to it between two chunks.
        is_created: whether the load has created it.
        before: what it was, unless it was created.
        added: the numbers of the objects that it has got.
        replaced: those that it had, by number.
    """

    pid: int
    group: int
    revision: int
    is_chained: bool
    is_created: bool
    before: Profile | None
    added: frozenset[int]
    replaced: dict[int, ReplacedObject]

    def is_as_left(self, profile: Profile) -> bool:
        """Return whether nothing else has changed the profile."""
        return self.is_chained and profile.revision == self.revision


class _Undoing:
    """The steps of an undo."""

    def __init__(self, store: LeasedStore, scratch: Scratch, clock: Clock) -> None:
        self.job = store.read_job()
        self._store = store
        self._scratch = scratch
        self._clock = clock
        self._undone_id = self.job.subject or 0
        self._undone = store.read_undone_job(self._undone_id)

    @property
    def steps(self) -> list[Step]:
        # What the later steps need is in the store.
        is_read = self.job.phase == FORGET
        return [
            Step(
                name=STAGE,
                run=self._stage,
                part=Part.PREPARE,
                is_done=lambda: is_read or self._scratch.is_done("staged"),
            ),
            Step(name=RESTORE, run=self._restore_groups, part=Part.WRITE),
            Step(name=FORGET, run=self._forget, part=Part.WRITE),
        ]

    def give_up(self) -> End:
        """Find how the undo ends; phase and position stay, so that the rest can be requested."""
        message = self.job.failure_message or OBJECT_UNDO.gave_up_message
        return End(UploadJobStatus.FAILED, INTERNAL_FAILURE, message)

    def end(self) -> End:
        return End(UploadJobStatus.SUCCEEDED)

    def _stage(self, _at: Standing | None) -> None:
        scratch, store = self._scratch, self._store
        scratch.run(f"create or replace table {_IMAGES}")
        for rows in unpack_images(store.read_undo_images(self._undone_id)):
            scratch.put("image_part", rows)
            scratch.run("insert into image select pid, revision, left_revision, profile, objects from image_part")
        # Of objects that have moved from a profile to another.
        links = scratch.table(
            "with touched as ("
            "select pid, unnest(from_json(objects -> '$.added', '[\"BIGINT\"]')) as object_no from image "
            "union select pid, unnest(objects -> '$.replaced[*].row.object_no')::bigint from image) "
            "select distinct a.pid, b.pid as other from touched a join touched b using (object_no) where a.pid < b.pid"
        )
        scratch.put("linked", _groups(links))
        # What the chunks changed, one after the other, is all that was changed if there is no gap between them.
        scratch.run(
            "create or replace table member as "
            "select image.pid, any_value(coalesce(linked.number, image.pid)) as number, "
            "max(left_revision) as left_revision, "
            "sum(left_revision - revision) = max(left_revision) - min(revision) as is_chained "
            "from image left join linked using (pid) group by image.pid order by number, pid"
        )
        if self.job.phase in (None, STAGE):
            with store.chunk() as state:
                check_stop(state)
                count = int(scratch.value("select count(*) from member"))
                store.record_progress(phase=STAGE, position=0, total=count)
        scratch.mark_done("staged")

    def _restore_groups(self, at: Standing | None) -> None:
        store = self._store
        size = ChunkSize(_FIRST_CHUNK)
        position = at.position if at else 0
        while members := self._read_members(position, size.rows):
            position = members[-1].group
            with self._chunk() as session, size.timed(len(members)):
                profiles = profile_rows.read_profiles_of_numbers(
                    session.connection, self.job.domain_id, [one.pid for one in members]
                )
                there = [one for one in members if one.pid in profiles]
                staying = {one.group for one in there if not self._can_be_undone(session, one, profiles[one.pid])}
                undone = [one for one in there if one.group not in staying]
                kept = [one for one in there if one.group in staying]
                created = [one for one in undone if one.is_created]
                changed = [one for one in undone if not one.is_created]
                for one in changed:
                    self._restore(session, profiles[one.pid], one)
                remove_profiles(session, [profiles[one.pid] for one in created])
                store.record_progress(
                    phase=RESTORE,
                    position=position,
                    removed=len(created),
                    restored=len(changed),
                    kept=len(kept),
                    gone=len(members) - len(there),
                )
                store.add_notes(
                    KEPT_PROFILES,
                    pa.table(
                        {
                            "pid": pa.array([one.pid for one in kept], pa.int64()),
                            "profile_id": pa.array([str(profiles[one.pid].profile_id) for one in kept], pa.string()),
                            "was_created": pa.array([one.is_created for one in kept], pa.bool_()),
                        }
                    ).sort_by("pid"),
                )
                store.note_change(
                    ChangeAction.DELETED, sorted(one.pid for one in created), session.now, added=-len(created)
                )
                store.note_change(ChangeAction.UPDATED, sorted(one.pid for one in changed), session.now)

    def _read_members(self, position: int, count: int) -> list[_Member]:
        """Read the members of the next groups, about so many, with what they were before the load."""
        scratch = self._scratch
        # The table is in order of the groups, so its row ids are, too.
        first = int(scratch.value("select count(*) from member where number <= ?", [position]))
        last = scratch.value("select max(number) from member where rowid >= ? and rowid < ?", [first, first + count])
        rows = scratch.table(
            "select member.number, member.left_revision, is_chained, image.pid, image.revision, profile, objects "
            "from member join image using (pid) where number > ? and number <= ? order by number, pid, image.revision",
            [position, last],
        ).to_pylist()
        members = []
        for pid, of_pid in itertools.groupby(rows, key=lambda row: row["pid"]):
            images = list(of_pid)
            first_image = images[0]
            added, replaced = _first_states(image["objects"] for image in images)
            is_created = first_image["revision"] == 0
            # The values of a deleted profile are forgotten.
            text = first_image["profile"]
            members.append(
                _Member(
                    pid=pid,
                    group=first_image["number"],
                    revision=first_image["left_revision"] or 0,
                    is_chained=bool(first_image["is_chained"]) and (is_created or text is not None),
                    is_created=is_created,
                    before=None if text is None else read_profile(text),
                    added=added,
                    replaced=replaced,
                )
            )
        return members

    def _can_be_undone(self, session: Writing, one: _Member, profile: Profile) -> bool:
        """Return whether nothing has changed a profile since, and none of its objects has come again elsewhere."""
        if not one.is_as_left(profile):
            return False
        domain_id = session.domain.domain_id
        for replaced in one.replaced.values():
            row = replaced.row
            found = object_rows.find_by_unique_key(session.connection, domain_id, row.object_type_id, row.unique_key)
            if found is not None and found.pid != row.pid and found.object_no != row.object_no:
                return False
        return True

    def _restore(self, session: Writing, profile: Profile, one: _Member) -> None:
        """Restore a profile with its objects and keys."""
        assert one.before is not None, "it was there before the load"
        connection, domain_id, pid = session.connection, session.domain.domain_id, profile.pid
        added, replaced = one.added, one.replaced
        stored = object_rows.find_by_numbers(connection, domain_id, [*added, *replaced])
        holders = key_rows.read_holders(connection, pid)
        keys_after = {key: set(of_key) for key, of_key in holders.items()}
        more = 0
        for number in added:
            # One that has moved here keeps its number, and is its former profile's again if that was restored already.
            if number in stored and stored[number].pid == pid:
                object_rows.delete_object(connection, stored[number])
                more -= 1
        writes = Writes(connection)
        for number, former_object in replaced.items():
            if number not in stored:
                object_rows.insert_object(writes, former_object.row)
                more += 1
            elif stored[number].pid == pid:
                object_rows.update_object(writes, stored[number], former_object.row)
            else:
                object_rows.delete_object(connection, stored[number])
                object_rows.insert_object(writes, former_object.row)
        object_rows.count_objects(connection, domain_id, more)
        for number in (*added, *replaced):
            holder = key_rows.holder_of_object(number)
            held = replaced[number].keys if number in replaced else frozenset[Key]()
            former = {key for key, of_key in holders.items() if holder in of_key}
            for key in former - held:
                keys_after[key].discard(holder)
            for key in held:
                keys_after.setdefault(key, set()).add(holder)
            key_rows.change_keys(
                writes, domain_id, pid, holder, held=held - former, released=former - held, added=(), removed=()
            )
        held_before = set(holders)
        held_after = {key for key, of_key in keys_after.items() if of_key}
        derived_before, derived_after = (self._derived_keys(session, state) for state in (profile, one.before))
        key_rows.change_keys(
            writes,
            domain_id,
            pid,
            key_rows.HAND,
            held=(),
            released=(),
            added=(derived_after - derived_before) | (held_after - held_before),
            removed=(derived_before | held_before) - derived_after - held_after,
        )
        writes.run()
        # An object may have expired since.
        count = sum(object_rows.count_by_type(connection, pid).values())
        profile_rows.update_profile(writes, profile, dataclasses.replace(one.before, object_count=count))
        writes.run()

    def _derived_keys(self, session: Writing, profile: Profile) -> frozenset[Key]:
        paths = domain_rows.read_indexed_paths(session.connection, session.domain.domain_id)
        return derived_keys(profile.values, profile.attributes, session.domain.phone_region, paths)

    @contextmanager
    def _chunk(self) -> Iterator[Writing]:
        with self._store.chunk() as state:
            check_stop(state)
            connection = self._store.connection
            domain = domain_rows.find_domain_by_number(connection, self.job.domain_id)
            assert domain is not None, "otherwise the job is stopped"
            yield hold_domain(connection, domain, self._clock(), SERVICE, keeps_replaced=False)

    def _forget(self, _at: Standing | None) -> None:
        """Remove the images."""
        is_left = True
        while is_left:
            with self._store.chunk():
                is_left = self._store.forget_undo(self._undone_id)
                self._store.record_progress(phase=FORGET, position=0)


def _first_states(images: Iterable[str | None]) -> tuple[frozenset[int], dict[int, ReplacedObject]]:
    """Find which objects of a profile were new, and what others were; what happened to an object first decides."""
    added: set[int] = set()
    replaced: dict[int, ReplacedObject] = {}
    for text in images:
        new, old = ([], []) if text is None else read_objects(text)
        for one in old:
            if one.row.object_no not in added:
                replaced.setdefault(one.row.object_no, one)
        added |= {number for number in new if number not in replaced}
    return frozenset(added), replaced


def _groups(links: pa.Table) -> pa.Table:
    """Find the groups of profiles that are linked: ``pid`` and ``number``, the least row number of its group."""
    number_of: dict[int, int] = {}

    def find(pid: int) -> int:
        while (number := number_of.setdefault(pid, pid)) != pid:
            number_of[pid] = number_of.setdefault(number, number)
            pid = number
        return pid

    for one, other in zip(links["pid"].to_pylist(), links["other"].to_pylist(), strict=True):
        least, most = sorted((find(one), find(other)))
        number_of[most] = least
    pids = sorted(number_of)
    return pa.table({"pid": pa.array(pids, pa.int64()), "number": pa.array(map(find, pids), pa.int64())})
