"""What an expression needs besides the values of profiles: other segments, and what upload jobs have done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

from openprofiles.calculated.definitions import CalculatedDefinition, find_calculated
from openprofiles.calculated.profile_values import calculate_for, calculate_for_all
from openprofiles.calculated.values import DayRange
from openprofiles.clock import to_milliseconds
from openprofiles.errors import InvalidRequest
from openprofiles.expressions.evaluate import ProfileValues, holds
from openprofiles.expressions.moment_text import DAY_MS
from openprofiles.expressions.tree import Calculated, Expression, JobRelation, ProfileTime, Test
from openprofiles.facts.records import Profile
from openprofiles.facts.standard_profile import ATTRIBUTES_PREFIX
from openprofiles.job_kinds import SEGMENT_SNAPSHOT
from openprofiles.profiles.session import Reading
from openprofiles.segments.definitions import SegmentExpressions
from openprofiles.store.connections import Connection
from openprofiles.store.expressions.conditions import Surroundings
from openprofiles.store.expressions.fragments import Sql, all_of, any_of, sql
from openprofiles.store.job_profiles import is_of_job, is_of_job_sql
from openprofiles.store.profile_sets import SetOwner, members_among, set_members
from openprofiles.store.segment_rows import is_among
from openprofiles.store.segment_runs import find_run
from openprofiles.store.upload_jobs import UploadJob, find_job


def sql_surroundings(session: Reading, *, among: Sequence[int] | range | None = None) -> Surroundings:
    """Return what a statement needs, in the state of the store that the session reads.

    Args:
        among: the statement asks only for profiles with these row numbers; None: for any.
    """

    @cache
    def of_job(relation: JobRelation, job_id: str) -> Sql:
        if relation is JobRelation.EXPORTED:
            of_set = _exported_set(session, job_id)
            exported = set_members(*of_set) if among is None else sorted(members_among(*of_set, among))
            return is_among(session.connection.dialect.name, exported)
        return is_of_job_sql(session.connection, _find_job(session, job_id), relation)

    return Surroundings(
        now=session.now,
        segment=SegmentExpressions(session).of,
        calculated_test=cache(partial(_calculated_test_sql, session, among)),
        is_of_job=of_job,
    )


class ProfileReader:
    """Makes profiles into what expressions ask of them, for many profiles of one session."""

    def __init__(self, session: Reading) -> None:
        self._session = session
        self._segments = SegmentExpressions(session)
        self._find_job = cache(partial(_find_job, session))
        self._find_calculated = cache(partial(_find_calculated, session))

    def values_of(self, profile: Profile) -> ProfileValues:
        """Return what an expression may ask of a profile."""

        def of_job(relation: JobRelation, job_id: str) -> bool:
            if relation is JobRelation.EXPORTED:
                return bool(members_among(*_exported_set(self._session, job_id), [profile.pid]))
            return is_of_job(self._session.connection, self._find_job(job_id), relation, profile)

        @cache
        def calculated_text(calculated: Calculated) -> str | None:
            definition, days = self._find_calculated(calculated)
            ((_, _, value),) = calculate_for(self._session, [profile], [definition], days)
            return value.text

        attributes = {ATTRIBUTES_PREFIX + name: text for name, text in profile.attributes.items()}
        return ProfileValues(
            texts={**profile.values, **attributes},
            times={
                ProfileTime.CREATED_AT: to_milliseconds(profile.created_at),
                ProfileTime.UPDATED_AT: to_milliseconds(profile.updated_at),
            },
            now=self._session.now,
            calculated=calculated_text,
            segment=self._segments.of,
            is_of_job=of_job,
        )


def _find_job(session: Reading, job_id: str) -> UploadJob:
    job = find_job(session.connection, session.domain.domain_id, job_id)
    if job is None:
        raise InvalidRequest(f"The segment names upload job {job_id}, which does not exist.")
    return job


def _exported_set(session: Reading, snapshot_id: str) -> tuple[Connection, int, SetOwner, int]:
    """Return where the set of the profiles is that an export has."""
    domain_id = session.domain.domain_id
    snapshot = find_run(session.connection, SEGMENT_SNAPSHOT, domain_id, snapshot_id)
    if snapshot is None:
        raise InvalidRequest(f"The segment names snapshot {snapshot_id}, which does not exist.")
    return session.connection, domain_id, SetOwner.SNAPSHOT, snapshot.job_number


def _find_calculated(session: Reading, calculated: Calculated) -> tuple[CalculatedDefinition, DayRange | None]:
    found = find_calculated(session, calculated.name)
    if found is None:
        raise InvalidRequest(f"The segment uses calculated attribute {calculated.name}, which does not exist.")
    days = None if calculated.start_days is None else DayRange(calculated.start_days, calculated.end_days or 0)
    return found, days


def _calculated_test_sql(session: Reading, among: Sequence[int] | range | None, test: Test) -> Sql:
    """Build the condition that a test of a calculated attribute holds.

    The values of all profiles that have objects are computed, and the condition lists those that differ from others.
    Nothing is kept of these values, so they are those of this state of the store.
    """
    calculated = test.operand
    assert isinstance(calculated, Calculated)
    definition, days = _find_calculated(session, calculated)

    def test_holds(text: str | None) -> bool:
        return holds(
            test,
            ProfileValues(
                texts={},
                times={},
                now=session.now,
                calculated=lambda _calculated: text,
                segment=_no_segment,
                is_of_job=lambda _relation, _job: False,
            ),
        )

    if definition.is_age:
        return _age_sql(session, definition, test_holds)
    of_others = test_holds(None)
    results = calculate_for_all(session, definition, days, among=among)
    differ = is_among(
        session.connection.dialect.name, [pid for pid, value in results if test_holds(value.text) != of_others]
    )
    return sql("not ({0})", differ) if of_others else sql("({0})", differ)


def _age_sql(session: Reading, definition: CalculatedDefinition, test_holds: Callable[[str | None], bool]) -> Sql:
    threshold = definition.calculation(session.now).threshold
    if threshold is None:
        raise InvalidRequest(f"The segment uses {definition.name}, which has no threshold to compare the age with.")
    if_true, if_false = (test_holds(text) for text in ("true", "false"))
    if if_true == if_false:
        return all_of([]) if if_true else any_of([])
    # Whole days, as for one profile.
    age = sql(f"({{0}} - p.created_at) / {DAY_MS}", to_milliseconds(session.now))
    passes = sql(f"({{0}} {_COMPARISONS[threshold[0]]} {{1}})", age, int(threshold[1]))
    return passes if if_true else sql("not {0}", passes)


_COMPARISONS = {"EQUAL_TO": "=", "NOT_EQUAL_TO": "<>", "GREATER_THAN": ">", "LESS_THAN": "<"}


def _no_segment(name: str) -> Expression:
    raise LookupError(name)
