"""The conditions that a command line gives for a segment, such as ``--where "Address.Country is US, CA"``."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from typing import Any

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.expressions.from_segment import MADE_BY, OWN_PREFIX
from openprofiles.expressions.operators import OPERATORS, Comparison, Operator
from openprofiles.facts.standard_profile import ATTRIBUTES_PREFIX, FIELD_BY_PATH, TWINS

_SYMBOLS = {
    "=": "INCLUSIVE",
    "!=": "EXCLUSIVE",
    ">": "GREATER_THAN",
    ">=": "GREATER_THAN_OR_EQUAL",
    "<": "LESS_THAN",
    "<=": "LESS_THAN_OR_EQUAL",
}
PHRASES = {operator.words: operator for operator in OPERATORS.values()}
_OPERATORS = PHRASES | {symbol: OPERATORS[name] for symbol, name in _SYMBOLS.items()}
# The longest first: "is not" begins with "is".
_OPERATOR = re.compile(
    r"\s+(" + "|".join(re.escape(words) for words in sorted(_OPERATORS, key=len, reverse=True)) + r")(?:\s+|\Z)"
)
_RANGE = re.compile(r"\s+and\s+")


def segment_groups(
    conditions: Sequence[str], list_attributes: Callable[[], Sequence[str]], *, any_of: bool = False
) -> dict[str, Any]:
    """Build the segment groups of conditions.

    Args:
        list_attributes: lists the custom attributes that are known.
        any_of: whether one condition is enough.

    Raises:
        CommandFault: a condition cannot be read.
    """
    dimensions = [_dimension(one, list_attributes) for one in conditions]
    return {"Groups": [{"Dimensions": dimensions, "Type": "ANY" if any_of else "ALL"}]}


def made_by(job_id: str) -> dict[str, Any]:
    """Build the segment groups of the profiles that an upload job has created."""
    test = {"DimensionType": "INCLUSIVE", "Values": [job_id]}
    return {"Groups": [{"Dimensions": [{"ProfileAttributes": {"Attributes": {MADE_BY: test}}}]}]}


def _dimension(condition: str, list_attributes: Callable[[], Sequence[str]]) -> dict[str, Any]:
    found = _OPERATOR.search(condition)
    name = condition[: found.start()].strip() if found else ""
    if found is None or not name:
        raise CommandFault(
            f"--where {condition!r} must be a field, an operator and values, such as 'Address.Country is US, CA'. "
            f"Operators are: {', '.join(PHRASES)}."
        )
    operator = _OPERATORS[found[1]]
    values = _values(condition[found.end() :], operator)
    if not values:
        raise CommandFault(f"--where {condition!r} has no value after {found[1]!r}.")
    return {"ProfileAttributes": _members(name, {"DimensionType": operator.name, "Values": values}, list_attributes)}


def _values(text: str, operator: Operator) -> list[str]:
    if operator.comparison in (Comparison.WITHIN, Comparison.OUTSIDE):
        text = _RANGE.sub(",", text)
    # Quotes keep a comma within a value.
    (values,) = csv.reader([text], skipinitialspace=True)
    return [value.strip() for value in values if value.strip()]


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
    from openprofiles.uploads.mappings.likely_names import fields_like, names_like

    likely = [*fields_like(name), *names_like(name, known)]
    did_you_mean = f" Did you mean {' or '.join(likely)}?" if likely else ""
    raise CommandFault(
        f"There is no field {name!r}, and no import has loaded a custom attribute of this name.{did_you_mean} To use "
        f"an attribute all the same, write {ATTRIBUTES_PREFIX}{name}."
    )
