"""Placeholders such as NULL or #N/A that a load stores as values of fields, where they may replace better ones.

The unique key is none of these fields: a row fails if it has a placeholder there.
"""

from __future__ import annotations

from openprofiles.profiles.placeholders import sql_is_leftover, sql_is_stored_placeholder
from openprofiles.uploads.loading.scratch import ScratchCursor
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import MAX_LINES, PLACEHOLDER_VALUES, Notice

_MOST_FIELDS = 10
# Each takes some memory.
_FILTERS_PER_QUERY = 40
# No value is of both.
_KINDS = (sql_is_stored_placeholder, sql_is_leftover)


def find_placeholder_values(scratch: ScratchCursor, mapping: UploadMapping) -> list[Notice]:
    """Count the rows by field, the most frequent first; the plan must be made."""
    if mapping.matches_group:
        return []
    # A filter of its own for each column and kind: that is four times as fast as one aggregate over all columns, and
    # twenty times as fast as filters for either kind.
    looks = [
        f"(select {index} from staged where {sql_is(f'v{index}')} limit 1)"
        for index, field in enumerate(mapping.fields)
        if field is not mapping.unique_key
        for sql_is in _KINDS
    ]
    found: set[int] = set()
    for start in range(0, len(looks), _FILTERS_PER_QUERY):
        query = " union all ".join(looks[start : start + _FILTERS_PER_QUERY])
        found.update(index for (index,) in scratch.connection.execute(query).fetchall())
    notices = []
    for index in sorted(found):
        kinds = " union all ".join(
            f"select record, line from staged where {sql_is(f'v{index}')} and key is not null" for sql_is in _KINDS
        )
        rows = f"from ({kinds}) where record not in (select record from failed)"
        if count := int(scratch.value(f"select count(*) {rows}")):
            lines = scratch.table(f"select line {rows} order by record limit {MAX_LINES}")["line"].to_pylist()
            notices.append(Notice(PLACEHOLDER_VALUES, mapping.fields[index].path, count, tuple(lines)))
    return sorted(notices, key=lambda notice: -notice.count)[:_MOST_FIELDS]
