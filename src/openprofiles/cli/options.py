"""Options that several commands share. Each can be given as an environment variable instead."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from openprofiles.settings import Settings, SettingsError, parse_files, parse_store

F = TypeVar("F", bound=Callable[..., Any])

_DEFAULTS = Settings()

# The form of a domain's name (service model, shape name).
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")

_SIZE_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


class Size(click.ParamType[int]):
    """A number of bytes: 1000000, 500MB, 10GiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ARG002
        if isinstance(value, int):
            return value
        digits = value.rstrip("BbGgIiKkMm ")
        factor = _SIZE_UNITS.get(value[len(digits) :].strip().upper())
        if not (digits.isascii() and digits.isdigit()) or factor is None:
            self.fail(
                f"{value!r} is not a valid size. Write a number of bytes, or a whole number of KB, MB, GB, MiB or GiB."
            )
        return int(digits) * factor


class UpperCaseChoice(click.Choice[str]):
    """One of several words in upper case, which can be typed in lower case too."""

    def normalize_choice(self, choice: Any, ctx: click.Context | None) -> str:  # noqa: ARG002
        return str(choice).upper()


class Name(click.ParamType[str]):
    """A name that a domain can have, or something that is named like one."""

    name = "name"

    def __init__(self, of_what: str) -> None:
        self._of_what = of_what

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not _NAME.match(value):
            self.fail(
                f"{value!r} is not a valid {self._of_what} name. Use 1 to 64 letters, digits, _ and -.", param, ctx
            )
        return str(value)


_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "data_folder": (
        "--data",
        {
            "type": click.Path(path_type=Path, file_okay=False),
            "default": "openprofiles-data",
            "metavar": "FOLDER",
            "help": "Folder for all data: the store, keys, uploaded files.",
        },
    ),
    "store": (
        "--store",
        {
            "metavar": "FILE|URL",
            "help": "The store: a SQLite file, as a path or sqlite:///path, or a PostgreSQL database, as "
            "postgresql://user@host/database.  [default: openprofiles.db in --data]",
        },
    ),
    "files": (
        "--files",
        {
            "metavar": "URL",
            "help": "Bucket for uploaded files, as s3://bucket/prefix, for servers and workers on several hosts. "
            "[default: a folder next to the store]",
        },
    ),
    "master_key": (
        "--master-key",
        {
            "type": click.Path(path_type=Path, dir_okay=False),
            "metavar": "FILE",
            "help": "File with the master key, which servers and workers on several hosts share.  "
            "[default: master.key in --data, which the first start creates]",
        },
    ),
    "host": (
        "--host",
        {"default": _DEFAULTS.host, "help": "Address to listen on; 0.0.0.0 means all addresses of this machine."},
    ),
    "port": ("--port", {"type": int, "default": _DEFAULTS.port, "help": "Port to listen on; 0 picks a free one."}),
    "public_url": (
        "--public-url",
        {
            "metavar": "URL",
            "help": "Address at which clients reach this server; upload URLs begin with it.  "
            "[default: the Host header of the request]",
        },
    ),
    "region": (
        "--region",
        {"default": _DEFAULTS.region, "help": "AWS region of this server, in ARNs and in `openprofiles env`."},
    ),
    "account_id": ("--account-id", {"default": _DEFAULTS.account_id, "help": "AWS account id in ARNs, 12 digits."}),
    "workers": (
        "--workers",
        {
            "type": int,
            "default": _DEFAULTS.workers,
            "help": "Worker processes to start; 0 to run `openprofiles worker` yourself. With SQLite, 1 at most.",
        },
    ),
    "compat": (
        "--compat",
        {
            "type": click.Choice(["generous", "strict"]),
            "default": "generous",
            "help": "strict applies AWS's limits, such as 25 mapped fields, a data expiry of at most 90 days, and "
            "files under 1 GB.",
        },
    ),
    "max_upload_size_bytes": (
        "--max-upload-size",
        {
            "type": Size(),
            "default": "10GiB",
            "help": "Largest file that an upload job accepts, both as sent and unpacked.",
        },
    ),
    "upload_url_lifetime_seconds": (
        "--upload-url-lifetime",
        {
            "type": int,
            "default": _DEFAULTS.upload_url_lifetime_seconds,
            "metavar": "SECONDS",
            "help": "How long an upload URL can be used to begin the upload.",
        },
    ),
    "phone_region": (
        "--phone-region",
        {
            "default": _DEFAULTS.phone_region,
            "help": "Country (ISO 3166, two letters) of phone numbers without a country code, for new domains.",
        },
    ),
    "log_format": (
        "--log-format",
        {
            "type": click.Choice(["text", "json"]),
            "default": _DEFAULTS.log_format,
            "help": "Format of the log on standard error.",
        },
    ),
    "memory_limit_bytes": (
        "--memory-limit",
        {"type": Size(), "default": "256MB", "help": "Memory that a load may use before it writes to disk."},
    ),
    "failed_rows_days": (
        "--failed-rows-days",
        {
            "type": int,
            "default": _DEFAULTS.failed_rows_days,
            "metavar": "DAYS",
            "help": "How long failed rows are kept after the upload job ends.",
        },
    ),
    "undo_days": (
        "--undo-days",
        {
            "type": int,
            "default": _DEFAULTS.undo_days,
            "metavar": "DAYS",
            "help": "How long an upload job can be undone after it ends; 0 turns undo off.",
        },
    ),
    "webhook_private_addresses": (
        "--webhook-private-addresses",
        {
            "is_flag": True,
            "help": "Allow webhooks to addresses on this machine and on private networks. By default they are refused.",
        },
    ),
}


