"""Decide for every staged record which profile it goes to.

The meaning is that of a reading in file order, one record after the other: the record's unique key, in its identity
form, is looked up; no holder: a new profile; one: that profile; several: the record fails. Nearly always one look-up
per distinct key value says the same, because all records with one value go to one profile. Not so when records of
different values can meet in one profile: the records of such *entangled* values are set apart here and followed one by
one later (``follow``).
A value is entangled when a stored profile is found by several of the file's values, since it was given some of them
(then all of them are). With ``--compat strict``, where a value may stand in any field of the key's group, it is also
entangled when

- a record holds, in another field of the group, a value that is also some record's unique key (then both are);
- the profile that it finds has the key's own field set by hand, and that wins: the record's value may not go in.

Every other value k stays apart: the profiles that hold k are held by no other value of the file, and no record of
another value puts k anywhere.

Afterwards the scratch database holds, beside what staging left:

    ordered (record)                 the records of entangled values
    target (target, pid, row_count)  where the others go: the number of the first record that goes there, the row
                                     number of the existing profile or null for a new one, and how many go there
    member (record, target)          the records of targets with several
    folded (target, v0 .. vn)        for those, the last value of each field that is not blank
    repeated (target, pid, record, v0 .. vn)    for those, the records themselves, in the order of writing
    other_holder (search, pid)       stored profiles that the search form of a key finds, and that some key with this
                                     form does not belong to
    doubted (target)                 see ``other_names``

and the number ``all_new`` when each record without a fault makes a new profile of its own, as in most first loads: then
what comes after need not join these tables.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

import pyarrow as pa

from openprofiles.bulk.scratch import Scratch
from openprofiles.bulk.stored_values import column_of, stored_value
from openprofiles.clock import to_milliseconds
from openprofiles.facts.precedence import sql_set_by_hand
from openprofiles.store.bulk import BulkReader, BulkStore
from openprofiles.store.bulk_protocols import JobNotes
from openprofiles.store.leased_jobs import LeasedUpload
from openprofiles.store.note_tables import ORDERED_RECORDS
from openprofiles.uploads.failures import faults
from openprofiles.uploads.job_options import CREATE_AND_UPDATE, CREATE_ONLY, UPDATE_ONLY, JobOptions
from openprofiles.uploads.loading.other_names import (
    ComparedNames,
    add_held_names,
    compared_names,
    find_doubted_targets,
    start_names,
)
from openprofiles.uploads.loading.same_customer import find_candidates, keys_sql, split_candidates
from openprofiles.uploads.mappings.upload_mapping import UploadMapping

_ROWS_PER_READ = 50_000
_LOOK_UPS_AT_A_TIME = 2

# What holders a key may have, by what the job may write; and which records fail else, in key_group and outcome.
_HOLDERS = {CREATE_AND_UPDATE: "0, 1", CREATE_ONLY: "0", UPDATE_ONLY: "1"}
_REFUSED = {
    CREATE_ONLY: (faults.PROFILE_EXISTS, "coalesce(holders, 0) <= 1 and (holders = 1 or record <> first)"),
    UPDATE_ONLY: (faults.NO_PROFILE, "holders is null"),
}

_MAKE_OUTCOME = (
    "create or replace table outcome as select key, count(*) as holders, min(pid) as pid from holder group by key"
)


def plan(
    scratch: Scratch,
    store: BulkStore,
    job: LeasedUpload,
    mapping: UploadMapping,
    options: JobOptions,
    *,
    unindexed: bool = False,
) -> None:
    """Plan a job of which nothing is written yet.

    Records that are ambiguous, or may not do what they would, join the table ``failed``.

    Args:
        unindexed: the domain has no index of the unique key's field, and none is to be made.
    """
    _start(scratch)
    names = compared_names(mapping, options)
    if unindexed:
        _scan(scratch, store, job, mapping, names)
    else:
        _look_up(scratch, store, job, mapping, names)
    scratch.run(_MAKE_OUTCOME)
    scratch.run("create or replace table entangled (key text primary key)")
    _find_entangled(scratch, store, job, mapping, options)
    scratch.run("insert into ordered select record from staged where key in (select key from entangled)")
    header = mapping.unique_key.header
    scratch.run(
        "insert into failed select record, line, 0, ?, ?, holders from staged join outcome using (key) "
        "where holders > 1 and key not in (select key from entangled)",
        [faults.AMBIGUOUS_UNIQUE_KEY, header],
    )
    if options.write_mode != CREATE_AND_UPDATE:
        code, condition = _REFUSED[options.write_mode]
        scratch.run(
            "insert into failed select record, line, 0, ?, ?, null from staged join key_group using (key) "
            f"left join outcome using (key) where {condition} and key not in (select key from entangled)",
            [code, header],
        )
    _make_targets(scratch, mapping, options)
    new = scratch.value("select count(*) from target where pid is null and row_count = 1")
    all_new = new == scratch.value("select count(*) from staged where key is not null")
    scratch.remember("all_new", int(all_new))
    if not all_new:
        find_doubted_targets(scratch, mapping, options)


def plan_again(
    scratch: Scratch,
    store: BulkStore,
    job: LeasedUpload,
    mapping: UploadMapping,
    options: JobOptions,
    *,
    may_set_apart: bool,
) -> None:
    """Plan a job anew whose scratch database was lost after its failed rows had begun to be reported.

    The first plan is gone and the store has changed since, so nothing is decided twice: what is written or reported
    stays, and every other record is set apart, to be followed one by one.

    Args:
        may_set_apart: False once following has begun; by then all other records are written.
    """
    _start(scratch)
    _look_up(scratch, store, job, mapping)
    scratch.run(_MAKE_OUTCOME)
    read_ordered_records(scratch, store)
    scratch.run("create or replace table entangled as select distinct key from staged join ordered using (record)")
    scratch.run("create or replace table touched (pid bigint)")
    row_numbers = f"select first + {job.pid_base} as pid from key_group union select pid from holder order by pid"
    for pids in _batches(scratch, row_numbers, pa.int64()):
        scratch.put("touched_here", store.read_touched(pids))
        scratch.run("insert into touched select pid from touched_here")
    scratch.run(
        f"""
        create or replace table target as
        select first as target, null::bigint as pid, {_row_count_sql(options)} as row_count
        from key_group where first + {job.pid_base} in (select pid from touched)
        union all
        select first, min(holder.pid), any_value(row_count) from key_group join holder using (key)
        where holder.pid in (select pid from touched) and first + {job.pid_base} not in (select pid from touched)
        group by first
        order by target
        """
    )
    scratch.run("delete from target where target in (select first from key_group join entangled using (key))")
    if may_set_apart:
        scratch.run("create or replace table reported (record bigint)")
        for records in store.read_failed_records(_ROWS_PER_READ):
            scratch.put("reported_here", records)
            scratch.run("insert into reported select record from reported_here")
        scratch.run(
            "create or replace table unwritten as select record from staged join key_group using (key) "
            "where first not in (select target from target) and record not in (select record from ordered) "
            "and record not in (select record from reported)"
        )
        # Some at a time, since each chunk holds the domain. A plan that breaks off here is made once more, and sets
        # apart what is left.
        for records in _batches(scratch, "select record from unwritten order by record", pa.int64()):
            with store.chunk():
                store.add_notes(ORDERED_RECORDS, pa.table({"record": records}))
                store.check_lease()
    _fold_members(scratch, mapping)


def read_ordered_records(scratch: Scratch, store: JobNotes) -> bool:
    """Fill the table ``ordered`` from the store, which also has the records that were set apart since the plan.

    Returns:
        whether there are any.
    """
    scratch.run("create or replace table ordered (record bigint)")
    after = 0
    while True:
        records = store.read_ordered_records(after, _ROWS_PER_READ)
        if not records.num_rows:
            return after > 0
        after = records["record"][-1].as_py()
        scratch.put("read_ordered", records)
        scratch.run("insert into ordered select record from read_ordered")


def group_values(mapping: UploadMapping) -> dict[str, int]:
    """The mapped fields whose values the unique key is looked for in: path and index in the mapping."""
    paths = mapping.identity_paths
    return {field.path: index for index, field in enumerate(mapping.fields) if field.path in paths}


def _start(scratch: Scratch) -> None:
    scratch.run(
        "delete from failed where code in (?, ?, ?)",
        [faults.AMBIGUOUS_UNIQUE_KEY, faults.PROFILE_EXISTS, faults.NO_PROFILE],
    )
    scratch.run(
        "create or replace table key_group as "
        "select key, min(record) as first, count(*) as row_count from staged "
        "where key is not null group by key order by key"
    )
    scratch.run("create or replace table holder (key text, pid bigint)")
    scratch.run("create or replace table other_holder (search text, pid bigint)")
    start_names(scratch)
    scratch.run("create or replace table ordered (record bigint)")


def _look_up(
    scratch: Scratch, store: BulkStore, job: LeasedUpload, mapping: UploadMapping, names: ComparedNames | None = None
) -> None:
    """Find the holders of keys in the index.

    Args:
        names: the names of profiles that are compared, if any.
    """
    if store.has_keys(mapping.key_name):
        batches = scratch.tables(keys_sql(mapping, "key_group"), _ROWS_PER_READ)
        for keys, found in _find_candidates(scratch, store, mapping, batches, names.columns if names else ()):
            add_held_names(scratch, found, names)
            same, others = split_candidates(found, keys, cursor=scratch, reader=store, job=job, mapping=mapping)
            for table, pairs in (("holder", same), ("other_holder", others)):
                if pairs.num_rows:
                    scratch.put("found", pairs)
                    scratch.run(f"insert into {table} from found")
    if job.pid_base is not None and not job.is_preview:
        # Planned again: a profile that this very job created from the value is not a holder before the job.
        scratch.run(
            "delete from holder using key_group where holder.key = key_group.key and holder.pid = key_group.first + ?",
            [job.pid_base],
        )


def _scan(
    scratch: Scratch, store: BulkStore, job: LeasedUpload, mapping: UploadMapping, names: ComparedNames | None
) -> None:
    """Find the holders of keys by reading all profiles of the domain.

    Args:
        names: the names of profiles that are compared, if any.
    """
    path = mapping.unique_key.path
    column = column_of(path)
    value = mapping.sql_identity(stored_value(path), job.phone_region)
    name_columns = names.columns if names else []
    after = 0
    while True:
        rows = store.read_domain_column(column, after, _ROWS_PER_READ)
        if not rows.num_rows:
            return
        after = rows["pid"][-1].as_py()
        scratch.put("stored", rows.rename_columns(["pid", column]))
        found = scratch.table(
            f"select key, pid from (select {value} as key, pid from stored) where key in (select key from key_group)"
        )
        # Profiles that have expired by the start are no holders.
        scratch.put("found", found)
        profiles = store.read_profiles(found["pid"].combine_chunks(), ["expires_at", *name_columns])
        add_held_names(scratch, profiles, names)
        scratch.put("expiry", profiles.select(["pid", "expires_at"]))
        scratch.run(
            "insert into holder select key, pid from found join expiry using (pid) "
            f"where expires_at::bigint > {to_milliseconds(job.started_at)}"
        )


def _find_candidates(
    scratch: Scratch,
    store: BulkStore,
    mapping: UploadMapping,
    batches: Iterator[pa.Table],
    columns: Sequence[str],
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Look up each batch of keys in the store.

    If there are many, several are looked up at a time, each on a connection of its own.
    """
    if scratch.has_few_records:
        for keys in batches:
            yield keys, find_candidates(store, mapping, keys, columns)
        return
    readers = SimpleQueue[BulkReader]()
    for _ in range(_LOOK_UPS_AT_A_TIME):
        readers.put(store.open_reader())

    def find(keys: pa.Table) -> tuple[pa.Table, pa.Table]:
        reader = readers.get()
        try:
            return keys, find_candidates(reader, mapping, keys, columns)
        finally:
            readers.put(reader)

    with ThreadPoolExecutor(_LOOK_UPS_AT_A_TIME) as threads:
        working = deque[Future[tuple[pa.Table, pa.Table]]]()
        for keys in batches:
            working.append(threads.submit(find, keys))
            if len(working) > _LOOK_UPS_AT_A_TIME:
                yield working.popleft().result()
        while working:
            yield working.popleft().result()
    while not readers.empty():
        readers.get().close()


