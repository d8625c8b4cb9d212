"""Find the rows whose first and last name stand in each other's columns, as the other names of the file show.

Two lists that were put together, or rows that were typed the other way round: ``Miller,Ana`` in a file in which *Ana*
is otherwise a first name and *Miller* a last name.
"""

from __future__ import annotations

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.uploads.loading.noticed_values import count_loaded_rows
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import REVERSED_NAME_ROWS, Notice

# Names are counted in so many rows, from all parts of the file; all rows are compared only if some of them show it.
_ROWS_COUNTED = 20_000
# A name that is one of the other column: so many rows have it there, and so many times as many as here.
_FEWEST_ELSEWHERE = 3
_TIMES_AS_MANY = 10


def find_reversed_names(scratch: ScratchCursor, mapping: UploadMapping) -> list[Notice]:
    """Count the rows; the plan must be made."""
    index_of = {field.path: index for index, field in enumerate(mapping.fields)}
    if mapping.matches_group or not {"FirstName", "LastName"} <= index_of.keys():
        return []
    step = scratch.record_count // _ROWS_COUNTED + 1
    first, last = (f"lower(v{index_of[path]})" for path in ("FirstName", "LastName"))
    names = f"select record, line, {first} as first, {last} as last from staged where key is not null"
    scratch.run(
        "create or replace temp table name_count as select name, count(*) filter (is_first) as firsts, "
        "count(*) filter (not is_first) as lasts from ("
        f"select unnest([first, last]) as name, unnest([true, false]) as is_first from ({names}) "
        f"where record % {step} = 0) where name <> '' group by name having count(*) >= {_FEWEST_ELSEWHERE}"
    )
    is_last = f"f.lasts >= {_FEWEST_ELSEWHERE} and f.lasts > {_TIMES_AS_MANY} * f.firsts"
    is_first = f"l.firsts >= {_FEWEST_ELSEWHERE} and l.firsts > {_TIMES_AS_MANY} * l.lasts"
    notices: list[Notice] = []
    for part in dict.fromkeys([f"record % {step} = 0", "true"]):
        rows = f"({names} and {part}) join name_count f on f.name = first join name_count l on l.name = last"
        notices = count_loaded_rows(scratch, REVERSED_NAME_ROWS, None, rows, f"{is_last} and {is_first}")
        if not notices:
            break
    scratch.run("drop table name_count")
    return notices
