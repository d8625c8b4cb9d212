"""The page of a domain: its numbers, its growth, its settings and its end."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from acceptance.running import RunningServer
from browser.conftest import sign_in
from browser.test_profile_pages import load, make_reader, require_width
from browser.test_sign_in import send


def test_a_domain_shows_its_numbers_growth_jobs_and_tags(
    page: Page, server: RunningServer, tmp_path: Path, find_barriers: Callable[[Page], list[str]]
) -> None:
    load(server, tmp_path, "grown", "Email\na@example.com\nb@example.com\n", "Email=EmailAddress", "Email")
    client = server.client()
    client.create_profile(DomainName="grown", FirstName="By hand")
    arn = "arn:aws:profile:us-east-1:123456789012:domains/grown"
    client.tag_resource(resourceArn=arn, tags={"team": "<script>alert(1)</script>"})

    page.goto("/console/domains/grown")

    facts = page.locator(".facts div", has_text="Profiles")
    expect(facts.first).to_have_text("Profiles3")
    expect(page.get_by_role("img")).to_have_accessible_name(re.compile("reaches 2 profiles on"))
    expect(page.get_by_text("team: <script>alert(1)</script>")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="file.csv")
    expect(row).to_contain_text("Succeeded")
    assert find_barriers(page) == []
    page.get_by_text("Show the numbers", exact=True).click()
    numbers = page.get_by_role("region", name="Profiles created by imports, day by day")
    expect(numbers.get_by_role("row").nth(1).get_by_role("cell")).to_have_text(["2", "2"])
    page.set_viewport_size({"width": 360, "height": 800})
    require_width(page)
    assert find_barriers(page) == []


@pytest.mark.long(daily="test_a_new_domain_reads_phone_numbers_as_those_of_its_country")
def test_a_new_domain_says_that_nothing_was_loaded(
    page: Page, server: RunningServer, find_barriers: Callable[[Page], list[str]]
) -> None:
    page.goto("/console/")
    page.get_by_label("Name").fill("fresh")
    page.get_by_role("button", name="Create").click()

    expect(page.get_by_text("No import has created a profile yet.")).to_be_visible()
    expect(page.get_by_text("No files imported yet.")).to_be_visible()
    assert find_barriers(page) == []


def test_a_new_domain_reads_phone_numbers_as_those_of_its_country(
    page: Page, server: RunningServer, find_barriers: Callable[[Page], list[str]]
) -> None:
    page.goto("/console/")
    country = page.get_by_label("Default country for phone numbers")
    expect(country.locator("option:checked")).to_have_text("United States (US)")
    assert find_barriers(page) == []
    page.get_by_label("Name").fill("kunden")
    country.select_option(label="Germany (DE)")
    page.get_by_label("Retention").fill("none")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("alert")).to_contain_text("Enter a whole number of days")
    expect(country).to_have_value("DE")
    page.get_by_label("Retention").fill("30")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("No files imported yet.")).to_be_visible()

    client = server.client()
    made = client.create_profile(DomainName="kunden", PhoneNumber="030 1234567")["ProfileId"]
    found = client.search_profiles(DomainName="kunden", KeyName="_phone", Values=["+49 30 1234567"])["Items"]
    assert [one["ProfileId"] for one in found] == [made]


def test_the_settings_are_changed_and_what_is_wrong_with_them_is_told(
    page: Page, server: RunningServer, find_barriers: Callable[[Page], list[str]]
) -> None:
    server.client().create_domain(DomainName="settled", DefaultExpirationDays=30)
    page.goto("/console/domains/settled")
    days = page.get_by_label("Retention")
    days.fill("soon")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Enter a whole number of days from 1 to 1098.")
    expect(days).to_have_value("soon")
    expect(days).to_have_attribute("aria-invalid", "true")
    expect(days).to_have_accessible_description(re.compile("of days from 1 to 1098.*Applies to new changes"))
    assert find_barriers(page) == []

    days.fill("60")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("status")).to_have_text("Settings saved.")
    expect(page.locator(".facts")).to_contain_text("60 days")
    assert server.client().get_domain(DomainName="settled")["DefaultExpirationDays"] == 60


@pytest.mark.long(daily="test_the_settings_are_changed_and_what_is_wrong_with_them_is_told")
def test_what_is_wrong_with_a_new_domain_is_told_at_its_field(
    page: Page, server: RunningServer, find_barriers: Callable[[Page], list[str]]
) -> None:
    page.goto("/console/")
    name, days = page.get_by_label("Name"), page.get_by_label("Retention")
    name.fill("not good")
    page.get_by_role("button", name="Create").click()
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_have_accessible_description(re.compile("Use 1 to 64 letters.*Letters, digits"))
    expect(days).not_to_have_attribute("aria-invalid", "true")
    assert find_barriers(page) == []

    name.fill("good")
    days.fill("soon")
    page.get_by_role("button", name="Create").click()
    expect(days).to_have_attribute("aria-invalid", "true")
    expect(days).to_have_accessible_description(re.compile("whole number of days from 1 to 1098"))
    expect(name).not_to_have_attribute("aria-invalid", "true")


def test_a_domain_is_deleted_once_its_name_is_typed(
    page: Page, server: RunningServer, find_barriers: Callable[[Page], list[str]]
) -> None:
    client = server.client()
    client.create_domain(DomainName="unwanted", DefaultExpirationDays=30)
    page.goto("/console/domains/unwanted")
    page.get_by_text("Delete this domain").click()
    page.get_by_label("Type unwanted to confirm").fill("wanted")
    page.get_by_role("button", name="Delete domain").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was deleted.")
    expect(page.get_by_label("Type unwanted to confirm")).to_have_value("wanted")
    expect(page.get_by_label("Type unwanted to confirm")).to_have_accessible_description(
        re.compile("Nothing was deleted")
    )
    assert find_barriers(page) == []

    page.get_by_label("Type unwanted to confirm").fill("unwanted")
    page.get_by_role("button", name="Delete domain").click()

    expect(page.get_by_role("status")).to_contain_text("Domain deleted.")
    assert "unwanted" not in [item["DomainName"] for item in client.list_domains()["Items"]]


def test_who_may_only_read_changes_and_deletes_no_domain(
    visitor: Page, server: RunningServer, find_barriers: Callable[[Page], list[str]]
) -> None:
    server.client().create_domain(DomainName="guarded", DefaultExpirationDays=30)
    sign_in(visitor, *make_reader(server))
    visitor.goto("/console/domains/guarded")
    expect(visitor.get_by_role("heading", name="guarded")).to_be_visible()
    expect(visitor.get_by_role("heading", name="Settings")).to_have_count(0)
    expect(visitor.get_by_text("Delete this domain")).to_have_count(0)
    expect(visitor.get_by_role("link", name="Import a file")).to_have_count(0)
    assert find_barriers(visitor) == []

    token = visitor.locator("meta[name=csrf-token]").get_attribute("content") or ""
    cookie = "; ".join(f"{one['name']}={one['value']}" for one in visitor.context.cookies(server.url + "/console"))
    form = urlencode({"csrf_token": token, "expiration_days": "1", "confirmation": "guarded"})
    statuses = [
        send(server, "POST", path, form, Cookie=cookie)[0]
        for path in ("/console/domains/guarded", "/console/domains/guarded/delete")
    ]

    assert statuses == [403, 403]
    assert server.client().get_domain(DomainName="guarded")["DefaultExpirationDays"] == 30
