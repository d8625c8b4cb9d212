"""Notices of a load: rows and lines with an outcome that the user may not expect, such as a skipped title.

A notice is not an error: no row fails for it. Stored with the job as a short list, so it names only the first lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

# Rows that overwrote values of a customer with another name: a stored one, or one of an earlier row.
OTHER_NAME_ROWS = "OtherNameRows"
# Rows of a file without names that did so, as the email address, the phone numbers and the date of birth show; with
# a field, its value alone, which nearly all rows replace.
OTHER_CUSTOMER_ROWS = "OtherCustomerRows"
# Rows that exchanged the first and last name of a customer.
EXCHANGED_NAME_ROWS = "ExchangedNameRows"
# Rows whose first and last name are in each other's columns, as the other names of the file show; with a field, the
# whole name is its value.
REVERSED_NAME_ROWS = "ReversedNameRows"
# Rows that created a profile, although their unique key is in another field of a profile.
SHARED_KEY_ROWS = "SharedKeyRows"
# Rows with fewer cells than the header, whose last cells were taken for blank.
SHORT_ROWS = "ShortRows"
# Rows with more cells than the header, all of them blank, in a file in which most rows have none.
WIDE_ROWS = "WideRows"
# Rows of a file of objects with a column, named as the field, that its object type does not read.
UNUSED_COLUMN = "UnusedColumn"
# Rows with a value that begins with a blank, which may be the end of the value before it.
SPLIT_VALUE_ROWS = "SplitValueRows"
# Rows with hardly any value besides their unique key, such as totals and headings of sections.
SPARSE_ROWS = "SparseRows"
# Rows whose unique key looks unlike nearly all others, such as descriptions of columns.
UNUSUAL_KEY_ROWS = "UnusualKeyRows"
# Rows of delimiters alone, or of blank cells in a table, which were skipped.
BLANK_ROWS = "BlankRows"
# Lines above the header, which were skipped.
SKIPPED_LINES = "SkippedLines"
# Rows with a multi-line value, one line of which looks like a row of its own.
SWALLOWED_ROWS = "SwallowedRows"
# Rows with text that was decoded with the wrong encoding, or escaped, before the file was written; with a field, its
# values begin with a mark.
MISREAD_ROWS = "MisreadRows"
# The last row, if the file seems to be cut off in its unique key.
CUT_OFF_FILE = "CutOffFile"
# Rows that created a profile, although another customer has the same email address, account number, or phone number and
# name, or nearly the same unique key.
SAME_EMAIL_ROWS = "SameEmailRows"
SAME_ACCOUNT_ROWS = "SameAccountRows"
SAME_PHONE_ROWS = "SamePhoneRows"
# The same, for many rows: a stored customer has the same name and date of birth, or name and address.
SAME_NAME_ROWS = "SameNameRows"
SIMILAR_KEY_ROWS = "SimilarKeyRows"
# Rows that created profiles, all with unique keys of another form than those of the domain.
KEY_FORM_ROWS = "KeyFormRows"
# Rows that replaced values by older ones, according to a date or a mark of the newest row.
OLDER_ROWS = "OlderRows"
# Rows that gave a stored profile the email address of another one.
TAKEN_EMAIL_ROWS = "TakenEmailRows"
# Rows that a list of changes marks as deleted.
DELETED_ROWS = "DeletedRows"
# Rows that store a placeholder, such as NULL, as the value of a field.
PLACEHOLDER_VALUES = "PlaceholderValues"
# Rows with a number that lost digits in a spreadsheet: in a field, where it may have replaced the same number with
# leading zeros, or be a postal code without them; or, without a field, in the unique key.
SHORTENED_VALUES = "ShortenedValues"
# Rows with a date that a spreadsheet seems to have made of a code.
CODE_DATES = "CodeDates"
# Rows with a text as long as the longest ones of its field, where a program seems to have cut it off.
CUT_OFF_VALUES = "CutOffValues"
# Rows that exchange the value of a field with that of another field.
EXCHANGED_VALUES = "ExchangedValues"
# Rows that replace the value of a field by one that another customer of the file had before.
TAKEN_VALUES = "TakenValues"
# Rows with a date of birth that is the number of a day, in the future, or with day and month in the other order.
UNLIKELY_DATES = "UnlikelyDates"
# Rows that replace the value of a field by a damaged form of it, such as one without its accents.
DAMAGED_VALUES = "DamagedValues"
# Rows that change the street and the place of an address, of which a field keeps the value that it had before.
MIXED_ADDRESSES = "MixedAddresses"

# Why a job failed that should not load doubtful rows, by the code of the notice.
_REFUSAL = "Nothing was loaded. "
_REFUSED = {
    OTHER_NAME_ROWS: (
        "Many rows would overwrite values of customers with different names. Use another unique key, correct the file, "
        "import it into another domain, or confirm that they are the same customers."
    ),
    OTHER_CUSTOMER_ROWS: (
        "Many rows would replace the email address of their customers, or at least two of the email address, the phone "
        "numbers and the date of birth, and keep no other one of these. Use another unique key, correct the file, "
        "import it into another domain, or confirm that they are the same customers."
    ),
    EXCHANGED_NAME_ROWS: (
        "Many rows would exchange the first and last name of their customers. Correct the file, map its columns the "
        "other way round, or confirm that its names are right."
    ),
    SHARED_KEY_ROWS: (
        "Many rows would create profiles of their own, although their unique key is in a different field of "
        "another profile. Map the column of the unique key to that field, or confirm that they are different customers."
    ),
    KEY_FORM_ROWS: (
        "The unique keys of the rows have another form than those of the domain, so that the rows would create new "
        "profiles. Write the keys as in the domain, or confirm that they are different customers."
    ),
    TAKEN_EMAIL_ROWS: (
        "Many rows would give their customers the email addresses of other customers. Correct the file, or confirm "
        "that its addresses are right."
    ),
    OLDER_ROWS: (
        "Many rows would replace values of customers by older ones, according to a date, or a mark of the newest row. "
        "Sort the file so that the newest row of a customer is the last one, or confirm that the older values are "
        "right."
    ),
    EXCHANGED_VALUES: (
        "Many rows would exchange the values of two fields. Correct the file, map its columns the other way round, or "
        "confirm that its values are right."
    ),
    TAKEN_VALUES: (
        "Many rows would give their customers values that other customers have had so far, as if a column had been "
        "sorted alone. Correct the file, or confirm that its values are right."
    ),
    DAMAGED_VALUES: (
        "Many rows would replace values by damaged forms of them, such as texts without their accents. Export the "
        "values again, or confirm that they are right."
    ),
    SHORTENED_VALUES: (
        "Many rows would replace numbers by the same numbers without their leading zeros. Export the columns of these "
        "numbers as text, or confirm that they are right without the zeros."
    ),
}

MAX_LINES = 20
# At or above both of these, rows are doubtful: a few customers whose address is in two fields are normal.
_DOUBTFUL_COUNT = 20
_DOUBTFUL_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice.

    Attributes:
        code: what was noticed, one of the constants above.
        path: the field of the profile that it is about; None for the rows as a whole.
        count: how many rows.
        lines: the lines of the first rows.
        is_doubtful: whether there are enough such rows that the user should decide about them first.
        others: for each of the lines, the other customer: "line 3" or "profile ...". Empty where there is only the row.
    """

    code: str
    path: str | None
    count: int
    lines: tuple[int, ...]
    is_doubtful: bool = False
    others: tuple[str, ...] = ()

    def to_json(self) -> list[Any]:
        return [self.code, self.path, self.count, list(self.lines), self.is_doubtful, list(self.others)]

    @classmethod
    def from_json(cls, stored: list[Any]) -> Notice:
        code, path, count, lines, is_doubtful, others = stored
        return cls(code, path, count, tuple(lines), is_doubtful, tuple(others))


