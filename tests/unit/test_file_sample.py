"""The beginning of a file as cells."""

from __future__ import annotations

import csv
import gzip
import io

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.errors import InvalidRequest
from openprofiles.uploads.reading.file_form import STRICT_OPTIONS, FileForm
from openprofiles.uploads.reading.file_sample import MAX_SAMPLE_ROWS, read_file_sample, sample_beginning


def rows(content: bytes, *, is_whole: bool = True, form: FileForm = FileForm()) -> list[list[str]]:  # noqa: B008
    return read_file_sample(io.BytesIO(content).read, form, is_whole=is_whole).rows


def test_the_sample_has_the_header_and_the_first_rows_as_they_stand_there() -> None:
    content = b"\xef\xbb\xbfa,b\r\n" + b'"x\r\ny",1\r\n\r\n2\r\n' + b"p,q\n" * 500

    sample = read_file_sample(io.BytesIO(content).read)

    assert sample.headers == ["a", "b"]
    assert sample.rows[:3] == [["x\r\ny", "1"], ["2"], ["p", "q"]]
    assert len(sample.rows) == MAX_SAMPLE_ROWS


def test_rows_that_cannot_be_split_are_left_out() -> None:
    assert rows(b'a,b\n"x"y,1\n\xff,2\n\0,3\nok,4\n') == [["ok", "4"]]


@pytest.mark.parametrize(
    ("end", "last"), [(b"", ["1", "2"]), (b"3,4", ["1", "2"]), (b"3,4\r", ["1", "2"]), (b"3,4\n", ["3", "4"])]
)
def test_a_record_that_may_be_cut_off_is_left_out(end: bytes, last: list[str]) -> None:
    assert rows(b"a,b\n1,2\n" + end, is_whole=False)[-1] == last


def test_the_last_record_of_a_whole_file_needs_no_line_end() -> None:
    assert rows(b"a,b\n1,2") == [["1", "2"]]


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_quote_that_is_never_closed_costs_only_what_follows_it(is_whole: bool) -> None:
    assert rows(b'a,b\n1,2\n"3,4\n5,6\n', is_whole=is_whole) == [["1", "2"]]


@pytest.mark.parametrize(
    ("beginning", "message"),
    [
        (b"Email,Na", "The header of the file is incomplete"),
        (b'"Email', "never closed in the part of the file that was sent"),
        (b"", "The file is empty"),
        (b"PK\x03\x04....", "a ZIP archive or an Excel workbook"),
        (b"\x1f\x8b\x08", "cannot be decompressed"),
        (b"a" + b"," * 140_000 + b"\n", "has 140001 columns; a file may have at most 16384"),
    ],
)
def test_a_beginning_without_a_header_to_be_read_is_refused_with_the_reason(beginning: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        sample_beginning(beginning)


TEXT = "E-Mail;Straße\r\n" + "".join(f"u{number}@x.example;Weg {number}\r\n" for number in range(20_000))


@pytest.mark.parametrize(
    ("content", "compression", "encoding"),
    [
        (TEXT.encode(), "none", "utf-8"),
        (TEXT.encode("utf-16"), "none", "utf-16le"),
        (TEXT.encode("windows-1252"), "none", "windows-1252"),
        (gzip.compress(TEXT.encode()), "gzip", "utf-8"),
        (pa.compress(TEXT.encode(), "zstd", asbytes=True), "zstd", "utf-8"),
    ],
    ids=["utf-8", "utf-16", "windows-1252", "gzip", "zstd"],
)
def test_the_beginning_of_a_file_in_any_form_is_enough(content: bytes, compression: str, encoding: str) -> None:
    form, sample = sample_beginning(content[: min(60_001, len(content) * 9 // 10)])

    assert (form.compression, form.encoding, form.delimiter) == (compression, encoding, ";")
    assert sample.headers == ["E-Mail", "Straße"]
    assert len(sample.rows) == MAX_SAMPLE_ROWS
    assert sample.rows[-1] == ["u199@x.example", "Weg 199"]


def test_the_last_row_of_a_beginning_that_is_the_whole_file_counts_without_a_line_end() -> None:
    whole = sample_beginning(b"a,b\n1,2\n3,4", is_whole=True)[1]
    header_alone = sample_beginning(b"a,b", is_whole=True)[1]
    # Of a packed file the end may still be missing.
    packed = sample_beginning(gzip.compress(b"a,b\n1,2\n3,4"), is_whole=True)[1]

    assert whole.rows == [["1", "2"], ["3", "4"]]
    assert (header_alone.headers, header_alone.rows) == (["a", "b"], [])
    assert packed.rows == [["1", "2"]]


def test_what_is_known_of_the_form_is_not_detected() -> None:
    form, sample = sample_beginning(b"a;b\n1;2\n", STRICT_OPTIONS)

    assert (form.delimiter, sample.headers) == (",", ["a;b"])


@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2), max_size=9),
    st.data(),
)
def test_wherever_a_file_is_cut_its_sample_is_the_first_rows_of_the_whole(
    written: list[list[str]], data: st.DataObject
) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *written])
    content = buffer.getvalue().encode()
    cut = data.draw(st.integers(len(b'"a","b"\r\n'), len(content)))

    found = rows(content[:cut], is_whole=False)

    assert found == written[: len(found)]
    assert cut < len(content) or found == written
