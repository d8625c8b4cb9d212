"""Object types and domain object types with real boto3: written, shown, listed, tagged and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from acceptance.running import RunningServer, running_server

pytestmark = pytest.mark.usefixtures("quick_servers")

ARN = "arn:aws:profile:us-east-1:123456789012:domains/shop/object-types/Crm"
MAPPING: dict[str, Any] = {
    "Fields": {
        "id": {"Source": "_source.id"},
        "mail": {"Source": "_source.mail", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"},
    },
    "Keys": {
        "crmId": [{"StandardIdentifiers": ["PROFILE", "UNIQUE"], "FieldNames": ["id"]}],
        "_email": [{"StandardIdentifiers": ["PROFILE", "SECONDARY"], "FieldNames": ["mail"]}],
    },
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("types") / "data", "--workers", "0") as running:
        running.client().create_domain(DomainName="shop", DefaultExpirationDays=30)
        running.client().create_domain(DomainName="stored", DefaultExpirationDays=30, DataStore={"Enabled": True})
        yield running


def put(server: RunningServer, name: str = "Crm", domain: str = "shop", **members: Any) -> dict[str, Any]:
    members = {"Description": "Customers of the shop", **members}
    return dict(server.client().put_profile_object_type(DomainName=domain, ObjectTypeName=name, **members))


def every_item(operation: Any, **arguments: Any) -> list[dict[str, Any]]:
    """List all pages; botocore has no paginator for these lists."""
    page = operation(**arguments)
    items: list[dict[str, Any]] = page["Items"]
    while "NextToken" in page:
        page = operation(**arguments, NextToken=page["NextToken"])
        items += page["Items"]
    return items


def refusal(server: RunningServer, operation: str, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        getattr(server.client(), operation)(**{"DomainName": "shop", **arguments})
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_an_object_type_is_created_changed_listed_and_deleted_as_infrastructure_tools_do_it(
    server: RunningServer,
) -> None:
    client = server.client()
    of_type = {"DomainName": "shop", "ObjectTypeName": "Crm"}
    before = refusal(server, "get_profile_object_type", ObjectTypeName="Crm")

    made = put(server, **MAPPING, AllowProfileCreation=True, ExpirationDays=90, SourcePriority=1, Tags={"team": "a"})
    client.untag_resource(resourceArn=ARN, tagKeys=["team"])
    client.tag_resource(resourceArn=ARN, tags={"stage": "test"})
    changed = put(server, Description="New", **MAPPING, MaxProfileObjectCount=250, Tags={"not": "counted"})
    put(server, "Other", **MAPPING)
    found = client.get_profile_object_type(**of_type)
    items = every_item(client.list_profile_object_types, DomainName="shop", MaxResults=1)

    assert before == ("ResourceNotFoundException", "Object type Crm does not exist in domain shop.")
    assert {member: made[member] for member in MAPPING} == MAPPING
    assert (made["AllowProfileCreation"], made["ExpirationDays"], made["SourcePriority"]) == (True, 90, 1)
    assert (made["Tags"], made["CreatedAt"]) == ({"team": "a"}, made["LastUpdatedAt"])
    assert made["MaxAvailableProfileObjectCount"] == 1000
    # The whole definition is replaced, but for its tags.
    assert (changed["CreatedAt"], changed["Description"]) == (made["CreatedAt"], "New")
    assert changed["LastUpdatedAt"] > made["LastUpdatedAt"]
    assert not {"ExpirationDays", "SourcePriority"} & changed.keys()
    assert changed["AllowProfileCreation"] is False
    assert {**found, "ResponseMetadata": 0} == {**changed, "ResponseMetadata": 0}
    assert found["Tags"] == {"stage": "test"} == client.list_tags_for_resource(resourceArn=ARN)["tags"]
    assert list(found["Keys"]) == ["crmId", "_email"]
    assert [(one["ObjectTypeName"], one["MaxAvailableProfileObjectCount"]) for one in items] == [
        ("Crm", 1000),
        ("Other", 750),
    ]
    assert (items[0]["MaxProfileObjectCount"], "Fields" in items[0]) == (250, False)

    assert client.delete_profile_object_type(**of_type)["Message"] == "OK: object type Crm deleted"
    assert refusal(server, "delete_profile_object_type", ObjectTypeName="Crm") == before
    client.delete_profile_object_type(DomainName="shop", ObjectTypeName="Other")


def test_a_template_gives_an_object_type_its_mapping(server: RunningServer) -> None:
    client = server.client()
    template = client.get_profile_object_type_template(TemplateId="Zendesk-users")
    items = every_item(client.list_profile_object_type_templates, MaxResults=17)

    made = put(server, "People", TemplateId="Zendesk-users", AllowProfileCreation=False, MaxProfileObjectCount=3)
    named_only = put(server, "Mails", TemplateId="Campaign-Email")
    standard = put(server, "_asset", TemplateId="_asset", MaxProfileObjectCount=5)

    assert (made["Fields"], made["Keys"]) == (template["Fields"], template["Keys"])
    assert (made["TemplateId"], made["AllowProfileCreation"]) == ("Zendesk-users", True)
    assert (template["SourceName"], template["SourceObject"]) == ("Zendesk", "users")
    assert (named_only["Fields"], named_only["Keys"]) == ({}, {})
    assert standard["MaxProfileObjectCount"] == 5
    assert len(items) == 41
    assert {"TemplateId": "CTR", "SourceName": "Connect", "SourceObject": "CTR"} in items
    for name in ("People", "Mails"):
        client.delete_profile_object_type(DomainName="shop", ObjectTypeName=name)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"TemplateId": "CTR", **MAPPING}, "TemplateId decides Fields and Keys. Leave out"),
        ({"TemplateId": "CTR", "AllowProfileCreation": True}, "TemplateId decides AllowProfileCreation"),
        ({}, "Give either TemplateId, or both Fields and Keys."),
        ({"Fields": MAPPING["Fields"]}, "Give either TemplateId, or both Fields and Keys."),
        ({"TemplateId": "Nothing"}, "Template Nothing does not exist."),
        ({**MAPPING, "ObjectTypeName": "_mine"}, "_mine begins with an underscore"),
        ({**MAPPING, "ObjectTypeName": "_asset"}, "Give TemplateId _asset"),
        ({"TemplateId": "_order", "ObjectTypeName": "_asset"}, "Give TemplateId _asset"),
        ({**MAPPING, "Keys": {}}, "Exactly one key must have the identifier UNIQUE"),
    ],
)
def test_a_definition_that_breaks_a_rule_is_refused(
    server: RunningServer, members: dict[str, Any], message: str
) -> None:
    given = {"ObjectTypeName": "Wrong", "Description": "x", **members}

    code, said = refusal(server, "put_profile_object_type", **given)

    assert (code, message in said) == ("BadRequestException", True), said


def test_a_key_has_the_same_content_types_in_all_object_types_of_a_domain(server: RunningServer) -> None:
    client = server.client()
    number: dict[str, Any] = {
        "Fields": {"id": {"Source": "_source.id", "ContentType": "NUMBER"}},
        "Keys": {"crmId": MAPPING["Keys"]["crmId"]},
    }
    put(server, "A", **MAPPING)

    refused = refusal(server, "put_profile_object_type", ObjectTypeName="B", Description="x", **number)
    client.delete_profile_object_type(DomainName="shop", ObjectTypeName="A")
    put(server, "B", **number)

    assert refused[0] == "BadRequestException"
    assert "Keys.crmId: the object type A makes this key from STRING, this one from NUMBER" in refused[1]
    client.delete_profile_object_type(DomainName="shop", ObjectTypeName="B")


def test_a_domain_has_at_most_100_object_types(server: RunningServer) -> None:
    client = server.client()
    client.create_domain(DomainName="full", DefaultExpirationDays=30)
    for number in range(100):
        put(server, f"T{number}", "full", TemplateId="CTR")

    code, message = refusal(
        server, "put_profile_object_type", DomainName="full", ObjectTypeName="More", Description="x", TemplateId="CTR"
    )

    assert (code, "100 are possible" in message) == ("BadRequestException", True)
    assert put(server, "T1", "full", TemplateId="CTR-NoInferred")["TemplateId"] == "CTR-NoInferred"


def test_a_data_store_asks_more_of_names_and_keys(server: RunningServer) -> None:
    kms = "arn:aws:kms:us-east-1:123456789012:key/"
    put(server, "Web-Orders", "stored", TemplateId="CTR", EncryptionKey=kms + "1")
    arguments = {"DomainName": "stored", "Description": "x", "TemplateId": "CTR"}

    similar = refusal(server, "put_profile_object_type", ObjectTypeName="web_orders", **arguments)
    other_key = refusal(
        server, "put_profile_object_type", ObjectTypeName="Web-Orders", EncryptionKey=kms + "2", **arguments
    )

    assert similar[0] == other_key[0] == "BadRequestException"
    assert "too similar to the object type Web-Orders" in similar[1]
    assert "EncryptionKey of an object type cannot be changed" in other_key[1]


def test_a_standard_object_cannot_be_deleted(server: RunningServer) -> None:
    assert refusal(server, "delete_profile_object_type", ObjectTypeName="_order") == (
        "BadRequestException",
        "_order is a standard object, which cannot be deleted.",
    )
    with pytest.raises(ClientError, match="Template No does not exist"):
        server.client().get_profile_object_type_template(TemplateId="No")


def test_a_domain_with_a_data_store_has_one_domain_object_type(server: RunningServer) -> None:
    client = server.client()
    arn = "arn:aws:profile:us-east-1:123456789012:domains/stored/domain-object-types/Catalog"
    of_type = {"DomainName": "stored", "ObjectTypeName": "Catalog"}
    fields = {
        "sku": {"Source": "_source.sku", "Target": "_catalogItem.Id", "ContentType": "STRING"},
        "price": {
            "Source": "_source.price",
            "Target": "_catalogItem.Price",
            "ContentType": "NUMBER",
            "FeatureType": "TEXTUAL",
        },
    }

    made = client.put_domain_object_type(**of_type, Description="Products", Fields=fields, Tags={"a": "b"})
    changed = client.put_domain_object_type(**of_type, Fields={"sku": fields["sku"]})
    client.tag_resource(resourceArn=arn, tags={"c": "d"})
    found = client.get_domain_object_type(**of_type)
    (item,) = client.list_domain_object_types(DomainName="stored")["Items"]

    assert (made["Fields"], made["Tags"]) == (fields, {"a": "b"})
    assert (found["Fields"], found["CreatedAt"]) == ({"sku": fields["sku"]}, made["CreatedAt"])
    assert changed["LastUpdatedAt"] > made["LastUpdatedAt"]
    assert "Description" not in found
    assert item["Tags"] == {"a": "b", "c": "d"}
    second = refusal(server, "put_domain_object_type", DomainName="stored", ObjectTypeName="B", Fields=fields)
    off = refusal(server, "put_domain_object_type", ObjectTypeName="Catalog", Fields=fields)
    source = {"a": {"Source": "sku", "Target": "_catalogItem.Id"}}
    target = {"a": {"Source": "_source.sku", "Target": "Id"}}
    assert "Domain stored has the domain object type Catalog" in second[1]
    assert "has no data store" in off[1]
    assert "Fields.a: Source must begin" in refusal(server, "put_domain_object_type", **of_type, Fields=source)[1]
    assert "Fields.a: Target must be" in refusal(server, "put_domain_object_type", **of_type, Fields=target)[1]

    client.delete_domain_object_type(**of_type)
    assert refusal(server, "get_domain_object_type", **of_type) == (
        "ResourceNotFoundException",
        "Domain object type Catalog does not exist in domain stored.",
    )
