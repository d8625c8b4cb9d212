"""``openprofiles restore``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openprofiles.cli.options import settings_options
from openprofiles.clock import utc_now
from openprofiles.errors import InvalidRequest
from openprofiles.settings import PostgresqlUrl, Settings

if TYPE_CHECKING:
    from openprofiles.credentials.administer import LostSecrets


@click.command()
@click.argument("backup", type=click.Path(path_type=Path))
@settings_options("data_folder", "store", "files", "master_key")
def restore(settings: Settings, backup: Path) -> None:
    """Restore a store from BACKUP into an empty data folder.

    BACKUP is a folder that `openprofiles backup` created. A store of an older version is migrated. Jobs that had not
    ended continue when a server or worker starts.

    --master-key names your copy of the master key, which is not in the backup. It is copied to master.key in the data
    folder. Without it, everything else is restored, but no existing credential works any more, and a new
    administrator's credential is created.

    \b
    Example:
      openprofiles restore /backup/openprofiles/openprofiles-20260131T020000Z \\
        --master-key /safe/master.key --data /var/lib/openprofiles
    """
    from openprofiles.backups.restore import restore_backup

    if isinstance(settings.store, PostgresqlUrl):
        raise InvalidRequest(
            f"The store {settings.store} is a PostgreSQL database. To restore into an empty one, run: pg_restore "
            "--dbname=DATABASE_URL openprofiles.dump. Then put the uploaded files and the master key back."
        )
    restored = restore_backup(settings, backup.absolute(), now=utc_now())
    click.echo(f"The store {settings.store_path} has been restored.")
    if restored.lost is None:
        click.echo(f"Uploaded files of jobs that will continue: {restored.file_count}")
    else:
        _say_what_is_lost(restored.lost)
    for job_id in restored.jobs_without_file:
        click.echo(
            f"Warning: The backup does not contain the uploaded file of upload job {job_id}. Stop the job and load its "
            "file again.",
            err=True,
        )
    click.echo(f"The administrator's credential is in {settings.admin_credential_path}.")
    place = f" --store {shlex.quote(str(settings.store_path))}" if settings.store is not None else ""
    if settings.files is not None:
        place += f" --files {shlex.quote(str(settings.files))}"
    click.echo(f"Start the server with: openprofiles serve --data {shlex.quote(str(settings.data_folder))}{place}")


def _say_what_is_lost(lost: LostSecrets) -> None:
    click.echo("Without the master key, the following was lost:", err=True)
    click.echo(f"  {lost.credentials} credentials. They are revoked; create new ones and hand them out.", err=True)
    click.echo(f"  {lost.webhooks} webhooks. Set them again; each has a new secret.", err=True)
    click.echo(f"  {lost.jobs_ended} upload jobs that were started. They are FAILED; load their files again.", err=True)
    click.echo(f"  {lost.jobs_without_file} uploaded files of jobs that were not started. Upload them again.", err=True)
    click.echo("  The contents of the failed rows of all jobs; the reasons are kept.", err=True)
