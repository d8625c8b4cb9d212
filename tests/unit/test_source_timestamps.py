"""Times at the source, read by the format of their object type."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from openprofiles.objects.source_timestamps import read_source_time

TIME = datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "text", "time"),
    [
        ("EpochMilli", "1767366245000", TIME),
        ("yyyy-MM-dd'T'HH:mm:ss'Z'", " 2026-01-02T15:04:05Z ", TIME),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "2026-01-02T16:04:05+01:00", TIME),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2026-01-02T10:04:05.250-0500", TIME.replace(microsecond=250_000)),
        ("d MMM yyyy, h:mm a", "2 January 2026, 3:04 pm", TIME.replace(second=0)),
        ("dd/MM/yy", "02/01/26", TIME.replace(hour=0, minute=0, second=0)),
        ("HH 'o''clock' yyyy", "15 o'clock 2026", TIME.replace(day=1, minute=0, second=0)),
    ],
)
def test_a_time_is_read_by_its_format(pattern: str, text: str, time: datetime) -> None:
    assert read_source_time(text, pattern) == time


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("EpochMilli", "2026-01-02"),
        ("EpochMilli", "9" * 30),
        ("yyyy-MM-dd'T'HH:mm:ss'Z'", "2026-01-02T15:04:05.123456"),
        ("yyyy-MM-dd'T'HH:mm:ss'Z'", "2026-01-02T15:04:05"),
        ("yyyy-MM-dd", "2026-02-30"),
        ("yyyy-MM-dd", "2026-01-02 15:04"),
        ("d MMM yyyy", "2 Nonsense 2026"),
        ("HH:mm", "15:04"),
        ("yyyy-ww", "2026-01"),
        ("yyyy-MM-dd 'at", "2026-01-02 at"),
        ("yyyy yyyy", "2026 2026"),
        ("", "2026"),
    ],
)
def test_a_time_that_does_not_fit_its_format_is_none(pattern: str, text: str) -> None:
    assert read_source_time(text, pattern) is None
