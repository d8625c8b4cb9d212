"""``openprofiles version``."""

from __future__ import annotations

import platform

import click

import openprofiles


@click.command()
def version() -> None:
    """Print the versions of openprofiles, Python, SQLite and DuckDB.

    \b
    Example:
      openprofiles version
    """
    click.echo(describe_version())


def describe_version() -> str:
    """Name the versions of the program and of its databases."""
    from importlib.metadata import version as installed

    from openprofiles.store.sqlite import SQLITE_VERSION

    return (
        f"openprofiles {openprofiles.__version__} (Python {platform.python_version()}, "
        f"SQLite {SQLITE_VERSION}, DuckDB {installed('duckdb')})"
    )
