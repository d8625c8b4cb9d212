"""``openprofiles master-key create | change``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from openprofiles.cli.command_group import CommandGroup
from openprofiles.cli.options import settings_options
from openprofiles.clock import utc_now
from openprofiles.settings import Settings

_KEY_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(cls=CommandGroup)
def master_key() -> None:
    """Create and change the master key.

    It encrypts the secrets of credentials and the keys of uploaded files, and signs upload URLs. A single machine does
    not need these commands: the first start creates master.key in the data folder. Servers and workers on several hosts
    share one, in a file that --master-key names.

    \b
    Example:
      openprofiles master-key create /etc/openprofiles/master.key
      openprofiles serve --master-key /etc/openprofiles/master.key
    """


@master_key.command()
@click.argument("file", type=_KEY_FILE)
def create(file: Path) -> None:
    """Create a master key in FILE, which only you can read.

    Keep a copy in a safe place, apart from the store and its backups. Without the master key, the store's
    credentials are lost.

    \b
    Example:
      openprofiles master-key create /etc/openprofiles/master.key
    """
    from openprofiles.master_key import create_master_key

    create_master_key(file)
    click.echo(
        f"The master key is in {file}. Pass it with --master-key to every server and worker that uses this store."
    )


@master_key.command()
@settings_options("data_folder", "store", "files", "master_key")
@click.option("--new", "new_file", type=_KEY_FILE, required=True, metavar="FILE", help="File with the new master key.")
def change(settings: Settings, new_file: Path) -> None:
    """Encrypt everything with a different master key.

    Stop all servers and workers first. Existing upload URLs stop working; credentials and jobs stay as
    they are. If the command is interrupted, run it again.

    \b
    Example:
      openprofiles master-key create new.key
      openprofiles master-key change --new new.key
    """
    from openprofiles.credentials.administer import change_master_key
    from openprofiles.master_key import read_master_key, replace_master_key
    from openprofiles.store.open import open_existing_store
    from openprofiles.store.use import using_alone
    from openprofiles.uploads.arrival.files import change_owner

    with closing(open_existing_store(settings)) as store:
        old, new = read_master_key(settings.master_key_path), read_master_key(new_file)
        with using_alone(settings):
            change_master_key(store, old, new, utc_now())
            change_owner(settings, old, new)
            if settings.master_key is None:
                replace_master_key(settings, new_file)
    if settings.master_key is None:
        click.echo(f"The new master key is now {settings.master_key_path}. Keep a copy where the old one was kept.")
    else:
        click.echo(f"Start all servers and workers with --master-key {new_file} from now on.")
