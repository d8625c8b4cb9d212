"""Write the standard objects that objects are about, such as an order; they keep what earlier objects have given."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from openprofiles.ids import new_object_id
from openprofiles.objects.field_sources import FieldValue
from openprofiles.objects.object_text import value_text
from openprofiles.objects.placement import standard_keys, standard_unique_key
from openprofiles.objects.prepared_objects import PreparedObject
from openprofiles.objects.standard_objects import standard_objects
from openprofiles.profiles.session import Writing
from openprofiles.store import objects as rows
from openprofiles.store.objects import ProfileObject
from openprofiles.store.prepared import Writes

_LIST = "[]"
# These name the object type that created them.
_WITH_DATA_SOURCE = ("_asset", "_case")


def write_standard_object(
    session: Writing,
    writes: Writes,
    number: int,
    prepared: PreparedObject,
    object_name: str,
    before: ProfileObject | None,
    pid: int,
    expires_at: datetime,
) -> None:
    """Write what an object says about a standard object of its profile.

    Args:
        number: of a new one.
        before: the standard object; None: a new one.
    """
    now = session.now
    given = prepared.standard_values[object_name]
    keys = [list(key) for key in standard_keys(prepared, object_name, to_store=True)]
    if before is not None:
        document = json.loads(before.content)
        fill_document(document, given)
        former = [list(key) for key in before.keys or ()]
        after = dataclasses.replace(
            before,
            content=_text_of(document),
            keys=former + [key for key in keys if key not in former],
            updated_at=now,
            expires_at=max(before.expires_at, expires_at),
        )
        rows.update_object(writes, before, after)
        return
    object_id = new_object_id(now, number)
    document = {standard_objects()[object_name].id_field: object_id}
    fill_document(document, given)
    if object_name in _WITH_DATA_SOURCE:
        document.setdefault("DataSource", prepared.type.name)
    rows.insert_object(
        writes,
        ProfileObject(
            object_no=number,
            domain_id=session.domain.domain_id,
            pid=pid,
            object_type_id=standard_objects()[object_name].number,
            unique_key=standard_unique_key(session.domain.object_salt, object_id),
            content=_text_of(document),
            version=None,
            made_profile=False,
            keys=keys,
            source_at=None,
            created_at=now,
            updated_at=now,
            expires_at=expires_at,
        ),
    )


def fill_document(document: dict[str, Any], given: Mapping[str, FieldValue]) -> None:
    """Write values into a document by their paths; a list that has values is replaced as a whole.

    Args:
        given: by path, such as ``BillingAddress.City`` or ``OrderItems[].Title``.
    """
    for path in given:
        _remove_list(document, path.split("."))
    for path, value in given.items():
        _put(document, path.split("."), value)


def _remove_list(document: dict[str, Any], steps: Sequence[str]) -> None:
    inner: Any = document
    for step in steps:
        if not isinstance(inner, dict):
            return
        if step.endswith(_LIST):
            inner.pop(step.removesuffix(_LIST), None)
            return
        inner = inner.get(step)


def _put(document: dict[str, Any], steps: Sequence[str], value: FieldValue) -> None:
    step, rest = steps[0], steps[1:]
    if step.endswith(_LIST):
        name = step.removesuffix(_LIST)
        items: list[Any] = value if isinstance(value, list) else [value]
        if not rest:
            document[name] = [item if item is None else value_text(item) for item in items]
            return
        known = document.get(name)
        # A definition of before may have written something else there.
        known = document[name] = (
            [one if isinstance(one, dict) else {} for one in known] if isinstance(known, list) else []
        )
        known += [{} for _ in range(len(items) - len(known))]
        for one, item in zip(known, items, strict=False):
            if item is not None:
                _put(one, rest, item)
    elif rest:
        if not isinstance(document.get(step), dict):
            document[step] = {}
        _put(document[step], rest, value)
    else:
        document[step] = value_text(value)


def _text_of(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
