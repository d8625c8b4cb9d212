"""The job that counts the members of a segment."""

from __future__ import annotations

from openprofiles.clock import Clock
from openprofiles.expressions.tree import EVERYBODY
from openprofiles.job_kinds import SEGMENT_ESTIMATE
from openprofiles.segments.definitions import expression_of, require_valid
from openprofiles.segments.estimates import QUERY
from openprofiles.segments.run_end import Counts, OpenState, run_segment_job
from openprofiles.segments.surroundings import sql_surroundings
from openprofiles.settings import Settings
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.store.leased_store import LeasedStore
from openprofiles.store.segment_rows import count_members
from openprofiles.store.segment_runs import SegmentRun


def run(store: LeasedStore, _settings: Settings, clock: Clock) -> None:
    """Run the leased job to its end."""
    run_segment_job(store, SEGMENT_ESTIMATE, clock, _count)


def _count(job: LeasedJob, found: SegmentRun, open_state: OpenState) -> Counts:
    with open_state() as session:
        expression = expression_of(session, found.request, QUERY)
        require_valid(session, expression)
        surroundings = sql_surroundings(session)
        members = count_members(session.connection, job.domain_id, expression, surroundings)
        everybody = count_members(session.connection, job.domain_id, EVERYBODY, surroundings)
    return Counts(session.now, members, everybody)
