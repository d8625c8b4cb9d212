"""The record scanner against an oracle that reads one byte at a time, and against the readers of its output."""

import csv
import datetime
import io
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import duckdb
import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import budgets
from openprofiles.uploads.reading.dialect import COMMAS, Dialect
from openprofiles.uploads.reading.records import (
    Block,
    Header,
    Kind,
    NoHeaderError,
    Scanner,
    UnclosedQuoteError,
)

MARK = b"\xef\xbb\xbf"
MAX_RECORD_BYTES = 1 << 20


# ---- The oracle: the state machine, written down byte by byte over the whole file. ----


@dataclass
class OracleRecord:
    line: int
    byte_start: int
    byte_end: int = 0
    cells: list[bytes] = field(default_factory=list)
    malformed: bool = False
    stray_quote: bool = False
    lone_cr: bool = False

    def kind(self, raw: bytes, max_clean_cells: int | None, max_record_bytes: int) -> Kind:
        if len(raw) > max_record_bytes:
            return Kind.RECORD_TOO_LONG
        try:
            raw.decode("utf-8", "strict")
        except UnicodeDecodeError:
            return Kind.INVALID_UTF8
        if 0 in raw:
            return Kind.NUL_BYTE
        if self.malformed:
            return Kind.MALFORMED_QUOTES
        too_many = max_clean_cells is not None and len(self.cells) > max_clean_cells
        if self.stray_quote or self.lone_cr or too_many or raw[:3] == MARK:
            return Kind.ODD
        return Kind.CLEAN


def read_with_oracle(file: bytes, blanks: bytes = b" \t") -> tuple[list[OracleRecord], int | None]:
    """Return all complete records, the header first, and the line of a quote that is never closed."""
    records: list[OracleRecord] = []
    position = 3 if file[:3] == MARK else 0
    line = 1
    while position < len(file):
        record = OracleRecord(line, position)
        cell = bytearray()
        state = "start"
        quote_line = 0
        ended = False
        while position < len(file) and not ended:
            byte = file[position : position + 1]
            following = file[position + 1 : position + 2]
            position += 1
            if state == "quoted":
                line += byte == b"\n"
                if byte == b'"' and following == b'"':
                    cell += byte
                    position += 1
                elif byte == b'"':
                    state = "closed"
                else:
                    cell += byte
            elif byte == b"\n" or (byte == b"\r" and following == b"\n"):
                record.byte_end = position - 1
                position += byte == b"\r"
                line += 1
                ended = True
            elif byte == b",":
                record.cells.append(bytes(cell))
                cell.clear()
                state = "start"
            elif byte == b'"' and state == "start":
                state = "quoted"
                quote_line = line
            else:
                record.malformed |= state == "closed"
                record.stray_quote |= byte == b'"'
                record.lone_cr |= byte == b"\r"
                cell += byte
                state = "garbage" if state in ("closed", "garbage") else "unquoted"
        if not ended:
            if state == "quoted":
                return records, quote_line
            record.byte_end = position
        record.cells.append(bytes(cell))
        if file[record.byte_start : record.byte_end].strip(blanks):
            records.append(record)
    return records, None


# ---- Reading a file with the scanner. ----


def reader_of(file: bytes, step_bytes: int | None = None) -> Callable[[int], bytes]:
    """Return a `read` that gives at most `step_bytes` at a time."""
    stream = io.BytesIO(file)
    return lambda size_bytes: stream.read(min(size_bytes, step_bytes or size_bytes))


def scan(
    file: bytes, max_clean_cells: int | None = None, dialect: Dialect = COMMAS, /, **sizes: int
) -> tuple[Header, list[Block]]:
    scanner = Scanner(reader_of(file), dialect, **sizes)
    header = scanner.read_header()
    scanner.max_clean_cells = max_clean_cells
    return header, list(scanner.blocks())


def kinds(blocks: list[Block]) -> list[Kind]:
    return [Kind(kind) for block in blocks for kind in block.kind.tolist()]


def lines(blocks: list[Block]) -> list[int]:
    return [line for block in blocks for line in block.line.tolist()]


def raws(file: bytes, blocks: list[Block]) -> list[bytes]:
    return [
        file[start:end]
        for block in blocks
        for start, end in zip(block.byte_start.tolist(), block.byte_end.tolist(), strict=True)
    ]


def odd_records(blocks: list[Block]) -> list[tuple[int, list[str]]]:
    return [odd for block in blocks for odd in block.odd_records()]


