"""Doubt that the first row of a file is its header, where it looks like a row of values.

Whoever loads a file without a header loses its first row, and maps its columns by the values of one customer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from openprofiles.facts.blanks import is_blank
from openprofiles.uploads.mappings.header_names import names_field
from openprofiles.uploads.mappings.value_kinds import ValueKind, clear_kind, find_column_kind

_CLEAR_SHARE = 0.8
_NEVER_NAMES = {ValueKind.EMAIL_ADDRESS: "an email address", ValueKind.PHONE_NUMBER: "a phone number"}
_LETTERS, _DIGITS = re.compile(r"[^\W\d_]+"), re.compile(r"\d+")


def describe_doubtful_header(name: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> str | None:
    """Describe for people why the first row of a file may not be its header.

    Args:
        name: of the file, as part of a sentence.
        names, rows: as of ``doubt_header``.

    Returns:
        the reason and what to do; None without doubt.
    """
    if (reason := doubt_header(names, rows)) is None:
        return None
    return (
        f"{describe_doubt(reason, name)} If the file has no header, load it with openprofiles import --no-header. If "
        "this row is the header, use --header-line 1."
    )


def describe_doubt(reason: str, name: str = "the file") -> str:
    """Describe in a sentence why the first row may not be the header.

    Args:
        reason: as of ``doubt_header``.
        name: of the file, as part of a sentence.
    """
    return f"The first row of {name} seems to be a row of values, not the header: {reason}."


def doubt_header(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str | None:
    """Describe why a row is probably not the header, as part of a sentence; None without doubt.

    Args:
        names: its cells.
        rows: some of the rows below it.
    """
    for number, name in enumerate(names, start=1):
        kind = clear_kind(name)
        if kind in _NEVER_NAMES:
            return f"its cell {number} is {_NEVER_NAMES[kind]}"
    others = [row for row in rows if not _repeats(row, names)]
    found = [_is_like_values(name, _column(others, index)) for index, name in enumerate(names) if not is_blank(name)]
    if any(found) and False not in found:
        return "its cells look like the values below them"
    return None


def _repeats(row: Sequence[str], names: Sequence[str]) -> bool:
    """Return whether a row is the header once more: joined files have it again, perhaps with more columns or fewer."""
    both = min(len(row), len(names))
    return both > 1 and list(row[:both]) == list(names[:both])


def _column(rows: Sequence[Sequence[str]], index: int) -> list[str]:
    return [row[index] for row in rows if index < len(row) and not is_blank(row[index])]


def _is_like_values(name: str, values: Sequence[str]) -> bool | None:
    """Return whether a cell is of the kind of the values below it; None if that cannot be determined."""
    if not values:
        return None
    if name in values:
        return True
    if names_field(name):
        return False
    own, column = clear_kind(name), find_column_kind(values)
    if column.kind is not None and column.share >= _CLEAR_SHARE:
        return own is column.kind
    if own is not None:
        return False
    shape, count = Counter(map(_shape, values)).most_common(1)[0]
    # Words all have one shape, names of columns as well.
    if "9" not in shape or count < _CLEAR_SHARE * len(values):
        return None
    return _shape(name) == shape


def _shape(value: str) -> str:
    """Write a value with one letter for each word, and one digit for each number: ``C-1001`` is ``a-9``."""
    return _DIGITS.sub("9", _LETTERS.sub("a", value.strip()))
