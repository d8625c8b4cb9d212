"""Numbers, shares, sizes, spans and days stand on every page as its reader writes them: in German here, 1.234,5."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import boto3
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from acceptance.running import RunningServer
from acceptance.test_upload_flow import FIELDS, find_by_email, put, wait_for_end
from browser.conftest import DEADLINE_MS, sign_in
from browser.test_job_pages import place_of
from browser.test_sign_in import cookie_of, send
from openprofiles.client import Client
from openprofiles.store.sqlite import SqliteStore
from openprofiles.store.tables import job

DOMAIN = "deutsch"
GOOD = 1_500
BAD = 1_055
FILE = "".join(
    ["Email,First,Tier\n"]
    + [f"customer{number}@example.com,First{number},gold\n" for number in range(GOOD)]
    + [f",Nobody{number},\n" for number in range(BAD)]
).encode()
WRONG_FORMS = re.compile(
    r"(?<![\w.,@-])\d{1,3}(?:,\d{3})+(?![\d])|(?<![\w.,@-])\d+\.\d{1,2}(?![\d.])|\d\.\d+ ?%|NaN|\{\d"
)
GERMAN_DAY = re.compile(r"\b\d{1,2}\.\d{1,2}\.\d{4}\b")
READ_ALL = """() => [
    document.title, document.body.innerText,
    ...[...document.querySelectorAll("svg title, [aria-live], [role=status]")].map(one => one.textContent),
    ...[...document.querySelectorAll("[aria-label]")].map(one => one.getAttribute("aria-label")),
].join("\\n")"""


@pytest.fixture(scope="module")
def job_id(server: RunningServer) -> str:
    """A job with many rows of each kind, and every option that has a number."""
    server.client().create_domain(DomainName=DOMAIN, DefaultExpirationDays=1098)
    client = Client(boto3.Session(*server.admin(), region_name="us-east-1"), server.url)
    made = client.create_upload_job(
        DOMAIN,
        display_name="customers.csv",
        fields=FIELDS,
        unique_key="Email",
        data_expiry=1098,
        options={"FailureLimit": {"Records": 2_000, "Percent": 62.5}},
    )
    put(server, DOMAIN, made, FILE)
    server.client().start_upload_job(DomainName=DOMAIN, JobId=made)
    wait_for_end(server, DOMAIN, made)
    with closing(SqliteStore(server.data_folder / "openprofiles.db")) as store, store.write() as connection:
        times = {"stage": 250, "create": 980}
        connection.execute(update(job).where(job.c.job_id == made).values(step_milliseconds=times))
    return made


@pytest.fixture
def german(browser: Browser, server: RunningServer) -> Iterator[Page]:
    context = browser.new_context(base_url=server.url, locale="de-DE", timezone_id="Europe/Berlin")
    context.set_default_timeout(DEADLINE_MS)
    page = context.new_page()
    sign_in(page, *server.admin())
    yield page
    context.close()


def wrong_forms(page: Page) -> list[str]:
    return WRONG_FORMS.findall(GERMAN_DAY.sub("", page.evaluate(READ_ALL)))


def test_a_job(german: Page, job_id: str) -> None:
    german.goto(place_of(DOMAIN, job_id))

    expect(german.locator(".summary")).to_contain_text("2.555 rows in 1,23 s (2.077 per second), finished on")
    named = "Of 2.555 rows: 1.500 created, 1.055 failed."
    expect(german.get_by_role("img", name=named, exact=True)).to_be_visible()
    shares = [text.replace("\xa0", " ") for text in german.locator("[data-share]").all_inner_texts()]
    assert shares == ["58,7 %", "0 %", "0 %", "41,3 %", "0 %"]
    expect(german.get_by_text("Cancels if more than 2.000 rows fail.")).to_be_visible()
    expect(german.get_by_text("Cancels if more than 62,5 % of rows fail.")).to_be_visible()
    expect(german.get_by_role("row", name="Creating profiles")).to_contain_text("0,98")
    assert wrong_forms(german) == []


@pytest.mark.long(daily="test_a_job")
def test_the_other_pages_of_a_job_and_of_its_domain(german: Page, server: RunningServer, job_id: str) -> None:
    (customer,) = find_by_email(server, DOMAIN, "customer7@example.com")
    base = f"/console/domains/{DOMAIN}"
    job = place_of(DOMAIN, job_id)
    profile = f"{base}/profiles/{customer['ProfileId']}"
    for place in (base, place_of(DOMAIN), f"{job}/undo", f"{job}/profiles", f"{base}/profiles", profile, "/console/"):
        german.goto(place)
        expect(german.locator("h1")).to_be_visible()
        assert (place, wrong_forms(german)) == (place, [])
    german.goto(base)
    expect(
        german.get_by_role("img", name=re.compile(r"reaches 1\.500 profiles on \d\d\.\d\d\.\d{4}\."))
    ).to_be_visible()


@pytest.mark.long(daily="test_a_job")
def test_what_is_told_when_a_job_ends_and_the_size_of_a_file_that_waits(german: Page, server: RunningServer) -> None:
    name = "deutsch-running"
    server.client().create_domain(DomainName=name, DefaultExpirationDays=30)
    made = server.client().create_upload_job(
        DomainName=name, DisplayName="customers.csv", Fields=FIELDS, UniqueKey="Email"
    )["JobId"]
    put(server, name, made, b"Email,First,Tier\n" + FILE[17:] + b"x@example.com,%s,\n" % (b"y" * 2_000_000))
    german.goto(place_of(name, made))
    expect(german.get_by_text("The file has arrived (2,1 MB")).to_be_visible()
    assert wrong_forms(german) == []

    german.get_by_role("button", name="Start").click()

    expect(german.locator(".badge").first).to_have_text("Some rows failed")
    expect(german.locator("#announcer")).to_have_text(
        "The import has finished: some rows failed. Of 2.556 rows: 1.500 created, 1.056 failed."
    )
    assert wrong_forms(german) == []


def test_loading_a_file(german: Page, server: RunningServer, job_id: str) -> None:
    german.goto(f"/console/domains/{DOMAIN}/upload")
    german.locator("#file").set_input_files({"name": "customers.csv", "mimeType": "text/csv", "buffer": FILE})
    # What can be typed stands there as it can be typed.
    expect(german.locator("#days-hint")).to_contain_text("(1–1098)")
    german.locator("#days").fill("1.098")
    german.get_by_role("button", name="Check first").click()
    expect(german.locator("#days-fault")).to_have_text("Enter a whole number from 1 to 1098.")
    assert wrong_forms(german) == []

    german.locator("#days").fill("1098")
    german.get_by_role("button", name="Check first").click()

    expect(german.locator("#preview-counts")).to_contain_text("1.500")
    expect(german.locator("#load-checked")).to_be_visible()
    assert wrong_forms(german) == []


def test_without_the_script_numbers_have_a_plain_form(server: RunningServer, job_id: str) -> None:
    text = send(server, "GET", place_of(DOMAIN, job_id), Cookie=cookie_of(server, *server.admin()))[2]

    for part in (">Of 2,555 rows: 1,500 created, 1,055 failed.<", ">1.23 s<", ">58.7 %<", "than 62.5 % of rows fail.<"):
        assert part in text
