"""``openprofiles object-types list | show | put | delete | templates | detect``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from openprofiles.cli.command_group import CommandGroup
from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.options import domain_command, print_json, print_table
from openprofiles.cli.text_source import read_text
from openprofiles.cli.text_table import Column
from openprofiles.cli.words import count_of, source_name, utc_text
from openprofiles.errors import InvalidRequest
from openprofiles.objects.definition_texts import definition_members, read_definition_text

if TYPE_CHECKING:
    from openprofiles.cli.place import Place

_of_a_domain = domain_command("Domain of the object types.")
_type_name = click.argument("name", metavar="NAME")
_MAX_SAMPLES = 5


@click.group("object-types", cls=CommandGroup)
def object_types() -> None:
    """List, show, define and delete a domain's object types.

    An object type says how an object of another system, such as an order, finds its profile, and which fields it fills.

    \b
    Example:
      openprofiles object-types list --domain demo
    """


@object_types.command("list")
@_of_a_domain
def list_(place: Place, domain: str, output: str) -> None:
    """List a domain's object types by name.

    \b
    Example:
      openprofiles object-types list --domain demo
    """
    found = list(place.call_items("ListProfileObjectTypes", DomainName=domain))
    if output == "json":
        print_json(found)
    elif found:
        rows = [
            (
                one["ObjectTypeName"],
                one["Description"],
                str(one.get("SourcePriority", "")),
                utc_text(one["LastUpdatedAt"]),
            )
            for one in found
        ]
        columns = (Column("NAME"), Column("DESCRIPTION", shrinks_to=20), Column("PRIORITY"), Column("UPDATED AT"))
        print_table(columns, rows)
    else:
        click.echo(f"The domain {domain} has no object type.", err=True)


@object_types.command()
@_type_name
@_of_a_domain
def show(place: Place, domain: str, output: str, name: str) -> None:
    """Print the definition of an object type as JSON, in the form that `put` reads.

    \b
    Example:
      openprofiles object-types show Orders --domain demo > orders.json
    """
    del output  # It is JSON in any case.
    found = place.call("GetProfileObjectType", DomainName=domain, ObjectTypeName=name)
    print_json(definition_members(found))


@object_types.command()
@_type_name
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@_of_a_domain
def put(place: Place, domain: str, output: str, name: str, file: Path) -> None:
    """Define an object type, or replace its definition.

    FILE is a JSON object with the members of PutProfileObjectType, such as Description, TemplateId, Fields and Keys.
    `-` reads it from standard input. Objects that were ingested before stay as they are.

    \b
    Examples:
      openprofiles object-types put Orders orders.json --domain demo
      echo '{"TemplateId": "Shopify-Order"}' | openprofiles object-types put Orders - --domain demo
    """
    from openprofiles.cli.api_requests import checked_request
    from openprofiles.wire.model import load_model

    try:
        members = read_definition_text(read_text(file), source_name(file), name)
    except InvalidRequest as error:
        raise CommandFault(str(error)) from None
    names = {"DomainName": domain, "ObjectTypeName": name}
    checked_request(load_model(), "GetProfileObjectType", names)
    request = {**names, **members}
    checked_request(load_model(), "PutProfileObjectType", request, source=source_name(file))
    made = place.call("PutProfileObjectType", **request)
    if output == "json":
        print_json(made)
    else:
        click.echo(
            f"The object type {name} has {count_of(len(made.get('Fields', {})), 'field')} and "
            f"{count_of(len(made.get('Keys', {})), 'key')}."
        )


@object_types.command()
@_type_name
@click.option("--yes", is_flag=True, help="Do not ask.")
@_of_a_domain
def delete(place: Place, domain: str, output: str, name: str, *, yes: bool) -> None:
    """Delete an object type with its objects and dead letters.

    The fields of profiles that its objects have given get the value of the best object of another type, or lose theirs.
    A worker does that within minutes. The dead letters go at once.

    \b
    Example:
      openprofiles object-types delete Orders --domain demo
    """
    if not yes:
        click.confirm(f"Delete the object type {name} and all of its objects?", abort=True, err=True)
    place.call("DeleteProfileObjectType", DomainName=domain, ObjectTypeName=name)
    if output == "json":
        print_json({"name": name, "deleted": True})
    else:
        click.echo(f"The object type {name} has been deleted. A worker removes its objects.")


@object_types.command()
@click.argument("template", metavar="[TEMPLATE]", required=False)
@_of_a_domain
def templates(place: Place, domain: str, output: str, template: str | None) -> None:
    """List AWS's templates of object types, or print one as JSON.

    \b
    Examples:
      openprofiles object-types templates --domain demo
      openprofiles object-types templates Shopify-Order --domain demo
    """
    del domain  # Templates are the same in all domains.
    if template is not None:
        print_json(place.call("GetProfileObjectTypeTemplate", TemplateId=template))
        return
    page = place.call("ListProfileObjectTypeTemplates", MaxResults=100)
    if output == "json":
        print_json(page["Items"])
    else:
        click.echo("\n".join(one["TemplateId"] for one in page["Items"]))


@object_types.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@_of_a_domain
def detect(place: Place, domain: str, output: str, file: Path) -> None:
    """Suggest a definition from sample objects, as JSON that `put` reads.

    FILE has one to five objects in JSON, one per line; `-` reads them from standard input.

    \b
    Example:
      openprofiles object-types detect sample.jsonl --domain demo > orders.json
    """
    del output  # It is JSON in any case.
    lines = [line for line in read_text(file).splitlines() if line.strip()]
    if not 0 < len(lines) <= _MAX_SAMPLES:
        raise CommandFault(
            f"{source_name(file)} has {count_of(len(lines), 'line')}. Give 1 to {_MAX_SAMPLES} objects, one per line."
        )
    found = place.call("DetectProfileObjectType", DomainName=domain, Objects=lines)["DetectedProfileObjectTypes"]
    if not found:
        raise CommandFault(
            "The objects have no member that identifies them, or none that finds a customer. They need an id of their "
            "own, and an email address, a customer number or a phone number."
        )
    print_json({"AllowProfileCreation": True, **found[0]})
