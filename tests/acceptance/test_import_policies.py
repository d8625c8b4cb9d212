"""Policies of ``openprofiles import``: what rows may write, what is checked, and how many may fail."""

from __future__ import annotations

import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from acceptance.running import command, environment, run_command, running_server
from acceptance.test_import import import_json, read_csv, write
from acceptance.test_import_forms import find

pytestmark = pytest.mark.usefixtures("quick_servers")

KNOWN = b"Email,Phone,Name\nada@example.com,212-555-0101,Ada\n"
MIXED = (
    b"Email,Phone,Name\nada@example.com,212-555-0101,Adele\nbob@example.com,call me,Bob\n"
    b"zoe@example.com,+1 212 555 0103,\ncarl,(212) 555-0104,Carl\n"
)


LIMITS_LONG = pytest.mark.long(
    daily="tests/load/test_policies.py::test_nothing_is_loaded_if_more_rows_fail_than_allowed"
)


def load(tmp_path: Path, content: bytes, *options: str) -> tuple[int, dict[str, Any]]:
    file = write(tmp_path / "a.csv", content)
    return import_json(file, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data", *options)


def codes(tmp_path: Path) -> list[str]:
    return [row[6] for row in read_csv(tmp_path / "a.failed-rows.csv")[1:]]


def test_addresses_and_phone_numbers_are_checked_unless_that_is_not_wanted(tmp_path: Path) -> None:
    status, told = load(tmp_path, MIXED)
    failed = codes(tmp_path)
    again_status, again = load(tmp_path, MIXED, "--check", "Email=none", "--check", "Phone=none")

    assert (status, told["created"], told["failed"]) == (1, 2, 2)
    assert failed == ["NOT_A_PHONE_NUMBER", "NOT_AN_EMAIL_ADDRESS"]
    assert (again_status, again["created"], again["failed"]) == (0, 2, 0)


def test_what_invalid_addresses_have_in_common_is_printed(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"Id,Email\nC1,Ada <ada@x.com>\nC2,bob@x.com\n")

    answer = run_command("import", file, "--domain", "demo", "--unique-key", "Id", "--data", tmp_path / "data")

    assert "1  NOT_AN_EMAIL_ADDRESS in column Email\nThe values in the column 'Email' that are not" in answer.stdout


@pytest.mark.parametrize(
    ("option", "created", "updated", "expected"),
    [("--create-only", 1, 0, ["PROFILE_EXISTS"]), ("--update-only", 0, 1, ["NO_PROFILE"])],
)
def test_rows_can_be_kept_from_creating_or_updating(
    tmp_path: Path, option: str, created: int, updated: int, expected: list[str]
) -> None:
    load(tmp_path, KNOWN)

    status, told = load(tmp_path, b"Email,Phone,Name\nada@example.com,,Adele\nbob@example.com,,Bob\n", option)

    assert (status, told["created"], told["updated"]) == (1, created, updated)
    assert codes(tmp_path) == expected


def test_blank_cells_can_clear(tmp_path: Path) -> None:
    load(tmp_path, KNOWN)

    status, told = load(tmp_path, b"Email,Phone,Name\nada@example.com,,\n", "--blank-cells", "clear")

    assert (status, told["updated"]) == (0, 1)
    assert "PhoneNumber" not in find(tmp_path / "data", "ada@example.com")


@pytest.mark.parametrize(
    "option",
    [
        ("--all-or-nothing",),
        pytest.param(("--max-failed", "1"), marks=LIMITS_LONG),
        pytest.param(("--max-failed", "49%"), marks=LIMITS_LONG),
    ],
)
def test_nothing_is_loaded_when_more_rows_fail_than_may(tmp_path: Path, option: tuple[str, ...]) -> None:
    file = write(tmp_path / "a.csv", MIXED)

    answer = run_command(
        "import", file, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data", *option
    )

    assert answer.returncode == 2
    assert "Nothing was loaded." in answer.stderr
    assert "0 created, 0 updated, 2 failed, 2 not processed in " in answer.stdout
    assert codes(tmp_path) == ["NOT_A_PHONE_NUMBER", "NOT_AN_EMAIL_ADDRESS"]
    assert load(tmp_path, MIXED, "--max-failed", "50%")[0] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--create-only", "--update-only"], "--create-only and --update-only can't be combined"),
        (["--all-or-nothing", "--max-failed", "3"], "--all-or-nothing and --max-failed can't be combined"),
        (["--check", "Nope=email"], "The file has no column 'Nope'."),
        (["--check", "Name=postcode"], "'postcode' is not a check. The checks are: email, phone"),
        (["--check", "Name=pattern:(["], "is not a valid RE2 regular expression"),
        (["--max-failed", "many"], "'many' is neither a number of rows nor a percentage"),
        (["--max-failed", "101%"], "'101%' is neither"),
        (["--max-failed", "1.5"], "'1.5' is not a whole number of rows"),
    ],
)
def test_policies_that_cannot_be_are_told_with_nothing_made(tmp_path: Path, options: list[str], message: str) -> None:
    file = write(tmp_path / "a.csv", MIXED)

    answer = run_command(
        "import", file, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data", *options
    )

    assert answer.returncode == 2
    assert message in " ".join(answer.stderr.split())
    assert not (tmp_path / "data").exists()


