"""What the steps of a job ask of the store, by noun: rows of profiles, the index of keys, and the notes of the job.

All of it is about the domain of the job. Tables are Arrow tables, so that there is no Python object per cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from openprofiles.store.leased_jobs import ChunkState
from openprofiles.store.note_tables import NoteTable

# The columns of profiles that are read and restored as numbers; every change writes them.
NUMBERS = ("revision", "updated_at", "expires_at", "last_upload_job")


@dataclass(frozen=True, slots=True)
class PreparedRows:
    """Rows in the form in which an engine inserts them, made before the lock is taken."""

    table: pa.Table

    @property
    def num_rows(self) -> int:
        """How many there are."""
        return int(self.table.num_rows)


@dataclass(frozen=True, slots=True)
class ProfileWrite:
    """How a chunk writes profiles.

    Attributes:
        columns: those of the table ``profile`` that it writes, attributes left out.
        clears: whether an empty text, and a null in the JSON object, clear what is there. Otherwise there are none.
        image: what changed profiles were before: see ``bulk.images``; None: it is not kept.
    """

    columns: Sequence[str]
    now: datetime
    expires_at: datetime
    clears: bool
    image: bytes | None = None


class ProfileReader(Protocol):
    """The rows of profiles, to read."""

    def read_profiles(self, pids: pa.Array, columns: Sequence[str]) -> pa.Table:
        """Read columns of the profiles that the domain has among these row numbers.

        Returns:
            ``pid`` and the columns, in order of ``pid``: ``NUMBERS`` as int64, 0 where the profile has none, and others
            as text, null where it has none.
        """


class ProfileRows(ProfileReader, Protocol):
    """The rows of profiles."""

    def insert_profiles(self, rows: pa.Table | PreparedRows, write: ProfileWrite) -> None:
        """Insert new profiles, in order of pid.

        Args:
            rows: columns pid, profile_id, then those of the write (text), then attributes (JSON text or null).
        """

    def update_profiles(self, rows: pa.Table, write: ProfileWrite) -> None:
        """Change existing profiles, in order of pid.

        Args:
            rows: the columns of the write (text, null keeps), attributes (JSON object or null), then pid.
        """

    def update_origins(self, rows: pa.Table) -> None:
        """Change what is set by hand: columns origins (a JSON list or null), then pid."""


class KeyReader(Protocol):
    """The index of keys, and the keys that AddProfileKey gave, to read."""

    def find_key_holders(self, name: str, keys: pa.Array, columns: Sequence[str] = ()) -> pa.Table:
        """Find the profiles that hold these keys and have not expired by the start of the job.

        Args:
            keys: text, normal forms, without nulls or repeats; sorted is fastest.
            columns: of the table ``profile``; their texts are read as well.

        Returns:
            columns ``i`` (int64, position in ``keys``) and ``pid`` (int64), one row per holder, and ``columns``.
        """

    def find_present_keys(self, name: str, values: pa.Array, pids: pa.Array) -> pa.Table:
        """Find which of these pairs are in the index: column ``i``, their position in the arrays."""

    def read_held_keys(self, pids: pa.Array, name: str) -> pa.Table:
        """Read the keys of one name that AddProfileKey gave these profiles: ``pid`` and ``value``."""


class KeyIndex(KeyReader, Protocol):
    """The index of keys."""

    def add_keys(self, name: str, rows: pa.Table | PreparedRows) -> None:
        """Add keys of one name, columns value and pid; those already there stay."""

    def remove_keys(self, name: str, rows: pa.Table | PreparedRows) -> int:
        """Remove keys of one name, columns value and pid, except those added by hand; return how many."""


class JobNotes(Protocol):
    """What a job notes in its chunks."""

    def read_key_version(self) -> int:
        """Return how often something else than this job has written to profiles or keys of its domain."""

    def read_ordered_records(self, after: int, limit: int) -> pa.Table:
        """Read the records that this job follows one by one: ``record``."""

    def read_notices(self) -> list[Any]:
        """Read the notices of this job: see ``tables``."""

    def chunk(self) -> AbstractContextManager[ChunkState]:
        """Begin a write transaction, with ``record_progress``, ``check_lease`` or ``end_job``, which check the lease.

        The row of the job is locked before the one of its details, so ``record_progress`` comes before other records.

        Raises:
            Busy: another process held the write lock for a minute.
        """

    def add_notes(self, table: NoteTable, rows: pa.Table) -> None:
        """Insert rows into a table of notes, in order of its key; leave out columns that it does not have."""

    def record_notices(self, notices: Sequence[Any]) -> None:
        """Replace the notices of this job, in a chunk that has recorded progress."""
