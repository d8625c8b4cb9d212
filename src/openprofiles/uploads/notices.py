"""Notices of a load: rows that were loaded, or would be, with an outcome that the user may not expect.

A notice is not an error: nothing is left out. Stored with the job as a short list, so it names only the first lines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Rows that created a profile, although their unique key stands in another field of a profile.
SHARED_KEY_ROWS = "SharedKeyRows"
# Rows with fewer cells than the header, whose last cells were taken for blank.
SHORT_ROWS = "ShortRows"
# Rows of delimiters alone, which were skipped.
BLANK_ROWS = "BlankRows"
# Lines above the header, which were skipped.
SKIPPED_LINES = "SkippedLines"

MAX_LINES = 20
_LINES_IN_SENTENCE = 5


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice.

    Attributes:
        code: what was noticed, one of the constants above.
        path: the field of the profile that it is about; None for the rows as a whole.
        count: how many rows.
        lines: the lines of the first rows.
    """

    code: str
    path: str | None
    count: int
    lines: tuple[int, ...]

    def to_json(self) -> list[Any]:
        return [self.code, self.path, self.count, list(self.lines)]

    @classmethod
    def from_json(cls, stored: list[Any]) -> Notice:
        code, path, count, lines = stored
        return cls(code, path, count, tuple(lines))


def notice_sentence(notice: Notice, key_header: str, label_of: Callable[[str], str] = str) -> str:
    """Describe a notice for people, with what to do.

    Args:
        key_header: the column of the unique key.
        label_of: the name of a field for the reader, from its path.
    """
    lines = ", ".join(f"{line:,}" for line in notice.lines[:_LINES_IN_SENTENCE])
    more = ", ..." if notice.count > _LINES_IN_SENTENCE else ""
    where = f"{'line' if notice.count == 1 else 'lines'} {lines}{more}"
    is_one = notice.count == 1
    if notice.path is None:
        rows = "1 row" if is_one else f"{notice.count:,} rows"
        if notice.code == SKIPPED_LINES:
            lines = "1 line" if is_one else f"{notice.count:,} lines"
            return f"{lines} above the header {'was' if is_one else 'were'} skipped ({where})."
        if notice.code == BLANK_ROWS:
            return f"{rows} with only delimiters {'was' if is_one else 'were'} skipped ({where})."
        return (
            f"{rows} with fewer cells than the header {'was' if is_one else 'were'} loaded, with the last cells taken "
            f"for blank ({where}). To reject such rows, use --short-rows reject."
        )
    rows = "1 row creates a profile" if is_one else f"{notice.count:,} rows create profiles"
    return (
        f"{rows} of their own, although the value in column {key_header!r} is also in the field "
        f"{label_of(notice.path)} of another profile ({where}). If they are the same customers, map column "
        f"{key_header!r} to {label_of(notice.path)}."
    )
