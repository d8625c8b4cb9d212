"""The history of a profile with real boto3: calls, upload jobs and undos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from acceptance.running import RunningServer, running_server, wait_until
from acceptance.test_upload_flow import find_by_email, load
from openprofiles.client import Client

pytestmark = pytest.mark.usefixtures("quick_servers")

DOMAIN = "shop"
ROOT = "arn:aws:iam::123456789012:user/administrator"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("history") / "data", "--workers", "1") as running:
        running.client().create_domain(DomainName=DOMAIN, DefaultExpirationDays=30)
        yield running


def records_of(client: Any, profile_id: str, **filters: str) -> list[dict[str, Any]]:
    pages: Any = client.list_profile_history_records
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = pages(DomainName=DOMAIN, ProfileId=profile_id, MaxResults=2, **filters, **token)
        found += page["ProfileHistoryRecords"]
        if "NextToken" not in page:
            return found
        token = {"NextToken": page["NextToken"]}


def content_of(client: Any, profile_id: str, record: dict[str, Any]) -> Any:
    found = client.get_profile_history_record(DomainName=DOMAIN, ProfileId=profile_id, Id=record["Id"])
    assert {name: found[name] for name in record} == record
    return json.loads(found["Content"]) if "Content" in found else None


def test_calls_and_files_are_in_the_history_of_a_profile_with_what_it_was_after_each(server: RunningServer) -> None:
    client = server.client()
    first = load(server, DOMAIN, b"Email,First,Tier\nada@example.com,Ada,gold\nbo@example.com,Bo,\n")["JobId"]
    (ada,) = find_by_email(server, DOMAIN, "ada@example.com")
    profile_id = ada["ProfileId"]
    client.update_profile(DomainName=DOMAIN, ProfileId=profile_id, LastName="Byron", Attributes={"note": "new"})
    second = load(server, DOMAIN, b"Email,First,Tier\nbo@example.com,Bob,\nada@example.com,Eva,silver\n")["JobId"]
    client.add_profile_key(DomainName=DOMAIN, ProfileId=profile_id, KeyName="_account", Values=["A-1"])
    client.update_profile(DomainName=DOMAIN, ProfileId=profile_id, LastName="King")

    records = records_of(client, profile_id)
    job_arn = f"arn:aws:profile:us-east-1:123456789012:domains/{DOMAIN}/upload-jobs/"
    assert [(one["ActionType"], one["PerformedBy"]) for one in records] == [
        ("UPDATED", ROOT),
        ("ADDED_PROFILE_KEY", ROOT),
        ("INGESTED", job_arn + second),
        ("UPDATED", ROOT),
        ("CREATED", job_arn + first),
    ]
    assert {one["ObjectTypeName"] for one in records} == {"_profile"}
    contents = [content_of(client, profile_id, one) for one in records]
    assert [(one.get("FirstName"), one.get("LastName"), one.get("Attributes")) for one in contents] == [
        ("Eva", "King", {"note": "new", "tier": "silver"}),
        (None, None, None),
        ("Eva", "Byron", {"note": "new", "tier": "silver"}),
        ("Ada", "Byron", {"note": "new", "tier": "gold"}),
        ("Ada", None, {"tier": "gold"}),
    ]
    assert contents[1] == {"KeyName": "_account", "Values": ["A-1"]}
    assert records_of(client, profile_id, ActionType="UPDATED") == [records[0], records[3]]
    assert records_of(client, profile_id, PerformedBy=job_arn + second) == [records[2]]
    assert records_of(client, profile_id, ObjectTypeName="_profile") == records
    assert records_of(client, profile_id, ObjectTypeName="order") == []


def test_an_undo_is_in_the_history_of_what_it_restored(server: RunningServer) -> None:
    client = server.client()
    load(server, DOMAIN, b"Email,First,Tier\nuna@example.com,Una,gold\n")
    job_id = load(server, DOMAIN, b"Email,First,Tier\nuna@example.com,Wrong,\n")["JobId"]
    own = Client(boto3.Session(*server.admin(), region_name="us-east-1"), server.url)
    own.start_undo(DOMAIN, job_id)
    wait_until(lambda: own.get_undo(DOMAIN, job_id)["Status"] == "SUCCEEDED", "the import is undone")

    (una,) = find_by_email(server, DOMAIN, "una@example.com")
    records = records_of(client, una["ProfileId"])

    assert una["FirstName"] == "Una"
    assert [one["ActionType"] for one in records] == ["UPDATED", "INGESTED", "CREATED"]
    assert [
        content and content["FirstName"] for content in (content_of(client, una["ProfileId"], one) for one in records)
    ] == ["Una", None, "Una"]
    assert records[0]["PerformedBy"].endswith(f"/upload-jobs/{job_id}/undo")


def test_the_history_of_no_profile_and_unknown_records_are_refused(server: RunningServer) -> None:
    client = server.client()
    profile_id = client.create_profile(DomainName=DOMAIN, FirstName="Zoe")["ProfileId"]
    whole = {"DomainName": DOMAIN, "ProfileId": profile_id}
    listing: list[tuple[dict[str, str], int]] = [
        ({**whole, "ProfileId": "0" * 32}, 404),
        ({**whole, "DomainName": "none"}, 404),
        ({**whole, "NextToken": "x"}, 400),
    ]
    for request, status in listing:
        with pytest.raises(ClientError) as refused:
            client.list_profile_history_records(**request)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    for record_id, status in (("f" * 32, 404), ("no", 400)):
        with pytest.raises(ClientError) as refused:
            client.get_profile_history_record(**whole, Id=record_id)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
