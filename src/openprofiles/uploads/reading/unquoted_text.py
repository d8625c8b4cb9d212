"""Change the text of a file outside its quoted cells, part by part.

A file whose lines end with CR may have line breaks in its quoted cells, which stay as they are. A file that is written
with blanks after its delimiters, as in ``a, "b, c"``, is read as if it had none.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from openprofiles.uploads.reading.dialect import Dialect, quoted_pattern

# A quote that is not closed within this many bytes does not hold the text back any longer.
_MOST_QUOTED_BYTES = 2 << 20

_BLANKS_BEFORE_QUOTE = b" *+"


def with_line_feeds(parts: Iterable[bytes], dialect: Dialect) -> Iterator[bytes]:
    """Replace each CR outside quoted cells by LF."""
    return _change(parts, dialect, lambda _, text: text.replace(b"\r", b"\n"), before_quote=b"")


def without_blanks(parts: Iterable[bytes], dialect: Dialect) -> Iterator[bytes]:
    """Leave out the blanks between delimiters and cells, and between quotes and delimiters."""
    delimiter, quote = re.escape(dialect.delimiter).encode(), re.escape(dialect.quote_byte)
    after_delimiter = rb"(?<=" + delimiter + rb") ++"
    after_quote = rb"(?<=\A" + quote + rb") ++(?=[" + delimiter + rb"\r\n]|\Z)" if quote else rb"(?!)"
    blanks = re.compile(after_delimiter + rb"|" + after_quote)

    def change(before: bytes, text: bytes) -> bytes:
        return blanks.sub(b"", before + text)[len(before) :]

    return _change(parts, dialect, change, before_quote=_BLANKS_BEFORE_QUOTE)


def with_single_returns(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Replace CR CR LF by CR LF, in quoted cells as well."""
    held = b""
    for part in parts:
        text = held + part
        rest = text.rstrip(b"\r")
        held = text[len(rest) :]
        if rest:
            yield rest.replace(b"\r\r\n", b"\r\n")
    if held:
        yield held


def remove_quoted(text: bytes, delimiters: str, quote: str) -> bytes:
    """Remove the quoted cells from a text."""
    quoted = _cell_start(delimiters) + quoted_pattern(quote.encode())
    return re.sub(quoted, b"", text) if quote.encode() in text else text


def _change(
    parts: Iterable[bytes], dialect: Dialect, change: Callable[[bytes, bytes], bytes], *, before_quote: bytes
) -> Iterator[bytes]:
    """Apply a function to the text between quoted cells.

    Args:
        change: gets the byte before the text, if there is one, and the text.
        before_quote: pattern of what may stand between the delimiter and the quote; the function does not get it.
    """
    find = None
    if dialect.quote is not None:
        opening = re.compile(_cell_start(dialect.delimiter) + before_quote + dialect.quote_byte)
        find = partial(_next_quoted, opening, re.compile(quoted_pattern(dialect.quote_byte)))
    ends_of_cells = (dialect.delimiter.encode(), b"\n", b"\r")
    # Begins with the byte before what is not yet yielded; at the beginning of the file, with a line end that is not.
    text, done = b"\n", 1
    may_be_mark = True
    for part in _with_end(parts):
        is_last = part is None
        text += part or b""
        if may_be_mark:
            if len(text) <= len(BOM_UTF8) and not is_last:
                continue
            may_be_mark = False
            if text.startswith(BOM_UTF8, done):
                yield BOM_UTF8
                text = text[:done] + text[done + len(BOM_UTF8) :]
        out: list[bytes] = []
        searched = done
        while find is not None and (found := find(text, searched)) is not None:
            start, quote, end = found
            if end is None or (end == len(text) and not is_last):
                if is_last or len(text) - start > _MOST_QUOTED_BYTES:
                    searched = quote + 1
                    continue
                break
            out += (change(text[done - 1 : done], text[done:start]), text[quote:end])
            done = searched = end
        else:
            start = len(text)
        if not is_last:
            # What follows the last end of a cell may be blanks before a quote, or the first half of a line end.
            start = max(done, *(text.rfind(one, done, start) for one in ends_of_cells))
            if len(text) - start > _MOST_QUOTED_BYTES:
                start = len(text)
        out.append(change(text[done - 1 : done], text[done:start]))
        text, done = text[start - 1 :], 1
        if joined := b"".join(out):
            yield joined


def _with_end(parts: Iterable[bytes]) -> Iterator[bytes | None]:
    yield from parts
    yield None


def _next_quoted(
    opening: re.Pattern[bytes], quoted: re.Pattern[bytes], text: bytes, start: int
) -> tuple[int, int, int | None] | None:
    """Find the next quoted cell: its start, its quote, and its end if it is closed."""
    opened = opening.search(text, start)
    if opened is None:
        return None
    quote = opened.end() - 1
    closed = quoted.match(text, quote)
    return opened.start(), quote, closed.end() if closed else None


def _cell_start(delimiters: str) -> bytes:
    return rb"(?:(?<=[" + re.escape(delimiters).encode() + rb"\r\n])|\A)"
