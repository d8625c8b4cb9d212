"""What the stored objects of a profile have for its fields, each by the mapping by which it was ingested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from openprofiles.clock import to_milliseconds
from openprofiles.errors import InvalidRequest
from openprofiles.facts.records import FieldSource
from openprofiles.objects.prepared_objects import PreparedObject, prepare_object
from openprofiles.objects.standard_objects import PROFILE
from openprofiles.objects.type_definitions import list_object_type_rows
from openprofiles.objects.used_types import read_used_type
from openprofiles.profiles.session import Reading
from openprofiles.store import objects as rows
from openprofiles.store.definitions import Definition
from openprofiles.store.objects import ProfileObject


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredValues:
    """The values of a stored object for its profile.

    Attributes:
        priority: the present SourcePriority of its type.
        values: by path.
        field_names: the field of the type that each value comes from, by path.
    """

    object_no: int
    object_type_id: int
    type_name: str
    priority: int | None
    unique_key: bytes
    updated_at: datetime
    source_at: datetime | None
    values: Mapping[str, str]
    field_names: Mapping[str, str]

    def as_source(self, paths: Iterable[str]) -> FieldSource:
        """Return the object as the owner of these fields."""
        return FieldSource(
            object_no=self.object_no,
            object_type_id=self.object_type_id,
            ingested_at_ms=to_milliseconds(self.updated_at),
            source_at_ms=None if self.source_at is None else to_milliseconds(self.source_at),
            paths=tuple(paths),
        )


def read_stored_values(session: Reading, pid: int) -> list[StoredValues]:
    """Read what the unexpired objects of a profile have for its fields; those of deleted types are left out."""
    definitions = {one.definition_id: one for one in list_object_type_rows(session)}
    found = (
        read_values_of(session, definitions[one.object_type_id], one)
        for one in rows.list_objects_of_profiles(session.connection, session.domain.domain_id, [pid])
        if one.object_type_id in definitions and one.expires_at > session.now
    )
    return [one for one in found if one is not None]


def best_first(stored: Sequence[StoredValues]) -> list[StoredValues]:
    """Sort values by how they win a field: by priority, those without one last, then the latest first."""
    return sorted(
        stored,
        key=lambda one: (
            float("inf") if one.priority is None else one.priority,
            -to_milliseconds(one.updated_at),
            -one.object_no,
        ),
    )


def read_values_of(session: Reading, definition: Definition, one: ProfileObject) -> StoredValues | None:
    """Read what an object has for the fields of its profile; None if a later rule refuses it."""
    domain = session.domain
    used = read_used_type(session, definition, one.version)
    try:
        prepared = prepare_object(used, one.content, salt=domain.object_salt, phone_region=domain.phone_region)
    except InvalidRequest:
        return None
    values = {**(prepared.inferred_values if one.made_profile else {}), **prepared.profile_values}
    return StoredValues(
        object_no=one.object_no,
        object_type_id=one.object_type_id,
        type_name=definition.name,
        priority=definition.summary.get("SourcePriority"),
        unique_key=one.unique_key,
        updated_at=one.updated_at,
        source_at=one.source_at,
        values=values,
        field_names=_field_names(prepared),
    )


def _field_names(prepared: PreparedObject) -> dict[str, str]:
    targets = prepared.type.mapping.targets.get(PROFILE, ())
    return {field.target.path: field.name for field in targets if field.target and field.name in prepared.values}
