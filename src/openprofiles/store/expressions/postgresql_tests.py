"""Tests in the SQL of PostgreSQL.

A cast of a text that is not a number or a date fails, and so would the statement. So a text is cast only where its
shape shows that it is one, or the engine says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from openprofiles.expressions.moment_text import FIRST_MOMENT_MS, LAST_MOMENT_MS
from openprofiles.expressions.operators import Comparison
from openprofiles.expressions.tree import Reference
from openprofiles.store.expressions.conditions import EngineTests
from openprofiles.store.expressions.fragments import Sql, joined, sql

# Shapes come first: a regular expression takes a microsecond, and to ask the engine another one and a half.
_NUMBER = (
    "case when translate(x, '0123456789', '') in ('', '.') and x <> '.' and x <> '' and length(x) <= 300 "
    "then cast(x as double precision) "
    r"when x ~ '^[ \t\n\v\f\r]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t\n\v\f\r]*$' "
    "and pg_input_is_valid(btrim(x, E' \\t\\n\\v\\f\\r'), 'double precision') "
    "then cast(btrim(x, E' \\t\\n\\v\\f\\r') as double precision) end"
)
_IS_DAY = (
    "substr(x, 1, 4) > '0000' and substr(x, 6, 2) between '01' and '12' and substr(x, 9, 2) >= '01' "
    "and (substr(x, 9, 2) <= '28' or pg_input_is_valid(substr(x, 1, 10), 'date'))"
)
_SHAPE = "translate(x, '123456789', '000000000')"
_CLOCK = "substr(x, 12, 2) < '24' and substr(x, 15, 2) < '60' and substr(x, 18, 2) < '60'"
# Without the digits after milliseconds, which would be rounded.
_CLEANED = r"regexp_replace(replace(x, '/', '-'), '(\.[0-9]{3})[0-9]+', '\1')"
_OTHER_FORM = (
    r"^[0-9]{4}([-/])[0-9]{2}\1[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?"
    r"(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?)?$"
)


def _milliseconds(moment: str) -> str:
    return f"cast(floor(extract(epoch from {moment}) * 1000) as bigint)"


_MOMENT = (
    "case "
    f"when {_SHAPE} = '0000-00-00' then case when {_IS_DAY} "
    "then cast(cast(x as date) - date '1970-01-01' as bigint) * 86400000 end "
    f"when {_SHAPE} in ('0000-00-00T00:00:00Z', '0000-00-00 00:00:00', '0000-00-00T00:00:00') "
    f"then case when {_IS_DAY} and {_CLOCK} then {_milliseconds('cast(substr(x, 1, 19) as timestamp)')} end "
    f"when x ~ '{_OTHER_FORM}' then case when substr(x, 1, 4) > '0000' "
    f"and pg_input_is_valid({_CLEANED}, 'timestamptz') then (select case when moment between {FIRST_MOMENT_MS} and "
    # Without an offset it is UTC, whatever the session's time zone.
    f"{LAST_MOMENT_MS} then moment end from (select case when x ~ '[0-9]:[0-9.:]+(Z|[+-][0-9:]+)$' "
    f"then {_milliseconds(f'cast({_CLEANED} as timestamptz)')} "
    f"else {_milliseconds(f'cast({_CLEANED} as timestamp)')} end as moment) other_form) end "
    f"when {_SHAPE} = '0000000000000' then cast(x as bigint) "
    f"when {_SHAPE} = '0000000000' then cast(x as bigint) * 1000 end"
)
_IS_LIST = (
    "starts_with({0}, '[') and {0} !~ '[\\x01-\\x1f]' and {0} !~ '\\\\u(0000|[dD][89a-fA-F])' "
    "and pg_input_is_valid({0}, 'json')"
)


class PostgresqlTests(EngineTests):
    """See ``EngineTests``."""

    def attribute(self, name: str) -> Sql:
        return sql("p.attributes ->> cast({0} as text)", name)

    def is_not_true(self, condition: Sql) -> Sql:
        return sql("({0}) is not true", condition)

    def equals(self, text: Sql, values: Sequence[str], operand: Reference) -> Sql:  # noqa: ARG002
        return sql("{0} in {1}", text, joined(", ", [sql("{0}", value) for value in values]))

    def equals_none(self, text: Sql, values: Sequence[str]) -> Sql:
        return sql("coalesce({0}, '') not in {1}", text, joined(", ", [sql("{0}", value) for value in values]))

    def compares_texts(self, comparison: Comparison, text: Sql, value: Sql | str) -> Sql:
        value = value if isinstance(value, Sql) else sql("cast({0} as text)", value)
        if comparison is Comparison.CONTAINS:
            return sql("strpos({0}, {1}) > 0", text, value)
        if comparison is Comparison.BEGINS_WITH:
            return sql("starts_with({0}, {1})", text, value)
        return sql("right({0}, length({1})) = {1}", text, value)

    def compares_numbers(self, comparison: Comparison, text: Sql, value: Sql | str) -> Sql:
        bound = self.number(value) if isinstance(value, Sql) else sql("cast({0} as double precision)", float(value))
        return sql(f"{{0}} {comparison.value} {{1}}", self.number(text), bound)

    def number(self, text: Sql) -> Sql:
        return sql("(select {0} from (select {1} as x offset 0) number_text)", Sql(_NUMBER), text)

    def is_number(self, text: Sql) -> Sql:
        return sql("{0} is not null", self.number(text))

    def moment(self, text: Sql) -> Sql:
        return sql("(select {0} from (select {1} as x offset 0) moment_text)", Sql(_MOMENT), text)

    def least(self, *numbers: Sql | int) -> Sql:
        return _if_all("least", numbers)

    def greatest(self, *numbers: Sql | int) -> Sql:
        return _if_all("greatest", numbers)

    def has_element(self, text: Sql, value: Sql | str) -> Sql:
        return sql(
            "({0} is not null and exists (select 1 from json_array_elements(case when "
            f"{_IS_LIST} then cast({{0}} as json) else json_build_array({{0}}) end) element "
            "where json_typeof(element) not in ('null', 'array', 'object') and element #>> '{}' = {1}))",
            text,
            value,
        )


def _if_all(function: str, numbers: Sequence[Sql | int]) -> Sql:
    # Unlike SQLite, PostgreSQL leaves nulls out.
    places = [f"{{{index}}}" for index in range(len(numbers))]
    are_there = " and ".join(f"{place} is not null" for place in places)
    return sql(f"case when {are_there} then {function}({', '.join(places)}) end", *numbers)
