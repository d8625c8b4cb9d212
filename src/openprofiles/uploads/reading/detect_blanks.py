"""Decide whether the blanks after the delimiters of a file are part of its cells."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import islice

from openprofiles.uploads.reading.detect_header import split_rows
from openprofiles.uploads.reading.dialect import Dialect, quoted_pattern
from openprofiles.uploads.reading.unquoted_text import without_blanks

_MOST_ROWS = 200
# With fewer rows, blanks before unquoted cells may be there by chance.
_FEWEST_ROWS = 4


def has_blanks_after_delimiters(text: bytes, dialect: Dialect, headers: Collection[str] | None) -> bool:
    """Return whether a file is written with blanks after its delimiters.

    Args:
        text: its beginning, as UTF-8; the last row may be cut off.
        dialect: with a quote.
        headers: the columns that it must have, where that is known.
    """
    delimiter, quote = re.escape(dialect.delimiter).encode(), dialect.quote_byte
    whole = text[: text.rfind(b"\n") + 1] or text
    before_quotes = re.search(delimiter + rb" +" + quote, whole) is not None
    # Nearly every file has a cell that begins right after its delimiter, near its beginning.
    is_always = _is_always_followed(whole, delimiter, quote)
    if not before_quotes and not is_always:
        return False
    plain = list(islice(split_rows(whole, 0, dialect), _MOST_ROWS))
    without = list(islice(split_rows(b"".join(without_blanks([whole], dialect)), 0, dialect), _MOST_ROWS))
    if headers is not None and plain and without:
        wanted = set(headers)
        if wanted <= set(plain[0] or ()) and not wanted <= set(without[0] or ()):
            return False
    if is_always:
        return before_quotes or len(without) >= _FEWEST_ROWS
    if _are_quotes_after_blanks_closed(whole, delimiter, quote) and without.count(None) <= plain.count(None):
        return True
    return _are_as_wide(without) and not _are_as_wide(plain)


def _is_always_followed(text: bytes, delimiter: bytes, quote: bytes) -> bool:
    """Return whether a blank stands before each filled cell, except the first of a row."""
    is_followed = False
    for cell in _cells(delimiter, quote).finditer(text):
        if cell[1]:
            if not cell[2]:
                return False
            is_followed = True
    return is_followed


def _are_quotes_after_blanks_closed(text: bytes, delimiter: bytes, quote: bytes) -> bool:
    """Return whether cells begin with blanks and a quote, and all end with one."""
    end_of_cell = re.compile(rb" *+(?:[" + delimiter + rb"\r\n]|\Z)")
    has_any = False
    for cell in _cells(delimiter, quote).finditer(text):
        if cell[1] and cell[2] and cell[3].startswith(quote):
            if cell["quoted"] is not None and end_of_cell.match(text, cell.end()):
                has_any = True
            elif quote in text[cell.start(3) + 1 :]:
                return False
            # Otherwise the text is cut off within the cell.
    return has_any


def _cells(delimiter: bytes, quote: bytes) -> re.Pattern[bytes]:
    """Return the pattern of a filled cell: the delimiter before it, blanks, and its text."""
    return re.compile(
        rb"(?:("
        + delimiter
        + rb")|(?<=\n)|\A)( *+)((?P<quoted>"
        + quoted_pattern(quote)
        + rb")|[^"
        + delimiter
        + rb"\r\n]++)"
    )


def _are_as_wide(rows: list[list[str] | None]) -> bool:
    return None not in rows and len({len(cells) for cells in rows if cells}) == 1