def clean_text(blocks: list[Block]) -> bytes:
    return b"".join(block.clean for block in blocks)


def read_with_csv_module(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline=""), strict=True))


# ---- The scanner against the oracle. ----

TOKENS = [b'"', b'"', b",", b"\n", b"\r\n", b"\r", b" ", b"\t", b"a", b"b", b"\0", "é".encode(), b"\xff", b"\xc3", MARK]
LINES = [
    b'"a"',
    b'a,"b,c"',
    b'"a""b"',
    b'5" pipe',
    b'"2"x',
    b'"a\nb"',
    b'"a\r\nb",c',
    b"a,b,c,d",
    b'""',
    b"",
    b"  ",
    b",,",
    b" , ",
    b'"',
]
LINE_ENDS = [b"\n", b"\r\n"]


def files() -> st.SearchStrategy[bytes]:
    """Random bytes of the alphabet, and files made of telling lines, with and without a byte order mark."""
    soup = st.lists(st.sampled_from(TOKENS), max_size=60).map(b"".join)
    plausible = st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(LINE_ENDS)).map(b"".join), max_size=20)
    starts = st.sampled_from([b"", b"", MARK, MARK[:2], MARK * 2])
    return st.builds(lambda start, body: start + body, starts, st.one_of(soup, plausible.map(b"".join)))


def sizes() -> st.SearchStrategy[dict[str, int]]:
    return st.fixed_dictionaries(
        {
            "read_bytes": st.integers(1, 64),
            "block_bytes": st.integers(1, 64),
            "max_record_bytes": st.one_of(st.integers(1, 12), st.just(MAX_RECORD_BYTES)),
            "max_block_records": st.one_of(st.integers(1, 4), st.just(500_000)),
        }
    )


@budgets.SCANS
@given(
    files(),
    sizes(),
    st.one_of(st.none(), st.integers(1, 3)),
    st.one_of(st.none(), st.integers(1, 5)),
    st.sampled_from([COMMAS, Dialect(skips_blank_rows=True)]),
)
def test_the_scanner_agrees_with_the_oracle_on_any_file_however_it_is_cut(
    file: bytes, sizes: dict[str, int], max_clean_cells: int | None, step_bytes: int | None, dialect: Dialect
) -> None:
    scanner = Scanner(reader_of(file, step_bytes), dialect, **sizes)
    expected, open_quote_line = read_with_oracle(file, dialect.blanks)
    if open_quote_line is not None:
        with pytest.raises(UnclosedQuoteError) as unclosed:
            scan(file, max_clean_cells, dialect, **sizes)
        assert unclosed.value.line == open_quote_line
        return
    if not expected:
        with pytest.raises(NoHeaderError):
            scanner.read_header()
        return
    max_record_bytes = sizes["max_record_bytes"]
    expected_kinds = [
        record.kind(file[record.byte_start : record.byte_end], max_clean_cells, max_record_bytes) for record in expected
    ]

    header = scanner.read_header()
    scanner.max_clean_cells = max_clean_cells
    blocks = list(scanner.blocks())

    assert (header.line, header.byte_start, header.byte_end) == (
        expected[0].line,
        expected[0].byte_start,
        expected[0].byte_end,
    )
    assert header.has_byte_order_mark == file.startswith(MARK)
    assert header.fault == (expected_kinds[0] if expected_kinds[0] > Kind.ODD else None)
    is_kept = header.fault != Kind.RECORD_TOO_LONG
    assert header.raw == (file[expected[0].byte_start : expected[0].byte_end] if is_kept else b"")
    expected, expected_kinds = expected[1:], expected_kinds[1:]
    assert lines(blocks) == [record.line for record in expected]
    assert raws(file, blocks) == [file[record.byte_start : record.byte_end] for record in expected]
    assert kinds(blocks) == expected_kinds
    cells = [[cell.decode("utf-8", "replace") for cell in record.cells] for record in expected]
    assert odd_records(blocks) == [
        (number, cells[number - 1]) for number, kind in enumerate(expected_kinds, 1) if kind == Kind.ODD
    ]
    assert read_with_csv_module(clean_text(blocks)) == [
        cells[number] for number, kind in enumerate(expected_kinds) if kind == Kind.CLEAN
    ]
    cell_counts = [count for block in blocks for count in block.cell_count.tolist()]
    assert all(count == 0 for count in cell_counts) if max_clean_cells is None else True
    assert [
        (count, kind) for count, kind in zip(cell_counts, expected_kinds, strict=True) if kind == Kind.CLEAN and count
    ] == [
        (len(record.cells), kind)
        for record, kind in zip(expected, expected_kinds, strict=True)
        if kind == Kind.CLEAN and max_clean_cells is not None
    ]
    next_record = 1
    for block in blocks:
        assert block.first_record == next_record
        assert block.record_count > 0
        assert block.clean_count == len(read_with_csv_module(block.clean))
        assert block.clean == b"" or block.clean.endswith(b"\n")
        next_record += block.record_count


