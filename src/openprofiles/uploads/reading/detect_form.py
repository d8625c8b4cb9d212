"""Find out the form of a customers' file from its beginning, as far as nobody has said it.

``detect_encoding`` distinguishes encodings, and DuckDB's sniffer delimiters. They are asked only where the answer is
not plain: a byte order mark, a text that is UTF-8, a header whose commas give the columns that the
job is mapped from, or in which only one delimiter stands.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from openprofiles.errors import InvalidRequest
from openprofiles.facts.sql_text import sql_text
from openprofiles.uploads.reading.detect_blanks import has_blanks_after_delimiters
from openprofiles.uploads.reading.detect_encoding import (
    EncodingGuess,
    EncodingUnclear,
    StrangeWords,
    guess_encoding,
)
from openprofiles.uploads.reading.detect_failed_rows import find_failed_rows_form
from openprofiles.uploads.reading.detect_header import (
    MOST_LINES,
    FoundHeader,
    RowAboveHeader,
    count_columns,
    find_header,
    find_separator,
)
from openprofiles.uploads.reading.detect_quote import SingleQuotes, find_single_quotes
from openprofiles.uploads.reading.detect_seven_bit import SevenBitText
from openprofiles.uploads.reading.dialect import DELIMITERS, QUOTES, Dialect
from openprofiles.uploads.reading.file_form import NO_HEADER, NO_QUOTE, UTF_8, FileForm, FileOptions
from openprofiles.uploads.reading.file_header import read_file_header
from openprofiles.uploads.reading.file_text import PartsReader, Readable, open_text, unpacked
from openprofiles.uploads.reading.mixed_encodings import refuse_mixed_encodings
from openprofiles.uploads.reading.other_kinds import refuse_other_kinds
from openprofiles.uploads.reading.program_messages import find_messages_end
from openprofiles.uploads.reading.rule_lines import find_rule_end, without_rule_below
from openprofiles.uploads.reading.stray_marks import without_stray_marks
from openprofiles.uploads.reading.unquoted_text import remove_quoted, without_blanks

# Enough for a few thousand rows; a sniffer needs some hundred.
_HEAD_BYTES = 256 * 1024
# What is not ASCII may come late in the file, and decides about its encoding.
_SAMPLE_BYTES = 1 << 20
# So many characters beyond ASCII, nearly all of one kind, and the rest need not be read.
_ENOUGH = 500
# So much of a file that is not UTF-8 is read for letters that come late.
_OTHER_BYTES = 16 << 20
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")

_GZIP, _ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
_MAGIC_BYTES = 16

_MARKS = (
    (codecs.BOM_UTF8, UTF_8),
    # A UTF-32 mark begins with that of UTF-16; nobody writes such files.
    (codecs.BOM_UTF16_LE, "utf-16le"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
)
# NUL, other control characters, and halves of surrogate pairs, which the decoder has replaced.
_NOT_IN_TEXT = re.compile("[\x00-\x08\x0e-\x1f\ufffd\ufffe\uffff]")
# Some stray NULs in another file make fewer separators.
_MAX_UTF_16_CELL = 1000
# So many CRs for each LF outside quotes show that lines end with CR.
_FEWEST_RETURNS = 20
# So many known names and columns of clear values must speak for a delimiter.
_FEWEST_SIGNS = 2


def find_json_lines(file: Readable, *, max_unpacked_bytes: int) -> FileForm | None:
    """Find out whether a file has a JSON object on each line; None if it is something else.

    Args:
        file: at its beginning.

    Raises:
        InvalidRequest: it is one list of objects.
        FileDamaged: it is compressed and cannot be decompressed.
    """
    from openprofiles.uploads.reading.tables.json_rows import json_kind
    from openprofiles.uploads.reading.tables.table import JSON_ARRAY

    magic = file.read(_MAGIC_BYTES)
    compression = find_compression(magic)
    whole = PartsReader(chain([magic] if magic else [], _rest(file)))
    plain = whole if compression == "none" else PartsReader(unpacked(whole, compression, max_unpacked_bytes))
    head = plain.read(_HEAD_BYTES)
    kind = json_kind(head)
    if kind is not None and b"\0" in head[:_MAGIC_BYTES]:
        raise InvalidRequest("The file has JSON objects, but not in UTF-8. Save it as UTF-8.")
    if kind == JSON_ARRAY:
        raise InvalidRequest(
            "The file is one JSON list. A job needs one object on each line, as `jq -c '.[]' FILE` writes them; the "
            "command openprofiles import does so itself."
        )
    return None if kind is None else FileForm.json_lines(compression)


def detect_form(
    file: Readable,
    given: FileOptions,
    headers: Collection[str] | None,
    *,
    max_unpacked_bytes: int,
    region: str | None = None,
    strict: bool = False,
    on_doubt: Callable[[EncodingGuess], None] | None = None,
) -> FileForm:
    """Detect the form of a file.

    Args:
        file: at its beginning.
        headers: the columns that it must have, where that is known: a file that has them with commas is read so.
        region: the country (ISO 3166) that its domain names, which makes some encodings likelier.
        strict: read the rows as AWS does.
        on_doubt: called if the encoding rests on little, before the file is read with it.

    Raises:
        EncodingUnclear: it is not UTF-8, and no other encoding is clearly the likeliest.
        RowAboveHeader: the header is found by its columns, and a line above it seems to be a row.
        InvalidRequest: it is not text but something else, which the message names.
        FileDamaged: it is compressed and cannot be decompressed.
    """
    magic = file.read(_MAGIC_BYTES)
    compression = find_compression(magic)
    whole = PartsReader(chain([magic] if magic else [], _rest(file)))
    plain = whole if compression == "none" else PartsReader(unpacked(whole, compression, max_unpacked_bytes))
    head = plain.read(_HEAD_BYTES)
    # PAR1 may be the name of a column, too.
    is_table = headers is not None and _has_columns(head, Dialect(DELIMITERS[0], QUOTES[0]), headers)
    if not is_table and (strict or not find_messages_end(head)):
        refuse_other_kinds(head)
    encoding = given.encoding
    if not strict and head.startswith(codecs.BOM_UTF8) and find_failed_rows_form(head) is not None:
        # What was said of the first file often comes along with the file of its failed rows.
        encoding = UTF_8
    encoding = encoding or _detect_encoding(head, plain, region, on_doubt)
    if encoding == "utf-16":
        encoding = "utf-16be" if head.startswith(codecs.BOM_UTF16_BE) else "utf-16le"
    has_mark = any(head.startswith(mark) and encoding == name for mark, name in _MARKS)
    as_utf_8 = FileForm(encoding=encoding)
    text = open_text(PartsReader(iter([head])), as_utf_8, max_unpacked_bytes=max_unpacked_bytes).read(2 * _HEAD_BYTES)
    text = text.removeprefix(codecs.BOM_UTF8)
    failed_rows = None if strict else find_failed_rows_form(text)
    line_ends = (given.line_ends if failed_rows is None else None) or _find_line_ends(text, strict=strict)
    if line_ends == "CR":
        text = text.replace(b"\r", b"\n")
    elif line_ends == "CRCRLF":
        text = text.replace(b"\r\r\n", b"\r\n")
    if not strict and given.first_row is None:
        text = b"".join(without_stray_marks([text])).removeprefix(codecs.BOM_UTF8)
    separator, start = (None, 0) if strict or given.first_row is not None else find_separator(text)
    if not start and not strict and given.first_row is None:
        start = find_messages_end(text) or find_rule_end(text)
    above, table = text[:start], text[start:]
    if given.header_line and given.first_row is None:
        *_, table = text.split(b"\n", max(given.header_line - 1, above.count(b"\n")))
    if not strict:
        table = without_rule_below(table)
    if failed_rows is not None:
        # Neither openprofiles nor a spreadsheet writes other quotes, whatever the first file had.
        dialect, joins_lines = Dialect(failed_rows.delimiter, QUOTES[0], not strict), False
    else:
        dialect, joins_lines = _find_dialect(table, separator, given, headers, strict=strict)
    skips_blanks = False
    may_have_blanks = not strict and given.quote is None and given.first_row is None and dialect.quote == QUOTES[0]
    if failed_rows is None and may_have_blanks and has_blanks_after_delimiters(table, dialect, headers):
        skips_blanks, table = True, b"".join(without_blanks([table], dialect))
    header_line, column_count = None, 0
    # The header of failed rows is the one that openprofiles wrote.
    if failed_rows is None and not strict:
        header_line = given.header_line
        if header_line == NO_HEADER:
            column_count = count_columns(table, dialect)
        elif header_line is not None:
            header_line = max(header_line, above.count(b"\n") + 1)
        else:
            header_line = _find_header_line(above, table, replace(dialect, first_row=given.first_row), headers)
    return FileForm(
        compression=compression,
        encoding=encoding,
        has_byte_order_mark=has_mark,
        delimiter=dialect.delimiter,
        quote=dialect.quote or NO_QUOTE,
        joins_lines=joins_lines,
        line_ends=line_ends,
        header_line=header_line,
        column_count=column_count,
        skips_blanks=skips_blanks,
        skips_blank_rows=not strict,
        first_row=given.first_row,
        given=given.given,
    )


def _find_header_line(above: bytes, table: bytes, dialect: Dialect, headers: Collection[str] | None) -> int | None:
    """Find the line of the header; None if it is the first row of the file.

    Raises:
        RowAboveHeader: it is found by its columns, and a line above it seems to be a row.
    """
    lines_above = above.count(b"\n")
    found = find_header(table, dialect, headers)
    if found is not None and found.row_above is not None:
        raise RowAboveHeader(lines_above + found.line, lines_above + found.row_above)
    if found is not None and not found.is_first:
        return lines_above + found.line
    return lines_above + 1 if lines_above else None


def find_compression(head: bytes) -> str:
    """Find the compression of a file from its first bytes; ``none`` if it has none."""
    return "gzip" if head.startswith(_GZIP) else "zstd" if head.startswith(_ZSTD) else "none"


def _rest(file: Readable) -> Iterator[bytes]:
    while part := file.read(_HEAD_BYTES):
        yield part


def _detect_encoding(
    head: bytes, rest: Readable, region: str | None, on_doubt: Callable[[EncodingGuess], None] | None
) -> str:
    if (shown := _shown_encoding(head)) is not None:
        return shown
    valid = invalid = 0
    strange, seven_bit = StrangeWords(), SevenBitText()
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    part, following = head, rest.read(_SAMPLE_BYTES)
    read_bytes, line = 0, 1
    # One stray byte must not decide about a file of which the rest is UTF-8, so it is read until that is plain.
    while part:
        if strange.has_cut_line or not part.isascii():
            is_other = invalid >= _ENOUGH and invalid >= 10 * valid
            if not is_other:
                text = decoder.decode(part)
                bad = len(_NOT_UTF_8.findall(text))
                invalid += bad
                valid += len(_BEYOND_ASCII.findall(text)) - bad
                if valid >= _ENOUGH and valid >= 10 * invalid:
                    return UTF_8
        elif not valid and not invalid:
            seven_bit.add(part)
        # Rare letters come late, and only they may distinguish two encodings.
        strange.add(part, first_line=line, is_last=not following)
        read_bytes += len(part)
        line += part.count(b"\n") or part.count(b"\r")
        if invalid >= _ENOUGH and invalid >= 10 * valid and read_bytes >= _OTHER_BYTES:
            break
        part, following = following, rest.read(_SAMPLE_BYTES)
    if not valid and not invalid:
        return seven_bit.find_encoding()
    if valid >= invalid:
        return UTF_8
    guess = guess_encoding(strange.words, region)
    if guess.candidates:
        refuse_mixed_encodings(strange.lines, guess.candidates[0].encoding)
    if not guess.is_clear:
        raise EncodingUnclear(guess.candidates)
    if not guess.is_plain and on_doubt is not None:
        on_doubt(guess)
    return guess.candidates[0].encoding


def _shown_encoding(head: bytes) -> str | None:
    """Return the encoding that the first bytes show, if they show one."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head and (utf_16 := _detect_utf_16(head)):
        return utf_16
    # Bytes that are not UTF-8 are why the rows of a file of failed rows failed.
    failed_rows = find_failed_rows_form(head)
    return UTF_8 if failed_rows is not None and failed_rows.is_plain else None


