"""``openprofiles version``."""

from __future__ import annotations

import platform
from importlib.metadata import version as installed
from importlib.util import find_spec

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
    """Name the versions of the program and of its databases; a client has none."""
    databases = ""
    if find_spec("pysqlite3") is not None:
        from openprofiles.store.sqlite import SQLITE_VERSION

        databases = f", SQLite {SQLITE_VERSION}, DuckDB {installed('duckdb')}"
    return f"openprofiles {openprofiles.__version__} (Python {platform.python_version()}{databases})"
