"""Step 5, index: take from the search index what the load's updates removed, and put in what it added, all sorted.

Sorted order writes each page of the index about once; in the order of the file, the same keys took five times as
long. The keys of new profiles come from the scratch database, those that updates changed from the table
``pending_keys``, which was written with the updates themselves.

Something else may have changed or deleted a profile since the load wrote it. When the domain's ``key_version`` says
so, the profiles of a chunk are read again: a key goes in only if the profile's present fields still give it, and goes
out only if they no longer do.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress

import pyarrow as pa

from openprofiles.profiles.keys import field_key_name
from openprofiles.store.bulk import BulkStore, LeasedJob, PreparedRows
from openprofiles.uploads.chunks import ChunkSize
from openprofiles.uploads.key_columns import NO_VALUE, KeyRule, sql_keys, sql_keys_or_null
from openprofiles.uploads.made_ahead import made_ahead
from openprofiles.uploads.merge import Load
from openprofiles.uploads.plan import group_values, read_ordered_records
from openprofiles.uploads.scratch import Scratch, ScratchCursor
from openprofiles.uploads.sql_text import sql_text
from openprofiles.uploads.stored_values import column_of, stored_value

REMOVE = "unindex"
ADD = "index"

_ROWS_PER_READ = 50_000
# Few: their size was chosen before what is written now has shown how long it takes.
_CHUNKS_AHEAD = 2
_INTERRUPT_AGAIN_SECONDS = 0.05


class KeySorting:
    """Sorts the keys of the profiles that the plan creates, into one table for each name, in a thread of its own.

    That needs the file and the plan alone, so it runs beside the merging, whose work is the store's.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._threads = ThreadPoolExecutor(1, initializer=_run_when_idle)
        self._tables = {
            rule.name: self._threads.submit(_make_new_keys, load, number, rule)
            for number, rule in enumerate(_rules(load))
        }

    def wait_for(self, name: str) -> None:
        """Return when the table of this name is made."""
        self._tables[name].result()

    def close(self) -> None:
        """Give up what is not made yet."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        # Once is not enough: the thread may be between two statements.
        while not all(table.done() for table in self._tables.values()):
            self._load.cursor.connection.interrupt()
            wait(self._tables.values(), timeout=_INTERRUPT_AGAIN_SECONDS)
        self._threads.shutdown()


def _run_when_idle() -> None:
    """Have this thread take the processor only when no other thread of the loader wants it."""
    # Some sandboxes refuse it; then the threads share the processor, which costs a little time.
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def write_keys(load: Load, created: str, phase: str | None, position: int, sorting: KeySorting | None) -> None:
    """Bring the index up to date with what the load wrote.

    Args:
        created: SQL condition on the table ``target`` that chooses the new profiles which are in the store.
        phase: where an earlier loader of this job stopped, with its position, if it was in this step.
        sorting: what makes the tables of the planned profiles' keys; None if nothing does yet.
    """
    if not load.scratch.is_done("keys"):
        _read_pending_keys(load)
        read_ordered_records(load.scratch, load.store)
        load.scratch.run(
            "create or replace table not_created as select target from target "
            f"where pid is null and (target in (select record from ordered) or not ({created}))"
        )
        load.scratch.mark_done("keys")
    if phase != ADD:
        _write(load, REMOVE, position if phase == REMOVE else 0, sorting)
    _write(load, ADD, position if phase == ADD else 0, sorting)


def _rules(load: Load) -> list[KeyRule]:
    return sorted(load.key_rules, key=lambda rule: rule.name)


def build_field_index(
    scratch: Scratch, store: BulkStore, job: LeasedJob, path: str, *, phase: str, position: int
) -> None:
    """Index the stored profiles of the domain by one more field, once; every writer keeps it from then on."""
    with store.chunk():
        is_built = store.register_indexed_field(job.domain_id, path)
        store.record_progress(phase=phase, position=position)
    if is_built:
        return
    scratch.run("create or replace table field_value (value text, pid bigint)")
    column = column_of(path)
    value = f"nullif({stored_value(path)}, '')"
    after = 0
    while True:
        rows = store.read_domain_column(job.domain_id, column, after, _ROWS_PER_READ)
        if not rows.num_rows:
            break
        after = rows["pid"][-1].as_py()
        scratch.put("stored", rows.rename_columns(["pid", column]))
        scratch.run(f"insert into field_value select {value}, pid from stored where {value} is not null")
    name = field_key_name(path)
    size = ChunkSize(10_000)
    table = _make_sorted(scratch, "field_key", "select value, pid from field_value")
    for rows in _table_chunks(scratch, table, size):
        with store.chunk(), size.timed(rows.num_rows):
            # A profile may have changed between reading its value and now, so each is checked.
            rule = KeyRule(name, (path,))
            store.add_keys(job.domain_id, name, _still_right(scratch, store, job, rule, rows, wanted=True))
            store.record_progress(phase=phase, position=position)
    with store.chunk():
        store.finish_indexed_field(job.domain_id, path)
        store.record_progress(phase=phase, position=position)
    scratch.run("drop table field_value")
    scratch.run("drop table field_key")


def _read_pending_keys(load: Load) -> None:
    load.scratch.run("create or replace table pending (added bigint, name text, value text, pid bigint)")
    for rows in load.store.read_pending_keys():
        load.scratch.put("read_pending", rows)
        load.scratch.run("insert into pending select added, name, value, pid from read_pending")


def _new_keys_sql(load: Load, rule: KeyRule, *, created_only: bool = False) -> str:
    """SQL for the keys of one name that the planned new profiles have, or those of them that are in the store."""
    if rule.name == load.mapping.key_name and not set(group_values(load.mapping)) - {load.mapping.unique_key.path}:
        # The plan has them already, and in their order.
        source, value, pid = "key_group", "key", f"first + {load.pid_base}"
        if created_only or not load.all_new:
            source += f" semi join ({_new_targets_sql(created_only=created_only)}) t on t.target = key_group.first"
        return f"select {value} as value, {pid} as pid from {source}"
    indexes = {field.path: index for index, field in enumerate(load.mapping.fields)}
    used = [index for path, index in indexes.items() if path in rule.paths]
    if load.all_new and not created_only:
        created = f"(select record + {load.pid_base} as pid, * from staged where key is not null)"
    else:
        values = ", ".join(f"coalesce(f.v{index}, s.v{index}) as v{index}" for index in used)
        created = (
            f"(select s.record + {load.pid_base} as pid, {values} from staged s "
            f"semi join ({_new_targets_sql(created_only=created_only)}) t on t.target = s.record "
            "left join folded f on f.target = s.record)"
        )
    keys = sql_keys_or_null(
        [rule], lambda path: f"v{indexes[path]}" if path in indexes else NO_VALUE, load.job.phone_region, created
    )
    return f"select value, pid from ({keys})"


def _new_targets_sql(*, created_only: bool) -> str:
    condition = " and target not in (select target from not_created)" if created_only else ""
    return f"select target from target where pid is null{condition}"


def _write(load: Load, phase: str, position: int, sorting: KeySorting | None) -> None:
    """Write the keys of each name in turn, from ``position`` on.

    The order is total and what is read no longer changes, so a loader that takes this up counts the same.
    """
    size = ChunkSize(20_000)
    done = position
    with (
        load.in_another_thread() as ahead,
        made_ahead(_key_chunks(ahead, phase, size, position, sorting), _CHUNKS_AHEAD) as chunks,
    ):
        for rule, rows in chunks:
            done += rows.num_rows
            with load.store.chunk() as state, size.timed(rows.num_rows):
                if not state.domain_deleted:
                    _write_chunk(load, phase, rule, rows, has_changed=state.key_version != load.key_version)
                load.store.record_progress(phase=phase, position=done)


def _key_chunks(
    load: Load, phase: str, size: ChunkSize, position: int, sorting: KeySorting | None
) -> Generator[tuple[KeyRule, PreparedRows], None, None]:
    """The keys of each name in turn, in the order of the index, without the first ``position`` of all."""
    for number, rule in enumerate(_rules(load)):
        if phase == ADD and sorting is not None:
            sorting.wait_for(rule.name)
        table = _sorted_table(load, phase, number, rule)
        count = int(load.cursor.value(f"select count(*) from {table}"))
        skipped = min(position, count)
        position -= skipped
        for rows in _table_chunks(load.cursor, table, size, skipped):
            yield rule, load.reader.prepare_rows(rows)


def _make_new_keys(load: Load, number: int, rule: KeyRule) -> str:
    return _make_sorted(load.cursor, f"new_key_{number}", _new_keys_sql(load, rule))


def _sorted_table(load: Load, phase: str, number: int, rule: KeyRule) -> str:
    """The table of the keys of one name that go out, or in, sorted; made unless it is there."""
    cursor = load.cursor
    added = int(phase == ADD)
    changes = f"select value, pid from pending where added = {added} and name = {sql_text(rule.name)}"
    if phase == REMOVE:
        return _make_sorted(cursor, f"removed_key_{number}", changes)
    any_not_created = bool(cursor.value("select count(*) from not_created"))
    if any_not_created and not cursor.is_done(f"new_key_{number}"):
        # Stopped, perhaps after a hundredth of the file: the rest of its keys need no sorting.
        created = _new_keys_sql(load, rule, created_only=True)
        return _make_sorted(cursor, f"added_key_{number}", f"{changes} union all {created}")
    planned = _make_new_keys(load, number, rule)
    if not any_not_created and not cursor.value(f"select count(*) from ({changes})"):
        return planned
    created = (
        f"select value, pid from {planned} anti join "
        f"(select target + {load.pid_base} as pid from not_created) using (pid)"
    )
    return _make_sorted(cursor, f"added_key_{number}", f"{changes} union all {created}")


def _make_sorted(cursor: ScratchCursor, table: str, keys: str) -> str:
    """Make the table of these keys in the order of the index, unless it is there; its name. Nulls are left out."""
    if not cursor.is_done(table):
        # Two steps are faster than one: normal forms are made once, and short text whose length is known sorts quickly.
        cursor.run(f"create or replace temp table unsorted as {keys}")
        cursor.run(
            f"create or replace table {table} as "
            "select value, pid from unsorted where value is not null order by value, pid"
        )
        cursor.run("drop table unsorted")
        cursor.mark_done(table)
    return table


def _write_chunk(load: Load, phase: str, rule: KeyRule, rows: PreparedRows, *, has_changed: bool) -> None:
    keys: PreparedRows | pa.Table = rows
    if has_changed:
        keys = _still_right(load.scratch, load.store, load.job, rule, rows.table, wanted=phase == ADD)
    if phase == ADD:
        load.store.add_keys(load.job.domain_id, rule.name, keys)
    else:
        load.store.remove_keys(load.job.domain_id, rule.name, keys)


def _table_chunks(
    cursor: ScratchCursor, table: str, size: ChunkSize, first: int = 0
) -> Generator[pa.Table, None, None]:
    """The keys of a sorted table from row ``first`` on, in tables of value and pid of ``size.rows`` rows each."""
    # The table was made in order, so its row ids are: a range of them is read without looking at the others.
    while True:
        count = size.rows
        rows = cursor.table(
            f"select value, pid from {table} where rowid >= ? and rowid < ? order by rowid",
            [first, first + count],
        )
        if not rows.num_rows:
            return
        yield rows
        first += count


def _still_right(
    scratch: Scratch, store: BulkStore, job: LeasedJob, rule: KeyRule, rows: pa.Table, *, wanted: bool
) -> pa.Table:
    """Those of these keys that the profiles' present fields give (``wanted``), or do not give (not ``wanted``)."""
    columns = {column_of(path) for path in rule.paths}
    scratch.put("stored", store.read_profiles(job.domain_id, rows["pid"].combine_chunks(), sorted(columns)))
    scratch.put("candidate", rows)
    derived = sql_keys([rule], stored_value, job.phone_region, "stored")
    return scratch.table(
        f"select value, pid from candidate {'semi' if wanted else 'anti'} join ({derived}) "
        "using (value, pid) order by value, pid"
    )
