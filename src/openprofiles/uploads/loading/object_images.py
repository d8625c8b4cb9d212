"""Pack what profiles and objects were before a chunk of a job has changed them, and read it again.

An image is an Arrow table, like those of other loads (``bulk.images``), with a row for each profile: its row number,
its revision before and after, and the rest as JSON, which an erased profile loses.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from openprofiles.bulk.images import pack_rows
from openprofiles.clock import from_milliseconds, to_milliseconds
from openprofiles.facts.keys import Key
from openprofiles.facts.records import FieldSource, Profile
from openprofiles.ids import ProfileId
from openprofiles.profiles.recorded_changes import RecordedProfile, ReplacedObject
from openprofiles.store.objects import ProfileObject

# The columns that stay of a deleted profile have the names of ``bulk_protocols.NUMBERS``.
_COLUMNS = pa.schema(
    [
        ("pid", pa.int64()),
        ("revision", pa.int64()),
        ("left_revision", pa.int64()),
        ("profile", pa.string()),
        ("objects", pa.string()),
    ]
)
_PROFILE_MEMBERS = tuple(field.name for field in dataclasses.fields(Profile))
_PROFILE_TIMES = ("created_at", "updated_at", "expires_at")
# The paths come last.
_SOURCE_MEMBERS = tuple(field.name for field in dataclasses.fields(FieldSource))
_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)
_TIMES = ("created_at", "updated_at", "expires_at", "source_at")


def pack_changes(changes: Iterable[RecordedProfile]) -> bytes:
    """Pack the changes of a chunk."""
    rows = [
        {
            "pid": one.after.pid,
            # One that was created was none before.
            "revision": 0 if one.before is None else one.before.revision,
            "left_revision": one.after.revision,
            "profile": None if one.before is None else _profile_json(one.before),
            "objects": json.dumps(
                {
                    "added": one.added_objects,
                    "replaced": [_object_members(replaced) for replaced in one.replaced_objects.values()],
                }
            ),
        }
        for one in sorted(changes, key=lambda one: one.after.pid)
    ]
    return pack_rows(pa.Table.from_pylist(rows, schema=_COLUMNS))


def read_profile(text: str) -> Profile:
    """Read a profile of an image."""
    members = json.loads(text)
    return Profile(
        **_with_times(members)
        | {
            "profile_id": ProfileId(members["profile_id"]),
            "origins": frozenset(members["origins"]),
            "sources": tuple(
                FieldSource(**dict(zip(_SOURCE_MEMBERS, (*source[:-1], tuple(source[-1])), strict=True)))
                for source in members["sources"]
            ),
        }
    )


def read_objects(text: str) -> tuple[list[int], list[ReplacedObject]]:
    """Read what an image has of the objects of a profile: the numbers of new ones, and what others were before."""
    members = json.loads(text)
    return members["added"], [_read_object(one) for one in members["replaced"]]


def _profile_json(profile: Profile) -> str:
    members = {name: getattr(profile, name) for name in _PROFILE_MEMBERS}
    members |= {name: to_milliseconds(members[name]) for name in _PROFILE_TIMES}
    members["origins"] = sorted(profile.origins)
    members["sources"] = [[getattr(source, name) for name in _SOURCE_MEMBERS] for source in profile.sources]
    return _ENCODER.encode(members)


def _object_members(replaced: ReplacedObject) -> dict[str, Any]:
    row = {field.name: getattr(replaced.row, field.name) for field in dataclasses.fields(replaced.row)}
    row["unique_key"] = base64.b64encode(replaced.row.unique_key).decode()
    row["keys"] = None if replaced.row.keys is None else [list(key) for key in replaced.row.keys]
    return {"row": _without_times(row), "keys": [list(key) for key in sorted(replaced.keys)]}


def _read_object(members: Mapping[str, Any]) -> ReplacedObject:
    row = _with_times(members["row"]) | {"unique_key": base64.b64decode(members["row"]["unique_key"])}
    return ReplacedObject(ProfileObject(**row), frozenset(Key(*key) for key in members["keys"]))


def _without_times(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: to_milliseconds(value) if isinstance(value, datetime) else value for name, value in members.items()}


def _with_times(members: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: from_milliseconds(value) if name in _TIMES and value is not None else value
        for name, value in members.items()
    }
