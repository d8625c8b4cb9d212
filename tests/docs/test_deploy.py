"""The files in ``deploy/``: no container engine runs here, so they are read and held to what the program has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from openprofiles.cli.main import openprofiles

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
CONTAINERFILE = (ROOT / "deploy" / "Containerfile").read_text()
OURS = ("server", "worker")


def commands() -> dict[str, click.Command]:
    context = click.Context(openprofiles)
    assert isinstance(openprofiles, click.Group)
    found = {name: openprofiles.get_command(context, name) for name in openprofiles.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def options_of(command: click.Command) -> set[str]:
    return {flag for parameter in command.params for flag in parameter.opts}


def variables_of(command: click.Command) -> set[str]:
    return {str(parameter.envvar) for parameter in command.params if parameter.envvar}


@pytest.mark.parametrize("service", OURS)
def test_commands_options_and_variables_are_those_of_the_program(service: str) -> None:
    described = COMPOSE["services"][service]
    name, *arguments = described["command"]
    command = commands()[name]
    ours = {variable for variable in described["environment"] if variable.startswith("OPENPROFILES_")}

    assert {argument for argument in arguments if argument.startswith("--")} <= options_of(command)
    assert ours <= variables_of(command)
    assert "OPENPROFILES_STORE" in ours


def test_the_image_starts_a_command_of_the_program_with_variables_that_it_reads() -> None:
    match = re.search(r'^CMD \["(\w+)", "(--\w+)"', CONTAINERFILE, re.MULTILINE)
    assert match is not None
    command = commands()[match[1]]

    assert match[2] in options_of(command)
    assert set(re.findall(r"OPENPROFILES_\w+", CONTAINERFILE)) <= variables_of(command)


def test_everything_that_a_service_names_is_there() -> None:
    for service in COMPOSE["services"].values():
        assert set(service.get("depends_on", ())) <= set(COMPOSE["services"])
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        for volume in service.get("volumes", ()):
            assert volume.split(":")[0] in COMPOSE["volumes"]


def test_files_that_the_image_copies_are_in_the_project() -> None:
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source


def test_no_password_stands_in_the_files() -> None:
    text = (ROOT / "deploy" / "compose.yaml").read_text()

    for name in ("POSTGRES_PASSWORD", "MINIO_ROOT_PASSWORD", "AWS_SECRET_ACCESS_KEY", "S3_SECRET_KEY"):
        for value in re.findall(rf"^ +{name}: (.*)$", text, re.MULTILINE):
            assert re.fullmatch(r"\$\{[A-Z0-9_]+:\?.+\}", value), value
