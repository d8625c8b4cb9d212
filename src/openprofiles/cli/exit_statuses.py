"""How every command ends: its exit status, and one sentence about what went wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from openprofiles.disk_faults import disk_fault
from openprofiles.errors import DomainError
from openprofiles.missing_packages import describe_missing_package
from openprofiles.settings import SettingsError

EXIT_DONE = 0
EXIT_INCOMPLETE = 1
EXIT_FAILED = 2
EXIT_INTERRUPTED = 130
# 128 + SIGPIPE, which a shell shows for any program that writes to a closed pipe.
EXIT_PIPE_CLOSED = 141

# The table of docs/cli.md. It applies to all commands.
EXIT_STATUSES = {
    EXIT_DONE: "The command succeeded. After an import: every row was loaded.",
    EXIT_INCOMPLETE: "The command succeeded in part: some rows failed, an undo kept some profiles because they have "
    "been changed since, or a customer is not in a segment as a test expects.",
    EXIT_FAILED: "The command failed, and standard error shows why. For example, an option is wrong, the store, domain "
    "or job does not exist, the server is not responding, or the job failed or was stopped. Also after an import that "
    "only printed suggestions.",
    EXIT_INTERRUPTED: "You pressed Ctrl-C.",
    EXIT_PIPE_CLOSED: "The program that reads the output, such as `head`, exited before the command did. If a load had "
    "begun by then, `import` returns the status of the load instead.",
}


class CommandFault(Exception):
    """The command cannot continue; the message says why and what to do."""


class Refused(CommandFault):
    """An operation refuses its request, or cannot do what it asks for; ``code``: as the API has it."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class MissingDomain(CommandFault):
    """An operation was called for a domain that does not exist."""


def exit_status_of_job(status: str) -> int:
    """Return the exit status of a command that followed an upload job to this end."""
    return {"SUCCEEDED": EXIT_DONE, "PARTIALLY_SUCCEEDED": EXIT_INCOMPLETE}.get(status, EXIT_FAILED)


def discard_output() -> None:
    """Discard what is still to be written to a closed pipe."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            # The stream keeps what it could not write, and Python would report it at its end.
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())


@contextmanager
def exit_statuses() -> Iterator[None]:
    """Print an error of the block, and end the command with its status."""
    try:
        yield
    except click.ClickException as error:
        # click itself would end with 1 for some of them.
        error.show()
        raise SystemExit(EXIT_FAILED) from error
    except (click.exceptions.Exit, click.Abort):
        raise
    except (CommandFault, DomainError, SettingsError) as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(EXIT_FAILED) from error
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        raise SystemExit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        discard_output()
        raise SystemExit(EXIT_PIPE_CLOSED) from None
    except Exception as error:
        fault: object = disk_fault(error) if isinstance(error, OSError) else None
        if isinstance(error, ModuleNotFoundError):
            fault = describe_missing_package(error)
        if fault is not None:
            click.echo(f"Error: {fault}", err=True)
            raise SystemExit(EXIT_FAILED) from error
        from openprofiles.logs import describe_exception

        # Python's own traceback would print what the exception says: perhaps a customer's value.
        click.echo(
            f"Error: This is a bug in openprofiles. Please report it with these details:\n{describe_exception(error)}",
            err=True,
        )
        raise SystemExit(EXIT_FAILED) from None
