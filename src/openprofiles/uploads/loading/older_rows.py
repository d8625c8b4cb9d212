"""The rows that replace values by older ones: a list that was exported before the last one, or is sorted newest first.

The date of the last change shows them, if the file has it in a column with such a name. Other dates, such as that of an
order, and marks of the newest row may change for other reasons, so they only show the order of the rows of one file.
"""

from __future__ import annotations

from openprofiles.facts.sql_text import sql_text
from openprofiles.uploads.loading.deleted_rows import NO, YES
from openprofiles.uploads.loading.replaced_values import ReplacedValues
from openprofiles.uploads.mappings.header_names import words_of
from openprofiles.uploads.mappings.header_words import CHANGE_DATES, CURRENT_FLAGS, ROW_DATES
from openprofiles.uploads.notices import OLDER_ROWS, Notice, is_doubtful

# With points, the day is always first. With slashes, a date is older only if it is for both ways to read it.
_POINTS = ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y, %H:%M", "%d.%m.%Y, %H:%M:%S")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_DAY_FIRST, _MONTH_FIRST = (tuple(day + time for time in _TIMES) for day in ("%d/%m/%Y", "%m/%d/%Y"))
# Seconds or milliseconds since 1970.
_SECONDS = "1[0-9]{9}([0-9]{3})?"


def find_older_rows(replaced: ReplacedValues) -> list[Notice]:
    """Count the rows, by the first column with such a date or mark that shows any; the plan must be made."""
    for path, header in replaced.header_of.items():
        name, new, old = "".join(words_of(header)), replaced.new(path), replaced.old(path)
        if name not in CHANGE_DATES | ROW_DATES | CURRENT_FLAGS:
            continue
        is_older = sql_is_not_current(new, old) if name in CURRENT_FLAGS else sql_is_older(new, old)
        if name not in CHANGE_DATES:
            is_older += f" and {replaced.giver(path)} is not null"
        (found,) = replaced.find([path], is_older)
        if found.count:
            doubtful = is_doubtful(found.count, replaced.updated_count)
            return [Notice(OLDER_ROWS, path, found.count, found.lines, doubtful, found.others)]
    return []


def sql_is_older(new: str, old: str) -> str:
    """Build an SQL condition: a date is before another one; null if one of the texts is not a date."""
    ways = [
        _sql_is_before(*(_sql_read_clear(text) for text in (new, old))),
        *(_sql_is_before(*(_sql_read(text, forms) for text in (new, old))) for forms in (_DAY_FIRST, _MONTH_FIRST)),
        f"case when {' and '.join(f'regexp_full_match({text}, {sql_text(_SECONDS)})' for text in (new, old))} "
        f"and strlen({new}) = strlen({old}) then {new} < {old} end",
    ]
    # A date without a time may be of any time of the day.
    has_times = f"(contains({new}, ':') and contains({old}, ':'))"
    return f"{new} <> {old} and list_bool_and([{', '.join(ways)}])".replace("$times", has_times)


def sql_is_not_current(new: str, old: str) -> str:
    """Build an SQL condition: a mark says no, and the one before it yes."""
    no, yes = (", ".join(map(sql_text, words.split())) for words in (NO, YES))
    return f"lower({new}) in ({no}) and lower({old}) in ({yes})"


def sql_days_between(new: str, old: str) -> list[str]:
    """Build SQL for the days from one date to another one, for each way to read them; null if one is not a date."""
    clear = f"{_sql_read_clear(new)}::date - {_sql_read_clear(old)}::date"
    return [
        f"coalesce({clear}, {_sql_read(new, forms)}::date - {_sql_read(old, forms)}::date)"
        for forms in (_DAY_FIRST, _MONTH_FIRST)
    ]


def _sql_is_before(new: str, old: str) -> str:
    return f"({new} < {old} and ($times or {new}::date < {old}::date))"


def _sql_read_clear(text: str) -> str:
    return f"coalesce(try_cast({text} as timestamp), {_sql_read(text, _POINTS)})"


def _sql_read(text: str, forms: tuple[str, ...]) -> str:
    return f"try_strptime({text}, [{', '.join(map(sql_text, forms))}])"
