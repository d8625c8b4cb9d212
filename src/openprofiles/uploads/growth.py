"""The growth of a domain: the number of profiles that its upload jobs created each day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from openprofiles.profiles.session import Reading
from openprofiles.store import upload_jobs
from openprofiles.store.upload_jobs import Creation

# A page shows it, and has no time to read more.
MAX_JOBS = 500


@dataclass(frozen=True, slots=True)
class Day:
    """One day (UTC) on which the number of profiles changed.

    Attributes:
        made: profiles made on that day; negative if more were undone.
        total: made up to the end of the day.
    """

    day: date
    made: int
    total: int


@dataclass(frozen=True, slots=True)
class Growth:
    """The days on which jobs changed the number of profiles, in their order.

    What the API makes, what is deleted by hand and what expires is not in it: nobody counts that by day.

    Attributes:
        is_whole: all jobs of the domain are in it. If not, it begins at 0 with the oldest of those that are.
    """

    days: tuple[Day, ...]
    is_whole: bool


def read_growth(session: Reading) -> Growth:
    """Read the growth by the newest jobs of a domain, at most `MAX_JOBS` of them."""
    creations = upload_jobs.list_creations(session.connection, session.domain.domain_id, limit=MAX_JOBS + 1)
    return Growth(sum_by_day(creations[:MAX_JOBS]), is_whole=len(creations) <= MAX_JOBS)


def sum_by_day(creations: Sequence[Creation]) -> tuple[Day, ...]:
    """Sum the created profiles by day, and up to each day; days without change are left out."""
    made: Counter[date] = Counter()
    for creation in creations:
        made[creation.at.date()] += creation.profiles
    days = []
    total = 0
    for day in sorted(made):
        total += made[day]
        if made[day]:
            days.append(Day(day, made[day], total))
    return tuple(days)
