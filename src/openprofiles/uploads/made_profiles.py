"""The profiles that an upload job created and that still exist.

The profile that row r of a file creates has the row number ``pid_base`` + r, which no other profile ever gets. So they
are a range of rows, read a page at a time. The profiles that a job has updated cannot be listed.
"""

from __future__ import annotations

from openprofiles.facts.records import Profile
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.session import Reading
from openprofiles.store import profiles as profile_rows
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads.jobs import Page, get_job

_LIST = "made-profiles"


def list_made_profiles(
    session: Reading, job_id: str, *, max_results: int, next_token: str | None = None
) -> tuple[UploadJob, Page[Profile]]:
    """List a page of the profiles that a job created, by row.

    Args:
        max_results: how many profiles are looked at. Those that have expired and wait for their removal are left out,
            so that a page may have fewer, or none, and another follow.

    Raises:
        NotFound: no such job in this domain.
        InvalidRequest: the token is none of this list.
    """
    after = int(read_token(_LIST, next_token, (int,))[0]) if next_token is not None else 0
    job = get_job(session, job_id)
    if job.pid_base is None or job.record_count is None:
        return job, Page([], None)
    found = profile_rows.read_range(
        session.connection,
        session.domain.domain_id,
        max(after, job.pid_base),
        job.pid_base + job.record_count,
        limit=max_results + 1,
    )
    looked_at = found[:max_results]
    token = write_token(_LIST, [looked_at[-1].pid]) if len(found) > max_results else None
    return job, Page([one for one in looked_at if one.expires_at > session.now], token)
