"""Find the rows with text that a program decoded incorrectly, or escaped, before it wrote the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openprofiles.uploads.loading.scratch import Scratch
from openprofiles.uploads.reading.misread_text import (
    MISREAD_LETTERS,
    REPLACEMENT,
    SEPARATOR,
    has_escapes,
    sql_is_misread,
)
from openprofiles.uploads.reading.records import Block

_LETTERS = tuple(letter.encode() for letter in MISREAD_LETTERS)
_LONGEST_LETTER = max(map(len, _LETTERS))
_BEYOND_ASCII = 0x80


class MisreadBlocks:
    """Notes the blocks in which a row may have such text, so that the rows of the others need not be searched."""

    def __init__(self) -> None:
        self._records: list[tuple[int, int]] = []

    def watch(self, blocks: Iterable[Block]) -> Iterator[Block]:
        for block in blocks:
            if may_be_misread(block.clean) or any(may_be_misread(record) for _, record in block.odd):
                self._records.append((block.first_record, block.first_record + block.record_count - 1))
            yield block

    def find_lines(self, scratch: Scratch, field_count: int) -> list[int]:
        """Return the lines of the rows that did not fail and have such text in a mapped column."""
        if not self._records:
            return []
        first, last = zip(*self._records, strict=True)
        scratch.put("searched", pa.table({"first": first, "last": last}))
        texts = ", ".join(f"v{index}" for index in range(field_count))
        is_misread = sql_is_misread(f"concat_ws('{SEPARATOR}', {texts})")
        lines = scratch.table(
            "select line from staged s where exists (select 1 from searched where record between first and last) "
            f"and record not in (select record from failed) and ({is_misread}) order by record"
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
