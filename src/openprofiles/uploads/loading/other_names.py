"""The rows that overwrite values of a customer with another name: a stored one, or one of an earlier row.

Such a row may be another customer who has the same unique key: the same number in another system, the address of a
family, a placeholder. It counts if the row and its profile, as it is when the row is reached, both have a name, and the
names have no word in common. Case, accents and the order of the words do not matter.

Nearly all rows of nearly all files have the name of their profile. Hashes show this; only the other rows are compared
word by word. With ``--compat strict`` nothing is compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from openprofiles.store.bulk import BulkStore, LeasedJob
from openprofiles.uploads.job_options import CREATE_ONLY, OVERWRITE, JobOptions
from openprofiles.uploads.loading.notice_examples import describe_others
from openprofiles.uploads.loading.scratch import Scratch, ScratchCursor
from openprofiles.uploads.loading.stored_values import column_of, stored_value
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import MAX_LINES, OTHER_NAME_ROWS, Notice, is_doubtful
from openprofiles.uploads.sql_text import sql_text

_PERSON = ("FirstName", "LastName")
_BUSINESS = ("BusinessName",)

_PROFILES_PER_READ = 20_000

# Left out, so that O'Brien and OBrien are one word; everything else that is not a letter or a digit ends a word.
_APOSTROPHES = "['\u2018\u2019\u02bc`\u00b4]"
_NOT_OF_WORDS = r"[^\p{L}\p{M}\p{N}]+"


def name_paths(mapping: UploadMapping, options: JobOptions) -> tuple[str, ...]:
    """Return the fields that are compared, all of which both sides must have; none if nothing is compared.

    They are the first and last name, or the name of the business if the file has no names of people.
    """
    if mapping.matches_group or options.write_mode == CREATE_ONLY:
        # A job that only creates profiles overwrites nothing.
        return ()
    paths = {field.path for field in mapping.fields}
    if paths.issuperset(_PERSON):
        return _PERSON
    return _BUSINESS if paths.issuperset(_BUSINESS) and paths.isdisjoint(_PERSON) else ()


def name_columns(mapping: UploadMapping, options: JobOptions) -> list[str]:
    """Return the columns of the table ``profile`` with these fields."""
    return [column_of(path) for path in name_paths(mapping, options)]


def start_names(scratch: Scratch) -> None:
    """Make the tables ``held_name``, of profiles with a name and its hash, and ``other_name``, of rows that count."""
    scratch.run("create or replace temp table held_name (pid bigint, number ubigint)")
    scratch.run("create or replace table other_name (record bigint, line bigint, giver bigint, pid bigint)")


def add_held_names(scratch: Scratch, profiles: pa.Table, columns: Sequence[str]) -> None:
    """Add profiles that rows may belong to.

    Args:
        profiles: ``pid`` and ``columns``, those of ``name_columns``.
    """
    if columns and profiles.num_rows:
        scratch.put("held_here", profiles.select(["pid", *columns]))
        scratch.run(
            f"insert into held_name select pid, hash({', '.join(columns)}) from held_here where {_all_given(columns)}"
        )


def find_doubted_targets(scratch: Scratch, mapping: UploadMapping, options: JobOptions) -> None:
    """Make the table ``doubted``: the targets with rows, or a row and a stored profile, of different names."""
    scratch.run("create or replace table doubted (target bigint)")
    paths = name_paths(mapping, options)
    if not paths:
        return
    values = _values(mapping, paths)
    number = f"hash({', '.join(values)})"
    differs = f"{_all_given(values)} and {number} <> held_name.number"
    parts = [
        "select target from target join held_name using (pid) join staged on staged.record = target "
        f"where row_count = 1 and {differs}"
    ]
    if scratch.value("select exists (select 1 from repeated)"):
        is_any_given = " or ".join(f"{value} is not null" for value in values)
        parts += [
            f"select target from repeated join held_name using (pid) where {differs}",
            f"select target from repeated where {is_any_given} group by target having min({number}) <> max({number})",
        ]
    scratch.run(f"insert into doubted {' union '.join(parts)}")
    scratch.run("drop table held_name")


def find_other_names(
    scratch: Scratch, store: BulkStore, job: LeasedJob, mapping: UploadMapping, options: JobOptions
) -> list[Notice]:
    """Count the rows; the plan must be made. Their records are kept in the table ``other_name``."""
    paths = name_paths(mapping, options)
    if not paths or scratch.recall("all_new"):
        return []
    values = _values(mapping, paths)
    ordered = "ordered join staged using (record) join outcome using (key) where holders = 1"
    scratch.run(
        "create or replace temp table named_row as "
        f"select s.record, s.line, m.place, m.pid, {', '.join(f's.{value}' for value in values)} from ("
        "select target as record, target as place, pid from target semi join doubted using (target) "
        "where row_count = 1 "
        "union all select record, target, pid from repeated semi join doubted using (target) "
        f"union all select record, -pid, pid from {ordered}) m join staged s using (record)"
    )
    if not scratch.value("select exists (select 1 from named_row)"):
        return []
    _start_stored_names(scratch, paths)
    pids = scratch.table("select distinct pid from named_row where pid is not null order by pid")["pid"]
    columns = [*dict.fromkeys(column_of(path) for path in paths), "origins"]
    for start in range(0, len(pids), _PROFILES_PER_READ):
        some = pids.slice(start, _PROFILES_PER_READ).combine_chunks()
        _add_stored_names(scratch, store.read_profiles(job.domain_id, some, columns), paths, options)
    scratch.run(f"create or replace table other_name as {_other_names_sql(values)}")
    for table in ("named_row", "stored_name"):
        scratch.run(f"drop table {table}")
    updated_count = scratch.value(
        "select (select coalesce(sum(row_count - (pid is null)::bigint), 0) from target) "
        f"+ (select count(*) from {ordered})"
    )
    return _make_notice(scratch, store, job, "other_name", int(updated_count))


def find_other_names_since_plan(
    scratch: Scratch,
    store: BulkStore,
    job: LeasedJob,
    mapping: UploadMapping,
    options: JobOptions,
    stored: pa.Table,
) -> list[Notice]:
    """Count the rows of a chunk that are followed one by one because their keys have changed since the plan.

    Those that the plan has counted are left out. The tables ``following`` and ``followed`` have the rows.

    Args:
        stored: what their profiles hold, with all fields that the job writes.
    """
    paths = name_paths(mapping, options)
    is_moved = "record in (select record from following where key not in (select key from entangled))"
    if not paths or not scratch.value(f"select exists (select 1 from followed where {is_moved})"):
        return []
    values = _values(mapping, paths)
    scratch.run(
        "create or replace temp table named_row as "
        f"select record, line, target as place, pid, {', '.join(values)} from followed join following using (record)"
    )
    _start_stored_names(scratch, paths)
    _add_stored_names(scratch, stored, paths, options)
    scratch.run(
        "create or replace temp table other_name_here as "
        f"select * from ({_other_names_sql(values)}) where {is_moved} and record not in (select record from other_name)"
    )
    return _make_notice(scratch, store, job, "other_name_here", 0)


def sql_name_words(values: Sequence[str]) -> str:
    """Build SQL for the words of a name, as they are compared."""
    name = f"regexp_replace(concat_ws(' ', {', '.join(values)}), {sql_text(_APOSTROPHES)}, '', 'g')"
    words = f"string_split_regex(strip_accents(lower({name})), {sql_text(_NOT_OF_WORDS)})"
    return f"list_filter({words}, lambda word: word <> '')"


def _values(mapping: UploadMapping, paths: Sequence[str]) -> list[str]:
    """Return the columns of the scratch database with the values of these fields."""
    index_of = {field.path: index for index, field in enumerate(mapping.fields)}
    return [f"v{index_of[path]}" for path in paths]


def _all_given(names: Sequence[str]) -> str:
    return " and ".join(f"{name} <> ''" for name in names)


def _start_stored_names(scratch: Scratch, paths: Sequence[str]) -> None:
    columns = "".join(f", s{index} text, h{index} boolean" for index in range(len(paths)))
    scratch.run(f"create or replace temp table stored_name (pid bigint{columns})")


def _add_stored_names(scratch: Scratch, stored: pa.Table, paths: Sequence[str], options: JobOptions) -> None:
    """Add the names of profiles, and whether a load leaves them as they are since they were edited by hand."""
    scratch.put("stored", stored)
    by_hand = "coalesce(from_json(origins, '[\"VARCHAR\"]'), [])"
    is_overwritten = options.hand_set_fields == OVERWRITE
    columns = "".join(
        f", {stored_value(path)}, {'false' if is_overwritten else f'list_contains({by_hand}, {sql_text(path)})'}"
        for path in paths
    )
    scratch.run(f"insert into stored_name select pid{columns} from stored")


def _other_names_sql(values: Sequence[str]) -> str:
    """Build SQL for the rows in ``named_row`` whose profiles, those in ``stored_name``, have other names by then.

    They have ``record``, ``line``, ``giver``, the record that gave the profile its name (null for a stored name), and
    ``pid``.
    """
    befores = [f"b{index}" for index in range(len(values))]
    earlier = "over (partition by place order by record rows between unbounded preceding and 1 preceding)"
    names = ", ".join(
        f"case when h{index} then s{index} "
        f"else coalesce(last_value({value} ignore nulls) {earlier}, s{index}) end as {before}"
        for index, (value, before) in enumerate(zip(values, befores, strict=True))
    )
    gives = " or ".join(f"({value} is not null and h{index} is not true)" for index, value in enumerate(values))
    differs = " or ".join(f"{value} <> {before}" for value, before in zip(values, befores, strict=True))
    return (
        "select record, line, giver, pid from ("
        f"select record, line, giver, pid, {sql_name_words(values)} as words, {sql_name_words(befores)} as old_words "
        f"from (select *, {names}, max(case when {gives} then record end) {earlier} as giver "
        "from named_row left join stored_name using (pid)) "
        f"where {_all_given(values)} and {_all_given(befores)} and ({differs})) "
        "where len(words) > 0 and len(old_words) > 0 and not list_has_any(words, old_words)"
    )


def _make_notice(scratch: ScratchCursor, store: BulkStore, job: LeasedJob, table: str, updated: int) -> list[Notice]:
    count = int(scratch.value(f"select count(*) from {table}"))
    if not count:
        return []
    rows = scratch.table(
        f"select o.line, g.line as other_line, pid from {table} o left join staged g on g.record = o.giver "
        f"order by o.record limit {MAX_LINES}"
    )
    lines, others = tuple(rows["line"].to_pylist()), describe_others(store, job, rows)
    return [Notice(OTHER_NAME_ROWS, None, count, lines, bool(updated) and is_doubtful(count, updated), others)]
