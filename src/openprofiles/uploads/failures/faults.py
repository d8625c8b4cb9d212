"""Why a record was not loaded: the codes, closed and documented, and the sentence for each.

A sentence never holds a value of the file; the column's header and numbers say enough to find it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openprofiles.profiles.standard_profile import PROFILE_TYPES

if TYPE_CHECKING:
    # The loader, which starts for each job, needs the codes alone, and not what the queries need.
    from openprofiles.store.upload_jobs import RowFault

MISSING_UNIQUE_KEY = "MISSING_UNIQUE_KEY"
AMBIGUOUS_UNIQUE_KEY = "AMBIGUOUS_UNIQUE_KEY"
TOO_MANY_CELLS = "TOO_MANY_CELLS"
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
RECORD_TOO_LONG = "RECORD_TOO_LONG"


_SENTENCES = {
    MISSING_UNIQUE_KEY: (
        "The unique key, column {column}, is blank or holds nothing to find a customer by. Every row needs one."
    ),
    AMBIGUOUS_UNIQUE_KEY: (
        "The unique key, column {column}, is held by {detail} profiles, so the row cannot be given to one of them. "
        "Remove the duplicates or use another unique key."
    ),
    TOO_MANY_CELLS: (
        "The row has a value in cell {detail}, beyond the last column of the header. A delimiter inside a value needs "
        "quotes around the value."
    ),
    VALUE_TOO_LONG: "The value in column {column} has {detail} characters, more than its field takes.",
    VALUE_NOT_ALLOWED: "The value in column {column} is not one that its field takes: "
    + " or ".join(PROFILE_TYPES)
    + ".",
    NOT_AN_EMAIL_ADDRESS: "The value in column {column} is no e-mail address.",
    NOT_A_PHONE_NUMBER: "The value in column {column} is no phone number.",
    NOT_A_NUMBER: "The value in column {column} is no number.",
    NOT_A_DATE: "The value in column {column} is no date. Write it as 1985-12-10.",
    NOT_ONE_OF: "The value in column {column} is none of those that were said to be possible.",
    PATTERN_MISMATCH: "The value in column {column} does not match the pattern that was given for it.",
    PROFILE_EXISTS: (
        "A profile with this unique key, column {column}, is there already, perhaps from an earlier row, and the job "
        "only creates profiles."
    ),
    NO_PROFILE: "No profile has this unique key, column {column}, and the job only updates profiles.",
    MALFORMED_QUOTES: (
        "A quote stands where none may: after a closing quote only a delimiter or the end of the row may follow. "
        "Inside a quoted value, write a quote twice."
    ),
    NUL_BYTE: "The row holds a NUL byte, which no text has. Remove it.",
    INVALID_UTF8: (
        "The row holds bytes that are no text in the encoding of the file. Save it as UTF-8, or give its encoding."
    ),
    RECORD_TOO_LONG: "The row is longer than 1 MiB. Perhaps a double quote was opened and not closed.",
}

CODES = tuple(_SENTENCES)

# Of those sentences that have a number of one row in them, what holds for all rows.
_SENTENCES_FOR_MANY = {
    AMBIGUOUS_UNIQUE_KEY: (
        "The unique key, column {column}, is held by several profiles, so the row cannot be given to one of them. "
        "Remove the duplicates or use another unique key."
    ),
    TOO_MANY_CELLS: (
        "The row has a value beyond the last column of the header. A delimiter inside a value needs quotes around the "
        "value."
    ),
    VALUE_TOO_LONG: "The value in column {column} has more characters than its field takes.",
}


def sentence_for(fault: RowFault) -> str:
    """What a person is told about a fault."""
    return _SENTENCES[fault.code].format(column=fault.column_name, detail=fault.detail)


def sentence_for_many(code: str, column_name: str | None) -> str:
    """What a person is told about all rows that have a fault of this code in this column."""
    return _SENTENCES_FOR_MANY.get(code, _SENTENCES[code]).format(column=column_name)
