"""Excel workbooks, cell by cell: a value is what the sheet shows, or it is counted."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import BinaryIO

import openpyxl
import pytest

from openprofiles.uploads.reading.tables import workbook as workbook_module
from openprofiles.uploads.reading.tables.convert import convert_table
from openprofiles.uploads.reading.tables.table import TableAccount, TableUnreadable, write_table
from openprofiles.uploads.reading.tables.workbook import Workbook, is_workbook
from workbooks import MAIN, sheet_xml, text_rows, workbook

LIMIT = 10_000_000


def read(content: bytes, sheet: str | None = None, limit: int = LIMIT) -> tuple[list[list[str]], TableAccount]:
    book = Workbook(io.BytesIO(content), sheet, limit)
    rows = [list(row) for row in book.rows()]
    return rows, book.account


def read_cells(cells: str, *, formats: Sequence[str] = (), properties: str = "") -> list[str]:
    content = workbook({"A": sheet_xml(f"<row>{cells}</row>")}, formats=formats, properties=properties)
    return read(content)[0][0]


def read_number(text: str, code: str | None = None, properties: str = "") -> str:
    style = "" if code is None else ' s="1"'
    cells = f"<c{style}><v>{text}</v></c>"
    return read_cells(cells, formats=[code] if code is not None else [], properties=properties)[0]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("5", "5"),
        ("-5", "-5"),
        ("5.0", "5"),
        ("-0", "0"),
        ("4.9151234567E+11", "491512345670"),
        ("49151234567", "49151234567"),
        ("1234567890123456789", "1234567890123456789"),
        ("1.2345678901234567E+19", "12345678901234567000"),
        ("1.5", "1.5"),
        ("0.30000000000000004", "0.3"),
        ("2.9999999999999996", "3"),
        ("1E-7", "0.0000001"),
        # Smaller than any that a cell can have.
        ("1E-99999999999999999999", "0"),
        ("1.7976931348623157E+308", "17976931348623157" + "0" * 292),
    ],
)
def test_a_number_is_read_in_full_without_point_or_exponent_if_it_is_whole(text: str, shown: str) -> None:
    assert read_number(text) == shown


@pytest.mark.parametrize(
    ("text", "code", "shown"),
    [
        ("501", "00000", "00501"),
        ("123456", "00000", "123456"),
        ("12345678", "000-00-0000", "012-34-5678"),
        ("5551234567", "[<=9999999]###-####;(###) ###-####", "(555) 123-4567"),
        ("1234567", "[<=9999999]###-####;(###) ###-####", "123-4567"),
        ("123456789", "00000\\-0000", "12345-6789"),
        ("42", '"K-"0000', "K-0042"),
        ("4915112345", "+0", "+4915112345"),
        ("612345678", '0#" "##" "##" "##" "##', "06 12 34 56 78"),
        ("7", "00;-00;0", "07"),
        ("-7", "00;-00;0", "-07"),
        ("-7", "00000", "-00007"),
        ("0", "00000", "00000"),
        ("0.15", "0%", "15%"),
        ("0.075", "0.00%", "7.5%"),
        # The number itself.
        ("1234.5", "#,##0.00", "1234.5"),
        ("1234", '#,##0.00 "€"', "1234"),
        ("1234", '0 "€"', "1234"),
        ("1234", "[$€-407] 0", "1234"),
        ("12345", "0.00E+00", "12345"),
        ("5", "General", "5"),
        ("5", "0", "5"),
        ("-5", "0_);(0)", "-5"),
        ("5", "@", "5"),
        ("0.5", "# ?/?", "0.5"),
        ("501.5", "00000", "501.5"),
        ("5", ";;;", "5"),
    ],
)
def test_a_number_has_the_zeros_and_characters_that_its_format_shows(text: str, code: str, shown: str) -> None:
    assert read_number(text, code) == shown


@pytest.mark.parametrize(
    ("text", "code", "shown"),
    [
        ("31391", "dd.mm.yyyy", "1985-12-10"),
        ("31391", "[$-F800]dddd, mmmm dd, yyyy", "1985-12-10"),
        ("46024.127835648150", "m/d/yy h:mm", "2026-01-02 03:04:05"),
        ("1", "d/m/yyyy", "1900-01-01"),
        ("59", "d/m/yyyy", "1900-02-28"),
        ("61", "d/m/yyyy", "1900-03-01"),
        ("0.5", "h:mm AM/PM", "12:00:00"),
        ("0.000011574074", "mm:ss.0", "00:00:01"),
        ("1.5", "[h]:mm:ss", "36:00:00"),
        # Not in the calendar: Excel shows a day that there was not, or number signs.
        ("60", "d/m/yyyy", "60"),
        ("-1", "d/m/yyyy", "-1"),
        ("99999999", "d/m/yyyy", "99999999"),
    ],
)
def test_dates_and_times_are_written_as_iso_8601(text: str, code: str, shown: str) -> None:
    assert read_number(text, code) == shown


def test_a_workbook_may_count_its_days_from_1904() -> None:
    assert read_number("29929", "dd.mm.yyyy", 'date1904="1"') == "1985-12-10"


@pytest.mark.parametrize(("number", "shown"), [(9, "15%"), (14, "1899-12-31 03:36:00"), (20, "03:36:00"), (2, "0.15")])
def test_formats_that_are_only_a_number_are_known(number: int, shown: str) -> None:
    content = workbook({"A": sheet_xml('<row><c s="1"><v>0.15</v></c></row>')}, formats=["x"])
    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(output, "w") as new:
        for entry in old.infolist():
            new.writestr(entry, old.read(entry).replace(b'<xf numFmtId="164"/>', b'<xf numFmtId="%d"/>' % number))

    (cell,) = read(output.getvalue())[0][0]

    # There is no day before the first one.
    assert cell == ("0.15" if number == 14 else shown)


def test_texts_are_read_without_their_pronunciation_and_with_their_line_ends() -> None:
    content = workbook(
        {
            "A": sheet_xml(
                '<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c>'
                '<c t="inlineStr"><is><r><t>a</t></r><r><t> b</t></r></is></c><c t="str"><f>X</f><v>007</v></c>'
                '<c t="b"><v>1</v></c><c t="d"><v>1985-12-10T00:00:00</v></c></row>'
            )
        },
        texts=["<r><t>山</t></r><r><t>田</t></r><rPh><t>ヤマダ</t></rPh>", "<t>two_x000D_\nlines_x005F_x000D_</t>"],
    )

    assert read(content)[0] == [["山田", "two\r\nlines_x000D_", "a b", "007", "true", "1985-12-10"]]


def test_rows_and_cells_keep_their_places() -> None:
    rows = (
        '<row r="2"><c r="B2" t="str"><v>Email</v></c><c r="D2" t="str"><v>City</v></c></row>'
        '<row r="4"><c r="B4"><v>1</v></c></row><row><c><v>2</v></c></row>'
    )

    assert read(workbook({"A": sheet_xml(rows)}))[0] == [
        [],
        ["", "Email", "", "City"],
        [],
        ["", "1", "", ""],
        ["2", "", "", ""],
    ]


def test_the_first_sheet_that_is_not_hidden_is_read_and_the_others_are_named() -> None:
    content = workbook(
        {name: sheet_xml(text_rows([[name]])) for name in ("Old", "Customers", "Notes", "Codes")},
        hidden=["Old", "Codes"],
    )

    rows, account = read(content)

    assert rows == [["Customers"]]
    assert account.describe() == "Excel workbook, sheet 'Customers'"
    assert account.notes() == [
        "Not read: the sheets 'Notes', 'Old' (hidden), 'Codes' (hidden). To read another one, use --sheet."
    ]
    assert read(content, "old")[0] == [["Old"]]
    with pytest.raises(TableUnreadable, match=r"no sheet 'X'. It has: 'Old' \(hidden\), 'Customers', 'Notes', 'Codes'"):
        read(content, "X")


def test_a_sheet_without_values_is_refused_and_the_others_are_named() -> None:
    content = workbook({"Cover": sheet_xml("<row/>"), "Customers": sheet_xml(text_rows([["Email"]]))})

    with pytest.raises(TableUnreadable, match=r"The sheet 'Cover' has no values\. Not read: the sheet 'Customers'\."):
        read(content)


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("1985-12-10", "1985-12-10"),
        ("2026-01-02T03:04:05", "2026-01-02 03:04:05"),
        ("12:30:00", "12:30:00"),
        ("--12-10", "--12-10"),
    ],
)
def test_a_cell_of_a_date_or_a_time_is_read_and_any_other_text_in_it_stays(text: str, read_as: str) -> None:
    assert read_cells(f'<c t="d"><v>{text}</v></c>') == [read_as]


def test_a_cell_with_a_style_that_does_not_exist_is_read_without_one() -> None:
    assert read_cells('<c s="-3"><v>5</v></c><c s="9"><v>6</v></c>', formats=["000"]) == ["5", "6"]


def test_a_percentage_smaller_than_any_is_zero() -> None:
    assert read_number("1E-99999999999999999999", "0%") == "0%"


def test_errors_and_formulas_without_a_result_are_counted_and_their_columns_named() -> None:
    rows = (
        text_rows([["Email", "City", "Points", "Empty"]])
        + '<row><c t="e"><v>#N/A</v></c><c t="e"><f>X</f><v>#REF!</v></c><c><f>A1</f></c>'
        '<c t="str"><f>X</f><v></v></c></row>' + "<row><c/><c/><c><f>A2</f><v/></c></row>"
    )

    found, account = read(workbook({"A": sheet_xml(rows)}))

    assert found[1:] == [[], []]
    assert (account.errors.count, account.uncalculated.count) == (2, 2)
    assert account.columns_without_values() == {0, 1, 2}
    assert account.notes() == [
        "2 cells have an error such as #N/A: A2, B2. Their fields are not changed.",
        "2 cells have a formula whose result is not in the file: C2, C3. Their fields are not changed. To store the "
        "results, open the workbook in Excel and save it.",
    ]


def test_numbers_that_excel_has_shortened_are_counted() -> None:
    cells = "".join(
        f"<c><v>{text}</v></c>"
        for text in ("4111111111111110", "4111111111111111", "411111111111111", "1.23456789012345E+17", "1.5E-17")
    )

    _, account = read(workbook({"A": sheet_xml(f"<row>{cells}</row>")}))

    assert account.shortened.places == ["A1", "D1"]
    assert account.notes()[0].startswith("2 cells have a number of more than 15 digits: A1, D1. Excel keeps 15 of them")


def test_merged_areas_and_hidden_rows_are_reported() -> None:
    rows = (
        text_rows([["Customers", "", ""], ["Email", "City", "Country"]])
        + '<row hidden="1"><c><v>1</v></c></row><row hidden="1"/><row><c><v>2</v></c></row>'
    )
    merged = '<mergeCells><mergeCell ref="A1:C1"/><mergeCell ref="B3:B5"/><mergeCell ref="A5:B5"/></mergeCells>'

    _, account = read(workbook({"A": sheet_xml(rows, merged)}))

    assert account.columns_without_values() == {1}
    assert account.notes() == [
        "The sheet has 3 merged areas: A1:C1, B3:B5, A5:B5. Only the first cell of each has the value; the other rows "
        "and columns have none.",
        "The sheet has 1 hidden row, which is read too.",
    ]


def test_text_that_is_struck_through_is_reported() -> None:
    fonts = '<font/><font><strike/></font><font><strike val="0"/></font>'
    styles = "".join(f'<xf numFmtId="0" fontId="{font}"/>' for font in (0, 1, 2))
    xml = f'<styleSheet xmlns="{MAIN}"><fonts>{fonts}</fonts><cellXfs>{styles}</cellXfs></styleSheet>'
    cells = '<row><c s="2"><v>1</v></c><c><v>2</v></c></row><row><c s="1"><v>3</v></c><c s="1"/></row>'
    rows = f'{cells}<row><c r="B3" s="1"><v>4</v></c></row>'

    read_rows, account = read(workbook({"A": sheet_xml(rows)}, more={"xl/styles.xml": xml.encode()}))

    assert read_rows == [["1", "2"], ["3", ""], ["", "4"]]
    assert account.notes() == [
        "2 cells have text that is struck through: A2, B3. It is read like other text. If its customers or values are "
        "no longer valid, delete these rows or cells."
    ]
    assert account.to_json()["struck_cells"] == 2


def test_comments_and_email_addresses_that_are_only_in_links_are_reported() -> None:
    relations = "".join(
        f'<Relationship Id="r{number}" Type="x/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(
            [
                ("comments", "../comments1.xml"),
                ("comments", "/xl/missing.xml"),
                ("hyperlink", "mailto:Ann@a.example"),
                ("hyperlink", "MAILTO:bo@a.example?subject=x"),
                ("hyperlink", "https://a.example"),
            ]
        )
    )
    more = {
        "xl/worksheets/_rels/sheet1.xml.rels": f"<Relationships>{relations}</Relationships>".encode(),
        "xl/comments1.xml": f'<comments xmlns="{MAIN}"><comment ref="A2"/><comment ref="A4"/></comments>'.encode(),
    }
    named = sheet_xml(text_rows([["Name"], ["Ann"], ["Bo"]]))
    with_addresses = sheet_xml(text_rows([["Email"], ["ann@a.example "], ["Bo@a.example"]]))

    _, account = read(workbook({"A": named, "B": with_addresses}, more=more))
    _, other_sheet = read(workbook({"A": named, "B": with_addresses}, more=more), "B")
    _, same = read(workbook({"A": with_addresses}, more={**more, "xl/comments1.xml": b"<comments/>"}))

    assert account.notes()[1:] == [
        "2 cells have a comment: A2, A4. Comments are not read. If they say who is no longer a customer or wants no "
        "calls, put this into a column, or delete these rows.",
        "2 email addresses are only in links of cells, whose text is another one, and not read. To load the addresses, "
        "put them into a column.",
    ]
    assert (account.to_json()["comment_cells"], account.to_json()["linked_addresses"]) == (2, 2)
    assert other_sheet.notes()[1:] == same.notes() == []


def test_a_sheet_with_prefixed_names_and_parts_in_other_places_is_read() -> None:
    rows = sheet_xml(text_rows([["a"]])).replace(f'xmlns="{MAIN}"', f'xmlns:x="{MAIN}"')
    for tag in ("worksheet", "sheetData", "row", "c ", "is", "t"):
        rows = rows.replace(f"<{tag}", f"<x:{tag}").replace(f"</{tag.strip()}>", f"</x:{tag.strip()}>")
    content = workbook({"A": rows})
    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(output, "w") as new:
        for entry in old.infolist():
            name = entry.filename.replace("worksheets/sheet1", "Worksheets\\Sheet1").replace("sharedS", "SharedS")
            new.writestr(
                name, old.read(entry).replace(b'Target="worksheets/', b'Target="/xl/worksheets/../worksheets/')
            )

    assert read(output.getvalue())[0] == [["a"]]


def test_what_a_library_for_workbooks_writes_is_read() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Email", "ZIP", "Sum"])
    sheet.append(["ada@example.com", 501, "=B2+1"])
    sheet["B2"].number_format = "00000"
    output = io.BytesIO()
    book.save(output)

    rows, account = read(output.getvalue())

    assert rows == [["Email", "ZIP", "Sum"], ["ada@example.com", "00501", ""]]
    assert account.uncalculated.places == ["C2"]


def _with_password(content: bytes) -> bytes:
    # The flag of an encrypted entry, in each entry of the directory.
    damaged = bytearray(content)
    place = 0
    while (place := damaged.find(b"PK\x01\x02", place)) >= 0:
        damaged[place + 8] |= 1
        place += 4
    return bytes(damaged)


BOOK = workbook({"A": sheet_xml(text_rows([["Email"], ["a@example.com"]]))})


@pytest.mark.parametrize(
    "content",
    [
        workbook({"A": sheet_xml("<row><c><v>x</v></c></row>")}),
        workbook({"A": sheet_xml("<row><c><v>1e999</v></c></row>")}),
        workbook({"A": sheet_xml('<row><c t="s"><v>5</v></c></row>')}),
        workbook({"A": sheet_xml('<row r="2"/><row r="1"/>')}),
        workbook({"A": sheet_xml('<row r="9999999"/>')}),
        workbook({"A": sheet_xml('<row><c r="ZZZ1"/></row>')}),
        workbook({"A": sheet_xml('<row><c r="B1"/><c r="A1"/></row>')}),
        workbook({"A": sheet_xml("<row>")}),
        workbook({"A": '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + sheet_xml("<row><c><v>&a;</v></c></row>")[21:]}),
        workbook({"A": sheet_xml('<row spans="' + "1" * 3_000_000)}),
        _with_password(BOOK),
        BOOK.replace(b"xl/styles", b"xl/stiles", 1),
    ],
)
def test_a_damaged_workbook_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(TableUnreadable, match="The Excel workbook is damaged or has a password"):
        read(content)


def test_a_workbook_that_unpacks_to_more_than_the_limit_is_refused_before_it_is_read() -> None:
    content = workbook({"A": sheet_xml(text_rows([["a" * 2_000_000]]))})
    assert len(content) < 10_000

    with pytest.raises(TableUnreadable, match="is larger than the limit of 1,000,000 bytes when it is unpacked"):
        read(content, limit=1_000_000)


def test_an_entry_that_has_more_than_it_says_is_refused() -> None:
    content = bytearray(workbook({"A": sheet_xml(text_rows([["a" * 1_000_000]]))}))
    place = content.rfind(b"PK\x01\x02", 0, content.rfind(b"xl/worksheets/sheet1.xml"))
    content[place + 24 : place + 28] = (1000).to_bytes(4, "little")

    with pytest.raises(TableUnreadable, match="damaged"):
        read(bytes(content))


def test_cells_that_are_far_apart_need_little_memory() -> None:
    rows = text_rows([["a"], ["b"]]) + '<row r="200000"><c r="XFD200000"><v>1</v></c></row>'
    content = workbook({"A": sheet_xml(rows)})
    book = Workbook(io.BytesIO(content), None, LIMIT)
    tracemalloc.start()

    with write_table(book.rows(), LIMIT) as table:
        size_bytes = len(table.read())
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert size_bytes == 200_000 + 16_383 + 3
    assert peak_bytes < 60_000_000


def test_a_table_that_is_too_large_as_csv_is_refused() -> None:
    # A wide header makes every short row wide.
    rows = '<row><c r="XFD1"><v>1</v></c></row>' + "<row><c><v>1</v></c></row>" * 1000
    book = Workbook(io.BytesIO(workbook({"A": sheet_xml(rows)})), None, LIMIT)
    tracemalloc.start()

    with pytest.raises(
        TableUnreadable, match="When written as CSV, the table is larger than the limit of 10,000,000 bytes"
    ):
        write_table(book.rows(), LIMIT)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak_bytes < 20_000_000


def test_a_workbook_is_known_by_its_content() -> None:
    file = io.BytesIO(BOOK)

    assert is_workbook(file)
    assert file.tell() == 0
    assert not is_workbook(io.BytesIO(b"PK\x03\x04" + bytes(100)))
    assert workbook_module.MAX_UNPACKED_BYTES == 500_000_000


@pytest.mark.parametrize("opened", [io.BytesIO, "a file"])
def test_any_damage_to_an_archive_is_refused_in_a_sentence(
    opened: Callable[[bytes], BinaryIO] | str, tmp_path: Path
) -> None:
    random = Random(7)
    path = tmp_path / "a.xlsx"
    for _ in range(300):
        content = bytearray(BOOK)
        for _ in range(3):
            content[random.randrange(len(content))] = random.randrange(256)
        if isinstance(opened, str):
            path.write_bytes(content)
        with path.open("rb") if isinstance(opened, str) else opened(bytes(content)) as file:
            try:
                converted = convert_table(file, None, LIMIT)
            except TableUnreadable:
                continue
            if converted is not None:
                converted[0].close()


def test_a_long_text_in_many_cells_takes_memory_for_one_row_at_a_time() -> None:
    rows = '<row><c t="s"><v>0</v></c></row>' * 20_000
    content = workbook({"A": sheet_xml(rows)}, texts=[f"<t>{'x' * 20_000}</t>"])
    tracemalloc.start()

    with pytest.raises(
        TableUnreadable, match="When written as CSV, the table is larger than the limit of 100,000,000 bytes"
    ):
        convert_table(io.BytesIO(content), None, 100_000_000)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(content) < 10_000
    assert peak_bytes < 30_000_000


@pytest.mark.parametrize(
    ("cells", "texts", "message"),
    [
        (
            '<c t="s"><v>0</v></c>' * 2000,
            ["<t>" + "x" * 20_000 + "</t>"],
            "Row 1 of the sheet has more than 16,777",
        ),
        ('<c t="inlineStr"><is><t>' + "x" * 17_000_000 + "</t></is></c>", [], "Row 1 of the sheet has more than"),
        (
            '<c t="s"><v>0</v></c>',
            ["<t>" + "x" * 17_000_000 + "</t>"],
            "contains a value longer than 16,777,216 characters",
        ),
    ],
)
def test_a_row_that_is_much_too_long_is_refused(cells: str, texts: Sequence[str], message: str) -> None:
    with pytest.raises(TableUnreadable, match=message):
        read(workbook({"A": sheet_xml(f"<row>{cells}</row>")}, texts=texts), limit=100_000_000)