def described(file: bytes, dialect: Dialect, max_clean_cells: int | None, sizes: dict[str, int]) -> object:
    """All that the scanner says of a file, with commas and double quotes in place of those of the dialect."""

    def translated(data: bytes) -> bytes:
        swapped = dialect.delimiter.encode() + b"," + (dialect.quote_byte + b'"' if dialect.quote else b"")
        return data.translate(bytes.maketrans(swapped, b"," + swapped[:1] + (b'"' + swapped[2:3])[: len(swapped) - 2]))

    try:
        header, blocks = scan(file, max_clean_cells, dialect, **sizes)
    except (NoHeaderError, UnclosedQuoteError) as error:
        return str(error)
    return [
        (translated(header.raw), header.line, header.byte_start, header.byte_end, header.fault),
        *(
            (
                block.first_record,
                block.line.tolist(),
                block.byte_start.tolist(),
                block.byte_end.tolist(),
                block.kind.tolist(),
                translated(block.clean),
                [(number, [translated(cell.encode()) for cell in cells]) for number, cells in block.odd_records()],
            )
            for block in blocks
        ),
    ]


@budgets.CALLS
@given(
    files(),
    sizes(),
    st.one_of(st.none(), st.integers(1, 3)),
    st.sampled_from([Dialect(";"), Dialect("|", "'"), Dialect(",", "'")]),
)
def test_another_delimiter_and_quote_are_read_as_commas_and_double_quotes_are(
    file: bytes, sizes: dict[str, int], max_clean_cells: int | None, dialect: Dialect
) -> None:
    swapped = (dialect.delimiter + "," + (dialect.quote or "") + '"').encode()
    in_dialect = file.translate(
        bytes.maketrans(swapped, ("," + dialect.delimiter + '"' + (dialect.quote or "")).encode())
    )

    assert described(in_dialect, dialect, max_clean_cells, sizes) == described(file, COMMAS, max_clean_cells, sizes)


@budgets.CALLS
@given(files(), sizes(), st.one_of(st.none(), st.integers(1, 3)), st.sampled_from([",", "\t"]))
def test_without_quoting_a_quote_is_data_like_any_letter(
    file: bytes, sizes: dict[str, int], max_clean_cells: int | None, delimiter: str
) -> None:
    with_letters = file.replace(b'"', b"Q")

    found = scan_or_none(file, Dialect(delimiter, None), max_clean_cells, sizes)
    expected = scan_or_none(with_letters, Dialect(delimiter), max_clean_cells, sizes)

    if found is None or expected is None:
        assert found is expected
        return
    assert kinds(found) == kinds(expected)
    assert raws(with_letters, found) == raws(with_letters, expected)
    assert clean_text(found).replace(b'"', b"Q") == clean_text(expected)
    assert [[cell.replace('"', "Q") for cell in cells] for _, cells in odd_records(found)] == [
        cells for _, cells in odd_records(expected)
    ]


def scan_or_none(
    file: bytes, dialect: Dialect, max_clean_cells: int | None, sizes: dict[str, int]
) -> list[Block] | None:
    try:
        return scan(file, max_clean_cells, dialect, **sizes)[1]
    except NoHeaderError:
        return None


# ---- Rule by rule. ----


@pytest.mark.parametrize("read_bytes", [1, 7, 1 << 20])
def test_rows_of_delimiters_alone_are_skipped_and_counted_with_their_lines_before_the_header_too(
    read_bytes: int,
) -> None:
    scanner = Scanner(
        reader_of(b";;\n\n ; ;\r\na;b;c\n;;\n1;2;3\n  \n;\t;\n;;x\n;;"),
        Dialect(";", skips_blank_rows=True),
        read_bytes=read_bytes,
    )

    header, blocks = scanner.read_header(), list(scanner.blocks())

    assert (header.raw, header.line, lines(blocks)) == (b"a;b;c", 4, [6, 9])
    assert (scanner.blank_row_count, scanner.blank_row_lines) == (5, [1, 3, 5, 8, 10])


