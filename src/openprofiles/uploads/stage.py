"""Step 2, stage: read the file into the scratch database, and set apart the records that cannot be loaded.

The boundaries of records are those of our own scan (``records``). DuckDB reads the clean ones, all columns as text, a
block at a time; it must count as many records as the scan did, or the job fails: a CSV library that disagrees about
one quote can lose half a file without a word. Then the mapping is applied, each value checked, and the unique key put
into its normal form, in SQL.

Afterwards the scratch database holds:

    staged (record, line, key, v0 .. vn)    the records to load; vi is the value of the mapping's field i, null if blank
    failed (record, line, code, column_name, detail)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from openprofiles.errors import InvalidRequest
from openprofiles.profiles.normal_forms import is_blank, sql_is_blank, sql_normal_key
from openprofiles.uploads import faults
from openprofiles.uploads.block_files import BlockFiles
from openprofiles.uploads.file_header import EMPTY_FILE_MESSAGE, split_header
from openprofiles.uploads.mapping import UploadMapping
from openprofiles.uploads.records import Block, Header, Kind, NoHeaderError, Scanner, UnclosedQuoteError
from openprofiles.uploads.scratch import Scratch

# Records with a few cells more than the header has are read like the others; only those with more yet are split one
# by one.
_SPARE_COLUMNS = 4

# As many as the widest spreadsheets have. A header of a million commas would cost a minute and gigabytes.
_MAX_COLUMNS = 16_384

_CELLS_PER_BLOCK = 2_000_000

_FAULT_CODES = {
    Kind.MALFORMED_QUOTES: faults.MALFORMED_QUOTES,
    Kind.NUL_BYTE: faults.NUL_BYTE,
    Kind.INVALID_UTF8: faults.INVALID_UTF8,
    Kind.RECORD_TOO_LONG: faults.RECORD_TOO_LONG,
}

_FAILED_SCHEMA = pa.schema(
    [
        ("record", pa.int64()),
        ("line", pa.int64()),
        ("code", pa.string()),
        ("column_name", pa.string()),
        ("detail", pa.int64()),
    ]
)


class FileRejected(Exception):
    """The file as a whole cannot be loaded; the message says why and what to do."""


class Disagreement(Exception):
    """The CSV library found other records than our own scan. A fault of ours; nothing was loaded."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the mapped columns are. ``indexes`` has one entry per field of the mapping."""

    count: int
    indexes: tuple[int, ...]


