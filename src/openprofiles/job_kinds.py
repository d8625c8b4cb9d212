"""The kinds of jobs: what runs each, which jobs it waits for, and its steps as people see them.

A new kind is a module with its runner, and an entry in ``KINDS`` whose steps have every phase that it records; see
tests/load/toy_job.py. If it has counts or other data of its own, it also has a table for them, which ``details`` names,
and a migration. The progress bar, the console, the commands and the documents take their words from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


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


class Lane(Enum):
    """Which other jobs of its domain a job waits for."""

    # It writes to profiles: jobs of this lane run one after the other, in the order in which they were started.
    WRITE = "write"
    # It writes none, so it waits for none, and none waits for it.
    READ = "read"


class Opens(Enum):
    """How the loader of a job opens the store; a process does so in one way only (``store.sqlite_bulk``)."""

    # Through ADBC, for steps that write Arrow tables.
    IN_BULK = "in bulk"
    # As a server does, for steps that write what calls of the API write.
    AS_SERVER = "as a server"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """A kind of job.

    Attributes:
        name: in the store.
        runner: the function that a loader runs, ``module:function``, called with a ``BulkStore`` or a ``LeasedStore``
            (see ``opens``), the ``Settings`` and a ``Clock``. It ends the job, or raises an exception.
        lane: which other jobs it waits for.
        opens: how its loader opens the store.
        details: the table of what only such jobs have; None: they have no more than any job.
        kept_days: for how long a job and all that is kept of it stay after its end; None: as long as other rules say.
        steps: in order.
        gave_up_message: why a job failed whose loaders died too often.
        scratch_message: why a job failed whose loaders could not write to the scratch folder.
    """

    name: str
    runner: str
    lane: Lane
    opens: Opens = Opens.IN_BULK
    details: str | None = None
    kept_days: int | None = None
    steps: tuple[ShownStep, ...]
    gave_up_message: str
    scratch_message: str

    @property
    def phases(self) -> tuple[str, ...]:
        """All phases, in order."""
        return tuple(phase for step in self.steps for phase in step.phases)

    def step_of(self, phase: str) -> ShownStep:
        """Return the step that this phase belongs to."""
        return next(step for step in self.steps if phase in step.phases)


_GAVE_UP_MESSAGE = "The import crashed three times in a row. The server's log has the details."
_SCRATCH_MESSAGE = (
    "The server cannot write to its scratch folder. Make the folder writable and check its disk, then upload the "
    "file again in a new job."
)

UPLOAD = JobKind(
    name="upload",
    runner="openprofiles.uploads.loading.load:run",
    lane=Lane.WRITE,
    details="upload_job",
    steps=(
        _READ,
        ShownStep("Checking for errors", 10, ("plan", "report")),
        ShownStep("Importing rows", 35, ("create", "update", "follow"), Unit.ROWS),
        ShownStep("Indexing", 25, ("unindex", "index"), Unit.KEYS),
    ),
    gave_up_message=_GAVE_UP_MESSAGE,
    scratch_message=_SCRATCH_MESSAGE,
)
PREVIEW = JobKind(
    name="preview",
    runner="openprofiles.uploads.loading.load:run",
    lane=Lane.READ,
    details="upload_job",
    kept_days=1,
    steps=(
        _READ,
        ShownStep("Matching rows with profiles", 10, ("plan", "report")),
        ShownStep("Comparing with existing profiles", 40, ("preview",), Unit.ROWS),
    ),
    gave_up_message=_GAVE_UP_MESSAGE,
    scratch_message=_SCRATCH_MESSAGE,
)
UNDO = JobKind(
    name="undo",
    runner="openprofiles.uploads.loading.undo:run",
    lane=Lane.WRITE,
    details="undo_job",
    steps=(
        ShownStep("Reading the changes of the import", 15, ("stage",)),
        ShownStep("Removing and restoring profiles", 55, ("remove", "restore"), Unit.PROFILES),
        ShownStep("Indexing", 25, ("unindex", "index"), Unit.KEYS),
        ShownStep("Cleaning up", 5, ("forget",)),
    ),
    gave_up_message=(
        "The undo crashed three times in a row. The server's log has the details. Start the undo again to continue "
        "where it stopped."
    ),
    scratch_message=(
        "The server cannot write to its scratch folder. Make the folder writable and check its disk, then start the "
        "undo again."
    ),
)

_INGESTING = ShownStep("Ingesting objects", 70, ("ingest",), Unit.ROWS)
OBJECT_UPLOAD = JobKind(
    name="object upload",
    runner="openprofiles.uploads.loading.object_load:run",
    lane=Lane.WRITE,
    opens=Opens.AS_SERVER,
    details="upload_job",
    steps=(
        _READ,
        ShownStep("Checking for errors", 5, ("report", "rehearse")),
        _INGESTING,
    ),
    gave_up_message=_GAVE_UP_MESSAGE,
    scratch_message=_SCRATCH_MESSAGE,
)
OBJECT_PREVIEW = JobKind(
    name="object preview",
    runner="openprofiles.uploads.loading.object_load:run",
    lane=Lane.READ,
    opens=Opens.AS_SERVER,
    details="upload_job",
    kept_days=1,
    steps=(
        _READ,
        ShownStep("Checking for errors", 5, ("report",)),
        ShownStep("Comparing with existing profiles", 70, ("preview",), Unit.ROWS),
    ),
    gave_up_message=_GAVE_UP_MESSAGE,
    scratch_message=_SCRATCH_MESSAGE,
)
OBJECT_UNDO = JobKind(
    name="object undo",
    runner="openprofiles.uploads.loading.object_undo:run",
    lane=Lane.WRITE,
    opens=Opens.AS_SERVER,
    details="undo_job",
    steps=(
        ShownStep("Reading the changes of the import", 15, ("stage",)),
        ShownStep("Removing and restoring profiles", 80, ("restore",), Unit.PROFILES),
        ShownStep("Cleaning up", 5, ("forget",)),
    ),
    gave_up_message=UNDO.gave_up_message,
    scratch_message=UNDO.scratch_message,
)

SEGMENT_ESTIMATE = JobKind(
    name="segment estimate",
    runner="openprofiles.segments.estimate_run:run",
    lane=Lane.READ,
    opens=Opens.AS_SERVER,
    details="segment_run",
    kept_days=1,
    steps=(ShownStep("Counting members", 1, ("count members",)),),
    gave_up_message="The members could not be counted. The server's log has the details.",
    scratch_message="The server cannot write to its scratch folder. Make the folder writable and check its disk.",
)

SEGMENT_SNAPSHOT = JobKind(
    name="segment snapshot",
    runner="openprofiles.segments.snapshot_run:run",
    lane=Lane.READ,
    opens=Opens.AS_SERVER,
    details="segment_run",
    kept_days=365,
    steps=(ShownStep("Exporting members", 1, ("export members",)),),
    gave_up_message="The export crashed three times in a row. The server's log has the details.",
    scratch_message=SEGMENT_ESTIMATE.scratch_message,
)

# It comes after profiles were deleted, and has no caller.
FORGET = JobKind(
    name="forget",
    runner="openprofiles.bulk.forget:run",
    lane=Lane.WRITE,
    kept_days=1,
    steps=(ShownStep("Removing the values of deleted profiles", 1, ("forget values",)),),
    gave_up_message="The values of deleted profiles could not be removed. The server's log has the details.",
    scratch_message="The server cannot write to its scratch folder. Make the folder writable and check its disk.",
)

KINDS = {
    kind.name: kind
    for kind in (
        UPLOAD,
        PREVIEW,
        UNDO,
        OBJECT_UPLOAD,
        OBJECT_PREVIEW,
        OBJECT_UNDO,
        SEGMENT_ESTIMATE,
        SEGMENT_SNAPSHOT,
        FORGET,
    )
}

# The kinds of upload jobs, by name, and the kinds of their previews and undos.
PREVIEW_OF = {UPLOAD.name: PREVIEW, OBJECT_UPLOAD.name: OBJECT_PREVIEW}
UNDO_OF = {UPLOAD.name: UNDO, OBJECT_UPLOAD.name: OBJECT_UNDO}
UPLOADS = tuple(PREVIEW_OF)
PREVIEWS = tuple(kind.name for kind in PREVIEW_OF.values())
UNDOS = tuple(kind.name for kind in UNDO_OF.values())

# What a phase does, where its time is listed.
PHASE_WORDS = {
    "stage": "Reading the file",
    "plan": "Matching rows with profiles",
    "report": "Checking for errors",
    "preview": "Comparing with existing profiles",
    "create": "Creating profiles",
    "update": "Updating profiles",
    "follow": "Merging repeated rows",
    "rehearse": "Looking for rows without a profile",
    "ingest": "Ingesting objects",
    "unindex": "Indexing",
    "index": "Indexing",
}
