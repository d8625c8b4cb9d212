"""The rows that overwrite values of a customer with another name: a stored one, or one of an earlier row.

Such a row may be another customer who has the same unique key: the same number in another system, the address of a
family, a placeholder. It counts if the row and its profile, as it is when the row is reached, both have a name, and the
names have no word in common. Case, accents and the order of the words do not matter. A word that many names of the file
have, such as GmbH or van, does not count as a word in common, and neither does a title. A row whose first name is the
last name of its profile, and the other way round, counts on its own: the columns of its file are probably exchanged.
Two names with a word in common are different if the dates of birth differ, too, as in a family.

Nearly all rows of nearly all files have the name of their profile. Hashes show this; only the other rows are compared
word by word. With ``--compat strict`` nothing is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from openprofiles.bulk.scratch import Scratch, ScratchCursor
from openprofiles.bulk.stored_values import column_of, stored_value
from openprofiles.facts.precedence import sql_set_by_hand
from openprofiles.facts.sql_text import sql_text
from openprofiles.facts.standard_profile import attribute_of_target
from openprofiles.store.bulk_protocols import ProfileReader
from openprofiles.uploads.job_options import CREATE_ONLY, JobOptions
from openprofiles.uploads.loading.birth_dates import BIRTH_DATE, sql_are_other_dates
from openprofiles.uploads.loading.notice_examples import describe_others
from openprofiles.uploads.mappings.name_fields import PERSON, NameFields, find_name_fields
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import EXCHANGED_NAME_ROWS, MAX_LINES, OTHER_NAME_ROWS, Notice, is_doubtful

_PROFILES_PER_READ = 20_000

# The rows that update a profile and are followed one by one.
_FOLLOWED_UPDATES = "ordered join staged using (record) join outcome using (key) where holders = 1"

# Left out, so that O'Brien and OBrien are one word; everything else that is not a letter or a digit ends a word.
_APOSTROPHES = "['\u2018\u2019\u02bc`\u00b4]"
_NOT_OF_WORDS = r"[^\p{L}\p{M}\p{N}]+"

# Titles and legal forms, which say nothing about whose name it is.
_TITLES = sorted(
    {
        *(
            "mr",
            "mrs",
            "ms",
            "miss",
            "mx",
            "sir",
            "madam",
            "dr",
            "prof",
            "herr",
            "hr",
            "frau",
            "fr",
            "m",
            "mme",
            "mlle",
        ),
        *("monsieur", "madame", "sr", "sra", "srta", "senor", "senora", "sig", "signor", "signora", "dhr", "mevr"),
        *("gmbh", "ag", "kg", "ohg", "ug", "ev", "mbh", "inc", "llc", "llp", "ltd", "limited", "plc", "corp", "co"),
        *("corporation", "company", "sa", "sas", "sarl", "srl", "spa", "bv", "nv", "lda", "oy", "aps", "and", "und"),
    }
)

# A word that more of the different names than both of these have does not count as a word in common.
COMMON_SHARE = 0.03
FEWEST_COMMON = 20
_NAMES_IN_SAMPLE = 5_000


@dataclass(frozen=True, slots=True)
class ComparedNames:
    """The fields that are compared.

    Attributes:
        fields: of a row.
        held: the fields of the name of a profile, whether the file has them or not.
        instead: those that take their place in a profile without a value in ``fields``.
        birth_date: the field of the date of birth, if the file has one.
    """

    fields: NameFields
    held: tuple[str, ...]
    instead: tuple[str, ...] = ()
    birth_date: tuple[str, ...] = ()

    @property
    def compared(self) -> tuple[str, ...]:
        """The fields of a row with the name and the date of birth."""
        return (*self.fields.paths, *self.birth_date)

    @property
    def needed(self) -> str:
        """The field without which a row has no name."""
        return self.fields.paths[-1]

    @property
    def columns(self) -> list[str]:
        """The columns of the table ``profile`` with these fields."""
        return list(dict.fromkeys(column_of(path) for path in (*self.held, *self.instead)))


def compared_names(mapping: UploadMapping, options: JobOptions) -> ComparedNames | None:
    """Find the fields that are compared; None if nothing is compared."""
    if mapping.matches_group or options.write_mode == CREATE_ONLY:
        # A job that only creates profiles overwrites nothing.
        return None
    fields = find_name_fields((field.header, field.path) for field in mapping.fields if field != mapping.unique_key)
    if fields is None:
        return None
    paths = {field.path for field in mapping.fields if field != mapping.unique_key}
    birth_date = tuple({BIRTH_DATE} & paths)
    if not {*PERSON}.isdisjoint(fields.paths):
        return ComparedNames(fields, PERSON, birth_date=birth_date)
    # The name may have been loaded from a file of another form, but not if this file has these fields, too.
    is_alone = {*PERSON}.isdisjoint(field.path for field in mapping.fields)
    may_be_elsewhere = is_alone and attribute_of_target(fields.paths[0]) is not None
    return ComparedNames(fields, fields.paths, PERSON if may_be_elsewhere else (), birth_date)


def start_names(scratch: Scratch) -> None:
    """Make the tables ``held_name``, of profiles with a name and its hash, and ``other_name``, of rows that count."""
    scratch.run("create or replace temp table held_name (pid bigint, number ubigint)")
    scratch.run(
        "create or replace table other_name "
        "(record bigint, line bigint, giver bigint, pid bigint, is_exchanged boolean)"
    )
    scratch.run("drop table if exists common_word")


def add_held_names(scratch: Scratch, profiles: pa.Table, names: ComparedNames | None) -> None:
    """Add profiles that rows may belong to.

    Args:
        profiles: ``pid`` and the columns of the names.
        names: the fields that are compared, if any.
    """
    if names is None or not profiles.num_rows:
        return
    scratch.put("stored", profiles.select(["pid", *names.columns]))
    values = [stored_value(path) for path in names.fields.paths]
    if names.instead:
        # Without a condition, so that each profile's attributes are parsed only once.
        name = f"coalesce({values[0]}, {_instead_sql(names)})"
        scratch.run(f"insert into held_name select pid, hash({name}) from stored")
    else:
        scratch.run(f"insert into held_name select pid, hash({', '.join(values)}) from stored where {values[-1]} <> ''")


def find_doubted_targets(scratch: Scratch, mapping: UploadMapping, options: JobOptions) -> None:
    """Make the table ``doubted``: the targets with rows, or a row and a stored profile, of different names."""
    scratch.run("create or replace table doubted (target bigint)")
    names = compared_names(mapping, options)
    if names is None:
        return
    values = _values(mapping, names.fields.paths)
    number = f"hash({', '.join(values)})"
    differs = f"{values[-1]} <> '' and {number} <> held_name.number and held_name.number <> hash(null::text)"
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
    scratch: Scratch, store: ProfileReader, mapping: UploadMapping, options: JobOptions
) -> list[Notice]:
    """Count the rows; the plan must be made. Their records are kept in the table ``other_name``."""
    names = compared_names(mapping, options)
    if names is None or scratch.recall("all_new"):
        return []
    values = ", ".join(f"s.{value}" for value in _values(mapping, names.compared))
    scratch.run(
        "create or replace temp table named_row as "
        f"select s.record, s.line, m.place, m.pid, {values} from ("
        "select target as record, target as place, pid from target semi join doubted using (target) "
        "where row_count = 1 "
        "union all select record, target, pid from repeated semi join doubted using (target) "
        f"union all select record, -pid, pid from {_FOLLOWED_UPDATES}) m join staged s using (record)"
    )
    if not scratch.value("select exists (select 1 from named_row)"):
        return []
    _read_stored_names(scratch, store, names, options)
    scratch.run(f"create or replace table other_name as {_other_names_sql(scratch, mapping, names)}")
    for table in ("named_row", "stored_name"):
        scratch.run(f"drop table {table}")
    return _make_notices(scratch, store, "other_name", count_updates(scratch))


def count_updates(scratch: Scratch) -> int:
    """Count the rows that update a profile, stored or of an earlier row; the plan must be made."""
    count = scratch.value(
        "select (select coalesce(sum(row_count - (pid is null)::bigint), 0) from target) "
        f"+ (select count(*) from {_FOLLOWED_UPDATES})"
    )
    return int(count)


def find_other_names_since_plan(
    scratch: Scratch, store: ProfileReader, mapping: UploadMapping, options: JobOptions
) -> list[Notice]:
    """Count the rows of a chunk that are followed one by one because their keys have changed since the plan.

    Those that the plan has counted are left out. The tables ``following`` and ``followed`` have the rows.
    """
    names = compared_names(mapping, options)
    is_moved = "record in (select record from following where key not in (select key from entangled))"
    if names is None or not scratch.value(f"select exists (select 1 from followed where {is_moved})"):
        return []
    scratch.run(
        "create or replace temp table named_row as "
        f"select record, line, target as place, pid, {', '.join(_values(mapping, names.compared))} "
        "from followed join following using (record)"
    )
    _read_stored_names(scratch, store, names, options)
    scratch.run(
        "create or replace temp table other_name_here as "
        f"select * from ({_other_names_sql(scratch, mapping, names)}) "
        f"where {is_moved} and record not in (select record from other_name)"
    )
    return _make_notices(scratch, store, "other_name_here", 0)


def sql_name_words(name: str) -> str:
    """Build SQL for the words of a name, as they are compared: without titles and legal forms."""
    bare = f"regexp_replace({name}, {sql_text(_APOSTROPHES)}, '', 'g')"
    words = f"string_split_regex(strip_accents(lower({bare})), {sql_text(_NOT_OF_WORDS)})"
    left_out = ", ".join(map(sql_text, ["", *_TITLES]))
    return f"list_filter({words}, lambda word: word not in ({left_out}))"


def sql_common_words(words: str) -> str:
    """Build a query for the ``word`` that many different names have.

    Args:
        words: a query for ``words``, those of each name.
    """
    return (
        f"with name as (select distinct list_sort(list_distinct(words)) as words from ({words}) where len(words) > 0) "
        "select word from (select unnest(words) as word from name) group by word "
        f"having count(*) >= {FEWEST_COMMON} and count(*) > {COMMON_SHARE} * (select count(*) from name) order by word"
    )


def sql_are_others(words: str, old_words: str, common: Sequence[str]) -> str:
    """Build an SQL condition: these are the words of two names that are not those of one customer.

    Args:
        common: words that many names have. If two names have only these in common, and each has another word as well,
            they are different.
    """
    condition = f"not list_has_any({words}, {old_words})"
    if common:
        left_out = ", ".join(map(sql_text, common))
        condition = (
            f"len(list_filter(list_intersect({words}, {old_words}), lambda word: word not in ({left_out}))) = 0 "
            f"and not list_has_all({words}, {old_words}) and not list_has_all({old_words}, {words})"
        )
    return f"len({words}) > 0 and len({old_words}) > 0 and {condition}"


def _values(mapping: UploadMapping, paths: Sequence[str]) -> list[str]:
    """Return the columns of the scratch database with the values of fields."""
    index_of = {field.path: index for index, field in enumerate(mapping.fields)}
    return [f"v{index_of[path]}" for path in paths]


def _instead_sql(names: ComparedNames) -> str:
    """Build SQL for the name of a profile, in the table ``stored``, that lacks the field; null if it has no other."""
    values = [stored_value(path) for path in names.instead]
    return f"case when {values[-1]} <> '' then concat_ws(' ', nullif({values[0]}, ''), {values[-1]}) end"


def _read_stored_names(scratch: Scratch, store: ProfileReader, names: ComparedNames, options: JobOptions) -> None:
    """Make the table ``stored_name`` for the profiles in ``named_row``.

    It has the values (s0 ..), whether a load leaves them as they are since they were edited by hand (h0 ..), and the
    name of a profile that lacks them.
    """
    paths = (*names.held, *names.birth_date)
    kinds = "".join(f", s{index} text, h{index} boolean" for index in range(len(paths)))
    scratch.run(f"create or replace temp table stored_name (pid bigint{kinds}, instead text)")
    by_hand = sql_set_by_hand("origins")
    columns = "".join(f", {stored_value(path)}, not {options.source.sql_wins(path, by_hand)}" for path in paths)
    read = list(dict.fromkeys([*names.columns, *map(column_of, names.birth_date), "origins"]))
    instead = _instead_sql(names) if names.instead else "null"
    pids = scratch.table("select distinct pid from named_row where pid is not null order by pid")["pid"]
    for start in range(0, len(pids), _PROFILES_PER_READ):
        some = pids.slice(start, _PROFILES_PER_READ).combine_chunks()
        scratch.put("stored", store.read_profiles(some, read))
        scratch.run(f"insert into stored_name select pid{columns}, {instead} from stored")


def _other_names_sql(scratch: Scratch, mapping: UploadMapping, names: ComparedNames) -> str:
    """Build SQL for the rows in ``named_row`` whose profiles, those in ``stored_name``, have other names by then.

    They have ``record``, ``line``, ``giver``, the record that gave the profile its name (null for a stored name),
    ``pid``, and ``is_exchanged``: the first and last name are those of the profile, exchanged.
    """
    values = _values(mapping, names.fields.paths)
    value_of = dict(zip(names.compared, _values(mapping, names.compared), strict=True))
    earlier = "over (partition by place order by record rows between unbounded preceding and 1 preceding)"
    befores = {
        path: f"case when h{index} then s{index} "
        f"else coalesce(last_value({value_of[path]} ignore nulls) {earlier}, s{index}) end"
        if path in value_of
        else f"s{index}"
        for index, path in enumerate((*names.held, *names.birth_date))
    }
    have_other_dates = [sql_are_other_dates(value_of[path], befores.pop(path)) for path in names.birth_date]
    gives = " or ".join(
        f"({value_of[path]} is not null and h{index} is not true)"
        for index, path in enumerate(names.held)
        if path in value_of
    )
    is_exchanged = "false"
    if names.fields.paths == PERSON:
        (first, last), (old_first, old_last) = values, befores.values()
        is_exchanged = f"coalesce({first} = {old_last} and {last} = {old_first} and {first} <> {last}, false)"
    rows = (
        f"select record, line, pid, {_name_sql(values)} as name, "
        f"case when {befores[names.needed]} <> '' then concat_ws(' ', {', '.join(befores.values())}) "
        f"else instead end as old_name, {is_exchanged} as is_exchanged, "
        f"{' or '.join(have_other_dates) or 'false'} as has_other_date, "
        f"max(case when {gives} then record end) {earlier} as giver "
        "from named_row left join stored_name using (pid)"
    )
    are_names = " and ".join(map(names.fields.sql_is_name, ("name", "old_name")))
    with_words = (
        f"select record, line, giver, pid, is_exchanged, has_other_date, {sql_name_words('name')} as words, "
        f"{sql_name_words('old_name')} as old_words "
        f"from ({rows}) where name <> old_name and {are_names}"
    )
    common = _find_common_words(scratch, mapping, names)
    are_others = sql_are_others("words", "old_words", common)
    have_own_words = "not list_has_all(words, old_words) and not list_has_all(old_words, words)"
    are_others = f"({are_others}) or has_other_date and {have_own_words} and len(words) > 0 and len(old_words) > 0"
    return f"select record, line, giver, pid, is_exchanged from ({with_words}) where is_exchanged or ({are_others})"


def _name_sql(values: Sequence[str]) -> str:
    """Build SQL for the name of a row; null if it has none."""
    return f"case when {values[-1]} <> '' then concat_ws(' ', {', '.join(values)}) end"


def _find_common_words(scratch: Scratch, mapping: UploadMapping, names: ComparedNames) -> list[str]:
    """Find the words that many names of the file have, by a sample of its rows."""
    step = int(scratch.value(f"select count(*) // {_NAMES_IN_SAMPLE} + 1 from staged"))
    name = _name_sql(_values(mapping, names.fields.paths))
    words = (
        f"select {sql_name_words('name')} as words from (select {name} as name "
        f"from staged where key is not null and record % {step} = 0) where {names.fields.sql_is_name('name')}"
    )
    scratch.run(f"create table if not exists common_word as {sql_common_words(words)}")
    return [str(word) for word in scratch.table("select word from common_word order by word")["word"].to_pylist()]


def _make_notices(scratch: ScratchCursor, store: ProfileReader, table: str, updated: int) -> list[Notice]:
    notices = []
    for code, condition in ((OTHER_NAME_ROWS, "not is_exchanged"), (EXCHANGED_NAME_ROWS, "is_exchanged")):
        count = int(scratch.value(f"select count(*) from {table} where {condition}"))
        if not count:
            continue
        rows = scratch.table(
            f"select o.line, g.line as other_line, pid from {table} o left join staged g on g.record = o.giver "
            f"where {condition} order by o.record limit {MAX_LINES}"
        )
        lines, others = tuple(rows["line"].to_pylist()), describe_others(store, rows)
        notices.append(Notice(code, None, count, lines, bool(updated) and is_doubtful(count, updated), others))
    return notices
