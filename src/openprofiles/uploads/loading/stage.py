"""Read the file into the scratch database, and set apart the records that cannot be loaded.

The boundaries of records are those of our own scan (``records``). DuckDB reads the clean ones, all columns as text, a
block at a time; it must count as many records as the scan did, or the job fails: a CSV library that disagrees about
one quote can lose half a file without a word. Then the mapping is applied, each value checked, and the unique key put
into its normal form, in SQL.

Afterwards the scratch database holds:

    staged (record, line, key, fault, surplus, v0 .. vn)    the key is null if the record has a fault, else its unique
                key in its identity form; surplus is the number of the last filled cell beyond the header, if there is
                one; vi is the value of the mapping's field i, null if blank; empty if blank cells clear their fields
    failed (record, line, fault, code, column_name, detail)    all faults of each, numbered from 0
    short_row (record, line, cells)    the records with fewer cells than the header, unless AWS's rules hold
    wide_row (record, line)    those with more cells, unless AWS's rules hold
    noticed_line (code, line)    the first of the lines that were skipped (above the header, and rows of delimiters),
                of the rows with a value that seems to hold other rows, and of a last row that seems to be cut off

Two threads read and check a block each, while a third scans what comes after them. Of a wide file, one thread reads
and checks the blocks, since each needs memory for every mapped field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue

import numpy as np
import pyarrow as pa

from openprofiles.bulk.leased_work import MOST_FIELDS_OF_TWO_THREADS
from openprofiles.bulk.scratch import Scratch, ScratchCursor
from openprofiles.errors import InvalidRequest
from openprofiles.facts.blanks import is_blank, sql_is_blank
from openprofiles.facts.placeholders import sql_is_leftover, sql_is_placeholder, sql_is_shortened_number
from openprofiles.facts.sql_text import sql_text
from openprofiles.uploads.arrival.block_files import BlockFiles
from openprofiles.uploads.failures import faults
from openprofiles.uploads.failures.own_columns import CODE, SURPLUS, has_apostrophes
from openprofiles.uploads.failures.spreadsheet_texts import remove_apostrophe, sql_remove_apostrophe
from openprofiles.uploads.job_options import CLEAR, LOAD, JobOptions
from openprofiles.uploads.loading.changed_order import find_changed_order
from openprofiles.uploads.loading.cut_off_file import find_cut_off_line
from openprofiles.uploads.loading.misread_rows import MisreadBlocks
from openprofiles.uploads.loading.moved_cells import find_moved_rows
from openprofiles.uploads.loading.phone_function import register_phone_function
from openprofiles.uploads.loading.short_rows import create_short_rows_table, find_broken_rows
from openprofiles.uploads.loading.split_values import create_split_rows_table, find_split_rows
from openprofiles.uploads.loading.swallowed_rows import find_swallowed_rows
from openprofiles.uploads.loading.wide_rows import create_wide_rows_table, find_shifted_rows
from openprofiles.uploads.mappings.upload_mapping import MappedField, UploadMapping
from openprofiles.uploads.notices import (
    BLANK_ROWS,
    CUT_OFF_FILE,
    MAX_LINES,
    MISREAD_ROWS,
    SKIPPED_LINES,
    SWALLOWED_ROWS,
    Notice,
)
from openprofiles.uploads.reading.dialect import Dialect
from openprofiles.uploads.reading.file_form import NO_HEADER, FileForm
from openprofiles.uploads.reading.file_header import (
    describe_columns,
    no_header_message,
    split_header,
    without_apostrophes,
)
from openprofiles.uploads.reading.records import (
    Block,
    Header,
    Kind,
    NoHeaderError,
    Offsets,
    Scanner,
    UnclosedQuoteError,
)
from openprofiles.uploads.reading.text_formulas import BEGINNING, sql_text_of_formula, text_of_formula
from openprofiles.uploads.value_checks import ValueCheck

# Records with a few cells more than the header has are read like the others; only those with more yet are split one
# by one.
_SPARE_COLUMNS = 4
# In a smaller block, to optimize a statement takes longer than to run it.
_SMALL_BLOCK_BYTES = 50_000

_CELLS_PER_BLOCK = 2_000_000

_THREADS = 2

_FAULT_CODES = {
    Kind.MALFORMED_QUOTES: faults.MALFORMED_QUOTES,
    Kind.NUL_BYTE: faults.NUL_BYTE,
    Kind.INVALID_UTF8: faults.INVALID_UTF8,
    Kind.RECORD_TOO_LONG: faults.RECORD_TOO_LONG,
}


class FileRejected(Exception):
    """The file as a whole cannot be loaded; the message says why and what to do."""


class Disagreement(Exception):
    """The CSV library found other records than our own scan. A fault of ours; nothing was loaded."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the mapped columns are. ``indexes`` has one entry per field of the mapping.

    Of a file of failed rows, ``has_apostrophes`` says whether texts may begin with an additional one. ``code`` and
    ``surplus`` are the indexes of its columns with the codes of the errors and with the cells beyond the header.
    """

    count: int
    indexes: tuple[int, ...]
    has_apostrophes: bool
    code: int | None
    surplus: int | None


def stage(
    scratch: Scratch,
    read: Callable[[int], bytes],
    mapping: UploadMapping,
    form: FileForm,
    options: JobOptions,
    *,
    phone_region: str,
    strict: bool,
    has_written: bool,
    on_block: Callable[[int], None],
) -> int:
    """Read the whole file.

    Args:
        read: the next bytes of the file as UTF-8, at most as many as asked for, none at its end.
        form: what it is read as.
        options: of the job: its checks of values, and what a blank cell means.
        strict: refuse what AWS refuses: a byte order mark, a mapped header with a dot.
        has_written: whether an earlier loader of the job has written profiles; the file cannot be refused any more.
        on_block: called after each block with the number of records so far; what it raises ends the staging.

    Returns:
        the number of records, failed ones included.

    Raises:
        FileRejected: no header, a mapped header missing or repeated, no rows, a quote that is never closed.
    """
    scanner = Scanner(read, form.dialect, header_line=form.header_line)
    try:
        header = scanner.read_header()
        columns = _find_columns(header, mapping, form, strict=strict)
        _create_tables(scratch, mapping)
        register_phone_function(scratch.connection, phone_region)
        scanner.max_clean_cells = columns.count + _SPARE_COLUMNS
        # A block of short records may hold very many, each of them as wide as the mapping.
        scanner.max_block_records = max(1, _CELLS_PER_BLOCK // (len(mapping.fields) + _SPARE_COLUMNS))
        files = BlockFiles(scratch.connection)
        stagers = [
            _Stager(scratch.another(), files, mapping, columns, form.dialect, options, phone_region, strict=strict)
            for _ in range(_THREADS if len(mapping.fields) <= MOST_FIELDS_OF_TWO_THREADS else 1)
        ]
        blocks = scanner.blocks()
        if form.quote == "'" and "quote" not in form.given and not form.joins_lines:
            blocks = _without_joined_lines(blocks)
        swallowed: list[int] = []
        if not strict and "quote" not in form.given:
            blocks = _noting_swallowed_rows(blocks, columns.count, swallowed)
        misread = MisreadBlocks()
        if not strict:
            blocks = misread.watch(blocks)
        record_count = _add_blocks(blocks, stagers, on_block)
        scratch.expect_records(record_count, len(mapping.fields))
        for stager in stagers:
            stager.finish()
        _set_failed_apart(scratch, mapping, columns, options, phone_region, strict=strict)
        if not strict and not has_written:
            _refuse_changed_order(scratch, mapping)
        if scanner.has_open_end and not strict:
            key = mapping.fields.index(mapping.unique_key)
            cut_off = find_cut_off_line(scratch, record_count, f"v{key}", columns.indexes[key], columns.count)
            _record_lines(scratch, CUT_OFF_FILE, int(cut_off is not None), [] if cut_off is None else [cut_off])
        _record_lines(scratch, SKIPPED_LINES, scanner.skipped_line_count, scanner.skipped_lines)
        _record_lines(scratch, BLANK_ROWS, scanner.blank_row_count, scanner.blank_row_lines)
        _record_lines(scratch, SWALLOWED_ROWS, len(swallowed), swallowed[:MAX_LINES])
        misread_lines = misread.find_lines(scratch, mapping)
        _record_lines(scratch, MISREAD_ROWS, len(misread_lines), misread_lines[:MAX_LINES])
    except NoHeaderError:
        raise FileRejected(no_header_message(form)) from None
    except UnclosedQuoteError as error:
        quote_name = "single quote" if form.quote == "'" else "double quote"
        raise FileRejected(
            f"The {quote_name} that opens a value on line {error.line} is never closed, so it is unclear where the "
            "rows after it end. Close it, or write it twice if it belongs to the value."
        ) from None
    if record_count == 0:
        raise FileRejected(
            "The file has no rows." if form.header_line == NO_HEADER else "The file has a header but no rows."
        )
    return record_count


def _without_joined_lines(blocks: Iterator[Block]) -> Iterator[Block]:
    """Refuse a file whose detected single quotes join lines: an apostrophe may have been taken for a quote.

    Raises:
        FileRejected: a value goes on over the end of a line.
    """
    for block in blocks:
        if block.clean.count(b"\n") > block.clean_count or any(b"\n" in record for _, record in block.odd):
            raise FileRejected(
                f"The file seems to have its values in single quotes, but between lines {block.line[0]:,} and "
                f"{block.line[-1]:,} a value in single quotes spans two lines, so its quotes may be apostrophes. "
                "Specify the quotation mark that the file uses: a double quote if values begin with apostrophes, or "
                "a single quote if they contain line breaks."
            )
        yield block


def _noting_swallowed_rows(blocks: Iterator[Block], column_count: int, lines: list[int]) -> Iterator[Block]:
    for block in blocks:
        lines += find_swallowed_rows(block, column_count)
        yield block


def _add_blocks(blocks: Iterator[Block], stagers: Sequence[_Stager], on_block: Callable[[int], None]) -> int:
    """Give the blocks to the stagers, each of which works in a thread of its own; the number of records."""
    free = SimpleQueue[_Stager]()
    for stager in stagers:
        free.put(stager)

    def add(stager: _Stager, block: Block) -> None:
        try:
            stager.add(block)
        finally:
            free.put(stager)

    record_count = 0
    working: list[Future[None]] = []
    with ThreadPoolExecutor(len(stagers)) as threads:
        for block in blocks:
            working.append(threads.submit(add, free.get(), block))
            for done in [work for work in working if work.done()]:
                working.remove(done)
                done.result()
            record_count = block.first_record + block.record_count - 1
            on_block(record_count)
        for work in working:
            work.result()
    return record_count


def _find_columns(header: Header, mapping: UploadMapping, form: FileForm, *, strict: bool) -> _Columns:
    try:
        names = split_header(header, form)
    except InvalidRequest as error:
        raise FileRejected(str(error)) from None
    if header.has_byte_order_mark and strict:
        raise FileRejected(
            "The file begins with a byte order mark, which AWS does not accept. Save it as UTF-8 without one."
        )
    if not strict:
        names = without_apostrophes(names)
    if form.is_cleaned:
        names = list(map(text_of_formula, names))
    indexes = []
    for field in mapping.fields:
        found = [index for index, name in enumerate(names) if name == field.header]
        if not found:
            raise FileRejected(
                f"The file has no column {field.header!r}, the source of the field {field.name}. Headers must match "
                f"exactly, including case and blanks. {describe_columns(names)} "
                f"The file was read as: {form.describe()}."
            )
        if len(found) > 1:
            raise FileRejected(
                f"The file has {len(found)} columns named {field.header!r}, so it is unclear which one is the "
                f"source of the field {field.name}. Rename all but one."
            )
        if strict and "." in field.header:
            raise FileRejected(f"Column {field.header!r} has a dot in its name, which AWS does not accept.")
        indexes.append(found[0])
    return _Columns(
        len(names),
        tuple(indexes),
        has_apostrophes=has_apostrophes(names) and not strict,
        code=None if strict else _find_only(names, CODE),
        surplus=None if strict else _find_only(names, SURPLUS),
    )


def _find_only(names: Sequence[str], name: str) -> int | None:
    return names.index(name) if names.count(name) == 1 else None


def _create_tables(scratch: Scratch, mapping: UploadMapping) -> None:
    values = ", ".join(f"v{index} text" for index in range(len(mapping.fields)))
    scratch.run(f"create table staged (record bigint, line bigint, key text, fault integer, surplus bigint, {values})")
    scratch.run(
        "create table failed (record bigint, line bigint, fault integer, code text, column_name text, detail bigint)"
    )
    scratch.run("create table noticed_line (code text, line bigint)")
    create_short_rows_table(scratch)
    create_wide_rows_table(scratch)
    create_split_rows_table(scratch)


def _record_lines(scratch: Scratch, code: str, count: int, lines: Sequence[int]) -> None:
    if count:
        scratch.put("lines", pa.table({"line": pa.array(lines, pa.int64())}))
        scratch.run("insert into noticed_line select ?, line from lines", [code])
        scratch.remember(code, count)


def find_noticed_lines(scratch: Scratch) -> list[Notice]:
    """Count the lines that were skipped, and the rows whose text seems not to be what was meant."""
    notices = []
    for code in (SKIPPED_LINES, BLANK_ROWS, SWALLOWED_ROWS, CUT_OFF_FILE, MISREAD_ROWS):
        if count := scratch.recall(code):
            lines = scratch.table("select line from noticed_line where code = ? order by line", [code])
            notices.append(Notice(code, None, count, tuple(lines["line"].to_pylist())))
    return notices


class _Stager:
    """Brings blocks into the scratch database, on a connection and in a transaction of its own."""

    def __init__(
        self,
        cursor: ScratchCursor,
        files: BlockFiles,
        mapping: UploadMapping,
        columns: _Columns,
        dialect: Dialect,
        options: JobOptions,
        phone_region: str,
        *,
        strict: bool,
    ) -> None:
        self._scratch = cursor
        self._files = files
        self._columns = columns
        self._dialect = dialect
        self._strict = strict
        self._is_cleaned = not strict and dialect.first_row is None
        self._all = columns.count + _SPARE_COLUMNS
        wanted = sorted({0, *columns.indexes, *range(columns.count, self._all)})
        cells = {f"c{index}": f"c{index}" for index in wanted}
        if columns.has_apostrophes:
            cells = {cell: sql_remove_apostrophe(cell) for cell in cells}
        unfixed = [] if columns.code is None else [f"{_unfixed_sql(columns, columns.code)} as unfixed"]
        self._selected = ", ".join([*(f"{sql} as {cell}" for cell, sql in cells.items()), *unfixed])
        self._selected_of_formulas = ", ".join(
            [*(f"{sql_text_of_formula(sql)} as {cell}" for cell, sql in cells.items()), *unfixed]
        )
        self._check = partial(
            _check_sql, mapping=mapping, columns=columns, options=options, phone_region=phone_region, strict=strict
        )
        cursor.run("begin")

    def finish(self) -> None:
        self._scratch.run("commit")
        self._scratch.close()

    def add(self, block: Block) -> None:
        size = len(block.clean) + sum(len(record) for _, record in block.odd)
        self._scratch.optimize(size > _SMALL_BLOCK_BYTES)
        self._add_clean(block)
        if block.odd:
            self._add_odd(block)
        self._fail(block)
        if not self._strict:
            is_clean = block.kind == Kind.CLEAN
            is_short = (block.cell_count > 0) & (block.cell_count < self._columns.count)
            positions = np.flatnonzero(is_short & is_clean)
            self._add_short(block, positions + block.first_record, block.cell_count[positions])
            self._add_wide(block, np.flatnonzero(is_clean & (block.cell_count > self._columns.count)))

    def _add_clean(self, block: Block) -> None:
        scratch = self._scratch
        positions = np.flatnonzero(block.kind == Kind.CLEAN)
        scratch.put("clean_record", pa.table({"record": positions + block.first_record, "line": block.line[positions]}))
        with self._files.offer(block.clean) as path:
            # Joined by position: where one side is shorter, its columns are null.
            cells = f"clean_record positional join {csv_reader_sql(path, self._all, self._dialect)}"
            # To look for the first byte alone is much faster.
            has_formulas = self._is_cleaned and BEGINNING[:1] in block.clean and BEGINNING in block.clean
            selected = self._selected_of_formulas if has_formulas else self._selected
            source = f"(select record, line, {selected} from {cells})"
            found = scratch.value(
                f"insert into staged {self._check(source, is_read='c0', surplus=_surplus_sql(self._columns))}"
            )
        missing = scratch.value(
            "select count(*) from staged where record >= ? and fault = ?", [block.first_record, _NOT_READ]
        )
        if found != block.clean_count or missing:
            raise Disagreement(
                f"of records {block.first_record} to {block.first_record + block.record_count - 1} the scan found "
                f"{block.clean_count} clean ones and the CSV reader {found - missing}"
            )

    def _add_short(self, block: Block, records: Offsets, cell_counts: Offsets) -> None:
        if not records.size:
            return
        lines = block.line[records - block.first_record]
        self._scratch.put("short_here", pa.table({"record": records, "line": lines, "cells": cell_counts}))
        self._scratch.run("insert into short_row select record, line, cells from short_here")

    def _add_wide(self, block: Block, positions: Offsets) -> None:
        if positions.size:
            records = positions + block.first_record
            self._scratch.put("wide_here", pa.table({"record": records, "line": block.line[positions]}))
            self._scratch.run("insert into wide_row select record, line from wide_here")

    def _add_odd(self, block: Block) -> None:
        """Add the records that another reader might read differently, with the cells of our own state machine."""
        count = self._columns.count
        wanted = sorted(set(self._columns.indexes))
        rows: dict[str, list[object]] = {"record": [], "line": [], "surplus": [], **{f"c{i}": [] for i in wanted}}
        if self._columns.code is not None:
            rows["unfixed"] = []
        short: list[tuple[int, int]] = []
        wide: list[int] = []
        for record, cells in block.odd_records():
            if len(cells) < count:
                short.append((record, len(cells)))
            elif len(cells) > count:
                wide.append(record - block.first_record)
            last_filled = max((number for number, cell in enumerate(cells, 1) if not is_blank(cell)), default=0)
            rows["record"].append(record)
            rows["line"].append(int(block.line[record - block.first_record]))
            rows["surplus"].append(last_filled if last_filled > count else 0)
            if self._columns.code is not None:
                rows["unfixed"].append(_unfixed(cells, self._columns, self._columns.code))
            if self._columns.has_apostrophes:
                cells = [remove_apostrophe(cell) for cell in cells]
            if self._is_cleaned:
                cells = [text_of_formula(cell) for cell in cells]
            for index in wanted:
                rows[f"c{index}"].append(cells[index] if index < len(cells) else None)
        types = dict.fromkeys(("record", "line", "surplus"), pa.int64()) | {"unfixed": pa.int32()}
        self._scratch.put(
            "odd_record",
            pa.table({name: pa.array(column, types.get(name, pa.string())) for name, column in rows.items()}),
        )
        check = self._check("odd_record", is_read="record", surplus=_Surplus("surplus", "surplus > 0"))
        self._scratch.run(f"insert into staged {check}")
        if short and not self._strict:
            records, cell_counts = np.array(short, np.int64).T
            self._add_short(block, records, cell_counts)
        if not self._strict:
            self._add_wide(block, np.array(wide, np.int64))

    def _fail(self, block: Block) -> None:
        """Set the records apart that are no records."""
        positions = np.flatnonzero(block.kind >= Kind.MALFORMED_QUOTES)
        if not positions.size:
            return
        codes = [_FAULT_CODES[Kind(kind)] for kind in block.kind[positions].tolist()]
        self._scratch.put(
            "failed_here",
            pa.table({"record": positions + block.first_record, "line": block.line[positions], "code": codes}),
        )
        self._scratch.run("insert into failed select record, line, 0, code, null, null from failed_here")


# What the first look at a record finds, as numbers.
_NO_FAULT = 0
# It may have other faults as well.
_SURPLUS = 1
_FAULTY = 2
# No fault of the record: the reader gave none where the scan found one.
_NOT_READ = 3
# Their surplus is the whole row, of which the values may be in their columns now.
_CODES_OF_WHOLE_ROW = (faults.MALFORMED_QUOTES, faults.SHIFTED_CELLS, faults.BROKEN_ROW)
# A row of a file of failed rows whose error is still there: characters that are not valid, cells beyond the header, or
# nothing but its surplus.
_UNFIXED = {code: 4 + i for i, code in enumerate((faults.INVALID_UTF8, faults.SURPLUS_LEFT, *_CODES_OF_WHOLE_ROW))}
_SET_APART = ", ".join(map(str, (_NO_FAULT, _NOT_READ, *_UNFIXED.values())))


def _set_failed_apart(
    scratch: ScratchCursor,
    mapping: UploadMapping,
    columns: _Columns,
    options: JobOptions,
    phone_region: str,
    *,
    strict: bool,
) -> None:
    """Tell of each faulty record in ``staged`` everything that is wrong with it."""
    key_value = f"v{mapping.fields.index(mapping.unique_key)}"
    key_check = options.checks.get(mapping.unique_key.name)
    fails_key_check = "false" if key_check is None else _fails_check_sql(key_value, key_check, phone_region)
    has_broken = find_broken_rows(scratch, columns.count, options.short_rows, key_value, fails_key_check)
    if has_broken:
        scratch.run(
            f"update staged set fault = {_FAULTY}, key = null "
            f"where fault = {_NO_FAULT} and record in (select record from broken_row)"
        )
    shifted_rows = [] if strict else _find_rows_in_wrong_columns(scratch, columns, options)
    is_shifted = f"record in ({' union all '.join(shifted_rows)})"
    if shifted_rows:
        scratch.run(f"update staged set fault = {_FAULTY}, key = null where fault = {_NO_FAULT} and {is_shifted}")
    # Narrow tables of few rows: what follows looks at them once for each field.
    if columns.code is not None:
        for code, fault in _UNFIXED.items():
            scratch.run(
                f"insert into failed select record, line, 0, ?, null, null from staged where fault = {fault}", [code]
            )
    faulty_count = scratch.value(f"create temp table faulty as select * from staged where fault not in ({_SET_APART})")
    if faulty_count and not strict:
        _set_headers_apart(scratch, mapping)
    if faulty_count and scratch.value("select exists (select 1 from faulty)"):
        no_key = f"{mapping.sql_identity(key_value, phone_region)} is null"
        found: list[tuple[str, str | None, str, str]] = [
            (faults.TOO_MANY_CELLS, None, f"fault = {_SURPLUS}", "surplus")
        ]
        if has_broken:
            cells = "(select cells from broken_row b where b.record = faulty.record)"
            found.insert(0, (faults.BROKEN_ROW, None, "record in (select record from broken_row)", cells))
        if shifted_rows:
            found.append((faults.SHIFTED_CELLS, None, f"fault <> {_SURPLUS} and {is_shifted}", "null"))
        for code, condition in _no_identity_sql(key_value, mapping, strict=strict).items():
            found.append((code, mapping.unique_key.header, condition, "null"))
            no_key = f"({no_key} and not coalesce({condition}, false))"
        found.append((faults.MISSING_UNIQUE_KEY, mapping.unique_key.header, no_key, "null"))
        for index, field in enumerate(mapping.fields):
            value = f"v{index}"
            found.append((faults.VALUE_TOO_LONG, field.header, _too_long_sql(value, field), f"length({value})"))
            if field.standard and field.standard.allowed_values:
                not_allowed = _not_allowed_sql(value, field.standard.allowed_values)
                found.append((faults.VALUE_NOT_ALLOWED, field.header, not_allowed, "null"))
            if check := options.checks.get(field.name):
                found.append((check.code, field.header, _fails_check_sql(value, check, phone_region), "null"))
        scratch.run(
            "create temp table found_fault (record bigint, line bigint, place integer, code text, column_name text, "
            "detail bigint)"
        )
        for place, (code, column_name, condition, detail) in enumerate(found):
            scratch.run(
                f"insert into found_fault select record, line, {place}, ?, ?, {detail} from faulty where {condition}",
                [code, column_name],
            )
        scratch.run(
            "insert into failed select record, line, row_number() over (partition by record order by place) - 1, code, "
            "column_name, detail from found_fault"
        )
        scratch.run("drop table found_fault")
    scratch.run("drop table faulty")
    scratch.run("drop table if exists broken_row")
    scratch.run("drop table if exists shifted_row; drop table if exists moved_row")


def _refuse_changed_order(scratch: ScratchCursor, mapping: UploadMapping) -> None:
    """Refuse a file in which the columns have another order from some row on.

    Raises:
        FileRejected: it is such a file.
    """
    if (changed := find_changed_order(scratch, len(mapping.fields))) is not None:
        *names, last = (repr(mapping.fields[field].header) for field in changed.fields)
        raise FileRejected(
            f"From line {changed.line:,} on, the columns {', '.join(names)} and {last} have values like those of other "
            "columns before, so the columns seem to have a different order there. The rows would be loaded into the "
            "wrong fields. Split the file at this line, or put its columns in the same order."
        )


def _find_rows_in_wrong_columns(scratch: ScratchCursor, columns: _Columns, options: JobOptions) -> list[str]:
    """Find the rows with values in the wrong columns; return queries for their records."""
    is_sound = f"fault = {_NO_FAULT}"
    may_be_moved = is_sound
    if options.short_rows == LOAD:
        may_be_moved += " and record not in (select record from short_row)"
    queries = []
    if find_shifted_rows(scratch, len(columns.indexes)):
        queries.append("select record from shifted_row")
    if find_moved_rows(scratch, columns.indexes, columns.count, may_be_moved):
        queries.append("select record from moved_row")
    if find_split_rows(scratch, columns.indexes, is_sound):
        queries.append("select record from split_row where is_shifted")
    return queries


def _set_headers_apart(scratch: ScratchCursor, mapping: UploadMapping) -> None:
    """Move the rows that repeat the header from ``faulty`` to ``failed``.

    Raises:
        FileRejected: its columns stand in another order there.
    """
    repeats = _repeats_header_sql(mapping)
    moved = scratch.value(f"select min(line) from faulty where {repeats} and {_moves_columns_sql(mapping)}")
    if moved is not None:
        raise FileRejected(
            f"Line {moved:,} repeats the column names in a different order. The rows below it would "
            "be loaded into the wrong fields. Split the file at this line, or put its columns in the same order."
        )
    scratch.run(
        f"insert into failed select record, line, 0, ?, null, null from faulty where {repeats}",
        [faults.REPEATED_HEADER],
    )
    # What else is wrong with such a row does not matter.
    scratch.run(f"delete from faulty where {repeats}")


@dataclass(frozen=True, slots=True)
class _Surplus:
    """SQL for the number of the last filled cell beyond the header (else 0), and for whether to ask for it."""

    number: str
    suspicion: str


def _surplus_sql(columns: _Columns) -> _Surplus:
    """Of records that were read with some spare columns."""
    spare = [f"c{index}" for index in range(columns.count, columns.count + _SPARE_COLUMNS)]
    cases = " ".join(
        f"when not {sql_is_blank(cell)} then {columns.count + _SPARE_COLUMNS - offset}"
        for offset, cell in enumerate(reversed(spare))
    )
    return _Surplus(f"case {cases} else 0 end", " or ".join(f"{cell} <> ''" for cell in spare))


# Characters that are not valid are written as U+FFFD into a file of failed rows for spreadsheets.
_NOT_VALID = "\ufffd"
_CODE_OF_NOT_VALID = re.compile(rf"\b{faults.INVALID_UTF8}\b")
_NOT_SURPLUS = re.compile(rf"\b({'|'.join(_CODES_OF_WHOLE_ROW)})\b")


def _unfixed(cells: Sequence[str], columns: _Columns, code: int) -> int:
    """Return the value of ``_UNFIXED`` for a row of a file of failed rows; 0 if its error may be fixed.

    Args:
        code: the index of the column with the codes of its errors.
    """
    if code < len(cells):
        if _CODE_OF_NOT_VALID.search(cells[code]) and any(_NOT_VALID in cell for cell in cells):
            return _UNFIXED[faults.INVALID_UTF8]
        surplus = columns.surplus
        has_surplus = surplus is not None and surplus < len(cells) and not is_blank(cells[surplus])
        whole_row = _NOT_SURPLUS.search(cells[code])
        if has_surplus and (whole_row is None or all(map(is_blank, cells[:surplus]))):
            return _UNFIXED[whole_row[0] if whole_row else faults.SURPLUS_LEFT]
    return 0


def _unfixed_sql(columns: _Columns, code: int) -> str:
    cells = ", ".join(f"c{index}" for index in range(columns.count))
    is_not_valid = f"contains(concat({cells}), {sql_text(_NOT_VALID)})"
    cases = f"when {_sql_has(code, _CODE_OF_NOT_VALID)} and {is_not_valid} then {_UNFIXED[faults.INVALID_UTF8]}"
    if columns.surplus is not None:
        has_surplus = f"not {sql_is_blank(f'c{columns.surplus}')}"
        cases += f" when {has_surplus} and not {_sql_has(code, _NOT_SURPLUS)} then {_UNFIXED[faults.SURPLUS_LEFT]}"
        others = ", ".join(f"c{index}" for index in range(columns.surplus))
        for one in _CODES_OF_WHOLE_ROW:
            is_unfixed = f"{_sql_has(code, re.compile(one))} and {sql_is_blank(f'concat({others})')}"
            cases += f" when {has_surplus} and {is_unfixed} then {_UNFIXED[one]}"
    return f"case {cases} else 0 end"


def _sql_has(code: int, pattern: re.Pattern[str]) -> str:
    return f"regexp_matches(coalesce(c{code}, ''), {sql_text(pattern.pattern)})"


def _too_long_sql(value: str, field: MappedField) -> str:
    return f"length({value}) > {field.max_length}"


def _not_allowed_sql(value: str, allowed_values: Iterable[str]) -> str:
    allowed = ", ".join(f"'{one}'" for one in allowed_values)
    return f"{value} not in ({allowed}, '')"


def _fails_check_sql(value: str, check: ValueCheck, phone_region: str) -> str:
    return f"({value} <> '' and {check.sql_violation(value, phone_region)})"


def _repeats_header_sql(mapping: UploadMapping) -> str:
    """SQL condition: the mapped cells that are filled are names of mapped columns, at least two if there are two."""
    values = [f"v{index}" for index in range(len(mapping.fields))]
    filled = " + ".join(f"(coalesce({value}, '') <> '')::integer" for value in values)
    forms = ", ".join(f"coalesce({_name_form_sql(value)}, '')" for value in values)
    return f"({filled} >= {min(len(values), 2)} and list_has_all(['', {_names_sql(mapping)}], [{forms}]))"


def _moves_columns_sql(mapping: UploadMapping) -> str:
    """SQL condition: a cell that is a name of a column is the name of another one than its own."""
    moved = (
        f"(coalesce(v{index}, '') <> '' and {_name_form_sql(f'v{index}')} <> {sql_text(_name_form(field.header))})"
        for index, field in enumerate(mapping.fields)
    )
    return f"({' or '.join(moved)})"


def _is_name_sql(value: str, mapping: UploadMapping) -> str:
    longest = max(len(field.header) for field in mapping.fields)
    # Most values are longer, so that their form is not made.
    is_short = f"length({value}) <= {longest + _SPARE_NAME_CHARACTERS}"
    return f"({is_short} and {_name_form_sql(value)} in ({_names_sql(mapping)}))"


def _names_sql(mapping: UploadMapping) -> str:
    return ", ".join(sorted({sql_text(_name_form(field.header)) for field in mapping.fields}))


# Of a name that is written with blanks.
_SPARE_NAME_CHARACTERS = 4


def _name_form(name: str) -> str:
    """Return what two spellings of the name of a column have in common."""
    return name.lower().replace(" ", "").replace("_", "").replace("-", "")


def _name_form_sql(value: str) -> str:
    """Build SQL (DuckDB) for ``_name_form``."""
    return f"replace(replace(replace(lower({value}), ' ', ''), '_', ''), '-', '')"


def _no_identity_sql(value: str, mapping: UploadMapping, *, strict: bool) -> dict[str, str]:
    """SQL conditions under which a value identifies no customer, by the code of the error."""
    conditions: dict[str, str] = {}
    if not mapping.needs_key:
        return conditions
    # As a standard key, a placeholder has no normal form, so that the index could not find it again.
    if mapping.can_be_given or not strict:
        conditions[faults.PLACEHOLDER_KEY] = sql_is_placeholder(value)
    if not strict:
        conditions[faults.PLACEHOLDER_KEY] = f"({sql_is_placeholder(value)} or {sql_is_leftover(value)})"
        conditions[faults.SHORTENED_NUMBER] = sql_is_shortened_number(value)
    return conditions


def _check_sql(
    source: str,
    *,
    is_read: str,
    surplus: _Surplus,
    mapping: UploadMapping,
    columns: _Columns,
    options: JobOptions,
    phone_region: str,
    strict: bool,
) -> str:
    """The query that applies the mapping to records of cells and finds those with a fault.

    Args:
        source: a table of ``record``, ``line`` and cells ``c0``, ``c1``, ...
        is_read: a column that is null where the reader had no record.
        surplus: in the columns of ``source``.
    """
    # Hardly a record is suspicious, so only the few that are pay for the tests themselves.
    suspicions, tests = [surplus.suspicion], ["key is null"]
    values = []
    for index, field in enumerate(mapping.fields):
        cell = f"c{columns.indexes[index]}"
        # An empty value clears its field. The unique key is none that could be cleared: without it the row fails.
        blank = "''" if options.blank_cells == CLEAR and field is not mapping.unique_key else "null"
        if blank != "null" and not strict:
            # A cell that the row does not have clears nothing.
            blank = f"case when {cell} is not null then {blank} end"
        # Nearly every cell begins with a printable ASCII character, which one comparison of bytes shows.
        kept = cell if mapping.keeps_texts else "''"
        values.append(
            f"case when {cell} between '!' and '~~' then {kept} when {sql_is_blank(cell)} then {blank} else {kept} end "
            f"as v{index}"
        )
        # Bytes first: only a value of more bytes than that can have more characters. The value, not the cell, so that
        # the cells need not be kept in memory beside the values.
        suspicions.append(f"strlen(v{index}) > {field.max_length}")
        tests.append(_too_long_sql(f"v{index}", field))
        if field.standard and field.standard.allowed_values:
            not_allowed = _not_allowed_sql(f"v{index}", field.standard.allowed_values)
            suspicions.append(not_allowed)
            tests.append(not_allowed)
        if check := options.checks.get(field.name):
            fails = _fails_check_sql(f"v{index}", check, phone_region)
            suspicions.append(fails)
            tests.append(fails)
    key_value = f"v{mapping.fields.index(mapping.unique_key)}"
    if not strict:
        suspicions.append(_is_name_sql(key_value, mapping))
        tests.append(_repeats_header_sql(mapping))
    key = mapping.sql_identity(key_value, phone_region)
    no_identity = _no_identity_sql(key_value, mapping, strict=strict)
    if mapping.can_be_given:
        # Other placeholders have no identity anyway.
        no_identity[faults.PLACEHOLDER_KEY] = "false" if strict else sql_is_leftover(key_value)
    if no_identity:
        key = f"case when {' or '.join(no_identity.values())} then null else {key} end"
    names = ", ".join(f"v{index}" for index in range(len(mapping.fields)))
    is_unfixed = "" if columns.code is None else "when unfixed > 0 then unfixed"
    return f"""
        with mapped as (
            select *, {", ".join(values)} from {source}
        ), keyed as (
            select *, {key} as key from mapped
        ), judged as (
            select *, (case
                when {is_read} is null then {_NOT_READ}
                {is_unfixed}
                when coalesce({" or ".join(suspicions)}, false) then case
                    when {surplus.number} > 0 then {_SURPLUS}
                    when {" or ".join(tests)} then {_FAULTY}
                    else {_NO_FAULT} end
                when key is null then {_FAULTY}
                else {_NO_FAULT}
            end)::integer as fault from keyed
        )
        select record, line, case when fault = {_NO_FAULT} then key end as key, fault,
            case when fault = {_SURPLUS} then ({surplus.number})::bigint end as surplus, {names}
        from judged
    """


def csv_reader_sql(path: str, column_count: int, dialect: Dialect) -> str:
    """SQL for DuckDB's reader over the clean records of a block, with every option fixed and nothing guessed.

    A cell that is not there is null, an empty one is not: nothing in a clean record stands for null.
    """
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(column_count))
    quote = sql_text(dialect.quote or "")
    return (
        f"read_csv('{path}', auto_detect = false, header = false, delim = '{dialect.delimiter}', "
        f"quote = {quote}, escape = {quote}, "
        f"columns = {{{columns}}}, nullstr = '\x00', null_padding = true, strict_mode = false, parallel = false, "
        "max_line_size = 4194304)"
    )
