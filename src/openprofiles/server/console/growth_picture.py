"""The growth of a domain as a line, in the units of an SVG picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from openprofiles.uploads.growth import Growth

WIDTH = 640
HEIGHT = 160


@dataclass(frozen=True, slots=True)
class GrowthPicture:
    """A line of steps from the left to the right: over each day stands the total at its end.

    Attributes:
        line: the points of a polyline, within WIDTH and HEIGHT.
        area: the points of the polygon below it.
        top: the total at the upper edge; the lower edge is 0.
    """

    line: str
    area: str
    top: int
    first_day: date
    last_day: date
    width: int = WIDTH
    height: int = HEIGHT


def draw_growth(growth: Growth, today: date) -> GrowthPicture | None:
    """The picture up to today; None if jobs have made nothing that could be shown."""
    if not growth.days:
        return None
    # Taken back can be more than was made, if the load is older than the jobs that are known.
    top = max(day.total for day in growth.days)
    if top <= 0:
        return None
    begin = growth.days[0].day
    end = max(today, growth.days[-1].day)
    span = (end - begin + timedelta(days=1)).days
    points = [(0.0, float(HEIGHT))]
    for one in growth.days:
        x = (one.day - begin).days / span * WIDTH
        points += [(x, points[-1][1]), (x, HEIGHT - max(one.total, 0) / top * HEIGHT)]
    points.append((float(WIDTH), points[-1][1]))
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return GrowthPicture(line, f"{line} {WIDTH},{HEIGHT}", top, begin, end)
