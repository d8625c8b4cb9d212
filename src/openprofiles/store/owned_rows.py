"""What owns the rows of a table, from which follows how they are removed, copied and distributed over hosts.

Each table says it once, in ``tables``: ``Table(..., info=owned_by(Owner.DOMAIN, "few"))``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Table


class Owner(Enum):
    """What rows go with when it is removed; the value is the column that names it."""

    DOMAIN = "domain_id"
    PROFILE = "pid"
    # They go with the row of the job, by a foreign key.
    JOB = "job_number"
    # The number of a job, which may be an undo.
    UPLOAD_JOB = "upload_job_id"
    # They stay as long as the store.
    STORE = None


class Kept(Enum):
    """How long the rows of an upload job are kept after it has ended."""

    # As long as it runs; those of an undo that failed as long as failed rows, since it may be resumed.
    WHILE_IT_RUNS = "while the job runs"
    # 30 days, unless a setting says otherwise; those of a preview for a day.
    AS_FAILED_ROWS = "for as long as failed rows"
    # As long as the job can be undone, and a day more.
    FOR_UNDO = "for 7 days"


@dataclass(frozen=True, slots=True)
class OwnedRows:
    """What is known of the rows of a table.

    Attributes:
        about: how many there are, for docs/growing.md.
        kept: how long, if an upload job owns them; None: as long as the job.
        is_distributed: whether the rows of different owners can be on different hosts; otherwise there are so few that
            each host has all of them.
        rows_at_once: how many rows are copied or removed at once; few if a row may have a megabyte.
    """

    owner: Owner
    about: str
    kept: Kept | None = None
    is_distributed: bool = False
    rows_at_once: int = 2_000


_INFO = "owned"


def owned_by(
    owner: Owner,
    about: str,
    *,
    kept: Kept | None = None,
    is_distributed: bool = False,
    rows_at_once: int = 2_000,
) -> dict[str, Any]:
    """Build the ``info`` of a table."""
    return {_INFO: OwnedRows(owner, about, kept, is_distributed, rows_at_once)}


def owned_rows(table: Table) -> OwnedRows:
    """Return what is known of the rows of a table."""
    found: OwnedRows = table.info[_INFO]
    return found