def _detect_utf_16(head: bytes) -> str | None:
    """Detect UTF-16 without a mark by what it is in the right byte order: text with line ends and delimiters."""
    found = {name: _count_separators(head, name) for name in ("utf-16le", "utf-16be")}
    best = max(found, key=lambda name: found[name])
    other = min(found, key=lambda name: found[name])
    return best if found[best] > 3 * max(found[other], 0) and found[best] * _MAX_UTF_16_CELL >= len(head) else None


def _count_separators(head: bytes, encoding: str) -> int:
    """Count the line ends and delimiters; -1 if it is not a text in this encoding."""
    # The last character may be cut off.
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    if _NOT_IN_TEXT.search(text) or not ("\n" in text or "\r" in text):
        return -1
    return sum(map(text.count, ("\n", "\r", *DELIMITERS)))


def _find_line_ends(text: bytes, *, strict: bool) -> str:
    feeds, pairs = text.count(b"\n"), text.count(b"\r\n")
    if b"\r" in text and not strict:
        # Cells may have line breaks of another kind.
        outside = remove_quoted(text, "".join(DELIMITERS), QUOTES[0])
        feeds, pairs = outside.count(b"\n"), outside.count(b"\r\n")
        if 2 * outside.count(b"\r\r\n") > feeds:
            return "CRCRLF"
        # A quoted cell at the end may be cut off, so that its line breaks count.
        if outside.count(b"\r") - pairs > _FEWEST_RETURNS * feeds:
            return "CR"
    return "CRLF" if 2 * pairs > feeds else "LF"


