"""Open the file that ``openprofiles import`` loads, detect its form, and read its header and some rows."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from openprofiles.cli.importer import ImportFault

if TYPE_CHECKING:
    from openprofiles.uploads.reading.detect_encoding import EncodingGuess
    from openprofiles.uploads.reading.file_form import FileForm, FileOptions
    from openprofiles.uploads.reading.file_sample import FileSample

STANDARD_INPUT = Path("-")

_HEAD_BYTES = 64 * 1024
_LINE_BYTES = 1 << 20
_COPY_BYTES = 1 << 20
# As ``table_files`` names it.
_WORKBOOK = "Excel workbook"
_MOST_LINES_SHOWN = 20
_MOST_LENGTH_SHOWN = 100
_BLANKS_AND_MARK = b"\xef\xbb\xbf \t\r\n"


@dataclass(frozen=True)
class SourceFile:
    """The file to load, open at its beginning.

    Attributes:
        name: as the user named it.
        file: what is sent; CSV, whatever the user's file is.
        kind: what the user's file is if it was turned into CSV, such as ``Excel workbook``; else None.
        form: what ``file`` is read as.
        sample: its header, and the first of its rows.
        size_bytes: of ``file``.
        doubt: the encodings that it may have, if the detected one rests on little.
        may_lack_header: whether files of its kind may have no header.
    """

    name: str
    file: BinaryIO
    kind: str | None
    form: FileForm
    sample: FileSample
    size_bytes: int
    doubt: EncodingGuess | None = None
    may_lack_header: bool = True

    @property
    def headers(self) -> list[str]:
        """The names of its columns."""
        return self.sample.headers

    def describe_form(self) -> str:
        """Describe for people how the file is read."""
        return self.kind if self.kind is not None else self.form.describe()

    def require_header(self) -> None:
        """Refuse a file whose first row seems to be a row of values.

        If the user has said which line is the header, it is not refused.

        Raises:
            ImportFault: it does; the message names the options for both cases.
        """
        from openprofiles.uploads.mappings.header_evidence import describe_doubtful_header

        if not self.may_lack_header or self.form.header_line is not None:
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

    def describe_doubt(self) -> str | None:
        """Describe for people which other encoding the file may have; None if that is plain."""
        from openprofiles.uploads.reading.detect_encoding import describe_candidates

        if self.doubt is None:
            return None
        return (
            f"The encoding {self.form.encoding} was detected from few letters. If the first words are misspelt, use "
            f"--encoding. {describe_candidates(self.doubt.candidates)}"
        )


@contextmanager
def open_source(path: Path, given: FileOptions, sheet: str | None, max_unpacked_bytes: int) -> Iterator[SourceFile]:
    """Open the file and read its header and some rows.

    Args:
        path: ``-`` is standard input.
        given: what the user says of its form.
        sheet: the sheet of a workbook; None: the first.

    Raises:
        ImportFault: it cannot be read; the message says why.
        InvalidRequest: its header cannot be read.
    """
    from openprofiles.uploads.reading.detect_encoding import EncodingUnclear, describe_candidates
    from openprofiles.uploads.reading.detect_form import detect_form
    from openprofiles.uploads.reading.file_form import UTF_8, FileForm, FileOptions
    from openprofiles.uploads.reading.file_sample import read_sample_of_file
    from openprofiles.uploads.reading.file_text import FileDamaged

    name = "standard input" if path == STANDARD_INPUT else str(path)
    with _open(path, name, max_unpacked_bytes) as file:
        try:
            kind, converted = _convert(name, file, sheet, max_unpacked_bytes)
            is_sheet = kind == _WORKBOOK
            possible = replace(given, header_line=None) if is_sheet else given
            if kind is not None and possible != FileOptions():
                raise ImportFault(
                    f"{name} is not a text file ({kind}), so it has no encoding, delimiter, quotes or line endings"
                    f"{'' if is_sheet else ', and always has a header'}."
                )
            if sheet is not None and not is_sheet:
                raise ImportFault(f"{name} is not an Excel workbook, so it has no sheet {sheet!r}.")
            with converted as source:
                form = FileForm(skips_blank_rows=True)
                doubts: list[EncodingGuess] = []
                if kind is None:
                    form = detect_form(
                        source, given, None, max_unpacked_bytes=max_unpacked_bytes, on_doubt=doubts.append
                    )
                    source.seek(0)
                elif is_sheet:
                    # It was converted to this form, but where its header is, if there is one, is not known.
                    converted_to = FileOptions(
                        encoding=UTF_8, delimiter=",", quote='"', line_ends="LF", header_line=given.header_line
                    )
                    form = detect_form(source, converted_to, None, max_unpacked_bytes=max_unpacked_bytes)
                    form = replace(form, given=given.given)
                    source.seek(0)
                sample = read_sample_of_file(source, form, max_unpacked_bytes)
                source.seek(0)
                yield SourceFile(
                    name,
                    source,
                    kind,
                    form,
                    sample,
                    os.fstat(source.fileno()).st_size,
                    doubts[0] if doubts else None,
                    may_lack_header=kind is None or is_sheet,
                )
        except FileDamaged as error:
            raise ImportFault(f"{name}: {error}") from error
        except EncodingUnclear as error:
            shown = describe_candidates(error.candidates)
            raise ImportFault(
                f"{name}: {error.reason} Use --encoding NAME, or save the file as UTF-8. "
                f"Words of the file in each: {shown}"
            ) from error


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
            raise ImportFault(f"{name} has more than {max_bytes:,} bytes.")


def _convert(name: str, file: BinaryIO, sheet: str | None, max_unpacked_bytes: int) -> tuple[str | None, BinaryIO]:
    """Turn the file into CSV and name what it was; a text stays itself."""
    from openprofiles.cli.table_files import convert_json_lines, find_converter, is_json_lines
    from openprofiles.uploads.reading.detect_form import find_compression
    from openprofiles.uploads.reading.file_form import FileForm
    from openprofiles.uploads.reading.file_text import open_text

    head = file.read(_HEAD_BYTES)
    file.seek(0)
    form = FileForm(compression=find_compression(head))
    if form.compression != "none":
        head = open_text(file, form, max_unpacked_bytes=max_unpacked_bytes).read(_HEAD_BYTES)
        file.seek(0)
    elif (converter := find_converter(file, head)) is not None:
        kind, convert = converter
        return kind, convert(name, file, sheet)
    if head.lstrip(_BLANKS_AND_MARK).startswith((b"[{", b"[\n", b"[\r\n")):
        raise ImportFault(
            f"{name} is a JSON array. Only JSON lines are supported: one object on each line. To convert it: "
            "jq -c '.[]' FILE | openprofiles import - ..."
        )
    if not is_json_lines(head):
        return None, file

    def lines() -> Iterator[bytes]:
        file.seek(0)
        reader = open_text(file, form, max_unpacked_bytes=max_unpacked_bytes)
        rest = b""
        while part := reader.read(_LINE_BYTES):
            *whole, rest = (rest + part).split(b"\n")
            yield from whole
        yield rest

    return "JSON lines", convert_json_lines(lines)