def stage(
    scratch: Scratch,
    read: Callable[[int], bytes],
    mapping: UploadMapping,
    *,
    phone_region: str,
    strict: bool,
    on_block: Callable[[int], None],
) -> int:
    """Read the whole file.

    Args:
        read: the next bytes of the file, at most as many as asked for, none at its end.
        strict: refuse what AWS refuses: a byte order mark, a mapped header with a dot.
        on_block: called after each block with the number of records so far; what it raises ends the staging.

    Returns:
        the number of records, failed ones included.

    Raises:
        FileRejected: no header, a mapped header missing or repeated, no rows, a quote that is never closed.
    """
    scanner = Scanner(read)
    try:
        header = scanner.read_header()
        columns = _find_columns(header, mapping, strict=strict)
        _create_tables(scratch, mapping)
        stager = _Stager(scratch, mapping, columns, phone_region)
        scanner.max_clean_cells = columns.count + _SPARE_COLUMNS
        # A block of short records may hold very many, each of them as wide as the mapping.
        scanner.max_block_records = max(1, _CELLS_PER_BLOCK // (len(mapping.fields) + _SPARE_COLUMNS))
        record_count = 0
        for block in scanner.blocks():
            stager.add(block)
            record_count = block.first_record + block.record_count - 1
            on_block(record_count)
    except NoHeaderError:
        raise FileRejected(EMPTY_FILE_MESSAGE) from None
    except UnclosedQuoteError as error:
        raise FileRejected(
            f"The double quote that opens a value on line {error.line} is never closed, so it cannot be told where the "
            "rows after it end. Close it, or write it twice if it belongs to the value."
        ) from None
    if record_count == 0:
        raise FileRejected("The file has a header and no rows.")
    return record_count


def _find_columns(header: Header, mapping: UploadMapping, *, strict: bool) -> _Columns:
    try:
        names = split_header(header)
    except InvalidRequest as error:
        raise FileRejected(str(error)) from None
    if len(names) > _MAX_COLUMNS:
        raise FileRejected(f"The header has {len(names)} columns; a file may have at most {_MAX_COLUMNS}.")
    if header.has_byte_order_mark and strict:
        raise FileRejected("The file begins with a byte order mark, which AWS does not take. Save it as UTF-8 without.")
    indexes = []
    for field in mapping.fields:
        found = [index for index, name in enumerate(names) if name == field.header]
        if not found:
            hint = " The lines of the file end with a lone carriage return; save it with LF or CRLF." * (
                b"\r" in header.raw
            )
            raise FileRejected(
                f"The file has no column {field.header!r}, which field {field.name} is mapped from. Headers must match "
                f"exactly, upper and lower case and blanks too.{hint}"
            )
        if len(found) > 1:
            raise FileRejected(
                f"The file has {len(found)} columns {field.header!r}, so it cannot be told which one field "
                f"{field.name} is mapped from. Rename all but one."
            )
        if strict and "." in field.header:
            raise FileRejected(f"Column {field.header!r} has a dot in its name, which AWS does not take.")
        indexes.append(found[0])
    return _Columns(len(names), tuple(indexes))


def _create_tables(scratch: Scratch, mapping: UploadMapping) -> None:
    values = ", ".join(f"v{index} text" for index in range(len(mapping.fields)))
    scratch.run(f"create table staged (record bigint, line bigint, key text, {values})")
    scratch.run("create table failed (record bigint, line bigint, code text, column_name text, detail bigint)")


class _Stager:
    """Brings one block after the other into the scratch database."""

    def __init__(self, scratch: Scratch, mapping: UploadMapping, columns: _Columns, phone_region: str) -> None:
        self._scratch = scratch
        self._columns = columns
        self._used = sorted(set(columns.indexes))
        self._all = columns.count + _SPARE_COLUMNS
        self._files = BlockFiles(scratch.connection)
        self._check_sql = _check_sql(mapping, columns, phone_region)
        names = _fault_names(mapping)
        self._fault_names = pa.table(
            {
                "fault": list(names),
                "code": [n[0] for n in names.values()],
                "column_name": [n[1] for n in names.values()],
            },
            schema=pa.schema([("fault", pa.int32()), ("code", pa.string()), ("column_name", pa.string())]),
        )

    def add(self, block: Block) -> None:
        scratch = self._scratch
        self._parse(block)
        scratch.put("fault_name", self._fault_names)
        scratch.run(f"create or replace temp table checked as {self._check_sql}")
        values = ", ".join(f"v{index}" for index in range(len(self._columns.indexes)))
        scratch.run(
            f"insert into staged select record, line, key, {values} from checked where fault = 0 order by record"
        )
        scratch.run(
            "insert into failed "
            "select record, line, code, column_name, detail from checked join fault_name using (fault)"
        )
        faulty = block.kind >= Kind.MALFORMED_QUOTES
        if faulty.any():
            rows = np.flatnonzero(faulty)
            self._fail(
                [
                    (
                        block.first_record + int(row),
                        int(block.line[row]),
                        _FAULT_CODES[Kind(int(block.kind[row]))],
                        None,
                    )
                    for row in rows
                ]
            )

    def _parse(self, block: Block) -> None:
        """Fill the table ``parsed``: record, line, and the used and spare columns as c0, c1, ..."""
        scratch = self._scratch
        wanted = [*self._used, *range(self._columns.count, self._all)]
        names = ", ".join(f"c{index}" for index in wanted)
        is_clean = block.kind == Kind.CLEAN
        positions = np.flatnonzero(is_clean)
        scratch.put("clean_record", pa.table({"record": positions + block.first_record, "line": block.line[positions]}))
        with self._files.offer(block.clean) as path:
            scratch.run(
                f"create or replace temp table clean_cells as select {names} from {csv_reader_sql(path, self._all)}"
            )
        found = scratch.value("select count(*) from clean_cells")
        if found != block.clean_count:
            raise Disagreement(
                f"of records {block.first_record} to {block.first_record + block.record_count - 1} the scan found "
                f"{block.clean_count} clean ones and the CSV reader {found}"
            )
        scratch.run(
            "create or replace temp table parsed as select record, line, "
            f"{names} from clean_record positional join clean_cells"
        )
        if block.odd:
            self._parse_odd(block, wanted)

    def _parse_odd(self, block: Block, wanted: list[int]) -> None:
        """Add the records that another reader might read differently, with the cells of our own state machine."""
        count = self._columns.count
        rows: dict[str, list[object]] = {"record": [], "line": [], **{f"c{index}": [] for index in wanted}}
        too_wide = []
        for record, cells in block.odd_records():
            line = int(block.line[record - block.first_record])
            last_filled = max((number for number, cell in enumerate(cells, 1) if not is_blank(cell)), default=0)
            if last_filled > count:
                too_wide.append((record, line, faults.TOO_MANY_CELLS, last_filled))
                continue
            rows["record"].append(record)
            rows["line"].append(line)
            for index in wanted:
                rows[f"c{index}"].append(cells[index] if index < min(count, len(cells)) else None)
        self._fail(too_wide)
        types = {"record": pa.int64(), "line": pa.int64()}
        self._scratch.put(
            "odd_record",
            pa.table({name: pa.array(column, types.get(name, pa.string())) for name, column in rows.items()}),
        )
        self._scratch.run("insert into parsed by name select * from odd_record")

    def _fail(self, rows: Sequence[tuple[int, int, str, int | None]]) -> None:
        """Set records apart: record, line, code, detail."""
        if not rows:
            return
        table = pa.table(
            [
                [row[0] for row in rows],
                [row[1] for row in rows],
                [row[2] for row in rows],
                [None] * len(rows),
                [row[3] for row in rows],
            ],
            schema=_FAILED_SCHEMA,
        )
        self._scratch.put("failed_here", table)
        self._scratch.run("insert into failed select * from failed_here")


# Faults that SQL finds, as numbers; those of a column are the base plus the field's index in the mapping.
_NO_FAULT = 0
_SURPLUS = 1
_NO_KEY = 2
_TOO_LONG = 1_000_000
_NOT_ALLOWED = 2_000_000


def _fault_names(mapping: UploadMapping) -> dict[int, tuple[str, str | None]]:
    names: dict[int, tuple[str, str | None]] = {
        _SURPLUS: (faults.TOO_MANY_CELLS, None),
        _NO_KEY: (faults.MISSING_UNIQUE_KEY, mapping.unique_key.header),
    }
    for index, field in enumerate(mapping.fields):
        names[_TOO_LONG + index] = (faults.VALUE_TOO_LONG, field.header)
        names[_NOT_ALLOWED + index] = (faults.VALUE_NOT_ALLOWED, field.header)
    return names


def _check_sql(mapping: UploadMapping, columns: _Columns, phone_region: str) -> str:
    """The query over ``parsed`` that applies the mapping and finds the first fault of each record."""
    spare = [f"c{index}" for index in range(columns.count, columns.count + _SPARE_COLUMNS)]
    key_value = f"v{mapping.fields.index(mapping.unique_key)}"
    values, tests, details = [], [], []
    cell_count = " ".join(
        f"when not {_sql_cell_is_blank(name)} then {columns.count + _SPARE_COLUMNS - offset}"
        for offset, name in enumerate(reversed(spare))
    )
    tests.append(f"when surplus > 0 then {_SURPLUS}")
    details.append(f"when {_SURPLUS} then surplus")
    tests.append(f"when key is null then {_NO_KEY}")
    for index, field in enumerate(mapping.fields):
        cell = f"c{columns.indexes[index]}"
        values.append(f"case when {_sql_cell_is_blank(cell)} then null else {cell} end as v{index}")
        # Bytes first: only a value of more bytes than that can have more characters.
        tests.append(
            f"when strlen(v{index}) > {field.max_length} and length(v{index}) > {field.max_length} "
            f"then {_TOO_LONG + index}"
        )
        details.append(f"when {_TOO_LONG + index} then length(v{index})")
        if field.standard and field.standard.allowed_values:
            allowed = ", ".join(f"'{value}'" for value in field.standard.allowed_values)
            tests.append(f"when v{index} not in ({allowed}) then {_NOT_ALLOWED + index}")
    names = ", ".join(f"v{index}" for index in range(len(mapping.fields)))
    return f"""
        with mapped as (
            select record, line, case {cell_count} else 0 end as surplus, {", ".join(values)} from parsed
        ), keyed as (
            select *, {sql_normal_key(mapping.key_name, key_value, phone_region)} as key from mapped
        ), judged as (
            select *, (case {" ".join(tests)} else {_NO_FAULT} end)::integer as fault from keyed
        )
        select record, line, key, fault, (case fault {" ".join(details)} end)::bigint as detail, {names} from judged
    """


def _sql_cell_is_blank(cell: str) -> str:
    # Nearly every cell begins with a printable ASCII character, which one comparison of bytes shows.
    return f"not coalesce({cell} between '!' and '~~' or not {sql_is_blank(cell)}, false)"


def csv_reader_sql(path: str, column_count: int) -> str:
    """SQL for DuckDB's reader over the clean records of a block, with every option fixed and nothing guessed."""
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(column_count))
    return (
        f"read_csv('{path}', auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"', "
        f"columns = {{{columns}}}, null_padding = true, strict_mode = false, parallel = false, "
        "max_line_size = 4194304)"
    )
