"""Read a Parquet file as rows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from openprofiles.uploads.reading.file_form import MAX_COLUMNS
from openprofiles.uploads.reading.tables.cell_texts import moment_text, plain_number
from openprofiles.uploads.reading.tables.table import PARQUET, TableAccount, TableUnreadable

_BATCH_CELLS = 100_000
_BATCH_ROWS = 1_000
# Texts in lists and the like cannot be read as dictionaries, so their rows are fewer.
_BATCH_NESTED_ROWS = 50
_BATCH_BYTES = 16 << 20
_DAMAGED = "The Parquet file cannot be read to the end: it is damaged, or has columns of unusual types."


class ParquetRows:
    """A Parquet file as rows.

    Args:
        file: at its beginning.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.account = TableAccount(kind=PARQUET, first_row=0)

    def rows(self) -> Iterator[Sequence[str]]:
        """Read the header and the rows. ``account`` is complete at the end.

        Raises:
            TableUnreadable: it is damaged, or has a value that cannot be written as text.
        """
        try:
            table = pyarrow.parquet.ParquetFile(self._file)
            columns = [field.name for field in table.schema_arrow]
            if len(columns) > MAX_COLUMNS:
                raise TableUnreadable(f"The Parquet file has {len(columns):,} columns; the limit is {MAX_COLUMNS:,}.")
            yield columns
            # A dictionary of one long text may stand for a million cells. Then it stays one, which is slower to read.
            texts = [field.name for field in table.schema_arrow if _is_text(field.type)]
            as_dictionaries = pyarrow.parquet.ParquetFile(self._file, metadata=table.metadata, read_dictionary=texts)
            is_nested = any(field.type.num_fields for field in table.schema_arrow)
            batch_rows = _batch_rows(table.metadata, _BATCH_NESTED_ROWS if is_nested else _BATCH_ROWS)
            for group in range(table.num_row_groups):
                is_large = batch_rows * _longest_texts(as_dictionaries, group) > _BATCH_BYTES
                reader = as_dictionaries if is_large else table
                for batch in reader.iter_batches(batch_rows, row_groups=[group]):
                    yield from zip(*map(self._texts, batch.columns), strict=True)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise TableUnreadable(_DAMAGED) from error

    def _texts(self, column: Any) -> list[str]:
        if pa.types.is_dictionary(column.type) and _is_text(column.type.value_type):
            # The dictionary may have more texts than these rows.
            used = pyarrow.compute.unique(column.indices.drop_null())
            texts = dict(zip(used.to_pylist(), self._texts(column.dictionary.take(used)), strict=True))
            return [texts.get(index, "") for index in column.indices.to_pylist()]
        try:
            values = column.to_pylist()
        except UnicodeDecodeError:
            # A text that is not UTF-8, so that its row fails.
            return [
                "" if value is None else value.decode("utf-8", "surrogateescape")
                for value in column.cast(pa.binary()).to_pylist()
            ]
        except (ValueError, OverflowError, ModuleNotFoundError):
            # What Python has no type for: nanoseconds, years beyond 9999.
            return [value or "" for value in column.cast(pa.string()).to_pylist()]
        if _has_short_floats(column.type):
            values = [_shortest(value, column.type) for value in values]
        return [self._text(value) for value in values]

    def _text(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float):
            if math.isnan(value):
                self.account.not_a_number += 1
                return ""
            return ("-" if value < 0 else "") + "Infinity" if math.isinf(value) else plain_number(repr(value))
        if isinstance(value, Decimal):
            return f"{value:f}"
        if isinstance(value, date | time | datetime):
            return moment_text(value)
        if isinstance(value, bytes):
            return _bytes_text(value)
        if isinstance(value, list | dict):
            return json.dumps(_without_nan(value), ensure_ascii=False, default=_nested_text)
        return str(value)


def _is_text(kind: Any) -> bool:
    return any(
        is_kind(kind)
        for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    )


def _batch_rows(metadata: Any, most_rows: int) -> int:
    """Choose how many rows to read at once, by the average size of the largest."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    row_bytes: int = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
    column_count: int = metadata.num_columns
    return max(1, min(most_rows, _BATCH_CELLS // max(1, column_count), _BATCH_BYTES // max(1, row_bytes)))


def _longest_texts(as_dictionaries: Any, group: int) -> int:
    """Return the size of a row that has the longest text of each dictionary."""
    size_bytes = 0
    # Its first row comes with the dictionaries of all rows.
    for batch in as_dictionaries.iter_batches(1, row_groups=[group]):
        for column in batch.columns:
            if pa.types.is_dictionary(column.type) and _is_text(column.type.value_type):
                lengths = pyarrow.compute.binary_length(column.dictionary)
                size_bytes += pyarrow.compute.max(lengths).as_py() or 0
        break
    return size_bytes


def _has_short_floats(kind: Any) -> bool:
    if pa.types.is_float32(kind) or pa.types.is_float16(kind):
        return True
    return any(_has_short_floats(kind.field(index).type) for index in range(kind.num_fields))


def _shortest(value: Any, kind: Any) -> Any:
    """Replace shorter floats by those of 64 bits that are written alike.

    So 0.1 stays 0.1, and does not become 0.10000000149011612.
    """
    if value is None:
        return None
    if pa.types.is_float32(kind):
        return float(str(np.float32(value)))
    if pa.types.is_float16(kind):
        return float(str(np.float16(value)))
    if pa.types.is_struct(kind):
        return {name: _shortest(one, kind.field(name).type) for name, one in value.items()}
    if pa.types.is_map(kind):
        return [(_shortest(key, kind.key_type), _shortest(one, kind.item_type)) for key, one in value]
    if kind.num_fields and isinstance(value, list):
        return [_shortest(one, kind.value_type) for one in value]
    return value


def _without_nan(value: Any) -> Any:
    """Replace NaN by null, which JSON has."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    return [_without_nan(one) for one in value] if isinstance(value, list | tuple) else value


def _nested_text(value: Any) -> str:
    if isinstance(value, bytes):
        return _bytes_text(value)
    return moment_text(value) if isinstance(value, date | time | datetime) else str(value)


def _bytes_text(value: bytes) -> str:
    """Write bytes as text if they are UTF-8, otherwise as hexadecimal digits."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()
