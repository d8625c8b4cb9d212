"""Profiles that join and leave segments, as events in the list and at the destination, with real processes."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pysqlite3
import pytest
from botocore.exceptions import ClientError

import budgets
from acceptance.running import RunningServer, run_command, running_server, wait_until
from openprofiles.client import Client
from s3_server import S3Server
from webhook_receiver import webhook_receiver

pytestmark = pytest.mark.usefixtures("quick_servers")

ROLE = "arn:aws:iam::123456789012:role/segments"
GOLD = {"ProfileAttributes": {"Attributes": {"tier": {"DimensionType": "INCLUSIVE", "Values": ["gold"]}}}}
HEADERS = "Email,tier\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Iterator[RunningServer]:
    """Run a server whose Kinesis is the one of the tests."""
    variables = {**s3_server.environment(), "AWS_ENDPOINT_URL_KINESIS": s3_server.url}
    data_folder = tmp_path_factory.mktemp("events") / "data"
    with running_server(data_folder, "--workers", "1", "--webhook-private-addresses", **variables) as running:
        yield running


def kinesis(s3_server: S3Server) -> Any:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    return session.client("kinesis", endpoint_url=s3_server.url)


def make_stream(s3_server: S3Server, name: str) -> str:
    """Create a Kinesis stream; return its ARN."""
    client = kinesis(s3_server)
    client.create_stream(StreamName=name, ShardCount=1)
    return str(client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"])


def records_of(s3_server: S3Server, arn: str) -> list[dict[str, Any]]:
    client = kinesis(s3_server)
    iterator = client.get_shard_iterator(
        StreamARN=arn, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found: list[dict[str, Any]] = []
    while True:
        answer = client.get_records(ShardIterator=iterator, StreamARN=arn)
        if not answer["Records"]:
            return found
        for record in answer["Records"]:
            document = json.loads(record["Data"])
            assert record["PartitionKey"] == document["ProfileId"]
            found.append(document)
        iterator = answer["NextShardIterator"]


def follow(client: Any, domain: str, destination: str) -> None:
    """Follow the segment ``gold`` of a new domain, and wait until its members are known."""
    client.create_domain(DomainName=domain, DefaultExpirationDays=30)
    client.create_segment_definition(
        DomainName=domain,
        SegmentDefinitionName="gold",
        DisplayName="Gold",
        SegmentGroups={"Groups": [{"Dimensions": [GOLD]}]},
    )
    client.associate_stream_for_segments(DomainName=domain, DestinationArn=destination, DestinationRoleArn=ROLE)
    client.put_segment_subscription(DomainName=domain, SegmentDefinitionName="gold")
    wait_until(lambda: subscription(client, domain)["Status"] == "RUNNING", "the subscription runs")


def subscription(client: Any, domain: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get_segment_subscription(DomainName=domain, SegmentDefinitionName="gold")
    return found


def events_of(client: Any, domain: str) -> list[tuple[str, str, str]]:
    """List the events, the oldest first."""
    found: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        page = client.list_segment_subscription_events(
            DomainName=domain, SegmentDefinitionName="gold", MaxResults=100, **more
        )
        found += page["Events"]
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    return [(one["ProfileId"], one["Event"], one["EventType"]) for one in found][::-1]


def state_of(client: Any, domain: str) -> str:
    return str(client.get_stream_for_segments(DomainName=domain)["State"])


def test_a_file_and_its_undo_become_events_in_the_list_and_in_kinesis(
    server: RunningServer, s3_server: S3Server, tmp_path: Path
) -> None:
    client = server.client()
    arn = make_stream(s3_server, "shop")
    follow(client, "shop", arn)
    file = tmp_path / "customers.csv"
    file.write_text(HEADERS + "".join(f"c{n}@x.org,{'gold' if n % 10 == 0 else 'basic'}\n" for n in range(200)))

    def run(*arguments: str | Path) -> Any:
        done = run_command(*arguments, "--domain", "shop", **server.variables())
        assert done.returncode == 0, done.stderr
        return done

    load = ("import", file, "--unique-key", "Email", "--map", "tier=Attributes.tier", "--yes")
    run(*load)
    wait_until(lambda: len(events_of(client, "shop")) >= 20, "the members have joined")
    # It changes nothing.
    run(*load)
    joined = events_of(client, "shop")
    assert len(joined) == 20
    assert {(event, kind) for _, event, kind in joined} == {("JOINED", "LIVE")}
    first_job = client.list_upload_jobs(DomainName="shop")["Items"][-1]["JobId"]
    run("jobs", "undo", "last")
    assert len(events_of(client, "shop")) == 20
    run("jobs", "undo", first_job)
    wait_until(lambda: len(events_of(client, "shop")) >= 40, "the members have left")
    wait_until(lambda: len(records_of(s3_server, arn)) >= 40, "all events are in the stream")

    events, records = events_of(client, "shop"), records_of(s3_server, arn)
    assert sorted(events[20:]) == sorted((profile_id, "LEFT", "LIVE") for profile_id, _, _ in joined)
    assert [(one["ProfileId"], one["OperationType"], one["EventType"]) for one in records] == events
    first, last = records[0], records[-1]
    assert {name: first[name] for name in ("AccountId", "DomainName", "SegmentDefinitionName", "SegmentType")} == {
        "AccountId": "123456789012",
        "DomainName": "shop",
        "SegmentDefinitionName": "gold",
        "SegmentType": "CLASSIC",
    }
    assert "PreviousMembershipChangedAt" not in first
    assert isinstance(first["MembershipCalculatedAt"], int)
    assert abs(first["MembershipCalculatedAt"] - time.time()) < 600
    assert last["PreviousMembershipChangedAt"] <= last["MembershipCalculatedAt"]

    found = client.get_stream_for_segments(DomainName="shop")
    assert (found["State"], found["DestinationArn"], found["DestinationRoleArn"]) == ("RUNNING", arn, ROLE)
    assert found["AssociatedSegments"] == [{"SegmentName": "gold", "Status": "RUNNING"}]
    shown = subscription(client, "shop")
    assert shown["ScheduleConfiguration"] == {"Interval": 24, "Unit": "HOURLY"}
    assert isinstance(shown["ScheduledExecutions"]["NextExecutedAt"], datetime)
    metrics = server.get("/metrics")[2].decode()
    assert 'openprofiles_profiles_joined_total{domain="shop",segment="gold"} 20.0' in metrics
    assert 'openprofiles_profiles_left_total{domain="shop",segment="gold"} 20.0' in metrics
    assert client.delete_segment_subscription(DomainName="shop", SegmentDefinitionName="gold")["Message"].startswith(
        "OK"
    )
    assert client.disassociate_stream_for_segments(DomainName="shop")["Message"].startswith("OK")
    assert state_of(client, "shop") == "STOPPED"
    assert len(events_of(client, "shop")) == 40


def test_a_stream_that_does_not_exist_is_unhealthy_until_it_does_and_nothing_is_lost(
    server: RunningServer, s3_server: S3Server
) -> None:
    client = server.client()
    arn = make_stream(s3_server, "later").replace("later", "absent")
    follow(client, "later", arn)
    wait_until(lambda: state_of(client, "later") == "UNHEALTHY", "the stream is unhealthy")
    reason = client.get_stream_for_segments(DomainName="later")["FailureReason"]
    assert reason.startswith("The Kinesis stream cannot be reached: ResourceNotFoundException.")
    made = client.create_profile(DomainName="later", Attributes={"tier": "gold"})["ProfileId"]
    client.update_profile(DomainName="later", ProfileId=made, Attributes={"tier": "basic"})

    make_stream(s3_server, "absent")
    try_now(server)
    client.update_profile(DomainName="later", ProfileId=made, Attributes={"tier": "gold"})
    wait_until(lambda: state_of(client, "later") == "RUNNING", "the stream is reached")
    wait_until(lambda: len(records_of(s3_server, arn)) == len(events_of(client, "later")) > 0, "the events are sent")
    assert [one["OperationType"] for one in records_of(s3_server, arn)] == [
        event for _, event, _ in events_of(client, "later")
    ]


def test_events_are_sent_to_a_url_signed_like_webhooks(server: RunningServer, tmp_path: Path) -> None:
    client = server.client()
    with webhook_receiver() as receiver:
        with pytest.raises(ClientError, match="no webhook secret"):
            follow(client, "hooks", f"{receiver.url}/events")
        own = Client(boto3.Session(*server.admin(), region_name="us-east-1"), server.url)
        secret = own.operations.put_webhook(DomainName="hooks")["Secret"]
        client.associate_stream_for_segments(
            DomainName="hooks", DestinationArn=f"{receiver.url}/events", DestinationRoleArn=ROLE
        )
        client.put_segment_subscription(DomainName="hooks", SegmentDefinitionName="gold")
        wait_until(lambda: subscription(client, "hooks")["Status"] == "RUNNING", "the subscription runs")
        made = client.create_profile(DomainName="hooks", Attributes={"tier": "gold"})["ProfileId"]
        wait_until(lambda: len(receiver.received) > 0, "the event arrives")

        (request,) = receiver.received
        assert request.is_signed_with(secret)
        assert request.path == "/events"
        assert request.document["Event"] == "SegmentMembershipChanged"
        (record,) = request.document["Records"]
        assert (record["ProfileId"], record["OperationType"]) == (made, "JOINED")


@pytest.mark.usefixtures("unforked_servers")
def test_workers_killed_at_random_moments_double_no_event_and_lose_none(tmp_path: Path, s3_server: S3Server) -> None:
    """The list has each turn of a profile once; the stream has at least that, in order for each profile."""
    variables = {**s3_server.environment(), "AWS_ENDPOINT_URL_KINESIS": s3_server.url}
    dice = random.Random(22)
    arn = make_stream(s3_server, "killed")
    with running_server(tmp_path / "data", "--workers", "1", **variables) as server:
        client = server.client()
        follow(client, "killed", arn)
        ids: list[str] = []
        tiers: dict[str, str] = {}
        for _ in range(budgets.KILLED_FOLLOWERS):
            for _ in range(dice.randint(1, 30)):
                tier = dice.choice(("gold", "basic"))
                if len(ids) < 10 or dice.random() < 0.2:
                    ids.append(client.create_profile(DomainName="killed", Attributes={"tier": tier})["ProfileId"])
                    tiers[ids[-1]] = tier
                else:
                    chosen = dice.choice(ids)
                    client.update_profile(DomainName="killed", ProfileId=chosen, Attributes={"tier": tier})
                    tiers[chosen] = tier
            time.sleep(dice.random() * 0.3)
            for pid in server.children():
                os.kill(pid, signal.SIGKILL)
            try_now(server)
        members = {profile_id for profile_id, tier in tiers.items() if tier == "gold"}

        def are_followed() -> bool:
            try_now(server)
            return replayed(events_of(client, "killed")) == members

        wait_until(are_followed, "all changes are followed", 60)
        events = events_of(client, "killed")
        wait_until(lambda: len(records_of(s3_server, arn)) >= len(events), "all events are sent", 60)

    records = records_of(s3_server, arn)
    for profile_id in ids:
        turns = [event for one, event, _ in events if one == profile_id]
        # Turn by turn, beginning with the first.
        assert turns == ["JOINED" if number % 2 == 0 else "LEFT" for number in range(len(turns))]
        sent = [
            (one["MembershipCalculatedAt"], one["OperationType"]) for one in records if one["ProfileId"] == profile_id
        ]
        assert sent == sorted(sent, key=lambda one: one[0])
        without_repeats = [one for index, (_, one) in enumerate(sent) if index == 0 or sent[index - 1][1] != one]
        assert without_repeats == turns


def replayed(events: list[tuple[str, str, str]]) -> set[str]:
    members: set[str] = set()
    for profile_id, event, _ in events:
        (members.add if event == "JOINED" else members.discard)(profile_id)
    return members


def try_now(server: RunningServer) -> None:
    """Let no feed wait for a pause, or for the lease of a worker that was killed."""
    with closing(pysqlite3.connect(server.data_folder / "openprofiles.db", timeout=10)) as connection, connection:
        connection.execute("update feed set next_attempt_at = 0, lease_owner = null where next_attempt_at is not null")


def test_commands_follow_a_segment_and_print_its_events(server: RunningServer, s3_server: S3Server) -> None:
    client = server.client()
    arn = make_stream(s3_server, "commands")
    client.create_domain(DomainName="commands", DefaultExpirationDays=30)
    client.create_segment_definition(
        DomainName="commands",
        SegmentDefinitionName="gold",
        DisplayName="Gold",
        SegmentGroups={"Groups": [{"Dimensions": [GOLD]}]},
    )

    def run(*arguments: str) -> Any:
        return run_command("segments", *arguments, "--domain", "commands", **server.variables())

    assert "has no stream for segments" in run("subscribe", "gold").stderr
    shown = run("stream", "--to", arn).stdout
    assert shown == f"{arn} is RUNNING\n"
    assert run("subscribe", "gold", "--every", "2").stdout.startswith("The segment gold is followed.")
    wait_until(lambda: subscription(client, "commands")["Status"] == "RUNNING", "the subscription runs")
    assert subscription(client, "commands")["ScheduleConfiguration"]["Interval"] == 2
    ids = [client.create_profile(DomainName="commands", Attributes={"tier": "gold"})["ProfileId"] for _ in range(2)]
    wait_until(lambda: len(events_of(client, "commands")) == 2, "the events are there")

    watched = run("watch", "gold", "--all", "--limit", "2")
    assert watched.returncode == 0, watched.stderr
    lines = [line.split()[1:] for line in watched.stdout.splitlines()]
    assert sorted(lines) == sorted(["JOINED", one, "LIVE"] for one in ids)
    as_json = run("watch", "gold", "--all", "--limit", "1", "--output", "json").stdout
    assert json.loads(as_json)["ProfileId"] == events_of(client, "commands")[0][0]
    assert json.loads(run("stream", "--output", "json").stdout)["AssociatedSegments"][0]["SegmentName"] == "gold"
    assert run("unsubscribe", "gold").stdout == "The segment gold is no longer followed.\n"
    assert run("stream", "--stop").stdout == f"{arn} is STOPPED\n"
    assert run("stream", "--stop", "--to", arn).returncode == 2
    assert "has not been exported" in run("history", "gold").stderr
    assert "has 0 completed exports; two are needed" in run("diff", "gold").stderr


def test_an_sql_segment_is_checked_and_counted_with_boto3_and_commands(server: RunningServer, tmp_path: Path) -> None:
    client = server.client()
    client.create_domain(DomainName="sql", DefaultExpirationDays=30)
    for tier in ("gold", "basic", "gold"):
        client.create_profile(DomainName="sql", Attributes={"tier": tier})
    query = "select profile_id from profile where attributes['tier'] = 'gold'"
    made = {"DomainName": "sql", "SegmentDefinitionName": "gold", "DisplayName": "Gold", "SegmentSqlQuery": query}
    client.create_segment_definition(**made)
    assert client.get_segment_definition(DomainName="sql", SegmentDefinitionName="gold")["SegmentType"] == "ENHANCED"
    with pytest.raises(ClientError, match=r"There is no table profil\. Did you mean 'profile'\?.*line 2, column 6"):
        client.create_segment_estimate(DomainName="sql", SegmentSqlQuery="select profile_id\nfrom profil")
    with pytest.raises(ClientError, match="must appear in the GROUP BY clause"):
        client.create_segment_estimate(
            DomainName="sql", SegmentSqlQuery="select profile_id from profile group by first_name"
        )
    started = client.create_segment_estimate(DomainName="sql", SegmentSqlQuery=query)

    def estimate() -> dict[str, Any]:
        found: dict[str, Any] = client.get_segment_estimate(DomainName="sql", EstimateId=started["EstimateId"])
        return found

    wait_until(lambda: estimate()["Status"] != "RUNNING", "the estimate ends")
    assert (estimate()["Status"], estimate()["Estimate"]) == ("SUCCEEDED", "2")

    file = tmp_path / "gold.sql"
    file.write_text(query)

    def run(*arguments: str | Path) -> Any:
        return run_command("segments", *arguments, "--domain", "sql", **server.variables())

    assert run("check", file).stdout == "The query is valid.\n"
    file.write_text("select profile_id\nfrom profile where frist_name = 'x'")
    refused = run("check", file)
    assert (refused.returncode, refused.stdout) == (
        1,
        f"{file}:2:20: There is no column frist_name. Did you mean 'first_name'?\n",
    )
    assert "A funnel needs conditions; this segment is an SQL query." in run("estimate", "gold", "--funnel").stderr
    assert "has no snapshot of the last year" in run("members", "gold").stderr
