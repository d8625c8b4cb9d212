"""The calls of infrastructure tools on object types.

Their order is that of AWS's own handlers for ``AWS::CustomerProfiles::ObjectType``, which CloudFormation and tools on
Cloud Control use. Before the Put that creates, a Get must find nothing. Before the Put that updates, a Get must find
the object type, and its tags are removed and added; this Put has no tags. The operations on domain object types are the
same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from wire.test_upload_jobs import Service, fault, running_service

DOMAIN = "stack"
NOT_FOUND = ("ResourceNotFoundException", 404)
WITH_ACCOUNT = "arn:aws:profile:us-east-1:123456789012:domains"
# From a tool that must not ask for the number of the account.
WITHOUT_ACCOUNT = "arn:aws:profile:us-east-1::domains"


@dataclass(frozen=True)
class Kind:
    """A kind of resource.

    Attributes:
        noun: in the names of its operations.
        members: of a Put that creates one.
        changed_members: of a Put that updates it; some that it had are left out.
        domain: what its domain needs.
    """

    noun: str
    arn_part: str
    members: Mapping[str, Any]
    changed_members: Mapping[str, Any]
    domain: Mapping[str, Any] = field(default_factory=dict)


ID = {"Source": "_source.id", "ContentType": "STRING"}
MAIL = {"Source": "_source.mail", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"}
KEYS = {"crmId": [{"StandardIdentifiers": ["PROFILE", "UNIQUE"], "FieldNames": ["id"]}]}
SKU = {"Source": "_source.sku", "Target": "_catalogItem.Id", "ContentType": "STRING"}
PRICE = {"Source": "_source.price", "Target": "_catalogItem.Price", "ContentType": "NUMBER"}
OBJECT_TYPE = Kind(
    noun="profile_object_type",
    arn_part="object-types",
    members={
        "Description": "Customers",
        "AllowProfileCreation": True,
        "ExpirationDays": 90,
        "Fields": {"id": ID, "mail": MAIL},
        "Keys": KEYS,
    },
    changed_members={"Description": "Buyers", "AllowProfileCreation": False, "Fields": {"id": ID}, "Keys": KEYS},
)
DOMAIN_OBJECT_TYPE = Kind(
    noun="domain_object_type",
    arn_part="domain-object-types",
    members={"Description": "Products", "Fields": {"sku": SKU, "price": PRICE}},
    changed_members={"Fields": {"sku": SKU}},
    domain={"DataStore": {"Enabled": True}},
)


class AlreadyExists(Exception):
    """A resource that is to be created is there."""


class Tool:
    """Makes the calls of a tool on one resource, with a key that allows these calls in one domain."""

    def __init__(self, service: Service, kind: Kind, name: str, arns: str = WITH_ACCOUNT) -> None:
        noun = "".join(map(str.capitalize, kind.noun.split("_")))
        operations = (f"Put{noun}", f"Get{noun}", f"Delete{noun}", f"List{noun}s")
        tags = ("TagResource", "UntagResource", "ListTagsForResource")
        self.client = service.connect(*(f"profile:{one}" for one in (*operations, *tags)), domains=(DOMAIN,))
        self.noun = kind.noun
        self.name = name
        self.arn = f"{arns}/{DOMAIN}/{kind.arn_part}/{name}"

    def call(self, verb: str, **members: Any) -> dict[str, Any]:
        """Call an operation on the resource; return its answer without what boto3 adds."""
        operation = getattr(self.client, f"{verb}_{self.noun}")
        answer: dict[str, Any] = operation(DomainName=DOMAIN, ObjectTypeName=self.name, **members)
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def create(self, members: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
        """Create the resource if a Get does not find it.

        Raises:
            AlreadyExists: it does.
        """
        try:
            self.call("get")
        except self.client.exceptions.ResourceNotFoundException:
            # The model does not allow Tags without a tag.
            return self.call("put", **members, **({"Tags": tags} if tags else {}))
        raise AlreadyExists

    def read(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Return what Get and ListTagsForResource answer."""
        return self.call("get"), self.client.list_tags_for_resource(resourceArn=self.arn)["tags"]

    def update(
        self, members: Mapping[str, Any], *, removed: Mapping[str, str], added: Mapping[str, str]
    ) -> dict[str, Any]:
        self.call("get")
        if removed:
            self.client.untag_resource(resourceArn=self.arn, tagKeys=list(removed))
        if added:
            self.client.tag_resource(resourceArn=self.arn, tags=added)
        return self.call("put", **members)

    def names(self) -> list[str]:
        items = getattr(self.client, f"list_{self.noun}s")(DomainName=DOMAIN)["Items"]
        return [item["ObjectTypeName"] for item in items]

    def faults(self) -> list[tuple[str, int, str]]:
        """Return what all calls except those that put and list answer for a resource that is not there."""
        calls: list[Callable[[], object]] = [
            lambda: self.call("get"),
            lambda: self.call("delete"),
            lambda: self.client.list_tags_for_resource(resourceArn=self.arn),
            lambda: self.client.tag_resource(resourceArn=self.arn, tags={"team": "crm"}),
            lambda: self.client.untag_resource(resourceArn=self.arn, tagKeys=["team"]),
        ]
        return [fault(one) for one in calls]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("infrastructure") / "data") as running:
        yield running


