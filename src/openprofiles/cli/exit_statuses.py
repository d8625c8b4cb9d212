"""How a command ends: its exit status, and one sentence for what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from openprofiles.errors import DomainError
from openprofiles.settings import SettingsError

EXIT_ALL_LOADED = 0
EXIT_SOME_FAILED = 1
EXIT_FAILED = 2
EXIT_INTERRUPTED = 130


class CommandFault(Exception):
    """The command cannot go on; the message says why and what to do."""


def exit_status_of_job(status: str) -> int:
    """The exit status of a command that followed an upload job to this end."""
    return {"SUCCEEDED": EXIT_ALL_LOADED, "PARTIALLY_SUCCEEDED": EXIT_SOME_FAILED}.get(status, EXIT_FAILED)


@contextmanager
def exit_statuses(of_fault: int) -> Iterator[None]:
    """Tells what goes wrong in the block, and ends the command with ``of_fault`` then, after Ctrl-C with 130."""
    try:
        yield
    except (CommandFault, DomainError, SettingsError) as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(of_fault) from error
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        raise SystemExit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read the output has gone; a job is not touched by that.
        raise SystemExit(of_fault) from None
    except Exception as error:  # noqa: BLE001  (the end of the command)
        from openprofiles.logs import describe_exception

        # Python's own traceback would tell what the exception says: perhaps a customer's value.
        click.echo(
            f"Error: openprofiles has a fault here. Please report it with this:\n{describe_exception(error)}", err=True
        )
        raise SystemExit(of_fault) from None
