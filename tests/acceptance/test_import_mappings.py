"""Help with mappings through the real command: what is suggested, what is saved, and files that drifted from it."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from click.testing import CliRunner

import by_hand
from acceptance.running import RunningServer, run_command, running_server
from acceptance.test_import import write
from openprofiles.cli.main import openprofiles
from openprofiles.settings import Settings
from openprofiles.store.open import open_store
from openprofiles.uploads import jobs
from openprofiles.uploads.mappings import saved_mappings

pytestmark = pytest.mark.usefixtures("quick_servers")

PEOPLE = "".join(f"u{number}@x.example,Ada,+1202555{number:04},{number},x\n" for number in range(20))
FILE = f"Login,Vorname,Phone,Lead no,\n{PEOPLE}".encode()
# As an export that hides the phone numbers.
MASKED = re.sub(rb"\+[0-9]+", b"xxx", FILE)

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Place:
    """Where the command works: on a data folder directly, or through a server."""

    data: Path
    options: tuple[str | Path, ...]
    variables: dict[str, str]
    domain: str = "demo"

    def run(self, file: Path, *arguments: str) -> CompletedProcess[str]:
        return run_command("import", file, "--domain", self.domain, *self.options, *arguments, **self.variables)

    def run_json(self, file: Path, *arguments: str) -> dict[str, Any]:
        answer = self.run(file, *arguments, "--output", "json")
        assert answer.returncode == 0, answer.stderr
        told: dict[str, Any] = json.loads(answer.stdout)
        return told


@pytest.fixture(params=["directly", "through a server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    data = tmp_path / "data"
    if request.param == "directly":
        return Place(data, ("--data", data), {})
    server: RunningServer = request.getfixturevalue("server")
    access_key_id, secret = server.admin()
    keys = {"AWS_ACCESS_KEY_ID": access_key_id, "AWS_SECRET_ACCESS_KEY": secret, "NO_PROXY": "127.0.0.1"}
    return Place(server.data_folder, ("--endpoint-url", server.url), keys, f"demo-{next(_numbers)}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("mappings") / "data", "--workers", "1") as running:
        yield running


def saved_columns(place: Place, name: str) -> list[str]:
    store = open_store(Settings(data_folder=place.data))
    try:
        return list(by_hand.read(store, place.domain, saved_mappings.get_mapping, name).columns)
    finally:
        store.close()


def count_jobs(data: Path, domain: str = "demo") -> int:
    store = open_store(Settings(data_folder=data))
    try:
        return len(by_hand.read(store, by_hand.get_domain(store, domain), jobs.list_jobs).items)
    finally:
        store.close()


# The suggestion


def test_without_a_unique_key_the_suggestion_is_told_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my people.csv", MASKED)

    answer = run_command("import", "my people.csv", "--domain", "demo", "--map", "Lead no=Attributes.lead")

    assert (answer.returncode, answer.stderr) == (2, "")
    assert answer.stdout.splitlines() == [
        "Suggested for my people.csv, read as utf-8, commas, LF:",
        "  Login    ->  EmailAddress      60%",
        "  Vorname  ->  FirstName         95%",
        "  Phone    ->  PhoneNumber       20%  (doubtful: name matches, but the values are not phone numbers, so these "
        "rows fail)",
        "  Lead no  ->  Attributes.lead  100%",
        "  column 5 '' is not loaded: it has no name in the header",
        "If the column 'Phone' does not contain phone numbers, leave it out with --map Phone=, or load its values "
        "unchecked with --check Phone=none.",
        "Suggested unique key: Login  82%",
        "  Filled in 20 of 20 rows of the sample; no value is repeated. Rows with the same Login become one customer, "
        "and later files update this customer. Rows without Login fail.",
        "Other columns that may identify customers:",
        "  Lead no: Filled in 20 of 20 rows of the sample; no value is repeated. Doubtful: its values count up by one, "
        "as row numbers do, and its name does not suggest that it contains customer numbers.",
        "Nothing was loaded. To load it:",
        "  openprofiles import 'my people.csv' --domain demo --map 'Lead no=Attributes.lead' --unique-key Login",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["my people.csv"]


def test_the_command_that_is_told_loads_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "-a b.csv.gz", gzip.compress(FILE))
    answer = CliRunner().invoke(
        openprofiles,
        ["import", "--domain", "demo", "--data", str(tmp_path / "data"), "--output", "json", "--", str(file)],
    )
    told = json.loads(answer.stdout)

    _program, *arguments = shlex.split(told["command"])
    loaded = run_command(*arguments)

    assert answer.exit_code == 2
    assert (told["status"], told["unique_key"], told["file"]["compression"]) == ("SUGGESTED", "Login", "gzip")
    assert told["unique_key_confidence"] == pytest.approx(0.82, abs=0.01)
    assert told["columns"][0] == {
        "header": "Login",
        "target": "EmailAddress",
        "content_type": "EMAIL_ADDRESS",
        "confidence": 0.6,
        "reason": "the name is unknown, but the values are email addresses",
    }
    assert [(one["header"], one["filled"], one["repeated"]) for one in told["unique_keys"]] == [
        ("Login", 20, 0),
        ("Phone", 20, 0),
        ("Lead no", 20, 0),
    ]
    assert told["unique_keys"][2]["doubts"][0].startswith("its values count up by one")
    assert told["left_out"] == [{"column_number": 5, "header": "", "reason": "it has no name in the header"}]
    assert told["fields"]["Vorname"]["Target"] == "_profile.FirstName"
    assert (loaded.returncode, json.loads(loaded.stdout)["created"]) == (0, 20)


def test_where_no_column_tells_rows_apart_the_user_is_asked_for_one(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", b"Tier\ngold\ngold\n")

    answer = run_command("import", file, "--domain", "demo")

    assert answer.returncode == 2
    assert answer.stdout.splitlines()[-3:] == [
        "No column seems to identify customers. Name one with --unique-key.",
        "Nothing was loaded. To load it:",
        f"  openprofiles import {file} --domain demo --unique-key COLUMN",
    ]


def test_a_column_of_other_values_is_checked_unless_that_is_not_wanted(tmp_path: Path) -> None:
    arguments = ("import", write(tmp_path / "a.csv", MASKED), "--domain", "demo", "--unique-key", "Login")

    answer = run_command(*arguments, "--data", tmp_path / "data")
    without = run_command(*arguments, "--data", tmp_path / "data", "--check", "Phone=none", "--dry-run")

    lines = answer.stdout.splitlines()
    doubt = "  Phone    ->  PhoneNumber  (doubtful: name matches, but the values are not phone numbers"
    assert "  Login    ->  EmailAddress  (unique key)" in lines
    assert f"{doubt}, so these rows fail)" in lines
    assert lines[-3:-1] == [
        "  20  NOT_A_PHONE_NUMBER in column Phone",
        "If the column 'Phone' does not contain phone numbers, leave it out with --map Phone=, or load its values "
        "unchecked with --check Phone=none.",
    ]
    assert answer.returncode == 2
    assert f"{doubt})" in without.stdout.splitlines()
    assert "20 created, 0 updated, 0 failed" in without.stdout


def test_a_choice_that_drives_another_column_out_of_its_field_is_warned_of_before_anything_is_loaded(
    tmp_path: Path,
) -> None:
    file = write(tmp_path / "a.csv", b"Email,Company\na@x.example,c@y.example\nb@x.example,d@y.example\n")
    arguments = ("import", file, "--domain", "demo", "--map", "Company=EmailAddress", "--data", tmp_path / "data")
    warning = (
        "Warning: 'Email' is not loaded into EmailAddress, because --map loads 'Company' into it; 'Email' is kept as "
        "Attributes.Email."
    )

    suggested = run_command(*arguments)
    dry = run_command(*arguments, "--unique-key", "Company", "--dry-run")
    dry_json = run_command(*arguments, "--unique-key", "Company", "--dry-run", "--output", "json")

    assert warning in suggested.stdout.splitlines()
    assert dry.stdout.index(warning) < dry.stdout.index("Nothing was loaded")
    assert dry_json.stderr == f"{warning}\n"


@pytest.mark.daily_on("directly")
def test_a_column_goes_to_the_attribute_of_an_earlier_file_and_the_command_says_so(
    tmp_path: Path, place: Place
) -> None:
    place.run_json(write(tmp_path / "a.csv", b"Email,Loyalty Tier\na@x.example,gold\n"), "--unique-key", "Email")
    next_file = write(tmp_path / "b.csv", b"email,loyalty_tier\na@x.example,silver\n")

    suggested = place.run(next_file)
    apart = place.run(next_file, "--map", "loyalty_tier=Attributes.loyalty_tier")

    assert (
        "(the domain has this attribute; for another one use --map loyalty_tier=Attributes.loyalty_tier)"
        in suggested.stdout
    )
    assert "->  Attributes.Loyalty Tier " in suggested.stdout
    assert "->  Attributes.loyalty_tier " in apart.stdout


# Saved mappings


def test_a_saved_mapping_loads_the_next_file_whatever_the_order_of_its_columns(tmp_path: Path, place: Place) -> None:
    first = write(tmp_path / "a.csv", FILE)
    second = write(tmp_path / "b.csv", b"Lead no,Login,Vorname,Phone\n7,u1@x.example,Zoe,\n8,new@x.example,Cy,\n")

    saving = place.run(first, "--unique-key", "Login", "--map", "Lead no=AccountNumber", "--save-mapping", "crm")
    used = place.run(second, "--mapping", "crm", "--output", "json")

    assert saving.returncode == 0
    assert (
        "The mapping was saved as crm. Load the next file of this kind with --mapping crm."
        in saving.stdout.splitlines()
    )
    assert saved_columns(place, "crm") == ["Login", "Vorname", "Phone", "Lead no", ""]
    assert (used.returncode, used.stderr) == (0, "")
    told = json.loads(used.stdout)
    assert (told["created"], told["updated"], told["unique_key"]) == (1, 1, "Login")
    assert told["mapping"]["Lead no"] == "AccountNumber"
    assert told["header_drift"] == {"new": [], "missing": []}


@pytest.mark.daily_on("directly")
def test_a_customer_above_the_header_of_the_mapping_is_not_skipped_in_silence(tmp_path: Path, place: Place) -> None:
    first = write(tmp_path / "a.csv", b"Email,Name\na@x.example,Ada\n")
    second = write(tmp_path / "b.csv", b"z@x.example,Zed\nEmail,Name\na@x.example,Ada\n")
    place.run_json(first, "--unique-key", "Email", "--save-mapping", "crm")

    refused = place.run(second, "--mapping", "crm")
    skipped = place.run_json(second, "--mapping", "crm", "--header-line", "2")

    assert refused.returncode == 2
    assert "line 1 above it seems to be a row. Rows above the header are not loaded." in refused.stderr
    assert (skipped["created"], skipped["unchanged"]) == (0, 1)


@pytest.mark.daily_on("directly")
def test_new_and_missing_columns_are_warned_of_until_the_mapping_is_saved_again(tmp_path: Path, place: Place) -> None:
    first = write(tmp_path / "a.csv", b"Email,Name,Notes\na@x.example,Ada,x\n")
    second = write(tmp_path / "b.csv", b"Name,Email,Tier,Points\nAda,a@x.example,gold,5\n")
    place.run_json(first, "--unique-key", "Email", "--map", "Notes=", "--save-mapping", "crm")

    same = place.run(first, "--mapping", "crm")
    warned = place.run(second, "--mapping", "crm", "--map", "Points=Attributes.points", "--save-mapping", "crm")
    again = place.run(second, "--mapping", "crm")

    assert warned.returncode == again.returncode == 0
    assert (
        f"Warning: The header of {second} differs from the one saved with the mapping crm. New columns, which are not "
        "loaded: 'Tier'. Missing columns, which the mapping does not use: 'Notes'. To save the new "
        "header with the mapping, add --save-mapping crm.\n"
    ) in warned.stderr
    assert "  column 3 'Notes' is not loaded: the mapping crm excludes it" in same.stdout.splitlines()
    assert "  column 3 'Tier' is not loaded: the mapping crm does not have it" in warned.stdout.splitlines()
    assert "  Points  ->  Attributes.points" in warned.stdout.splitlines()
    assert "Warning" not in again.stderr
    assert "1 unchanged" in again.stdout


@pytest.mark.daily_on("directly")
def test_a_mapped_column_that_is_missing_ends_with_2_before_anything_is_made(tmp_path: Path, place: Place) -> None:
    first = write(tmp_path / "a.csv", b"Email,Name,Fax\na@x.example,Ada,1\n")
    second = write(tmp_path / "b.csv", b"E-mail,Name\na@x.example,Zoe\n")
    place.run_json(first, "--unique-key", "Email", "--save-mapping", "crm")

    refused = place.run(second, "--mapping", "crm")
    jobs_before = count_jobs(place.data, place.domain)
    mended = place.run_json(second, "--mapping", "crm", "--map", "E-mail=EmailAddress", "--map", "Fax=")

    assert (refused.returncode, jobs_before) == (2, 1)
    assert refused.stderr == (
        "Error: The file has no column 'Email', which the mapping crm loads into EmailAddress. Its new column 'E-mail' "
        "may be the same: add --map E-mail=EmailAddress. The file has no column 'Fax', which the mapping crm loads "
        "into Attributes.Fax. To load without it, add --map Fax=. Its columns are: 'E-mail', 'Name'.\n"
    )
    assert (mended["updated"], mended["unique_key"]) == (1, "E-mail")
    assert mended["mapping"] == {"Name": "Attributes.Name", "E-mail": "EmailAddress"}


@pytest.mark.daily_on("directly")
def test_the_unique_key_and_the_targets_of_a_saved_mapping_may_be_changed(tmp_path: Path, place: Place) -> None:
    file = write(tmp_path / "a.csv", b"Email,Number,Tier\na@x.example,1,gold\n")
    place.run_json(file, "--unique-key", "Email", "--save-mapping", "crm")

    told = place.run_json(
        file, "--mapping", "crm", "--unique-key", "Number", "--map", "Tier=", "--map", "Number=AccountNumber"
    )

    assert (told["unique_key"], told["mapping"]) == ("Number", {"Email": "EmailAddress", "Number": "AccountNumber"})

    replaced = place.run(
        file, "--mapping", "crm", "--map", "Number=EmailAddress", "--unique-key", "Number", "--dry-run"
    )
    assert "  column 1 'Email' is not loaded: --map loads 'Number' into its field" in replaced.stdout.splitlines()


@pytest.fixture(scope="module")
def saved_mapping(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The arguments of ``import`` for a file whose mapping is saved as crm. Nothing may be loaded by them."""
    folder = tmp_path_factory.mktemp("saved")
    file = write(folder / "a.csv", b"Email,Name\na@x.example,Ada\n")
    known = ["import", str(file), "--domain", "demo", "--data", str(folder / "data")]
    assert run_command(*known, "--unique-key", "Email", "--save-mapping", "crm").returncode == 0
    return known


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mapping", "other"], "The domain demo has no mapping other. It has: crm."),
        (["--mapping", "crm-2"], "The domain demo has no mapping crm-2. Did you mean 'crm'? It has: crm."),
        (["--mapping", "crm", "--domain", "nowhere"], "There is no domain nowhere."),
        (["--mapping", "my crm"], "'my crm' is not a valid mapping name"),
        (["--unique-key", "Email", "--save-mapping", "a/b"], "'a/b' is not a valid mapping name"),
        (["--mapping", "crm", "--map", "Email="], "unique key of the mapping crm, 'Email', is excluded or now goes"),
        (["--mapping", "crm", "--map", "Tear=Address.City"], "The file has no column 'Tear'."),
        (["--mapping", "crm", "--unique-key", "Tier"], "The unique key 'Tier' is not a column of the file"),
        (["--mapping", "crm", "--map", "Email=", "--map", "Name="], "--map excludes all columns of the mapping crm"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_told_with_status_2(
    saved_mapping: list[str], arguments: list[str], message: str
) -> None:
    answer = run_command(*saved_mapping, *arguments)

    assert answer.returncode == 2
    assert message in answer.stderr
    assert count_jobs(Path(saved_mapping[-1])) == 1


def test_mappings_are_listed_shown_and_deleted(place: Place, tmp_path: Path) -> None:
    place.run_json(write(tmp_path / "a.csv", FILE), "--unique-key", "Lead no", "--save-mapping", "crm")

    def mappings(*arguments: str) -> CompletedProcess[str]:
        return run_command("mappings", *arguments, "--domain", place.domain, *place.options, **place.variables)

    listed = json.loads(mappings("list", "--output", "json").stdout)
    shown = json.loads(mappings("show", "crm", "--output", "json").stdout)
    text = mappings("show", "crm").stdout
    missing = mappings("show", "x")
    deleted = mappings("delete", "crm")
    left = mappings("list")

    assert [one["name"] for one in listed] == ["crm"]
    assert shown == {
        "name": "crm",
        "unique_key": "Lead no",
        "mapping": {
            "Login": "EmailAddress",
            "Vorname": "FirstName",
            "Phone": "PhoneNumber",
            "Lead no": "Attributes.Lead no",
        },
        "columns_not_loaded": [""],
    }
    assert "  Lead no  Attributes.Lead no (unique key)\n" in text
    assert (missing.returncode, missing.stderr) == (
        2,
        f"Error: The domain {place.domain} has no mapping x. It has: crm.\n",
    )
    assert (deleted.returncode, deleted.stdout) == (0, "The mapping crm has been deleted.\n")
    assert (left.returncode, left.stdout, left.stderr) == (0, "", f"The domain {place.domain} has no mapping.\n")


def test_a_column_that_the_file_has_twice_cannot_be_mapped(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", b"Email,Name\na@x.example,Ada\n")
    second = write(tmp_path / "b.csv", b"Email,Name,Name\na@x.example,Ada,Bob\n")
    place = Place(tmp_path / "data", ("--data", tmp_path / "data"), {})
    place.run_json(first, "--unique-key", "Email", "--save-mapping", "crm")

    answer = place.run(second, "--mapping", "crm")

    assert answer.returncode == 2
    assert "The file's header has 2 columns named 'Name'" in answer.stderr


def test_a_mapping_that_may_not_be_saved_does_not_stop_the_load(tmp_path: Path, server: RunningServer) -> None:
    file = write(tmp_path / "a.csv", b"Email,Name\na@x.example,Ada\n")
    made = run_command(
        "credentials", "create", "--data", server.data_folder, "--name", "aws", "--action", "profile:*",
        "--output", "json",
    )  # fmt: skip
    keys = json.loads(made.stdout)
    answer = run_command(
        "import", file, "--domain", "demo", "--unique-key", "Email", "--save-mapping", "crm", "--output", "json",
        "--endpoint-url", server.url, AWS_ACCESS_KEY_ID=keys["access_key_id"],
        AWS_SECRET_ACCESS_KEY=keys["secret_access_key"], NO_PROXY="127.0.0.1",
    )  # fmt: skip

    told = json.loads(answer.stdout)
    assert (answer.returncode, told["created"], told["saved_mapping"]) == (0, 1, None)
    assert "The mapping could not be saved as crm: The server refused PutMapping: " in answer.stderr
    assert "openprofiles:PutMapping" in answer.stderr


def test_the_file_of_failed_rows_is_loaded_with_the_mapping_of_the_file_it_came_from(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", b"Email,Name\na@x.example,Ada\n,Bob\n")
    place = Place(tmp_path / "data", ("--data", tmp_path / "data"), {})
    place.run(file, "--unique-key", "Email", "--save-mapping", "crm")
    failed = tmp_path / "a.failed-rows.csv"
    failed.write_text(failed.read_text().replace("\n,Bob", "\nb@x.example,Bob"))

    answer = place.run(failed, "--mapping", "crm")

    assert answer.returncode == 0
    assert "Warning" not in answer.stderr


@pytest.mark.daily_on("directly")
def test_a_saved_mapping_finds_its_header_and_the_country_of_the_domain_its_encoding(tmp_path: Path) -> None:
    place = Place(tmp_path / "data", ("--data", tmp_path / "data"), {})
    first = write(tmp_path / "a.csv", b"code,label\n1,Ada\n2,Bob\n")
    second = write(tmp_path / "b.csv", "Report, of May\n\ncode,label\n3,Çiğdem\n".encode("windows-1254"))

    place.run_json(first, "--unique-key", "code", "--phone-region", "TR", "--save-mapping", "codes")
    told = place.run_json(second, "--mapping", "codes")

    assert (told["file"]["encoding"], told["file"]["header_line"]) == ("windows-1254", 3)
    assert told["created"] == 1


@pytest.mark.daily_on("directly")
def test_a_saved_mapping_keeps_how_the_file_is_read(tmp_path: Path, place: Place) -> None:
    first = write(tmp_path / "a.csv", "Mail;Imię;Phone\na@x.example;Łukasz;ask Bo\n".encode("windows-1250"))
    second = write(tmp_path / "b.csv", "Mail;Imię;Phone\nb@x.example;Paweł;ask Cy\n".encode("windows-1250"))
    given = ("--encoding", "windows-1250", "--check", "Phone=none")

    place.run_json(first, "--unique-key", "Mail", "--map", "Phone=PhoneNumber", *given, "--save-mapping", "pl")
    again = place.run(second, "--mapping", "pl")

    assert again.returncode == 0
    assert "  read as windows-1250, semicolons, LF\n" in again.stdout
    assert (
        "  as saved with the mapping pl, unless it does not apply: --encoding windows-1250 --check Phone=none\n"
    ) in again.stdout
    assert "1 created" in again.stdout
