"""Requests that are sent again because their answers got lost, and files that are loaded again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from acceptance.cutting_proxy import CUT, cutting_proxy
from acceptance.raw_requests import send_raw
from acceptance.running import RunningServer, run_command, running_server
from acceptance.test_import import import_json, write
from acceptance.test_upload_flow import CSV, FIELDS, create, put, wait_for_end
from openapi_document import request_validator, validator
from openprofiles.client import Client
from openprofiles.wire.model import DEFAULT_BODY_LIMIT_BYTES
from postgresql_server import PostgresqlServer

OPTIONS = {"BlankCells": "CLEAR", "FailureLimit": {"Percent": 5}}
GIVEN: dict[str, Any] = {"display_name": "customers.csv", "fields": FIELDS, "unique_key": "Email"}
SENT = {"DisplayName": "customers.csv", "Fields": FIELDS, "UniqueKey": "Email"}


# The store's part is tested on both engines by tests/store/test_repeated_upload_jobs.py.
pytestmark = [pytest.mark.daily_on("sqlite"), pytest.mark.usefixtures("quick_servers")]
# For what the store has no part in.
on_one_engine = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> dict[str, str]:
    """What names the store to commands on the data folder, in their environment."""
    if request.param == "sqlite":
        return {}
    postgresql: PostgresqlServer = request.getfixturevalue("postgresql_server")
    return {"OPENPROFILES_STORE": postgresql.create_database()}


@pytest.fixture(scope="module")
def server(store: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("retries") / "data", "--workers", "1", **store) as running:
        yield running


@pytest.fixture
def domain(server: RunningServer, request: pytest.FixtureRequest) -> str:
    """A domain of the test's own."""
    name = "d-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    server.client().create_domain(DomainName=name, DefaultExpirationDays=30)
    return name


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def client(server: RunningServer) -> Iterator[Client]:
    made = own_client(server.admin(), server.url)
    yield made
    made.close()


def own_client(keys: tuple[str, str], url: str) -> Client:
    return Client(boto3.Session(*keys, region_name="us-east-1"), url)


def make_credential(server: RunningServer, store: dict[str, str], *actions: str) -> tuple[str, str]:
    allowed = [part for action in actions for part in ("--action", action)]
    made = run_command(
        "credentials", "create", "--data", server.data_folder, "--name", "x", *allowed, "--output", "json", **store
    )
    keys = json.loads(made.stdout)
    return keys["access_key_id"], keys["secret_access_key"]


def variables_for(keys: tuple[str, str]) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": keys[0], "AWS_SECRET_ACCESS_KEY": keys[1], "NO_PROXY": "127.0.0.1"}


def job_ids(server: RunningServer, domain: str) -> list[str]:
    return [job["JobId"] for job in server.client().list_upload_jobs(DomainName=domain)["Items"]]


def send(server: RunningServer, domain: str, body: bytes, *rest: str) -> Any:
    return send_raw(server, "POST", domain, "upload-jobs", *rest, body=body)


# Through the client


def test_a_job_whose_answers_got_lost_is_made_and_started_once(server: RunningServer, domain: str) -> None:
    with cutting_proxy(server.url, {"/upload-jobs": [CUT, 503], "/start": [CUT]}) as proxy:
        client = own_client(server.admin(), proxy.url)
        job_id = client.create_upload_job(domain, **GIVEN, data_expiry=3, options=OPTIONS)
        put(server, domain, job_id, CSV)
        client.start_upload_job(domain, job_id)
        client.close()

    shown = wait_for_end(server, domain, job_id)
    assert job_ids(server, domain) == [job_id]
    assert (shown["DisplayName"], shown["Fields"], shown["UniqueKey"]) == ("customers.csv", FIELDS, "Email")
    assert (shown["Status"], shown["DataExpiry"]) == ("SUCCEEDED", 3)
    assert [len(bodies) for bodies in proxy.bodies.values()] == [3, 2]
    assert all(len(set(bodies)) == 1 for bodies in proxy.bodies.values())
    request_validator("CreateUploadJob").validate(json.loads(proxy.bodies["/upload-jobs"][0]))
    request_validator("StartUploadJob").validate(json.loads(proxy.bodies["/start"][0]))


