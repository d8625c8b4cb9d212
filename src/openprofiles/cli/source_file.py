"""Open the file that ``openprofiles import`` loads, detect its form, and read its header and some rows."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from openprofiles.cli.importer import ImportFault

if TYPE_CHECKING:
    from openprofiles.uploads.job_options import JobOptions
    from openprofiles.uploads.reading.detect_encoding import EncodingGuess
    from openprofiles.uploads.reading.file_choices import FileChoices
    from openprofiles.uploads.reading.file_form import FileForm, FileOptions
    from openprofiles.uploads.reading.file_sample import FileSample
    from openprofiles.uploads.reading.tables.table import TableAccount

STANDARD_INPUT = Path("-")

_COPY_BYTES = 1 << 20
_MOST_LINES_SHOWN = 20
_MOST_LENGTH_SHOWN = 100


@dataclass(frozen=True)
class SourceFile:
    """The file to load, open at its beginning.

    Attributes:
        name: as the user named it.
        file: what is sent; CSV, whatever the user's file is.
        table: what was read of the user's file if it was turned into CSV, such as a workbook; else None.
        form: what ``file`` is read as.
        sample: its header, and the first of its rows.
        size_bytes: of ``file``.
        doubt: the encodings that it may have, if the detected one rests on little.
    """

    name: str
    file: BinaryIO
    table: TableAccount | None
    form: FileForm
    sample: FileSample
    size_bytes: int
    doubt: EncodingGuess | None = None

    @property
    def headers(self) -> list[str]:
        """The names of its columns."""
        return self.sample.headers

    @property
    def needs_options(self) -> bool:
        """Whether the job must be given the form; what a table is turned into is read alike without."""
        return self.form.header_line is not None or (self.table is None and self.form.to_options() is not None)

    def values_of(self, header: str) -> list[str]:
        """Return the values of a column in the first rows."""
        index = self.headers.index(header)
        return [row[index] for row in self.sample.rows if index < len(row)]

    def describe_form(self) -> str:
        """Describe for people how the file is read."""
        return self.table.describe() if self.table is not None else self.form.describe()

    def describe_table(self) -> list[str]:
        """Describe for people what may surprise them of a workbook, Parquet file or JSON."""
        return [] if self.table is None else self.table.notes()

    def form_json(self) -> dict[str, Any]:
        """Make the document for programs that says how the file is read."""
        kind = {"kind": "text"} if self.table is None else self.table.to_json()
        return {**kind, **self.form.to_document()}

    def check_clearing(self, options: JobOptions | None, columns: Iterable[str]) -> None:
        """Refuse to clear fields with cells whose value is not in the file.

        Args:
            columns: those that are loaded.

        Raises:
            ImportFault: blank cells clear fields, and a loaded column has such cells.
        """
        from openprofiles.uploads.job_options import CLEAR

        if self.table is None or options is None or options.blank_cells != CLEAR:
            return
        loaded = set(columns)
        affected = [
            self.headers[index]
            for index in sorted(self.table.columns_without_values())
            if index < len(self.headers) and self.headers[index] in loaded
        ]
        if affected:
            names = ", ".join(map(repr, affected))
            if self.table.absent_columns:
                raise ImportFault(
                    f"{self.name} has objects without some of the members. Blank cells would clear fields, although a "
                    "member that is missing is not meant to clear one. Write null for the fields to clear, leave the "
                    f"columns out, or let blank cells keep the values of their fields. Columns: {names}."
                )
            raise ImportFault(
                f"{self.name} has cells whose value is not in the file: errors, formulas without a result, or merged "
                "cells. Blank cells would clear fields, although these cells are not meant to be blank. Fix them, "
                f"leave the columns out, or let blank cells keep the values of their fields. Columns: {names}."
            )

    def require_header(self) -> None:
        """Refuse a file whose first row seems to be a row of values.

        If the user has said which line is the header, it is not refused.

        Raises:
            ImportFault: it does; the message names the options for both cases.
        """
        from openprofiles.uploads.mappings.header_evidence import describe_doubtful_header

        may_lack_header = self.table is None or self.table.sheet is not None
        if not may_lack_header or self.form.header_line is not None:
            return
        doubt = describe_doubtful_header(self.name, self.headers, self.sample.rows)
        if doubt is not None:
            raise ImportFault(f"{doubt} Nothing was loaded.")

    def describe_lines_above(self) -> Iterator[str]:
        """Yield a line for people for each of the first lines above the header."""
        lines = self.sample.lines_above
        for number, text in islice(lines.items(), _MOST_LINES_SHOWN):
            yield f"line {number} is above the header and is skipped: {text[:_MOST_LENGTH_SHOWN]}"
        if len(lines) > _MOST_LINES_SHOWN:
            yield f"{len(lines) - _MOST_LINES_SHOWN:,} more lines above the header are skipped"

    def describe_doubts(self) -> Iterator[str]:
        """Describe for people why the file may be read incorrectly."""
        from openprofiles.uploads.mappings.whole_rows import describe_whole_rows
        from openprofiles.uploads.reading.detect_encoding import describe_candidates
        from openprofiles.uploads.reading.misread_text import find_misread

        if (whole_rows := describe_whole_rows(self.headers, self.sample.rows)) is not None:
            yield whole_rows
        if any(find_misread(cell) for row in self.sample.rows for cell in row):
            yield (
                "Some of the text seems to have been decoded incorrectly or escaped before the file was written, such "
                "as \u00c3\u00bc, ? or &uuml; instead of \u00fc. Export the file again as plain text in UTF-8, or "
                "correct the text."
            )
        if self.doubt is None:
            return
        yield (
            f"The encoding {self.form.encoding} was detected from only a few letters. If its sample words below are "
            f"misspelt, use --encoding. {describe_candidates(self.doubt.candidates)}"
        )


@contextmanager
def open_source(
    path: Path,
    given: FileOptions,
    sheet: str | None,
    max_unpacked_bytes: int,
    kept: FileChoices | None = None,
    columns: Collection[str] = (),
    region: str | None = None,
    *,
    as_objects: bool = False,
) -> Iterator[SourceFile]:
    """Open the file and read its header and some rows.

    Args:
        path: ``-`` is standard input.
        given: what the user says of its form.
        sheet: the sheet of a workbook; None: the first that is not hidden.
        kept: what a saved mapping keeps, for what was not given and as far as it applies to this file.
        columns: those that it must have, if they are known: the line that has them is the header.
        region: the country of the domain's phone numbers, which makes some encodings likelier.
        as_objects: whether JSON objects stay as they are, one on each line, and do not become rows of columns.

    Raises:
        ImportFault: it cannot be read; the message says why.
        InvalidRequest: its header cannot be read.
    """
    from openprofiles.uploads.reading.detect_encoding import EncodingUnclear, describe_candidates
    from openprofiles.uploads.reading.detect_form import detect_form
    from openprofiles.uploads.reading.detect_header import RowAboveHeader
    from openprofiles.uploads.reading.file_form import OBJECT_COLUMN, FileOptions
    from openprofiles.uploads.reading.file_sample import FileSample, read_sample_of_file
    from openprofiles.uploads.reading.file_text import FileDamaged
    from openprofiles.uploads.reading.tables.convert import convert_json_lines, convert_table
    from openprofiles.uploads.reading.tables.table import TableUnreadable

    name = "standard input" if path == STANDARD_INPUT else str(path)
    with _open(path, name, max_unpacked_bytes) as file:
        try:
            lines = convert_json_lines(file, max_unpacked_bytes) if as_objects else None
            if lines is not None:
                with lines[0] as source:
                    if given != FileOptions() or sheet is not None:
                        raise ImportFault(
                            f"{name} has JSON objects, so it has no encoding, delimiter, quotes, line endings, header "
                            "or sheet."
                        )
                    sample = FileSample([OBJECT_COLUMN], [], has_rows=True)
                    yield SourceFile(name, source, None, lines[1], sample, os.fstat(source.fileno()).st_size)
                return
            kept_sheet = None if kept is None else kept.sheet
            converted = convert_table(file, sheet, max_unpacked_bytes, kept_sheet)
            source, table = (file, None) if converted is None else converted
            with source:
                is_sheet = table is not None and table.sheet is not None
                possible = replace(given, header_line=None) if is_sheet else given
                if table is not None and possible != FileOptions():
                    raise ImportFault(
                        f"{name} is not a text file ({table.kind}), so it has no encoding, delimiter, quotes or line "
                        f"endings{'' if is_sheet else ', and always has a header'}."
                    )
                if sheet is not None and not is_sheet:
                    raise ImportFault(f"{name} is not an Excel workbook, so it has no sheet {sheet!r}.")
                doubts: list[EncodingGuess] = []
                if table is not None:
                    form = table.csv_form
                    if is_sheet:
                        # Where the header of a sheet is, if it has one, is not known.
                        if kept is not None:
                            given = _with_kept(source, given, kept, max_unpacked_bytes)
                        of_sheet = replace(form.to_options() or FileOptions(), header_line=given.header_line)
                        form = detect_form(source, of_sheet, columns or None, max_unpacked_bytes=max_unpacked_bytes)
                        source.seek(0)
                else:
                    if kept is not None:
                        given = _with_kept(source, given, kept, max_unpacked_bytes)
                    form = detect_form(
                        source,
                        given,
                        columns or None,
                        max_unpacked_bytes=max_unpacked_bytes,
                        region=region,
                        on_doubt=doubts.append,
                    )
                    source.seek(0)
                sample = read_sample_of_file(source, form, max_unpacked_bytes)
                source.seek(0)
                yield SourceFile(name, source, table, form, sample, os.fstat(source.fileno()).st_size, *doubts)
        except (FileDamaged, TableUnreadable) as error:
            raise ImportFault(f"{name}: {error}") from error
        except EncodingUnclear as error:
            shown = describe_candidates(error.candidates)
            raise ImportFault(
                f"{name}: {error.reason} Use --encoding NAME, or {error.advice}."
                + (f" Words from the file in each: {shown}" if shown else "")
            ) from error
        except RowAboveHeader as error:
            raise ImportFault(
                f"{name}: {error.reason} Move the header to the top, or use --header-line {error.header_line} if the "
                "lines above it are not rows. Nothing was loaded."
            ) from error


def check_exists(path: Path) -> None:
    """Check that there is a file, without opening it: a pipe can be opened only once.

    Raises:
        ImportFault: there is none.
    """
    try:
        if path != STANDARD_INPUT:
            path.stat()
    except OSError as error:
        raise ImportFault(f"The file {path} cannot be read: {error.strerror}.") from error


def _with_kept(file: BinaryIO, given: FileOptions, kept: FileChoices, max_unpacked_bytes: int) -> FileOptions:
    """Fill in what a mapping keeps, as far as it applies to the file."""
    from openprofiles.uploads.reading.detect_form import find_compression
    from openprofiles.uploads.reading.file_form import FileForm
    from openprofiles.uploads.reading.file_text import open_text
    from openprofiles.uploads.reading.kept_form import HEAD_BYTES, fill_in_kept

    head = file.read(HEAD_BYTES)
    file.seek(0)
    if (compression := find_compression(head)) != "none":
        form = FileForm(compression=compression)
        head = open_text(file, form, max_unpacked_bytes=max_unpacked_bytes).read(HEAD_BYTES)
        file.seek(0)
    return fill_in_kept(head, given, kept)


def _open(path: Path, name: str, max_bytes: int) -> BinaryIO:
    """Open the file at its beginning; what can be read only once is copied to a temporary file without a name."""
    try:
        file = os.fdopen(0, "rb", closefd=False) if path == STANDARD_INPUT else path.open("rb")
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode) and path != STANDARD_INPUT:
            return file
    except OSError as error:
        raise ImportFault(f"The file {name} cannot be read: {error.strerror}.") from error
    copy = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    try:
        with file:
            _copy_content(name, file, copy, max_bytes)
        copy.seek(0)
    except OSError as error:
        copy.close()
        raise ImportFault(
            f"{name} cannot be copied to a temporary file in {tempfile.gettempdir()}: {error.strerror}."
        ) from error
    except BaseException:
        copy.close()
        raise
    return copy


def _copy_content(name: str, file: BinaryIO, copy: BinaryIO, max_bytes: int) -> None:
    while part := file.read(_COPY_BYTES):
        copy.write(part)
        if copy.tell() > max_bytes:
            raise ImportFault(f"{name} is larger than {max_bytes:,} bytes.")
