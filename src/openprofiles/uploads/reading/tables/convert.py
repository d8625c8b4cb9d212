"""Turn files of customers that are tables but not CSV into CSV: Excel workbooks, Parquet files and JSON.

The first bytes of a file decide what kind it is, not its name. Rows keep their order; one row of a workbook is one
line of the CSV unless a cell has several lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Protocol

from openprofiles.uploads.reading.detect_form import find_compression
from openprofiles.uploads.reading.file_form import FileForm
from openprofiles.uploads.reading.file_text import open_text
from openprofiles.uploads.reading.other_kinds import find_other_kind
from openprofiles.uploads.reading.tables.table import TableAccount, TableUnreadable, write_lines, write_table

_HEAD_BYTES = 64 * 1024
_ENTRIES_SHOWN = 3
# The first file of some archives names their kind.
_MIMETYPE_BYTES = 100


class _Table(Protocol):
    """A file that is read as rows of texts, the header first."""

    @property
    def account(self) -> TableAccount:
        """What was read; complete after the last row."""

    def rows(self) -> Iterator[Sequence[str]]:
        """Read the header and the rows."""


def convert_table(
    file: BinaryIO, sheet: str | None, max_unpacked_bytes: int, kept_sheet: str | None = None
) -> tuple[BinaryIO, TableAccount] | None:
    """Turn a table into CSV; None if the file is text or of an unknown kind, and at its beginning again.

    The memory that this needs does not depend on the size of the file. The CSV is in a file without a name, in the form
    ``TableAccount.csv_form``.

    Args:
        file: at its beginning.
        sheet: the sheet of a workbook; None: the first that is not hidden.
        max_unpacked_bytes: how large the table may be when it is unpacked, and as CSV.
        kept_sheet: the sheet that a saved mapping keeps, for a workbook with several.

    Raises:
        TableUnreadable: it is a table that cannot be read; the message says why.
        FileDamaged: it is compressed, and cannot be decompressed.
    """
    table = _open_table(file, sheet, max_unpacked_bytes, kept_sheet)
    return None if table is None else (write_table(table.rows(), max_unpacked_bytes), table.account)


def convert_json_lines(file: BinaryIO, max_unpacked_bytes: int) -> tuple[BinaryIO, FileForm] | None:
    """Turn JSON objects into a file with one on each line; None if the file has none, and is at its beginning again.

    A file that has them so already is returned as it is. Objects keep the number of the line on which they begin.

    Args:
        file: at its beginning.
        max_unpacked_bytes: how large it may be when it is unpacked.

    Raises:
        TableUnreadable: it is not valid JSON; the message says where.
        FileDamaged: it is compressed, and cannot be decompressed.
    """
    from openprofiles.uploads.reading.tables.json_rows import JsonRows, has_object_line, json_kind

    head = file.read(_HEAD_BYTES)
    file.seek(0)
    form = FileForm(compression=find_compression(head))
    if form.compression != "none":
        head = open_text(file, form, max_unpacked_bytes=max_unpacked_bytes).read(_HEAD_BYTES)
        file.seek(0)
    if json_kind(head) is None:
        return None
    if has_object_line(head):
        return file, FileForm.json_lines(form.compression)

    def open_bytes() -> Callable[[int], bytes]:
        file.seek(0)
        return open_text(file, form, max_unpacked_bytes=max_unpacked_bytes).read

    return write_lines(JsonRows(open_bytes, head).lines(), max_unpacked_bytes), FileForm.json_lines("none")


def _open_table(file: BinaryIO, sheet: str | None, max_unpacked_bytes: int, kept_sheet: str | None) -> _Table | None:
    # Most files need none of these.
    from openprofiles.uploads.reading.tables.json_rows import JsonRows, json_kind

    head = file.read(_HEAD_BYTES)
    file.seek(0)
    form = FileForm(compression=find_compression(head))
    if form.compression != "none":
        head = open_text(file, form, max_unpacked_bytes=max_unpacked_bytes).read(_HEAD_BYTES)
        file.seek(0)
    elif head.startswith(b"PK\x03\x04"):
        from openprofiles.uploads.reading.tables.workbook import Workbook, is_workbook

        if is_workbook(file):
            return Workbook(file, sheet, max_unpacked_bytes, kept_sheet)
        _refuse_archive(file)
    elif head.startswith(b"PAR1"):
        from openprofiles.uploads.reading.tables.parquet_rows import ParquetRows

        return ParquetRows(file)
    if json_kind(head) is None:
        return None

    def open_bytes() -> Callable[[int], bytes]:
        file.seek(0)
        return open_text(file, form, max_unpacked_bytes=max_unpacked_bytes).read

    return JsonRows(open_bytes, head)


def _refuse_archive(file: BinaryIO) -> None:
    """Refuse a ZIP archive that is not a workbook, and name what is in it.

    Raises:
        TableUnreadable: always, if it is one.
    """
    from openprofiles.uploads.reading.tables.workbook import list_entries

    head = file.read(_MIMETYPE_BYTES)
    file.seek(0)
    entries = [name for name in list_entries(file) or () if not name.endswith("/")]
    if not entries:
        return
    # Not from the content of its files, which may be workbooks.
    kind = find_other_kind(head + "\n".join(entries).encode("utf-8", "replace"))
    if kind is not None and kind.name not in (
        "an Excel workbook",
        "a ZIP archive",
        "a ZIP archive or an Excel workbook",
    ):
        raise TableUnreadable(f"The file is {kind.name}. {kind.advice}")
    more = ", and more" if len(entries) > _ENTRIES_SHOWN else ""
    shown = ", ".join(map(repr, entries[:_ENTRIES_SHOWN]))
    raise TableUnreadable(
        f"The file is a ZIP archive. Unpack it, and import the files in it one by one: {shown}{more}."
    )
