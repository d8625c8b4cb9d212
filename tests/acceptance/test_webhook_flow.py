"""A real server with its worker tells a real receiver that upload jobs have ended."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from acceptance.raw_requests import send_raw
from acceptance.running import RunningServer, run_command, running_server, wait_until
from acceptance.test_upload_flow import FIELDS, load, put, wait_for_end
from faults.processes import kill_all
from openapi_document import validator
from openprofiles.client import Client
from postgresql_server import PostgresqlServer
from webhook_receiver import Receiver, webhook_receiver

pytestmark = pytest.mark.usefixtures("quick_servers")

ALLOWED = "--webhook-private-addresses"
NAME, EMAIL, TIER, DISPLAY_NAME = "Zoë-of-the-file", "zoe@x.example", "a-secret-tier", "Customers-of-May"
FILE = f"Email,First,Tier\n{EMAIL},{NAME},{TIER}\n,Nobody,\n".encode()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as running:
        yield running


def client_of(server: RunningServer) -> Client:
    return Client(boto3.Session(*server.admin(), region_name="us-east-1"), server.url)


def make_domain(server: RunningServer, name: str = "shop") -> Client:
    server.client().create_domain(DomainName=name, DefaultExpirationDays=30)
    return client_of(server)


def create(server: RunningServer, domain: str = "shop") -> str:
    job_id: str = server.client().create_upload_job(
        DomainName=domain, DisplayName=DISPLAY_NAME, Fields=FIELDS, UniqueKey="Email"
    )["JobId"]
    return job_id


def run(server: RunningServer, job_id: str, domain: str = "shop") -> dict[str, Any]:
    put(server, domain, job_id, FILE)
    server.client().start_upload_job(DomainName=domain, JobId=job_id)
    return wait_for_end(server, domain, job_id)


def wait_for_delivery(client: Client, job_id: str) -> dict[str, Any]:
    def is_delivered() -> bool:
        return bool(client.get_progress("shop", job_id).get("Webhook", {}).get("Delivered"))

    wait_until(is_delivered, "the webhook was told")
    return client.get_progress("shop", job_id)


def hurry(data_folder: Path) -> None:
    """Have the next attempt of every delivery made now."""
    with closing(sqlite3.connect(data_folder / "openprofiles.db", timeout=30)) as connection:
        connection.execute("update feed set next_attempt_at = 0 where next_attempt_at is not null")
        connection.commit()


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_end_of_a_job_is_told_once_signed_and_without_anything_of_the_file(
    tmp_path: Path, request: pytest.FixtureRequest, receiver: Receiver, engine: str
) -> None:
    more = {}
    if engine == "postgresql":
        database: PostgresqlServer = request.getfixturevalue("postgresql_server")
        more["OPENPROFILES_STORE"] = database.create_database()
    with running_server(tmp_path / "data", "--workers", "1", ALLOWED, **more) as server:
        client = make_domain(server)
        make_domain(server, "quiet")
        secret = client.put_webhook("shop", url=f"{receiver.url}/hook?token=geheim")
        shown = client.get_webhook("shop")
        job_id = create(server)
        loaded = run(server, job_id)
        progress = wait_for_delivery(client, job_id)
        quiet = load(server, "quiet", FILE)
        stopped = create(server)
        server.client().stop_upload_job(DomainName="shop", JobId=stopped)
        wait_for_delivery(client, stopped)
        quiet_progress = client.get_progress("quiet", quiet["JobId"])
        log = server.log()

    received = receiver.received[0]
    document = received.document
    validator("Webhook").validate(shown)
    validator("Progress").validate(progress)
    validator("UploadJobEnded").validate(document)
    assert secret is not None
    assert received.is_signed_with(secret)
    assert receiver.jobs() == [job_id, stopped]
    assert (received.path, shown["Url"]) == ("/hook?token=geheim", f"{receiver.url}/hook?token=geheim")
    assert "Secret" not in shown
    assert document == {
        "Event": "UploadJobEnded",
        "DeliveryId": job_id,
        "DomainName": "shop",
        "JobId": job_id,
        "Status": "PARTIALLY_SUCCEEDED",
        "StatusReason": "VALIDATION_FAILURE",
        "RecordCount": 2,
        "CreatedRecords": 1,
        "UpdatedRecords": 0,
        "UnchangedRecords": 0,
        "FailedRecords": 1,
        "StartedAt": progress["StartedAt"],
        "CompletedAt": progress["CompletedAt"],
    }
    assert loaded["Status"] == "PARTIALLY_SUCCEEDED"
    told = progress["Webhook"]
    assert (told["Host"], told["Delivered"], told["Attempts"]) == ("127.0.0.1", True, 1)
    assert "Webhook" not in quiet_progress
    assert "webhook_delivered" in log
    sent = [f"{one.headers}{one.body.decode()}" for one in receiver.received]
    for value in (NAME, json.dumps(NAME)[1:-1], EMAIL, TIER, DISPLAY_NAME, "Email", "First"):
        assert not any(value in text for text in [*sent, log])
    for value in (secret, "geheim"):
        assert value not in log


@pytest.mark.long(
    daily="tests/store/test_webhooks.py::test_a_receiver_that_fails_first_and_then_takes_it_is_told_no_more"
)
def test_a_receiver_that_fails_is_told_again_and_the_url_of_a_job_wins(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answers = [500]
    with running_server(tmp_path / "data", "--workers", "1", ALLOWED) as server:
        client = make_domain(server)
        assert client.put_webhook("shop", url=f"{receiver.url}/domain", secret="0123456789abcdef") is None
        job_id = create(server)
        client.set_options("shop", job_id, {"Webhook": {"Url": f"{receiver.url}/job"}})
        options = client.get_options("shop", job_id)
        run(server, job_id)
        wait_until(lambda: "LastError" in client.get_progress("shop", job_id).get("Webhook", {}), "it has failed")
        failed = client.get_progress("shop", job_id)
        hurry(server.data_folder)
        delivered = wait_for_delivery(client, job_id)

    validator("UploadJobOptions").validate(options)
    validator("Progress").validate(failed)
    assert options["Webhook"] == {"Url": f"{receiver.url}/job"}
    assert (failed["Webhook"]["LastError"], failed["Webhook"]["Attempts"]) == ("The response was 500.", 1)
    assert 5 < failed["Webhook"]["NextAttemptAt"] - failed["CompletedAt"] < 60
    assert delivered["Webhook"].keys() == {"Host", "Delivered", "Attempts", "DeliveredAt"}
    assert [one.path for one in receiver.received] == ["/job", "/job"]
    assert all(one.is_signed_with("0123456789abcdef") for one in receiver.received)


@pytest.mark.long(daily="tests/store/test_webhooks.py::test_a_private_address_is_refused_at_the_attempt_too")
def test_private_addresses_are_refused_by_default_and_never_connected_to(tmp_path: Path, receiver: Receiver) -> None:
    data = tmp_path / "data"
    with running_server(data) as server:
        client = make_domain(server)
        with pytest.raises(ClientError, match=r"127\.0\.0\.1 does not have a public IP address"):
            client.put_webhook("shop", url=f"{receiver.url}/geheim")
        with pytest.raises(ClientError, match="has no webhook"):
            client.get_webhook("shop")
        client.put_webhook("shop")
        job_id = create(server)
        with pytest.raises(ClientError, match="does not have a public IP address"):
            client.set_options("shop", job_id, {"Webhook": {"Url": receiver.url}})
    with running_server(data, "--workers", "0", ALLOWED) as server:
        client_of(server).put_webhook("shop", url=f"{receiver.url}/geheim")
    with running_server(data, "--workers", "1") as server:
        client = client_of(server)
        run(server, job_id)
        wait_until(lambda: "LastError" in client.get_progress("shop", job_id).get("Webhook", {}), "it was refused")
        progress = client.get_progress("shop", job_id)
        log = server.log()

    assert "does not have a public IP address" in progress["Webhook"]["LastError"]
    assert receiver.connections == 0
    assert "webhook_failed" in log
    assert "geheim" not in log


@pytest.mark.long(
    daily="tests/store/test_webhooks.py::test_an_attempt_is_made_by_one_worker_alone_and_again_when_that_one_died"
)
@pytest.mark.usefixtures("unforked_servers")
def test_a_worker_that_is_killed_while_it_tells_is_followed_by_one_that_does(
    tmp_path: Path, receiver: Receiver
) -> None:
    data = tmp_path / "data"
    receiver.hold.clear()
    with running_server(data, "--workers", "1", OPENPROFILES_WEBHOOK_PRIVATE_ADDRESSES="1") as server:
        client = make_domain(server)
        client.put_webhook("shop", url=receiver.url)
        job_id = create(server)
        run(server, job_id)
        wait_until(lambda: bool(receiver.received), "the receiver is being told")
        kill_all([server.process.pid, *server.children()])
    with running_server(data, "--workers", "1", ALLOWED) as server:
        before = client_of(server).get_progress("shop", job_id)["Webhook"]
        receiver.hold.set()
        hurry(data)
        after = wait_for_delivery(client_of(server), job_id)["Webhook"]

    assert (before["Delivered"], before["Attempts"]) == (False, 1)
    assert (after["Delivered"], after["Attempts"]) == (True, 2)
    assert receiver.jobs() == [job_id, job_id]


def test_a_slow_receiver_holds_up_no_load(tmp_path: Path, receiver: Receiver) -> None:
    receiver.hold.clear()
    with running_server(tmp_path / "data", "--workers", "1", ALLOWED) as server:
        client = make_domain(server)
        client.put_webhook("shop", url=receiver.url)
        first = create(server)
        run(server, first)
        wait_until(lambda: bool(receiver.received), "the receiver is being told")
        second = create(server)
        ended = run(server, second)
        is_told = client.get_progress("shop", first)["Webhook"]["Delivered"]
        receiver.hold.set()
        wait_for_delivery(client, second)

    assert (ended["Status"], is_told) == ("PARTIALLY_SUCCEEDED", False)


@pytest.mark.long(daily="tests/store/test_webhooks.py::test_with_another_master_key_it_is_signed_as_before")
def test_a_changed_master_key_signs_with_the_same_secret_and_a_strict_server_tells_too(
    tmp_path: Path, receiver: Receiver
) -> None:
    data, key = tmp_path / "data", tmp_path / "new.key"
    with running_server(data, "--workers", "0", ALLOWED) as server:
        client = make_domain(server)
        secret = client.put_webhook("shop", url=receiver.url)
        job_id = create(server)
        server.client().stop_upload_job(DomainName="shop", JobId=job_id)
    assert run_command("master-key", "create", key).returncode == 0
    changed = run_command("master-key", "change", "--new", key, "--data", data)
    assert changed.returncode == 0, changed.stderr

    with running_server(data, "--workers", "1", "--compat", "strict", ALLOWED) as server:
        client = client_of(server)
        wait_for_delivery(client, job_id)
        with pytest.raises(ClientError, match="--compat strict"):
            client.set_options("shop", job_id, {"Webhook": {"Url": receiver.url}})
        new_secret = client.put_webhook("shop", url=receiver.url)
        again = create(server)
        server.client().stop_upload_job(DomainName="shop", JobId=again)
        wait_for_delivery(client, again)

    assert secret is not None
    assert new_secret is not None
    assert [one.is_signed_with(used) for one, used in zip(receiver.received, (secret, new_secret), strict=True)] == [
        True,
        True,
    ]


def test_who_may_read_jobs_may_read_a_webhook_and_changing_it_needs_actions_of_their_own(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", "--workers", "0", ALLOWED) as server:
        client = make_domain(server)
        client.put_webhook("shop", url="https://hooks.example.com/")
        made = run_command(
            "credentials", "create", "--data", server.data_folder, "--name", "reader", "--action",
            "profile:GetUploadJob", "--domain", "shop", "--output", "json",
        )  # fmt: skip
        keys = json.loads(made.stdout)
        reader = Client(
            boto3.Session(keys["access_key_id"], keys["secret_access_key"], region_name="us-east-1"), server.url
        )

        assert client.get_webhook("shop").keys() == {"Url", "CreatedAt"}
        with pytest.raises(ClientError, match="may not call openprofiles:GetWebhook"):
            reader.get_webhook("shop")
        with pytest.raises(ClientError, match="may not call openprofiles:PutWebhook"):
            reader.put_webhook("shop")
        with pytest.raises(ClientError, match="may not call openprofiles:DeleteWebhook"):
            reader.delete_webhook("shop")
        for body, message in (
            (b"{", "The body is not JSON in UTF-8, see line 1, column 2."),
            (b"[]", "must be a JSON object."),
            (b'{"Url": 1}', "Value at 'Url' must be text."),
            (b'{"Uri": "x"}', "There is no member 'Uri'. The members there are Secret, Url."),
            (b'{"Url": "ftp://x/"}', "must start with https:// or http://"),
            (b'{"Secret": "short"}', "Value at 'Secret' failed to satisfy constraint: Member must have length greater"),
        ):
            with pytest.raises(ClientError, match=re.escape(message)):
                send_raw(server, "PUT", "shop", "webhook", body=body)
        client.delete_webhook("shop")
        with pytest.raises(ClientError, match="The domain shop has no webhook") as gone:
            client.delete_webhook("shop")

    assert gone.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_the_check_of_the_manual_takes_what_is_sent_and_nothing_else(tmp_path: Path, receiver: Receiver) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    found = re.search(r"```python\n(import hashlib, hmac, time\n.*?)```", page, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)  # noqa: S102 - our own page
    with running_server(tmp_path / "data", "--workers", "1", ALLOWED) as server:
        client = make_domain(server)
        client.put_webhook("shop", url=receiver.url, secret="0123456789abcdef")
        job_id = create(server)
        server.client().stop_upload_job(DomainName="shop", JobId=job_id)
        wait_for_delivery(client, job_id)

    (received,) = receiver.received
    is_genuine = names["is_genuine"]
    old = received.headers | {"x-openprofiles-timestamp": "1700000000"}
    assert is_genuine(received.headers, received.body, "0123456789abcdef")
    assert not is_genuine(received.headers, received.body + b" ", "0123456789abcdef")
    assert not is_genuine(received.headers, received.body, "another secret..")
    assert not is_genuine(old, received.body, "0123456789abcdef")
