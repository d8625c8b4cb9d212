"""Count the rows with values of a certain kind, for each field; the unique key mostly has checks of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.uploads.mappings.upload_mapping import MappedField, UploadMapping
from openprofiles.uploads.notices import MAX_LINES, Notice

_MOST_FIELDS = 10
# Each takes some memory.
_FILTERS_PER_QUERY = 8


def find_noticed_values(
    scratch: ScratchCursor,
    mapping: UploadMapping,
    code: str,
    kinds: Sequence[Callable[[str], str]],
    fields: Collection[MappedField] | None = None,
) -> list[Notice]:
    """Count the rows by field, the most frequent first; the plan must be made.

    Args:
        kinds: build SQL that finds such values. No value is of two kinds.
        fields: those that are searched; None for all but the unique key.
    """
    # A filter of its own for each column and kind: that is four times as fast as one aggregate over all columns, and
    # twenty times as fast as filters for either kind.
    searched = [field for field in mapping.fields if field is not mapping.unique_key] if fields is None else fields
    indexes = [index for index, field in enumerate(mapping.fields) if field in searched]
    looks = [
        f"(select {index} from staged where {sql_is(f'v{index}')} limit 1)" for index in indexes for sql_is in kinds
    ]
    if scratch.has_few_records:
        # But with one filter there are fewer patterns to compile.
        values = f"unnest({indexes}) as index, unnest([{', '.join(f'v{index}' for index in indexes)}]) as value"
        is_any = " or ".join(sql_is("value") for sql_is in kinds)
        looks = [f"select distinct index from (select {values} from staged) where {is_any}"] if indexes else []
    found: set[int] = set()
    for start in range(0, len(looks), _FILTERS_PER_QUERY):
        query = " union all ".join(looks[start : start + _FILTERS_PER_QUERY])
        found.update(index for (index,) in scratch.connection.execute(query).fetchall())
    notices: list[Notice] = []
    for index in sorted(found):
        of_kinds = " union all ".join(
            f"select record, line from staged where {sql_is(f'v{index}')} and key is not null" for sql_is in kinds
        )
        notices += count_loaded_rows(scratch, code, mapping.fields[index].path, f"({of_kinds})")
    return sorted(notices, key=lambda notice: -notice.count)[:_MOST_FIELDS]


def count_loaded_rows(
    scratch: ScratchCursor, code: str, path: str | None, table: str, condition: str = "true"
) -> list[Notice]:
    """Count the rows of a table that did not fail and fulfil a condition; none make no notice."""
    rows = f"from {table} where {condition} and record not in (select record from failed)"
    if not (count := int(scratch.value(f"select count(*) {rows}"))):
        return []
    lines = scratch.table(f"select line {rows} order by record limit {MAX_LINES}")["line"].to_pylist()
    return [Notice(code, path, count, tuple(lines))]
