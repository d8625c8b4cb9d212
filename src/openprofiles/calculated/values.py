"""The value of a calculated attribute, from the objects of one profile.

Source: administrator guide, "Calculated attributes"; where AWS is silent, docs/segments.md says what holds here.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from openprofiles.calculated.formula import Formula
from openprofiles.calculated.object_values import ObjectValues, object_holds
from openprofiles.clock import to_milliseconds
from openprofiles.expressions.evaluate import ProfileValues
from openprofiles.expressions.moment_text import DAY_MS, moment_of
from openprofiles.expressions.number_text import number_of
from openprofiles.expressions.tree import EVERYBODY, Expression

_MOST_RECENT = 100
_EXACT_DIGITS = 15


@dataclass(frozen=True, slots=True)
class DayRange:
    """Which objects count by their time: from ``start`` to ``end`` days ago; negative days are in the future."""

    start: int
    end: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation:
    """How a value is computed.

    Attributes:
        statistic: as in the API.
        time_field: the field with the time of an object; None: it is when it was ingested.
        days: which objects count by their time; None: all.
        object_count: how many of the newest objects count; None: all.
        threshold: an operator and a value, which make the value ``true`` or ``false``; None: there is none.
        filter: which objects count.
        counts_from_ms: objects that were ingested before do not count, in milliseconds since 1970.
    """

    formula: Formula
    statistic: str
    time_field: str | None = None
    days: DayRange | None = None
    object_count: int | None = None
    threshold: tuple[str, str] | None = None
    filter: Expression = EVERYBODY
    counts_from_ms: int = 0


@dataclass(frozen=True, slots=True)
class CountedObject:
    """An object that may count.

    Attributes:
        number: of the object, by which objects of one time are ordered.
        ingested_at_ms: in milliseconds since 1970.
    """

    number: int
    ingested_at_ms: int
    values: ObjectValues


@dataclass(frozen=True, slots=True)
class CalculatedValue:
    """A value.

    Attributes:
        text: None: there is no data.
        last_object_at_ms: the time of the newest object that counts; None: none does.
        is_partial: whether the range has not passed since objects count, and there are fewer objects than asked for.
    """

    text: str | None
    last_object_at_ms: int | None
    is_partial: bool


def calculate(
    calculation: Calculation, objects: Iterable[CountedObject], now: datetime, days: DayRange | None = None
) -> CalculatedValue:
    """Compute the value from the objects of a profile.

    Args:
        days: replaces the range of the calculation.
    """
    days = days or calculation.days
    now_ms = to_milliseconds(now)
    counted = _counted(calculation, objects, now, days)
    values = [value for _, one in counted if (value := _value(calculation.formula, one.values)) is not None]
    text = _STATISTICS[calculation.statistic](values, calculation.object_count)
    if text is not None and calculation.threshold is not None:
        text = "true" if passes(text, *calculation.threshold) else "false"
    is_partial = False
    if days is not None or calculation.object_count is not None:
        has_passed = days is not None and now_ms - calculation.counts_from_ms >= days.start * DAY_MS
        is_partial = not has_passed and len(counted) != calculation.object_count
    return CalculatedValue(text, counted[-1][0] if counted else None, is_partial)


def number_text(number: float) -> str:
    """Write a number with up to 15 digits; below 10 to the 15th without an exponent."""
    text = f"{number:.{_EXACT_DIGITS}g}"
    if "e" in text and abs(number) < 10.0**_EXACT_DIGITS:
        text = f"{Decimal(text):f}"
    return "0" if text == "-0" else text


def _counted(
    calculation: Calculation, objects: Iterable[CountedObject], now: datetime, days: DayRange | None
) -> list[tuple[int, CountedObject]]:
    """Return the objects that count with their times, oldest first."""
    now_ms = to_milliseconds(now)
    nobody = ProfileValues(
        texts={}, times={}, now=now, calculated=_nothing, segment=_no_segment, is_of_job=lambda _relation, _job: False
    )
    found = []
    for one in objects:
        if one.ingested_at_ms < calculation.counts_from_ms:
            continue
        at = one.ingested_at_ms
        if calculation.time_field is not None:
            moment = next(iter(one.values.texts(calculation.time_field)), None)
            read = None if moment is None else moment_of(moment)
            if read is None:
                continue
            at = read
        if days is not None and not now_ms - days.start * DAY_MS <= at <= now_ms - days.end * DAY_MS:
            continue
        if calculation.filter == EVERYBODY or object_holds(calculation.filter, one.values, nobody):
            found.append((at, one))
    found.sort(key=lambda each: (each[0], each[1].number))
    return found if calculation.object_count is None else found[-calculation.object_count :]


def _nothing(_calculated: object) -> None:
    return None


def _no_segment(name: str) -> Expression:
    raise LookupError(name)


def _value(formula: Formula, values: ObjectValues) -> list[str | float] | None:
    """Compute the values of an object, one for each item of a list; None if it has none."""
    texts = [values.texts(field) for field in formula.fields]
    found = [value for one in zip(*texts, strict=False) if (value := formula.value(one)) is not None]
    return found or None


def _texts_of(values: Sequence[list[str | float]]) -> list[str]:
    return [one if isinstance(one, str) else number_text(one) for each in values for one in each]


def _numbers_of(values: Sequence[list[str | float]]) -> list[float]:
    read = (number_of(one) if isinstance(one, str) else one for each in values for one in each)
    return [one for one in read if one is not None]


def _count(values: Sequence[list[str | float]], _most: int | None) -> str | None:
    return str(len(values)) if values else None


def _sum(values: Sequence[list[str | float]], _most: int | None) -> str | None:
    return _total_text(_numbers_of(values), 1)


def _average(values: Sequence[list[str | float]], _most: int | None) -> str | None:
    numbers = _numbers_of(values)
    return _total_text(numbers, len(numbers))


def _total_text(numbers: Sequence[float], parts: int) -> str | None:
    """Write the sum of numbers, divided; None if there are none, or if it is beyond what a double holds."""
    if not numbers:
        return None
    try:
        return number_text(math.fsum(numbers) / parts)
    except OverflowError:
        return None


def _minimum(values: Sequence[list[str | float]], _most: int | None) -> str | None:
    numbers = _numbers_of(values)
    return number_text(min(numbers)) if numbers else None


def _maximum(values: Sequence[list[str | float]], _most: int | None) -> str | None:
    numbers = _numbers_of(values)
    return number_text(max(numbers)) if numbers else None


def _first(values: Sequence[list[str | float]], _most: int | None) -> str | None:
    return next(iter(_texts_of(values)), None)


def _last(values: Sequence[list[str | float]], _most: int | None) -> str | None:
    return next(reversed(_texts_of(values)), None)


def _most_frequent(values: Sequence[list[str | float]], _most: int | None) -> str | None:
    # Of those that are equally frequent, the more recent one: a counter keeps the order of their first occurrence.
    counts = Counter(reversed(_texts_of(values)))
    return counts.most_common(1)[0][0] if counts else None


def _recent(values: Sequence[list[str | float]], most: int | None) -> str | None:
    unique = list(dict.fromkeys(reversed(_texts_of(values))))[: most or _MOST_RECENT]
    return json.dumps(unique, ensure_ascii=False, separators=(",", ":")) if unique else None


_STATISTICS = {
    "COUNT": _count,
    "SUM": _sum,
    "AVERAGE": _average,
    "MINIMUM": _minimum,
    "MAXIMUM": _maximum,
    "FIRST_OCCURRENCE": _first,
    "LAST_OCCURRENCE": _last,
    "MAX_OCCURRENCE": _most_frequent,
    "RECENT_OCCURRENCES": _recent,
}


def passes(text: str, operator: str, value: str) -> bool:
    """Compare as numbers if both are, otherwise as texts."""
    one, other = number_of(text), number_of(value)
    if one is not None and other is not None:
        return {
            "EQUAL_TO": one == other,
            "NOT_EQUAL_TO": one != other,
            "GREATER_THAN": one > other,
            "LESS_THAN": one < other,
        }[operator]
    return {
        "EQUAL_TO": text == value,
        "NOT_EQUAL_TO": text != value,
        "GREATER_THAN": text > value,
        "LESS_THAN": text < value,
    }[operator]
