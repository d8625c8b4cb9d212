"""The new customers whose phone number is that of another customer, in a spelling that the domain reads otherwise.

A number with a country code may lack the + or 00 before it, have a 00 where the domain's country has another
international prefix, or have a (0) where the number has no such digit. It is then read as another number, or not as a
number at all. Mexican mobile phones had a 1 after the country code until 2019, and many lists still have it.
"""

from __future__ import annotations

from openprofiles.bulk.scratch import Scratch
from openprofiles.facts.normal_forms import country_code
from openprofiles.facts.sql_text import sql_text
from openprofiles.facts.standard_profile import PHONE_KEY
from openprofiles.store.bulk import BulkStore
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.uploads.loading.shared_keys import NEW_KEYS
from openprofiles.uploads.loading.shared_values import add_later_ones
from openprofiles.uploads.loading.similar_keys import KEYS_IN_SAMPLE, look_up_spellings
from openprofiles.uploads.mappings.upload_mapping import UploadMapping

# The number that was meant, from the text of a row.
_LEFT_OUT = r"\(0\)|\.0$"
_DIGITS = f"regexp_replace(regexp_replace(text, {sql_text(_LEFT_OUT)}, '', 'g'), '[^0-9]', '', 'g')"
_MEANT = f"regexp_replace('+' || regexp_replace({_DIGITS}, '^00', ''), '^[+]521([0-9]{{10}})$', '+52\\1')"
_IS_NUMBER = "regexp_full_match(meant, '[+][1-9][0-9]{7,14}')"

# National numbers are seldom as long; with a country code, most numbers are.
_SHORTEST_WITH_CODE = 11


def find_phone_spellings(scratch: Scratch, store: BulkStore, job: LeasedJob, mapping: UploadMapping) -> None:
    """Add the rows that create such customers to the table ``double``; the unique key must be a phone number."""
    has_stored = store.has_keys(PHONE_KEY)
    code = country_code(job.phone_region)
    # In some countries, all rows may be such rows.
    for limit in (f"limit {KEYS_IN_SAMPLE}", ""):
        _make_misread(scratch, mapping, code, limit)
        if not scratch.value("select exists (select 1 from misread)"):
            break
        _find_in_file(scratch)
        if has_stored:
            new = f"(select n.record, key, meant from {NEW_KEYS} n join misread using (key))"
            look_up_spellings(scratch, store, job, mapping, new, ["meant"])
            scratch.run("insert into double select record, null, pid from spelled")
        if not scratch.value("select exists (select 1 from double)"):
            break
    if has_stored:
        _find_misread_in_store(scratch, store, job, mapping, code)


def _make_misread(scratch: Scratch, mapping: UploadMapping, code: str, limit: str) -> None:
    """Make the table ``misread`` of the rows whose number may be ``meant`` as another one than their key.

    Args:
        code: that of the domain's country.
    """
    text = f"v{mapping.fields.index(mapping.unique_key)}"
    # Few keys look like this in most countries, so that only their texts are read.
    may_have_code = (
        f"(starts_with(key, '+{code}{code}') or length(key) > {len(code) + _SHORTEST_WITH_CODE}) "
        f"and (left({text}, 1) between '1' and '9' or left({text}, 2) = '00')"
    )
    scratch.run(
        "create or replace table misread as select record, key, meant from "
        f"(select record, key, {_MEANT} as meant from (select record, key, {text} as text from staged "
        f"where not contains(key, ';') and (left(key, 1) <> '+' or {may_have_code}) {limit})) "
        f"where {_IS_NUMBER} and meant <> key"
    )


def _find_in_file(scratch: Scratch) -> None:
    scratch.run(
        "create or replace temp table number_of as select meant as value, key from misread "
        "union select key, key from key_group where key in (select meant from misread)"
    )
    add_later_ones(scratch, "number_of", None)


def _find_misread_in_store(
    scratch: Scratch, store: BulkStore, job: LeasedJob, mapping: UploadMapping, code: str
) -> None:
    """Look for what is in the store if the number of a new customer was read in another way there."""
    digits = "substr(key, 2)"
    spellings = [digits, f"'00' || {digits}", f"'+{code}' || {digits}"]
    spellings.append("case when regexp_full_match(key, '[+]52[0-9]{10}') then '521' || substr(key, 4) end")
    # With a (0): of the countries whose code is known.
    spellings += [
        f"case when starts_with(key, '+{one}') then '{one}0' || substr(key, {len(one) + 2}) end"
        for one in sorted({code, "1"})
    ]
    numbers = f"(select record, key from {NEW_KEYS} where starts_with(key, '+') and not contains(key, ';'))"
    sample = f"(select * from {numbers} order by record limit {KEYS_IN_SAMPLE})"
    look_up_spellings(scratch, store, job, mapping, sample, spellings)
    seen = scratch.table("select distinct spelling from spelled order by spelling")["spelling"].to_pylist()
    if seen:
        look_up_spellings(scratch, store, job, mapping, numbers, [spellings[number] for number in seen])
        scratch.run("insert into double select record, null, pid from spelled")
