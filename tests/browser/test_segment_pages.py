"""Segments in the browser: created with a live count, listed, explained and deleted; of an import, and of a profile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from acceptance.running import RunningServer, run_command, wait_until
from browser.conftest import screenshot

DOMAIN = "segments"
HOME = f"/console/domains/{DOMAIN}/segments"
CUSTOMERS = "Email,First name,Country,tier\n" + "".join(
    f"c{number}@example.com,Name{number},{'US' if number % 2 else 'CA'},{'gold' if number % 3 else 'basic'}\n"
    for number in range(12)
)


@pytest.fixture(scope="module")
def job_id(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Import customers; return the id of the job."""
    file = tmp_path_factory.mktemp("segments") / "spring.csv"
    file.write_text(CUSTOMERS)
    mapping = ("--map", "tier=Attributes.tier", "--map", "Country=Address.Country")
    done = run_command(
        "import",
        file,
        "--domain",
        DOMAIN,
        "--unique-key",
        "Email",
        *mapping,
        "--yes",
        "--output",
        "json",
        **server.variables(),
    )
    assert done.returncode == 0, done.stderr
    job: Any = server.client().list_upload_jobs(DomainName=DOMAIN)["Items"][0]
    return str(job["JobId"])


def take_picture(page: Page, name: str) -> None:
    folder = os.environ.get("OPENPROFILES_SCREENSHOTS")
    if folder:
        screenshot(page, Path(folder) / f"{name}.png")


