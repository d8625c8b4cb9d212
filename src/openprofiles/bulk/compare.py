"""Compare what profiles get with what they hold: which values and keys change, and what is set by hand afterwards.

``profile_work`` says what a target is. What profiles hold is a table of ``pid`` and columns of the table ``profile``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute

from openprofiles.bulk.images import image_columns, pack_rows, without_protected
from openprofiles.bulk.key_columns import KeyRule
from openprofiles.bulk.leased_work import LeasedWork
from openprofiles.bulk.profile_work import ProfileWork
from openprofiles.bulk.stored_values import column_of, stored_value
from openprofiles.facts.precedence import sql_set_by_hand, sql_without_protected
from openprofiles.facts.sql_text import sql_text
from openprofiles.store.bulk_protocols import NUMBERS, ProfileReader, ProfileRows

# To compare a field takes memory, even for few rows.
_FIELDS_PER_QUERY = 50

ORIGINS = pa.schema([("origins", pa.string()), ("pid", pa.int64())])
KEY_CHANGES = pa.schema([("added", pa.int64()), ("name", pa.string()), ("value", pa.string()), ("pid", pa.int64())])


@dataclass(frozen=True, slots=True)
class ProfileChanges:
    """What becomes of stored profiles.

    Attributes:
        rows: the values that may be written, as ``ProfileRows.update_profiles`` takes them.
        keys: what is taken from the index and put there: added (0 or 1), name, value, pid.
        origins: for ``ProfileRows.update_origins``.
        image: what the profiles were before; None if that is not kept.
    """

    rows: pa.Table
    keys: pa.Table
    origins: pa.Table
    image: bytes | None

    def write(self, work: ProfileWork, store: ProfileRows) -> None:
        """Write all but the keys, in a chunk."""
        store.update_profiles(self.rows, work.profile_write(self.image))
        store.update_origins(self.origins)


def read_stored(work: ProfileWork, reader: ProfileReader, targets: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Read what the profiles of these targets hold, with the numbers that an image needs.

    Args:
        columns: ``changed_columns`` for ``compare``; for ``unchanged_pids`` those of an image are enough.
    """
    pids = targets["pid"].combine_chunks().cast(pa.int64())
    columns = [*columns, *NUMBERS] if work.keeps_images else columns
    return reader.read_profiles(pids, columns)


def changed_columns(work: LeasedWork) -> list[str]:
    """List the text columns of ``profile`` that fields and their keys come from."""
    key_columns = {column_of(path) for rule in work.key_rules for path in rule.paths}
    return sorted(key_columns.union(image_columns(work.paths)))


def compare(work: ProfileWork, targets: pa.Table, stored: pa.Table) -> ProfileChanges:
    """Find what these targets change, given what their profiles hold (``read_stored``)."""
    origins = _overwritten_origins(work, targets, stored)
    if stored.num_rows < targets.num_rows:
        targets = targets.filter(pa.compute.is_in(targets["pid"], stored["pid"].combine_chunks()))
    if stored["origins"].null_count < stored.num_rows and not work.source.always_wins:
        targets = _without_lost_values(work, targets, stored)
    image = None
    if work.keeps_images and stored.num_rows:
        image = pack_rows(without_protected(stored.select(["pid", *image_columns(work.paths), *NUMBERS])))
    rows = targets.select([*work.standard_columns, "attributes", "pid"])
    return ProfileChanges(rows, key_changes(work, targets, stored), origins, image)


def _overwritten_origins(work: ProfileWork, targets: pa.Table, stored: pa.Table) -> pa.Table:
    """Find what is still set by hand where targets overwrite what was.

    Returns:
        columns origins (a JSON list, null if nothing is left) and pid.
    """
    source = work.source
    if not source.replaces_set_by_hand or stored["origins"].null_count == stored.num_rows:
        return ORIGINS.empty_table()
    work.cursor.put("chosen", targets)
    work.cursor.put("stored", stored)
    written = {path: f"v{index} is not null" for index, path in enumerate(work.paths)}
    return work.cursor.table(
        "select case when len(kept) > 0 then to_json(kept)::varchar end as origins, pid from ("
        f"select *, {sql_without_protected('left_over')} as kept from ("
        f"select *, {source.sql_leaves_set_by_hand(written, 'by_hand')} as left_over from ("
        f"select chosen.*, {sql_set_by_hand('origins')} as by_hand "
        "from chosen join (select pid, origins from stored where origins is not null) using (pid)))) "
        "where len(left_over) < len(by_hand) order by pid"
    ).cast(ORIGINS)


