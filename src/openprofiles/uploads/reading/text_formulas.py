"""Cells such as ``="00123"``: the formula by which a program makes a spreadsheet keep a number as text.

The value is the text between the quotes. Blanks around the formula and an apostrophe before it do not count.
"""

from __future__ import annotations

import re

from openprofiles.facts.blanks import BLANKS
from openprofiles.facts.sql_text import sql_text

# Every such cell has it, in a CSV file with and without quotes around the cell.
BEGINNING = b'="'

# Without lookaround, so that Python and DuckDB (RE2) share it.
_AROUND = f"[{re.escape(BLANKS)}]*"
_PATTERN = f'{_AROUND}\'?="((?:[^"]|"")*)"{_AROUND}'
_match_formula = re.compile(_PATTERN).fullmatch


def text_of_formula(cell: str) -> str:
    """Return the text of such a formula; any other cell as it is."""
    found = _match_formula(cell)
    return found[1].replace('""', '"') if found else cell


def sql_text_of_formula(cell: str) -> str:
    """Build SQL that does the same as ``text_of_formula``; null stays null."""
    pattern = sql_text(f"^(?:{_PATTERN})$")
    text = f"replace(regexp_extract({cell}, {pattern}, 1), '\"\"', '\"')"
    return f"case when regexp_full_match({cell}, {sql_text(_PATTERN)}) then {text} else {cell} end"
