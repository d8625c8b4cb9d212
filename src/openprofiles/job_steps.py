"""The steps of each kind of job, as people see them, and the phases that the job's row has in each.

The progress bar, the console, the commands and the documents take their words from here; ``uploads.loading`` runs the
phases.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What the progress of a step is counted in."""

    BYTES = "bytes"
    ROWS = "rows"
    PROFILES = "profiles"
    KEYS = "keys"


@dataclass(frozen=True, slots=True)
class ShownStep:
    """One step of the progress bar.

    Attributes:
        doing: in words.
        weight: its part of the bar, about what it takes of the time of a typical job.
        phases: what is recorded, or timed, in it.
        unit: what is counted; None if nothing is.
    """

    doing: str
    weight: int
    phases: tuple[str, ...]
    unit: Unit | None = None


_READ = ShownStep("Reading the file", 30, ("stage",), Unit.BYTES)


@dataclass(frozen=True, slots=True)
class JobSteps:
    """The steps of a kind of job, in order."""

    shown: tuple[ShownStep, ...]

    @property
    def phases(self) -> tuple[str, ...]:
        """All phases, in order."""
        return tuple(phase for step in self.shown for phase in step.phases)

    def step_of(self, phase: str) -> ShownStep:
        """Return the step that this phase belongs to."""
        return next(step for step in self.shown if phase in step.phases)


LOAD = JobSteps(
    (
        _READ,
        ShownStep("Checking for errors", 10, ("plan", "report")),
        ShownStep("Importing rows", 35, ("create", "update", "follow"), Unit.ROWS),
        ShownStep("Indexing", 25, ("unindex", "index"), Unit.KEYS),
    )
)
PREVIEW = JobSteps(
    (
        _READ,
        ShownStep("Matching rows with profiles", 10, ("plan", "report")),
        ShownStep("Comparing with existing profiles", 40, ("preview",), Unit.ROWS),
    )
)
UNDO = JobSteps(
    (
        ShownStep("Reading the changes of the import", 15, ("stage",)),
        ShownStep("Removing and restoring profiles", 55, ("remove", "restore"), Unit.PROFILES),
        ShownStep("Indexing", 25, ("unindex", "index"), Unit.KEYS),
        ShownStep("Cleaning up", 5, ("forget",)),
    )
)

# What a phase does, where its time is listed.
PHASE_WORDS = {
    "stage": "Reading the file",
    "plan": "Matching rows with profiles",
    "report": "Checking for errors",
    "preview": "Comparing with existing profiles",
    "create": "Creating profiles",
    "update": "Updating profiles",
    "follow": "Merging repeated rows",
    "unindex": "Indexing",
    "index": "Indexing",
}


def phases_of_step(phase: str) -> tuple[str, ...]:
    """List the phases of the step that this phase belongs to."""
    return next(
        (step.phases for kind in (LOAD, PREVIEW, UNDO) for step in kind.shown if phase in step.phases), (phase,)
    )