def with_more(notices: Iterable[Notice], more: Iterable[Notice]) -> list[Notice]:
    """Add later notices to those of the same code and field."""
    by_subject = {(notice.code, notice.path): notice for notice in notices}
    for later in more:
        notice = by_subject.get((later.code, later.path), replace(later, count=0, lines=(), others=()))
        examples = [*zip_longest(notice.lines, notice.others), *zip_longest(later.lines, later.others)]
        examples = sorted(dict(reversed(examples)).items())[:MAX_LINES]
        by_subject[later.code, later.path] = replace(
            notice,
            count=notice.count + later.count,
            is_doubtful=notice.is_doubtful or later.is_doubtful,
            lines=tuple(line for line, _ in examples),
            others=tuple(other for _, other in examples if other is not None),
        )
    return list(by_subject.values())


def is_doubtful(count: int, of_count: int) -> bool:
    """Return whether the user should decide about these rows first.

    Args:
        of_count: how many rows create a profile, or how many update one, of which these are a part.
    """
    return count >= _DOUBTFUL_COUNT and count > _DOUBTFUL_SHARE * of_count


def describe_refusal(notices: Iterable[Notice]) -> str | None:
    """Describe why a job should not load doubtful rows, and what to do; None if it has none."""
    codes = {notice.code: None for notice in notices if notice.is_doubtful}
    return _REFUSAL + " ".join(_REFUSED[code] for code in codes) if codes else None


def is_refusal(message: str | None) -> bool:
    """Return whether ``describe_refusal`` has made this message of a failed job."""
    return message is not None and message.startswith(tuple(_REFUSAL + reason for reason in _REFUSED.values()))
