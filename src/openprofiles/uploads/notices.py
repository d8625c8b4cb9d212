"""Notices of a load: rows and lines with an outcome that the user may not expect, such as a skipped title.

A notice is not an error: no row fails for it. Stored with the job as a short list, so it names only the first lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from openprofiles.profiles.standard_profile import KEY_PATHS, PHONE_KEY

# Rows that overwrote values of a customer with another name: a stored one, or one of an earlier row.
OTHER_NAME_ROWS = "OtherNameRows"
# Rows of a file without names that did so, as the email address, the phone numbers and the date of birth show.
OTHER_CUSTOMER_ROWS = "OtherCustomerRows"
# Rows that exchanged the first and last name of a customer.
EXCHANGED_NAME_ROWS = "ExchangedNameRows"
# Rows that created a profile, although their unique key is in another field of a profile.
SHARED_KEY_ROWS = "SharedKeyRows"
# Rows with fewer cells than the header, whose last cells were taken for blank.
SHORT_ROWS = "ShortRows"
# Rows with more cells than the header, all of them blank, in a file in which most rows have none.
WIDE_ROWS = "WideRows"
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
# Rows with text that was decoded with the wrong encoding, or escaped, before the file was written.
MISREAD_ROWS = "MisreadRows"
# The last row, if the file seems to be cut off in its unique key.
CUT_OFF_FILE = "CutOffFile"
# Rows that created a profile, although another customer has the same email address, account number, or phone number and
# name, or nearly the same unique key.
SAME_EMAIL_ROWS = "SameEmailRows"
SAME_ACCOUNT_ROWS = "SameAccountRows"
SAME_PHONE_ROWS = "SamePhoneRows"
SIMILAR_KEY_ROWS = "SimilarKeyRows"
# Rows that replaced values by older ones, according to a date of the last change.
OLDER_ROWS = "OlderRows"
# Rows that gave a stored profile the email address of another one.
TAKEN_EMAIL_ROWS = "TakenEmailRows"
# Rows that store a placeholder, such as NULL, as the value of a field.
PLACEHOLDER_VALUES = "PlaceholderValues"
# Rows with a number that lost digits in a spreadsheet: in a field, where it may have replaced the same number with
# leading zeros; or, without a field, in the unique key.
SHORTENED_VALUES = "ShortenedValues"

# Rows that exchange the value of a field with that of another field.
EXCHANGED_VALUES = "ExchangedValues"
# Rows with a date of birth that is the number of a day, or in the future.
UNLIKELY_DATES = "UnlikelyDates"
# Rows that replace the value of a field by a damaged form of it, such as one without its accents.
DAMAGED_VALUES = "DamagedValues"

# Why a job failed that should not load doubtful rows, by the code of the notice.
_REFUSAL = "Nothing was loaded. "
_REFUSED = {
    OTHER_NAME_ROWS: (
        "Many rows would overwrite values of customers with different names. Use another unique key, correct the file, "
        "import it into another domain, or confirm that they are the same customers."
    ),
    OTHER_CUSTOMER_ROWS: (
        "Many rows would replace at least two of the email address, the phone numbers and the date of birth of their "
        "customers, and keep no other one of these. Use another unique key, correct the file, import it into another "
        "domain, or confirm that they are the same customers."
    ),
    EXCHANGED_NAME_ROWS: (
        "Many rows would exchange the first and last name of their customers. Correct the file, map its columns the "
        "other way round, or confirm that its names are right."
    ),
    SHARED_KEY_ROWS: (
        "Many rows would create profiles of their own, although their unique key is in a different field of "
        "another profile. Map the column of the unique key to that field, or confirm that they are different customers."
    ),
    TAKEN_EMAIL_ROWS: (
        "Many rows would give their customers the email addresses of other customers. Correct the file, or confirm "
        "that its addresses are right."
    ),
    OLDER_ROWS: (
        "Many rows would replace values of customers by older ones, according to their date of the last change. Sort "
        "the file by this date, the oldest first, or confirm that the older values are right."
    ),
    EXCHANGED_VALUES: (
        "Many rows would exchange the values of two fields. Correct the file, map its columns the other way round, or "
        "confirm that its values are right."
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

SHORT_ROWS_OPTION = "use --short-rows reject"

MAX_LINES = 20
# At or above both of these, rows are doubtful: a few customers whose address is in two fields are normal.
_DOUBTFUL_COUNT = 20
_DOUBTFUL_SHARE = 0.05
_LINES_IN_SENTENCE = 5


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


def notice_sentence(
    notice: Notice,
    key_header: str,
    label_of: Callable[[str], str] = str,
    *,
    short_rows_option: str = SHORT_ROWS_OPTION,
) -> str:
    """Describe a notice for people, with what to do.

    Args:
        key_header: the column of the unique key.
        label_of: the name of a field for the reader, from its path.
        short_rows_option: how the reader rejects rows that are too short.
    """
    lines = ", ".join(f"{line:,}" for line in notice.lines[:_LINES_IN_SENTENCE])
    more = ", ..." if notice.count > _LINES_IN_SENTENCE else ""
    where = f"{'line' if notice.count == 1 else 'lines'} {lines}{more}"
    if notice.others:
        pairs = [f"line {line:,} and {other}" for line, other in zip(notice.lines, notice.others, strict=True)]
        where = "; ".join(pairs[:_LINES_IN_SENTENCE]) + ("; ..." if more else "")
    is_one = notice.count == 1
    if notice.path is None:
        rows = "1 row" if is_one else f"{notice.count:,} rows"
        if notice.code == SKIPPED_LINES:
            lines = "1 line" if is_one else f"{notice.count:,} lines"
            return f"{lines} above the header {'was' if is_one else 'were'} skipped ({where})."
        if notice.code == BLANK_ROWS:
            return f"{rows} without values {'was' if is_one else 'were'} skipped ({where})."
        if notice.code == CUT_OFF_FILE:
            return (
                "The file may be cut off: it does not end with a line ending, and the value in column "
                f"{key_header!r} in its last row seems to be incomplete ({where}). If the file is cut off, load the "
                "whole file; if this import has already run, undo it first."
            )
        if notice.code == MISREAD_ROWS:
            return (
                f"{rows} {'has' if is_one else 'have'} text that a program seems to have decoded incorrectly or "
                f"escaped before it wrote the file, such as \u00c3\u00bc, ? or &uuml; instead of \u00fc ({where}). It "
                "is loaded as it is. Export the file again as plain text in UTF-8, or correct the text."
            )
        if notice.code == SWALLOWED_ROWS:
            return (
                f"{rows} {'has' if is_one else 'have'} a multi-line value, one line of which looks like a row of its "
                f"own ({where}). If a quotation mark is missing or not needed there, correct the file: otherwise the "
                "customers on these lines are only part of the value."
            )
        if notice.code == OTHER_NAME_ROWS:
            return (
                f"{rows} {'overwrites' if is_one else 'overwrite'} values of "
                f"{'a customer with a different name' if is_one else 'customers with different names'}: the value in "
                f"column {key_header!r} is the same, but the names have no word in common, other than titles and "
                f"words that many names have, or the names and the dates of birth differ "
                f"({where}). If they are different customers, use another unique key, "
                "correct the file, or import it into another domain."
            )
        if notice.code == OTHER_CUSTOMER_ROWS:
            return (
                f"{rows} {'overwrites' if is_one else 'overwrite'} values of "
                f"{'a customer who is probably another one' if is_one else 'customers who are probably other ones'}: "
                f"the value in column {key_header!r} is the same, but at least two of the email address, the phone "
                f"numbers and the date of birth differ, and none is the same ({where}). If they are different "
                "customers, use another unique key, correct the file, or import it into another domain."
            )
        if notice.code == EXCHANGED_NAME_ROWS:
            return (
                f"{rows} {'exchanges' if is_one else 'exchange'} the first and last name of "
                f"{'a customer' if is_one else 'customers'}: the value in column {key_header!r} is the same, and each "
                f"of the two names was the other one before ({where}). If the names were right before, correct the "
                "file, or map its columns the other way round."
            )
        if notice.code == SHORTENED_VALUES:
            return (
                f"{rows} have a number of 16 or more digits in column {key_header!r} that ends in zeros from the 16th "
                f"digit, as nearly all such numbers of the file do ({where}). A spreadsheet seems to have rounded "
                "them, so that different customers may have the same number. Export the column as text, then load the "
                "file again; if this import has already run, undo it first."
            )
        if notice.code == WIDE_ROWS:
            return (
                f"{rows} with more cells than the header {'was' if is_one else 'were'} loaded without the last cells, "
                f"which are blank ({where}). If a value there contains a delimiter and is not in quotation marks, the "
                "values after it are in the wrong columns: correct the file."
            )
        if notice.code == SPLIT_VALUE_ROWS:
            return (
                f"{rows} {'has' if is_one else 'have'} a value that begins with a blank, unlike most rows ({where}). "
                "If it is the end of the value before it, which contains a delimiter and is not in quotation marks, "
                "the values after it are in the wrong columns: correct the file."
            )
        if notice.code == SPARSE_ROWS:
            return (
                f"{rows} {'has' if is_one else 'have'} hardly any value besides the one in column {key_header!r}, "
                f"unlike most rows ({where}). If "
                f"{'it is a total, heading or note' if is_one else 'they are totals, headings or notes'} and not "
                f"{'a customer, remove this line' if is_one else 'customers, remove these lines'} from the file."
            )
        if notice.code == UNUSUAL_KEY_ROWS:
            return (
                f"{rows} {'has' if is_one else 'have'} a value in column {key_header!r} that looks unlike nearly all "
                f"others ({where}). If "
                f"{'it is not a customer' if is_one else 'they are not customers'} but, for example, descriptions of "
                f"the columns or rows that are commented out, remove {'this line' if is_one else 'these lines'} from "
                "the file."
            )
        return (
            f"{rows} with fewer cells than the header {'was' if is_one else 'were'} loaded, with the missing last "
            f"cells treated as blank ({where}). To reject such rows, {short_rows_option}."
        )
    if notice.code == PLACEHOLDER_VALUES:
        return (
            f"{'1 row has' if is_one else f'{notice.count:,} rows have'} a placeholder, such as NULL or #N/A, as the "
            f"value of {label_of(notice.path)} ({where}). It is stored like any other value; in an existing profile, "
            "it replaces the value there. If the customer has no such value, empty the cell and load the file "
            "again; to get back values that were replaced, undo the import first."
        )
    if notice.code == SHORTENED_VALUES:
        return (
            f"{'1 row has' if is_one else f'{notice.count:,} rows have'} a number that a spreadsheet has shortened, "
            "such as 4.91512E+11, or 1067, 1067.0 or 49351 instead of the 01067 or +49351 of a profile, as the value "
            f"of {label_of(notice.path)} ({where}), so some of its digits are lost. "
            "It is stored like any other value; in a profile that existed before, it replaces the value there. Export "
            "the column as text and load the file again; to get back values that were replaced, undo the import first."
        )
    if notice.code == UNLIKELY_DATES:
        return (
            f"{'1 row has' if is_one else f'{notice.count:,} rows have'} a {label_of(notice.path)} that is the number "
            f"of a day, such as 31391, or in the future ({where}), as a spreadsheet makes of dates. It is stored like "
            "any other value. Export the dates again in the form 1985-12-10; if this import has already run, undo it "
            "first."
        )
    if notice.code == EXCHANGED_VALUES:
        return (
            f"{'1 row exchanges' if is_one else f'{notice.count:,} rows exchange'} the value of a field, "
            f"{label_of(notice.path)}, with that of another one ({where}). If the values were right before, correct "
            "the file, or map its columns the other way round; if this import has already run, undo it first."
        )
    if notice.code == DAMAGED_VALUES:
        return (
            f"{'1 row replaces' if is_one else f'{notice.count:,} rows replace'} a value of "
            f"{label_of(notice.path)} by a damaged form of it ({where}): a text without its accents, with question "
            "marks instead of letters or cut off within a word, or a date as a number, with day and month exchanged or "
            "in another century. Export the values again, or leave the column out; if this import has already run, "
            "undo it first."
        )
    if notice.code == TAKEN_EMAIL_ROWS:
        return (
            f"{'1 row gives its customer' if is_one else f'{notice.count:,} rows give their customers'} the "
            f"{label_of(notice.path)} of another customer ({where}). If "
            f"{'it belongs' if is_one else 'these values belong'} to the other "
            f"{'customer' if is_one else 'customers'}, for example because a column of the file was sorted alone or "
            "has moved by a row, correct the file; if this import has already run, undo it first."
        )
    if notice.code == OLDER_ROWS:
        return (
            f"{'1 row is' if is_one else f'{notice.count:,} rows are'} older than the values that "
            f"{'it replaces' if is_one else 'they replace'}, according to {label_of(notice.path)} ({where}). If the "
            "newer values are right, sort the file by this date, the oldest first, and leave out customers who have "
            "changed since; if this import has already run, undo it first."
        )
    rows = "1 row creates a profile" if is_one else f"{notice.count:,} rows create profiles"
    existing = "a customer who probably exists already" if is_one else "customers who probably exist already"
    customers = "customer" if is_one else "customers"
    if notice.code in (SAME_EMAIL_ROWS, SAME_ACCOUNT_ROWS):
        return (
            f"{rows} for {existing}: another customer has the same {label_of(notice.path)} with a different value in "
            f"column {key_header!r} ({where}). They are not merged. If they are the same {customers}, use "
            f"{label_of(notice.path)} as the unique key, or correct the file."
        )
    if notice.code == SAME_PHONE_ROWS:
        return (
            f"{rows} for {existing}: another customer has the same {label_of(notice.path)}, first name and last name "
            f"with a different value in column {key_header!r} ({where}). They are not merged. If they are the same "
            f"{customers}, correct the values in column {key_header!r}, or use another unique key."
        )
    if notice.code == SIMILAR_KEY_ROWS and notice.path in KEY_PATHS[PHONE_KEY]:
        return (
            f"{rows} for {existing}: the phone number in column {key_header!r} is probably that of another customer, "
            "written without a + before its country code, with an international prefix that the country of the domain "
            f"does not have, or with a (0) ({where}). They are not merged. If they are the same {customers}, write "
            "the numbers with a + and the country code everywhere."
        )
    if notice.code == SIMILAR_KEY_ROWS:
        return (
            f"{rows} for {existing}: the value in column {key_header!r} differs from that of another customer only in "
            "upper or lower case, leading zeros, zeros after the decimal point, thousands separators, dashes or "
            "blanks, an apostrophe or # before it, the format of a GUID or Salesforce ID, or invisible characters "
            f"({where}). They are not merged. If they are the same {customers}, write the value "
            "the same way everywhere."
        )
    return (
        f"{rows} of {'its' if is_one else 'their'} own, although the value in column {key_header!r} is also in the "
        f"field {label_of(notice.path)} of another profile ({where}). If they are the same {customers}, map column "
        f"{key_header!r} to {label_of(notice.path)}."
    )
