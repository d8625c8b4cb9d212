"""Step 4, merge: write the planned records into the profiles, in chunks.

New profiles go in file order, so that they append; existing ones in the order of the store. A chunk is one
transaction that also records the job's position and counts. What it writes is made before it takes the lock.

The plan may be older than the store: the API writes while a load runs, and its writes count up the domain's
``key_version``. A chunk that sees another version than the plan looks its keys up again. Targets for which the answer
has changed are left out of the chunk; their records are set apart, with the entangled ones, to be followed one by one
against the store as it then is. So a profile that appeared meanwhile is found, and a load never makes two profiles
hold one unique key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

import pyarrow as pa

from openprofiles.clock import Clock, to_milliseconds
from openprofiles.profiles.standard_profile import FIELD_BY_PATH, attribute_of_target
from openprofiles.store.sqlite_bulk import ChunkState, SqliteBulkStore
from openprofiles.store.sqlite_bulk_reader import LeasedJob
from openprofiles.uploads.chunks import ChunkSize
from openprofiles.uploads.key_columns import KeyRule, key_rules
from openprofiles.uploads.mapping import MappedField, UploadMapping
from openprofiles.uploads.scratch import Scratch, sql_text

Made = TypeVar("Made")

_TARGETS_PER_PART = 200_000

CREATE = "create"
UPDATE = "update"


class Stopped(Exception):
    """A stop was asked for, or the domain was deleted; the present chunk was not written."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the steps that write share."""

    scratch: Scratch
    store: SqliteBulkStore
    job: LeasedJob
    mapping: UploadMapping
    # Of the domain, when it was planned.
    key_version: int
    pid_base: int
    expires_at: datetime
    clock: Clock

    @property
    def standard_fields(self) -> list[tuple[int, MappedField]]:
        """The mapped standard fields, with their index in the mapping."""
        return [(index, field) for index, field in enumerate(self.mapping.fields) if field.standard]

    @property
    def attributes(self) -> list[tuple[int, str]]:
        """The mapped custom attributes: index in the mapping, name."""
        pairs = [(index, field.attribute) for index, field in enumerate(self.mapping.fields)]
        return [(index, name) for index, name in pairs if name is not None]

    @property
    def columns(self) -> list[str]:
        """The columns of the table ``profile`` that this load writes, attributes left out."""
        return [field.standard.column for _, field in self.standard_fields if field.standard]

    @property
    def key_rules(self) -> list[KeyRule]:
        """The keys that this load can change."""
        return key_rules((field.path for field in self.mapping.fields), self.job.indexed_paths)


def create_profiles(load: Load, position: int) -> None:
    """Write the new profiles, those whose first record comes after ``position``.

    Raises:
        Stopped: see there. What was written before stays.
    """
    scratch = load.scratch
    size = ChunkSize(10_000)
    while True:
        upto = scratch.value(
            "select max(target) from "
            "(select target from target where pid is null and target > ? order by target limit ?)",
            [position, size.rows],
        )
        if upto is None:
            return
        scratch.run(
            "create or replace temp table chunk as select target, pid, key, row_count, "
            f"{folded_values_sql(range(len(load.mapping.fields)), 's')} "
            f"from target join staged s on s.record = target left join folded using (target) "
            "where pid is null and target > ? and target <= ? and s.record > ? and s.record <= ? order by target",
            [position, upto, position, upto],
        )
        now = load.clock()
        version, rows = _prepare(load, partial(new_rows, load, now, "chunk"))
        with load.store.chunk() as state, size.timed(rows.num_rows):
            check_stop(state)
            if state.key_version != version:
                _set_apart_changed(load, state.key_version)
                rows = new_rows(load, now, "chunk")
            load.store.insert_ordered_records(scratch.table("select record from set_apart order by record"))
            load.store.insert_profiles(
                rows, domain_id=load.job.domain_id, columns=load.columns, now=now, expires_at=load.expires_at
            )
            load.store.record_progress(
                phase=CREATE,
                position=upto,
                created=rows.num_rows,
                updated=count_records(scratch, "chunk") - rows.num_rows,
            )
        position = upto


