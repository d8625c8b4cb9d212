"""Placeholders such as NULL or #N/A that a load stores as values of fields, where they may replace better ones.

The unique key is none of these fields: a row fails if it has a placeholder there.
"""

from __future__ import annotations

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.facts.placeholders import DAY_ZEROS, sql_is_leftover, sql_is_stored_placeholder
from openprofiles.uploads.loading.birth_dates import BIRTH_DATE, sql_is_day_zero
from openprofiles.uploads.loading.noticed_values import find_noticed_values
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import PLACEHOLDER_VALUES, Notice, with_more


def find_placeholder_values(scratch: ScratchCursor, mapping: UploadMapping) -> list[Notice]:
    """Count the rows by field, the most frequent first; the plan must be made."""
    if mapping.matches_group:
        return []
    found = find_noticed_values(scratch, mapping, PLACEHOLDER_VALUES, (sql_is_stored_placeholder, sql_is_leftover))
    born = [field for field in mapping.fields if field.path == BIRTH_DATE and field is not mapping.unique_key]
    return with_more(found, find_noticed_values(scratch, mapping, PLACEHOLDER_VALUES, (_sql_is_no_date,), fields=born))


def _sql_is_no_date(value: str) -> str:
    # Those that stand for none in any field are counted already.
    return f"{sql_is_day_zero(value)} and {value} not in {DAY_ZEROS}"
