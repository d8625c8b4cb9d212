"""Filters of calculated attributes, as they come in requests, as expressions on the fields of an object."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from openprofiles.expressions.from_segment import combined, read_test
from openprofiles.expressions.tree import Expression, Field


def from_filter(given: Mapping[str, Any], place: str, now: datetime) -> Expression:
    """Build the expression of a filter.

    Args:
        given: a Filter, as in CreateCalculatedAttributeDefinition.
        place: the member that it is.
        now: see ``from_segment_groups``.

    Raises:
        InvalidRequest: an operator does not fit its values.
    """
    groups = []
    for number, group in enumerate(given["Groups"]):
        at = f"{place}.Groups[{number}]"
        dimensions = []
        for index, dimension in enumerate(group["Dimensions"]):
            tests = [
                read_test(Field(name), test, f"{at}.Dimensions[{index}].Attributes.{name}", now, takes_references=False)
                for name, test in dimension["Attributes"].items()
            ]
            dimensions.append(combined("ALL", tests, f"{at}.Dimensions[{index}]"))
        groups.append(combined(group["Type"], dimensions, f"{at}.Dimensions"))
    return combined(given["Include"], groups, place)
