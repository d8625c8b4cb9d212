"""A funnel: how many customers are left after each condition of a segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from openprofiles.errors import InvalidRequest
from openprofiles.expressions.from_segment import from_segment_groups
from openprofiles.segments.condition_text import in_one_line


def funnel_steps(segment_groups: Mapping[str, Any], now: datetime) -> list[tuple[str, dict[str, Any]]]:
    """List the conditions of segment groups in words.

    Each comes with the groups of this condition and those before it.

    Raises:
        InvalidRequest: the groups mean nothing, or do not need all of their conditions.
    """
    # As a whole, so that a message has the place that the user wrote.
    from_segment_groups(segment_groups, "SegmentQuery", now)
    if segment_groups.get("Include", "ALL") != "ALL":
        raise InvalidRequest("A funnel needs conditions that must all hold: Include must be ALL.")
    groups = [part for group in segment_groups.get("Groups") or [] for part in _parts(group)]
    return [
        (
            in_one_line(from_segment_groups({"Groups": [group]}, "SegmentGroups", now)),
            {"Groups": groups[: number + 1], "Include": "ALL"},
        )
        for number, group in enumerate(groups)
    ]


def _parts(group: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the conditions of a group, each as a group of its own."""
    if group.get("SourceSegments"):
        yield {name: group[name] for name in ("SourceSegments", "SourceType") if name in group}
    dimensions = group.get("Dimensions") or []
    if group.get("Type", "ALL") == "ALL":
        yield from ({"Dimensions": [dimension]} for dimension in dimensions)
    elif dimensions:
        yield {"Dimensions": dimensions, "Type": group["Type"]}
