"""Snapshots: exports of the members of a segment, made by a worker."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from openprofiles.definitions.definitions import find_definition, get_definition
from openprofiles.errors import Busy, InvalidRequest, NotFound
from openprofiles.ids import new_job_id
from openprofiles.job_kinds import SEGMENT_SNAPSHOT
from openprofiles.profiles.session import Reading, Writing
from openprofiles.segments.definitions import GROUPS, SEGMENT, SORT, SQL_QUERY, check_segment
from openprofiles.segments.exports.destinations import check_destination
from openprofiles.store import job_queue
from openprofiles.store.segment_runs import SegmentRun, count_runs_since, find_run
from openprofiles.store.upload_job_states import UploadJobStatus

DATA_FORMAT, DESTINATION, ENCRYPTION_KEY, ROLE = "DataFormat", "DestinationUri", "EncryptionKey", "RoleArn"
# Of the request, kept with what the segment is at that moment.
NAME = "SegmentDefinitionName"

_STATUS = {
    UploadJobStatus.CREATED: "IN_PROGRESS",
    UploadJobStatus.IN_PROGRESS: "IN_PROGRESS",
    UploadJobStatus.SUCCEEDED: "COMPLETED",
}
# Source: reference, section 8.8.
_MAX_A_DAY = 200


def start_snapshot(
    session: Writing, name: str, request: Mapping[str, Any], *, export_folder: Path | None, strict: bool
) -> str:
    """Request the export of a segment, which a worker makes; return its id.

    Args:
        request: the members of CreateSegmentSnapshot that say how and where to.
        export_folder: see ``Settings``.
        strict: whether AWS's limit of 200 a day holds.

    Raises:
        NotFound: the domain has no segment of this name.
        InvalidRequest: the destination is not allowed, or the segment builds on something that was deleted.
        Busy: there were too many today.
    """
    found = get_definition(session, SEGMENT, name)
    if DESTINATION not in request:
        raise InvalidRequest(f"{DESTINATION} is required, such as s3://bucket/prefix.")
    check_destination(request[DESTINATION], export_folder)
    check_segment(session, found.body, GROUPS, strict=strict)
    domain_id = session.domain.domain_id
    a_day_ago = session.now - timedelta(days=1)
    if strict and count_runs_since(session.connection, SEGMENT_SNAPSHOT, domain_id, a_day_ago) >= _MAX_A_DAY:
        raise Busy(f"A domain can have {_MAX_A_DAY} snapshots a day.")
    snapshot_id = new_job_id(session.now)
    job_queue.insert_job(
        session.connection,
        SEGMENT_SNAPSHOT,
        {
            "job_id": snapshot_id,
            "domain_id": domain_id,
            "status": UploadJobStatus.IN_PROGRESS,
            "created_at": session.now,
            "started_at": session.now,
            "definition_id": found.definition.definition_id,
            # The segment as it is now: it may be deleted before the worker comes to it.
            "request": {
                **request,
                NAME: name,
                **{member: found.body[member] for member in (GROUPS, SQL_QUERY, SORT) if member in found.body},
            },
        },
    )
    return snapshot_id


def snapshot_status(run: SegmentRun) -> str:
    """Return the status of a snapshot in the API's words."""
    return _STATUS.get(run.status, "FAILED")


def failure_of_snapshot(run: SegmentRun) -> str | None:
    """Return why a snapshot has failed; None if it has not."""
    return (run.failure_message or "The export was stopped.") if snapshot_status(run) == "FAILED" else None


def read_snapshot(session: Reading, name: str, snapshot_id: str) -> SegmentRun:
    """Read the state of a snapshot.

    Raises:
        NotFound: the domain has no segment of this name, or this has no snapshot of this id.
    """
    definition = find_definition(session, SEGMENT, name)
    found = find_run(session.connection, SEGMENT_SNAPSHOT, session.domain.domain_id, snapshot_id)
    if found is None or found.definition_id != definition.definition_id:
        raise NotFound(f"Segment definition {name} has no snapshot {snapshot_id} in domain {session.domain.name}.")
    return found
