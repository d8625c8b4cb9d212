"""The command ``openprofiles``: one module of this package per group of commands."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.util import find_spec

import click

from openprofiles.disk_faults import disk_fault
from openprofiles.errors import DomainError
from openprofiles.settings import SettingsError

# Command, the module that holds it, and its name there. A module is imported when its command runs: `env` in the
# start-up file of a shell should not wait for a database.
_COMMANDS = {
    "serve": "openprofiles.cli.serve:serve",
    "worker": "openprofiles.cli.worker:worker",
    "import": "openprofiles.cli.import_file:import_file",
    "jobs": "openprofiles.cli.jobs:jobs",
    "env": "openprofiles.cli.env:env",
    "credentials": "openprofiles.cli.credentials:credentials",
    "backup": "openprofiles.cli.backup:backup",
    "restore": "openprofiles.cli.restore:restore",
    "copy-store": "openprofiles.cli.copy_store:copy_store",
    "master-key": "openprofiles.cli.master_key:master_key",
    "migrate": "openprofiles.cli.migrate:migrate",
    "version": "openprofiles.cli.version:version",
}


class _Commands(click.Group):
    """Imports a command when it is asked for, and tells errors of ours in one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return [name for name, place in _COMMANDS.items() if find_spec(place.partition(":")[0])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module, _, name = _COMMANDS.get(cmd_name, "").partition(":")
        if not module or not find_spec(module):
            return None
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (SettingsError, DomainError) as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if (fault := disk_fault(error)) is None:
                raise
            raise click.ClickException(str(fault)) from error


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: openprofiles serve",
)
def openprofiles() -> None:
    """A customer-profile store with the API of Amazon Connect Customer Profiles.

    It loads CSV files of customers into de-duplicated profiles and serves them to every AWS SDK.
    """


def main() -> None:
    """Runs the command line. Files made by this process and its children are for its owner alone."""
    os.umask(0o077)
    openprofiles(prog_name="openprofiles")
    sys.exit(0)
