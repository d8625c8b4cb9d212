"""How a CSV file separates its cells and quotes them, and the patterns that follow from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

# Those that are detected, and all that can be named.
DELIMITERS = (",", ";", "\t", "|")
ALL_DELIMITERS = (*DELIMITERS, "^", "~")
# What spreadsheets write before the header to name the delimiter: ``sep=;``.
SEPARATOR_LINE = re.compile(rb'"?sep=([^\r\n])"?[ \t]*\r?\n', re.IGNORECASE)
QUOTES = ('"', "'")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are separated and quoted, and which rows are blank.

    Attributes:
        delimiter: the character that separates cells.
        quote: the character that quotes them; None: quotes are data like everything else.
        skips_blank_rows: whether a row of delimiters and blanks alone is skipped like a blank line.
        first_row: the number of the first row, if rows are numbered instead of lines: see ``FileOptions``.
    """

    delimiter: str = ","
    quote: str | None = '"'
    skips_blank_rows: bool = False
    first_row: int | None = None

    @property
    def written_delimiter(self) -> str:
        """The delimiter of a file for spreadsheets; JSON objects, which have one cell, have none of their own."""
        return self.delimiter if self.delimiter in ALL_DELIMITERS else DELIMITERS[0]

    @property
    def delimiter_byte(self) -> int:
        return ord(self.delimiter)

    @property
    def quote_byte(self) -> bytes:
        """The quote, or no byte."""
        return (self.quote or "").encode()

    @property
    def blanks(self) -> bytes:
        """The bytes that a blank row consists of."""
        return b" \t" + self.delimiter.encode() if self.skips_blank_rows else b" \t"


COMMAS = Dialect()


@dataclass(frozen=True, slots=True)
class RecordPatterns:
    """Regular expressions for the records of a dialect.

    Possessive throughout, so that a quote that is never closed costs one pass, and a pair of quotes is never split by
    backtracking.

    Attributes:
        cells: the longest run of cells from here: it stops at an LF outside quotes, at the end of the piece, or at a
            quote that opens a cell and is not closed within the piece.
        well_quoted: a record in which quotes stand only where they may.
        blank_rows: the blank rows from here.
    """

    cells: re.Pattern[bytes]
    well_quoted: re.Pattern[bytes]
    blank_rows: re.Pattern[bytes]


def quoted_pattern(q: bytes) -> bytes:
    """Return the pattern of a quoted cell, from its opening quote to its closing one."""
    return q + rb"[^" + q + rb"]*+(?:" + q + q + rb"[^" + q + rb"]*+)*+" + q


@cache
def record_patterns(dialect: Dialect) -> RecordPatterns:
    delimiter = re.escape(dialect.delimiter).encode()
    blank_rows = re.compile(rb"(?:[" + re.escape(dialect.blanks) + rb"]*+\r?+\n)*+")
    if dialect.quote is None:
        return RecordPatterns(re.compile(rb"[^\n]*+"), re.compile(rb"(?s:.*+)\Z"), blank_rows)
    q = dialect.quote_byte
    quoted = quoted_pattern(q)
    # After a closing quote that does not end its cell, the rest of the cell is read as unquoted.
    cell = (
        rb"(?:" + quoted + rb"[^" + delimiter + rb"\n]*+"
        rb"|[^" + q + delimiter + rb"\n][^" + delimiter + rb"\n]*+)?+"
    )
    well_quoted_cell = rb"(?:" + quoted + rb"|[^" + q + delimiter + rb"][^" + delimiter + rb"]*+)?+"
    return RecordPatterns(
        re.compile(cell + rb"(?:" + delimiter + cell + rb")*+"),
        re.compile(well_quoted_cell + rb"(?:" + delimiter + well_quoted_cell + rb")*+\Z"),
        blank_rows,
    )


@cache
def quoted_cell_pattern(quote: str) -> re.Pattern[str]:
    """Build the pattern that matches from an opening quote to its closing quote."""
    return re.compile(f"{quote}([^{quote}]*+(?:{quote}{quote}[^{quote}]*+)*+){quote}")
