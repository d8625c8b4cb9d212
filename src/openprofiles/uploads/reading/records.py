"""Find the records of a CSV file: where each one starts and ends, on which line, and whether it can be trusted to a
library.

The boundaries of records are ours, because a CSV library loses rows without a word after one stray quote. The scanner
reads the file once, in bounded memory, and yields blocks. Each block describes its records in file order (record
number, physical line, byte range, kind) and holds the text of the clean ones, which any RFC 4180 reader reads in the
same way.

The rules, with the delimiter and the quote of the file's dialect (a comma and a double quote by default):

- A quote opens a quoted cell only as the very first byte of the cell. Inside, two quotes are one quote. A closing quote
  is followed by a delimiter, a line end or the end of the file; after anything else the record is malformed, and the
  rest of that cell is read as unquoted. A quote inside an unquoted cell is data. Some dialects have no quote.
- A record ends at LF or CRLF outside quotes, or at the end of the file. A lone CR is data.
- A byte order mark at the start of the file is skipped. Lines that are empty or hold only spaces and tabs are not
  records, but they count as physical lines; so do rows of delimiters alone, if the dialect skips them. Physical lines
  are counted from 1, by LF, inside quotes too.
- The first record is the header. Data records are numbered from 1.
- If the dialect has a `first_row`, the "line" of a record is its row: records and blank lines are counted from there.

Method: numpy finds the quotes and newlines of a piece of the file. As long as quotes stand where RFC 4180 wants them, a
newline is a record end exactly if an even number of quotes stands before it. Where a quote breaks this, the one record
is read by a regular expression and the fast way starts again after it; both possible parities are prepared beforehand,
so a piece in which every record is broken costs no more than linear time.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from openprofiles.uploads.reading.cells import split_record
from openprofiles.uploads.reading.dialect import COMMAS, SEPARATOR_LINE, Dialect, record_patterns
from openprofiles.uploads.reading.rule_lines import match_rule

Offsets = npt.NDArray[np.int64]
Kinds = npt.NDArray[np.uint8]
_Flags = npt.NDArray[np.bool_]

MAX_RECORD_BYTES = 1 << 20
BLOCK_BYTES = 16 << 20
# Small enough for its arrays to stay in the processor's cache and small next to a block, large enough to hide numpy's
# calls.
READ_BYTES = 1 << 20
# A block of 16 MiB could hold 8 million records of one byte; the arrays and the reader's rows need a bound as well.
MAX_BLOCK_RECORDS = 500_000
# How many lines of each kind that was skipped are kept.
MAX_SKIPPED_LINES = 20

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LF, _CR = b"\n\r"


class Kind(IntEnum):
    """What a record is. The values of faults rise with their priority: a record has the highest of those that apply."""

    CLEAN = 0
    """Any RFC 4180 reader reads it as we do."""
    ODD = 1
    """No fault, but a reader might differ: a stray quote, a lone CR, a leading byte order mark, or many cells."""
    MALFORMED_QUOTES = 2
    NUL_BYTE = 3
    INVALID_UTF8 = 4
    RECORD_TOO_LONG = 5


class NoHeaderError(ValueError):
    """The file has no record at all, so no header."""

    def __init__(self) -> None:
        super().__init__(
            "the file holds no header: it is empty or has only blank lines; its first record names the columns"
        )


class UnclosedQuoteError(ValueError):
    """A quoted cell is still open at the end of the file. `line` is the physical line on which it opens."""

    def __init__(self, line: int) -> None:
        super().__init__(f"the quoted cell that opens on line {line} is never closed; close it or remove the quote")
        self.line = line


@dataclass(frozen=True, slots=True)
class Header:
    """The first record of the file.

    `byte_start` and `byte_end` are offsets in the file (the byte order mark counts); `byte_end` excludes the line end.
    `fault` is None or one of the fault kinds. `raw` are the record's bytes; empty when the fault is RECORD_TOO_LONG.
    """

    raw: bytes
    line: int
    byte_start: int
    byte_end: int
    has_byte_order_mark: bool
    fault: Kind | None


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive data records. Every array has one entry for each record, in file order.

    - `first_record`: number of the first record; data records count from 1, blank lines do not count.
    - `line`: physical line on which the record starts, from 1.
    - `byte_start`, `byte_end`: offsets in the file; `byte_end` excludes the line end.
    - `kind`: values of `Kind`.
    - `cell_count`: the number of cells; 0 where it was not counted: in records with stray quotes, and in all of them if
      the scanner has no `max_clean_cells`.
    - `clean`: the clean records one after another, each ended by one LF, otherwise as they stand in the file.
    - `odd`: number and bytes (without the line end) of each odd record.
    - `dialect`: that of the file.
    """

    first_record: int
    line: Offsets
    byte_start: Offsets
    byte_end: Offsets
    kind: Kinds
    cell_count: Offsets
    clean: bytes
    odd: tuple[tuple[int, bytes], ...]
    dialect: Dialect

    @property
    def record_count(self) -> int:
        return self.kind.size

    @property
    def clean_count(self) -> int:
        return self.kind.size - int(np.count_nonzero(self.kind))

    def odd_records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield record number and cells of each odd record; split one at a time, as a record of commas becomes
        large."""
        for number, record in self.odd:
            yield number, split_record(record, self.dialect)


@dataclass(frozen=True, slots=True)
class _Piece:
    """The complete records of a piece of the file, without blank lines; fields as in Block, record numbers left out."""

    line: Offsets
    byte_start: Offsets
    byte_end: Offsets
    kind: Kinds
    cell_count: Offsets
    clean: bytes
    odd: list[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class _Lines:
    """The complete lines of a piece: whatever ends outside quotes, blank lines included.

    `ends` are the offsets of their LFs in the piece, `newline_indexes` count those LFs among all of the piece. `quotes`
    are the offsets of all quotes, and `quotes_before_start` and `quotes_before_end` count those before a line and its
    LF. `irregular` are the lines that hold a quote where RFC 4180 has none, with the kind of each.
    """

    ends: Offsets
    newline_indexes: Offsets
    quotes: Offsets
    quotes_before_start: Offsets
    quotes_before_end: Offsets
    irregular: Offsets
    irregular_kinds: Kinds


@dataclass(frozen=True, slots=True)
class _LongRecord:
    """Where a record began whose bytes are no longer kept, because there are too many."""

    byte_start: int
    line: int
    quote_line: int


class Scanner:
    """Scan one CSV file, from its first byte to its last.

    The header is the first record that is not blank from line `header_line` on; 0: there is none, and every record is
    one of data. Call `read_header` once, set `max_clean_cells` (records with more cells are odd; None: no limit) and,
    if need be, `max_block_records`, then iterate over `blocks`.

    `read(size_bytes)` returns the next bytes of the file, at most `size_bytes`; fewer are fine, none mean the end of
    the file. A block is yielded as soon as it holds `block_bytes` bytes of the file or many records. A record longer
    than `max_record_bytes` (without its line end) gets the kind RECORD_TOO_LONG; its bytes are not kept while it is
    scanned.

    Attributes:
        blank_row_count: the rows of delimiters alone that were skipped so far.
        blank_row_lines: the lines of the first ones.
        skipped_line_count: the lines above the header that were skipped, without blank ones.
        skipped_lines: the numbers of the first ones.
        has_open_end: whether the file ends without a line end; known once all blocks are read.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        dialect: Dialect = COMMAS,
        *,
        header_line: int | None = None,
        max_clean_cells: int | None = None,
        block_bytes: int = BLOCK_BYTES,
        max_record_bytes: int = MAX_RECORD_BYTES,
        read_bytes: int = READ_BYTES,
        max_block_records: int = MAX_BLOCK_RECORDS,
    ) -> None:
        self.max_clean_cells = max_clean_cells
        self.blank_row_count = 0
        self.blank_row_lines: list[int] = []
        self.skipped_line_count = 0
        self.skipped_lines: list[int] = []
        self.has_open_end = False
        self._header_line = header_line
        self._read = read
        self._dialect = dialect
        self._block_bytes = block_bytes
        self._max_record_bytes = max_record_bytes
        self._read_bytes = read_bytes
        self.max_block_records = max_block_records
        self._at_end_of_file = False
        # The carry: bytes read and not yet yielded. It begins at a record start, at this offset and on this line. When
        # a record has become too long, the carry is a byte or two that stand for all of it (see _carry_over).
        self._carry = b""
        self._carry_offset = 0
        self._carry_line = 1 if dialect.first_row is None else dialect.first_row
        self._long_record: _LongRecord | None = None

    def read_header(self) -> Header:
        """Return the first record of the file; call it before `blocks`.

        Raises NoHeaderError when the file has no record, UnclosedQuoteError when the header's quotes are never closed.
        """
        self._carry = self._read_fully(max(self._read_bytes, len(_BYTE_ORDER_MARK)))
        has_byte_order_mark = self._carry.startswith(_BYTE_ORDER_MARK)
        if has_byte_order_mark:
            self._carry = self._carry.removeprefix(_BYTE_ORDER_MARK)
            self._carry_offset = len(_BYTE_ORDER_MARK)
        if self._header_line == 0:
            if separator := SEPARATOR_LINE.match(self._carry):
                self._pass(separator.end(), self._carry_line + 1)
            return Header(b"", 1, self._carry_offset, self._carry_offset, has_byte_order_mark, None)
        if self._header_line is not None:
            self._skip_lines_above_header(self._header_line)
        while True:
            data, ends_virtually = self._close_last_line(self._carry)
            start = _skip_blank_lines(data, self._dialect, ends_virtually)
            if self._dialect.skips_blank_rows:
                for number, row in enumerate(data[:start].splitlines()):
                    self._count_blank_row(row, self._carry_line + number)
            end = _find_record_end(data, self._dialect, start)
            if start < len(data) and end is not None:
                break
            self._carry_over(data, start, data.count(b"\n", 0, start))
            if self._at_end_of_file:
                if not self._carry:
                    raise NoHeaderError
                raise UnclosedQuoteError(self._find_open_quote_line())
            self._carry += self._read_fully(self._read_bytes)
        # A long line before `start` was blank, so it was not the header.
        long_record = None if start else self._long_record
        line = self._carry_line + data.count(b"\n", 0, start)
        is_crlf = end > start and data[end - 1] == _CR and not (ends_virtually and end + 1 == len(data))
        raw = data[start : end - is_crlf]
        fault = Kind.RECORD_TOO_LONG if long_record else _find_fault(raw, self._dialect, self._max_record_bytes)
        header = Header(
            raw=b"" if fault == Kind.RECORD_TOO_LONG else raw,
            line=long_record.line if long_record else line,
            byte_start=long_record.byte_start if long_record else self._carry_offset + start,
            byte_end=self._carry_offset + end - is_crlf,
            has_byte_order_mark=has_byte_order_mark,
            fault=fault,
        )
        self._long_record = None
        self._carry_line = line + self._count_lines(data, start, end + 1, rows=1)
        self._carry_offset += end + 1
        self._carry = data[end + 1 : len(data) - ends_virtually]
        self._skip_rule_below_header()
        return header

    def _skip_rule_below_header(self) -> None:
        if self._dialect.skips_blank_rows and (rule := match_rule(self._carry)) is not None:
            self._add_blank_row(self._carry_line)
            self._pass(len(rule), self._carry_line + 1)

    def _skip_lines_above_header(self, header_line: int) -> None:
        line, start = self._carry_line, 0
        while line < header_line:
            if self._dialect.first_row is None:
                end = self._carry.find(b"\n", start) + 1
            else:
                record_end = _find_record_end(self._carry, self._dialect, start)
                end = 0 if record_end is None else record_end + 1
            if end:
                self._count_skipped_line(self._carry[start:end], line)
                line, start = line + 1, end
            elif self._at_end_of_file:
                raise NoHeaderError
            else:
                self._pass(start, line)
                start = 0
                if len(self._carry) > self._max_record_bytes:
                    # Of a long line, only what decides how it ends and whether it is blank is kept.
                    size_bytes = len(self._carry)
                    self._carry, _ = _shorten(self._carry, self._dialect)
                    self._carry_offset += size_bytes - len(self._carry)
                self._carry += self._read_fully(self._read_bytes)
        self._pass(start, line)

    def _count_skipped_line(self, text: bytes, line: int) -> None:
        is_separator = line == 1 and SEPARATOR_LINE.fullmatch(text)
        if text.strip(self._dialect.blanks + b"\r\n") and not is_separator:
            self.skipped_line_count += 1
            if len(self.skipped_lines) < MAX_SKIPPED_LINES:
                self.skipped_lines.append(line)

    def _pass(self, size_bytes: int, line: int) -> None:
        """Remove whole lines from the beginning of the carry, up to a line."""
        self._carry_line = line
        self._carry_offset += size_bytes
        self._carry = self._carry[size_bytes:]

    def blocks(self) -> Iterator[Block]:
        """Yield the data records after the header, in blocks that end at a record end; no block is empty.

        Raises UnclosedQuoteError when a quoted cell is still open at the end of the file.
        """
        first_record = 1
        pieces: list[_Piece] = []
        block_bytes = block_records = 0
        for piece, size_bytes in self._scan_pieces():
            pieces.append(piece)
            block_bytes += size_bytes
            block_records += piece.kind.size
            if block_records and (block_bytes >= self._block_bytes or block_records >= self.max_block_records):
                yield _join_pieces(pieces, first_record, self._dialect)
                first_record += block_records
                pieces = []
                block_bytes = block_records = 0
        if block_records:
            yield _join_pieces(pieces, first_record, self._dialect)

    def _scan_pieces(self) -> Iterator[tuple[_Piece, int]]:
        """Yield each piece that completes at least one line, and its size in bytes."""
        while True:
            self._carry += self._read_fully(self._read_bytes)
            data, ends_virtually = self._close_last_line(self._carry)
            self.has_open_end = ends_virtually
            lines = _find_lines(data, self._dialect, ends_virtually)
            if lines.ends.size:
                yield self._describe_records(data, lines, ends_virtually), len(data)
            self._carry_over(data, int(lines.ends[-1]) + 1 if lines.ends.size else 0, lines.ends.size)
            if self._at_end_of_file:
                if self._carry:
                    raise UnclosedQuoteError(self._find_open_quote_line())
                return

    def _read_fully(self, size_bytes: int) -> bytes:
        """Return exactly `size_bytes` bytes, or what is left of the file."""
        parts: list[bytes] = []
        missing_bytes = size_bytes
        while missing_bytes > 0 and not self._at_end_of_file:
            part = self._read(missing_bytes)
            parts.append(part)
            missing_bytes -= len(part)
            self._at_end_of_file = not part
        return b"".join(parts)

    def _close_last_line(self, data: bytes) -> tuple[bytes, bool]:
        """Return `data`, ended by an LF, and whether that LF was added."""
        if self._at_end_of_file and data and not data.endswith(b"\n"):
            return data + b"\n", True
        return data, False

    def _count_lines(self, data: bytes, start: int, end: int, *, rows: int) -> int:
        """Count the lines of a part of the data, or its rows."""
        return data.count(b"\n", start, end) if self._dialect.first_row is None else rows

    def _carry_over(self, data: bytes, start: int, rows: int) -> None:
        """Keep the incomplete record that begins at `start` for the next piece.

        `rows` is the number of rows before it. Once it is too long, a byte or two take its place that leave the scan in
        the same state, so nothing else has to know.
        """
        tail = data[start:]
        tail_line = self._carry_line + self._count_lines(data, 0, start, rows=rows)
        if start:
            # Whatever long record there was has been completed.
            self._long_record = None
        offset = self._carry_offset + start
        # A CR at the very end may turn out to be half of a line end.
        if self._long_record is None and len(tail) - tail.endswith(b"\r") <= self._max_record_bytes:
            self._carry, self._carry_offset, self._carry_line = tail, offset, tail_line
            return
        carry, quote = _shorten(tail, self._dialect)
        known = self._long_record
        if quote is None:
            quote_line = 0
        elif known and known.quote_line and quote == 0:
            quote_line = known.quote_line
        else:
            quote_line = tail_line + self._count_lines(tail, 0, quote, rows=0)
        self._long_record = _LongRecord(
            byte_start=known.byte_start if known else offset,
            line=known.line if known else tail_line,
            quote_line=quote_line,
        )
        self._carry = carry
        self._carry_offset = offset + len(tail) - len(carry)
        self._carry_line = tail_line + self._count_lines(tail, 0, len(tail), rows=0)

    def _find_open_quote_line(self) -> int:
        """Find the line of the quote that is open at the end of the carry."""
        if self._long_record and self._long_record.quote_line:
            return self._long_record.quote_line
        quote = _find_open_quote(self._carry, self._dialect) or 0
        return self._carry_line + self._count_lines(self._carry, 0, quote, rows=0)

    def _describe_records(self, data: bytes, lines: _Lines, ends_virtually: bool) -> _Piece:
        array = np.frombuffer(data, np.uint8)
        ends = lines.ends
        starts = np.empty_like(ends)
        starts[0] = 0
        starts[1:] = ends[:-1] + 1
        line_numbers = np.empty_like(ends)
        line_numbers[0] = 0
        numbered = lines.newline_indexes[:-1] if self._dialect.first_row is None else np.arange(ends.size - 1)
        line_numbers[1:] = numbered + 1
        line_numbers += self._carry_line

        is_crlf = (array[ends - 1] == _CR) & (ends > starts)
        if ends_virtually and int(ends[-1]) == array.size - 1:
            is_crlf[-1] = False
        content_ends = ends - is_crlf
        file_starts = starts + self._carry_offset
        if self._long_record:
            file_starts[0] = self._long_record.byte_start
            line_numbers[0] = self._long_record.line
        file_ends = content_ends + self._carry_offset

        kind = np.zeros(ends.size, np.uint8)
        kind[lines.irregular] = lines.irregular_kinds
        cell_count = np.zeros(ends.size, np.int64)
        if self.max_clean_cells is not None:
            cell_count = _count_cells(array, self._dialect, lines)
            cell_count[lines.irregular] = 0
            _raise_kind(kind, np.flatnonzero(cell_count > self.max_clean_cells), Kind.ODD)
        _mark_odd(kind, data, array, lines, starts, content_ends)
        if b"\0" in data:
            nul_records = np.searchsorted(ends, np.flatnonzero(array == 0))
            _raise_kind(kind, nul_records[nul_records < ends.size], Kind.NUL_BYTE)
        _raise_kind(kind, _find_records_not_utf8(data, ends), Kind.INVALID_UTF8)
        _raise_kind(kind, np.flatnonzero(file_ends - file_starts > self._max_record_bytes), Kind.RECORD_TOO_LONG)

        kept = _find_lines_with_records(data, array, starts, content_ends, self._dialect)
        if self._dialect.skips_blank_rows and not kept.all():
            for record in np.flatnonzero(~kept & (content_ends > starts)).tolist():
                self._count_blank_row(data[starts[record] : content_ends[record]], int(line_numbers[record]))
        clean = _join_clean_records(data, array, starts, ends, is_crlf, (kind == Kind.CLEAN) & kept)
        if not kept.all():
            line_numbers, file_starts, file_ends = line_numbers[kept], file_starts[kept], file_ends[kept]
            kind, cell_count = kind[kept], cell_count[kept]
            starts, content_ends = starts[kept], content_ends[kept]
        odd = [
            (record, data[starts[record] : content_ends[record]])
            for record in np.flatnonzero(kind == Kind.ODD).tolist()
        ]
        return _Piece(line_numbers, file_starts, file_ends, kind, cell_count, clean, odd)

    def _count_blank_row(self, row: bytes, line: int) -> None:
        """Count a skipped row if it has delimiters; a blank line does not count."""
        if self._dialect.delimiter.encode() in row:
            self._add_blank_row(line)

    def _add_blank_row(self, line: int) -> None:
        self.blank_row_count += 1
        if len(self.blank_row_lines) < MAX_SKIPPED_LINES:
            self.blank_row_lines.append(line)


