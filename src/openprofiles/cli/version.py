"""``openprofiles version``."""

from __future__ import annotations

import platform

import click

import openprofiles


@click.command()
def version() -> None:
    """Print the version of openprofiles and of what it stands on.

    \b
    Example:
      openprofiles version
    """
    from importlib.metadata import version as installed

    from openprofiles.store.sqlite import SQLITE_VERSION

    click.echo(
        f"openprofiles {openprofiles.__version__} (Python {platform.python_version()}, "
        f"SQLite {SQLITE_VERSION}, DuckDB {installed('duckdb')})"
    )
