"""The columns that a file of failed rows has in addition to those of the uploaded file, and how they are recognized."""

from __future__ import annotations

from collections.abc import Sequence

SURPLUS = "openprofiles_surplus"
CODE = "openprofiles_code"
OWN_COLUMNS = (SURPLUS, "openprofiles_line", "openprofiles_column", CODE, "openprofiles_message")

# Only the CSV for spreadsheets has it: its header says that texts may begin with an additional apostrophe.
APOSTROPHE = "openprofiles_apostrophe"
# The last column stays one that is always filled: spreadsheets leave out blank cells at the end of a row.
SPREADSHEET_COLUMNS = (*OWN_COLUMNS[:-1], APOSTROPHE, OWN_COLUMNS[-1])


def has_apostrophes(headers: Sequence[str]) -> bool:
    """Return whether texts of a file with this header may begin with an additional apostrophe."""
    return APOSTROPHE in headers
