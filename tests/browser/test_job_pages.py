"""The jobs of a domain in the browser: all of them, one while it runs and at its end, and taking one back."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import delete, update

from acceptance.forked_loaders import ForkedLoaders
from acceptance.running import RunningServer, run_command, wait_until
from acceptance.test_upload_flow import FIELDS, create, find_by_email, load, put, wait_for_end
from browser.conftest import DEADLINE_MS, sign_in
from browser.test_sign_in import cookie_of, send
from openprofiles.job_kinds import UNDO
from openprofiles.store.sqlite import SqliteStore
from openprofiles.store.tables import failed_row, upload_job
from openprofiles.store.tables import job as stored_job
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import find_job_by_id
from openprofiles.uploads.undo_outlook import MAX_PROFILES_SEEN

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">'
GOOD = b"Email,First,Tier\nada@example.com,Ada,gold\nbob@example.com,Bob,silver\n"
# Created, missing key, missing key, too many cells, unchanged, updated.
BAD = (
    b"Email,First,Tier\neve@example.com,Eve,\n,Nobody,gold\n,Noone,\nfay@example.com,Fay,a,b\n"
    b"ada@example.com,Ada,gold\nada@example.com,Ada,iron\n"
)
# Those that an undo looks at, and some more.
MANY = MAX_PROFILES_SEEN + 100

Barriers = Callable[[Page], list[str]]


@pytest.fixture
def domain(server: RunningServer, request: pytest.FixtureRequest) -> str:
    """A domain of the test's own."""
    name = "j-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]
    server.client().create_domain(DomainName=name, DefaultExpirationDays=30)
    return name


@dataclass(frozen=True)
class Loaded:
    """A domain with a job that succeeded and, after it, one that failed in part."""

    domain: str
    job_id: str


@pytest.fixture(scope="module")
def loaded(server: RunningServer) -> Loaded:
    """Load both files once, for tests that only look at them."""
    name = "j-loaded"
    server.client().create_domain(DomainName=name, DefaultExpirationDays=30)
    load(server, name, GOOD)
    return Loaded(name, load(server, name, BAD)["JobId"])


def many_rows(count: int, tier: str = "gold") -> bytes:
    lines = [f"customer{number}@example.com,First{number},{tier}" for number in range(count)]
    return "\n".join(["Email,First,Tier", *lines, ""]).encode()


def place_of(domain: str, job_id: str = "") -> str:
    return f"/console/domains/{domain}/jobs" + (f"/{job_id}" if job_id else "")


def start(server: RunningServer, domain: str, data: bytes) -> str:
    """Starts a job on the file and waits for nothing."""
    job_id = create(server, domain)
    put(server, domain, job_id, data)
    server.client().start_upload_job(DomainName=domain, JobId=job_id)
    return job_id


@contextmanager
def paused_workers(server: RunningServer) -> Iterator[None]:
    """Jobs that are started meanwhile run, but get nowhere."""
    pids = server.children()
    # They must not stand still in a transaction that writes, which would keep the server from writing.
    store = SqliteStore(server.data_folder / "openprofiles.db")
    with store.write():
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
    store.close()
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def keys_that_may(server: RunningServer, *actions: str, domain: str = "*") -> tuple[str, str]:
    chosen = [part for action in actions for part in ("--action", action)]
    made = run_command(
        *("credentials", "create", "--data", server.data_folder, "--name", "reader", "--domain", domain),
        *(*chosen, "--output", "json"),
    )
    keys = json.loads(made.stdout)
    return keys["access_key_id"], keys["secret_access_key"]


def read_only_keys(server: RunningServer) -> tuple[str, str]:
    return keys_that_may(server, "profile:Get*", "profile:List*", "profile:SearchProfiles")


def csrf_token_of(server: RunningServer, cookie: str) -> str:
    found = re.search(r'name="csrf-token" content="([0-9a-f]+)"', send(server, "GET", "/console/", Cookie=cookie)[2])
    assert found is not None
    return found[1]


def count_of(page: Page, part: str) -> str:
    return page.locator(f'[data-count="{part}"]').inner_text()


# All jobs


def test_a_domain_without_jobs_says_so(page: Page, server: RunningServer, domain: str, find_barriers: Barriers) -> None:
    page.goto(place_of(domain))

    expect(page.get_by_text("No files imported yet.")).to_be_visible()
    assert find_barriers(page) == []


