"""``openprofiles calculated-attributes list | show | create | delete | of``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from openprofiles.cli.command_group import CommandGroup
from openprofiles.cli.options import Name, domain_command, print_json, print_table
from openprofiles.cli.terminal_text import shown
from openprofiles.cli.text_table import Column
from openprofiles.cli.words import source_name, utc_text

if TYPE_CHECKING:
    from openprofiles.cli.place import Place

_of_a_domain = domain_command("Domain of the calculated attributes.")
_name = click.argument("name", metavar="NAME", type=Name("calculated attribute"))
_CREATE = "CreateCalculatedAttributeDefinition"


@click.group("calculated-attributes", cls=CommandGroup)
def calculated_attributes() -> None:
    """Define values that are computed from a customer's objects, and print a customer's.

    \b
    Example:
      openprofiles calculated-attributes of ada@example.com --domain demo
    """


@calculated_attributes.command("list")
@_of_a_domain
def list_(place: Place, domain: str, output: str) -> None:
    """List a domain's calculated attributes by name. Those that begin with _ come with every domain.

    \b
    Example:
      openprofiles calculated-attributes list --domain demo
    """
    found = list(place.call_items("ListCalculatedAttributeDefinitions", DomainName=domain))
    if output == "json":
        print_json(found)
        return
    rows = [
        (
            one["CalculatedAttributeName"],
            one.get("DisplayName") or "",
            one.get("Description") or "",
            utc_text(one["LastUpdatedAt"]) if one.get("LastUpdatedAt") else "",
        )
        for one in found
    ]
    columns = (
        Column("NAME"),
        Column("DISPLAY NAME", shrinks_to=20),
        Column("DESCRIPTION", shrinks_to=20),
        Column("UPDATED AT"),
    )
    print_table(columns, rows)


@calculated_attributes.command()
@_name
@_of_a_domain
def show(place: Place, domain: str, output: str, name: str) -> None:
    """Print a calculated attribute as JSON, in the form that `create` reads.

    \b
    Example:
      openprofiles calculated-attributes show _orders_count --domain demo > orders.json
    """
    from openprofiles.wire.model import load_model

    del output  # It is JSON in any case.
    found = place.call("GetCalculatedAttributeDefinition", DomainName=domain, CalculatedAttributeName=name)
    given = load_model().operations[_CREATE].input.members
    print_json(
        {
            member: found[member]
            for member in given
            if found.get(member) is not None and member != "CalculatedAttributeName"
        }
    )


@calculated_attributes.command()
@_name
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@_of_a_domain
def create(place: Place, domain: str, output: str, name: str, file: Path) -> None:
    """Create a calculated attribute.

    FILE is a JSON object with the members of CreateCalculatedAttributeDefinition, such as AttributeDetails, Statistic
    and Conditions. `-` reads it from standard input.

    \b
    Example:
      openprofiles calculated-attributes create spent spent.json --domain demo
    """
    from openprofiles.cli.api_requests import checked_request
    from openprofiles.cli.json_file import read_json_object
    from openprofiles.wire.model import load_model

    members = read_json_object(file, f"the members of {_CREATE}")
    request = {**members, "DomainName": domain, "CalculatedAttributeName": name}
    checked_request(load_model(), _CREATE, request, source=source_name(file))
    made = place.call(_CREATE, **request)
    if output == "json":
        print_json(made)
    else:
        click.echo(f"The calculated attribute {name} has been created.")


@calculated_attributes.command()
@_name
@click.option("--yes", is_flag=True, help="Do not ask.")
@_of_a_domain
def delete(place: Place, domain: str, output: str, name: str, *, yes: bool) -> None:
    """Delete a calculated attribute. Segments that use it fail until it is created again.

    \b
    Example:
      openprofiles calculated-attributes delete spent --domain demo
    """
    if not yes:
        click.confirm(f"Delete the calculated attribute {name}?", abort=True, err=True)
    place.call("DeleteCalculatedAttributeDefinition", DomainName=domain, CalculatedAttributeName=name)
    if output == "json":
        print_json({"name": name, "deleted": True})
    else:
        click.echo(f"The calculated attribute {name} has been deleted.")


@calculated_attributes.command()
@click.argument("customer", metavar="CUSTOMER")
@_of_a_domain
def of(place: Place, domain: str, output: str, customer: str) -> None:
    """Print the calculated attributes of a customer that have a value.

    CUSTOMER is a profile id, an email address, a phone number, an account number or a full name.

    \b
    Example:
      openprofiles calculated-attributes of ada@example.com --domain demo
    """
    from openprofiles.cli.find_profile import find_profile_id

    profile_id = find_profile_id(place, domain, customer)
    listed = place.call_items("ListCalculatedAttributesForProfile", DomainName=domain, ProfileId=profile_id)
    found = [one for one in listed if one.get("Value") is not None]
    if output == "json":
        print_json(found)
        return
    rows = [
        (
            one["CalculatedAttributeName"],
            shown(one["Value"]),
            "partial" if one.get("IsDataPartial") == "true" else "",
            utc_text(one["LastObjectTimestamp"]) if one.get("LastObjectTimestamp") else "",
        )
        for one in found
    ]
    print_table((Column("NAME"), Column("VALUE", shrinks_to=20), Column("DATA"), Column("LAST OBJECT AT")), rows)
