"""Write the planned records into the profiles, in chunks.

New profiles go in file order, so that they append; existing ones in the order of the store. A chunk is one
transaction that also records the job's position and counts. What it writes is made by a thread of its own, while the
chunk before it is written.

The plan may be older than the store: the API writes while a load runs, and its writes count up the domain's
``key_version``. A chunk that sees another version than the plan looks its keys up again. Targets for which the answer
has changed are left out of the chunk; their records are set apart, with the entangled ones, to be followed one by one
against the store as it then is. So a profile that appeared meanwhile is found, and a load never makes two profiles
hold one unique key.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

import pyarrow as pa
import pyarrow.compute

from openprofiles.bulk.chunks import ChunkSize
from openprofiles.bulk.compare import (
    ProfileChanges,
    changed_columns,
    compare,
    read_stored,
)
from openprofiles.bulk.leased_work import valid_chunk
from openprofiles.store.bulk_protocols import PreparedRows
from openprofiles.store.note_tables import ORDERED_RECORDS
from openprofiles.uploads.loading.load_work import Load
from openprofiles.uploads.loading.record_values import changed_parts, match_targets, new_parts, new_rows
from openprofiles.uploads.loading.same_customer import (
    find_candidates,
    keys_sql,
    split_candidates,
    without_keys_of_others,
)
from openprofiles.uploads.loading.unchanged_records import count_unchanged

CREATE = "create"
UPDATE = "update"
_BATCHES_AHEAD = 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Batch(Generic[T]):
    """What one chunk writes.

    Attributes:
        made_of: targets: target, pid, key, row_count, values, attributes.
        key_version: see ``Made``.
        set_apart: ``record``, those that are left to be followed one by one.
        record_count: how many records the written targets stand for.
        unchanged_count: how many of them change nothing.
        writes: the new profiles, or the changes of stored ones.
    """

    made_of: pa.Table
    key_version: int
    set_apart: pa.Table
    record_count: int
    unchanged_count: int
    writes: T


def create_profiles(load: Load, position: int) -> None:
    """Write the new profiles, those whose first record comes after ``position``.

    Raises:
        Stopped: see there. What was written before stays.
    """
    size = ChunkSize(10_000)
    with load.made_ahead(lambda ahead: _new_batches(ahead, position, size), _BATCHES_AHEAD) as batches:
        for first_made in batches:
            with valid_chunk(load, first_made, _new_batch, size) as batch:
                load.store.add_notes(ORDERED_RECORDS, batch.set_apart)
                load.store.insert_profiles(batch.writes, load.profile_write())
                load.store.record_progress(
                    phase=CREATE,
                    position=batch.made_of["target"][-1].as_py(),
                    created=batch.writes.num_rows,
                    updated=batch.record_count - batch.writes.num_rows,
                    unchanged=batch.unchanged_count,
                )


def update_profiles(load: Load, position: int) -> None:
    """Write the changes of existing profiles, those with a row number above ``position``.

    Raises:
        Stopped: see there. What was written before stays.
    """
    match_targets(load)
    size = ChunkSize(5_000)
    with load.made_ahead(lambda ahead: _changed_batches(ahead, position, size), _BATCHES_AHEAD) as batches:
        for first_made in batches:
            with valid_chunk(load, first_made, _changed_batch, size) as batch:
                load.store.add_notes(ORDERED_RECORDS, batch.set_apart)
                load.store.insert_pending_keys(batch.writes.keys)
                batch.writes.write(load, load.store)
                load.store.record_progress(
                    phase=UPDATE,
                    position=batch.made_of["pid"][-1].as_py(),
                    updated=batch.record_count,
                    unchanged=batch.unchanged_count,
                )


def _new_batches(load: Load, position: int, size: ChunkSize) -> Generator[_Batch[PreparedRows], None, None]:
    for part in new_parts(load, position):
        while part.num_rows:
            count = size.rows
            yield _new_batch(load, part.slice(0, count))
            part = part.slice(count)


def _changed_batches(load: Load, position: int, size: ChunkSize) -> Generator[_Batch[ProfileChanges], None, None]:
    # To read the values and to compare them takes longer than to write them, so each has a thread.
    columns = changed_columns(load)
    with load.made_ahead(lambda ahead: changed_parts(ahead, position, size, columns), 1) as parts:
        for version, targets, stored in parts:
            yield _compared_batch(load, version, targets, stored)


def _new_batch(load: Load, targets: pa.Table) -> _Batch[PreparedRows]:
    version = load.reader.read_key_version()
    kept, set_apart = _still_valid(load, version, targets)
    rows = load.reader.prepare_rows(new_rows(load, kept))
    unchanged = count_unchanged(load, kept, None)
    return _Batch(targets, version, set_apart, _record_count(kept), unchanged, rows)


def _changed_batch(load: Load, targets: pa.Table) -> _Batch[ProfileChanges]:
    version = load.reader.read_key_version()
    return _compared_batch(load, version, targets, read_stored(load, load.reader, targets, changed_columns(load)))


def _compared_batch(load: Load, version: int, targets: pa.Table, stored: pa.Table) -> _Batch[ProfileChanges]:
    """The batch of these targets, given what was stored when the domain had this version, or after."""
    kept, set_apart = _still_valid(load, version, targets)
    if set_apart.num_rows:
        stored = stored.filter(pa.compute.is_in(stored["pid"], kept["pid"].combine_chunks().cast(pa.int64())))
    kept = without_keys_of_others(kept, stored, cursor=load.cursor, job=load.job, mapping=load.mapping)
    changes = compare(load, kept, stored)
    unchanged = count_unchanged(load, kept, stored)
    return _Batch(targets, version, set_apart, _record_count(kept), unchanged, changes)


def _record_count(targets: pa.Table) -> int:
    return pa.compute.sum(targets["row_count"]).as_py() or 0


def _still_valid(load: Load, version: int, targets: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The targets whose plan still holds, and the records of the others.

    Args:
        version: of the domain, read before what the targets are compared with.
    """
    if version == load.key_version:
        return targets, pa.table({"record": pa.array([], pa.int64())})
    return _set_changed_apart(load, targets)


def _set_changed_apart(load: Load, targets: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Take out the targets whose key something else has changed since the plan; those kept, and the others' records."""
    load.cursor.put("asked", targets.select(["target", "pid", "key"]))
    keys = load.cursor.table(keys_sql(load.mapping, "asked"))
    candidates = find_candidates(load.reader, load.mapping, keys)
    found, _ = split_candidates(
        candidates, keys, cursor=load.cursor, reader=load.reader, job=load.job, mapping=load.mapping
    )
    load.cursor.put("asked", targets.select(["target", "pid", "key"]))
    load.cursor.put("found", found)
    # The load itself writes the keys of these profiles only in its last step, so whatever differs from the plan was
    # written by something else.
    moved = load.cursor.table(
        """
        select target from (
            select target, asked.pid as planned, count(distinct found.pid) as holders, min(found.pid) as pid
            from asked left join found using (key) group by all
        ) where holders > 1 or pid is distinct from planned
        """
    )
    load.cursor.put("moved", moved)
    set_apart = load.cursor.table(
        "select record from member join moved using (target) union select target from moved order by 1"
    )
    is_moved = pa.compute.is_in(targets["target"], moved["target"].combine_chunks())
    return targets.filter(pa.compute.invert(is_moved)), set_apart
