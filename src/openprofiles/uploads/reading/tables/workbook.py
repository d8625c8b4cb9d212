"""Read a sheet of an Excel workbook (.xlsx, .xlsm) row by row, in memory that does not depend on its size.

A workbook is a ZIP archive of XML files. The texts of all sheets are in one of them; they go to a temporary file, and
the rows of the sheet are read from another. A cell is what the sheet shows: see ``number_formats``.

No library is used, since none reports what a load must know. openpyxl, reading row by row, returns the same for a
blank cell and for a formula without a stored result, which would clear a field, and no merged cells; it keeps all texts
in memory, and takes three times the processor time (8.5 against 2.9 s for a million cells). python-calamine has no
number formats.
"""

from __future__ import annotations

import errno
import mmap
import re
import tempfile
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from posixpath import join, normpath, split
from typing import BinaryIO, TypeVar
from xml.parsers import expat

from openprofiles.uploads.reading.file_form import MAX_COLUMNS
from openprofiles.uploads.reading.tables.cell_texts import iso_moment_text
from openprofiles.uploads.reading.tables.number_formats import NumberFormat, find_format, sheet_number
from openprofiles.uploads.reading.tables.table import MAX_ROW_CHARACTERS, WORKBOOK, TableAccount, TableUnreadable

MAX_UNPACKED_BYTES = 500_000_000

_WORKBOOK = "xl/workbook.xml"
_MAX_ROWS = 1_048_576
_READ_BYTES = 64 * 1024
# Text is handed on in parts, so only a tag can be longer than what was read of it. None is.
_MAX_TAG_BYTES = 1 << 20
_MAX_STYLES = 65_536
# As many digits of a number as Excel keeps.
_EXACT_DIGITS = 15
_HAS_PASSWORD = 1

_MAIN = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
# Characters that XML cannot have: _x000D_ is a carriage return.
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")

_DAMAGE = (expat.ExpatError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)
_DAMAGED = "The Excel workbook is damaged or has a password. Save it again in Excel, without a password."


_Handler = TypeVar("_Handler")


class _Damaged(Exception):
    """The workbook is not what the standard for workbooks describes."""


@dataclass(frozen=True, slots=True)
class _Sheet:
    name: str
    is_hidden: bool
    # None: a sheet without cells, such as a chart.
    path: str | None


def is_workbook(file: BinaryIO) -> bool:
    """Check whether a file is a workbook, and leave it at its beginning."""
    entries = list_entries(file)
    return entries is not None and _WORKBOOK in entries


