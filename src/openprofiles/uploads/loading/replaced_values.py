"""Compare the values of rows with those that they replace: stored ones, or those of earlier rows.

To read all stored values before a load would take as long as the load. So the rows of some parts of the file are
compared first, and all of them only if these show a reason.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openprofiles.bulk.scratch import Scratch
from openprofiles.bulk.stored_values import column_of, pointer_to, stored_value
from openprofiles.facts.precedence import sql_set_by_hand
from openprofiles.facts.sql_text import sql_text
from openprofiles.facts.standard_profile import ADDRESSES, attribute_of_target
from openprofiles.store.bulk import BulkStore
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.uploads.job_options import CLEAR, JobOptions
from openprofiles.uploads.loading.notice_examples import describe_others
from openprofiles.uploads.loading.other_names import count_updates
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import MAX_LINES

# What is compared first: so many values, from so many parts of the file. Between two of them are fewer rows than make
# a notice doubtful, so a damaged part of that size is seen wherever it is.
_VALUES_OF_PARTS = 4_000
_PARTS = 40
_PROFILES_PER_READ = 20_000
# Each takes memory.
_FIELDS_PER_QUERY = 50
# A column that was sorted alone changes so many of the rows compared first, and its values are not those of many rows.
_FEWEST_CHANGED = 5
_MOST_OF_A_VALUE = 5
# The parts of an address that another one hardly ever has as well. Most customers stay in their country.
_PARTS_OF_ADDRESS = ("Address2", "Address3", "Address4", "City", "County", "State", "Province", "PostalCode")

# What the names of the tables begin with.
_PARTLY, _WHOLLY = "partly", "wholly"
# SQL for the number of rows compared first.
COMPARED_COUNT = f"(select count(*) from {_PARTLY}_updating)"


@dataclass(frozen=True, slots=True)
class Replacing:
    """Rows that replace values in a way that a check looks for.

    Attributes:
        count: how many.
        lines: of the first ones.
        others: for each of the lines, where the replaced value is from: "line 3" or "profile ...".
    """

    count: int
    lines: tuple[int, ...]
    others: tuple[str, ...]


class ReplacedValues:
    """The rows of a job that update a profile, with the values that they replace; the plan must be made.

    The conditions of its methods are SQL. For the value of a field that a row has, ``new(path)`` is the value, and
    ``old(path)`` the one that the row replaces. Either is null if there is none, or if the profile keeps its value,
    since it was edited by hand. Records that are followed one by one are left out.
    """

    def __init__(
        self, scratch: Scratch, store: BulkStore, job: LeasedJob, mapping: UploadMapping, options: JobOptions
    ) -> None:
        self._scratch = scratch
        self._store = store
        self._job = job
        self._options = options
        self.phone_region = job.phone_region
        self._index_of = {field.path: index for index, field in enumerate(mapping.fields)}
        self.header_of = {field.path: field.header for field in mapping.fields if field is not mapping.unique_key}
        parts = [
            f"{address}.{part}"
            for address in ADDRESSES
            if f"{address}.Address1" in self.header_of
            for part in _PARTS_OF_ADDRESS
        ]
        # The parts of the addresses of the file that a row without a value leaves as they are.
        self.kept_if_blank = [
            path
            for path in parts
            if path not in self._index_of or (path in self.header_of and options.blank_cells != CLEAR)
        ]
        unmapped = [path for path in parts if path not in self._index_of]
        self._index_of |= {path: index for index, path in enumerate(unmapped, start=len(mapping.fields))}
        is_compared = bool(self.header_of) and not mapping.matches_group and not scratch.recall("all_new")
        self.updated_count = count_updates(scratch) if is_compared else 0
        if not self.updated_count:
            return
        self._has_repeated = scratch.value("select exists (select 1 from repeated)")
        row_count = _VALUES_OF_PARTS // len(self.header_of)
        self._has_parts = self.updated_count > row_count
        self._paths = list(self.header_of)
        self._read(_PARTLY, [*self._paths, *unmapped], row_count if self._has_parts else None)
        self._put_changed()

    def new(self, path: str) -> str:
        """Build SQL for the value of a row."""
        return f"n{self._index_of[path]}"

    def old(self, path: str) -> str:
        """Build SQL for the value that it replaces."""
        return f"o{self._index_of[path]}"

    def giver(self, path: str) -> str:
        """Build SQL for the record that the replaced value is from; null for a stored value. Only for ``find``."""
        return f"g{self._index_of[path]}"

    def find_fields(self, conditions: Mapping[str, Collection[str]]) -> list[str]:
        """Return the fields with a condition that a row compared first fulfils.

        Args:
            conditions: SQL on ``new`` and ``old``, each with the fields that it is for.
        """
        if not self.updated_count:
            return []
        # To compile a condition takes longer than to try it on a thousand values.
        changed = set(self._scratch.table("select distinct field from changed_value")["field"].to_pylist())
        fields_of = {sql: sorted(changed & set(map(self._paths.index, paths))) for sql, paths in conditions.items()}
        condition = " or ".join(
            f"field in ({', '.join(map(str, fields))}) and ({sql})" for sql, fields in fields_of.items() if fields
        )
        if not condition:
            return []
        with self._scratch.not_optimized():
            rows = self._scratch.table(f"select distinct field from changed_value where {condition} order by field")
        return [self._paths[field] for field in rows["field"].to_pylist()]

    def find_exchanged_fields(self) -> list[tuple[str, str]]:
        """Return the pairs of fields whose values a row compared first exchanges."""
        if not self.updated_count:
            return []
        rows = self._scratch.table(
            "select distinct a.field as first, b.field as second from changed_value a join changed_value b "
            "on a.record = b.record and a.new = b.old and a.old = b.new and a.field < b.field order by first, second"
        )
        return [(self._paths[row["first"]], self._paths[row["second"]]) for row in rows.to_pylist()]

    def summarize_changes(self, path: str, aggregate: str) -> Any:
        """Return an aggregate over the changes of a field in the rows compared first; None without any.

        Args:
            aggregate: SQL on ``new`` and ``old``, and on ``COMPARED_COUNT``.
        """
        if not self.updated_count or path not in self._paths:
            return None
        field = self._paths.index(path)
        return self._scratch.value(f"select {aggregate} from changed_value where field = {field}")

    def find_moved_fields(self) -> list[str]:
        """Return the fields whose replaced values, in rows compared first, mostly are values of other rows now."""
        if self.updated_count < _FEWEST_CHANGED:
            return []
        changed = self._scratch.table(
            "select field, count(*) as rows from changed_value group by field "
            f"having count(*) >= {_FEWEST_CHANGED} and 2 * count(distinct old) > count(*) order by field"
        )
        row_count = self._scratch.value(f"select count(*) from {_PARTLY}_updating")
        moved = []
        for field, rows in zip(*changed.to_pydict().values(), strict=True):
            found, holders = self._scratch.only_row(
                "select count(distinct c.record), count(*) from changed_value c join staged own using (record) "
                f"join staged s on s.v{self._index_of[self._paths[field]]} = c.old "
                f"where field = {field} and s.key <> own.key"
            )
            # Customers move to places where others have lived, too: to read all values for that would take long.
            if 2 * found > rows and (holders <= _MOST_OF_A_VALUE * found or 2 * rows > row_count):
                moved.append(self._paths[field])
        return moved

    def put_values(self, query: str) -> str:
        """Make a table of a query for ``value``; return SQL for its values, as they stand after ``in``."""
        self._scratch.run(f"create or replace temp table found_value as {query}")
        return "(select value from found_value)"

    def count_distinct_found(self, path: str, condition: str) -> int:
        """Count the distinct new values of a field in the rows that the last ``find`` has found."""
        return int(
            self._scratch.value(f"select count(distinct {self.new(path)}) from replacing where {condition}") or 0
        )

    def close(self) -> None:
        """Drop the tables, which take memory."""
        for name in (_PARTLY, _WHOLLY):
            self._scratch.run(f"drop table if exists {name}_updating; drop table if exists {name}_held")
        self._scratch.run(
            "drop table if exists changed_value; drop table if exists replacing; drop table if exists found_value"
        )

    def _put_changed(self) -> None:
        """Make the table ``changed_value`` of the values that differ: ``record``, ``field``, ``new`` and ``old``."""
        # One below the other, so that a condition is compiled once, and only pays for values that differ.
        self._scratch.run(
            "create or replace temp table changed_value (record bigint, field bigint, new text, old text)"
        )
        for start in range(0, len(self._paths), _FIELDS_PER_QUERY):
            some = self._paths[start : start + _FIELDS_PER_QUERY]
            news, olds = (", ".join(map(value, some)) for value in (self.new, self.old))
            self._scratch.run(
                f"insert into changed_value select * from (select record, {start} + unnest(range({len(some)})), "
                f"unnest([{news}]) as new, unnest([{olds}]) as old from {self._rows_sql(_PARTLY, some)}) "
                "where new <> old"
            )

    def find(self, paths: Sequence[str], *conditions: str) -> list[Replacing]:
        """Count the rows that fulfil each condition, if any row that is compared first fulfils one of them.

        Args:
            paths: the fields of the conditions. The first one shows where the old value is from.

        Returns:
            one for each condition.
        """
        scratch, name, is_any = self._scratch, _PARTLY, " or ".join(conditions)
        if not (self.updated_count and conditions) or not scratch.value(
            f"select exists (select 1 from {self._rows_sql(name, paths)} where {is_any})"
        ):
            return [Replacing(0, (), ())] * len(conditions)
        if self._has_parts:
            name = _WHOLLY
            self._read(name, paths, None)
        scratch.run(f"create or replace temp table replacing as select * from {self._rows_sql(name, paths)}")
        return [self.describe_found(paths[0], condition) for condition in conditions]

    def describe_found(self, path: str, condition: str) -> Replacing:
        """Count the rows that fulfil a condition, of those of the last ``find``, which are the table ``replacing``."""
        index = self._index_of[path]
        count = int(self._scratch.value(f"select count(*) from replacing where {condition}"))
        rows = self._scratch.table(
            f"select s.line, g.line as other_line, r.pid from (select record, pid, g{index} as giver from replacing "
            f"where {condition} order by record limit {MAX_LINES}) r join staged s using (record) "
            "left join staged g on g.record = giver order by record"
        )
        return Replacing(count, tuple(rows["line"].to_pylist()), describe_others(self._store, rows))

    def _read(self, name: str, paths: Sequence[str], row_count: int | None) -> None:
        """Make the tables ``..._updating`` of rows and ``..._held`` of the profiles that they update.

        Args:
            row_count: choose about so many rows; None chooses all.
        """
        scratch = self._scratch
        chosen, limit = "true", ""
        if row_count is not None:
            last = int(scratch.value("select max(target) from target") or 0)
            step = last // _PARTS + 1
            # Neighbours, so that DuckDB leaves out most blocks, and the store has them close together, too.
            chosen = f"({last} - target) % {step} < {max(1, last * row_count // self.updated_count // _PARTS)}"
            limit = f"limit {row_count}"
        values = ", ".join(
            f"{'' if path in self.header_of else 'null::text as '}v{self._index_of[path]}" for path in paths
        )
        scratch.run(
            f"create or replace temp table {name}_updating as "
            f"select record, target as place, pid, {values} from staged join (select target, pid from target "
            f"where row_count = 1 and pid is not null and {chosen}) on target = record"
        )
        scratch.run(
            f"insert into {name}_updating select record, target, pid, {values} from repeated where {chosen} {limit}"
        )
        self._read_held(name, paths)

    def _read_held(self, name: str, paths: Sequence[str]) -> None:
        """Make the table ``..._held`` of profiles.

        It has the values (s0 ..), and whether a load leaves them as they are since they were edited by hand (h0 ..).
        """
        scratch = self._scratch
        attributes = [attribute for path in paths if (attribute := attribute_of_target(path)) is not None]
        # All at once, so that each profile's attributes are parsed only once.
        pointers = ", ".join(sql_text(pointer_to(attribute)) for attribute in attributes)
        of_attributes = f", json_extract_string(attributes, [{pointers}]) as attribute" if attributes else ""
        columns, kinds = "", ""
        for path in paths:
            index, attribute = self._index_of[path], attribute_of_target(path)
            value = stored_value(path) if attribute is None else f"attribute[{attributes.index(attribute) + 1}]"
            columns += f", {value}, not {self._options.source.sql_wins(path, 'by_hand')}"
            kinds += f", s{index} text, h{index} boolean"
        scratch.run(f"create or replace temp table {name}_held (pid bigint{kinds})")
        read = list(dict.fromkeys([*map(column_of, paths), "origins"]))
        pids = scratch.table(f"select distinct pid from {name}_updating where pid is not null order by pid")["pid"]
        for start in range(0, len(pids), _PROFILES_PER_READ):
            some = pids.slice(start, _PROFILES_PER_READ).combine_chunks()
            scratch.put("read", self._store.read_profiles(some, read))
            scratch.run(
                f"insert into {name}_held select pid{columns} from "
                f"(select *, {sql_set_by_hand('origins')} as by_hand{of_attributes} from read) as stored"
            )

    def _rows_sql(self, name: str, paths: Sequence[str]) -> str:
        """Build SQL for the rows: ``record``, ``pid``, and of each field n, o and g.

        The last one is the record that the old value is from, null for a stored value.
        """
        columns = ""
        for index in (self._index_of[path] for path in paths):
            old, giver = f"s{index}", "null::bigint"
            if self._has_repeated:
                earlier = "over (partition by place order by record rows between unbounded preceding and 1 preceding)"
                old = f"coalesce(last_value(v{index} ignore nulls) {earlier}, {old})"
                giver = f"last_value(case when v{index} is not null then record end ignore nulls) {earlier}"
            columns += f", case when h{index} is not true then nullif(v{index}, '') end as n{index}"
            columns += f", nullif({old}, '') as o{index}, {giver} as g{index}"
        return f"(select record, pid{columns} from {name}_updating left join {name}_held using (pid))"
