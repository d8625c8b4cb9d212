"""What people read about a notice, and what they can do."""

from __future__ import annotations

import re
from collections.abc import Callable

from openprofiles.facts.standard_profile import KEY_PATHS, PHONE_KEY
from openprofiles.uploads import notices as codes
from openprofiles.uploads.notices import Notice

# The rest of the sentence "To reject such rows, ...".
SHORT_ROWS_OPTION = "use --short-rows reject"
CONSOLE_SHORT_ROWS_OPTION = "set “Rows that are too short” to “They fail” in the import options"

_LINES_IN_SENTENCE = 5
_ONE_OR_MORE = re.compile(r"\[([^|\]]*)\|([^\]]*)\]")

_NEW_CUSTOMERS = (
    "[1 row creates a profile for a customer who probably exists already|"
    "{count} rows create profiles for customers who probably exist already]"
)
_IF_THE_SAME = "({where}). They are not merged. If they are the same [customer|customers],"
_SAME_PERSONS = (
    f"{_NEW_CUSTOMERS}: another customer has the same {{field}}, first name and last name with a different value in "
    f"column {{key}} {_IF_THE_SAME} correct the values in column {{key}}, or use another unique key."
)
_UNDO_FIRST = "if this import has already run, undo it first."
# By code, in the present tense, since a preview has them, too. ``[1 row|{count} rows]`` depends on the number of rows.
# ``where`` has the first lines, ``key`` is the column of the unique key, and ``field`` the name of the field.
_SENTENCES = {
    codes.SKIPPED_LINES: "[1 line|{count} lines] above the header [is|are] skipped ({where}).",
    codes.BLANK_ROWS: "[1 row|{count} rows] without values [is|are] skipped ({where}).",
    codes.CUT_OFF_FILE: (
        "The file may be cut off: it does not end with a line ending, and the value in column {key} in its last row "
        f"seems to be incomplete ({{where}}). If the file is cut off, load the whole file; {_UNDO_FIRST}"
    ),
    codes.MISREAD_ROWS: (
        "[1 row has|{count} rows have] text that a program seems to have decoded incorrectly, escaped, put into "
        "typographic quotation marks or formatted for a web page before it wrote the file, such as \u00c3\u00bc, ? or "
        "&uuml; for \u00fc, \u201cAna\u201d or <b>Ana</b> for Ana, and <br> or _x000D_ for a line break ({where}). "
        "It is loaded as it is. Export the file again as plain text in UTF-8, or correct the text."
    ),
    codes.SWALLOWED_ROWS: (
        "[1 row has|{count} rows have] a multi-line value, one line of which looks like a row of its own ({where}). "
        "If a quotation mark is missing or not needed there, correct the file: otherwise the customers on these lines "
        "are only part of the value."
    ),
    codes.OTHER_NAME_ROWS: (
        "[1 row overwrites|{count} rows overwrite] values of [a customer with a different name|customers with "
        "different names] ({where}). The value in column {key} is the same, but the names share no word, or the names "
        "and the dates of birth differ. Titles and words that many names have do not count. If they are different "
        "customers, use another unique key, correct the file, or import it into another domain."
    ),
    codes.OTHER_CUSTOMER_ROWS: (
        "[1 row overwrites|{count} rows overwrite] values of [a customer who is probably another one|customers who "
        "are probably other ones]: the value in column {key} is the same, but at least two of the email address, the "
        "phone numbers and the date of birth differ, and none is the same ({where}). If they are different customers, "
        "use another unique key, correct the file, or import it into another domain."
    ),
    codes.EXCHANGED_NAME_ROWS: (
        "[1 row exchanges|{count} rows exchange] the first and last name of [a customer|customers]: the value in "
        "column {key} is the same, and each of the two names was the other one before ({where}). If the names were "
        "right before, correct the file, or map its columns the other way round."
    ),
    codes.REVERSED_NAME_ROWS: (
        "[1 row has|{count} rows have] a first name that is a last name in other rows of the file, and a last name "
        "that is a first name there ({where}). If the two names are in each other's columns, correct the file; "
        f"{_UNDO_FIRST}"
    ),
    codes.WIDE_ROWS: (
        "[1 row|{count} rows] with more cells than the header [is|are] loaded without the last cells, which are "
        "blank ({where}). If a value there contains a delimiter and is not in quotation marks, the values after it "
        "are in the wrong columns: correct the file."
    ),
    codes.UNUSED_COLUMN: (
        "The object type has no field for the column {field}. It is kept in the objects, but fills nothing in profiles."
    ),
    codes.SPLIT_VALUE_ROWS: (
        "[1 row has|{count} rows have] a value that begins with a blank, unlike most rows ({where}). If it is the end "
        "of the value before it, which contains a delimiter and is not in quotation marks, the values after it are in "
        "the wrong columns: correct the file."
    ),
    codes.SPARSE_ROWS: (
        "[1 row has|{count} rows have] hardly any value besides the one in column {key}, unlike most rows ({where}). "
        "If [it is a total, heading or note|they are totals, headings or notes] and not [a customer, remove this "
        "line|customers, remove these lines] from the file."
    ),
    codes.UNUSUAL_KEY_ROWS: (
        "[1 row has|{count} rows have] a value in column {key} that looks unlike nearly all others ({where}). If [it "
        "is not a customer|they are not customers] but, for example, descriptions of the columns or rows that are "
        "commented out, remove [this line|these lines] from the file."
    ),
    codes.SHORT_ROWS: (
        "[1 row|{count} rows] with fewer cells than the header [is|are] loaded, with the missing last cells treated "
        "as blank ({where}). To reject such rows, {short_rows_option}."
    ),
    codes.PLACEHOLDER_VALUES: (
        "[1 row has|{count} rows have] a placeholder, such as NULL, #N/A or 0/0/00, as the value of {field} ({where}). "
        "It is stored like any other value; in an existing profile, it replaces the value there. If the customer has "
        f"no such value, empty the cell and load the file again; {_UNDO_FIRST}"
    ),
    codes.SHORTENED_VALUES: (
        "[1 row has|{count} rows have] a number that a spreadsheet has changed, such as 4.91512E+11, or 1067, 1067.0 "
        "or 49351 instead of 01067 or +49351, as the value of {field} ({where}), so some of its digits may be lost. It "
        "is stored like any other value; in a profile that existed before, it replaces the value there. Export the "
        f"column as text, or postal codes in the number format 00000, and load the file again; {_UNDO_FIRST}"
    ),
    codes.DELETED_ROWS: (
        "[1 row is|{count} rows are] marked as deleted by {field} ({where}), but [is|are] loaded like the others: "
        "a file creates and updates customers and deletes none. Remove [this line|these lines] from the file, and "
        f"delete the [customer|customers] in another way; {_UNDO_FIRST}"
    ),
    codes.CODE_DATES: (
        "[1 row has|{count} rows have] a date such as 1-Mar or Mar-01 as the value of {field}, unlike the codes in "
        "other rows ({where}). Spreadsheets make such dates of codes such as MAR1 or 1-3. It is loaded like any other "
        f"value. Export the column as text; {_UNDO_FIRST}"
    ),
    codes.CUT_OFF_VALUES: (
        "{count} rows have a value of {field} that is exactly as long as the longest one ({where}), and few are nearly "
        "as long: a program with short fields seems to have cut them off. They are loaded as they are. If text is "
        f"missing, export the whole values; {_UNDO_FIRST}"
    ),
    codes.UNLIKELY_DATES: (
        "[1 row has|{count} rows have] a {field} that is the number of a day, such as 31391, in the future, or with "
        "day and month exchanged, compared with other rows ({where}). Spreadsheets write such dates. It is stored "
        f"like any other value. Export the dates again in the form 1985-12-10; {_UNDO_FIRST}"
    ),
    codes.EXCHANGED_VALUES: (
        "[1 row exchanges|{count} rows exchange] the value of a field, {field}, with that of another one ({where}). "
        "If the values were right before, correct the file, or map its columns the other way round; "
        f"{_UNDO_FIRST}"
    ),
    codes.TAKEN_VALUES: (
        "{count} rows give their customers a value of {field} that another customer of the file had before ({where}). "
        "If a column of the file was sorted alone or has moved by a row, so that its values belong to other customers, "
        f"correct the file; {_UNDO_FIRST}"
    ),
    codes.DAMAGED_VALUES: (
        "[1 row replaces|{count} rows replace] a value of {field} by a damaged form of it, or by one that says less "
        "({where}). Examples are a text without its accents, in capital letters, cut off or masked, a date as a "
        "number, without its century or in another one, -, 0 or 0/0/00, a phone number without its area code, and a "
        f"whole name as a first name. Export the values again, or leave the column out; {_UNDO_FIRST}"
    ),
    codes.MIXED_ADDRESSES: (
        "{count} rows change the street and the city or postal code of an address, but have no value for {field}, "
        "which keeps the one of the old address ({where}). If this is wrong, map the column that is missing, or load "
        f"the file with the option that blank cells clear fields; {_UNDO_FIRST}"
    ),
    codes.TAKEN_EMAIL_ROWS: (
        "[1 row gives its customer|{count} rows give their customers] the {field} of another customer ({where}). If "
        "[it belongs|these values belong] to the other [customer|customers], for example because a column of the file "
        f"was sorted alone or has moved by a row, correct the file; {_UNDO_FIRST}"
    ),
    codes.OLDER_ROWS: (
        "[1 row is|{count} rows are] older than the values that [it replaces|they replace], according to {field} "
        "({where}). If the newer values are right, sort the file so that the newest row of a customer is the last one, "
        f"and leave out customers who have changed since; {_UNDO_FIRST}"
    ),
    codes.SAME_PHONE_ROWS: _SAME_PERSONS,
    codes.SAME_NAME_ROWS: _SAME_PERSONS,
    codes.SIMILAR_KEY_ROWS: (
        f"{_NEW_CUSTOMERS}: the value in column {{key}} differs from that of another customer only in upper or lower "
        "case, leading zeros, zeros after the decimal point, thousands separators, dashes or blanks, an apostrophe or "
        f"# before it, the format of a GUID or Salesforce ID, or invisible characters {_IF_THE_SAME} write the value "
        "the same way everywhere."
    ),
    codes.KEY_FORM_ROWS: (
        "{count} rows create profiles, and nearly all values in column {key} have another form than those in the "
        "domain, as CUST-1001 and 1001 have ({where}). If they are the same customers, write the values the same way "
        f"everywhere; {_UNDO_FIRST}"
    ),
    codes.SHARED_KEY_ROWS: (
        "[1 row creates a profile of its|{count} rows create profiles of their] own, although the value in column "
        "{key} is also in the field {field} of another profile ({where}). If they are the same [customer|customers], "
        "map column {key} to {field}."
    ),
} | dict.fromkeys(
    (codes.SAME_EMAIL_ROWS, codes.SAME_ACCOUNT_ROWS),
    f"{_NEW_CUSTOMERS}: another customer has the same {{field}} with a different value in column {{key}} "
    f"{_IF_THE_SAME} use {{field}} as the unique key, or correct the file.",
)
_UNKNOWN = "A newer version of the program has found something about [1 row|{count} rows] ({where})."
_ROUNDED_KEYS = (
    "{count} rows have a number of 16 or more digits in column {key} that is probably rounded, as nearly all such "
    "numbers of the file are ({where}): by a spreadsheet, which keeps 15 digits, or by a program that reads numbers as "
    "floats, as JavaScript does. So different customers may have the same number. Export the column as text, then load "
    f"the file again; {_UNDO_FIRST}"
)
_WHOLE_NAMES = (
    "[1 row has|{count} rows have] the whole name of the customer as the {field} ({where}). Split such names into the "
    f"columns of the first and last name, or leave the column out; {_UNDO_FIRST}"
)
_MARKED_VALUES = (
    "[1 row has|{count} rows have] a value of {field} that begins with a mark such as ' or p:, as nearly all values in "
    "the column do ({where}). Programs put such marks in front of numbers, for example so that spreadsheets keep them "
    f"as text. The values are loaded with them. Remove the marks and load the file again; {_UNDO_FIRST}"
)
_OTHER_EMAILS = (
    "{count} rows replace the {field} of their customer, although the value in column {key} is the same ({where}). "
    "These are nearly all rows that update a customer. If they are from another system, whose numbers mean different "
    f"customers, use another unique key, or import the file into another domain; {_UNDO_FIRST}"
)
_SIMILAR_PHONES = (
    f"{_NEW_CUSTOMERS}: the phone number in column {{key}} is probably that of another customer, written without a + "
    "before its country code, with an international prefix that the country of the domain does not have, with a (0), "
    f"or with the former 1 of Mexican mobile phones {_IF_THE_SAME} write the numbers with a + and the country code "
    "everywhere."
)


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
    sentence = _SENTENCES.get(notice.code, _UNKNOWN)
    if notice.code == codes.SHORTENED_VALUES and notice.path is None:
        sentence = _ROUNDED_KEYS
    elif notice.code == codes.REVERSED_NAME_ROWS and notice.path is not None:
        sentence = _WHOLE_NAMES
    elif notice.code == codes.MISREAD_ROWS and notice.path is not None:
        sentence = _MARKED_VALUES
    elif notice.code == codes.OTHER_CUSTOMER_ROWS and notice.path is not None:
        sentence = _OTHER_EMAILS
    elif notice.code == codes.SIMILAR_KEY_ROWS and notice.path in KEY_PATHS[PHONE_KEY]:
        sentence = _SIMILAR_PHONES
    return _ONE_OR_MORE.sub(lambda forms: forms[1 if notice.count == 1 else 2], sentence).format(
        count=f"{notice.count:,}",
        where=_where(notice),
        key=repr(key_header),
        field=_subject(notice, label_of),
        short_rows_option=short_rows_option,
    )


def _subject(notice: Notice, label_of: Callable[[str], str]) -> str | None:
    if notice.path is None:
        return None
    return repr(notice.path) if notice.code == codes.UNUSED_COLUMN else label_of(notice.path)


def _where(notice: Notice) -> str:
    has_more = notice.count > _LINES_IN_SENTENCE
    if notice.others:
        pairs = [f"line {line:,} and {other}" for line, other in zip(notice.lines, notice.others, strict=True)]
        return "; ".join(pairs[:_LINES_IN_SENTENCE]) + ("; ..." if has_more else "")
    lines = ", ".join(f"{line:,}" for line in notice.lines[:_LINES_IN_SENTENCE])
    return f"{'line' if notice.count == 1 else 'lines'} {lines}{', ...' if has_more else ''}"
