"""Files as they come, through the real command: text in any form, workbooks, Parquet, JSON lines, and what is none."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet
import pytest

import by_hand
from acceptance.running import run_command, running_server
from acceptance.test_import import import_json, read_csv, write
from openprofiles.cli.importer import ImportFault
from openprofiles.cli.source_file import open_source
from openprofiles.clock import utc_now
from openprofiles.errors import InvalidRequest
from openprofiles.facts.keys import SearchKey
from openprofiles.operations.profile_shapes import profile_answer
from openprofiles.profiles.search import search_profiles
from openprofiles.settings import Settings
from openprofiles.store.open import open_store
from openprofiles.uploads.reading.file_form import STRICT_OPTIONS, FileOptions
from workbooks import sheet_xml, text_rows, workbook

pytestmark = pytest.mark.usefixtures("quick_servers")

SEEN = "1970-01-01 00:00:00.000000001"
PEOPLE = [("ada@example.com", "Ada", "Köln"), ("zoe@example.com", "Zoë", "São Paulo"), ("", "Nobody", "")]
GERMAN = "E-Mail;First name;City\r\n" + "".join(f"{mail};{name};{city}\r\n" for mail, name, city in PEOPLE)


FORMS_LONG = pytest.mark.long(
    daily="tests/load/test_file_forms.py::test_a_file_is_read_as_it_comes_and_the_account_says_as_what"
)


def find(data: Path, mail: str) -> dict[str, Any]:
    """Return the profile with this address, as a server on the data folder would show it."""
    store = open_store(Settings(data_folder=data))
    key = SearchKey("_email", (mail,))
    page = by_hand.At(utc_now()).read(store, "demo", search_profiles, [key], max_results=2)
    store.close()
    (found,) = page.found
    return dict(profile_answer(found.profile))


SHEETS = {
    "Old": sheet_xml(text_rows([["E-mail"], ["old@example.com"]])),
    "Customers": sheet_xml(
        "<row/>"
        + text_rows([["E-mail", "First name", "Birth date", "Points", "Rate", "Active", "ZIP"]])
        + '<row><c t="s"><v>0</v></c><c t="inlineStr"><is><t>Ada&#10;L.</t></is></c><c s="1"><v>31391</v></c>'
        "<c><v>5</v></c>"
        '<c><v>1.5</v></c><c t="b"><v>1</v></c><c s="2"><v>501</v></c></row>'
        + text_rows([["", "Nobody"]])
        + '<row><c t="s"><v>1</v></c><c t="e"><v>#N/A</v></c></row>'
    ),
    "Others": sheet_xml(text_rows([["E-mail"], ["zoe@example.com"]])),
}
WORKBOOK = workbook(
    SHEETS,
    hidden=["Old"],
    texts=["<t>ada@example.com</t>", "<t>zoe@example.com</t>"],
    formats=["dd.mm.yyyy", "00000"],
)


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (GERMAN.encode("windows-1252"), {"encoding": "windows-1252", "delimiter": ";", "line_ends": "CRLF"}),
        pytest.param(
            GERMAN.encode("utf-16"),
            {"encoding": "utf-16le", "has_byte_order_mark": True, "delimiter": ";"},
            marks=FORMS_LONG,
        ),
        pytest.param(
            gzip.compress(GERMAN.replace(";", "\t").encode()),
            {"compression": "gzip", "delimiter": "\t"},
            marks=FORMS_LONG,
        ),
        (pa.compress(GERMAN.replace(";", "|").encode(), "zstd", asbytes=True), {"compression": "zstd"}),
    ],
    ids=["windows-1252", "utf-16", "gzip", "zstd"],
)
def test_a_file_is_loaded_as_it_comes(tmp_path: Path, content: bytes, form: dict[str, Any]) -> None:
    file = write(tmp_path / "kunden.csv", content)

    status, told = import_json(file, "--domain", "demo", "--unique-key", "E-Mail", "--data", tmp_path / "data")

    assert (status, told["created"], told["failed"]) == (1, 2, 1)
    assert {name: told["file"][name] for name in form} == form
    rows = read_csv(tmp_path / "kunden.failed-rows.csv", told["file"]["delimiter"])
    assert rows[1][:5] == ["", "Nobody", "", "", "4"]
    assert find(tmp_path / "data", "zoe@example.com")["Address"]["City"] == "São Paulo"


def test_what_the_file_was_read_as_is_told_and_can_be_said_instead(tmp_path: Path) -> None:
    # Polish, whose encoding nobody can tell from so few words.
    file = write(tmp_path / "a.csv", "E-Mail;First name\nada@example.com;Łukasz\n".encode("windows-1250"))

    refused = run_command("import", file, "--domain", "demo", "--unique-key", "E-Mail", "--data", tmp_path / "data")
    answer = run_command(
        "import", file, "--domain", "demo", "--unique-key", "E-Mail", "--encoding", "cp1250", "--delimiter", ";",
        "--data", tmp_path / "data",
    )  # fmt: skip

    assert refused.returncode == 2
    shown = " ".join(refused.stderr.split())
    assert "windows-1250: Łukasz; windows-1252: £ukasz" in shown
    assert "Use --encoding NAME, " in shown
    assert answer.returncode == 0
    assert "  read as windows-1250, semicolons, LF\n" in answer.stdout
    assert find(tmp_path / "data", "ada@example.com")["FirstName"] == "Łukasz"


def test_a_file_without_a_header_is_refused_until_that_is_said_and_lines_above_one_are_shown(tmp_path: Path) -> None:
    rows = "ada@example.com,Ada,gold\nbob@example.com,Bob\n"
    bare = write(tmp_path / "bare.csv", rows.encode())
    report = write(tmp_path / "report.csv", f"Customer report\n\nEmail,First name,Tier\n{rows}".encode())
    given = ("--domain", "demo", "--data", tmp_path / "data")

    suggested = run_command("import", bare)
    refused = run_command("import", bare, *given, "--unique-key", "ada@example.com")
    named = run_command("import", bare, *given, "--unique-key", "ada@example.com", "--header-line", "1")
    loaded = run_command(
        "import", bare, *given, "--unique-key", "Column 1", "--no-header", "--map", "Column 2=FirstName"
    )
    skipped = run_command("import", report, *given, "--unique-key", "Email", "--short-rows", "reject")

    for answer in (suggested, refused):
        assert answer.returncode == 2
        told = " ".join(answer.stderr.split())
        assert "not the header: its cell 1 is an email address." in told
        assert "--no-header. If this row is the header, use --header-line 1." in told
    assert (named.returncode, loaded.returncode, skipped.returncode) == (0, 0, 1)
    assert find(tmp_path / "data", "ada@example.com")["FirstName"] == "Ada"
    assert "  read as utf-8, commas, LF, header on line 3\n" in skipped.stdout
    assert "  line 1 is above the header and is skipped: Customer report\n" in skipped.stdout
    assert "1 line above the header is skipped (line 1).\n" in skipped.stdout
    assert "BROKEN_ROW" not in loaded.stdout
    assert (
        "1 row with fewer cells than the header is loaded, with the missing last cells treated as blank (line 2)."
        in (loaded.stdout)
    )


def test_of_more_columns_than_a_job_can_load_those_that_are_named_are_loaded(tmp_path: Path) -> None:
    names = ["E-mail", '"Name, first"', *(f"c{number}" for number in range(600))]
    row = ["ada@example.com", "Ada", *("x" for _ in range(600))]
    file = write(tmp_path / "wide.csv", f"{','.join(names)}\n{','.join(row)}\n".encode())
    given = ("--domain", "demo", "--data", tmp_path / "data", "--unique-key", "E-mail")

    suggested = run_command("import", file)
    refused = run_command("import", file, *given)
    unknown = run_command("import", file, *given, "--only", "c1,d2")
    only = ("--only", 'C5, "Name, first"', "--only", "Name, first", "--map", "c7=Attributes.seven")
    status, told = import_json(file, *given, *only)

    words = "The file has 602 columns to load, and at most 500 can be loaded. Name those that you need with --only"
    assert f"Nothing was loaded. {words}" in " ".join(suggested.stdout.split())
    assert (refused.returncode, unknown.returncode, status) == (2, 2, 0)
    assert words in " ".join(refused.stderr.split())
    assert "--only 'c1,d2': The file has no column 'd2'." in " ".join(unknown.stderr.split())
    assert list(told["mapping"]) == ["E-mail", "Name, first", "c5", "c7"]


def test_the_header_of_a_sheet_is_found_below_a_title_and_can_be_named_by_its_row(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for cells in ([], ["Report of\ncustomers"], [], ["E-mail", "First name"], ["ada@example.com", "Ada"], [None, "No"]):
        sheet.append(cells)
    book.save(tmp_path / "a.xlsx")
    given = ("--domain", "demo", "--data", tmp_path / "data")

    found = run_command("import", tmp_path / "a.xlsx", *given, "--unique-key", "E-mail")
    lines = read_csv(tmp_path / "a.xlsx.failed-rows.csv")
    named = run_command(
        "import", tmp_path / "a.xlsx", *given, "--unique-key", "ada@example.com", "--header-line", "5", "--create-only"
    )

    assert "  line 2 is above the header and is skipped: " in found.stdout
    assert (found.returncode, lines[1][1:4]) == (1, ["No", "", "6"])
    assert named.returncode == 2
    assert "All 1 rows failed" in named.stderr


def test_through_a_server_the_form_of_the_file_goes_along(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", GERMAN.encode("windows-1252"))
    with running_server(tmp_path / "data", "--workers", "1") as server:
        access_key_id, secret = server.admin()
        variables = {"AWS_ACCESS_KEY_ID": access_key_id, "AWS_SECRET_ACCESS_KEY": secret, "NO_PROXY": "127.0.0.1"}
        status, told = import_json(
            file, "--domain", "demo", "--unique-key", "E-Mail", "--endpoint-url", server.url, **variables
        )
        (found,) = server.client().search_profiles(DomainName="demo", KeyName="_email", Values=["zoe@example.com"])[
            "Items"
        ]
        other_country = run_command(
            "import", file, "--domain", "demo", "--unique-key", "E-Mail", "--endpoint-url", server.url,
            "--phone-region", "DE", **variables,
        )  # fmt: skip

    assert other_country.returncode == 2
    assert "as numbers from the United States (US), which cannot be changed." in " ".join(other_country.stderr.split())
    assert (status, told["created"]) == (1, 2)
    assert found["FirstName"] == "Zoë"


def test_a_workbook_is_loaded_whatever_its_name(tmp_path: Path) -> None:
    file = write(tmp_path / "customers.csv", WORKBOOK)

    status, told = import_json(file, "--domain", "demo", "--unique-key", "E-mail", "--data", tmp_path / "data")

    assert (status, told["created"], told["failed"]) == (1, 2, 1)
    assert {name: told["file"][name] for name in ("kind", "sheet", "other_sheets", "hidden_sheets", "error_cells")} == {
        "kind": "Excel workbook",
        "sheet": "Customers",
        "other_sheets": ["Others"],
        "hidden_sheets": ["Old"],
        "error_cells": 1,
    }
    # The row of the sheet, although a cell before it has two lines.
    assert read_csv(tmp_path / "customers.failed-rows.csv")[1][8] == "4"
    ada = find(tmp_path / "data", "ada@example.com")
    assert ada["BirthDate"] == "1985-12-10"
    assert ada["Address"] == {"PostalCode": "00501"}
    assert ada["Attributes"] == {"Points": "5", "Rate": "1.5", "Active": "true"}


def test_failed_rows_are_fixed_in_a_workbook_and_loaded_again(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.csv", b"Email,First name,ZIP,Note\n,Ann,00123,=1+1\nbo@x.de,Ren\xc3,1,\ncy@x.de,C\xc3\xa9,2,'x\n"
    )
    arguments = ("--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data")
    failed = tmp_path / "failed.xlsx"
    import_json(file, *arguments, "--failed-rows", failed)
    run_command("jobs", "failed", "last", "--domain", "demo", "--data", tmp_path / "data", "-o", tmp_path / "same.xlsx")

    sheets = [openpyxl.load_workbook(path)["Failed rows"] for path in (failed, tmp_path / "same.xlsx")]
    rows = [[[cell.value for cell in row] for row in sheet.rows] for sheet in sheets]
    book = openpyxl.load_workbook(failed)
    book["Failed rows"]["A2"] = "ann@x.de"
    book.save(failed)
    status, told = import_json(failed, *arguments)
    refused = run_command("import", file, *arguments, "--failed-rows", failed)

    assert rows[0] == rows[1]
    assert [row[:4] for row in rows[0][1:]] == [[None, "Ann", "00123", "=1+1"], ["bo@x.de", "Ren\ufffd", "1", None]]
    # The second row still has the character that was not valid.
    assert (status, told["created"], told["failed"]) == (1, 1, 1)
    assert told["faults"] == [{"code": "INVALID_UTF8", "column": None, "count": 1}]
    ann = find(tmp_path / "data", "ann@x.de")
    assert (ann["Address"]["PostalCode"], ann["Attributes"]["Note"]) == ("00123", "=1+1")
    assert (refused.returncode, f"{failed} was changed after" in refused.stderr) == (2, True)


def test_another_sheet_is_named_and_cells_without_a_value_never_clear_a_field(tmp_path: Path) -> None:
    file = write(tmp_path / "a.xlsx", WORKBOOK)
    given = ("--domain", "demo", "--unique-key", "E-mail", "--data", tmp_path / "data")

    unknown = run_command("import", file, "--sheet", "Nobody", *given)
    clearing = run_command("import", file, "--blank-cells", "clear", *given)
    other = run_command("import", file, "--sheet", "Others", "--blank-cells", "clear", *given)

    assert (unknown.returncode, clearing.returncode, other.returncode) == (2, 2, 0)
    assert "no sheet 'Nobody'. It has: 'Old' (hidden), 'Customers', 'Others'." in " ".join(unknown.stderr.split())
    assert "although these cells are not meant to be blank." in " ".join(clearing.stderr.split())
    assert "Columns: 'First name'." in " ".join(clearing.stderr.split())
    assert (
        "  read as Excel workbook, sheet 'Others'\n"
        "  Not read: the sheets 'Customers', 'Old' (hidden). To read another one, use --sheet.\n"
    ) in other.stdout


def test_a_parquet_file_is_loaded(tmp_path: Path) -> None:
    table = pa.table(
        {
            "E-mail": ["ada@example.com", "zoe@example.com"],
            "Birth date": [date(1985, 12, 10), None],
            "Points": [5, 6],
            "Tags": [["a", "b"], None],
            "Seen": pa.array([1, None], pa.timestamp("ns")),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")

    status, told = import_json(
        tmp_path / "a.parquet", "--domain", "demo", "--unique-key", "E-mail", "--data", tmp_path / "data"
    )

    assert (status, told["created"], told["file"]["kind"]) == (0, 2, "Parquet")
    ada = find(tmp_path / "data", "ada@example.com")
    assert (ada["BirthDate"], ada["Attributes"]) == ("1985-12-10", {"Points": "5", "Tags": '["a", "b"]', "Seen": SEEN})


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_json_lines_are_loaded(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    lines = [
        {"E-mail": "ada@example.com", "address": {"city": "Köln"}, "points": 5.0},
        {"E-mail": "zoe@example.com", "vip": True, "tags": ["a"], "note": "two\nlines"},
    ]
    file = write(tmp_path / "a.jsonl", pack("\n\n".join(json.dumps(line) for line in lines).encode()))

    status, told = import_json(file, "--domain", "demo", "--unique-key", "E-mail", "--data", tmp_path / "data")

    assert (status, told["created"], told["file"]["kind"]) == (0, 2, "JSON lines")
    assert find(tmp_path / "data", "ada@example.com")["Address"]["City"] == "Köln"
    zoe = find(tmp_path / "data", "zoe@example.com")
    assert zoe["Attributes"] == {"vip": "true", "tags": '["a"]', "note": "two\nlines"}


def _written(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file)
    return file.getvalue()


def _zip(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WORKBOOK[:-300], "an Excel workbook"),
        (
            workbook({"A": sheet_xml(text_rows([["a" * 3_000_000]]))}),
            "is larger than the limit of 2,000,000 bytes when it is unpacked. Save the sheet as CSV",
        ),
        (_written(pa.table({"a": list(range(1000))}))[:-300], "The Parquet file cannot be read to the end"),
        (
            _written(pa.table({"a": ["x" * 1000] * 3000})),
            "When written as CSV, the table is larger than the limit of 2,000,000 bytes",
        ),
        (gzip.compress(b"Email\n" + b"".join(b"%d@x\n" % n for n in range(2000)))[:-300], "cannot be decompressed"),
        (gzip.compress(b'{"a": "' + b"x" * 3_000_000 + b'"}'), "exceeds the limit of 2,000,000 bytes"),
        (b'{"a": 1}\n[2]\n', "The object on line 2 of the file is not a JSON object."),
        (bytes.fromhex("d0cf11e0a1b11ae1") * 99, "an old Excel workbook (.xls), or one with a password"),
        (_zip("b.csv", b"a"), "The file is a ZIP archive. Unpack it, and import the files in it one by one: 'b.csv'."),
        (_zip("in.xlsx", WORKBOOK), "The file is a ZIP archive. Unpack it, and import the files in it one by one: "),
        (_zip("xl/workbook.bin", b"a"), "a binary Excel workbook (.xlsb). Open it in Excel or LibreOffice"),
        (b"<html><table>", "a web page (HTML). Open it in Excel or LibreOffice, and save it as a workbook"),
        (b"BEGIN:VCARD\n", "an address book (vCard). Import it into an address book"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named_for_what_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    file = write(tmp_path / "a.xlsx", content)

    with pytest.raises((ImportFault, InvalidRequest)) as error, open_source(file, FileOptions(), None, 2_000_000):
        pass

    assert message in str(error.value)


def test_the_country_of_phone_numbers_is_chosen_before_a_domain_is_created(tmp_path: Path) -> None:
    rows = "".join(f"a{number}@example.com;0211 98765{number};40213;Neuss\n" for number in range(5))
    file = write(tmp_path / "a.csv", f"E-Mail;Telefon;PLZ;Ort\n{rows}".encode())
    given = ("import", file, "--domain", "demo", "--unique-key", "E-Mail", "--data", tmp_path / "data")

    refused = run_command(*given)
    loaded = run_command(*given, "--phone-region", "DE")
    again = run_command(*given)
    other = run_command(*given, "--phone-region", "AT")

    shown = " ".join(refused.stderr.split())
    assert "0 of 5 such numbers in the first rows; 5 in Germany (DE)." in shown
    assert "Choose it with --phone-region DE or --phone-region US. Nothing was loaded." in shown
    assert [one.returncode for one in (refused, loaded, again, other)] == [2, 0, 0, 2]
    # The refused command left no domain behind.
    assert "Created the domain demo." in loaded.stdout
    for answer in (loaded, again):
        assert "Phone numbers without a country code are treated as numbers from Germany (DE).\n" in answer.stdout
    assert "as numbers from Germany (DE), which cannot be changed." in " ".join(other.stderr.split())


def test_a_file_that_cannot_be_read_creates_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", b'{"a": 1}\n{"a": 1, "a": 2}\n')

    answer = run_command("import", file, "--domain", "demo", "--unique-key", "a", "--data", tmp_path / "data")

    assert answer.returncode == 2
    assert "The object on line 2 of the file has the member 'a' twice." in " ".join(answer.stderr.split())
    assert not (tmp_path / "data").exists()


def test_a_table_is_read_as_it_was_written_whatever_its_cells_look_like(tmp_path: Path) -> None:
    # As a text file it would have semicolons and single quotes.
    file = write(
        tmp_path / "a.xlsx", workbook({"A": sheet_xml(text_rows([["E-mail;x"], *[["'a@example.com;y'"]] * 3]))})
    )

    with open_source(file, FileOptions(), None, 2_000_000) as source:
        options = source.form.to_options()

    assert source.headers == ["E-mail;x"]
    assert source.sample.rows == [["'a@example.com;y'"]] * 3
    assert options == replace(STRICT_OPTIONS, first_row=1)
    # A server that takes no options reads it in the same way.
    assert not source.needs_options
