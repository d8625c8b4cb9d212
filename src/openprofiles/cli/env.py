"""``openprofiles env``."""

from __future__ import annotations

import shlex

import click

from openprofiles.aws_environment import aws_environment
from openprofiles.cli.options import settings_options
from openprofiles.settings import Settings

# What sends AWS programs elsewhere, or signs with something else, however the rest is set.
_UNSET = ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")


@click.command()
@settings_options("data_folder")
def env(settings: Settings) -> None:
    """Print the environment variables that AWS programs need.

    With these variables, AWS programs use the server that is running on this data folder. The lines are for sh, bash
    and zsh. They set the endpoint, the administrator's keys and the region, bypass any proxy for the server, and unset
    variables that would send the programs elsewhere. If no server is running, the command prints nothing on standard
    output and fails.

    \b
    Example:
      eval "$(openprofiles env)"
      aws customer-profiles list-domains
    """
    from openprofiles.credentials.administer import read_admin_credential
    from openprofiles.running_server import find_running_server

    endpoint = find_running_server(settings)
    admin = read_admin_credential(settings)
    values = aws_environment(endpoint.url, admin.access_key_id, admin.secret_access_key, endpoint.region)
    for name, value in values.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    click.echo(f"unset {' '.join(_UNSET)}")
