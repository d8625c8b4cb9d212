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
    help="Keep the N newest backups of this store in FOLDER and delete the older ones.  [default: delete none]",
)
def backup(settings: Settings, folder: Path, keep: int | None) -> None:
    """Back up the store to a new folder in FOLDER.

    Servers, workers and loads may be running. The backup is a folder that only you can read, named after the time at
    which it was made. It contains the store as it was at a single point in time, and the uploaded files of jobs that
    have not ended. It gets its name only when it is complete.

    The backup does not contain the master key. Copy master.key once to a safe place: anyone who has both can read the
    secrets, and without the key the secrets are lost.

    \b
    Example, every night:
      openprofiles backup /backup/openprofiles --data /var/lib/openprofiles --keep 14
    """
    from openprofiles.backups.make import make_backup

    if isinstance(settings.store, PostgresqlUrl):
        raise InvalidRequest(
            f"The store {settings.store} is a PostgreSQL database, which this command does not back up. Copy the "
            "folder or bucket of uploaded files, then run: pg_dump --format=custom --file=openprofiles.dump "
            "DATABASE_URL"
        )
    made = make_backup(settings, folder.absolute(), keep=keep, now=utc_now())
    click.echo(
        f"{made.path}: {made.size_bytes:,} bytes, and {made.file_count} uploaded files of jobs that have not ended."
    )
    for path in made.removed:
        click.echo(f"Removed {path}.")
    for path in made.unreadable:
        click.echo(
            f"Warning: {path} was neither counted nor removed, because its backup.json is damaged. If you do not need "
            "this backup, delete it.",
            err=True,
        )
    for job_id in made.jobs_without_file:
        click.echo(f"Warning: The uploaded file of upload job {job_id} is missing from {made.files_place}.", err=True)
    if made.jobs_without_file:
        click.echo(
            "Stop these jobs and load their files again."
            if settings.files is not None
            else "If the uploaded files are in a bucket, name it with --files and make the backup again. Otherwise, "
            "stop these jobs and load their files again.",
            err=True,
        )
