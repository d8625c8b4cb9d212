"""The file of failed rows: what stands in it, and what becomes of it when it is uploaded again."""

from __future__ import annotations

import codecs
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.store.upload_jobs import RowFault
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv
from openprofiles.uploads.failures.faults import INVALID_UTF8, MALFORMED_QUOTES, MISSING_UNIQUE_KEY
from openprofiles.uploads.failures.own_columns import OWN_COLUMNS, SPREADSHEET_COLUMNS
from openprofiles.uploads.jobs import FailedRow
from openprofiles.uploads.reading.cells import split_record
from openprofiles.uploads.reading.detect_form import detect_form
from openprofiles.uploads.reading.dialect import COMMAS, DELIMITERS, Dialect
from openprofiles.uploads.reading.file_form import STRICT_OPTIONS, FileOptions
from openprofiles.uploads.reading.file_sample import read_file_sample
from openprofiles.uploads.reading.records import Scanner

NO_KEY = RowFault(MISSING_UNIQUE_KEY, "Email", None)


def row(content: bytes | None, *faults: RowFault, record: int = 1) -> FailedRow:
    return FailedRow(record, record + 1, faults or (NO_KEY,), content)


def written(headers: list[str], *rows: FailedRow) -> list[list[str]]:
    data = b"".join(failed_rows_csv(headers, rows))
    return list(csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")))


def test_each_row_stands_under_its_header_with_what_is_wrong_behind_it() -> None:
    faults = (NO_KEY, RowFault("VALUE_TOO_LONG", "Note", 300))

    header, first = written(["Email", "Note"], row(b',"two\r\nlines, ""quoted"""', *faults))

    assert header == ["Email", "Note", *OWN_COLUMNS]
    assert first[:-1] == ["", 'two\r\nlines, "quoted"', "", "2", "Email; Note", "MISSING_UNIQUE_KEY; VALUE_TOO_LONG"]
    assert first[-1].startswith("The unique key, column Email, is empty")
    assert first[-1].endswith(
        "The value in column Note has 300 characters, which is too long for its field. "
        "A field takes 255 characters, AdditionalInformation 1,000."
    )


def test_cells_beyond_the_header_stand_in_the_surplus_and_missing_ones_are_blank() -> None:
    _, surplus, short = written(["Email", "Note"], row(b'a,b,"c,d",,e'), row(b"a"))

    assert surplus[:3] == ["a", "b", '"c,d",,e']
    assert surplus[-1].endswith("Every row needs one. Put each value into its column, then empty openprofiles_surplus.")
    assert short[-1].endswith("Every row needs one.")
    assert short[:3] == ["a", "", ""]


def test_a_row_whose_cells_cannot_be_told_apart_stands_in_the_surplus_as_it_is() -> None:
    _, malformed = written(["Email", "Note"], row(b'"a"b,c', RowFault(MALFORMED_QUOTES, None, None)))

    assert malformed[:3] == ["", "", '"a"b,c']


def test_a_row_without_content_has_only_its_report() -> None:
    _, long = written(["Email", "Note"], row(None, RowFault("RECORD_TOO_LONG", None, None)))

    assert long[:5] == ["", "", "", "2", ""]


def test_bytes_that_are_not_utf8_stay_as_they_are() -> None:
    data = b"".join(failed_rows_csv(["Name"], [row(b"Ren\xe9e", RowFault(INVALID_UTF8, None, None))]))

    assert data.splitlines()[1].startswith(b"Ren\xe9e,")


def test_a_file_of_failed_rows_that_was_uploaded_again_does_not_grow() -> None:
    headers = ["Email", "Note", *OWN_COLUMNS]
    before = b'a,b,"""x""y",7,Email,MISSING_UNIQUE_KEY,The old reason.'

    header, again = written(headers, row(before))

    assert header == headers
    assert again[:5] == ["a", "b", '"x"y', "2", "Email"]


def test_a_comma_too_many_in_a_file_of_failed_rows_loses_nothing() -> None:
    headers = ["Email", "Name", "City", *OWN_COLUMNS]

    _, again = written(headers, row(b"a@x,Smith, Joe,Paris,old,7,Email,CODE,The reason."))

    assert again[:4] == ["a@x", "Smith", " Joe", "Paris,old,7,Email,CODE,The reason."]


def test_a_large_report_is_made_in_parts() -> None:
    parts = list(failed_rows_csv(["Note"], (row(b"x" * 1000, record=number) for number in range(2_000))))

    assert len(parts) > 5
    assert max(map(len, parts)) < 300_000
    assert b"".join(parts).count(b"\n") == 2_001


def for_spreadsheet(headers: list[str], *rows: FailedRow, dialect: Dialect = COMMAS) -> list[list[str]]:
    data = b"".join(failed_rows_csv(headers, rows, dialect, for_spreadsheet=True))
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=dialect.delimiter))


def test_for_a_spreadsheet_the_file_has_a_mark_and_the_delimiter_of_the_source() -> None:
    data = b"".join(failed_rows_csv(["Email", "Note"], [row(b";a,b")], Dialect(";"), for_spreadsheet=True))

    header, first = data.splitlines()
    assert header == codecs.BOM_UTF8 + ";".join(["Email", "Note", *SPREADSHEET_COLUMNS]).encode()
    assert first.startswith(b";a,b;;2;Email;MISSING_UNIQUE_KEY;")


