"""Take an upload job back: remove the profiles that it made, and give those that it changed their old values and keys.

It is a job of its own, run by a loader under a lease, in chunks that each move ``phase`` and ``position`` in its row:

    stage          reading the images that the load left; nothing is written, so it begins anew
    remove         new profiles are gone up to row number ``position``
    restore        changed profiles are as before up to row number ``position``
    unindex        keys that go with both are out, ``position`` of them
    index          keys that come back are in, ``position`` of them
    forget         the images are being removed

A profile that something else has changed since has another revision than the load left. It stays as it is and is noted.
The revision, too, is set back, so that jobs that went over the same profiles can be undone one after the other, the
last one first.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute

from openprofiles.bulk.chunks import ChunkSize
from openprofiles.bulk.compare import KEY_CHANGES, changed_columns, key_changes
from openprofiles.bulk.images import image_columns, unpack_images
from openprofiles.bulk.key_columns import sql_keys
from openprofiles.bulk.key_writes import ADD, REMOVE, apply_pending_keys, write_pending_keys
from openprofiles.bulk.leased_work import LeasedWork, check_stop, valid_chunk
from openprofiles.bulk.run_job import End, run_job
from openprofiles.bulk.scratch import Scratch
from openprofiles.bulk.steps import Part, Standing, Step
from openprofiles.bulk.stored_values import stored_value
from openprofiles.clock import Clock
from openprofiles.job_kinds import UNDO
from openprofiles.settings import Settings
from openprofiles.store.bulk import BulkStore
from openprofiles.store.bulk_protocols import NUMBERS
from openprofiles.store.leased_jobs import LeasedJob, UndoneJob
from openprofiles.store.note_tables import KEPT_PROFILES
from openprofiles.store.upload_job_states import INTERNAL_FAILURE, UploadJobStatus
from openprofiles.uploads.mappings.upload_mapping import read_mapping

STAGE = "stage"
REMOVE_CREATED = "remove"
RESTORE_CHANGED = "restore"
FORGET = "forget"

_PARTS_AHEAD = 2
_FIRST_PART = 5_000
# No version that a domain ever has.
_NEVER = -1


@dataclass(frozen=True, slots=True)
class _Part:
    """What one chunk undoes.

    Attributes:
        key_version: see ``Made``.
        made_of: profiles that the job has made (pid), or the images of those that it has changed.
        rows: those of them that are as the job left them: pid alone, or what ``restore_profiles`` takes.
        key_changes: for ``insert_pending_keys``.
        keys_out: keys that go at once: name, value, pid.
        kept: for ``note_tables.KEPT_PROFILES``.
        gone_count: those that are no longer there.
    """

    key_version: int
    made_of: pa.Table
    rows: pa.Table
    key_changes: pa.Table
    keys_out: pa.Table
    kept: pa.Table
    gone_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoState(LeasedWork):
    """What the steps of an undo share."""

    undone_id: int
    undone: UndoneJob

    def make_removal(self, pids: pa.Table) -> _Part:
        """What becomes of profiles that the job has made."""
        version = self.reader.read_key_version()
        columns = [*changed_columns(self), "profile_id", "revision"]
        stored = self.reader.read_profiles(pids["pid"].combine_chunks(), columns)
        return self.removal_of(version, pids, stored)

    def removal_of(self, version: int, pids: pa.Table, stored: pa.Table) -> _Part:
        """The same, given what was stored when the domain had this version, or after."""
        self.cursor.put("stored", stored)
        # Records that were followed one by one may have changed what an earlier one had made.
        found = self.cursor.table(
            "select pid, profile_id, stored.revision = coalesce(left_revision, 1) "
            "and coalesce(is_chained and first_revision = 1, true) as is_untouched "
            "from stored left join left_behind using (pid) order by pid"
        )
        untouched = stored.filter(found["is_untouched"])
        self.cursor.put("stored", untouched)
        keys = sql_keys(self.key_rules, stored_value, self.job.phone_region, "stored")
        changes = self.cursor.table(f"select distinct 0::bigint as added, name, value, pid from ({keys})")
        return _Part(
            version,
            pids,
            untouched.select(["pid"]),
            changes.cast(KEY_CHANGES),
            _no_keys(),
            _kept(found, was_created=True),
            0,
        )

    def make_restoration(self, images: pa.Table) -> _Part:
        """What becomes of profiles that the job has changed."""
        version = self.reader.read_key_version()
        pids = images["pid"].combine_chunks()
        columns = [*changed_columns(self), "profile_id", "revision"]
        stored = self.reader.read_profiles(pids, columns)
        self.cursor.put("image_part", images)
        self.cursor.put("stored", stored)
        found = self.cursor.table(
            "select pid, profile_id, stored.revision = left_revision and is_chained as is_untouched "
            "from stored join image_part using (pid) order by pid"
        )
        stored = stored.filter(found["is_untouched"])
        old = images.filter(pa.compute.is_in(pids, stored["pid"].combine_chunks()))
        self.cursor.put("stored", old)
        values = ", ".join(f"coalesce({stored_value(path)}, '') as v{index}" for index, path in enumerate(self.paths))
        # An empty value clears what was not there before.
        targets = self.cursor.table(f"select pid, {values} from stored order by pid")
        changes = key_changes(self, targets, stored)
        keys_out = _no_keys()
        if self.cursor.value("select count(*) from absent"):
            self.cursor.put("restored", old.select(["pid"]))
            self.cursor.put("change", changes)
            changes = self.cursor.table(
                "select c.* from change c anti join absent a "
                "on c.added = 1 and a.name = c.name and a.value = c.value and a.pid = c.pid"
            ).cast(KEY_CHANGES)
            keys_out = self.cursor.table("select name, value, pid from absent semi join restored using (pid)")
        return _Part(
            version,
            images,
            old.select([*image_columns(self.paths), *NUMBERS, "pid"]),
            changes,
            keys_out,
            _kept(found, was_created=False),
            images.num_rows - found.num_rows,
        )


def run(store: BulkStore, settings: Settings, clock: Clock) -> None:
    """Run the leased job, which undoes another one, to its end; see ``run_undo``."""
    run_undo(store, settings.scratch_folder, memory_limit_bytes=settings.memory_limit_bytes, clock=clock)


def run_undo(store: BulkStore, scratch_folder: Path, *, memory_limit_bytes: int, clock: Clock) -> UploadJobStatus:
    """Bring the leased job, which undoes another one, to its end.

    Returns:
        its final status. One that FAILED goes on where it stood once it is IN_PROGRESS again.

    Raises:
        LeaseLost: another worker has the job; nothing may be removed.
        Exception: a fault of ours or of the machine; the job can be taken up again where it stood.
    """
    job = store.read_job()

    @contextmanager
    def begin(scratch: Scratch) -> Iterator[_Undoing]:
        yield _Undoing(_make_undo(store, scratch, job, clock))

    return run_job(store, job, scratch_folder, begin, memory_limit_bytes=memory_limit_bytes, clock=clock)


class _Undoing:
    """The steps of an undo."""

    def __init__(self, undo: UndoState) -> None:
        self._undo = undo
        self.job = undo.job

    @property
    def steps(self) -> list[Step]:
        # What the later steps need is in the store.
        is_read = self.job.phase in (REMOVE, ADD, FORGET)
        return [
            Step(
                name=STAGE,
                run=lambda _at: _stage(self._undo),
                part=Part.PREPARE,
                is_done=lambda: is_read or self._undo.scratch.is_done("staged"),
            ),
            Step(
                name=REMOVE_CREATED,
                run=lambda at: _remove_created(self._undo, at.position if at else 0),
                part=Part.WRITE,
            ),
            Step(
                name=RESTORE_CHANGED,
                run=lambda at: _restore_changed(self._undo, at.position if at else 0),
                part=Part.WRITE,
            ),
            Step(name=ADD, run=self._index, part=Part.WRITE, phases=(REMOVE, ADD)),
            Step(name=FORGET, run=lambda _at: _forget(self._undo), part=Part.WRITE),
        ]

    def give_up(self) -> End:
        """Make what was undone so far findable, so that other jobs may go on with it.

        Phase and position stay, so that the rest can be requested.
        """
        if self.job.phase != FORGET:
            apply_pending_keys(self._undo)
        message = self.job.failure_message or UNDO.gave_up_message
        return End(UploadJobStatus.FAILED, INTERNAL_FAILURE, message)

    def end(self) -> End:
        return End(UploadJobStatus.SUCCEEDED)

    def _index(self, at: Standing | None) -> None:
        write_pending_keys(self._undo, at.phase if at else None, at.position if at else 0)


def _make_undo(store: BulkStore, scratch: Scratch, job: LeasedJob, clock: Clock) -> UndoState:
    if job.subject is None:
        raise ValueError(f"Upload job {job.job_id} is not an undo.")
    key_version = scratch.recall("key_version")
    if key_version is None:
        # The first loader of the job that has this scratch database: what an earlier one has noted in the store may be
        # older than what something else has written since.
        key_version = job.key_version if job.phase in (None, STAGE) else _NEVER
        scratch.remember("key_version", key_version)
    undone = store.read_undone_job(job.subject)
    return UndoState(
        scratch=scratch,
        cursor=scratch,
        store=store,
        reader=store,
        job=job,
        paths=read_mapping(undone.fields, undone.unique_key, strict=False).paths,
        key_version=key_version,
        clock=clock,
        undone_id=job.subject,
        undone=undone,
    )


def _forget(undo: UndoState) -> None:
    """Remove the images."""
    is_left = True
    while is_left:
        with undo.store.chunk():
            is_left = undo.store.forget_undo(undo.undone_id)
            undo.store.record_progress(phase=FORGET, position=0)


def _stage(undo: UndoState) -> None:
    """Read the images, and find out what revision the job has left each profile with."""
    scratch, store = undo.scratch, undo.store
    texts = "".join(f", {column} text" for column in image_columns(undo.paths))
    numbers = "".join(f", {column} bigint" for column in NUMBERS)
    scratch.run(f"create or replace table image (pid bigint{texts}{numbers})")
    for rows in unpack_images(store.read_undo_images(undo.undone_id)):
        scratch.put("image_part", rows)
        scratch.run("insert into image select * from image_part")
    # Without a gap between the revisions nothing else has come between two changes by the job.
    scratch.run(
        "create or replace table left_behind as select pid, min(revision) as first_revision, "
        "max(revision) + 1 as left_revision, max(revision) - min(revision) + 1 = count(*) as is_chained "
        "from image group by pid"
    )
    first, last = undo.undone.pid_base, undo.undone.pid_base + undo.undone.record_count
    scratch.run(
        "create or replace table restoring as select image.*, left_revision, is_chained from image join left_behind "
        "on left_behind.pid = image.pid and first_revision = image.revision "
        f"where not (image.pid > {first} and image.pid <= {last}) order by image.pid"
    )
    scratch.run("drop table image")
    scratch.run("create or replace table absent (name text, value text, pid bigint)")
    for rows in store.read_absent_keys(undo.undone_id):
        scratch.put("absent_part", rows)
        scratch.run("insert into absent select name, value, pid from absent_part")
    if undo.job.phase in (None, STAGE):
        with store.chunk() as state:
            check_stop(state)
            count = int(scratch.value("select count(*) from restoring"))
            store.record_progress(phase=STAGE, position=0, total=undo.undone.created_count + count)
    scratch.mark_done("staged")


def _remove_created(undo: UndoState, position: int) -> None:
    size = ChunkSize(_FIRST_PART)
    with undo.made_ahead(lambda ahead: _created_parts(ahead, position, size), _PARTS_AHEAD) as parts:
        for first_made in parts:
            with valid_chunk(undo, first_made, UndoState.make_removal, size) as part:
                _note(undo, part)
                undo.store.delete_profiles(part.rows["pid"].combine_chunks(), undo.clock())
                undo.store.record_progress(
                    phase=REMOVE_CREATED,
                    position=part.made_of["pid"][-1].as_py(),
                    removed=part.rows.num_rows,
                    kept=part.kept.num_rows,
                )
    with undo.store.chunk() as state:
        check_stop(state)
        gone_count = max(0, undo.undone.created_count - sum(undo.store.read_undo_counts()))
        undo.store.record_progress(phase=RESTORE_CHANGED, position=0, gone=gone_count)


def _created_parts(undo: UndoState, position: int, size: ChunkSize) -> Generator[_Part, None, None]:
    """The profiles that the job has made and that are there, with a row number above ``position``, in their order."""
    undone = undo.undone
    after = max(position, undone.pid_base)
    columns = [*changed_columns(undo), "profile_id", "revision"]
    while True:
        version = undo.reader.read_key_version()
        stored = undo.reader.read_profile_range(after, undone.pid_base + undone.record_count, size.rows, columns)
        if not stored.num_rows:
            return
        after = stored["pid"][-1].as_py()
        yield undo.removal_of(version, stored.select(["pid"]), stored)


def _restore_changed(undo: UndoState, position: int) -> None:
    size = ChunkSize(_FIRST_PART)
    with undo.made_ahead(lambda ahead: _changed_parts(ahead, position, size), _PARTS_AHEAD) as parts:
        for first_made in parts:
            with valid_chunk(undo, first_made, UndoState.make_restoration, size) as part:
                _note(undo, part)
                undo.store.restore_profiles(part.rows, image_columns(undo.paths), undo.clock())
                for name in pa.compute.unique(part.keys_out["name"]).to_pylist():
                    keys = part.keys_out.filter(pa.compute.equal(part.keys_out["name"], name))
                    undo.store.remove_keys(name, keys.drop_columns(["name"]))
                undo.store.record_progress(
                    phase=RESTORE_CHANGED,
                    position=part.made_of["pid"][-1].as_py(),
                    restored=part.rows.num_rows,
                    kept=part.kept.num_rows,
                    gone=part.gone_count,
                )


def _changed_parts(undo: UndoState, position: int, size: ChunkSize) -> Generator[_Part, None, None]:
    # The table is in order of pid, so its row ids are too: a range of them is read without looking at the others.
    first = int(undo.cursor.value("select count(*) from restoring where pid <= ?", [position]))
    while True:
        count = size.rows
        images = undo.cursor.table(
            "select * from restoring where rowid >= ? and rowid < ? order by rowid", [first, first + count]
        )
        if not images.num_rows:
            return
        first += count
        yield undo.make_restoration(images)


def _note(undo: UndoState, part: _Part) -> None:
    """Note what a part changes in the index, and what it keeps."""
    undo.store.insert_pending_keys(part.key_changes)
    undo.store.add_notes(KEPT_PROFILES, part.kept)


def _kept(found: pa.Table, *, was_created: bool) -> pa.Table:
    kept = found.filter(pa.compute.invert(found["is_untouched"])).select(["pid", "profile_id"])
    return kept.append_column("was_created", pa.repeat(pa.scalar(was_created), kept.num_rows))


def _no_keys() -> pa.Table:
    return pa.schema([("name", pa.string()), ("value", pa.string()), ("pid", pa.int64())]).empty_table()