def list_entries(file: BinaryIO) -> list[str] | None:
    """List the files in a ZIP archive, and leave it at its beginning; None if it is not one, or damaged."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return None
    except OSError as error:
        _require_damaged(error)
        return None
    finally:
        file.seek(0)


class Workbook:
    """A workbook that is read once: its sheets, and the rows of one of them.

    Args:
        file: at its beginning.
        sheet: the one to read; None: the first that is not hidden.
        max_unpacked_bytes: how large its parts may be.
        kept_sheet: the one that a saved mapping keeps. A workbook with a single sheet may have another name for it.

    Raises:
        TableUnreadable: it has no such sheet, is damaged, has a password, or is too large.
    """

    def __init__(
        self, file: BinaryIO, sheet: str | None, max_unpacked_bytes: int, kept_sheet: str | None = None
    ) -> None:
        self._file = file
        self._max_unpacked_bytes = min(max_unpacked_bytes, MAX_UNPACKED_BYTES)
        self._unpacked_bytes = 0
        with self._opened() as archive:
            sheets, self._counts_from_1904 = self._read_sheets(archive)
        readable = [one for one in sheets if one.path is not None]
        if sheet is None and len(readable) > 1:
            sheet = kept_sheet
        self._sheet = _choose_sheet(readable, sheet)
        others = [one for one in readable if one is not self._sheet]
        self.account = TableAccount(
            kind=WORKBOOK,
            first_row=1,
            sheet=self._sheet.name,
            other_sheets=tuple(one.name for one in others if not one.is_hidden),
            hidden_sheets=tuple(one.name for one in others if one.is_hidden),
        )

    def rows(self) -> Iterator[Sequence[str]]:
        """Read the rows from the first one; those that the file leaves out are empty.

        A row has at least as many cells as every row before it. ``account`` is complete at the end.

        Raises:
            TableUnreadable: the workbook is damaged, or too large.
        """
        with self._opened() as archive:
            formats, struck = self._read_styles(archive)
            with closing(_Texts()) as texts:
                self._read_texts(archive, texts)
                reader = _SheetReader(texts, formats, struck, self.account)
                assert self._sheet.path is not None, "only such a sheet is chosen"
                linked = self._read_relations(archive, self._sheet.path)
                width, has_cells = 0, False
                for _ in self._parse(archive, self._sheet.path, reader.start, reader.end, reader.take_text):
                    for row in reader.take_rows():
                        # Padded one by one: many rows of one cell may follow a header of thousands.
                        width = max(width, len(row))
                        has_cells = has_cells or any(row)
                        if linked:
                            linked.difference_update(cell.strip().lower() for cell in row)
                        yield [*row, *[""] * (width - len(row))] if row else row

                self.account.linked_addresses = len(linked)
                if not has_cells:
                    notes = "".join(f" {note}" for note in self.account.notes())
                    raise TableUnreadable(f"The sheet {self._sheet.name!r} has no values.{notes}")

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self._file) as archive:
                yield archive
        except (*_DAMAGE, _Damaged) as error:
            raise TableUnreadable(_DAMAGED) from error
        except OSError as error:
            _require_damaged(error)
            raise TableUnreadable(_DAMAGED) from error
        finally:
            self._file.seek(0)

    def _read_sheets(self, archive: zipfile.ZipFile) -> tuple[list[_Sheet], bool]:
        targets: dict[str, str] = {}

        def start_relation(tag: str, attributes: dict[str, str]) -> None:
            if tag.endswith(" Relationship") and attributes.get("Type", "").endswith("/worksheet"):
                target = attributes.get("Target", "")
                path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
                targets[attributes.get("Id", "")] = normpath(path)

        found: list[tuple[dict[str, str], str]] = []
        dates: list[str] = []

        def start(tag: str, attributes: dict[str, str]) -> None:
            name = _main_tag(tag)
            if name == "sheet":
                relation = next((value for key, value in attributes.items() if key.endswith(" id")), "")
                found.append((attributes, relation))
            elif name == "workbookPr":
                dates.append(attributes.get("date1904", "0"))

        self._parse_all(archive, join("xl", "_rels", "workbook.xml.rels"), start_relation)
        self._parse_all(archive, _WORKBOOK, start)
        sheets = [
            _Sheet(
                attributes.get("name", ""),
                attributes.get("state", "visible") != "visible",
                targets.get(relation),
            )
            for attributes, relation in found
        ]
        return sheets, dates[:1] in (["1"], ["true"], ["on"])

    def _read_relations(self, archive: zipfile.ZipFile, sheet: str) -> set[str]:
        """Count the comments of a sheet; return the email addresses that its cells link to."""
        folder, name = split(sheet)
        comments: list[str] = []
        linked: set[str] = set()

        def start_relation(_tag: str, attributes: dict[str, str]) -> None:
            target = attributes.get("Target", "")
            if attributes.get("Type", "").endswith("/comments"):
                comments.append(normpath(join("/", folder, target)).lstrip("/"))
            elif target.lower().startswith("mailto:"):
                linked.add(target[7:].partition("?")[0].strip().lower())

        def start(tag: str, attributes: dict[str, str]) -> None:
            if _main_tag(tag) == "comment":
                self.account.comments.add(attributes.get("ref", ""), ())

        path = join(folder, "_rels", f"{name}.rels")
        if _find_entry(archive, path) is not None:
            self._parse_all(archive, path, start_relation)
        for path in comments:
            if _find_entry(archive, path) is not None:
                self._parse_all(archive, path, start)
        return linked - {""}

    def _read_styles(self, archive: zipfile.ZipFile) -> tuple[list[NumberFormat | None], frozenset[str]]:
        """Read the number format of each style, and which styles strike text through."""
        codes: dict[int, str] = {}
        ids: list[int] = []
        fonts: list[bool] = []
        fonts_of_styles: list[int] = []
        inside: list[str] = []

        def start(tag: str, attributes: dict[str, str]) -> None:
            name = _main_tag(tag)
            if name == "numFmt" and inside[-1:] == ["numFmts"]:
                codes[_number(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
            elif name == "xf" and inside[-1:] == ["cellXfs"]:
                ids.append(_number(attributes.get("numFmtId", "0")))
                fonts_of_styles.append(_number(attributes.get("fontId", "0")))
            elif name == "font" and inside[-1:] == ["fonts"]:
                fonts.append(False)
            elif name == "strike" and inside[-2:] == ["fonts", "font"]:
                fonts[-1] = attributes.get("val", "1") in ("1", "true")
            inside.append(name)
            if max(len(ids), len(codes), len(fonts)) > _MAX_STYLES:
                raise _Damaged("too many styles")

        path = "xl/styles.xml"
        if _find_entry(archive, path) is not None:
            self._parse_all(archive, path, start, lambda _tag: inside.pop())
        known = {one: find_format(one, codes, counts_from_1904=self._counts_from_1904) for one in set(ids)}
        struck = {number for number, is_struck in enumerate(fonts) if is_struck}
        return [known[one] for one in ids], frozenset(
            str(style) for style, font in enumerate(fonts_of_styles) if font in struck
        )

    def _read_texts(self, archive: zipfile.ZipFile, texts: _Texts) -> None:
        parts: list[str] = []
        reads = phonetic = False
        size = 0

        def start(tag: str, _attributes: dict[str, str]) -> None:
            nonlocal reads, phonetic
            name = _main_tag(tag)
            if name == "t":
                reads = not phonetic
            elif name == "rPh":
                phonetic = True

        def end(tag: str) -> None:
            nonlocal reads, phonetic, size
            name = _main_tag(tag)
            if name == "t":
                reads = False
            elif name == "rPh":
                phonetic = False
            elif name == "si":
                texts.add(_unescaped("".join(parts)))
                parts.clear()
                size = 0

        def take_text(text: str) -> None:
            nonlocal size
            if reads:
                size += len(text)
                if size > MAX_ROW_CHARACTERS:
                    raise TableUnreadable(
                        f"The Excel workbook contains a value longer than {MAX_ROW_CHARACTERS:,} characters, more "
                        "than an Excel cell can hold."
                    )
                parts.append(text)

        path = "xl/sharedStrings.xml"
        if _find_entry(archive, path) is not None:
            self._parse_all(archive, path, start, end, take_text)
        texts.finish()

    def _parse_all(
        self,
        archive: zipfile.ZipFile,
        path: str,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], object] | None = None,
        take_text: Callable[[str], None] | None = None,
    ) -> None:
        for _ in self._parse(archive, path, start, end, take_text):
            pass

    def _parse(
        self,
        archive: zipfile.ZipFile,
        path: str,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], object] | None = None,
        take_text: Callable[[str], None] | None = None,
    ) -> Iterator[None]:
        """Parse a part of the workbook; yields after each piece of it."""
        entry = _find_entry(archive, path)
        if entry is None:
            raise _Damaged(f"{path} is missing")
        self._unpacked_bytes += entry.file_size
        if self._unpacked_bytes > self._max_unpacked_bytes:
            raise TableUnreadable(
                f"The Excel workbook is larger than the limit of {self._max_unpacked_bytes:,} bytes when it is "
                "unpacked. Save the sheet as CSV, which may be larger."
            )
        if entry.flag_bits & _HAS_PASSWORD or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _Damaged("a part with a password, or packed in a way that Excel does not use")
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = take_text
        parser.StartDoctypeDeclHandler = _refuse_doctype
        read_bytes = 0
        # It gives no more bytes than the entry says that it has, and checks that they are those.
        with archive.open(entry) as part:
            while piece := part.read(_READ_BYTES):
                parser.Parse(piece)
                read_bytes += len(piece)
                if read_bytes - parser.CurrentByteIndex > _MAX_TAG_BYTES:
                    raise _Damaged("a tag without an end")
                yield
        parser.Parse(b"", True)
        yield


class _Texts:
    """The texts that cells refer to by number, in a temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by ``close``)
        self._ends = array("I", [0])
        self._size_bytes = 0
        self._content: mmap.mmap | bytes = b""

    def add(self, text: str) -> None:
        """Add the next text."""
        # A lone surrogate is written back as it is, so that its row fails.
        self._size_bytes += self._file.write(text.encode("utf-8", "surrogatepass"))
        self._ends.append(self._size_bytes)

    def finish(self) -> None:
        """Make the texts readable; no more can be added."""
        self._file.flush()
        if self._size_bytes:
            self._content = mmap.mmap(self._file.fileno(), self._size_bytes, access=mmap.ACCESS_READ)

    def size_bytes(self, number: int) -> int:
        """Return the size of the text with this number."""
        if not 0 <= number < len(self._ends) - 1:
            raise _Damaged("a text that does not exist")
        return self._ends[number + 1] - self._ends[number]

    def read(self, number: int) -> str:
        """Read the text with this number."""
        return self._content[self._ends[number] : self._ends[number + 1]].decode("utf-8", "surrogatepass")

    def close(self) -> None:
        """Remove the file."""
        if isinstance(self._content, mmap.mmap):
            self._content.close()
        self._file.close()


