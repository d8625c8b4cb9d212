"""Turn files of customers that are not CSV into CSV for a load: Excel workbooks, Parquet files and JSON lines.

The first bytes of a file decide what kind it is, not its name. Rows keep their order; one row of a workbook is one
line of the CSV unless a cell has several lines.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from itertools import chain
from typing import Any, BinaryIO

from openprofiles.cli.importer import ImportFault
from openprofiles.cli.table_rows import cell_text, write_rows

# A workbook is held in memory, in somewhat more than its uncompressed size.
MAX_WORKBOOK_BYTES = 500_000_000

_WORKBOOK = "xl/workbook.xml"
_ROWS_PER_BATCH = 10_000
# Opened again by the program that reads workbooks, so that it reads from the beginning; the file may have no name.
_STANDARD_INPUT = "/proc/self/fd/0"


def find_converter(file: BinaryIO, head: bytes) -> tuple[str, Callable[[str, BinaryIO, str | None], BinaryIO]] | None:
    """Find how to turn a file into CSV, and what to call it; None if it is text already, or of no known kind.

    Args:
        file: at its beginning, where it is again afterwards.
        head: its first bytes, decompressed.
    """
    if head.startswith(b"PK\x03\x04") and _is_workbook(file):
        return "Excel workbook", _read_workbook
    if head.startswith(b"PAR1"):
        return "Parquet", _read_parquet
    return None


def is_json_lines(head: bytes) -> bool:
    """Return whether a text begins with a JSON object on its own line."""
    first, _, rest = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    if not first.startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        # A line that is longer than what was read of it.
        return not rest and b'":' in first


def convert_json_lines(open_lines: Callable[[], Iterator[bytes]]) -> BinaryIO:
    """Convert JSON lines to CSV: a column for each member of any object, in order of appearance.

    Members of an object within one are columns like ``address.city``; lists are kept as JSON.

    Args:
        open_lines: gives the lines from the first one; called twice.

    Raises:
        ImportFault: a line is not a JSON object; the message names it.
    """
    names: dict[str, None] = {}
    for row in _json_objects(open_lines()):
        names |= dict.fromkeys(row)
    if not names:
        raise ImportFault("Every JSON object in the file is empty, so there is nothing to load.")
    columns = list(names)
    rows = ([cell_text(row.get(name)) for name in columns] for row in _json_objects(open_lines()))
    return _write_csv(chain([columns], rows))


def _json_objects(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            if isinstance(found, dict):
                found = dict(_members(found, ""))
        except (ValueError, RecursionError) as error:
            raise ImportFault(f"Line {number} of the file is not JSON, although its first line is.") from error
        if not isinstance(found, dict):
            raise ImportFault(f"Line {number} of the file is not a JSON object. Each line must be one.")
        yield found


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


def _read_workbook(name: str, file: BinaryIO, sheet: str | None) -> BinaryIO:
    if find_spec("python_calamine") is None:
        raise ImportFault(
            f"{name} is an Excel workbook, which needs the Python package python-calamine. Install it with: "
            "pip install 'openprofiles[excel]'"
        )
    with zipfile.ZipFile(file) as archive:
        size_bytes = sum(entry.file_size for entry in archive.infolist())
    if size_bytes > MAX_WORKBOOK_BYTES:
        raise ImportFault(
            f"{name} has {size_bytes:,} bytes when uncompressed; the limit is {MAX_WORKBOOK_BYTES:,}. Save the sheet "
            "as CSV, which may be larger."
        )
    output = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    try:
        reader = subprocess.run(
            [sys.executable, "-m", "openprofiles.cli.workbook_reader", _STANDARD_INPUT, *([sheet] if sheet else [])],
            stdin=file,
            stdout=output,
            stderr=subprocess.PIPE,
            check=False,
        )
        _check_reader(name, sheet, reader)
    except BaseException:
        output.close()
        raise
    output.seek(0)
    return output


def _check_reader(name: str, sheet: str | None, reader: subprocess.CompletedProcess[bytes]) -> None:
    # As in workbook_reader, which is not imported here: it needs a package that may not be there.
    damaged, no_sheet = 3, 4
    if reader.returncode == 0:
        return
    if reader.returncode == no_sheet:
        names = ", ".join(map(repr, json.loads(reader.stderr)))
        raise ImportFault(f"{name} has no sheet {sheet!r}. It has: {names}.")
    if reader.returncode == damaged:
        raise ImportFault(f"{name} is an Excel workbook that is damaged or has a password. Save it again in Excel.")
    raise ImportFault(
        f"{name} is an Excel workbook that needs too much memory: its cells may be far apart. Save the sheet as CSV, "
        "which does not have to fit in memory."
    )


def _read_parquet(name: str, file: BinaryIO, _sheet: str | None) -> BinaryIO:
    import pyarrow as pa
    import pyarrow.parquet

    def texts(column: Any) -> list[str]:
        try:
            return [cell_text(value) for value in column.to_pylist()]
        except (ValueError, OverflowError, ModuleNotFoundError):
            # What Python has no type for: nanoseconds, years beyond 9999.
            return [value or "" for value in column.cast(pa.string()).to_pylist()]

    def rows(table: Any) -> Iterator[Sequence[str]]:
        for batch in table.iter_batches(_ROWS_PER_BATCH):
            yield from zip(*map(texts, batch.columns), strict=True)

    try:
        table = pyarrow.parquet.ParquetFile(file)
        return _write_csv(chain([[field.name for field in table.schema_arrow]], rows(table)))
    except (pa.ArrowException, OSError) as error:
        raise ImportFault(
            f"{name} is a Parquet file that cannot be read to its end: it is damaged, or has columns of unusual types."
        ) from error


def _write_csv(rows: Iterable[Sequence[str]]) -> BinaryIO:
    """Write rows as CSV into a nameless file, which is removed when it is closed."""
    output = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    try:
        write_rows(output, rows)
    except BaseException:
        output.close()
        raise
    output.seek(0)
    return output
