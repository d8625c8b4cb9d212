"""The rows of a file without names that overwrite values of another customer, who has the same unique key.

Without names, the email address, the phone numbers and the date of birth show it: a row counts if at least two of them
differ from those of its profile, and none is the same. A customer may have got a new address and a new number, so rows
whose date of birth does not differ count only if there are many. If nearly all customers get another email address,
and keep no other one of these, it is probably the list of another system, which has the same numbers.
"""

from __future__ import annotations

from openprofiles.uploads.loading.birth_dates import BIRTH_DATE, sql_are_other_dates
from openprofiles.uploads.loading.replaced_values import COMPARED_COUNT, ReplacedValues
from openprofiles.uploads.notices import OTHER_CUSTOMER_ROWS, Notice, is_doubtful

_EMAIL = "EmailAddress"
_PHONES = ("PhoneNumber", "MobilePhoneNumber")
_FEWEST_DIFFERENT = 2
_SHARE_OF_EMAILS = 0.8
# A number with another country code or area code may be the same.
_COMPARED_DIGITS = 6


def find_other_customers(replaced: ReplacedValues, *, by_email: bool) -> list[Notice]:
    """Count the rows; the plan must be made.

    Args:
        by_email: also by the email address alone.
    """
    kinds = [[path for path in kind if path in replaced.header_of] for kind in ((BIRTH_DATE,), (_EMAIL,), _PHONES)]
    given = [kind for kind in kinds if kind]
    is_none_same = f"not ({' or '.join(_sql_is_same(replaced, kind) for kind in given)})"
    notices = _find_different(replaced, given, is_none_same) if len(given) >= _FEWEST_DIFFERENT else []
    are_most = f"count(*) filter ({_sql_are_other_people('new', 'old')}) >= {_SHARE_OF_EMAILS} * {COMPARED_COUNT}"
    is_searched = by_email and not any(one.is_doubtful for one in notices)
    if not (is_searched and replaced.summarize_changes(_EMAIL, are_most)):
        return notices
    are_others = f"{_sql_are_other_people(replaced.new(_EMAIL), replaced.old(_EMAIL))} and {is_none_same}"
    (found,) = replaced.find([_EMAIL, *(path for kind in given for path in kind if path != _EMAIL)], are_others)
    updated_count = replaced.updated_count
    if not is_doubtful(found.count, updated_count) or found.count < _SHARE_OF_EMAILS * updated_count:
        return notices
    return [Notice(OTHER_CUSTOMER_ROWS, _EMAIL, found.count, found.lines, True, found.others)]


def _find_different(replaced: ReplacedValues, given: list[list[str]], is_none_same: str) -> list[Notice]:
    differ = [f"({_sql_are_given(replaced, kind)} and not {_sql_is_same(replaced, kind)})" for kind in given]
    are_different = f"{' + '.join(f'{one}::integer' for one in differ)} >= {_FEWEST_DIFFERENT} and {is_none_same}"
    with_date = f"{are_different} and {differ[0] if BIRTH_DATE in given[0] else 'false'}"
    found, sure = replaced.find([path for kind in given for path in kind], are_different, with_date)
    doubtful = is_doubtful(found.count, replaced.updated_count)
    rows = found if doubtful else sure
    return [Notice(OTHER_CUSTOMER_ROWS, None, rows.count, rows.lines, doubtful, rows.others)] if rows.count else []


def _sql_are_other_people(new: str, old: str) -> str:
    """Build an SQL condition: two email addresses differ before the @. A company may have renamed its domain."""
    names = (f"lower(split_part(trim({text}), '@', 1))" for text in (new, old))
    return f"({' <> '.join(names)})"


def _sql_are_given(replaced: ReplacedValues, paths: list[str]) -> str:
    both = (f"{replaced.new(path)} is not null and {replaced.old(path)} is not null" for path in paths)
    return f"({' or '.join(both)})"


def _sql_is_same(replaced: ReplacedValues, paths: list[str]) -> str:
    return f"({' or '.join(_sql_same_value(path, replaced.new(path), replaced.old(path)) for path in paths)})"


def _sql_same_value(path: str, new: str, old: str) -> str:
    if path == BIRTH_DATE:
        # Dates that cannot be compared may be the same.
        return f"({new} is not null and {old} is not null and not {sql_are_other_dates(new, old)})"
    if path == _EMAIL:
        return f"coalesce(lower(trim({new})) = lower(trim({old})), false)"
    digits = [f"right(regexp_replace({text}, '[^0-9]', '', 'g'), {_COMPARED_DIGITS})" for text in (new, old)]
    return f"coalesce({digits[0]} = {digits[1]}, false)"
