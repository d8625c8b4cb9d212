"""Read the values of the planned records, and what is stored of their profiles, some at a time.

A *target* is what the plan has found: a new profile or a stored one. Its values are those of its only record, or the
last value of its records in each field.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from openprofiles.bulk.chunks import ChunkSize
from openprofiles.bulk.compare import in_order, read_stored
from openprofiles.bulk.profile_ids import new_profile_ids
from openprofiles.uploads.loading.load_work import Load

# Values are read from the scratch database about so much at a time.
_BYTES_PER_PART = 8_000_000


def match_targets(load: Load) -> None:
    """Make the table ``matched``: the targets that are stored profiles, in order of row number."""
    if not load.scratch.is_done("matched"):
        load.scratch.run(
            "create or replace table matched as "
            "select target, pid, row_count from target where pid is not null order by pid"
        )
        load.scratch.mark_done("matched")


def new_parts(load: Load, position: int = 0, *, only_several: bool = False) -> Generator[pa.Table, None, None]:
    """Yield the targets that make new profiles, with their values, a part at a time, in file order.

    Args:
        position: the last record that is left out.
        only_several: only those of several records.
    """
    last = load.cursor.value("select max(target) from target where pid is null") or 0
    step = _records_per_part(load)
    for low in range(position, last, step):
        yield in_order(_read_new(load, low, low + step, only_several=only_several), "target")


def changed_parts(
    load: Load, position: int, size: ChunkSize, columns: Sequence[str]
) -> Generator[tuple[int, pa.Table, pa.Table], None, None]:
    """What one chunk changes: a version of the domain, targets with their values, and what was stored no earlier.

    Args:
        columns: those of ``profile`` that are read.
    """
    # The values come from the scratch database, what is stored from the store: each is read by a thread of its own.
    with load.made_ahead(lambda ahead: _changed_targets(ahead, position), 1) as parts:
        for part in parts:
            while part.num_rows:
                rows = size.rows
                targets = part.slice(0, rows)
                version = load.reader.read_key_version()
                yield version, targets, read_stored(load, load.reader, targets, columns)
                part = part.slice(rows)


def _changed_targets(load: Load, position: int) -> Generator[pa.Table, None, None]:
    """The targets that are stored profiles with a row number above ``position``, in its order, some at a time."""
    # The table is in order of pid, so its row ids are too: a range of them is read without looking at the others.
    first = int(load.cursor.value("select count(*) from matched where pid <= ?", [position]))
    count = int(load.cursor.value("select count(*) from matched"))
    step = _records_per_part(load)
    for low in range(first, count, step):
        # The values come to the narrow table a part at a time: sorting all of them at once takes memory with the file.
        chosen = f"select target, pid, row_count from matched where rowid >= {low} and rowid < {low + step}"
        yield in_order(_read_values(load, chosen), "pid")


def _records_per_part(load: Load) -> int:
    return max(1000, _BYTES_PER_PART // max(load.bytes_per_record, 1))


def _read_new(load: Load, low: int, high: int, *, only_several: bool) -> pa.Table:
    """Read the targets above ``low`` up to ``high`` that make new profiles, with their values."""
    if only_several or not load.all_new:
        chosen = f"select target, pid, row_count from target where target > {low} and target <= {high} and pid is null"
        return _read_values(load, f"{chosen} and row_count > 1" if only_several else chosen)
    # The common first load needs no join.
    return load.cursor.table(
        f"select record as target, null::bigint as pid, key, 1::bigint as row_count, {', '.join(load.value_names)}, "
        f"{load.attributes_sql()} as attributes from staged "
        f"where record > {low} and record <= {high} and key is not null"
    )


def _read_values(load: Load, targets: str) -> pa.Table:
    """The targets that a query chooses, with their values."""
    load.cursor.run(f"create or replace temp table part as {targets}")
    if not load.cursor.value("select exists (select 1 from part where row_count > 1)"):
        return load.cursor.table(targets_with_values_sql(load, "part", None))
    # Joining what is folded as a whole would take memory with the file.
    load.cursor.run(
        "create or replace temp table folded_part as select * from folded where target in (select target from part)"
    )
    return load.cursor.table(targets_with_values_sql(load, "part", "folded_part"))


def targets_with_values_sql(load: Load, targets: str, folded: str | None) -> str:
    """SQL for targets with their key, their values and the attributes made of these.

    Args:
        targets: a table of ``target`` (the record that the values come from), ``pid`` and ``row_count``.
        folded: a table with the values of targets of several records; None if there are none.
    """
    if folded is None:
        values = ", ".join(f"s.{name}" for name in load.value_names)
        join = ""
    else:
        # What is folded holds the values of the first record too, so it is null only where that is.
        values = ", ".join(f"coalesce(f.{name}, s.{name}) as {name}" for name in load.value_names)
        join = f"left join {folded} f on f.target = t.target"
    return (
        f"select *, {load.attributes_sql()} as attributes from "
        f"(select t.target, t.pid, s.key, t.row_count, {values} "
        f"from {targets} t join staged s on s.record = t.target {join})"
    )


def new_rows(load: Load, targets: pa.Table) -> pa.Table:
    """The new profiles of these targets, as ``ProfileRows.insert_profiles`` takes them."""
    pids: npt.NDArray[np.int64] = targets["target"].to_numpy() + load.pid_base
    values = [targets[name] for name in load.standard_columns]
    attributes = targets["attributes"]
    if load.clears:
        # There is nothing to clear.
        values = [_without_empty(value) for value in values]
        attributes = _attributes_of_new(load, targets)
    return pa.table(
        [pa.array(pids), new_profile_ids(load.clock(), pids), *values, attributes],
        ["pid", "profile_id", *load.standard_columns.values(), "attributes"],
    )


def _without_empty(values: pa.ChunkedArray) -> pa.ChunkedArray:
    is_empty = pa.compute.fill_null(pa.compute.equal(values, ""), False)
    return pa.compute.if_else(is_empty, pa.scalar(None, values.type), values)


def _attributes_of_new(load: Load, targets: pa.Table) -> pa.ChunkedArray:
    load.cursor.put("chosen", targets)
    members = load.attributes_sql(of_empty=None)
    return load.cursor.table(f"select {members} as attributes from chosen order by target")["attributes"]
