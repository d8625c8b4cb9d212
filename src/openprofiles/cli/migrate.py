"""``openprofiles migrate``."""

from __future__ import annotations

import click

from openprofiles.cli.options import settings_options
from openprofiles.settings import Settings


@click.command()
@settings_options("data_folder", "store", "master_key")
def migrate(settings: Settings) -> None:
    """Migrate the store to the newest version, and print its revision.

    Every command does this automatically when it opens a SQLite store. A PostgreSQL store is migrated only by this
    command, when you choose to, after a backup. In an empty PostgreSQL database it creates the tables.

    \b
    Example:
      openprofiles migrate --data /var/lib/openprofiles
    """
    from openprofiles.store.migrations import NEWEST_REVISION
    from openprofiles.store.open import open_existing_store

    open_existing_store(settings, may_migrate=True).close()
    click.echo(f"The store {settings.store_name} has revision {NEWEST_REVISION}.")
