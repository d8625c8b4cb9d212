"""Step 5, index: take from the search index what the load's updates removed, and put in what it added, all sorted.

Sorted order writes each page of the index about once; in the order of the file, the same keys took five times as
long. The keys of new profiles come from the scratch database, those that updates changed from the table
``pending_key``, which was written with the updates themselves.

Something else may have changed or deleted a profile since the load wrote it. When the domain's ``key_version`` says
so, the profiles of a chunk are read again: a key goes in only if the profile's present fields still give it, and goes
out only if they no longer do.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping

import pyarrow as pa

from openprofiles.profiles.keys import field_key_name
from openprofiles.store.sqlite_bulk import SqliteBulkStore
from openprofiles.store.sqlite_bulk_reader import LeasedJob
from openprofiles.uploads.chunks import ChunkSize
from openprofiles.uploads.key_columns import NO_VALUE, KeyRule, sql_keys
from openprofiles.uploads.made_ahead import made_ahead
from openprofiles.uploads.merge import Load, column_of, stored_value
from openprofiles.uploads.plan import read_ordered_records
from openprofiles.uploads.scratch import Scratch, ScratchCursor, sql_text

REMOVE = "unindex"
ADD = "index"

_ROWS_PER_READ = 50_000
# As many as are written while the keys of the next name are sorted.
_CHUNKS_AHEAD = 8
_KEY_NAMES = ["name", "value", "pid"]


def write_keys(load: Load, created: str, phase: str | None, position: int) -> None:
    """Bring the index up to date with what the load wrote.

    Args:
        created: SQL condition on the table ``target`` that chooses the new profiles which are in the store.
        phase: where an earlier loader of this job stopped, with its position, if it was in this step.
    """
    scratch = load.scratch
    if not scratch.is_done("keys"):
        _read_pending_keys(load)
        read_ordered_records(scratch, load.store)
        scratch.run(
            "create or replace table created as select * from target "
            f"where pid is null and target not in (select record from ordered) and ({created})"
        )
        scratch.mark_done("keys")
    rules = sorted(load.key_rules, key=lambda rule: rule.name)
    if phase != ADD:
        removals = {
            rule.name: f"select value, pid from pending where added = 0 and name = {sql_text(rule.name)}"
            for rule in rules
        }
        _write(load, REMOVE, removals, position if phase == REMOVE else 0)
    additions = {rule.name: _added_keys_sql(load, rule) for rule in rules}
    _write(load, ADD, additions, position if phase == ADD else 0)


def build_field_index(
    scratch: Scratch, store: SqliteBulkStore, job: LeasedJob, path: str, *, phase: str, position: int
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
    for rows in _sorted_chunks(scratch.another(), "select value, pid from field_value", name, size):
        with store.chunk(), size.timed(rows.num_rows):
            # A profile may have changed between reading its value and now, so each is checked.
            rules = [KeyRule(name, (path,))]
            store.add_keys(job.domain_id, _still_right(scratch, store, job, rules, rows, wanted=True))
            store.record_progress(phase=phase, position=position)
    with store.chunk():
        store.finish_indexed_field(job.domain_id, path)
        store.record_progress(phase=phase, position=position)
    scratch.run("drop table field_value")


def _read_pending_keys(load: Load) -> None:
    load.scratch.run("create or replace table pending (added bigint, name text, value text, pid bigint)")
    after = 0
    while True:
        rows = load.store.read_pending_keys(after, _ROWS_PER_READ)
        if not rows.num_rows:
            return
        after = rows["pending_key_id"][-1].as_py()
        load.scratch.put("read_pending", rows)
        load.scratch.run("insert into pending select added, name, value, pid from read_pending")


def _added_keys_sql(load: Load, rule: KeyRule) -> str:
    """SQL for the keys of one name that go in: those of created profiles, and those that updates added."""
    indexes = {field.path: index for index, field in enumerate(load.mapping.fields)}
    used = [index for path, index in indexes.items() if path in rule.paths]
    values = ", ".join(f"coalesce(f.v{index}, s.v{index}) as v{index}" for index in used)
    created = (
        f"(select s.record + {load.pid_base} as pid, {values} "
        "from staged s semi join created c on c.target = s.record left join folded f on f.target = s.record)"
    )
    keys = sql_keys(
        [rule], lambda path: f"v{indexes[path]}" if path in indexes else NO_VALUE, load.job.phone_region, created
    )
    return (
        f"select value, pid from ({keys}) "
        f"union all select value, pid from pending where added = 1 and name = {sql_text(rule.name)}"
    )


def _write(load: Load, phase: str, queries: Mapping[str, str], position: int) -> None:
    """Write the keys of each name in turn, from ``position`` on.

    The order is total and what the queries read no longer changes, so a loader that takes this up counts the same.
    """
    size = ChunkSize(20_000)
    done = position
    with (
        load.in_another_thread() as ahead,
        made_ahead(_chunks_of_all(ahead.cursor, queries, size, position), _CHUNKS_AHEAD) as chunks,
    ):
        for rows in chunks:
            done += rows.num_rows
            with load.store.chunk() as state, size.timed(rows.num_rows):
                if not state.domain_deleted:
                    _write_chunk(load, phase, rows, has_changed=state.key_version != load.key_version)
                load.store.record_progress(phase=phase, position=done)


def _chunks_of_all(
    cursor: ScratchCursor, queries: Mapping[str, str], size: ChunkSize, position: int
) -> Generator[pa.Table, None, None]:
    """The keys of each name in turn, without the first ``position`` of all."""
    skip = position
    for name, query in queries.items():
        skipped = 0
        if skip:
            skipped = min(skip, int(cursor.value(f"select count(*) from ({query})")))
            skip -= skipped
        yield from _sorted_chunks(cursor, query, name, size, skipped)


def _write_chunk(load: Load, phase: str, rows: pa.Table, *, has_changed: bool) -> None:
    if has_changed:
        names = set(rows["name"].unique().to_pylist())
        rules = [rule for rule in load.key_rules if rule.name in names]
        rows = _still_right(load.scratch, load.store, load.job, rules, rows, wanted=phase == ADD)
    if phase == ADD:
        load.store.add_keys(load.job.domain_id, rows)
    else:
        load.store.remove_keys(load.job.domain_id, rows)


def _sorted_chunks(cursor: ScratchCursor, query: str, name: str, size: ChunkSize, skip: int = 0) -> Iterator[pa.Table]:
    """The keys of one name in the order of the index, in tables of name, value and pid of ``size.rows`` rows each."""
    reader = cursor.connection.sql(f"{query} order by value, pid").to_arrow_reader(_ROWS_PER_READ)
    for batch in reader:
        rest = batch.slice(skip)
        skip -= batch.num_rows - rest.num_rows
        while rest.num_rows:
            part = rest.slice(0, size.rows)
            rest = rest.slice(part.num_rows)
            names = pa.DictionaryArray.from_arrays(pa.array([0] * part.num_rows, pa.int32()), [name]).cast(pa.string())
            yield pa.table(
                [names, part.column("value").cast(pa.string()), part.column("pid").cast(pa.int64())], _KEY_NAMES
            )


def _still_right(
    scratch: Scratch, store: SqliteBulkStore, job: LeasedJob, rules: list[KeyRule], rows: pa.Table, *, wanted: bool
) -> pa.Table:
    """Those of these keys that the profiles' present fields give (``wanted``), or do not give (not ``wanted``)."""
    columns = {column_of(path) for rule in rules for path in rule.paths}
    scratch.put("stored", store.read_profiles(rows["pid"].combine_chunks(), sorted(columns)))
    scratch.put("candidate", rows)
    derived = sql_keys(rules, stored_value, job.phone_region, "stored")
    return scratch.table(
        f"select name, value, pid from candidate {'semi' if wanted else 'anti'} join ({derived}) "
        "using (name, value, pid) order by name, value, pid"
    )
