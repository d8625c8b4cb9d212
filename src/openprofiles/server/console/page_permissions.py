"""The pages of a domain and the actions that each needs: one table for the pages and every link to them, so that no
link leads to a refusal.
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
    SEGMENTS = "segments"
    SEGMENT = "segment"
    OBJECTS = "objects"
    OBJECT_TYPE = "object type"


# The start page and the page about connecting need nothing. The undo page belongs to the job.
NEEDS: Mapping[Page, tuple[str, ...]] = {
    Page.DOMAIN: ("profile:GetDomain",),
    Page.UPLOAD: ("profile:CreateUploadJob", "profile:GetUploadJobPath"),
    Page.JOBS: ("profile:ListUploadJobs",),
    Page.JOB: ("profile:GetUploadJob",),
    Page.JOB_PROFILES: ("profile:GetUploadJob", "profile:SearchProfiles"),
    Page.PROFILES: ("profile:SearchProfiles",),
    Page.PROFILE: ("profile:SearchProfiles",),
    Page.PROFILE_FORM: ("profile:SearchProfiles", "profile:UpdateProfile"),
    Page.SEGMENTS: ("profile:ListSegmentDefinitions",),
    Page.SEGMENT: ("profile:GetSegmentDefinition",),
    Page.OBJECTS: ("profile:ListProfileObjectTypes",),
    Page.OBJECT_TYPE: ("profile:GetProfileObjectType",),
}

# What an action lets people do, for the message to somebody who may not.
ACTION_WORDS: Mapping[str, str] = {
    "profile:CreateDomain": "create domains",
    "profile:GetDomain": "see the overview of {domain}",
    "profile:UpdateDomain": "change the settings of {domain}",
    "profile:DeleteDomain": "delete {domain}",
    "profile:CreateUploadJob": "import files into {domain}",
    "profile:GetUploadJobPath": "import files into {domain}",
    "profile:StartUploadJob": "start imports into {domain}",
    "profile:StopUploadJob": "stop imports into {domain}",
    "profile:ListUploadJobs": "list the imports into {domain}",
    "profile:GetUploadJob": "see the details of imports into {domain}",
    "profile:SearchProfiles": "search the profiles in {domain}",
    "profile:UpdateProfile": "edit profiles in {domain}",
    "profile:DeleteProfile": "delete profiles from {domain}",
    "profile:ListSegmentDefinitions": "see the segments of {domain}",
    "profile:GetSegmentDefinition": "see segments of {domain}",
    "profile:CreateSegmentDefinition": "create segments of {domain}",
    "profile:DeleteSegmentDefinition": "delete segments of {domain}",
    "profile:CreateSegmentEstimate": "count profiles in {domain}",
    "profile:GetSegmentEstimate": "count profiles in {domain}",
    "profile:GetSegmentMembership": "see the members of segments of {domain}",
    "profile:ListProfileObjectTypes": "see the object types of {domain}",
    "profile:GetProfileObjectType": "see object types of {domain}",
    "profile:PutProfileObjectType": "define object types of {domain}",
    "profile:DetectProfileObjectType": "get suggestions for object types of {domain}",
    "profile:DeleteProfileObjectType": "delete object types of {domain}",
    "profile:PutProfileObject": "ingest objects into {domain}",
    "openprofiles:ExplainObject": "try objects in {domain}",
    "openprofiles:GetDeadLetter": "see the dead letters of {domain}",
    "openprofiles:RetryDeadLetter": "retry dead letters of {domain}",
    "openprofiles:DeleteDeadLetter": "delete dead letters of {domain}",
    "openprofiles:UndoUploadJob": "undo imports into {domain}",
}

# Pages whose address needs only the name of the domain, in the order of their tabs.
TABS = (Page.DOMAIN, Page.UPLOAD, Page.JOBS, Page.PROFILES, Page.SEGMENTS, Page.OBJECTS)

# Messages about what was done, for pages that do not show it otherwise; an address names a message by its key.
DONE_MESSAGES: Mapping[str, str] = {
    "domain-created": "Domain created.",
    "domain-changed": "Settings saved.",
    "job-started": "Import started.",
    "job-stopped": "Import stopping.",
    "undo-started": "Undo started.",
    "profile-deleted": "Profile deleted.",
    "segment-created": "Segment created.",
    "segment-deleted": "Segment deleted.",
    "object-type-saved": "Object type saved.",
    "object-type-deleted": "Object type deleted. Its objects are being removed.",
    "object-ingested": "Object ingested.",
    "object-rejected": "Object rejected again.",
    "letter-deleted": "Dead letter deleted.",
}


def path_of_tab(page: Page, domain_name: str) -> str:
    """Return the path of one of ``TABS``."""
    base = f"/console/domains/{domain_name}"
    return base if page is Page.DOMAIN else f"{base}/{page}"
