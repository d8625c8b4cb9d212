"""The rows that replace a value by a damaged form of it, as spreadsheets and programs with short fields write them.

A number without its leading zeros or its +, or with ``.0`` after it; a text without its accents, with question marks
instead of letters, or cut off within a word; a date as the number of its day, with day and month exchanged, or of
another century; dates of birth that have all moved by the same number of days. In a standard field also a value that
says less (``worse_values``).
"""

from __future__ import annotations

from collections import Counter

from openprofiles.facts.normal_forms import sql_normal_key
from openprofiles.facts.standard_profile import FIELD_BY_PATH, PHONE_KEY
from openprofiles.uploads.loading.birth_dates import BIRTH_DATE
from openprofiles.uploads.loading.older_rows import sql_days_between
from openprofiles.uploads.loading.replaced_values import ReplacedValues
from openprofiles.uploads.loading.worse_values import sql_is_masked, sql_is_plainer, sql_is_worse
from openprofiles.uploads.notices import DAMAGED_VALUES, SHORTENED_VALUES, Notice, is_doubtful

_MOST_FIELDS = 10
_FEWEST_MOVED, _SHARE_MOVED = 20, 0.9
# A shorter text may be another name.
_FEWEST_LETTERS_OF_CUT_TEXT = 10
# Any other class of letters takes DuckDB milliseconds to compile.
_LETTERS = r"A-Za-z\x{80}-\x{10ffff}"
_OF_WORDS = f"0-9{_LETTERS}"
_DATE = r"([0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4})\b.*"
_NUMBER_OF_DAY = "[1-6][0-9]{4}"


def find_damaged_values(replaced: ReplacedValues) -> list[Notice]:
    """Count the rows by field; the plan must be made. Numbers join those that were shortened elsewhere."""

    days = _find_common_days(replaced)

    def conditions(new: str, old: str, path: str) -> tuple[str, list[str], str]:
        zeros = sql_lost_zeros(new, old, replaced.phone_region)
        damaged = [sql_is_damaged(new, old), sql_is_worse(path, new, old)]
        if path in FIELD_BY_PATH:
            damaged.append(sql_is_masked(new, old))
        if path == BIRTH_DATE and days:
            damaged += [f"coalesce({way} = {days}, false)" for way in sql_days_between(new, old)]
        return f"({zeros})", damaged, sql_is_plainer(path, new, old)

    # The fields that have the same condition are searched at once.
    alike: dict[str, list[str]] = {}
    for path in replaced.header_of:
        zeros, damaged, plainer = conditions("new", "old", path)
        for condition in (zeros, *damaged, plainer):
            alike.setdefault(condition, []).append(path)
    paths = replaced.find_fields(alike)[:_MOST_FIELDS]
    kinds = []
    for path in paths:
        new, old = replaced.new(path), replaced.old(path)
        zeros, damaged, plainer = conditions(new, old, path)
        for some in ([zeros], damaged, [*damaged, plainer]):
            kinds.append(f"{new} <> {old} and ({' or '.join(some)})")
    found = iter(replaced.find(paths, *kinds))
    notices = []
    for path, shortened, worse, any_worse in zip(paths, found, found, found, strict=True):
        for code, rows, doubts in ((SHORTENED_VALUES, shortened, shortened), (DAMAGED_VALUES, any_worse, worse)):
            if rows.count:
                doubtful = is_doubtful(doubts.count, replaced.updated_count)
                notices.append(Notice(code, path, rows.count, rows.lines, doubtful))
    return notices


def _find_common_days(replaced: ReplacedValues) -> int | None:
    """Find the days by which nearly all dates of birth that change have moved; None if there are none."""
    if (replaced.summarize_changes(BIRTH_DATE, "count(*)") or 0) < _FEWEST_MOVED:
        return None
    ways = sql_days_between("new", "old")
    for moved in zip(*(replaced.summarize_changes(BIRTH_DATE, f"list([{', '.join(ways)}])") or []), strict=True):
        ((days, count),) = Counter(moved).most_common(1)
        if days and count >= max(_FEWEST_MOVED, _SHARE_MOVED * len(moved)):
            return int(days)
    return None


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
