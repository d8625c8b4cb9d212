"""The customers that a load creates although a stored one has the same code in another spelling (``key_spellings``).

``similar_keys`` finds the numbers that differ only in the way they are written, and all such keys of one file.

Where hardly any key of the file is found, and nearly all of its keys have one form and nearly all stored ones another,
such as CUST-1001 and 1001, they may be the same customers, too: in a list that was exported in another way.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import pyarrow as pa

from openprofiles.bulk.scratch import Scratch
from openprofiles.bulk.stored_values import column_of, stored_value
from openprofiles.store.bulk import BulkStore
from openprofiles.uploads.loading.key_spellings import CODE_SPELLINGS, EXACT_SPELLINGS
from openprofiles.uploads.loading.shared_keys import NEW_KEYS
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import KEY_FORM_ROWS, MAX_LINES, Notice

_ROWS_PER_READ = 50_000
# Spellings are looked up for all keys only if they occur among the first ones.
_KEYS_IN_SAMPLE = 1_000
# At least that many keys, of which at most such a share is found, and at least such a share has one form.
_FEWEST_KEYS, _MOST_FOUND, _SHARE_OF_FORM = 20, 0.01, 0.9
_STORED_KEYS_IN_SAMPLE = 200
_LETTERS, _DIGITS = re.compile("[A-Za-z]+"), re.compile("[0-9]+")


def find_similar_codes(scratch: Scratch, store: BulkStore, mapping: UploadMapping) -> None:
    """Add the rows that create such customers to the table ``double``, without those that it has."""
    if not store.has_keys(mapping.key_name):
        return
    every = range(len(CODE_SPELLINGS))
    _look_up(scratch, store, mapping, f"(select * from {NEW_KEYS} limit {_KEYS_IN_SAMPLE})", every)
    seen = scratch.table("select distinct spelling from spelled_code order by spelling")["spelling"].to_pylist()
    if not seen:
        return
    _look_up(scratch, store, mapping, NEW_KEYS, seen)
    scratch.run(
        "insert into double select record, null, min(pid) from spelled_code "
        "where record not in (select record from double) group by record"
    )


def _look_up(scratch: Scratch, store: BulkStore, mapping: UploadMapping, keys: str, spellings: Sequence[int]) -> None:
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
        found = store.find_key_holders(mapping.key_name, forms, [column_of(path)])
        scratch.put("wanted", wanted.append_column("i", pa.array(range(len(forms)), pa.int64())))
        scratch.put("found", found)
        scratch.run(
            "insert into spelled_code select spelling, record, min(pid) from ("
            "select i, unnest(texts) as text, unnest(spellings) as spelling, unnest(records) as record from wanted) "
            f"join found stored using (i) where spelling not in ({exact}) or trim({stored_value(path)}) = text "
            "group by spelling, record"
        )


def find_other_key_forms(scratch: Scratch, store: BulkStore, mapping: UploadMapping) -> list[Notice]:
    """Count the rows; the plan must be made."""
    total, found = scratch.only_row("select count(*), count(pid) from target")
    if total < _FEWEST_KEYS or found >= _MOST_FOUND * total:
        return []
    stored = _common_form(store.read_some_keys(mapping.key_name, _STORED_KEYS_IN_SAMPLE))
    if stored is None:
        return []
    new = scratch.table(f"select {mapping.sql_search_form('key')} as key from {NEW_KEYS} limit {_KEYS_IN_SAMPLE}")
    if _common_form(new["key"].to_pylist()) in (None, stored):
        return []
    rows = scratch.table(f"select line from {NEW_KEYS} join staged using (record) order by record limit {MAX_LINES}")
    lines = tuple(rows["line"].to_pylist())
    return [Notice(KEY_FORM_ROWS, mapping.unique_key.path, total - found, lines, is_doubtful=True)]


def _common_form(keys: Iterable[str]) -> str | None:
    """Return the form of nearly all keys, with one letter or digit for several; None if they have none."""
    forms = Counter(_DIGITS.sub("9", _LETTERS.sub("A", key)) for key in keys)
    ((form, count),) = forms.most_common(1) or [("", 0)]
    is_common = forms.total() >= _FEWEST_KEYS and count >= _SHARE_OF_FORM * forms.total()
    return form if is_common and "9" in form else None