@on_one_engine
def test_what_has_no_token_is_not_sent_again(server: RunningServer, domain: str) -> None:
    with cutting_proxy(server.url, {"/mapping-suggestions": [CUT]}) as proxy:
        client = own_client(server.admin(), proxy.url)
        with pytest.raises(ConnectionClosedError):
            client.suggest_mapping(domain, CSV)
        client.close()

    assert [len(bodies) for bodies in proxy.bodies.values()] == [1]


def test_a_token_of_ones_own_is_good_until_after_the_jobs_end(
    client: Client, server: RunningServer, domain: str
) -> None:
    job_id = client.create_upload_job(domain, **GIVEN, options=OPTIONS, idempotency_token="run-1")
    put(server, domain, job_id, CSV)
    client.start_upload_job(domain, job_id, "start-1")
    ended = wait_for_end(server, domain, job_id)
    client.start_upload_job(domain, job_id, "start-1")

    assert client.create_upload_job(domain, **GIVEN, options=OPTIONS, idempotency_token="run-1") == job_id
    assert client.get_options(domain, job_id)["BlankCells"] == "CLEAR"
    assert server.client().get_upload_job(DomainName=domain, JobId=job_id)["CompletedAt"] == ended["CompletedAt"]
    with pytest.raises(ClientError, match="IdempotencyToken was used before by a different request") as refused:
        client.create_upload_job(domain, **GIVEN, idempotency_token="run-1")
    assert refused.value.response["Error"]["Code"] == "BadRequestException"
    with pytest.raises(ClientError, match="is in SUCCEEDED status and cannot be started"):
        client.start_upload_job(domain, job_id, "start-2")
    with pytest.raises(ClientError, match="is in SUCCEEDED status and cannot be started"):
        client.start_upload_job(domain, job_id)
    assert job_ids(server, domain) == [job_id]


def test_without_a_token_of_ones_own_each_call_makes_a_job(client: Client, server: RunningServer, domain: str) -> None:
    made = {client.create_upload_job(domain, **GIVEN) for _ in range(2)}

    assert (len(made), set(job_ids(server, domain))) == (2, made)


# On the wire


def test_a_request_may_come_without_a_token_and_a_start_without_a_body(server: RunningServer, domain: str) -> None:
    made = send(server, domain, json.dumps(SENT | {"Options": None, "IdempotencyToken": None}).encode())
    put(server, domain, made["JobId"], CSV)
    started = send(server, domain, b"", made["JobId"], "start")

    validator("UploadJobMade").validate(made)
    assert started == {}
    assert wait_for_end(server, domain, made["JobId"])["Status"] == "SUCCEEDED"


def test_what_aws_clients_call_takes_no_token_and_is_as_before(server: RunningServer, domain: str) -> None:
    first, second = create(server, domain), create(server, domain)
    put(server, domain, first, CSV)
    started = server.client().start_upload_job(DomainName=domain, JobId=first)
    started.pop("ResponseMetadata")

    assert first != second
    assert started == {}
    with pytest.raises(ClientError, match="cannot be started; only a CREATED job can"):
        server.client().start_upload_job(DomainName=domain, JobId=first)


@on_one_engine
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"DisplayName": ""}, "BadRequestException"),
        ({"Fields": {}}, "BadRequestException"),
        ({"Fields": {"a b": FIELDS["Tier"]}}, "BadRequestException"),
        ({"Fields": {"Email": {"Source": "Email", "Target": "_profile.EmailAddress"}}}, "BadRequestException"),
        ({"UniqueKey": "Mail"}, "BadRequestException"),
        ({"DataExpiry": 0}, "BadRequestException"),
        ({"DataExpiry": 1099}, "BadRequestException"),
        ({"DomainName": "nowhere"}, "ResourceNotFoundException"),
        ({"DomainName": "no where"}, "BadRequestException"),
        ({"DomainName": "no where", "DisplayName": ""}, "BadRequestException"),
        ({"DomainName": "nowhere", "DisplayName": ""}, "BadRequestException"),
    ],
)
def test_a_job_that_cannot_be_is_refused_as_by_the_api(
    server: RunningServer, domain: str, change: dict[str, Any], code: str
) -> None:
    request: dict[str, Any] = {"DomainName": domain, **SENT, **change}
    api = boto3.client(
        "customer-profiles",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=server.admin()[0],
        aws_secret_access_key=server.admin()[1],
        config=Config(parameter_validation=False, retries={"max_attempts": 1}),
    )
    with pytest.raises(ClientError) as by_the_api:
        api.create_upload_job(**request)

    with pytest.raises(ClientError) as refused:
        send(server, request.pop("DomainName"), json.dumps(request).encode())

    assert refused.value.response["Error"] == by_the_api.value.response["Error"]
    assert refused.value.response["Error"]["Code"] == code
    assert job_ids(server, domain) == []


