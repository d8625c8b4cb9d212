"""No link and no button of the console leads whoever sees it to a refusal."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import urlencode, urljoin

import pytest
from _pytest.mark import ParameterSet

from acceptance.forked_loaders import ForkedLoaders
from acceptance.running import RunningServer, running_server
from acceptance.test_upload_flow import create, load, put
from browser.test_job_pages import keys_that_may
from browser.test_sign_in import cookie_of, csrf_token_of, send

DOMAIN = "linked"
FILE = b"Email,First,Tier\nada@example.com,Ada,gold\n,Nobody,gold\n"

OF_PAGES = (
    "profile:ListDomains",
    "profile:GetDomain",
    "profile:CreateUploadJob",
    "profile:GetUploadJobPath",
    "profile:ListUploadJobs",
    "profile:GetUploadJob",
    "profile:SearchProfiles",
    "profile:UpdateProfile",
)
OF_BUTTONS = (
    "profile:CreateDomain",
    "profile:UpdateDomain",
    "profile:DeleteDomain",
    "profile:StartUploadJob",
    "profile:StopUploadJob",
    "profile:DeleteProfile",
    "openprofiles:UndoUploadJob",
)
# Of each test of a permission these are enough on most days: their pages have the most links to others.
OF_DAILY_PAGES = ("profile:ListUploadJobs", "profile:GetUploadJob", "profile:SearchProfiles")


def pages_daily(actions: tuple[str, ...], test: str) -> list[str | ParameterSet]:
    others = pytest.mark.long(daily=test)
    return [action if action in OF_DAILY_PAGES else pytest.param(action, marks=others) for action in actions]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, forked_loaders: ForkedLoaders) -> Iterator[RunningServer]:
    """Run a server for these tests alone: they follow all links, so also those to the domains of other tests."""
    data_folder = tmp_path_factory.mktemp("links") / "data"
    with running_server(data_folder, "--workers", "1", **forked_loaders.variables) as running:
        yield running


def linked_domain(server: RunningServer) -> tuple[str, list[str]]:
    """A domain with a job in each of some states and a profile; the paths of all its pages."""
    client = server.client()
    if DOMAIN not in [item["DomainName"] for item in client.list_domains()["Items"]]:
        client.create_domain(DomainName=DOMAIN, DefaultExpirationDays=30)
        load(server, DOMAIN, FILE)
    waiting = create(server, DOMAIN)
    put(server, DOMAIN, waiting, FILE)
    profile_id = client.create_profile(DomainName=DOMAIN, FirstName="By hand")["ProfileId"]
    jobs = [item["JobId"] for item in client.list_upload_jobs(DomainName=DOMAIN)["Items"]]
    base = f"/console/domains/{DOMAIN}"
    of_jobs = [f"{base}/jobs/{job_id}{rest}" for job_id in jobs for rest in ("", "/undo", "/profiles")]
    profiles = f"{base}/profiles"
    of_profiles = [f"{profiles}?q={profile_id}", f"{profiles}/{profile_id}", f"{profiles}/{profile_id}/edit"]
    return waiting, ["/console/", base, f"{base}/upload", f"{base}/jobs", profiles, *of_jobs, *of_profiles]


def refused_ways(server: RunningServer, cookie: str, paths: list[str]) -> list[str]:
    """All that a visitor is led to, from the pages that they may see, and that is refused to them."""
    pages = {
        path: text for path in paths for status, _, text in [send(server, "GET", path, Cookie=cookie)] if status == 200
    }
    assert "/console/" in pages
    refused: list[str] = []
    forms: set[str] = set()
    left = list(pages)
    while left:
        place = left.pop()
        forms |= set(re.findall(r'method="post" action="([^"]+)"', pages[place]))
        for href in re.findall(r'href="([^"#]+)', pages[place]):
            path = urljoin(place, html.unescape(href))
            if path in pages or path.startswith("/console/static/"):
                continue
            status, _, pages[path] = send(server, "GET", path, Cookie=cookie)
            left.append(path)
            if status == 403:
                refused.append(f"{place} -> {path}")
    token = urlencode({"csrf_token": csrf_token_of(server, cookie)})
    for action in sorted(forms - {"/console/sign-out"}):
        status, headers, _ = send(server, "POST", action, token, Cookie=cookie)
        if status == 303:
            status = send(server, "GET", headers["location"], Cookie=cookie)[0]
        if status == 403:
            refused.append(f"POST {action}")
    return refused


@pytest.mark.parametrize("missing", pages_daily(OF_PAGES, "test_whoever_lacks_one_permission_is_led_to_no_refusal"))
def test_whoever_lacks_one_permission_is_led_to_no_refusal(server: RunningServer, missing: str) -> None:
    keys = keys_that_may(server, *(action for action in (*OF_PAGES, *OF_BUTTONS) if action != missing))
    cookie = cookie_of(server, *keys)

    assert refused_ways(server, cookie, linked_domain(server)[1]) == []


@pytest.mark.parametrize("only", pages_daily(OF_PAGES[1:], "test_whoever_may_see_one_page_alone_is_led_to_no_refusal"))
def test_whoever_may_see_one_page_alone_is_led_to_no_refusal(server: RunningServer, only: str) -> None:
    cookie = cookie_of(server, *keys_that_may(server, "profile:ListDomains", only, *OF_BUTTONS))

    assert refused_ways(server, cookie, linked_domain(server)[1]) == []


def test_the_list_of_domains_leads_to_the_first_page_that_one_may_see(server: RunningServer) -> None:
    linked_domain(server)

    def links(*actions: str) -> list[str]:
        cookie = cookie_of(server, *keys_that_may(server, "profile:ListDomains", *actions))
        text = send(server, "GET", "/console/", Cookie=cookie)[2]
        assert DOMAIN in text
        return re.findall(rf'href="(/console/domains/{DOMAIN}[^"]*)"', text)

    assert links("profile:GetDomain", "profile:SearchProfiles") == [f"/console/domains/{DOMAIN}"]
    assert links("profile:SearchProfiles") == [f"/console/domains/{DOMAIN}/profiles"]
    assert links("profile:CreateUploadJob") == []


@pytest.mark.parametrize(("what", "told"), [("stop", "Import stopping."), ("start", "Import started.")])
def test_whoever_may_act_on_a_job_but_not_look_at_it_learns_what_was_done(
    server: RunningServer, what: str, told: str
) -> None:
    keys = keys_that_may(server, "profile:StopUploadJob", "profile:StartUploadJob", "profile:ListUploadJobs")
    cookie = cookie_of(server, *keys)
    token = urlencode({"csrf_token": csrf_token_of(server, cookie)})
    waiting, _ = linked_domain(server)

    status, headers, _ = send(server, "POST", f"/console/domains/{DOMAIN}/jobs/{waiting}/{what}", token, Cookie=cookie)

    assert (status, headers["location"]) == (
        303,
        f"/console/domains/{DOMAIN}/jobs?done=job-{what}{'ped' if what == 'stop' else 'ed'}",
    )
    status, _, text = send(server, "GET", headers["location"], Cookie=cookie)
    assert (status, told in text) == (200, True)


def test_whoever_may_take_a_job_back_and_nothing_else_learns_it_on_the_start_page(server: RunningServer) -> None:
    linked_domain(server)
    job_id = load(server, DOMAIN, b"Email,First,Tier\nundone@example.com,Ann,\n")["JobId"]
    cookie = cookie_of(server, *keys_that_may(server, "openprofiles:UndoUploadJob"))
    token = urlencode({"csrf_token": csrf_token_of(server, cookie)})

    status, headers, _ = send(server, "POST", f"/console/domains/{DOMAIN}/jobs/{job_id}/undo", token, Cookie=cookie)

    assert (status, headers["location"]) == (303, "/console/?done=undo-started")
    assert "Undo started." in send(server, "GET", headers["location"], Cookie=cookie)[2]


def test_whoever_is_held_to_other_domains_is_told_so_in_the_form(server: RunningServer) -> None:
    linked_domain(server)
    cookie = cookie_of(server, *keys_that_may(server, "profile:*", domain=DOMAIN))
    form = urlencode({"csrf_token": csrf_token_of(server, cookie), "name": "elsewhere", "expiration_days": "30"})

    status, _, text = send(server, "POST", "/console/domains", form, Cookie=cookie)

    assert (status, "does not cover a domain" in text, 'value="elsewhere"' in text) == (400, True, True)


def test_an_error_says_what_is_missing_and_keeps_the_navigation(server: RunningServer) -> None:
    linked_domain(server)
    cookie = cookie_of(server, *keys_that_may(server, "profile:GetDomain", "profile:SearchProfiles"))

    def read(path: str) -> tuple[int, str, set[str]]:
        status, _, text = send(server, "GET", path, Cookie=cookie)
        return status, html.unescape(text), set(re.findall(r'href="(/console/(?!static)[^"]*)"', text))

    base = f"/console/domains/{DOMAIN}"
    everywhere = {"/console/", "/console/connect"}
    of_domain = everywhere | {base, f"{base}/profiles"}
    status, text, links = read(f"{base}/upload")
    assert (status, links) == (403, of_domain)
    assert (
        f"You don't have permission to import files into {DOMAIN}. "
        "Ask your administrator for an access key that allows profile:CreateUploadJob."
    ) in text
    assert "Sign out" in text
    status, text, links = read(f"{base}/profiles/{'0' * 32}")
    assert (status, links) == (404, of_domain)
    for path in ("/console/nosuch", "/console/domains/nosuch/profiles"):
        status, text, links = read(path)
        assert (status, links) == (404, everywhere)
    assert "Sign out" not in send(server, "GET", "/console/nosuch")[2]


def test_a_key_for_other_domains_is_refused_with_that_reason(server: RunningServer) -> None:
    linked_domain(server)
    cookie = cookie_of(server, *keys_that_may(server, "profile:*", domain="elsewhere"))

    status, _, text = send(server, "GET", f"/console/domains/{DOMAIN}/profiles", Cookie=cookie)

    assert (status, "Ask your administrator for an access key that covers this domain." in text) == (403, True)
    assert f'href="/console/domains/{DOMAIN}' not in text
