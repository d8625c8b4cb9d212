"""Write records whose unique keys are entangled: one after the other, in file order, against the store as it is.

What ``merge`` writes together, because the order cannot matter, is written here as one would by hand: look the key
up, create, update or fail, put the keys into the index, go on to the next record. Some hundreds of records share one
transaction; within it, what the earlier ones did to the index is kept in mind (``_Index``).

The keys go in at once, so that the next chunk finds them; nothing is left for the last step.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from itertools import islice
from typing import Any, Protocol

import pyarrow as pa

from openprofiles.bulk.chunks import ChunkSize
from openprofiles.bulk.compare import (
    ProfileChanges,
    changed_columns,
    compare,
    read_stored,
)
from openprofiles.bulk.key_columns import NO_VALUE, KeyRule, sql_keys
from openprofiles.bulk.key_writes import KeyStore, take_keys_out
from openprofiles.bulk.leased_work import check_stop
from openprofiles.facts.precedence import Source
from openprofiles.facts.standard_profile import FIELD_BY_PATH
from openprofiles.store.bulk_protocols import ProfileReader, ProfileRows
from openprofiles.store.note_tables import FAILED_ROWS
from openprofiles.uploads.failures import faults
from openprofiles.uploads.job_options import CREATE_ONLY, UPDATE_ONLY
from openprofiles.uploads.loading.load_work import Load, TooManyFailed
from openprofiles.uploads.loading.other_names import find_other_names_since_plan
from openprofiles.uploads.loading.plan import fold_sql, group_values, read_ordered_records
from openprofiles.uploads.loading.record_values import new_rows, targets_with_values_sql
from openprofiles.uploads.loading.same_customer import (
    find_candidates,
    keys_sql,
    split_candidates,
    without_keys_of_others,
)
from openprofiles.uploads.loading.shared_keys import find_shared_keys
from openprofiles.uploads.loading.unchanged_records import count_unchanged
from openprofiles.uploads.notices import Notice, with_more

FOLLOW = "follow"

# Tables of failed rows in one chunk, of some megabytes each.
_MOST_PARTS = 8

_PLACED = pa.schema(
    [
        ("record", pa.int64()),
        ("target", pa.int64()),
        ("pid", pa.int64()),
        ("holders", pa.int64()),
        ("code", pa.string()),
        ("is_own", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class _Writes:
    """What one chunk writes."""

    failed: pa.Table
    created: pa.Table
    created_keys: pa.Table
    changes: ProfileChanges
    counts: RecordCounts
    notices: list[Notice]


class FollowStore(ProfileRows, KeyStore, Protocol):
    """What to follow records one by one asks of the store."""


@dataclass(slots=True)
class RecordCounts:
    """How many records created and updated profiles, how many of the latter changed nothing, and how many failed."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0

    def __add__(self, other: RecordCounts) -> RecordCounts:
        return RecordCounts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


def follow_records(load: Load, store: FollowStore, position: int, record: Callable[[int, RecordCounts], None]) -> None:
    """Write the records that were set apart, those after ``position``.

    Args:
        store: where they are looked up and written.
        record: called in each chunk with its last record and its counts.

    Raises:
        Stopped: see there. What was written before stays.
        TooManyFailed: see there.
    """
    scratch = load.scratch
    are_any = read_ordered_records(scratch, store)
    size = ChunkSize(500)
    failed_count = load.job.failed_count
    while True:
        if load.options.too_many_failed(failed_count, load.job.record_count or 0):
            raise TooManyFailed
        if not are_any:
            return
        scratch.run(
            "create or replace temp table following as select * from staged "
            "where record in (select record from ordered where record > ? order by record limit ?) order by record",
            [position, size.rows],
        )
        upto = scratch.value("select max(record) from following")
        if upto is None:
            return
        version = store.read_key_version()
        writes = _place(load, store)
        # Read before the chunk, which holds the domain; and so many that they can be held.
        failed = list(islice(load.failed_rows.tables(writes.failed), _MOST_PARTS))
        if len(failed) == _MOST_PARTS and size.rows > 1:
            size.rows //= 2
            continue
        with store.chunk() as state, size.timed(scratch.value("select count(*) from following")):
            check_stop(state)
            if state.key_version != version:
                writes = _place(load, store)
                failed = list(load.failed_rows.tables(writes.failed))
            for part in failed:
                store.add_notes(FAILED_ROWS, part)
            store.insert_profiles(writes.created, load.profile_write())
            writes.changes.write(load, store)
            for rule in load.key_rules:
                changed = _keys_of(rule, writes.changes.keys)
                is_added = pa.compute.equal(changed["added"], 1)
                take_keys_out(
                    load, store, rule.name, changed.filter(pa.compute.invert(is_added)).drop_columns(["added"])
                )
                store.add_keys(rule.name, changed.filter(is_added).drop_columns(["added"]))
                store.add_keys(rule.name, _keys_of(rule, writes.created_keys))
            record(upto, writes.counts)
            if writes.notices:
                stored = [Notice.from_json(notice) for notice in store.read_notices()]
                store.record_notices([notice.to_json() for notice in with_more(stored, writes.notices)])
        position = upto
        failed_count += writes.counts.failed


