"""Take from the search index what the updates of a load removed, and put in what it added, all sorted.

Sorted order writes each page of the index about once; in the order of the file, the same keys took five times as
long. The keys of new profiles come from the scratch database, those that updates changed from the table
``pending_keys``, which was written with the updates themselves.

Something else may have changed or deleted a profile since the load wrote it. When the domain's ``key_version`` says
so, the profiles of a chunk are read again: a key goes in only if the profile's present fields still give it, and goes
out only if they no longer do.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute

from openprofiles.profiles.keys import field_key_name
from openprofiles.profiles.normal_forms import FIELD_KEY_PREFIX, sql_normal_key
from openprofiles.store.bulk import BulkStore, ChunkState, LeasedJob, PreparedRows
from openprofiles.uploads.loading.chunks import ChunkSize
from openprofiles.uploads.loading.key_columns import NO_VALUE, KeyRule, sql_keys, sql_keys_or_null
from openprofiles.uploads.loading.leased_work import LeasedWork
from openprofiles.uploads.loading.merge import Load
from openprofiles.uploads.loading.plan import read_ordered_records
from openprofiles.uploads.loading.scratch import Scratch, ScratchCursor
from openprofiles.uploads.loading.stored_values import column_of, stored_value
from openprofiles.uploads.sql_text import sql_text

Work = TypeVar("Work", bound=LeasedWork)

REMOVE = "unindex"
ADD = "index"

_ROWS_PER_READ = 50_000
_FIRST_CHUNK_KEYS = 10_000

# Few: their size was chosen before what is written now has shown how long it takes.
_CHUNKS_AHEAD = 2
_INTERRUPT_AGAIN_SECONDS = 0.05


class _SomeAbsent(Exception):
    """Keys that were to go out are not in the index; the chunk was rolled back, so that they can be told apart."""


class KeySorting:
    """Sorts the keys of the profiles that the plan creates, into one table for each name, in a thread of its own.

    That needs the file and the plan alone, so it runs beside the merging, whose work is the store's.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._threads = ThreadPoolExecutor(1)
        self._tables = {rule.name: self._threads.submit(_make_new_keys, load, rule) for rule in _rules(load)}

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
        _remove_keys(load, position if phase == REMOVE else 0, notes_absent=load.keeps_images)

    changed = {rule.name for rule in _rules_of_pending(load, added=1)}
    any_not_created = bool(load.scratch.value("select exists (select 1 from not_created)"))

    def table_of(ahead: Load, rule: KeyRule) -> str:
        if sorting is not None:
            sorting.wait_for(rule.name)
        return _added_keys_table(ahead, rule, any_changed=rule.name in changed, any_not_created=any_not_created)

    _add_keys(load, position if phase == ADD else 0, _rules(load), table_of)


def write_pending_keys(work: LeasedWork, phase: str | None, position: int) -> None:
    """Apply the key changes that the job's own chunks have left, and nothing else; the arguments are as above."""
    if not work.scratch.is_done("keys"):
        _read_pending_keys(work)
        work.scratch.mark_done("keys")
    if phase != ADD:
        _remove_keys(work, position if phase == REMOVE else 0, notes_absent=False)
    rules = _rules_of_pending(work, added=1)
    _add_keys(work, position if phase == ADD else 0, rules, _pending_added_table)


def apply_pending_keys(work: LeasedWork) -> None:
    """The same from the beginning, without recording progress: for a job that ends here and may go on later."""
    _read_pending_keys(work)
    for table_of, is_added in ((_removed_table, False), (_pending_added_table, True)):
        with closing(_sorted_keys(work, 0, _rules_of_pending(work, added=int(is_added)), table_of)) as parts:
            for part in parts:
                with work.store.chunk() as state:
                    if not state.domain_deleted:
                        keys = _keys_of_chunk(work, part, state, wanted=is_added)
                        write = work.store.add_keys if is_added else work.store.remove_keys
                        write(work.job.domain_id, part.rule.name, keys)
                    work.store.check_lease()


def take_keys_out(load: Load, name: str, keys: pa.Table) -> None:
    """Remove keys (value, pid) within a chunk, and note those that are not there, for an undo of the load."""
    if load.keeps_images and keys.num_rows and _is_whole(load, name):
        _note_absent(load, name, keys)
    load.store.remove_keys(load.job.domain_id, name, keys)


def _is_whole(work: LeasedWork, name: str) -> bool:
    """Whether a key of this name can only be missing since it was deleted by hand: its index has all profiles."""
    building = set(work.job.indexed_paths) - set(work.job.whole_index_paths)
    return name not in {field_key_name(path) for path in building}


def _note_absent(work: LeasedWork, name: str, keys: pa.Table) -> None:
    values, pids = keys["value"].combine_chunks(), keys["pid"].combine_chunks()
    present = work.store.find_present_keys(work.job.domain_id, name, values, pids)["i"].combine_chunks()
    places = pa.array(range(keys.num_rows), pa.int64())
    absent = keys.filter(pa.compute.invert(pa.compute.is_in(places, present)))
    work.store.insert_absent_keys(absent.append_column("name", pa.repeat(pa.scalar(name), absent.num_rows)))