def test_for_a_spreadsheet_texts_that_it_would_calculate_get_an_apostrophe() -> None:
    header, first = for_spreadsheet(["Email", "=A", "Name", "Phone"], row(b",@x,'t,+49 30 1,-1-1"))

    assert header[:4] == ["Email", "'=A", "Name", "Phone"]
    assert first[:5] == ["", "'@x", "''t", "+49 30 1", "'-1-1"]
    assert first[-2] == "'=A; Name; openprofiles_surplus"


def test_for_a_spreadsheet_bytes_that_are_not_utf8_become_the_character_for_them() -> None:
    _, first = for_spreadsheet(["Name"], row(b"Ren\xe9e", RowFault(INVALID_UTF8, None, None)))

    assert first[0] == "Ren\ufffde"


def test_a_file_for_spreadsheets_that_was_uploaded_again_gets_no_second_apostrophe() -> None:
    headers = ["Email", "Note", *SPREADSHEET_COLUMNS]
    again = row(b",'=1+1,''x,7,Email,MISSING_UNIQUE_KEY,Note,The old reason.")

    _, plain = written(headers, again)
    _, escaped = for_spreadsheet(headers, again)

    assert plain[:3] == ["", "=1+1", "'x"]
    assert escaped[:3] == ["", "'=1+1", "''x"]


cells = st.text(st.sampled_from('ab",\r\n \0é'), max_size=6)


@given(st.lists(st.lists(cells, min_size=2, max_size=2), max_size=4))
def test_the_cells_of_failed_rows_are_read_back_as_they_were(records: list[list[str]]) -> None:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    contents = [",".join(map(quoted, record)).encode() for record in records]
    rows = [row(content, record=number) for number, content in enumerate(contents, 1)]
    data = b"".join(failed_rows_csv(["A", "B"], rows))

    scanner = Scanner(io.BytesIO(data).read)
    assert split_record(scanner.read_header().raw) == ["A", "B", *OWN_COLUMNS]
    found = [
        split_record(data[start:end])
        for block in scanner.blocks()
        for start, end in zip(block.byte_start.tolist(), block.byte_end.tolist(), strict=True)
    ]
    assert [record[:2] for record in found] == records


@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=2, max_size=2), st.sampled_from(DELIMITERS)
)
def test_every_text_is_read_back_from_the_file_for_spreadsheets(texts: list[str], delimiter: str) -> None:
    dialect = Dialect(delimiter)
    content = delimiter.join('"' + text.replace('"', '""') + '"' for text in texts).encode()
    data = b"".join(failed_rows_csv(["A", "B"], [row(content)], dialect, for_spreadsheet=True))

    form = detect_form(io.BytesIO(data), FileOptions(), None, max_unpacked_bytes=0)
    sample = read_file_sample(io.BytesIO(data).read, form)

    assert (form.encoding, form.delimiter, form.quote) == ("utf-8", delimiter, '"')
    assert sample.headers == ["A", "B", *SPREADSHEET_COLUMNS]
    assert [cells[:2] for cells in sample.rows] == ([texts] if "\0" not in "".join(texts) else [])


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_the_file_of_failed_rows_is_recognized_by_its_header(delimiter: str, quote: str) -> None:
    names = ["Name, Vorname; kurz", *SPREADSHEET_COLUMNS]
    header = delimiter.join([f'"{names[0]}"', *(quote + name + quote for name in names[1:])])

    form = detect_form(io.BytesIO(f"{header}\n'=1','=2','=3'\n".encode()), FileOptions(), None, max_unpacked_bytes=0)

    assert (form.delimiter, form.quote) == (delimiter, '"')


def test_the_form_of_the_first_file_does_not_change_how_its_failed_rows_are_read() -> None:
    data = b"".join(failed_rows_csv(["E-Mail", "Ort"], [row(b';"K\xc3\xb6ln"')], Dialect(";"), for_spreadsheet=True))
    given = FileOptions(encoding="windows-1252", delimiter=",", quote="'", line_ends="CR")

    form = detect_form(io.BytesIO(data), given, None, max_unpacked_bytes=0)
    strict = detect_form(io.BytesIO(data), STRICT_OPTIONS, None, max_unpacked_bytes=0, strict=True)

    assert (form.encoding, form.delimiter, form.quote, form.line_ends) == ("utf-8", ";", '"', "LF")
    assert strict.delimiter == ","


def test_bytes_that_are_not_utf8_do_not_make_a_file_of_failed_rows_windows_1252() -> None:
    data = b"".join(failed_rows_csv(["Name"], [row(b"Ren\xc3", RowFault(INVALID_UTF8, None, None))]))

    form = detect_form(io.BytesIO(data), FileOptions(), None, max_unpacked_bytes=0)

    assert form.encoding == "utf-8"


def test_a_file_for_spreadsheets_that_one_saved_in_another_encoding_is_read_in_that() -> None:
    rows = [row("René,Müller,Straße,für".encode(), record=number) for number in range(50)]
    data = b"".join(failed_rows_csv(["A", "B", "C", "D"], rows, for_spreadsheet=True))

    form = detect_form(io.BytesIO(data.decode("utf-8-sig").encode("cp1252")), FileOptions(), None, max_unpacked_bytes=0)

    assert form.encoding == "windows-1252"