def _mark_odd(
    kind: Kinds,
    data: bytes,
    array: npt.NDArray[np.uint8],
    lines: _Lines,
    starts: Offsets,
    content_ends: Offsets,
) -> None:
    """Mark records as odd: those with a lone CR or a byte order mark."""
    if b"\r" in data:
        crs = np.flatnonzero(array[:-1] == _CR)
        crs = crs[crs < lines.ends[-1]]
        records = np.searchsorted(lines.ends, crs)
        # The CR of a line end stands at its record's content end.
        inside = crs < content_ends[records]
        crs, records = crs[inside], records[inside]
        lone = array[crs + 1] != _LF
        # A CR before an LF within a record can only stand in quotes, unless the LF is our own.
        lone |= crs + 1 == lines.ends[records]
        crs, records = crs[lone], records[lone]
        unquoted = (np.searchsorted(lines.quotes, crs) - lines.quotes_before_start[records]) % 2 == 0
        _raise_kind(kind, records[unquoted], Kind.ODD)
    if _BYTE_ORDER_MARK in data:
        # A reader takes the mark at the start of its input for its own, and each block starts an input.
        marked = array[starts] == _BYTE_ORDER_MARK[0]
        marks = [
            record for record in np.flatnonzero(marked).tolist() if data.startswith(_BYTE_ORDER_MARK, starts[record])
        ]
        _raise_kind(kind, np.array(marks, np.int64), Kind.ODD)


