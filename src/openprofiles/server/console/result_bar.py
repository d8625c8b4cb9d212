"""The results of a job's rows, as one bar of parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openprofiles.store.upload_jobs import UploadJob

# So that rare results can be seen.
_MIN_PERCENT = 0.8


@dataclass(frozen=True, slots=True)
class Part:
    """Rows with the same result.

    Attributes:
        name: the class of the part: created, updated, unchanged, failed or left.
        word: the result, for people.
        x, width: its place in the bar, in percent.
        share: of all rows, from 0 to 1.
    """

    name: str
    word: str
    count: int
    x: float
    width: float
    share: float


def parts_of(job: UploadJob) -> list[Part]:
    """Return the parts of the bar, from left to right."""
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
        parts.append(Part(name, word, count, round(x, 3), round(width * scale, 3), count / total if total else 0.0))
        x += width * scale
    return parts


def describe(parts: Sequence[Part]) -> str:
    """Describe the bar in a sentence, with numbers in braces (``render.plain``)."""
    total = sum(part.count for part in parts)
    results = ", ".join(f"{{{part.count}}} {part.word}" for part in parts if part.count)
    return f"Of {{{total}}} {'row' if total == 1 else 'rows'}: {results}." if results else "No rows were processed."
