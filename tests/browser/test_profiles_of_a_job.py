"""The profiles that a job has made, listed from its page."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from acceptance.running import RunningServer
from acceptance.test_upload_flow import create, find_by_email, load
from browser.conftest import follow
from browser.test_job_pages import Barriers, domain, keys_that_may, many_rows, place_of
from browser.test_sign_in import cookie_of, send

__all__ = ["domain"]


def test_what_a_job_made_is_listed_in_pages_as_far_as_it_is_still_there(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    load(server, domain, b"Email,First,Tier\ncustomer0@example.com,Before,\n")
    job_id = load(server, domain, many_rows(61))["JobId"]
    client = server.client()
    for number in (1, 40):
        (one,) = find_by_email(server, domain, f"customer{number}@example.com")
        client.delete_profile(DomainName=domain, ProfileId=one["ProfileId"])
    page.goto(place_of(domain, job_id))

    page.get_by_role("link", name="Show the new profiles").click()

    rows = page.locator("tbody tr")
    expect(page.get_by_role("heading", name="New profiles")).to_be_visible()
    expect(page.locator("main")).to_contain_text("The import also updated 1 profile that existed before")
    shown: list[str] = []
    for count in (25, 25, 8):
        expect(rows).to_have_count(count)
        shown += [row.split("\t")[1] for row in rows.all_inner_texts()]
        if count == 25:
            follow(page.get_by_role("link", name="More profiles"))
    assert shown == [f"customer{number}@example.com" for number in range(2, 61) if number != 40]
    expect(page.get_by_role("link", name="More profiles")).to_have_count(0)
    assert find_barriers(page) == []

    page.get_by_role("link", name="First60", exact=True).click()
    expect(page.get_by_role("heading", name="First60")).to_be_visible()

    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(place_of(domain, job_id) + "/profiles")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert find_barriers(page) == []


def test_a_job_that_only_changed_profiles_says_so_and_leads_to_the_search(
    page: Page, server: RunningServer, domain: str, find_barriers: Barriers
) -> None:
    load(server, domain, many_rows(3))
    job_id = load(server, domain, many_rows(3, "iron"))["JobId"]

    page.goto(place_of(domain, job_id))
    expect(page.get_by_text("All rows matched existing profiles.")).to_be_visible()
    page.goto(place_of(domain, job_id) + "/profiles")
    expect(page.get_by_text("This import created no profiles.")).to_be_visible()
    assert find_barriers(page) == []
    expect(page.locator("main")).to_contain_text("The import also updated 3 profiles that existed before")
    page.get_by_role("link", name="Search", exact=True).click()
    expect(page.get_by_label("Find a customer")).to_be_focused()


def test_a_profile_that_a_job_made_and_changed_again_is_not_one_that_existed_before(
    server: RunningServer, domain: str
) -> None:
    load(server, domain, b"Email,First,Tier\nold@example.com,Old,\n")
    cookie = cookie_of(server, *server.admin())

    def page_after(file: bytes) -> str:
        job_id = load(server, domain, file)["JobId"]
        return send(server, "GET", place_of(domain, job_id) + "/profiles", Cookie=cookie)[2]

    repeated = page_after(b"Email,First,Tier\nnew@example.com,New,\nnew@example.com,Newer,\n")
    both = page_after(b"Email,First,Tier\nmore@example.com,A,\nmore@example.com,B,\nold@example.com,C,\n")

    assert ("Newer" in repeated, "existed before" in repeated) == (True, False)
    assert re.search(r"also updated <data[^>]*>1</data> profile that existed before", both)


def test_a_job_that_was_taken_back_and_one_that_has_not_begun_have_empty_lists(
    page: Page, server: RunningServer, domain: str
) -> None:
    job_id = load(server, domain, many_rows(3))["JobId"]
    page.goto(place_of(domain, job_id) + "/undo")
    page.get_by_role("button", name="Undo import").click()
    expect(page.get_by_role("heading", name="Import undone")).to_be_visible()

    page.goto(place_of(domain, job_id) + "/profiles")
    expect(page.get_by_text("None of the profiles created by this import exist any more")).to_be_visible()
    page.goto(place_of(domain, create(server, domain)) + "/profiles")
    expect(page.get_by_text("This import has not created any profiles yet.")).to_be_visible()


def test_whoever_may_not_search_profiles_sees_none_of_a_job(server: RunningServer, domain: str) -> None:
    job_id = load(server, domain, many_rows(3))["JobId"]
    for action in ("profile:GetUploadJob", "profile:SearchProfiles"):
        cookie = cookie_of(server, *keys_that_may(server, action))
        status, _, text = send(server, "GET", place_of(domain, job_id) + "/profiles", Cookie=cookie)
        assert (status, "customer1@example.com" in text) == (403, False)
    cookie = cookie_of(server, *keys_that_may(server, "profile:GetUploadJob", "profile:SearchProfiles"))
    assert send(server, "GET", place_of(domain, job_id) + "/profiles", Cookie=cookie)[0] == 200
    assert send(server, "GET", place_of(domain, "0" * 32) + "/profiles", Cookie=cookie)[0] == 404
