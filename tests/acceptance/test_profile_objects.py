"""Profile objects with real boto3: orders and tickets become profiles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from acceptance.running import RunningServer, running_server

CUSTOMERS: dict[str, Any] = {
    "Description": "Customers of the shop",
    "AllowProfileCreation": True,
    "Fields": {
        "id": {"Source": "_source.id"},
        "mail": {"Source": "_source.mail", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"},
        "name": {"Source": "{{_source.first}} {{_source.last}}", "Target": "_profile.Attributes.Name"},
    },
    "Keys": {
        "shopId": [{"StandardIdentifiers": ["PROFILE", "UNIQUE"], "FieldNames": ["id"]}],
        "_email": [{"StandardIdentifiers": ["PROFILE", "SECONDARY"], "FieldNames": ["mail"]}],
    },
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("objects") / "data", "--workers", "0") as running:
        running.client().create_domain(DomainName="shop", DefaultExpirationDays=30)
        running.client().put_profile_object_type(DomainName="shop", ObjectTypeName="Customer", **CUSTOMERS)
        yield running


def put(client: Any, content: Any, **more: str) -> str:
    arguments = {"DomainName": "shop", "ObjectTypeName": "Customer", **more}
    answer = client.put_profile_object(Object=json.dumps(content), **arguments)
    return str(answer["ProfileObjectUniqueKey"])


def find(client: Any, key_name: str, value: str) -> list[dict[str, Any]]:
    found = client.search_profiles(DomainName="shop", KeyName=key_name, Values=[value])
    return list(found["Items"])


def test_an_object_is_put_found_listed_and_deleted(server: RunningServer) -> None:
    client = server.client()
    text = '{ "id": 1,  "first": "Zoë", "last": "Müller", "mail": "Zoe@example.com", "more": [1.50, null] }'

    answer = client.put_profile_object(DomainName="shop", ObjectTypeName="Customer", Object=text)
    unique_key = answer["ProfileObjectUniqueKey"]
    (profile,) = find(client, "_email", "zoe@EXAMPLE.com")
    of_profile = {"DomainName": "shop", "ProfileId": profile["ProfileId"], "ObjectTypeName": "Customer"}
    listed = client.list_profile_objects(**of_profile, ObjectFilter={"KeyName": "shopId", "Values": ["1"]})["Items"]
    history = client.list_profile_history_records(DomainName="shop", ProfileId=profile["ProfileId"])
    stats = client.get_domain(DomainName="shop")["Stats"]

    assert profile["Attributes"] == {"Name": "Zoë Müller"}
    assert find(client, "shopId", "1")[0]["ProfileId"] == profile["ProfileId"]
    assert listed == [{"ObjectTypeName": "Customer", "ProfileObjectUniqueKey": unique_key, "Object": text}]
    assert [(one["ObjectTypeName"], one["ActionType"]) for one in history["ProfileHistoryRecords"]] == [
        ("Customer", "INGESTED")
    ]
    assert (stats["ProfileCount"], stats["ObjectCount"]) == (1, 1)

    deleted = client.delete_profile_object(**of_profile, ProfileObjectUniqueKey=unique_key)
    assert deleted["Message"] == "OK: object of the type Customer deleted"
    assert client.list_profile_objects(**of_profile)["Items"] == find(client, "shopId", "1") == []
    with pytest.raises(ClientError, match="has no object of the type Customer"):
        client.delete_profile_object(**of_profile, ProfileObjectUniqueKey=unique_key)


def test_the_history_of_a_profile_has_its_objects(server: RunningServer) -> None:
    client = server.client()
    unique_key = put(client, {"id": "history", "first": "Ada"})
    (profile,) = find(client, "shopId", "history")
    of_profile = {"DomainName": "shop", "ProfileId": profile["ProfileId"]}
    client.update_profile(**of_profile, FirstName="Ada")
    client.add_profile_key(**of_profile, KeyName="shopId", Values=["other"])
    put(client, {"id": "history", "first": "Augusta"})
    client.delete_profile_object(**of_profile, ObjectTypeName="Customer", ProfileObjectUniqueKey=unique_key)

    records = client.list_profile_history_records(**of_profile)["ProfileHistoryRecords"]
    of_type = client.list_profile_history_records(**of_profile, ObjectTypeName="Customer", ActionType="INGESTED")
    contents = [json.loads(client.get_profile_history_record(**of_profile, Id=one["Id"])["Content"]) for one in records]

    assert [(one["ObjectTypeName"], one["ActionType"]) for one in records] == [
        ("Customer", "DELETED_BY_CUSTOMER"),
        ("Customer", "INGESTED"),
        ("_profile", "ADDED_PROFILE_KEY"),
        ("_profile", "UPDATED"),
        ("Customer", "INGESTED"),
    ]
    assert len(of_type["ProfileHistoryRecords"]) == 2
    assert [one.get("Attributes") for one in contents] == [
        {"Name": "Augusta "},
        {"Name": "Augusta "},
        None,
        {"Name": "Ada "},
        {"Name": "Ada "},
    ]
    assert len(find(client, "shopId", "other")) == 1


def test_each_object_of_a_batch_fails_by_itself(server: RunningServer) -> None:
    client = server.client()
    objects = {
        "a": '{"id": "b1", "first": "A"}',
        "b": "no JSON",
        "c": '{"first": "nobody"}',
        "d": '{"id": "b2"}',
        "e": '{"id": "b1", "first": "E"}',
    }
    items = [{"Id": name, "Object": text} for name, text in objects.items()]

    answer = client.batch_put_profile_object(DomainName="shop", ObjectTypeName="Customer", Items=items)

    assert [one["Id"] for one in answer["Successful"]] == ["a", "d", "e"]
    assert [(one["Id"], one["Code"], one["Message"]) for one in answer["Failed"]] == [
        ("b", 400, "Could not parse object string into JSON"),
        (
            "c",
            400,
            "The UNIQUE key or PROFILE key does not exist in the profile object. It has no value for the key shopId "
            "(id).",
        ),
    ]
    assert find(client, "shopId", "b1")[0]["Attributes"] == {"Name": "E "}
    with pytest.raises(ClientError, match="more than one item has the Id a"):
        client.batch_put_profile_object(DomainName="shop", ObjectTypeName="Customer", Items=[items[0], items[0]])
    with pytest.raises(ClientError, match="less than or equal to 10"):
        client.batch_put_profile_object(
            DomainName="shop",
            ObjectTypeName="Customer",
            Items=[{"Id": str(number), "Object": "{}"} for number in range(11)],
        )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            {"ObjectTypeName": "Nothing"},
            "ResourceNotFoundException",
            "Object type Nothing does not exist in domain shop.",
        ),
        ({"DomainName": "none"}, "ResourceNotFoundException", "Domain none does not exist."),
        ({"ObjectTypeName": "_order"}, "BadRequestException", "_order is a standard object"),
        ({"Object": "[1]"}, "BadRequestException", "must be a JSON object"),
        ({"Object": '{"id": 1, "x": "' + "x" * 256_000 + '"}'}, "BadRequestException", "256000"),
    ],
)
def test_an_object_that_cannot_be_ingested_is_refused(
    server: RunningServer, arguments: dict[str, str], code: str, message: str
) -> None:
    given = {"DomainName": "shop", "ObjectTypeName": "Customer", "Object": '{"id": 1}', **arguments}

    with pytest.raises(ClientError, match=message) as error:
        server.client().put_profile_object(**given)

    assert error.value.response["Error"]["Code"] == code


def test_twenty_objects_of_a_new_customer_at_once_make_one_profile(server: RunningServer) -> None:
    client = server.client()
    before = client.get_domain(DomainName="shop")["Stats"]["ObjectCount"]

    with ThreadPoolExecutor(20) as threads:
        keys = set(threads.map(lambda _: put(client, {"id": "same", "mail": "same@example.com"}), range(20)))

    assert (len(keys), len(find(client, "_email", "same@example.com"))) == (1, 1)
    assert client.get_domain(DomainName="shop")["Stats"]["ObjectCount"] == before + 1


def test_an_answered_object_survives_a_killed_server(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running_server(folder, "--workers", "0") as running:
        client = running.client()
        client.create_domain(DomainName="shop", DefaultExpirationDays=30)
        client.put_profile_object_type(DomainName="shop", ObjectTypeName="Customer", **CUSTOMERS)
        keys = [put(client, {"id": number, "mail": f"{number}@example.com"}) for number in range(5)]
        running.process.kill()
        running.process.wait(30)
    with running_server(folder, "--workers", "0") as running:
        client = running.client()

        assert [len(find(client, "shopId", str(number))) for number in range(5)] == [1] * 5
        assert [put(client, {"id": number, "mail": f"{number}@example.com"}) for number in range(5)] == keys
        stats = client.get_domain(DomainName="shop")["Stats"]
        assert (stats["ProfileCount"], stats["ObjectCount"]) == (5, 5)


def test_the_attributes_of_objects_are_listed_and_a_type_is_suggested(server: RunningServer) -> None:
    client = server.client()
    client.create_domain(DomainName="data", DefaultExpirationDays=30, DataStore={"Enabled": True})
    samples = [json.dumps({"id": number, "email": f"{number}@x.org", "age": 20 + number}) for number in range(3)]
    (detected,) = client.detect_profile_object_type(DomainName="data", Objects=samples)["DetectedProfileObjectTypes"]
    definition = {"Description": "Detected", "AllowProfileCreation": True, **detected}
    of_type = {"DomainName": "data", "ObjectTypeName": "Detected"}
    client.put_profile_object_type(**of_type, **definition)
    for sample in samples:
        client.put_profile_object(**of_type, Object=sample)

    attributes = client.list_object_type_attributes(**of_type)["Items"]
    values = client.list_object_type_attribute_values(**of_type, AttributeName="age")["Items"]
    ages = client.list_profile_attribute_values(DomainName="data", AttributeName="Attributes.age")
    numbers = client.get_object_type_attribute_statistics(**of_type, AttributeName="age")["Statistics"]
    none = client.get_object_type_attribute_statistics(**of_type, AttributeName="email")["Statistics"]

    assert [one["AttributeName"] for one in attributes] == ["age", "email", "id"]
    assert {one["Value"] for one in values} == {"20", "21", "22"} == {one["Value"] for one in ages["Items"]}
    assert (numbers["Minimum"], numbers["Average"], numbers["Percentiles"]["P50"]) == (20, 21, 21)
    assert "Average" not in none or none["Average"] is None
    with pytest.raises(ClientError, match="less than or equal to 5"):
        client.detect_profile_object_type(DomainName="data", Objects=[samples[0]] * 6)
    assert (
        client.detect_profile_object_type(DomainName="data", Objects=['{"a": 1}'])["DetectedProfileObjectTypes"] == []
    )
