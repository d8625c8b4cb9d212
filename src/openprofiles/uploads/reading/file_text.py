"""A customers' file, whatever its form, as one stream of UTF-8 with LF or CRLF: what the scanner of records reads.

A byte that is not valid in the file's encoding becomes a byte that is not valid UTF-8, so that only its row fails.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Protocol

from openprofiles.uploads.reading.file_form import UTF_8, FileForm
from openprofiles.uploads.reading.stray_marks import without_stray_marks
from openprofiles.uploads.reading.unquoted_text import with_line_feeds, with_single_returns, without_blanks

_READ_BYTES = 1 << 20
_UNDECODABLE = "openprofiles.undecodable"


class FileDamaged(Exception):
    """The compressed file cannot be decompressed as a whole; the message says why."""


class Readable(Protocol):
    """What gives bytes."""

    def read(self, size_bytes: int, /) -> bytes:
        """Read exactly this many bytes, fewer only at the end of the file."""


class TextReader(Readable, Protocol):
    """A file from its beginning, as UTF-8."""

    @property
    def size_bytes(self) -> int:
        """How many were read so far, or some more."""


def open_text(file: Readable, form: FileForm, *, max_unpacked_bytes: int) -> TextReader:
    """Open the file as UTF-8.

    Args:
        file: at its beginning.
        max_unpacked_bytes: a compressed file that has more is damaged, or made to harm.

    Raises:
        FileDamaged: from ``read``.
    """
    parts: Iterator[bytes] | None = None
    if form.compression != "none":
        parts = unpacked(file, form.compression, max_unpacked_bytes)
    if form.encoding != UTF_8:
        parts = _decoded(parts or _parts(file), form.encoding)
    if form.line_ends == "CR":
        parts = with_line_feeds(parts or _parts(file), form.dialect)
    elif form.line_ends == "CRCRLF":
        parts = with_single_returns(parts or _parts(file))
    if form.is_cleaned:
        parts = without_stray_marks(parts or _parts(file))
    if form.skips_blanks:
        parts = without_blanks(parts or _parts(file), form.dialect)
    return PartsReader(parts or _parts(file))


class PartsReader:
    """Reads what an iterator gives, in sizes of the caller's choice."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._part = b""
        self._offset = 0
        self.size_bytes = 0

    def read(self, size_bytes: int) -> bytes:
        taken = []
        wanted = size_bytes
        while wanted > 0:
            if self._offset == len(self._part):
                self._part, self._offset = next(self._parts, b""), 0
                if not self._part:
                    break
                self.size_bytes += len(self._part)
            piece = self._part[self._offset : self._offset + wanted]
            self._offset += len(piece)
            wanted -= len(piece)
            taken.append(piece)
        return b"".join(taken)


def unpacked(file: Readable, compression: str, max_unpacked_bytes: int) -> Iterator[bytes]:
    """Decompress a file, part by part.

    Raises:
        FileDamaged: it is cut off or damaged, or has more than ``max_unpacked_bytes``.
    """
    # Only compressed files need it, and to load it takes longer than to read a short one.
    import pyarrow as pa

    source = _Source(file)
    unpacked_bytes = 0
    try:
        stream = pa.CompressedInputStream(pa.PythonFile(source, mode="r"), compression)
        while part := stream.read(_READ_BYTES):
            unpacked_bytes += len(part)
            if unpacked_bytes > max_unpacked_bytes:
                raise FileDamaged(
                    f"When decompressed, the {compression} file exceeds the limit of {max_unpacked_bytes:,} bytes."
                )
            yield part
        if not unpacked_bytes:
            # pyarrow does not distinguish one that is cut off before its first byte from an empty one.
            raise FileDamaged(f"The {compression} file is empty, or is cut off near its beginning.")
    except OSError as error:
        if source.error is not None:
            raise source.error from None
        # It is read in large steps, so its last bytes are not counted.
        after = f" after at least {unpacked_bytes:,} bytes" if unpacked_bytes else ""
        raise FileDamaged(
            f"The {compression} file cannot be decompressed{after}: it is cut off or damaged. Download it or compress "
            "it again."
        ) from error


class _Source:
    """A file for pyarrow, which remembers a fault of the file itself."""

    closed = False

    def __init__(self, file: Readable) -> None:
        self._file = file
        self.error: Exception | None = None

    def read(self, size_bytes: int) -> bytes:
        try:
            return self._file.read(size_bytes)
        except Exception as error:
            self.error = error
            raise

    def close(self) -> None:
        """Leave the file open; the caller closes it."""


def _parts(file: Readable) -> Iterator[bytes]:
    while part := file.read(_READ_BYTES):
        yield part


def _decoded(parts: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(_UNDECODABLE)
    for part in parts:
        if text := decoder.decode(part):
            yield text.encode("utf-8", "surrogateescape")
    if text := decoder.decode(b"", final=True):
        yield text.encode("utf-8", "surrogateescape")


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    """Return a surrogate for undecodable bytes, which ``surrogateescape`` writes as 0xff, never UTF-8."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error(_UNDECODABLE, _mark_undecodable)
