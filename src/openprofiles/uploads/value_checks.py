"""Optional checks of the values of a column, and their SQL.

A check applies to values; a blank cell passes every check. Blanks around a value are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from openprofiles.errors import InvalidRequest
from openprofiles.facts.blanks import SQL_BLANKS
from openprofiles.facts.sql_text import sql_text
from openprofiles.uploads.failures import faults
from openprofiles.uploads.phone_check import sql_looks_like_phone

EMAIL_ADDRESS = "EMAIL_ADDRESS"
PHONE_NUMBER = "PHONE_NUMBER"
NUMBER = "NUMBER"
DATE = "DATE"
ONE_OF = "ONE_OF"
PATTERN = "PATTERN"

CODE_OF = {
    EMAIL_ADDRESS: faults.NOT_AN_EMAIL_ADDRESS,
    PHONE_NUMBER: faults.NOT_A_PHONE_NUMBER,
    NUMBER: faults.NOT_A_NUMBER,
    DATE: faults.NOT_A_DATE,
    ONE_OF: faults.NOT_ONE_OF,
    PATTERN: faults.PATTERN_MISMATCH,
}


# One @, no blanks and nothing invisible, which would make it another address than it seems to be. Behind the @ is a
# name of at least two parts in any script.
_NAME_PART = r"[\p{L}\p{N}\p{M}]+(?:-+[\p{L}\p{N}\p{M}]+)*"
_EMAIL_PATTERN = rf'[^\s\p{{Z}}\p{{C}}@"(),:;<>\[\]\\]{{1,64}}@(?:{_NAME_PART}\.)+{_NAME_PART}'
# Letters of three scripts that look alike, mixed between two dots.
_LATIN = r"[A-Za-z\x{C0}-\x{24F}]"
_GREEK_OR_CYRILLIC = r"[\x{370}-\x{52F}]"
# Ligatures, full-width characters and others that stand for plain ones, and dashes other than the hyphen-minus.
_COMPATIBLE = (
    r"\x{AA}\x{B2}\x{B3}\x{B9}\x{BA}\x{BC}-\x{BE}\x{132}\x{133}\x{13F}\x{140}\x{149}\x{17F}\x{1C4}-\x{1CC}"
    r"\x{1F1}-\x{1F3}\x{2B0}-\x{2B8}\x{2070}-\x{209C}\x{2100}-\x{218B}\x{2460}-\x{24EA}\x{3200}-\x{33FF}"
    r"\x{FB00}-\x{FB4F}\x{FE4D}-\x{FE6B}\x{FF01}-\x{FFEF}\x{1D400}-\x{1D7FF}\x{1F100}-\x{1F1FF}"
)
_DASHES = r"\x{2010}-\x{2015}\x{2212}"
_MISTYPED_EMAIL_PATTERN = (
    rf"\.\.|@(?i:www)\.|[{_COMPATIBLE}{_DASHES}]"
    rf"|{_LATIN}[^.@]*{_GREEK_OR_CYRILLIC}|{_GREEK_OR_CYRILLIC}[^.@]*{_LATIN}"
)
# What nearly all addresses match, in a tenth of the time.
_PLAIN_EMAIL_PATTERN = r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9]+\.)+[A-Za-z0-9]+"
# What some of these have, and no address should.
_NOT_PLAIN = ("..", "@www.", "@WWW.")
# What stands for letters that are hidden, as in "a***@example.com".
_MASK = "***"
_NUMBER_PATTERN = r"[+-]?[0-9]+([.,][0-9]+)?"
_DATE_FORMS = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueCheck:
    """One check.

    Attributes:
        kind: EMAIL_ADDRESS, PHONE_NUMBER (see ``phone_check``), NUMBER (digits with a sign and a decimal point or
            comma, perhaps), DATE (1985-12-10, 10.12.1985, 12/10/1985 or 10/12/1985), ONE_OF or PATTERN.
        values: of ONE_OF: those that may stand there.
        pattern: of PATTERN: a regular expression of RE2 for the whole value.

    Raises:
        InvalidRequest: the parts do not go together, or the pattern is not valid.
    """

    kind: str
    values: tuple[str, ...] = ()
    pattern: str | None = None

    def __post_init__(self) -> None:
        if (self.kind == ONE_OF) != bool(self.values) or (self.kind == PATTERN) != (self.pattern is not None):
            raise InvalidRequest(
                "The check ONE_OF needs Values, PATTERN needs a Pattern, and the other checks accept neither."
            )
        if self.pattern is not None:
            _require_pattern(self.pattern)

    @property
    def code(self) -> str:
        """The error of a row that does not pass."""
        return CODE_OF[self.kind]

    def sql_violation(self, value: str, phone_region: str) -> str:
        """Build SQL (DuckDB) that tests whether a non-blank text expression fails the check."""
        if self.kind == PHONE_NUMBER:
            return f"not {sql_looks_like_phone(value, phone_region)}"
        trimmed = f"trim({value}, {SQL_BLANKS})"
        if self.kind == DATE:
            return f"try_strptime({trimmed}, [{', '.join(map(sql_text, _DATE_FORMS))}]) is null"
        if self.kind == ONE_OF:
            return f"{trimmed} not in ({', '.join(map(sql_text, self.values))})"
        pattern = {EMAIL_ADDRESS: _EMAIL_PATTERN, NUMBER: _NUMBER_PATTERN}.get(self.kind) or self.pattern or ""
        fails = f"not regexp_full_match({trimmed}, {sql_text(pattern)})"
        if self.kind == EMAIL_ADDRESS:
            mistyped = f"regexp_matches({trimmed}, {sql_text(_MISTYPED_EMAIL_PATTERN)})"
            fails = f"({fails} or contains({trimmed}, {sql_text(_MASK)}) or {mistyped})"
            is_plain = " and ".join(
                (
                    f"regexp_full_match({value}, {sql_text(_PLAIN_EMAIL_PATTERN)})",
                    *(f"not contains({value}, '{text}')" for text in _NOT_PLAIN),
                )
            )
            return f"case when {is_plain} then false else {fails} end"
        return fails


def _require_pattern(pattern: str) -> None:
    # The reader of the file is the judge of what a pattern is. A client does not have it; its server has.
    if find_spec("duckdb") is None:
        return
    import duckdb

    try:
        with duckdb.connect() as connection:
            connection.execute("select regexp_full_match('', ?)", [pattern])
    except duckdb.Error as error:
        raise InvalidRequest(f"The pattern {pattern!r} is not a valid RE2 regular expression.") from error
