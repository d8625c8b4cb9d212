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

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from openprofiles.store.bulk import LeasedUpload, PreparedRows
from openprofiles.uploads.failures.failed_row_content import FailedRowContents
from openprofiles.uploads.job_options import CLEAR, OVERWRITE, JobOptions
from openprofiles.uploads.loading.chunks import ChunkSize
from openprofiles.uploads.loading.key_columns import KeyRule
from openprofiles.uploads.loading.leased_work import LeasedWork, check_stop
from openprofiles.uploads.loading.profile_ids import new_profile_ids
from openprofiles.uploads.loading.same_customer import (
    find_candidates,
    keeps_own_key_sql,
    keys_sql,
    split_candidates,
    without_keys_of_others,
)
from openprofiles.uploads.loading.steps import WriteEnded
from openprofiles.uploads.loading.stored_values import column_of, stored_value
from openprofiles.uploads.loading.undo_images import IMAGE_NUMBERS, image_columns, pack_image
from openprofiles.uploads.mappings.upload_mapping import MappedField
from openprofiles.uploads.sql_text import sql_text

CREATE = "create"
UPDATE = "update"

# Values are read from the scratch database about so much at a time.
_BYTES_PER_PART = 8_000_000

_BATCHES_AHEAD = 2
# To compare a field takes memory, even for few rows.
_FIELDS_PER_QUERY = 50

_ORIGINS = pa.schema([("origins", pa.string()), ("pid", pa.int64())])
KEY_CHANGES = pa.schema([("added", pa.int64()), ("name", pa.string()), ("value", pa.string()), ("pid", pa.int64())])


class TooManyFailed(WriteEnded):
    """More rows have failed than the job may have; the chunks so far were written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load(LeasedWork):
    """What the steps that write the records share.

    Attributes:
        bytes_per_record: in the file, on average.
        all_new: whether each record that is loaded makes a new profile of its own: see ``plan``.
        keeps_images: whether what is changed is kept, so that the load can be undone.
    """

    job: LeasedUpload
    options: JobOptions
    bytes_per_record: int
    all_new: bool
    pid_base: int
    expires_at: datetime
    failed_rows: FailedRowContents
    keeps_images: bool

    @property
    def clears_blanks(self) -> bool:
        """Whether an empty value, unlike a null, clears its field."""
        return self.options.blank_cells == CLEAR

    @property
    def overwrites_hand_set(self) -> bool:
        """Whether fields that were set by hand are written like others."""
        return self.options.hand_set_fields == OVERWRITE

    @property
    def value_names(self) -> list[str]:
        """The columns of the scratch database that hold the values of the mapped fields."""
        return [f"v{index}" for index in range(len(self.mapping.fields))]

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


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one chunk writes.

    Attributes:
        targets: what it was made of: target, pid, key, row_count, values, attributes.
        key_version: of the domain, for which it holds.
        set_apart: ``record``, those that are left to be followed one by one.
        record_count: how many records the written targets stand for.
        unchanged_count: how many of them change nothing.
        rows: for ``insert_profiles`` or ``update_profiles``.
        key_changes: for ``insert_pending_keys``.
        origins: for ``update_origins``.
        image: for ``insert_undo_image``; None if there is nothing to keep.
    """

    targets: pa.Table
    key_version: int
    set_apart: pa.Table
    record_count: int
    unchanged_count: int
    rows: pa.Table | PreparedRows
    key_changes: pa.Table
    origins: pa.Table
    image: bytes | None