@on_one_engine
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Value at 'DisplayName' failed to satisfy constraint: Member must not be null"),
        (b"{", "The body is not JSON in UTF-8, see line 1, column 2."),
        (b"[]", "The body must be a JSON object."),
        (json.dumps(SENT | {"Token": "x"}).encode(), "There is no member 'Token'. The members there are DataExpiry,"),
        (json.dumps(SENT | {"IdempotencyToken": 1}).encode(), "Value at 'IdempotencyToken' must be text."),
        (
            json.dumps(SENT | {"IdempotencyToken": ""}).encode(),
            "Value at 'IdempotencyToken' failed to satisfy constraint",
        ),
        (
            json.dumps(SENT | {"IdempotencyToken": "a b"}).encode(),
            "Value at 'IdempotencyToken' failed to satisfy constraint",
        ),
        (json.dumps(SENT | {"Options": []}).encode(), "Value at 'Options' must be an object."),
        (json.dumps(SENT | {"Options": {"Nope": 1}}).encode(), "There is no member 'Options.Nope'."),
        (
            json.dumps(SENT | {"Options": {"WriteMode": "NO"}}).encode(),
            "Value at 'Options.WriteMode' failed to satisfy constraint",
        ),
        (
            json.dumps(SENT | {"Options": {"Checks": {"X": {"Type": "DATE"}}}}).encode(),
            "There is a check for the field X, which is not one of the Fields.",
        ),
        (b" " * (DEFAULT_BODY_LIMIT_BYTES + 1), "The body is larger than "),
    ],
)
def test_a_body_that_cannot_be_is_refused_with_the_reason(
    server: RunningServer, domain: str, body: bytes, message: str
) -> None:
    with pytest.raises(ClientError) as refused:
        send(server, domain, body)

    assert message in refused.value.response["Error"]["Message"]
    assert job_ids(server, domain) == []


@on_one_engine
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"x", "The body is not JSON in UTF-8, see line 1, column 1."),
        (b"\xff", "The body is not JSON in UTF-8, see line 1, column 1."),
        (b"[]", "The body must be a JSON object."),
        (b'{"Token": "x"}', "There is no member 'Token'."),
        (b'{"IdempotencyToken": ["x"]}', "Value at 'IdempotencyToken' must be text."),
        (b'{"IdempotencyToken": "%s"}' % (b"x" * 65), "Value at 'IdempotencyToken' failed to satisfy constraint"),
        (b"{}", "has no file yet"),
    ],
)
def test_a_start_that_cannot_be_is_refused_with_the_reason(
    server: RunningServer, domain: str, body: bytes, message: str
) -> None:
    job_id = create(server, domain)

    with pytest.raises(ClientError) as refused:
        send(server, domain, body, job_id, "start")

    assert message in refused.value.response["Error"]["Message"]
    assert server.client().get_upload_job(DomainName=domain, JobId=job_id)["Status"] == "CREATED"


@on_one_engine
def test_the_actions_are_those_of_the_api_and_options_need_their_own(
    server: RunningServer, store: dict[str, str], domain: str
) -> None:
    reader = own_client(make_credential(server, store, "profile:Get*"), server.url)
    aws = own_client(make_credential(server, store, "profile:*"), server.url)
    job_id = aws.create_upload_job(domain, **GIVEN)
    put(server, domain, job_id, CSV)

    with pytest.raises(ClientError, match="may not call profile:CreateUploadJob") as refused:
        reader.create_upload_job(domain, **GIVEN)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    with pytest.raises(ClientError, match="may not call profile:StartUploadJob"):
        reader.start_upload_job(domain, job_id)
    with pytest.raises(ClientError, match="may not call openprofiles:SetUploadJobOptions"):
        aws.create_upload_job(domain, **GIVEN, options={})
    aws.start_upload_job(domain, job_id)
    assert job_ids(server, domain) == [job_id]


