"""Tests in the SQL of SQLite.

A text that is compared with ``cast(... as numeric)`` is compared as a number if it is one, and is above every number
otherwise. So a number is what is below infinity, and above its negative.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from openprofiles.expressions.moment_text import FIRST_MOMENT_MS, LAST_MOMENT_MS
from openprofiles.expressions.number_text import number_of
from openprofiles.expressions.operators import Comparison
from openprofiles.expressions.tree import Field, Reference
from openprofiles.facts.standard_profile import attribute_of_target
from openprofiles.store.expressions.conditions import EngineTests
from openprofiles.store.expressions.fragments import PARAMETER, Sql, joined, sql

# Every writer of a store leaves these characters in JSON as they are, so a value of them stands in the text of the
# attributes as it is, and a search for it is quicker than reading JSON.
_NEVER_ESCAPED = re.compile(r"[A-Za-z0-9 _.@:+-]+\Z")
_MOST_SEARCHED_VALUES = 4

_DAY = "[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]"
_SECONDS = "[0-2][0-9]:[0-5][0-9]:[0-5][0-9]"
_ANY_DAY = "[0-9][0-9][0-9][0-9][-/][01][0-9][-/][0-3][0-9]"
# The calendar has no year 0, and SQLite takes 30 February as 1 March.
_IS_DAY = "substr(x, 1, 4) > '0000' and (substr(x, 9, 2) < '29' or date(substr(x, 1, 10)) = substr(x, 1, 10))"
# A text x that begins with a day and is not one of the common forms: with its offset, or without.
_OTHER_FORMS = (
    f"(select case when moment between {FIRST_MOMENT_MS} and {LAST_MOMENT_MS} then moment end from (select "
    "unixepoch(day || clock || zone) * 1000 + cast(substr(fraction || '000', 1, 3) as integer) as moment from (select "
    "replace(substr(body, 1, 10), '/', '-') as day, "
    "case when length(body) > 10 then ' ' || substr(body, 12, 8) else '' end as clock, "
    "substr(body, 21) as fraction, zone, body from (select substr(x, 1, length(x) - length(zone)) as body, zone from ("
    "select x, case when substr(x, -1) = 'Z' then 'Z' when substr(x, -6) glob '[+-][0-9][0-9]:[0-9][0-9]' "
    "then substr(x, -6) else '' end as zone))) "
    "where substr(body, 5, 1) = substr(body, 8, 1) and date(day) = day and day >= '0001' "
    f"and (body glob '{_ANY_DAY}' and zone = '' "
    f"or substr(body, 12, 2) < '24' and (body glob '{_ANY_DAY}[T ][0-2][0-9]:[0-5][0-9]' "
    f"or body glob '{_ANY_DAY}[T ]{_SECONDS}' "
    f"or body glob '{_ANY_DAY}[T ]{_SECONDS}.[0-9]*' and fraction not glob '*[^0-9]*'))))"
)
_MOMENT = (
    "case "
    f"when x glob '{_DAY}' then case when {_IS_DAY} then unixepoch(x) * 1000 end "
    f"when x glob '{_DAY}[T ]{_SECONDS}Z' or x glob '{_DAY}[T ]{_SECONDS}' "
    f"then case when substr(x, 12, 2) < '24' and {_IS_DAY} then unixepoch(x) * 1000 end "
    f"when x glob '{_ANY_DAY}*' then {_OTHER_FORMS} "
    "when length(x) = 13 and x not glob '*[^0-9]*' then cast(x as integer) "
    "when length(x) = 10 and x not glob '*[^0-9]*' then cast(x as integer) * 1000 end"
)
_BELOW = "x < cast('9e999' as numeric)"
_LARGEST = "1.7976931348623157e308"
_IS_FINITE = f"x between cast('-{_LARGEST}' as numeric) and cast('{_LARGEST}' as numeric)"
# Not a text that a double holds as 0, although it is another number.
_IS_NOT_TOO_SMALL = "(x + 0.0 <> 0 or substr(x, 1, instr(lower(x) || 'e', 'e') - 1) not glob '*[1-9]*')"


class SqliteTests(EngineTests):
    """See ``EngineTests``."""

    def attribute(self, name: str) -> Sql:
        # The path of a member is written as in JSON.
        return sql("p.attributes ->> {0}", f"$.{json.dumps(name, ensure_ascii=False)}")

    def is_not_true(self, condition: Sql) -> Sql:
        return sql("ifnull({0}, 0) = 0", condition)

    def equals(self, text: Sql, values: Sequence[str], operand: Reference) -> Sql:
        condition = sql("{0} in {1}", text, joined(", ", [sql("{0}", value) for value in values]))
        is_attribute = isinstance(operand, Field) and attribute_of_target(operand.path) is not None
        if not is_attribute or len(values) > _MOST_SEARCHED_VALUES or not all(map(_NEVER_ESCAPED.match, values)):
            return condition
        occurs = joined(" or ", [sql("instr(p.attributes, {0}) > 0", value) for value in values])
        return sql("({0} and {1})", occurs, condition)

    def equals_none(self, text: Sql, values: Sequence[str]) -> Sql:
        # No value is empty.
        return sql("ifnull({0}, '') not in {1}", text, joined(", ", [sql("{0}", value) for value in values]))

    def compares_texts(self, comparison: Comparison, text: Sql, value: Sql | str) -> Sql:
        if comparison is Comparison.CONTAINS:
            return sql("instr({0}, {1}) > 0", text, value)
        if comparison is Comparison.BEGINS_WITH:
            return sql("substr({0}, 1, length({1})) = {1}", text, value)
        if isinstance(value, str):
            return sql("substr({0}, -length({1})) = {1}", text, value)
        return sql("({0} is not null and length({1}) = 0 or substr({0}, -length({1})) = {1})", text, value)

    def compares_numbers(self, comparison: Comparison, text: Sql, value: Sql | str) -> Sql:
        if isinstance(value, Sql):
            return sql(f"({{0}} and {{1}} and {{2}} + 0.0 {comparison.value} {{3}} + 0.0)", self.is_number(value),
                       self.is_number(text), text, value)  # fmt: skip
        # By the same rules as the text, since two libraries may round the last digit in different ways.
        is_number = _IS_FINITE if comparison in (Comparison.LESS, Comparison.LESS_OR_EQUAL) else _BELOW
        compares = sql(f"{is_number} and x + 0.0 {comparison.value} cast({{0}} as real)", value)
        if _holds_for_zero(comparison, value):
            compares = sql(f"{{0}} and {_IS_NOT_TOO_SMALL}", compares)
        # To read an attribute again takes less than a select: the engine keeps the last JSON that it has read.
        return _with_x(compares, text)

    def number(self, text: Sql) -> Sql:
        return _with_x(Sql(f"case when {_IS_FINITE} and {_IS_NOT_TOO_SMALL} then x + 0.0 end"), text)

    def is_number(self, text: Sql) -> Sql:
        return _with_x(Sql(f"ifnull({_IS_FINITE} and {_IS_NOT_TOO_SMALL}, 0)"), text)

    def moment(self, text: Sql) -> Sql:
        return _once_with_x(Sql(_MOMENT), text)

    def least(self, *numbers: Sql | int) -> Sql:
        return sql(f"min({', '.join(f'{{{index}}}' for index in range(len(numbers)))})", *numbers)

    def greatest(self, *numbers: Sql | int) -> Sql:
        return sql(f"max({', '.join(f'{{{index}}}' for index in range(len(numbers)))})", *numbers)

    def has_element(self, text: Sql, value: Sql | str) -> Sql:
        return sql(
            "({0} is not null and exists (select 1 from json_each(case when {0} glob '[[]*' and "
            f"{_IS_READ_AS_LIST} then {{0}} else json_array({{0}}) end) element "
            "where element.type not in ('null', 'array', 'object') and case when element.type = 'text' "
            "then element.value else {2} end = {1}))",
            text,
            value,
            sql(
                f"case when {{0}} glob '[[]*' and {_IS_READ_AS_LIST} then {{0}} else json_array({{0}}) end "
                "-> element.fullkey",
                text,
            ),
        )


_COLUMN = re.compile(r"p\.\w+\Z")
_X = re.compile(r"\bx\b")


def _with_x(value: Sql, text: Sql) -> Sql:
    """Write a text for each ``x``."""
    pieces = _X.split(value.text)
    given = iter(value.parameters)
    parts = [Sql(piece, tuple(next(given) for _ in range(piece.count(PARAMETER)))) for piece in pieces]
    filled = [parts[0], *(one for part in parts[1:] for one in (text, part))]
    return joined("", filled)


def _once_with_x(value: Sql, text: Sql) -> Sql:
    """Read a text once as ``x``, unless it is a column, which takes less."""
    if _COLUMN.match(text.text):
        return _with_x(value, text)
    # A select without a table is not merged into the statement.
    return sql("(select {0} from (select {1} as x))", value, text)


_IS_READ_AS_LIST = (
    "{0} not glob '*[' || char(1) || '-' || char(31) || ']*' and {0} not glob '*\\u0000*' "
    "and {0} not glob '*\\u[dD][89a-fA-F]*' and json_valid({0})"
)


def _holds_for_zero(comparison: Comparison, value: str) -> bool:
    bound = number_of(value) or 0.0
    return {
        Comparison.EQUAL: bound == 0,
        Comparison.GREATER: bound < 0,
        Comparison.GREATER_OR_EQUAL: bound <= 0,
        Comparison.LESS: bound > 0,
        Comparison.LESS_OR_EQUAL: bound >= 0,
    }[comparison]
