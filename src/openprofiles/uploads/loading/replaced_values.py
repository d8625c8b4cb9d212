"""Compare the values of rows with those that they replace: stored ones, or those of earlier rows.

To read all stored values before a load would take as long as the load. So the rows of some parts of the file are
compared first, and all of them only if these show a reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openprofiles.profiles.standard_profile import attribute_of_target
from openprofiles.store.bulk import BulkStore, LeasedJob
from openprofiles.uploads.job_options import OVERWRITE, JobOptions
from openprofiles.uploads.loading.notice_examples import describe_others
from openprofiles.uploads.loading.other_names import count_updates
from openprofiles.uploads.loading.scratch import Scratch
from openprofiles.uploads.loading.stored_values import column_of, pointer_to, stored_value
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import MAX_LINES
from openprofiles.uploads.sql_text import sql_text

# What is compared first: so many values, from so many parts of the file.
_VALUES_OF_PARTS = 6_000
_PARTS = 10
_PROFILES_PER_READ = 20_000

_PARTLY, _WHOLLY = "partly_replacing", "replacing"


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
        self._index_of = {field.path: index for index, field in enumerate(mapping.fields)}
        self.header_of = {field.path: field.header for field in mapping.fields if field is not mapping.unique_key}
        is_compared = bool(self.header_of) and not mapping.matches_group and not scratch.recall("all_new")
        self.updated_count = count_updates(scratch) if is_compared else 0
        if not self.updated_count:
            return
        row_count = _VALUES_OF_PARTS // len(self.header_of)
        self._has_parts = self.updated_count > row_count
        self._compare(_PARTLY, list(self.header_of), self._part_sql(row_count) if self._has_parts else "true")

    def new(self, path: str) -> str:
        """Build SQL for the value of a row."""
        return f"n{self._index_of[path]}"

    def old(self, path: str) -> str:
        """Build SQL for the value that it replaces."""
        return f"o{self._index_of[path]}"

    def shown(self, conditions: Mapping[str, str]) -> list[str]:
        """Return the names of the conditions that one of the rows that are compared first fulfils."""
        if not self.updated_count:
            return []
        any_of = ", ".join(f"bool_or({condition})" for condition in conditions.values())
        shown = self._scratch.only_row(f"select {any_of} from {_PARTLY}")
        return [name for name, is_shown in zip(conditions, shown, strict=True) if is_shown]

    def find(self, paths: Sequence[str], *conditions: str) -> list[Replacing]:
        """Count the rows that fulfil each condition, if any row that is compared first fulfils the first one.

        Args:
            paths: the fields of the conditions. The first one shows where the old value is from.
        """
        if not self.shown({"": conditions[0]}):
            return []
        table = _PARTLY
        if self._has_parts:
            table = _WHOLLY
            self._compare(table, paths, "true")
        return [self._describe(table, self._index_of[paths[0]], condition) for condition in conditions]

    def _describe(self, table: str, index: int, condition: str) -> Replacing:
        count = int(self._scratch.value(f"select count(*) from {table} where {condition}"))
        rows = self._scratch.table(
            f"select s.line, g.line as other_line, r.pid from (select record, pid, g{index} as giver from {table} "
            f"where {condition} order by record limit {MAX_LINES}) r join staged s using (record) "
            "left join staged g on g.record = giver order by record"
        )
        return Replacing(count, tuple(rows["line"].to_pylist()), describe_others(self._store, self._job, rows))

    def _part_sql(self, row_count: int) -> str:
        """Build a condition on ``target`` that chooses about so many updates, from all parts of the file."""
        last = int(self._scratch.value("select max(target) from target") or 0)
        step = last // _PARTS + 1
        # Neighbours, so that DuckDB leaves out most blocks, and the store has them close together, too.
        return f"target % {step} < {max(1, last * row_count // self.updated_count // _PARTS)}"

    def _compare(self, table: str, paths: Sequence[str], chosen: str) -> None:
        """Make a table of rows: ``record``, ``pid``, and of each field n, o and g, the record with the old value.

        Args:
            chosen: a condition on ``target``.
        """
        scratch, indexes = self._scratch, [self._index_of[path] for path in paths]
        values = ", ".join(f"v{index}" for index in indexes)
        texts = "".join(f", v{index} text" for index in indexes)
        scratch.run(f"create or replace temp table updating (record bigint, place bigint, pid bigint{texts})")
        has_repeated = scratch.value("select exists (select 1 from repeated)")
        scratch.run(
            f"insert into updating select record, target, pid, {values} from staged join (select target, pid "
            f"from target where row_count = 1 and pid is not null and {chosen}) on target = record"
        )
        if has_repeated:
            scratch.run(f"insert into updating select record, target, pid, {values} from repeated where {chosen}")
        self._read_stored(paths)
        earlier = "over (partition by place order by record rows between unbounded preceding and 1 preceding)"
        columns = "".join(
            f", case when h{index} is not true then nullif(v{index}, '') end as n{index}, "
            f"nullif(coalesce(last_value(v{index} ignore nulls) {earlier}, s{index}), '') as o{index}, "
            f"last_value(case when v{index} is not null then record end ignore nulls) {earlier} as g{index}"
            for index in indexes
        )
        if not has_repeated:
            columns = "".join(
                f", case when not h{index} then nullif(v{index}, '') end as n{index}, s{index} as o{index}, "
                f"null::bigint as g{index}"
                for index in indexes
            )
        scratch.run(
            f"create or replace temp table {table} as "
            f"select record, pid{columns} from updating left join replaceable using (pid)"
        )
        scratch.run("drop table updating; drop table replaceable")

    def _read_stored(self, paths: Sequence[str]) -> None:
        """Make the table ``replaceable`` of the stored values of the profiles in ``updating``.

        It has the values (s0 ..), and whether a load leaves them as they are since they were edited by hand (h0 ..).
        """
        scratch = self._scratch
        attributes = [name for path in paths if (name := attribute_of_target(path)) is not None]
        # All at once, so that each profile's attributes are parsed only once.
        pointers = ", ".join(sql_text(pointer_to(name)) for name in attributes)
        by_hand = "coalesce(from_json(origins, '[\"VARCHAR\"]'), [])"
        keeps = self._options.hand_set_fields != OVERWRITE
        columns, kinds = "", ""
        for path in paths:
            index = self._index_of[path]
            name = attribute_of_target(path)
            value = stored_value(path) if name is None else f"attribute[{attributes.index(name) + 1}]"
            is_kept = f"list_contains(by_hand, {sql_text(path)})" if keeps else "false"
            columns += f", {value}, {is_kept}"
            kinds += f", s{index} text, h{index} boolean"
        scratch.run(f"create or replace temp table replaceable (pid bigint{kinds})")
        read = list(dict.fromkeys([*map(column_of, paths), "origins"]))
        pids = scratch.table("select distinct pid from updating where pid is not null order by pid")["pid"]
        for start in range(0, len(pids), _PROFILES_PER_READ):
            some = pids.slice(start, _PROFILES_PER_READ).combine_chunks()
            scratch.put("held", self._store.read_profiles(self._job.domain_id, some, read))
            of_attributes = f", json_extract_string(attributes, [{pointers}]) as attribute" if attributes else ""
            scratch.run(
                f"insert into replaceable select pid{columns} from "
                f"(select *, {by_hand} as by_hand{of_attributes} from held) as stored"
            )
