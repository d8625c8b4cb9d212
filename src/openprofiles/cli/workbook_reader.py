"""Turns a sheet of an Excel workbook into CSV, as a program of its own: ``python -m openprofiles.cli.workbook_reader``.

The library that reads workbooks holds a whole sheet in memory, as large as the rectangle around its cells, and ends its
process when memory runs out. So it runs in a separate process with a limit. It writes CSV to standard output,
and one line of JSON to standard error if it fails.
"""

from __future__ import annotations

import json
import resource
import sys
import zipfile
import zlib

import python_calamine as calamine

from openprofiles.cli.table_rows import cell_text, write_rows

MAX_MEMORY_BYTES = 3_000_000_000

EXIT_DAMAGED = 3
EXIT_NO_SHEET = 4


def main(path: str, sheet: str | None) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    # The caller reports an abort for lack of memory.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with zipfile.ZipFile(path) as archive:
            # That it holds what it says, and no more.
            if archive.testzip() is not None:
                return EXIT_DAMAGED
        book = calamine.CalamineWorkbook.from_path(path)
        if sheet is not None and sheet not in book.sheet_names:
            sys.stderr.write(json.dumps(book.sheet_names))
            return EXIT_NO_SHEET
        chosen = book.get_sheet_by_name(sheet) if sheet is not None else book.get_sheet_by_index(0)
        write_rows(sys.stdout.buffer, ([cell_text(cell) for cell in row] for row in chosen.iter_rows()))
    except (zipfile.BadZipFile, zlib.error, calamine.CalamineError, OSError, EOFError, RuntimeError):
        return EXIT_DAMAGED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