def _rules(work: LeasedWork) -> list[KeyRule]:
    return sorted(work.key_rules, key=lambda rule: rule.name)


def _rules_of_pending(work: LeasedWork, *, added: int) -> list[KeyRule]:
    """Return the rules of which keys wait to be added (1) or removed (0); most loads have none to remove."""
    rows = work.scratch.table("select distinct name from pending where added = ?", [added])
    names = set(rows["name"].to_pylist())
    return [rule for rule in _rules(work) if rule.name in names]


def build_field_index(scratch: Scratch, store: BulkStore, job: LeasedJob, path: str) -> None:
    """Index the stored profiles of the domain by one more field, once; every writer keeps it from then on."""
    with store.chunk():
        is_built = store.register_indexed_field(job.domain_id, path)
        store.check_lease()
    if is_built:
        return
    scratch.run("create or replace table field_value (value text, pid bigint)")
    column = column_of(path)
    name = field_key_name(path)
    value = sql_normal_key(name, stored_value(path), job.phone_region)
    after = 0
    while True:
        rows = store.read_domain_column(job.domain_id, column, after, _ROWS_PER_READ)
        if not rows.num_rows:
            break
        after = rows["pid"][-1].as_py()
        scratch.put("stored", rows.rename_columns(["pid", column]))
        scratch.run(
            f"insert into field_value select * from (select {value} as value, pid from stored) where value <> ''"
        )
    size = ChunkSize(10_000)
    table = _make_sorted(scratch, "field_key", "select value, pid from field_value")
    for rows in _table_chunks(scratch, table, size):
        with store.chunk(), size.timed(rows.num_rows):
            # A profile may have changed between reading its value and now, so each is checked.
            rule = KeyRule(name, (path,))
            store.add_keys(job.domain_id, name, _still_right(scratch, store, job, rule, rows, wanted=True))
            store.check_lease()
    with store.chunk():
        store.finish_indexed_field(job.domain_id, path)
        store.check_lease()
    scratch.run("drop table field_value")
    scratch.run("drop table field_key")


def _read_pending_keys(work: LeasedWork) -> None:
    work.scratch.run("create or replace table pending (added bigint, name text, value text, pid bigint)")
    for rows in work.store.read_pending_keys():
        work.scratch.put("read_pending", rows)
        # A load that an earlier version began may have written keys of fields in the form of that time.
        form = sql_normal_key(FIELD_KEY_PREFIX, "value", work.job.phone_region)
        work.scratch.run(
            f"insert into pending select added, name, case when starts_with(name, '{FIELD_KEY_PREFIX}') then {form} "
            "else value end, pid from read_pending"
        )


def _new_keys_sql(load: Load, rule: KeyRule, *, created_only: bool = False) -> str:
    """SQL for the keys of one name that the planned new profiles have, or those of them that are in the store."""
    mapped = {field.path for field in load.mapping.fields}.intersection(rule.paths)
    if rule.name == load.mapping.key_name and mapped == {load.mapping.unique_key.path}:
        # The plan has them already, and nearly always in their order.
        source, value, pid = "key_group", load.mapping.sql_search_form("key"), f"first + {load.pid_base}"
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


def _remove_keys(work: Work, position: int, *, notes_absent: bool) -> None:
    """Take the keys of each name in turn out of the index, from ``position`` on.

    The order is total and what is read no longer changes, so a loader that takes this up counts the same.

    Args:
        notes_absent: whether keys that are not there are noted, for an undo of the job.
    """
    with closing(_sorted_keys(work, position, _rules_of_pending(work, added=0), _removed_table)) as parts:
        for part in parts:
            notes = notes_absent and _is_whole(work, part.rule.name)
            try:
                # That all of them are there costs nothing to find out, and nearly always they are.
                _remove_part(work, part, notes_absent=notes, looks_first=False)
            except _SomeAbsent:
                _remove_part(work, part, notes_absent=True, looks_first=True)


def _remove_part(work: LeasedWork, part: _Part, *, notes_absent: bool, looks_first: bool) -> None:
    """Take one chunk of keys out.

    Raises:
        _SomeAbsent: not all are there, which is to be noted but was not looked for; nothing was written.
    """
    with work.store.chunk() as state, part.size.timed(part.rows.num_rows):
        if not state.domain_deleted:
            keys = _keys_of_chunk(work, part, state, wanted=False)
            if looks_first:
                _note_absent(work, part.rule.name, keys if isinstance(keys, pa.Table) else keys.table)
            removed = work.store.remove_keys(work.job.domain_id, part.rule.name, keys)
            if notes_absent and not looks_first and removed < keys.num_rows:
                raise _SomeAbsent
        work.store.record_progress(phase=REMOVE, position=part.done)


