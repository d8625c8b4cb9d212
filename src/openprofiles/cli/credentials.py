"""``openprofiles credentials create | list | revoke | actions``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from openprofiles.cli.command_group import CommandGroup
from openprofiles.cli.options import print_json, settings_options
from openprofiles.clock import utc_now
from openprofiles.credentials.roles import ROLES
from openprofiles.settings import PostgresqlUrl, Settings

if TYPE_CHECKING:
    from openprofiles.store.connections import Store

_output = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Output format: text for people, json for programs.",
)


@click.group(cls=CommandGroup)
def credentials() -> None:
    """Create, list and revoke the access keys that programs sign requests with.

    The commands work on the data folder directly, whether or not a server runs on it. A running server applies a change
    within a second.
    """


@credentials.command()
@settings_options("data_folder", "store", "master_key")
@click.option(
    "--name", required=True, help="Name that shows what the credential is for, such as the program that uses it."
)
@click.option(
    "--role",
    type=click.Choice(tuple(ROLES)),
    help="The actions of a role: viewer reads domains, profiles, jobs and failed rows; loader also loads files, undoes "
    "loads and saves mappings; admin may do everything.  [default: admin, unless --action is given]",
)
@click.option(
    "--action",
    "actions",
    multiple=True,
    metavar="PATTERN",
    help="An action that the credential allows, such as profile:GetUploadJob or profile:List*, in addition to those of "
    "--role. Can be repeated. `openprofiles credentials actions` lists them.",
)
@click.option(
    "--domain",
    "domains",
    multiple=True,
    default=("*",),
    show_default=True,
    metavar="PATTERN",
    help="A domain that the credential gives access to: a name, such as sales, or a prefix, such as sales-*. "
    "Can be repeated.",
)
@click.option(
    "--requests-per-second",
    type=float,
    metavar="RATE",
    help="Rate limit; requests above it are answered with ThrottlingException.  [default: no limit]",
)
@_output
def create(
    settings: Settings,
    name: str,
    role: str | None,
    actions: tuple[str, ...],
    domains: tuple[str, ...],
    requests_per_second: float | None,
    output: str,
) -> None:
    """Create a credential and print its secret, which is not shown again.

    \b
    Examples: a program that only reads the sales domains, and one that only searches:
      openprofiles credentials create --name reports --domain 'sales-*' --role viewer
      openprofiles credentials create --name search --action profile:SearchProfiles

    profile:Get* allows more than reading: GetUploadJobPath lets its caller replace the file of a waiting job.
    """
    from openprofiles.credentials.administer import create_credential
    from openprofiles.errors import InvalidRequest
    from openprofiles.master_key import load_master_key

    allowed = (*ROLES.get(role or "", ()), *actions) or ROLES["admin"]
    with _opened_or_made(settings) as store:
        try:
            _refuse_unknown_operations(actions)
            made = create_credential(
                store,
                load_master_key(settings),
                name=name,
                actions=allowed,
                domains=domains,
                requests_per_second=requests_per_second,
                now=utc_now(),
            )
        except InvalidRequest as error:
            raise click.UsageError(str(error)) from error
        for message in _doubts_about(domains, store):
            click.echo(f"Warning: {message}", err=True)
    if output == "json":
        click.echo(
            json.dumps({"name": name, "access_key_id": made.access_key_id, "secret_access_key": made.secret_access_key})
        )
    else:
        click.echo(f"Access key id:     {made.access_key_id}")
        click.echo(f"Secret access key: {made.secret_access_key}")
        click.echo("Save the secret now; it is not shown again.", err=True)


@credentials.command("list")
@settings_options("data_folder", "store", "master_key")
@_output
def list_(settings: Settings, output: str) -> None:
    """List the credentials, revoked ones too, without their secrets.

    \b
    Example:
      openprofiles credentials list --output json
    """
    from openprofiles.credentials.administer import read_credentials
    from openprofiles.store.open import open_existing_store

    with closing(open_existing_store(settings)) as store:
        stored = read_credentials(store)
    if output == "json":
        document = [
            {
                "access_key_id": each.access_key_id,
                "name": each.name,
                "actions": each.actions,
                "domains": each.domains,
                "requests_per_second": each.requests_per_second,
                "created_at": each.created_at.isoformat(),
                "revoked_at": each.revoked_at.isoformat() if each.revoked_at else None,
            }
            for each in stored
        ]
        print_json(document)
        return
    for each in stored:
        rate = "" if each.requests_per_second is None else f", {each.requests_per_second:g} requests per second"
        state = f"  REVOKED {each.revoked_at:%Y-%m-%d %H:%M}Z" if each.revoked_at else ""
        click.echo(f"{each.access_key_id}  {each.name}{state}")
        click.echo(f"  allows {', '.join(each.actions)} on {', '.join(each.domains)}{rate}")


@credentials.command()
@settings_options("data_folder", "store", "master_key")
@click.argument("access_key_id")
def revoke(settings: Settings, access_key_id: str) -> None:
    """Revoke a credential permanently. A running server refuses it within a second.

    \b
    Example:
      openprofiles credentials revoke OPABCDEFGHIJKLMNOPQR
    """
    from openprofiles.credentials.administer import revoke_credential
    from openprofiles.store.open import open_existing_store

    with closing(open_existing_store(settings)) as store:
        revoke_credential(store, access_key_id, utc_now())
    click.echo(f"{access_key_id} has been revoked.")


@credentials.command()
def actions() -> None:
    """List the actions that a credential can allow, one on each line.

    Each line ends with the roles that include the action.

    \b
    Example:
      openprofiles credentials actions
    """
    from openprofiles.credentials.principal import matches
    from openprofiles.operations.registry import handlers
    from openprofiles.wire.model import own_actions

    names = [*sorted(f"profile:{name}" for name in handlers()), *own_actions()]
    width = max(map(len, names))
    for name in names:
        of_roles = [role for role, patterns in ROLES.items() if any(matches(pattern, name) for pattern in patterns)]
        click.echo(f"{name:<{width}}  {', '.join(of_roles)}")


def _doubts_about(patterns: Sequence[str], store: Store) -> Iterator[str]:
    """List the domains that do not exist, each as a warning: they may be created later."""
    from openprofiles.cli.existing_domain import domain_names
    from openprofiles.cli.missing_domain import describe_missing_domain
    from openprofiles.credentials.principal import matches

    known = domain_names(store)
    for pattern in patterns:
        if any(matches(pattern, name) for name in known):
            continue
        if "*" not in pattern:
            yield f"{describe_missing_domain(pattern, known)} The credential will allow it once it is created."
        elif pattern != "*":
            yield f"There is no domain that matches {pattern}. The credential will allow those that are created."


def _refuse_unknown_operations(actions: tuple[str, ...]) -> None:
    from openprofiles.credentials.principal import matches
    from openprofiles.errors import InvalidRequest
    from openprofiles.uploads.mappings.likely_names import did_you_mean, names_like
    from openprofiles.wire.model import load_model, own_actions

    known = [*(f"profile:{name}" for name in load_model().operations), *own_actions()]
    for pattern in actions:
        if ":" in pattern and not any(matches(pattern, action) for action in known):
            raise InvalidRequest(
                f"{pattern!r} matches no operation of the API.{did_you_mean(names_like(pattern, known))} Names "
                "are case-sensitive. `openprofiles credentials actions` lists them all."
            )


@contextmanager
def _opened_or_made(settings: Settings) -> Iterator[Store]:
    from openprofiles.credentials.administer import ensure_admin_credential
    from openprofiles.master_key import load_master_key
    from openprofiles.store.open import open_store

    is_new = not isinstance(settings.store, PostgresqlUrl) and not settings.store_path.exists()
    with closing(open_store(settings)) as store:
        # The first command that opens a new data folder completes it.
        ensure_admin_credential(settings, store, load_master_key(settings), utc_now())
        if is_new:
            click.echo(f"Created the store {settings.store_path}, which did not exist.", err=True)
        yield store
