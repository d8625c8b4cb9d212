"""Estimates: how many profiles a segment has, counted by a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprofiles.errors import NotFound
from openprofiles.ids import new_job_id
from openprofiles.job_kinds import SEGMENT_ESTIMATE
from openprofiles.profiles.session import Reading, Writing
from openprofiles.segments.definitions import check_segment
from openprofiles.store import job_queue
from openprofiles.store.segment_runs import SegmentRun, find_run
from openprofiles.store.upload_job_states import UploadJobStatus

QUERY = "SegmentQuery"


def start_estimate(session: Writing, request: Mapping[str, Any], *, strict: bool = False) -> str:
    """Request an estimate, which a worker makes; return its id.

    Args:
        request: the query, as in CreateSegmentEstimate; without one, all profiles are counted.
        strict: whether AWS's own limits hold.

    Raises:
        InvalidRequest: the query is not valid.
    """
    check_segment(session, request, QUERY, strict=strict)
    estimate_id = new_job_id(session.now)
    job_queue.insert_job(
        session.connection,
        SEGMENT_ESTIMATE,
        {
            "job_id": estimate_id,
            "domain_id": session.domain.domain_id,
            "status": UploadJobStatus.IN_PROGRESS,
            "created_at": session.now,
            "started_at": session.now,
            "request": request,
        },
    )
    return estimate_id


def estimate_status(run: SegmentRun) -> str:
    """Return the status of an estimate in the API's words."""
    if run.status is UploadJobStatus.SUCCEEDED:
        return "SUCCEEDED"
    return "RUNNING" if run.status in (UploadJobStatus.CREATED, UploadJobStatus.IN_PROGRESS) else "FAILED"


def failure_message(run: SegmentRun) -> str:
    """Return why an estimate that has not succeeded ended."""
    return run.failure_message or "The estimate was stopped."


def read_estimate(session: Reading, estimate_id: str) -> SegmentRun:
    """Read the state of an estimate, which is kept for a day.

    Raises:
        NotFound: the domain has no estimate of this id.
    """
    found = find_run(session.connection, SEGMENT_ESTIMATE, session.domain.domain_id, estimate_id)
    if found is None:
        raise NotFound(
            f"Segment estimate {estimate_id} does not exist in domain {session.domain.name}. Estimates are kept for a "
            "day."
        )
    return found
