"""The preview of an undo: what it would do to the profiles of a job.

It follows the rules of the undo: a profile is kept if its revision has changed since the load. To answer at
once it examines the first profiles of a large job and only counts the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from openprofiles.profiles.session import Reading
from openprofiles.store import profiles as profile_rows
from openprofiles.store import undos as undo_rows
from openprofiles.store.connections import Connection
from openprofiles.uploads.jobs import get_job
from openprofiles.uploads.undos import require_undoable

# Reading a revision of each takes about a quarter of a second.
MAX_PROFILES_SEEN = 50_000
# Pictures of long rows may be large.
_MAX_IMAGE_BYTES = 32 * 1024 * 1024
_PROFILES_PER_READ = 500


@dataclass(frozen=True, slots=True)
class UndoOutlook:
    """The effect that an undo would have on the profiles of a job.

    Attributes:
        created_count: profiles that the job has made.
        changed_count: profiles that were there and that it has changed; its unchanged rows set when they expire.
        touched_count: those of both that something else has changed since; they would stay as they are.
        gone_count: those of both that were deleted since.
        all_seen: whether all were looked at; if not, the last two are what was found so far, and ``changed_count`` is
            that of rows, of which several may have gone to one profile.
    """

    created_count: int
    changed_count: int
    touched_count: int
    gone_count: int
    all_seen: bool


@dataclass(slots=True)
class _Left:
    """The revisions at which a load found a profile, first and last, and how often it changed it."""

    first: int
    last: int
    count: int = 1

    def add(self, revision: int) -> None:
        self.first, self.last = min(self.first, revision), max(self.last, revision)
        self.count += 1

    def is_untouched(self, revision: int) -> bool:
        """Return whether the profile is as the load left it.

        It is not if anything else changed it between two changes of the load.
        """
        return revision == self.last + 1 and self.last - self.first + 1 == self.count


def read_undo_outlook(session: Reading, job_id: str, *, max_seen: int = MAX_PROFILES_SEEN) -> UndoOutlook:
    """Compute what an undo of the job would do now.

    Args:
        max_seen: how many profiles are looked at, about, of those that it has made and of those that it has changed.

    Raises:
        NotFound: no such job in this domain.
        InvalidRequest: it cannot be undone; the message says why.
    """
    connection, domain_id = session.connection, session.domain.domain_id
    job = get_job(session, job_id)
    require_undoable(job, session.now)
    changed_rows = job.updated_count - job.unchanged_count
    left, all_images = _read_images(connection, job.job_number, max_seen) if job.updated_count else ({}, True)
    base, last = job.pid_base or 0, (job.pid_base or 0) + (job.record_count or 0)
    there, revisions = profile_rows.count_changed_in_range(connection, domain_id, base, last, at_most=max_seen)
    # A later row of its file may have changed what an earlier one had made.
    touched = sum(
        pid not in left or left[pid].first != 1 or not left[pid].is_untouched(revision)
        for pid, revision in revisions.items()
    )
    all_created = there < max_seen or there == job.created_count
    gone = max(0, job.created_count - there) if all_created else 0
    changed = [pid for pid in left if not base < pid <= last]
    for start in range(0, len(changed), _PROFILES_PER_READ):
        part = changed[start : start + _PROFILES_PER_READ]
        found = profile_rows.read_revisions(connection, domain_id, part)
        gone += len(part) - len(found)
        touched += sum(not left[pid].is_untouched(revision) for pid, revision in found.items())
    return UndoOutlook(
        created_count=job.created_count,
        changed_count=len(changed) if all_images else changed_rows,
        touched_count=touched,
        gone_count=gone,
        all_seen=all_created and all_images,
    )


def _read_images(connection: Connection, upload_job_id: int, max_seen: int) -> tuple[dict[int, _Left], bool]:
    """Read the state in which the load left each profile; also whether all images were read."""
    left: dict[int, _Left] = {}
    size_bytes = 0
    for content in undo_rows.iterate_images(connection, upload_job_id):
        if len(left) >= max_seen or size_bytes >= _MAX_IMAGE_BYTES:
            return left, False
        size_bytes += len(content)
        for pid, revision in _revisions_in(content):
            if pid in left:
                left[pid].add(revision)
            else:
                left[pid] = _Left(revision, revision)
    return left, True


def _revisions_in(image: bytes) -> Iterator[tuple[int, int]]:
    """Read the row number and revision of each profile in an image.

    A chunk of objects may have changed a profile several times; then it has each revision that it found.
    """
    # Of no use to a server that is not asked for this.
    import pyarrow as pa
    import pyarrow.ipc

    with pa.ipc.open_stream(image) as stream:
        names = [name for name in ("pid", "revision", "left_revision") if name in stream.schema.names]
        indexes = [stream.schema.get_field_index(name) for name in names]
    with pa.ipc.open_stream(image, options=pa.ipc.IpcReadOptions(included_fields=indexes)) as stream:
        rows = stream.read_all()
    for row in rows.to_pylist():
        left_revision = row.get("left_revision") or row["revision"] + 1
        for revision in range(max(row["revision"], 1), left_revision):
            yield row["pid"], revision
