"""Decide which stored profile a row belongs to.

That is the one whose field of the unique key itself has the row's value, or that was given this key by AddProfileKey. A
value in another field of the key's group, such as the address of an office, does not count. With ``--compat strict``
every field of the group counts (``UploadMapping.matches_group``).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute

from openprofiles.profiles.normal_forms import sql_normal_key
from openprofiles.profiles.standard_profile import KEY_PATHS
from openprofiles.store.bulk import BulkReader, LeasedJob
from openprofiles.uploads.loading.scratch import ScratchCursor
from openprofiles.uploads.loading.stored_values import column_of, stored_value
from openprofiles.uploads.mappings.upload_mapping import UploadMapping


def find_candidates(reader: BulkReader, job: LeasedJob, mapping: UploadMapping, keys: pa.Array) -> pa.Table:
    """Find the profiles that hold these keys in the index, as ``split_candidates`` takes them.

    Args:
        keys: as of ``BulkReader.find_key_holders``.
    """
    has_others = not mapping.matches_group and len(KEY_PATHS.get(mapping.key_name, ())) > 1
    column = column_of(mapping.unique_key.path) if has_others else None
    return reader.find_key_holders(job.domain_id, mapping.key_name, keys, job.started_at, column)


def split_candidates(
    candidates: pa.Table,
    keys: pa.Array,
    *,
    cursor: ScratchCursor,
    reader: BulkReader,
    job: LeasedJob,
    mapping: UploadMapping,
) -> tuple[pa.Table, pa.Table]:
    """Separate the candidates that a row with the key belongs to from those with the key in another field.

    Args:
        candidates: from ``find_candidates`` for these keys.

    Returns:
        both, with columns ``i`` (position in ``keys``) and ``pid``.
    """
    pairs = candidates.select(["i", "pid"])
    if "held" not in candidates.column_names or not candidates.num_rows:
        return pairs, pairs.slice(0, 0)
    wanted = keys.cast(pa.string()).take(candidates["i"].combine_chunks())
    # Nearly every stored value is in its normal form already.
    is_same = pa.compute.fill_null(pa.compute.equal(candidates["held"], wanted), False)
    others = candidates.filter(pa.compute.invert(is_same))
    if not others.num_rows:
        return pairs, pairs.slice(0, 0)
    place = pa.array(np.flatnonzero(~is_same.to_numpy()))
    cursor.put(
        "other_candidate",
        pa.table({"place": place, "pid": others["pid"], "held": others["held"], "key": wanted.take(place)}),
    )
    form = sql_normal_key(mapping.key_name, "held", job.phone_region)
    cursor.run(
        f"create or replace temp table not_same as select place, pid, key from "
        f"(select *, {form} as form from other_candidate) where form is distinct from key"
    )
    pids = cursor.table("select distinct pid from not_same order by pid")["pid"].combine_chunks()
    if len(pids):
        cursor.put("given_key", reader.read_added_keys(pids, mapping.key_name))
        cursor.run("delete from not_same using given_key g where g.pid = not_same.pid and g.value = not_same.key")
    keeps = np.ones(candidates.num_rows, dtype=bool)
    keeps[cursor.table("select place from not_same")["place"].to_numpy()] = False
    return pairs.filter(pa.array(keeps)), pairs.filter(pa.array(~keeps))


def without_keys_of_others(
    targets: pa.Table, stored: pa.Table, *, cursor: ScratchCursor, job: LeasedJob, mapping: UploadMapping
) -> pa.Table:
    """Blank the unique key of targets that found their profile by a key that was given to it.

    Such a profile keeps a different value in the key's own field.

    Args:
        targets: ``pid`` and the values of the mapped fields.
        stored: what their profiles hold.
    """
    if mapping.matches_group or not mapping.can_be_given or not stored.num_rows:
        return targets
    column, path = f"v{mapping.fields.index(mapping.unique_key)}", mapping.unique_key.path
    held = stored[column_of(path)]
    is_aligned = targets.num_rows == stored.num_rows
    if is_aligned and pa.compute.all(pa.compute.equal(held, targets[column]), skip_nulls=True).as_py():
        return targets
    cursor.put("keyed", targets.select(["pid", column]))
    cursor.put("stored", stored.select(["pid", column_of(path)]))
    forms = [sql_normal_key(mapping.key_name, value, job.phone_region) for value in ("held", column)]
    pids = cursor.table(
        f"select pid from (select pid, {column}, {stored_value(path)} as held from keyed join stored using (pid) "
        f"where held is distinct from {column}) where held <> '' and {forms[0]} is distinct from {forms[1]}"
    )["pid"]
    if not len(pids):
        return targets
    is_others = pa.compute.is_in(targets["pid"], pids.combine_chunks())
    values = pa.compute.if_else(is_others, pa.scalar(None, targets[column].type), targets[column])
    return targets.set_column(targets.column_names.index(column), column, values)


def keeps_own_key_sql(mapping: UploadMapping, job: LeasedJob, value: str) -> str:
    """Build an SQL condition in rows next to those of ``stored``: the profile keeps its value of the unique key.

    Args:
        value: SQL for the value of the row.
    """
    if mapping.matches_group or not mapping.can_be_given:
        return "false"
    held = stored_value(mapping.unique_key.path)
    forms = [sql_normal_key(mapping.key_name, text, job.phone_region) for text in (held, value)]
    return (
        f"(coalesce({held}, '') <> '' and {held} is distinct from {value} and {forms[0]} is distinct from {forms[1]})"
    )
