"""Find the rows in which a cell was deleted, so that the cells after it have moved into the columns before theirs.

``7,Miller,ana@a.example,`` under ``id,first,last,email`` has lost its first name. Such a row has a blank cell at its
end, or one cell less than the header. It is found if its values, from some column on, do not look like the others of
their columns, but like those of the next ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from openprofiles.bulk.scratch import ScratchCursor

_FEWEST_VALUES = 20
_ROWS_OF_LOOKS = 1_000
# In a file in which more rows end with a blank cell, some of them are looked at first.
_ROWS_LOOKED_AT_FIRST = 500
# Nearly all and hardly any of a column's values.
_NEARLY_ALL, _HARDLY_ANY = 0.9, 0.1
# An at sign, a digit, a letter.
_PATTERNS = ("@", "[0-9]", "[A-Za-z]")
# A value with an at sign, or of digits alone, is strange enough by itself. "3M" is not: it may be a company.
_TELLING = {0: "@", 1: "^[0-9][0-9 ()/.-]*$"}


def find_moved_rows(scratch: ScratchCursor, column_indexes: Sequence[int], column_count: int, is_sound: str) -> bool:
    """Find the rows.

    Args:
        column_indexes: for each field, its column in the file.
        column_count: of the header.
        is_sound: SQL condition on a row of ``staged``: no other error was found.

    Returns:
        whether there are any; then the temporary table ``moved_row`` has their records.
    """
    is_candidate = "record in (select record from short_row)"
    if column_count - 1 in column_indexes:
        is_candidate = f"coalesce(v{column_indexes.index(column_count - 1)}, '') = ''"
    count, total = scratch.only_row(f"select count(*) filter ({is_candidate}), count(*) from staged")
    if len(column_indexes) < 2 or not count or total < _FEWEST_VALUES:
        return False
    step = total // _ROWS_OF_LOOKS + 1
    cells = f"record, {_cells_sql(column_indexes)}"
    has = ", ".join(
        f"avg(regexp_matches(value, '{pattern}')::integer) as has{i}" for i, pattern in enumerate(_PATTERNS)
    )
    scratch.run(
        "create or replace temp table column_look as "
        f"select place, {has} from (select {cells} from staged where hash(record) % {step} = 0 and {is_sound}) "
        f"where value <> '' group by place having count(*) >= {_FEWEST_VALUES}"
    )
    first = count // _ROWS_LOOKED_AT_FIRST + 1
    for part in ["true"] if first == 1 else [f"hash(record) % {first} = 0", "true"]:
        moved = _moved_sql(f"{is_sound} and {is_candidate} and {part}", cells)
        scratch.run(f"create or replace temp table moved_row as {moved}")
        if not scratch.value("select exists (select 1 from moved_row)"):
            return False
    return True


def _moved_sql(condition: str, cells: str) -> str:
    """Build a query for the records, of those that fulfil a condition, whose cells have moved."""
    has = ", ".join(f"{_sql_has(i)} as is{i}" for i in range(len(_PATTERNS)))
    differs = " or ".join(_sql_differs(i, "own") for i in range(len(_PATTERNS)))
    is_of_next = " and ".join(f"not {_sql_differs(i, 'next')}" for i in range(len(_PATTERNS)))
    is_telling = " or ".join(
        f"regexp_matches(value, '{pattern}') and own.has{i} <= {_HARDLY_ANY} and next.has{i} >= {_NEARLY_ALL}"
        for i, pattern in _TELLING.items()
    )
    return f"""
        with cell as (
            select *, {has} from (select {cells} from staged where {condition}) where value <> ''
        ), judged as (
            select record, cell.place,
                own.place is not null and next.place is not null and ({differs}) as differs,
                next.place is null or ({is_of_next}) as is_of_next,
                coalesce({is_telling}, false) as is_telling
            from cell left join column_look own using (place) left join column_look next on next.place = cell.place + 1
        ), begin as (
            select record, coalesce(max(place) filter (not is_of_next), -1) as stays from judged group by record
        )
        select record from judged join begin using (record) where place > stays and differs
        group by record having count(*) > 1 or bool_or(is_telling)
    """


def _sql_differs(number: int, look: str) -> str:
    """Build an SQL condition: a value has what hardly any other has, or lacks what nearly all have."""
    share = f"{look}.has{number}"
    return f"(is{number} and {share} <= {_HARDLY_ANY} or not is{number} and {share} >= {_NEARLY_ALL})"


def _sql_has(number: int) -> str:
    return f"regexp_matches(value, '{_PATTERNS[number]}')"


def _cells_sql(column_indexes: Sequence[int]) -> str:
    values = ", ".join(f"v{field}" for field in range(len(column_indexes)))
    return f"unnest([{', '.join(map(str, column_indexes))}]) as place, unnest([{values}]) as value"