def test_the_end_of_a_row_that_is_too_long_is_not_taken_for_a_blank_row() -> None:
    file = b"h\n" + b"x" * 40 + b"," * 40 + b"\n1\n"

    scanner = Scanner(reader_of(file), Dialect(skips_blank_rows=True), read_bytes=8, max_record_bytes=16)
    scanner.read_header()

    assert kinds(list(scanner.blocks())) == [Kind.RECORD_TOO_LONG, Kind.CLEAN]


def test_the_first_record_is_the_header_and_data_records_count_from_1() -> None:
    header, blocks = scan(b"Email,Name\na@x,A\nb@x,B\n")

    assert header == Header(b"Email,Name", 1, 0, 10, has_byte_order_mark=False, fault=None)
    assert [block.first_record for block in blocks] == [1]
    assert lines(blocks) == [2, 3]
    assert clean_text(blocks) == b"a@x,A\nb@x,B\n"


def test_a_byte_order_mark_is_skipped_and_reported() -> None:
    header, blocks = scan(MARK + b"Email\na@x\n", read_bytes=1)

    assert header == Header(b"Email", 1, 3, 8, has_byte_order_mark=True, fault=None)
    assert blocks[0].byte_start.tolist() == [9]


def test_blank_lines_are_no_records_but_count_as_lines_before_the_header_too() -> None:
    header, blocks = scan(b"\n \t\r\nh\n\n  \na\n\r\n\t\nb")

    assert (header.raw, header.line) == (b"h", 3)
    assert lines(blocks) == [6, 9]
    assert clean_text(blocks) == b"a\nb\n"


@pytest.mark.parametrize("read_bytes", [1, 3, 1 << 20])
def test_rows_may_be_numbered_instead_of_lines(read_bytes: int) -> None:
    file = b'\n"h\n\nh",i\n"a\nb",1\n\n,\nc,"d\ne\nf"\n"' + b"x\n" * 40 + b'",1\nlast,2'
    dialect = Dialect(skips_blank_rows=True, first_row=5)
    scanner = Scanner(io.BytesIO(file).read, dialect, read_bytes=read_bytes, max_record_bytes=50)

    header = scanner.read_header()
    found = lines(list(scanner.blocks()))

    assert header.line == 6
    # Blank rows have numbers, too; the line breaks in cells do not count, in rows that are too long either.
    assert found == [7, 10, 11, 12]
    assert scanner.blank_row_lines == [9]


def test_a_record_of_one_quoted_blank_is_no_blank_line() -> None:
    _, blocks = scan(b'h\n""\n" "\n')

    assert clean_text(blocks) == b'""\n" "\n'


@pytest.mark.parametrize("file", [b"", MARK, b"\n\r\n", b" \t", MARK + b" \n", b" " * 100])
def test_a_file_without_any_record_has_no_header(file: bytes) -> None:
    scanner = Scanner(reader_of(file), read_bytes=4, max_record_bytes=10)

    with pytest.raises(NoHeaderError, match="the file holds no header"):
        scanner.read_header()


def test_a_file_with_a_header_alone_has_no_blocks() -> None:
    assert [scan(file)[1] for file in (b"h", b"h\n", b"h\r\n\r\n")] == [[], [], []]


def test_crlf_and_lf_are_mixed_and_become_lf_between_records_only() -> None:
    file = b'h\r\na,"x\r\ny"\r\nb\n"\r\n"\r\nc'

    _, blocks = scan(file)

    assert clean_text(blocks) == b'a,"x\r\ny"\nb\n"\r\n"\nc\n'
    assert raws(file, blocks) == [b'a,"x\r\ny"', b"b", b'"\r\n"', b"c"]
    assert lines(blocks) == [2, 4, 5, 7]


def test_a_file_of_lf_lines_that_is_all_clean_is_handed_on_as_it_is() -> None:
    file = b'h,i\na,"b\nc"\n"d""e",f\n'

    _, blocks = scan(file)

    assert clean_text(blocks) == file.removeprefix(b"h,i\n")


