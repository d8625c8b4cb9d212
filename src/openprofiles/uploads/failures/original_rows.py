"""Fetch single records out of the uploaded file again, as they stand there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType

from openprofiles.uploads.reading.file_text import TextReader
from openprofiles.uploads.reading.records import Block, Kind, Scanner
from openprofiles.uploads.reading.uploaded_file import UploadedFile

_SKIP_BYTES = 1 << 20


class OriginalRows:
    """The records of one file, in file order. Nothing is read before the first is asked for. Use it in ``with``.

    The file is read twice at once: for the boundaries of the records, and for the wanted records.
    """

    def __init__(self, file: UploadedFile) -> None:
        self._file = file
        self._open_files = ExitStack()
        self._blocks: Iterator[Block] | None = None
        self._block: Block | None = None
        self._source: TextReader | None = None
        self._offset = 0

    def __enter__(self) -> OriginalRows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open_files.close()

    def read(self, record: int) -> bytes | None:
        """Read a record as UTF-8 without its line end; None if it is longer than a record may be.

        Args:
            record: its number; higher than that of the last call, or else the file is read from its beginning again.
        """
        if self._block is not None and record < self._block.first_record:
            self._begin_again()
        block = self._find_block(record)
        index = record - block.first_record
        if block.kind[index] == Kind.RECORD_TOO_LONG:
            return None
        start, end = int(block.byte_start[index]), int(block.byte_end[index])
        if start < self._offset:
            self._begin_again()
            block = self._find_block(record)
        return self._read_at(start, end - start)

    def approach(self, record: int) -> None:
        """Read up to a record, so that it and those after it are at hand; does nothing if they are behind."""
        if self._block is not None and record < self._block.first_record:
            return
        block = self._find_block(record)
        self._skip(int(block.byte_start[record - block.first_record]))

    def _find_block(self, record: int) -> Block:
        if self._blocks is None:
            form = self._file.form
            read = self._open_files.enter_context(self._file.open()).read
            scanner = Scanner(read, form.dialect, header_line=form.header_line)
            scanner.read_header()
            self._blocks = scanner.blocks()
        while self._block is None or record >= self._block.first_record + self._block.record_count:
            self._block = next(self._blocks)
        return self._block

    def _read_at(self, start: int, size_bytes: int) -> bytes:
        source = self._skip(start)
        self._offset += size_bytes
        return source.read(size_bytes)

    def _skip(self, start: int) -> TextReader:
        if self._source is None:
            self._source = self._open_files.enter_context(self._file.open())
        while self._offset < start:
            self._offset += len(self._source.read(min(start - self._offset, _SKIP_BYTES)))
        return self._source

    def _begin_again(self) -> None:
        self._open_files.close()
        self._blocks = self._block = self._source = None
        self._offset = 0
