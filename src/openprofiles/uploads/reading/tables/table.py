"""A table as CSV, and what its sender has to know of it."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from openprofiles.errors import InvalidRequest
from openprofiles.uploads.reading.dialect import COMMAS
from openprofiles.uploads.reading.file_form import UTF_8, FileForm

# The form of what ``write_table`` writes. All of it is given, so that nothing in the cells can be mistaken for another.
_CSV_FORM = FileForm(
    encoding=UTF_8,
    delimiter=COMMAS.delimiter,
    quote='"',
    line_ends="LF",
    skips_blank_rows=True,
    given=("encoding", "delimiter", "quote", "line_ends", "first_row"),
)

WORKBOOK = "Excel workbook"
PARQUET = "Parquet"
JSON_LINES = "JSON lines"
JSON_ARRAY = "JSON array"

_BATCH_CHARACTERS = 1 << 20
# A row may have a megabyte; what is read for it, somewhat more.
MAX_ROW_CHARACTERS = 16 << 20
_PLACES_SHOWN = 3


class TableUnreadable(InvalidRequest):
    """The file is a table that cannot be read; the message says why and what to do."""


@dataclass(slots=True)
class CellsFound:
    """Cells of one kind.

    Attributes:
        count: how many there are.
        places: those of the first few, such as ``B5``.
        columns: the indexes of their columns.
    """

    count: int = 0
    places: list[str] = field(default_factory=list)
    columns: set[int] = field(default_factory=set)

    def add(self, place: str, columns: Iterable[int]) -> None:
        """Count one, and keep its place if it is among the first."""
        self.count += 1
        self.columns.update(columns)
        if len(self.places) < _PLACES_SHOWN:
            self.places.append(place)

    def describe_places(self) -> str:
        """List the first places, as part of a sentence."""
        more = ", and more" if self.count > len(self.places) else ""
        return f"{', '.join(self.places)}{more}"


@dataclass(slots=True, kw_only=True)
class TableAccount:
    """What was read of a table.

    Attributes:
        kind: what the file is, such as ``Excel workbook``.
        first_row: the number of the first row of the CSV. If the table has no row for the header, that is 0.
        sheet: the sheet of a workbook that was read.
        other_sheets, hidden_sheets: the names of its other ones.
        errors: cells that show an error such as ``#N/A``.
        uncalculated: cells with a formula whose result is not in the file.
        shortened: whole numbers of more than 15 digits whose other digits are zeros; Excel keeps only 15.
        merged: merged areas; of their cells, only the first one has a value.
        struck: cells whose text is struck through; they are read like the others.
        comments: cells with a comment, which is not read.
        linked_addresses: how many email addresses are only in links of cells, which are not read.
        hidden_rows: how many rows the sheet hides; they are read like the others.
        not_a_number: how many cells are NaN, which is read as blank.
        absent_columns: the indexes of the columns whose member some objects do not have.
        is_single_object: whether the file is one JSON object, and so one row.
        inner_list: its member that is a list of objects, perhaps the customers.
    """

    kind: str
    first_row: int
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()
    hidden_sheets: tuple[str, ...] = ()
    errors: CellsFound = field(default_factory=CellsFound)
    uncalculated: CellsFound = field(default_factory=CellsFound)
    shortened: CellsFound = field(default_factory=CellsFound)
    merged: CellsFound = field(default_factory=CellsFound)
    struck: CellsFound = field(default_factory=CellsFound)
    comments: CellsFound = field(default_factory=CellsFound)
    linked_addresses: int = 0
    hidden_rows: int = 0
    not_a_number: int = 0
    absent_columns: set[int] = field(default_factory=set)
    is_single_object: bool = False
    inner_list: str | None = None

    @property
    def csv_form(self) -> FileForm:
        """The form of the CSV that the table is turned into."""
        return replace(_CSV_FORM, first_row=self.first_row)

    def describe(self) -> str:
        """Describe the table for people, as part of a sentence."""
        if self.is_single_object and self.kind == JSON_LINES:
            return "a JSON object"
        return self.kind if self.sheet is None else f"{self.kind}, sheet {self.sheet!r}"

    def notes(self) -> list[str]:
        """Describe in sentences what may surprise the sender."""
        notes = []
        if self.other_sheets or self.hidden_sheets:
            others = [repr(name) for name in self.other_sheets] + [f"{name!r} (hidden)" for name in self.hidden_sheets]
            notes.append(f"Not read: {_sheets(len(others))} {', '.join(others)}. To read another one, use --sheet.")
        if self.errors.count:
            notes.append(
                f"{_cells(self.errors.count)} an error such as #N/A: {self.errors.describe_places()}. "
                f"{_fields(self.errors.count)} not changed."
            )
        if self.uncalculated.count:
            notes.append(
                f"{_cells(self.uncalculated.count)} a formula whose result is not in the file: "
                f"{self.uncalculated.describe_places()}. {_fields(self.uncalculated.count)} not changed. To store the "
                "results, open the workbook in Excel and save it."
            )
        if self.shortened.count:
            notes.append(
                f"{_cells(self.shortened.count)} a number of more than 15 digits: {self.shortened.describe_places()}. "
                "Excel keeps 15 of them and replaces the others with zeros. To keep all digits, enter them as text."
            )
        if self.merged.count:
            areas = "1 merged area" if self.merged.count == 1 else f"{self.merged.count:,} merged areas"
            notes.append(
                f"The sheet has {areas}: {self.merged.describe_places()}. Only the first cell of each has the value; "
                "the other rows and columns have none."
            )
        if self.struck.count:
            notes.append(
                f"{_cells(self.struck.count)} text that is struck through: {self.struck.describe_places()}. It is read "
                "like other text. If its customers or values are no longer valid, delete these rows or cells."
            )
        if self.comments.count:
            notes.append(
                f"{_cells(self.comments.count)} a comment: {self.comments.describe_places()}. Comments are not read. "
                "If they say who is no longer a customer or wants no calls, put this into a column, or delete these "
                "rows."
            )
        if self.linked_addresses:
            are = (
                "1 email address is" if self.linked_addresses == 1 else f"{self.linked_addresses:,} email addresses are"
            )
            notes.append(
                f"{are} only in links of cells, whose text is another one, and not read. To load the addresses, put "
                "them into a column."
            )
        if self.hidden_rows:
            rows = "1 hidden row" if self.hidden_rows == 1 else f"{self.hidden_rows:,} hidden rows"
            notes.append(f"The sheet has {rows}, which {'is' if self.hidden_rows == 1 else 'are'} read too.")
        if self.is_single_object:
            notes.append("The file is one JSON object, so it is read as one row.")
        if self.inner_list is not None:
            notes.append(
                f"Its member {self.inner_list!r} is a list of "
                f"objects. If these are the customers, import the list: jq '.[\"{self.inner_list}\"]' FILE | "
                "openprofiles import - --domain NAME"
            )
        if self.not_a_number:
            cells, verb = ("1 cell", "is") if self.not_a_number == 1 else (f"{self.not_a_number:,} cells", "are")
            notes.append(f"{cells} {verb} NaN (not a number) and {verb} read as blank.")
        return notes

    def columns_without_values(self) -> set[int]:
        """Collect the columns with cells whose value is not in the file."""
        return self.errors.columns | self.uncalculated.columns | self.merged.columns | self.absent_columns

    def to_json(self) -> dict[str, Any]:
        """Make the members that describe the table to programs."""
        members: dict[str, Any] = {"kind": self.kind}
        if self.sheet is not None:
            members |= {
                "sheet": self.sheet,
                "other_sheets": list(self.other_sheets),
                "hidden_sheets": list(self.hidden_sheets),
                "error_cells": self.errors.count,
                "uncalculated_cells": self.uncalculated.count,
                "shortened_cells": self.shortened.count,
                "merged_areas": self.merged.count,
                "struck_cells": self.struck.count,
                "comment_cells": self.comments.count,
                "linked_addresses": self.linked_addresses,
                "hidden_rows": self.hidden_rows,
            }
        return members | {"not_a_number": self.not_a_number}


def write_table(rows: Iterable[Sequence[str]], max_bytes: int) -> BinaryIO:
    """Write rows as CSV into a file without a name.

    It is removed when it is closed. A row without cells becomes a blank line, so that the others keep their numbers. A
    row of blank cells has delimiters, or quotation marks if it is a single cell, so that it is counted or fails.
    Half of a surrogate pair becomes bytes that are not UTF-8, so that its row fails.

    Raises:
        TableUnreadable: it has more than ``max_bytes``.
    """
    with _file_without_name() as output:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        has_header = False
        for row in rows:
            is_blank = len(row) < 2 and not "".join(row).strip()
            if row and is_blank and has_header:
                text.write(f'"{row[0]}"\n')
            else:
                writer.writerow(row)
            has_header = has_header or not is_blank
            if text.tell() >= _BATCH_CHARACTERS:
                _flush(text, output, max_bytes)
        _flush(text, output, max_bytes)
    return output


def write_lines(lines: Iterable[str], max_bytes: int) -> BinaryIO:
    """Write lines of text into a file without a name.

    It is removed when it is closed. Half of a surrogate pair becomes bytes that are not UTF-8, so that its row fails.

    Raises:
        TableUnreadable: they have more than ``max_bytes``.
    """
    with _file_without_name() as output:
        text = io.StringIO()
        for line in lines:
            text.write(f"{line}\n")
            if text.tell() >= _BATCH_CHARACTERS:
                _flush(text, output, max_bytes)
        _flush(text, output, max_bytes)
    return output


@contextmanager
def _file_without_name() -> Iterator[BinaryIO]:
    """Give a new file, which is at its beginning afterwards; after an exception it is closed."""
    output = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    try:
        yield output
    except BaseException:
        output.close()
        raise
    output.seek(0)


def _flush(text: io.StringIO, output: BinaryIO, max_bytes: int) -> None:
    output.write(text.getvalue().encode("utf-8", "surrogatepass"))
    text.seek(0)
    text.truncate()
    if output.tell() > max_bytes:
        raise TableUnreadable(
            f"When written as CSV, the table is larger than the limit of {max_bytes:,} bytes. Split it into "
            "several files."
        )


def _sheets(count: int) -> str:
    return "the sheet" if count == 1 else "the sheets"


def _fields(count: int) -> str:
    return "Its field is" if count == 1 else "Their fields are"


def _cells(count: int) -> str:
    return "1 cell has" if count == 1 else f"{count:,} cells have"
