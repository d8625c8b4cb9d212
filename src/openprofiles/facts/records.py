"""What the store keeps for a caller: a domain and its profiles. Frozen, with the names of this program.

Times are aware datetimes in UTC, whole milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from openprofiles.ids import ProfileId


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """One domain.

    Attributes:
        domain_id: its row number; the name of a deleted domain may be given to a new one, this number never.
        config: the configuration in the API's own form, see ``domain_config``.
        phone_region: ISO 3166 country whose phone numbers are written without a country code.
        profile_count: profiles in the store, also expired ones that the worker has not removed yet.
        change_number: of the last change of its profiles or their keys.
        object_count: profile objects in the store, standard objects and expired ones among them.
        object_salt: random bytes that the unique keys of its objects are computed with.
    """

    domain_id: int
    name: str
    config: Mapping[str, Any]
    tags: Mapping[str, str]
    default_expiration_days: int
    phone_region: str
    profile_count: int
    change_number: int
    created_at: datetime
    updated_at: datetime
    object_count: int
    object_salt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSource:
    """An object that has given a profile values.

    Attributes:
        object_no: its number; the object itself may be gone.
        object_type_id: the number of the definition of its type.
        ingested_at_ms: when it came, milliseconds since 1970.
        source_at_ms: when its source has changed it last, as the source says, or None.
        paths: the fields whose values are its own, sorted.
    """

    object_no: int
    object_type_id: int
    ingested_at_ms: int
    source_at_ms: int | None
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One profile, with its values as they came.

    Attributes:
        pid: its row number in the store.
        values: by path of the standard profile; only fields that have a value.
        attributes: the custom attributes by name.
        engagement_preferences: in the API's own form, or None.
        origins: paths of what was set by hand (API or console); ``Attributes.<name>`` for a custom attribute.
        revision: 1 when new, grows by one with every write.
        last_upload_job: row number of the upload job that touched it last.
        sources: the objects that have given it values. A field that neither they nor ``origins`` name is from a file.
        object_count: how many objects it has.
    """

    pid: int
    domain_id: int
    profile_id: ProfileId
    values: Mapping[str, str]
    attributes: Mapping[str, str] = field(default_factory=dict)
    engagement_preferences: Mapping[str, Any] | None = None
    origins: frozenset[str] = frozenset()
    revision: int = 1
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    last_upload_job: int | None = None
    sources: tuple[FieldSource, ...] = ()
    object_count: int = 0
