"""``openprofiles mappings list | show | delete``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from openprofiles.cli.command_group import CommandGroup
from openprofiles.cli.options import Name, domain_command, print_json, print_table
from openprofiles.cli.text_table import Column
from openprofiles.cli.words import iso_text, utc_text

if TYPE_CHECKING:
    from openprofiles.cli.place import Place

_of_a_domain = domain_command("Domain of the mappings.")
_mapping_name = click.argument("name", metavar="NAME", type=Name("mapping"))


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
def list_(place: Place, domain: str, output: str) -> None:
    """List a domain's mappings by name.

    Times are in UTC.

    \b
    Example:
      openprofiles mappings list --domain demo
    """
    found = list(place.own_items("ListMappings", DomainName=domain))
    if output == "json":
        print_json([{"name": one["MappingName"], "saved_at": iso_text(one["UpdatedAt"])} for one in found])
    elif found:
        rows = [(one["MappingName"], utc_text(one["UpdatedAt"])) for one in found]
        print_table((Column("NAME"), Column("SAVED AT")), rows)
    else:
        click.echo(f"The domain {domain} has no mapping.", err=True)


@mappings.command()
@_mapping_name
@_of_a_domain
def show(place: Place, domain: str, output: str, name: str) -> None:
    """Show where a mapping's columns go, and its unique key.

    \b
    Example:
      openprofiles mappings show crm --domain demo
    """
    from openprofiles.cli.job_summary import fields_by_header
    from openprofiles.cli.job_tables import mapping_lines
    from openprofiles.cli.terminal_text import terminal_width
    from openprofiles.uploads.mappings.upload_mapping import read_mapping

    kept = place.own("GetMapping", DomainName=domain, MappingName=name)
    mapping = read_mapping(kept["Fields"], kept["UniqueKey"], strict=False)
    goes_to = fields_by_header(mapping)
    not_loaded = [header for header in kept["Columns"] if header not in goes_to]
    if output == "json":
        print_json(
            {
                "name": name,
                "unique_key": mapping.unique_key.header,
                "mapping": goes_to,
                "columns_not_loaded": not_loaded,
            }
        )
        return
    click.echo(f"Mapping {name} of the domain {domain}")
    for line in mapping_lines(mapping, not_loaded, terminal_width()):
        click.echo(line)


@mappings.command()
@_mapping_name
@_of_a_domain
def delete(place: Place, domain: str, output: str, name: str) -> None:
    """Delete a mapping. Jobs and profiles that were loaded with it stay as they are.

    \b
    Example:
      openprofiles mappings delete crm --domain demo
    """
    place.own("DeleteMapping", DomainName=domain, MappingName=name)
    if output == "json":
        print_json({"name": name, "deleted": True})
    else:
        click.echo(f"The mapping {name} has been deleted.")
