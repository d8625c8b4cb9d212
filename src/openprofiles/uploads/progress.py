"""The progress of a running job, by the rules that the console and the commands share.

A job goes through a few steps, and one bar shows all of them. How much of a step is done is known while the file is
read (bytes of it) and while rows are loaded or profiles restored; rows that failed before loading began do not
count. The time left is based on the average speed of the step so far. It is not given for a step of unknown length,
nor before 5 % of the step is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # A command that works through a server describes what that answers, and needs no store.
    from openprofiles.store.upload_jobs import UploadJob

BYTES, ROWS, PROFILES, KEYS = "bytes", "rows", "profiles", "keys"

_BYTE_UNITS = ((1_000_000, "MB"), (1_000, "kB"), (1, "bytes"))

_LEAST_SHARE = 0.05
_LEAST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of a job.

    Attributes:
        weight: its part of the bar, about what it takes of the time of a typical job.
    """

    doing: str
    weight: int


_READ = _Step("Reading the file", 30)
_PREPARE = _Step("Checking for errors", 10)
_LOAD = _Step("Importing rows", 35)
_INDEX = _Step("Indexing", 25)
_COMPARE = _Step("Matching rows with profiles", 10)
_CHECK = _Step("Comparing with existing profiles", 40)
_READ_CHANGES = _Step("Reading the changes of the import", 15)
_RESTORE = _Step("Removing and restoring profiles", 55)
_UPDATE_INDEX = _Step("Indexing", 25)
_CLEAR_UP = _Step("Cleaning up", 5)

_LOAD_STEPS = (_READ, _PREPARE, _LOAD, _INDEX)
_PREVIEW_STEPS = (_READ, _COMPARE, _CHECK)
_UNDO_STEPS = (_READ_CHANGES, _RESTORE, _UPDATE_INDEX, _CLEAR_UP)

_STEPS_OF_LOAD = {
    "stage": _READ,
    "report": _PREPARE,
    "create": _LOAD,
    "update": _LOAD,
    "follow": _LOAD,
    "unindex": _INDEX,
    "index": _INDEX,
}
_STEPS_OF_PREVIEW = {"stage": _READ, "report": _COMPARE, "preview": _CHECK}
_STEPS_OF_UNDO = {
    "stage": _READ_CHANGES,
    "remove": _RESTORE,
    "restore": _RESTORE,
    "unindex": _UPDATE_INDEX,
    "index": _UPDATE_INDEX,
    "forget": _CLEAR_UP,
}


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
    total: int | None
    unit: str
    share: float
    per_second: float | None
    seconds_left: float | None


def describe_step(progress: Progress) -> str:
    """Describe the present step in a few words."""
    return f"{progress.doing} (step {progress.step} of {progress.step_count})"


def describe_amount(progress: Progress) -> str:
    """Describe how much of the step is done, the speed and the time left; empty if unknown.

    Numbers are in braces, for each display to write as its reader does.
    """
    done, total, unit = progress.done, progress.total, progress.unit
    if unit == BYTES:
        divisor, unit = next((size, name) for size, name in _BYTE_UNITS if size == 1 or (total or done) >= 10 * size)
        done, total = done // divisor, None if total is None else total // divisor
    parts = []
    if total is not None:
        parts.append(f"{{{done}}} of {{{total}}} {unit}")
    elif done:
        parts.append(f"{{{done}}} {unit}")
    if progress.per_second is not None and progress.unit != BYTES:
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


def progress_of(job: UploadJob, now: datetime) -> Progress | None:
    """Return the progress of an upload job, a preview or an undo; None while it waits for a worker."""
    if job.phase is None:
        return None
    steps, step = _find_step(job)
    done, total, unit = _amount(job, step)
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
        unit=unit,
        share=(weight_before + step.weight * share_of_step) / sum(one.weight for one in steps),
        per_second=per_second,
        seconds_left=seconds_left,
    )


def _find_step(job: UploadJob) -> tuple[Sequence[_Step], _Step]:
    steps: Sequence[_Step]
    by_phase: Mapping[str, _Step]
    if job.undo_of is not None:
        steps, by_phase = _UNDO_STEPS, _STEPS_OF_UNDO
    elif job.preview_of is not None:
        steps, by_phase = _PREVIEW_STEPS, _STEPS_OF_PREVIEW
    else:
        steps, by_phase = _LOAD_STEPS, _STEPS_OF_LOAD
    assert job.phase is not None, "only a job that was begun has steps"
    step = by_phase[job.phase]
    if step is _READ and job.file_size_bytes and (job.read_bytes or 0) >= job.file_size_bytes:
        # All is read. What comes next records no phase of its own.
        step = steps[1]
    return steps, step


def _amount(job: UploadJob, step: _Step) -> tuple[int, int | None, str]:
    """Return how much of the step is done, its total, and its unit."""
    if step is _READ:
        return job.read_bytes or 0, job.file_size_bytes, BYTES
    if step in (_LOAD, _CHECK):
        loadable = None if job.record_count is None else job.record_count - job.failed_count
        return job.created_count + job.updated_count, loadable, ROWS
    if step is _RESTORE:
        # An undo counts profiles: those that are as before, those that were kept, and those that were gone.
        done = job.created_count + job.updated_count + job.failed_count + job.unchanged_count
        return done, job.record_count, PROFILES
    if step in (_INDEX, _UPDATE_INDEX):
        return job.position, None, KEYS
    return 0, None, ROWS
