"""Files as they come: encodings, delimiters, quotes, line ends and compression, detected or given."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import budgets
import by_hand
from load.loading import Place, Shop
from load.oracle import Column
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv
from openprofiles.uploads.failures.own_columns import SPREADSHEET_COLUMNS
from openprofiles.uploads.job_report import read_report
from openprofiles.uploads.jobs import read_file_columns
from openprofiles.uploads.reading.file_form import FileForm, FileOptions

EMAIL = Column("E-Mail", "EmailAddress")
FIRST = Column("Prénom", "FirstName")
NOTE = Column("Note", "Attributes.note")
COLUMNS = (EMAIL, FIRST, NOTE)
DETECTED = FileOptions()
PEOPLE = [
    ["E-Mail", "Prénom", "Note"],
    ["zoe@example.com", "Zoë", 'says "hi"; often, | yes'],
    ["rene@example.com", "René", "two\nlines"],
    ["francois@example.com", "François", ""],
    ["muller@example.com", "Jürgen", "it's"],
    ["ZOE@example.com", "", "later"],
]

# How a file is read does not depend on the engine.
pytestmark = pytest.mark.parametrize("place", ["sqlite"], indirect=True)


def write(rows: Sequence[Sequence[str]], form: FileForm) -> bytes:
    """The rows as a file of that form."""
    text = io.StringIO()
    line_end = {"LF": "\n", "CRLF": "\r\n", "CR": "\r"}[form.line_ends]
    csv.writer(text, delimiter=form.delimiter, quotechar=form.quote, lineterminator=line_end).writerows(rows)
    data = (("\ufeff" if form.has_byte_order_mark else "") + text.getvalue()).encode(form.encoding)
    if form.compression == "gzip":
        return gzip.compress(data)
    return data if form.compression == "none" else pa.compress(data, codec="zstd", asbytes=True)


def load(shop: Shop, data: bytes, file: FileOptions = DETECTED, **more: int | bool) -> UploadJob:
    return shop.run(shop.create_job(COLUMNS, "E-Mail", data, file=file), **more)


def form_of(shop: Shop, job: UploadJob) -> FileForm | None:
    """Return what a file was read as, apart from what is the same for all."""
    form = by_hand.read(shop.store, shop.domain, read_report, job.job_id).file_form
    assert form is None or form.skips_blank_rows
    return None if form is None else replace(form, skips_blank_rows=False)


def people(shop: Shop) -> list[tuple[str | None, str | None, str | None]]:
    profiles = shop.known().profiles
    return [
        (profile.values.get("EmailAddress"), profile.values.get("FirstName"), profile.attributes.get("note"))
        for _, profile in sorted(profiles.items())
    ]


LOADED = [
    ("ZOE@example.com", "Zoë", "later"),
    ("rene@example.com", "René", "two\nlines"),
    ("francois@example.com", "François", None),
    ("muller@example.com", "Jürgen", "it's"),
]


@pytest.mark.parametrize(
    "form",
    [
        FileForm(),
        FileForm(has_byte_order_mark=True, line_ends="CRLF"),
        FileForm(encoding="windows-1252", delimiter=";", line_ends="CRLF"),
        FileForm(encoding="utf-16le", delimiter="\t", has_byte_order_mark=True, line_ends="CRLF"),
        FileForm(encoding="utf-16be", delimiter="|", has_byte_order_mark=True),
        FileForm(encoding="utf-16le", delimiter=";"),
        FileForm(delimiter="\t", quote="'"),
        FileForm(compression="gzip"),
        FileForm(compression="zstd", encoding="windows-1252", delimiter=";"),
    ],
    ids=FileForm.describe,
)
def test_a_file_is_read_as_it_comes_and_the_account_says_as_what(shop: Shop, form: FileForm) -> None:
    job = load(shop, write(PEOPLE, form))

    assert (job.status, job.failure_message) == ("SUCCEEDED", None)
    assert (job.created_count, job.updated_count) == (4, 1)
    assert people(shop) == LOADED
    assert form_of(shop, job) == replace(form, joins_lines=form.quote == "'")


def test_a_file_with_lone_carriage_returns_is_read(shop: Shop) -> None:
    job = load(shop, "E-Mail,Prénom,Note\ra@x,Zoë,\rb@x,Bo,n\r".encode())

    assert people(shop) == [("a@x", "Zoë", None), ("b@x", "Bo", "n")]
    assert form_of(shop, job) == FileForm(line_ends="CR")


def test_what_is_given_is_not_detected(shop: Shop) -> None:
    # As UTF-8 and with commas it could be read too.
    data = 'E-Mail;Prénom;Note\na@x;Ann;"a\n'.encode("iso-8859-2")

    job = load(shop, data, FileOptions(encoding="latin-1", delimiter=";", quote="none", line_ends="LF"))

    assert people(shop) == [("a@x", "Ann", '"a')]
    assert form_of(shop, job) == FileForm(
        encoding="windows-1252",
        delimiter=";",
        quote="none",
        given=("encoding", "delimiter", "quote", "line_ends"),
    )


@pytest.mark.parametrize("encoding", ["windows-1251", "iso-8859-2", "shift_jis", "gb18030", "koi8-r"])
def test_an_encoding_that_is_not_detected_can_be_given(shop: Shop, encoding: str) -> None:
    name = {"windows-1251": "Ольга", "iso-8859-2": "Łukasz", "shift_jis": "鈴木", "gb18030": "王芳", "koi8-r": "Иван"}[
        encoding
    ]
    columns = (EMAIL, Column("First", "FirstName"))
    data = f"E-Mail,First\na@x,{name}\n".encode(encoding)

    job = shop.run(shop.create_job(columns, "E-Mail", data, file=FileOptions(encoding=encoding)))

    assert job.status == "SUCCEEDED"
    assert [first for _, first, _ in people(shop)] == [name]


def test_a_column_with_commas_of_the_mapping_is_enough_to_read_the_file_with_commas(shop: Shop) -> None:
    columns = (Column("a;b", "FirstName"), EMAIL)

    job = shop.run(shop.create_job(columns, "E-Mail", b"a;b,E-Mail\nAnn;Bo,a@x\n", file=DETECTED))

    assert (job.status, people(shop)) == ("SUCCEEDED", [("a@x", "Ann;Bo", None)])


def test_one_row_in_another_encoding_fails_and_the_others_are_loaded(shop: Shop) -> None:
    rows = "E-Mail,Prénom,Note\na@x,Zoë,\nb@x,François,\n".encode() + "c@x,René,\n".encode("latin-1") + b"d@x,Di,\n"

    job = load(shop, rows)

    assert [(row.record, row.faults[0].code) for row in shop.failed_rows(job)] == [(3, "INVALID_UTF8")]
    assert [email for email, _, _ in people(shop)] == ["a@x", "b@x", "d@x"]


def test_a_job_whose_encoding_is_unclear_loads_nothing_and_its_message_has_no_names_of_customers(shop: Shop) -> None:
    job = load(shop, "E-Mail,First,Note\na@x,Łukasz,\n".encode("cp1250"))

    assert job.status == "FAILED"
    assert "Likely encodings: windows-1250, windows-1252" in (job.failure_message or "")
    assert "ukasz" not in (job.failure_message or "")
    assert people(shop) == []


def test_a_stray_byte_far_before_what_tells_the_encoding_does_not_decide_about_it(shop: Shop) -> None:
    stray = "c@x,O\x92Brien,\n".encode("latin-1")
    rows = "E-Mail,Prénom,Note\n".replace("é", "e").encode() + b"a@x,Ann,\n" * 200_000 + stray
    columns = (EMAIL, Column("Prenom", "FirstName"))

    data = rows + b"a@x,Ann,\n" * 200_000 + "z@x,Zoë,\nb@x,Bjørn,\n".encode()
    job = shop.run(shop.create_job(columns, "E-Mail", data, file=DETECTED))

    assert form_of(shop, job) == FileForm()
    assert [row.faults[0].code for row in shop.failed_rows(job)] == ["INVALID_UTF8"]
    assert [name for _, name, _ in people(shop)] == ["Ann", "Zoë", "Bjørn"]


def test_what_is_no_text_in_the_encoding_fails_in_its_row_alone(shop: Shop) -> None:
    text = "E-Mail,Prénom,Note\r\na@x,Zoë,\r\nb@x,"
    data = text.encode("utf-16-le") + b"\x00\xd8" + "x,\r\nc@x,Cy,\r\nd@x,Di".encode("utf-16-le") + b"x"

    job = load(shop, data, FileOptions(encoding="utf-16le"))

    assert [(row.record, row.faults[0].code) for row in shop.failed_rows(job)] == [
        (2, "INVALID_UTF8"),
        (4, "INVALID_UTF8"),
    ]
    assert [email for email, _, _ in people(shop)] == ["a@x", "c@x"]


PACKED = gzip.compress(b"E-Mail,Pr\xc3\xa9nom,Note\n" + b"a@x,Ann,n\n" * 20_000)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (PACKED[: len(PACKED) // 2], "The gzip file cannot be decompressed: it is cut off or damaged. Download it or"),
        (PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], "The gzip file cannot be decompressed"),
        (pa.compress(b"E-Mail\na@x\n" * 9000, codec="zstd", asbytes=True)[:-9], "The zstd file cannot be decompressed"),
        (gzip.compress(b"PK\x03\x04 and so on"), "an Excel workbook"),
        (b"PAR1 and so on", "a Parquet file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on", "an old Excel workbook"),
        (b"%PDF-1.7 and so on", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a picture (PNG)"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a picture (JPEG)"),
    ],
    ids=["cut off", "damaged", "zstd cut off", "workbook in gzip", "Parquet", "xls", "PDF", "PNG", "JPEG"],
)
def test_a_file_that_is_no_text_or_is_damaged_is_refused_with_the_reason(shop: Shop, data: bytes, words: str) -> None:
    job = load(shop, data)

    assert (job.status, job.status_reason) == ("FAILED", "VALIDATION_FAILURE")
    assert words in (job.failure_message or "")
    assert people(shop) == []


@pytest.mark.parametrize("name", ["PAR1", "BZhang", "%PDF-"])
def test_a_file_that_has_its_columns_is_text_whatever_it_begins_with(shop: Shop, name: str) -> None:
    job = load(shop, f"{name},E-Mail,Prénom,Note\n1,a@x,Ann,n\n".encode())

    assert job.status == "SUCCEEDED"
    assert people(shop) == [("a@x", "Ann", "n")]


def test_columns_named_over_lines_and_with_other_delimiters_are_found(shop: Shop) -> None:
    columns = [
        Column("E;Mail", "EmailAddress"),
        Column("First\nname", "FirstName"),
        Column("'Note\t|", "Attributes.note"),
    ]
    data = b'E;Mail,"First\nname",\'Note\t|,x;y;z\na@x,Ann,a;b|c\td,1;2;3\nb;c@x,"Bo;"\n'

    job = shop.run(shop.create_job(columns, "E;Mail", data))

    assert job.status == "SUCCEEDED"
    assert people(shop) == [("a@x", "Ann", "a;b|c\td"), ("b;c@x", "Bo;", None)]


def test_a_file_that_unpacks_to_more_than_a_file_may_have_is_refused(shop: Shop) -> None:
    bomb = gzip.compress(b"E-Mail,Pr\xc3\xa9nom,Note\n" + b"a@x,Ann,n\n" * 300_000)
    assert len(bomb) < 10_000

    job = load(shop, bomb, max_unpacked_bytes=2_000_000)

    assert job.status == "FAILED"
    assert "exceeds the limit of 2,000,000 bytes" in (job.failure_message or "")
    assert people(shop) == []


@pytest.mark.parametrize(
    "form",
    [
        FileForm(delimiter=";"),
        FileForm(compression="gzip"),
        FileForm(encoding="windows-1252"),
        FileForm(line_ends="CR"),
    ],
    ids=FileForm.describe,
)
def test_a_strict_server_takes_no_other_form_than_aws(shop: Shop, form: FileForm) -> None:
    job = load(shop, write(PEOPLE, form), strict=True)

    assert (job.status, people(shop)) == ("FAILED", [])


def test_failed_rows_of_any_form_come_as_a_file_that_loads_under_the_same_mapping(shop: Shop) -> None:
    data = "E-Mail;Prénom;Note\na@x;Zoë;\n;René;a,b\n;\"x\";'a; b'\n".encode("cp1252")
    job = load(shop, data, FileOptions(quote="'"))
    headers, dialect = by_hand.read(shop.store, shop.domain, read_file_columns, job.job_id)

    file = b"".join(failed_rows_csv(headers, shop.failed_rows(job), dialect))
    again = load(shop, file.replace(b"\n,", b"\nb@x,", 1))

    assert [list(row.values())[:3] for row in csv.DictReader(io.StringIO(file.decode()))] == [
        ["", "René", "a,b"],
        ["", '"x"', "a; b"],
    ]
    assert (again.created_count, again.failed_count) == (1, 1)
    assert people(shop) == [("a@x", "Zoë", None), ("b@x", "René", "a,b")]


def notices(shop: Shop, job: UploadJob) -> list[tuple[str, int, tuple[int, ...]]]:
    report = by_hand.read(shop.store, shop.domain, read_report, job.job_id)
    return [(notice.code, notice.count, notice.lines) for notice in report.notices]


def test_lines_above_the_header_are_skipped_and_counted_and_failed_rows_keep_their_lines(shop: Shop) -> None:
    above = 'Kunden, "Stand" 2026\n\nStatus;ok\n'

    job = load(shop, (above + "E-Mail;Prénom;Note\na@x;Zoë;\n;Nemo;\n").encode())

    assert people(shop) == [("a@x", "Zoë", None)]
    assert [(row.line, row.content) for row in shop.failed_rows(job)] == [(5 + 1, b";Nemo;")]
    assert notices(shop, job) == [("SkippedLines", 2, (1, 3))]
    assert by_hand.read(shop.store, shop.domain, read_file_columns, job.job_id)[0] == ["E-Mail", "Prénom", "Note"]


def test_the_first_row_with_the_columns_of_the_mapping_is_the_header_whatever_it_looks_like(shop: Shop) -> None:
    columns = (Column("a@x", "EmailAddress"), Column("7", "FirstName"))

    job = shop.run(shop.create_job(columns, "a@x", b"Report\n\n7,a@x\nBo,b@x\n", file=DETECTED))
    refused = load(shop, b"z@x.example,Zed,Rome\nE-Mail,Pr\xc3\xa9nom,Note\na@x.example,Ann,Rome\n")

    assert [row[:2] for row in people(shop)] == [("b@x", "Bo")]
    assert notices(shop, job) == [("SkippedLines", 1, (1,))]
    # A customer would be missing.
    assert (refused.status, refused.failure_message) == (
        "FAILED",
        "Line 2 has the columns of the mapping, so it is the header, but line 1 above it seems to be a row. Rows above "
        "the header are not loaded. Move the header to the top, or name line 2 as the header if the lines above it are "
        "not rows.",
    )


def test_a_file_without_a_header_is_loaded_by_the_numbers_of_its_columns(shop: Shop) -> None:
    columns = (Column("Column 1", "EmailAddress"), Column("Column 2", "FirstName"))
    data = b"\xef\xbb\xbfa@x,Ann\n,,\n\nb@x,Bo\n,Nemo\n"

    job = shop.run(shop.create_job(columns, "Column 1", data, file=FileOptions(header_line=0)))

    assert [row[:2] for row in people(shop)] == [("a@x", "Ann"), ("b@x", "Bo")]
    assert [(row.record, row.line, row.content) for row in shop.failed_rows(job)] == [(3, 5, b",Nemo")]


def test_a_missing_column_is_told_with_the_columns_there_are_unless_they_seem_to_be_values(shop: Shop) -> None:
    by_name = load(shop, b"Report\nE-Mail,First name,City\na@x,Ann,Rome\n")
    by_values = load(shop, b"a@x.example,Ann,Rome\nb@x.example,Bo,Oslo\n")

    assert "Its columns are: 'E-Mail', 'First name', 'City'. The file was read as" in (by_name.failure_message or "")
    assert "seems to be a row of values: perhaps the file has no header" in (by_values.failure_message or "")
    assert "Ann" not in (by_values.failure_message or "")


@pytest.mark.parametrize(
    "text",
    [
        'E-Mail,Prénom,Note\ra@x,Zoë,"two\rlines"\r,Nemo,"x\ry"\r',
        'E-Mail,Prénom,Note\r\r\na@x,Zoë,"two\r\r\nlines"\r\r\n,Nemo,"x\r\r\ny"\r\r\n',
        'E-Mail, Prénom, Note\na@x, Zoë, "two, lines" \n, Nemo, "x, y"\n',
    ],
    ids=["CR", "CR CR LF", "comma and blank"],
)
def test_a_text_that_is_changed_on_the_way_keeps_its_quoted_cells_and_the_lines_of_failed_rows(
    shop: Shop, text: str
) -> None:
    job = load(shop, text.encode())

    between = text[text.index("two") + 3 : text.index("lines")].replace("\r\r", "\r")
    assert people(shop) == [("a@x", "Zoë", f"two{between}lines")]
    assert [row.content for row in shop.failed_rows(job)] == [f',Nemo,"x{between}y"'.encode()]


# What a spreadsheet would calculate or cut, and what it leaves as it is; some records need our own reading.
SPREADSHEET_TEXTS = [
    "=1+1",
    "@sum",
    "'=1",
    "''",
    "'tis",
    "-a",
    "+49 30 1",
    "\tx",
    "a\rb",
    "\r=",
    '=say("a")',
    "a,b",
    "Zoë",
]


@pytest.mark.parametrize(("for_spreadsheet", "delimiter"), [(True, ","), (True, ";"), (False, ",")])
def test_fixed_rows_arrive_as_they_stood_in_the_first_file(shop: Shop, for_spreadsheet: bool, delimiter: str) -> None:
    table = [
        ["E-Mail", "Prénom", "Note"],
        ["a@x", "A", "=a"],
        *(["", f"N{n}", t] for n, t in enumerate(SPREADSHEET_TEXTS)),
    ]
    job = load(shop, write(table, FileForm(delimiter=delimiter)))
    file = failed_rows(shop, job, for_spreadsheet=for_spreadsheet)

    fixed = re.sub(rf"^({delimiter})(N[0-9]+)", r"\2@x\1\2", file.decode(), flags=re.MULTILINE).encode()
    again = load(shop, fixed)

    assert (job.failed_count, again.created_count, again.failed_count) == (len(SPREADSHEET_TEXTS),) * 2 + (0,)
    assert [note for _, _, note in people(shop)] == ["=a", *SPREADSHEET_TEXTS]


@pytest.mark.parametrize("for_spreadsheet", [True, False])
def test_a_row_that_failed_for_its_bytes_fails_again_until_it_is_fixed(shop: Shop, for_spreadsheet: bool) -> None:
    job = load(shop, b'E-Mail,Pr\xc3\xa9nom,Note\na@x,A,\nb@x,Ren\xc3,\nc@x,"C\r",\xff\n,D\xef\xbf\xbd,\n')
    file = failed_rows(shop, job, for_spreadsheet=for_spreadsheet)

    again = load(shop, file)
    as_saved = failed_rows(shop, again, for_spreadsheet=for_spreadsheet).decode("utf-8", "replace")
    fixed = load(shop, as_saved.replace("Ren\ufffd", "René").replace("\n,D", "\nd@x,D").encode())

    assert (job.created_count, job.failed_count) == (1, 3)
    assert (again.status, again.failed_count) == ("FAILED", 3)
    assert (fixed.created_count, fixed.failed_count) == (2, 1)
    # Its file had this character itself, and its row failed for another reason.
    assert [first for _, first, _ in people(shop)] == ["A", "René", "D\ufffd"]


@pytest.mark.parametrize("for_spreadsheet", [True, False])
def test_a_row_that_had_too_many_cells_fails_again_until_its_surplus_is_empty(
    shop: Shop, for_spreadsheet: bool
) -> None:
    job = load(shop, b'E-Mail,Pr\xc3\xa9nom,Note\na@x,A,1,Suite 2\nb@x,"B\r",,,last\n,C,3\n')
    file = failed_rows(shop, job, for_spreadsheet=for_spreadsheet)
    again = load(shop, file)
    second = failed_rows(shop, again, for_spreadsheet=for_spreadsheet).decode()

    fixed = load(shop, second.replace("1,Suite 2", '"1, Suite 2",').replace("\n,C", "\nc@x,C").encode())

    assert (job.failed_count, again.failed_count, fixed.created_count, fixed.failed_count) == (3, 3, 2, 1)
    assert [row.faults[0].code for row in shop.failed_rows(again)] == [
        "SURPLUS_LEFT",
        "SURPLUS_LEFT",
        "MISSING_UNIQUE_KEY",
    ]
    assert [row.faults[0].code for row in shop.failed_rows(fixed)] == ["SURPLUS_LEFT"]
    assert ("a@x", "A", "1, Suite 2") in people(shop)


def test_a_row_with_two_errors_fails_for_its_surplus_cells_when_the_other_one_is_fixed(shop: Shop) -> None:
    job = load(shop, b'E-Mail,Pr\xc3\xa9nom,Note\na@x,Ren\xc3,1,more\n"b@x"x,B,2\n')
    file = failed_rows(shop, job, for_spreadsheet=True).decode()

    again = load(shop, file.replace("Ren\ufffd", "Ren\u00e9").replace("\n,,,", "\nb@x,B,2,").encode())

    assert [row.faults[0].code for row in shop.failed_rows(again)] == ["SURPLUS_LEFT"]
    # The surplus of this one is the whole row.
    assert people(shop) == [("b@x", "B", "2")]


def test_a_strict_server_reads_apostrophes_as_they_stand(shop: Shop) -> None:
    header = ",".join(["E-Mail", "Prénom", "Note", *SPREADSHEET_COLUMNS])

    job = load(shop, f"{header}\na@x,'=1,Ren\ufffd,,2,,INVALID_UTF8,Note,\n".encode(), strict=True)

    assert (job.status, people(shop)) == ("SUCCEEDED", [("a@x", "'=1", "Ren\ufffd")])


def failed_rows(shop: Shop, job: UploadJob, *, for_spreadsheet: bool) -> bytes:
    headers, dialect = by_hand.read(shop.store, shop.domain, read_file_columns, job.job_id)
    return b"".join(failed_rows_csv(headers, shop.failed_rows(job), dialect, for_spreadsheet=for_spreadsheet))


CELLS = st.text(st.sampled_from("ab ,;\t|'\"\n\réß€"), max_size=6)
FORMS = st.builds(
    FileForm,
    compression=st.sampled_from(["none", "gzip", "zstd"]),
    encoding=st.sampled_from(["utf-8", "windows-1252", "utf-16le", "utf-16be"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quote=st.sampled_from(['"', "'"]),
    line_ends=st.sampled_from(["LF", "CRLF"]),
)


@budgets.FILES
@given(st.lists(st.tuples(CELLS, CELLS), max_size=6), FORMS, st.integers(16, 80))
def test_any_cells_in_any_form_that_is_given_are_read_as_in_a_file_of_commas(
    place: Place, rows: list[tuple[str, str]], form: FileForm, block_bytes: int
) -> None:
    # The csv module does not quote a lone CR everywhere, and blank lines are no rows.
    table = [["E-Mail", "Prénom", "Note"]]
    table += [[f"{number}@x", *(cell.replace("\r", "") for cell in row)] for number, row in enumerate(rows)]
    found = []
    for written in (FileForm(), form):
        shop = place.open_shop(expiration_days=30)
        file = FileOptions(
            encoding=written.encoding, delimiter=written.delimiter, quote=written.quote, line_ends=written.line_ends
        )
        job = load(shop, write(table, written), file, block_bytes=block_bytes)
        found.append((job.status, job.created_count, people(shop)))

    assert found[0] == found[1]
    assert found[0][1] == len(rows)


@budgets.FILES
@given(st.binary(max_size=300), st.booleans())
def test_no_file_whatsoever_breaks_the_detection(place: Place, data: bytes, is_packed: bool) -> None:
    shop = place.open_shop(expiration_days=30)

    job = load(shop, gzip.compress(data) if is_packed else data)

    assert job.status in ("FAILED", "SUCCEEDED", "PARTIALLY_SUCCEEDED")
    assert job.status_reason in (None, "VALIDATION_FAILURE")


def test_one_cell_in_single_quotes_is_a_value_and_loses_no_row(shop: Shop) -> None:
    rows = "p0@x;'Bob';\np1@x;'Bo';\n"
    rows += "".join(f"q{number}@x;Q{number};\n" if number % 300 else f"q{number}@x;'tis;\n" for number in range(900))

    job = load(shop, ("E-Mail;Prénom;Note\n" + rows).encode())

    assert (job.created_count, job.failed_count) == (902, 0)


def test_a_file_is_refused_if_detected_single_quotes_join_lines_beyond_its_beginning(shop: Shop) -> None:
    sample = "".join(f"p{number}@x;'P{number}';'n'\n" for number in range(20_000))
    rows = "a@x;'tis;\nb@x;so';\n"

    job = load(shop, ("E-Mail;Prénom;Note\n" + sample + rows).encode())
    told = load(shop, ("E-Mail;Prénom;Note\n" + sample + rows).encode(), FileOptions(quote="none"))

    assert (job.status, people(shop)[:1]) == ("FAILED", [("p0@x", "'P0'", "'n'")])
    assert "a value in single quotes spans two lines" in (job.failure_message or "")
    assert told.created_count == 20_002