def _find_lines(data: bytes, dialect: Dialect, ends_virtually: bool) -> _Lines:
    array = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(array == _LF)
    has_quotes = dialect.quote is not None and dialect.quote_byte in data
    quotes = np.flatnonzero(array == dialect.quote_byte[0]) if has_quotes else np.empty(0, np.int64)
    quotes_before = np.searchsorted(quotes, newlines)
    is_inside = (quotes_before & 1).astype(np.bool_)
    irregular: list[int] = []
    irregular_kinds: list[int] = []
    may_open, may_close = _find_regular_quotes(array, dialect, quotes, ends_virtually)
    if may_open[0::2].all() and may_close[1::2].all():
        newline_indexes = np.flatnonzero(~is_inside)
    else:
        found, irregular, irregular_kinds = _step_over_irregular_records(
            data, dialect, newlines, quotes, is_inside, may_open, may_close, ends_virtually
        )
        newline_indexes = np.array(found, np.int64)
    quotes_before_end = quotes_before[newline_indexes]
    quotes_before_start = np.zeros_like(quotes_before_end)
    quotes_before_start[1:] = quotes_before_end[:-1]
    return _Lines(
        ends=newlines[newline_indexes],
        newline_indexes=newline_indexes,
        quotes=quotes,
        quotes_before_start=quotes_before_start,
        quotes_before_end=quotes_before_end,
        irregular=np.array(irregular, np.int64),
        irregular_kinds=np.array(irregular_kinds, np.uint8),
    )


