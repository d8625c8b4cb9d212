"""The rows of a file without names that overwrite values of another customer, who has the same unique key.

Without names, the email address, the phone numbers and the date of birth show it: a row counts if at least two of them
differ from those of its profile, and none is the same. A customer may have got a new address and a new number, so rows
whose date of birth does not differ count only if there are many.
"""

from __future__ import annotations

from openprofiles.uploads.loading.birth_dates import BIRTH_DATE, sql_are_other_dates
from openprofiles.uploads.loading.replaced_values import ReplacedValues
from openprofiles.uploads.notices import OTHER_CUSTOMER_ROWS, Notice, is_doubtful

_EMAIL = "EmailAddress"
_PHONES = ("PhoneNumber", "MobilePhoneNumber")
_FEWEST_DIFFERENT = 2
# A number with another country code or area code may be the same.
_COMPARED_DIGITS = 6


def find_other_customers(replaced: ReplacedValues) -> list[Notice]:
    """Count the rows; the plan must be made."""
    kinds = [[path for path in kind if path in replaced.header_of] for kind in ((BIRTH_DATE,), (_EMAIL,), _PHONES)]
    given = [kind for kind in kinds if kind]
    if len(given) < _FEWEST_DIFFERENT:
        return []
    differ = [f"({_sql_are_given(replaced, kind)} and not {_sql_is_same(replaced, kind)})" for kind in given]
    is_none_same = f"not ({' or '.join(_sql_is_same(replaced, kind) for kind in given)})"
    are_different = f"{' + '.join(f'{one}::integer' for one in differ)} >= {_FEWEST_DIFFERENT} and {is_none_same}"
    with_date = f"{are_different} and {differ[0] if kinds[0] else 'false'}"
    found, sure = replaced.find([path for kind in given for path in kind], are_different, with_date)
    doubtful = is_doubtful(found.count, replaced.updated_count)
    rows = found if doubtful else sure
    return [Notice(OTHER_CUSTOMER_ROWS, None, rows.count, rows.lines, doubtful, rows.others)] if rows.count else []


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
