"""The rows that give a stored profile the email address of another stored profile.

Where they are many, the column of addresses was probably sorted alone, or shifted by a row. The other profile may keep
its address or get another one by the same file: either way, two customers have exchanged their addresses, or share one.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute

from openprofiles.bulk.scratch import Scratch
from openprofiles.bulk.stored_values import column_of
from openprofiles.facts.normal_forms import sql_normal_key
from openprofiles.facts.precedence import sql_set_by_hand
from openprofiles.facts.standard_profile import EMAIL_KEY
from openprofiles.store.bulk import BulkStore
from openprofiles.store.leased_jobs import LeasedUpload
from openprofiles.uploads.job_options import JobOptions
from openprofiles.uploads.loading.shared_values import MOST_CUSTOMERS, ROWS_PER_READ
from openprofiles.uploads.mappings.upload_mapping import UploadMapping

EMAIL_PATH = "EmailAddress"
_LOOKED_UP_FIRST = 2_000
_PROFILES_PER_READ = 20_000


def find_taken_emails(scratch: Scratch, store: BulkStore, job: LeasedUpload, mapping: UploadMapping) -> None:
    """Add the rows to the table ``double``; the plan must be made."""
    index = next((number for number, field in enumerate(mapping.fields) if field.path == EMAIL_PATH), None)
    if index is None or not scratch.value("select exists (select 1 from target where pid is not null)"):
        return
    value = f"v{index}"
    count = int(scratch.value("select count(*) from target where pid is not null"))
    step = -(-count // _LOOKED_UP_FIRST)
    _look_up(scratch, store, job, value, f"hash(target) % {step} = 0")
    if step > 1 and scratch.value("select exists (select 1 from double)"):
        _look_up(scratch, store, job, value, f"hash(target) % {step} <> 0")


def _look_up(scratch: Scratch, store: BulkStore, job: LeasedUpload, value: str, condition: str) -> None:
    """Add the records to ``double`` whose address other profiles have, and their own has not.

    Args:
        value: the column of the addresses.
        condition: on the targets whose records are looked up.
    """
    # A table, since the forms of all values would be found before this condition.
    scratch.run(
        f"create or replace table updating as select record, pid, {value} as email from staged join "
        f"(select target, pid from target where pid is not null and row_count = 1 and {condition}) on target = record "
        f"where {value} like '%@%' union all select record, pid, {value} from repeated "
        f"where pid is not null and {condition} and {value} like '%@%'"
    )
    stored = sql_normal_key(EMAIL_KEY, column_of(EMAIL_PATH), job.phone_region)
    query = (
        f"select * from (select record, pid, {sql_normal_key(EMAIL_KEY, 'email', job.phone_region)} as value "
        "from updating) where value is not null order by value"
    )
    for wanted in scratch.tables(query, ROWS_PER_READ):
        values = pa.compute.unique(wanted["value"].combine_chunks().cast(pa.string()))
        found = store.find_key_holders(EMAIL_KEY, values, [column_of(EMAIL_PATH)])
        scratch.put("wanted", wanted)
        scratch.put("asked", pa.table({"i": pa.array(range(len(values)), pa.int64()), "value": values}))
        scratch.put("found", found)
        # An address that the profile has in another field is its own as well.
        scratch.run(
            "create or replace temp table taken as select w.record, any_value(w.pid) as own, "
            f"min(f.pid) filter (where {stored} = value) as other from wanted w join asked using (value) "
            "join found f using (i) group by w.record having not bool_or(f.pid = w.pid) "
            f"and count(*) filter (where {stored} = value) between 1 and {MOST_CUSTOMERS}"
        )
        _remove_kept(scratch, store, job)
        scratch.run("insert into double select record, null, other from taken")


def _remove_kept(scratch: Scratch, store: BulkStore, job: LeasedUpload) -> None:
    """Remove rows whose profile keeps the address it has, which was edited by hand, from the table ``taken``."""
    source = JobOptions.from_json(job.options).source
    if source.always_wins:
        return
    wins = source.sql_wins(EMAIL_PATH, sql_set_by_hand("origins"))
    pids = scratch.table("select distinct own from taken order by own")["own"].combine_chunks()
    for start in range(0, len(pids), _PROFILES_PER_READ):
        some = pids.slice(start, _PROFILES_PER_READ)
        scratch.put("origin", store.read_profiles(some, ["origins"]))
        scratch.run(f"delete from taken where own in (select pid from origin where not {wins})")
