"""The rows that replace a value by a damaged form of it, as spreadsheets and programs with short fields write them.

A number without its leading zeros or its +, or with ``.0`` after it; a text without its accents, with question marks
instead of letters, or cut off within a word; a date as the number of its day, with day and month exchanged, or of
another century.
"""

from __future__ import annotations

from openprofiles.profiles.normal_forms import sql_normal_key
from openprofiles.profiles.standard_profile import PHONE_KEY
from openprofiles.uploads.loading.replaced_values import ReplacedValues
from openprofiles.uploads.notices import DAMAGED_VALUES, SHORTENED_VALUES, Notice, is_doubtful

_MOST_FIELDS = 10
# A shorter text may be another name.
_FEWEST_LETTERS_OF_CUT_TEXT = 10
# Any other class of letters takes DuckDB milliseconds to compile.
_LETTERS = r"A-Za-z\x{80}-\x{10ffff}"
_OF_WORDS = f"0-9{_LETTERS}"
_DATE = r"([0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4})\b.*"
_NUMBER_OF_DAY = "[1-6][0-9]{4}"


def find_damaged_values(replaced: ReplacedValues) -> list[Notice]:
    """Count the rows by field; the plan must be made. Numbers join those that were shortened elsewhere."""

    def conditions(new: str, old: str) -> tuple[str, str]:
        return f"({sql_lost_zeros(new, old, replaced.phone_region)})", sql_is_damaged(new, old)

    paths = replaced.find_fields(" or ".join(conditions("new", "old")))[:_MOST_FIELDS]
    kinds = {
        (code, path): f"{replaced.new(path)} <> {replaced.old(path)} and {condition}"
        for path in paths
        for code, condition in zip(
            (SHORTENED_VALUES, DAMAGED_VALUES), conditions(replaced.new(path), replaced.old(path)), strict=True
        )
    }
    return [
        Notice(code, path, found.count, found.lines, is_doubtful(found.count, replaced.updated_count))
        for (code, path), found in zip(kinds, replaced.find(paths, *kinds.values()), strict=True)
        if found.count
    ]


def sql_lost_zeros(new: str, old: str, phone_region: str) -> str:
    """Build an SQL condition: a number is another one without its leading zeros or its +, or with ``.0``.

    Args:
        phone_region: country in which a number may mean the same without a +.
    """
    number, digits = f"regexp_replace({new}, '[.]0$', '')", f"regexp_replace({old}, '[^0-9]', '', 'g')"
    phones = " <> ".join(sql_normal_key(PHONE_KEY, text, phone_region) for text in (new, old))
    return (
        f"case when regexp_full_match({new}, '[1-9][0-9]*([.]0)?') then {number} = ltrim({old}, '0') "
        f"or regexp_full_match({old}, '[(]?0[0-9 ()/.-]*') and {number} = ltrim({digits}, '0') "
        f"or starts_with({old}, '+') and case when {number} = {digits} then {phones} end end"
    )


def sql_is_damaged(new: str, old: str) -> str:
    """Build an SQL condition: a text is a damaged form of another one."""
    not_ascii = r"[^\x00-\x7F]"
    forms = [
        f"strip_accents({old})",
        *(f"regexp_replace({old}, '{not_ascii}', '{instead}', 'g')" for instead in ("?", "??", "")),
        # Day and month.
        rf"regexp_replace({old}, '^([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})', '\1-\3-\2')",
        rf"regexp_replace({old}, '^([0-9]{{1,2}})([./-])([0-9]{{1,2}})([./-])', '\3\2\1\4')",
        # Of two digits of a year, spreadsheets make a year of this century.
        rf"regexp_replace({old}, '\b19([0-9]{{2}})\b', '20\1')",
    ]
    return (
        f"({new} in ({', '.join(forms)}) or {_sql_is_cut_off(new, old)} "
        f"or regexp_full_match({old}, '{_DATE}') and regexp_full_match({new}, '{_NUMBER_OF_DAY}'))"
    )


def _sql_is_cut_off(new: str, old: str) -> str:
    return (
        # A number or a time may have another form.
        f"(length({new}) >= {_FEWEST_LETTERS_OF_CUT_TEXT} and starts_with({old}, {new}) "
        f"and regexp_matches({new}, '[{_LETTERS}][{_LETTERS}]') "
        rf"and regexp_full_match(substr({old}, length({new}), 2), '[ {_OF_WORDS}][{_OF_WORDS}]'))"
    )
