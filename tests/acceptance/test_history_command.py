"""``openprofiles history``: on the store itself and through a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.running import RunningServer, run_command, running_server
from acceptance.test_upload_flow import find_by_email, load

pytestmark = pytest.mark.usefixtures("quick_servers")

DOMAIN = "shop"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("history") / "data", "--workers", "1") as running:
        client = running.client()
        client.create_domain(DomainName=DOMAIN, DefaultExpirationDays=30)
        load(running, DOMAIN, b"Email,First,Tier\nada@example.com,Ada,gold\nbo@example.com,Bo,\nb2@example.com,Bo,\n")
        load(running, DOMAIN, b"Email,First,Tier\nada@example.com,Ada,silver\nbo@example.com,Bo,\n")
        (ada,) = find_by_email(running, DOMAIN, "ada@example.com")
        client.add_profile_key(DomainName=DOMAIN, ProfileId=ada["ProfileId"], KeyName="_account", Values=["A-1"])
        client.update_profile(DomainName=DOMAIN, ProfileId=ada["ProfileId"], Address={"City": "London"})
        yield running


@pytest.fixture(params=["store", "server"])
def where(request: pytest.FixtureRequest, server: RunningServer) -> tuple[list[str | Path], dict[str, str]]:
    """Return the arguments and the variables with which a command finds the place."""
    if request.param == "store":
        return ["--data", server.data_folder], {}
    access_key_id, secret = server.admin()
    keys = {"AWS_ACCESS_KEY_ID": access_key_id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "us-east-1"}
    return ["--endpoint-url", server.url], keys


def test_the_changes_of_a_profile_are_printed_newest_first_with_the_fields_that_they_changed(
    where: tuple[list[str | Path], dict[str, str]],
) -> None:
    arguments, variables = where

    found = run_command("history", "ada@example.com", "--domain", DOMAIN, *arguments, COLUMNS="200", **variables)

    assert found.returncode == 0, found.stderr
    head, *lines = [line.split() for line in found.stdout.splitlines()]
    assert head == ["TIME", "CHANGE", "BY", "FIELDS"]
    assert [line[1:3] for line in lines] == [
        ["updated", "administrator"],
        ["key", "added"],
        ["updated", "by"],
        ["created", "import"],
    ]
    assert lines[0][3:] == ["Address.City"]
    assert lines[1][3:] == ["administrator", "_account", "A-1"]
    assert lines[2][3:6] == ["an", "import", "import"]
    assert lines[2][7:] == ["Attributes.tier"]
    assert set(" ".join(lines[3][4:]).split(", ")) == {"FirstName", "EmailAddress", "Attributes.tier"}


def test_a_limit_leaves_the_older_changes_out_and_says_so(where: tuple[list[str | Path], dict[str, str]]) -> None:
    arguments, variables = where

    found = run_command(
        "history", "ada@example.com", "--domain", DOMAIN, "--limit", "1", "--output", "json", *arguments, **variables
    )
    text = run_command("history", "ada@example.com", "--domain", DOMAIN, "--limit", "1", *arguments, **variables)

    (record,) = json.loads(found.stdout)
    assert (record["action"], record["content"]["Address"]) == ("UPDATED", {"City": "London"})
    assert record["performed_by"] == "arn:aws:iam::123456789012:user/administrator"
    assert len(text.stdout.splitlines()) == 2
    assert "There are older changes." in text.stderr


def test_who_is_meant_must_be_one_profile(where: tuple[list[str | Path], dict[str, str]]) -> None:
    arguments, variables = where
    for given, message in (
        ("nobody@example.com", "No profile of the domain shop has the id, address, number or name nobody@example.com."),
        ("Bo", "Several profiles of the domain shop are found by Bo. Give the id of one:"),
    ):
        found = run_command("history", given, "--domain", DOMAIN, *arguments, **variables)
        assert (found.returncode, found.stdout) == (2, "")
        assert message in found.stderr
