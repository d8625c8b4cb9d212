"""What the log keeps of a change by a call: the values before it, or the key that it was about."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from openprofiles.facts.records import Profile
from openprofiles.facts.standard_profile import (
    ATTRIBUTES_PREFIX,
    ENGAGEMENT_PREFERENCES_PATH,
    FIELDS,
    attribute_of_target,
)


def pack_values_before(before: Profile, after: Profile) -> bytes:
    """Pack the former values of what an update has changed."""
    old, new = _values_by_path(before), _values_by_path(after)
    return _pack({path: old.get(path) for path in old.keys() | new.keys() if old.get(path) != new.get(path)})


def pack_keys(key_name: str, values: Sequence[str]) -> bytes:
    """Pack a key and the values that were added to a profile, or deleted."""
    return _pack({"KeyName": key_name, "Values": list(values)})


def _values_by_path(profile: Profile) -> dict[str, Any]:
    """Map the path of each field that has a value to it."""
    values: dict[str, Any] = dict(profile.values)
    values |= {ATTRIBUTES_PREFIX + name: text for name, text in profile.attributes.items()}
    if profile.engagement_preferences is not None:
        values[ENGAGEMENT_PREFERENCES_PATH] = profile.engagement_preferences
    return values


def _pack(content: Mapping[str, Any]) -> bytes:
    # Lone surrogates of old stores have no other form.
    return json.dumps(content, separators=(",", ":")).encode("ascii")


def with_values_before(profile: Profile, content: bytes) -> Profile:
    """Return a profile as it was before a change by a call.

    Args:
        profile: as it was after the change.
        content: what ``pack_values_before`` returned for the change.
    """
    values: dict[str, str | None] = dict(profile.values)
    attributes: dict[str, str | None] = dict(profile.attributes)
    preferences = profile.engagement_preferences
    for path, value in json.loads(content).items():
        attribute = attribute_of_target(path)
        if attribute is not None:
            attributes[attribute] = value
        elif path == ENGAGEMENT_PREFERENCES_PATH:
            preferences = value
        else:
            values[path] = value
    return dataclasses.replace(
        profile, values=_filled(values), attributes=_filled(attributes), engagement_preferences=preferences
    )


def with_values_of_image(profile: Profile, image: bytes) -> Profile | None:
    """Return a profile as it was before a chunk of a load; None if the image lacks it.

    Args:
        profile: as it was after the chunk.
        image: see ``bulk.images``.
    """
    # Of no use to a server that is not asked for this.
    import pyarrow as pa
    import pyarrow.compute
    import pyarrow.ipc

    with pa.ipc.open_stream(image) as stream:
        rows = stream.read_all()
    found = rows.filter(pa.compute.equal(rows["pid"], profile.pid)).to_pylist()
    if not found:
        return None
    if "profile" in found[0]:
        # Of a load of objects: see ``uploads.loading.object_images``.
        before = json.loads(found[0]["profile"] or "null")
        return before and dataclasses.replace(profile, values=before["values"], attributes=before["attributes"])
    values: dict[str, str | None] = dict(profile.values)
    values |= {field.path: found[0][field.column] for field in FIELDS if field.column in found[0]}
    attributes = json.loads(found[0]["attributes"] or "{}") if "attributes" in found[0] else profile.attributes
    return dataclasses.replace(profile, values=_filled(values), attributes=attributes)


def _filled(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in values.items() if text is not None}
