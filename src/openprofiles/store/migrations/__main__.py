"""Writes a draft of the next migration step: ``python -m openprofiles.store.migrations "what it does"``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command

from openprofiles.store.migrations import NEWEST_REVISION
from openprofiles.store.open import alembic_config, migrate
from openprofiles.store.sqlite import SqliteStore


def write_draft(message: str) -> None:
    """Write a draft of a step into ``versions``.

    It is the difference between the tables and a store made by all steps so far.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "draft.db")
        migrate(store)
        with store.write() as connection:
            command.revision(
                alembic_config(connection),
                message=message,
                autogenerate=True,
                rev_id=f"{int(NEWEST_REVISION) + 1:04d}",
            )
        store.close()


if __name__ == "__main__":
    write_draft(sys.argv[1])