def _find_regular_quotes(
    array: npt.NDArray[np.uint8], dialect: Dialect, quotes: Offsets, ends_virtually: bool
) -> tuple[_Flags, _Flags]:
    """Find the quotes that could open or close a cell by their neighbours.

    Reading every second quote as an opening one also makes the pair within a cell a closing and an opening quote.
    """
    if not quotes.size:
        return np.empty(0, np.bool_), np.empty(0, np.bool_)
    quote, delimiter = dialect.quote_byte[0], dialect.delimiter_byte
    before = array[quotes - 1]
    before[quotes == 0] = _LF
    may_open = (before == delimiter) | (before == _LF) | (before == quote)
    # What follows the piece is not known; its last record is incomplete in any case.
    last = array.size - 1
    after = array[np.minimum(quotes + 1, last)]
    after[quotes == last] = _LF
    may_close = (after == delimiter) | (after == _LF) | (after == quote)
    before_cr = np.flatnonzero(after == _CR)
    if before_cr.size:
        after_cr = quotes[before_cr] + 2
        is_line_end = array[np.minimum(after_cr, last)] == _LF
        if ends_virtually:
            is_line_end &= after_cr != last
        may_close[before_cr] = is_line_end | (after_cr > last)
    return may_open, may_close


def _step_over_irregular_records(
    data: bytes,
    dialect: Dialect,
    newlines: Offsets,
    quotes: Offsets,
    is_inside: _Flags,
    may_open: _Flags,
    may_close: _Flags,
    ends_virtually: bool,
) -> tuple[list[int], list[int], list[int]]:
    """Return the indexes (among the newlines) of the line ends; which of those lines are irregular; and their kinds."""
    well_quoted = record_patterns(dialect).well_quoted
    quote_is_odd = (np.arange(quotes.size) & 1).astype(np.bool_)
    # For both parities of the first quote of a run of regular records: the quotes that break it, and the newlines
    # outside quotes.
    breaking = [
        np.flatnonzero(np.where(quote_is_odd == bool(parity), ~may_open, ~may_close)).tolist() for parity in (0, 1)
    ]
    outside = [np.flatnonzero(is_inside == bool(parity)).tolist() for parity in (0, 1)]
    newline_offsets = newlines.tolist()
    quote_offsets = quotes.tolist()
    found: list[int] = []
    irregular: list[int] = []
    kinds: list[int] = []
    next_newline = next_quote = 0
    breaking_positions, outside_positions = [0, 0], [0, 0]
    while True:
        parity = next_quote & 1
        position = bisect_left(breaking[parity], next_quote, breaking_positions[parity])
        first_outside = bisect_left(outside[parity], next_newline, outside_positions[parity])
        breaking_positions[parity] = position
        if position == len(breaking[parity]):
            found += outside[parity][first_outside:]
            return found, irregular, kinds
        quote_offset = quote_offsets[breaking[parity][position]]
        newline_after_quote = bisect_left(newline_offsets, quote_offset, next_newline)
        last_outside = bisect_left(outside[parity], newline_after_quote, first_outside)
        outside_positions[parity] = last_outside
        found += outside[parity][first_outside:last_outside]

        start = newline_offsets[found[-1]] + 1 if found else 0
        end = _find_record_end(data, dialect, start)
        if end is None:
            return found, irregular, kinds
        is_crlf = data[end - 1] == _CR and not (ends_virtually and end == len(data) - 1)
        is_well_quoted = well_quoted.match(data, start, end - is_crlf)
        irregular.append(len(found))
        kinds.append(Kind.ODD if is_well_quoted else Kind.MALFORMED_QUOTES)
        newline = bisect_left(newline_offsets, end, newline_after_quote)
        found.append(newline)
        next_newline = newline + 1
        next_quote = bisect_left(quote_offsets, end, breaking[parity][position])


