"""Recognize a file whose only column has whole rows: each line is in quotation marks, or has columns of fixed width."""

from __future__ import annotations

import re
from collections.abc import Sequence

from openprofiles.facts.blanks import is_blank

# What separates cells: a delimiter, or more than one blank.
_SEPARATOR = re.compile(r"[,;|\t]|\S[ \u00a0]{2,}\S")
_FEWEST_SEPARATED = 0.5


def are_whole_rows(header: str, values: Sequence[str]) -> bool:
    """Return whether a column seems to have whole rows as its name and its values."""
    filled = [value for value in values if not is_blank(value)]
    separated = sum(_SEPARATOR.search(value) is not None for value in filled)
    return _SEPARATOR.search(header) is not None and separated > _FEWEST_SEPARATED * len(filled)


def describe_whole_rows(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str | None:
    """Describe for people a file whose only column seems to have whole rows; None if it has not."""
    if len(headers) != 1 or not are_whole_rows(headers[0], [row[0] for row in rows if row]):
        return None
    return (
        "The file has only one column, and each of its values seems to be a whole row. Is every line in quotation "
        "marks, or is it a fixed-width file? Export the table again with a delimiter between the columns."
    )
