"""Layouts of a domain: how a user interface shows its profiles. At most one layout of a type is the default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprofiles.definitions.definitions import (
    DefinitionKind,
    WholeDefinition,
    change_definition,
    create_definition,
    find_definition,
    list_all_definitions,
    set_summary,
)
from openprofiles.profiles.session import Writing

LAYOUT = DefinitionKind(name="layout", noun="layout", arn_part="layouts")

# The members of a layout that lists show; the content itself is the body.
_TYPE, _IS_DEFAULT = "LayoutType", "IsDefault"
_CONTENT = "Layout"


def create_layout(session: Writing, name: str, members: Mapping[str, Any], tags: Mapping[str, str]) -> WholeDefinition:
    """Create a layout.

    Args:
        members: as in CreateDomainLayout.

    Raises:
        InvalidRequest: the domain has a layout of this name.
    """
    summary, body = _split(members)
    made = create_definition(session, LAYOUT, name, summary=summary, body=body, tags=tags)
    _keep_one_default(session, made)
    return made


def update_layout(session: Writing, name: str, members: Mapping[str, Any]) -> WholeDefinition:
    """Change the given members of a layout, and keep the others.

    Raises:
        NotFound: the domain has no layout of this name.
    """
    summary, body = _split(members)
    before = find_definition(session, LAYOUT, name)
    after = change_definition(session, LAYOUT, before, summary={**before.summary, **summary}, body=body or None)
    _keep_one_default(session, after)
    return after


def _split(members: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    summary = {key: value for key, value in members.items() if key != _CONTENT}
    return summary, {_CONTENT: members[_CONTENT]} if _CONTENT in members else {}


def _keep_one_default(session: Writing, written: WholeDefinition) -> None:
    """Make the other layouts of the type no default, if this one is."""
    layout = written.definition
    if not layout.summary.get(_IS_DEFAULT):
        return
    for other in list_all_definitions(session, LAYOUT):
        is_same_type = other.summary[_TYPE] == layout.summary[_TYPE]
        if other.definition_id != layout.definition_id and is_same_type and other.summary.get(_IS_DEFAULT):
            set_summary(session, other, {**other.summary, _IS_DEFAULT: False})
