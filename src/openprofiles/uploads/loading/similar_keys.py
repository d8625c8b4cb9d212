"""The new customers whose unique key differs from that of another customer only in the way it is written.

The number differs in case, characters that nobody sees, an apostrophe or # before it, leading zeros, thousands
separators or zeros after the decimal point. In the file, other spellings of codes (``key_spellings``) are found too;
``similar_codes`` finds them in the store.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from openprofiles.bulk.scratch import Scratch
from openprofiles.bulk.stored_values import column_of
from openprofiles.facts.sql_text import sql_text
from openprofiles.facts.standard_profile import PHONE_KEY
from openprofiles.store.bulk import BulkStore
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.uploads.loading.key_spellings import (
    GUID_IN_BRACES,
    GUID_OF_BARE,
    IS_BARE_GUID,
    IS_GUID_IN_BRACES,
    IS_SHORT_ID,
    LONG_ID,
    OTHER_SEPARATORS,
    SEPARATORS,
)
from openprofiles.uploads.loading.shared_keys import NEW_KEYS
from openprofiles.uploads.loading.shared_values import add_later_ones
from openprofiles.uploads.mappings.upload_mapping import UploadMapping

_ROWS_PER_READ = 50_000

# Of the languages whose numbers have them: comma, point, two apostrophes, and a blank of four kinds.
_THOUSANDS_SEPARATORS = ",.'\u2019 \u00a0\u202f\u2009"

# SQL of a key without what few keys have: format characters, an apostrophe or # before it, thousands separators, zeros
# after the decimal point, and dashes and blanks instead of a hyphen-minus.
_UNSEEN = "\\p{Cf}|^['\u2019#]"
_VISIBLE = f"regexp_replace(key, {sql_text(_UNSEEN)}, '', 'g')"
_GROUPED_NUMBER = f"[1-9][0-9]{{0,2}}([{_THOUSANDS_SEPARATORS}][0-9]{{3}})+"
_IS_GROUPED = f"regexp_full_match({_VISIBLE}, {sql_text(_GROUPED_NUMBER)})"
_UNGROUPED = (
    f"case when {_IS_GROUPED} then regexp_replace({_VISIBLE}, '[^0-9]', '', 'g') "
    f"when regexp_full_match({_VISIBLE}, '[0-9]+[.,]00?') then regexp_extract({_VISIBLE}, '[0-9]+') "
    f"when regexp_matches(key, '[{OTHER_SEPARATORS}]') then regexp_replace({_VISIBLE}, '{SEPARATORS}', '-', 'g') "
    f"else {_VISIBLE} end"
)
_CLEAN = (
    "case when regexp_full_match(key, '[0-9A-Za-z_-]*|[A-Za-z][!-~]*') then "
    # Only a file with several spellings needs one of them for all.
    f"case when has_long_id and {IS_SHORT_ID} then {LONG_ID} when has_guid and {IS_BARE_GUID} then {GUID_OF_BARE} "
    f"else key end when {IS_GUID_IN_BRACES} then {GUID_IN_BRACES} "
    f"else {_UNGROUPED} end"
)
_LONG_ID_LENGTH = 18
_GUID_LENGTHS = "36, 38"
_LENGTHS = (
    f"(select coalesce(bool_or(strlen(key) = {_LONG_ID_LENGTH}), false) as has_long_id, "
    f"coalesce(bool_or(strlen(key) in ({_GUID_LENGTHS})), false) as has_guid from key_group)"
)

# The ways to write a number that another file may have used, as SQL of ``digits``: without leading zeros or .0.
_LONGEST_PADDED = 12
_GROUPED = "format('{:,}', try_cast(digits as bigint))"
_SPELLINGS = (
    "digits",
    *(f"digits || '{decimals}'" for decimals in (".0", ",0", ".00", ",00")),
    "case when regexp_full_match(key, '[0-9]+') then '#' || key end",
    "case when regexp_full_match(key, '[0-9]+') then '''' || key end",
    # As files had it that were loaded before text formulas were read.
    "case when regexp_full_match(key, '[0-9]+') then '=\"' || key || '\"' end",
    *(f"replace({_GROUPED}, ',', {sql_text(separator)})" for separator in _THOUSANDS_SEPARATORS),
    *(
        f"case when length(digits) < {width} then lpad(digits, {width}, '0') end"
        for width in range(2, _LONGEST_PADDED + 1)
    ),
)
# Other spellings are looked up for all keys only if they occur among the first ones.
KEYS_IN_SAMPLE = 500
# The sample is of these, so that the others need not be written in their bare form.
_FIRST_KEYS = 10_000


def find_similar_keys(scratch: Scratch, store: BulkStore, job: LeasedJob, mapping: UploadMapping) -> None:
    """Add the rows that create them to the table ``double``."""
    _find_similar_in_file(scratch)
    _find_similar_in_store(scratch, store, job, mapping)


def _loose_sql(source: str) -> str:
    """Build a query for the keys of a table, and ``loose``: each without what often gets lost or added.

    Args:
        source: a table of ``key``, or a query in brackets.
    """
    bare = "lower(case when clean like '%.0' then left(clean, length(clean) - 2) else clean end)"
    loose = f"coalesce(nullif(ltrim({bare}, '0'), ''), '0')"
    clean = f"select *, {_CLEAN} as clean from {source}, {_LENGTHS}"
    return f"select * exclude (clean, has_long_id, has_guid), {loose} as loose from ({clean})"


def _numbers_sql(source: str) -> str:
    """Build a query for the keys that are numbers, with their ``record`` and ``digits``."""
    is_number = "regexp_full_match(loose, '[0-9]{1,18}')"
    return f"select record, key, loose as digits from ({_loose_sql(source)}) where {is_number}"


def _find_similar_in_file(scratch: Scratch) -> None:
    if _are_plain(scratch):
        return
    loose = _loose_sql("(select key from key_group)")
    scratch.run(
        f"create or replace temp table repeated_number as select hash(loose) as number from ({loose}) "
        "group by number having count(*) > 1"
    )
    scratch.run(
        f"create or replace temp table loose_of as select loose as value, key from ({loose}) "
        "where hash(loose) in (select number from repeated_number)"
    )
    add_later_ones(scratch, "loose_of", None)


def _are_plain(scratch: Scratch) -> bool:
    """Return whether each key of the file is the only way to write it, so that no two are similar."""
    return any(
        not scratch.value(
            f"select exists (select 1 from key_group where strlen(key) in ({_LONG_ID_LENGTH}, {_GUID_LENGTHS}) "
            f"or not regexp_full_match(key, '[1-9{letters}_-][0-9{letters}_-]*'))"
        )
        for letters in ("A-Z", "a-z")
    )


def _find_similar_in_store(scratch: Scratch, store: BulkStore, job: LeasedJob, mapping: UploadMapping) -> None:
    # They have the same search form, so they differ in case or in what nobody sees.
    scratch.run(
        f"insert into double select record, null, min(pid) from {NEW_KEYS} join other_holder "
        f"on search = {mapping.sql_search_form('key')} group by record"
    )
    if not store.has_keys(mapping.key_name):
        return
    first = f"(select key, record from {NEW_KEYS} order by record limit {_FIRST_KEYS})"
    sample = f"({_numbers_sql(first)} order by record limit {KEYS_IN_SAMPLE})"
    look_up_spellings(scratch, store, job, mapping, sample, _SPELLINGS)
    seen = scratch.table("select distinct spelling from spelled order by spelling")["spelling"].to_pylist()
    if seen:
        look_up_spellings(
            scratch, store, job, mapping, f"({_numbers_sql(NEW_KEYS)})", [_SPELLINGS[number] for number in seen]
        )
        scratch.run("insert into double select record, null, pid from spelled")


def look_up_spellings(
    scratch: Scratch, store: BulkStore, job: LeasedJob, mapping: UploadMapping, numbers: str, spellings: Sequence[str]
) -> None:
    """Look for other spellings of numbers in the store; make the table ``spelled`` of those that are there.

    Args:
        numbers: a table of ``record``, ``key`` and what the spellings need, or a query in brackets.
        spellings: SQL for search forms, null where there is none; ``spelled`` has their positions.
    """
    scratch.run("create or replace temp table spelled (spelling integer, record bigint, pid bigint)")
    query = (
        "select value, list(spelling) as spellings, list(record) as records from ("
        f"select unnest([{', '.join(spellings)}]) as value, unnest({list(range(len(spellings)))}) as spelling, "
        f"record, key from {numbers}) where value is not null and value <> key group by value order by value"
    )
    # Other fields have phone numbers as well, and some have an extension.
    columns = [column_of(mapping.unique_key.path)] if mapping.key_name == PHONE_KEY else []
    is_same = "".join(f" and {mapping.sql_identity(column, job.phone_region)} = value" for column in columns)
    for wanted in scratch.tables(query, _ROWS_PER_READ):
        values_here = wanted["value"].combine_chunks().cast(pa.string())
        found = store.find_key_holders(mapping.key_name, values_here, columns)
        scratch.put("wanted", wanted.append_column("i", pa.array(range(len(values_here)), pa.int64())))
        scratch.put("found", found)
        scratch.run(
            "insert into spelled select unnest(spellings), unnest(records), pid from ("
            "select any_value(spellings) as spellings, any_value(records) as records, min(pid) as pid "
            f"from wanted join found using (i) where true{is_same} group by i)"
        )
