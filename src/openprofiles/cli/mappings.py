"""``openprofiles mappings list | show | delete``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click

from openprofiles.cli.command_group import CommandGroup
from openprofiles.cli.mapping_place import open_mapping_place
from openprofiles.cli.options import domain_option, endpoint_url_option, output_option, settings_options
from openprofiles.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


def _of_a_domain(command: F) -> F:
    for decorate in (
        settings_options("data_folder", "store"),
        output_option,
        endpoint_url_option("Work through"),
        domain_option("Domain of the mappings."),
    ):
        command = decorate(command)
    return command


_mapping_name = click.argument("name", metavar="NAME")


@click.group(cls=CommandGroup)
def mappings() -> None:
    """List, show and delete a domain's saved mappings.

    A mapping says which column of a file goes to which field, and which column is the unique key. With `openprofiles
    import`, --save-mapping saves a mapping and --mapping uses it.

    \b
    Example:
      openprofiles mappings list --domain demo
    """


@mappings.command("list")
@_of_a_domain
def list_(settings: Settings, domain: str, endpoint_url: str | None, output: str) -> None:
    """List a domain's mappings by name.

    Times are in UTC.

    \b
    Example:
      openprofiles mappings list --domain demo
    """
    from openprofiles.cli.job_tables import utc_text
    from openprofiles.cli.terminal_text import terminal_width
    from openprofiles.cli.text_table import Column, table_lines

    with open_mapping_place(settings, endpoint_url, domain) as place:
        found = place.list_names()
    if output == "json":
        _print_json([{"name": one.name, "saved_at": _iso(one.saved_at)} for one in found])
    elif found:
        rows = [(one.name, utc_text(one.saved_at)) for one in found]
        click.echo("\n".join(table_lines((Column("NAME"), Column("SAVED AT")), rows, terminal_width())))
    else:
        click.echo(f"The domain {domain} has no mapping.", err=True)


@mappings.command()
@_mapping_name
@_of_a_domain
def show(settings: Settings, domain: str, endpoint_url: str | None, output: str, name: str) -> None:
    """Show where a mapping's columns go, and its unique key.

    \b
    Example:
      openprofiles mappings show crm --domain demo
    """
    from openprofiles.cli.job_tables import mapping_lines
    from openprofiles.cli.terminal_text import terminal_width
    from openprofiles.uploads.mappings.upload_mapping import read_mapping

    with open_mapping_place(settings, endpoint_url, domain) as place:
        kept = place.read(name)
    mapping = read_mapping(kept.fields, kept.unique_key, strict=False)
    goes_to = [(field.header, field.path) for field in mapping.fields]
    not_loaded = [header for header in kept.columns if header not in dict(goes_to)]
    if output == "json":
        _print_json(
            {
                "name": name,
                "unique_key": mapping.unique_key.header,
                "mapping": _by_header(goes_to),
                "columns_not_loaded": not_loaded,
            }
        )
        return
    click.echo(f"Mapping {name} of the domain {domain}")
    for line in mapping_lines(goes_to, mapping.unique_key.path, not_loaded, terminal_width()):
        click.echo(line)


@mappings.command()
@_mapping_name
@_of_a_domain
def delete(settings: Settings, domain: str, endpoint_url: str | None, output: str, name: str) -> None:
    """Delete a mapping. Jobs and profiles that were loaded with it stay as they are.

    \b
    Example:
      openprofiles mappings delete crm --domain demo
    """
    with open_mapping_place(settings, endpoint_url, domain) as place:
        place.delete(name)
    if output == "json":
        _print_json({"name": name, "deleted": True})
    else:
        click.echo(f"The mapping {name} has been deleted.")


def _by_header(goes_to: Sequence[tuple[str, str]]) -> Mapping[str, str | list[str]]:
    """Map each header to its field; an API caller may map one to several."""
    fields: dict[str, list[str]] = {}
    for header, path in goes_to:
        fields.setdefault(header, []).append(path)
    return {header: paths[0] if len(paths) == 1 else paths for header, paths in fields.items()}


def _iso(moment: datetime) -> str:
    return moment.isoformat()


def _print_json(document: Any) -> None:
    click.echo(json.dumps(document, indent=2))
