"""Rows that a stray quotation mark has joined: a value with line breaks that has a row of the file in it.

``"the best`` opens a value that ends at the next quotation mark, and the rows between belong to it. That is valid CSV,
so such a row is loaded, and counted for the user.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from openprofiles.uploads.reading.records import Block, Kind

# With fewer columns, a line of prose has as many delimiters as a row.
_FEWEST_COLUMNS = 3


def find_swallowed_rows(block: Block, column_count: int) -> list[int]:
    """Return the lines on which records begin that have a row of the file in a value."""
    quote = block.dialect.quote
    if quote is None or column_count < _FEWEST_COLUMNS:
        return []
    delimiter, delimiter_count = block.dialect.delimiter.encode(), column_count - 1
    return [
        int(block.line[position])
        for position, record in _records_to_look_at(block, delimiter, delimiter_count)
        if _holds_row(record, delimiter, quote.encode(), delimiter_count)
    ]


def _records_to_look_at(block: Block, delimiter: bytes, delimiter_count: int) -> Iterator[tuple[int, bytes]]:
    """Yield position and bytes of records of several lines; of clean ones, those with a line as wide as a row."""
    if block.clean.count(b"\n") > block.clean_count:
        positions = np.flatnonzero(block.kind == Kind.CLEAN)
        ends = np.cumsum(block.byte_end[positions] - block.byte_start[positions] + 1) - 1
        characters = np.frombuffer(block.clean, np.uint8)
        line_ends = np.flatnonzero(characters == ord("\n"))
        delimiters = np.searchsorted(np.flatnonzero(characters == ord(delimiter)), line_ends)
        is_wide = np.diff(delimiters, prepend=0) == delimiter_count
        # The first line of each record is no line within a value.
        is_wide[1:] &= np.isin(line_ends[:-1], ends, invert=True, assume_unique=True)
        is_wide[:1] = False
        for index in np.unique(np.searchsorted(ends, line_ends[is_wide])).tolist():
            start = int(ends[index - 1]) + 1 if index else 0
            yield int(positions[index]), block.clean[start : int(ends[index])]
    for number, record in block.odd:
        if b"\n" in record:
            yield number - block.first_record, record


def _holds_row(record: bytes, delimiter: bytes, quote: bytes, delimiter_count: int) -> bool:
    """Return whether a line of a value has as many cells as a row; in prose, a blank follows a comma."""
    _first, *middle, last = record.split(b"\n")
    for line in (*middle, last):
        if line.count(delimiter) != delimiter_count or delimiter + b" " in line:
            continue
        # Of the last line, only what precedes its quotation mark is part of the value.
        if line is not last or delimiter in line.partition(quote)[0]:
            return True
    return False
