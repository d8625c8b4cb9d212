"""Recognize a file of failed rows by its header, so that it is read as what it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from openprofiles.errors import InvalidRequest
from openprofiles.uploads.failures.own_columns import OWN_COLUMNS, has_apostrophes
from openprofiles.uploads.reading.dialect import ALL_DELIMITERS
from openprofiles.uploads.reading.file_form import FileForm
from openprofiles.uploads.reading.file_header import read_file_header
from openprofiles.uploads.reading.file_text import PartsReader

# A spreadsheet may have chosen another delimiter, and put names into quotes.
_DELIMITER = re.compile(
    OWN_COLUMNS[0].encode()
    + b'"?(['
    + "".join(map(re.escape, ALL_DELIMITERS)).encode()
    + b'])"?'
    + OWN_COLUMNS[1].encode()
    + b"\\b"
)


@dataclass(frozen=True, slots=True)
class FailedRowsForm:
    """How a file of failed rows is written.

    Attributes:
        delimiter: between its cells.
        is_plain: whether it is the form for programs, in which bytes that are not UTF-8 stand as they are.
    """

    delimiter: str
    is_plain: bool


def find_failed_rows_form(text: bytes) -> FailedRowsForm | None:
    """Find the form of a file of failed rows; None if it is another file.

    Args:
        text: its beginning.
    """
    found = _DELIMITER.search(text)
    if found is None:
        return None
    delimiter = found[1].decode()
    try:
        names = read_file_header(PartsReader(iter([text])).read, FileForm(delimiter=delimiter))
    except InvalidRequest:
        return None
    if not set(OWN_COLUMNS[:2]) <= set(names):
        return None
    return FailedRowsForm(delimiter, is_plain=not has_apostrophes(names))
