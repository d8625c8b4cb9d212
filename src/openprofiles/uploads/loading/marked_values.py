"""Find columns in which a program has put a mark in front of the values: ``'01067``, ``z:78708`` or ``p:+1206...``."""

from __future__ import annotations

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.facts.sql_text import sql_text
from openprofiles.facts.standard_profile import ACCOUNT_KEY, KEY_PATHS, PHONE_KEY
from openprofiles.uploads.loading.known_values import KNOWN
from openprofiles.uploads.loading.noticed_values import count_loaded_rows
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import MISREAD_ROWS, Notice

_MARK = f"({'|'.join(KNOWN['marks'])})"
# Neighbors, so that DuckDB leaves out most blocks.
_PARTS, _ROWS_PER_PART = 4, 250
_FEWEST, _SHARE = 20, 0.95
_PATHS = (*KEY_PATHS[PHONE_KEY], *KEY_PATHS[ACCOUNT_KEY])
_MOST_FIELDS = 10


def find_marked_values(scratch: ScratchCursor, mapping: UploadMapping) -> list[Notice]:
    """Count the rows by field, those of attributes only if several columns have marks; the plan must be made."""
    searched = {
        index: field
        for index, field in enumerate(mapping.fields)
        if not field.standard or field.path in _PATHS or field.path.endswith(".PostalCode")
    }
    if mapping.matches_group or scratch.record_count < _FEWEST or not searched:
        return []
    mark = sql_text(f"^{_MARK}[0-9+]")
    values = f"unnest({[*searched]}) as index, unnest([{', '.join(f'v{index}' for index in searched)}]) as value"
    rows = f"select {values} from staged where record % {scratch.record_count // _PARTS + 1} < {_ROWS_PER_PART}"
    # Nearly all files have none.
    if scratch.value(f"select count(*) from ({rows}) where regexp_matches(value, {mark})") < _FEWEST:
        return []
    marked = scratch.table(
        f"select index from (select index, regexp_extract(value, {mark}, 1) as mark, count(*) as rows, "
        f"sum(count(*)) over (partition by index) as filled from ({rows}) where value <> '' group by index, mark) "
        f"where mark <> '' and rows >= greatest({_FEWEST}, {_SHARE} * filled) order by index"
    )["index"].to_pylist()
    notices: list[Notice] = []
    for index in marked[:_MOST_FIELDS]:
        if len(marked) > 1 or searched[index].standard:
            is_marked = f"regexp_matches(v{index}, {mark}) and key is not null"
            notices += count_loaded_rows(scratch, MISREAD_ROWS, searched[index].path, "staged", is_marked)
    return notices


def sql_is_marked(new: str, old: str) -> str:
    """Build an SQL condition: a text is another one with a mark in front of it."""
    return f"ends_with({new}, {old}) and regexp_full_match({new}[:-length({old}) - 1], {sql_text(_MARK)})"
