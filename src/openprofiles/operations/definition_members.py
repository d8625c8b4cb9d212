"""What lists show of a named definition, whatever its kind."""

from __future__ import annotations

from typing import Any

from openprofiles.store.definitions import Definition


def definition_members(name_member: str, definition: Definition) -> dict[str, Any]:
    """Return the name, summary, times and tags of a definition.

    Args:
        name_member: the member that has the name.
    """
    return {
        name_member: definition.name,
        **definition.summary,
        "CreatedAt": definition.created_at,
        "LastUpdatedAt": definition.updated_at,
        "Tags": dict(definition.tags) or None,
    }