def test_jobs_are_listed_newest_first_and_filtered_by_status(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    load(server, domain, GOOD)
    load(server, domain, BAD)
    create(server, domain)

    page.goto(place_of(domain))

    rows = page.locator("tbody tr")
    expect(rows).to_have_count(3)
    assert [row.split("\t")[1] for row in rows.all_inner_texts()] == ["Not started", "Some rows failed", "Succeeded"]
    assert rows.nth(1).inner_text().split("\t")[3:] == ["6", "1", "1", "1", "3"]
    assert find_barriers(page) == []

    page.get_by_label("Status").select_option("Some rows failed")
    page.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(1)
    expect(page.get_by_label("Status")).to_have_value("PARTIALLY_SUCCEEDED")

    page.get_by_label("Status").select_option("Failed")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No imports with the status “Failed”.")).to_be_visible()
    assert find_barriers(page) == []
    page.get_by_role("link", name="Show all imports").click()
    expect(rows).to_have_count(3)


@pytest.mark.long(daily="tests/store/test_upload_job_lists.py::test_jobs_of_one_status_come_in_pages_newest_first")
def test_many_jobs_come_in_pages(page: Page, server: RunningServer, domain: str, find_barriers: Barriers) -> None:
    job_ids = [create(server, domain) for _ in range(60)]

    page.goto(place_of(domain) + "?status=CREATED")
    shown = [link.get_attribute("href") for link in page.locator("tbody a").all()]
    page.get_by_role("link", name="Older imports").click()
    expect(page.locator("tbody tr")).to_have_count(10)
    expect(page.get_by_label("Status")).to_have_value("CREATED")
    assert find_barriers(page) == []
    shown += [link.get_attribute("href") for link in page.locator("tbody a").all()]

    assert shown == [place_of(domain, job_id) for job_id in reversed(job_ids)]
    expect(page.get_by_role("link", name="Older imports")).to_have_count(0)
    page.get_by_role("link", name="Latest imports").click()
    expect(page.locator("tbody tr")).to_have_count(50)


# A job that runs


def test_progress_moves_without_reloading_to_the_account_at_the_end(
    page: Page, server: RunningServer, forked_loaders: ForkedLoaders, domain: str, find_barriers: Barriers
) -> None:
    with forked_loaders.held("create", rows_per_chunk=1_000):
        job_id = start(server, domain, many_rows(3_000))
        page.goto(place_of(domain, job_id))
        # Gone as soon as the page is loaded again.
        page.evaluate("window.isTheSamePage = true")
        page.evaluate(
            """() => {
                window.said = [];
                new MutationObserver(() => window.said.push(document.getElementById("announcer").textContent))
                    .observe(document.getElementById("announcer"), { childList: true });
            }"""
        )
        expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
        # The next test sees it change.
        expect(page.locator("[data-amount]")).to_contain_text("1,000 of 3,000 rows")

    expect(page.locator(".badge").first).to_have_text("Succeeded", timeout=2 * DEADLINE_MS)

    assert page.evaluate("window.isTheSamePage")
    said = page.evaluate("window.said")
    assert said[-1] == "The import has finished: succeeded. Of 3,000 rows: 3,000 created."
    assert len(said) <= 4
    assert count_of(page, "created") == "3,000"
    expect(page.get_by_role("img", name="Of 3,000 rows: 3,000 created.")).to_be_visible()
    assert find_barriers(page) == []


@pytest.mark.long(daily="test_progress_moves_without_reloading_to_the_account_at_the_end")
def test_how_fast_a_job_is_and_how_long_it_takes_is_told_but_not_all_the_time(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    done = 0

    def tell(route: Route) -> None:
        # As of a job that loads steadily.
        nonlocal done
        done += 1000
        amount = f"{{{done}}} of {{100000}} rows, {{1000}} rows per second, about {{90}} s left in this step"
        progress = {"doing": "Importing rows (step 3 of 4)", "amount": amount, "share": 0.4 + done / 1_000_000}
        parts = [{"name": "created", "x": 0, "width": done / 1000, "count": done, "share": done / 100_000}]
        route.fulfill(
            json={"view": "IN_PROGRESS", "progress": progress, "parts": parts, "description": f"{done} created"}
        )

    with paused_workers(server):
        job_id = start(server, domain, many_rows(10))
        page.route("**/state", tell)
        page.goto(place_of(domain, job_id))

        amount = page.locator("[data-amount]")
        expect(amount).to_have_text(
            re.compile(r"^[0-9]+,000 of 100,000 rows, 1,000 rows per second, about 90 s left in this step$")
        )
        expect(page).to_have_title(re.compile("^[0-9]+ % · customers.csv"))
        expect(page.get_by_role("progressbar")).to_have_attribute("value", re.compile(r"^0\.4"))
        expect(page.locator("#announcer")).to_have_text("")
        first = amount.inner_text()
        expect(amount).not_to_have_text(first)
        assert find_barriers(page) == []
        told = re.compile("^Importing rows .* left in this step$")
        expect(page.locator("#announcer")).to_have_text(told, timeout=DEADLINE_MS)
        assert done >= 5000
    wait_for_end(server, domain, job_id)


def test_a_running_job_is_stopped_after_a_question(
    page: Page, server: RunningServer, forked_loaders: ForkedLoaders, domain: str, find_barriers: Barriers
) -> None:
    with forked_loaders.held("create", rows_per_chunk=1_000):
        job_id = start(server, domain, many_rows(3_000))
        page.goto(place_of(domain, job_id))
        dialog = page.get_by_role("dialog", name="Stop this import?")

        page.get_by_role("button", name="Stop").click()
        expect(dialog).to_be_visible()
        expect(page.get_by_role("button", name="Keep importing")).to_be_focused()
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="Keep importing").click()
        expect(dialog).to_be_hidden()
        client = server.client()
        assert client.get_upload_job(DomainName=domain, JobId=job_id)["Status"] == "IN_PROGRESS"

        page.get_by_role("button", name="Stop").click()
        wait_until(
            lambda: client.get_upload_job(DomainName=domain, JobId=job_id)["ResultsSummary"]["CreatedRecords"] > 0,
            "some rows are loaded",
        )
        page.keyboard.press("Tab")
        with page.expect_response("**/stop"):
            page.keyboard.press("Enter")

    expect(page.locator(".badge").first).to_have_text("Stopped", timeout=2 * DEADLINE_MS)
    assert (count_of(page, "created"), count_of(page, "left")) == ("1,000", "2,000")
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    assert find_barriers(page) == []


def test_a_job_that_was_not_started_says_what_is_missing_and_starts_when_its_file_is_there(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    job_id = create(server, domain)
    page.goto(place_of(domain, job_id))
    expect(page.get_by_role("heading", name="Waiting for the file")).to_be_visible()
    expect(page.get_by_role("button", name="Start")).to_have_count(0)
    assert find_barriers(page) == []

    put(server, domain, job_id, GOOD)

    expect(page.get_by_role("heading", name="Ready to start")).to_be_visible()
    assert find_barriers(page) == []
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".badge").first).to_have_text("Succeeded")
    assert count_of(page, "created") == "2"


