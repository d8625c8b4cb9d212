"""``openprofiles credentials create | list | revoke``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from openprofiles.cli.options import settings_options
from openprofiles.clock import utc_now
from openprofiles.settings import PostgresqlUrl, Settings

if TYPE_CHECKING:
    from openprofiles.store.connections import Store

_output = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text for people, json for programs.",
)


@click.group()
def credentials() -> None:
    """Make, list and revoke access keys.

    Programs sign their requests with them. This works on the data folder directly; the server may run or not. A change
    reaches a running server within a second.
    """


@credentials.command()
@settings_options("data_folder", "store", "master_key")
@click.option("--name", required=True, help="What the credential is for, to recognise it by.")
@click.option(
    "--action",
    "actions",
    multiple=True,
    default=("*",),
    show_default=True,
    metavar="PATTERN",
    help="What it may do, such as profile:GetUploadJob or profile:List*. Can be given several times.",
)
@click.option(
    "--domain",
    "domains",
    multiple=True,
    default=("*",),
    show_default=True,
    metavar="PATTERN",
    help="The domains it may use, such as sales or sales-*. Can be given several times.",
)
@click.option(
    "--requests-per-second",
    type=float,
    metavar="RATE",
    help="Answer more requests than this with ThrottlingException.  [default: no limit]",
)
@_output
def create(
    settings: Settings,
    name: str,
    actions: tuple[str, ...],
    domains: tuple[str, ...],
    requests_per_second: float | None,
    output: str,
) -> None:
    """Make a credential and print its secret.

    The secret is shown only now.

    \b
    Example, one that can only read the domains of sales:
      openprofiles credentials create --name reports --domain 'sales-*' \\
        --action profile:GetDomain --action profile:GetUploadJob \\
        --action 'profile:List*' --action profile:SearchProfiles

    profile:Get* would be more than reading: with GetUploadJobPath one can replace the file of a waiting job.
    """
    from openprofiles.credentials.administer import create_credential
    from openprofiles.errors import InvalidRequest
    from openprofiles.master_key import load_master_key

    with _opened_or_made(settings) as store:
        try:
            _refuse_unknown_operations(actions)
            made = create_credential(
                store,
                load_master_key(settings),
                name=name,
                actions=actions,
                domains=domains,
                requests_per_second=requests_per_second,
                now=utc_now(),
            )
        except InvalidRequest as error:
            raise click.UsageError(str(error)) from error
    if output == "json":
        click.echo(
            json.dumps({"name": name, "access_key_id": made.access_key_id, "secret_access_key": made.secret_access_key})
        )
    else:
        click.echo(f"Access key id:     {made.access_key_id}")
        click.echo(f"Secret access key: {made.secret_access_key}")
        click.echo("Keep the secret now; it is not shown again.", err=True)


@credentials.command("list")
@settings_options("data_folder", "store", "master_key")
@_output
def list_(settings: Settings, output: str) -> None:
    """List the credentials, revoked ones too.

    Secrets are never shown.

    \b
    Example:
      openprofiles credentials list --output json
    """
    from openprofiles.credentials.administer import read_credentials

    with _opened(settings) as store:
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
        click.echo(json.dumps(document, indent=2))
        return
    for each in stored:
        rate = "" if each.requests_per_second is None else f", {each.requests_per_second:g} requests per second"
        state = f"  REVOKED {each.revoked_at:%Y-%m-%d %H:%M}Z" if each.revoked_at else ""
        click.echo(f"{each.access_key_id}  {each.name}{state}")
        click.echo(f"  may do {', '.join(each.actions)} on {', '.join(each.domains)}{rate}")


@credentials.command()
@settings_options("data_folder", "store", "master_key")
@click.argument("access_key_id")
def revoke(settings: Settings, access_key_id: str) -> None:
    """Make a credential worthless, for good.

    A running server refuses it within a second.

    \b
    Example:
      openprofiles credentials revoke OPABCDEFGHIJKLMNOPQR
    """
    from openprofiles.credentials.administer import revoke_credential

    with _opened(settings) as store:
        revoke_credential(store, access_key_id, utc_now())
    click.echo(f"{access_key_id} is revoked.")


def _refuse_unknown_operations(actions: tuple[str, ...]) -> None:
    from openprofiles.credentials.principal import matches
    from openprofiles.errors import InvalidRequest
    from openprofiles.wire.model import load_model

    known = [f"profile:{name}" for name in load_model().operations]
    for pattern in actions:
        if pattern.startswith("profile:") and not any(matches(pattern, action) for action in known):
            raise InvalidRequest(f"{pattern!r} matches no operation of the API. Upper and lower case matter.")


@contextmanager
def _opened(settings: Settings) -> Iterator[Store]:
    from openprofiles.store.open import open_existing_store

    store = open_existing_store(settings)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _opened_or_made(settings: Settings) -> Iterator[Store]:
    from openprofiles.credentials.administer import ensure_admin_credential
    from openprofiles.master_key import load_master_key
    from openprofiles.store.open import open_store

    is_new = not isinstance(settings.store, PostgresqlUrl) and not settings.store_path.exists()
    store = open_store(settings)
    try:
        # Whatever opens a new data folder first makes it complete.
        ensure_admin_credential(settings, store, load_master_key(settings), utc_now())
        if is_new:
            click.echo(f"There was no store {settings.store_path}. It was made now.", err=True)
        yield store
    finally:
        store.close()