class _SheetReader:
    """Takes the events of a sheet's XML, and gives its rows."""

    def __init__(
        self, texts: _Texts, formats: Sequence[NumberFormat | None], struck: frozenset[str], account: TableAccount
    ) -> None:
        self._texts = texts
        self._formats = formats
        self._struck = struck
        self._account = account
        # A cell that refers to a text is its number until the row is taken: many cells may have the same long text.
        self._rows: list[Sequence[str | int]] = []
        self._row_size = 0
        self._row_number = 0
        self._row_is_hidden = False
        self._header_row = 0
        self._cells: list[str | int] = []
        self._column = -1
        self._type = "n"
        self._format: NumberFormat | None = None
        self._is_struck = False
        self._has_formula = False
        self._reads = False
        self._is_phonetic = False
        self._parts: list[str] = []
        self._starts = _by_tag(
            row=self._start_row,
            c=self._start_cell,
            f=self._start_formula,
            v=self._start_text,
            t=self._start_text,
            rPh=self._start_phonetic,
            mergeCell=self._start_merged,
        )
        self._ends = _by_tag(
            row=self._end_row, c=self._end_cell, v=self._end_text, t=self._end_text, rPh=self._end_phonetic
        )

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if (handle := self._starts.get(tag)) is not None:
            handle(attributes)

    def end(self, tag: str) -> None:
        if (handle := self._ends.get(tag)) is not None:
            handle()

    def take_text(self, text: str) -> None:
        if self._reads:
            self._add_size(len(text))
            self._parts.append(text)

    def _add_size(self, size: int) -> None:
        self._row_size += size
        if self._row_size > MAX_ROW_CHARACTERS:
            raise TableUnreadable(
                f"Row {self._row_number} of the sheet has more than {MAX_ROW_CHARACTERS:,} characters. Remove it, or "
                "shorten its cells."
            )

    def take_rows(self) -> Iterator[Sequence[str]]:
        """Take the rows that are complete, one by one."""
        rows, self._rows = self._rows, []
        for row in rows:
            yield [self._texts.read(cell) if isinstance(cell, int) else cell for cell in row]

    def _start_row(self, attributes: dict[str, str]) -> None:
        number = _number(attributes.get("r", self._row_number + 1))
        if not self._row_number < number <= _MAX_ROWS:
            raise _Damaged("rows that are not in order")
        self._rows.extend([()] * (number - self._row_number - 1))
        self._row_number = number
        self._row_is_hidden = attributes.get("hidden") in ("1", "true")
        self._cells = []
        self._row_size = 0
        self._column = -1

    def _end_row(self) -> None:
        cells = self._cells
        while cells and cells[-1] == "":
            cells.pop()
        if cells:
            self._account.hidden_rows += self._row_is_hidden
            self._header_row = self._header_row or self._row_number
        self._rows.append(cells)

    def _start_cell(self, attributes: dict[str, str]) -> None:
        reference = attributes.get("r")
        column = self._column + 1 if reference is None else _column_index(reference.rstrip("0123456789"))
        if not self._column < column < MAX_COLUMNS:
            raise _Damaged("cells that are not in order")
        self._cells.extend([""] * (column - len(self._cells)))
        self._column = column
        self._type = attributes.get("t", "n")
        style = attributes.get("s")
        self._format = None if style is None else self._find_format(style)
        self._is_struck = style in self._struck
        self._has_formula = False
        self._parts = []

    def _find_format(self, style: str) -> NumberFormat | None:
        number = _number(style)
        return self._formats[number] if 0 <= number < len(self._formats) else None

    def _start_formula(self, _attributes: dict[str, str]) -> None:
        self._has_formula = True

    def _start_text(self, _attributes: dict[str, str]) -> None:
        self._reads = not self._is_phonetic

    def _end_text(self) -> None:
        self._reads = False

    def _start_phonetic(self, _attributes: dict[str, str]) -> None:
        self._is_phonetic = True

    def _end_phonetic(self) -> None:
        self._is_phonetic = False

    def _end_cell(self) -> None:
        text = "".join(self._parts)
        try:
            self._cells.append(self._cell_text(text))
        except ValueError as error:
            raise _Damaged("a number that is not one") from error
        if self._is_struck and self._cells[-1] != "":
            self._account.struck.add(self._place(), (self._column,))

    def _cell_text(self, text: str) -> str | int:
        """Write the cell as the sheet shows it, or return the number of its text.

        Raises:
            ValueError: its text is not of its type.
        """
        kind = self._type
        if kind == "s":
            size = self._texts.size_bytes(int(text)) if text else 0
            self._add_size(size)
            return int(text) if size else ""
        if kind in ("str", "inlineStr"):
            return _unescaped(text)
        if kind == "e":
            self._account.errors.add(self._place(), (self._column,))
            return ""
        if not text.strip():
            if self._has_formula:
                self._account.uncalculated.add(self._place(), (self._column,))
            return ""
        if kind == "b":
            return "true" if text.strip() in ("1", "true") else "false"
        if kind == "d":
            return iso_moment_text(text)
        if text.strip().lower() == "nan":
            self._account.not_a_number += 1
            return ""
        shown = sheet_number(text) if self._format is None else self._format.show(text)
        if len(shown) > _EXACT_DIGITS:
            digits = "".join(filter(str.isdecimal, shown)) if "." not in shown else ""
            if len(digits) > _EXACT_DIGITS and not digits[_EXACT_DIGITS:].strip("0"):
                self._account.shortened.add(self._place(), (self._column,))
        return shown

    def _place(self) -> str:
        return f"{_column_letters(self._column)}{self._row_number}"

    def _start_merged(self, attributes: dict[str, str]) -> None:
        reference = attributes.get("ref", "")
        first, _, last = reference.partition(":")
        corners = _REFERENCE.fullmatch(first), _REFERENCE.fullmatch(last or first)
        if corners[0] is None or corners[1] is None:
            raise _Damaged("a merged area without corners")
        columns = [_column_index(corner[1]) for corner in corners if corner is not None]
        # Titles that span columns of the header hide no customer's value.
        is_below_header = int(corners[1][2]) > self._header_row
        one_row = corners[0][2] == corners[1][2]
        # Of the area's first column, only the first row has the value.
        spanned = range(columns[0] + one_row, min(columns[1], MAX_COLUMNS) + 1) if is_below_header else ()
        self._account.merged.add(reference, spanned)


