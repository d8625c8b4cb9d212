"""``openprofiles mappings list | show | delete``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing

import click

from openprofiles.cli.command_group import CommandGroup
from openprofiles.cli.options import domain_command, print_json
from openprofiles.cli.place import open_place
from openprofiles.clock import from_epoch_seconds
from openprofiles.settings import Settings

_of_a_domain = domain_command("Domain of the mappings.")
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

    with closing(open_place(settings, endpoint_url)) as place:
        found = [(one["MappingName"], from_epoch_seconds(one["UpdatedAt"])) for one in place.list_mappings(domain)]
    if output == "json":
        print_json([{"name": name, "saved_at": saved_at and saved_at.isoformat()} for name, saved_at in found])
    elif found:
        rows = [(name, utc_text(saved_at)) for name, saved_at in found]
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

    with closing(open_place(settings, endpoint_url)) as place:
        kept = place.get_mapping(domain, name)
    mapping = read_mapping(kept["Fields"], kept["UniqueKey"], strict=False)
    goes_to = [(field.header, field.path) for field in mapping.fields]
    not_loaded = [header for header in kept["Columns"] if header not in dict(goes_to)]
    if output == "json":
        print_json(
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
    with closing(open_place(settings, endpoint_url)) as place:
        place.delete_mapping(domain, name)
    if output == "json":
        print_json({"name": name, "deleted": True})
    else:
        click.echo(f"The mapping {name} has been deleted.")


def _by_header(goes_to: Sequence[tuple[str, str]]) -> Mapping[str, str | list[str]]:
    """Map each header to its field; an API caller may map one to several."""
    fields: dict[str, list[str]] = {}
    for header, path in goes_to:
        fields.setdefault(header, []).append(path)
    return {header: paths[0] if len(paths) == 1 else paths for header, paths in fields.items()}
