"""The file of failed rows that ``openprofiles import`` leaves beside the file it loaded.

One row for each failed one: ``record,line,column,code,message``, and then the cells of the row as they stand in the
file, under the names of its header. Memory stays bounded however many rows failed.
"""

from __future__ import annotations

import csv
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from openprofiles.cli.importer import FailedRowReport
from openprofiles.uploads.cells import MalformedQuotesError, split_record
from openprofiles.uploads.records import Kind, Scanner

_TOO_LONG = int(Kind.RECORD_TOO_LONG)

REPORT_COLUMNS = ("record", "line", "column", "code", "message")


def default_failed_rows_path(file: Path) -> Path:
    """``customers.failed-rows.csv`` beside ``customers.csv``."""
    return file.with_name(f"{file.stem}.failed-rows.csv")


def write_failed_rows(path: Path, rows: Iterable[FailedRowReport], file: Path | None, headers: list[str]) -> None:
    """Write the file, whole or not at all; one that is there already is replaced.

    Cells that cannot be told apart, because of malformed quotes, stand in one cell. Bytes that are not UTF-8 are
    written as ``\\xe9``, a row of more than 1 MiB is left out but for its report.

    Args:
        rows: in file order.
        file: the file that was loaded, unchanged since, or None if its cells cannot be shown.
        headers: the names of its columns.

    Raises:
        OSError: the file cannot be written.
    """
    part_path = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with part_path.open("x", encoding="utf-8", newline="") as output:
            writer = csv.writer(output, lineterminator="\n")
            writer.writerow([*REPORT_COLUMNS, *(headers if file else [])])
            if file is None:
                writer.writerows(_report_cells(row) for row in rows)
            else:
                writer.writerows([*_report_cells(row), *cells] for row, cells in _with_cells(rows, file))
        part_path.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part_path.unlink()


def _report_cells(row: FailedRowReport) -> list[str]:
    return [str(row.record), str(row.line), row.column or "", row.code, row.message]


def _with_cells(rows: Iterable[FailedRowReport], file: Path) -> Iterator[tuple[FailedRowReport, list[str]]]:
    """Walk the file once beside the failed rows, which are in file order too."""
    failed = iter(rows)
    row = next(failed, None)
    if row is None:
        return
    with file.open("rb") as scanned, file.open("rb") as source:
        scanner = Scanner(scanned.read)
        scanner.read_header()
        for block in scanner.blocks():
            while row is not None and row.record < block.first_record + block.record_count:
                index = row.record - block.first_record
                if block.kind[index] == _TOO_LONG:
                    cells = []
                else:
                    source.seek(int(block.byte_start[index]))
                    cells = _split(source.read(int(block.byte_end[index] - block.byte_start[index])))
                yield row, cells
                row = next(failed, None)
            if row is None:
                return


def _split(record: bytes) -> list[str]:
    text = record.decode("utf-8", "backslashreplace")
    try:
        return split_record(text.encode())
    except MalformedQuotesError:
        return [text]
