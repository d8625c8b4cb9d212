"""The file that ``openprofiles import`` loads: opened, its form found out, and its header and some rows read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from openprofiles.cli.importer import ImportFault

if TYPE_CHECKING:
    from openprofiles.uploads.reading.file_form import FileForm, FileOptions
    from openprofiles.uploads.reading.file_sample import FileSample

_HEAD_BYTES = 64 * 1024
_LINE_BYTES = 1 << 20


@dataclass(frozen=True)
class SourceFile:
    """The file to load, open at its beginning.

    Attributes:
        path: as the user named it.
        file: what is sent; CSV, whatever the user's file is.
        kind: what the user's file is if it was turned into CSV, such as ``Excel workbook``; else None.
        form: what ``file`` is read as.
        sample: its header, and the first of its rows.
        size_bytes: of ``file``.
    """

    path: Path
    file: BinaryIO
    kind: str | None
    form: FileForm
    sample: FileSample
    size_bytes: int

    @property
    def headers(self) -> list[str]:
        """The names of its columns."""
        return self.sample.headers

    def describe_form(self) -> str:
        """For people: what the file was read as."""
        return self.kind if self.kind is not None else self.form.describe()


@contextmanager
def open_source(path: Path, given: FileOptions, sheet: str | None, max_unpacked_bytes: int) -> Iterator[SourceFile]:
    """Open the file and read its header and some rows.

    Args:
        given: what the user says of its form.
        sheet: the sheet of a workbook; None: the first.

    Raises:
        ImportFault: it cannot be read; the message says why.
        InvalidRequest: its header cannot be read.
    """
    from openprofiles.uploads.reading.detect_form import detect_form
    from openprofiles.uploads.reading.file_form import FileForm, FileOptions
    from openprofiles.uploads.reading.file_sample import read_sample_of_file
    from openprofiles.uploads.reading.file_text import FileDamaged

    try:
        file = path.open("rb")
    except OSError as error:
        raise ImportFault(f"The file {path} cannot be read: {error.strerror}.") from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ImportFault(
                f"{path} is no regular file, and it has to be read twice. Save its content to a file first."
            )
        try:
            kind, converted = _convert(path, file, sheet, max_unpacked_bytes)
            if kind is not None and given != FileOptions():
                raise ImportFault(f"{path} is no text ({kind}), so it has no encoding, delimiter, quote or line ends.")
            if sheet is not None and kind != "Excel workbook":
                raise ImportFault(f"{path} is no Excel workbook, so it has no sheet {sheet!r}.")
            with converted as source:
                form = FileForm()
                if kind is None:
                    form = detect_form(source, given, None, max_unpacked_bytes=max_unpacked_bytes)
                    source.seek(0)
                sample = read_sample_of_file(source, form, max_unpacked_bytes)
                source.seek(0)
                yield SourceFile(path, source, kind, form, sample, os.fstat(source.fileno()).st_size)
        except FileDamaged as error:
            raise ImportFault(f"{path}: {error}") from error


def _convert(path: Path, file: BinaryIO, sheet: str | None, max_unpacked_bytes: int) -> tuple[str | None, BinaryIO]:
    """The file as CSV and what it was, or itself if it is text."""
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
        return kind, convert(path, file, sheet)
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