@pytest.fixture(params=[OBJECT_TYPE, DOMAIN_OBJECT_TYPE], ids=["object type", "domain object type"])
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@pytest.fixture
def stack(service: Service, kind: Kind) -> Iterator[Service]:
    """Create a domain for the test, in which such resources are possible."""
    service.client.create_domain(DomainName=DOMAIN, DefaultExpirationDays=30, **kind.domain)
    yield service
    service.client.delete_domain(DomainName=DOMAIN)


def test_a_tool_creates_what_a_get_does_not_find_and_reads_it_with_its_tags(stack: Service, kind: Kind) -> None:
    tool = Tool(stack, kind, "Crm")
    tags = {"team": "crm", "stage": "test"}

    missing = fault(lambda: tool.call("get"))
    made = tool.create(kind.members, tags)
    found, listed_tags = tool.read()

    assert missing[:2] == NOT_FOUND
    assert {name: made[name] for name in kind.members} == kind.members
    assert made["CreatedAt"] == made["LastUpdatedAt"]
    # Otherwise the tool reports a difference that is not there.
    assert found == made
    assert found["Tags"] == listed_tags == tags
    assert tool.names() == ["Crm"]


def test_a_tool_does_not_create_what_is_there(stack: Service, kind: Kind) -> None:
    first = Tool(stack, kind, "Crm")
    made = first.create(kind.members, {"team": "crm"})

    with pytest.raises(AlreadyExists):
        Tool(stack, kind, "Crm").create(kind.changed_members, {"team": "other"})

    assert first.read() == (made, {"team": "crm"})


BEFORE = {"team": "crm", "stage": "test"}
AFTER = {"team": "web", "owner": "ada"}


@pytest.mark.parametrize(
    ("arns", "removed", "added"),
    [
        pytest.param(WITH_ACCOUNT, BEFORE, AFTER, id="all tags removed and added"),
        pytest.param(WITHOUT_ACCOUNT, {"stage": "test"}, AFTER, id="tags that differ"),
    ],
)
def test_a_tool_updates_the_tags_and_then_everything_else(
    stack: Service, kind: Kind, arns: str, removed: Mapping[str, str], added: Mapping[str, str]
) -> None:
    tool = Tool(stack, kind, "Crm", arns)
    made = tool.create(kind.members, BEFORE)

    changed = tool.update(kind.changed_members, removed=removed, added=added)
    found, listed_tags = tool.read()

    assert {name: changed[name] for name in kind.changed_members} == kind.changed_members
    # What the Put leaves out is unset, except the tags.
    assert kind.members.keys() & changed.keys() == kind.changed_members.keys() & changed.keys()
    assert changed["CreatedAt"] == made["CreatedAt"] < changed["LastUpdatedAt"]
    assert found == changed
    assert found["Tags"] == listed_tags == AFTER


