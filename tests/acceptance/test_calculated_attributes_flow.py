"""Calculated attributes with real boto3: from objects to values, and to a segment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from acceptance.running import RunningServer, run_command, running_server, wait_until

pytestmark = pytest.mark.usefixtures("quick_servers")

ORDERS: dict[str, Any] = {
    "Description": "Orders",
    "AllowProfileCreation": True,
    "Fields": {
        "id": {"Source": "_source.id", "Target": "_order.Name"},
        "mail": {"Source": "_source.mail", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"},
        "total": {"Source": "_source.total", "Target": "_order.TotalPrice"},
    },
    "Keys": {
        "orderId": [{"StandardIdentifiers": ["UNIQUE", "ORDER"], "FieldNames": ["id"]}],
        "_email": [{"StandardIdentifiers": ["PROFILE"], "FieldNames": ["mail"]}],
    },
}
SPENT: dict[str, Any] = {
    "CalculatedAttributeName": "spent",
    "DisplayName": "Spent this year",
    "AttributeDetails": {"Attributes": [{"Name": "total"}], "Expression": "{Orders.total}"},
    "Statistic": "SUM",
    "Conditions": {"Range": {"Value": 365, "Unit": "DAYS"}},
    "UseHistoricalData": True,
}
ARN = "arn:aws:profile:us-east-1:123456789012:domains/shop/calculated-attributes/spent"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("calculated") / "data", "--workers", "1") as running:
        client = running.client()
        client.create_domain(DomainName="shop", DefaultExpirationDays=30)
        client.put_profile_object_type(DomainName="shop", ObjectTypeName="Orders", **ORDERS)
        for number, (mail, total) in enumerate([("ada@x.org", 49.9), ("ada@x.org", 12), ("bob@x.org", 5)]):
            document = {"id": f"A-{number}", "mail": mail, "total": total}
            client.put_profile_object(DomainName="shop", ObjectTypeName="Orders", Object=json.dumps(document))
        yield running


def find(client: Any, mail: str) -> str:
    (found,) = client.search_profiles(DomainName="shop", KeyName="_email", Values=[mail])["Items"]
    return str(found["ProfileId"])


def test_orders_become_values_and_a_segment(server: RunningServer) -> None:
    client = server.client()
    ada, bob = find(client, "ada@x.org"), find(client, "bob@x.org")

    made = client.create_calculated_attribute_definition(DomainName="shop", Tags={"team": "a"}, **SPENT)
    found = client.get_calculated_attribute_definition(DomainName="shop", CalculatedAttributeName="spent")
    value = client.get_calculated_attribute_for_profile(
        DomainName="shop", CalculatedAttributeName="spent", ProfileId=ada
    )
    batch = client.batch_get_calculated_attribute_for_profile(
        DomainName="shop",
        CalculatedAttributeName="spent",
        ProfileIds=[ada, bob, "f" * 32, ada],
        ConditionOverrides={"Range": {"Start": 60, "Unit": "DAYS"}},
    )
    pages = client.list_calculated_attributes_for_profile(DomainName="shop", ProfileId=ada, MaxResults=20)
    rest = client.list_calculated_attributes_for_profile(DomainName="shop", ProfileId=ada, NextToken=pages["NextToken"])

    assert (made["Status"], made["Readiness"], made["Tags"]) == (
        "COMPLETED", {"ProgressPercentage": 100}, {"team": "a"}
    )  # fmt: skip
    assert {name: found[name] for name in SPENT} == SPENT
    assert isinstance(made["CreatedAt"], datetime)
    assert (value["Value"], value["IsDataPartial"], value["DisplayName"]) == ("61.9", "false", "Spent this year")
    assert value["LastObjectTimestamp"] <= made["CreatedAt"]
    assert [(one["ProfileId"], one["Value"]) for one in batch["CalculatedAttributeValues"]] == [
        (ada, "61.9"), (bob, "5")
    ]  # fmt: skip
    assert batch["ConditionOverrides"] == {"Range": {"Start": 60, "Unit": "DAYS"}}
    assert [(one["ProfileId"], one["Code"]) for one in batch["Errors"]] == [("f" * 32, "404")]
    listed = {one["CalculatedAttributeName"]: one.get("Value") for one in pages["Items"] + rest["Items"]}
    assert len(listed) == 33
    assert (listed["_orders_count"], listed["_orders_total_price_sum"], listed["spent"]) == ("2", "61.9", "61.9")
    assert (listed["_last_channel"], listed["_new_customer"]) == (None, "true")

    rich = {"spent": {"DimensionType": "GREATER_THAN", "Values": ["50"]}}
    started = client.create_segment_estimate(
        DomainName="shop", SegmentQuery={"Groups": [{"Dimensions": [{"CalculatedAttributes": rich}]}]}
    )
    of_estimate = {"DomainName": "shop", "EstimateId": started["EstimateId"]}
    wait_until(lambda: client.get_segment_estimate(**of_estimate)["Status"] != "RUNNING", "the estimate ends")
    assert client.get_segment_estimate(**of_estimate)["Estimate"] == "1"


def test_a_definition_is_changed_tagged_listed_and_deleted(server: RunningServer) -> None:
    client = server.client()
    given = {**SPENT, "CalculatedAttributeName": "changed"}
    client.create_calculated_attribute_definition(DomainName="shop", **given)
    of_one = {"DomainName": "shop", "CalculatedAttributeName": "changed"}

    changed = client.update_calculated_attribute_definition(
        **of_one, Description="By month", Conditions={"Range": {"Value": 30, "Unit": "DAYS"}, "ObjectCount": 5}
    )
    arn = ARN.replace("spent", "changed")
    client.tag_resource(resourceArn=arn, tags={"stage": "test"})
    first = client.list_calculated_attribute_definitions(DomainName="shop", MaxResults=20)
    rest = client.list_calculated_attribute_definitions(DomainName="shop", NextToken=first["NextToken"])
    listed = {one["CalculatedAttributeName"]: one for one in first["Items"] + rest["Items"]}

    assert changed["Conditions"] == {"Range": {"Value": 30, "Unit": "DAYS"}, "ObjectCount": 5}
    assert (changed["Description"], changed["DisplayName"]) == ("By month", "Spent this year")
    assert listed["changed"]["Tags"] == {"stage": "test"}
    assert "CreatedAt" not in listed["_call_count"]
    assert "Statistic" not in listed["changed"]
    with pytest.raises(ClientError, match="Calculated attribute definition with name changed already exists"):
        client.create_calculated_attribute_definition(DomainName="shop", **given)
    client.delete_calculated_attribute_definition(**of_one)
    for operation in ("get", "delete"):
        with pytest.raises(ClientError) as caught:
            getattr(client, f"{operation}_calculated_attribute_definition")(**of_one)
        assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(ClientError, match="ffff"):
        client.get_calculated_attribute_for_profile(
            DomainName="shop", CalculatedAttributeName="_call_count", ProfileId="f" * 32
        )


def test_commands_create_show_compute_and_delete_calculated_attributes(server: RunningServer, tmp_path: Path) -> None:
    def run(*arguments: str | Path, status: int = 0) -> str:
        done = run_command("calculated-attributes", *arguments, "--domain", "shop", **server.variables())
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    file = tmp_path / "spent.json"
    file.write_text(json.dumps({name: value for name, value in SPENT.items() if name != "CalculatedAttributeName"}))
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({**SPENT, "Statistic": "MEDIAN"}))

    created = run("create", "by-command", file)
    shown = run("show", "by-command")
    listed = run("list")
    of_ada = run("of", "ada@x.org")
    as_json = json.loads(run("of", "bob@x.org", "--output", "json"))

    assert created == "The calculated attribute by-command has been created.\n"
    file.write_text(shown)
    assert run("create", "again", file) == "The calculated attribute again has been created.\n"
    assert [line.split()[:4] for line in listed.splitlines() if line.startswith("by-command")] == [
        ["by-command", "Spent", "this", "year"]
    ]
    assert sum(line.startswith("_") for line in listed.splitlines()) == 32
    values = {line.split()[0]: line.split()[1:3] for line in of_ada.splitlines()[1:]}
    assert values["by-command"][0] == "61.9"
    assert "_last_channel" not in values
    assert {one["CalculatedAttributeName"]: one["Value"] for one in as_json}["by-command"] == "5"
    assert f"Error: {wrong}: " in run("create", "wrong", wrong, status=2)
    assert "does not exist" in run("show", "absent", status=2)
    for name in ("by-command", "again"):
        assert run("delete", name, "--yes") == f"The calculated attribute {name} has been deleted.\n"


def test_the_commands_work_without_a_server(tmp_path: Path) -> None:
    where = {"OPENPROFILES_DATA": str(tmp_path / "data"), "OPENPROFILES_DOMAIN": "shop"}
    file = tmp_path / "customers.csv"
    file.write_text("Email\nada@x.org\n")
    run_command("import", file, "--unique-key", "Email", "--yes", **where)

    listed = run_command("calculated-attributes", "list", **where)
    of_ada = run_command("calculated-attributes", "of", "ada@x.org", **where)
    shown = run_command("calculated-attributes", "show", "_orders_count", **where)

    assert len(listed.stdout.splitlines()) == 33, listed.stderr
    assert [line.split() for line in of_ada.stdout.splitlines()[1:]] == [["_new_customer", "true"]], of_ada.stderr
    assert None not in json.loads(shown.stdout).values()