def _find_entangled(
    scratch: Scratch, store: BulkStore, job: LeasedUpload, mapping: UploadMapping, options: JobOptions
) -> None:
    key_index = mapping.fields.index(mapping.unique_key)
    for index in group_values(mapping).values():
        if index == key_index:
            continue
        value = mapping.sql_identity(f"v{index}", job.phone_region)
        scratch.run(
            f"""
            insert or ignore into entangled
            with other as (select key, {value} as value from staged where v{index} is not null),
                 met as (select other.key, value from other join key_group on key_group.key = other.value
                         where other.value <> other.key)
            select key from met union select value from met
            """
        )
    scratch.run(
        "insert or ignore into entangled select distinct key from holder "
        "where pid in (select pid from holder group by pid having count(distinct key) > 1)"
    )
    if len(mapping.identity_paths) > 1:
        wins = options.source.sql_wins(mapping.unique_key.path, sql_set_by_hand("origins"))
        # Only several records of one value can tell the difference.
        several = "from outcome join key_group using (key) where row_count > 1 and holders = 1"
        for pids in _batches(scratch, f"select pid {several} order by pid", pa.int64()):
            scratch.put("origin", store.read_profiles(pids, ["origins"]))
            scratch.run(
                f"insert or ignore into entangled select key {several} "
                f"and pid in (select pid from origin where not {wins})"
            )


