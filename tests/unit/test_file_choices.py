"""What a saved mapping keeps about reading a file, and when it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from openprofiles.cli.importer import ImportFault, KeptMapping
from openprofiles.cli.source_file import open_source
from openprofiles.errors import InvalidRequest
from openprofiles.uploads.failures.own_columns import OWN_COLUMNS
from openprofiles.uploads.reading.file_choices import FileChoices
from openprofiles.uploads.reading.file_form import FileOptions
from workbooks import sheet_xml, text_rows, workbook

LIMIT = 1_000_000


def read(tmp_path: Path, content: bytes, kept: FileChoices, given: FileOptions | None = None) -> tuple[str, list[str]]:
    """Return what the file is read as, and its first row."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with open_source(path, given or FileOptions(), None, LIMIT, kept) as source:
        return source.describe_form(), source.sample.rows[0]


def test_choices_are_written_and_read_in_each_form() -> None:
    choices = FileChoices(
        file=FileOptions(encoding="cp1250", line_ends="LF"), sheet="My sheet", short_rows="LOAD", checks=("A=none",)
    )

    assert FileChoices.from_json(choices.to_json()) == choices
    assert FileChoices.from_document(choices.to_document()) == choices
    assert choices.to_document() == {
        "Encoding": "windows-1250",
        "LineEnds": "LF",
        "Sheet": "My sheet",
        "ShortRows": "LOAD",
        "Checks": ["A=none"],
    }
    assert choices.to_arguments() == (
        "--encoding windows-1250 --line-ends LF --sheet 'My sheet' --short-rows load --check A=none"
    )
    assert FileChoices(file=FileOptions(header_line=3)).to_arguments() == "--header-line 3"
    assert FileChoices(file=FileOptions(header_line=0)).to_arguments() == "--no-header"
    assert FileChoices().to_json() == {}


def test_what_is_chosen_now_wins_over_what_is_kept() -> None:
    kept = FileChoices(file=FileOptions(encoding="cp1250", delimiter=";"), sheet="A", checks=("P=none",))

    chosen = FileChoices(file=FileOptions(delimiter=","), checks=("P=phone",)).over(kept)

    assert chosen == FileChoices(
        file=FileOptions(encoding="cp1250", delimiter=","), sheet="A", checks=("P=none", "P=phone")
    )


def test_an_encoding_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        FileChoices.from_document({"Encoding": "klingon"})


KEPT = FileChoices(file=FileOptions(encoding="windows-1250", delimiter=";"), sheet="Second")


def test_the_kept_encoding_is_used_for_a_file_that_does_not_show_its_own(tmp_path: Path) -> None:
    assert read(tmp_path, "Imię;a,b\nŁukasz;1\n".encode("windows-1250"), KEPT) == (
        "windows-1250, semicolons, LF",
        ["Łukasz", "1"],
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16le"])
def test_the_kept_encoding_is_not_used_for_a_file_that_is_plainly_unicode(tmp_path: Path, encoding: str) -> None:
    _, row = read(tmp_path, "Imię;b\nŁukasz;1\nJan;2\n".encode(encoding), KEPT)

    assert row == ["Łukasz", "1"]


def test_a_file_of_failed_rows_is_read_as_what_it_is(tmp_path: Path) -> None:
    header = ",".join(["Name", *OWN_COLUMNS])

    assert read(tmp_path, f"{header}\nŁukasz;x,,4,,,\n".encode(), KEPT)[1][0] == "Łukasz;x"


def test_the_kept_sheet_is_used_for_workbooks_alone(tmp_path: Path) -> None:
    content = workbook({name: sheet_xml(text_rows([["Name"], [name]])) for name in ("First", "Second")})

    assert read(tmp_path, content, KEPT) == ("Excel workbook, sheet 'Second'", ["Second"])
    assert read(tmp_path, b"Name;b\nBo;1\n", KEPT)[1] == ["Bo", "1"]
    # A file of failed rows has one sheet, with a name of its own.
    single = workbook({"Failed rows": sheet_xml(text_rows([["Name"], ["Bo"]]))})
    assert read(tmp_path, single, KEPT) == ("Excel workbook, sheet 'Failed rows'", ["Bo"])
    several = workbook({name: sheet_xml(text_rows([["Name"], [name]])) for name in ("First", "Third")})
    with pytest.raises(ImportFault, match=r"no sheet 'Second'\. It has: 'First', 'Third'"):
        read(tmp_path, several, KEPT)


def test_the_kept_line_of_the_header_is_used_for_sheets_but_not_for_failed_rows(tmp_path: Path) -> None:
    kept = FileChoices(file=FileOptions(encoding="windows-1250", header_line=2))
    report = workbook({"A": sheet_xml(text_rows([["All", ""], ["Code", "Łódź"], ["1", "x"], ["2", "y"]]))})
    failed = workbook({"Failed rows": sheet_xml(text_rows([["Name", *OWN_COLUMNS], ["Bo"], ["Cy"]]))})

    assert read(tmp_path, report, kept)[1] == ["1", "x"]
    assert read(tmp_path, failed, kept)[1][0] == "Bo"


def test_the_columns_of_a_saved_mapping_show_the_header_apart_from_those_that_are_replaced() -> None:
    fields = {
        "A": {"Source": "_source.A", "Target": "_profile.EmailAddress"},
        "B": {"Source": "_source.B", "Target": "_profile.Attributes.b"},
        "C": {"Source": "_source.C", "Target": "_profile.FirstName"},
    }
    mapping = KeptMapping(fields, "A", ["A", "B", "C"], FileChoices())

    assert mapping.columns_to_find([]) == ["A", "B", "C"]
    assert mapping.columns_to_find(["New=EmailAddress", "B="]) == ["C"]
    assert mapping.columns_to_find(["New=_profile.FirstName"]) == ["A", "B"]
