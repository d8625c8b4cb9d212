"""Placeholders such as NULL or #N/A that a load stores as values of fields, where they may replace better ones.

The unique key is none of these fields: a row fails if it has a placeholder there.
"""

from __future__ import annotations

from openprofiles.profiles.placeholders import sql_is_leftover, sql_is_stored_placeholder
from openprofiles.uploads.loading.noticed_values import find_noticed_values
from openprofiles.uploads.loading.scratch import ScratchCursor
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import PLACEHOLDER_VALUES, Notice


def find_placeholder_values(scratch: ScratchCursor, mapping: UploadMapping) -> list[Notice]:
    """Count the rows by field, the most frequent first; the plan must be made."""
    if mapping.matches_group:
        return []
    return find_noticed_values(scratch, mapping, PLACEHOLDER_VALUES, (sql_is_stored_placeholder, sql_is_leftover))
