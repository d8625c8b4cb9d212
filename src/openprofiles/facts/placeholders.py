"""Values that stand where the identifier of a customer is missing: placeholders, and numbers that lost their digits.

As the unique key of a row they would make one customer of many, and a search for them would find many. Elsewhere they
are values like any other.
"""

from __future__ import annotations

import re

from openprofiles.facts.blanks import BLANKS, SQL_BLANKS

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

# The day zero of databases and spreadsheets, in whatever field.
DAY_ZEROS = ("0000-00-00", "0000-00-00 00:00:00", "00.00.0000", "00/00/0000", "1900-01-00", "00.01.1900", "1/0/1900")

# Values that are hardly ever meant, in exactly this case: Null, None and Nan are names, and "unknown" is an answer.
_STORED_PLACEHOLDERS = (
    *("NULL", "null", "(NULL)", "(null)", "<NULL>", "<null>", "[NULL]", "[null]", "\\N", "N/A", "n/a", "NaN", "nan"),
    *("n.a.", "k.A.", "k. A.", "undefined"),
    *DAY_ZEROS,
    # Ditto marks.
    *("\u3003", "\u2033", "\u201e", "\u201d"),
)

# What spreadsheets show for an error, in English, German, French, Spanish, Italian, Portuguese, Dutch and Polish.
_SPREADSHEET_ERRORS = (
    *("#N/A", "#NULL!", "#VALUE!", "#REF!", "#NAME?", "#DIV/0!", "#NUM!", "#CALC!", "#SPILL!", "#ERROR!", "#FIELD!"),
    *("#BLOCKED!", "#CONNECT!", "#UNKNOWN!", "#BUSY!", "#GETTING_DATA"),
    *("#NV", "#BEZUG!", "#WERT!", "#ZAHL!", "#KALK!", "#\u00dcBERLAUF!", "#FEHLER!"),
    *("#N/D", "#VALEUR!", "#NOM?", "#NOMBRE!", "#NUL!", "#CALCUL!", "#ERREUR!"),
    *("#\u00a1VALOR!", "#\u00a1REF!", "#\u00a1NUM!", "#\u00a1DIV/0!", "#\u00a1NULO!", "#\u00bfNOMBRE?", "#NOMBRE?"),
    *("#VALORE!", "#RIF!", "#NOME?", "#VALOR!", "#N\u00daM!", "#WAARDE!", "#VERW!", "#NAAM?", "#GETAL!", "#N/B"),
    *("#ARG!", "#ADR!", "#NAZWA?", "#LICZBA!"),
)

# What the name of a merge field has, unlike that of a company in guillemets.
_NAMES_OF_MERGE_FIELDS = "(?i:name|anrede|stra(?:\u00df|ss)e|street|plz|zip|mail|telefon|phone|firma|company|addres|_)"
_LEFTOVERS = (
    *map(re.escape, _SPREADSHEET_ERRORS),
    "Err:5[0-9]{2}",
    # A number or date in a column that was too narrow.
    "#{4,}",
    r"\[object Object\]",
    # Fields of a template that was not filled.
    r"\{\{[^{}]+\}\}",
    r"\$\{[^{}]+\}",
    "<<[^<>]+>>",
    "%{1,2}[A-Za-z_][A-Za-z0-9_.]+%{1,2}",
    r"\*\|[A-Z0-9_:]+\|\*",
    f"\u00ab[A-Za-z_ ]*{_NAMES_OF_MERGE_FIELDS}[A-Za-z_ ]*\u00bb",
    # Ditto marks.
    "\"|''",
)
_LEFTOVER = f"[ \u00a0]{{0,2}}(?:{'|'.join(_LEFTOVERS)})[{BLANKS}]{{0,2}}"
# Where such values are in the order of bytes, which is compared much faster. A telephone number can begin with "(".
_RANGES_OF_LEFTOVERS = (
    (" ", "("),
    ("*|", "*}"),
    ("<<", "<="),
    ("Err:5", "Err:6"),
    ("[o", "[p"),
    ("{{", "{|"),
    ("\u00a0", "\u00ac"),
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


def is_leftover(text: str) -> bool:
    """Return whether a program left this instead of a value, such as #REF! or {{first_name}}."""
    return re.fullmatch(_LEFTOVER, text) is not None


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

    Leftovers are not among them. More than two blanks around one, or rare ones, are not recognized.
    """
    words = ", ".join(f"'{before}{word}{after}'" for word in _STORED_PLACEHOLDERS for before, after in _BLANKS_AROUND)
    return f"{value} in ({words})"


def sql_is_leftover(value: str) -> str:
    """Build SQL (DuckDB) for ``is_leftover`` of a text expression; null gives null or false."""
    may_be = " or ".join(f"{value} between '{first}' and '{last}'" for first, last in _RANGES_OF_LEFTOVERS)
    pattern = _LEFTOVER.replace("'", "''")
    return f"(({may_be}) and regexp_full_match({value}, '{pattern}'))"


def sql_is_shortened_number(value: str) -> str:
    """Build SQL (DuckDB) for ``is_shortened_number`` of a text expression that is not null."""
    return (
        f"(strlen({value}) <= {_MOST_BYTES} and ({value} like '%E+%' or {value} like '%e+%') "
        f"and regexp_full_match({_sql_trimmed(value)}, '{_SHORTENED}'))"
    )


def _sql_trimmed(value: str) -> str:
    return f"trim({value}, {SQL_BLANKS})"
