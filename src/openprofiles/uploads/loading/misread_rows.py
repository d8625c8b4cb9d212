"""Find the rows with text that a program decoded incorrectly, or escaped, before it wrote the file.

Also those with values in typographic quotation marks, which a text editor made of those around the values. A company,
a title of a book or a nickname may have such marks, so other fields must have them in many rows. And those with line
breaks that are spelled out in names and addresses: ``Pine Rd 12<br>Apt 4``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openprofiles.bulk.scratch import Scratch
from openprofiles.facts.sql_text import sql_text
from openprofiles.facts.standard_profile import ADDRESSES, FIELD_BY_PATH, FULL_NAME_PATHS
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.reading.misread_text import (
    BREAK_ESCAPE,
    BREAK_TAG,
    MISREAD_LETTERS,
    REPLACEMENT,
    SEPARATOR,
    has_escapes,
    may_have_breaks,
    sql_is_misread,
)
from openprofiles.uploads.reading.records import Block

_LETTERS = tuple(letter.encode() for letter in MISREAD_LETTERS)
_LONGEST_LETTER = max(map(len, _LETTERS))
_BEYOND_ASCII = 0x80

_OPENING, _CLOSING = "\u201c\u201d\u201e\u00ab\u00bb", "\u201c\u201d\u00ab\u00bb"
_QUOTES = tuple(mark.encode() for mark in _OPENING)
_QUOTED = f"(^|{SEPARATOR})[{_OPENING}][^{_OPENING}{SEPARATOR}]+[{_CLOSING}]({SEPARATOR}|$)"
_OFTEN_QUOTED = ("BusinessName", "AdditionalInformation")
# What is looked at first, and how many of these rows must have such values.
_FIRST_BYTES, _FIRST_RECORDS = 100_000, 1_000
_FEWEST_QUOTED, _SHARE_QUOTED = 5, 0.05

_NAMES_AND_ADDRESSES = (*FULL_NAME_PATHS, "BusinessName", *(f"{address}." for address in ADDRESSES))
_FEWEST_ESCAPED = 5


class MisreadBlocks:
    """Notes the blocks in which a row may have such text, so that the rows of the others need not be searched."""

    def __init__(self) -> None:
        self._records: list[tuple[int, int]] = []
        self._may_be_quoted = self._may_have_breaks = False

    def watch(self, blocks: Iterable[Block]) -> Iterator[Block]:
        for block in blocks:
            texts = (block.clean, *(record for _, record in block.odd))
            self._may_have_breaks = self._may_have_breaks or any(map(may_have_breaks, texts))
            if any(map(may_be_misread, texts)):
                self._records.append((block.first_record, block.first_record + block.record_count - 1))
            if block.first_record == 1:
                start = block.clean[:_FIRST_BYTES]
                self._may_be_quoted = not start.isascii() and any(mark in start for mark in _QUOTES)
            yield block

    def find_lines(self, scratch: Scratch, mapping: UploadMapping) -> list[int]:
        """Return the lines of the rows that did not fail and have such text in a mapped column."""
        quoted = _find_quoted_lines(scratch, mapping) if self._may_be_quoted else []
        broken = _find_broken_lines(scratch, mapping) if self._may_have_breaks else []
        return sorted({*quoted, *broken, *self._find_misread_lines(scratch, len(mapping.fields))})

    def _find_misread_lines(self, scratch: Scratch, field_count: int) -> list[int]:
        if not self._records:
            return []
        first, last = zip(*self._records, strict=True)
        scratch.put("searched", pa.table({"first": first, "last": last}))
        texts = ", ".join(f"v{index}" for index in range(field_count))
        is_misread = sql_is_misread(f"concat_ws('{SEPARATOR}', {texts})")
        is_searched = "exists (select 1 from searched where record between first and last)"
        return _lines_of(scratch, f"{is_searched} and ({is_misread})")


def _find_quoted_lines(scratch: Scratch, mapping: UploadMapping) -> list[int]:
    texts = ", ".join(
        f"v{index}"
        for index, field in enumerate(mapping.fields)
        if field is mapping.unique_key or (field.path in FIELD_BY_PATH and field.path not in _OFTEN_QUOTED)
    )
    is_quoted = f"regexp_matches(concat_ws('{SEPARATOR}', {texts}), {sql_text(_QUOTED)})"
    count, of_count = scratch.only_row(
        f"select count(*) filter ({is_quoted}), count(*) from staged where record <= {_FIRST_RECORDS}"
    )
    if count < max(_FEWEST_QUOTED, _SHARE_QUOTED * of_count):
        return []
    return _lines_of(scratch, is_quoted)


def _find_broken_lines(scratch: Scratch, mapping: UploadMapping) -> list[int]:
    """Return the lines of the rows with line breaks that are spelled out, in names, addresses and other texts."""
    conditions = []
    for index, field in enumerate(mapping.fields):
        value = f"v{index}"
        if field is mapping.unique_key or not field.path.startswith((*_NAMES_AND_ADDRESSES, "AdditionalInformation")):
            continue
        if field.path.startswith(_NAMES_AND_ADDRESSES):
            conditions.append(f"contains({value}, '<') and regexp_matches({value}, '{BREAK_TAG}')")
        # Not a path of files, and not the name of a user after that of a domain, which may begin with other letters.
        is_path = f"contains({value}, ':\\') or contains({value}, '\\\\')"
        is_broken = f"contains({value}, '\\n') and not ({is_path}) and regexp_matches({value}, '{BREAK_ESCAPE}')"
        broken, others = scratch.only_row(
            f"select count(*) filter ({is_broken}), count(*) filter (contains({value}, '\\')) from staged"
        )
        if broken >= max(_FEWEST_ESCAPED, others / 2):
            conditions.append(is_broken)
    return _lines_of(scratch, " or ".join(f"({condition})" for condition in conditions) or "false")


def _lines_of(scratch: Scratch, condition: str) -> list[int]:
    """Return the lines of the rows that did not fail and fulfil a condition."""
    lines = scratch.table(
        f"select line from staged where ({condition}) and record not in (select record from failed) order by record"
    )
    return [int(line) for line in lines["line"].to_pylist()]


def may_be_misread(data: bytes) -> bool:
    """Return whether a part of a file, as UTF-8, may have such text.

    It has an escape sequence, or one of the letters and a letter or symbol beyond ASCII after it. That is rare in other
    text, and found much faster than the pattern.
    """
    if has_escapes(data):
        return True
    if data.isascii():
        return False
    codes = np.frombuffer(data + bytes(_LONGEST_LETTER), np.uint8)
    starts: dict[int, npt.NDArray[np.int64]] = {}
    for letter in _LETTERS:
        if letter[0] not in starts:
            starts[letter[0]] = np.flatnonzero(codes == letter[0])
        places = starts[letter[0]]
        for further, byte in enumerate(letter[1:], 1):
            places = places[codes[places + further] == byte]
        if letter == REPLACEMENT.encode():
            is_found = places.size > 0
        else:
            is_found = bool((codes[places + len(letter)] >= _BEYOND_ASCII).any())
        if is_found:
            return True
    return False
