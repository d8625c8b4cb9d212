"""Find the row from which on the columns of a file have another order: two exports that were put together.

The kinds of the values show it: from one row on, a column has values of a kind that another column had before, and so
has at least one more column. Some rows from all parts of the file are looked at, and its last rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from openprofiles.bulk.scratch import ScratchCursor

_PARTS = 20
_ROWS_OF_PART = 20
_MOST_VALUES = 2_600
_FEWEST_ROWS_OF_PART = 3
# So many values show what a column has at the beginning or at the end.
_FEWEST_VALUES = 5
# Of the values before the row, and of those from it on, so many must be of one kind.
_FEWEST_OF_KIND = 0.95

# The last one, of texts with digits, shows nothing: these are codes, streets and the postal codes of some countries.
_EMAIL, _DATE, _NUMBER, _LONG_NUMBER, _TEXT, _MIXED = range(6)
_DATE_FORM = re.compile(r"[0-9]{1,4}([-./])[0-9]{1,2}\1[0-9]{1,4}\b.*")
_DIGIT = re.compile(r"[0-9]")
# Such as a postal code; a phone number has more.
_MOST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class ChangedOrder:
    """A row from which on the columns have another order.

    Attributes:
        line: of the row.
        fields: the positions of the mapped columns whose values are of another kind from there on.
    """

    line: int
    fields: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Turn:
    """A column whose values are of another kind from a row on, which has this position in the sample."""

    field: int
    before: int
    after: int
    row: int


def find_changed_order(scratch: ScratchCursor, field_count: int) -> ChangedOrder | None:
    """Find the first row with another order of the columns in ``staged``; None if there is none."""
    records, kinds = _sample(scratch, field_count)
    turns = [turn for field, column in enumerate(kinds) if (turn := _find_turn(field, column))]
    for row in sorted({turn.row for turn in turns}):
        # A blank cell may hide the first value of the other kind.
        near = [turn for turn in turns if row <= turn.row <= row + _FEWEST_VALUES]
        before = {turn.before for turn in near}
        moved = [turn for turn in near if turn.after in before]
        # Columns of one kind may change their form together, such as numbers that become longer.
        if len({turn.before for turn in moved}) > 1:
            fields = tuple(turn.field for turn in moved)
            return ChangedOrder(_find_line(scratch, records[row - 1], records[near[-1].row], moved), fields)
    return None


def _sample(scratch: ScratchCursor, field_count: int) -> tuple[list[int], list[list[int | None]]]:
    """Return the records of some rows, in order, and for each field the kinds of its values; None for blank ones."""
    last = int(scratch.value("select max(record) from staged") or 0)
    step = last // _PARTS + 1
    width = max(_FEWEST_ROWS_OF_PART, min(_ROWS_OF_PART, _MOST_VALUES // _PARTS // field_count))
    values = ", ".join(f"v{field}" for field in range(field_count))
    rows = scratch.table(
        f"select record, {values} from staged where record % {step} < {width} or record > {last - width} "
        "order by record"
    )
    columns = [[kind_of(value) for value in rows[f"v{field}"].to_pylist()] for field in range(field_count)]
    return rows["record"].to_pylist(), columns


def kind_of(value: str | None) -> int | None:
    """Return the kind of a value; None if it has neither a letter nor a digit."""
    if value is None:
        return None
    if "@" in value:
        return _EMAIL
    if _DATE_FORM.fullmatch(value):
        return _DATE
    digits = len(_DIGIT.findall(value))
    if any(map(str.isalpha, value)):
        return _MIXED if digits else _TEXT
    if not digits:
        return None
    return _LONG_NUMBER if digits > _MOST_DIGITS else _NUMBER


def _find_turn(field: int, kinds: Sequence[int | None]) -> _Turn | None:
    """Find the row from which on a column has another kind of values than before."""
    filled = [(row, kind) for row, kind in enumerate(kinds) if kind is not None]
    ends = filled[:_FEWEST_VALUES], filled[-_FEWEST_VALUES:]
    (before, _), (after, _) = (Counter(kind for _, kind in end).most_common(1)[0] if end else (0, 0) for end in ends)
    if before == after or _MIXED in (before, after) or len(filled) < 2 * _FEWEST_VALUES:
        return None
    # The number of values of the right kind, if the other kind began at each of these.
    right = [0, *accumulate((kind == before) - (kind == after) for _, kind in filled)]
    turn = max(range(len(right)), key=right.__getitem__)
    parts = ([kind == before for _, kind in filled[:turn]], [kind == after for _, kind in filled[turn:]])
    if any(len(part) < _FEWEST_VALUES or sum(part) < _FEWEST_OF_KIND * len(part) for part in parts):
        return None
    return _Turn(field, before, after, filled[turn][0])


def _find_line(scratch: ScratchCursor, low: int, high: int, turns: Sequence[_Turn]) -> int:
    """Return the line of the first row with the other kinds, after one record and up to another."""
    values = ", ".join(f"v{turn.field}" for turn in turns)
    while high - low > 1:
        middle = (low + high) // 2
        row = scratch.table(f"select {values} from staged where record = {middle}").to_pylist()
        cells = row[0].values() if row else ()
        votes = sum(
            (kind == turn.after) - (kind == turn.before)
            for turn, cell in zip(turns, cells, strict=False)
            if (kind := kind_of(cell)) is not None
        )
        low, high = (low, middle) if votes > 0 else (middle, high)
    return int(scratch.value(f"select min(line) from staged where record >= {high}"))
