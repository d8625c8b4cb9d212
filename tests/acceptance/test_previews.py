"""Previews through the real command and through ``openprofiles.client``: exact, and nothing written."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from sqlalchemy import update

import by_hand
from acceptance.running import RunningServer, command, environment, run_command, running_server, wait_until
from acceptance.test_import import import_json, list_jobs, read_csv, write
from acceptance.test_upload_flow import create, load, put, wait_for_end
from openapi_document import validator
from openprofiles.client import Client
from openprofiles.clock import utc_now
from openprofiles.errors import NotFound
from openprofiles.settings import Settings
from openprofiles.store import tables
from openprofiles.store.open import open_store

pytestmark = pytest.mark.usefixtures("quick_servers")

FIRST = b"Email,First,Tier\nada@x.example,Ada,gold\nbob@x.example,Bob,\n"
SECOND = (
    b"Email,First,Tier\nada@x.example,Adele,silver\nbob@x.example,Bob,\nzoe@x.example,Zo\xc3\xab,\n,Nobody,\n"
    b"ZOE@x.example,,gold\n"
)
COUNTS = ("created", "updated", "unchanged", "failed", "unprocessed", "repeated", "faults", "status", "message")


@pytest.fixture(params=["directly", "through a server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[list[str | Path], dict[str, str]]:
    """Options and variables of the command."""
    data = tmp_path / "data"
    if request.param == "directly":
        return ["--data", data], {}
    server: RunningServer = request.getfixturevalue("server")
    access_key_id, secret = server.admin()
    return (
        ["--endpoint-url", server.url],
        {"AWS_ACCESS_KEY_ID": access_key_id, "AWS_SECRET_ACCESS_KEY": secret, "NO_PROXY": "127.0.0.1"},
    )


@pytest.mark.daily_on("directly")
def test_a_dry_run_tells_what_a_load_then_does(tmp_path: Path, place: tuple[list[str | Path], dict[str, str]]) -> None:
    options, variables = place
    given: list[str | Path] = ["--domain", "demo", "--unique-key", "Email", *options]
    import_json(write(tmp_path / "first.csv", FIRST.replace(b"First", b"First name")), *given, **variables)
    file = write(tmp_path / "second.csv", SECOND.replace(b"First", b"First name"))

    import_json(file, "--dry-run", *given, **variables)
    was_written = (tmp_path / "second.failed-rows.csv").exists()
    dry_status, dry = import_json(file, "--dry-run", "--failed-rows", tmp_path / "dry.csv", *given, **variables)
    failed = read_csv(tmp_path / "dry.csv")
    status, told = import_json(file, *given, **variables)

    assert (dry_status, status, was_written) == (1, 1, False)
    assert {name: dry[name] for name in COUNTS} == {name: told[name] for name in COUNTS}
    assert failed == read_csv(tmp_path / "second.failed-rows.csv")
    created, changed = dry["samples"]
    assert created == {
        "record": 3,
        "profile_id": None,
        "fields": [
            {"field": "EmailAddress", "before": None, "after": "ZOE@x.example"},
            {"field": "FirstName", "before": None, "after": "Zoë"},
            {"field": "Attributes.Tier", "before": None, "after": "gold"},
        ],
    }
    assert (changed["record"], changed["fields"]) == (
        1,
        [
            {"field": "FirstName", "before": "Ada", "after": "Adele"},
            {"field": "Attributes.Tier", "before": "gold", "after": "silver"},
        ],
    )


def test_a_dry_run_on_a_new_domain_leaves_no_domain_and_no_file(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", FIRST)

    answer = run_command(
        "import", file, "--dry-run", "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data"
    )

    assert answer.returncode == 0
    assert "into the domain demo, which does not exist and would be created:" in answer.stdout
    assert "Nothing was loaded. The result would be:\n2 created, 0 updated, 0 failed in " in answer.stdout
    assert "  row 1\n    EmailAddress: ada@x.example\n" in answer.stdout
    store = open_store(Settings(data_folder=tmp_path / "data"))
    with pytest.raises(NotFound):
        by_hand.get_domain(store, "demo")
    store.close()
    assert [path for path in (tmp_path / "data" / "uploads").iterdir() if path.is_file()] == []


def test_the_list_of_jobs_says_which_one_was_a_dry_run_and_the_last_job_is_not_one(tmp_path: Path) -> None:
    data = tmp_path / "data"
    given: list[str | Path] = ["--domain", "demo", "--data", data]
    run_command("import", write(tmp_path / "a.csv", FIRST), "--unique-key", "Email", *given)
    run_command("import", tmp_path / "a.csv", "--unique-key", "Email", "--dry-run", *given)

    listed = json.loads(run_command("jobs", "list", "--output", "json", *given).stdout)

    last = json.loads(run_command("jobs", "show", "last", "--output", "json", *given).stdout)
    names = [(job["display_name"], job["status"]) for job in listed]
    assert last["display_name"] == "a.csv"
    assert names == [("a.csv (dry run)", "STOPPED"), ("a.csv", "SUCCEEDED")]


def let_leases_run_out(data: Path) -> None:
    """Make it 15 seconds later for the leases of processes that are dead."""
    store = open_store(Settings(data_folder=data))
    with store.write() as connection:
        connection.execute(update(tables.job).values(lease_until=utc_now() - timedelta(days=1)))
    store.close()


@pytest.mark.long(daily="test_a_dry_run_on_a_new_domain_leaves_no_domain_and_no_file")
def test_a_dry_run_that_is_killed_leaves_the_domain_usable(tmp_path: Path) -> None:
    rows = b"".join(b"n%d@x.example,A,\n" % number for number in range(200_000))
    file = write(tmp_path / "a.csv", b"Email,First,Tier\n" + rows)
    given: list[str | Path] = ["--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data"]
    import_json(write(tmp_path / "b.csv", FIRST), *given)
    with subprocess.Popen(
        [*command("import"), str(file), "--dry-run", *map(str, given)],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as dry_run:
        assert dry_run.stderr is not None
        for line in dry_run.stderr:
            if line.startswith("Reading"):
                break
        dry_run.kill()
    let_leases_run_out(tmp_path / "data")

    status, told = import_json(tmp_path / "b.csv", *given)

    assert (status, told["unchanged"]) == (0, 2)


def test_a_dry_run_of_what_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", SECOND)

    answer = run_command(
        "import", file, "--dry-run", "--all-or-nothing", "--domain", "demo", "--unique-key", "Email",
        "--data", tmp_path / "data",
    )  # fmt: skip

    assert answer.returncode == 2
    assert "A load would fail. 1 row failed (limit: 0). Nothing was loaded." in answer.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("previews") / "data", "--workers", "1") as running:
        running.client().create_domain(DomainName="shop", DefaultExpirationDays=30)
        yield running


@pytest.fixture
def client(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Client(boto3.Session(*server.admin(), region_name="us-east-1"), server.url)
    yield made
    made.close()


def wait_for_preview(client: Client, preview_id: str, domain: str = "shop") -> dict[str, Any]:
    wait_until(lambda: client.get_preview(domain, preview_id)["Status"] != "IN_PROGRESS", "the preview ends")
    return client.get_preview(domain, preview_id)


def test_a_job_is_previewed_through_the_client_and_runs_afterwards(client: Client, server: RunningServer) -> None:
    server.client().create_domain(DomainName="fresh", DefaultExpirationDays=30)
    job_id = create(server, "fresh")
    put(server, "fresh", job_id, SECOND)

    preview_id = client.start_preview("fresh", job_id)
    preview = wait_for_preview(client, preview_id, "fresh")
    during = server.client().get_upload_job(DomainName="fresh", JobId=job_id)
    stats = server.client().get_domain(DomainName="fresh")["Stats"]
    server.client().start_upload_job(DomainName="fresh", JobId=job_id)
    shown = wait_for_end(server, "fresh", job_id)

    validator("Progress").validate(preview)
    assert "Samples" in preview
    assert (preview["Status"], shown["Status"]) == ("PARTIALLY_SUCCEEDED", "PARTIALLY_SUCCEEDED")
    assert {name: preview[name] for name in shown["ResultsSummary"]} == shown["ResultsSummary"]
    assert (during["Status"], stats["ProfileCount"]) == ("CREATED", 0)
    assert [row["Line"] for row in client.list_failed_rows("fresh", preview_id)] == [5]
    (_, failed) = csv.reader(io.StringIO(b"".join(client.read_failed_rows_file("fresh", preview_id)).decode()))
    assert failed[:2] == ["", "Nobody"]


def test_a_preview_is_no_job_for_aws_clients(client: Client, server: RunningServer) -> None:
    job_id = create(server, "shop")
    put(server, "shop", job_id, FIRST)
    preview_id = client.start_preview("shop", job_id)
    aws = server.client()

    listed = [item["JobId"] for item in aws.list_upload_jobs(DomainName="shop")["Items"]]
    for operation in (aws.get_upload_job, aws.start_upload_job, aws.stop_upload_job, aws.get_upload_job_path):
        with pytest.raises(aws.exceptions.ResourceNotFoundException):
            operation(DomainName="shop", JobId=preview_id)

    assert preview_id not in listed
    assert job_id in listed
    assert wait_for_preview(client, preview_id)["Status"] == "SUCCEEDED"


def test_what_is_stored_is_told_only_to_those_who_may_read_profiles(client: Client, server: RunningServer) -> None:
    server.client().create_domain(DomainName="others", DefaultExpirationDays=30)
    load(server, "others", FIRST)
    job_id = create(server, "others")
    put(server, "others", job_id, SECOND)
    preview_id = client.start_preview("others", job_id)
    wait_until(lambda: client.get_preview("others", preview_id)["Status"] != "IN_PROGRESS", "the preview ends")
    made = run_command(
        "credentials", "create", "--data", server.data_folder, "--name", "loads", "--action", "profile:GetUploadJob",
        "--output", "json",
    )  # fmt: skip
    keys = json.loads(made.stdout)
    session = boto3.Session(keys["access_key_id"], keys["secret_access_key"], region_name="us-east-1")

    told = client.get_preview("others", preview_id)["Samples"][-1]
    told_less = Client(session, server.url).get_preview("others", preview_id)["Samples"][-1]

    assert (len(told["ProfileId"]), told["Fields"][0]) == (
        32,
        {"Field": "FirstName", "Before": "Ada", "After": "Adele"},
    )
    assert told_less == {
        "Record": 1,
        "Line": 2,
        "Fields": [{"Field": "FirstName", "After": "Adele"}, {"Field": "Attributes.tier", "After": "silver"}],
    }


def test_a_preview_ends_when_its_job_is_started_or_gets_another_file(client: Client, server: RunningServer) -> None:
    job_id = create(server, "shop")
    put(server, "shop", job_id, b"Email,First,Tier\n" + b"".join(b"n%d@x.example,A,\n" % n for n in range(50_000)))
    first = client.start_preview("shop", job_id)
    put(server, "shop", job_id, FIRST)
    second = client.start_preview("shop", job_id)
    server.client().start_upload_job(DomainName="shop", JobId=job_id)

    shown = wait_for_end(server, "shop", job_id)

    assert shown["Status"] == "SUCCEEDED"
    for preview_id in (first, second):
        # It may have come to its end before.
        assert wait_for_preview(client, preview_id)["Status"] in ("STOPPED", "SUCCEEDED")


def test_only_a_job_that_has_its_file_and_was_not_started_is_previewed(client: Client, server: RunningServer) -> None:
    job_id = create(server, "shop")
    with pytest.raises(ClientError, match="has no file yet"):
        client.start_preview("shop", job_id)
    put(server, "shop", job_id, FIRST)
    server.client().start_upload_job(DomainName="shop", JobId=job_id)
    wait_for_end(server, "shop", job_id)

    with pytest.raises(ClientError, match="a job can be previewed only before it is started"):
        client.start_preview("shop", job_id)
    with pytest.raises(ClientError, match="is not a preview"):
        client.get_preview("shop", job_id)
    with pytest.raises(ClientError, match="is not a preview"):
        client.stop_preview("shop", job_id)


def test_a_preview_leaves_the_file_and_no_row_numbers_are_used(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", FIRST)
    given: list[str | Path] = [file, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data"]

    for _ in range(2):
        import_json(*given, "--dry-run")
    import_json(*given)

    assert [(job.status, job.created_count) for job in list_jobs(tmp_path / "data")][:1] == [("SUCCEEDED", 2)]
