"""When a text is a date or a time, and what a relative date means. ``store/expressions`` has the first rule in SQL."""

from __future__ import annotations

import calendar
import re
from datetime import datetime, timedelta

from openprofiles.clock import to_milliseconds

DAY_MS = 86_400_000
# Of the years 1 to 9999.
FIRST_MOMENT_MS = -62_135_596_800_000
LAST_MOMENT_MS = 253_402_300_799_999

NOTATIONS = (
    "2024-10-01, 2024-10-01T10:00:00Z, 2024-10-01 10:00:00+02:00, now, now-30d, now+2w, now-1M, now-1y, now-6h, "
    "now-1M/M, -P30D or P2W"
)

_MOMENT = re.compile(
    r"([0-9]{4})([-/])([0-9]{2})\2([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(?:Z|([+-])([0-9]{2}):([0-9]{2}))?)?\Z"
)
_EPOCH = re.compile(r"(?:[0-9]{13}|[0-9]{10})\Z")
_RELATIVE = re.compile(r"now(?:([+-])([0-9]{1,5})([hdwMy]))?(?:/([hdwMy]))?\Z")
_DURATION = re.compile(r"([+-]?)P(?:([0-9]{1,5})([DWMY])|T([0-9]{1,5})(H))\Z")
_MOST_OFFSET_HOURS = 14


def moment_of(text: str) -> int | None:
    """Return the moment that a text is, in milliseconds since 1970 in UTC; None if it is not one.

    A date may have ``-`` or ``/``, and a time after ``T`` or a blank, with an offset; without one it is UTC. 13 digits
    are milliseconds and 10 digits seconds since 1970. In other forms, such as ``10/01/2024``, the day and the month
    could be confused, so they are not dates.
    """
    found = _MOMENT.match(text)
    if found is None:
        if _EPOCH.match(text) is None:
            return None
        return int(text) * (1000 if len(text) == 10 else 1)
    year, _, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = found.groups()
    date = int(year), int(month), int(day)
    time = int(hour or 0), int(minute or 0), int(second or 0)
    if date[0] < 1 or not 1 <= date[1] <= 12 or not 1 <= date[2] <= calendar.monthrange(*date[:2])[1]:
        return None
    if time[0] > 23 or time[1] > 59 or time[2] > 59:
        return None
    offset = 0
    if sign is not None:
        if int(offset_hours) > _MOST_OFFSET_HOURS or int(offset_minutes) > 59:
            return None
        offset = (int(offset_hours) * 60 + int(offset_minutes)) * 60_000 * (1 if sign == "+" else -1)
    moment = calendar.timegm((*date, *time, 0, 0, 0)) * 1000 + int(((fraction or "") + "000")[:3]) - offset
    return moment if FIRST_MOMENT_MS <= moment <= LAST_MOMENT_MS else None


def bound_of(text: str, now: datetime) -> int | None:
    """Return the moment that a value of a date test means, in milliseconds since 1970; None if it means none.

    It is a date or time, or relative to ``now``: ``now``, ``now-30d``, ``now-1M/M`` (units h, d, w, M and y; rounded
    down after ``/``), or an ISO duration such as ``-P30D``. Months end at their last day: a month before 31 March is
    the last day of February.
    """
    if found := _RELATIVE.match(text):
        sign, amount, unit, rounding = found.groups()
        moment = _shifted(now, int(amount) * (1 if sign == "+" else -1), unit) if amount else now
        return None if moment is None else to_milliseconds(_rounded(moment, rounding))
    if found := _DURATION.match(text):
        sign, days, day_unit, hours, _ = found.groups()
        amount = int(days or hours) * (-1 if sign == "-" else 1)
        moment = _shifted(now, amount, "h" if hours else {"D": "d", "W": "w", "M": "M", "Y": "y"}[day_unit])
        return None if moment is None else to_milliseconds(moment)
    return moment_of(text)


def is_relative(text: str) -> bool:
    """Return whether what a value means depends on the time."""
    return _RELATIVE.match(text) is not None or _DURATION.match(text) is not None


def range_of(bounds: tuple[int, ...], now: datetime) -> tuple[int, int]:
    """Return the ends of a range: of two bounds, or of one and now."""
    if len(bounds) == 1:
        now_ms = to_milliseconds(now)
        return min(bounds[0], now_ms), max(bounds[0], now_ms)
    return bounds[0], bounds[1]


def _shifted(now: datetime, amount: int, unit: str) -> datetime | None:
    try:
        if unit in "hdw":
            hours = {"h": 1, "d": 24, "w": 168}[unit]
            return now + timedelta(hours=amount * hours)
        months = amount * (12 if unit == "y" else 1) + now.year * 12 + now.month - 1
        year, month = divmod(months, 12)
        return now.replace(year=year, month=month + 1, day=min(now.day, calendar.monthrange(year, month + 1)[1]))
    except (OverflowError, ValueError):
        # Beyond the years 1 to 9999.
        return None


def _rounded(moment: datetime, unit: str | None) -> datetime:
    if unit is None:
        return moment
    moment = moment.replace(minute=0, second=0, microsecond=0)
    if unit == "h":
        return moment
    moment = moment.replace(hour=0)
    if unit == "w":
        return moment - timedelta(days=moment.weekday())
    if unit == "d":
        return moment
    moment = moment.replace(day=1)
    return moment.replace(month=1) if unit == "y" else moment
