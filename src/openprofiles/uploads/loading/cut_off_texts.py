"""Find texts that a program with short fields has cut off: many have exactly the length of the longest one."""

from __future__ import annotations

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.uploads.loading.noticed_values import count_loaded_rows
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import CUT_OFF_VALUES, Notice

_ROWS_IN_SAMPLE = 4_000
_PARTS = 4
_SHORTEST = 20
_FEWEST_CUT_OFF = 10
_FEWEST_DISTINCT = 5
_SHARE_CUT_OFF = 0.01
_TEXT_SHARE = 0.5
# Values that are up to so many characters shorter are fewer.
_NEARLY_AS_LONG = 5
# Texts have many lengths, and words; numbers of a fixed form do not.
_FEWEST_LENGTHS = 10
_LETTERS = r"[A-Za-z\x{80}-\x{10ffff}]{3}"


def find_cut_off_texts(scratch: ScratchCursor, mapping: UploadMapping) -> list[Notice]:
    """Count the rows by field; the plan must be made."""
    if mapping.matches_group or scratch.record_count < _FEWEST_CUT_OFF:
        return []
    step = scratch.record_count // _PARTS + 1
    values = ", ".join(f"v{index}" for index in range(len(mapping.fields)))
    candidates = scratch.table(
        f"""
        with size as (
            select index, length(value) as size, count(*) as rows from (
                select unnest(range({len(mapping.fields)})) as index, unnest([{values}]) as value
                from staged where record % {step} < {_ROWS_IN_SAMPLE // _PARTS}
            ) where value <> '' group by all
        )
        select index, size from size window of_field as (partition by index)
        qualify size >= {_SHORTEST} and size = max(size) over of_field and count(*) over of_field >= {_FEWEST_LENGTHS}
        and rows >= greatest(
            {_FEWEST_CUT_OFF}, {_SHARE_CUT_OFF} * sum(rows) over of_field,
            1 + sum(rows) over (of_field order by size range between {_NEARLY_AS_LONG} preceding and 1 preceding)
        ) order by index
        """
    )
    notices: list[Notice] = []
    for index, longest in zip(*candidates.to_pydict().values(), strict=True):
        is_long = f"length(v{index}) >= {longest} and key is not null"
        longer, distinct, text_share = scratch.only_row(
            f"select count(*) filter (length(v{index}) > {longest}), count(distinct v{index}), "
            f"avg(regexp_matches(v{index}, '{_LETTERS}.* .*{_LETTERS}')::integer) from staged where {is_long}"
        )
        if not longer and distinct >= _FEWEST_DISTINCT and text_share > _TEXT_SHARE:
            notices += count_loaded_rows(scratch, CUT_OFF_VALUES, mapping.fields[index].path, "staged", is_long)
    return notices
