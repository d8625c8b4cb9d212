"""The rows that replace a value by a damaged form of it, as spreadsheets and programs with short fields write them.

A number without its leading zeros, or with ``.0`` after it; a text without its accents, with question marks instead of
letters, or cut off within a word; a date as the number of its day, with day and month exchanged, or of another century.
"""

from __future__ import annotations

from openprofiles.uploads.loading.replaced_values import ReplacedValues
from openprofiles.uploads.notices import DAMAGED_VALUES, SHORTENED_VALUES, Notice, is_doubtful

# A shorter text may be another name.
_FEWEST_LETTERS_OF_CUT_TEXT = 10
_DATE = r"([0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4})\b.*"
_NUMBER_OF_DAY = "[1-6][0-9]{4}"


def find_damaged_values(replaced: ReplacedValues) -> list[Notice]:
    """Count the rows by field; the plan must be made. Numbers join those that were shortened elsewhere."""
    conditions = (sql_lost_zeros, sql_is_damaged)
    notices = []
    for path in replaced.find_fields(" or ".join(condition("new", "old") for condition in conditions)):
        new, old = replaced.new(path), replaced.old(path)
        rows = replaced.find([path], *(f"{new} <> {old} and {condition(new, old)}" for condition in conditions))
        for code, found in zip((SHORTENED_VALUES, DAMAGED_VALUES), rows, strict=True):
            if found.count:
                doubtful = is_doubtful(found.count, replaced.updated_count)
                notices.append(Notice(code, path, found.count, found.lines, doubtful))
    return notices


def sql_lost_zeros(new: str, old: str) -> str:
    """Build an SQL condition: a number is another one without its leading zeros, or with ``.0``."""
    return (
        f"(regexp_full_match({new}, '[1-9][0-9]*([.]0)?') and regexp_replace({new}, '[.]0$', '') = ltrim({old}, '0'))"
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
        f"(length({new}) >= {_FEWEST_LETTERS_OF_CUT_TEXT} and starts_with({old}, {new}) "
        rf"and regexp_full_match(substr({old}, length({new}), 2), '[\p{{L}}\p{{N}} ][\p{{L}}\p{{N}}]'))"
    )
