"""Undo an upload job of objects: remove the profiles and objects that it made, and restore those that it changed.

It is a job of its own, run by a loader under a lease, in chunks that each move ``phase`` and ``position`` in its row:

    stage          reading the images that the load left; nothing is written, so it begins anew
    remove         new profiles are gone up to row number ``position``
    restore        changed profiles are as before up to row number ``position``
    forget         the images are being removed

A profile that something else has changed since has another revision than the load left. It stays as it is, with its
objects, and is noted. So does one that an object has come from or gone to, if the other profile stays: else the object
would be lost, or there twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
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
from openprofiles.store.objects import ProfileObject
from openprofiles.store.prepared import Writes
from openprofiles.store.upload_job_states import INTERNAL_FAILURE, UploadJobStatus
from openprofiles.uploads.loading.object_images import read_objects, read_profile

STAGE = "stage"
REMOVE_CREATED = "remove"
RESTORE_CHANGED = "restore"
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
class _Left:
    """How a load has found a profile, and how it has left it.

    Attributes:
        found_revision: 0 if the load has created it.
        is_chained: whether nothing else wrote to it between two chunks.
    """

    found_revision: int
    revision: int
    is_chained: bool

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
            Step(name=REMOVE_CREATED, run=self._remove_created, part=Part.WRITE),
            Step(name=RESTORE_CHANGED, run=self._restore_changed, part=Part.WRITE),
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
        # What the chunks changed, one after the other, is all that was changed if there is no gap between them.
        scratch.run(
            "create or replace table left_behind as select pid, min(revision) as found_revision, "
            "max(left_revision) as left_revision, "
            "sum(left_revision - revision) = max(left_revision) - min(revision) as is_chained from image group by pid"
        )
        # Of objects that have moved from a profile to another.
        scratch.run(
            "create or replace table linked as with touched as ("
            "select pid, unnest(from_json(objects -> '$.added', '[\"BIGINT\"]')) as object_no from image union "
            "select pid, unnest(objects -> '$.replaced[*].row.object_no')::bigint from image) "
            "select distinct a.pid, b.pid as other from touched a join touched b using (object_no) where a.pid <> b.pid"
        )
        first, last = self._undone.pid_base, self._undone.pid_base + self._undone.record_count
        scratch.run(
            "create or replace table restoring as select pid from left_behind "
            f"where not (pid > {first} and pid <= {last}) order by pid"
        )
        if self.job.phase in (None, STAGE):
            with store.chunk() as state:
                check_stop(state)
                count = int(scratch.value("select count(*) from restoring"))
                store.record_progress(phase=STAGE, position=0, total=self._undone.created_count + count)
        scratch.mark_done("staged")

    def _remove_created(self, at: Standing | None) -> None:
        store, undone = self._store, self._undone
        after, last = max(at.position if at else 0, undone.pid_base), undone.pid_base + undone.record_count
        size = ChunkSize(_FIRST_CHUNK)
        while True:
            with self._chunk() as session, size.timed(size.rows):
                profiles = profile_rows.read_range(session.connection, self.job.domain_id, after, last, limit=size.rows)
                if not profiles:
                    break
                after = profiles[-1].pid
                left = self._left([one.pid for one in profiles])
                links = self._links(session, list(left))
                # Without an image, it was not kept what the load has done.
                untouched = [
                    one for one in profiles if one.pid in left and left[one.pid].is_as_left(one) and links[one.pid]
                ]
                kept = [one for one in profiles if one not in untouched]
                remove_profiles(session, untouched)
                store.record_progress(phase=REMOVE_CREATED, position=after, removed=len(untouched), kept=len(kept))
                store.add_notes(KEPT_PROFILES, _kept(kept, was_created=True))
                store.note_change(
                    ChangeAction.DELETED, [one.pid for one in untouched], session.now, added=-len(untouched)
                )
        with store.chunk() as state:
            check_stop(state)
            gone_count = max(0, undone.created_count - sum(store.read_undo_counts()))
            store.record_progress(phase=RESTORE_CHANGED, position=0, gone=gone_count)

    def _restore_changed(self, at: Standing | None) -> None:
        store = self._store
        position = at.position if at else 0
        size = ChunkSize(_FIRST_CHUNK)
        while True:
            images = self._scratch.table(
                "select * from image where pid in (select pid from restoring where pid > ? order by pid limit ?) "
                "order by pid, revision",
                [position, size.rows],
            ).to_pylist()
            if not images:
                return
            of_pid: dict[int, list[dict[str, str | None]]] = {}
            for image in images:
                of_pid.setdefault(image["pid"], []).append(image)
            position = max(of_pid)
            with self._chunk() as session, size.timed(len(of_pid)):
                profiles = profile_rows.read_profiles_of_numbers(session.connection, self.job.domain_id, list(of_pid))
                left = self._left(list(of_pid))
                links = self._links(session, list(of_pid))
                restored, kept = [], []
                for pid, profile in sorted(profiles.items()):
                    is_whole = left[pid].is_as_left(profile) and links[pid]
                    if is_whole and self._restore(session, profile, of_pid[pid]):
                        restored.append(pid)
                    else:
                        kept.append(profile)
                store.record_progress(
                    phase=RESTORE_CHANGED,
                    position=position,
                    restored=len(restored),
                    kept=len(kept),
                    gone=len(of_pid) - len(profiles),
                )
                store.add_notes(KEPT_PROFILES, _kept(kept, was_created=False))
                store.note_change(ChangeAction.UPDATED, restored, session.now)

    def _restore(self, session: Writing, profile: Profile, images: Sequence[dict[str, str | None]]) -> bool:
        """Restore a profile with its objects; return False if one of its objects is another profile's by now."""
        added: set[int] = set()
        replaced: dict[int, ReplacedObject] = {}
        for image in images:
            new, old = read_objects(str(image["objects"]))
            added |= set(new)
            for one in old:
                replaced.setdefault(one.row.object_no, one)
        replaced = {number: one for number, one in replaced.items() if number not in added}
        if not all(self._is_free(session, one.row) for one in replaced.values()):
            return False
        before = read_profile(str(images[0]["profile"]))
        connection, domain_id, pid = session.connection, session.domain.domain_id, profile.pid
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
        for number, one in replaced.items():
            if number not in stored:
                object_rows.insert_object(writes, one.row)
                more += 1
            elif stored[number].pid == pid:
                object_rows.update_object(writes, stored[number], one.row)
            else:
                object_rows.delete_object(connection, stored[number])
                object_rows.insert_object(writes, one.row)
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
        derived_before, derived_after = (self._derived_keys(session, one) for one in (profile, before))
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
        profile_rows.update_profile(writes, profile, before)
        writes.run()
        return True

    def _is_free(self, session: Writing, row: ProfileObject) -> bool:
        """Return whether an object can be given back: it has not come again since, as an object of another profile."""
        found = object_rows.find_by_unique_key(
            session.connection, session.domain.domain_id, row.object_type_id, row.unique_key
        )
        return found is None or found.pid == row.pid or found.object_no == row.object_no

    def _links(self, session: Writing, pids: Sequence[int]) -> dict[int, bool]:
        """Return whether all profiles that objects of these have come from or gone to can be undone, too."""
        self._scratch.put("asked", pa.table({"pid": pa.array(pids, pa.int64())}))
        rows = self._scratch.table("select pid, other from linked semi join asked using (pid)").to_pylist()
        others = {row["other"] for row in rows}
        left = self._left(list(others))
        stored = profile_rows.read_profiles_of_numbers(session.connection, session.domain.domain_id, others)
        # One that is gone was undone already or deleted, and one that is as it was found was undone already.
        staying = {
            pid
            for pid, profile in stored.items()
            if not left[pid].is_as_left(profile) and profile.revision != left[pid].found_revision
        }
        found = dict.fromkeys(pids, True)
        for row in rows:
            found[row["pid"]] = found[row["pid"]] and row["other"] not in staying
        return found

    def _derived_keys(self, session: Writing, profile: Profile) -> frozenset[Key]:
        paths = domain_rows.read_indexed_paths(session.connection, session.domain.domain_id)
        return derived_keys(profile.values, profile.attributes, session.domain.phone_region, paths)

    def _left(self, pids: Sequence[int]) -> dict[int, _Left]:
        """Read how the load has left these profiles."""
        self._scratch.put("asked", pa.table({"pid": pa.array(pids, pa.int64())}))
        rows = self._scratch.table("select * from left_behind semi join asked using (pid)").to_pylist()
        return {row["pid"]: _Left(row["found_revision"], row["left_revision"], row["is_chained"]) for row in rows}

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


def _kept(profiles: Sequence[Profile], *, was_created: bool) -> pa.Table:
    return pa.table(
        {
            "pid": pa.array([one.pid for one in profiles], pa.int64()),
            "profile_id": pa.array([str(one.profile_id) for one in profiles], pa.string()),
            "was_created": pa.array([was_created] * len(profiles), pa.bool_()),
        }
    )
