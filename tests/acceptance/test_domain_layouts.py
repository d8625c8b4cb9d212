"""Layouts of domains with real boto3: the first definitions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from acceptance.running import RunningServer, running_server

pytestmark = pytest.mark.usefixtures("quick_servers")

ARN = "arn:aws:profile:us-east-1:123456789012:domains/shop/layouts/agents"
# As many characters as the model allows, with those that JSON, a database or an encoding may change.
LAYOUT = ('{"a":"\u00fc\U0001f600\\n\\u0000"}\r\n\t\u2028 ' * 100_000)[:2_000_000]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("layouts") / "data", "--workers", "0") as running:
        running.client().create_domain(DomainName="shop", DefaultExpirationDays=30)
        yield running


def test_a_layout_of_two_million_characters_comes_back_byte_for_byte(server: RunningServer) -> None:
    client = server.client()
    given = {"Description": "For agents", "DisplayName": "Agents", "LayoutType": "PROFILE_EXPLORER", "Layout": LAYOUT}

    made = client.create_domain_layout(DomainName="shop", LayoutDefinitionName="agents", Tags={"team": "a"}, **given)
    client.tag_resource(resourceArn=ARN, tags={"stage": "test"})
    changed = client.update_domain_layout(DomainName="shop", LayoutDefinitionName="agents", IsDefault=True)
    found = client.get_domain_layout(DomainName="shop", LayoutDefinitionName="agents")
    pages = client.get_paginator("list_domain_layouts").paginate(DomainName="shop", PaginationConfig={"PageSize": 1})
    (item,) = [one for page in pages for one in page["Items"]]

    assert len(LAYOUT) == 2_000_000
    assert (made["Layout"], made["Version"], made["IsDefault"], made["Tags"]) == (LAYOUT, "1", False, {"team": "a"})
    assert (changed["Version"], changed["IsDefault"]) == ("2", True)
    assert (found["Layout"], found["Version"], found["Description"]) == (LAYOUT, "2", "For agents")
    assert found["Tags"] == item["Tags"] == {"team": "a", "stage": "test"}
    assert "Layout" not in item
    assert item["CreatedAt"] == made["CreatedAt"] < item["LastUpdatedAt"]

    client.untag_resource(resourceArn=ARN, tagKeys=["team"])
    assert client.list_tags_for_resource(resourceArn=ARN)["tags"] == {"stage": "test"}
    deleted = client.delete_domain_layout(DomainName="shop", LayoutDefinitionName="agents")
    assert deleted["Message"] == "OK: layout agents deleted"


@pytest.mark.parametrize(
    ("operation", "arguments", "code", "message"),
    [
        ("get_domain_layout", {}, "ResourceNotFoundException", "Layout absent does not exist in domain shop."),
        ("update_domain_layout", {}, "ResourceNotFoundException", "Layout absent does not exist in domain shop."),
        ("delete_domain_layout", {}, "ResourceNotFoundException", "Layout absent does not exist in domain shop."),
        ("get_domain_layout", {"DomainName": "no"}, "ResourceNotFoundException", "Domain no does not exist."),
        ("create_domain_layout", {"LayoutType": "OTHER"}, "BadRequestException", "LayoutType"),
        ("create_domain_layout", {"Layout": LAYOUT + "x"}, "BadRequestException", "Layout"),
        (
            "create_domain_layout",
            {"LayoutDefinitionName": "taken"},
            "BadRequestException",
            "Layout taken already exists",
        ),
    ],
)
def test_what_is_wrong_with_a_request_is_said(
    server: RunningServer, operation: str, arguments: dict[str, str], code: str, message: str
) -> None:
    client = server.client()
    name = {"DomainName": "shop", "LayoutDefinitionName": "absent"}
    if operation.startswith("create"):
        members = {"Description": "a", "DisplayName": "b", "LayoutType": "PROFILE_EXPLORER", "Layout": "{}"}
        name |= members
        if arguments.get("LayoutDefinitionName") == "taken":
            client.create_domain_layout(**name | arguments)

    with pytest.raises(ClientError) as refused:
        getattr(client, operation)(**name | arguments)

    assert refused.value.response["Error"]["Code"] == code
    assert message in refused.value.response["Error"]["Message"]


def test_a_tag_of_a_layout_that_does_not_exist_is_refused(server: RunningServer) -> None:
    with pytest.raises(ClientError, match="Layout absent does not exist"):
        server.client().tag_resource(resourceArn=ARN.replace("agents", "absent"), tags={"a": "b"})