def _count_cells(array: npt.NDArray[np.uint8], dialect: Dialect, lines: _Lines) -> Offsets:
    """Count the cells of each line with regular quotes (irregular lines: undefined)."""
    delimiters = np.flatnonzero(array == dialect.delimiter_byte)
    counts = np.diff(np.searchsorted(delimiters, lines.ends), prepend=0) + 1
    if lines.quotes.size:
        # Delimiters in quotes: those before the closing quotes less those before the opening ones. A running sum with
        # changing signs gives it for each line; its sign depends on the parity of the line's first quote.
        delimiters_before = np.searchsorted(delimiters, lines.quotes)
        delimiters_before[0::2] *= -1
        sums = np.concatenate(([0], np.cumsum(delimiters_before)))
        in_quotes = sums[lines.quotes_before_end] - sums[lines.quotes_before_start]
        counts -= np.where(lines.quotes_before_start & 1, -in_quotes, in_quotes)
    return counts


def _find_records_not_utf8(data: bytes, ends: Offsets) -> Offsets:
    """Find the lines that Python's strict decoder refuses, by halving the range of lines."""
    found: list[int] = []
    if not data.isascii():
        boundaries = [0, *(ends + 1).tolist()]
        ranges = [(0, ends.size)]
        while ranges:
            first, last = ranges.pop()
            try:
                data[boundaries[first] : boundaries[last]].decode("utf-8")
            except UnicodeDecodeError:
                if last - first == 1:
                    found.append(first)
                else:
                    middle = (first + last) // 2
                    ranges += (first, middle), (middle, last)
    return np.array(found, np.int64)


