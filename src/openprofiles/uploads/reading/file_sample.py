"""The beginning of a file as cells: its header, and some rows that show what its columns hold."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from openprofiles.errors import InvalidRequest
from openprofiles.uploads.failures.own_columns import has_apostrophes
from openprofiles.uploads.failures.spreadsheet_texts import remove_apostrophe
from openprofiles.uploads.reading.cells import split_record
from openprofiles.uploads.reading.detect_encoding import EncodingGuess
from openprofiles.uploads.reading.detect_form import detect_form, find_compression
from openprofiles.uploads.reading.dialect import SEPARATOR_LINE
from openprofiles.uploads.reading.file_choices import FileChoices
from openprofiles.uploads.reading.file_form import NO_HEADER, FileForm, FileOptions
from openprofiles.uploads.reading.file_header import scan_header
from openprofiles.uploads.reading.file_text import FileDamaged, Readable, open_text
from openprofiles.uploads.reading.kept_form import HEAD_BYTES, fill_in_kept
from openprofiles.uploads.reading.records import Block, Kind, Scanner, UnclosedQuoteError
from openprofiles.uploads.reading.text_formulas import text_of_formula

MAX_SAMPLE_ROWS = 200

_USUAL_FORM = FileForm()

# Rows may have a megabyte, but then fewer will do.
_MAX_SAMPLE_BYTES = 2 << 20
_READ_BYTES = 256 * 1024
# What cannot be decompressed because the end is missing is at most as long as one step.
_UNPACK_BYTES = 4 * 1024
_MAX_UNPACKED_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class FileSample:
    """The header of a file and its first rows.

    Attributes:
        headers: the names of all columns, in the order of the file.
        rows: the cells of whole rows, in the order of the file; a row may have fewer than the header, or more.
        has_rows: whether anything comes after the header, be it a row that cannot be split.
        lines_above: the lines above the header that are not blank, by number, if they were skipped.
    """

    headers: list[str]
    rows: list[list[str]]
    has_rows: bool
    lines_above: dict[int, str] = field(default_factory=dict)


def read_file_sample(
    read: Callable[[int], bytes],
    form: FileForm = _USUAL_FORM,
    *,
    is_whole: bool = True,
    max_rows: int = MAX_SAMPLE_ROWS,
) -> FileSample:
    """Read the header and the first rows of a file; rows that cannot be split are left out.

    Args:
        read: the next bytes of the file as UTF-8, at most as many as asked for, none at the end.
        is_whole: whether the end of what is read is the end of the file. If not, the last record may be cut off, and
            is left out.

    Raises:
        InvalidRequest: there is no header, or it cannot be read, or it is cut off; the message names the line.
        FileDamaged: from ``read``.
    """
    text = bytearray()

    def read_and_keep(size_bytes: int) -> bytes:
        part = read(size_bytes)
        text.extend(part)
        return part

    # A block for each piece, so that those before a quote that is never closed are not lost with it.
    scanner = Scanner(
        read_and_keep, form.dialect, header_line=form.header_line, read_bytes=_READ_BYTES, max_block_records=1
    )
    header, headers = scan_header(scanner, form, is_whole=is_whole)
    if not is_whole and form.header_line != NO_HEADER and text.find(b"\n", header.byte_end) < 0:
        raise InvalidRequest(
            "The header of the file is incomplete. Send more of the file, including the line ending after the header."
        )
    lines_above = _lines_above(text[: header.byte_start], form)
    rows: list[list[str]] = []
    has_rows = False
    try:
        for block in scanner.blocks():
            has_rows = has_rows or len(block.kind) > 0
            for record in _records(block, text, is_whole=is_whole):
                cells = split_record(record, form.dialect)
                if has_apostrophes(headers):
                    cells = [remove_apostrophe(cell) for cell in cells]
                rows.append(list(map(text_of_formula, cells)) if form.is_cleaned else cells)
                if len(rows) >= max_rows:
                    return FileSample(headers, rows, has_rows, lines_above)
            if len(text) >= _MAX_SAMPLE_BYTES:
                break
    except UnclosedQuoteError:
        # At the cut it means nothing; in a whole file the job will report it, with the line.
        has_rows = True
    return FileSample(headers, rows, has_rows, lines_above)


def _lines_above(text: bytes | bytearray, form: FileForm) -> dict[int, str]:
    lines = text.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")[:-1]
    blanks = form.dialect.blanks.decode() + "\r"
    return {
        number: line.rstrip("\r")
        for number, line in enumerate(lines, start=1 if form.first_row is None else form.first_row)
        if line.strip(blanks) and not (number == 1 and SEPARATOR_LINE.fullmatch(f"{line}\n".encode()))
    }


def sample_beginning(
    beginning: bytes,
    given: FileOptions | None = None,
    *,
    is_whole: bool = False,
    region: str | None = None,
    strict: bool = False,
    kept: FileChoices | None = None,
    columns: Collection[str] = (),
    on_doubt: Callable[[EncodingGuess], None] | None = None,
) -> tuple[FileForm, FileSample]:
    """Detect the form of a file and read its sample, from its first bytes alone.

    Args:
        given: what is known of its form.
        region: the country of the domain's phone numbers.
        is_whole: whether these bytes are all that the file has, so that its last row counts without a line end.
        strict: read the rows as AWS does.
        kept: what a saved mapping keeps, for what is not given and as far as it applies to this file.
        columns: those that it must have, if they are known: the line that has them is the header.
        on_doubt: called if the encoding rests on little.

    Raises:
        InvalidRequest: it is not text, or has no readable header.
    """
    options = given or FileOptions()
    compression = find_compression(beginning)
    plain = beginning if compression == "none" else _unpack_what_is_there(beginning, compression)
    if kept is not None:
        options = fill_in_kept(plain[:HEAD_BYTES], options, kept)
    try:
        form = detect_form(
            io.BytesIO(plain),
            options,
            columns or None,
            max_unpacked_bytes=_MAX_UNPACKED_BYTES,
            region=region,
            strict=strict,
            on_doubt=on_doubt,
        )
        text = open_text(io.BytesIO(plain), form, max_unpacked_bytes=_MAX_UNPACKED_BYTES)
        # Of a compressed file, no more is decompressed than a sample needs.
        sample = read_file_sample(text.read, form, is_whole=is_whole and compression == "none")
    except FileDamaged as error:
        raise InvalidRequest(str(error)) from error
    return dataclasses.replace(form, compression=compression), sample


def read_sample_of_file(file: Readable, form: FileForm, max_unpacked_bytes: int) -> FileSample:
    """Read the sample of a whole file, from its beginning.

    Raises:
        InvalidRequest, FileDamaged: as ``read_file_sample``.
    """
    return read_file_sample(open_text(file, form, max_unpacked_bytes=max_unpacked_bytes).read, form)


def _records(block: Block, text: bytearray, *, is_whole: bool) -> Iterator[bytes]:
    for start, end, kind in zip(block.byte_start.tolist(), block.byte_end.tolist(), block.kind.tolist(), strict=True):
        is_cut = not is_whole and end >= len(text)
        if kind <= Kind.ODD and not is_cut:
            yield bytes(text[start:end])


def _unpack_what_is_there(packed: bytes, compression: str) -> bytes:
    """Decompress the beginning of a file whose end is missing.

    Raises:
        InvalidRequest: nothing of it can be decompressed.
    """
    import pyarrow as pa

    unpacked = bytearray()
    try:
        stream = pa.CompressedInputStream(pa.BufferReader(packed), compression)
        while len(unpacked) < _MAX_UNPACKED_BYTES and (part := stream.read(_UNPACK_BYTES)):
            unpacked += part
    except OSError:
        # The end of what is there.
        pass
    if not unpacked:
        raise InvalidRequest(
            f"The {compression} file cannot be decompressed: it is empty or damaged, or too little of it was sent."
        )
    return bytes(unpacked)