def settings_options(*names: str) -> Callable[[F], F]:
    """Give a command the options of these settings, and pass them as one ``settings``.

    Raises:
        click.UsageError: when the command runs and a value cannot be used.
    """

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def with_settings(**arguments: Any) -> Any:
            given = {name: arguments.pop(name) for name in names}
            return command(settings=_build_settings(given), **arguments)

        # click looks at what it wraps only through the parameters; the options stand in the order of the names.
        with_settings.__signature__ = inspect.Signature()  # type: ignore[attr-defined]
        decorated: Any = with_settings
        for name in reversed(names):
            flag, attributes = _OPTIONS[name]
            variable = "OPENPROFILES_" + flag.removeprefix("--").replace("-", "_").upper()
            decorated = click.option(
                flag,
                name,
                envvar=variable,
                show_envvar=True,
                show_default="default" in attributes,
                **attributes,
            )(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def domain_option(help_text: str, *, required: bool = True) -> Callable[[F], F]:
    """Add ``--domain NAME`` to a command."""
    return click.option(
        "--domain",
        required=required,
        type=Name("domain"),
        metavar="NAME",
        envvar="OPENPROFILES_DOMAIN",
        show_envvar=True,
        help=help_text,
    )


def endpoint_url_option(what: str) -> Callable[[F], F]:
    """Make the option ``--endpoint-url URL``; ``what`` begins its help, such as ``Load through``."""
    return click.option(
        "--endpoint-url",
        envvar="OPENPROFILES_ENDPOINT_URL",
        show_envvar=True,
        metavar="URL",
        help=f"{what} the server at this address, with the credentials from the AWS environment.  [default: use "
        "--data directly]",
    )


def output_option(command: F) -> F:
    """Give a command that writes one document the option ``--output text|json``."""
    return click.option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Output format: text for people, or json for programs, as one document on standard output.",
    )(command)


def settings_to_arguments(settings: Settings, *names: str) -> list[str]:
    """Make the arguments that give another process of ours the same settings."""
    arguments = []
    for name in names:
        value = settings.compat_strict if name == "compat" else getattr(settings, name)
        if name == "compat":
            value = "strict" if value else "generous"
        if isinstance(value, bool):
            arguments += [_OPTIONS[name][0]] if value else []
        elif value is not None:
            arguments += [f"{_OPTIONS[name][0]}={value}"]
    return arguments


def _build_settings(given: dict[str, Any]) -> Settings:
    try:
        if given.get("store") is not None:
            given["store"] = parse_store(given["store"])
        if given.get("files") is not None:
            given["files"] = parse_files(given["files"])
        if "compat" in given:
            given["compat_strict"] = given.pop("compat") == "strict"
        return Settings(**given)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
