"""Describe why the values of a column fail their check, if the first rows show a common reason.

The description never contains a value of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from openprofiles.cli.job_state import KIND_OF_ERROR
from openprofiles.facts.blanks import BLANKS, is_blank
from openprofiles.uploads.failures.faults import NOT_A_PHONE_NUMBER, NOT_AN_EMAIL_ADDRESS

# About what the checks let pass.
_EMAIL = re.compile(r'(?!.*\*{3})[^\s@"(),:;<>\[\]\\]{1,64}@(?:\w+(?:-+\w+)*\.)+\w+(?:-+\w+)*')
_PHONE = re.compile(r"[+(]{0,2}[0-9][0-9 ()./-]*")
_EMAIL_FORMS = (
    (re.compile(r"mailto:.*", re.IGNORECASE), "begin with mailto:. Remove it."),
    (re.compile(r".*@.*:::.*@.*"), "have several addresses, separated by :::. Keep one address in each cell."),
    (re.compile(r".*@.*@.*"), "have several addresses. Keep one address in each cell."),
    (
        re.compile(r"[^<>@]*<[^<>@]*@[^<>@]*>"),
        "contain more than the address, as in Name <name@example.com>. Keep only the address.",
    ),
    (re.compile(r".*\*{3}.*"), "are masked with asterisks. Export them in full."),
    (re.compile(r"[^@]*"), "have no @."),
    (re.compile(r".*\s.*"), "have blanks in the address. Remove them."),
)
_PHONE_FORMS = (
    (re.compile(r"'.*"), "begin with an apostrophe, which spreadsheets put before text. Remove it."),
    (re.compile(r"[a-z]{1,2}:.*"), "begin with a mark such as p:, which a program has put before them. Remove it."),
)
_OF_ERROR = {NOT_AN_EMAIL_ADDRESS: (_EMAIL, _EMAIL_FORMS), NOT_A_PHONE_NUMBER: (_PHONE, _PHONE_FORMS)}


def describe_form(code: str, column: str, values: Iterable[str]) -> str | None:
    """Describe what the values that are not valid have in common; None if no known pattern fits all of them.

    Args:
        code: the error of these values.
        column: the name of the column.
        values: some of its values.
    """
    if code not in _OF_ERROR:
        return None
    valid, forms = _OF_ERROR[code]
    stripped = [value.strip(BLANKS) for value in values if not is_blank(value)]
    invalid = [value for value in stripped if not valid.fullmatch(value)]
    for pattern, description in forms:
        if invalid and all(map(pattern.fullmatch, invalid)):
            return f"The values in the column {column!r} that are not valid {KIND_OF_ERROR[code].value} {description}"
    return None
