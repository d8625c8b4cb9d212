"""The splitter of one record, rule by rule."""

import csv
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.uploads.reading.cells import MalformedQuotesError, split_record


@pytest.mark.parametrize(
    ("record", "cells"),
    [
        (b"", [""]),
        (b"a", ["a"]),
        (b"a,b", ["a", "b"]),
        (b",", ["", ""]),
        (b'""', [""]),
        (b'"",""', ["", ""]),
        (b'"a,b",c', ["a,b", "c"]),
        (b'"a\r\nb\nc\rd",e', ["a\r\nb\nc\rd", "e"]),
        (b'"a""b","""",""""""', ['a"b', '"', '""']),
        (b'"a",', ["a", ""]),
        (b" a , b\t", [" a ", " b\t"]),
        (b"a\rb,c", ["a\rb", "c"]),
        (b"a\0b", ["a\0b"]),
        ("é,日本,\N{GRINNING FACE}".encode(), ["é", "日本", "\N{GRINNING FACE}"]),
        (b"'a','b'", ["'a'", "'b'"]),
        (b'\\"a,b', ['\\"a', "b"]),
    ],
)
def test_a_record_is_split_at_the_commas_outside_quotes(record: bytes, cells: list[str]) -> None:
    assert split_record(record) == cells


@pytest.mark.parametrize(
    ("record", "cells"),
    [(b'5" pipe,x', ['5" pipe', "x"]), (b' "a,b"', [' "a', 'b"']), (b'a"",b', ['a""', "b"]), (b'x,a"', ["x", 'a"'])],
)
def test_a_quote_that_is_not_the_first_character_of_its_cell_is_data(record: bytes, cells: list[str]) -> None:
    assert split_record(record) == cells


@pytest.mark.parametrize(
    ("record", "cell_number"),
    [(b'"2"x', 1), (b'a,"b" ,c', 2), (b'a,b,"c"\r', 3), (b'"a', 1), (b'a,"', 2), (b'"a"""b",c', 1), (b'"a""', 1)],
)
def test_a_closing_quote_that_does_not_end_its_cell_is_refused_with_the_number_of_the_cell(
    record: bytes, cell_number: int
) -> None:
    with pytest.raises(MalformedQuotesError, match=f"cell {cell_number} of the record") as refusal:
        split_record(record)

    assert refusal.value.cell_number == cell_number


def test_the_refusal_does_not_repeat_the_customers_value() -> None:
    with pytest.raises(MalformedQuotesError) as refusal:
        split_record(b'"Secretname"x')

    assert "Secretname" not in str(refusal.value)


@pytest.mark.parametrize("record", [b"caf\xe9", b"a,\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b'"\xc3"'])
def test_a_record_that_is_not_utf8_is_refused(record: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        split_record(record)


@given(st.lists(st.text(alphabet='",\r\n aé\0'), min_size=1, max_size=5))
def test_what_pythons_csv_module_writes_is_read_back(cells: list[str]) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="").writerow(cells)

    assert split_record(text.getvalue().encode()) == cells


@pytest.mark.parametrize("record", [b'"' + b'""' * 500_000, b'"a""' * 250_000, b'"a",' * 250_000 + b'"'])
def test_a_record_full_of_quotes_is_read_in_one_pass(record: bytes) -> None:
    started = time.perf_counter()

    with pytest.raises(MalformedQuotesError):
        split_record(record)

    assert time.perf_counter() - started < 5