@pytest.mark.parametrize("record", [b"a\rb,c", b"\ra", b"a\r", b"\r", b'a\r"'])
def test_a_lone_cr_outside_quotes_is_data_and_makes_the_record_odd(record: bytes) -> None:
    _, blocks = scan(b"h\n" + record + b"\r\nx\n")

    assert kinds(blocks) == [Kind.ODD, Kind.CLEAN]
    assert odd_records(blocks) == [(1, record.decode().split(","))]


def test_a_cr_at_the_end_of_the_file_is_data() -> None:
    _, blocks = scan(b"h\na\r")

    assert odd_records(blocks) == [(1, ["a\r"])]


@pytest.mark.parametrize("record", [b'"a"\r', b'5" pipe,"a"\r'])
def test_a_lone_cr_after_a_closing_quote_is_malformed_at_the_end_of_the_file_too(record: bytes) -> None:
    _, blocks = scan(b"h\n" + record)

    assert kinds(blocks) == [Kind.MALFORMED_QUOTES]


def test_a_line_end_of_crlf_after_a_closing_quote_is_regular_beside_a_stray_quote_too() -> None:
    _, blocks = scan(b'h\r\n5" pipe,"a"\r\n')

    assert odd_records(blocks) == [(1, ['5" pipe', "a"])]


def test_a_file_of_crlf_lines_that_is_all_clean_only_loses_its_crs() -> None:
    _, blocks = scan(b'H,I\r\nAnna,"B\nC"\r\n"D""E",F\r\n')

    assert clean_text(blocks) == b'Anna,"B\nC"\n"D""E",F\n'


def test_a_cr_inside_quotes_leaves_the_record_clean() -> None:
    _, blocks = scan(b'h\n"a\rb","\r"\n')

    assert kinds(blocks) == [Kind.CLEAN]


@pytest.mark.parametrize(
    ("record", "cells"), [(b'5" pipe,x', ['5" pipe', "x"]), (b' "a",b', [' "a"', "b"]), (b'a"",b', ['a""', "b"])]
)
def test_a_stray_quote_makes_the_record_odd_and_touches_no_other(record: bytes, cells: list[str]) -> None:
    _, blocks = scan(b'h,i\n"a\nb",c\n' + record + b'\n"d\ne",f\n')

    assert kinds(blocks) == [Kind.CLEAN, Kind.ODD, Kind.CLEAN]
    assert odd_records(blocks) == [(2, cells)]
    assert lines(blocks) == [2, 4, 5]
    assert clean_text(blocks) == b'"a\nb",c\n"d\ne",f\n'


@pytest.mark.parametrize("record", [b'"2"x', b'"2" ,x', b'"2"\r', b'x,"2"x"y,z', b'"a"b\rc', b'""a""'])
def test_a_closing_quote_before_anything_but_a_comma_or_line_end_is_malformed_up_to_the_line_end(record: bytes) -> None:
    file = b'h,i\n"a"\n' + record + b"\r\nc,d\n"

    _, blocks = scan(file)

    assert kinds(blocks) == [Kind.CLEAN, Kind.MALFORMED_QUOTES, Kind.CLEAN]
    assert raws(file, blocks)[1] == record
    assert odd_records(blocks) == []


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b""])
def test_a_closing_quote_at_the_end_of_the_record_is_regular(line_end: bytes) -> None:
    _, blocks = scan(b'h\na,"b"' + line_end)

    assert clean_text(blocks) == b'a,"b"\n'


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (b'h\na\n"b\nc\n', 3),
        (b'h\n"x\ny",z\n"b","c\n', 4),
        (b'h\n"', 2),
        (b'h\n"a""\n', 2),
        (b'h\n5" x\n\n"b\n\n\n', 4),
        (b'h\n"' + b'a""\n' * 50, 2),
        (b'"h\n', 1),
        (b'\n\na,"h', 3),
    ],
)
@pytest.mark.parametrize("sizes", [{}, {"read_bytes": 3, "max_record_bytes": 5}])
def test_a_quote_that_is_never_closed_is_refused_with_the_line_where_it_opens(
    file: bytes, line: int, sizes: dict[str, int]
) -> None:
    with pytest.raises(UnclosedQuoteError, match=f"opens on line {line} is never closed") as unclosed:
        scan(file, **sizes)

    assert unclosed.value.line == line