def _add_keys(work: Work, position: int, rules: Sequence[KeyRule], table_of: Callable[[Work, KeyRule], str]) -> None:
    """Put the keys of each name in turn into the index, from ``position`` on, as they are taken out."""
    with closing(_sorted_keys(work, position, rules, table_of)) as parts:
        for part in parts:
            with work.store.chunk() as state, part.size.timed(part.rows.num_rows):
                if not state.domain_deleted:
                    keys = _keys_of_chunk(work, part, state, wanted=True)
                    work.store.add_keys(work.job.domain_id, part.rule.name, keys)
                work.store.record_progress(phase=ADD, position=part.done)


def _keys_of_chunk(work: LeasedWork, part: _Part, state: ChunkState, *, wanted: bool) -> PreparedRows | pa.Table:
    if state.key_version == work.key_version:
        return part.rows
    return _still_right(work.scratch, work.store, work.job, part.rule, part.rows.table, wanted=wanted)


@dataclass(frozen=True, slots=True)
class _Part:
    """The keys of one chunk, all of one name.

    Attributes:
        size: of the chunks of this name.
        done: how many keys are done with it.
    """

    rule: KeyRule
    rows: PreparedRows
    size: ChunkSize
    done: int


def _sorted_keys(
    work: Work, position: int, rules: Sequence[KeyRule], table_of: Callable[[Work, KeyRule], str]
) -> Generator[_Part, None, None]:
    """Yield the keys of each rule in turn, in the order of the index, without the first ``position`` of all.

    Args:
        rules: those that can have keys, in the order of their names.
        table_of: the name of the sorted table of the keys of a rule, which it makes.
    """
    if not rules:
        return

    def make(ahead: Work) -> Generator[_Part, None, None]:
        left = done = position
        for rule in rules:
            table = table_of(ahead, rule)
            count = int(ahead.cursor.value(f"select count(*) from {table}"))
            skipped = min(left, count)
            left -= skipped
            # Keys of one name may be new at the end of the index, and those of the next scattered all over it, which
            # takes several times as long.
            size = ChunkSize(_FIRST_CHUNK_KEYS)
            for rows in _table_chunks(ahead.cursor, table, size, skipped):
                done += rows.num_rows
                yield _Part(rule, ahead.reader.prepare_rows(rows), size, done)

    with work.made_ahead(make, _CHUNKS_AHEAD) as parts:
        yield from parts


def _make_new_keys(load: Load, rule: KeyRule) -> str:
    return _make_sorted(load.cursor, _table_of(load, "new_key", rule), _new_keys_sql(load, rule))


def _table_of(work: LeasedWork, kind: str, rule: KeyRule) -> str:
    return f"{kind}_{_rules(work).index(rule)}"


def _pending_sql(rule: KeyRule, *, added: int) -> str:
    return f"select value, pid from pending where added = {added} and name = {sql_text(rule.name)}"


def _removed_table(work: LeasedWork, rule: KeyRule) -> str:
    return _make_sorted(work.cursor, _table_of(work, "removed_key", rule), _pending_sql(rule, added=0))


def _pending_added_table(work: LeasedWork, rule: KeyRule) -> str:
    return _make_sorted(work.cursor, _table_of(work, "added_key", rule), _pending_sql(rule, added=1))


def _added_keys_table(load: Load, rule: KeyRule, *, any_changed: bool, any_not_created: bool) -> str:
    """Make the table of the keys of one name that a load adds: those of changed profiles and those of new ones.

    Args:
        any_changed: whether ``pending`` has some of them.
        any_not_created: whether ``not_created`` has some profiles.
    """
    cursor = load.cursor
    changes = _pending_sql(rule, added=1)
    added = _table_of(load, "added_key", rule)
    if any_not_created and not cursor.is_done(_table_of(load, "new_key", rule)):
        # Stopped, perhaps after a hundredth of the file: the rest of its keys need no sorting.
        created = _new_keys_sql(load, rule, created_only=True)
        return _make_sorted(cursor, added, f"{changes} union all {created}")
    planned = _make_new_keys(load, rule)
    if not any_not_created and not any_changed:
        return planned
    created = (
        f"select value, pid from {planned} anti join "
        f"(select target + {load.pid_base} as pid from not_created) using (pid)"
    )
    return _make_sorted(cursor, added, f"{changes} union all {created}")


def _make_sorted(cursor: ScratchCursor, table: str, keys: str) -> str:
    """Make the table of these keys in the order of the index, unless it is there; its name. Nulls are left out."""
    if not cursor.is_done(table):
        if cursor.has_few_records:
            unsorted = f"({keys})"
        else:
            # Normal forms are made only once in this way, and short text whose length is known sorts quickly.
            unsorted = "unsorted"
            cursor.run(f"create or replace temp table unsorted as {keys}")
        cursor.run(
            f"create or replace table {table} as "
            f"select value, pid from {unsorted} where value is not null order by value, pid"
        )
        if not cursor.has_few_records:
            cursor.run("drop table unsorted")
        cursor.mark_done(table)
    return table


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
        if rows.num_rows:
            yield rows
        if rows.num_rows < count:
            return
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