def test_a_segment_is_created_with_a_live_count_explained_and_deleted(
    page: Page, job_id: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    page.goto(f"/console/domains/{DOMAIN}")
    page.get_by_role("link", name="Segments", exact=True).click()
    expect(page.get_by_text("No segment yet.")).to_be_visible()
    assert find_barriers(page) == []
    page.get_by_role("link", name="New segment").click()
    first = page.get_by_role("group", name="Condition 1")
    first.get_by_label("Field").fill("Address.Country")
    first.get_by_label("Values").fill("US")
    expect(page.locator("#count-text")).to_have_text("6 of 12 customers")
    expect(page.locator("#count-examples").get_by_role("link")).to_have_count(6)

    second = page.get_by_role("group", name="Condition 2")
    second.get_by_label("Field").fill("tier")
    second.get_by_label("Comparison").select_option("is not")
    second.get_by_label("Values").fill("basic")
    expect(page.locator("#count-text")).to_have_text("4 of 12 customers")
    expect(page.locator("#count-examples")).to_contain_text("Name1")
    assert find_barriers(page) == []
    take_picture(page, "segment-form")

    third = page.get_by_role("group", name="Condition 3")
    third.get_by_label("Field").fill("Country")
    third.get_by_label("Values").fill("US")
    expect(page.locator("#count-fault")).to_contain_text("Did you mean Address.Country?")
    third.get_by_label("Field").fill("")
    third.get_by_label("Values").fill("")
    page.get_by_role("button", name="Add a condition").click()
    expect(page.get_by_role("group")).to_have_count(5)
    page.get_by_label("Name", exact=True).fill("us gold")
    page.get_by_role("button", name="Create segment").click()
    expect(page.get_by_role("alert")).to_contain_text("The name must have 1 to 64 letters, digits, _ and -.")
    page.get_by_label("Name", exact=True).fill("us-gold")
    page.get_by_label("Display name").fill("<b>US</b>, gold")
    page.get_by_role("button", name="Create segment").click()

    expect(page.get_by_role("heading", name="<b>US</b>, gold")).to_be_visible()
    expect(page.get_by_text("Segment created.")).to_be_visible()
    expect(page.locator("#count-text")).to_have_text("4 of 12 customers")
    expect(page.get_by_role("list").filter(has_text="all of:")).to_contain_text("Attributes.tier is not basic")
    expect(page.get_by_role("row")).to_have_count(5)
    assert find_barriers(page) == []
    take_picture(page, "segment")

    page.get_by_role("link", name="Name1", exact=True).click()
    expect(page.locator("#segments")).to_contain_text("In 1 of 1 segment.")
    assert find_barriers(page) == []
    page.locator("#segments").get_by_role("link", name="<b>US</b>, gold").click()
    expect(page.get_by_role("heading", name="Name1 is in us-gold")).to_be_visible()
    expect(page.get_by_role("listitem").nth(1)).to_have_text("yes Address.Country is US (is US)")
    assert find_barriers(page) == []
    take_picture(page, "segment-member")

    page.goto(f"{HOME}/us-gold")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Segment deleted.")).to_be_visible()
    expect(page.get_by_text("No segment yet.")).to_be_visible()


def test_the_customers_of_an_import_become_a_segment(page: Page, job_id: str) -> None:
    page.goto(f"/console/domains/{DOMAIN}/jobs/{job_id}")
    page.get_by_role("button", name="Create a segment of these customers").click()

    expect(page.get_by_role("heading", name="spring.csv")).to_be_visible()
    expect(page.locator("#count-text")).to_have_text("12 of 12 customers")
    page.goto(f"/console/domains/{DOMAIN}/jobs/{job_id}")
    page.get_by_role("link", name="Open the segment of these customers").click()
    expect(page.get_by_text(f"import-{job_id}", exact=True)).to_be_visible()


def test_a_segment_that_builds_on_a_deleted_one_says_so(page: Page, job_id: str, server: RunningServer) -> None:
    client = server.client()
    for name, groups in (
        ("base", {}),
        ("built", {"Groups": [{"SourceSegments": [{"SegmentDefinitionName": "base"}]}]}),
    ):
        client.create_segment_definition(
            DomainName=DOMAIN, SegmentDefinitionName=name, DisplayName=name, SegmentGroups=groups
        )
    client.delete_segment_definition(DomainName=DOMAIN, SegmentDefinitionName="base")

    page.goto(f"{HOME}/built")

    expect(page.locator("p.fault:visible")).to_contain_text("uses segment definition base, which does not exist")
    client.delete_segment_definition(DomainName=DOMAIN, SegmentDefinitionName="built")


def test_an_sql_segment_is_typed_with_its_fault_underlined_counted_and_created(
    page: Page, job_id: str, server: RunningServer, find_barriers: Callable[[Page], list[str]]
) -> None:
    page.goto(HOME)
    page.get_by_role("link", name="New SQL segment").click()
    query = page.get_by_label("Query")
    query.fill("select profile_id\nfrom profile\nwhere frist_name = 'x'")
    fault = page.locator("#query-fault")
    expect(fault).to_have_text("There is no column frist_name. Did you mean 'first_name'? (line 3, column 7)")
    expect(page.locator("#query-marks mark")).to_have_text("frist_name")
    assert find_barriers(page) == []
    take_picture(page, "sql-segment")

    query.fill("select profile_id from profile where attributes['tier'] = 'gold'")
    expect(fault).to_be_hidden()
    expect(page.locator("#query-marks mark")).to_have_count(0)
    page.get_by_role("button", name="Count").click()
    expect(page.locator("#count-text")).to_have_text("8 of 12 customers")
    page.get_by_label("Name", exact=True).fill("sql-gold")
    page.get_by_role("button", name="Create segment").click()

    expect(page.get_by_text("Segment created.")).to_be_visible()
    expect(page.locator("pre.query")).to_contain_text("attributes['tier'] = 'gold'")
    expect(page.locator("#count-text")).to_have_text("8 of 12 customers")
    expect(page.get_by_text("has no snapshot of the last year")).to_be_visible()
    assert find_barriers(page) == []
    take_picture(page, "sql-segment-page")

    page.goto(f"{HOME}/new.sql")
    page.get_by_label("Name", exact=True).fill("refused")
    page.get_by_label("Query").fill("drop table profile")
    page.get_by_role("button", name="Create segment").click()
    expect(page.get_by_role("alert")).to_contain_text("Only SELECT is allowed")
    expect(page.get_by_label("Query")).to_have_value("drop table profile")


def test_a_followed_segment_shows_who_has_joined_and_left(
    page: Page, job_id: str, server: RunningServer, find_barriers: Callable[[Page], list[str]]
) -> None:
    client = server.client()
    gold = {"ProfileAttributes": {"Attributes": {"tier": {"DimensionType": "INCLUSIVE", "Values": ["new"]}}}}
    client.create_segment_definition(
        DomainName=DOMAIN,
        SegmentDefinitionName="followed",
        DisplayName="Followed",
        SegmentGroups={"Groups": [{"Dimensions": [gold]}]},
    )
    client.associate_stream_for_segments(
        DomainName=DOMAIN,
        DestinationArn="arn:aws:kinesis:us-east-1:000000000000:stream/absent",
        DestinationRoleArn="arn:aws:iam::000000000000:role/r",
    )
    client.put_segment_subscription(DomainName=DOMAIN, SegmentDefinitionName="followed")
    page.goto(f"{HOME}/followed")
    expect(page.get_by_text("Nobody has joined or left")).to_be_visible()
    of_segment = {"DomainName": DOMAIN, "SegmentDefinitionName": "followed"}
    wait_until(lambda: client.get_segment_subscription(**of_segment)["Status"] == "RUNNING", "it is followed")
    made = client.create_profile(DomainName=DOMAIN, Attributes={"tier": "new"})["ProfileId"]
    wait_until(lambda: bool(client.list_segment_subscription_events(**of_segment)["Events"]), "there is an event")

    page.reload()
    expect(page.get_by_role("row").filter(has_text=made).filter(has_text="joined")).to_be_visible()
    assert find_barriers(page) == []
    take_picture(page, "followed-segment")
    client.delete_profile(DomainName=DOMAIN, ProfileId=made)
