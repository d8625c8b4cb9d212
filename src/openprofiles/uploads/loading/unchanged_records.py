"""Count the records that change nothing, read one after the other in the order of the file."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute

from openprofiles.bulk.compare import unchanged_pids, wins_sql
from openprofiles.bulk.stored_values import stored_value
from openprofiles.uploads.loading.load_work import Load
from openprofiles.uploads.loading.same_customer import keeps_own_key_sql


def count_unchanged(load: Load, targets: pa.Table, stored: pa.Table | None, repeated: str | None = None) -> int:
    """Count the records of these targets that change nothing, read one after the other in the order of the file.

    A record changes nothing when each of its values is what the profile holds in that field by then, or stands in a
    field that was set by hand, which a load leaves alone. The record that makes a profile is none of them. If a
    profile is afterwards as it was before, none of its planned records changed it: two rows of one customer that
    differ count as unchanged when the same file is loaded again.

    Args:
        targets: target, pid (null for a new profile), row_count and the values.
        stored: what ``read_stored`` gave for the targets that exist, None if there are none.
        repeated: a query for the records of the targets that have several: target, pid, record and the values; by
            default those of the plan.
    """
    is_several = pa.compute.greater(targets["row_count"], 1)
    count = 0
    if stored is not None and stored.num_rows:
        pids = targets["pid"].cast(pa.int64())
        is_unchanged = pa.compute.is_in(pids, unchanged_pids(load, targets, stored))
        if repeated is not None:
            # The records of one profile may be in several chunks, so each is compared on its own.
            is_unchanged = pa.compute.and_not(is_unchanged, is_several)
        count += pa.compute.sum(targets["row_count"].filter(is_unchanged)).as_py() or 0
        is_several = pa.compute.and_not(is_several, is_unchanged)
    if pa.compute.any(is_several).as_py():
        several = targets.select(["target", "pid"]).filter(is_several)
        load.cursor.put("several", several.select(["target"]))
        count += _count_unchanged_of_several(load, stored, repeated or _repeated_sql(several))
    return int(count)


def _repeated_sql(targets: pa.Table) -> str:
    """The planned records of these targets, all new or all existing: a range of a table that is in order of both."""
    is_new = targets["pid"].null_count == targets.num_rows
    column = "target" if is_new else "pid"
    first, last = pa.compute.min_max(targets[column]).values()
    return f"select * from repeated where pid is {'' if is_new else 'not '}null and {column} between {first} and {last}"


def _count_unchanged_of_several(load: Load, stored: pa.Table | None, repeated: str) -> int:
    """Of the targets in the table ``several``, a field at a time: all of them at once would take too much memory."""
    cursor = load.cursor
    chosen = f"({repeated}) q semi join several using (target)"
    # The record that makes a profile gives the target its number.
    is_asked = "(q.pid is not null or q.record <> q.target)"
    cursor.run("create or replace temp table changing (record bigint)")
    earlier = "over (partition by q.target order by q.record rows between unbounded preceding and 1 preceding)"
    join = ""
    if stored is not None:
        cursor.put("stored", stored)
        join = "left join stored on stored.pid = q.pid"
    for index, path in enumerate(load.paths):
        at_first = stored_value(path) if stored is not None else "null"
        wins = wins_sql(load, stored, path)
        value = f"q.v{index}"
        if stored is not None and path == load.mapping.unique_key.path:
            value = f"case when {keeps_own_key_sql(load.mapping, load.job, value)} then null else {value} end"
        cursor.run(
            f"insert into changing select record from (select q.record, {value} as value, {is_asked} as is_asked, "
            f"coalesce(last_value({value} ignore nulls) {earlier}, {at_first}, '') as before, {wins} as wins "
            f"from (from {chosen}) q {join}) "
            "where is_asked and value is not null and value is distinct from before and wins"
        )
    asked = cursor.value(f"select count(*) from {chosen} where {is_asked}")
    return int(asked) - int(cursor.value("select count(distinct record) from changing"))
