"""The customers that a load creates although a stored one has the same code in another spelling (``key_spellings``).

``similar_keys`` finds the numbers that differ only in the way they are written, and all such keys of one file.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from openprofiles.store.bulk import BulkStore, LeasedJob
from openprofiles.uploads.loading.key_spellings import CODE_SPELLINGS, EXACT_SPELLINGS
from openprofiles.uploads.loading.scratch import Scratch
from openprofiles.uploads.loading.shared_keys import NEW_KEYS
from openprofiles.uploads.loading.stored_values import column_of, stored_value
from openprofiles.uploads.mappings.upload_mapping import UploadMapping

_ROWS_PER_READ = 50_000
# Spellings are looked up for all keys only if they occur among the first ones.
_KEYS_IN_SAMPLE = 1_000


def find_similar_codes(scratch: Scratch, store: BulkStore, job: LeasedJob, mapping: UploadMapping) -> None:
    """Add the rows that create such customers to the table ``double``, without those that it has."""
    if not store.has_keys(job.domain_id, mapping.key_name):
        return
    every = range(len(CODE_SPELLINGS))
    _look_up(scratch, store, job, mapping, f"(select * from {NEW_KEYS} limit {_KEYS_IN_SAMPLE})", every)
    seen = scratch.table("select distinct spelling from spelled_code order by spelling")["spelling"].to_pylist()
    if not seen:
        return
    _look_up(scratch, store, job, mapping, NEW_KEYS, seen)
    scratch.run(
        "insert into double select record, null, min(pid) from spelled_code "
        "where record not in (select record from double) group by record"
    )


def _look_up(
    scratch: Scratch, store: BulkStore, job: LeasedJob, mapping: UploadMapping, keys: str, spellings: Sequence[int]
) -> None:
    """Look for other spellings of keys in the store; make the table ``spelled_code`` of those that are there.

    Args:
        keys: a query in brackets for ``record`` and ``key``.
        spellings: positions in ``CODE_SPELLINGS``.
    """
    scratch.run("create or replace temp table spelled_code (spelling integer, record bigint, pid bigint)")
    values = ", ".join(CODE_SPELLINGS[spelling] for spelling in spellings)
    searched = mapping.sql_search_form("value")
    query = (
        "select search, list(value) as texts, list(spelling) as spellings, list(record) as records from ("
        f"select *, {searched} as search from (select unnest([{values}]) as value, "
        f"unnest({list(spellings)}) as spelling, record, key from {keys}) "
        f"where value is not null) where search <> {mapping.sql_search_form('key')} group by search order by search"
    )
    path = mapping.unique_key.path
    exact = ", ".join(map(str, EXACT_SPELLINGS))
    for wanted in scratch.tables(query, _ROWS_PER_READ):
        forms = wanted["search"].combine_chunks().cast(pa.string())
        found = store.find_key_holders(job.domain_id, mapping.key_name, forms, job.started_at, [column_of(path)])
        scratch.put("wanted", wanted.append_column("i", pa.array(range(len(forms)), pa.int64())))
        scratch.put("found", found)
        scratch.run(
            "insert into spelled_code select spelling, record, min(pid) from ("
            "select i, unnest(texts) as text, unnest(spellings) as spelling, unnest(records) as record from wanted) "
            f"join found stored using (i) where spelling not in ({exact}) or trim({stored_value(path)}) = text "
            "group by spelling, record"
        )
