"""Segments in the browser: created with a live count, listed, explained and deleted; of an import, and of a profile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from acceptance.running import RunningServer, run_command
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

    expect(page.locator("#count-fault")).to_contain_text("uses segment definition base, which does not exist")
    client.delete_segment_definition(DomainName=DOMAIN, SegmentDefinitionName="built")