def test_a_strict_server_takes_tokens_and_no_options(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", "--workers", "1", "--compat", "strict") as strict:
        strict.client().create_domain(DomainName="shop", DefaultExpirationDays=30)
        client = own_client(strict.admin(), strict.url)
        job_id = client.create_upload_job("shop", **GIVEN, idempotency_token="t")
        put(strict, "shop", job_id, CSV)
        client.start_upload_job("shop", job_id)

        assert client.create_upload_job("shop", **GIVEN, idempotency_token="t") == job_id
        assert wait_for_end(strict, "shop", job_id)["Status"] == "SUCCEEDED"
        with pytest.raises(ClientError, match="--compat strict"):
            client.create_upload_job("shop", **GIVEN, options={})
        with pytest.raises(ClientError, match="DataExpiry is 91 days; AWS allows at most 90"):
            client.create_upload_job("shop", **GIVEN, data_expiry=91)
        client.close()


# openprofiles import


def rows(count: int) -> bytes:
    lines = (f"u{number}@x.example,Ada {number},gold\n" for number in range(count))
    return f"Email,First Name,Tier\n{''.join(lines)}".encode()


def test_an_import_through_a_network_that_fails_makes_one_job(
    server: RunningServer, domain: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "customers.csv", rows(50))

    with cutting_proxy(server.url, {"/upload-jobs": [CUT, 502], "/start": [503, CUT]}) as proxy:
        status, told = import_json(
            file,
            "--domain",
            domain,
            "--unique-key",
            "Email",
            "--endpoint-url",
            proxy.url,
            **variables_for(server.admin()),
        )

    assert (status, told["created"]) == (0, 50)
    assert job_ids(server, domain) == [told["job_id"]]
    assert [len(bodies) for bodies in proxy.bodies.values()] == [3, 3]


@pytest.mark.daily_on("sqlite", "through a server")
@pytest.mark.parametrize("place", ["directly", "through a server"])
def test_the_same_file_again_creates_nothing_and_all_its_rows_are_unchanged(
    server: RunningServer, store: dict[str, str], domain: str, tmp_path: Path, place: str
) -> None:
    file = write(tmp_path / "customers.csv", rows(50))
    arguments: list[str | Path] = [file, "--domain", domain, "--unique-key", "Email"]
    if place == "directly":
        arguments += ["--data", server.data_folder]
        variables = store
    else:
        arguments += ["--endpoint-url", server.url]
        variables = variables_for(server.admin())

    first_status, first = import_json(*arguments, **variables)
    second_status, second = import_json(*arguments, **variables)

    counts = ("created", "updated", "unchanged", "failed")
    assert (first_status, [first[name] for name in counts]) == (0, [50, 0, 0, 0])
    assert (second_status, [second[name] for name in counts]) == (0, [0, 0, 50, 0])
    assert second["mapping"] == first["mapping"] == {
        "Email": "EmailAddress", "First Name": "FirstName", "Tier": "Attributes.Tier"
    }  # fmt: skip
    assert len(set(job_ids(server, domain))) == 2
    assert server.client().get_domain(DomainName=domain)["Stats"]["ProfileCount"] == 50


def test_an_import_leaves_out_what_nobody_asked_for_where_the_credential_may_not_set_it(
    server: RunningServer, store: dict[str, str], domain: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "customers.csv", b"Email,Tier\nada@x.example,gold\nno address,silver\n")
    variables = variables_for(make_credential(server, store, "profile:*"))
    arguments = (file, "--domain", domain, "--unique-key", "Email", "--endpoint-url", server.url)

    status, told = import_json(*arguments, **variables)
    asked = run_command("import", *arguments, "--create-only", **variables)

    # The check of addresses is one of the options.
    assert (status, told["created"]) == (0, 2)
    assert asked.returncode == 2
    assert "The server refused CreateUploadJob: " in asked.stderr
    assert "openprofiles:SetUploadJobOptions" in asked.stderr
    assert job_ids(server, domain) == [told["job_id"]]
