"""The command ``openprofiles``: one module of this package per group of commands."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.util import find_spec

import click

from openprofiles.cli.command_group import CommandGroup
from openprofiles.cli.exit_statuses import exit_statuses

# Command, the module that holds it, and its name there. A module is imported when its command runs: `env` in the
# start-up file of a shell should not wait for a database.
_COMMANDS = {
    "serve": "openprofiles.cli.serve:serve",
    "worker": "openprofiles.cli.worker:worker",
    "import": "openprofiles.cli.import_file:import_file",
    "jobs": "openprofiles.cli.jobs:jobs",
    "mappings": "openprofiles.cli.mappings:mappings",
    "find": "openprofiles.cli.find:find",
    "history": "openprofiles.cli.history:history",
    "lineage": "openprofiles.cli.objects:lineage",
    "object-types": "openprofiles.cli.object_types:object_types",
    "objects": "openprofiles.cli.objects:objects",
    "segments": "openprofiles.cli.segments:segments",
    "calculated-attributes": "openprofiles.cli.calculated_attributes:calculated_attributes",
    "dead-letters": "openprofiles.cli.objects:dead_letters",
    "env": "openprofiles.cli.env:env",
    "credentials": "openprofiles.cli.credentials:credentials",
    "backup": "openprofiles.cli.backup:backup",
    "restore": "openprofiles.cli.restore:restore",
    "copy-store": "openprofiles.cli.copy_store:copy_store",
    "master-key": "openprofiles.cli.master_key:master_key",
    "migrate": "openprofiles.cli.migrate:migrate",
    "version": "openprofiles.cli.version:version",
}


class _Commands(CommandGroup):
    """Imports a command when it is asked for, and ends each by the one table of exit statuses."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return [name for name, place in _COMMANDS.items() if find_spec(place.partition(":")[0])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module, _, name = _COMMANDS.get(cmd_name, "").partition(":")
        if not module or not find_spec(module):
            return None
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        with exit_statuses():
            return super().invoke(ctx)


def _print_version(ctx: click.Context, _option: click.Parameter, is_asked: bool) -> None:
    if is_asked and not ctx.resilient_parsing:
        from openprofiles.cli.version import describe_version

        click.echo(describe_version())
        ctx.exit()


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: openprofiles serve",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit, like the `version` command.",
)
def openprofiles() -> None:
    """A customer-profile store with the Amazon Connect Customer Profiles API.

    It loads CSV customer files into de-duplicated profiles and serves them to every AWS SDK.
    """


def main() -> None:
    """Run the command line. Only its owner may read the files that it and its children create."""
    os.umask(0o077)
    openprofiles(prog_name="openprofiles")
    sys.exit(0)
