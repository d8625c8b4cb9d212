"""The new customers who have a value of another customer, stored or in the file, that two customers hardly share."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute

from openprofiles.bulk.scratch import Scratch
from openprofiles.bulk.stored_values import column_of
from openprofiles.facts.normal_forms import has_finer_identity, sql_identity_key, sql_normal_full_name, sql_search_form
from openprofiles.facts.standard_profile import ACCOUNT_KEY, EMAIL_KEY, FULL_NAME_KEY, FULL_NAME_PATHS, PHONE_KEY
from openprofiles.store.bulk import BulkStore
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.uploads.loading.birth_dates import BIRTH_DATE, sql_date_parts
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import SAME_ACCOUNT_ROWS, SAME_EMAIL_ROWS, SAME_NAME_ROWS, SAME_PHONE_ROWS

_ROWS_OF_LARGE_FILE = 50_000

# A value that more customers have is that of a company, or stands for none.
MOST_CUSTOMERS = 5
ROWS_PER_READ = 50_000


@dataclass(frozen=True, slots=True)
class SharedValue:
    """A field whose value one customer has.

    Attributes:
        code: that of the notice.
        path: the field.
        key_name: the standard key that it feeds, or that of full names, by which many customers of a list that was
            renumbered are found in the store.
        plausible: what is left of a value that identifies somebody, as a regular expression that it matches.
        same_paths: fields whose values must be the same as well.
        differing_path: a field that shows, where two customers have different values, that they are not the same.
        looked_up_first: so many customers are looked up in the store before all are.
        found_first: of these, more than this share must be found.
        compared_first: a condition on ``value``, in SQL, for what is compared first in a large file; None compares all.
    """

    code: str
    path: str
    key_name: str
    plausible: str
    same_paths: tuple[str, ...] = ()
    differing_path: str | None = None
    looked_up_first: int = 1_000
    found_first: float = 0.0
    compared_first: str | None = "hash(value) % 20 = 0"

    @property
    def paths(self) -> list[str]:
        """All of the fields."""
        names = FULL_NAME_PATHS if self.key_name == FULL_NAME_KEY else ()
        differing = [self.differing_path] if self.differing_path else []
        return list(dict.fromkeys([self.path, *self.same_paths, *names, *differing]))


SHARED_VALUES = (
    SharedValue(SAME_EMAIL_ROWS, "EmailAddress", EMAIL_KEY, plausible="@", looked_up_first=5_000, compared_first=None),
    # The number of a company is shared by people who have other names.
    SharedValue(SAME_ACCOUNT_ROWS, "AccountNumber", ACCOUNT_KEY, plausible="[1-9]", differing_path="LastName"),
    # That of a phone is shared by families, and their last name, too.
    SharedValue(
        SAME_PHONE_ROWS,
        "PhoneNumber",
        PHONE_KEY,
        plausible="[1-9]",
        same_paths=("FirstName", "LastName"),
        compared_first="right(value, 2) between '40' and '44'",
    ),
)
# Only one of these is searched for. Twins have other first names.
SHARED_NAMES = (
    # The first of January stands for no date: one of the numbers must be another day or month.
    SharedValue(
        SAME_NAME_ROWS,
        BIRTH_DATE,
        FULL_NAME_KEY,
        plausible="(^|[^0-9])(0?[2-9]|[12][0-9]|3[01])([^0-9]|$)",
        same_paths=("FirstName", "LastName"),
        looked_up_first=100,
        found_first=0.05,
    ),
    SharedValue(
        SAME_NAME_ROWS,
        "Address.Address1",
        FULL_NAME_KEY,
        plausible="[0-9]",
        same_paths=("FirstName", "LastName", "Address.PostalCode"),
        looked_up_first=100,
        found_first=0.05,
    ),
)


def find_shared_values(
    scratch: Scratch, store: BulkStore, job: LeasedJob, mapping: UploadMapping, shared: SharedValue
) -> None:
    """Add the rows that create such customers to the table ``double``; all of the values must be mapped."""
    value_of = {field.path: f"v{index}" for index, field in enumerate(mapping.fields)}
    if shared.key_name != FULL_NAME_KEY:
        _find_in_file(scratch, job, shared, value_of)
    if store.has_keys(shared.key_name):
        _find_in_store(scratch, store, job, shared, value_of)


def _find_in_file(scratch: Scratch, job: LeasedJob, shared: SharedValue, value_of: dict[str, str]) -> None:
    # In most files each customer has a value of their own, which numbers show fastest.
    value = value_of[shared.path]
    number = f"hash(lower({value}))" if shared.key_name == EMAIL_KEY else f"hash({value})"
    if shared.same_paths:
        # The other values tell most customers apart, and the last two digits are the same in most ways to write it.
        others = ", ".join(f"lower(trim({value_of[path]}))" for path in shared.same_paths)
        number = f"hash(right({value}, 2), {others})"
    is_given = " and ".join(
        ["key is not null", *(f"{value_of[path]} <> ''" for path in (shared.path, *shared.same_paths))]
    )
    if shared.compared_first and scratch.record_count > _ROWS_OF_LARGE_FILE:
        first = shared.compared_first.replace("value", value)
        _compare_in_file(scratch, job, shared, value_of, number, f"{first} and {is_given}")
        if not scratch.value("select exists (select 1 from double)"):
            return
        is_given = f"not ({first}) and {is_given}"
    _compare_in_file(scratch, job, shared, value_of, number, is_given)


def _compare_in_file(
    scratch: Scratch, job: LeasedJob, shared: SharedValue, value_of: dict[str, str], number: str, condition: str
) -> None:
    """Compare the rows of the file that fulfil a condition.

    Args:
        number: SQL that is the same for rows with the same value.
    """
    scratch.run(
        f"create or replace temp table repeated_value as select {number} as number from staged where {condition} "
        "group by number having count(*) > 1"
    )
    if not scratch.value("select exists (select 1 from repeated_value)"):
        return
    scratch.run(
        "create or replace temp table value_of as select value, key, min(differing) as differing from "
        f"(select key, {_forms_sql(shared, value_of, job)} from staged where {condition} "
        f"and {number} in (select number from repeated_value) and {_plausible_sql(shared, value_of)}) group by all"
    )
    if shared.differing_path:
        scratch.run(
            "delete from value_of where value in "
            "(select value from value_of group by value having min(differing) <> max(differing))"
        )
    add_later_ones(scratch, "value_of", MOST_CUSTOMERS)


def _find_in_store(
    scratch: Scratch, store: BulkStore, job: LeasedJob, shared: SharedValue, value_of: dict[str, str]
) -> None:
    # To look up all email addresses takes a quarter of the time of a load, so some are looked up first.
    count = int(scratch.value("select count(*) from target where pid is null"))
    step = -(-count // shared.looked_up_first)
    _look_up(scratch, store, job, shared, value_of, f"hash(target) % {step} = 0")
    found_count = scratch.value("select count(*) from double where pid is not null")
    if step > 1 and found_count > shared.found_first * shared.looked_up_first:
        _look_up(scratch, store, job, shared, value_of, f"hash(target) % {step} <> 0")


def _look_up(
    scratch: Scratch, store: BulkStore, job: LeasedJob, shared: SharedValue, value_of: dict[str, str], condition: str
) -> None:
    """Add the records to ``double`` whose value stored profiles have.

    Args:
        condition: on the targets that are looked up.
    """
    # A table, since the forms of all values would be found before this condition.
    columns = ", ".join(dict.fromkeys(value_of[path] for path in shared.paths if path in value_of))
    scratch.run(
        f"create or replace table new_customer as select record, {columns} from staged where record in "
        f"(select target from target where pid is null and {condition}) and {value_of[shared.path]} <> ''"
    )
    column_of_path = {path: column_of(path) for path in shared.paths}
    search = sql_search_form(shared.key_name, "form") if has_finer_identity(shared.key_name) else "form"
    query = (
        f"select {search} as search, value, differing, record from (select any_value(form) as form, value, "
        "min(differing) as differing, min(record) as record from "
        f"(select record, {_forms_sql(shared, value_of, job)} from new_customer "
        f"where {_plausible_sql(shared, value_of)}) where value is not null group by value) order by search"
    )
    for wanted in scratch.tables(query, ROWS_PER_READ):
        searches = pa.compute.unique(wanted["search"].combine_chunks().cast(pa.string()))
        found = store.find_key_holders(shared.key_name, searches, list(column_of_path.values()))
        scratch.put("wanted", wanted)
        scratch.put("asked", pa.table({"i": pa.array(range(len(searches)), pa.int64()), "search": searches}))
        scratch.put("found", found)
        scratch.run(
            "insert into double select any_value(record), null, min(pid) from "
            f"(select i, pid, {_forms_sql(shared, column_of_path, job, 'stored_')} from found) join asked using (i) "
            "join wanted using (search) where stored_value = value and coalesce(stored_differing = differing, true) "
            f"group by value having count(*) <= {MOST_CUSTOMERS}"
        )


def _forms_sql(shared: SharedValue, value_of: dict[str, str], job: LeasedJob, prefix: str = "") -> str:
    """Build the columns ``form``, of the key, ``value``, which is compared, and ``differing``.

    Args:
        value_of: by the path of a field the SQL for its value.
        prefix: of the names of the columns.
    """
    if shared.key_name == FULL_NAME_KEY:
        form = sql_normal_full_name(*(value_of.get(path, "null") for path in FULL_NAME_PATHS))
        born_or_lives = value_of[shared.path]
        parts = [f"{sql_date_parts(born_or_lives)}::text" if shared.path == BIRTH_DATE else _plain_sql(born_or_lives)]
    else:
        form, parts = sql_identity_key(shared.key_name, value_of[shared.path], job.phone_region), []
    # Null if one of them is.
    value = " || chr(10) || ".join([form, *parts, *(_plain_sql(value_of[path]) for path in shared.same_paths)])
    differing = value_of.get(shared.differing_path or "")
    return (
        f"{form} as {prefix}form, {value} as {prefix}value, "
        f"{_plain_sql(differing) if differing else 'null::text'} as {prefix}differing"
    )


def _plain_sql(value: str) -> str:
    """Build SQL for a text without regard to case and surrounding blanks; null if nothing is left."""
    return f"nullif(lower(trim({value})), '')"


def _plausible_sql(shared: SharedValue, value_of: dict[str, str]) -> str:
    return f"regexp_matches({value_of[shared.path]}, '{shared.plausible}')"


def add_later_ones(scratch: Scratch, table: str, most: int | None) -> None:
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
