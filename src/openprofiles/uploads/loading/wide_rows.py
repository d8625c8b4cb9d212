"""Judge the rows that have more cells than the header, of which the surplus is blank.

Many programs end each row with a delimiter, which is harmless. But a value that has a delimiter and no quotes moves the
values after it by one column: ``12,Miller, Jr.,Ana,`` under ``id,last,first,email``. If only some rows have blank
surplus cells, they are counted for the user, and those whose values do not look like the others of their columns fail.
"""

from __future__ import annotations

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.uploads.loading.value_looks import sql_common_looks, sql_differs
from openprofiles.uploads.notices import MAX_LINES, WIDE_ROWS, Notice

# From this share on, it is how the file is written.
_USUAL_SHARE = 0.9
_FEWEST_USUAL_VALUES = 10
_MOST_USUAL_ROWS = 10_000
# A blank at the beginning, as after the comma of a text; an at sign, a digit, a letter.
_PATTERNS = ("^ ", "@", "[0-9]", "[A-Za-z]")


def create_wide_rows_table(scratch: ScratchCursor) -> None:
    """Create the table of rows with surplus cells, which the readers of blocks fill."""
    scratch.run("create table wide_row (record bigint, line bigint)")


def find_shifted_rows(scratch: ScratchCursor, field_count: int) -> bool:
    """Find the rows with blank surplus cells whose values are in the wrong columns.

    Returns:
        whether there are any; then the temporary table ``shifted_row`` has their records.
    """
    if not _has_unusual_rows(scratch):
        return False
    values = [f"v{index}" for index in range(field_count)]
    looks = ", ".join(sql_common_looks(f"nullif({value}, '')", value, _PATTERNS) for value in values)
    differs = " or ".join(sql_differs(value, value, _FEWEST_USUAL_VALUES, _PATTERNS) for value in values)
    scratch.run(
        f"""
        create temp table shifted_row as
        with usual as (
            select * from staged anti join wide_row using (record) limit {_MOST_USUAL_ROWS}
        ), look as (
            select {looks} from usual
        )
        select record from staged semi join wide_row using (record), look where {differs}
        """
    )
    return bool(scratch.value("select exists (select 1 from shifted_row)"))


def find_wide_rows(scratch: ScratchCursor) -> list[Notice]:
    """Count the rows that are loaded without their blank surplus cells, unless nearly all rows have some."""
    if not _has_unusual_rows(scratch):
        return []
    loaded = "wide_row anti join failed using (record)"
    count = int(scratch.value(f"select count(*) from {loaded}"))
    lines = scratch.table(f"select line from {loaded} order by record limit {MAX_LINES}")["line"].to_pylist()
    return [Notice(WIDE_ROWS, None, count, tuple(lines))] if count else []


def _has_unusual_rows(scratch: ScratchCursor) -> bool:
    count = int(scratch.value("select count(*) from wide_row"))
    return 0 < count < _USUAL_SHARE * int(scratch.value("select count(*) from staged"))
