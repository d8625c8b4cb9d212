"""Parquet files: every value as people write it."""

from __future__ import annotations

import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from openprofiles.uploads.reading.tables.parquet_rows import ParquetRows
from openprofiles.uploads.reading.tables.table import TableUnreadable, write_table


def rows_of(table: pa.Table) -> ParquetRows:
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file)
    return ParquetRows(file)


def read_values(values: list[Any], kind: Any) -> list[str]:
    """Read a column with these values and null."""
    rows = [list(row) for row in rows_of(pa.table({"a": pa.array([*values, None], kind)})).rows()]
    assert (rows[0], rows[-1]) == (["a"], [""])
    return [row[0] for row in rows[1:-1]]


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        ([0.1, 2.0, 16777216.0, 1e20, float("nan")], pa.float32(), ["0.1", "2", "16777216", "1" + "0" * 20, ""]),
        ([0.1, 1e16, 1e-7, float("-inf")], pa.float64(), ["0.1", "1" + "0" * 16, "0.0000001", "-Infinity"]),
        ([0.1], pa.float16(), ["0.1"]),
        ([[0.1, float("nan")]], pa.list_(pa.float32()), ["[0.1, null]"]),
        (
            [{"x": 0.1, "y": [1]}],
            pa.struct([("x", pa.float32()), ("y", pa.list_(pa.int8()))]),
            ['{"x": 0.1, "y": [1]}'],
        ),
        ([[("k", 0.1)]], pa.map_(pa.string(), pa.float32()), ['[["k", 0.1]]']),
        ([2**63 - 1], pa.int64(), ["9223372036854775807"]),
        ([Decimal("5.00"), Decimal("1E+3")], pa.decimal128(10, 2), ["5.00", "1000.00"]),
        ([True], pa.bool_(), ["true"]),
        ([date(1985, 12, 10)], pa.date32(), ["1985-12-10"]),
        ([datetime(2026, 1, 2, 3, 4, 5)], pa.timestamp("us"), ["2026-01-02 03:04:05"]),  # noqa: DTZ001
        ([1], pa.timestamp("ns"), ["1970-01-01 00:00:00.000000001"]),
        (["Köln", "NaN"], pa.string(), ["Köln", "NaN"]),
        ([b"K\xc3\xb6ln", b"\xff\x00"], pa.binary(), ["Köln", "ff00"]),
        ([[b"\xff"], [date(1985, 12, 10)]][:1], pa.list_(pa.binary()), ['["ff"]']),
        ([[date(1985, 12, 10)]], pa.list_(pa.date32()), ['["1985-12-10"]']),
    ],
)
def test_a_value_is_written_in_full(values: list[Any], kind: Any, texts: list[str]) -> None:
    assert read_values(values, kind) == texts


def test_nan_is_blank_and_counted() -> None:
    rows = rows_of(pa.table({"a": [float("nan"), 1.0]}))

    assert list(rows.rows())[1:] == [("",), ("1",)]
    assert rows.account.notes() == ["1 cell is NaN (not a number) and is read as blank."]


def test_a_text_that_is_not_utf_8_stays_so_that_its_row_fails() -> None:
    broken = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.array([0, 1], pa.int32()).buffers()[1], pa.py_buffer(b"\xff")]
    )

    assert list(rows_of(pa.table({"a": broken})).rows())[1] == ("\udcff",)


def test_a_wide_table_is_read_a_few_rows_at_a_time() -> None:
    (header, *rows) = rows_of(pa.table({str(number): [number] * 150 for number in range(1000)})).rows()

    assert (len(header), len(rows), rows[-1][-1]) == (1000, 150, "999")


@pytest.mark.parametrize("damage", [slice(0, -300), slice(0, 4), slice(100, None)])
def test_a_damaged_file_is_refused_in_a_sentence(damage: slice) -> None:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"a": list(range(1000))}), file)

    with pytest.raises(TableUnreadable, match="The Parquet file cannot be read to the end"):
        list(ParquetRows(io.BytesIO(file.getvalue()[damage])).rows())


def test_a_long_text_in_many_cells_takes_memory_only_once() -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([1] + [0] * 20_000, pa.int32()), ["x" * 10_000, "y"])
    file = io.BytesIO()
    # Without the schema of Arrow, which would say that it is a dictionary.
    pyarrow.parquet.write_table(pa.table({"a": texts, "b": texts}), file, store_schema=False)
    rows = ParquetRows(file).rows()
    next(rows)
    pool = pa.default_memory_pool()
    before_bytes = pool.bytes_allocated()

    next(rows)
    row = next(rows)
    assert pool.bytes_allocated() - before_bytes < 5_000_000
    assert [len(text) for text in row] == [10_000, 10_000]
    with pytest.raises(TableUnreadable, match="the limit of 5,000,000 bytes"):
        write_table(rows, 5_000_000)


def test_rows_of_lists_of_long_texts_are_read_a_few_at_a_time() -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), ["x" * 10_000])
    lists = pa.ListArray.from_arrays(pa.array(range(0, 20_001, 10), pa.int32()), texts)
    file = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"a": lists}), file, store_schema=False)
    rows = ParquetRows(file).rows()
    pool = pa.default_memory_pool()
    before_bytes = pool.bytes_allocated()

    assert [len(next(rows)), len(next(rows)[0])] == [1, 10 * 10_004]
    assert pool.bytes_allocated() - before_bytes < 20_000_000


@pytest.mark.parametrize("length", [1, 20_000])
def test_texts_of_each_row_group_are_read_whole_whatever_their_size(length: int) -> None:
    values = [None if number % 7 == 0 else f"text {number % 1500}" for number in range(2500)]
    values[2000] = "x" * length
    file = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"a": pa.array(values)}), file, row_group_size=1700, store_schema=False)

    (_, *found) = ParquetRows(file).rows()

    assert [row[0] for row in found] == [value or "" for value in values]
