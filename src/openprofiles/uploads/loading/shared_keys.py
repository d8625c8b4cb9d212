"""The rows that create a profile, although their unique key is in another field of a profile, stored or new.

Such a value does not identify a customer (``same_customer``), so one customer may become two profiles.
"""

from __future__ import annotations

from openprofiles.bulk.scratch import Scratch
from openprofiles.bulk.stored_values import column_of, stored_value
from openprofiles.facts.standard_profile import KEY_PATHS
from openprofiles.store.bulk_protocols import ProfileReader
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import MAX_LINES, SHARED_KEY_ROWS, Notice, is_doubtful

_PROFILES_PER_READ = 20_000


# The keys of the new profiles of the plan, with the record that creates each.
NEW_KEYS = "(select key, target as record from target join key_group on first = target where pid is null)"


def find_shared_keys(
    scratch: Scratch,
    store: ProfileReader,
    job: LeasedJob,
    mapping: UploadMapping,
    new_keys: str = NEW_KEYS,
    other_holders: str = "other_holder",
) -> list[Notice]:
    """Count the rows by the field that holds their unique key, the most frequent first; the plan must be made.

    Args:
        new_keys: a table of ``key`` and ``record``, or a query in brackets.
        other_holders: a table of the stored profiles that may have them in another field: ``search`` and ``pid``.
    """
    others = [path for path in KEY_PATHS.get(mapping.key_name, ()) if path not in mapping.identity_paths]
    if not others:
        return []
    scratch.run("create or replace temp table shared_key (record bigint, path text)")
    _find_in_file(scratch, job, mapping, others, new_keys)
    if scratch.value(f"select exists (select 1 from {other_holders})"):
        _find_in_store(scratch, store, job, mapping, others, new_keys, other_holders)
    if not scratch.value("select exists (select 1 from shared_key)"):
        return []
    created_count = int(scratch.value("select count(*) from target where pid is null"))
    notices = []
    for path, count in scratch.connection.execute(
        "select path, count(distinct record) from shared_key group by path order by 2 desc, 1"
    ).fetchall():
        lines = scratch.table(
            "select distinct record, line from shared_key join staged using (record) where path = ? "
            f"order by record limit {MAX_LINES}",
            [path],
        )["line"].to_pylist()
        notices.append(Notice(SHARED_KEY_ROWS, path, count, tuple(lines), is_doubtful(count, created_count)))
    return notices


def _find_in_file(scratch: Scratch, job: LeasedJob, mapping: UploadMapping, others: list[str], new_keys: str) -> None:
    for index, field in enumerate(mapping.fields):
        if field.path in others:
            value = mapping.sql_identity(f"v{index}", job.phone_region)
            scratch.run(
                f"insert into shared_key select n.record, ? from {new_keys} n join "
                f"(select key, {value} as value from staged where key is not null and v{index} <> '' "
                # No profile gets the values of a row that the plan refuses.
                "and record not in (select record from failed)) o on o.value = n.key and o.key <> n.key",
                [field.path],
            )


def _find_in_store(
    scratch: Scratch,
    store: ProfileReader,
    job: LeasedJob,
    mapping: UploadMapping,
    others: list[str],
    new_keys: str,
    other_holders: str,
) -> None:
    pids = scratch.table(
        f"select distinct pid from {other_holders} "
        f"where search in (select {mapping.sql_search_form('key')} from {new_keys} n) order by pid"
    )["pid"].combine_chunks()
    columns = [column_of(path) for path in others]
    for start in range(0, len(pids), _PROFILES_PER_READ):
        some = pids.slice(start, _PROFILES_PER_READ)
        scratch.put("stored", store.read_profiles(some, columns))
        for path in others:
            value = mapping.sql_identity(stored_value(path), job.phone_region)
            scratch.run(
                f"insert into shared_key select n.record, ? from {new_keys} n "
                f"join (select {value} as value from stored) s on s.value = n.key",
                [path],
            )