def _make_targets(scratch: Scratch, mapping: UploadMapping, options: JobOptions) -> None:
    scratch.run(
        f"create or replace table target as select first as target, pid, {_row_count_sql(options)} as row_count "
        "from key_group left join outcome using (key) "
        f"where coalesce(holders, 0) in ({_HOLDERS[options.write_mode]}) and key not in (select key from entangled) "
        "order by target"
    )
    _fold_members(scratch, mapping)


def _fold_members(scratch: Scratch, mapping: UploadMapping) -> None:
    member_count = scratch.value(
        "create or replace table member as select record, target from staged join key_group using (key) "
        "join target on target.target = key_group.first where target.row_count > 1"
    )
    names = [f"v{index}" for index in range(len(mapping.fields))]
    if not member_count:
        columns = ", ".join(f"{name} text" for name in names)
        scratch.run(f"create or replace table folded (target bigint, {columns})")
        scratch.run(f"create or replace table repeated (target bigint, pid bigint, record bigint, {columns})")
        return
    # Of each field the last record that has a value; numbers alone, so that it spills when there are very many.
    lasts = ", ".join(f"max(record) filter (where {name} is not null) as {name}" for name in names)
    scratch.run(
        f"create or replace table last_filled as select target, max(record) as record, {lasts} "
        "from member join staged using (record) group by target"
    )
    # Nearly always that is the last record itself; the other values are fetched one field at a time.
    elsewhere = [
        name for name in names if scratch.value(f"select exists (select 1 from last_filled where {name} <> record)")
    ]
    values = ", ".join(
        f"coalesce(s.{name}, of_{name}.value) as {name}" if name in elsewhere else f"s.{name} as {name}"
        for name in names
    )
    joins = " ".join(
        f"left join (select l.target, s.{name} as value from last_filled l join staged s on s.record = l.{name} "
        f"where l.{name} <> l.record) of_{name} on of_{name}.target = l.target"
        for name in elsewhere
    )
    scratch.run(
        f"create or replace table folded as select l.target, {values} "
        f"from last_filled l join staged s on s.record = l.record {joins}"
    )
    scratch.run("drop table last_filled")
    # With their values beside each other, so that a chunk that asks which of them change something reads a range.
    scratch.run(
        f"create or replace table repeated as select target, pid, record, {', '.join(names)} from member "
        "join staged using (record) join target using (target) order by pid nulls first, target"
    )


def _row_count_sql(options: JobOptions) -> str:
    """SQL for how many records go to a target, in ``key_group``."""
    # Where profiles are only made, all records of a key but the first fail.
    return "1::bigint" if options.write_mode == CREATE_ONLY else "row_count"


def fold_sql(mapping: UploadMapping, members: str) -> str:
    """SQL for the values of few targets with several records: of each field the last that is not blank."""
    # arg_max leaves nulls out: a blank cell never overwrites.
    values = ", ".join(f"arg_max(v{index}, record) as v{index}" for index in range(len(mapping.fields)))
    return f"select target, {values} from {members} join staged using (record) group by target"


def _batches(scratch: Scratch, query: str, kind: pa.DataType) -> Iterator[pa.Array]:
    """The one column of an answer, piece by piece."""
    for table in scratch.tables(query, _ROWS_PER_READ):
        yield table.column(0).combine_chunks().cast(kind)
