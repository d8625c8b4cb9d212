"""Adds to the failed rows of a load what stands in its file."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from openprofiles.uploads.failures.failed_row_cipher import FailedRowCipher
from openprofiles.uploads.failures.original_rows import OriginalRows

_TABLE_BYTES = 8_000_000
_TABLE_ROWS = 10_000


class FailedRowContents:
    """Adds to failed rows what stands in the file.

    Args:
        cipher: None leaves the content out.
    """

    def __init__(self, originals: OriginalRows, cipher: FailedRowCipher | None) -> None:
        self._originals = originals
        self._cipher = cipher

    def tables(self, rows: pa.Table) -> Iterator[pa.Table]:
        """Add a column ``content`` to the rows, in tables of some megabytes of whole records.

        Args:
            rows: record, fault and more, in order of both.
        """
        records = rows["record"].to_pylist()
        contents: list[bytes | None] = []
        start = size_bytes = 0
        for place, (record, fault) in enumerate(zip(records, rows["fault"].to_pylist(), strict=True)):
            if fault == 0 and (size_bytes >= _TABLE_BYTES or place - start >= _TABLE_ROWS):
                yield _with_content(rows.slice(start, place - start), contents)
                contents, start, size_bytes = [], place, 0
            content = self._read(record) if fault == 0 else None
            contents.append(content)
            size_bytes += len(content or b"")
        if contents:
            yield _with_content(rows.slice(start), contents)

    def _read(self, record: int) -> bytes | None:
        if self._cipher is None:
            return None
        content = self._originals.read(record)
        return None if content is None else self._cipher.encrypt(record, content)


def _with_content(rows: pa.Table, contents: list[bytes | None]) -> pa.Table:
    return rows.append_column("content", pa.array(contents, pa.binary()))
