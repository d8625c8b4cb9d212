"""Take keys out of the search index and put others in, all sorted.

Sorted order writes each page of the index about once; in the order of a file, the same keys took five times as long.
The keys that updates changed come from the table ``pending_keys``, which was written with the updates themselves.

Something else may have changed or deleted a profile since the job wrote it. When the domain's ``key_version`` says so,
the profiles of a chunk are read again: a key goes in only if the profile's present fields still give it, and goes out
only if they no longer do.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute

from openprofiles.bulk.chunks import ChunkSize
from openprofiles.bulk.key_columns import KeyRule, sql_keys
from openprofiles.bulk.leased_work import LeasedWork
from openprofiles.bulk.profile_work import ProfileWork
from openprofiles.bulk.scratch import Scratch, ScratchCursor
from openprofiles.bulk.stored_values import column_of, stored_value
from openprofiles.facts.keys import field_key_name
from openprofiles.facts.normal_forms import FIELD_KEY_PREFIX, sql_normal_key
from openprofiles.facts.sql_text import sql_text
from openprofiles.store.bulk import BulkStore
from openprofiles.store.bulk_protocols import JobNotes, KeyIndex, PreparedRows
from openprofiles.store.leased_jobs import ChunkState, LeasedJob
from openprofiles.store.note_tables import ABSENT_KEYS

Work = TypeVar("Work", bound=LeasedWork)

REMOVE = "unindex"
ADD = "index"

_ROWS_PER_READ = 50_000
_FIRST_CHUNK_KEYS = 10_000

# Few: their size was chosen before what is written now has shown how long it takes.
_CHUNKS_AHEAD = 2


class _SomeAbsent(Exception):
    """Keys that were to go out are not in the index; the chunk was rolled back, so that they can be looked for."""


def write_keys(
    work: Work,
    phase: str | None,
    position: int,
    rules: Sequence[KeyRule],
    table_of: Callable[[Work, KeyRule], str],
    *,
    notes_absent: bool,
) -> None:
    """Take pending keys out of the index, and put keys in.

    Args:
        phase: where an earlier loader of this job stopped, with its position, if it was in this step.
        rules: those that can have keys to put in, in the order of their names.
        table_of: the name of the sorted table of these keys of a rule, which it makes.
        notes_absent: whether keys that are not there are noted, for an undo of the job.
    """
    if phase != ADD:
        _remove_keys(work, position if phase == REMOVE else 0, notes_absent=notes_absent)
    _add_keys(work, position if phase == ADD else 0, rules, table_of)


def write_pending_keys(work: LeasedWork, phase: str | None, position: int) -> None:
    """Apply the key changes that the job's own chunks have left, and nothing else; see ``write_keys``."""
    if not work.scratch.is_done("keys"):
        read_pending_keys(work)
        work.scratch.mark_done("keys")
    rules = rules_of_pending(work, added=1)
    write_keys(work, phase, position, rules, _pending_added_table, notes_absent=False)


def apply_pending_keys(work: LeasedWork) -> None:
    """Apply them without recording progress, for a job that may continue later."""
    read_pending_keys(work)
    for table_of, is_added in ((_removed_table, False), (_pending_added_table, True)):
        with closing(_sorted_keys(work, 0, rules_of_pending(work, added=int(is_added)), table_of)) as parts:
            for part in parts:
                with work.store.chunk() as state:
                    if not state.domain_deleted:
                        keys = _keys_of_chunk(work, part, state, wanted=is_added)
                        write = work.store.add_keys if is_added else work.store.remove_keys
                        write(part.rule.name, keys)
                    work.store.check_lease()


class KeyStore(KeyIndex, JobNotes, Protocol):
    """The index of keys, and where a job notes which keys it did not find there."""


def take_keys_out(work: ProfileWork, store: KeyStore, name: str, keys: pa.Table) -> None:
    """Remove keys (value, pid) within a chunk; note those that are not there."""
    if work.keeps_images and keys.num_rows and _is_whole(work, name):
        _note_absent(store, name, keys)
    store.remove_keys(name, keys)


def _is_whole(work: LeasedWork, name: str) -> bool:
    """Return whether only a person can have deleted such a key, as all were indexed."""
    building = set(work.job.indexed_paths) - set(work.job.whole_index_paths)
    return name not in {field_key_name(path) for path in building}


def _note_absent(store: KeyStore, name: str, keys: pa.Table) -> None:
    values, pids = keys["value"].combine_chunks(), keys["pid"].combine_chunks()
    present = store.find_present_keys(name, values, pids)["i"].combine_chunks()
    places = pa.array(range(keys.num_rows), pa.int64())
    absent = keys.filter(pa.compute.invert(pa.compute.is_in(places, present)))
    store.add_notes(ABSENT_KEYS, absent.append_column("name", pa.repeat(pa.scalar(name), absent.num_rows)))


def sorted_rules(work: LeasedWork) -> list[KeyRule]:
    return sorted(work.key_rules, key=lambda rule: rule.name)


