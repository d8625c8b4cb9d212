"""Recognize a sheet with two lists side by side: ``Name,Email,,Name,Email``. Each row of it has two customers."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from openprofiles.facts.blanks import is_blank
from openprofiles.facts.standard_profile import ADDRESSES
from openprofiles.uploads.mappings.header_names import is_full_name, match_header, names_customer_number

_FEWEST_NAMES = 2
# Programs give a column without a name, or a second one with the same name, a name of their own.
_WITHOUT_NAME = re.compile(r"Unnamed: [0-9]+|Column ?[0-9]+|_[0-9]+", re.IGNORECASE)
_NUMBER = re.compile(r"[._]?[0-9]\Z")


def describe_side_by_side(headers: Sequence[str], rows: Sequence[Sequence[str]], chosen: Collection[str]) -> str | None:
    """Describe for people a file with two lists side by side; None if it has not.

    Args:
        rows: some rows of the file.
        chosen: the headers whose target the user has chosen, who knows what their columns are.
    """
    forms = [_form(header) for header in headers]
    for middle, form in enumerate(forms):
        is_empty = bool(rows) and all(is_blank(row[middle]) for row in rows if middle < len(row))
        if form or not is_empty or not middle:
            continue
        left = set(forms[:middle]) - {""}
        repeated = [
            header
            for header, one in zip(headers[middle:], forms[middle:], strict=True)
            if one in left or _NUMBER.sub("", one) in left
        ]
        repeated = [header for header in repeated if header not in chosen]
        if len(repeated) >= _FEWEST_NAMES and any(map(_is_of_customer, repeated)):
            names = " and ".join(map(repr, repeated[:_FEWEST_NAMES]))
            return (
                f"The file seems to have two lists side by side: the names {names} in its header are repeated after "
                f"column {middle + 1}, which is empty. Each row would be loaded as one customer. Put each list into a "
                "file of its own, or one below the other."
            )
    return None


def _form(header: str) -> str:
    """Return what two columns with the same name have in common; an empty text for a column without a name."""
    name = header.strip().casefold()
    return "" if is_blank(header) or _WITHOUT_NAME.fullmatch(name) else name


def _is_of_customer(header: str) -> bool:
    """Return whether a column shows which customer it is, unlike one of a second address."""
    name = _NUMBER.sub("", header)
    match = match_header(name)
    return is_full_name(name) or names_customer_number(name) or bool(match and match.family not in ADDRESSES)
