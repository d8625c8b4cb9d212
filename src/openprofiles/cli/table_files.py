"""Files of customers that are no CSV: Excel workbooks, Parquet files and JSON lines, turned into CSV for a load.

What kind a file is, its first bytes tell, whatever its name says. Rows keep their order; one row of a workbook is one
line of the CSV unless a cell has several lines.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, BinaryIO

from openprofiles.cli.importer import ImportFault

# A workbook is held in memory, in somewhat more than it takes unpacked.
MAX_WORKBOOK_BYTES = 500_000_000

_WORKBOOK = "xl/workbook.xml"
_ROWS_PER_BATCH = 10_000
_JSON_LINE_BYTES = 8_000_000
# What CSV has no other way to write than as text.
_JSON_TYPES = (list, dict)


def find_converter(file: BinaryIO, head: bytes) -> tuple[str, Callable[[Path, BinaryIO, str | None], BinaryIO]] | None:
    """How to turn a file into CSV, and what to call it; None if it is text already, or nothing that is known.

    Args:
        file: at its beginning, where it is again afterwards.
        head: its first bytes, unpacked.
    """
    if head.startswith(b"PK\x03\x04") and _is_workbook(file):
        return "Excel workbook", _read_workbook
    if head.startswith(b"PAR1"):
        return "Parquet", _read_parquet
    return None


def is_json_lines(head: bytes) -> bool:
    """Whether a text begins with a JSON object on a line of its own."""
    first, _, rest = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    if not first.startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except ValueError:
        # A line that is longer than what was read of it.
        return not rest and b'":' in first


def convert_json_lines(open_lines: Callable[[], Iterator[bytes]]) -> BinaryIO:
    """JSON lines as CSV: a column for each member of any of the objects, in the order in which they first come.

    Members of an object within one are columns like ``address.city``; lists are kept as JSON.

    Args:
        open_lines: gives the lines from the first one; called twice.

    Raises:
        ImportFault: a line is no JSON object; the message names it.
    """
    names: dict[str, None] = {}
    for row in _json_objects(open_lines()):
        names |= dict.fromkeys(row)
    if not names:
        raise ImportFault("The file holds no JSON object with a member, so there is nothing to load.")
    columns = list(names)
    rows = ([_text(row.get(name)) for name in columns] for row in _json_objects(open_lines()))
    return _write_csv([columns], rows)


def _json_objects(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except (ValueError, RecursionError) as error:
            raise ImportFault(f"Line {number} of the file is no JSON, while its first line is.") from error
        if not isinstance(found, dict):
            raise ImportFault(f"Line {number} of the file is no JSON object. Each line must be one.")
        yield dict(_members(found, ""))


def _members(found: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in found.items():
        if isinstance(value, dict):
            yield from _members(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _is_workbook(file: BinaryIO) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return _WORKBOOK in archive.namelist()
    except zipfile.BadZipFile:
        return False
    finally:
        file.seek(0)


def _read_workbook(path: Path, file: BinaryIO, sheet: str | None) -> BinaryIO:
    try:
        import python_calamine as calamine
    except ModuleNotFoundError as error:
        raise ImportFault(
            f"{path} is an Excel workbook, which needs the Python package python-calamine. Install it with: "
            "pip install 'openprofiles[excel]'"
        ) from error
    try:
        _check_size(path, file)
        book = calamine.CalamineWorkbook.from_filelike(file)
        if sheet is not None and sheet not in book.sheet_names:
            raise ImportFault(f"{path} has no sheet {sheet!r}. It has: {', '.join(map(repr, book.sheet_names))}.")
        chosen = book.get_sheet_by_name(sheet) if sheet is not None else book.get_sheet_by_index(0)
        rows = chosen.iter_rows()
    except (zipfile.BadZipFile, calamine.CalamineError, OSError, EOFError) as error:
        raise ImportFault(f"{path} is a damaged Excel workbook. Open it in Excel and save it again.") from error
    return _write_csv([], ([_text(cell) for cell in row] for row in rows))


def _check_size(path: Path, file: BinaryIO) -> None:
    with zipfile.ZipFile(file) as archive:
        size_bytes = sum(entry.file_size for entry in archive.infolist())
        if size_bytes > MAX_WORKBOOK_BYTES:
            raise ImportFault(
                f"{path} has {size_bytes:,} bytes when unpacked; a workbook may have {MAX_WORKBOOK_BYTES:,}. Save its "
                "sheet as CSV, which is read at any size."
            )
        # That it holds what it says, and no more.
        if archive.testzip() is not None:
            raise zipfile.BadZipFile
    file.seek(0)


def _read_parquet(path: Path, file: BinaryIO, _sheet: str | None) -> BinaryIO:
    import pyarrow as pa
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(file)
        columns = [field.name for field in table.schema_arrow]

        def rows() -> Iterator[Sequence[str]]:
            for batch in table.iter_batches(_ROWS_PER_BATCH):
                texts = [[_text(value) for value in column.to_pylist()] for column in batch.columns]
                yield from zip(*texts, strict=True)

        return _write_csv([columns], rows())
    except (pa.ArrowException, OSError) as error:
        raise ImportFault(f"{path} is a damaged Parquet file: it cannot be read to its end.") from error


def _write_csv(first: Iterable[Sequence[str]], rows: Iterable[Sequence[str]]) -> BinaryIO:
    """Rows as CSV in a file without a name, which is gone when it is closed."""
    output = tempfile.TemporaryFile()  # noqa: SIM115 (whoever reads it closes it)
    try:
        text = io.TextIOWrapper(output, encoding="utf-8", errors="replace", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows(first)
        # A row without a value is a blank line, so that the others keep their numbers.
        writer.writerows(row if any(row) else [] for row in rows)
        text.flush()
        text.detach()
    except BaseException:
        output.close()
        raise
    output.seek(0)
    return output


def _text(value: object) -> str:
    """A cell as people write it: whole numbers without a point, dates as ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        is_date = value.time() == time() and value.tzinfo is None
        return value.date().isoformat() if is_date else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, _JSON_TYPES):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
