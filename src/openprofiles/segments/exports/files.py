"""The files of an export, part by part: CSV, JSON lines and ORC.

CSV and ORC have the same columns: ``ProfileId`` and the fields that at least one member has, as texts. JSON lines have
profiles as BatchGetProfile answers them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.orc

PART_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """One file of an export."""

    file: Path
    rows: int


def write_csv(columns: Sequence[str], batches: Iterator[pa.RecordBatch], folder: Path) -> Iterator[Part]:
    """Write rows as CSV with a header in each file; yield each part once it is complete."""
    return _write_parts(batches, folder, "csv", lambda file: _CsvPart(file, columns))


def write_json_lines(batches: Iterator[pa.RecordBatch], folder: Path) -> Iterator[Part]:
    """Write JSON objects, the only column, one per line; yield each part once it is complete."""
    return _write_parts(batches, folder, "jsonl", _JsonPart)


def write_orc(columns: Sequence[str], batches: Iterator[pa.RecordBatch], folder: Path) -> Iterator[Part]:
    """Write rows as ORC; yield each part once it is complete."""
    return _write_parts(batches, folder, "orc", lambda file: _OrcPart(file, columns))


class _OpenPart(ABC):
    """A part that is being written."""

    def __init__(self, file: Path) -> None:
        # Written in large pieces anyway.
        self._file = file.open("wb", buffering=0)

    @abstractmethod
    def write(self, batch: pa.RecordBatch) -> None:
        """Write rows."""

    @property
    def size_bytes(self) -> int:
        """How large the file is about."""
        return self._file.tell()

    def close(self) -> None:
        """Complete the file."""
        self._file.close()


def _write_parts(
    batches: Iterator[pa.RecordBatch], folder: Path, ending: str, begin: Callable[[Path], _OpenPart]
) -> Iterator[Part]:
    number = 0
    batch = next(batches, None)
    while True:
        file = folder / f"part-{number:05}.{ending}"
        part = begin(file)
        count = 0
        try:
            while batch is not None and part.size_bytes < PART_BYTES:
                part.write(batch)
                count += batch.num_rows
                batch = next(batches, None)
        finally:
            part.close()
        yield Part(file, count)
        if batch is None:
            return
        number += 1


class _CsvPart(_OpenPart):
    """All texts are in quotes, and what is missing is not; lines end with a line feed."""

    def __init__(self, file: Path, columns: Sequence[str]) -> None:
        super().__init__(file)
        self._schema = pa.schema([(name, pa.string()) for name in columns])
        options = pa.csv.WriteOptions(quoting_style="needed", include_header=False)
        header = pa.record_batch([pa.array([name]) for name in columns], schema=self._schema)
        self._writer = pa.csv.CSVWriter(self._file, self._schema, write_options=options)
        self.write(header)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()
        super().close()


class _JsonPart(_OpenPart):
    def write(self, batch: pa.RecordBatch) -> None:
        lines = pa.compute.binary_join_element_wise(batch.column(0), "\n", "")
        # The texts lie one after the other.
        _, offsets, texts = lines.buffers()
        ends = np.frombuffer(offsets, np.int32)[lines.offset :]
        self._file.write(memoryview(texts)[ends[0] : ends[len(lines)]])


class _OrcPart(_OpenPart):
    def __init__(self, file: Path, columns: Sequence[str]) -> None:
        super().__init__(file)
        self._writer: Any = pa.orc.ORCWriter(self._file, compression="zlib")
        self._writer.write(pa.schema([(name, pa.string()) for name in columns]).empty_table())

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write(pa.Table.from_batches([batch]))

    def close(self) -> None:
        self._writer.close()
        super().close()
