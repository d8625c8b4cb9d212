"""Remove characters that are left where files were joined: byte order marks and Ctrl-Z.

``cat a.csv b.csv`` puts the byte order mark of the second file at the beginning of a line, and tools of DOS write a
Ctrl-Z (0x1A) at the end of a file. Neither belongs to a value or to a name in the header.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator

_CTRL_Z = b"\x1a"
_MARKS = rb"(?:" + BOM_UTF8 + rb"|" + _CTRL_Z + rb")++"
_AT_BEGINNING = re.compile(_MARKS)
_AT_LINES = re.compile(rb"(?<=\n)" + _MARKS)
_AT_END = re.compile(_CTRL_Z + rb"(?=[\x1a \t\r\n]*+\Z)")
# What may be the beginning of a mark, or precede the end of the file.
_MAY_BE_MARK = BOM_UTF8 + _CTRL_Z + b" \t\r\n"
# More blanks than that at the end of a part are not held back.
_MOST_HELD_BYTES = 1 << 16


def without_stray_marks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Remove the byte order marks and Ctrl-Z that joined files have left.

    These are at the beginning of lines; Ctrl-Z also at the end of the file. One byte order mark at the beginning of
    the file is kept.

    Args:
        parts: the file as UTF-8, with lines that end with LF.
    """
    held = b""
    is_first = starts_line = True
    for part in parts:
        text = held + part if held else part
        if is_first and len(text) < len(BOM_UTF8) and BOM_UTF8.startswith(text):
            held = text
            continue
        if is_first and text.startswith(BOM_UTF8):
            yield BOM_UTF8
            text = text[len(BOM_UTF8) :]
        is_first = False
        held = _find_end_to_hold(text)
        text = text[: len(text) - len(held)]
        if text:
            ends_line = text.endswith(b"\n")
            if kept := _remove(text, starts_line=starts_line):
                yield kept
            starts_line = ends_line
    if kept := _AT_END.sub(b"", _remove(held, starts_line=starts_line)):
        yield kept


def _find_end_to_hold(text: bytes) -> bytes:
    """Return the end of a part if it may have a mark; else nothing."""
    end = text[len(text.rstrip(_MAY_BE_MARK)) :]
    is_mark = _CTRL_Z in end or BOM_UTF8[:1] in end
    return end if is_mark and len(end) <= _MOST_HELD_BYTES else b""


def _remove(text: bytes, *, starts_line: bool) -> bytes:
    if starts_line and (found := _AT_BEGINNING.match(text)):
        text = text[found.end() :]
    if b"\n" + _CTRL_Z in text or b"\n" + BOM_UTF8 in text:
        text = _AT_LINES.sub(b"", text)
    return text
