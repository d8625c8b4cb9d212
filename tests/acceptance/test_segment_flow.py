"""Segments, from boto3, the AWS CLI and the commands, on a real server with its worker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from acceptance import javascript
from acceptance.running import RunningServer, environment, run_command, running_server, wait_until
from openprofiles.client import Client
from s3_server import S3Server

pytestmark = pytest.mark.usefixtures("quick_servers")

CUSTOMERS = "Email,First,Country,Birth,tier\n" + "".join(
    f"c{number}@example.com,Name{number},{('US', 'CA', 'DE')[number % 3]},19{number + 50}-01-01,"
    f"{'gold' if number % 2 else 'basic'}\n"
    for number in range(30)
)
MAPPING = (
    "--map", "Country=Address.Country", "--map", "First=FirstName", "--map", "Birth=BirthDate",
    "--map", "tier=Attributes.tier",
)  # fmt: skip
US = {"ProfileAttributes": {"Address": {"Country": {"DimensionType": "INCLUSIVE", "Values": ["US"]}}}}
GOLD = {"ProfileAttributes": {"Attributes": {"tier": {"DimensionType": "INCLUSIVE", "Values": ["gold"]}}}}
US_GOLD: dict[str, Any] = {"Groups": [{"Dimensions": [US, GOLD]}], "Include": "ALL"}
ARN = "arn:aws:profile:us-east-1:123456789012:domains/{}/segment-definitions/us-gold"

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("segments") / "data", "--workers", "1") as running:
        yield running


def load(run: Run, folder: Path, name: str = "customers.csv", content: str = CUSTOMERS) -> str:
    """Import a file; return the id of the job."""
    file = folder / name
    file.write_text(content)
    loaded = run("import", file, "--unique-key", "Email", *MAPPING, "--output", "json", "--yes")
    assert loaded.returncode == 0, loaded.stderr
    return str(json.loads(loaded.stdout)["job_id"])


def commands_on(server: RunningServer, domain: str) -> Run:
    return lambda *arguments: run_command(*arguments, "--domain", domain, **server.variables())


def estimate(client: Any, domain: str, **query: Any) -> dict[str, Any]:
    """Have a query counted; return the final state."""
    started = client.create_segment_estimate(DomainName=domain, **query)
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        found.update(client.get_segment_estimate(DomainName=domain, EstimateId=started["EstimateId"]))
        return bool(found["Status"] != "RUNNING")

    wait_until(has_ended, "the estimate ends")
    return found


def test_a_file_becomes_a_segment_that_is_counted_and_asked_for_members(server: RunningServer, tmp_path: Path) -> None:
    client = server.client()
    job_id = load(commands_on(server, "shop"), tmp_path)

    made = client.create_segment_definition(
        DomainName="shop",
        SegmentDefinitionName="us-gold",
        DisplayName="US, gold",
        Description="For the spring campaign",
        SegmentGroups=US_GOLD,
        Tags={"team": "a"},
    )
    found = client.get_segment_definition(DomainName="shop", SegmentDefinitionName="us-gold")
    counted = estimate(client, "shop", SegmentQuery=found["SegmentGroups"])
    of_job = {"Attributes": {"_openprofiles.made_by_upload_job": {"DimensionType": "INCLUSIVE", "Values": [job_id]}}}
    of_file = estimate(client, "shop", SegmentQuery={"Groups": [{"Dimensions": [{"ProfileAttributes": of_job}]}]})
    everybody = estimate(client, "shop")
    ids = [
        client.search_profiles(DomainName="shop", KeyName="_email", Values=[f"c{number}@example.com"])["Items"][0][
            "ProfileId"
        ]
        for number in (3, 0, 1)
    ]
    members = client.get_segment_membership(
        DomainName="shop", SegmentDefinitionName="us-gold", ProfileIds=[*ids, "f" * 32, ids[0]]
    )

    assert made["SegmentDefinitionArn"] == found["SegmentDefinitionArn"] == ARN.format("shop")
    assert (found["SegmentGroups"], found["SegmentType"], found["Tags"]) == (US_GOLD, "CLASSIC", {"team": "a"})
    assert (counted["Status"], counted["Estimate"]) == ("SUCCEEDED", "5")
    assert (of_file["Estimate"], everybody["Estimate"]) == ("30", "30")
    assert [(one["ProfileId"], one["QueryResult"]) for one in members["Profiles"]] == [
        (ids[0], "PRESENT"),
        (ids[1], "ABSENT"),
        (ids[2], "ABSENT"),
    ]
    assert members["Profiles"][0]["Profile"]["EmailAddress"] == "c3@example.com"
    assert [(one["ProfileId"], one["Status"]) for one in members["Failures"]] == [("f" * 32, 404)]
    assert abs((members["LastComputedAt"] - made["CreatedAt"]).total_seconds()) < 600

    client.tag_resource(resourceArn=ARN.format("shop"), tags={"stage": "test"})
    (listed,) = client.list_segment_definitions(DomainName="shop")["Items"]
    assert listed["Tags"] == {"team": "a", "stage": "test"}
    assert (listed["SegmentType"], listed["Description"]) == ("CLASSIC", "For the spring campaign")
    assert "SegmentGroups" not in listed
    deleted = client.delete_segment_definition(DomainName="shop", SegmentDefinitionName="us-gold")
    assert deleted["Message"] == "OK: segment definition us-gold deleted"


@pytest.mark.parametrize(
    ("operation", "arguments", "code", "message"),
    [
        ("get_segment_definition", {"SegmentDefinitionName": "no"}, "ResourceNotFoundException", "Segment definition"),
        ("delete_segment_definition", {"SegmentDefinitionName": "no"}, "ResourceNotFoundException", "does not exist"),
        ("get_segment_estimate", {"EstimateId": "f" * 32}, "ResourceNotFoundException", "kept for a day"),
        (
            "get_segment_membership",
            {"SegmentDefinitionName": "no", "ProfileIds": ["f" * 32]},
            "ResourceNotFoundException",
            "Segment definition no does not exist",
        ),
        (
            "get_segment_membership",
            {"SegmentDefinitionName": "no", "ProfileIds": ["f" * 32] * 101},
            "BadRequestException",
            "less than or equal to 100",
        ),
        ("create_segment_estimate", {"SegmentSqlQuery": "select 1"}, "BadRequestException", "one column profile_id"),
        ("list_segment_definitions", {"NextToken": "x"}, "BadRequestException", "NextToken is not valid here"),
        ("list_segment_definitions", {"DomainName": "no"}, "ResourceNotFoundException", "Domain no does not exist."),
        (
            "create_segment_definition",
            {"SegmentDefinitionName": "x", "DisplayName": "x", "SegmentGroups": {"Groups": [{"Dimensions": [{
                "ProfileAttributes": {"FirstName": {"DimensionType": "INCLUSIVE", "Values": ["x"] * 51}}
            }]}]}},
            "BadRequestException",
            "Values",
        ),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_answered_gets_an_error_that_says_why(
    server: RunningServer, operation: str, arguments: dict[str, Any], code: str, message: str
) -> None:
    client = server.client()
    if "errors" not in [one["DomainName"] for one in client.list_domains()["Items"]]:
        client.create_domain(DomainName="errors", DefaultExpirationDays=30)

    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**{"DomainName": "errors"} | arguments)

    assert caught.value.response["Error"]["Code"] == code
    assert message in caught.value.response["Error"]["Message"]


@pytest.mark.long(daily="test_a_file_becomes_a_segment_that_is_counted_and_asked_for_members")
def test_the_aws_cli_creates_a_segment_and_counts_it(server: RunningServer) -> None:
    client = server.client()
    client.create_domain(DomainName="cli", DefaultExpirationDays=30)
    key_id, secret = server.admin()

    def aws(*arguments: str) -> Any:
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("aws")), "customer-profiles", *arguments,
                "--domain-name", "cli", "--endpoint-url", server.url, "--output", "json",
            ],
            env=environment(AWS_ACCESS_KEY_ID=key_id, AWS_SECRET_ACCESS_KEY=secret, AWS_DEFAULT_REGION="us-east-1"),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    aws(
        "create-segment-definition", "--segment-definition-name", "us-gold", "--display-name", "US",
        "--segment-groups", json.dumps(US_GOLD),
    )  # fmt: skip
    shown = aws("get-segment-definition", "--segment-definition-name", "us-gold")
    started = aws("create-segment-estimate", "--segment-query", json.dumps(shown["SegmentGroups"]))
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        found.update(aws("get-segment-estimate", "--estimate-id", started["EstimateId"]))
        return bool(found["Status"] != "RUNNING")

    wait_until(has_ended, "the estimate ends")
    assert (found["Status"], found["Estimate"]) == ("SUCCEEDED", "0")


@pytest.fixture(params=["directly", "through a server"])
def run(request: pytest.FixtureRequest, server: RunningServer, tmp_path: Path) -> Run:
    """Run a command on a domain of its own."""
    if request.param == "through a server":
        return commands_on(server, "commands")
    where = {"OPENPROFILES_DATA": str(tmp_path / "data")}
    return lambda *arguments: run_command(*arguments, "--domain", "commands", **where)


@pytest.mark.daily_on("through a server")
def test_commands_create_count_list_and_explain_segments(run: Run, tmp_path: Path) -> None:
    job_id = load(run, tmp_path)

    created = run(
        "segments", "create", "us-gold", "--where", "Address.Country is US", "--where", "tier is gold",
        "--description", "Spring",
    )  # fmt: skip
    listed = run("segments", "list")
    counted = run("segments", "estimate", "us-gold")
    old = run(
        "segments", "estimate", "--where", "BirthDate is before 1960-01-01", "--where", "tier is gold", "--any",
        "--output", "json",
    )  # fmt: skip
    members = run("segments", "members", "us-gold", "--limit", "3")
    as_json = run("segments", "members", "us-gold", "--output", "json")
    why = run("segments", "why", "us-gold", "c4@example.com")
    of_job = run("jobs", "segment", "last", "--name", "file")
    of_file = run("segments", "estimate", "file")
    taken = run("jobs", "segment", job_id, "--name", "file")

    assert created.stdout == "Segment us-gold has been created.\n", created.stderr
    assert listed.stdout.splitlines()[1].split()[:3] == ["us-gold", "us-gold", "Spring"]
    assert counted.stdout.startswith("5 of 30 profiles, counted at 20"), counted.stderr
    assert json.loads(old.stdout)["members"] == 20
    assert members.stdout.splitlines()[0].split() == ["PROFILE", "NAME", "EMAIL"]
    assert [line.split()[1:] for line in members.stdout.splitlines()[1:]] == [
        [f"Name{number}", f"c{number}@example.com"] for number in (3, 9, 15)
    ]
    assert [one["EmailAddress"] for one in json.loads(as_json.stdout)] == [
        f"c{number}@example.com" for number in (3, 9, 15, 21, 27)
    ]
    assert why.stdout.splitlines()[0].endswith(" is not in the segment us-gold:")
    assert why.stdout.splitlines()[1:] == [
        "  no  all of:",
        "    no  Address.Country is US (is CA)",
        "    no  Attributes.tier is gold (is basic)",
    ]
    assert of_job.stdout.startswith("Segment file has been created."), of_job.stderr
    assert of_file.stdout.startswith("30 of 30 profiles, counted at ")
    assert taken.stderr.endswith("Segment definition with name file already exists\n")

    shown = run("segments", "show", "us-gold")
    again = tmp_path / "again.json"
    again.write_text(shown.stdout)
    assert run("segments", "create", "again", "--file", again).returncode == 0
    assert run("segments", "estimate", "again").stdout.startswith("5 of 30 profiles")
    assert run("segments", "delete", "again", "--yes").stdout == "Segment again has been deleted.\n"
    gone = run("segments", "members", "again")
    assert gone.stderr.endswith("Segment definition again does not exist in domain commands.\n")


@pytest.mark.daily_on("directly")
def test_a_segment_is_tested_against_the_members_that_a_file_expects(run: Run, tmp_path: Path) -> None:
    load(run, tmp_path)
    run("segments", "create", "us-gold", "--where", "Address.Country is US", "--where", "tier is gold")
    file = tmp_path / "expected.csv"

    def test(content: str, *options: str) -> CompletedProcess[str]:
        file.write_text(content)
        return run("segments", "test", "us-gold", file, *options)

    passes = test("Customer, member,why\nc3@example.com,yes,American\nc1@example.com, No ,\n")
    fails = test("customer,member\nc3@example.com,no\nc4@example.com,yes\nc9@example.com,yes\nnobody@x.org,yes\n")
    as_json = test("customer,member\nc3@example.com,no\n", "--output", "json")

    assert (passes.returncode, passes.stdout) == (0, "2 of 2 customers as expected.\n"), passes.stderr
    assert (fails.returncode, fails.stdout.splitlines()) == (
        1,
        [
            "Line 2: c3@example.com should not be in the segment us-gold.",
            "  yes all of:",
            "    yes Address.Country is US (is US)",
            "    yes Attributes.tier is gold (is gold)",
            "Line 3: c4@example.com should be in the segment us-gold.",
            "  no  all of:",
            "    no  Address.Country is US (is CA)",
            "    no  Attributes.tier is gold (is basic)",
            "Line 5: nobody@x.org should be in the segment us-gold.",
            f"  {fails.stdout.splitlines()[-2].strip()}",
            "1 of 4 customers as expected.",
        ],
    )
    assert "has the id, address, number or name nobody@x.org." in fails.stdout
    found = json.loads(as_json.stdout)
    assert (found["passed"], [(one["line"], one["expected"]) for one in found["failed"]]) == (0, [(2, False)])
    assert found["failed"][0]["explanation"]["IsMember"] is True
    for content, message in [
        ("email,member\n", "must be a CSV file with commas, and with the columns customer and member (yes or no)."),
        ("customer,member\na@x.org,perhaps\n", "Line 2 of {} must have a customer, and yes or no as member."),
        ("customer,member\n", "{} has no customer below its header."),
        (f"customer,member\n{'x' * 200_000},yes\n", "Line 2 of {} cannot be read as CSV: field larger than"),
    ]:
        refused = test(content)
        assert refused.returncode == 2
        assert message.format(file) in refused.stderr
    file.write_text("customer,member\nnobody@example.com,no\n")
    absent = run("segments", "test", "absent", file)
    assert (absent.returncode, absent.stdout) == (2, "")
    assert "Segment definition absent does not exist" in absent.stderr


@pytest.mark.daily_on("directly")
def test_a_funnel_shows_how_many_customers_each_condition_leaves(run: Run, tmp_path: Path) -> None:
    load(run, tmp_path)
    run("segments", "create", "us-gold", "--where", "Address.Country is US", "--where", "tier is gold")
    both = {"Dimensions": [US, GOLD], "Type": "ANY", "SourceSegments": [{"SegmentDefinitionName": "us-gold"}]}
    file = tmp_path / "groups.json"
    file.write_text(json.dumps({"Groups": [both, {"Dimensions": [US, {"ProfileAttributes": {
        "BirthDate": {"DimensionType": "BEFORE", "Values": ["1940-01-01"]},
    }}]}]}))  # fmt: skip

    table = run("segments", "estimate", "us-gold", "--funnel")
    mixed = run("segments", "estimate", "--file", file, "--funnel", "--output", "json")
    for wrong in ({"Groups": [5]}, {"Groups": "x"}, {"Groups": [{"Dimensions": 5}]}):
        file.write_text(json.dumps(wrong))
        assert "must be a" in run("segments", "estimate", "--file", file, "--funnel").stderr
    file.write_text(json.dumps({"Groups": [{"Dimensions": [US], "Type": None}], "Include": None}))
    assert "Address.Country is US   " in run("segments", "estimate", "--file", file, "--funnel").stdout
    file.write_text("{}")
    assert "A funnel needs conditions" in run("segments", "estimate", "--file", file, "--funnel").stderr
    file.write_text(json.dumps({"Groups": [both], "Include": "ANY"}))
    any_of = run("segments", "estimate", "--file", file, "--funnel")
    run("segments", "create", "everybody")
    nothing = run("segments", "estimate", "everybody", "--funnel")

    assert [line.split() for line in table.stdout.splitlines()] == [
        ["CONDITION", "LEFT", "OF", "THOSE", "BEFORE"],
        ["all", "profiles", "30"],
        ["Address.Country", "is", "US", "10", "33.3%"],
        ["Attributes.tier", "is", "gold", "5", "50.0%"],
    ], table.stderr
    found = json.loads(mixed.stdout)
    assert (found["profiles"], found["steps"]) == (
        30,
        [
            {"condition": "in segment us-gold", "members": 5},
            {"condition": "Address.Country is US or Attributes.tier is gold", "members": 5},
            {"condition": "Address.Country is US", "members": 5},
            {"condition": "BirthDate is before 1940-01-01", "members": 0},
        ],
    )
    assert any_of.stderr.startswith("Error: A funnel needs conditions that must all hold")
    assert nothing.stderr.startswith("Error: A funnel needs conditions; this segment has none")


@pytest.mark.daily_on("directly")
def test_a_condition_that_cannot_be_read_is_refused_with_what_was_probably_meant(run: Run, tmp_path: Path) -> None:
    load(run, tmp_path)

    unread = run("segments", "estimate", "--where", "tier")
    without = run("segments", "estimate", "--where", "tier is ")
    misspelt = run("segments", "estimate", "--where", "tiers is gold")
    field = run("segments", "estimate", "--where", "Country is US")
    number = run("segments", "estimate", "--where", "tier is greater than gold")
    both = run("segments", "estimate", "x", "--where", "tier is gold")
    no_json = tmp_path / "no.json"
    no_json.write_text("[")

    assert "must be a field, an operator and values" in unread.stderr
    assert "has no value after 'is'" in without.stderr
    assert "Did you mean tier?" in misspelt.stderr
    assert "Did you mean Address.Country?" in field.stderr
    assert "must be a number for GREATER_THAN" in number.stderr
    assert "Give either the name of a segment, or conditions." in both.stderr
    assert run("segments", "estimate", "--file", no_json).stderr == (
        f"Error: {no_json} is not JSON: Expecting value: line 1 column 2 (char 1).\n"
    )
    assert "cannot be read: No such file" in run("segments", "estimate", "--file", tmp_path / "absent").stderr


def test_the_python_client_explains_an_estimate_and_a_membership(server: RunningServer, tmp_path: Path) -> None:
    load(commands_on(server, "insight"), tmp_path)
    key_id, secret = server.admin()
    aws = server.client()
    aws.create_segment_definition(
        DomainName="insight", SegmentDefinitionName="us-gold", DisplayName="x", SegmentGroups=US_GOLD
    )
    session = boto3.Session(aws_access_key_id=key_id, aws_secret_access_key=secret, region_name="us-east-1")
    operations = Client(session, endpoint_url=server.url).operations

    started = aws.create_segment_estimate(DomainName="insight", SegmentQuery=US_GOLD)["EstimateId"]
    of_estimate = {"DomainName": "insight", "EstimateId": started}
    wait_until(
        lambda: operations.get_segment_estimate_details(**of_estimate)["Status"] != "RUNNING", "the estimate ends"
    )
    details = operations.get_segment_estimate_details(**of_estimate)
    pages = operations.get_paginator("list_segment_members").paginate(
        DomainName="insight", SegmentDefinitionName="us-gold", PaginationConfig={"PageSize": 2}
    )
    ids = [one["ProfileId"] for page in pages for one in page["Items"]]
    explained = operations.explain_segment_membership(
        DomainName="insight", SegmentDefinitionName="us-gold", ProfileId=ids[0]
    )

    assert (details["Status"], details["Members"], details["Profiles"]) == ("SUCCEEDED", 5, 30)
    assert details["AsOf"] is not None
    assert len(ids) == 5
    assert explained["IsMember"]
    assert [(one["Depth"], one["Kind"], one["Holds"]) for one in explained["Parts"]] == [
        (0, "ALL", True),
        (1, "TEST", True),
        (1, "TEST", True),
    ]
    assert (explained["Parts"][2]["Attribute"], explained["Parts"][2]["Found"]) == ("Attributes.tier", "gold")
    assert explained["Parts"][2]["Place"].endswith("Dimensions[1].ProfileAttributes.Attributes.tier")


def snapshot(client: Any, domain: str, name: str, **members: Any) -> dict[str, Any]:
    """Have a segment exported; return the final state."""
    of_segment = {"DomainName": domain, "SegmentDefinitionName": name}
    started = client.create_segment_snapshot(**of_segment, **members)
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        found.update(client.get_segment_snapshot(**of_segment, SnapshotId=started["SnapshotId"]))
        return bool(found["Status"] != "IN_PROGRESS")

    wait_until(has_ended, "the export ends")
    return found


@pytest.fixture(scope="module")
def exporting(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Iterator[tuple[RunningServer, Path]]:
    """Run a server that exports to a folder and to buckets, with a segment of 15 customers."""
    folder = tmp_path_factory.mktemp("exports")
    data = tmp_path_factory.mktemp("exporting") / "data"
    arguments = ("--workers", "1", "--export-folder", str(folder))
    with running_server(data, *arguments, **s3_server.environment()) as running:
        load(commands_on(running, "shop"), folder.parent)
        running.client().create_segment_definition(
            DomainName="shop",
            SegmentDefinitionName="gold",
            DisplayName="Gold",
            SegmentGroups={"Groups": [{"Dimensions": [GOLD]}]},
            SegmentSort={"Attributes": [{"Name": "BirthDate", "Order": "DESC", "DataType": "DATE"}]},
        )
        yield running, folder


def test_a_segment_is_exported_to_a_folder_and_imported_again(exporting: tuple[RunningServer, Path]) -> None:
    server, folder = exporting

    found = snapshot(
        server.client(), "shop", "gold", DataFormat="CSV", DestinationUri=f"file://{folder}/march",
        RoleArn="arn:aws:iam::123456789012:role/export", EncryptionKey="key",
    )  # fmt: skip

    assert found["Status"] == "COMPLETED"
    assert (found["RoleArn"], found["EncryptionKey"]) == ("arn:aws:iam::123456789012:role/export", "key")
    files = folder / "march" / "gold" / found["SnapshotId"]
    manifest = json.loads((files / "manifest.json").read_text())
    assert (manifest["Members"], [one["Rows"] for one in manifest["Files"]]) == (15, [15])
    assert sorted(one.name for one in files.iterdir()) == ["manifest.json", "part-00000.csv"]
    assert (folder / "march" / "customer-profiles-test-file").is_file()
    header, first, *_ = (files / "part-00000.csv").read_text().splitlines()
    assert header == '"ProfileId","FirstName","BirthDate","EmailAddress","Address.Country","Attributes.tier"'
    # The youngest first.
    assert first.split(",", 1)[1] == '"Name29","1979-01-01","c29@example.com","DE","gold"'

    commands = commands_on(server, "again")
    back = commands("import", files / "part-00000.csv", "--unique-key", "EmailAddress", "--yes")
    assert back.returncode == 0, back.stderr
    why = commands("segments", "estimate", "--where", "Attributes.tier is gold", "--where", "Address.Country is DE")
    assert why.stdout.startswith("5 of 15 profiles"), why.stderr


def test_an_export_to_a_folder_is_downloaded_in_the_console(exporting: tuple[RunningServer, Path]) -> None:
    server, folder = exporting
    found = snapshot(server.client(), "shop", "gold", DataFormat="CSV", DestinationUri=f"file://{folder}/shown")
    exported = folder / "shown" / "gold" / found["SnapshotId"]
    page = f"{server.url}/console/domains/shop/segments/gold"
    place = f"{page}/exports/{found['SnapshotId']}"
    key_id, secret = server.admin()
    with requests.Session() as session:
        session.post(
            f"{server.url}/console/sign-in", data={"access_key_id": key_id, "secret_access_key": secret}, timeout=30
        )
        shown = session.get(page, timeout=30).text
        answer = session.get(f"{place}/part-00000.csv", timeout=30)
        others = [session.get(f"{place}/{name}", timeout=30).status_code for name in ("manifest.json", "part-1.csv")]
        (exported / "part-00000.csv").unlink()
        gone = session.get(f"{place}/part-00000.csv", timeout=30)
    unsigned = requests.get(f"{place}/part-00000.csv", timeout=30, allow_redirects=False)

    assert f"/exports/{found['SnapshotId']}/part-00000.csv" in shown
    assert answer.content.startswith(b'"ProfileId"')
    assert answer.content.count(b"\n") == 16
    assert answer.headers["Content-Disposition"] == 'attachment; filename="gold-part-00000.csv"'
    assert (others, gone.status_code) == ([404, 404], 404)
    assert unsigned.status_code in (303, 403)


def test_the_javascript_sdk_makes_a_segment_of_a_file_and_exports_it(
    exporting: tuple[RunningServer, Path], tmp_path: Path
) -> None:
    node = javascript.require_sdk()
    server, folder = exporting
    job_id = load(commands_on(server, "js"), tmp_path)

    answer = subprocess.run(
        [node, "segment_flow.mjs", "js", job_id, f"file://{folder}/js"],
        cwd=javascript.FOLDER,
        env=environment(
            **server.variables(),
            AWS_ENDPOINT_URL_CUSTOMER_PROFILES=server.url,
            AWS_REGION="us-east-1",
            AWS_EC2_METADATA_DISABLED="true",
        ),
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    status, snapshot_id = found.pop("snapshot")
    assert found == {
        "isSame": True,
        "isDate": True,
        "estimate": ["SUCCEEDED", "10"],
        "members": [[0, "PRESENT"], [1, "ABSENT"]],
        "isListed": True,
    }
    assert status == "COMPLETED"
    exported = folder / "js" / "americans-of-the-file" / snapshot_id / "part-00000.csv"
    back = commands_on(server, "js")("import", exported, "--unique-key", "EmailAddress", "--yes", "--output", "json")
    assert json.loads(back.stdout)["updated"] == 10, back.stdout


@pytest.mark.parametrize("data_format", ["CSV", "JSONL", "ORC"])
def test_a_segment_is_exported_to_a_bucket(
    exporting: tuple[RunningServer, Path], s3_server: S3Server, data_format: str
) -> None:
    server, _ = exporting
    bucket = s3_server.create_bucket(f"exports-{data_format.lower()}")

    found = snapshot(server.client(), "shop", "gold", DataFormat=data_format, DestinationUri=f"s3://{bucket}/spring")

    assert found["Status"] == "COMPLETED", found
    folder = f"spring/gold/{found['SnapshotId']}"
    part = f"{folder}/part-00000.{data_format.lower()}"
    keys = [one["Key"] for one in s3_server.client().list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["spring/customer-profiles-test-file", f"{folder}/manifest.json", part]
    if data_format == "JSONL":
        body = s3_server.client().get_object(Bucket=bucket, Key=part)["Body"].read().decode()
        first = json.loads(body.splitlines()[0])
        (answered,) = server.client().batch_get_profile(DomainName="shop", ProfileIds=[first["ProfileId"]])["Profiles"]
        assert first == answered


def test_an_export_to_a_bucket_that_is_missing_fails_at_once_and_names_it(
    exporting: tuple[RunningServer, Path],
) -> None:
    server, _ = exporting

    found = snapshot(server.client(), "shop", "gold", DataFormat="CSV", DestinationUri="s3://not-there/spring")

    assert found["Status"] == "FAILED"
    assert found["StatusMessage"].startswith("The bucket not-there cannot be written: NoSuchBucket. Check that it ")


def test_a_folder_outside_of_the_allowed_one_is_refused(exporting: tuple[RunningServer, Path], tmp_path: Path) -> None:
    server, folder = exporting
    (folder / "link").symlink_to(tmp_path)
    refused = {}
    for uri in (
        "file:///etc", f"file://{folder}/../x", f"file://{folder}/link/x", f"file://{folder}%2F..%2Fx", "file://host/x",
        f"file://{folder}/%00x", f"file://{folder}/%FF", "file://[x/", "https://example.com/", "s3://", "gs://bucket",
    ):  # fmt: skip
        with pytest.raises(ClientError) as caught:
            server.client().create_segment_snapshot(
                DomainName="shop", SegmentDefinitionName="gold", DataFormat="CSV", DestinationUri=uri
            )
        refused[uri] = caught.value.response["Error"]["Message"]

    assert all("DestinationUri must be" in message for message in refused.values()), refused
    with pytest.raises(ClientError, match="DestinationUri is required"):
        server.client().create_segment_snapshot(DomainName="shop", SegmentDefinitionName="gold", DataFormat="CSV")


def test_the_snapshot_of_another_segment_is_not_found(exporting: tuple[RunningServer, Path]) -> None:
    server, folder = exporting
    client = server.client()
    client.create_segment_definition(DomainName="shop", SegmentDefinitionName="other", DisplayName="x")
    started = snapshot(client, "shop", "gold", DataFormat="CSV", DestinationUri=f"file://{folder}/april")

    with pytest.raises(ClientError, match="Segment definition other has no snapshot"):
        client.get_segment_snapshot(DomainName="shop", SegmentDefinitionName="other", SnapshotId=started["SnapshotId"])


def test_a_server_without_an_export_folder_refuses_folders(server: RunningServer, tmp_path: Path) -> None:
    client = server.client()
    client.create_domain(DomainName="folders", DefaultExpirationDays=30)
    client.create_segment_definition(DomainName="folders", SegmentDefinitionName="all", DisplayName="x")

    with pytest.raises(ClientError, match="start the server with --export-folder"):
        client.create_segment_snapshot(
            DomainName="folders", SegmentDefinitionName="all", DataFormat="CSV", DestinationUri=tmp_path.as_uri()
        )


def test_a_command_exports_to_a_folder_of_the_data_folders_machine(tmp_path: Path) -> None:
    where = {"OPENPROFILES_DATA": str(tmp_path / "data"), "OPENPROFILES_DOMAIN": "shop"}
    load(lambda *arguments: run_command(*arguments, "--domain", "shop", **where), tmp_path)
    run_command("segments", "create", "gold", "--where", "tier is gold", **where)

    done = run_command("segments", "export", "gold", "--to", tmp_path / "out", "--format", "jsonl", **where)
    failed = run_command("segments", "export", "gold", "--to", "s3://not-there", **where)

    (folder,) = (tmp_path / "out" / "gold").iterdir()
    assert done.stdout == f"The segment gold has been exported to {folder}\n", done.stderr
    assert len((folder / "part-00000.jsonl").read_text().splitlines()) == 15
    assert failed.stderr.startswith("Error: The segment could not be exported: The bucket not-there cannot be written")
