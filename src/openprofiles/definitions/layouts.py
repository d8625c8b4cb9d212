"""Layouts of a domain: how a user interface shows its profiles. At most one layout of a type is the default."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from openprofiles.definitions.definitions import DefinitionKind, WholeDefinition, Writing, writing
from openprofiles.store.connections import Store

LAYOUT = DefinitionKind(name="layout", noun="layout", arn_part="layouts")

# The members of a layout that lists show; the content itself is the body.
_TYPE, _IS_DEFAULT = "LayoutType", "IsDefault"
_CONTENT = "Layout"


def create_layout(
    store: Store, domain_name: str, name: str, members: Mapping[str, Any], tags: Mapping[str, str], now: datetime
) -> WholeDefinition:
    """Create a layout.

    Args:
        members: as in CreateDomainLayout.

    Raises:
        NotFound: the domain does not exist.
        InvalidRequest: it has a layout of this name.
    """
    summary, body = _split(members)
    with writing(store, domain_name, LAYOUT, now) as work:
        made = work.create(name, summary=summary, body=body, tags=tags)
        _keep_one_default(work, made)
        return made


def update_layout(
    store: Store, domain_name: str, name: str, members: Mapping[str, Any], now: datetime
) -> WholeDefinition:
    """Change the given members of a layout, and keep the others.

    Raises:
        NotFound: the domain does not exist, or has no layout of this name.
    """
    summary, body = _split(members)
    with writing(store, domain_name, LAYOUT, now) as work:
        before = work.find(name)
        after = work.change(before, summary={**before.summary, **summary}, body=body or None)
        _keep_one_default(work, after)
        return after


def _split(members: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    summary = {key: value for key, value in members.items() if key != _CONTENT}
    return summary, {_CONTENT: members[_CONTENT]} if _CONTENT in members else {}


def _keep_one_default(work: Writing, written: WholeDefinition) -> None:
    """Make the other layouts of the type no default, if this one is."""
    layout = written.definition
    if not layout.summary.get(_IS_DEFAULT):
        return
    for other in work.list_all():
        is_same_type = other.summary[_TYPE] == layout.summary[_TYPE]
        if other.definition_id != layout.definition_id and is_same_type and other.summary.get(_IS_DEFAULT):
            work.set_summary(other, {**other.summary, _IS_DEFAULT: False})
