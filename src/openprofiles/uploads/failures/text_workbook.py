"""Write an Excel workbook with one sheet, whose cells are all texts.

A workbook is a ZIP archive of XML files (ECMA-376). All that a sheet of texts needs is written here, row by row, so
that memory does not depend on the number of rows. XlsxWriter and openpyxl also write row by row, but keep the rows in
an unencrypted temporary file until the end; failed rows are customers' data, and a server keeps them encrypted.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Sequence
from functools import cache
from typing import IO
from xml.sax.saxutils import escape

MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384
MAX_CELL_CHARACTERS = 32_767
# `openprofiles import` reads no larger ones.
MAX_SHEET_BYTES = 490_000_000

_PART_ROWS = 500
# Characters that XML does not allow, and a text that would be read as one of them.
_ENCODED = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")

_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"

_FILES = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
    "</Types>",
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>",
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/>'
    "</Relationships>",
    # Style 1 is the number format "Text" (49), so that a cell stays a text when it is edited.
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}">'
    '<fonts count="1"><font><sz val="11"/><name val="Calibri"/><family val="2"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>",
}
_SHEET_START = (
    f'{_DECLARATION}<worksheet xmlns="{_MAIN}"><cols><col min="1" max="{MAX_COLUMNS}" width="20" style="1" '
    'customWidth="1"/></cols><sheetData>'
)
# Numbers as texts are meant here, so Excel need not mark them.
_SHEET_END = (
    f'</sheetData><ignoredErrors><ignoredError sqref="A1:XFD{MAX_ROWS}" numberStoredAsText="1"/></ignoredErrors>'
    "</worksheet>"
)


class TooLargeForWorkbook(Exception):
    """The rows do not fit into a workbook; the message says which limit they exceed."""


def write_text_workbook(output: IO[bytes], sheet_name: str, rows: Iterable[Sequence[str]]) -> None:
    """Write a workbook whose cells are all texts.

    Args:
        sheet_name: at most 31 letters, digits and blanks.
        rows: the cells of each row, each at most ``MAX_CELL_CHARACTERS`` long (see ``cut_cell``).

    Raises:
        TooLargeForWorkbook: there are too many rows or columns, or they are too large together.
    """
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in _FILES.items():
            archive.writestr(name, _DECLARATION + content)
        archive.writestr(
            "xl/workbook.xml",
            f'{_DECLARATION}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
            f'<sheet name="{sheet_name}" sheetId="1" r:id="rId1"/></sheets></workbook>',
        )
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(_SHEET_START.encode())
            size_bytes = 0
            part: list[str] = []
            for number, cells in enumerate(rows, start=1):
                part.append(_row(number, cells))
                if len(part) == _PART_ROWS:
                    size_bytes += _write_part(sheet, part, size_bytes)
                    part.clear()
            _write_part(sheet, part, size_bytes)
            sheet.write(_SHEET_END.encode())


def cut_cell(text: str) -> str:
    """Cut a text to what a cell holds; its characters count as in UTF-16."""
    if len(text) * 2 <= MAX_CELL_CHARACTERS:
        return text
    return text.encode("utf-16-le")[: 2 * MAX_CELL_CHARACTERS].decode("utf-16-le", "ignore")


def _write_part(sheet: IO[bytes], part: Sequence[str], written_bytes: int) -> int:
    data = "".join(part).encode()
    if written_bytes + len(data) > MAX_SHEET_BYTES:
        raise TooLargeForWorkbook("the rows are too large for a workbook that can be loaded again")
    sheet.write(data)
    return len(data)


def _row(number: int, cells: Sequence[str]) -> str:
    if number > MAX_ROWS:
        raise TooLargeForWorkbook(f"a workbook has at most {MAX_ROWS:,} rows")
    if len(cells) > MAX_COLUMNS:
        raise TooLargeForWorkbook(f"a workbook has at most {MAX_COLUMNS:,} columns, and there are {len(cells):,}")
    filled = "".join(
        f'<c r="{_column_name(index)}{number}" s="1" t="inlineStr"><is><t xml:space="preserve">'
        f"{escape(_ENCODED.sub(_encode, cell))}</t></is></c>"
        for index, cell in enumerate(cells)
        if cell
    )
    return f'<row r="{number}">{filled}</row>'


def _encode(match: re.Match[str]) -> str:
    return f"_x{ord(match[0]):04X}_"


@cache
def _column_name(index: int) -> str:
    """Return A for 0, Z for 25, AA for 26."""
    name = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        name = chr(ord("A") + letter) + name
    return name