def create_profiles(load: Load, position: int) -> None:
    """Write the new profiles, those whose first record comes after ``position``.

    Raises:
        Stopped: see there. What was written before stays.
    """
    size = ChunkSize(10_000)
    with load.made_ahead(lambda ahead: _new_batches(ahead, position, size), _BATCHES_AHEAD) as batches:
        for first_made in batches:
            with _valid_chunk(load, first_made, _new_batch, size) as batch:
                load.store.insert_profiles(
                    batch.rows,
                    domain_id=load.job.domain_id,
                    columns=load.columns,
                    now=load.clock(),
                    expires_at=load.expires_at,
                )
                load.store.record_progress(
                    phase=CREATE,
                    position=batch.targets["target"][-1].as_py(),
                    created=batch.rows.num_rows,
                    updated=batch.record_count - batch.rows.num_rows,
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
            with _valid_chunk(load, first_made, _changed_batch, size) as batch:
                load.store.insert_pending_keys(batch.key_changes)
                if batch.image is not None:
                    load.store.insert_undo_image(batch.image)
                load.store.update_profiles(
                    batch.rows,
                    domain_id=load.job.domain_id,
                    columns=load.columns,
                    now=load.clock(),
                    expires_at=load.expires_at,
                    clears=load.clears_blanks,
                )
                load.store.update_origins(load.job.domain_id, batch.origins)
                load.store.record_progress(
                    phase=UPDATE,
                    position=batch.targets["pid"][-1].as_py(),
                    updated=batch.record_count,
                    unchanged=batch.unchanged_count,
                )


def match_targets(load: Load) -> None:
    """Make the table ``matched``: the targets that are stored profiles, in order of row number."""
    if not load.scratch.is_done("matched"):
        load.scratch.run(
            "create or replace table matched as "
            "select target, pid, row_count from target where pid is not null order by pid"
        )
        load.scratch.mark_done("matched")


@contextmanager
def _valid_chunk(
    load: Load, batch: _Batch, make_again: Callable[[Load, pa.Table], _Batch], size: ChunkSize
) -> Iterator[_Batch]:
    """A chunk, and a batch that holds for the domain as the chunk finds it."""
    # Whatever has been written to the domain since is looked at before the lock is taken, if it can be.
    if load.store.read_key_version(load.job.domain_id) != batch.key_version:
        batch = make_again(load, batch.targets)
    with load.store.chunk() as state, size.timed(batch.targets.num_rows):
        check_stop(state)
        if state.key_version != batch.key_version:
            batch = make_again(load, batch.targets)
        load.store.insert_ordered_records(batch.set_apart)
        yield batch


def _new_batches(load: Load, position: int, size: ChunkSize) -> Generator[_Batch, None, None]:
    last = load.cursor.value("select max(target) from target where pid is null") or 0
    step = _records_per_part(load)
    for low in range(position, last, step):
        part = _in_order(_read_new(load, low, low + step), "target")
        while part.num_rows:
            count = size.rows
            yield _new_batch(load, part.slice(0, count))
            part = part.slice(count)


def _changed_batches(load: Load, position: int, size: ChunkSize) -> Generator[_Batch, None, None]:
    # To read the values and to compare them takes longer than to write them, so each has a thread.
    columns = changed_columns(load)
    with load.made_ahead(lambda ahead: changed_parts(ahead, position, size, columns), 1) as parts:
        for version, targets, stored in parts:
            yield _compare(load, version, targets, stored)


def new_parts(load: Load, condition: str = "true") -> Iterator[pa.Table]:
    """The targets that make new profiles, with their values, a part at a time, in file order.

    Args:
        condition: SQL on ``target``.
    """
    last = load.cursor.value("select max(target) from target where pid is null") or 0
    step = _records_per_part(load)
    for low in range(0, last, step):
        part = _read_values(
            load,
            "select target, pid, row_count from target "
            f"where target > {low} and target <= {low + step} and pid is null and {condition}",
        )
        yield _in_order(part, "target")


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
                version = load.reader.read_key_version(load.job.domain_id)
                yield version, targets, read_stored(load, targets, columns)
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
        yield _in_order(_read_values(load, chosen), "pid")


def _records_per_part(load: Load) -> int:
    return max(1000, _BYTES_PER_PART // max(load.bytes_per_record, 1))


def _read_new(load: Load, low: int, high: int) -> pa.Table:
    """The targets above ``low`` up to ``high`` that make new profiles, with their values."""
    if not load.all_new:
        chosen = f"select target, pid, row_count from target where target > {low} and target <= {high}"
        return _read_values(load, f"{chosen} and pid is null")
    # The common first load needs no join.
    return load.cursor.table(
        f"select record as target, null::bigint as pid, key, 1::bigint as row_count, {', '.join(load.value_names)}, "
        f"{_attributes_json(load)} as attributes from staged "
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
        f"select *, {_attributes_json(load)} as attributes from "
        f"(select t.target, t.pid, s.key, t.row_count, {values} "
        f"from {targets} t join staged s on s.record = t.target {join})"
    )


def _in_order(table: pa.Table, column: str) -> pa.Table:
    """The table in the order of a column, in which it nearly always is."""
    numbers = table[column].to_numpy()
    if len(numbers) and (np.diff(numbers) < 0).any():
        return table.combine_chunks().take(pa.array(np.argsort(numbers)))
    return table


def new_rows(load: Load, targets: pa.Table) -> pa.Table:
    """The new profiles of these targets, as ``BulkStore.insert_profiles`` takes them."""
    pids: npt.NDArray[np.int64] = targets["target"].to_numpy() + load.pid_base
    values = [targets[f"v{index}"] for index, _ in load.standard_fields]
    attributes = targets["attributes"]
    if load.clears_blanks:
        # There is nothing to clear.
        values = [_without_empty(value) for value in values]
        attributes = _attributes_of_new(load, targets)
    return pa.table(
        [pa.array(pids), new_profile_ids(load.clock(), pids), *values, attributes],
        ["pid", "profile_id", *load.columns, "attributes"],
    )


def _without_empty(values: pa.ChunkedArray) -> pa.ChunkedArray:
    is_empty = pa.compute.fill_null(pa.compute.equal(values, ""), False)
    return pa.compute.if_else(is_empty, pa.scalar(None, values.type), values)


def _attributes_of_new(load: Load, targets: pa.Table) -> pa.ChunkedArray:
    load.cursor.put("chosen", targets)
    members = _attributes_json(load, of_empty=None)
    return load.cursor.table(f"select {members} as attributes from chosen order by target")["attributes"]


def read_stored(load: Load, targets: pa.Table, columns: Sequence[str]) -> pa.Table:
    """What the profiles of these targets hold, with the numbers that an image needs.

    Args:
        columns: ``changed_columns`` for ``changed_rows``; for ``count_unchanged`` those of an image will do.
    """
    pids = targets["pid"].combine_chunks().cast(pa.int64())
    numbers = IMAGE_NUMBERS if load.keeps_images else ()
    return load.reader.read_profiles(load.job.domain_id, pids, columns, numbers)


def changed_columns(work: LeasedWork) -> list[str]:
    """The text columns of ``profile`` that the mapped fields and their keys stand in."""
    key_columns = {column_of(path) for rule in work.key_rules for path in rule.paths}
    return sorted(key_columns.union(image_columns(work.mapping)))


def image_of(load: Load, stored: pa.Table) -> bytes | None:
    """The image of profiles that are changed, as ``read_stored`` gave them; None if none is kept."""
    return pack_image(load.mapping, stored) if load.keeps_images and stored.num_rows else None


def changed_rows(load: Load, targets: pa.Table, stored: pa.Table) -> tuple[pa.Table, pa.Table]:
    """What these targets change, given what their profiles hold (``read_stored``).

    Returns:
        what is taken from the index and put there (added as 0 or 1, name, value, pid), and the values that may be
        written, in the order that ``BulkStore.update_profiles`` takes. Fields set by hand are left out of both.
    """
    if stored.num_rows < targets.num_rows:
        targets = targets.filter(pa.compute.is_in(targets["pid"], stored["pid"].combine_chunks()))
    if stored["origins"].null_count < stored.num_rows and not load.overwrites_hand_set:
        targets = _leave_out_what_was_set_by_hand(load, targets, stored)
    names = [f"v{index}" for index, _ in load.standard_fields]
    changes_of_keys = pa.concat_tables(
        [KEY_CHANGES.empty_table(), *(key_changes(load, rule, targets, stored) for rule in load.key_rules)]
    )
    return changes_of_keys, targets.select([*names, "attributes", "pid"])


def overwritten_origins(load: Load, targets: pa.Table, stored: pa.Table) -> pa.Table:
    """What these targets leave set by hand, for profiles of which they overwrite something that was.

    Returns:
        columns origins (a JSON list, null when nothing is left) and pid.
    """
    if not load.overwrites_hand_set or stored["origins"].null_count == stored.num_rows:
        return _ORIGINS.empty_table()
    load.cursor.put("chosen", targets)
    load.cursor.put("stored", stored)
    given = ", ".join(
        f"case when v{index} is not null then {sql_text(field.path)} end"
        for index, field in enumerate(load.mapping.fields)
    )
    return load.cursor.table(
        "select case when len(left_over) > 0 then to_json(left_over)::varchar end as origins, pid from ("
        "select pid, by_hand, list_filter(by_hand, lambda path: not list_contains(given, path)) as left_over from ("
        f"select pid, from_json(origins, '[\"VARCHAR\"]') as by_hand, [{given}] as given "
        "from chosen join (select pid, origins from stored where origins is not null) using (pid))) "
        "where len(left_over) < len(by_hand) order by pid"
    ).cast(_ORIGINS)


def _leave_out_what_was_set_by_hand(load: Load, targets: pa.Table, stored: pa.Table) -> pa.Table:
    writable = [
        f"case when list_contains(by_hand, {sql_text(field.path)}) then null else v{index} end as v{index}"
        for index, field in enumerate(load.mapping.fields)
    ]
    load.cursor.put("chosen", targets)
    load.cursor.put("stored", stored)
    return load.cursor.table(
        f"select *, {_attributes_json(load)} as attributes from ("
        f"select target, pid, {', '.join(writable)} from chosen join "
        "(select pid, coalesce(from_json(origins, '[\"VARCHAR\"]'), []) as by_hand from stored) using (pid)) "
        "order by pid"
    )


def key_changes(work: LeasedWork, rule: KeyRule, targets: pa.Table, stored: pa.Table) -> pa.Table:
    """Which keys of one name are taken from the index and put there when the stored profiles become these targets.

    Args:
        targets: pid and the values of the mapped fields: null leaves one as it is, an empty text clears it.
        stored: what the profiles hold; both tables are in order of ``pid``.

    Returns:
        added (0 or 1), name, value, pid.
    """
    indexes = {field.path: index for index, field in enumerate(work.mapping.fields)}
    mapped = [path for path in rule.paths if path in indexes]
    # Few profiles change a key, and only theirs are put into their normal forms.
    has_changed = None
    for path in mapped:
        after, before = targets[f"v{indexes[path]}"], stored[column_of(path)]
        differs = pa.compute.fill_null(pa.compute.not_equal(after, pa.compute.fill_null(before, "")), False)
        has_changed = differs if has_changed is None else pa.compute.or_(has_changed, differs)
    if has_changed is None or not pa.compute.any(has_changed).as_py():
        return KEY_CHANGES.empty_table()

    olds = {path: f"b{number}" for number, path in enumerate(rule.paths)}

    def value_after(path: str) -> str:
        return f"coalesce(v{indexes[path]}, {olds[path]})" if path in indexes else olds[path]

    before_forms = rule.sql_forms(olds.__getitem__, work.job.phone_region)
    after_forms = rule.sql_forms(value_after, work.job.phone_region)
    forms = [f"{form} as o{i}" for i, form in enumerate(before_forms)]
    forms += [f"{form} as n{i}" for i, form in enumerate(after_forms)]
    parts = []
    for added, mine, theirs in ((0, "o", "n"), (1, "n", "o")):
        for i in range(len(before_forms)):
            others = " and ".join(f"{mine}{i} is distinct from {theirs}{other}" for other in range(len(before_forms)))
            parts.append(
                f"select {added}::bigint as added, {sql_text(rule.name)} as name, {mine}{i} as value, pid "
                f"from forms where {mine}{i} is not null and {others}"
            )
    work.cursor.put("chosen", targets.select(["pid", *(f"v{indexes[path]}" for path in mapped)]).filter(has_changed))
    work.cursor.put("stored", stored.filter(has_changed))
    changes = work.cursor.table(
        f"with change as materialized (select chosen.*, "
        f"{', '.join(f'{stored_value(path)} as {name}' for path, name in olds.items())} "
        f"from chosen join stored using (pid)), forms as materialized (select pid, {', '.join(forms)} from change) "
        f"{' union all '.join(parts)}"
    )
    return changes.cast(KEY_CHANGES)


def count_unchanged(load: Load, targets: pa.Table, stored: pa.Table | None, repeated: str | None = None) -> int:
    """Count the records of these targets that change nothing, read one after the other in the order of the file.

    A record changes nothing when each of its values is what the profile holds in that field by then, or stands in a
    field that was set by hand, which a load leaves alone. The record that makes a profile is none of them. If a
    profile is afterwards as it was before, none of its planned records changed it: two rows of one customer that
    differ count as unchanged when the same file is loaded again.

    Args:
        targets: target, pid (null for a new profile), row_count and the values.
        stored: what ``read_stored`` gave for the targets that exist, None if there are none.
        repeated: a query for the records of the targets that have several: target, pid, record and the values; by
            default those of the plan.
    """
    is_several = pa.compute.greater(targets["row_count"], 1)
    count = 0
    if stored is not None and stored.num_rows:
        pids = targets["pid"].cast(pa.int64())
        is_unchanged = pa.compute.is_in(pids, _unchanged_pids(load, targets, stored))
        if repeated is not None:
            # The records of one profile may be in several chunks, so each is compared on its own.
            is_unchanged = pa.compute.and_not(is_unchanged, is_several)
        count += pa.compute.sum(targets["row_count"].filter(is_unchanged)).as_py() or 0
        is_several = pa.compute.and_not(is_several, is_unchanged)
    if pa.compute.any(is_several).as_py():
        several = targets.select(["target", "pid"]).filter(is_several)
        load.cursor.put("several", several.select(["target"]))
        count += _count_unchanged_of_several(load, stored, repeated or _repeated_sql(several))
    return int(count)


def _unchanged_pids(load: Load, targets: pa.Table, stored: pa.Table) -> pa.Array:
    """Return the row numbers of the profiles that these targets leave as they are stored."""
    # Both are in order of pid, without repeats, so that they stand beside each other row by row.
    targets = _in_order(targets, "pid")
    if not targets["pid"].cast(pa.int64()).equals(stored["pid"]):
        # Seldom: filtering copies all values.
        targets = targets.filter(pa.compute.is_in(targets["pid"], stored["pid"].combine_chunks()))
        stored = stored.filter(pa.compute.is_in(stored["pid"], targets["pid"].combine_chunks().cast(pa.int64())))
    is_same = pa.compute.is_valid(stored["pid"])
    for index, field in load.standard_fields:
        is_same = pa.compute.and_(is_same, _keeps(targets[f"v{index}"], stored[column_of(field.path)]))
    keeps_attributes = is_same
    if load.attributes:
        keeps_attributes = pa.compute.and_(is_same, _keeps(targets["attributes"], stored["attributes"]))
    has_origins = pa.compute.is_valid(stored["origins"])
    pids = [stored["pid"].filter(pa.compute.and_not(keeps_attributes, has_origins))]
    # The few that cannot be told so: fields that were set by hand, and other attributes than those of this load.
    is_open = pa.compute.or_(has_origins, pa.compute.and_not(is_same, keeps_attributes))
    if pa.compute.any(is_open).as_py():
        load.cursor.put("chosen", targets.filter(is_open))
        load.cursor.put("stored", stored.filter(is_open))
        same = stored["pid"].filter(is_open)
        differs = [differs_sql(load, stored, index, field.path) for index, field in enumerate(load.mapping.fields)]
        for start in range(0, len(differs), _FIELDS_PER_QUERY):
            is_any = " or ".join(differs[start : start + _FIELDS_PER_QUERY])
            query = f"select stored.pid from chosen join stored using (pid) where not ({is_any})"
            same = same.filter(pa.compute.is_in(same, load.cursor.table(query)["pid"].combine_chunks()))
        pids.append(same)
    return pa.chunked_array([part for column in pids for part in column.chunks], pa.int64())


def _keeps(after: pa.ChunkedArray, before: pa.ChunkedArray) -> pa.ChunkedArray:
    """Where a value is blank, or what was there before; an empty one clears, and nothing is there to clear."""
    same = pa.compute.equal(after, pa.compute.fill_null(before, ""))
    return pa.compute.or_(pa.compute.is_null(after), pa.compute.fill_null(same, False))


def _repeated_sql(targets: pa.Table) -> str:
    """The planned records of these targets, all new or all existing: a range of a table that is in order of both."""
    is_new = targets["pid"].null_count == targets.num_rows
    column = "target" if is_new else "pid"
    first, last = pa.compute.min_max(targets[column]).values()
    return f"select * from repeated where pid is {'' if is_new else 'not '}null and {column} between {first} and {last}"


def _count_unchanged_of_several(load: Load, stored: pa.Table | None, repeated: str) -> int:
    """Of the targets in the table ``several``, a field at a time: all of them at once would take too much memory."""
    cursor = load.cursor
    chosen = f"({repeated}) q semi join several using (target)"
    # The record that makes a profile gives the target its number.
    is_asked = "(q.pid is not null or q.record <> q.target)"
    cursor.run("create or replace temp table changing (record bigint)")
    earlier = "over (partition by q.target order by q.record rows between unbounded preceding and 1 preceding)"
    join = ""
    if stored is not None:
        cursor.put("stored", stored)
        join = "left join stored on stored.pid = q.pid"
    for index, field in enumerate(load.mapping.fields):
        at_first = stored_value(field.path) if stored is not None else "null"
        by_hand = _by_hand_sql(load, stored, field.path)
        value = f"q.v{index}"
        if stored is not None and field is load.mapping.unique_key:
            value = f"case when {keeps_own_key_sql(load.mapping, load.job, value)} then null else {value} end"
        cursor.run(
            f"insert into changing select record from (select q.record, {value} as value, {is_asked} as is_asked, "
            f"coalesce(last_value({value} ignore nulls) {earlier}, {at_first}, '') as before, {by_hand} as by_hand "
            f"from (from {chosen}) q {join}) "
            "where is_asked and value is not null and value is distinct from before and not by_hand"
        )
    asked = cursor.value(f"select count(*) from {chosen} where {is_asked}")
    return int(asked) - int(cursor.value("select count(distinct record) from changing"))


def _by_hand_sql(load: Load, stored: pa.Table | None, path: str) -> str:
    """SQL for whether the field is left alone since it was set by hand, in rows beside those of ``stored``."""
    if load.overwrites_hand_set or stored is None or stored["origins"].null_count == stored.num_rows:
        return "false"
    return f"list_contains(coalesce(from_json(stored.origins, '[\"VARCHAR\"]'), []), {sql_text(path)})"


def differs_sql(load: Load, stored: pa.Table, index: int, path: str) -> str:
    """SQL condition in rows of targets beside those of ``stored``: a load changes this field."""
    return (
        f"coalesce(v{index} is not null and v{index} is distinct from coalesce({stored_value(path)}, '') "
        f"and not {_by_hand_sql(load, stored, path)}, false)"
    )


def _new_batch(load: Load, targets: pa.Table) -> _Batch:
    version = load.reader.read_key_version(load.job.domain_id)
    kept, set_apart = _still_valid(load, version, targets)
    rows = load.reader.prepare_rows(new_rows(load, kept))
    unchanged = count_unchanged(load, kept, None)
    return _Batch(
        targets,
        version,
        set_apart,
        _record_count(kept),
        unchanged,
        rows,
        KEY_CHANGES.empty_table(),
        _ORIGINS.empty_table(),
        None,
    )


def _changed_batch(load: Load, targets: pa.Table) -> _Batch:
    version = load.reader.read_key_version(load.job.domain_id)
    return _compare(load, version, targets, read_stored(load, targets, changed_columns(load)))


def _compare(load: Load, version: int, targets: pa.Table, stored: pa.Table) -> _Batch:
    """The batch of these targets, given what was stored when the domain had this version, or after."""
    kept, set_apart = _still_valid(load, version, targets)
    if set_apart.num_rows:
        stored = stored.filter(pa.compute.is_in(stored["pid"], kept["pid"].combine_chunks().cast(pa.int64())))
    kept = without_keys_of_others(kept, stored, cursor=load.cursor, job=load.job, mapping=load.mapping)
    changes_of_keys, rows = changed_rows(load, kept, stored)
    unchanged = count_unchanged(load, kept, stored)
    origins = overwritten_origins(load, kept, stored)
    image = image_of(load, stored)
    return _Batch(targets, version, set_apart, _record_count(kept), unchanged, rows, changes_of_keys, origins, image)


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
    candidates = find_candidates(load.reader, load.job, load.mapping, keys)
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


def _attributes_json(load: Load, of_empty: str | None = "null") -> str:
    """SQL for a JSON object of the attributes that have a value, null for none.

    Args:
        of_empty: what stands for an empty value, which clears; None leaves it out.
    """
    members = []
    for index, name in load.attributes:
        value = f"to_json(v{index})"
        if load.clears_blanks and of_empty is not None:
            value = f"case when v{index} = '' then '{of_empty}' else {value} end"
        has_value = f"v{index} <> ''" if load.clears_blanks and of_empty is None else f"v{index} is not null"
        members.append(f"case when {has_value} then to_json({sql_text(name)}::varchar) || ':' || {value} end")
    if not members:
        return "null::varchar"
    joined = f"concat_ws(',', {', '.join(members)})"
    return f"case when {joined} <> '' then '{{' || {joined} || '}}' end"
