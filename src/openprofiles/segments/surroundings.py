"""What an expression needs besides the values of profiles: other segments, and what upload jobs have done."""

from __future__ import annotations

from functools import cache, partial

from openprofiles.clock import to_milliseconds
from openprofiles.errors import InvalidRequest
from openprofiles.expressions.evaluate import ProfileValues
from openprofiles.expressions.tree import Calculated, JobRelation, ProfileTime
from openprofiles.facts.records import Profile
from openprofiles.facts.standard_profile import ATTRIBUTES_PREFIX
from openprofiles.profiles.session import Reading
from openprofiles.segments.definitions import SegmentExpressions
from openprofiles.store.expressions.conditions import Surroundings
from openprofiles.store.expressions.fragments import Sql
from openprofiles.store.job_profiles import is_of_job, is_of_job_sql
from openprofiles.store.upload_jobs import UploadJob, find_job


def sql_surroundings(session: Reading) -> Surroundings:
    """Return what a statement needs, in the state of the store that the session reads."""

    @cache
    def of_job(relation: JobRelation, job_id: str) -> Sql:
        return is_of_job_sql(session.connection, _find_job(session, job_id), relation)

    return Surroundings(
        now=session.now,
        segment=SegmentExpressions(session).of,
        calculated=_no_calculated,
        is_of_job=of_job,
    )


class ProfileReader:
    """Makes profiles into what expressions ask of them, for many profiles of one session."""

    def __init__(self, session: Reading) -> None:
        self._session = session
        self._segments = SegmentExpressions(session)
        self._find_job = cache(partial(_find_job, session))

    def values_of(self, profile: Profile) -> ProfileValues:
        """Return what an expression may ask of a profile."""

        def of_job(relation: JobRelation, job_id: str) -> bool:
            return is_of_job(self._session.connection, self._find_job(job_id), relation, profile)

        attributes = {ATTRIBUTES_PREFIX + name: text for name, text in profile.attributes.items()}
        return ProfileValues(
            texts={**profile.values, **attributes},
            times={
                ProfileTime.CREATED_AT: to_milliseconds(profile.created_at),
                ProfileTime.UPDATED_AT: to_milliseconds(profile.updated_at),
            },
            now=self._session.now,
            calculated=lambda calculated: _no_calculated(calculated).text,
            segment=self._segments.of,
            is_of_job=of_job,
        )


def _find_job(session: Reading, job_id: str) -> UploadJob:
    job = find_job(session.connection, session.domain.domain_id, job_id)
    if job is None:
        raise InvalidRequest(f"The segment names upload job {job_id}, which does not exist.")
    return job


def _no_calculated(calculated: Calculated) -> Sql:
    raise InvalidRequest(f"The segment uses calculated attribute {calculated.name}, which does not exist.")
