"""``openprofiles copy-store``."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import click

from openprofiles.cli.options import settings_options
from openprofiles.clock import utc_now
from openprofiles.settings import PostgresqlUrl, S3Location, Settings, SettingsError, parse_files, parse_store

_ROWS_BETWEEN_LINES = 100_000


@click.command()
@click.option(
    "--from",
    "source",
    required=True,
    envvar="OPENPROFILES_FROM",
    show_envvar=True,
    metavar="FILE|URL",
    help="The store to copy, in the same form as --store.",
)
@click.option(
    "--to",
    "target",
    required=True,
    envvar="OPENPROFILES_TO",
    show_envvar=True,
    metavar="FILE|URL",
    help="The copy: a file that does not exist yet, or an empty PostgreSQL database.",
)
@click.option(
    "--from-files",
    "source_files",
    envvar="OPENPROFILES_FROM_FILES",
    show_envvar=True,
    metavar="URL",
    help="Uploaded files of the store to copy, in the same form as --files.  [default: a folder next to the store]",
)
@click.option(
    "--to-files",
    "target_files",
    envvar="OPENPROFILES_TO_FILES",
    show_envvar=True,
    metavar="URL",
    help="Uploaded files of the copy.  [default: a folder next to the store]",
)
@settings_options("data_folder", "master_key")
def copy_store(
    settings: Settings, source: str, target: str, source_files: str | None, target_files: str | None
) -> None:
    """Copy a store between SQLite and PostgreSQL.

    The copy has everything: domains, profiles, keys, credentials, upload jobs and the files of unfinished jobs. Stop
    all servers and workers first. At the end all rows of both stores are compared; only then can the copy be used. If
    the command is interrupted, run it again: it continues where it stopped.

    Both stores use the master key of the data folder, or the one that --master-key names.

    \b
    Example:
      export OPENPROFILES_TO=postgresql://openprofiles:PASSWORD@db.example.com/openprofiles
      openprofiles copy-store --from openprofiles-data/openprofiles.db
    """
    from openprofiles.credentials.administer import check_master_key
    from openprofiles.master_key import read_master_key
    from openprofiles.store.copy_store import copy_store as copy_whole_store
    from openprofiles.store.open import open_existing_store, open_store_as_it_is
    from openprofiles.store.use import using_alone
    from openprofiles.uploads.arrival.copy_files import copy_job_files
    from openprofiles.uploads.arrival.files import open_own_files

    here = replace(settings, store=_parse(source, "--from"), files=_parse_files(source_files, "--from-files"))
    there = replace(settings, store=_parse(target, "--to"), files=_parse_files(target_files, "--to-files"))
    if here.store == there.store:
        raise click.UsageError("--from and --to name the same store.")
    if isinstance(here.store, Path) and not here.store.exists():
        raise click.UsageError(f"There is no store {here.store}.")
    with closing(open_existing_store(here)) as original:
        master_key = read_master_key(here.master_key_path)
        check_master_key(here, original, master_key)
        with closing(open_store_as_it_is(there)) as copy, using_alone(here), using_alone(there):
            # First: a copy that is finished must have them.
            file_count = copy_job_files(original, open_own_files(here, master_key), open_own_files(there, master_key))
            tables = copy_whole_store(original, copy, utc_now(), _Progress().show)
    for table in tables:
        click.echo(f"{table.name:16} {table.row_count:>12,} rows")
    click.echo(f"Uploaded files of unfinished jobs: {file_count:,}")
    click.echo(f"All rows were compared: {there.store_name} is identical to {here.store_name}.")


def _parse(text: str, option: str) -> Path | PostgresqlUrl:
    try:
        return parse_store(text)
    except SettingsError as error:
        raise click.UsageError(f"{option}: {error}") from error


def _parse_files(text: str | None, option: str) -> S3Location | None:
    try:
        return None if text is None else parse_files(text)
    except SettingsError as error:
        raise click.UsageError(f"{option}: {error}") from error


class _Progress:
    """Prints the number of copied rows of each table on standard error, every hundred thousand."""

    def __init__(self) -> None:
        self._last_printed: dict[str, int] = {}

    def show(self, name: str, row_count: int) -> None:
        if row_count - self._last_printed.get(name, 0) >= _ROWS_BETWEEN_LINES:
            self._last_printed[name] = row_count
            click.echo(f"{name}: {row_count:,} rows copied", err=True)
