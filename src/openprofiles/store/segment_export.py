"""What an export reads of the members of a segment, in one state of the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openprofiles.facts.standard_profile import ATTRIBUTES_PREFIX, FIELD_BY_PATH, FIELDS, TWINS, StandardField
from openprofiles.member_names import member_name
from openprofiles.store.export_rows import ExportRows
from openprofiles.store.expressions.fragments import Sql, joined, sql
from openprofiles.store.segment_rows import engine_tests

PROFILE_ID = "ProfileId"


@dataclass(frozen=True, slots=True)
class ExportedColumns:
    """The fields that at least one member has.

    Attributes:
        fields: standard fields, in their order.
        attributes: the names of custom attributes, sorted.
        are_full: whether every member has all of these fields.
    """

    fields: tuple[StandardField, ...]
    attributes: tuple[str, ...]
    are_full: bool

    @property
    def names(self) -> list[str]:
        """The names of all columns."""
        attributes = [ATTRIBUTES_PREFIX + name for name in self.attributes]
        return [PROFILE_ID, *(field.path for field in self.fields), *attributes]


class SegmentExport:
    """Reads the members of a segment.

    Args:
        members: the condition for rows ``p``: see ``segment_rows.members_condition``.
    """

    def __init__(self, rows: ExportRows, members: Sql) -> None:
        self._rows = rows
        self._members = members
        self._tests = engine_tests(rows.dialect)

    def read_columns(self, *, with_attributes: bool) -> ExportedColumns:
        """Find which fields the members have; without the names of attributes if these are not needed."""
        counts = ", ".join(["count(*)", *(f"count(p.{field.column})" for field in FIELDS)])
        query = sql("select {0} from profile p where {1}", Sql(counts), self._members)
        member_count, *filled = self._rows.read_numbers(query)
        names: list[str] = []
        if with_attributes:
            each = "json_each" if self._rows.dialect == "sqlite" else "jsonb_each"
            rest = sql(
                f"from (select distinct e.key as name from profile p, {each}(p.attributes) e where {{0}}) names",
                self._members,
            )
            found = self._rows.read([Sql("name")], ["name"], rest)
            names = sorted(name for batch in found for name in batch["name"].to_pylist())
        fields = tuple(field for field, count in zip(FIELDS, filled, strict=True) if count)
        return ExportedColumns(fields, tuple(names), all(count in (0, member_count) for count in filled))

    def read_row_numbers(self) -> npt.NDArray[np.int64]:
        """Read the row numbers of the members, ascending."""
        batches = self._rows.read([Sql("cast(p.pid as text)")], ["pid"], self._rest(()))
        found = [batch.column(0).cast(pa.int64()).to_numpy() for batch in batches]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def read_rows(self, columns: ExportedColumns, order: Sequence[Sql] = ()) -> Iterator[pa.RecordBatch]:
        """Read the values of columns, with the id of the profile first.

        Args:
            order: what the rows are sorted by; then by row number.
        """
        values = [Sql("p.profile_id"), *(Sql(f"p.{field.column}") for field in columns.fields)]
        values += [self._tests.attribute(name) for name in columns.attributes]
        return self._rows.read(values, columns.names, self._rest(order))

    def read_json_lines(self, columns: ExportedColumns, order: Sequence[Sql] = ()) -> Iterator[pa.RecordBatch]:
        """Read members as JSON objects, the only column; see ``read_rows``."""
        is_sqlite = self._rows.dialect == "sqlite"
        document = _sqlite_document(columns) if is_sqlite else _postgresql_document(columns)
        return self._rows.read([Sql(document)], ["document"], self._rest(order))

    def order_by(self, path: str, kind: str, *, descending: bool) -> list[Sql]:
        """Build the order by a field; profiles without a value come last.

        Args:
            kind: what its values are compared as: STRING, NUMBER or DATE.
        """
        name = path.removeprefix(ATTRIBUTES_PREFIX)
        value = self._tests.attribute(name) if name != path else Sql(f"p.{FIELD_BY_PATH[path].column}")
        if kind == "NUMBER":
            value = self._tests.number(value)
        elif kind == "DATE":
            value = self._tests.moment(value)
        elif self._rows.dialect == "postgresql":
            value = sql('({0}) collate "C"', value)
        return [sql("{0} is null", value), sql(f"{{0}} {'desc' if descending else 'asc'}", value)]

    def _rest(self, order: Sequence[Sql]) -> Sql:
        by = joined(", ", [*order, Sql("p.pid")])
        return sql("from profile p where {0} order by {1}", self._members, Sql(by.text[1:-1], by.parameters))


def _sqlite_document(columns: ExportedColumns) -> str:
    """Build SQL for a profile as a JSON object; those of SQLite take a third of the time of joined texts."""
    whole = _json_object("json_object", columns)
    if columns.are_full:
        # Still without those that only some have: an address, attributes.
        return f"(select iif(instr(o, ':null'), json_patch('{{}}', o), o) from (select {whole} as o))"
    # To merge it into an empty object takes out what is null.
    return f"json_patch('{{}}', {whole})"


def _postgresql_document(columns: ExportedColumns) -> str:
    return f"cast(json_strip_nulls({_json_object('json_build_object', columns)}) as text)"


def _json_object(function: str, columns: ExportedColumns) -> str:
    members = ["'ProfileId'", "p.profile_id"]
    of_address: dict[str, list[str]] = {}
    for field in columns.fields:
        first, _, inner = field.path.partition(".")
        if inner:
            of_address.setdefault(first, []).extend((f"'{inner}'", f"p.{field.column}"))
        else:
            members += [f"'{first}'", f"p.{field.column}"]
    for address, inner_members in of_address.items():
        is_there = f"coalesce({', '.join(inner_members[1::2])}, null) is not null"
        members += [f"'{address}'", f"case when {is_there} then {function}({', '.join(inner_members)}) end"]
    for member, (twin, allowed) in TWINS.items():
        column = f"p.{FIELD_BY_PATH[twin].column}"
        values = ", ".join(f"'{value}'" for value in allowed)
        members += [f"'{member}'", f"case when {column} in ({values}) then {column} end"]
    for name in ("attributes", "engagement_preferences"):
        value = f"json(p.{name})" if function == "json_object" else f"p.{name}"
        members += [f"'{member_name(name)}'", value]
    return f"{function}({', '.join(members)})"
