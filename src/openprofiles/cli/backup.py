"""``openprofiles backup``."""

from __future__ import annotations

from pathlib import Path

import click

from openprofiles.cli.options import settings_options
from openprofiles.clock import utc_now
from openprofiles.errors import InvalidRequest
from openprofiles.settings import PostgresqlUrl, Settings


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@settings_options("data_folder", "store", "files")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="Remove older backups of this store in FOLDER, so that N are left.  [default: remove none]",
)
def backup(settings: Settings, folder: Path, keep: int | None) -> None:
    """Make a backup of the store in FOLDER.

    Servers, workers and loads may be running. The backup is a folder that only you can read, with the time in its name:
    the store as it is at one moment, and the uploaded files of jobs that have not ended. It gets that name only when it
    is complete.

    The master key is not in it. Keep a copy of master.key in another place, once: with both, anyone can read the
    secrets; without the key, they are lost.

    \b
    Example, every night:
      openprofiles backup /backup/openprofiles --data /var/lib/openprofiles --keep 14
    """
    from openprofiles.backups.make import make_backup

    if isinstance(settings.store, PostgresqlUrl):
        raise InvalidRequest(
            f"The store {settings.store} is a PostgreSQL database. Copy the folder or bucket of uploaded files, then "
            "run: pg_dump --format=custom --file=openprofiles.dump DATABASE_URL"
        )
    made = make_backup(settings, folder.absolute(), keep=keep, now=utc_now())
    click.echo(
        f"{made.path}: {made.size_bytes:,} bytes, and {made.file_count} uploaded files of jobs that have not ended."
    )
    for path in made.removed:
        click.echo(f"Removed {path}.")
    for job_id in made.jobs_without_file:
        click.echo(
            f"The uploaded file of upload job {job_id} is missing. Stop the job and load its file again.", err=True
        )
