"""What an export reads of the members of a segment, in one state of the store, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from openprofiles.expressions.tree import Expression
from openprofiles.facts.standard_profile import ATTRIBUTES_PREFIX, FIELD_BY_PATH, FIELDS, TWINS, StandardField
from openprofiles.member_names import member_name
from openprofiles.store.expressions.conditions import Surroundings
from openprofiles.store.expressions.fragments import Sql, joined, sql
from openprofiles.store.segment_rows import engine_tests, members_condition

_ROWS_AT_ONCE = 10_000
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
    """Reads the members of a segment. All methods read the same state of the store, that of the connection.

    Args:
        sort: see ``read_rows``.
    """

    def __init__(
        self, connection: Connection, domain_id: int, expression: Expression, surroundings: Surroundings
    ) -> None:
        self._dialect = connection.dialect.name
        # Row by row, not all into memory first.
        self._connection = connection.execution_options(stream_results=True, max_row_buffer=_ROWS_AT_ONCE)
        self._members = members_condition(self._dialect, domain_id, expression, surroundings)
        self._tests = engine_tests(self._dialect)

    def read_columns(self, *, with_attributes: bool) -> ExportedColumns:
        """Find which fields the members have; without the names of attributes if these are not needed."""
        counts = ", ".join(["count(*)", *(f"count(p.{field.column})" for field in FIELDS)])
        ((member_count, *filled),) = self._rows(sql("select {0} from profile p where {1}", Sql(counts), self._members))
        names: list[str] = []
        if with_attributes:
            each = "json_each" if self._dialect == "sqlite" else "jsonb_each"
            found = self._rows(
                sql(f"select distinct e.key from profile p, {each}(p.attributes) e where {{0}}", self._members)
            )
            names = sorted(name for (name,) in found)
        fields = tuple(field for field, count in zip(FIELDS, filled, strict=True) if count)
        return ExportedColumns(fields, tuple(names), all(count in (0, member_count) for count in filled))

    def read_rows(self, columns: ExportedColumns, order: Sequence[Sql] = ()) -> Iterator[Sequence[str | None]]:
        """Read the values of columns, with the id of the profile first.

        Args:
            order: what the rows are sorted by; then by row number.
        """
        values = [Sql("p.profile_id"), *(Sql(f"p.{field.column}") for field in columns.fields)]
        values += [self._tests.attribute(name) for name in columns.attributes]
        return self._rows(self._query(_listed(values), order))

    def read_json_lines(self, columns: ExportedColumns, order: Sequence[Sql] = ()) -> Iterator[Sequence[str]]:
        """Read members as JSON objects, each the only text of a row; see ``read_rows``."""
        document = _sqlite_document(columns) if self._dialect == "sqlite" else _postgresql_document(columns)
        return self._rows(self._query(Sql(document), order))

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
        elif self._dialect == "postgresql":
            value = sql('({0}) collate "C"', value)
        return [sql("{0} is null", value), sql(f"{{0}} {'desc' if descending else 'asc'}", value)]

    def _query(self, values: Sql, order: Sequence[Sql]) -> Sql:
        by = _listed([*order, Sql("p.pid")])
        return sql("select {0} from profile p where {1} order by {2}", values, self._members, by)

    def _rows(self, query: Sql) -> Iterator[Any]:
        result = self._connection.exec_driver_sql(query.of_driver(self._dialect), query.parameters)
        for some in result.partitions(_ROWS_AT_ONCE):
            yield from some


def _listed(parts: Sequence[Sql]) -> Sql:
    whole = joined(", ", parts)
    return Sql(whole.text[1:-1], whole.parameters)


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
