"""Values that stand where the identifier of a customer is missing: placeholders, and numbers that lost their digits.

As the unique key of a row they would make one customer of many, and a search for them would find many. Elsewhere they
are values like any other.
"""

from __future__ import annotations

import re

from openprofiles.profiles.blanks import BLANKS, SQL_BLANKS

# What databases, spreadsheets and people write for nothing, in lower case. As a whole value only.
PLACEHOLDERS = (
    "null",
    "(null)",
    "<null>",
    "[null]",
    "\\n",
    "nil",
    "none",
    "(none)",
    "n/a",
    "n.a.",
    "na",
    "nan",
    "#n/a",
    "#null!",
    "#value!",
    "#ref!",
    "#name?",
    "#div/0!",
    "#num!",
    "undefined",
    "unknown",
    "tbd",
    "tba",
    "-",
    "--",
    "---",
    "?",
    ".",
)

# Values that are hardly ever meant, in exactly this case: Null, None and Nan are names, and "unknown" is an answer.
_STORED_PLACEHOLDERS = (
    *("NULL", "null", "(NULL)", "(null)", "<NULL>", "<null>", "[NULL]", "[null]", "\\N", "N/A", "n/a", "NaN", "nan"),
    *(word.upper() for word in PLACEHOLDERS if word.startswith("#")),
    *("undefined", "0000-00-00", "0000-00-00 00:00:00"),
)

# The blanks that usually surround them. To trim every value would take a hundred times as long as to compare it with
# each spelling.
_BLANKS_AROUND = (
    ("", ""),
    ("", " "),
    (" ", ""),
    (" ", " "),
    ("", "  "),
    ("  ", ""),
    ("", "\t"),
    ("", "\xa0"),
    ("\xa0", ""),
)

# A longer value is none of these, whatever blanks surround it, and need not be looked at.
_MOST_BYTES = 64

# As spreadsheets show a long number. 12E4 is an id.
_SHORTENED = r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}"
_SHORTENED_NUMBER = re.compile(_SHORTENED, re.ASCII)


def is_placeholder(text: str) -> bool:
    """Return whether a value is a placeholder."""
    trimmed = text.strip(BLANKS)
    return len(text.encode()) <= _MOST_BYTES and trimmed.isascii() and trimmed.lower() in PLACEHOLDERS


def is_shortened_number(text: str) -> bool:
    """Return whether a value is a number that a spreadsheet has shortened, such as 4.91512E+11."""
    return len(text.encode()) <= _MOST_BYTES and _SHORTENED_NUMBER.fullmatch(text.strip(BLANKS)) is not None


def sql_is_placeholder(value: str) -> str:
    """Build SQL (DuckDB) for ``is_placeholder`` of a text expression that is not null."""
    trimmed = _sql_trimmed(value)
    words = ", ".join(f"'{word}'" for word in PLACEHOLDERS)
    return (
        f"(strlen({value}) <= {_MOST_BYTES} and regexp_full_match({trimmed}, '[!-~]{{1,9}}') "
        f"and lower({trimmed}) in ({words}))"
    )


def sql_is_stored_placeholder(value: str) -> str:
    """Build SQL (DuckDB) that finds values of fields that are very probably placeholders.

    More than two blanks around one, or rare ones, are not recognized.
    """
    words = ", ".join(f"'{before}{word}{after}'" for word in _STORED_PLACEHOLDERS for before, after in _BLANKS_AROUND)
    return f"{value} in ({words})"


def sql_is_shortened_number(value: str) -> str:
    """Build SQL (DuckDB) for ``is_shortened_number`` of a text expression that is not null."""
    return (
        f"(strlen({value}) <= {_MOST_BYTES} and ({value} like '%E+%' or {value} like '%e+%') "
        f"and regexp_full_match({_sql_trimmed(value)}, '{_SHORTENED}'))"
    )


def _sql_trimmed(value: str) -> str:
    return f"trim({value}, {SQL_BLANKS})"
