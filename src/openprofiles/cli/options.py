"""Options that several commands share. Each can be given as an environment variable instead."""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from openprofiles.settings import Settings, SettingsError, setting_of

if TYPE_CHECKING:
    from openprofiles.cli.text_table import Column

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
            decorated = _settings_option(name)(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def _settings_option(name: str) -> Callable[[F], F]:
    setting = setting_of(name)
    default = next(one.default for one in fields(Settings) if one.name == name)
    attributes: dict[str, Any] = {"metavar": setting.metavar, "help": setting.help_text}
    if setting.choices:
        attributes["type"] = click.Choice(setting.choices)
        default = setting.choices[default] if isinstance(default, bool) else default
    elif isinstance(default, bool):
        attributes["is_flag"] = True
        default = None
    elif setting.kind == "size":
        attributes["type"] = Size()
    elif setting.kind in ("file", "folder"):
        is_file = setting.kind == "file"
        attributes["type"] = click.Path(path_type=Path, file_okay=is_file, dir_okay=not is_file)
    elif setting.kind == "number":
        attributes["type"] = int
    if default is not None:
        attributes["default"] = setting.default_text or default
    return click.option(
        setting.flag,
        name,
        envvar=setting.variable,
        show_envvar=True,
        show_default=default is not None,
        **attributes,
    )


def limit_option(default: int, help_text: str) -> Callable[[F], F]:
    """Add ``--limit N`` to a command that lists something."""
    limit = click.IntRange(min=1)
    return click.option("--limit", type=limit, default=default, show_default=True, metavar="N", help=help_text)


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


def domain_command(help_text: str, *settings_names: str) -> Callable[[F], F]:
    """Give a command for a domain its options, and pass it the place."""

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def at_place(*, settings: Settings, endpoint_url: str | None, **arguments: Any) -> Any:
            from openprofiles.cli.place import open_place

            with closing(open_place(settings, endpoint_url)) as place:
                return command(place=place, **arguments)

        decorated: Any = at_place
        for one in (
            settings_options("data_folder", "store", *settings_names),
            output_option,
            endpoint_url_option("Work through"),
            domain_option(help_text),
        ):
            decorated = one(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def print_json(document: Any) -> None:
    """Print the one document of a command with ``--output json``; times as in ISO 8601."""
    click.echo(json.dumps(document, indent=2, default=datetime.isoformat))


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that fits the terminal."""
    from openprofiles.cli.terminal_text import terminal_width
    from openprofiles.cli.text_table import table_lines

    click.echo("\n".join(table_lines(columns, rows, terminal_width())))


def output_option(command: F) -> F:
    """Give a command that writes one document the option ``--output text|json``."""
    return click.option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Output format: text for people, or json for programs, as one document on standard output.",
    )(command)


def hand_settings_on(settings: Settings) -> tuple[list[str], dict[str, str]]:
    """Make the arguments and environment variables that give a worker the same settings."""
    arguments: list[str] = []
    variables: dict[str, str] = {}
    values = settings.to_json() | {"store": settings.store_argument}
    for name, value in values.items():
        setting = setting_of(name, type(settings))
        if not setting.of_worker:
            continue
        if value is None or (value is False and not setting.choices):
            continue
        if isinstance(value, bool) and setting.choices:
            value = setting.choices[value]
        if setting.is_secret:
            variables[setting.variable] = str(value)
        else:
            arguments.append(setting.flag if value is True else f"{setting.flag}={value}")
    return arguments, variables


def _build_settings(given: dict[str, Any]) -> Settings:
    values = {}
    try:
        for name, value in given.items():
            setting = setting_of(name)
            if isinstance(value, str) and setting.parse is not None:
                values[name] = setting.parse(value)
            elif setting.choices and isinstance(getattr(_DEFAULTS, name), bool):
                values[name] = setting.choices.index(value) == 1
            else:
                values[name] = value
        return Settings(**values)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
