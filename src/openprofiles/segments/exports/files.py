"""The files of an export, part by part: CSV, JSON lines and ORC.

CSV and ORC have the same columns: ``ProfileId`` and the fields that at least one member has, as texts. JSON lines have
profiles as BatchGetProfile answers them.
"""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

PART_BYTES = 256 << 20
_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Part:
    """One file of an export."""

    file: Path
    rows: int


def write_csv(columns: Sequence[str], rows: Iterator[Sequence[str | None]], folder: Path) -> Iterator[Part]:
    """Write rows as CSV with a header in each file; yield each part once it is complete."""
    return _write_parts(rows, folder, "csv", lambda file: _CsvPart(file, columns))


def write_json_lines(lines: Iterator[Sequence[str]], folder: Path) -> Iterator[Part]:
    """Write JSON objects, each the only text of a row, one per line; yield each part once it is complete."""
    return _write_parts(lines, folder, "jsonl", _JsonPart)


def write_orc(columns: Sequence[str], rows: Iterator[Sequence[str | None]], folder: Path) -> Iterator[Part]:
    """Write rows as ORC; yield each part once it is complete."""
    return _write_parts(rows, folder, "orc", lambda file: _OrcPart(file, columns))


class _OpenPart(ABC):
    """A part that is being written."""

    @abstractmethod
    def write(self, rows: Sequence[Sequence[Any]]) -> int:
        """Write rows; return how large the file is about, in bytes."""

    @abstractmethod
    def close(self) -> None:
        """Complete the file."""


def _write_parts(rows: Iterator[Sequence[Any]], folder: Path, ending: str, begin: Any) -> Iterator[Part]:
    number = 0
    some = list(islice(rows, _ROWS_AT_ONCE))
    while True:
        file = folder / f"part-{number:05}.{ending}"
        part: _OpenPart = begin(file)
        count, size_bytes = 0, 0
        try:
            while some and size_bytes < PART_BYTES:
                size_bytes = part.write(some)
                count += len(some)
                some = list(islice(rows, _ROWS_AT_ONCE))
        finally:
            part.close()
        yield Part(file, count)
        if not some:
            return
        number += 1


class _TextPart(_OpenPart):
    """A part that is a text, encoded in large pieces: a text file would take as long as all else."""

    def __init__(self, file: Path) -> None:
        self._file: BinaryIO = file.open("wb", buffering=0)

    def _write_text(self, text: str) -> int:
        self._file.write(text.encode())
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


class _CsvPart(_TextPart):
    def __init__(self, file: Path, columns: Sequence[str]) -> None:
        super().__init__(file)
        self.write([columns])

    def write(self, rows: Sequence[Sequence[Any]]) -> int:
        text = StringIO()
        # Lines end as RFC 4180 says; with another end, a single carriage return in a value would not be quoted.
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        return self._write_text(text.getvalue())


class _JsonPart(_TextPart):
    def write(self, rows: Sequence[Sequence[Any]]) -> int:
        return self._write_text("".join([f"{line}\n" for (line,) in rows]))


class _OrcPart(_OpenPart):
    def __init__(self, file: Path, columns: Sequence[str]) -> None:
        # Not above: it takes a while to import, and other formats do without.
        import pyarrow as pa
        import pyarrow.orc as orc

        self._schema = pa.schema([(name, pa.string()) for name in columns])
        self._array, self._table = pa.array, pa.Table.from_arrays
        self._sink = file.open("wb")
        self._writer = orc.ORCWriter(self._sink, compression="zlib")
        self._writer.write(self._schema.empty_table())

    def write(self, rows: Sequence[Sequence[Any]]) -> int:
        arrays = [
            self._array(column, kind) for column, kind in zip(zip(*rows, strict=True), self._schema.types, strict=True)
        ]
        self._writer.write(self._table(arrays, schema=self._schema))
        return self._sink.tell()

    def close(self) -> None:
        self._writer.close()
        self._sink.close()