def _place(load: Load, store: FollowStore) -> _Writes:
    """Find a profile for each record in the table ``following``, and fold the records of each."""
    scratch = load.scratch
    group = group_values(load.mapping)
    values = "".join(f", v{index}" for index in group.values())
    index = _read_index(load, store)
    placed = []
    for row in scratch.table(f"select record, key{values} from following order by record").to_pylist():
        cells = {path: row[f"v{number}"] for path, number in group.items()}
        keys = {
            path: load.mapping.identity(cell, load.job.phone_region) for path, cell in cells.items() if cell is not None
        }
        placed.append((row["record"], *index.place(row["record"], row["key"], keys)))
    columns = [pa.array(column, kind.type) for column, kind in zip(zip(*placed, strict=True), _PLACED, strict=True)]
    scratch.put("placed", pa.table(columns, schema=_PLACED))
    scratch.run("create or replace temp table followed as select * from placed where code is null")
    scratch.run(f"create or replace temp table folded_here as {fold_sql(load.mapping, 'followed')}")
    # The last value that the profile takes: one that it was found by as a key given to it is not written.
    key_column = f"v{load.mapping.fields.index(load.mapping.unique_key)}"
    scratch.run(
        f"update folded_here set {key_column} = (select arg_max(s.{key_column}, record) from followed f "
        "join staged s using (record) where f.is_own and f.target = folded_here.target)"
    )
    scratch.run(
        "create or replace temp table chunk as select target, any_value(pid) as pid, count(*) as row_count "
        "from followed group by target"
    )
    every = scratch.table(targets_with_values_sql(load, "chunk", "folded_here"))
    is_new = pa.compute.is_null(every["pid"])
    new = every.filter(is_new).sort_by("target")
    existing = every.filter(pa.compute.invert(is_new)).sort_by("pid")
    stored = read_stored(load, store, existing, changed_columns(load))
    existing = without_keys_of_others(existing, stored, cursor=scratch, job=load.job, mapping=load.mapping)
    changes = compare(load, existing, stored)
    created = new_rows(load, new)
    failed = scratch.table(
        "select record, 0 as fault, line, code, ?::varchar as column_name, "
        "case when holders > 1 then holders end as detail "
        "from placed join staged using (record) where code is not null order by record",
        [load.mapping.unique_key.header],
    )
    updated = len(placed) - failed.num_rows - created.num_rows
    values = ", ".join(
        f"case when is_own then {name} end as {name}" if name == key_column else name for name in load.value_names
    )
    repeated = f"select target, pid, record, {values} from followed join following using (record)"
    unchanged = count_unchanged(load, pa.concat_tables([new, existing]), stored, repeated)
    return _Writes(
        failed,
        created,
        _keys_of_new(load, new),
        changes,
        RecordCounts(created.num_rows, updated, unchanged, failed.num_rows),
        _find_notices(load, store, new),
    )


def _find_notices(load: Load, store: ProfileReader, new: pa.Table) -> list[Notice]:
    """Find what the plan could not notice, since profiles were created, changed or deleted after it."""
    # The first plan has noticed what there was before its scratch database was lost.
    if load.scratch.recall("made_again"):
        return []
    other_names = find_other_names_since_plan(load.scratch, store, load.mapping, load.options)
    return _find_shared_keys(load, store, new) + other_names


def _find_shared_keys(load: Load, store: ProfileReader, new: pa.Table) -> list[Notice]:
    """Find the rows that the plan treated as updates of profiles that have since been deleted."""
    if not new.num_rows:
        return []
    load.scratch.put("new_here", new.select(["key", "target"]))
    load.scratch.run(
        "create or replace temp table made_here as select key, target as record from new_here "
        "where target not in (select target from target where pid is null)"
    )
    if not load.scratch.value("select exists (select 1 from made_here)"):
        return []
    return find_shared_keys(load.scratch, store, load.job, load.mapping, "made_here", "other_holder_here")


def _keys_of(rule: KeyRule, rows: pa.Table) -> pa.Table:
    return rows.filter(pa.compute.equal(rows["name"], rule.name)).drop_columns(["name"])


def _keys_of_new(load: Load, targets: pa.Table) -> pa.Table:
    indexes = {path: index for index, path in enumerate(load.paths)}
    keys = sql_keys(
        load.key_rules,
        lambda path: f"v{indexes[path]}" if path in indexes else NO_VALUE,
        load.job.phone_region,
        "new_target",
        f"target + {load.pid_base}",
    )
    load.cursor.put("new_target", targets)
    return load.cursor.table(f"{keys} order by name, value, pid")


@dataclass(slots=True)
class _Owner:
    """A profile, as far as the unique key's group goes: identity forms by path, and which paths were set by hand."""

    keys: dict[str, str | None] = field(default_factory=dict)
    set_by_hand: frozenset[str] = frozenset()
    # The first record of this chunk that goes to it.
    target: int | None = None


