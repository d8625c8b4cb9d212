"""``openprofiles.client`` on a real server, and the document that describes what it calls."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

from acceptance.raw_requests import send_raw
from acceptance.running import RunningServer, run_command, running_server, wait_until
from acceptance.test_upload_flow import FIELDS, create, load, put, wait_for_end
from openapi_document import OPENAPI, validator
from openprofiles.client import Client
from openprofiles.operations.registry import own_handlers
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.uploads.failures.faults import CODES
from openprofiles.wire.model import TextShape, load_model, load_own_model

pytestmark = pytest.mark.usefixtures("quick_servers")

# 2,400 rows: three pages of those that failed.
FAILING = 2_300
FILE = "Email,First,Tier\nada@x.example,Zoë,gold\n".encode() + b"".join(b",Nobody %d,\n" % n for n in range(FAILING))
DEFAULT_OPTIONS = {
    "File": {},
    "WriteMode": "CREATE_AND_UPDATE",
    "BlankCells": "KEEP",
    "ShortRows": "JUDGE",
    "HandSetFields": "KEEP",
    "DoubtfulRows": "LOAD",
    "FailureLimit": {},
    "Checks": {},
    "Webhook": {},
}
MALFORMED = b'"a"b,c,\nRen\xe9,e,\n,"1,5",x,y\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("client") / "data", "--workers", "1") as running:
        running.client().create_domain(DomainName="shop", DefaultExpirationDays=30)
        yield running


@pytest.fixture(scope="module")
def job_id(server: RunningServer) -> str:
    shown = load(server, "shop", FILE + MALFORMED)
    assert shown["Status"] == "PARTIALLY_SUCCEEDED"
    return str(shown["JobId"])


@pytest.fixture
def client(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    access_key_id, secret = server.admin()
    session = boto3.Session(access_key_id, secret, region_name="us-east-1")
    made = Client(session, server.url)
    yield made
    made.close()


def test_progress_and_failed_rows_are_told_as_the_document_says(client: Client, job_id: str) -> None:
    progress = client.get_progress("shop", job_id)
    rows = list(client.list_failed_rows("shop", job_id))

    validator("Progress").validate(progress)
    for row in rows:
        validator("FailedRow").validate(row)
    assert (progress["CreatedRecords"], progress["FailedRecords"]) == (1, FAILING + 3)
    assert progress["Faults"] == [
        {"Code": "MISSING_UNIQUE_KEY", "Column": "Email", "Count": FAILING + 1},
        {"Code": "INVALID_UTF8", "Count": 1},
        {"Code": "MALFORMED_QUOTES", "Count": 1},
        {"Code": "TOO_MANY_CELLS", "Count": 1},
    ]
    assert [row["Record"] for row in rows] == list(range(2, FAILING + 5))
    assert rows[0]["Cells"] == ["", "Nobody 0", ""]
    assert [(row.get("Cells"), row.get("Surplus")) for row in rows[-3:]] == [
        (None, '"a"b,c,'),
        (["Ren\\xe9", "e", ""], None),
        (["", "1,5", "x"], "y"),
    ]


def test_the_account_tells_repeated_keys_unmapped_columns_and_the_time_of_each_step(
    client: Client, server: RunningServer
) -> None:
    lines = [
        "Email,First,Tier,Notes",
        "ada@x,Ada,,a",
        '"bob@x","B',
        'ob",,b',
        "ADA@x,,gold,c",
        ",Nobody,,d",
        "ada@x,,,",
    ]
    shown = load(server, "shop", "\n".join(lines).encode())

    progress = client.get_progress("shop", shown["JobId"])
    rows = list(client.list_repeated_rows("shop", shown["JobId"]))
    page = client.operations.list_repeated_rows(DomainName="shop", JobId=shown["JobId"], MaxResults=1)
    del page["ResponseMetadata"]

    validator("Progress").validate(progress)
    validator("RepeatedRows").validate(page)
    assert (page["Items"], "NextToken" in page) == (rows[:1], True)
    assert rows == [
        {"Record": 3, "Line": 5, "FirstRecord": 1, "FirstLine": 2},
        {"Record": 5, "Line": 7, "FirstRecord": 1, "FirstLine": 2},
    ]
    assert (progress["RepeatedRecords"], progress["ColumnsNotMapped"]) == (2, ["Notes"])
    assert progress["File"] == {
        "Compression": "none",
        "Encoding": "utf-8",
        "ByteOrderMark": False,
        "Delimiter": ",",
        "Quote": '"',
        "LineEnds": "LF",
        "Given": [],
    }
    assert [one["Step"] for one in progress["Steps"]] == [
        "stage",
        "plan",
        "report",
        "create",
        "update",
        "follow",
        "index",
    ]
    assert 0 < progress["RecordsPerSecond"] <= 5 / sum(one["Seconds"] for one in progress["Steps"]) + 1


def test_the_form_of_a_file_can_be_given_until_the_job_is_started(client: Client, server: RunningServer) -> None:
    job_id = create(server, "shop")
    options = {
        "File": {"Encoding": "windows-1250", "Delimiter": ";", "Quote": "'", "LineEnds": "CRLF"},
        "WriteMode": "CREATE_ONLY",
        "BlankCells": "CLEAR",
        "ShortRows": "REJECT",
        "HandSetFields": "OVERWRITE",
        "DoubtfulRows": "REFUSE",
        "FailureLimit": {"Records": 3, "Percent": 2.5},
        "Checks": {
            "First": {"Type": "PATTERN", "Pattern": "[^0-9]+"},
            "Tier": {"Type": "ONE_OF", "Values": ["gold", "silver"]},
        },
        "Webhook": {},
    }
    before = client.get_options("shop", job_id)
    with pytest.raises(ClientError, match="must satisfy enum value set"):
        client.set_options("shop", job_id, {"File": {"Delimiter": ":"}})

    client.set_options("shop", job_id, {"File": {"Delimiter": "|"}})
    client.set_options("shop", job_id, options)
    put(server, "shop", job_id, "Email;First;Tier\r\nl@x;'Łu;kasz';\r\n".encode("windows-1250"))
    server.client().start_upload_job(DomainName="shop", JobId=job_id)
    shown = wait_for_end(server, "shop", job_id)
    with pytest.raises(ClientError, match="options can be set only before it is started"):
        client.set_options("shop", job_id, options)

    validator("UploadJobOptions").validate(options)
    assert (before, client.get_options("shop", job_id)) == (DEFAULT_OPTIONS, options)
    assert shown["Status"] == "SUCCEEDED"
    assert client.get_progress("shop", job_id)["File"]["Given"] == ["Encoding", "Delimiter", "Quote", "LineEnds"]
    (found,) = server.client().search_profiles(DomainName="shop", KeyName="_email", Values=["l@x"])["Items"]
    assert found["FirstName"] == "Łu;kasz"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"Nope": 1}, "There is no member 'Nope'. The members there are BlankCells, Checks,"),
        ({"WriteMode": "REPLACE"}, "Member must satisfy enum value set: [CREATE_AND_UPDATE"),
        ({"FailureLimit": {"Records": 1.5}}, "Value at 'FailureLimit.Records' must be an integer."),
        ({"FailureLimit": {"Records": True}}, "Value at 'FailureLimit.Records' must be an integer."),
        (
            {"FailureLimit": {"Percent": 101}},
            "'FailureLimit.Percent' failed to satisfy constraint: Member must have value less than or equal to 100",
        ),
        (
            {"Checks": {"Nope": {"Type": "DATE"}}},
            "There is a check for the field Nope, which is not one of the Fields.",
        ),
        ({"Checks": {"Tier": {}}}, ".Type' failed to satisfy constraint: Member must not be null"),
        ({"Checks": {"Tier": {"Type": "PATTERN", "Pattern": "(["}}}, "is not a valid RE2 regular expression"),
        ({"File": []}, "Value at 'File' must be an object."),
        ({"File": {"Encoding": 1}}, "Value at 'File.Encoding' must be text."),
        ({"File": {"Header": "x"}}, "There is no member 'File.Header'."),
    ],
)
def test_options_that_cannot_be_are_refused_and_change_nothing(
    client: Client, server: RunningServer, options: Any, message: str
) -> None:
    job_id = create(server, "shop")

    with pytest.raises(ClientError, match=re.escape(message)):
        send_raw(server, "PUT", "shop", "upload-jobs", job_id, "options", body=json.dumps(options).encode())

    assert client.get_options("shop", job_id) == DEFAULT_OPTIONS


def test_an_option_that_the_model_does_not_have_is_refused_before_it_is_sent(
    client: Client, server: RunningServer
) -> None:
    job_id = create(server, "shop")

    with pytest.raises(ParamValidationError, match='Unknown parameter in input: "Nope"'):
        client.set_options("shop", job_id, {"Nope": 1})

    assert client.get_options("shop", job_id) == DEFAULT_OPTIONS


def test_options_need_an_action_of_their_own_and_a_server_that_is_not_strict(
    client: Client, server: RunningServer, tmp_path: Path
) -> None:
    job_id = create(server, "shop")
    made = run_command(
        "credentials", "create", "--data", server.data_folder, "--name", "aws", "--action", "profile:*", "--output",
        "json",
    )  # fmt: skip
    keys = json.loads(made.stdout)
    session = boto3.Session(keys["access_key_id"], keys["secret_access_key"], region_name="us-east-1")

    with pytest.raises(ClientError, match="may not call openprofiles:SetUploadJobOptions"):
        Client(session, server.url).set_options("shop", job_id, {})
    with running_server(tmp_path / "strict", "--workers", "1", "--compat", "strict") as strict:
        strict.client().create_domain(DomainName="shop", DefaultExpirationDays=30)
        strict_job_id = create(strict, "shop")
        own = Client(boto3.Session(*strict.admin(), region_name="us-east-1"), strict.url)
        with pytest.raises(ClientError, match="--compat strict"):
            own.set_options("shop", strict_job_id, {"File": {"Delimiter": ";"}})


def test_a_page_is_as_the_document_says(client: Client, job_id: str) -> None:
    page = client.operations.list_failed_rows(DomainName="shop", JobId=job_id, MaxResults=2)
    del page["ResponseMetadata"]

    validator("FailedRows").validate(page)
    assert page["Columns"] == ["Email", "First", "Tier"]
    assert (len(page["Items"]), "NextToken" in page) == (2, True)


def test_the_file_of_failed_rows_has_all_of_them(client: Client, job_id: str) -> None:
    data = b"".join(client.read_failed_rows_file("shop", job_id))

    header, *rows = csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline=""))
    assert len(rows) == FAILING + 3
    assert {len(row) for row in rows} == {len(header)}
    assert b"\nRen\xe9,e,," in data


def test_a_refusal_is_an_error_of_botocore_in_the_form_of_the_document(
    client: Client, server: RunningServer, job_id: str
) -> None:
    with pytest.raises(ClientError, match="does not exist in domain shop") as unknown:
        client.get_progress("shop", "0" * 32)
    with pytest.raises(ClientError) as forged:
        Client(boto3.Session("OPWRONG", "wrong", region_name="us-east-1"), server.url).get_progress("shop", job_id)

    assert unknown.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert forged.value.response["Error"]["Code"] == "UnrecognizedClientException"
    validator("Error").validate({"Message": unknown.value.response["Error"]["Message"]})


def test_a_server_that_cannot_be_reached_is_an_error_of_botocore(server: RunningServer) -> None:
    client = Client(boto3.Session(*server.admin(), region_name="us-east-1"), "http://127.0.0.1:1")

    with pytest.raises(EndpointConnectionError, match=r"http://127\.0\.0\.1:1/"):
        client.suggest_mapping("shop", b"Email\n")


def test_every_operation_of_the_model_can_be_called_and_each_list_has_a_paginator(client: Client, job_id: str) -> None:
    names = {xform_name(name) for name in load_own_model().operations}

    pages = client.operations.get_paginator("list_failed_rows").paginate(DomainName="shop", JobId=job_id)
    progress = client.operations.get_progress(DomainName="shop", JobId=job_id)

    assert names <= set(dir(client.operations))
    assert {name for name in names if client.operations.can_paginate(name)} == {
        name for name in names if name.startswith(("list_", "find_"))
    }
    assert list(pages.search("Items")) == list(client.list_failed_rows("shop", job_id))
    assert progress.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    assert progress == client.get_progress("shop", job_id)


def test_the_client_uses_the_profile_the_endpoint_and_the_credentials_of_its_session(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_id, secret = server.admin()
    config = tmp_path / "config"
    config.write_text(
        f"[profile shop]\nregion = eu-west-1\naws_access_key_id = {key_id}\naws_secret_access_key = {secret}\n"
        "services = local\n[services local]\ncustomer_profiles =\n"
        f"  endpoint_url = {server.url}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    client = Client(boto3.Session(profile_name="shop"))

    assert client.operations.meta.region_name == "eu-west-1"
    assert client.operations.meta.endpoint_url == server.url
    assert client.suggest_mapping("shop", b"Email\na@x.example\n")["UniqueKey"] == "Email"


MAPPED = {name: {**field} for name, field in FIELDS.items()}
HEADER = ["Email", "First", "Tier", "Notes"]


def make_domain(server: RunningServer, name: str) -> str:
    server.client().create_domain(DomainName=name, DefaultExpirationDays=30)
    return name


def test_a_job_is_taken_back_once_and_what_stays_is_listed(client: Client, server: RunningServer) -> None:
    domain = make_domain(server, "undone")
    shown = load(server, domain, b"Email,First,Tier\na@x.example,Ann,\nb@x.example,Bo,\nc@x.example,Cy,\n")
    job_id = str(shown["JobId"])
    found = server.client().search_profiles(DomainName=domain, KeyName="_email", Values=["b@x.example"])["Items"]
    server.client().update_profile(DomainName=domain, ProfileId=found[0]["ProfileId"], LastName="Since")
    before = client.get_progress(domain, job_id)
    with pytest.raises(ClientError, match=f"Upload job {job_id} has no undo"):
        client.get_undo(domain, job_id)

    started = client.start_undo(domain, job_id)
    wait_until(lambda: client.get_undo(domain, job_id)["Status"] == "SUCCEEDED", "it is taken back")

    undo = client.get_undo(domain, job_id)
    for document in (started, undo):
        validator("UploadJobUndo").validate(document)
    counts = {name: undo[name] for name in ("RemovedProfiles", "RestoredProfiles", "KeptProfiles", "GoneProfiles")}
    assert counts == {"RemovedProfiles": 2, "RestoredProfiles": 0, "KeptProfiles": 1, "GoneProfiles": 0}
    assert list(client.list_kept_profiles(domain, job_id)) == [
        {"ProfileId": found[0]["ProfileId"], "Loaded": "CREATED"}
    ]
    assert client.start_undo(domain, job_id) == undo
    after = client.get_progress(domain, job_id)
    for progress in (before, after):
        validator("Progress").validate(progress)
    assert (round((before.pop("UndoUntil") - before["CompletedAt"]) / 86_400), "UndoStatus" in before) == (7, False)
    assert after.pop("UndoStatus") == "SUCCEEDED"
    assert after == before
    # AWS's operations do not know of it.
    jobs = server.client().list_upload_jobs(DomainName=domain)["Items"]
    assert [(job["JobId"], job["Status"]) for job in jobs] == [(job_id, "SUCCEEDED")]


def test_taking_back_needs_an_action_of_its_own(client: Client, server: RunningServer) -> None:
    domain = make_domain(server, "kept")
    job_id = str(load(server, domain, b"Email,First,Tier\na@x.example,Ann,\n")["JobId"])
    made = run_command(
        "credentials", "create", "--data", server.data_folder, "--name", "undoer", "--action", "profile:GetUploadJob",
        "--output", "json",
    )  # fmt: skip
    keys = json.loads(made.stdout)
    reader = Client(
        boto3.Session(keys["access_key_id"], keys["secret_access_key"], region_name="us-east-1"), server.url
    )

    with pytest.raises(ClientError, match="may not call openprofiles:UndoUploadJob"):
        reader.start_undo(domain, job_id)
    with pytest.raises(ClientError, match="has no undo"):
        reader.get_undo(domain, job_id)


def test_what_is_suggested_for_the_beginning_of_a_file_makes_an_upload_job(
    client: Client, server: RunningServer
) -> None:
    domain = make_domain(server, "suggest")
    lines = ["Login;Vorname;Telefon;Kürzel;", *(f"u{n}@x.example;Ada;n/a;{n};x" for n in range(5_000))]
    data = "\r\n".join(lines).encode("windows-1252")

    told = client.suggest_mapping(domain, data[:20_000])
    job_id = server.client().create_upload_job(
        DomainName=domain, DisplayName="x", Fields=told["Fields"], UniqueKey=told["UniqueKey"]
    )["JobId"]
    put(server, domain, job_id, data)
    server.client().start_upload_job(DomainName=domain, JobId=job_id)
    shown = wait_for_end(server, domain, job_id)
    next_file = client.suggest_mapping(domain, b"Login,KURZEL\na@x.example,7\n")

    validator("MappingSuggestion").validate(told)
    assert next_file["Columns"][1]["Target"] == told["Columns"][3]["Target"]
    assert (told["File"]["Encoding"], told["File"]["Delimiter"]) == ("windows-1252", ";")
    assert [(one["Header"], one.get("Target")) for one in told["Columns"]] == [
        ("Login", "_profile.EmailAddress"),
        ("Vorname", "_profile.FirstName"),
        ("Telefon", "_profile.PhoneNumber"),
        ("Kürzel", "_profile.Attributes.Kurzel"),
        ("", None),
    ]
    assert told["Columns"][2]["Reason"] == "name matches, but the values are not phone numbers"
    assert told["Columns"][2]["Confidence"] < 0.5 < told["Columns"][0]["Confidence"]
    assert told["Columns"][4] == {"Header": "", "Reason": "it has no name in the header"}
    assert (told["UniqueKey"], told["UniqueKeyConfidence"] > 0.8) == ("Login", True)
    assert (told["UniqueKeys"][0]["Header"], told["UniqueKeys"][0]["Repeated"]) == ("Login", 0)
    assert (shown["Status"], server.client().get_domain(DomainName=domain)["Stats"]["ProfileCount"]) == (
        "SUCCEEDED",
        5_000,
    )


def test_where_no_column_tells_rows_apart_no_unique_key_is_suggested(client: Client, job_id: str) -> None:
    told = client.suggest_mapping("shop", b"Tier\ngold\ngold\n")

    validator("MappingSuggestion").validate(told)
    assert "UniqueKey" not in told


@pytest.mark.parametrize(
    ("beginning", "code", "message"),
    [
        (b"", "BadRequestException", "The file is empty"),
        (b"Email", "BadRequestException", "The header of the file is incomplete"),
        (b"a@x.example\nb@x.example\n", "BadRequestException", "not the header: its cell 1 is an email address"),
        (b"PK\x03\x04" + bytes(100), "BadRequestException", "a ZIP archive or an Excel workbook"),
        (b"a,b\n" * 262_145, "RequestEntityTooLargeException", "The body is larger than 1048576 bytes"),
    ],
    ids=["empty", "cut", "no header", "workbook", "large"],
)
def test_a_beginning_that_says_nothing_is_refused_with_the_reason(
    client: Client, job_id: str, beginning: bytes, code: str, message: str
) -> None:
    with pytest.raises(ClientError, match=message) as refused:
        client.suggest_mapping("shop", beginning)

    assert refused.value.response["Error"]["Code"] == code


def test_mappings_are_saved_read_listed_and_deleted(client: Client, server: RunningServer) -> None:
    domain = make_domain(server, "mappings")
    for name in ("weekly", "daily"):
        client.put_mapping(domain, name, fields=MAPPED, unique_key="Email", columns=HEADER)
    reading = {"Encoding": "windows-1250", "Sheet": "Kunden", "ShortRows": "LOAD", "Checks": ["Phone=none"]}
    client.put_mapping(
        domain, "daily", fields={"T": MAPPED["Tier"]}, unique_key="T", columns=["Tier", "Zoë"], reading=reading
    )

    found = client.get_mapping(domain, "daily")
    listed = list(client.list_mappings(domain))
    page = client.operations.list_mappings(DomainName=domain, MaxResults=1)
    del page["ResponseMetadata"]
    client.delete_mapping(domain, "daily")

    validator("SavedMapping").validate(found)
    validator("SavedMappings").validate(page)
    assert (found["Fields"], found["UniqueKey"], found["Columns"]) == ({"T": MAPPED["Tier"]}, "T", ["Tier", "Zoë"])
    assert found["Reading"] == reading
    assert found["CreatedAt"] < found["UpdatedAt"]
    assert [one["MappingName"] for one in listed] == ["daily", "weekly"]
    assert (page["Items"], "NextToken" in page) == (listed[:1], True)
    assert [one["MappingName"] for one in client.list_mappings(domain)] == ["weekly"]
    for act in (client.get_mapping, client.delete_mapping):
        with pytest.raises(ClientError, match="The domain mappings has no mapping daily") as gone:
            act(domain, "daily")
        assert gone.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(ClientError, match="Domain nowhere does not exist"):
        client.put_mapping("nowhere", "daily", fields=MAPPED, unique_key="Email", columns=HEADER)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body must be a JSON object"),
        (b"[]", "object"),
        (b'{"Fields": []}', "Value at 'Fields' must be an object"),
        (json.dumps({"Fields": MAPPED, "UniqueKey": "Email"}).encode(), "Value at 'Columns' failed"),
        (
            json.dumps({"Fields": MAPPED, "UniqueKey": "Email", "Columns": ["Email", 1]}).encode(),
            r"Value at 'Columns\[1\]' must be text",
        ),
        (
            json.dumps({"Fields": MAPPED, "UniqueKey": "Email", "Columns": [*HEADER, "\ud800"]}).encode(),
            "half of a surrogate pair",
        ),
        (json.dumps({"Fields": MAPPED, "UniqueKey": "Email", "Columns": [*HEADER, "\0"]}).encode(), r"U\+0000"),
        (
            json.dumps({"Fields": MAPPED, "UniqueKey": "Email", "Columns": HEADER, "X\ud800": 1}).encode(),
            "There is no member",
        ),
        (json.dumps({"Fields": MAPPED, "UniqueKey": "Email", "Columns": ["Email"]}).encode(), "not in Columns"),
        (
            json.dumps({"Fields": MAPPED, "UniqueKey": "Mail", "Columns": HEADER}).encode(),
            "UniqueKey Mail is not one of",
        ),
        (
            json.dumps({"Fields": {"a b": MAPPED["Tier"]}, "UniqueKey": "a b", "Columns": HEADER}).encode(),
            "Map keys must satisfy",
        ),
        (
            json.dumps(
                {"Fields": MAPPED, "UniqueKey": "Email", "Columns": HEADER, "Reading": {"Sheets": "A"}}
            ).encode(),
            r"There is no member 'Reading\.Sheets'\. The members there are Checks, ",
        ),
        (
            json.dumps(
                {"Fields": MAPPED, "UniqueKey": "Email", "Columns": HEADER, "Reading": {"Encoding": 5}}
            ).encode(),
            r"Value at 'Reading\.Encoding' must be text",
        ),
    ],
)
def test_a_mapping_that_cannot_be_is_refused_and_not_saved(
    client: Client, server: RunningServer, job_id: str, body: bytes, message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        send_raw(server, "PUT", "shop", "mappings", "bad", body=body)

    assert list(client.list_mappings("shop")) == []


@pytest.mark.parametrize("name", ["x y", "x" * 65, "%", "é"])
def test_a_name_that_no_mapping_can_have_is_refused(client: Client, job_id: str, name: str) -> None:
    with pytest.raises(ClientError, match="'MappingName' failed to satisfy constraint"):
        client.get_mapping("shop", name)


def test_who_may_read_jobs_may_read_mappings_and_changing_them_needs_actions_of_their_own(
    client: Client, server: RunningServer, job_id: str
) -> None:
    domain = make_domain(server, "guarded")
    client.put_mapping(domain, "daily", fields=MAPPED, unique_key="Email", columns=HEADER)
    made = run_command(
        "credentials", "create", "--data", server.data_folder, "--name", "reader", "--action", "profile:GetUploadJob",
        "--domain", domain, "--output", "json",
    )  # fmt: skip
    keys = json.loads(made.stdout)
    reader = Client(
        boto3.Session(keys["access_key_id"], keys["secret_access_key"], region_name="us-east-1"), server.url
    )

    assert reader.get_mapping(domain, "daily")["UniqueKey"] == "Email"
    assert reader.suggest_mapping(domain, b"Email\na@x.example\n")["UniqueKey"] == "Email"
    with pytest.raises(ClientError, match="may not call openprofiles:PutMapping"):
        reader.put_mapping(domain, "daily", fields=MAPPED, unique_key="Email", columns=HEADER)
    with pytest.raises(ClientError, match="may not call openprofiles:DeleteMapping"):
        reader.delete_mapping(domain, "daily")
    with pytest.raises(ClientError, match="the credential does not allow this domain"):
        reader.suggest_mapping("shop", b"Email\n")


def test_the_document_has_every_path_of_the_server_and_no_other() -> None:
    operations = load_own_model().operations

    assert operations.keys() == own_handlers().keys()
    assert {(one.path, one.method.lower()) for one in operations.values()} == {
        (path, method) for path, item in OPENAPI["paths"].items() for method in item if method != "parameters"
    }


def test_the_document_knows_the_codes_states_and_forms_that_there_are() -> None:
    schemas = OPENAPI["components"]["schemas"]
    members = load_model().operations["GetUploadJob"].input.members

    assert schemas["FaultCode"]["enum"] == list(CODES)
    assert schemas["Fault"]["properties"]["Code"] == {"$ref": "#/components/schemas/FaultCode"}
    assert set(schemas["UploadJobStatus"]["enum"]) == {status.value for status in UploadJobStatus}
    assert schemas["Progress"]["properties"]["Status"] == {"$ref": "#/components/schemas/UploadJobStatus"}
    for name, given in OPENAPI["components"]["parameters"].items():
        if given["in"] != "path" or name in ("ProfileId", "DeadLetterId", "EstimateId", "SnapshotId"):
            continue
        # Mappings and segments are named like domains.
        shape = members["DomainName" if name in ("MappingName", "SegmentDefinitionName") else name].shape
        assert isinstance(shape, TextShape)
        assert shape.pattern is not None
        pattern = schemas[given["schema"]["$ref"].rpartition("/")[2]]["pattern"]
        assert pattern.removesuffix("$") == shape.pattern.pattern.removesuffix(r"\Z").removesuffix("$")
