"""What works where openprofiles was installed with ``[client]`` alone: without any package of a server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest

from acceptance.running import RunningServer, running_server

pytestmark = pytest.mark.usefixtures("quick_loaders")

# Distributions whose modules have other names than theirs.
MODULES = {"adbc-driver-manager": "adbc_driver_manager", "adbc-driver-sqlite": "adbc_driver_sqlite"}
# A program that fails where a package of a server is imported, as where it is not installed.
WITHOUT_SERVER = """
import importlib.abc, importlib.util, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in {missing} else found(name, package)
sys.meta_path.insert(0, Missing())
"""
LOAD = """
import sys
from openprofiles.client import Client
result = Client(endpoint_url=sys.argv[1]).load_file(sys.argv[2], "shop", unique_key="Email", progress=False)
print(result.status, result.created, [row["Line"] for row in result.failed_rows])
"""
COMMAND = "from openprofiles.cli.main import main; main()"


def packages_of(extra: str | None) -> set[str]:
    """List the distributions that an extra requires, or that all installations require."""
    found = set()
    for requirement in requires("openprofiles") or ():
        package, _, marker = requirement.partition(";")
        if (f'extra == "{extra}"' in marker) if extra else not marker.strip():
            found.add(re.split(r"[\[<>=]", package)[0].strip().lower())
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("alone") / "data", "--workers", "1") as running:
        yield running


def run(server: RunningServer, program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a Python program that does not have the packages of a server."""
    missing = repr({MODULES.get(name, name.replace("-", "_")) for name in packages_of("server")})
    key, secret = server.admin()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(server.data_folder),
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_SERVER.format(missing=missing) + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


def test_the_client_requires_no_package_of_a_server() -> None:
    client, of_server = packages_of(None) | packages_of("client"), packages_of("server")

    assert {"starlette", "uvicorn", "sqlalchemy", "duckdb", "pyarrow"} <= of_server
    assert {"boto3", "click"} <= client
    assert not client & of_server


def test_a_file_is_loaded_and_seen_without_the_packages_of_a_server(server: RunningServer, tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    file.write_text("Email,First name,Tier\nada@example.com,Ada,gold\n,Bob,\n")
    place = ("--domain", "shop", "--endpoint-url", server.url)

    loaded = run(server, LOAD, server.url, file)
    checked = ("--unique-key", "Email", "--check", "Tier=pattern:[a-z]*", "--dry-run")
    imported = run(server, COMMAND, "import", file, *checked, *place)
    shown = [
        run(server, COMMAND, *command, *place)
        for command in (
            ("jobs", "show", "last"),
            ("jobs", "failed", "last", "-o", tmp_path / "fix.xlsx"),
            ("history", "ada@example.com"),
            ("lineage", "ada@example.com"),
            ("object-types", "list"),
            ("dead-letters", "list"),
            ("mappings", "list"),
            ("jobs", "undo", "last"),
        )
    ]

    assert (loaded.stdout, loaded.stderr) == ("PARTIALLY_SUCCEEDED 1 [3]\n", "")
    assert (imported.returncode, "MISSING_UNIQUE_KEY" in imported.stdout) == (1, True), imported.stderr
    assert [one.returncode for one in shown] == [0] * len(shown), [one.stderr for one in shown]
    assert run(server, COMMAND, "version").stdout.startswith("openprofiles 0")


@pytest.mark.parametrize(
    "command",
    [("serve",), ("jobs", "list", "--domain", "shop"), ("import", "a.csv", "--domain", "x", "--unique-key", "Email")],
)
def test_what_needs_a_server_s_packages_says_what_to_install(
    server: RunningServer, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "a.csv").write_text("Email\na@example.com\n")
    arguments = [str(tmp_path / one) if one == "a.csv" else one for one in command]

    answer = run(server, COMMAND, *arguments, "--data", tmp_path / "data")

    assert answer.returncode == 2
    assert re.fullmatch(
        r"Error: This needs the Python package [\w-]+, which is not installed\. It comes with the extra server of "
        r"openprofiles\. To work through a server instead, use --endpoint-url\.\n",
        answer.stderr,
    ), answer.stderr
