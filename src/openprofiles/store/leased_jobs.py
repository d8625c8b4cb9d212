"""What a loader knows of the job whose lease it has, and of the job's domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from openprofiles.job_kinds import PREVIEWS
from openprofiles.store.upload_job_states import MAX_FAILED_ATTEMPTS


class LeaseLost(Exception):
    """Another worker holds the job now, or it has ended; whatever this loader was doing, it must stop."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Which job, and by which claim of it."""

    job_number: int
    owner: str
    epoch: int
    # One of job_kinds.KINDS.
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedJob:
    """What the loader of any kind of job needs of its job and the job's domain."""

    job_id: str
    domain_id: int
    # One of job_kinds.KINDS.
    kind: str
    # The job that it undoes or previews.
    subject: int | None
    # How often it was claimed.
    epoch: int
    started_at: datetime
    phase: str | None
    position: int
    stop_requested: bool
    # Loaders that have died since the last progress.
    failed_attempts: int
    # What has blocked them, if that is known.
    failure_message: str | None
    phone_region: str
    key_version: int
    domain_deleted: bool
    indexed_paths: tuple[str, ...]
    # Those of them whose index has all stored profiles.
    whole_index_paths: tuple[str, ...]

    @property
    def gives_up(self) -> bool:
        """Whether earlier loaders died too often: no more is written but the keys of what is there."""
        return self.failed_attempts >= MAX_FAILED_ATTEMPTS


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedUpload(LeasedJob):
    """What the loader of an upload job or a preview needs of it in addition."""

    fields: Mapping[str, Mapping[str, str]]
    unique_key: str
    data_expiry_days: int
    client_token: bytes | None
    # As they are kept: see ``uploads.job_options`` and ``uploads.reading.file_form``.
    options: Mapping[str, Any] | None
    file_form: Mapping[str, Any] | None
    # Wrapped, as the client token is; None: a job of an earlier version, whose failed rows have no content.
    failed_rows_key: bytes | None
    file_name: str | None
    record_count: int | None
    created_count: int
    updated_count: int
    failed_count: int
    pid_base: int | None
    # See ``tables``.
    undo_days: int | None
    object_type: str | None

    @property
    def is_preview(self) -> bool:
        """Whether nothing is to be written to the profiles."""
        return self.kind in PREVIEWS


@dataclass(frozen=True, slots=True)
class ChunkState:
    """What a chunk sees at its beginning, inside its transaction. Giving up counts as a stop."""

    key_version: int
    stop_requested: bool
    domain_deleted: bool


@dataclass(frozen=True, slots=True)
class UndoneJob:
    """What an undo needs of the job that it undoes: its mapping, and the row numbers and count of its new profiles.

    They are above ``pid_base``, up to ``pid_base + record_count``.
    """

    fields: Mapping[str, Mapping[str, str]]
    unique_key: str
    pid_base: int
    record_count: int
    created_count: int


# Code, header of the column or None, how many faults, the first record that has it.
FaultCount: TypeAlias = tuple[str, str | None, int, int]
