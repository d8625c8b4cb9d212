"""Loading a file in the browser, from choosing it to starting its job."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from playwright.sync_api import Dialog, Locator, Page, Route, expect

from acceptance.forked_loaders import ForkedLoaders
from acceptance.running import RunningServer, run_command, running_server, wait_until
from acceptance.test_upload_flow import create as create_waiting_job
from acceptance.test_upload_flow import wait_for_end
from browser.conftest import sign_in
from openprofiles.client import Client
from workbooks import sheet_xml, text_rows, workbook

WEBSHOP = Path(__file__).parents[2] / "examples" / "webshop-export.csv"
HOSTILE = "<script>alert(1)</script>"
HOSTILE_IMAGE = '"><img src=x onerror=alert(2)>'

_numbers = itertools.count(1)


@pytest.fixture
def domain(server: RunningServer) -> str:
    name = f"shop-{next(_numbers)}"
    server.client().create_domain(DomainName=name, DefaultExpirationDays=366)
    return name


@pytest.fixture
def upload(page: Page, domain: str) -> Page:
    """The page of a domain of its own, for the administrator."""
    page.goto(f"/console/domains/{domain}/upload")
    return page


def choose(page: Page, content: bytes | Path, name: str = "customers.csv") -> None:
    if isinstance(content, Path):
        page.locator("#file").set_input_files(content)
        name = content.name
    else:
        page.locator("#file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})
    expect(page.get_by_role("heading", name=f"Preview of {name}")).to_be_focused()


def drop(page: Page, *files: tuple[str, bytes]) -> None:
    """As from the desktop, anywhere on the page."""
    page.evaluate(
        """files => {
            const data = new DataTransfer();
            for (const [name, content] of files) {
                data.items.add(new File([Uint8Array.from(atob(content), one => one.charCodeAt(0))], name));
            }
            for (const kind of ["dragenter", "dragover", "drop"]) {
                document.querySelector("main").dispatchEvent(
                    new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
            }
        }""",
        [[name, base64.b64encode(content).decode()] for name, content in files],
    )


def until_held(page: Page, held: list[Route]) -> Route:
    """The last request of those that wait for the test, once there is one."""
    wait_until(lambda: page.evaluate("1") == 1 and bool(held), "the request is made")
    return held[-1]


def target(page: Page, header: str) -> Locator:
    return page.get_by_label(header, exact=True)


def start_load(page: Page, button: str) -> str:
    """Press the button that starts a load, without loading the page of the job; return the id of the job."""
    page.route(
        "**/jobs/*", lambda route: route.fulfill(body="") if route.request.is_navigation_request() else route.fallback()
    )
    page.get_by_role("button", name=button).click()
    page.wait_for_url("**/jobs/*")
    return page.url.rpartition("/")[2]


def sign_in_with(page: Page, server: RunningServer, *actions: str) -> None:
    """As somebody whose access key may do no more than this."""
    made = run_command(
        *("credentials", "create", "--data", server.data_folder, "--name", "reader", "--output", "json"),
        *itertools.chain.from_iterable(("--action", action) for action in actions),
    )
    keys = json.loads(made.stdout)
    sign_in(page, keys["access_key_id"], keys["secret_access_key"])


def api(domain: str) -> str:
    """The path that our own operations on a domain begin with."""
    return f"/openprofiles/v1/domains/{domain}"


def forge(page: Page, path: str, document: object, method: str = "POST") -> int:
    """The status of a request that no control of the page sends, with all that a real one has."""
    status: int = page.evaluate(
        """async ([path, method, body]) => {
            const token = document.querySelector('meta[name="csrf-token"]').content;
            const headers = { Accept: "application/json", "X-CSRF-Token": token, "Content-Type": "application/json" };
            return (await fetch(path, { method, headers, body: method === "GET" ? null : body })).status;
        }""",
        [path, method, json.dumps(document)],
    )
    return status


def test_a_messy_file_is_shown_checked_and_loaded(upload: Page, server: RunningServer, domain: str) -> None:
    sent: list[str] = []
    upload.on("request", lambda request: sent.append(request.url) if "/v1/uploads/" in request.url else None)
    choose(upload, WEBSHOP)

    expect(upload.get_by_text("windows-1252, separated by semicolons")).to_be_visible()
    expect(upload.get_by_role("cell", name="Größer").first).to_be_visible()
    expect(target(upload, "Kunden-Nr.")).to_have_value("Account number")
    expect(target(upload, "Bemerkung")).to_have_value("Attributes.Bemerkung")
    expect(upload.get_by_label("Unique key")).to_have_value("E-Mail")
    evidence = upload.locator("#unique-key-evidence")
    expect(evidence).to_contain_text("Filled in 11 of 12 rows of the sample; 1 row repeats an earlier value")
    expect(evidence).not_to_contain_text("Doubtful")
    upload.get_by_label("Unique key").select_option("Kunden-Nr.")
    expect(evidence).to_contain_text("but a different Kunden-Nr., so one customer would become two")
    upload.get_by_label("Unique key").select_option("E-Mail")
    expect(upload.locator("#phone-country")).to_contain_text("are treated as numbers from the United States (US).")
    expect(upload.locator("#phone-country .warning")).to_contain_text("import into a new domain")
    expect(upload.get_by_label("Name of this import")).to_have_value("webshop-export.csv")
    expect(upload.get_by_label("Retention (days)")).to_have_value("366")

    upload.get_by_role("button", name="Check first").click()

    expect(upload.get_by_role("heading", name="What this import would do")).to_be_focused()
    expect(upload.locator(".counts .created")).to_have_text("Would be created7")
    expect(upload.locator(".counts .failed")).to_have_text("Would fail4")
    expect(upload.locator(".reasons")).to_contain_text(
        "1 row: The value in column E-Mail is not a valid email address."
    )
    expect(upload.locator(".reasons")).to_contain_text("line 7: peter.schmidt@example")
    expect(upload.locator(".samples .card").first).to_contain_text("JUERGEN.GROESSER@example.com")
    with upload.expect_download() as download:
        upload.get_by_role("link", name="Download these 4 rows (CSV)").click()
    assert download.value.suggested_filename == "webshop-export.failed-rows.csv"
    rows = download.value.path().read_text("utf-8-sig").splitlines()
    assert [len(rows), "peter.schmidt@example" in "".join(rows)] == [5, True]
    # As an editor counts the lines, in the reasons as in the examples.
    expect(upload.locator(".samples h4").first).to_have_text("Line 2")
    assert server.client().search_profiles(DomainName=domain, KeyName="_account", Values=["1001"])["Items"] == []

    # A check is not an import until it is started.
    listed = f"/console/domains/{domain}/jobs"
    other = upload.context.new_page()
    other.goto(listed)
    expect(other.get_by_text("No files imported yet.")).to_be_visible()
    # It is renamed, and not sent again.
    upload.get_by_role("button", name="Back to columns").click()
    upload.get_by_label("Name of this import").fill("Weekly")
    upload.get_by_role("button", name="Import now").click()

    expect(upload.locator(".badge").first).to_have_text("Some rows failed")
    job = wait_for_end(server, domain, upload.url.rpartition("/")[2])
    assert len(sent) == 1
    assert len(server.client().list_upload_jobs(DomainName=domain)["Items"]) == 1
    assert job["Status"] == "PARTIALLY_SUCCEEDED"
    assert job["ResultsSummary"] == {"CreatedRecords": 7, "UpdatedRecords": 1, "FailedRecords": 4}
    assert (job["DisplayName"], job["DataExpiry"]) == ("Weekly", 366)
    other.goto(listed)
    expect(other.get_by_role("link", name="Weekly")).to_be_visible()
    base = f"/console/domains/{domain}/upload"
    upload.goto(base)
    place = f"{api(domain)}/upload-jobs/{job['JobId']}/name"
    assert forge(upload, place, {"DisplayName": "Too late"}, "PUT") == 400


def test_an_import_that_may_create_second_profiles_is_confirmed_first(
    upload: Page, server: RunningServer, domain: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    # Each customer once by their own address, and once by their office's, which is another's unique key.
    rows = [f"a{n}@a.example,b{n}@a.example\nb{n}@a.example,\n" for n in range(20)]
    file = ("Email,Business email\n" + "".join(rows)).encode()
    choose(upload, file)
    job_id = start_load(upload, "Import now")
    assert wait_for_end(server, domain, job_id)["Status"] == "FAILED"
    upload.unroute("**/jobs/*")
    upload.goto(f"/console/domains/{domain}/jobs/{job_id}")
    refusal = upload.get_by_role("region", name="Why this import was refused")
    expect(refusal).to_contain_text("20 rows create profiles of their own")
    expect(refusal).to_contain_text("tick “Import these rows anyway”")
    assert find_barriers(upload) == []
    refusal.get_by_role("link", name="import the file again").click()
    choose(upload, file)

    upload.get_by_role("button", name="Check first").click()
    upload.get_by_role("button", name="Import 40 rows").click()

    confirmation = upload.get_by_label("Import these rows anyway")
    expect(confirmation).to_be_focused()
    expect(upload.get_by_role("alert")).to_contain_text("Tick this box to import the rows")
    expect(upload.locator("#doubts")).to_contain_text("20 rows create profiles of their own")
    assert find_barriers(upload) == []
    confirmation.check()
    expect(upload.get_by_role("alert")).to_have_count(0)
    job = wait_for_end(server, domain, start_load(upload, "Import 40 rows"))
    assert job["ResultsSummary"]["CreatedRecords"] == 40


def test_a_check_shows_changes_before_and_after(upload: Page, server: RunningServer, domain: str) -> None:
    server.client().create_profile(DomainName=domain, AccountNumber="7", FirstName="Ann", LastName="Lee")
    choose(upload, b"AccountNumber,FirstName\n7,Anna\n")
    upload.get_by_text("Import options").click()
    upload.get_by_label("Values edited by hand").select_option("Overwrite")

    upload.get_by_role("button", name="Check first").click()

    expect(upload.locator(".counts .updated")).to_have_text("Would be updated1")
    change = upload.locator(".samples .card")
    expect(change.get_by_role("row", name="First name")).to_have_text("First name FirstNameAnnAnna")
    expect(change.get_by_role("row", name="Last name")).to_have_count(0)


@pytest.mark.long(daily="test_a_workbook_is_dropped_like_a_csv_file_with_its_sheet_to_choose")
def test_a_file_that_is_dropped_is_loaded_without_a_check(upload: Page, server: RunningServer, domain: str) -> None:
    drop(upload, ("dropped.csv", b"E-Mail;Vorname\na@example.com;Ann\nb@example.com;Bob"))
    expect(upload.get_by_role("heading", name="Preview of dropped.csv")).to_be_focused()
    # The last row counts without a line end.
    expect(upload.get_by_role("cell", name="b@example.com")).to_be_visible()

    job = wait_for_end(server, domain, start_load(upload, "Import now"))

    assert job["ResultsSummary"]["CreatedRecords"] == 2


def test_a_workbook_is_dropped_like_a_csv_file_with_its_sheet_to_choose(
    upload: Page, server: RunningServer, domain: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    error = '<row><c t="inlineStr"><is><t>a@example.com</t></is></c><c t="e"><v>#N/A</v></c></row>'
    sheets = {
        "Notes": sheet_xml(text_rows([["To do"]])),
        "Customers": sheet_xml(text_rows([["Email", "Town"]]) + error),
    }

    drop(upload, ("customers.xlsx", workbook(sheets)))

    expect(upload.get_by_role("heading", name="Preview of customers.xlsx")).to_be_focused()
    expect(upload.locator("#found")).to_contain_text("1 column, Excel workbook, sheet “Notes”")
    upload.get_by_label("Sheet").select_option("Customers")
    expect(upload.get_by_role("cell", name="a@example.com")).to_be_visible()
    expect(upload.locator("#workbook-notes")).to_contain_text("1 cell has an error such as #N/A: B2.")
    expect(upload.locator("#encoding-part, #delimiter-part").filter(visible=True)).to_have_count(0)
    assert find_barriers(upload) == []
    # The error is not meant to clear anything.
    upload.get_by_text("Import options").click()
    upload.get_by_label("Empty cells").select_option("Clear the field")
    upload.get_by_role("button", name="Check first").click()
    expect(upload.get_by_text("The sheet has cells whose value is not in the file, in: Town.")).to_be_visible()
    upload.get_by_label("Empty cells").select_option("Keep the field's value")
    job = wait_for_end(server, domain, start_load(upload, "Import now"))
    assert (job["DisplayName"], job["ResultsSummary"]["CreatedRecords"]) == ("customers.xlsx", 1)


def test_a_file_that_was_chosen_before_the_script_was_there_is_taken(page: Page, domain: str) -> None:
    held: list[Route] = []
    page.route("**/upload.js*", lambda route: held.append(route))
    page.goto(f"/console/domains/{domain}/upload", wait_until="commit")
    page.locator("#file").set_input_files(WEBSHOP)

    until_held(page, held).continue_()

    expect(page.get_by_role("heading", name="Preview of webshop-export.csv")).to_be_focused()


def test_a_refused_request_leaves_the_focus_where_it_was(upload: Page) -> None:
    choose(upload, WEBSHOP)
    upload.route("**/v1/domains/*/upload-jobs", lambda route: route.abort())
    upload.get_by_role("button", name="Import now").focus()
    upload.keyboard.press("Enter")

    expect(upload.get_by_role("alert")).to_contain_text("Can't reach the server.")
    expect(upload.get_by_role("button", name="Import now")).to_be_focused()


@pytest.mark.long(daily="tests/unit/test_page_scripts.py::test_the_scripts_pass_their_own_tests")
def test_a_second_file_that_is_refused_takes_nothing_from_the_first(upload: Page) -> None:
    choose(upload, WEBSHOP)
    target(upload, "Ort").fill("Attributes.town")

    drop(upload, ("sheet.xlsx", b"PK\x03\x04" + bytes(200)))
    expect(upload.get_by_role("alert")).to_contain_text("not a workbook that can be read")
    upload.get_by_role("button", name="Continue with webshop-export.csv").click()

    expect(upload.get_by_role("heading", name="Preview of webshop-export.csv")).to_be_focused()
    expect(target(upload, "Ort")).to_have_value("Attributes.town")
    drop(upload, ("second.csv", b"Email\na@example.com\n"))
    expect(upload.get_by_role("heading", name="Preview of second.csv")).to_be_focused()
    expect(upload.locator("#mapping li")).to_have_count(1)
    expect(upload.get_by_label("Name of this import")).to_have_value("second.csv")
    upload.get_by_label("Name of this import").fill("Weekly")
    drop(upload, ("third.csv", b"Email\na@example.com\n"))
    expect(upload.get_by_role("heading", name="Preview of third.csv")).to_be_focused()
    expect(upload.get_by_label("Name of this import")).to_have_value("Weekly")


def test_the_keyboard_is_enough(upload: Page, server: RunningServer, domain: str) -> None:
    def tab_to(locator: Locator) -> None:
        for _ in range(60):
            upload.keyboard.press("Tab")
            if locator.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError("The Tab key does not lead there.")

    # The browser learns of it without an answer, so it is told well before the key.
    with upload.expect_file_chooser() as chooser:
        tab_to(upload.locator("#file"))
        upload.keyboard.press("Enter")
    chooser.value.set_files(WEBSHOP)
    expect(upload.get_by_role("heading", name="Preview of")).to_be_focused()
    tab_to(upload.get_by_role("button", name="Skip: Newsletter"))
    upload.keyboard.press("Enter")
    expect(target(upload, "Newsletter")).to_have_value("")
    expect(upload.get_by_role("button", name="Include: Newsletter")).to_have_text("Include")
    tab_to(target(upload, "Bemerkung"))
    # The field is searched anew, without taking out what was there.
    upload.keyboard.type("additionalinformation")
    tab_to(upload.get_by_role("button", name="Check first"))
    expect(target(upload, "Bemerkung")).to_have_value("Additional information")
    upload.keyboard.press("Enter")
    expect(upload.get_by_role("heading", name="What this import would do")).to_be_focused()
    tab_to(upload.get_by_role("button", name="Import 8 rows"))
    upload.keyboard.press("Enter")
    upload.wait_for_url("**/jobs/*")

    job = wait_for_end(server, domain, upload.url.rpartition("/")[2])
    assert job["Fields"]["Bemerkung"]["Target"] == "_profile.AdditionalInformation"
    assert "Newsletter" not in job["Fields"]


def test_a_file_that_was_read_wrongly_is_read_as_one_says(upload: Page, server: RunningServer, domain: str) -> None:
    # More commas than bars, and yet it is the bars.
    choose(upload, b"Email|Note, Tags, Remarks\na@example.com|x, y, z\nb@example.com|p, q, r\n")
    upload.get_by_text("Something looks wrong?").click()
    upload.get_by_label("Delimiter").select_option("Semicolons")
    expect(upload.locator("#mapping li")).to_have_count(1)

    upload.get_by_label("Delimiter").select_option("Vertical bars")

    expect(upload.locator("#mapping li")).to_have_count(2)
    expect(upload.locator("#found")).to_contain_text("separated by vertical bars")
    job_id = start_load(upload, "Import now")
    assert wait_for_end(server, domain, job_id)["ResultsSummary"]["CreatedRecords"] == 2


@pytest.mark.long(daily="test_a_file_whose_encoding_is_unclear_can_be_given_its_encoding_at_once")
def test_an_encoding_that_is_chosen_holds_at_once_and_what_was_typed_stays(
    upload: Page, find_barriers: Callable[[Page], list[str]]
) -> None:
    # One word with one letter beyond ASCII is little to go by.
    choose(upload, "Email,Town\na@example.com,Köln\n".encode("windows-1252"))
    expect(upload.locator("#doubtful-candidates li")).to_have_text(
        ["Read as windows-1252Köln", "Read as windows-1256Kِln"]
    )
    assert find_barriers(upload) == []
    upload.get_by_role("button", name="Read as windows-1256").click()
    expect(upload.get_by_role("cell", name="Kِln")).to_be_visible()
    expect(upload.get_by_label("Encoding", exact=True)).to_have_value("windows-1256")
    expect(upload.locator("#doubtful-encoding")).to_be_hidden()
    upload.get_by_role("button", name="Choose another file").click()
    choose(upload, WEBSHOP)
    target(upload, "Ort").fill("Attributes.town")
    upload.get_by_text("Something looks wrong?").click()

    upload.get_by_label("Encoding", exact=True).select_option("iso-8859-7")

    expect(upload.get_by_role("cell", name="Jόrgen").first).to_be_visible()
    expect(target(upload, "Ort")).to_have_value("Attributes.town")
    upload.get_by_label("Encoding", exact=True).select_option("Detect automatically")
    expect(upload.get_by_role("cell", name="Jürgen").first).to_be_visible()


def test_a_unique_key_that_was_chosen_is_kept_when_the_file_is_read_anew(upload: Page) -> None:
    choose(upload, "Name,Größe,Ort\nAnn,1,Köln\nBob,2,Jülich\n".encode("windows-1252"))
    upload.get_by_label("Unique key").select_option("Name")
    upload.get_by_text("Something looks wrong?").click()

    # Also where another column has another name in that encoding.
    upload.get_by_label("Encoding", exact=True).select_option("iso-8859-7")
    expect(upload.get_by_role("cell", name="Kφln")).to_be_visible()
    expect(upload.get_by_label("Unique key")).to_have_value("Name")

    upload.get_by_label("Encoding", exact=True).select_option("windows-1252")
    expect(upload.get_by_role("cell", name="Köln")).to_be_visible()
    upload.get_by_label("Unique key").select_option("Größe")
    upload.get_by_label("Encoding", exact=True).select_option("iso-8859-7")
    expect(upload.get_by_role("cell", name="Kφln")).to_be_visible()
    expect(upload.get_by_label("Unique key")).not_to_have_value("Größe")


def test_what_was_chosen_is_not_lost_with_the_page_without_a_question(
    upload: Page, server: RunningServer, domain: str
) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    upload.on("dialog", stay)
    address = upload.url
    choose(upload, WEBSHOP)
    upload.get_by_text("Import options").click()
    # Nothing was changed yet.
    upload.get_by_role("link", name=domain, exact=True).first.click()
    upload.wait_for_url(lambda url: url != address)
    upload.goto(address)
    choose(upload, WEBSHOP)

    upload.get_by_role("button", name="Skip: Newsletter").click()
    upload.get_by_role("link", name=domain, exact=True).first.click()
    wait_until(lambda: upload.evaluate("1") == 1 and bool(asked), "the page asks whether to leave it")
    assert (asked, upload.url) == (["beforeunload"], address)
    expect(target(upload, "Newsletter")).to_have_value("")

    # The page itself leads to the job without a question.
    job = wait_for_end(server, domain, start_load(upload, "Import now"))
    assert "Newsletter" not in job["Fields"]
    assert asked == ["beforeunload"]


@pytest.mark.long(daily="test_what_was_chosen_is_not_lost_with_the_page_without_a_question")
def test_each_change_on_the_columns_counts_as_one_that_can_be_lost(upload: Page) -> None:
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    upload.on("dialog", leave)
    changes: tuple[Callable[[], object], ...] = (
        lambda: upload.get_by_label("Unique key").select_option("Ort"),
        lambda: upload.get_by_label("Name of this import").press_sequentially("2"),
        lambda: target(upload, "Ort").press_sequentially("Attributes.town"),
        lambda: upload.get_by_label("an invalid phone number").uncheck(),
    )
    for number, change in enumerate(changes, 1):
        choose(upload, WEBSHOP)
        upload.get_by_text("Import options").click()

        change()
        upload.reload()

        assert asked == ["beforeunload"] * number


def test_a_file_whose_encoding_is_unclear_can_be_given_its_encoding_at_once(
    upload: Page, server: RunningServer, domain: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    content = "Email,番\na@example.com,1\n".encode("shift_jis")
    upload.set_viewport_size({"width": 360, "height": 740})
    upload.locator("#file").set_input_files({"name": "kunden.csv", "mimeType": "text/csv", "buffer": content})
    encoding = upload.get_by_label("Encoding of kunden.csv")

    expect(upload.get_by_role("alert")).to_have_text(
        "The encoding of the file is unclear: it is not UTF-8, and it cannot be determined from the text. "
        "Likely encodings: cp932, cp874, windows-1256. Choose the encoding it was saved in, or save it as UTF-8."
    )
    candidates = upload.locator("#candidates li")
    expect(candidates).to_have_text(["Read as cp932番", "Read as cp874”ิ", "Read as windows-1256”ش"])
    likely = upload.get_by_role("button", name="Read as cp932")
    expect(likely).to_be_focused()
    assert find_barriers(upload) == []
    assert upload.evaluate("document.documentElement.scrollWidth") <= 360
    # One that is not it either.
    encoding.select_option("utf-8")
    upload.get_by_role("button", name="Read again").click()
    expect(encoding).to_be_focused()
    expect(encoding).to_have_value("utf-8")
    encoding.select_option("shift_jis")
    upload.get_by_role("button", name="Read again").click()
    expect(upload.get_by_role("heading", name="Preview of kunden.csv")).to_be_focused()
    expect(target(upload, "番")).to_be_visible()
    upload.get_by_role("button", name="Choose another file").click()
    upload.locator("#file").set_input_files({"name": "kunden.csv", "mimeType": "text/csv", "buffer": content})
    likely.click()
    expect(upload.get_by_label("Encoding", exact=True)).to_have_value("cp932")
    upload.get_by_label("Encoding", exact=True).select_option("shift_jis")

    expect(target(upload, "番")).to_be_visible()
    expect(upload.get_by_label("Encoding", exact=True)).to_have_value("shift_jis")
    job = wait_for_end(server, domain, start_load(upload, "Import now"))
    assert job["ResultsSummary"]["CreatedRecords"] == 1


def test_a_first_row_of_values_is_asked_about_and_lines_above_the_header_are_shown(
    upload: Page, server: RunningServer, domain: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    content = b"ann@a.example,Ann\nbob@a.example,Bob\n"
    upload.locator("#file").set_input_files({"name": "bare.csv", "mimeType": "text/csv", "buffer": content})
    expect(upload.get_by_role("alert")).to_have_text(
        "The first row of the file seems to be a row of values, not the header: its cell 1 is an email address."
    )
    expect(upload.get_by_role("button", name="This row is the header")).to_be_focused()
    assert find_barriers(upload) == []

    upload.get_by_role("button", name="The file has no header").click()

    expect(upload.get_by_label("Line of the header")).to_have_value("0")
    expect(upload.get_by_role("cell", name="ann@a.example")).to_be_visible()
    upload.get_by_label("Line of the header").fill("")
    upload.get_by_label("Line of the header").press("Tab")
    expect(upload.locator("#form-fault")).to_contain_text("or 0 if the file has no header.")
    upload.get_by_label("Line of the header").fill("0")
    upload.get_by_label("Line of the header").press("Tab")
    expect(upload.locator("#form-fault")).to_be_hidden()
    job = wait_for_end(server, domain, start_load(upload, "Import now"))
    assert job["ResultsSummary"]["CreatedRecords"] == 2
    upload.unroute("**/jobs/*")
    upload.goto(f"/console/domains/{domain}/upload")
    choose(upload, b"Report of May\n\nEmail,First name,Town\nann@a.example,Ann,Rome\nbob@a.example,Bob,Oslo\n")
    expect(upload.locator("#lines-above")).to_have_text("Skipped above the header:Line 1: Report of May")
    expect(upload.locator("#mapping li")).to_have_count(3)


@pytest.mark.long(daily="test_whoever_may_only_load_sees_neither_policies_nor_a_check")
def test_whoever_cannot_give_an_encoding_is_not_told_to(visitor: Page, server: RunningServer, domain: str) -> None:
    sign_in_with(visitor, server, "profile:CreateUploadJob", "profile:GetUploadJobPath")
    visitor.goto(f"/console/domains/{domain}/upload")
    content = "Email,番\na@example.com,1\n".encode("shift_jis")
    visitor.locator("#file").set_input_files({"name": "kunden.csv", "mimeType": "text/csv", "buffer": content})

    expect(visitor.get_by_role("alert")).to_have_text(
        "The encoding of the file is unclear: it is not UTF-8, and it cannot be determined from the text. "
        "Likely encodings: cp932, cp874, windows-1256. Save the file as UTF-8."
    )
    expect(visitor.locator("#file")).to_be_focused()


def test_rows_that_are_wider_than_the_screen_show_it_at_their_edges(upload: Page) -> None:
    def shadow(side: str) -> str:
        shown: str = upload.evaluate(
            "side => getComputedStyle(document.querySelector('#sample-edges'), side).opacity", f"::{side}"
        )
        return shown

    upload.set_viewport_size({"width": 360, "height": 740})
    choose(upload, WEBSHOP)
    rows = upload.get_by_role("region", name="First rows of the file")

    wait_until(lambda: (shadow("before"), shadow("after")) == ("0", "1"), "there is more on the right alone")
    rows.focus()
    expect(rows).to_be_focused()
    upload.keyboard.press("ArrowRight")
    wait_until(lambda: shadow("before") == "1", "there is more on the left, too")
    for _ in range(60):
        upload.keyboard.press("ArrowRight")
    wait_until(lambda: (shadow("before"), shadow("after")) == ("1", "0"), "there is more on the left alone")
    choose_again = upload.get_by_role("button", name="Choose another file")
    choose_again.click()
    choose(upload, b"a\n1\n")
    wait_until(lambda: (shadow("before"), shadow("after")) == ("0", "0"), "all is seen")


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(upload: Page) -> None:
    for content, message in (
        (b"PK\x03\x04" + bytes(200), "The file is not a workbook that can be read. Save it as CSV."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(200), "an old Excel workbook (.xls), or one with a password"),
        (b"", "The file is empty."),
        (b"%PDF-1.7\n", "The content of the file shows that it is a PDF document"),
    ):
        upload.locator("#file").set_input_files({"name": "wrong.csv", "mimeType": "text/csv", "buffer": content})

        expect(upload.get_by_role("alert")).to_contain_text(message)
        expect(upload.locator("#file")).to_be_focused()
    choose(upload, WEBSHOP)
    expect(upload.locator("#choose-fault")).to_be_hidden()


def test_a_header_alone_is_a_file_too(upload: Page) -> None:
    choose(upload, b"Email,Name")

    expect(upload.locator("#mapping li")).to_have_count(2)


def test_a_mapping_is_saved_and_chosen_for_a_later_file_whose_header_has_changed(
    upload: Page, server: RunningServer, domain: str
) -> None:
    choose(upload, b"Mail,Level,Old,Gone\na@example.com,gold,1,2\n")
    target(upload, "Level").fill("Attributes.tier")
    target(upload, "Gone").fill("")
    upload.get_by_text("Save this mapping").click()
    upload.get_by_label("Mapping name").fill("not a name")
    upload.get_by_role("button", name="Save mapping").click()
    expect(upload.get_by_role("alert")).to_contain_text("1 to 64 letters")
    upload.get_by_label("Mapping name").fill("weekly")
    upload.keyboard.press("Enter")
    expect(upload.get_by_text("Saved as weekly.")).to_be_visible()

    upload.reload()
    choose(upload, b"Mail,Level,Fresh\na@example.com,gold,3\n")
    upload.get_by_label("Saved mapping").select_option("weekly")

    expect(target(upload, "Level")).to_have_value("Attributes.tier")
    expect(target(upload, "Fresh")).to_have_value("")
    expect(upload.locator("#drift")).to_contain_text("Columns in the mapping that this file does not have: Old.")
    expect(upload.locator("#drift")).to_contain_text("Other columns in the earlier file: Gone.")
    expect(upload.locator("#drift")).to_contain_text("New in this file, and skipped: Fresh.")
    expect(upload.get_by_label("Unique key")).to_have_value("Mail")
    fields = wait_for_end(server, domain, start_load(upload, "Import now"))["Fields"]
    assert {field["Target"] for field in fields.values()} == {"_profile.EmailAddress", "_profile.Attributes.tier"}


@pytest.mark.long(daily="test_a_mapping_is_saved_and_chosen_for_a_later_file_whose_header_has_changed")
def test_a_mapping_that_was_saved_can_be_chosen_at_once(upload: Page) -> None:
    choose(upload, b"Mail,Level\na@example.com,gold\n")
    expect(upload.get_by_label("Saved mapping")).to_be_hidden()
    upload.get_by_text("Save this mapping").click()
    for name, level in (("weekly", "Attributes.tier"), ("daily", "Attributes.rank")):
        target(upload, "Level").fill(level)
        upload.get_by_label("Mapping name").fill(name)
        upload.get_by_role("button", name="Save mapping").click()
        expect(upload.get_by_text(f"Saved as {name}.")).to_be_visible()

    expect(upload.get_by_label("Saved mapping").locator("option")).to_have_text(
        ["None (use suggestions)", "daily", "weekly"]
    )
    upload.get_by_label("Saved mapping").select_option("weekly")
    expect(target(upload, "Level")).to_have_value("Attributes.tier")
    upload.route("**/mappings/daily/comparison", lambda route: route.abort())
    upload.get_by_label("Saved mapping").select_option("daily")
    expect(upload.locator("#drift")).to_contain_text("Can't reach the server.")
    expect(upload.get_by_label("Saved mapping")).to_have_value("weekly")


@pytest.mark.long(daily="tests/unit/test_page_scripts.py::test_the_scripts_pass_their_own_tests")
def test_a_saved_mapping_keeps_how_the_file_is_read(upload: Page, server: RunningServer, domain: str) -> None:
    content = "Email,Town\na@example.com,Köln\nb@example.com,Jülich\n".encode("windows-1252")
    choose(upload, content)
    upload.get_by_text("Something looks wrong?").click()
    upload.get_by_label("Encoding", exact=True).select_option("iso-8859-7")
    expect(upload.get_by_role("cell", name="Kφln")).to_be_visible()
    upload.get_by_text("Import options").click()
    upload.get_by_label("Rows that are too short").select_option("They fail")
    upload.get_by_text("Save this mapping").click()
    upload.get_by_label("Mapping name").fill("bars")
    upload.get_by_role("button", name="Save mapping").click()
    expect(upload.get_by_text("Saved as bars.")).to_be_visible()
    access_key_id, secret = server.admin()
    extension = Client(boto3.Session(access_key_id, secret, region_name="us-east-1"), server.url)
    assert extension.get_mapping(domain, "bars")["Reading"] == {"Encoding": "iso-8859-7", "ShortRows": "REJECT"}

    upload.reload()
    choose(upload, content)
    expect(upload.get_by_role("cell", name="Köln")).to_be_visible()
    upload.get_by_label("Saved mapping").select_option("bars")

    expect(upload.get_by_role("cell", name="Kφln")).to_be_visible()
    expect(upload.get_by_text("This file has the same columns as the mapping.")).to_be_visible()
    expect(upload.get_by_label("Saved mapping")).to_have_value("bars")
    expect(upload.get_by_label("Encoding", exact=True)).to_have_value("iso-8859-7")
    expect(upload.locator("#short-rows")).to_have_value("REJECT")
    job = wait_for_end(server, domain, start_load(upload, "Import now"))
    assert job["ResultsSummary"]["CreatedRecords"] == 2
    assert extension.get_options(domain, job["JobId"])["File"] == {"Encoding": "iso-8859-7"}


def test_fields_are_typed_by_their_names_for_people_or_by_those_of_the_api(upload: Page) -> None:
    choose(upload, b"Mail,One,Two,Three,Four\na@example.com,1,2,3,4\n")
    labels = upload.locator("#targets option").evaluate_all("all => all.map(one => [one.value, one.label])")
    assert ["First name", "FirstName"] in labels
    assert ["Postal code (home address)", "Address.PostalCode"] in labels

    for header, typed, name, api_name in (
        ("One", "FIRSTNAME", "First name", "FirstName"),
        ("Two", "Postal code (Home Address)", "Postal code (home address)", "Address.PostalCode"),
        ("Three", "Gender", "Gender", "GenderString"),
        ("Four", "shippingaddress.city", "City (shipping address)", "ShippingAddress.City"),
        ("Four", "attributes.four", "Attributes.four", "Chosen by you"),
    ):
        target(upload, header).fill(typed)
        target(upload, header).press("Tab")
        expect(target(upload, header)).to_have_value(name)
        expect(target(upload, header)).to_have_accessible_description(re.compile(rf"^{re.escape(api_name)}\b"))
    target(upload, "Four").fill("postal code")
    upload.get_by_role("button", name="Check first").click()
    expect(
        upload.get_by_text("Did you mean “Postal code (home address)” or “Postal code (shipping address)” or")
    ).to_be_visible()


def test_values_that_are_no_addresses_fail_also_where_it_is_doubtful_that_they_should_be_some(
    upload: Page, server: RunningServer, domain: str
) -> None:
    choose(upload, b"id,mail,phone\n1,bad,+12065550100\n2,worse,+12065550101\n3,bad,+12065550102\n")
    expect(upload.locator("#mapping .doubtful label")).to_have_text(["mail"])
    upload.get_by_label("Unique key").select_option("id")

    upload.get_by_role("button", name="Check first").click()
    expect(upload.locator(".counts .failed")).to_have_text("Would fail3")
    expect(upload.locator(".reasons")).to_contain_text("3 rows: The value in column mail is not a valid email address.")

    upload.get_by_role("button", name="Back to columns").click()
    upload.get_by_text("Import options").click()
    upload.get_by_label("an invalid email address").uncheck()
    upload.get_by_role("button", name="Check first").click()
    expect(upload.locator(".counts .created")).to_have_text("Would be created3")


@pytest.mark.long(
    daily="tests/browser/test_job_pages.py::test_each_reason_has_examples_although_its_rows_come_behind_a_great_many_others"
)
def test_each_reason_has_its_sentence_however_late_its_rows_come(upload: Page) -> None:
    rows = [f"{number},none,+12065550100" for number in range(1200)]
    rows += [f"x{number},a{number}@example.com,12" for number in range(5)]
    choose(upload, ("account number,email,phone\n0,a@example.com,\n" + "\n".join(rows)).encode())
    upload.get_by_label("Unique key").select_option("account number")

    upload.get_by_role("button", name="Check first").click()

    expect(upload.locator(".reasons > li").nth(1)).to_contain_text(
        "5 rows: The value in column phone is not a valid phone number"
    )


def test_what_cannot_be_is_told_beside_its_field_and_nothing_is_lost(upload: Page) -> None:
    choose(upload, WEBSHOP)
    # What the server alone can tell.
    upload.get_by_text("Import options").click()
    webhook = upload.get_by_label("Webhook for this import")
    webhook.fill("http://127.0.0.1:8420/x?token=secret")
    upload.get_by_role("button", name="Check first").click()
    expect(upload.locator("#webhook-url-fault")).to_contain_text("does not have a public IP address.")
    expect(webhook).to_be_focused()

    target(upload, "Ort").fill("Town")
    target(upload, "Vorname").fill("lastname")
    upload.get_by_label("Retention (days)").fill("2000")
    upload.get_by_label("Name of this import").fill("")

    upload.get_by_role("button", name="Check first").click()

    expect(target(upload, "Nachname")).to_be_focused()
    expect(upload.get_by_text("The column Vorname already goes to this field.")).to_be_visible()
    expect(upload.get_by_text("To keep the column as a custom attribute, enter Attributes.Town")).to_be_visible()
    expect(upload.get_by_text("Enter a whole number from 1 to 1098.")).to_be_visible()
    expect(upload.get_by_text("Enter a name for this import.")).to_be_visible()
    expect(target(upload, "Ort")).to_have_value("Town")
    expect(target(upload, "Vorname")).to_have_value("Last name")
    upload.get_by_role("button", name="Skip: E-Mail").click()
    expect(upload.get_by_label("Unique key")).to_have_value("")


@pytest.mark.long(daily="test_what_cannot_be_is_told_beside_its_field_and_nothing_is_lost")
def test_a_webhook_of_the_job_is_held_to_the_server_s_rules_beside_its_field(
    upload: Page, server: RunningServer, domain: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    choose(upload, WEBSHOP)
    target(upload, "Ort").fill("Attributes.town")
    upload.get_by_text("Import options").click()
    upload.get_by_label("Empty cells").select_option("Clear the field")
    upload.get_by_label("Rows that are too short").select_option("They fail")
    field = upload.get_by_label("Webhook for this import")
    fault = upload.locator("#webhook-url-fault")
    for url, message in (
        ("ftp://hooks.example.com", "The webhook URL must start with https:// or http://."),
        ("http://127.0.0.1:8420/x?token=secret", "does not have a public IP address."),
        ("https://8.8.8.8/hook", "The domain has no webhook secret to sign with."),
    ):
        field.fill(url)
        # Folded again, until there is something to say about what stands there.
        upload.get_by_text("Import options").click()
        upload.get_by_role("button", name="Check first").click()
        expect(fault).to_contain_text(message)
        expect(field).to_be_focused()
        expect(field).to_have_value(url)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(upload.locator("#job-fault")).to_be_hidden()
        expect(target(upload, "Ort")).to_have_value("Attributes.town")
        expect(upload.get_by_label("Empty cells")).to_have_value("CLEAR")
    assert find_barriers(upload) == []
    assert server.client().list_upload_jobs(DomainName=domain)["Items"] == []

    access_key_id, secret = server.admin()
    extension = Client(boto3.Session(access_key_id, secret, region_name="us-east-1"), server.url)
    extension.put_webhook(domain)
    upload.get_by_role("button", name="Check first").click()
    expect(upload.get_by_role("heading", name="What this import would do")).to_be_focused()
    expect(fault).to_be_hidden()

    (job,) = server.client().list_upload_jobs(DomainName=domain)["Items"]
    options = extension.get_options(domain, job["JobId"])
    assert options["Webhook"] == {"Url": "https://8.8.8.8/hook"}
    assert (options["ShortRows"], options["DoubtfulRows"]) == ("REJECT", "REFUSE")
    upload.goto(f"/console/domains/{domain}/jobs/{job['JobId']}")
    expect(upload.get_by_text("Rows that are too short fail.")).to_be_visible()
    expect(upload.get_by_text("Calls a webhook at 8.8.8.8 when it ends.")).to_be_visible()


@pytest.mark.long(daily="tests/unit/test_page_scripts.py::test_the_scripts_pass_their_own_tests")
def test_a_load_that_fails_whole_is_told_before_it_is_started(upload: Page, server: RunningServer, domain: str) -> None:
    choose(upload, WEBSHOP)
    upload.get_by_text("Import options").click()
    upload.get_by_label("If some rows fail").select_option("Import nothing")

    upload.get_by_role("button", name="Check first").click()

    expect(upload.get_by_role("heading", name="The import would fail")).to_be_focused()
    expect(upload.get_by_role("alert")).to_have_text(
        "Nothing has been imported. The import would fail with: “4 rows failed (limit: 0). Nothing was loaded.”"
    )
    expect(upload.get_by_role("button", name=re.compile(r"Import \d"))).to_have_count(0)
    first = server.client().list_upload_jobs(DomainName=domain)["Items"][0]["JobId"]

    # Another job takes the place of the one that nobody will start.
    upload.get_by_role("button", name="Back to columns").click()
    upload.get_by_label("If some rows fail").select_option("Cancel if more than … % of rows fail")
    upload.get_by_label("Limit", exact=True).fill("25,5")
    upload.get_by_label("an invalid email address").uncheck()
    upload.get_by_role("button", name="Check first").click()
    expect(upload.locator(".counts .failed")).to_have_text("Would fail3")
    job = wait_for_end(server, domain, start_load(upload, "Import 9 rows"))
    assert job["ResultsSummary"]["CreatedRecords"] == 8
    assert server.client().get_upload_job(DomainName=domain, JobId=first)["Status"] == "STOPPED"


@pytest.mark.long(daily="tests/acceptance/test_retries.py::test_a_strict_server_takes_tokens_and_no_options")
def test_a_server_that_is_held_to_aws_s_limits_offers_no_more_than_they_allow(
    visitor: Page, tmp_path: Path, forked_loaders: ForkedLoaders
) -> None:
    options = ("--workers", "1", "--compat", "strict")
    with running_server(tmp_path / "data", *options, **forked_loaders.variables) as strict:
        strict.client().create_domain(DomainName="strict", DefaultExpirationDays=366)
        visitor.goto(f"{strict.url}/console/sign-in?next=/console/domains/strict/upload")
        visitor.get_by_label("Access key ID").fill(strict.admin()[0])
        visitor.get_by_label("Secret access key").fill(strict.admin()[1])
        visitor.keyboard.press("Enter")
        visitor.wait_for_url(lambda url: urlsplit(url).path.endswith("/upload"))
        choose(visitor, b"Email,Name\na@example.com,Ann\n")

        expect(visitor.get_by_label("Retention (days)")).to_have_value("90")
        expect(visitor.get_by_text("Import options")).to_have_count(0)
        job_id = start_load(visitor, "Import now")
        assert wait_for_end(strict, "strict", job_id)["ResultsSummary"]["CreatedRecords"] == 1


def test_sending_can_be_stopped(upload: Page, server: RunningServer, domain: str) -> None:
    upload.route("**/openprofiles/v1/uploads/*", lambda _route: None)
    choose(upload, WEBSHOP)
    upload.get_by_role("button", name="Import now").click()
    expect(upload.get_by_role("heading", name="Uploading the file")).to_be_focused()
    expect(upload.get_by_role("progressbar", name="webshop-export.csv")).to_be_visible()
    # It was not checked.
    steps = upload.locator(".steps li")
    assert steps.evaluate_all("all => all.map(one => one.className)") == ["done", "done", "skipped", ""]

    upload.get_by_role("button", name="Cancel upload").click()

    expect(upload.get_by_role("alert")).to_contain_text("Upload cancelled. Nothing was imported.")
    # Nothing looks as if it still went on.
    expect(upload.locator("#sent, #sent-text").filter(visible=True)).to_have_count(0)
    upload.get_by_role("button", name="Back to columns").click()
    expect(target(upload, "Vorname")).to_have_value("First name")
    assert [job["Status"] for job in server.client().list_upload_jobs(DomainName=domain)["Items"]] == ["STOPPED"]


def test_a_refusal_of_the_file_is_told_in_the_server_s_words(upload: Page) -> None:
    refusal = "<Error><Code>InsufficientStorage</Code><Message>This server's disk is full.</Message></Error>"
    upload.route("**/openprofiles/v1/uploads/*", lambda route: route.fulfill(status=507, body=refusal))
    choose(upload, WEBSHOP)

    upload.get_by_role("button", name="Check first").click()

    expect(upload.get_by_role("alert")).to_have_text("The server did not accept the file: This server's disk is full.")


@pytest.mark.long(daily="tests/browser/test_typed_text_is_kept.py::test_a_form_outlives_its_session")
def test_an_expired_session_loses_nothing_and_goes_on_after_signing_in_elsewhere(
    upload: Page, server: RunningServer, domain: str
) -> None:
    choose(upload, WEBSHOP)
    target(upload, "Ort").fill("Attributes.town")
    upload.context.clear_cookies()
    upload.get_by_role("button", name="Import now").click()
    expect(upload.get_by_role("alert")).to_contain_text("Your session expired.")

    other = upload.context.new_page()
    sign_in(other, *server.admin())
    job_id = start_load(upload, "Import now")

    assert wait_for_end(server, domain, job_id)["Fields"]["Ort"]["Target"] == "_profile.Attributes.town"


def test_hostile_headers_and_cells_are_text(upload: Page, server: RunningServer, domain: str) -> None:
    server.client().create_profile(DomainName=domain, AccountNumber="1", FirstName=HOSTILE)
    quoted = HOSTILE_IMAGE.replace('"', '""')
    content = (
        f'AccountNumber,FirstName,"{quoted}",{HOSTILE},__proto__,constructor,EmailAddress\n'
        f'1,{HOSTILE}!,"{quoted}",x,y,z,{HOSTILE}\n2,"{quoted}",{HOSTILE},x,y,z,\n'
    )
    upload.on("dialog", lambda dialog: pytest.fail(f"A script of the file ran: {dialog.message}"))
    choose(upload, content.encode(), f"{HOSTILE}.csv")

    expect(upload.locator("#mapping label").nth(2)).to_have_text(HOSTILE_IMAGE)
    expect(upload.get_by_role("cell", name=HOSTILE, exact=True).first).to_be_visible()
    target(upload, HOSTILE).fill(f"Attributes.{HOSTILE}")
    target(upload, "__proto__").fill("Attributes.__proto__")
    target(upload, "EmailAddress").fill("EmailAddress")
    upload.get_by_role("button", name="Check first").click()
    expect(upload.get_by_role("heading", name="What this import would do")).to_be_focused()
    expect(upload.locator("main script, main img")).to_have_count(0)
    expect(upload.locator(".samples").first).to_contain_text(HOSTILE_IMAGE)

    job = wait_for_end(server, domain, start_load(upload, "Import"))

    targets = {field["Source"]: field["Target"] for field in job["Fields"].values()}
    assert targets["_source.__proto__"] == "_profile.Attributes.__proto__"
    assert targets[f"_source.{HOSTILE}"] == f"_profile.Attributes.{HOSTILE}"
    assert "_source.constructor" in targets


@pytest.mark.long(
    daily="tests/browser/test_profile_pages.py::test_who_may_only_read_sees_no_button_and_is_refused_when_forging"
)
def test_whoever_may_not_create_jobs_sees_no_such_page_and_is_refused(
    visitor: Page, server: RunningServer, domain: str
) -> None:
    sign_in_with(visitor, server, "profile:Get*", "profile:List*", "profile:SearchProfiles")
    visitor.goto(f"/console/domains/{domain}")
    expect(visitor.get_by_role("link", name="Import a file")).to_have_count(0)
    waiting = create_waiting_job(server, domain)
    job = f"{api(domain)}/upload-jobs/{waiting}"
    mapping = {"Targets": {"Email": "EmailAddress"}, "UniqueKey": "Email"}
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"{api(domain)}/file-samples", {}),
        ("POST", f"{api(domain)}/upload-jobs", {"DisplayName": "x", **mapping}),
        ("PUT", f"{job}/name", {"DisplayName": "x"}),
        ("PUT", f"/domains/{domain}/upload-jobs/{waiting}/stop", {}),
        ("POST", f"{job}/preview", {}),
        ("POST", f"{job}/start", {}),
        ("PUT", f"{api(domain)}/mappings/x", mapping | {"Columns": ["Email"]}),
    ]

    assert [forge(visitor, path, document, method) for method, path, document in requests] == [403] * 7
    answer = visitor.goto(f"/console/domains/{domain}/upload")
    assert answer is not None
    assert answer.status == 403
    assert [job["JobId"] for job in server.client().list_upload_jobs(DomainName=domain)["Items"]] == [waiting]


def test_whoever_may_only_load_sees_neither_policies_nor_a_check(
    visitor: Page, server: RunningServer, domain: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    actions = ("profile:CreateUploadJob", "profile:GetUploadJobPath", "profile:StartUploadJob", "profile:GetDomain")
    sign_in_with(visitor, server, *actions)
    visitor.goto(f"/console/domains/{domain}/upload")
    choose(visitor, WEBSHOP)

    for text in ("Something looks wrong?", "If some rows fail", "Save this mapping", "Check first"):
        expect(visitor.get_by_text(text)).to_have_count(0)
    assert find_barriers(visitor) == []
    document = {
        "Targets": {"Email": "EmailAddress"},
        "UniqueKey": "Email",
        "DisplayName": "forged",
        "Options": {"WriteMode": "UPDATE_ONLY"},
    }
    expect(visitor.locator("#upload[data-may-stop]")).to_have_count(0)
    assert forge(visitor, f"{api(domain)}/upload-jobs", document) == 403
    assert forge(visitor, f"/domains/{domain}/upload-jobs/{'0' * 32}/stop", {}, "PUT") == 403
    # How the CSV of a workbook is written has to be said in an option.
    assert forge(visitor, f"/console/domains/{domain}/upload/workbook", {}) == 400
    visitor.get_by_role("button", name="Import now").click()
    # The page of the job is not for them.
    visitor.wait_for_url(f"**/console/domains/{domain}?done=job-started")
    expect(visitor.get_by_role("status").filter(has_text="Import started.")).to_be_visible()
    assert find_barriers(visitor) == []
    job_id = server.client().list_upload_jobs(DomainName=domain)["Items"][0]["JobId"]
    # Without options nothing is checked but what the fields take.
    assert wait_for_end(server, domain, job_id)["ResultsSummary"] == {
        "CreatedRecords": 9,
        "UpdatedRecords": 1,
        "FailedRecords": 2,
    }


def test_what_others_have_stored_is_shown_to_whoever_may_search_alone(
    visitor: Page, server: RunningServer, domain: str
) -> None:
    server.client().create_profile(DomainName=domain, AccountNumber="7", FirstName="Secret")
    actions = ("profile:CreateUploadJob", "profile:GetUpload*", "openprofiles:PreviewUploadJob")
    sign_in_with(visitor, server, *actions, "openprofiles:SetUploadJobOptions")
    visitor.goto(f"/console/domains/{domain}/upload")
    choose(visitor, b"AccountNumber,FirstName\n7,Anna\n")
    visitor.get_by_text("Import options").click()
    visitor.get_by_label("Values edited by hand").select_option("Overwrite")

    with visitor.expect_response(
        lambda answer: "/preview?words=" in answer.url and '"CompletedAt"' in answer.text()
    ) as last:
        visitor.get_by_role("button", name="Check first").click()

    expect(visitor.locator(".samples")).to_contain_text("Anna")
    expect(visitor.get_by_role("button", name="Import now")).to_have_count(0)
    assert "Secret" not in last.value.text()


def test_the_page_has_no_barriers_in_any_of_its_states_and_fits_a_small_screen(
    upload: Page, find_barriers: Callable[[Page], list[str]]
) -> None:
    def require_good(state: str) -> None:
        assert (state, find_barriers(upload)) == (state, [])
        assert upload.evaluate("document.documentElement.scrollWidth") <= 360, state

    upload.set_viewport_size({"width": 360, "height": 740})
    require_good("no file yet")
    upload.locator("#file").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": b""})
    expect(upload.get_by_role("alert")).to_be_visible()
    require_good("a file was refused")
    choose(
        upload,
        b"E-Mail,Vorname,,Twice,Twice,E-Mail 2\n" + b"nobody,Ann,1,2,3," + b"x" * 300 + b"\n",
        "b" * 120 + ".csv",
    )
    for summary in upload.locator("summary").all():
        summary.click()
    require_good("columns")
    target(upload, "E-Mail 2").fill("W" * 100)
    upload.get_by_role("button", name="Check first").click()
    require_good("columns that are wrong")
    jobs: list[Route] = []
    target(upload, "E-Mail 2").fill("")
    upload.get_by_label("Unique key").select_option("E-Mail")
    upload.route("**/v1/domains/*/upload-jobs", lambda route: jobs.append(route))
    upload.get_by_role("button", name="Check first").click()
    until_held(upload, jobs)
    drop(upload, ("c.csv", b"a\n1\n"))
    expect(upload.locator("#not-taken")).to_be_visible()
    expect(upload.get_by_label("Name of this import")).to_be_disabled()
    expect(upload.locator("#encoding")).to_be_disabled()
    require_good("a job that is being made, and a file that is not taken")
    until_held(upload, jobs).abort()
    expect(upload.locator("#job-fault")).to_be_visible()
    upload.unroute("**/v1/domains/*/upload-jobs")

    choose_again = upload.get_by_role("button", name="Choose another file")
    choose_again.click()
    choose(upload, WEBSHOP)
    held: list[Route] = []
    upload.route("**/openprofiles/v1/uploads/*", lambda route: held.append(route))
    upload.get_by_role("button", name="Check first").click()
    expect(upload.get_by_role("heading", name="Uploading the file")).to_be_focused()
    require_good("sending")
    wait_until(lambda: upload.evaluate("1") == 1 and bool(held), "the file is sent")
    held.pop().abort()
    expect(upload.get_by_role("button", name="Try again")).to_be_focused()
    require_good("a lost connection")
    upload.unroute("**/openprofiles/v1/uploads/*")
    waiting: list[Route] = []
    upload.route(re.compile(r"/preview\?words="), lambda route: waiting.append(route))
    upload.get_by_role("button", name="Try again").click()
    expect(upload.get_by_role("heading", name="Checking the file")).to_be_focused()
    expect(upload.get_by_role("button", name="Cancel check")).to_be_enabled()
    require_good("checking")
    wait_until(lambda: upload.evaluate("1") == 1 and bool(waiting), "the check is asked for")
    # What waits goes on.
    upload.unroute(re.compile(r"/preview\?words="))
    expect(upload.get_by_role("heading", name="What this import would do")).to_be_focused()
    require_good("checked")


def test_a_forged_request_that_makes_no_sense_is_refused_plainly(
    page: Page, server: RunningServer, domain: str
) -> None:
    base = f"/console/domains/{domain}/upload"
    page.goto(base)
    jobs = f"{api(domain)}/upload-jobs"
    job = f"{jobs}/{'0' * 32}"
    good: dict[str, Any] = {"Targets": {"Email": "EmailAddress"}, "UniqueKey": "Email", "DisplayName": "x"}
    wrong: list[tuple[str, str, object]] = [
        ("POST", jobs, []),
        ("POST", jobs, {}),
        ("POST", jobs, good | {"Columns": ["Email"]}),
        ("POST", jobs, good | {"Targets": {"Other": "EmailAddress"}}),
        ("POST", jobs, good | {"Targets": {"Email": "\0"}}),
        ("POST", jobs, good | {"UniqueKey": None}),
        ("POST", jobs, good | {"UniqueKey": "\ud800"}),
        ("POST", jobs, good | {"DisplayName": ""}),
        ("POST", jobs, good | {"DataExpiry": 0}),
        ("POST", jobs, good | {"Options": []}),
        ("POST", jobs, good | {"Options": {"Checks": []}}),
        ("POST", jobs, good | {"Options": {"Checks": {"Email": {"Type": "NONE"}}}}),
        ("POST", jobs, good | {"IdempotencyToken": "{}"}),
        ("POST", jobs, good | {"DoubtfulRows": "MAYBE"}),
        ("POST", jobs, good | {"Replaces": "no job"}),
        ("POST", f"{api(domain)}/file-samples?encoding=klingon", "a"),
        ("POST", f"{api(domain)}/file-samples?delimiter=x", "a"),
        ("POST", f"{api(domain)}/file-samples?header-line=-1", "a"),
        ("POST", f"{base}/workbook", "a"),
        ("POST", f"{base}/workbook?sheet=x", "a"),
        ("POST", f"{api(domain)}/mappings/no%20such%20name/comparison", {"Columns": ["Email"]}),
        ("PUT", f"{api(domain)}/mappings/x%00", good),
        ("GET", f"{jobs}/x%00y/target", None),
        ("PUT", f"{job}/name", {"DisplayName": ""}),
        ("PUT", f"{job}/name", {}),
    ]

    assert [forge(page, path, document, method) for method, path, document in wrong] == [400] * len(wrong)
    missing = [("POST", f"{job}/start"), ("POST", f"{job}/preview"), ("GET", f"{job}/target")]
    missing += [("PUT", f"/domains/{domain}/upload-jobs/{'0' * 32}/stop")]
    assert [forge(page, path, {}, method) for method, path in missing] == [404] * len(missing)
    assert forge(page, f"{api(domain)}/mappings/none/comparison", {"Columns": []}) == 404
    # The same request again makes no second job.
    for _ in range(2):
        assert forge(page, jobs, good | {"Replaces": "0" * 32, "IdempotencyToken": "once"}) == 200
    assert len(server.client().list_upload_jobs(DomainName=domain)["Items"]) == 1
    assert "Traceback" not in server.log()


def test_the_page_is_for_people_who_are_signed_in(server: RunningServer, domain: str) -> None:
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    foreign = {"X-CSRF-Token": "0" * 64}
    for more in ({}, foreign, {**foreign, "Cookie": "openprofiles_session=x"}):
        connection.request("POST", f"{api(domain)}/upload-jobs", "{}", {"Accept": "application/json", **more})
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")
    connection.close()