def _require_damaged(error: OSError) -> None:
    """Raise an error of the disk again.

    One of the archive is an offset before the beginning of the file, which is an invalid argument.
    """
    if error.errno != errno.EINVAL:
        raise error


def _choose_sheet(sheets: Sequence[_Sheet], name: str | None) -> _Sheet:
    if not sheets:
        raise TableUnreadable("The Excel workbook has no sheet with cells.")
    if name is None:
        return next((sheet for sheet in sheets if not sheet.is_hidden), sheets[0])
    for sheet in sheets:
        if sheet.name == name:
            return sheet
    # Two sheets of a workbook never differ only in case.
    for sheet in sheets:
        if sheet.name.casefold() == name.casefold():
            return sheet
    names = ", ".join(f"{sheet.name!r} (hidden)" if sheet.is_hidden else repr(sheet.name) for sheet in sheets)
    raise TableUnreadable(f"The Excel workbook has no sheet {name!r}. It has: {names}.")


def _find_entry(archive: zipfile.ZipFile, path: str) -> zipfile.ZipInfo | None:
    """Find a part by its path; some programs write another case or backslashes."""
    try:
        return archive.getinfo(path)
    except KeyError:
        wanted = path.lower()
        return next((one for one in archive.infolist() if one.filename.replace("\\", "/").lower() == wanted), None)


