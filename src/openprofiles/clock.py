"""The time in all of openprofiles: aware datetimes in UTC, in whole milliseconds.

Milliseconds are what the wire carries and what the store keeps; cutting the rest here means that a
time read back equals the time that was written.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

# No moment that is stored comes after it, in milliseconds since 1970.
LAST_MOMENT_MS = 2**63 - 1


def utc_now() -> datetime:
    """Return the present time, aware, in UTC, cut to whole milliseconds."""
    return from_milliseconds(to_milliseconds(datetime.now(UTC)))


def to_milliseconds(moment: datetime) -> int:
    """Convert a time to milliseconds since 1970-01-01T00:00:00Z, rounded down.

    Raises:
        ValueError: the datetime is naive; the store only keeps times with a zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a datetime without a time zone was given; use an aware one")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def from_milliseconds(milliseconds: int) -> datetime:
    """Convert milliseconds since 1970 to an aware UTC datetime."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def to_epoch_seconds(moment: datetime | None) -> float | None:
    """Convert a time to seconds since 1970, as JSON documents have them; None stays None."""
    return None if moment is None else to_milliseconds(moment) / 1000


def from_epoch_seconds(seconds: float | None) -> datetime | None:
    """Convert the result of ``to_epoch_seconds`` to an aware UTC datetime."""
    return None if seconds is None else from_milliseconds(round(seconds * 1000))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
