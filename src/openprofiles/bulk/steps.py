"""Run the steps of a job, from where an earlier loader stopped to the end.

A kind of job is a list of steps. The row of the job has the phase and the position of the step that runs; both are
written with what the step writes. A loader that takes over a job runs the step of that phase from that position, and
the steps after it from their beginning. A step whose result is only in the scratch database runs again if the scratch
database does not have it.

Nothing here knows a file, a profile or the store: see tests/unit/test_steps.py, where loaders die in every place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum, auto


class Part(Enum):
    """What a stop means for a step."""

    # Writes nothing to the profiles. A stop ends the job at once, and so does giving up.
    PREPARE = auto()
    # Writes to the profiles. A stop leaves out the rest of these steps.
    WRITE = auto()
    # Completes what was written so far, also after a stop.
    FINISH = auto()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a job stands in a step: its phase and position, as in its row."""

    phase: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a kind of job.

    Attributes:
        name: for the time it takes.
        run: does the work, from where an earlier loader stopped, or from the beginning if that is None.
        phases: those that it records; by default its name.
        is_done: for a step whose result is only in the scratch database, whether the result is there.
    """

    name: str
    run: Callable[[Standing | None], None]
    part: Part
    phases: tuple[str, ...] = ()
    is_done: Callable[[], bool] | None = None

    def records(self, phase: str | None) -> bool:
        """Return whether a job in this phase is in this step."""
        return phase in (self.phases or (self.name,))


class Stopped(Exception):
    """A stop was requested, or the domain was deleted; the current chunk was not written."""


class WriteEnded(Exception):
    """The steps that write end early for a reason of the job's own; the chunks so far were written."""


class GaveUp(Exception):
    """Earlier loaders died too often; what was written is complete, and the job ends here."""


def run_steps(
    steps: Sequence[Step],
    standing: Standing | None,
    timed: Callable[[str], AbstractContextManager[None]],
    *,
    gives_up: bool,
    stop_requested: bool,
) -> bool:
    """Run the steps that are left.

    Args:
        standing: where the job stands; None: nothing was recorded yet.
        timed: a context that takes the time of a step, by its name.
        gives_up: write nothing more than what completes the part that was written.
        stop_requested: as of now; what is requested later, a step finds out.

    Returns:
        whether a stop has left anything out.

    Raises:
        Stopped: before anything was written to the profiles.
        GaveUp: if ``gives_up``.
    """
    phase = None if standing is None else standing.phase
    first = next((number for number, step in enumerate(steps) if step.records(phase)), 0)
    if gives_up and steps[first].part is Part.PREPARE:
        raise GaveUp
    stopped = stop_requested and steps[first].part is Part.FINISH
    ends_writing = gives_up
    for number, step in enumerate(steps):
        if step.is_done() if step.is_done is not None else number < first:
            continue
        if ends_writing and step.part is Part.WRITE:
            continue
        try:
            with timed(step.name):
                step.run(standing if number == first else None)
        except Stopped:
            if step.part is Part.PREPARE:
                raise
            stopped = ends_writing = True
        except WriteEnded:
            ends_writing = True
    if gives_up:
        raise GaveUp
    return stopped
