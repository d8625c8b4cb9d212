"""Describe why the email addresses of a column fail their check, if the first rows show a common reason.

The description never contains a value of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from openprofiles.profiles.blanks import BLANKS, is_blank

# About what the check for email addresses lets pass.
_VALID = re.compile(r'(?!.*\*{3})[^\s@"(),:;<>\[\]\\]{1,64}@(?:\w+(?:-+\w+)*\.)+\w+(?:-+\w+)*')
_FORMS = (
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


def describe_email_form(column: str, values: Iterable[str]) -> str | None:
    """Describe what the values that are not valid have in common; None if no known pattern fits all of them.

    Args:
        column: the name of the column.
        values: some of its values.
    """
    stripped = [value.strip(BLANKS) for value in values if not is_blank(value)]
    invalid = [value for value in stripped if not _VALID.fullmatch(value)]
    for pattern, description in _FORMS:
        if invalid and all(map(pattern.fullmatch, invalid)):
            return f"The values in the column {column!r} that are not valid email addresses {description}"
    return None
