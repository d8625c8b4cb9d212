"""Define why a row fails: the codes, closed and documented, and the sentence for each.

A sentence never contains a value of the file; the column's header and numbers are enough to find it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openprofiles.facts.standard_profile import MAX_ADDITIONAL_INFORMATION_LENGTH, MAX_VALUE_LENGTH, PROFILE_TYPES

if TYPE_CHECKING:
    # The loader, which starts for each job, needs only the codes, and not what the queries need.
    from openprofiles.store.upload_jobs import RowFault

MISSING_UNIQUE_KEY = "MISSING_UNIQUE_KEY"
PLACEHOLDER_KEY = "PLACEHOLDER_KEY"
SHORTENED_NUMBER = "SHORTENED_NUMBER"
REPEATED_HEADER = "REPEATED_HEADER"
BROKEN_ROW = "BROKEN_ROW"
AMBIGUOUS_UNIQUE_KEY = "AMBIGUOUS_UNIQUE_KEY"
TOO_MANY_CELLS = "TOO_MANY_CELLS"
SHIFTED_CELLS = "SHIFTED_CELLS"
VALUE_TOO_LONG = "VALUE_TOO_LONG"
VALUE_NOT_ALLOWED = "VALUE_NOT_ALLOWED"
NOT_AN_EMAIL_ADDRESS = "NOT_AN_EMAIL_ADDRESS"
NOT_A_PHONE_NUMBER = "NOT_A_PHONE_NUMBER"
NOT_A_NUMBER = "NOT_A_NUMBER"
NOT_A_DATE = "NOT_A_DATE"
NOT_ONE_OF = "NOT_ONE_OF"
PATTERN_MISMATCH = "PATTERN_MISMATCH"
PROFILE_EXISTS = "PROFILE_EXISTS"
NO_PROFILE = "NO_PROFILE"
MALFORMED_QUOTES = "MALFORMED_QUOTES"
NUL_BYTE = "NUL_BYTE"
INVALID_UTF8 = "INVALID_UTF8"
SURPLUS_LEFT = "SURPLUS_LEFT"
RECORD_TOO_LONG = "RECORD_TOO_LONG"
# Of rows that are objects.
NOT_AN_OBJECT = "NOT_AN_OBJECT"
MISSING_KEY = "MISSING_KEY"
PLACEHOLDER_IN_KEY = "PLACEHOLDER_IN_KEY"
SHORTENED_IN_KEY = "SHORTENED_IN_KEY"
KEY_TOO_LONG = "KEY_TOO_LONG"
FIELD_TOO_LONG = "FIELD_TOO_LONG"
NOT_TEXT = "NOT_TEXT"
NOT_COMPUTABLE = "NOT_COMPUTABLE"
AMBIGUOUS_KEYS = "AMBIGUOUS_KEYS"
NO_PROFILE_FOUND = "NO_PROFILE_FOUND"
AMBIGUOUS_STANDARD_OBJECT = "AMBIGUOUS_STANDARD_OBJECT"


_LONGEST = f"A field takes {MAX_VALUE_LENGTH} characters, AdditionalInformation {MAX_ADDITIONAL_INFORMATION_LENGTH:,}."

EMPTY_SURPLUS = "Put each value into its column, then empty openprofiles_surplus."

_SENTENCES = {
    MISSING_UNIQUE_KEY: (
        "The unique key, column {column}, is empty, so the customer can't be identified. Every row needs one."
    ),
    PLACEHOLDER_KEY: (
        "The unique key, column {column}, is a placeholder such as NULL or n/a, so the customer can't be identified. "
        "Every row needs a value of its own."
    ),
    SHORTENED_NUMBER: (
        "The unique key, column {column}, is a number that a spreadsheet has shortened, such as 4.91512E+11, so some "
        "of its digits are lost. Export the column as text, then load the file again."
    ),
    REPEATED_HEADER: "The row repeats the header of the file. Remove this row.",
    BROKEN_ROW: (
        "The row has fewer cells ({detail}) than the header. Perhaps a line break in a value has broken it: put "
        "quotation marks around such a value. To load rows with fewer cells as they are, use --short-rows load."
    ),
    AMBIGUOUS_UNIQUE_KEY: (
        "{detail} profiles have this unique key, column {column}, so it is unclear which one the row belongs to. "
        "Remove the duplicates or use another unique key."
    ),
    TOO_MANY_CELLS: (
        "The row has a value in cell {detail}, beyond the last column of the header. If a value contains a delimiter, "
        "put quotation marks around the value."
    ),
    SHIFTED_CELLS: (
        "The values of the row do not look like those of the other rows, so they are probably in the wrong columns. "
        "If a value contains a delimiter, put quotation marks around the value. If a cell was deleted, insert a blank "
        "one in its place. If the row is correct, remove the blank at the beginning of a value, and the delimiter at "
        "the end of the row."
    ),
    VALUE_TOO_LONG: (
        f"The value in column {{column}} has {{detail}} characters, which is too long for its field. {_LONGEST}"
    ),
    VALUE_NOT_ALLOWED: "The value in column {column} must be " + " or ".join(PROFILE_TYPES) + ".",
    NOT_AN_EMAIL_ADDRESS: "The value in column {column} is not a valid email address.",
    NOT_A_PHONE_NUMBER: "The value in column {column} is not a valid phone number.",
    NOT_A_NUMBER: "The value in column {column} is not a number.",
    NOT_A_DATE: "The value in column {column} is not a valid date. Write it as 1985-12-10.",
    NOT_ONE_OF: "The value in column {column} is not one of the allowed values.",
    PATTERN_MISMATCH: "The value in column {column} does not match the required pattern.",
    PROFILE_EXISTS: (
        "A profile with this unique key, column {column}, already exists, perhaps from an earlier row, and the job "
        "only creates profiles."
    ),
    NO_PROFILE: "No profile has this unique key, column {column}, and the job only updates profiles.",
    MALFORMED_QUOTES: (
        "Unexpected quotation mark: after a closing one, only a delimiter or the end of the row may follow. Inside a "
        "quoted value, write it twice."
    ),
    NUL_BYTE: "The row contains a NUL byte, which is not valid in text. Remove it.",
    SURPLUS_LEFT: (
        f"The row had more cells than the header, and openprofiles_surplus has those beyond it. {EMPTY_SURPLUS}"
    ),
    INVALID_UTF8: (
        "The row contains characters that are not valid in the encoding of the file. Save the file as UTF-8, name "
        "its encoding, or type these characters again."
    ),
    RECORD_TOO_LONG: "The row is longer than 1 MiB. Perhaps a quotation mark is opened and never closed.",
    NOT_AN_OBJECT: "The row is not a JSON object on a line of its own, or has more than 256,000 bytes.",
    MISSING_KEY: "The object has no value for a key that it needs: {column}.",
    PLACEHOLDER_IN_KEY: (
        "The value of {column}, from which a key is made, is a placeholder such as NULL or n/a, so it can't identify a "
        "customer or an object."
    ),
    SHORTENED_IN_KEY: (
        "The value of {column}, from which a key is made, is a number that a spreadsheet has shortened, such as "
        "4.91512E+11, so some of its digits are lost. Export it as text, then load the file again."
    ),
    KEY_TOO_LONG: "The value of the key {column} is longer than 255 characters.",
    FIELD_TOO_LONG: f"The value of {{column}} is too long for its target. {_LONGEST}",
    NOT_TEXT: ("The value of {column} contains the character U+0000 or half of a surrogate pair, which is not text."),
    NOT_COMPUTABLE: "The value of {column} cannot be computed: its source has a result that is too long.",
    AMBIGUOUS_KEYS: (
        "Every key of the object finds several profiles, so it is unclear which one it belongs to. Remove the "
        "duplicates or send another key."
    ),
    NO_PROFILE_FOUND: (
        "No key of the object finds a profile, and its object type does not create profiles. Load the profiles first, "
        "or allow the object type to create them."
    ),
    AMBIGUOUS_STANDARD_OBJECT: (
        "A key of the object finds several standard objects of its profile, so it is unclear which one it belongs to."
    ),
}

CODES = tuple(_SENTENCES)

# For sentences that contain a number of one row: a sentence for all rows.
_SENTENCES_FOR_MANY = {
    BROKEN_ROW: (
        "The row has fewer cells than the header. Perhaps a line break in a value has broken it: put quotation marks "
        "around such a value. To load rows with fewer cells as they are, use --short-rows load."
    ),
    AMBIGUOUS_UNIQUE_KEY: (
        "Several profiles have this unique key, column {column}, so it is unclear which one the row belongs to. Remove "
        "the duplicates or use another unique key."
    ),
    TOO_MANY_CELLS: (
        "The row has a value beyond the last column of the header. If a value contains a delimiter, put quotation "
        "marks around the value."
    ),
    VALUE_TOO_LONG: f"The value in column {{column}} is too long for its field. {_LONGEST}",
}


def sentence_for(fault: RowFault) -> str:
    """Describe a fault to a person."""
    if fault.detail is None:
        return sentence_for_many(fault.code, fault.column_name)
    return _SENTENCES[fault.code].format(column=fault.column_name, detail=fault.detail)


def sentence_for_many(code: str, column_name: str | None) -> str:
    """Describe for people an error of many rows, by code and column."""
    return _SENTENCES_FOR_MANY.get(code, _SENTENCES[code]).format(column=column_name)