def test_a_record_over_the_limit_is_a_fault_and_one_of_exactly_the_limit_is_none() -> None:
    exact, over = b"x" * MAX_RECORD_BYTES, b"y" * (MAX_RECORD_BYTES + 1)
    file = b"h\r\n" + b"\r\n".join([exact, over, b"a", exact])

    _, blocks = scan(file)

    assert kinds(blocks) == [Kind.CLEAN, Kind.RECORD_TOO_LONG, Kind.CLEAN, Kind.CLEAN]
    assert raws(file, blocks) == [exact, over, b"a", exact]
    assert clean_text(blocks) == exact + b"\na\n" + exact + b"\n"


def test_a_record_of_exactly_the_limit_keeps_its_bytes_when_a_read_ends_between_cr_and_lf() -> None:
    _, blocks = scan(b"h\n12345678\r\n", read_bytes=1, max_record_bytes=8)

    assert clean_text(blocks) == b"12345678\n"


def test_a_blank_line_over_the_limit_is_no_record() -> None:
    header, blocks = scan(b" " * 28 + b"\r\nh\n" + b"\t" * 30 + b"\na\n", read_bytes=4, max_record_bytes=8)

    assert header == Header(b"h", 2, 30, 31, has_byte_order_mark=False, fault=None)
    assert (kinds(blocks), lines(blocks)) == ([Kind.CLEAN], [4])


@pytest.mark.parametrize("over", [b"a,b\rc" * 10, b'"' + b'x"",\n' * 10 + b'"', b",,,,,,,,,", b'"aaaaaaaa"x,"\n"'])
def test_a_record_over_the_limit_ends_where_it_would_without_a_limit(over: bytes) -> None:
    file = b"h\n" + over + b"\r\nc\n"

    _, blocks = scan(file, read_bytes=2, max_record_bytes=8)

    assert kinds(blocks) == [Kind.RECORD_TOO_LONG, Kind.CLEAN]
    assert raws(file, blocks) == [over, b"c"]
    assert lines(blocks) == [2, 3 + over.count(b"\n")]


def test_a_nul_byte_is_a_fault() -> None:
    _, blocks = scan(b'h\na\0\n"\0"\nb\n')

    assert kinds(blocks) == [Kind.NUL_BYTE, Kind.NUL_BYTE, Kind.CLEAN]


@pytest.mark.parametrize("text", [b"caf\xe9", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xc3", b'"\xff"'])
def test_bytes_that_are_not_utf8_are_a_fault_of_their_record_alone(text: bytes) -> None:
    _, blocks = scan(b"h\n\xc3\xa9\n" + text + b"\n\xc3\xa9\n")

    assert kinds(blocks) == [Kind.CLEAN, Kind.INVALID_UTF8, Kind.CLEAN]


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (b'"a"x\0\xff' + b"y" * 30, Kind.RECORD_TOO_LONG),
        (b'"a"x\0\xff', Kind.INVALID_UTF8),
        (b'"a"x\0', Kind.NUL_BYTE),
        (b'"a"x', Kind.MALFORMED_QUOTES),
        (b'a"\0', Kind.NUL_BYTE),
    ],
)
def test_a_record_with_several_faults_has_the_one_of_the_highest_priority(record: bytes, kind: Kind) -> None:
    header, _ = scan(record + b"\n", max_record_bytes=20)
    _, blocks = scan(b"h\n" + record + b"\n", max_record_bytes=20)

    assert kinds(blocks) == [kind]
    assert header.fault == kind
    assert header.raw == (b"" if kind == Kind.RECORD_TOO_LONG else record)


def test_a_record_with_more_cells_than_a_clean_one_may_have_is_odd() -> None:
    _, blocks = scan(b'h,i\na\na,b\na,b,\n"a,,,","b,,,"\n"a",",",c\n', 2)

    assert kinds(blocks) == [Kind.CLEAN, Kind.CLEAN, Kind.ODD, Kind.CLEAN, Kind.ODD]
    assert odd_records(blocks) == [(3, ["a", "b", ""]), (5, ["a", ",", "c"])]


def test_a_record_that_begins_with_a_byte_order_mark_is_odd_because_a_reader_would_drop_the_mark() -> None:
    _, blocks = scan(b"h\n" + MARK + b"a\nb" + MARK + b"\n")

    assert kinds(blocks) == [Kind.ODD, Kind.CLEAN]
    assert odd_records(blocks) == [(1, ["\ufeffa"])]