def update_profiles(load: Load, position: int) -> None:
    """Write the changes of existing profiles, those with a row number above ``position``.

    Raises:
        Stopped: see there. What was written before stays.
    """
    scratch = load.scratch
    size = ChunkSize(5_000)
    if not scratch.is_done("matched"):
        scratch.run(
            "create or replace table matched as "
            "select target, pid, key, row_count from target join staged on record = target "
            "where pid is not null order by pid"
        )
        scratch.mark_done("matched")
    # The table is in order of pid, so its row ids are too: a range of them is read without looking at the others.
    first = int(scratch.value("select count(*) from matched where pid <= ?", [position]))
    count = int(scratch.value("select count(*) from matched"))
    while first < count:
        # The values come to the narrow table a part at a time: sorting all of them at once takes memory with the file.
        scratch.run(
            "create or replace temp table part as select target, pid, m.key as key, row_count, "
            f"{folded_values_sql(range(len(load.mapping.fields)), 's')} "
            "from (select * from matched where rowid >= ? and rowid < ?) m "
            "join staged s on s.record = m.target left join folded using (target) order by pid",
            [first, first + _TARGETS_PER_PART],
        )
        done = 0
        while scratch.value("select count(*) from part where rowid >= ?", [done]):
            chosen = "select * from part where rowid >= ? and rowid < ?"
            scratch.run(f"create or replace temp table chunk as {chosen}", [done, done + size.rows])
            done += size.rows
            _update_chunk(load, size)
        first += _TARGETS_PER_PART


def _update_chunk(load: Load, size: ChunkSize) -> None:
    scratch = load.scratch
    upto = scratch.value("select max(pid) from chunk")
    now = load.clock()
    version, (keys, rows) = _prepare(load, partial(changed_rows, load, "chunk"))
    with load.store.chunk() as state, size.timed(rows.num_rows):
        check_stop(state)
        if state.key_version != version:
            _set_apart_changed(load, state.key_version)
            keys, rows = changed_rows(load, "chunk")
        load.store.insert_ordered_records(scratch.table("select record from set_apart order by record"))
        load.store.insert_pending_keys(keys)
        load.store.update_profiles(rows, columns=load.columns, now=now, expires_at=load.expires_at)
        load.store.record_progress(phase=UPDATE, position=upto, updated=count_records(scratch, "chunk"))


def check_stop(state: ChunkState) -> None:
    """End the merging if that was asked for.

    Raises:
        Stopped: it was.
    """
    if state.stop_requested or state.domain_deleted:
        raise Stopped


def folded_values_sql(indexes: Iterable[int], staged: str) -> str:
    """SQL for values of targets: of the only record, in the table named, or folded over all of them."""
    return ", ".join(
        f"case when row_count > 1 then folded.v{index} else {staged}.v{index} end as v{index}" for index in indexes
    )


def count_records(scratch: Scratch, chunk: str) -> int:
    """How many records the targets in this table stand for."""
    return int(scratch.value(f"select coalesce(sum(row_count), 0)::bigint from {chunk}"))


def new_rows(load: Load, now: datetime, chunk: str) -> pa.Table:
    """The new profiles of the targets in this table, as ``SqliteBulkStore.insert_profiles`` takes them."""
    values = "".join(f", v{index}" for index, _ in load.standard_fields)
    # A profile id as ids.new_profile_id makes it: 48 bits of time, version, 12 random bits, variant, 14 random
    # bits, 48 bits of row number.
    milliseconds = f"{to_milliseconds(now):012x}"
    return load.scratch.table(
        f"select target + {load.pid_base} as pid, "
        f"printf('{milliseconds}7%03x%04x%012x', (random() * 4096)::bigint & 4095, "
        f"32768 | ((random() * 16384)::bigint & 16383), target + {load.pid_base}) as profile_id"
        f"{values}, {_attributes_json(load)} as attributes from {chunk} order by target"
    )


