"""The progress of a running job, by the rules that the console and the commands share.

A job goes through a few steps, and one bar shows all of them. How much of a step is done is known while the file is
read (bytes of it) and while rows are loaded or profiles restored; rows that failed before loading began do not
count. The time left is based on the average speed of the step so far. It is not given for a step of unknown length,
nor before 5 % of the step is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from openprofiles.job_kinds import KINDS, ShownStep, Unit

if TYPE_CHECKING:
    # A command that works through a server describes what that answers, and needs no store.
    from openprofiles.store.job_queue import Job

_BYTE_UNITS = ((1_000_000, "MB"), (1_000, "kB"), (1, "bytes"))

_LEAST_SHARE = 0.05
_LEAST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is that a worker has begun with.

    Attributes:
        step: the number of the present step, from 1.
        step_count: how many steps there are.
        doing: the present step, in words.
        done: how much of the step is done, in ``unit``.
        total: how much there is to do in the step; None if that is not known.
        unit: ``bytes``, ``rows``, ``profiles`` or ``keys``.
        share: of the whole job, from 0 to 1.
        per_second: how much of the step was done in a second, on average; None if that says nothing.
        seconds_left: until the end of the step; None if nobody can say.
    """

    step: int
    step_count: int
    doing: str
    done: int
    unit: str
    share: float
    total: int | None = None
    per_second: float | None = None
    seconds_left: float | None = None


def describe_step(progress: Progress) -> str:
    """Describe the present step in a few words."""
    return f"{progress.doing} (step {progress.step} of {progress.step_count})"


def describe_amount(progress: Progress) -> str:
    """Describe how much of the step is done, the speed and the time left; empty if unknown.

    Numbers are in braces, for each display to write as its reader does.
    """
    done, total, unit = progress.done, progress.total, progress.unit
    if unit == Unit.BYTES:
        divisor, unit = next((size, name) for size, name in _BYTE_UNITS if size == 1 or (total or done) >= 10 * size)
        done, total = done // divisor, None if total is None else total // divisor
    parts = []
    if total is not None:
        parts.append(f"{{{done}}} of {{{total}}} {unit}")
    elif done:
        parts.append(f"{{{done}}} {unit}")
    if progress.per_second is not None and progress.unit != Unit.BYTES:
        parts.append(f"{{{round(progress.per_second)}}} {unit} per second")
    if progress.seconds_left is not None:
        parts.append(f"about {_describe_seconds(progress.seconds_left)} left in this step")
    return ", ".join(parts)


def _describe_seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{{{max(round(seconds), 1)}}} s"
    if seconds < 3600:
        return f"{{{round(seconds / 60)}}} min"
    return f"{{{seconds / 3600:.1f}}} h"


def progress_of(job: Job, now: datetime) -> Progress | None:
    """Return the progress of a job of any kind; None while it waits for a worker."""
    if job.phase is None:
        return None
    kind = KINDS[job.kind]
    steps, step = kind.steps, kind.step_of(job.phase)
    done, total = _amount(job, step)
    if step.unit is Unit.BYTES and total and done >= total:
        # All is read. What comes next records no phase of its own.
        step = steps[1]
        done, total = _amount(job, step)
    share_of_step = min(done / total, 1.0) if total else 0.0
    seconds = 0.0 if job.step_started_at is None else (now - job.step_started_at).total_seconds()
    per_second = done / seconds if total is not None and done and seconds >= _LEAST_SECONDS else None
    seconds_left = None
    if per_second is not None and total is not None and share_of_step >= _LEAST_SHARE:
        seconds_left = max(total - done, 0) / per_second
    number = steps.index(step)
    weight_before = sum(one.weight for one in steps[:number])
    return Progress(
        step=number + 1,
        step_count=len(steps),
        doing=step.doing,
        done=done,
        total=total,
        unit=step.unit or Unit.ROWS,
        share=(weight_before + step.weight * share_of_step) / sum(one.weight for one in steps),
        per_second=per_second,
        seconds_left=seconds_left,
    )


def _amount(job: Job, step: ShownStep) -> tuple[int, int | None]:
    return (0, None) if step.unit is None else job.amount(step.unit)
