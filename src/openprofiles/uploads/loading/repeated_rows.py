"""The rows of a file whose unique key an earlier row has too, as staging and planning found them.

Rows that cannot be loaded for a reason of their own are left out. Only numbers: of the record, of its line, and of the
first row with that key.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from openprofiles.bulk.scratch import Scratch

# A file in which every key stands twice must not cost a report as long as itself.
MAX_REPORTED = 100_000

_ROWS_PER_TABLE = 20_000


def count_repeated_rows(scratch: Scratch) -> int:
    """How many there are."""
    return int(scratch.value("select coalesce(sum(row_count - 1), 0) from key_group where row_count > 1"))


def repeated_rows(scratch: Scratch) -> Iterator[pa.Table]:
    """The first ``MAX_REPORTED`` of them, in file order: record, line, first_record, first_line."""
    # A narrow table first: only of what is reported the lines of the first rows are looked for.
    scratch.run(
        "create or replace temp table repeated_row as "
        "select record, line, first from staged join key_group using (key) "
        f"where row_count > 1 and record <> first order by record limit {MAX_REPORTED}"
    )
    rows = scratch.table(
        "select r.record, r.line, r.first as first_record, s.line as first_line "
        "from repeated_row r join staged s on s.record = r.first order by r.record"
    )
    scratch.run("drop table repeated_row")
    for start in range(0, rows.num_rows, _ROWS_PER_TABLE):
        yield rows.slice(start, _ROWS_PER_TABLE)
