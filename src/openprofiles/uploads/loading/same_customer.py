"""Decide which stored profile a row belongs to.

That is the one whose field of the unique key itself has the row's value, or that was given this key by AddProfileKey. A
value in another field of the key's group, such as the address of an office, does not count. With ``--compat strict``
every field of the group counts (``UploadMapping.matches_group``).

The index finds candidates by the search form of the key. Their fields are compared with the row in the identity form,
which may be finer: see ``facts.normal_forms``. A given key is kept in its search form only, so it counts for every
row that a search for it would find.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.bulk.stored_values import column_of, stored_value
from openprofiles.facts.standard_profile import KEY_PATHS
from openprofiles.store.bulk_protocols import KeyReader
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.uploads.mappings.upload_mapping import UploadMapping

_PAIRS = pa.schema([("key", pa.string()), ("pid", pa.int64())])


def keys_sql(mapping: UploadMapping, source: str) -> str:
    """Build SQL for the unique keys of a table, as this module takes them.

    They have their identity form (``key``), without repeats, and their search form (``search``), in the order of the
    index.

    Args:
        source: a table of ``key``, without repeats.
    """
    return f"select key, {mapping.sql_search_form('key')} as search from {source} order by search, key"


def find_candidates(
    reader: KeyReader, mapping: UploadMapping, keys: pa.Table, more_columns: Sequence[str] = ()
) -> pa.Table:
    """Find the profiles that hold these keys in the index, as ``split_candidates`` takes them.

    Args:
        keys: as of ``keys_sql``.
        more_columns: of the table ``profile``, which are read as well.
    """
    columns = list(dict.fromkeys((*_held_columns(mapping), *more_columns)))
    return reader.find_key_holders(mapping.key_name, _searches(keys, mapping), columns)


def _held_columns(mapping: UploadMapping) -> list[str]:
    """Return the column with the field of the unique key, if the index is not enough to compare it."""
    has_others = not mapping.matches_group and len(KEY_PATHS.get(mapping.key_name, ())) > 1
    return [column_of(mapping.unique_key.path)] if has_others or mapping.is_finer_than_search else []


def split_candidates(
    candidates: pa.Table,
    keys: pa.Table,
    *,
    cursor: ScratchCursor,
    reader: KeyReader,
    job: LeasedJob,
    mapping: UploadMapping,
) -> tuple[pa.Table, pa.Table]:
    """Separate the candidates that a row with the key belongs to from the others.

    Args:
        candidates: from ``find_candidates`` for these keys.

    Returns:
        ``key`` and ``pid`` of those that it belongs to, and ``search`` and ``pid`` of candidates that are not the
        profile of every key with this search form.
    """
    none = pa.table({"search": pa.array([], pa.string()), "pid": pa.array([], pa.int64())})
    if not candidates.num_rows:
        return _PAIRS.empty_table(), none
    candidates = candidates.select(["i", "pid", *_held_columns(mapping)])
    if mapping.is_finer_than_search and not mapping.can_be_given:
        # All custom attributes stand in one column.
        cursor.put("stored", candidates)
        candidates = cursor.table(f"select i, pid, {stored_value(mapping.unique_key.path)} as held from stored")
    elif candidates.num_columns > 2:
        candidates = candidates.rename_columns(["i", "pid", "held"])
    searches = _searches(keys, mapping)
    if len(searches) < keys.num_rows:
        return _split_shared_searches(candidates, keys, searches, cursor, reader, job, mapping)
    place = candidates["i"].combine_chunks()
    wanted = keys["key"].combine_chunks().cast(pa.string()).take(place)
    pairs = pa.table([wanted, candidates["pid"]], schema=_PAIRS)
    if "held" not in candidates.column_names:
        return pairs, none
    # Nearly every stored value is in its identity form already.
    is_same = pa.compute.fill_null(pa.compute.equal(candidates["held"], wanted), False)
    others = candidates.filter(pa.compute.invert(is_same))
    if not others.num_rows:
        return pairs, none
    numbers = pa.array(np.flatnonzero(~is_same.to_numpy()))
    cursor.put(
        "other_candidate",
        pa.table(
            {
                "place": numbers,
                "pid": others["pid"],
                "held": others["held"],
                "key": wanted.take(numbers),
                "search": searches.take(others["i"].combine_chunks()),
            }
        ),
    )
    cursor.run(
        "create or replace temp table not_same as select place, pid, search from "
        f"(select *, {mapping.sql_identity('held', job.phone_region)} as form from other_candidate) "
        "where form is distinct from key"
    )
    _put_given_keys(cursor, reader, mapping, "not_same")
    cursor.run("delete from not_same using given_key g where g.pid = not_same.pid and g.value = not_same.search")
    keeps = np.ones(candidates.num_rows, dtype=bool)
    keeps[cursor.table("select place from not_same")["place"].to_numpy()] = False
    return pairs.filter(pa.array(keeps)), cursor.table("select search, pid from not_same")


def _searches(keys: pa.Table, mapping: UploadMapping) -> pa.Array:
    searches = keys["search"].combine_chunks().cast(pa.string())
    return pa.compute.unique(searches) if mapping.is_finer_than_search else searches


def _split_shared_searches(
    candidates: pa.Table,
    keys: pa.Table,
    searches: pa.Array,
    cursor: ScratchCursor,
    reader: KeyReader,
    job: LeasedJob,
    mapping: UploadMapping,
) -> tuple[pa.Table, pa.Table]:
    """Separate the candidates where several keys have one search form, such as the extensions of one number.

    They are joined by the identity form: there may be thousands of each, too many to compare each with each.
    """
    cursor.put("asked", keys.select(["key", "search"]))
    cursor.put(
        "candidate",
        pa.table(
            {
                "pid": candidates["pid"],
                "held": candidates["held"],
                "search": searches.take(candidates["i"].combine_chunks()),
            }
        ),
    )
    cursor.run(
        "create or replace temp table found_here as "
        f"select pid, search, {mapping.sql_identity('held', job.phone_region)} as form from candidate"
    )
    cursor.run(
        "create or replace temp table same_here as "
        "select key, pid from found_here f join asked on asked.search = f.search and key = form"
    )
    cursor.run(
        "create or replace temp table not_same as select search, pid from found_here f "
        "where not exists (select 1 from asked where key = form and asked.search = f.search) "
        "or search in (select search from asked group by search having count(*) > 1)"
    )
    _put_given_keys(cursor, reader, mapping, "not_same")
    same = cursor.table(
        "select key, pid from same_here union select key, n.pid from given_key g "
        "join not_same n on n.pid = g.pid and n.search = g.value join asked on asked.search = n.search "
        "order by key, pid"
    )
    return same.cast(_PAIRS), cursor.table("select search, pid from not_same")


def _put_given_keys(cursor: ScratchCursor, reader: KeyReader, mapping: UploadMapping, table: str) -> None:
    """Make the table ``given_key`` of the keys that were given to the profiles in a table: ``pid`` and ``value``."""
    pids = cursor.table(f"select distinct pid from {table} order by pid")["pid"].combine_chunks()
    cursor.put("given_key", reader.read_held_keys(pids, mapping.key_name))


def without_keys_of_others(
    targets: pa.Table, stored: pa.Table, *, cursor: ScratchCursor, job: LeasedJob, mapping: UploadMapping
) -> pa.Table:
    """Blank the unique key of targets that found their profile by a key that was given to it.

    Such a profile keeps a different value in the key's own field, unless that identifies nobody, such as a placeholder.

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
    forms = [mapping.sql_identity(value, job.phone_region) for value in ("held", column)]
    pids = cursor.table(
        f"select pid from (select pid, {column}, {stored_value(path)} as held from keyed join stored using (pid) "
        f"where held is distinct from {column}) where {forms[0]} is not null and {forms[0]} is distinct from {forms[1]}"
    )["pid"]
    if not len(pids):
        return targets
    is_others = pa.compute.is_in(targets["pid"], pids.combine_chunks())
    values = pa.compute.if_else(is_others, pa.scalar(None, targets[column].type), targets[column])
    return targets.set_column(targets.column_names.index(column), column, values)


def keeps_own_key_sql(mapping: UploadMapping, job: LeasedJob, value: str) -> str:
    """Build an SQL condition in rows next to those of ``stored``: the profile keeps its value of the unique key.

    It is that of ``without_keys_of_others``.

    Args:
        value: SQL for the value of the row.
    """
    if mapping.matches_group or not mapping.can_be_given:
        return "false"
    held = stored_value(mapping.unique_key.path)
    forms = [mapping.sql_identity(text, job.phone_region) for text in (held, value)]
    return f"({forms[0]} is not null and {held} is distinct from {value} and {forms[0]} is distinct from {forms[1]})"