@pytest.mark.long(
    daily="tests/acceptance/test_client.py::test_options_need_an_action_of_their_own_and_a_server_that_is_not_strict"
)
def test_through_a_server_policies_go_along_and_a_strict_one_refuses_them(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", MIXED)
    given: list[str | Path] = [file, "--domain", "demo", "--unique-key", "Email"]
    for strict in (False, True):
        more = ("--compat", "strict") if strict else ()
        with running_server(tmp_path / f"data {strict}", "--workers", "1", *more) as server:
            access_key_id, secret = server.admin()
            variables = {"AWS_ACCESS_KEY_ID": access_key_id, "AWS_SECRET_ACCESS_KEY": secret, "NO_PROXY": "127.0.0.1"}
            there = (*given, "--data-expiry", "30", "--endpoint-url", server.url)
            status, told = import_json(*there, **variables)
            asked = run_command("import", *there, "--update-only", **variables)

        # What was not asked for a strict server need not take.
        assert (status, told["failed"]) == ((0, 0) if strict else (1, 2))
        assert told["values_checked"] is not strict
        assert asked.returncode == (2 if strict else 1)
        assert ("--compat strict" in asked.stderr) == strict


def test_rows_that_may_create_second_profiles_are_loaded_only_after_confirmation(tmp_path: Path) -> None:
    mails = [b"p%d@example.com\n" % number for number in range(20)]
    data = tmp_path / "data"
    write(tmp_path / "first.csv", b"Email\n" + b"".join(mails))
    second = write(tmp_path / "second.csv", b"Work email\n" + b"".join(mails))
    run_command("import", tmp_path / "first.csv", "--domain", "demo", "--unique-key", "Email", "--data", data)
    arguments = ("import", second, "--domain", "demo", "--unique-key", "Work email", "--data", data)

    dry, without = run_command(*arguments, "--dry-run"), run_command(*arguments)
    refused = answer_at_a_terminal(arguments, b"n\n")
    accepted = answer_at_a_terminal(arguments, b"y\n")
    again = run_command(*arguments, "--yes")

    assert (dry.returncode, without.returncode) == (2, 2)
    for answer in (dry, without):
        assert "20 rows create profiles of their own" in answer.stdout
        assert "To load the file anyway, use --yes." in answer.stderr
    assert "20 created, 0 updated" in dry.stdout
    assert "Nothing was loaded. Many rows would create profiles of their own" in without.stderr
    assert (refused[0], accepted[0], again.returncode) == (2, 0, 0)
    assert "Load the file anyway? [y/N]" in refused[1]
    assert "20 created" not in refused[1]
    assert "20 created, 0 updated, 0 failed" in accepted[1]
    assert "0 created, 0 updated, 20 unchanged" in again.stdout


def answer_at_a_terminal(arguments: tuple[str | Path, ...], answer: bytes) -> tuple[int, str]:
    """Run the command with a terminal, and answer its question; returns its exit status and all that it prints."""
    terminal, other_end = pty.openpty()
    try:
        process = subprocess.Popen(
            command(*arguments), env=environment(), stdin=other_end, stdout=other_end, stderr=other_end
        )
        os.close(other_end)
        os.write(terminal, answer)
        printed = b""
        # Reading ends with an error when the process closes the terminal.
        with suppress(OSError):
            while part := os.read(terminal, 65_536):
                printed += part
        return process.wait(60), " ".join(printed.decode().split())
    finally:
        os.close(terminal)
