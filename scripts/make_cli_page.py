"""Write docs/cli.md: the help of every command, as the program prints it.

python scripts/make_cli_page.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from openprofiles.cli.exit_statuses import EXIT_STATUSES
from openprofiles.cli.main import openprofiles

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"

_WIDTH = 100
_INTRODUCTION = """\
# The command line

`make example` generates this page from `--help`.

## Exit statuses

| Status | Meaning |
| --- | --- |
"""


def make_cli_page() -> str:
    """Return the whole page."""
    root = click.Context(openprofiles, info_name="openprofiles", terminal_width=_WIDTH, **openprofiles.context_settings)
    statuses = "".join(f"| {status} | {meaning} |\n" for status, meaning in EXIT_STATUSES.items())
    return "\n".join([_INTRODUCTION + statuses, *(_section(context) for context in _walk(root))])


def _walk(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None, name
            yield from _walk(click.Context(command, info_name=name, parent=context))


def _section(context: click.Context) -> str:
    return f"## {context.command_path}\n\n```text\n{context.command.get_help(context)}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(make_cli_page(), encoding="utf-8")
    print(f"wrote {PAGE}")
