"""``openprofiles serve``."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial

import click

from openprofiles.cli.options import hand_settings_on, settings_options
from openprofiles.module_imports import kept_imports
from openprofiles.settings import Settings, settings_of_server


@click.command()
@settings_options(*settings_of_server())
@click.option("--stop-with-parent", is_flag=True, hidden=True, help="Stop when standard input ends.")
def serve(settings: Settings, stop_with_parent: bool) -> None:
    """Run the server: API, uploads and a worker.

    The first start creates the data folder, an empty store and an administrator's credential. When the server is
    ready, it prints its address, the address of the console, and where the first key is. On Ctrl-C or SIGTERM it
    finishes the requests in progress, then stops.

    \b
    Example, with the AWS CLI in a second terminal:
      openprofiles serve
      eval "$(openprofiles env)"
      aws customer-profiles list-domains
    """
    # Here, so that --help does not wait for the web server's modules.
    with kept_imports():
        from openprofiles.logs import set_up_logs
        from openprofiles.server.run import run_server
        from openprofiles.server.supervise import stop_with_parent as stop_when_input_ends

    set_up_logs(settings.log_format)
    if stop_with_parent:
        stop_when_input_ends(partial(os.kill, os.getpid(), signal.SIGTERM))
    arguments, variables = hand_settings_on(settings)
    os.environ.update(variables)
    # -P: a folder of the same name where the server was started is not the program.
    worker_command = [sys.executable, "-P", "-m", "openprofiles", "worker", "--stop-with-parent", *arguments]
    run_server(settings, worker_command, partial(_announce, settings))


def _announce(settings: Settings, url: str) -> None:
    # The first line is for programs that start this one and wait for its address.
    click.echo(f"openprofiles listens on {url}")
    click.echo(f"Console: {url}/console/")
    # Another host of the same store, or somebody who has removed the file, does not have it.
    if settings.admin_credential_path.exists():
        click.echo(f"First access key and secret: {settings.admin_credential_path}")
    sys.stdout.flush()
