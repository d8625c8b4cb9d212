"""The customers that a load creates although they probably are customers already, whose unique keys differ.

They have the email address of another customer, or a number that differs from that of another customer only in the way
it is written: in case, characters that nobody sees, an apostrophe or # before it, leading zeros, thousands separators
or zeros after the decimal point. In the file, other spellings of codes (``key_spellings``) are found too, and
``similar_codes`` finds them in the store. All are only counted: a load never merges what has different keys.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from openprofiles.profiles.normal_forms import sql_normal_key
from openprofiles.profiles.standard_profile import EMAIL_KEY, PHONE_KEY
from openprofiles.store.bulk import BulkStore, LeasedJob
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
from openprofiles.uploads.loading.notice_examples import describe_others
from openprofiles.uploads.loading.scratch import Scratch
from openprofiles.uploads.loading.shared_keys import NEW_KEYS
from openprofiles.uploads.loading.stored_values import column_of
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import MAX_LINES, SAME_EMAIL_ROWS, SIMILAR_KEY_ROWS, Notice
from openprofiles.uploads.sql_text import sql_text

# The record of each row, and another customer: the record of one in the file, or the row number of a stored one.
_EMPTY = "create or replace temp table double (record bigint, other bigint, pid bigint)"

# An address that more customers have is that of a company, or stands for none.
_MOST_CUSTOMERS = 5

_EMAIL_PATH = "EmailAddress"
_EMAILS_IN_SAMPLE = 5_000
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
_LENGTHS = (
    "(select coalesce(bool_or(strlen(key) = 18), false) as has_long_id, "
    "coalesce(bool_or(strlen(key) in (36, 38)), false) as has_guid from key_group)"
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
_KEYS_IN_SAMPLE = 500


def find_probable_doubles(scratch: Scratch, store: BulkStore, job: LeasedJob, mapping: UploadMapping) -> list[Notice]:
    """Count the rows that create such customers; the plan must be made."""
    if mapping.matches_group or not scratch.value(f"select exists (select 1 from {NEW_KEYS})"):
        return []
    notices = []
    if mapping.key_name != EMAIL_KEY:
        scratch.run(_EMPTY)
        _find_same_email(scratch, store, job, mapping)
        notices += _make_notice(scratch, store, job, SAME_EMAIL_ROWS, _EMAIL_PATH)
    if mapping.key_name not in (EMAIL_KEY, PHONE_KEY):
        scratch.run(_EMPTY)
        _find_similar_in_file(scratch)
        _find_similar_in_store(scratch, store, job, mapping)
        notices += _make_notice(scratch, store, job, SIMILAR_KEY_ROWS, mapping.unique_key.path)
    return notices


def _make_notice(scratch: Scratch, store: BulkStore, job: LeasedJob, code: str, path: str) -> list[Notice]:
    """Make a notice of the table ``double``, if it has any rows."""
    count = int(scratch.value("select count(distinct record) from double"))
    if not count:
        return []
    rows = scratch.table(
        "select record, any_value(s.line) as line, min(o.line) as other_line, min(pid) as pid from double d "
        "join staged s using (record) left join staged o on o.record = d.other "
        f"group by record order by record limit {MAX_LINES}"
    )
    return [Notice(code, path, count, tuple(rows["line"].to_pylist()), others=describe_others(store, job, rows))]


def _find_same_email(scratch: Scratch, store: BulkStore, job: LeasedJob, mapping: UploadMapping) -> None:
    index = next((number for number, field in enumerate(mapping.fields) if field.path == _EMAIL_PATH), None)
    if index is None:
        return
    value = f"v{index}"
    is_email = f"key is not null and {value} like '%@%'"
    form = sql_normal_key(EMAIL_KEY, value, job.phone_region)
    # In most files each customer has an address of their own, which numbers show fastest.
    number = f"hash(lower({value}))"
    scratch.run(
        f"create or replace temp table repeated_email as select {number} as number from staged where {is_email} "
        "group by number having count(*) > 1"
    )
    scratch.run(
        f"create or replace temp table email_of as select distinct {form} as value, key from staged "
        f"where {is_email} and {number} in (select number from repeated_email)"
    )
    _add_later_ones(scratch, "email_of", _MOST_CUSTOMERS)
    if not store.has_keys(job.domain_id, EMAIL_KEY):
        return
    # To look up all addresses takes a quarter of the time of a load, so some are looked up first.
    count = int(scratch.value("select count(*) from target where pid is null"))
    step = -(-count // _EMAILS_IN_SAMPLE)
    new = f"{NEW_KEYS} n join staged s on s.record = n.record where s.{value} like '%@%'"
    found = _look_up_emails(
        scratch, store, job, f"select {form} as value, n.record from {new} and hash(n.key) % {step} = 0"
    )
    if step > 1 and found:
        _look_up_emails(
            scratch, store, job, f"select {form} as value, n.record from {new} and hash(n.key) % {step} <> 0"
        )


def _look_up_emails(scratch: Scratch, store: BulkStore, job: LeasedJob, emails: str) -> bool:
    """Add the records to ``double`` whose address stored profiles have; return whether there are any.

    Args:
        emails: a query for ``value``, in normal form, and ``record``.
    """
    has_found = False
    query = f"select value, min(record) as record from ({emails}) group by value order by value"
    for wanted in scratch.tables(query, _ROWS_PER_READ):
        forms = wanted["value"].combine_chunks().cast(pa.string())
        found = store.find_key_holders(job.domain_id, EMAIL_KEY, forms, job.started_at, [column_of(_EMAIL_PATH)])
        has_found = has_found or found.num_rows > 0
        scratch.put("wanted", wanted.append_column("i", pa.array(range(len(forms)), pa.int64())))
        scratch.put("found", found)
        scratch.run(
            "insert into double select any_value(record), null, min(pid) from found join wanted using (i) "
            f"where {sql_normal_key(EMAIL_KEY, column_of(_EMAIL_PATH), job.phone_region)} = value "
            f"group by i having count(*) <= {_MOST_CUSTOMERS}"
        )
    return has_found


def _loose_sql(source: str) -> str:
    """Build a query for the keys of a table, and ``loose``: each without what often gets lost or added.

    Args:
        source: a table of ``key``, or a query in brackets.
    """
    bare = "lower(case when clean like '%.0' then left(clean, length(clean) - 2) else clean end)"
    loose = f"coalesce(nullif(ltrim({bare}, '0'), ''), '0')"
    clean = f"select *, {_CLEAN} as clean from {source}, {_LENGTHS}"
    return f"select * exclude (clean, has_long_id, has_guid), {loose} as loose from ({clean})"


def _find_similar_in_file(scratch: Scratch) -> None:
    loose = _loose_sql("(select key from key_group)")
    scratch.run(
        f"create or replace temp table repeated_number as select hash(loose) as number from ({loose}) "
        "group by number having count(*) > 1"
    )
    scratch.run(
        f"create or replace temp table loose_of as select loose as value, key from ({loose}) "
        "where hash(loose) in (select number from repeated_number)"
    )
    _add_later_ones(scratch, "loose_of", None)


def _find_similar_in_store(scratch: Scratch, store: BulkStore, job: LeasedJob, mapping: UploadMapping) -> None:
    # They have the same search form, so they differ in case or in what nobody sees.
    scratch.run(
        f"insert into double select record, null, min(pid) from {NEW_KEYS} join other_holder "
        f"on search = {mapping.sql_search_form('key')} group by record"
    )
    if not store.has_keys(job.domain_id, mapping.key_name):
        return
    scratch.run(
        f"create or replace table number_of as select record, key, loose as digits from ({_loose_sql(NEW_KEYS)}) "
        "where regexp_full_match(loose, '[0-9]{1,18}') order by record"
    )
    if not scratch.value("select exists (select 1 from number_of)"):
        return
    sample = f"(select * from number_of order by record limit {_KEYS_IN_SAMPLE})"
    _look_up_spellings(scratch, store, job, mapping, sample, range(len(_SPELLINGS)))
    seen = scratch.table("select distinct spelling from spelled order by spelling")["spelling"].to_pylist()
    if seen:
        _look_up_spellings(scratch, store, job, mapping, "number_of", seen)
        scratch.run("insert into double select record, null, pid from spelled")


def _look_up_spellings(
    scratch: Scratch, store: BulkStore, job: LeasedJob, mapping: UploadMapping, numbers: str, spellings: Sequence[int]
) -> None:
    """Look for other spellings of numbers in the store; make the table ``spelled`` of those that are there.

    Args:
        numbers: a table of ``record``, ``key`` and ``digits``, or a query in brackets.
        spellings: positions in ``_SPELLINGS``.
    """
    scratch.run("create or replace temp table spelled (spelling integer, record bigint, pid bigint)")
    values = ", ".join(_SPELLINGS[spelling] for spelling in spellings)
    query = (
        "select value, list(spelling) as spellings, list(record) as records from ("
        f"select unnest([{values}]) as value, unnest({list(spellings)}) as spelling, record, key from {numbers}) "
        "where value is not null and value <> key group by value order by value"
    )
    for wanted in scratch.tables(query, _ROWS_PER_READ):
        values_here = wanted["value"].combine_chunks().cast(pa.string())
        found = store.find_key_holders(job.domain_id, mapping.key_name, values_here, job.started_at)
        scratch.put("wanted", wanted.append_column("i", pa.array(range(len(values_here)), pa.int64())))
        scratch.put("found", found)
        scratch.run(
            "insert into spelled select unnest(spellings), unnest(records), pid from wanted "
            "join (select i, min(pid) as pid from found group by i) using (i)"
        )


def _add_later_ones(scratch: Scratch, table: str, most: int | None) -> None:
    """Add to ``double`` the new customers of a table that share a value with a stored or an earlier one.

    Args:
        table: ``value`` and ``key``, without repeats.
        most: values that more customers share are left out.
    """
    condition = "" if most is None else f" and customers <= {most}"
    scratch.run(
        "insert into double select record, case when record > first then first else first_stored end, null from ("
        "select target as record, pid is null as is_new, count(*) over same as customers, min(target) over same as "
        "first, min(target) filter (where pid is not null) over same as first_stored "
        f"from {table} join key_group using (key) join target on target.target = key_group.first "
        "window same as (partition by value)) "
        f"where is_new and customers > 1 and (first_stored is not null or record > first){condition}"
    )