def _find_lines_with_records(
    data: bytes, array: npt.NDArray[np.uint8], starts: Offsets, content_ends: Offsets, dialect: Dialect
) -> _Flags:
    """Find the lines that are records, which means not blank."""
    is_record = content_ends > starts
    blanks = dialect.blanks
    is_blank = np.zeros(256, np.bool_)
    is_blank[list(blanks)] = True
    may_be_blank = is_record & is_blank[array[starts]] & is_blank[array[content_ends - 1]]
    for line in np.flatnonzero(may_be_blank).tolist():
        if not data[starts[line] : content_ends[line]].strip(blanks):
            is_record[line] = False
    return is_record


def _join_clean_records(
    data: bytes, array: npt.NDArray[np.uint8], starts: Offsets, ends: Offsets, is_crlf: _Flags, is_clean: _Flags
) -> bytes:
    size_bytes = int(ends[-1]) + 1
    if is_clean.all():
        if not is_crlf.any():
            return data[:size_bytes]
        if is_crlf.all() and data.count(b"\r\n", 0, size_bytes) == ends.size:
            return data[:size_bytes].replace(b"\r\n", b"\n")
    steps = np.zeros(size_bytes + 1, np.int8)
    steps[starts[is_clean]] += 1
    steps[ends[is_clean] + 1] -= 1
    kept = np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)
    kept[ends[is_crlf] - 1] = False
    return array[:size_bytes][kept].tobytes()


