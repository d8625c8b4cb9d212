"""The custom attributes that a domain has, as far as its latest upload jobs show."""

from __future__ import annotations

from openprofiles.facts.standard_profile import attribute_of_target
from openprofiles.store.upload_jobs import list_jobs
from openprofiles.uploads.jobs import OpenReading
from openprofiles.uploads.mappings.upload_mapping import TARGET_PREFIX
from openprofiles.uploads.undos import find_undo_statuses

_JOBS_LOOKED_AT = 100


def list_known_attributes(open_session: OpenReading) -> list[str]:
    """List the attributes that the latest upload jobs have loaded, the newest first."""
    with open_session() as session:
        jobs = list_jobs(session.connection, session.domain.domain_id, before=None, limit=_JOBS_LOOKED_AT)
        undone = find_undo_statuses(session, jobs)
    loaded = [job for job in jobs if job.created_count + job.updated_count and job.job_number not in undone]
    targets = [entry["Target"].removeprefix(TARGET_PREFIX) for job in loaded for entry in job.fields.values()]
    return list(dict.fromkeys(name for one in targets if (name := attribute_of_target(one)) is not None))
