"""Conditions as people write them, such as ``Address.Country is US, CA``, and expressions in words."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from openprofiles.errors import InvalidRequest
from openprofiles.expressions.from_segment import MADE_BY, OWN_PREFIX, attribute_name, value_text
from openprofiles.expressions.operators import OPERATORS, Operator
from openprofiles.expressions.tree import Every, Expression, InSegment, Not, Some, Test
from openprofiles.facts.standard_profile import ATTRIBUTES_PREFIX, FIELD_BY_PATH, TWINS
from openprofiles.uploads.mappings.likely_names import fields_like, names_like

_SYMBOLS = {
    "=": "INCLUSIVE",
    "!=": "EXCLUSIVE",
    ">": "GREATER_THAN",
    ">=": "GREATER_THAN_OR_EQUAL",
    "<": "LESS_THAN",
    "<=": "LESS_THAN_OR_EQUAL",
}
PHRASES: Mapping[str, Operator] = {operator.words: operator for operator in OPERATORS.values()}
_OPERATORS = {**PHRASES, **{symbol: OPERATORS[name] for symbol, name in _SYMBOLS.items()}}
# The longest first: "is not" begins with "is".
_OPERATOR = re.compile(
    r"\s+(" + "|".join(re.escape(words) for words in sorted(_OPERATORS, key=len, reverse=True)) + r")(?:\s+|\Z)"
)
_RANGE = re.compile(r"\s+and\s+")


def segment_groups(dimensions: Sequence[Mapping[str, Any]], *, any_of: bool = False) -> dict[str, Any]:
    """Build the segment groups of dimensions.

    Args:
        any_of: whether one of them is enough.
    """
    return {"Groups": [{"Dimensions": list(dimensions), "Type": "ANY" if any_of else "ALL"}]}


def name_of_import(job_id: str) -> str:
    """Return the default name of the segment of an upload job's profiles."""
    return f"import-{job_id}"


def made_by(job_id: str) -> dict[str, Any]:
    """Build the segment groups of the profiles that an upload job has created."""
    test = {"DimensionType": "INCLUSIVE", "Values": [job_id]}
    return segment_groups([{"ProfileAttributes": {"Attributes": {MADE_BY: test}}}])


def read_condition(condition: str, list_attributes: Callable[[], Sequence[str]]) -> dict[str, Any]:
    """Read a condition as a dimension.

    Args:
        list_attributes: lists the custom attributes that are known.

    Raises:
        InvalidRequest: it has another form, or its field is not known.
    """
    found = _OPERATOR.search(condition)
    name = condition[: found.start()].strip() if found else ""
    if found is None or not name:
        raise InvalidRequest(
            f"{condition!r} must be a field, an operator and values, such as 'Address.Country is US, CA'. Operators "
            f"are: {', '.join(PHRASES)}."
        )
    return make_dimension(name, _OPERATORS[found[1]], condition[found.end() :], list_attributes)


def make_dimension(
    name: str, operator: Operator, values_text: str, list_attributes: Callable[[], Sequence[str]]
) -> dict[str, Any]:
    """Make a dimension of a field, an operator, and values with commas between them; see ``read_condition``."""
    values = _values(values_text, operator)
    if not values:
        raise InvalidRequest(f"The condition {name!r} has no value after {operator.words!r}.")
    return {"ProfileAttributes": _members(name, {"DimensionType": operator.name, "Values": values}, list_attributes)}


def described(expression: Expression, depth: int = 0) -> Iterator[tuple[int, str]]:
    """Yield an expression in words, line by line, with how deep each is."""
    yield depth, words_of(expression)
    if isinstance(expression, Every | Some):
        for part in expression.parts:
            yield from described(part, depth + 1)
    elif isinstance(expression, Not):
        yield from described(expression.part, depth + 1)


def words_of(expression: Expression) -> str:
    """Return one part of an expression in words, without its own parts."""
    if isinstance(expression, Test):
        values = ", ".join(value_text(value) for value in expression.values)
        return f"{attribute_name(expression.operand)} {expression.operator.words} {values}"
    if isinstance(expression, InSegment):
        return f"in segment {expression.name}"
    if isinstance(expression, Every):
        return "all of:" if expression.parts else "everybody"
    return "any of:" if isinstance(expression, Some) else "not:"


def in_one_line(expression: Expression) -> str:
    """Return an expression in words, with those of its parts."""
    if isinstance(expression, Every | Some) and expression.parts:
        return (" and " if isinstance(expression, Every) else " or ").join(map(_as_part, expression.parts))
    if isinstance(expression, Not):
        return f"not {_as_part(expression.part)}"
    return words_of(expression)


def _as_part(expression: Expression) -> str:
    words = in_one_line(expression)
    return f"({words})" if isinstance(expression, Every | Some) and len(expression.parts) > 1 else words


def _values(text: str, operator: Operator) -> list[str]:
    if operator.is_range:
        text = _RANGE.sub(",", text)
    # Quotes keep a comma within a value.
    rows = list(csv.reader([text], skipinitialspace=True))
    return [value.strip() for row in rows for value in row if value.strip()]


def _members(name: str, test: dict[str, Any], list_attributes: Callable[[], Sequence[str]]) -> dict[str, Any]:
    path = TWINS[name][0] if name in TWINS else name
    if path in FIELD_BY_PATH:
        first, _, inner = path.partition(".")
        return {first: {inner: test} if inner else test}
    if name.startswith((ATTRIBUTES_PREFIX, OWN_PREFIX)):
        return {"Attributes": {name.removeprefix(ATTRIBUTES_PREFIX): test}}
    known = list_attributes()
    if name in known:
        return {"Attributes": {name: test}}
    likely = [*fields_like(name), *names_like(name, known)]
    did_you_mean = f" Did you mean {' or '.join(likely)}?" if likely else ""
    raise InvalidRequest(
        f"There is no field {name!r}, and no import has loaded a custom attribute of this name.{did_you_mean} To use "
        f"an attribute all the same, write {ATTRIBUTES_PREFIX}{name}."
    )