def _find_dialect(
    text: bytes, separator: str | None, given: FileOptions, headers: Collection[str] | None, *, strict: bool
) -> tuple[Dialect, bool]:
    """Find the dialect, and whether detected single quotes join lines in this text.

    Args:
        separator: the delimiter that a line above the text names.
    """
    quote = None if given.quote == NO_QUOTE else given.quote or QUOTES[0]
    skips_blank_rows = not strict
    if given.delimiter is not None:
        return Dialect(given.delimiter, quote, skips_blank_rows), False
    plain = Dialect(DELIMITERS[0], quote, skips_blank_rows)
    if headers is not None and _has_columns(text, plain, headers):
        return plain, False
    # A quoted name may hold a line end; what follows it hardly matters here.
    first_line = text.lstrip(b" \t\r\n").partition(b"\n")[0].decode("utf-8", "surrogateescape").rstrip("\r")
    # Whatever separates the cells separates the names, too.
    possible = [one for one in DELIMITERS if one in first_line]
    header: FoundHeader | None = None
    if separator is not None:
        possible = [separator]
    elif given.header_line != NO_HEADER and (by_header := _find_by_header(text, quote, headers)) is not None:
        delimiter_of_header, header = by_header
        possible = [delimiter_of_header]
    if header is not None:
        text = text[header.offset :]
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
        return Dialect(delimiter, QUOTES[1], skips_blank_rows), proven[delimiter].join_lines
    return Dialect(delimiter, quote, skips_blank_rows), False


def _find_by_header(text: bytes, quote: str | None, headers: Collection[str] | None) -> tuple[str, FoundHeader] | None:
    """Find the delimiter with which the header makes sense; None if none or several do."""
    top = b"\n".join(text.split(b"\n", MOST_LINES)[:MOST_LINES])
    found = {
        delimiter: header
        for delimiter in DELIMITERS
        if delimiter.encode() in top and (header := find_header(text, Dialect(delimiter, quote, True), headers))
    }
    for delimiter, header in found.items():
        if header.has_columns:
            return delimiter, header
    best = sorted(found.items(), key=lambda one: -one[1].score)
    if not best or best[0][1].score < _FEWEST_SIGNS or (len(best) > 1 and best[0][1].score == best[1][1].score):
        return None
    return best[0]


def _has_columns(text: bytes, dialect: Dialect, headers: Collection[str]) -> bool:
    try:
        form = FileForm(delimiter=dialect.delimiter, quote=dialect.quote or NO_QUOTE)
        names = read_file_header(PartsReader(iter([text])).read, form)
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
