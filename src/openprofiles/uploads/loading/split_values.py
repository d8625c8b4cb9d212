"""Judge the rows in which a delimiter without quotes seems to have split a value, and the last cell is missing.

``1008,Novak, Inc.,Tacoma,99008`` under ``id,company,city,zip,contact`` has as many cells as the header, but the values
after the company are one column too far. It begins like a text that goes on after a comma: a blank stands at the
beginning of a cell, as in hardly any other row, and after a cell that is not blank. Some of these rows are right, such
as a city that was typed with a blank before it. So a row fails only if its values fit the columns before theirs and
one does not fit its own; the others are loaded, and counted for the user.
"""

from __future__ import annotations

from collections.abc import Sequence

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.uploads.loading.value_looks import sql_common_looks, sql_differs
from openprofiles.uploads.notices import MAX_LINES, SPLIT_VALUE_ROWS, Notice

# Of the rows, at most such a share; more is how the file is written.
_MOST_SHARE = 0.2
_FEWEST_USUAL_VALUES = 20
_MOST_USUAL_CELLS = 200_000
# In a row with more, the blanks belong to the way it was written.
_MOST_BLANKS = 2
# An at sign, a digit, a letter.
_PATTERNS = ("@", "[0-9]", "[A-Za-z]")


def create_split_rows_table(scratch: ScratchCursor) -> None:
    """Create the table of rows with a value that may have been split."""
    scratch.run("create table split_row (record bigint, line bigint, is_shifted boolean)")


def find_split_rows(scratch: ScratchCursor, column_indexes: Sequence[int], is_sound: str) -> bool:
    """Find the rows in which a value seems to have been split.

    Args:
        column_indexes: for each field, its column in the file.
        is_sound: SQL condition on a row of ``staged``: no other error was found.

    Returns:
        whether there are any with values in the wrong columns: those of ``split_row`` with ``is_shifted``.
    """
    fields = [field for field, column in enumerate(column_indexes) if column > 0]
    # Most files have no such value, which the statistics of DuckDB's blocks show at once.
    may_begin_with_blank = " or ".join(f"v{field} < '!'" for field in fields)
    if not fields or not scratch.value(f"select exists (select 1 from staged where {may_begin_with_blank})"):
        return False
    begins_with_blank = " or ".join(f"starts_with(v{field}, ' ')" for field in fields)
    count, total = scratch.only_row(f"select count(*) filter ({begins_with_blank}), count(*) from staged")
    if not 0 < count <= _MOST_SHARE * total or total - count < _FEWEST_USUAL_VALUES:
        return False
    differs = sql_differs("value", "look", _FEWEST_USUAL_VALUES, _PATTERNS)
    begins_with_blank = f"coalesce({begins_with_blank}, false)"
    scratch.run(
        f"""
        create temp table usual_cell as
        select {_cells_sql(column_indexes)} from (
            select * from staged anti join wide_row using (record) anti join short_row using (record)
            where {is_sound} and not {begins_with_blank} limit {_MOST_USUAL_CELLS // len(column_indexes)}
        );
        create temp table split_cell as
        select record, line, {_cells_sql(column_indexes)} from staged anti join wide_row using (record)
        where {is_sound} and {begins_with_blank};
        insert into split_row
        with look as (
            select place, {sql_common_looks("nullif(value, '')", "look", _PATTERNS)} from usual_cell group by place
        ), before as (
            select place + 1 as place, {", ".join(f"{name} as before_{name}" for name in _look_names())} from look
        ), begin as (
            select record, min(place) as begin from split_cell where starts_with(value, ' ')
            group by record having count(*) <= {_MOST_BLANKS}
        ), after_blank as (
            select record, place + 1 as place from split_cell where coalesce(value, '') = ''
        ), split as (
            select record, (look_all0 or look_all1) and not {differs} as fits
            from begin join split_cell using (record) join look using (place)
            anti join after_blank using (record, place)
            where place = begin and begin > 0 and look_count >= {_FEWEST_USUAL_VALUES}
                and (place, trim(value)) not in (select (place, value) from usual_cell where value <> '')
        ), shifted as (
            select record from begin join split_cell using (record)
            join look using (place) left join before using (place)
            where place > begin group by record
            having bool_or({differs})
                and not bool_or({sql_differs("value", "before_look", _FEWEST_USUAL_VALUES, _PATTERNS)})
        )
        select distinct record, line, record in (select record from shifted)
        from split_cell join split using (record) where not fits or record in (select record from shifted)
        """
    )
    scratch.run("drop table usual_cell; drop table split_cell")
    return bool(scratch.value("select exists (select 1 from split_row where is_shifted)"))


def find_split_values(scratch: ScratchCursor) -> list[Notice]:
    """Count the rows with a value that may have been split, which are loaded; the plan must be made."""
    loaded = "split_row anti join failed using (record)"
    count = int(scratch.value(f"select count(*) from {loaded}"))
    if not count:
        return []
    lines = scratch.table(f"select line from {loaded} order by record limit {MAX_LINES}")["line"].to_pylist()
    return [Notice(SPLIT_VALUE_ROWS, None, count, tuple(lines))]


def _cells_sql(column_indexes: Sequence[int]) -> str:
    """SQL for the columns ``place``, in the file, and ``value``, with a row for each field."""
    values = ", ".join(f"v{field}" for field in range(len(column_indexes)))
    return f"unnest([{', '.join(map(str, column_indexes))}]) as place, unnest([{values}]) as value"


def _look_names() -> list[str]:
    return ["look_count", *(f"look_{kind}{index}" for index in range(len(_PATTERNS)) for kind in ("all", "any"))]
