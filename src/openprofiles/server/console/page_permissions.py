"""The pages of a domain and what each needs its reader to be allowed to do: one table, which the pages themselves and
every link to them go by, so that no link leads to a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Page(StrEnum):
    """A page of a domain; templates name it by its value: ``may_open('jobs', domain.name)``."""

    DOMAIN = "domain"
    UPLOAD = "upload"
    JOBS = "jobs"
    JOB = "job"
    JOB_PROFILES = "profiles of a job"
    PROFILES = "profiles"
    PROFILE = "profile"
    PROFILE_FORM = "profile form"


# The start page and that of connecting need nothing. The page of taking a job back belongs to the job.
NEEDS: Mapping[Page, tuple[str, ...]] = {
    Page.DOMAIN: ("profile:GetDomain",),
    Page.UPLOAD: ("profile:CreateUploadJob", "profile:GetUploadJobPath"),
    Page.JOBS: ("profile:ListUploadJobs",),
    Page.JOB: ("profile:GetUploadJob",),
    Page.JOB_PROFILES: ("profile:GetUploadJob", "profile:SearchProfiles"),
    Page.PROFILES: ("profile:SearchProfiles",),
    Page.PROFILE: ("profile:SearchProfiles",),
    Page.PROFILE_FORM: ("profile:SearchProfiles", "profile:UpdateProfile"),
}

# Pages that need no more than the name of the domain, in the order of their tabs.
TABS = (Page.DOMAIN, Page.UPLOAD, Page.JOBS, Page.PROFILES)

# What was done, told on another page than the one that would show it; an address names it by its key.
DONE_MESSAGES: Mapping[str, str] = {
    "domain-created": "The domain was created.",
    "domain-changed": "The settings of the domain were saved.",
    "job-started": "The job was started.",
    "job-stopped": "The job was told to stop.",
    "undo-started": "The job is being taken back.",
    "profile-deleted": "The profile was deleted.",
}


def path_of_tab(page: Page, domain_name: str) -> str:
    """The path of one of ``TABS``."""
    base = f"/console/domains/{domain_name}"
    return base if page is Page.DOMAIN else f"{base}/{page}"
