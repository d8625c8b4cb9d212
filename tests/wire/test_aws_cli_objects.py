"""Object types and objects from the shell: the real AWS CLI, and the application with a store behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from wire.test_aws_cli import run_aws
from wire.test_upload_jobs import Service, running_service

Run = Callable[..., CompletedProcess[str]]

FIELDS = {
    "id": {"Source": "_source.order.id"},
    "mail": {"Source": "_source.mail", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"},
    "name": {"Source": "{{_source.first}} {{_source.last}}", "Target": "_profile.Attributes.Name"},
}
KEYS = {
    "orderId": [{"StandardIdentifiers": ["PROFILE", "UNIQUE"], "FieldNames": ["id"]}],
    "_email": [{"StandardIdentifiers": ["PROFILE", "SECONDARY"], "FieldNames": ["mail"]}],
}
MAPPING = {"AllowProfileCreation": True, "Fields": FIELDS, "Keys": KEYS}
ARN = "arn:aws:profile:us-east-1:123456789012:domains/shop/object-types/Orders"
# The status for a request that the server has refused, in version 1 and in version 2 of the AWS CLI.
REFUSED = (255, 254)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("cli") / "data") as running:
        running.client.create_domain(DomainName="stored", DefaultExpirationDays=30, DataStore={"Enabled": True})
        yield running


@pytest.fixture(scope="module")
def run(service: Service) -> Run:
    """Run the AWS CLI on the server; options with a value that is not a text are given as JSON."""
    credentials = service.credentials("profile:*")

    def run_with_options(command: str, **options: Any) -> CompletedProcess[str]:
        arguments = [command]
        for name, value in options.items():
            text = value if isinstance(value, str) else json.dumps(value)
            arguments += [f"--{name.replace('_', '-')}", *([] if value is True else [text])]
        return run_aws(service.address, *arguments, keys=(credentials.access_key, credentials.secret_key))

    return run_with_options


def answer(ended: CompletedProcess[str]) -> Any:
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout) if ended.stdout else None


def refusal(ended: CompletedProcess[str]) -> str:
    assert (ended.returncode in REFUSED, ended.stdout) == (True, "")
    return ended.stderr.strip()


def test_the_aws_cli_defines_shows_tags_and_deletes_an_object_type(run: Run) -> None:
    of_type = {"domain_name": "shop", "object_type_name": "Orders"}

    before = refusal(run("get-profile-object-type", **of_type))
    members = {"description": "Orders of the shop", "allow_profile_creation": True, "fields": FIELDS, "keys": KEYS}
    made = answer(run("put-profile-object-type", **of_type, **members, tags="team=crm,stage=a b"))
    untagged = answer(run("untag-resource", resource_arn=ARN, tag_keys="stage"))
    shown = answer(run("get-profile-object-type", **of_type))
    items = answer(run("list-profile-object-types", domain_name="shop"))["Items"]
    deleted = answer(run("delete-profile-object-type", **of_type))

    assert before.endswith(
        "(ResourceNotFoundException) when calling the GetProfileObjectType operation: "
        "Object type Orders does not exist in domain shop."
    )
    assert {name: made[name] for name in MAPPING} == MAPPING
    assert (made["Tags"], untagged) == ({"team": "crm", "stage": "a b"}, None)
    assert shown == {**made, "Tags": {"team": "crm"}}
    assert {"team": "crm"} in [one.get("Tags") for one in items if one["ObjectTypeName"] == "Orders"]
    assert deleted == {"Message": "OK: object type Orders deleted"}


@pytest.mark.long(daily="tests/acceptance/test_profile_objects.py::test_an_object_is_put_found_listed_and_deleted")
def test_the_aws_cli_puts_finds_lists_and_deletes_objects(service: Service, run: Run, tmp_path: Path) -> None:
    service.client.put_profile_object_type(
        DomainName="shop", ObjectTypeName="Purchases", Description="Purchases", **MAPPING
    )
    of_type = {"domain_name": "shop", "object_type_name": "Purchases"}
    text = '{"order": {"id": 1},\n "mail": "Zoe@example.com", "first": "Zoë", "last": "Ma\\u00ebl", "total": 1.50 }\n'
    file = tmp_path / "order.json"
    file.write_text(text, encoding="utf-8")

    unique_key = answer(run("put-profile-object", **of_type, object=f"file://{file}"))["ProfileObjectUniqueKey"]
    (profile,) = answer(run("search-profiles", domain_name="shop", key_name="orderId", values="1"))["Items"]
    of_profile = {**of_type, "profile_id": profile["ProfileId"]}
    listed = answer(run("list-profile-objects", **of_profile, object_filter="KeyName=orderId,Values=1"))
    deleted = answer(run("delete-profile-object", **of_profile, profile_object_unique_key=unique_key))

    assert (profile["EmailAddress"], profile["Attributes"]) == ("Zoe@example.com", {"Name": "Zoë Maël"})
    assert listed["Items"] == [{"ObjectTypeName": "Purchases", "ProfileObjectUniqueKey": unique_key, "Object": text}]
    assert deleted == {"Message": "OK: object of the type Purchases deleted"}
    assert service.client.search_profiles(DomainName="shop", KeyName="orderId", Values=["1"])["Items"] == []


@pytest.mark.long(daily="tests/acceptance/test_object_types.py::test_a_template_gives_an_object_type_its_mapping")
def test_the_aws_cli_puts_a_batch_by_a_definition_that_is_copied_from_a_template(run: Run) -> None:
    of_type = {"domain_name": "shop", "object_type_name": "Calls"}

    template = answer(run("get-profile-object-type-template", template_id="CTR"))
    mapping = {"fields": template["Fields"], "keys": template["Keys"], "allow_profile_creation": True}
    made = answer(run("put-profile-object-type", **of_type, **mapping, description="Calls"))
    call = {"contactId": "c-1", "customerEndpoint": {"address": "+12063457890"}}
    items = [{"Id": "a", "Object": json.dumps(call)}, {"Id": "b", "Object": "no JSON"}]
    batch = answer(run("batch-put-profile-object", **of_type, items=items))

    assert (made["Fields"], made["Keys"]) == (template["Fields"], template["Keys"])
    assert [one["Id"] for one in batch["Successful"]] == ["a"]
    assert batch["Failed"] == [{"Id": "b", "Code": 400, "Message": "Could not parse object string into JSON"}]


@pytest.mark.long(
    daily="tests/acceptance/test_object_types.py::test_a_domain_with_a_data_store_has_one_domain_object_type"
)
def test_the_aws_cli_defines_lists_and_deletes_a_domain_object_type(run: Run) -> None:
    of_type = {"domain_name": "stored", "object_type_name": "Catalog"}
    fields = {"price": {"Source": "_source.price", "Target": "_catalogItem.Price", "ContentType": "NUMBER"}}

    made = answer(run("put-domain-object-type", **of_type, fields=fields, tags="team=crm"))
    (item,) = answer(run("list-domain-object-types", domain_name="stored"))["Items"]
    answer(run("delete-domain-object-type", **of_type))
    after = refusal(run("get-domain-object-type", **of_type))

    assert (made["Fields"], made["Tags"]) == (fields, {"team": "crm"})
    assert item == {name: value for name, value in made.items() if name != "Fields"}
    assert "(ResourceNotFoundException) when calling the GetDomainObjectType operation" in after