def rules_of_pending(work: LeasedWork, *, added: int) -> list[KeyRule]:
    """Return the rules of which keys wait to be added (1) or removed (0); most loads have none to remove."""
    rows = work.scratch.table("select distinct name from pending where added = ?", [added])
    names = set(rows["name"].to_pylist())
    return [rule for rule in sorted_rules(work) if rule.name in names]


def build_field_index(scratch: Scratch, store: BulkStore, job: LeasedJob, path: str) -> None:
    """Index the stored profiles of the domain by one more field, once; every writer keeps it from then on."""
    with store.chunk():
        is_built = store.register_indexed_field(path)
        store.check_lease()
    if is_built:
        return
    scratch.run("create or replace table field_value (value text, pid bigint)")
    column = column_of(path)
    name = field_key_name(path)
    value = sql_normal_key(name, stored_value(path), job.phone_region)
    after = 0
    while True:
        rows = store.read_domain_column(column, after, _ROWS_PER_READ)
        if not rows.num_rows:
            break
        after = rows["pid"][-1].as_py()
        scratch.put("stored", rows.rename_columns(["pid", column]))
        scratch.run(
            f"insert into field_value select * from (select {value} as value, pid from stored) where value <> ''"
        )
    size = ChunkSize(10_000)
    table = make_sorted(scratch, "field_key", "select value, pid from field_value")
    for rows in _table_chunks(scratch, table, size):
        with store.chunk(), size.timed(rows.num_rows):
            # A profile may have changed between reading its value and now, so each is checked.
            rule = KeyRule(name, (path,))
            store.add_keys(name, _still_right(scratch, store, job, rule, rows, wanted=True))
            store.check_lease()
    with store.chunk():
        store.finish_indexed_field(path)
        store.check_lease()
    scratch.run("drop table field_value")
    scratch.run("drop table field_key")


def read_pending_keys(work: LeasedWork) -> None:
    work.scratch.run("create or replace table pending (added bigint, name text, value text, pid bigint)")
    for rows in work.store.read_pending_keys():
        work.scratch.put("read_pending", rows)
        # A load that an earlier version began may have written keys of fields in the form of that time.
        form = sql_normal_key(FIELD_KEY_PREFIX, "value", work.job.phone_region)
        work.scratch.run(
            f"insert into pending select added, name, case when starts_with(name, '{FIELD_KEY_PREFIX}') then {form} "
            "else value end, pid from read_pending"
        )


def _remove_keys(work: Work, position: int, *, notes_absent: bool) -> None:
    """Take the keys of each name in turn out of the index, from ``position`` on.

    The order is total and what is read no longer changes, so a loader that takes this up counts the same.
    """
    with closing(_sorted_keys(work, position, rules_of_pending(work, added=0), _removed_table)) as parts:
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
                _note_absent(work.store, part.rule.name, keys if isinstance(keys, pa.Table) else keys.table)
            removed = work.store.remove_keys(part.rule.name, keys)
            if notes_absent and not looks_first and removed < keys.num_rows:
                raise _SomeAbsent
        work.store.record_progress(phase=REMOVE, position=part.done)


def _add_keys(work: Work, position: int, rules: Sequence[KeyRule], table_of: Callable[[Work, KeyRule], str]) -> None:
    """Put the keys of each name in turn into the index, from ``position`` on."""
    with closing(_sorted_keys(work, position, rules, table_of)) as parts:
        for part in parts:
            with work.store.chunk() as state, part.size.timed(part.rows.num_rows):
                if not state.domain_deleted:
                    keys = _keys_of_chunk(work, part, state, wanted=True)
                    work.store.add_keys(part.rule.name, keys)
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
    """Yield the keys of each rule in turn, sorted, without the first ``position`` of all."""
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


def sorted_table_name(work: LeasedWork, kind: str, rule: KeyRule) -> str:
    return f"{kind}_{sorted_rules(work).index(rule)}"


def pending_sql(rule: KeyRule, *, added: int) -> str:
    return f"select value, pid from pending where added = {added} and name = {sql_text(rule.name)}"


def _removed_table(work: LeasedWork, rule: KeyRule) -> str:
    return make_sorted(work.cursor, sorted_table_name(work, "removed_key", rule), pending_sql(rule, added=0))


def _pending_added_table(work: LeasedWork, rule: KeyRule) -> str:
    return make_sorted(work.cursor, sorted_table_name(work, "added_key", rule), pending_sql(rule, added=1))


def make_sorted(cursor: ScratchCursor, table: str, keys: str) -> str:
    """Make the sorted table of these keys without nulls; return its name."""
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
    """Yield the keys (value, pid) of a sorted table from row ``first`` on."""
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
    """Keep the keys that the profiles' present fields give, or do not give.

    Args:
        wanted: whether those that they give are kept.
    """
    columns = {column_of(path) for path in rule.paths}
    scratch.put("stored", store.read_profiles(rows["pid"].combine_chunks(), sorted(columns)))
    scratch.put("candidate", rows)
    derived = sql_keys([rule], stored_value, job.phone_region, "stored")
    return scratch.table(
        f"select value, pid from candidate {'semi' if wanted else 'anti'} join ({derived}) "
        "using (value, pid) order by value, pid"
    )