def _join_pieces(pieces: list[_Piece], first_record: int, dialect: Dialect) -> Block:
    odd: list[tuple[int, bytes]] = []
    number = first_record
    for piece in pieces:
        odd += ((number + record, raw) for record, raw in piece.odd)
        number += piece.kind.size
    return Block(
        first_record=first_record,
        line=np.concatenate([piece.line for piece in pieces]),
        byte_start=np.concatenate([piece.byte_start for piece in pieces]),
        byte_end=np.concatenate([piece.byte_end for piece in pieces]),
        kind=np.concatenate([piece.kind for piece in pieces]),
        cell_count=np.concatenate([piece.cell_count for piece in pieces]),
        clean=b"".join([piece.clean for piece in pieces]),
        odd=tuple(odd),
        dialect=dialect,
    )


def _raise_kind(kind: Kinds, records: Offsets, least: Kind) -> None:
    kind[records] = np.maximum(kind[records], least)


def _find_fault(record: bytes, dialect: Dialect, max_record_bytes: int) -> Kind | None:
    if len(record) > max_record_bytes:
        return Kind.RECORD_TOO_LONG
    try:
        record.decode("utf-8")
    except UnicodeDecodeError:
        return Kind.INVALID_UTF8
    if b"\0" in record:
        return Kind.NUL_BYTE
    return None if record_patterns(dialect).well_quoted.match(record) else Kind.MALFORMED_QUOTES