def test_a_job_that_was_not_started_is_given_up(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    job_id = create(server, domain)
    page.goto(place_of(domain, job_id))

    page.get_by_role("button", name="Discard").click()
    assert find_barriers(page) == []
    page.get_by_role("button", name="Discard import").click()

    expect(page.locator(".badge").first).to_have_text("Stopped")
    expect(page.get_by_text("The import was stopped before any row was imported.")).to_be_visible()


def test_what_is_asked_of_a_job_that_has_ended_meanwhile_is_told_above_it(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    job_id = create(server, domain)
    put(server, domain, job_id, GOOD)
    page.goto(place_of(domain, job_id))
    page.route("**/state", lambda route: route.abort())
    server.client().start_upload_job(DomainName=domain, JobId=job_id)
    wait_for_end(server, domain, job_id)

    page.get_by_role("button", name="Start").click()

    expect(page.get_by_role("alert").filter(has_text="cannot be started")).to_be_visible()
    expect(page.locator(".badge").first).to_have_text("Succeeded")
    assert find_barriers(page) == []


def test_a_lost_connection_is_told_and_the_page_goes_on_by_itself(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    job_id = create(server, domain)
    page.goto(place_of(domain, job_id))

    page.route("**/state", lambda route: route.abort())
    expect(page.get_by_role("alert")).to_have_text("Can't reach the server. This page keeps trying.")
    assert find_barriers(page) == []
    page.unroute("**/state")
    page.route("**/state", lambda route: route.fulfill(status=503, body="{}"))
    expect(page.get_by_role("alert")).to_contain_text("The server can't report on this import right now.")
    put(server, domain, job_id, GOOD)
    page.unroute("**/state")

    expect(page.get_by_role("heading", name="Ready to start")).to_be_visible()
    expect(page.get_by_text("This page keeps trying")).to_have_count(0)


def test_one_answer_that_fails_is_no_trouble(page: Page, server: RunningServer, domain: str) -> None:
    held: list[Route] = []
    failed: list[Route] = []

    def answer(route: Route) -> None:
        if len(failed) < 2:
            failed.append(route)
            route.fulfill(status=429, body="{}")
        else:
            held.append(route)

    page.route("**/state", answer)
    page.goto(place_of(domain, create(server, domain)))

    wait_until(lambda: page.evaluate("1") == 1 and bool(held), "the third attempt")
    assert page.locator("#trouble").text_content() == ""
    page.unroute("**/state")


def test_a_hidden_tab_asks_for_nothing_and_catches_up_when_it_is_seen(
    page: Page, server: RunningServer, domain: str
) -> None:
    page.add_init_script("Object.defineProperty(document, 'hidden', { get: () => window.isHidden === true })")
    show = "isHidden => { window.isHidden = isHidden; document.dispatchEvent(new Event('visibilitychange')); }"
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/state") else None)
    with paused_workers(server):
        job_id = start(server, domain, many_rows(10))
        page.goto(place_of(domain, job_id))
        page.wait_for_timeout(1000)
        assert asked

        page.evaluate(show, True)
        page.wait_for_timeout(300)
        before = len(asked)
        page.wait_for_timeout(2000)
        assert len(asked) == before

    wait_for_end(server, domain, job_id)
    page.evaluate(show, False)
    expect(page.locator(".badge").first).to_have_text("Succeeded")


def test_an_expired_session_is_told_and_the_link_leads_back_to_the_job(
    page: Page, server: RunningServer, domain: str
) -> None:
    job_id = create(server, domain)
    page.goto(place_of(domain, job_id))
    page.context.clear_cookies()

    expect(page.get_by_role("alert")).to_contain_text("Your session expired.")
    page.get_by_role("link", name="Sign in again").click()
    page.get_by_label("Access key ID").fill(server.admin()[0])
    page.get_by_label("Secret access key").fill(server.admin()[1])
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", name="customers.csv")).to_be_visible()


@pytest.mark.long(daily="test_an_expired_session_is_told_and_the_link_leads_back_to_the_job")
def test_a_link_to_a_job_leads_a_colleague_to_it_through_the_sign_in(
    visitor: Page, server: RunningServer, loaded: Loaded
) -> None:
    visitor.goto(place_of(loaded.domain, loaded.job_id))
    visitor.get_by_label("Access key ID").fill(server.admin()[0])
    visitor.get_by_label("Secret access key").fill(server.admin()[1])
    visitor.keyboard.press("Enter")

    expect(visitor).to_have_url(server.url + place_of(loaded.domain, loaded.job_id))


# A job that has ended


def test_the_account_has_every_row_and_what_failed_with_examples(
    page: Page, loaded: Loaded, find_barriers: Barriers, tmp_path: Path
) -> None:
    page.goto(place_of(loaded.domain, loaded.job_id))

    parts = ("created", "updated", "unchanged", "failed", "left")
    assert [count_of(page, part) for part in parts] == ["1", "1", "1", "3", "0"]
    expect(
        page.get_by_role("img", name="Of 6 rows: 1 created, 1 updated, 1 unchanged, 3 failed.", exact=True)
    ).to_be_visible()
    reasons = page.locator(".reason")
    expect(reasons).to_have_count(2)
    expect(reasons.nth(0)).to_contain_text("2 × The unique key, column Email, is empty")
    expect(reasons.nth(0)).to_contain_text("MISSING_UNIQUE_KEY in column Email")
    assert reasons.nth(0).locator("tbody tr").all_inner_texts() == ["3\t(empty)", "4\t(empty)"]
    expect(reasons.nth(1)).to_contain_text("fay@example.com,Fay,a,b")
    expect(page.get_by_text("Rows that repeat the unique key of an earlier row: 1.")).to_be_visible()
    expect(page.get_by_text("utf-8, commas, LF")).to_be_visible()
    assert find_barriers(page) == []

    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download failed rows (CSV)").click()
    assert downloading.value.suggested_filename == "customers.failed-rows.csv"
    downloading.value.save_as(tmp_path / "failed.csv")
    with (tmp_path / "failed.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [(row["First"], row["openprofiles_line"]) for row in rows] == [("Nobody", "3"), ("Noone", "4"), ("Fay", "5")]
    assert "openprofiles_apostrophe" in rows[0]

    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download failed rows (Excel)").click()
    assert downloading.value.suggested_filename == "customers.failed-rows.xlsx"
    downloading.value.save_as(tmp_path / "failed.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "failed.xlsx")["Failed rows"]
    assert [cell.value for cell in sheet["B"]] == ["First", "Nobody", "Noone", "Fay"]


def test_a_job_whose_file_could_not_be_read_says_why(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    job_id = load(server, domain, b"Mail,Name\na@example.com,Ada\n")["JobId"]

    page.goto(place_of(domain, job_id))

    expect(page.locator(".badge").first).to_have_text("Failed")
    expect(page.locator(".fault").first).to_contain_text("Email")
    expect(page.get_by_text("so there is nothing to undo")).to_be_visible()
    assert find_barriers(page) == []


@pytest.mark.long(daily="test_each_reason_has_examples_although_its_rows_come_behind_a_great_many_others")
def test_a_great_many_failures_of_many_kinds_leave_the_page_quick_and_short(
    page: Page, server: RunningServer, domain: str
) -> None:
    rows = "".join(f",Name{number},{'x' * 300 if number % 2 else 'y'}\n" for number in range(50_000))
    job_id = load(server, domain, f"Email,First,Tier\n{rows}".encode())["JobId"]

    page.goto(place_of(domain, job_id))

    expect(page.locator(".reason").first).to_contain_text("50,000 ×")
    milliseconds = page.evaluate("performance.getEntriesByType('navigation')[0].responseEnd")
    assert milliseconds < 1500
    assert len(page.content()) < 60_000


def test_each_reason_has_examples_although_its_rows_come_behind_a_great_many_others(
    page: Page, server: RunningServer, domain: str
) -> None:
    blank = ",Nobody,\n" * 20_000
    long = "".join(f"long{number}@example.com,Ann,{'x' * 300}\n" for number in range(5))
    job_id = load(server, domain, f"Email,First,Tier\n{blank}{long}".encode())["JobId"]

    page.goto(place_of(domain, job_id))

    reasons = page.locator(".reason")
    assert [len(reason.locator("tbody tr").all()) for reason in reasons.all()] == [3, 3]
    assert reasons.nth(1).locator("tbody td:first-child").all_inner_texts() == ["20,002", "20,003", "20,004"]


def test_the_numbers_of_a_job_agree(page: Page, server: RunningServer, domain: str) -> None:
    job_id = start(server, domain, many_rows(5_000))
    wait_for_end(server, domain, job_id)
    with closing(SqliteStore(server.data_folder / "openprofiles.db")) as store, store.write() as connection:
        # As if it had waited for a worker, and then taken 90 seconds.
        number = connection.execute(
            update(stored_job)
            .where(stored_job.c.job_id == job_id)
            .values(step_milliseconds={"stage": 4_000, "create": 86_000})
            .returning(stored_job.c.job_number)
        ).scalar_one()
        connection.execute(update(upload_job).where(upload_job.c.job_number == number).values(created_count=4_500))

    page.goto(place_of(domain, job_id))

    expect(page.locator(".summary")).to_contain_text("4,500 of 5,000 rows in 1 min 30 s (50 per second), finished on")


def test_the_file_of_failed_rows_is_named_as_long_as_it_is_kept(page: Page, server: RunningServer, domain: str) -> None:
    names = [f"C{number}" for number in range(25)]
    fields = {"Email": FIELDS["Email"]} | {
        name: {"Source": f"_source.{name}", "Target": f"_profile.Attributes.{name}"} for name in names
    }
    job_id = create(server, domain, fields)
    put(server, domain, job_id, f"Email,{','.join(names)}\na@x.example,{','.join(['x' * 300] * 25)}\n".encode())
    server.client().start_upload_job(DomainName=domain, JobId=job_id)
    wait_for_end(server, domain, job_id)
    page.goto(place_of(domain, job_id))
    expect(page.get_by_text("5 more kinds of error; the download has them all.")).to_be_visible()

    with closing(SqliteStore(server.data_folder / "openprofiles.db")) as store, store.write() as connection:
        job = find_job_by_id(connection, job_id)
        assert job is not None
        connection.execute(delete(failed_row).where(failed_row.c.upload_job_id == job.job_number))

    page.reload()
    expect(page.get_by_text("5 more kinds of error.", exact=True)).to_be_visible()
    expect(page.get_by_text("The failed rows are no longer available for download.")).to_be_visible()


def test_a_preview_has_neither_a_page_nor_a_file(server: RunningServer, domain: str) -> None:
    job_id = create(server, domain)
    put(server, domain, job_id, BAD)
    cookie = cookie_of(server, *server.admin())
    own = {"X-CSRF-Token": csrf_token_of(server, cookie), "Content-Type": "application/json"}
    place = f"/openprofiles/v1/domains/{domain}/upload-jobs/{job_id}/preview"
    preview_id = json.loads(send(server, "POST", place, "{}", Cookie=cookie, **own)[2])["PreviewId"]

    for rest in ("", "/failed-rows.csv", "/failed-rows.xlsx", "/state", "/undo"):
        assert send(server, "GET", place_of(domain, preview_id) + rest, Cookie=cookie)[0] == 404


def test_a_job_is_seen_without_scripts(server: RunningServer, domain: str, loaded: Loaded) -> None:
    cookie = cookie_of(server, *server.admin())

    status, _, text = send(server, "GET", place_of(loaded.domain, loaded.job_id), Cookie=cookie)

    assert status == 200
    for part in ("Of 6 rows: 1 created, 1 updated, 1 unchanged, 3 failed.", "MISSING_UNIQUE_KEY", "failed-rows.csv"):
        assert part in text
    running = create(server, domain)
    assert '<noscript><meta http-equiv="refresh"' in send(server, "GET", place_of(domain, running), Cookie=cookie)[2]


# Taking a job back


def test_a_job_is_taken_back_after_it_is_told_what_that_does(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    client = server.client()
    load(server, domain, GOOD)
    job_id = load(
        server, domain, b"Email,First,Tier\nada@example.com,Ada,iron\neve@example.com,Eve,\nfay@example.com,Fay,\n"
    )["JobId"]
    (eve,) = find_by_email(server, domain, "eve@example.com")
    client.update_profile(DomainName=domain, ProfileId=eve["ProfileId"], LastName="Since")

    page.goto(place_of(domain, job_id))
    expect(page.get_by_text("You can undo this import until")).to_be_visible()
    page.get_by_role("link", name="Preview undo").click()

    expect(page.get_by_role("heading", name="Undo this import?")).to_be_visible()
    assert page.locator(".facts dd").all_inner_texts() == ["2", "1", "1", "0"]
    assert find_barriers(page) == []
    assert len(find_by_email(server, domain, "fay@example.com")) == 1
    page.get_by_role("button", name="Undo import").click()

    expect(page.get_by_role("heading", name="Import undone")).to_be_visible()
    assert page.locator(".facts dd").all_inner_texts() == ["1", "1", "1", "0"]
    kept = page.get_by_role("link", name=eve["ProfileId"])
    assert kept.get_attribute("href") == f"/console/domains/{domain}/profiles/{eve['ProfileId']}"
    expect(page.get_by_role("row", name="created it")).to_be_visible()
    assert find_barriers(page) == []
    assert find_by_email(server, domain, "fay@example.com") == []
    (ada,) = find_by_email(server, domain, "ada@example.com")
    assert ada["Attributes"] == {"tier": "gold"}

    page.goto(place_of(domain, job_id))
    expect(page.locator("#job").get_by_text("This import was undone")).to_be_visible()
    expect(page.get_by_role("link", name="Preview undo")).to_have_count(0)
    assert find_barriers(page) == []
    page.get_by_role("link", name="Show the kept profiles").click()
    expect(kept).to_be_visible()
    page.goto(place_of(domain))
    badges = [row.locator(".badge").all_inner_texts() for row in page.locator("table.jobs tbody tr").all()]
    assert badges == [["Succeeded", "Undone"], ["Succeeded"]]


@pytest.mark.long(daily="test_a_job_is_taken_back_after_it_is_told_what_that_does")
def test_a_large_job_is_taken_back_before_ones_eyes(
    page: Page, server: RunningServer, forked_loaders: ForkedLoaders, domain: str, find_barriers: Barriers
) -> None:
    job_id = start(server, domain, many_rows(MANY))
    wait_for_end(server, domain, job_id)
    # The page is there before its profiles were looked at, and tells of them by itself.
    undo = place_of(domain, job_id) + "/undo"
    page.route("**/undo?looked=1", lambda route: route.abort())
    page.goto(undo)
    facts = page.locator(".facts dd")
    expect(facts).to_have_text([f"{MANY:,}", "0", "unknown", "unknown"])
    expect(page.get_by_role("button", name="Undo import")).to_be_visible()
    assert find_barriers(page) == []
    page.unroute("**/undo?looked=1")
    page.get_by_role("link", name="Check again").click()
    expect(facts).to_have_text([f"{MANY:,}", "0", "none found so far", "none found so far"])
    page.goto(undo)
    expect(facts).to_have_text([f"{MANY:,}", "0", "none found so far", "none found so far"])
    expect(page.locator("#announcer")).to_contain_text("Edited since: none found so far.")
    assert find_barriers(page) == []

    with forked_loaders.held("remove", rows_per_chunk=20_000):
        page.get_by_role("button", name="Undo import").click()
        expect(page.get_by_role("progressbar")).to_be_visible()
        page.evaluate("window.isTheSamePage = true")
        expect(page.locator("[data-amount]")).to_contain_text(f"20,000 of {MANY:,} profiles")
        cookie = cookie_of(server, *server.admin())
        jobs = send(server, "GET", place_of(domain), Cookie=cookie)[2]
        assert '<span class="badge undo in-progress">Undoing</span>' in jobs
        assert find_barriers(page) == []
    expect(page.get_by_role("heading", name="Import undone")).to_be_visible(timeout=2 * DEADLINE_MS)

    assert page.evaluate("window.isTheSamePage")
    assert page.locator(".facts dd").first.inner_text() == f"{MANY:,}"


@pytest.mark.long(daily="test_a_job_is_taken_back_after_it_is_told_what_that_does")
def test_the_profiles_that_were_left_come_in_pages(page: Page, server: RunningServer, domain: str) -> None:
    job_id = load(server, domain, many_rows(130))["JobId"]
    load(server, domain, many_rows(130, "iron"))
    page.goto(place_of(domain, job_id) + "/undo")
    assert page.locator(".facts dd").all_inner_texts() == ["130", "0", "130", "0"]

    page.get_by_role("button", name="Undo import").click()
    expect(page.locator("tbody tr")).to_have_count(100)
    page.get_by_role("link", name="More profiles").click()
    expect(page.locator("tbody tr")).to_have_count(30)
    page.get_by_role("link", name="First profiles").click()
    expect(page.locator("tbody tr")).to_have_count(100)


@pytest.mark.long(daily="test_a_job_is_taken_back_after_it_is_told_what_that_does")
def test_an_undo_that_failed_says_so_and_goes_on_when_it_is_asked_to(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    job_id = load(server, domain, GOOD)["JobId"]
    page.goto(place_of(domain, job_id) + "/undo")
    page.get_by_role("button", name="Undo import").click()
    expect(page.get_by_role("heading", name="Import undone")).to_be_visible()
    # As its worker would have left it.
    with closing(SqliteStore(server.data_folder / "openprofiles.db")) as store, store.write() as connection:
        job = find_job_by_id(connection, job_id)
        assert job is not None
        connection.execute(
            update(stored_job)
            .where(stored_job.c.subject == job.job_number)
            .values(status=UploadJobStatus.FAILED, failure_message=UNDO.gave_up_message)
        )

    page.goto(place_of(domain, job_id))
    expect(page.get_by_text(UNDO.gave_up_message)).to_be_visible()
    page.get_by_role("link", name="See what has been undone so far").click()
    expect(page.get_by_text(UNDO.gave_up_message)).to_be_visible()
    assert find_barriers(page) == []
    page.get_by_role("button", name="Continue undo").click()

    expect(page.get_by_role("heading", name="Import undone")).to_be_visible()


def test_a_job_that_has_changed_nothing_is_not_taken_back(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    job_id = create(server, domain)

    page.goto(place_of(domain, job_id) + "/undo")

    expect(page.get_by_role("alert").filter(has_text="finished job can be undone")).to_be_visible()
    expect(page.get_by_role("button", name="Undo import")).to_have_count(0)
    assert find_barriers(page) == []


# Who may do what


@pytest.mark.long(
    daily="tests/browser/test_profile_pages.py::test_who_may_only_read_sees_no_button_and_is_refused_when_forging"
)
def test_a_reader_sees_no_button_and_is_refused_when_forging_it(
    visitor: Page, server: RunningServer, loaded: Loaded, find_barriers: Barriers
) -> None:
    domain, ended = loaded.domain, loaded.job_id
    waiting = create(server, domain)
    put(server, domain, waiting, GOOD)
    keys = read_only_keys(server)
    sign_in(visitor, *keys)

    buttons = visitor.locator("main").get_by_role("button")
    visitor.goto(place_of(domain))
    expect(visitor.locator("tbody tr")).to_have_count(3)
    for place in (place_of(domain, waiting), place_of(domain, ended), place_of(domain, ended) + "/undo"):
        visitor.goto(place)
        expect(visitor.locator("h1")).to_be_visible()
        expect(buttons).to_have_count(0)
        assert find_barriers(visitor) == []
    expect(visitor.get_by_role("link", name="Preview undo")).to_have_count(0)

    cookie = cookie_of(server, *keys)
    form = f"csrf_token={csrf_token_of(server, cookie)}"
    for job_id, what in ((waiting, "start"), (waiting, "stop"), (ended, "undo")):
        assert send(server, "POST", f"{place_of(domain, job_id)}/{what}", form, Cookie=cookie)[0] == 403
    assert server.client().get_upload_job(DomainName=domain, JobId=waiting)["Status"] == "CREATED"
    assert len(find_by_email(server, domain, "eve@example.com")) == 1


def test_a_form_from_elsewhere_stops_nothing(server: RunningServer, domain: str) -> None:
    job_id = create(server, domain)
    cookie = cookie_of(server, *server.admin())

    for what in ("start", "stop", "undo"):
        assert send(server, "POST", f"{place_of(domain, job_id)}/{what}", "csrf_token=0", Cookie=cookie)[0] == 403


def test_who_may_not_look_at_jobs_sees_none(server: RunningServer, loaded: Loaded) -> None:
    domain, job_id = loaded.domain, loaded.job_id
    cookie = cookie_of(server, *keys_that_may(server, "profile:GetDomain"))

    for place in ("", "/state", "/failed-rows.csv", "/failed-rows.xlsx", "/undo"):
        status, _, text = send(server, "GET", place_of(domain, job_id) + place, Cookie=cookie)
        assert (status, "fay@example.com" in text) == (403, False)
    assert send(server, "GET", place_of(domain), Cookie=cookie)[0] == 403


# What is not there


@pytest.mark.long(
    daily="tests/browser/test_links_and_permissions.py::test_an_error_says_what_is_missing_and_keeps_the_navigation"
)
def test_a_job_that_does_not_exist_and_one_of_a_deleted_domain_have_pages_that_lead_on(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    for job_id in ("0" * 32, "no-id", "%3Cscript%3E"):
        page.goto(place_of(domain, job_id))
        expect(page.get_by_role("heading", name="Import not found")).to_be_visible()
    assert find_barriers(page) == []
    page.get_by_role("link", name="All imports into").click()
    expect(page.get_by_role("heading", name="Imports", exact=True)).to_be_visible()

    page.goto(place_of(domain, create(server, domain)))
    server.client().delete_domain(DomainName=domain)

    expect(page.get_by_role("heading", name="Domain not found")).to_be_visible()
    assert find_barriers(page) == []


@pytest.mark.long(daily="test_a_job_is_taken_back_after_it_is_told_what_that_does")
def test_taking_a_job_back_is_no_job_in_the_list_but_told_beside_its_status(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    load(server, domain, GOOD)
    job_id = load(server, domain, BAD)["JobId"]
    page.goto(place_of(domain, job_id) + "/undo")
    page.get_by_role("button", name="Undo import").click()
    expect(page.get_by_role("heading", name="Import undone")).to_be_visible()

    for place in (place_of(domain), f"/console/domains/{domain}"):
        page.goto(place)
        badges = page.locator("table.jobs tbody tr").all()
        assert [row.locator(".badge").all_inner_texts() for row in badges] == [
            ["Some rows failed", "Undone"],
            ["Succeeded"],
        ]
        assert find_barriers(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(place_of(domain))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.goto(place_of(domain, job_id))
    assert page.locator(".heading .badge").all_inner_texts() == ["Some rows failed", "Undone"]
    # Who may list jobs alone is told of them what the API tells.
    cookie = cookie_of(server, *keys_that_may(server, "profile:List*", "profile:GetDomain"))
    for place in (place_of(domain), f"/console/domains/{domain}"):
        status, _, text = send(server, "GET", place, Cookie=cookie)
        assert (status, "Some rows failed" in text, "Undone" in text) == (200, True, False)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long(daily="test_a_job_whose_name_cannot_be_seen_goes_by_its_id"))
        for name in (" ", "\u200b")
    ]
    + ["\u3000\u2063"],
)
def test_a_job_whose_name_cannot_be_seen_goes_by_its_id(server: RunningServer, domain: str, name: str) -> None:
    client = server.client()
    job_id = client.create_upload_job(DomainName=domain, DisplayName=name, Fields=FIELDS, UniqueKey="Email")["JobId"]
    put(server, domain, job_id, GOOD)
    client.start_upload_job(DomainName=domain, JobId=job_id)
    wait_for_end(server, domain, job_id)
    (ada,) = find_by_email(server, domain, "ada@example.com")
    cookie = cookie_of(server, *server.admin())

    profile = f"/console/domains/{domain}/profiles/{ada['ProfileId']}"
    for place in (place_of(domain), f"/console/domains/{domain}", profile):
        text = send(server, "GET", place, Cookie=cookie)[2]
        assert f'<a href="{place_of(domain, job_id)}"><bdi>{job_id}</bdi></a>' in text
    assert f"<title>{job_id} " in send(server, "GET", place_of(domain, job_id), Cookie=cookie)[2]


# Hostile strings, narrow screens


def test_markup_in_names_headers_and_cells_is_text(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    header = HOSTILE.replace('"', "'")
    fields = {
        "Email": FIELDS["Email"],
        "Hostile": {"Source": f"_source.{header}", "Target": "_profile.FirstName"},
        "Tier": {"Source": "_source.Tier", "Target": f"_profile.Attributes.{header}"},
    }
    long = HOSTILE + "x" * 300
    data = (
        f'Email,{header},Tier,{header}2\na@example.com,Ada,gold,\n,"{HOSTILE.replace(chr(34), chr(34) * 2)}",,\n'
        f"b@example.com,{header}{'x' * 300},,\nc@example.com,,,,{header}\n"
    )
    client = server.client()
    job_id = client.create_upload_job(DomainName=domain, DisplayName=HOSTILE, Fields=fields, UniqueKey="Email")["JobId"]
    put(server, domain, job_id, data.encode())
    client.start_upload_job(DomainName=domain, JobId=job_id)
    wait_for_end(server, domain, job_id)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))

    page.goto(place_of(domain))
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    page.get_by_role("link", name=HOSTILE).click()
    expect(page.get_by_role("heading", name=HOSTILE, level=1)).to_be_visible()
    expect(page).to_have_title(f"{HOSTILE} · openprofiles")
    expect(page.get_by_text(f"{header}2", exact=True)).to_be_visible()
    expect(page.locator(".examples", has_text=header).first).to_be_visible()
    assert long not in page.content()
    assert find_barriers(page) == []
    page.goto(place_of(domain, job_id) + "/undo")
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    assert dialogs == []
    assert page.locator("main script, main img").count() == 0
    page.set_viewport_size({"width": 360, "height": 740})
    for place in (place_of(domain), place_of(domain, job_id), place_of(domain, job_id) + "/undo"):
        page.goto(place)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.long(daily="test_markup_in_names_headers_and_cells_is_text")
def test_the_pages_fit_on_a_narrow_screen(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    fields = {**FIELDS, "Email": {**FIELDS["Email"], "Source": "_source." + "Email" * 40}}
    client = server.client()
    job_id = client.create_upload_job(
        DomainName=domain, DisplayName="customers" * 25, Fields=fields, UniqueKey="Email"
    )["JobId"]
    put(server, domain, job_id, ("Email" * 40 + ",First,Tier\na@x.example,A,b\n,A,b\n" + "c," * 90 + "c\n").encode())
    client.start_upload_job(DomainName=domain, JobId=job_id)
    wait_for_end(server, domain, job_id)
    page.set_viewport_size({"width": 360, "height": 740})

    for place in (place_of(domain), place_of(domain, job_id), place_of(domain, job_id) + "/undo"):
        page.goto(place)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert find_barriers(page) == []