def _main_tag(tag: str) -> str:
    """Return the name of an element of a workbook; blank for one of an extension."""
    namespace, _, name = tag.rpartition(" ")
    return name if namespace in _MAIN else ""


def _by_tag(**handlers: _Handler) -> dict[str, _Handler]:
    return {f"{namespace} {name}": handler for namespace in _MAIN for name, handler in handlers.items()}


def _refuse_doctype(*_arguments: object) -> None:
    raise _Damaged("a document type, which no workbook has")


def _number(text: str | int | None) -> int:
    try:
        return int(text or 0)
    except ValueError as error:
        raise _Damaged("a number that is not one") from error


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


_COLUMN_INDEXES: dict[str, int] = {}


def _column_index(letters: str) -> int:
    """Return the index of a column from its letters: 0 for A."""
    found = _COLUMN_INDEXES.get(letters)
    if found is None:
        if not re.fullmatch("[A-Z]{1,3}", letters):
            raise _Damaged("a cell that is not in a column")
        found = 0
        for letter in letters:
            found = 26 * found + ord(letter) - ord("A") + 1
        found -= 1
        _COLUMN_INDEXES[letters] = found
    return found


def _column_letters(index: int) -> str:
    letters = ""
    while index >= 0:
        index, letter = divmod(index, 26)
        letters = chr(ord("A") + letter) + letters
        index -= 1
    return letters
