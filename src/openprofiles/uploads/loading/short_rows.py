"""Judge the rows that have fewer cells than the header: parts of a broken row, or rows whose last cells are blank.

A line break in a value without quotes breaks a row into several lines, each with fewer cells. Loaded as rows, they
would make customers of pieces of an address. On the other hand, spreadsheets leave out the delimiters of blank cells at
the end of a row. The number of cells distinguishes the two: the parts of a broken row have, together, the cells of one
row, and one more for each break. Where blank cells and a broken row stand together, the unique key shows which rows
begin a record. A short row whose unique key looks like that of no other row has probably lost a delimiter before it.
"""

from __future__ import annotations

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.uploads.job_options import JUDGE, REJECT
from openprofiles.uploads.loading.value_looks import sql_common_looks, sql_differs
from openprofiles.uploads.notices import MAX_LINES, SHORT_ROWS, Notice

# A single cell is a row of its own only if the header has no more columns than this.
_MOST_COLUMNS_OF_SINGLE_CELLS = 2
# So many whole rows must show what all unique keys have in common; and so many, that short rows are unusual.
_FEWEST_WHOLE_ROWS = 3
_FEWEST_USUAL_ROWS = 10


def create_short_rows_table(scratch: ScratchCursor) -> None:
    """Create the table of short rows, which the readers of blocks fill."""
    scratch.run("create table short_row (record bigint, line bigint, cells bigint)")


def find_broken_rows(
    scratch: ScratchCursor, column_count: int, policy: str, key_value: str, fails_key_check: str
) -> bool:
    """Find the short rows that cannot be loaded.

    Args:
        column_count: of the header.
        policy: of the job: JUDGE, LOAD or REJECT.
        key_value: the column of ``staged`` with the value of the unique key.
        fails_key_check: SQL condition on a row of ``staged``: the check of the unique key refuses its value.

    Returns:
        whether there are any; then the temporary table ``broken_row`` has their records.
    """
    if policy not in (JUDGE, REJECT) or not scratch.value("select exists (select 1 from short_row)"):
        return False
    if policy == REJECT:
        scratch.run("create temp table broken_row as select record, cells from short_row")
    else:
        single_cell = "cells = 1" if column_count > _MOST_COLUMNS_OF_SINGLE_CELLS else "false"
        scratch.run(
            f"""
            create temp table broken_row as
            with numbered as (
                select record, cells, record - row_number() over (order by record) as run from short_row
            ), counted as (
                select *, sum(cells - 1) over (partition by run order by record) as breaks from numbered
            ), broken_run as (
                {_broken_runs_sql(column_count - 1)}
            ), usual as (
                select count(*) >= {_FEWEST_USUAL_ROWS} and count(*) > (select count(*) from short_row) as are_whole
                from staged anti join short_row using (record)
            ), {_broken_parts_sql(column_count - 1, key_value)}, no_row as (
                select record, cells from counted, usual
                where {single_cell}
                    or record in (select record from staged semi join short_row using (record) where {fails_key_check})
                    or are_whole and record in (select record from strange)
            ), first_part as (
                select counted.record from counted join no_row on no_row.record = counted.record + 1 cross join usual
                where are_whole and counted.cells + no_row.cells - 2 <= {column_count - 1}
            )
            select record, cells from counted
            where record in (select record from no_row)
                or run in (select run from broken_run)
                or record in (select record from broken_part)
                or record in (select record from first_part)
            """
        )
    return bool(scratch.value("select exists (select 1 from broken_row)"))


def _broken_runs_sql(delimiters: int) -> str:
    """SQL for the unbroken runs of short rows that are broken records.

    One row is broken if together they have the delimiters of one. Several are, if the rows can be divided so that each
    part has them. Rows with equally many cells are not divided: a spreadsheet leaves out the same cells in many rows.

    Args:
        delimiters: in a whole row.
    """
    return f"""
        select run from counted group by run
        having max(breaks) > 0 and max(breaks) % {delimiters} = 0
            and (max(breaks) = {delimiters} or min(cells) < max(cells))
            and count(distinct breaks) filter (breaks > 0 and breaks % {delimiters} = 0) = max(breaks) // {delimiters}
    """


def _broken_parts_sql(delimiters: int, key_value: str) -> str:
    """SQL for the table expressions that end with ``broken_part``: the parts of single records within longer runs.

    A row and those after it whose unique keys do not look like the keys of whole rows are one broken record if
    together they have the delimiters of one. If short rows are unusual in the file, fewer delimiters will do.

    Args:
        delimiters: in a whole row.
        key_value: the column of ``staged`` with the value of the unique key.
    """
    return f"""
        whole_key as (
            select {sql_common_looks(key_value, "key")}
            from staged anti join short_row using (record) where {key_value} <> ''
        ), strange as (
            select record from staged semi join short_row using (record), whole_key
            where {sql_differs(key_value, "key", _FEWEST_WHOLE_ROWS)}
        ), part as (
            select record, cells, run, max(case when record not in (select record from strange) then record end)
                over (partition by run order by record) as first
            from counted
        ), broken_part as (
            select record from part
            where first in (
                select first from part, usual group by first
                having count(*) > 1 and (
                    sum(cells - 1) = {delimiters} or (sum(cells - 1) < {delimiters} and bool_and(are_whole))
                )
            )
        )
    """


def find_short_rows(scratch: ScratchCursor) -> list[Notice]:
    """Count the short rows that are loaded; the plan must be made."""
    loaded = "short_row anti join failed using (record)"
    count = int(scratch.value(f"select count(*) from {loaded}"))
    if not count:
        return []
    lines = scratch.table(f"select line from {loaded} order by record limit {MAX_LINES}")["line"].to_pylist()
    return [Notice(SHORT_ROWS, None, count, tuple(lines))]
