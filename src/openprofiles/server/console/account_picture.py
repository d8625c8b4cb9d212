"""What became of the rows of a job, as one bar of parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openprofiles.store.upload_jobs import UploadJob

# So that what is rare can be seen.
_MIN_PERCENT = 0.8


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that have one fate.

    Attributes:
        name: the class of the part: created, updated, unchanged, failed or left.
        word: for people.
        x, width: its place in the bar, in percent.
        share: of all rows, for people.
    """

    name: str
    word: str
    count: int
    x: float
    width: float
    share: str


def parts_of(job: UploadJob) -> list[Part]:
    """The parts of the bar, from left to right; those without rows have no width."""
    settled = job.created_count + job.updated_count + job.failed_count
    counts = (
        ("created", "created", job.created_count),
        ("updated", "updated", job.updated_count - job.unchanged_count),
        ("unchanged", "unchanged", job.unchanged_count),
        ("failed", "failed", job.failed_count),
        (
            "left",
            "not yet processed" if job.completed_at is None else "not processed",
            max(0, (job.record_count or 0) - settled),
        ),
    )
    total = sum(count for _, _, count in counts)
    widths = [max(100 * count / total, _MIN_PERCENT) if count else 0.0 for _, _, count in counts]
    scale = 100 / sum(widths) if total else 0.0
    parts, x = [], 0.0
    for (name, word, count), width in zip(counts, widths, strict=True):
        parts.append(Part(name, word, count, round(x, 3), round(width * scale, 3), _share(count, total)))
        x += width * scale
    return parts


def describe(parts: Sequence[Part]) -> str:
    """The bar in a sentence."""
    total = sum(part.count for part in parts)
    told = ", ".join(f"{part.count:,} {part.word}" for part in parts if part.count)
    return f"Of {total:,} {'row' if total == 1 else 'rows'}: {told}." if told else "No row was processed."


def _share(count: int, total: int) -> str:
    if not count:
        return "0 %"
    percent = 100 * count / total
    return "< 0.1 %" if percent < 0.1 else "> 99.9 %" if 99.9 < percent < 100 else f"{percent:.1f} %"