def _skip_blank_lines(data: bytes, dialect: Dialect, ends_virtually: bool) -> int:
    """Return the offset of the first line that is not blank, or not complete."""
    blank_lines = record_patterns(dialect).blank_rows.match(data)
    end = blank_lines.end() if blank_lines else 0
    if ends_virtually and end == len(data) and data.endswith(b"\r\n"):
        # The last line holds a lone CR, which is data: the LF after it is ours.
        return data.rfind(b"\n", 0, end - 1) + 1
    return end


def _match_cells(data: bytes, dialect: Dialect, start: int) -> int:
    cells = record_patterns(dialect).cells.match(data, start)
    return cells.end() if cells else start


def _find_record_end(data: bytes, dialect: Dialect, start: int) -> int | None:
    """Return the offset of the LF that ends the record at `start`; None if the record is not complete."""
    end = _match_cells(data, dialect, start)
    return end if end < len(data) and data[end] == _LF else None


def _find_open_quote(incomplete_record: bytes, dialect: Dialect) -> int | None:
    """Find the quote that is open at the end of an incomplete record."""
    end = _match_cells(incomplete_record, dialect, 0)
    return end if end < len(incomplete_record) else None


def _shorten(incomplete_record: bytes, dialect: Dialect) -> tuple[bytes, int | None]:
    """Return the shortest bytes that a record continues after as after `incomplete_record`.

    Also returns the offset of the quote of the cell that is open at its end, or that one more quote would open again.
    """
    quote = dialect.quote_byte
    open_quote = _find_open_quote(incomplete_record, dialect)
    if open_quote is not None:
        return quote, open_quote
    if quote and incomplete_record.endswith(quote):
        open_quote = _find_open_quote(incomplete_record + quote, dialect)
        if open_quote is not None:
            return quote + quote, open_quote
    is_blank = not incomplete_record.removesuffix(b"\r").strip(dialect.blanks)
    start = b"" if is_blank else b"x"
    if incomplete_record.endswith(dialect.delimiter.encode()):
        # Without the letter, the end of a row with values could look like a blank row.
        return start + dialect.delimiter.encode(), None
    cr = b"\r" if incomplete_record.endswith(b"\r") else b""
    return (start or b" ") + cr, None
