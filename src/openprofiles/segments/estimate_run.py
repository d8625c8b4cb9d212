"""The job that counts the members of a segment."""

from __future__ import annotations

from functools import partial

from openprofiles.clock import Clock
from openprofiles.expressions.tree import EVERYBODY
from openprofiles.job_kinds import SEGMENT_ESTIMATE
from openprofiles.segments.definitions import SQL_QUERY, expression_of, require_valid
from openprofiles.segments.estimates import QUERY
from openprofiles.segments.run_end import Counts, OpenState, run_segment_job, scratch_folder
from openprofiles.segments.surroundings import sql_surroundings
from openprofiles.settings import Settings
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.store.leased_store import LeasedStore
from openprofiles.store.segment_rows import count_members
from openprofiles.store.segment_runs import SegmentRun


def run(store: LeasedStore, settings: Settings, clock: Clock) -> None:
    """Run the leased job to its end."""
    run_segment_job(store, SEGMENT_ESTIMATE, clock, partial(_count, store, settings))


def _count(store: LeasedStore, settings: Settings, job: LeasedJob, found: SegmentRun, open_state: OpenState) -> Counts:
    if SQL_QUERY in found.request:
        # Imported here: it imports the parser.
        from openprofiles.segments.sql_members import find_sql_members

        with scratch_folder(settings, job) as folder:
            by_sql = find_sql_members(store, settings, found.request, open_state, folder)
        return Counts(by_sql.session.now, len(by_sql.pids), by_sql.profile_count)
    with open_state() as session:
        expression = expression_of(session, found.request, QUERY)
        require_valid(session, expression)
        surroundings = sql_surroundings(session)
        members = count_members(session.connection, job.domain_id, expression, surroundings)
        everybody = count_members(session.connection, job.domain_id, EVERYBODY, surroundings)
    return Counts(session.now, members, everybody)
