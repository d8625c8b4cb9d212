"""``openprofiles find``, on a data folder and through a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from acceptance.running import RunningServer, run_command, running_server, wait_until
from openprofiles.client import Client

pytestmark = pytest.mark.usefixtures("quick_servers")

PEOPLE = (
    "Email,First name,Last name,Phone,City\n"
    "zoe@example.com,Zoë,Schäfer,206 555 0100,Düsseldorf\n"
    "ada@example.com,Ada,Schafer,+49 30 12345678,Köln\n"
    "bob@example.org,Bob,Stone,,Bonn\n"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("find")
    (folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    with running_server(folder / "data", "--workers", "1") as running:
        loaded = run_command(
            "import", folder / "people.csv", "--domain", "shop", "--unique-key", "Email",
            **running.variables(),
        )  # fmt: skip
        assert loaded.returncode == 0, loaded.stderr
        yield running


def find(server: RunningServer, *arguments: str) -> list[str]:
    done = run_command("find", *arguments, "--domain", "shop", "--output", "json", **server.variables())
    assert done.returncode == 0, done.stderr
    return [one["Name"] for one in json.loads(done.stdout)]


def test_an_imported_customer_is_found_by_the_beginning_of_any_word(server: RunningServer) -> None:
    assert find(server) == ["Bob Stone", "Ada Schafer", "Zoë Schäfer"]
    assert find(server, "schae") == ["Zoë Schäfer"]
    assert find(server, "zoe", "scha") == ["Zoë Schäfer"]
    assert find(server, "example.com") == ["Ada Schafer", "Zoë Schäfer"]
    assert find(server, "dusseldorf") == ["Zoë Schäfer"]
    assert find(server, "206", "555") == ["Zoë Schäfer"]
    assert find(server, "--limit", "1") == ["Bob Stone"]


def test_the_worker_writes_the_words_after_an_import(server: RunningServer) -> None:
    client = Client(boto3.Session(*server.admin(), region_name="us-east-1"), server.url)

    wait_until(
        lambda: all(
            client.operations.find_profiles(DomainName="shop", Text=text)["IsComplete"] for text in ("schae", "bob")
        ),
        "the words are written",
    )

    (zoe,) = client.operations.find_profiles(DomainName="shop", Text="schae")["Items"]
    assert (zoe["EmailAddress"], zoe["PhoneNumber"], zoe["City"]) == ("zoe@example.com", "206 555 0100", "Düsseldorf")


def test_a_table_is_printed_and_what_is_left_out_is_said(server: RunningServer) -> None:
    table = run_command("find", "--domain", "shop", "--limit", "2", **server.variables())
    nobody = run_command("find", "nobody", "--domain", "shop", **server.variables())
    nothing = run_command("find", "%", "--domain", "shop", **server.variables())

    assert [line.split()[0] for line in table.stdout.splitlines()] == ["NAME", "Bob", "Ada"]
    assert "There are more" in table.stderr
    assert (nobody.returncode, nobody.stdout) == (0, "")
    assert nobody.stderr == "No customer of the domain shop was found.\n"
    assert nothing.returncode == 2
    assert "The text has no letter or digit to search for." in nothing.stderr


def test_on_a_data_folder_customers_are_found_without_a_server(tmp_path: Path) -> None:
    """More than a search reads itself, so their words must be written."""
    rows = "".join(f"p{number}@example.com,Person {number}\n" for number in range(1_500))
    (tmp_path / "people.csv").write_text(f"Email,First name\n{rows}", encoding="utf-8")
    data = ("--data", tmp_path / "data", "--domain", "shop")
    run_command("import", tmp_path / "people.csv", *data, "--unique-key", "Email")

    found = run_command("find", "p1007", *data, "--output", "json")
    again = run_command("find", *data, "--output", "json", "--limit", "2")

    assert [one["EmailAddress"] for one in json.loads(found.stdout)] == ["p1007@example.com"]
    assert found.stderr == "Indexing customers for the search ...\n"
    assert ([one["Name"] for one in json.loads(again.stdout)], "Indexing" in again.stderr) == (
        ["Person 1499", "Person 1498"],
        False,
    )
