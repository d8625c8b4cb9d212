"""``openprofiles env``."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import urllib.request
from dataclasses import dataclass
from urllib.parse import urlsplit

import click

from openprofiles.cli.options import settings_options
from openprofiles.settings import Settings, SettingsError

_HEALTH_TIMEOUT_SECONDS = 2.0

# What sends AWS programs elsewhere, or signs with something else, however the rest is set.
_UNSET = ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the server of a data folder listens."""

    url: str
    instance: str
    region: str


@click.command()
@settings_options("data_folder")
def env(settings: Settings) -> None:
    """Print the environment variables that AWS programs need.

    With it they use the server that runs on this data folder. The lines are for sh, bash and zsh. They set the
    endpoint, the administrator's keys and the region, exclude the server from proxies, and unset variables that would
    send the programs elsewhere. If no server runs, it prints nothing on standard output and fails.

    \b
    Example:
      eval "$(openprofiles env)"
      aws customer-profiles list-domains
    """
    from openprofiles.credentials.administer import read_admin_credential

    endpoint = find_running_server(settings)
    admin = read_admin_credential(settings)
    host = urlsplit(endpoint.url).hostname or ""
    values = {
        "AWS_ENDPOINT_URL_CUSTOMER_PROFILES": endpoint.url,
        "AWS_ACCESS_KEY_ID": admin.access_key_id,
        "AWS_SECRET_ACCESS_KEY": admin.secret_access_key,
        "AWS_REGION": endpoint.region,
        "AWS_DEFAULT_REGION": endpoint.region,
    }
    # Programs read one spelling or the other, so both get the hosts of both.
    hosts = [name.strip() for key in ("NO_PROXY", "no_proxy") for name in os.environ.get(key, "").split(",")]
    no_proxy = ",".join(dict.fromkeys(name for name in [*hosts, host] if name))
    values |= {"NO_PROXY": no_proxy, "no_proxy": no_proxy}
    for name, value in values.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    click.echo(f"unset {' '.join(_UNSET)}")


def find_running_server(settings: Settings) -> Endpoint:
    """The server that runs on the data folder at this moment.

    Raises:
        SettingsError: none does.
    """
    none_runs = SettingsError(
        f"No server is running on the data folder {settings.data_folder}. Start one with: openprofiles serve --data "
        f"{shlex.quote(str(settings.data_folder))}"
    )
    try:
        document = json.loads(settings.endpoint_path.read_bytes())
        endpoint = Endpoint(str(document["url"]), str(document["instance"]), str(document["region"]))
    except FileNotFoundError:
        raise none_runs from None
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{settings.endpoint_path} is damaged. Remove it and start the server again.") from error
    # A killed server leaves its address behind, where by now another may listen.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{endpoint.url}/healthz", timeout=_HEALTH_TIMEOUT_SECONDS) as answer:
            running = json.loads(answer.read()).get("instance")
    except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
        raise none_runs from error
    if running != endpoint.instance:
        raise none_runs
    return endpoint
