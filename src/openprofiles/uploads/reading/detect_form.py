"""Find out the form of a customers' file from its beginning, as far as nobody has said it.

charset-normalizer distinguishes encodings, and DuckDB's sniffer delimiters. They are asked only where the answer is
not plain: a byte order mark, a text that is UTF-8, a header whose commas give the columns that the
job is mapped from, or in which only one delimiter stands.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from openprofiles.errors import InvalidRequest
from openprofiles.uploads.reading.detect_quote import SingleQuotes, find_single_quotes
from openprofiles.uploads.reading.dialect import DELIMITERS, QUOTES, Dialect
from openprofiles.uploads.reading.file_form import NO_QUOTE, UTF_8, WINDOWS_1252, FileForm, FileOptions
from openprofiles.uploads.reading.file_header import read_file_header
from openprofiles.uploads.reading.file_text import PartsReader, Readable, open_text, unpacked
from openprofiles.uploads.sql_text import sql_text

# Enough for a few thousand rows; a sniffer needs some hundred.
_HEAD_BYTES = 256 * 1024
# What is not ASCII may come late in the file, and decides about its encoding.
_SAMPLE_BYTES = 1 << 20
# So many characters beyond ASCII, nearly all of one kind, and the rest need not be read.
_ENOUGH = 500
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")

_GZIP, _ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
_OTHER_KINDS = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"PAR1", "a Parquet file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls), or one with a password"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG\r\n", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ\x00", "compressed with xz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"SQLite format 3\x00", "a SQLite database"),
)
_MAGIC_BYTES = 16

_MARKS = (
    (codecs.BOM_UTF8, UTF_8),
    # A UTF-32 mark begins with that of UTF-16; nobody writes such files.
    (codecs.BOM_UTF16_LE, "utf-16le"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
)
_UTF_16 = {"utf_16_le": "utf-16le", "utf_16_be": "utf-16be"}
# Bytes that Windows-1252 has no character for.
_UNDEFINED_1252 = bytes.maketrans(b"\x81\x8d\x8f\x90\x9d", b"?????")


def detect_form(
    file: Readable, given: FileOptions, headers: Collection[str] | None, *, max_unpacked_bytes: int
) -> FileForm:
    """Detect the form of a file.

    Args:
        file: at its beginning.
        headers: the columns that it must have, where that is known: a file that has them with commas is read so.

    Raises:
        InvalidRequest: it is not text but something else, which the message names.
        FileDamaged: it is compressed and cannot be decompressed.
    """
    magic = file.read(_MAGIC_BYTES)
    compression = find_compression(magic)
    whole = PartsReader(chain([magic] if magic else [], _rest(file)))
    plain = whole if compression == "none" else PartsReader(unpacked(whole, compression, max_unpacked_bytes))
    head = plain.read(_HEAD_BYTES)
    # PAR1 may be the name of a column, too.
    if headers is None or not _has_columns(head, Dialect(DELIMITERS[0], QUOTES[0]), headers):
        _refuse_other_kinds(head)
    encoding = given.encoding or _detect_encoding(head, plain)
    if encoding == "utf-16":
        encoding = "utf-16be" if head.startswith(codecs.BOM_UTF16_BE) else "utf-16le"
    has_mark = any(head.startswith(mark) and encoding == name for mark, name in _MARKS)
    as_utf_8 = FileForm(encoding=encoding)
    text = open_text(PartsReader(iter([head])), as_utf_8, max_unpacked_bytes=max_unpacked_bytes).read(2 * _HEAD_BYTES)
    text = text.removeprefix(codecs.BOM_UTF8)
    line_ends = given.line_ends or _find_line_ends(text)
    if line_ends == "CR":
        text = text.replace(b"\r", b"\n")
    dialect, joins_lines = _find_dialect(text, given, headers)
    return FileForm(
        compression=compression,
        encoding=encoding,
        has_byte_order_mark=has_mark,
        delimiter=dialect.delimiter,
        quote=dialect.quote or NO_QUOTE,
        joins_lines=joins_lines,
        line_ends=line_ends,
        given=given.given,
    )


def find_compression(head: bytes) -> str:
    """Find the compression of a file from its first bytes; ``none`` if it has none."""
    return "gzip" if head.startswith(_GZIP) else "zstd" if head.startswith(_ZSTD) else "none"


def _rest(file: Readable) -> Iterator[bytes]:
    while part := file.read(_HEAD_BYTES):
        yield part


def _refuse_other_kinds(head: bytes) -> None:
    for magic, name in _OTHER_KINDS:
        if head.startswith(magic):
            raise InvalidRequest(
                f"The content of the file shows that it is {name}. An upload job needs a text file: save it as CSV. "
                "The command openprofiles import also reads Excel workbooks (.xlsx) and Parquet files."
            )


def _detect_encoding(head: bytes, rest: Readable) -> str:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head and (utf_16 := _detect_utf_16(head)):
        return utf_16
    valid = invalid = 0
    strange = b""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    part = head
    # One stray byte must not decide about a file of which the rest is UTF-8, so it is read until that is plain.
    while part:
        if not part.isascii():
            text = decoder.decode(part)
            bad = len(_NOT_UTF_8.findall(text))
            invalid += bad
            valid += len(_BEYOND_ASCII.findall(text)) - bad
            strange = strange or (part if bad else b"")
            if valid >= _ENOUGH and valid >= 10 * invalid:
                return UTF_8
            if invalid >= _ENOUGH and invalid >= 10 * valid:
                break
        part = rest.read(_SAMPLE_BYTES)
    if valid >= invalid or not _looks_like_windows_1252(strange):
        # A file in another encoding yet fails row by row, and says so; read as Windows-1252 it would be loaded wrong.
        return UTF_8
    return WINDOWS_1252


def _detect_utf_16(head: bytes) -> str | None:
    found = _ask_library(head[: len(head) // 2 * 2], ["utf_16_le", "utf_16_be"])
    if found is None:
        return None
    # Each line end has its NUL on the same side; some stray ones in another file do not.
    expected = b"\n\0" if found == "utf_16_le" else b"\0\n"
    line_ends = head.count(b"\n") or 1
    nuls = head.count(b"\0")
    return _UTF_16[found] if head.count(expected) * 10 >= line_ends * 9 and nuls * 20 >= len(head) else None


def _looks_like_windows_1252(sample: bytes) -> bool:
    return _ask_library(sample.translate(_UNDEFINED_1252), ["cp1252", "latin_1"]) is not None


def _ask_library(sample: bytes, encodings: list[str]) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=encodings).best()
    return None if best is None else best.encoding


def _find_line_ends(text: bytes) -> str:
    feeds, pairs = text.count(b"\n"), text.count(b"\r\n")
    if not feeds and b"\r" in text:
        return "CR"
    return "CRLF" if 2 * pairs > feeds else "LF"


def _find_dialect(text: bytes, given: FileOptions, headers: Collection[str] | None) -> tuple[Dialect, bool]:
    """Find the dialect, and whether detected single quotes join lines in this text."""
    quote = None if given.quote == NO_QUOTE else given.quote or QUOTES[0]
    if given.delimiter is not None:
        return Dialect(given.delimiter, quote), False
    plain = Dialect(DELIMITERS[0], quote)
    if headers is not None and _has_columns(text, plain, headers):
        return plain, False
    # A quoted name may hold a line end; what follows it hardly matters here.
    first_line = text.lstrip(b" \t\r\n").partition(b"\n")[0].decode("utf-8", "surrogateescape").rstrip("\r")
    # Whatever separates the cells separates the names, too.
    possible = [one for one in DELIMITERS if one in first_line]
    # The sniffer takes a single cell in single quotes for a proof of them.
    proven: dict[str, SingleQuotes] = {}
    if given.quote is None:
        for one in possible or DELIMITERS[:1]:
            if found := find_single_quotes(text, one):
                proven[one] = found
    delimiter: str | None = possible[0] if possible else DELIMITERS[0]
    if len(possible) > 1:
        delimiter = _sniff(text, QUOTES[1] if proven else quote, possible)
        if delimiter is None:
            # A file too messy for the sniffer: what is most frequent among the names.
            delimiter = max(possible, key=first_line.count)
    assert delimiter is not None
    if delimiter in proven:
        return Dialect(delimiter, QUOTES[1]), proven[delimiter].join_lines
    return Dialect(delimiter, quote), False


def _has_columns(text: bytes, dialect: Dialect, headers: Collection[str]) -> bool:
    try:
        names = read_file_header(PartsReader(iter([text])).read, dialect)
    except InvalidRequest:
        return False
    return set(headers) <= set(names)


def _sniff(text: bytes, quote: str | None, possible: Sequence[str]) -> str | None:
    """Ask DuckDB for the delimiter; None if it finds none, or an impossible one."""
    import duckdb

    from openprofiles.uploads.arrival.block_files import BlockFiles

    # A row that is cut off looks like one with too few cells.
    whole_lines = text[: text.rfind(b"\n") + 1] or text
    with duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False}) as connection:
        files = BlockFiles(connection)
        with files.offer(whole_lines.decode("utf-8", "replace").encode()) as path:
            # Strictly first: only so quotes of another kind are found.
            for more in ("", ", strict_mode = false, ignore_errors = true, null_padding = true"):
                try:
                    found = connection.execute(
                        "select Delimiter from "
                        f"sniff_csv('{path}', header = true, all_varchar = true, quote = {sql_text(quote or '')}{more})"
                    ).fetchone()
                except duckdb.Error:
                    continue
                if found is not None and found[0] in possible:
                    delimiter: str = found[0]
                    return delimiter
    return None
