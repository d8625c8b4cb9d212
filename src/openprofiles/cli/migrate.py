"""``openprofiles migrate``."""

from __future__ import annotations

import click

from openprofiles.cli.options import settings_options
from openprofiles.settings import Settings


@click.command()
@settings_options("data_folder", "store", "master_key")
def migrate(settings: Settings) -> None:
    """Bring a store to the newest form.

    Prints the revision that the store then has. Every command does this by itself when it opens an embedded store; for
    a PostgreSQL store only this one does, at a time of your choice, after a backup. In an empty PostgreSQL database it
    makes the tables.

    \b
    Example:
      openprofiles migrate --data /var/lib/openprofiles
    """
    from openprofiles.store.migrations import NEWEST_REVISION
    from openprofiles.store.open import open_existing_store

    open_existing_store(settings, may_migrate=True).close()
    click.echo(f"The store {settings.store_name} has revision {NEWEST_REVISION}.")