class _Index:
    """The part of the index that a chunk's records can touch, as it changes from record to record.

    Owners are row numbers of stored profiles, and minus the first record's number for new ones.
    """

    def __init__(self, source: Source, write_mode: str, *, keeps_own_key: bool) -> None:
        self._source = source
        self._write_mode = write_mode
        self._keeps_own_key = keeps_own_key
        self._owners: dict[int, _Owner] = {}
        self._holders: dict[str, set[int]] = {}
        self._added_by_hand: set[tuple[int, str]] = set()

    def add_profile(self, pid: int, keys: dict[str, str | None], set_by_hand: frozenset[str]) -> None:
        """A stored profile that holds one of the chunk's unique keys."""
        self._owners[pid] = _Owner(keys, set_by_hand)

    def add_key(self, value: str, pid: int) -> None:
        """A key that the index has for a profile."""
        self._holders.setdefault(value, set()).add(pid)

    def add_key_by_hand(self, value: str, pid: int) -> None:
        """A key that no change of a field takes away."""
        self._added_by_hand.add((pid, value))

    def place(
        self, record: int, key: str, cells: dict[str, str | None]
    ) -> tuple[int | None, int | None, int, str | None, bool]:
        """Where a record goes, and what it changes.

        Args:
            cells: identity forms of the record's values in the fields of the group, blank ones left out.

        Returns:
            the first record of the chunk that goes to the same profile, the row number of the stored profile or None
            for a new one, how many profiles hold the key, the code of the fault if the record fails, and whether the
            profile takes the value of the unique key.
        """
        holders = self._holders.get(key, set())
        if fault := self._find_fault(len(holders)):
            return None, None, len(holders), fault, False
        number = next(iter(holders)) if holders else -record
        owner = self._owners.setdefault(number, _Owner())
        if owner.target is None:
            owner.target = record
        before = {value for value in owner.keys.values() if value is not None}
        written = {path: value for path, value in cells.items() if self._source.wins(path, owner.set_by_hand)}
        is_own = True
        if self._keeps_own_key:
            # Found by a key that was given to it, it keeps a different value of its own.
            is_own = all(owner.keys.get(path) in (None, value) for path, value in cells.items())
            written = written if is_own else {}
        owner.keys.update(written)
        after = {value for value in owner.keys.values() if value is not None}
        for value in before - after:
            if (number, value) not in self._added_by_hand:
                self._holders.get(value, set()).discard(number)
        for value in after - before:
            self._holders.setdefault(value, set()).add(number)
        return owner.target, number if number > 0 else None, len(holders), None, is_own

    def _find_fault(self, holder_count: int) -> str | None:
        if holder_count > 1:
            return faults.AMBIGUOUS_UNIQUE_KEY
        if holder_count == 1 and self._write_mode == CREATE_ONLY:
            return faults.PROFILE_EXISTS
        if holder_count == 0 and self._write_mode == UPDATE_ONLY:
            return faults.NO_PROFILE
        return None


def _read_index(load: Load, store: FollowStore) -> _Index:
    """The stored profiles that hold the chunk's unique keys: their fields of the key's group, and their keys."""
    job, name = load.job, load.mapping.key_name
    keys = load.scratch.table(keys_sql(load.mapping, "(select distinct key from following)"))
    candidates = find_candidates(store, load.mapping, keys)
    found, others = split_candidates(candidates, keys, cursor=load.scratch, reader=store, job=job, mapping=load.mapping)
    load.scratch.put("other_holder_here", others)
    pids = pa.compute.unique(found["pid"].combine_chunks())
    paths = load.mapping.identity_paths if load.mapping.can_be_given else ()
    columns = [FIELD_BY_PATH[path].column for path in paths]
    options = load.options
    index = _Index(options.source, options.write_mode, keeps_own_key=not load.mapping.matches_group)
    pairs: list[tuple[str, int]] = []
    row: dict[str, Any]
    for row in store.read_profiles(pids, ["origins", *columns]).to_pylist():
        values = {path: row[column] for path, column in zip(paths, columns, strict=True) if row[column] is not None}
        forms = {path: load.mapping.identity(value, job.phone_region) for path, value in values.items()}
        index.add_profile(row["pid"], forms, frozenset(json.loads(row["origins"] or "[]")))
        pairs += [(form, row["pid"]) for form in set(forms.values()) if form is not None]
    # What a field holds may have been taken from the index by hand, and what is looked for may be there by hand.
    present = store.find_present_keys(
        name,
        pa.array([load.mapping.search_form(value) for value, _ in pairs], pa.string()),
        pa.array([pid for _, pid in pairs], pa.int64()),
    )
    for number in present["i"].to_pylist():
        index.add_key(*pairs[number])
    for row in found.to_pylist():
        index.add_key(row["key"], row["pid"])
    for row in store.read_held_keys(pids, name).to_pylist():
        index.add_key_by_hand(row["value"], row["pid"])
    return index