def test_a_block_ends_at_a_record_end_and_a_record_that_spans_two_belongs_to_the_later() -> None:
    file = b"h\n" + b"".join(b'%d,"x\ny"\n' % number for number in range(100, 200))

    _, blocks = scan(file, read_bytes=16, block_bytes=64)

    assert len(blocks) > 5
    assert all(block.clean.endswith(b'"\n') for block in blocks)
    assert [block.first_record for block in blocks[:2]] == [1, 1 + blocks[0].record_count]
    assert clean_text(blocks) == file.removeprefix(b"h\n")


def test_a_block_ends_early_when_it_has_many_records() -> None:
    _, blocks = scan(b"h\n" + b"a\n" * 100, read_bytes=16, max_block_records=8)

    assert max(block.record_count for block in blocks) <= 16
    assert sum(block.record_count for block in blocks) == 100


# ---- Memory and time. ----


def repeating_reader(start: bytes, pattern: bytes, size_bytes: int) -> Callable[[int], bytes]:
    """Return a `read` of `start` and then `pattern` again and again; the file is never whole in memory."""

    def chunks() -> Iterator[bytes]:
        yield start
        chunk = pattern * (4096 // len(pattern))
        for _ in range(size_bytes // len(chunk)):
            yield chunk

    remaining = chunks()
    return lambda _: next(remaining, b"")


@pytest.mark.parametrize("pattern", [b"x", b",", b" ", b'"",'])
def test_memory_stays_bounded_in_a_record_that_never_ends(pattern: bytes) -> None:
    read = repeating_reader(b"h\n", pattern, 8 << 20)
    scanner = Scanner(read, max_record_bytes=32_768, read_bytes=32_768)
    scanner.read_header()

    tracemalloc.start()
    blocks = list(scanner.blocks())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kinds(blocks) in ([Kind.RECORD_TOO_LONG], [])
    assert peak_bytes < 4 << 20


@pytest.mark.parametrize("first_row", [None, 1])
@pytest.mark.parametrize(
    ("above", "is_counted"),
    [(b"x" * (1 << 20), True), (b'"x,' * (256 << 10), True), (b" ," * (512 << 10), False)],
)
def test_a_long_line_above_the_header_is_not_kept_while_it_is_skipped(
    above: bytes, is_counted: bool, first_row: int | None
) -> None:
    file = b"\n" + above + b"\r\nh,i\na,b\n"
    dialect = Dialect(skips_blank_rows=True, first_row=first_row)
    scanner = Scanner(io.BytesIO(file).read, dialect, header_line=3, max_record_bytes=4096, read_bytes=1000)

    tracemalloc.start()
    header, blocks = scanner.read_header(), list(scanner.blocks())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 256 << 10
    assert (header.raw, header.line, file[header.byte_start : header.byte_end]) == (b"h,i", 3, b"h,i")
    assert raws(file, blocks) == [b"a,b"]
    assert (scanner.skipped_line_count, scanner.skipped_lines) == ((1, [2]) if is_counted else (0, []))


@pytest.mark.parametrize("pattern", [b"x", b'""', b'x"",\n', b"\n"])
def test_memory_stays_bounded_in_a_quoted_cell_that_never_ends(pattern: bytes) -> None:
    read = repeating_reader(b'h\nx,"', pattern, 8 << 20)
    scanner = Scanner(read, max_record_bytes=32_768, read_bytes=32_768)
    scanner.read_header()

    tracemalloc.start()
    with pytest.raises(UnclosedQuoteError, match="line 2"):
        list(scanner.blocks())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 4 << 20


@pytest.mark.parametrize(
    "record",
    [
        b'1,5" pipe,x\n',
        b"1,caf\xe9\n",
        b'"2"x,y\n',
        b'""\n',
        b'"a""b""c","d""","x"y\n',
        b"a\rb\n",
        b"a,b,c\n",
        b"a\0\n",
    ],
)
def test_a_file_of_hostile_records_takes_linear_time(record: bytes) -> None:
    count = 100_000
    started = time.perf_counter()

    _, blocks = scan(b"h\n" + record * count, max_clean_cells=1)

    assert sum(block.record_count for block in blocks) == count
    # About 0.8 seconds on a small machine; quadratic time would be minutes.
    assert time.perf_counter() - started < 15


# ---- What DuckDB makes of the clean records. ----


class BlockFileSystem(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """Hands one block's clean text to DuckDB without a file on disk."""

    protocol = "block"
    cachable = False
    clean = b""

    def _open(self, *_: object, **__: object) -> BinaryIO:
        return io.BytesIO(self.clean)

    def info(self, path: str, **_: object) -> dict[str, object]:
        return {"name": path, "size": len(self.clean), "type": "file"}

    def modified(self, *_: object) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(0, datetime.UTC)


class DuckDBReader:
    def __init__(self) -> None:
        self._connection = duckdb.connect(config={"threads": 2})
        self._file_system = BlockFileSystem()
        self._connection.register_filesystem(self._file_system)
        self._reads = 0

    def read(self, clean: bytes, column_count: int) -> list[tuple[str, ...]]:
        self._reads += 1
        self._file_system.clean = clean
        columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(column_count))
        rows = self._connection.execute(
            f"""SELECT * FROM read_csv('block://{self._reads}', columns = {{{columns}}},
                header = false, auto_detect = false, delim = ',', quote = '"', escape = '"', new_line = '\\n',
                comment = '', nullstr = '', encoding = 'utf-8', compression = 'none',
                null_padding = true, parallel = false, strict_mode = true, max_line_size = 2097152)"""
        ).fetchall()
        return [tuple(cell or "" for cell in row) for row in rows]

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def duckdb_reader() -> Iterator[DuckDBReader]:
    reader = DuckDBReader()
    yield reader
    reader.close()


def pad(records: list[list[str]], column_count: int) -> list[tuple[str, ...]]:
    return [tuple((cells + [""] * column_count)[:column_count]) for cells in records]


HARMLESS = [
    b"'",
    b"''",
    b"#",
    b"\\",
    b"NULL",
    b";",
    b"|",
    b"\x01",
    b"\x0c",
    b"\xc2\xa0",
    b"1",
    b"true",
    b"\\N",
    b'"\n"',
    b'""',
]


@budgets.CALLS
@given(
    st.one_of(
        files(),
        st.lists(st.lists(st.text(alphabet="\",\r\n \taé\ufeff'#\\"), min_size=1, max_size=4), max_size=12).map(
            lambda records: b"".join(
                ",".join('"' + cell.replace('"', '""') + '"' for cell in cells).encode() + b"\n" for cells in records
            )
        ),
        st.lists(st.sampled_from([*HARMLESS, b",", b"\n", b"\n", b" "]), max_size=40).map(b"".join),
    ),
    st.integers(1, 4),
)
def test_duckdb_reads_the_clean_records_of_any_file_as_the_csv_module_does(
    duckdb_reader: DuckDBReader, body: bytes, column_count: int
) -> None:
    scanner = Scanner(reader_of(b"h\n" + body), max_clean_cells=column_count)
    scanner.read_header()
    try:
        clean = clean_text(list(scanner.blocks()))
    except UnclosedQuoteError:
        return

    records = duckdb_reader.read(clean, column_count) if clean else []

    assert records == pad(read_with_csv_module(clean), column_count)


@pytest.mark.parametrize(
    ("clean", "column_count"),
    [
        (b" a ,  b\t\n", 2),
        (b"''\n'\n", 1),
        (b'""\na\n""\n', 1),
        (b'" "\n"\t"\n', 1),
        (b'"a\nb"\n"c\r\nd"\n"e\rf"\n"\n"\n"\r"\n"\r\n"\n', 1),
        (b"c0,c1\n1,2\n", 2),
        (b"#a,b\n# c\n", 2),
        (b"NULL,null\n\\N,NA\n", 2),
        (b'a\\,"b\\"\n', 2),
        (b"sep=;\na;b\n", 2),
        (b"a\n,\nb,c,d\n", 3),
        (b"a\n" + b'"x",' * 299 + b'"y"\n', 300),
        (b"a\x01\x1a,\x7f\x0b\x0c\n", 2),
        (b'b\n"' + b"x" * (MAX_RECORD_BYTES - 2) + b'"\n' + b"\xc3\xa9" * (MAX_RECORD_BYTES // 2) + b"\n", 1),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else None,
)
def test_duckdb_reads_this_clean_text_as_it_stands(
    duckdb_reader: DuckDBReader, clean: bytes, column_count: int
) -> None:
    _, blocks = scan(b"h\n" + clean, max_clean_cells=column_count)
    expected = [[cell.decode() for cell in record.cells] for record in read_with_oracle(clean)[0]]

    records = duckdb_reader.read(clean_text(blocks), column_count)

    assert set(kinds(blocks)) == {Kind.CLEAN}
    assert records == pad(expected, column_count)
