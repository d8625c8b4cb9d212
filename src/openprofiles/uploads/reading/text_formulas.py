"""Cells such as ``="00123"``: the formula by which a program makes a spreadsheet keep a number as text.

The value is the text between the quotes.
"""

from __future__ import annotations

import re

from openprofiles.uploads.sql_text import sql_text

# Every such cell has it, in a CSV file with and without quotes around the cell.
BEGINNING = b'="'

# Without lookaround, so that Python and DuckDB (RE2) share it.
_PATTERN = '="(?:[^"]|"")*"'
_is_formula = re.compile(_PATTERN).fullmatch


def text_of_formula(cell: str) -> str:
    """Return the text of such a formula; any other cell as it is."""
    return cell[2:-1].replace('""', '"') if _is_formula(cell) else cell


def sql_text_of_formula(cell: str) -> str:
    """Build SQL that does the same as ``text_of_formula``; null stays null."""
    text = f"replace(substr({cell}, 3, length({cell}) - 3), '\"\"', '\"')"
    return f"case when regexp_full_match({cell}, {sql_text(_PATTERN)}) then {text} else {cell} end"
