"""Objects in the browser: types, dead letters, trying an object, and the objects of a profile."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from acceptance.running import RunningServer

DOMAIN = "objects"
CUSTOMERS: dict[str, Any] = {
    "Description": "Customers <b>of the shop</b>",
    "AllowProfileCreation": True,
    "SourcePriority": 2,
    "Fields": {
        "id": {"Source": "_source.id"},
        "mail": {"Source": "_source.mail", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"},
        "first": {"Source": "_source.first", "Target": "_profile.FirstName"},
    },
    "Keys": {
        "shopId": [{"StandardIdentifiers": ["PROFILE", "UNIQUE"], "FieldNames": ["id"]}],
        "_email": [{"StandardIdentifiers": ["PROFILE", "SECONDARY"], "FieldNames": ["mail"]}],
    },
}
ADA = {"id": "1", "mail": "ada@example.com", "first": "Ada", "note": "<script>alert(1)</script>"}
HOME = f"/console/domains/{DOMAIN}/objects"


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Any:
    made = server.client()
    made.create_domain(DomainName=DOMAIN, DefaultExpirationDays=100)
    made.put_profile_object_type(DomainName=DOMAIN, ObjectTypeName="Customers", **CUSTOMERS)
    closed = {**CUSTOMERS, "AllowProfileCreation": False}
    # A type may lack what the page shows of others.
    del closed["SourcePriority"]
    made.put_profile_object_type(DomainName=DOMAIN, ObjectTypeName="Visits", **closed)
    made.put_profile_object(DomainName=DOMAIN, ObjectTypeName="Customers", Object=json.dumps(ADA))
    return made


def test_an_object_is_tried_and_the_page_says_what_it_would_do(
    page: Page, client: Any, find_barriers: Callable[[Page], list[str]]
) -> None:
    page.goto(f"/console/domains/{DOMAIN}")
    page.get_by_role("link", name="Objects", exact=True).click()
    expect(page.get_by_role("row", name="Customers Customers")).to_contain_text("Customers <b>of the shop</b>")
    expect(page.get_by_role("row", name="Visits Customers")).to_contain_text("none")
    assert find_barriers(page) == []

    page.get_by_label("Object type", exact=True).select_option("Customers")
    page.get_by_label("Object (JSON)").fill('{"id": "9", "mail": "ADA@example.com", "first": "Eve"}')
    page.get_by_role("button", name="Try").click()

    result = page.get_by_role("status")
    expect(result).to_contain_text("It would join this profile.")
    expect(result).to_contain_text("_email: one profile, which decides")
    expect(result.get_by_role("row", name="FirstName")).to_contain_text("written")
    assert find_barriers(page) == []

    page.get_by_label("Object (JSON)").fill("no JSON")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_role("alert")).to_have_text("Could not parse object string into JSON")
    expect(page.get_by_label("Object (JSON)")).to_have_value("no JSON")


def test_an_object_type_is_made_from_a_sample_changed_and_deleted(
    page: Page, client: Any, find_barriers: Callable[[Page], list[str]]
) -> None:
    page.goto(HOME)
    page.get_by_role("link", name="New object type").click()
    assert find_barriers(page) == []
    page.get_by_label("Name").fill("Calls")
    page.get_by_label("Sample objects (JSON)").fill("{")
    page.get_by_role("button", name="Suggest a definition").click()
    expect(page.get_by_role("alert")).to_have_text("Could not parse object string into JSON")
    page.get_by_label("Sample objects (JSON)").fill('{"city": "Bern"}')
    page.get_by_role("button", name="Suggest a definition").click()
    expect(page.get_by_role("alert")).to_contain_text("The sample has no member that identifies an object")
    page.get_by_label("Sample objects (JSON)").fill('{"call_id": "c-1",\n "email": "ada@example.com"}')
    page.get_by_role("button", name="Suggest a definition").click()
    definition = page.get_by_label("Definition (JSON)")
    expect(definition).to_have_value(re.compile('"_source.call_id"'))
    expect(page.get_by_label("Name")).to_have_value("Calls")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Object type saved.")).to_be_visible()
    made = client.get_profile_object_type(DomainName=DOMAIN, ObjectTypeName="Calls")
    assert (made["Description"], made["AllowProfileCreation"], "_email" in made["Keys"]) == ("Calls", True, True)

    page.get_by_role("link", name="Calls", exact=True).click()
    expect(page.get_by_label("Name")).to_have_count(0)
    written = definition.input_value()
    definition.fill(written.replace('"Calls"', '"Calls", "Colour": 1'))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("The definition has the member Colour")
    definition.fill(written.replace('"Calls"', '"Phone calls", "SourcePriority": 0'))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Value at 'SourcePriority' failed")
    definition.fill(written.replace('"Calls"', '"Phone calls"'))
    assert find_barriers(page) == []
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name="Calls Phone calls")).to_be_visible()

    page.get_by_role("link", name="Calls", exact=True).click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("Object type deleted.")).to_be_visible()
    expect(page.get_by_role("link", name="Calls", exact=True)).to_have_count(0)

    page.goto(f"/console/domains/{DOMAIN}/object-types")
    page.get_by_label("Name").fill("Shop")
    page.get_by_label("Template").select_option("Shopify-Order")
    page.get_by_role("button", name="Use the template").click()
    expect(definition).to_have_value(re.compile('"TemplateId": "Shopify-Order"'))
    page.get_by_label("Name").fill("Visits")
    page.get_by_label("Name").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The domain has an object type Visits already.")
    expect(definition).to_have_value(re.compile('"TemplateId": "Shopify-Order"'))


def test_a_dead_letter_is_shown_tried_again_and_deleted(
    page: Page, client: Any, find_barriers: Callable[[Page], list[str]]
) -> None:
    for number in ("7", "8"):
        client.put_profile_object(
            DomainName=DOMAIN, ObjectTypeName="Visits", Object=f'{{"id": "{number}", "x": "<b>"}}'
        )
    page.goto(HOME)
    first, second = (row.get_by_role("link") for row in page.get_by_role("row").filter(has_text="No key of this").all())
    second_path = second.get_attribute("href")

    first.click()
    expect(page.get_by_label("Object (JSON)")).to_have_value('{"id": "7", "x": "<b>"}')
    assert find_barriers(page) == []
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_contain_text("It was rejected again: No key of this object finds a profile")
    page.get_by_label("Object (JSON)").fill("{")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_contain_text("Could not parse object string into JSON")
    page.get_by_label("Object (JSON)").fill('{"id": "7",\n "mail": "nobody@example.com"}')
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_contain_text("It was rejected again")
    expect(page.get_by_label("Object (JSON)")).to_have_value('{"id": "7",\n "mail": "nobody@example.com"}')

    client.put_profile_object(DomainName=DOMAIN, ObjectTypeName="Customers", Object='{"id": "7"}')
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Object ingested.")).to_be_visible()

    page.goto(str(second_path))
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("Dead letter deleted.")).to_be_visible()
    expect(page.get_by_text("No dead letters.")).to_be_visible()


def test_a_profile_shows_its_objects_and_which_has_given_each_value(
    page: Page, client: Any, find_barriers: Callable[[Page], list[str]]
) -> None:
    (profile,) = client.search_profiles(DomainName=DOMAIN, KeyName="shopId", Values=["1"])["Items"]
    page.goto(f"/console/domains/{DOMAIN}/profiles/{profile['ProfileId']}")

    expect(page.get_by_text("from Customers")).to_have_count(2)
    page.get_by_text("Customers (1)").click()
    expect(page.get_by_role("region", name="Customers, object 1")).to_have_text(json.dumps(ADA))
    assert find_barriers(page) == []

    history = page.get_by_role("region", name="History")
    expect(history.get_by_role("row").last).to_contain_text("Customers object ingested")