def _without_lost_values(work: ProfileWork, targets: pa.Table, stored: pa.Table) -> pa.Table:
    """Leave out the values that do not win."""
    writable = [
        f"case when {work.source.sql_wins(path, 'by_hand')} then v{index} end as v{index}"
        for index, path in enumerate(work.paths)
    ]
    work.cursor.put("chosen", targets)
    work.cursor.put("stored", stored)
    return work.cursor.table(
        f"select *, {work.attributes_sql()} as attributes from ("
        f"select target, pid, {', '.join(writable)} from chosen join "
        f"(select pid, {sql_set_by_hand('origins')} as by_hand from stored) using (pid)) "
        "order by pid"
    )


def key_changes(work: LeasedWork, targets: pa.Table, stored: pa.Table) -> pa.Table:
    """Find which keys change in the index if stored profiles get these values.

    Args:
        targets: pid and the values.
        stored: what the profiles hold; both tables are in order of ``pid``.

    Returns:
        added (0 or 1), name, value, pid.
    """
    changes = (_changes_of_name(work, rule, targets, stored) for rule in work.key_rules)
    return pa.concat_tables([KEY_CHANGES.empty_table(), *changes])


def _changes_of_name(work: LeasedWork, rule: KeyRule, targets: pa.Table, stored: pa.Table) -> pa.Table:
    indexes = {path: index for index, path in enumerate(work.paths)}
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


def unchanged_pids(work: ProfileWork, targets: pa.Table, stored: pa.Table) -> pa.Array:
    """Return the row numbers of the profiles that these targets leave as they are stored."""
    # Both are in order of pid, without repeats, so their rows correspond.
    targets = in_order(targets, "pid")
    if not targets["pid"].cast(pa.int64()).equals(stored["pid"]):
        # Seldom: filtering copies all values.
        targets = targets.filter(pa.compute.is_in(targets["pid"], stored["pid"].combine_chunks()))
        stored = stored.filter(pa.compute.is_in(stored["pid"], targets["pid"].combine_chunks().cast(pa.int64())))
    is_same = pa.compute.is_valid(stored["pid"])
    for name, column in work.standard_columns.items():
        is_same = pa.compute.and_(is_same, _keeps(targets[name], stored[column]))
    keeps_attributes = is_same
    if work.attributes:
        keeps_attributes = pa.compute.and_(is_same, _keeps(targets["attributes"], stored["attributes"]))
    has_origins = pa.compute.is_valid(stored["origins"])
    pids = [stored["pid"].filter(pa.compute.and_not(keeps_attributes, has_origins))]
    # The few for which that is not enough: fields that were set by hand, and other attributes than those of this work.
    is_open = pa.compute.or_(has_origins, pa.compute.and_not(is_same, keeps_attributes))
    if pa.compute.any(is_open).as_py():
        work.cursor.put("chosen", targets.filter(is_open))
        work.cursor.put("stored", stored.filter(is_open))
        same = stored["pid"].filter(is_open)
        differs = differs_sql(work, stored)
        for start in range(0, len(differs), _FIELDS_PER_QUERY):
            is_any = " or ".join(differs[start : start + _FIELDS_PER_QUERY])
            query = f"select stored.pid from chosen join stored using (pid) where not ({is_any})"
            same = same.filter(pa.compute.is_in(same, work.cursor.table(query)["pid"].combine_chunks()))
        pids.append(same)
    return pa.chunked_array([part for column in pids for part in column.chunks], pa.int64())


def _keeps(after: pa.ChunkedArray, before: pa.ChunkedArray) -> pa.ChunkedArray:
    """Find where a value is null, or equal to the one before; to clear a field without a value changes nothing."""
    same = pa.compute.equal(after, pa.compute.fill_null(before, ""))
    return pa.compute.or_(pa.compute.is_null(after), pa.compute.fill_null(same, False))


def wins_sql(work: ProfileWork, stored: pa.Table | None, path: str) -> str:
    """Build an SQL condition in rows next to those of ``stored``: the work may write this field."""
    if stored is None or stored["origins"].null_count == stored.num_rows:
        return "true"
    return work.source.sql_wins(path, sql_set_by_hand("stored.origins"))


def differs_sql(work: ProfileWork, stored: pa.Table) -> list[str]:
    """Build an SQL condition for each field: the work changes it.

    It is for rows of targets next to those of ``stored``.
    """
    return [
        f"coalesce(v{index} is not null and v{index} is distinct from coalesce({stored_value(path)}, '') "
        f"and {wins_sql(work, stored, path)}, false)"
        for index, path in enumerate(work.paths)
    ]


def in_order(table: pa.Table, column: str) -> pa.Table:
    """Sort a table by a column, by which it is nearly always sorted."""
    numbers = table[column].to_numpy()
    if len(numbers) and (np.diff(numbers) < 0).any():
        return table.combine_chunks().take(pa.array(np.argsort(numbers)))
    return table
