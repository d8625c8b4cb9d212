"""Text that a command reads from a file or from standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.words import source_name


def read_text(file: Path) -> str:
    """Read a file as text; ``-`` is standard input.

    Raises:
        CommandFault: it cannot be read, or is not UTF-8.
    """
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read().decode("utf-8")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CommandFault(f"{source_name(file)} cannot be read: {reason}.") from None
