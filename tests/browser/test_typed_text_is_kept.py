"""Whatever keeps a form from being saved, what was typed into it is still there."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from acceptance.running import RunningServer, running_server
from acceptance.test_upload_flow import create, load
from browser.conftest import sign_in
from browser.test_profile_pages import make_reader, place_of, require_width
from browser.test_sign_in import cookie_of, csrf_token_of, make_key, send

DOMAIN = "typed"
HOSTILE = "<script>alert(1)</script>\"'&amp;"


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Any:
    made = server.client()
    made.create_domain(DomainName=DOMAIN, DefaultExpirationDays=100)
    return made


@pytest.fixture
def ada(client: Any) -> str:
    """The id of a profile of a customer."""
    made: str = client.create_profile(DomainName=DOMAIN, FirstName="Ada", Attributes={"tier": "gold"})["ProfileId"]
    return made


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button).click()


def test_a_form_outlives_its_session(
    page: Page, server: RunningServer, client: Any, ada: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    page.goto(place_of(ada, DOMAIN) + "/edit")
    page.get_by_label("First name").fill("Augusta")
    page.get_by_label("tier").fill(HOSTILE)
    page.context.clear_cookies()
    press(page, "Save")

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Your session expired. Sign in in another tab, then press “Save” again.")
    expect(alert).to_contain_text("Nothing you entered is lost.")
    expect(alert).to_be_in_viewport()
    expect(page.get_by_role("button", name="Save")).to_be_focused()
    assert find_barriers(page) == []
    page.set_viewport_size({"width": 360, "height": 800})
    require_width(page)
    assert find_barriers(page) == []

    with page.context.expect_page() as opened:
        alert.get_by_role("link", name="Sign in").click()
    sign_in(opened.value, *server.admin())
    opened.value.close()
    expect(page.get_by_label("First name")).to_have_value("Augusta")
    press(page, "Save")

    expect(page.get_by_role("status")).to_have_text("Profile saved.")
    profile = stored_here(client, ada)
    assert (profile["FirstName"], profile["Attributes"]) == ("Augusta", {"tier": HOSTILE})


def stored_here(client: Any, profile_id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.search_profiles(DomainName=DOMAIN, KeyName="_profileId", Values=[profile_id])[
        "Items"
    ][0]
    return found


def test_who_signs_out_in_one_tab_and_in_again_goes_on_in_the_other(
    page: Page, server: RunningServer, client: Any
) -> None:
    page.goto(f"/console/domains/{DOMAIN}")
    days = page.get_by_label("Retention")
    days.fill("60")
    other = page.context.new_page()
    other.goto("/console/")
    press(other, "Sign out")
    other.wait_for_url("**/sign-in")
    # The keyboard does the same as the button.
    days.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Your session expired.")
    expect(days).to_have_value("60")

    sign_in(other, *make_key(server, "--name", "colleague"))
    days.press("Enter")
    # It may be somebody else.
    expect(page.get_by_role("alert")).to_contain_text(
        "You are now signed in as colleague, a different access key from the one this page was opened with. "
        "Press “Save” again to continue with that key. Nothing you entered is lost."
    )
    assert client.get_domain(DomainName=DOMAIN)["DefaultExpirationDays"] == 100
    days.press("Enter")

    expect(page.get_by_role("status")).to_have_text("Settings saved.")
    assert client.get_domain(DomainName=DOMAIN)["DefaultExpirationDays"] == 60


@pytest.mark.long(daily="test_who_signs_out_in_one_tab_and_in_again_goes_on_in_the_other")
def test_a_token_of_an_earlier_session_is_no_hindrance(page: Page, server: RunningServer) -> None:
    page.goto("/console/")
    page.get_by_label("Name").fill("later")
    sign_in(page.context.new_page(), *server.admin())

    press(page, "Create")

    expect(page.get_by_role("heading", name="later", level=1)).to_be_visible()


def test_a_server_that_cannot_be_reached_takes_nothing(page: Page) -> None:
    page.goto("/console/")
    page.get_by_label("Name").fill("distant")
    page.route("**/console/session", lambda route: route.abort())
    press(page, "Create")
    expect(page.get_by_role("alert")).to_contain_text(
        "Can't reach the server. Check your connection, then press “Create domain” again. Nothing you entered is lost."
    )
    expect(page.get_by_label("Name")).to_have_value("distant")
    page.unroute("**/console/session")
    press(page, "Create")

    expect(page.get_by_role("heading", name="distant", level=1)).to_be_visible()


@pytest.mark.long(daily="test_a_server_that_cannot_be_reached_takes_nothing")
def test_a_server_that_is_away_or_silent_takes_nothing(
    browser: Browser, tmp_path: Path, find_barriers: Callable[[Page], list[str]]
) -> None:
    page = None
    with running_server(tmp_path / "data") as first:
        page = browser.new_page(base_url=first.url)
        sign_in(page, *first.admin())
        page.get_by_label("Name").fill("patient")
        first.stop()
        press(page, "Create")
        expect(page.get_by_role("alert")).to_contain_text(
            "Can't reach the server. Check your connection, then press “Create domain” again."
        )
        assert find_barriers(page) == []

    with running_server(tmp_path / "data", "--workers", "0", "--port", str(urlsplit(first.url).port)) as second:
        second.process.send_signal(signal.SIGSTOP)
        try:
            press(page, "Create")
            expect(page.get_by_role("alert")).to_be_hidden()
            # Pressed in vain meanwhile.
            press(page, "Create")
            expect(page.get_by_role("alert")).to_contain_text("Can't reach the server.")
        finally:
            second.process.send_signal(signal.SIGCONT)
        expect(page.get_by_label("Name")).to_have_value("patient")
        assert second.client().list_domains()["Items"] == []
        press(page, "Create")
        expect(page.get_by_role("heading", name="patient", level=1)).to_be_visible()
        page.close()


def test_a_form_of_more_than_the_server_takes_is_not_sent(page: Page, ada: str) -> None:
    def take_little(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"MaxFormBytes": 20_000})

    page.route("**/console/session", take_little)
    page.goto(place_of(ada, DOMAIN) + "/edit")
    name = page.get_by_label("First name")
    name.fill("x" * 20_001)
    press(page, "Save")

    expect(page.get_by_role("alert")).to_contain_text("This is too much text for one form. Shorten it, then press")
    name.fill("Augusta")
    press(page, "Save")

    expect(page.get_by_role("status")).to_have_text("Profile saved.")


@pytest.mark.long(daily="test_a_form_of_more_than_the_server_takes_is_not_sent")
def test_a_form_that_is_too_large_is_not_sent(page: Page, ada: str) -> None:
    page.goto(place_of(ada, DOMAIN) + "/edit")
    name = page.get_by_label("First name")
    name.evaluate("element => { element.value = 'x'.repeat(8500000); }")
    press(page, "Save")

    expect(page.get_by_role("alert")).to_contain_text("This is too much text for one form. Shorten it, then press")
    name.fill("Augusta")
    press(page, "Save")

    expect(page.get_by_role("status")).to_have_text("Profile saved.")


@pytest.mark.long(daily="tests/browser/test_profile_pages.py::test_only_what_is_changed_in_the_form_is_written")
def test_a_profile_of_very_many_attributes_is_saved(page: Page, client: Any) -> None:
    attributes = {f"a{number}": "v" for number in range(1_800)}
    many = client.create_profile(DomainName=DOMAIN, FirstName="Many", Attributes=attributes)["ProfileId"]
    page.goto(place_of(many, DOMAIN) + "/edit")
    page.get_by_label("First name").fill("Augusta")
    press(page, "Save")

    expect(page.get_by_role("status")).to_have_text("Profile saved.")
    profile = stored_here(client, many)
    assert (profile["FirstName"], profile["Attributes"]) == ("Augusta", attributes)


def test_what_the_browser_itself_checks_is_checked_before_the_session(page: Page) -> None:
    page.goto("/console/")
    page.context.clear_cookies()
    press(page, "Create")

    assert page.get_by_label("Name").evaluate("element => element.validity.valueMissing")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_forms_work_without_scripts(browser: Browser, server: RunningServer) -> None:
    page = browser.new_page(base_url=server.url, java_script_enabled=False)
    sign_in(page, *server.admin())
    page.get_by_label("Name").fill("scriptless")
    press(page, "Create")
    expect(page.get_by_role("heading", name="scriptless", level=1)).to_be_visible()
    page.close()


def test_what_was_typed_for_a_profile_that_is_gone_is_shown(
    page: Page, client: Any, ada: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    page.goto(place_of(ada, DOMAIN) + "/edit")
    page.get_by_label("First name").fill(HOSTILE)
    page.get_by_label("tier").fill("long " * 40)
    new = page.get_by_role("group", name="New attribute 1")
    new.get_by_label("Name").fill("colour")
    new.get_by_label("Value").fill("red")
    client.delete_profile(DomainName=DOMAIN, ProfileId=ada)
    press(page, "Save")

    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    expect(page.get_by_label("First name")).to_have_value(HOSTILE)
    expect(page.get_by_label("Attribute tier")).to_have_value("long " * 40)
    expect(page.get_by_label("Attribute name")).to_have_value("colour")
    expect(page.get_by_label("Attribute colour")).to_have_value("red")
    # What was not typed is no matter.
    expect(page.locator("main label")).to_have_count(4)
    expect(page.locator("main").get_by_role("button")).to_have_count(0)
    assert find_barriers(page) == []


def test_what_was_typed_for_a_domain_that_is_gone_is_shown(page: Page, server: RunningServer) -> None:
    server.client().create_domain(DomainName="going", DefaultExpirationDays=30)
    page.goto("/console/domains/going")
    page.get_by_label("Retention").fill("77")
    server.client().delete_domain(DomainName="going")
    press(page, "Save")

    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    expect(page.get_by_label("Retention (days)")).to_have_value("77")


@pytest.mark.long(daily="test_a_fault_of_the_server_takes_nothing_and_the_form_is_sent_again")
def test_a_form_that_another_key_may_not_save_can_be_sent_by_the_first(
    page: Page, server: RunningServer, client: Any, ada: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    page.goto(place_of(ada, DOMAIN) + "/edit")
    page.get_by_label("First name").fill("Augusta")
    other = page.context.new_page()
    sign_in(other, *make_reader(server))
    press(page, "Save")
    expect(page.get_by_role("alert")).to_contain_text("You are now signed in as reader")
    press(page, "Save")
    expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
    expect(page.get_by_label("First name")).to_have_value("Augusta")
    assert find_barriers(page) == []
    page.set_viewport_size({"width": 360, "height": 800})
    require_width(page)

    other.context.clear_cookies()
    press(page, "Send again")
    expect(page.get_by_role("alert").last).to_contain_text("Your session expired.")
    assert find_barriers(page) == []
    sign_in(other, *server.admin())
    press(page, "Send again")
    expect(page.get_by_role("alert").last).to_contain_text("You are now signed in as administrator")
    press(page, "Send again")

    expect(page.get_by_role("status")).to_have_text("Profile saved.")
    assert stored_here(client, ada)["FirstName"] == "Augusta"


def test_a_fault_of_the_server_takes_nothing_and_the_form_is_sent_again(browser: Browser, tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        page = browser.new_page(base_url=server.url)
        sign_in(page, *server.admin())
        page.get_by_label("Name").fill("unlucky")
        page.get_by_label("Retention").fill("12")
        with closing(sqlite3.connect(server.data_folder / "openprofiles.db")) as connection:
            connection.execute("alter table domain rename to elsewhere")
            press(page, "Create")
            expect(page.get_by_role("alert")).to_contain_text("This is an error in openprofiles.")
            expect(page.get_by_label("Name")).to_have_value("unlucky")
            connection.execute("alter table elsewhere rename to domain")
        press(page, "Send again")

        expect(page.get_by_role("heading", name="unlucky", level=1)).to_be_visible()
        assert server.client().get_domain(DomainName="unlucky")["DefaultExpirationDays"] == 12
        assert "unlucky" not in server.log()
        page.close()


@pytest.mark.long(
    daily="tests/browser/test_links_and_permissions.py::test_whoever_is_held_to_other_domains_is_told_so_in_the_form"
)
def test_who_may_not_make_a_domain_of_one_name_is_asked_for_another(visitor: Page, server: RunningServer) -> None:
    sign_in(visitor, *make_key(server, "--name", "held", "--domain", "allowed"))
    visitor.get_by_label("Name").fill("forbidden")
    visitor.get_by_label("Retention").fill("12")
    press(visitor, "Create")
    expect(visitor.get_by_role("alert")).to_contain_text("does not cover a domain named forbidden")
    expect(visitor.get_by_label("Name")).to_have_value("forbidden")
    expect(visitor.get_by_label("Retention")).to_have_value("12")

    visitor.get_by_label("Name").fill("allowed")
    press(visitor, "Create")

    expect(visitor.get_by_role("heading", name="allowed", level=1)).to_be_visible()


def test_a_key_of_one_request_per_second_sends_forms_and_loses_none_that_comes_too_soon(server: RunningServer) -> None:
    keys = make_key(server, "--name", "slow", "--requests-per-second", "0.01")
    cookie = cookie_of(server, *keys)
    token = csrf_token_of(server, cookie)
    asked = [send(server, "GET", "/console/session", Cookie=cookie, Accept="application/json") for _ in range(3)]
    form = {"csrf_token": token, "name": HOSTILE, "expiration_days": "5"}

    status, _, text = send(server, "POST", "/console/domains", urlencode(form), Cookie=cookie)

    assert [(one, json.loads(body)["CsrfToken"]) for one, _, body in asked] == [(200, token)] * 3
    assert status == 429
    assert "&lt;script&gt;alert(1)" in text
    assert "Send again" in text
    assert "<script>alert" not in text


def test_what_another_site_has_made_up_is_not_shown(server: RunningServer) -> None:
    cookie = cookie_of(server, *server.admin())
    token = csrf_token_of(server, cookie)

    told = [
        send(server, "POST", "/console/domains", "name=madeup&csrf_token=0", Cookie=cookie),
        send(
            server, "POST", "/console/domains", f"name=madeup&csrf_token={token}",
            Cookie=cookie, Origin="https://evil.example",
        ),
    ]  # fmt: skip

    assert [status for status, _, _ in told] == [403, 403]
    assert all("madeup" not in text for _, _, text in told)
    ended = send(server, "GET", "/console/session", Accept="application/json")
    assert (ended[0], "CsrfToken" in ended[2]) == (401, False)


@pytest.mark.long(daily="test_a_form_outlives_its_session")
def test_a_button_without_a_form_to_fill_in_works_after_signing_in_again_elsewhere(
    page: Page, server: RunningServer, client: Any, ada: str, find_barriers: Callable[[Page], list[str]]
) -> None:
    waiting = create(server, DOMAIN)
    page.goto(f"/console/domains/{DOMAIN}/jobs/{waiting}")
    other = page.context.new_page()
    sign_in(other, *server.admin())
    press(page, "Discard")
    page.context.clear_cookies()
    press(page, "Discard import")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_contain_text(
        "Your session expired. Sign in in another tab, then press “Discard import” again. Nothing has been changed."
    )
    assert find_barriers(page) == []
    sign_in(other, *server.admin())
    press(page, "Discard import")
    expect(page.locator("h1 ~ *, .badge").filter(has_text="Stopped").first).to_be_visible()
    assert client.get_upload_job(DomainName=DOMAIN, JobId=waiting)["Status"] == "STOPPED"

    page.goto(place_of(ada, DOMAIN))
    sign_in(other, *server.admin())
    press(page, "Delete")
    press(page, "Delete profile")
    expect(page.get_by_role("status")).to_have_text("Profile deleted.")
    # It is told once.
    assert page.url.endswith(f"/console/domains/{DOMAIN}/profiles")
    page.reload()
    expect(page.get_by_role("status")).to_have_count(0)


@pytest.mark.long(daily="tests/browser/test_sign_in.py::test_whoever_has_no_session_signs_out_too")
def test_whoever_signs_out_does_so_whatever_has_become_of_the_session(page: Page, server: RunningServer) -> None:
    page.goto("/console/")
    other = page.context.new_page()
    sign_in(other, *make_key(server, "--name", "leaver"))
    press(page, "Sign out")
    page.wait_for_url("**/console/sign-in")
    press(other, "Sign out")
    other.wait_for_url("**/console/sign-in")
    other.goto("/console/")
    expect(other).to_have_title("Sign in · openprofiles")


def test_an_ended_session_makes_no_file_of_the_sign_in(page: Page, server: RunningServer, client: Any) -> None:
    job_id = load(server, DOMAIN, b"Email,First,Tier\nada@example.com,Ada,gold\n,Nobody,gold\n")["JobId"]
    place = f"/console/domains/{DOMAIN}/jobs/{job_id}"
    page.goto(place)
    page.context.clear_cookies()
    page.get_by_role("link", name="Download failed rows (CSV)").click()

    expect(page).to_have_title("Sign in · openprofiles")
    assert page.locator("input[name=next]").input_value() == place
