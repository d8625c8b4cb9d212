"""Find the messages of a program above the table that it exported, such as a warning of PHP."""

from __future__ import annotations

import re

from openprofiles.uploads.reading.dialect import DELIMITERS

_MOST_LINES = 40
_MARKUP = re.compile(rb"\s*<[/!A-Za-z]")
_MESSAGE = re.compile(rb"(?:PHP )?(?:Warning|Notice|Deprecated|Strict Standards|Fatal error|Parse error): .*")
_PLACE = re.compile(rb" on line (?:<b>)?[0-9]+")
_END_TAG = re.compile(rb"</[A-Za-z]")
_TABLE_BYTES = 4096


def find_messages_end(text: bytes) -> int:
    """Return the offset of the table below the messages of a program; 0 if there are none above a table."""
    end, has_place = 0, False
    for _ in range(_MOST_LINES):
        line_end = text.find(b"\n", end) + 1
        line = text[end : line_end or len(text)]
        if line.strip() and not _MARKUP.match(line) and not _MESSAGE.match(line):
            break
        if not line_end:
            return 0
        has_place = has_place or _PLACE.search(line) is not None
        end = line_end
    table = text[end : end + _TABLE_BYTES]
    first_row = table.partition(b"\n")[0].decode("utf-8", "replace")
    is_table = any(one in first_row for one in DELIMITERS) and not _END_TAG.search(table)
    return end if has_place and is_table else 0
