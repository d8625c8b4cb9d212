"""Line ends and blanks that are changed outside quoted cells, however the text is cut into parts."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

import budgets
from openprofiles.uploads.reading.detect_blanks import has_blanks_after_delimiters
from openprofiles.uploads.reading.dialect import Dialect
from openprofiles.uploads.reading.file_form import STRICT_OPTIONS, FileOptions
from openprofiles.uploads.reading.file_sample import sample_beginning
from openprofiles.uploads.reading.unquoted_text import with_line_feeds, with_single_returns, without_blanks

COMMAS = Dialect()
MARK = b"\xef\xbb\xbf"
CELLS = st.text(st.sampled_from('ab ,;"\r\n\ufeff'), max_size=5)


def in_parts(data: bytes, size_bytes: int) -> list[bytes]:
    return [data[start : start + size_bytes] for start in range(0, len(data), size_bytes)]


@budgets.SCANS
@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=3), max_size=5), st.integers(1, 9), st.sampled_from(["", "\ufeff"])
)
def test_a_file_with_cr_is_read_as_it_was_written_with_lf_and_its_quoted_cells_stay(
    table: list[list[str]], size_bytes: int, mark: str
) -> None:
    written = {}
    for line_end in ("\r", "\n"):
        text = io.StringIO()
        csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(table)
        written[line_end] = (mark + text.getvalue()).encode()

    assert b"".join(with_line_feeds(in_parts(written["\r"], size_bytes), COMMAS)) == written["\n"]


@pytest.mark.parametrize("size_bytes", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'a, "b, c" , d ,\r\n"x"  ,  y\n', b'a,"b, c",d ,\r\n"x",y\n'),
        (b'a, "b ""c"", d"\n', b'a,"b ""c"", d"\n'),
        (b'  a,  5" x , "z\n', b'  a,5" x ,"z\n'),
        (b'a, , ,  \n"q" x, y', b'a,,,\n"q" x,y'),
        (MARK + b'"a , b" , c', MARK + b'"a , b",c'),
    ],
)
def test_blanks_between_delimiters_and_cells_are_left_out(text: bytes, expected: bytes, size_bytes: int) -> None:
    assert b"".join(without_blanks(in_parts(text, size_bytes), COMMAS)) == expected


@pytest.mark.parametrize("size_bytes", [1, 2, 5, 100])
def test_a_line_end_of_two_cr_and_lf_is_one(size_bytes: int) -> None:
    text = b'a,"b\r\r\nc"\r\r\nd,e\r\nf,\r\r'

    assert b"".join(with_single_returns(in_parts(text, size_bytes))) == b'a,"b\r\nc"\r\nd,e\r\nf,\r\r'


def test_a_quote_that_is_never_closed_holds_back_little() -> None:
    parts = [b"x" * (1 << 20)] * 8
    given_bytes = 0

    for number, part in enumerate(with_line_feeds(iter([b'a\r"', *parts]), COMMAS)):
        given_bytes += len(part)
        assert number < len(parts) + 2

    assert given_bytes == 3 + sum(map(len, parts))


# What is detected


def rows(text: str, **given: str) -> list[list[str]]:
    sample = sample_beginning(text.encode(), FileOptions(**given), is_whole=True)[1]  # type: ignore[arg-type]
    return [sample.headers, *sample.rows]


@pytest.mark.parametrize(
    ("text", "line_ends", "expected"),
    [
        ('Email,Note\ra@x,"two\nlines"\rb@x,"two\rlines"\r', "CR", ["two\nlines", "two\rlines"]),
        ('Email,Note\r\r\na@x,"two\r\r\nlines"\r\r\nb@x,B\r\r\n', "CRCRLF", ["two\r\nlines", "B"]),
        ('Email,Note\na@x,"two\rlines"\nb@x,x\ry\n', "LF", ["two\rlines", "x\ry"]),
        ('Email,Note\r\na@x,"\n\n\n\n\n"\r\nb@x,B\r\n', "CRLF", ["\n\n\n\n\n", "B"]),
    ],
)
def test_line_ends_are_those_outside_quotes(text: str, line_ends: str, expected: list[str]) -> None:
    form, sample = sample_beginning(text.encode(), is_whole=True)

    assert (form.line_ends, [row[1] for row in sample.rows]) == (line_ends, expected)
    options = form.to_options()
    if options is not None:
        assert sample_beginning(text.encode(), options, is_whole=True)[1] == sample


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Email, Name\na@x, "Berg, Ann"\nb@x, Bo\n', [["Email", "Name"], ["a@x", "Berg, Ann"], ["b@x", "Bo"]]),
        ('Email,Name\na@x, "Berg, Ann"\nb@x,Bo\n', [["Email", "Name"], ["a@x", "Berg, Ann"], ["b@x", "Bo"]]),
        ('Email,Name\na@x, "Ann"\nb@x,Bo\n', [["Email", "Name"], ["a@x", "Ann"], ["b@x", "Bo"]]),
        (
            'Email,Name,T\na@x, "Ann" ,\nb@x, "B ""B""", 1\n',
            [["Email", "Name", "T"], ["a@x", "Ann", ""], ["b@x", 'B "B"', "1"]],
        ),
        ("Email; Name\na@x; A\nb@x; \nc@x; C\nd@x; D\n", [["Email", "Name"], ["a@x", "A"], ["b@x", ""]]),
    ],
)
def test_blanks_are_not_part_of_the_cells_where_a_file_is_written_so(text: str, expected: list[list[str]]) -> None:
    form, _ = sample_beginning(text.encode(), is_whole=True)

    assert form.skips_blanks
    assert rows(text)[: len(expected)] == expected
    options = form.to_options() or FileOptions()
    assert sample_beginning(text.encode(), options, is_whole=True)[0].skips_blanks


@pytest.mark.parametrize(
    "text",
    [
        "Email,Name\na@x, Ann\nb@x,Bo\n",
        'Email,Name\na@x, "Ann" Berg\nb@x, "Bo"\n',
        'Email,Name\na@x, "Ann"\nb@x, "Bo\nc@x,"5"\n',
        'Email,Name\na@x,"Berg, ""Ann"""\nb@x,Bo\n',
        "Email, Name\na@x, Ann\n",
    ],
)
def test_blanks_are_part_of_the_cells_where_that_is_not_certain(text: str) -> None:
    assert not sample_beginning(text.encode(), is_whole=True)[0].skips_blanks


def test_blanks_are_part_of_the_cells_if_the_quote_is_named_or_a_mapped_column_begins_with_one() -> None:
    text = 'Email, Name\na@x, "Berg, Ann"\nb@x, Bo\n'

    assert rows(text, quote='"')[0] == ["Email", " Name"]
    assert has_blanks_after_delimiters(text.encode(), COMMAS, ["Email"])
    assert not has_blanks_after_delimiters(text.encode(), COMMAS, [" Name"])
    assert not sample_beginning(text.encode(), STRICT_OPTIONS, strict=True)[0].skips_blanks


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    ["Email,Name\na@x,\U0001f600\n", "邮箱,姓名\r李雷,北京\r", "邮箱,姓名\n李雷,北京\n", "Email,Name\ra@x,Zoë\r"],
)
def test_utf_16_without_a_mark_is_detected_by_its_line_ends(text: str, encoding: str) -> None:
    form, sample = sample_beginning(text.encode(encoding), is_whole=True)

    assert form.encoding == encoding.replace("-le", "le").replace("-be", "be")
    assert [sample.headers, *sample.rows] == [line.split(",") for line in text.split()]
