"""``openprofiles find [TEXT ...]``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from openprofiles.cli.options import domain_command, print_json, print_table
from openprofiles.cli.text_table import Column

if TYPE_CHECKING:
    from openprofiles.cli.place import Place

_MOST_PER_PAGE = 1_000
_MEMBERS = ("Name", "EmailAddress", "PhoneNumber", "AccountNumber", "City", "ProfileId")
_COLUMNS = (
    Column("NAME", shrinks_to=16),
    Column("EMAIL", shrinks_to=16),
    Column("PHONE"),
    Column("ACCOUNT", shrinks_to=10),
    Column("CITY", shrinks_to=10),
    Column("PROFILE"),
)


@click.command()
@click.argument("text", metavar="[TEXT]...", nargs=-1)
@domain_command("Domain of the customers.", "master_key")
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="Number of customers to print, those created last first.",
)
def find(place: Place, domain: str, output: str, text: tuple[str, ...], limit: int) -> None:
    """Find customers, or list all of them, those created last first.

    TEXT is the beginning of words of a name, company, email address, city or account number, or the first digits of a
    phone number. Case and accents do not matter. Customers of whom it is a whole email address, number or name come
    first. Without it, all customers of the domain are listed.

    \b
    Examples:
      openprofiles find schae --domain demo
      openprofiles find example.com --domain demo --limit 100
      openprofiles find 206 555 --domain demo --output json
    """
    place.transport.write_words(domain, lambda: click.echo("Indexing customers for the search ...", err=True))
    searched = {"Text": " ".join(text)} if text else {}
    found: list[dict[str, Any]] = []
    token: str | None = None
    is_complete = True
    while len(found) < limit:
        more = {} if token is None else {"NextToken": token}
        page = place.own(
            "FindProfiles", DomainName=domain, MaxResults=min(limit - len(found), _MOST_PER_PAGE), **searched, **more
        )
        found += page["Items"]
        is_complete = page["IsComplete"]
        token = page.get("NextToken")
        if token is None:
            break
    if output == "json":
        print_json([one | {name: _moment(one[name]) for name in ("CreatedAt", "UpdatedAt")} for one in found])
    elif found:
        print_table(_COLUMNS, [[str(one.get(name, "")) for name in _MEMBERS] for one in found])
    else:
        is_empty = not text and is_complete
        about = (
            f"The domain {domain} has no customers." if is_empty else f"No customer of the domain {domain} was found."
        )
        click.echo(about, err=True)
    if len(found) == limit and token is not None:
        click.echo("There are more. To see them, use a higher --limit or a longer text.", err=True)
    if not is_complete:
        click.echo(
            "An import is writing, or has just ended: customers that it wrote may be missing. Try again in a moment.",
            err=True,
        )


def _moment(seconds: float) -> str:
    """Write a time of the API as the other commands do."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
