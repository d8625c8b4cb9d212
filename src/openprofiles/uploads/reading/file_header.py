"""Read the names of the columns from the beginning of a file, before there is an upload job."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from openprofiles.errors import InvalidRequest
from openprofiles.uploads.failures.own_columns import has_apostrophes
from openprofiles.uploads.failures.spreadsheet_texts import remove_apostrophe
from openprofiles.uploads.mappings.header_names import names_field
from openprofiles.uploads.mappings.value_kinds import ValueKind, clear_kind
from openprofiles.uploads.reading.cells import MalformedQuotesError, split_record
from openprofiles.uploads.reading.file_form import MAX_COLUMNS, NO_HEADER, OBJECT_COLUMN, FileForm
from openprofiles.uploads.reading.records import Header, Kind, NoHeaderError, Scanner, UnclosedQuoteError
from openprofiles.uploads.reading.text_formulas import text_of_formula

_EMPTY_FILE_MESSAGE = "The file is empty. Its first row must be the header with the names of the columns."
_USUAL_FORM = FileForm()
_MOST_COLUMNS_SHOWN = 100

_NO_TEXT = {
    Kind.INVALID_UTF8: "contains characters that are not valid in the file's encoding.",
    Kind.NUL_BYTE: "contains NUL bytes, which are not valid in text.",
}
_FAULTS = {
    Kind.RECORD_TOO_LONG: "is longer than 1 MiB. Perhaps a double quote was opened and not closed.",
    Kind.MALFORMED_QUOTES: "has a double quote where none is allowed.",
}


class HeaderNotText(InvalidRequest):
    """The header is not valid text in the file's encoding.

    Attributes:
        reason: the message without what can be done about it, which depends on where the file is given.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} Save the file as UTF-8, or give its encoding.")
        self.reason = reason


def read_file_header(read: Callable[[int], bytes], form: FileForm = _USUAL_FORM) -> list[str]:
    """Read the names of all columns, in order; a byte order mark is not part of them.

    Args:
        read: the next bytes of the file, at most as many as asked for, none at its end.

    Raises:
        InvalidRequest: there is no header, or it cannot be read; the message names the line.
    """
    return scan_header(Scanner(read, form.dialect, header_line=form.header_line), form)[1]


def scan_header(scanner: Scanner, form: FileForm, *, is_whole: bool = True) -> tuple[Header, list[str]]:
    """Read the header at the beginning of a scanned file, and its names.

    Args:
        is_whole: whether the scanner gets the whole file, or its beginning alone.

    Raises:
        InvalidRequest: as ``read_file_header``.
    """
    try:
        header = scanner.read_header()
    except NoHeaderError:
        raise InvalidRequest(no_header_message(form)) from None
    except UnclosedQuoteError as error:
        where = "" if is_whole else " in the part of the file that was sent"
        raise InvalidRequest(
            f"The double quote that opens a name in the header on line {error.line} is never closed{where}."
        ) from None
    names = without_apostrophes(split_header(header, form))
    return header, list(map(text_of_formula, names)) if form.is_cleaned else names


def no_header_message(form: FileForm) -> str:
    """Describe a file whose rows end before its header."""
    if form.header_line:
        return f"The file has no row on line {form.header_line} or below, so it has no header there."
    return _EMPTY_FILE_MESSAGE


def describe_columns(names: Sequence[str]) -> str:
    """List the columns of a file in a sentence, unless they seem to be values."""
    kinds = {clear_kind(name) for name in names} - {None}
    if kinds - {ValueKind.NUMBER} or (kinds and not any(map(names_field, names))):
        return "Its header seems to be a row of values: perhaps the file has no header."
    shown = ", ".join(map(repr, names[:_MOST_COLUMNS_SHOWN]))
    more = len(names) - _MOST_COLUMNS_SHOWN
    return f"Its columns are: {shown}" + (f" and {more:,} more." if more > 0 else ".")


def split_header(header: Header, form: FileForm) -> list[str]:
    """Split a scanned header into the names of its columns, as they stand there.

    Without a header they are ``Column 1`` and so on.

    Raises:
        InvalidRequest: it cannot be read, and the message names the line; or it has too many columns.
    """
    if form.is_json_lines:
        return [OBJECT_COLUMN]
    if form.header_line == NO_HEADER:
        return [f"Column {number}" for number in range(1, form.column_count + 1)]
    if header.fault in _NO_TEXT:
        raise HeaderNotText(f"The header on line {header.line} {_NO_TEXT[header.fault]}")
    if header.fault is not None:
        raise InvalidRequest(f"The header on line {header.line} {_FAULTS[header.fault]}")
    try:
        names = split_record(header.raw, form.dialect)
    except MalformedQuotesError:
        raise InvalidRequest(f"The header on line {header.line} {_FAULTS[Kind.MALFORMED_QUOTES]}") from None
    if len(names) > MAX_COLUMNS:
        raise InvalidRequest(f"The header has {len(names)} columns; a file may have at most {MAX_COLUMNS}.")
    return names


def without_apostrophes(names: list[str]) -> list[str]:
    """Remove the apostrophes that a file of failed rows for spreadsheets has before names."""
    return [remove_apostrophe(name) for name in names] if has_apostrophes(names) else names
