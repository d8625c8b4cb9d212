"""The snapshots of a segment: how it has grown, and what has changed between two of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openprofiles.definitions.definitions import find_definition
from openprofiles.errors import InvalidRequest
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.session import Reading
from openprofiles.segments.definitions import SEGMENT
from openprofiles.segments.snapshots import read_snapshot
from openprofiles.store.profile_sets import SetOwner, set_members
from openprofiles.store.profiles import read_ids
from openprofiles.store.segment_runs import SegmentRun, list_snapshots
from openprofiles.store.upload_job_states import UploadJobStatus

_LIST, _CHANGES = "ListSegmentSnapshots", "ListSegmentSnapshotChanges"


@dataclass(frozen=True, slots=True)
class SnapshotPage:
    """One page of snapshots, the newest first."""

    snapshots: list[SegmentRun]
    next_token: str | None


@dataclass(frozen=True, slots=True)
class ChangedMember:
    """A profile that is a member in one of two snapshots."""

    profile_id: str
    has_joined: bool


@dataclass(frozen=True, slots=True)
class SnapshotChanges:
    """What has changed between two snapshots: the counts, and a page of the profiles that still exist."""

    joined_count: int
    left_count: int
    stayed_count: int
    members: list[ChangedMember]
    next_token: str | None


def list_segment_snapshots(
    session: Reading, segment_name: str, *, max_results: int, next_token: str | None = None
) -> SnapshotPage:
    """List the snapshots of a segment, the newest first.

    Raises:
        NotFound: the domain has no segment of this name.
        InvalidRequest: the token is not one of this list's.
    """
    definition = find_definition(session, SEGMENT, segment_name)
    before = None if next_token is None else int(read_token(_LIST, next_token, (int,))[0])
    found = list_snapshots(
        session.connection,
        session.domain.domain_id,
        definition.definition_id,
        before_number=before,
        limit=max_results + 1,
    )
    token = write_token(_LIST, [found[max_results - 1].job_number]) if len(found) > max_results else None
    return SnapshotPage(found[:max_results], token)


def compare_snapshots(
    session: Reading,
    segment_name: str,
    snapshot_id: str,
    earlier_snapshot_id: str,
    *,
    max_results: int,
    next_token: str | None = None,
) -> SnapshotChanges:
    """Compare the members in a snapshot with those in an earlier one.

    Raises:
        NotFound: the domain has no segment of this name, or this has no such snapshot.
        InvalidRequest: a snapshot has not succeeded, or the token is not one of this list's.
    """
    after = _read_members(session, read_snapshot(session, segment_name, snapshot_id))
    before = _read_members(session, read_snapshot(session, segment_name, earlier_snapshot_id))
    joined, left = np.setdiff1d(after, before), np.setdiff1d(before, after)
    after_pid = 0 if next_token is None else int(read_token(_CHANGES, next_token, (int,))[0])
    changed = np.union1d(joined, left)
    page = changed[np.searchsorted(changed, after_pid, side="right") :][: max_results + 1].tolist()
    ids = read_ids(session.connection, session.domain.domain_id, page[:max_results])
    has_joined = set(joined.tolist()).intersection(page)
    return SnapshotChanges(
        joined_count=len(joined),
        left_count=len(left),
        stayed_count=len(after) - len(joined),
        members=[ChangedMember(ids[pid], pid in has_joined) for pid in page[:max_results] if pid in ids],
        next_token=write_token(_CHANGES, [page[max_results - 1]]) if len(page) > max_results else None,
    )


def _read_members(session: Reading, snapshot: SegmentRun) -> npt.NDArray[np.int64]:
    if snapshot.status is not UploadJobStatus.SUCCEEDED:
        raise InvalidRequest(f"Snapshot {snapshot.job_id} has not succeeded, so its members are not known.")
    pids = set_members(session.connection, session.domain.domain_id, SetOwner.SNAPSHOT, snapshot.job_number)
    if len(pids) != snapshot.member_count:
        raise InvalidRequest(
            f"The members of snapshot {snapshot.job_id} were not kept by the version of openprofiles that made it."
        )
    return np.array(pids, np.int64)
