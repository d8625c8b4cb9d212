"""Files as they come, through the real command: text in any form, workbooks, Parquet, JSON lines, and what is none."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet
import pytest

from acceptance.running import run_command, running_server
from acceptance.test_import import import_json, read_csv, write
from openprofiles.cli import table_files
from openprofiles.clock import utc_now
from openprofiles.operations.profile_shapes import profile_answer
from openprofiles.profiles.search import SearchKey, search_profiles
from openprofiles.settings import Settings
from openprofiles.store.open import open_store

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
    page = search_profiles(store, "demo", [key], match_all_keys=False, max_results=2, next_token=None, now=utc_now())
    store.close()
    (found,) = page.found
    return dict(profile_answer(found.profile))


def workbook(path: Path) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Customers"
    sheet.append([])
    sheet.append(["E-mail", "First name", "Birth date", "Points", "Rate", "Active", "Seen"])
    sheet.append(["ada@example.com", "Ada", date(1985, 12, 10), 5, 1.5, True, datetime(2026, 1, 2, 3, 4, 5)])  # noqa: DTZ001
    sheet.append([None, "Nobody", None, None, None, None, None])
    book.create_sheet("Others").append(["E-mail"])
    book["Others"].append(["zoe@example.com"])
    book.save(path)
    return path


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
    assert read_csv(tmp_path / "kunden.failed-rows.csv")[1][:5] == ["", "Nobody", "", "", "4"]
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
    assert "1 line above the header was skipped (line 1).\n" in skipped.stdout
    assert "BROKEN_ROW" not in loaded.stdout
    assert "1 row with fewer cells than the header was loaded, with the last cells taken for blank (line 2)." in (
        loaded.stdout
    )


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

    assert (status, told["created"]) == (1, 2)
    assert found["FirstName"] == "Zoë"


@pytest.mark.parametrize("name", ["customers.xlsx", "customers.csv"])
def test_a_workbook_is_loaded_whatever_its_name(tmp_path: Path, name: str) -> None:
    file = workbook(tmp_path / name)

    status, told = import_json(file, "--domain", "demo", "--unique-key", "E-mail", "--data", tmp_path / "data")

    assert (status, told["created"], told["failed"], told["file"]["kind"]) == (1, 1, 1, "Excel workbook")
    # The row of the sheet, since none of them has a cell of several lines.
    assert read_csv(tmp_path / "customers.failed-rows.csv")[1][8] == "4"
    ada = find(tmp_path / "data", "ada@example.com")
    assert ada["BirthDate"] == "1985-12-10"
    assert ada["Attributes"] == {"Points": "5", "Rate": "1.5", "Active": "true", "Seen": "2026-01-02 03:04:05"}


def test_another_sheet_of_a_workbook_can_be_named(tmp_path: Path) -> None:
    file = workbook(tmp_path / "a.xlsx")
    given = ("--domain", "demo", "--unique-key", "E-mail", "--data", tmp_path / "data")

    status, told = import_json(file, "--sheet", "Others", *given)
    unknown = run_command("import", file, "--sheet", "Nobody", *given)

    assert (status, told["created"]) == (0, 1)
    assert unknown.returncode == 2
    assert "has no sheet 'Nobody'. It has: 'Customers', 'Others'." in unknown.stderr


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


def _without_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


def _vast(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"], sheet["A2"], sheet["XFD1048576"] = "a", "b", "far away"
    book.save(path)


def _large(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/nothing.bin", b"\0" * (table_files.MAX_WORKBOOK_BYTES + 1))


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("a.xlsx", _without_end, "a ZIP archive or an Excel workbook"),
        ("b.xlsx", _large, "when uncompressed; the limit is 500,000,000. Save the sheet as CSV"),
        ("d.xlsx", _vast, "needs too much memory: its cells may be far apart"),
        ("a.parquet", _without_end, "is a Parquet file that cannot be read to its end"),
        ("a.csv.gz", _without_end, "The gzip file cannot be decompressed"),
        (
            "a.json",
            lambda path: path.write_bytes(b'[{"a": 1}]'),
            "a.json is a JSON array. Only JSON lines are supported",
        ),
        ("a.jsonl", lambda path: path.write_bytes(b'{"a": 1}\n[2]\n'), "Line 2 of the file is not a JSON object."),
        ("b.jsonl", lambda path: path.write_bytes(b'{"a": 1}\n{"a": \n'), "Line 2 of the file is not JSON, although"),
        ("a.xls", lambda path: path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") * 99), "an old Excel workbook"),
        ("c.xlsx", lambda path: zipfile.ZipFile(path, "w").writestr("a", "b"), "a ZIP archive or an Excel workbook"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_a_sentence_with_nothing_made(
    tmp_path: Path, name: str, spoil: Callable[[Path], object], message: str
) -> None:
    file = tmp_path / name
    if name in ("a.xlsx", "b.xlsx"):
        workbook(file)
    elif name == "a.parquet":
        pyarrow.parquet.write_table(pa.table({"a": list(range(1000))}), file)
    elif name == "a.csv.gz":
        file.write_bytes(gzip.compress(b"Email\n" + b"".join(b"%d@x\n" % n for n in range(2000))))
    spoil(file)

    answer = run_command("import", file, "--domain", "demo", "--unique-key", "a", "--data", tmp_path / "data")

    assert answer.returncode == 2
    assert message in answer.stderr
    assert "bug here" not in answer.stderr
    assert not (tmp_path / "data").exists()
