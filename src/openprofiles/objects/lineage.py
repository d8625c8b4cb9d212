"""The lineage of a profile: where the value of each field comes from, and what would take its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from openprofiles.clock import from_milliseconds, to_milliseconds
from openprofiles.facts.field_ownership import owner_of
from openprofiles.facts.records import FieldSource, Profile
from openprofiles.facts.standard_profile import ATTRIBUTES_PREFIX
from openprofiles.objects.stored_values import StoredValues, best_first, read_stored_values
from openprofiles.objects.type_definitions import read_type_name
from openprofiles.profiles.profiles import get_profile
from openprofiles.profiles.session import Reading
from openprofiles.store import upload_jobs


class Origin(StrEnum):
    """What has given a field its value."""

    MANUAL = "MANUAL"
    OBJECT = "OBJECT"
    UPLOAD_JOB = "UPLOAD_JOB"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLineage:
    """Where the value of a field comes from.

    Attributes:
        object_type: the name of the type of the object that has given it, and of its field in ``mapping_field``.
        unique_key: of that object; None if the object is gone.
        priority: the present SourcePriority of the type.
        ingested_at: when the object came.
        source_at: when its source has changed it last, if known.
        job_id: of the upload job that has written the profile last, if the value is from a file.
        next_object_type: the type of the object whose value would take its place if the object or its type went.
    """

    path: str
    origin: Origin
    object_type: str | None = None
    mapping_field: str | None = None
    unique_key: bytes | None = None
    priority: int | None = None
    ingested_at: datetime | None = None
    source_at: datetime | None = None
    job_id: str | None = None
    next_object_type: str | None = None


def read_lineage(session: Reading, profile_id: str) -> list[FieldLineage]:
    """Return the lineage of all fields of a profile that have a value, by path.

    Raises:
        NotFound: the domain has no such profile.
    """
    profile = get_profile(session, profile_id)
    stored = best_first(read_stored_values(session, profile.pid))
    job_id = None
    if profile.last_upload_job is not None:
        job = upload_jobs.find_job_by_number(session.connection, profile.domain_id, profile.last_upload_job)
        job_id = None if job is None else job.job_id
    values = {**profile.values, **{ATTRIBUTES_PREFIX + name: text for name, text in profile.attributes.items()}}
    return [_of_field(session, profile, path, values, stored, job_id) for path in sorted(values)]


def _of_field(
    session: Reading,
    profile: Profile,
    path: str,
    values: Mapping[str, str],
    stored: Sequence[StoredValues],
    job_id: str | None,
) -> FieldLineage:
    if path in profile.origins:
        return FieldLineage(path=path, origin=Origin.MANUAL, next_object_type=_next_type(path, stored, None))
    source = owner_of(profile.sources, path)
    own = None if source is None else next((one for one in stored if one.object_no == source.object_no), None)
    # A file replaces a value without a note for each field; then it differs from what the object has.
    is_from_object = source is not None and (
        own is None
        # What an earlier version of the object has given is no longer known.
        or to_milliseconds(own.updated_at) != source.ingested_at_ms
        or own.values.get(path, values[path]) == values[path]
    )
    if source is None or not is_from_object:
        origin = Origin.UNKNOWN if job_id is None else Origin.UPLOAD_JOB
        return FieldLineage(path=path, origin=origin, job_id=job_id, next_object_type=_next_type(path, stored, None))
    return FieldLineage(
        path=path,
        origin=Origin.OBJECT,
        object_type=read_type_name(session.connection, source.object_type_id),
        mapping_field=None if own is None else own.field_names.get(path),
        unique_key=None if own is None else own.unique_key,
        priority=None if own is None else own.priority,
        ingested_at=from_milliseconds(source.ingested_at_ms),
        source_at=None if source.source_at_ms is None else from_milliseconds(source.source_at_ms),
        next_object_type=_next_type(path, stored, source),
    )


def _next_type(path: str, stored: Sequence[StoredValues], owner: FieldSource | None) -> str | None:
    for one in stored:
        if path in one.values and (owner is None or one.object_no != owner.object_no):
            return one.type_name
    return None