def changed_rows(load: Load, chunk: str) -> tuple[pa.Table, pa.Table]:
    """What the targets in this table change, given what their profiles hold now.

    Returns:
        what is taken from the index and put there (added as 0 or 1, name, value, pid), and the values that may be
        written, in the order that ``SqliteBulkStore.update_profiles`` takes. Fields set by hand are left out of both.
    """
    scratch = load.scratch
    pids = scratch.table(f"select pid from {chunk} order by pid")["pid"].combine_chunks().cast(pa.int64())
    rules = load.key_rules
    paths = sorted({path for rule in rules for path in rule.paths})
    columns = sorted({column_of(path) for path in paths})
    scratch.put("stored", load.store.read_profiles(pids, ["origins", *columns]))
    indexes = {field.path: index for index, field in enumerate(load.mapping.fields)}
    # Each value once, under a short name: the keys are made of them in long expressions.
    writable = [
        f"case when {_sql_set_by_hand('stored.origins', field.path)} then null else v{index} end as v{index}"
        for index, field in enumerate(load.mapping.fields)
    ]
    before = [f"{stored_value(path)} as b{number}" for number, path in enumerate(paths)]
    scratch.run(
        f"create or replace temp table change as select pid, {', '.join([*writable, *before])} "
        f"from {chunk} join stored using (pid) order by pid"
    )

    def value_before(path: str) -> str:
        return f"b{paths.index(path)}"

    def value_after(path: str) -> str:
        return f"coalesce(v{indexes[path]}, {value_before(path)})" if path in indexes else value_before(path)

    region = load.job.phone_region
    parts = [
        f"select {sql_text(rule.name)} as name, pid, {rule.sql_values(value_before, region)} as before, "
        f"{rule.sql_values(value_after, region)} as after from change"
        for rule in rules
    ]
    no_rules = "select '' as name, 0 as pid, []::varchar[] as before, before as after"
    keys = scratch.table(
        f"""
        with keys as ({" union all ".join(parts) or no_rules})
        select 0::bigint as added, name,
               unnest(list_filter(before, lambda x: not list_contains(after, x))) as value, pid from keys
        union all
        select 1, name, unnest(list_filter(after, lambda x: not list_contains(before, x))), pid from keys
        """
    )
    values = "".join(f"v{index}, " for index, _ in load.standard_fields)
    return keys, scratch.table(f"select {values}{_attributes_json(load)} as attributes, pid from change order by pid")


def column_of(path: str) -> str:
    """The column of the table ``profile`` that holds a field; all custom attributes share one."""
    return FIELD_BY_PATH[path].column if path in FIELD_BY_PATH else "attributes"


def stored_value(path: str) -> str:
    """SQL for the stored value of a field in the table ``stored``."""
    attribute = attribute_of_target(path)
    if attribute is None:
        return f"stored.{FIELD_BY_PATH[path].column}"
    pointer = "/" + attribute.replace("~", "~0").replace("/", "~1")
    return f"json_extract_string(stored.attributes, {sql_text(pointer)})"


def _prepare(load: Load, make: Callable[[], Made]) -> tuple[int, Made]:
    """Make what a chunk will write, before the lock is taken, and say for which version of the domain it holds."""
    load.scratch.run("create or replace temp table set_apart (record bigint)")
    version = load.store.read_key_version(load.job.domain_id)
    _set_apart_changed(load, version)
    return version, make()


def _set_apart_changed(load: Load, key_version: int) -> None:
    """If something else wrote to the domain since the plan, take targets from the chunk whose key it has changed."""
    if key_version == load.key_version:
        return
    scratch = load.scratch
    keys = scratch.table("select key from chunk order by key")["key"].combine_chunks().cast(pa.string())
    found = load.store.find_key_holders(load.job.domain_id, load.mapping.key_name, keys, load.job.started_at)
    scratch.put("asked", pa.table({"i": pa.array(range(len(keys)), pa.int64()), "key": keys}))
    scratch.put("found", found)
    # The load itself writes the keys of these profiles only in its last step, so whatever differs from the plan was
    # written by something else.
    scratch.run(
        """
        create or replace temp table moved as
        select target, holders from (
            select target, chunk.pid as planned, count(distinct found.pid) as holders, min(found.pid) as pid
            from chunk join asked using (key) left join found using (i) group by all
        ) where holders > 1 or pid is distinct from planned
        """
    )
    scratch.run(
        "insert into set_apart select record from member join moved using (target) union select target from moved"
    )
    scratch.run("delete from chunk where target in (select target from moved)")


def _attributes_json(load: Load) -> str:
    """SQL for a JSON object of the attributes that have a value, null for none."""
    members = []
    for index, name in load.attributes:
        member = f"to_json({sql_text(name)}::varchar) || ':' || to_json(v{index})"
        members.append(f"case when v{index} is not null then {member} end")
    if not members:
        return "null::varchar"
    joined = f"concat_ws(',', {', '.join(members)})"
    return f"case when {joined} <> '' then '{{' || {joined} || '}}' end"


def _sql_set_by_hand(origins: str, path: str) -> str:
    return f"coalesce(list_contains(from_json({origins}, '[\"VARCHAR\"]'), {sql_text(path)}), false)"