def test_an_update_that_removes_all_tags_leaves_none(stack: Service, kind: Kind) -> None:
    tool = Tool(stack, kind, "Crm")
    tool.create(kind.members, BEFORE)

    changed = tool.update(kind.members, removed=BEFORE, added={})

    assert "Tags" not in changed
    assert tool.read() == (changed, {})


def test_every_call_of_a_tool_on_what_it_has_deleted_is_answered_with_not_found(stack: Service, kind: Kind) -> None:
    tool = Tool(stack, kind, "Crm")
    made = tool.create(kind.members, {"team": "crm"})

    tool.call("delete")
    faults = tool.faults()
    names = tool.names()
    made_again = tool.create(kind.members, {})

    assert [one[:2] for one in faults] == [NOT_FOUND] * 5
    assert {one[2] for one in faults} == {faults[0][2]}
    assert names == []
    assert "Tags" not in made_again
    assert made_again["CreatedAt"] > made["CreatedAt"]


def test_every_call_of_a_tool_in_a_domain_that_was_deleted_first_is_answered_with_not_found(
    service: Service, kind: Kind
) -> None:
    service.client.create_domain(DomainName=DOMAIN, DefaultExpirationDays=30, **kind.domain)
    tool = Tool(service, kind, "Crm")
    tool.create(kind.members, {"team": "crm"})

    service.client.delete_domain(DomainName=DOMAIN)

    assert tool.faults() == [(*NOT_FOUND, f"Domain {DOMAIN} does not exist.")] * 5


@pytest.mark.parametrize("kind", [OBJECT_TYPE], ids=["object type"])
def test_a_tool_creates_an_object_type_of_the_name_of_a_template_that_was_not_used(stack: Service, kind: Kind) -> None:
    tool = Tool(stack, kind, "CTR")
    templates = {
        name: stack.client.get_profile_object_type_template(TemplateId=name) for name in ("CTR", "CTR-NoInferred")
    }

    missing = fault(lambda: tool.call("get"))
    made = tool.create({"Description": "Calls", "TemplateId": "CTR-NoInferred"}, {"team": "calls"})
    stack.client.put_profile_object(DomainName=DOMAIN, ObjectTypeName="CTR", Object=json.dumps({"contactId": "c-1"}))
    found, tags = tool.read()
    tool.call("delete")

    assert missing == (*NOT_FOUND, f"Object type CTR does not exist in domain {DOMAIN}.")
    assert templates["CTR"]["Keys"] != templates["CTR-NoInferred"]["Keys"]
    assert (found, tags) == (made, {"team": "calls"})
    assert (found["TemplateId"], found["Keys"]) == ("CTR-NoInferred", templates["CTR-NoInferred"]["Keys"])
    assert fault(lambda: tool.call("get")) == missing


@pytest.mark.parametrize("kind", [OBJECT_TYPE], ids=["object type"])
def test_a_template_that_an_object_has_used_is_there_for_a_tool(stack: Service, kind: Kind) -> None:
    stack.client.put_profile_object(DomainName=DOMAIN, ObjectTypeName="CTR", Object=json.dumps({"contactId": "c-1"}))
    tool = Tool(stack, kind, "CTR")
    template = {"Description": "Calls", "TemplateId": "CTR"}

    with pytest.raises(AlreadyExists):
        tool.create(template, {})
    changed = tool.update(template, removed={}, added={"team": "calls"})

    assert (changed["TemplateId"], changed["Description"], changed["Tags"]) == ("CTR", "Calls", {"team": "calls"})
    assert tool.read() == (changed, {"team": "calls"})
