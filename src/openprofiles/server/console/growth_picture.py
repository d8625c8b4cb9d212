"""The growth of a domain as a line in the units of an SVG picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from openprofiles.uploads.growth import Growth

WIDTH = 640
HEIGHT = 160


@dataclass(frozen=True, slots=True)
class GrowthPicture:
    """A stepped line from left to right; its height on each day is the total at the end of the day.

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
    """Draw the picture up to today.

    None if jobs have created nothing that could be shown.
    """
    if not growth.days:
        return None
    # More can be undone than was created, if the import is older than the jobs that are known.
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
