"""Turn a workbook into CSV in a process of its own, whose memory and time are limited.

A server does not read workbooks itself: one can be made so that reading it takes much memory or never ends. This
process reads the workbook from its standard input, a file, and writes the CSV to the file descriptor in its arguments,
and a JSON document about it to its standard output.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from openprofiles.uploads.reading.tables.table import TableAccount, TableUnreadable

# Of address space. Python and its libraries take half of it before anything is read.
_MEMORY_BYTES = 1_000_000_000
_PROCESSOR_SECONDS = 120
_PATIENCE_SECONDS = 300.0

_NOT_READABLE = "The file is not a workbook that can be read. Save it as CSV."
_TOO_MUCH = "The workbook takes too much memory or time to read. Save the sheet as CSV, and import that."


@dataclass(frozen=True, slots=True)
class ConvertedTable:
    """A table as CSV.

    Attributes:
        csv: at its beginning; the caller closes it.
        account: what was read: see ``TableAccount``.
    """

    csv: BinaryIO
    account: dict[str, Any]


def convert_in_process(
    file: BinaryIO, sheet: str | None, *, max_unpacked_bytes: int, memory_bytes: int = _MEMORY_BYTES
) -> ConvertedTable:
    """Turn a workbook into CSV in another process.

    Args:
        file: at its beginning; a real file.
        sheet: the sheet of a workbook; None: the first that is not hidden.
        max_unpacked_bytes: how large it may be when it is unpacked, and as CSV; 500 MB at most.
        memory_bytes: the address space that the process may use.

    Raises:
        TableUnreadable: it is not a table that can be read; the message says why and what to do.
    """
    output = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    try:
        account = _run(file, output, sheet, max_unpacked_bytes, memory_bytes)
    except BaseException:
        output.close()
        raise
    output.seek(0)
    return ConvertedTable(output, account)


def _run(
    file: BinaryIO, output: BinaryIO, sheet: str | None, max_unpacked_bytes: int, memory_bytes: int
) -> dict[str, Any]:
    arguments = [str(output.fileno()), str(max_unpacked_bytes), str(memory_bytes), *([] if sheet is None else [sheet])]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "openprofiles.worker.table_process", *arguments],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(output.fileno(),),
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TableUnreadable(_TOO_MUCH) from None
    account: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {"Message": _TOO_MUCH}
    if "Message" in account:
        raise TableUnreadable(account["Message"])
    return account


def main(arguments: Sequence[str]) -> None:
    """Convert the file on standard input."""
    output, max_unpacked_bytes, memory_bytes, *sheet = arguments
    resource.setrlimit(resource.RLIMIT_AS, (int(memory_bytes), int(memory_bytes)))
    resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR_SECONDS, _PROCESSOR_SECONDS))
    # The server, which only starts this process, does not need them.
    from openprofiles.uploads.reading.file_text import FileDamaged
    from openprofiles.uploads.reading.tables.convert import convert_table
    from openprofiles.uploads.reading.tables.workbook import MAX_UNPACKED_BYTES

    # Few texts can stand in many cells, so the CSV may be larger than the workbook.
    max_bytes = min(int(max_unpacked_bytes), MAX_UNPACKED_BYTES)
    with os.fdopen(0, "rb") as file, os.fdopen(int(output), "wb") as written:
        try:
            converted = convert_table(file, sheet[0] if sheet else None, max_bytes)
        except (TableUnreadable, FileDamaged) as error:
            document = {"Message": str(error)}
        else:
            document = {"Message": _NOT_READABLE}
            if converted is not None:
                csv, account = converted
                with csv:
                    shutil.copyfileobj(csv, written)
                document = _account_document(account)
    json.dump(document, sys.stdout)


def _account_document(account: TableAccount) -> dict[str, Any]:
    # The sheets are shown in a list to choose from.
    of_sheet = replace(account, other_sheets=(), hidden_sheets=())
    return {
        "Kind": account.kind,
        "Sheet": account.sheet,
        "OtherSheets": list(account.other_sheets),
        "HiddenSheets": list(account.hidden_sheets),
        "Notes": of_sheet.notes(),
        "ColumnsWithoutValues": sorted(account.columns_without_values()),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
