"""Signing in and out, and what is kept from those who have not."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from acceptance.running import RunningServer, run_command
from acceptance.test_upload_flow import load
from browser.conftest import sign_in


def send(
    server: RunningServer, method: str, path: str, body: str = "", **headers: str
) -> tuple[int, dict[str, str], str]:
    """A request as a program sends it, without a browser's care."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "application/x-www-form-urlencoded"} | headers)
        answer = connection.getresponse()
        return (
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
            answer.read().decode(errors="replace"),
        )
    finally:
        connection.close()


def csrf_token_of(server: RunningServer, cookie: str) -> str:
    page = send(server, "GET", "/console/", Cookie=cookie)[2]
    return page.split('name="csrf-token" content="')[1].split('"')[0]


def cookie_of(server: RunningServer, access_key_id: str, secret: str) -> str:
    form = urlencode({"access_key_id": access_key_id, "secret_access_key": secret})
    status, headers, _ = send(server, "POST", "/console/sign-in", form)
    assert status == 303
    return headers["set-cookie"].split(";")[0]


def make_key(server: RunningServer, *arguments: str) -> tuple[str, str]:
    made = run_command("credentials", "create", "--data", server.data_folder, *arguments, "--output", "json")
    keys = json.loads(made.stdout)
    return keys["access_key_id"], keys["secret_access_key"]


def test_the_root_leads_to_the_sign_in_and_on_to_where_one_wanted_to_go(visitor: Page, server: RunningServer) -> None:
    server.client().create_domain(DomainName="wanted", DefaultExpirationDays=30)
    visitor.goto("/")
    expect(visitor).to_have_title("Sign in · openprofiles")
    visitor.goto("/console/domains/wanted")

    visitor.get_by_label("Access key ID").fill(server.admin()[0])
    visitor.get_by_label("Secret access key").fill(server.admin()[1])
    visitor.keyboard.press("Enter")

    expect(visitor.get_by_role("heading", name="wanted", level=1)).to_be_visible()
    visitor.get_by_role("button", name="Sign out").click()
    visitor.wait_for_url("**/console/sign-in")
    visitor.goto("/console/domains/wanted")
    expect(visitor).to_have_title("Sign in · openprofiles")


def test_a_wrong_secret_is_told_and_the_key_stays_in_its_field(visitor: Page, server: RunningServer) -> None:
    visitor.goto("/console/sign-in")
    visitor.get_by_label("Access key ID").fill(server.admin()[0])
    visitor.get_by_label("Secret access key").fill("wrong")
    visitor.get_by_role("button", name="Sign in").click()

    expect(visitor.get_by_role("alert")).to_contain_text("Wrong access key or secret.")
    expect(visitor.get_by_label("Access key ID")).to_have_value(server.admin()[0])
    secret = visitor.get_by_label("Secret access key")
    expect(secret).to_have_value("")
    expect(secret).to_have_attribute("aria-invalid", "true")
    expect(secret).to_have_accessible_description(re.compile("Wrong access key or secret"))


def test_the_pages_have_no_barriers(
    visitor: Page, server: RunningServer, find_barriers: Callable[[Page], list[str]]
) -> None:
    visitor.goto("/console/sign-in")
    assert find_barriers(visitor) == []
    sign_in(visitor, *server.admin())
    assert find_barriers(visitor) == []
    visitor.goto("/console/nowhere")
    assert find_barriers(visitor) == []


def test_the_cookie_is_kept_from_scripts_and_other_sites_and_secure_under_https(server: RunningServer) -> None:
    form = urlencode(dict(zip(("access_key_id", "secret_access_key"), server.admin(), strict=True)))

    _, headers, _ = send(server, "POST", "/console/sign-in", form)

    attributes = [one.strip().lower() for one in headers["set-cookie"].split(";")[1:]]
    assert {"httponly", "samesite=strict", "path=/"} <= set(attributes)
    assert "secure" not in attributes
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]


@pytest.mark.parametrize(
    "place", ["https://evil.example/", "//evil.example/", "/console/\\evil", "/domains", "javascript:1"]
)
def test_signing_in_leads_to_no_other_site(server: RunningServer, place: str) -> None:
    keys = dict(zip(("access_key_id", "secret_access_key"), server.admin(), strict=True))

    status, headers, _ = send(server, "POST", "/console/sign-in", urlencode(keys | {"next": place}))

    assert (status, headers["location"]) == (303, "/console/")


def test_a_form_from_elsewhere_changes_nothing(server: RunningServer) -> None:
    cookie = cookie_of(server, *server.admin())
    form = urlencode({"name": "forged", "expiration_days": "30"})

    refused = [
        send(server, "POST", "/console/domains", form, Cookie=cookie),
        send(server, "POST", "/console/domains", form + "&csrf_token=0", Cookie=cookie),
        send(server, "POST", "/console/domains", form, Cookie=cookie, Origin="https://evil.example"),
        send(server, "POST", "/console/sign-in", form, Origin="https://evil.example"),
        # A frame without rights of its own.
        send(server, "POST", "/console/sign-in", form, Origin="null"),
        # No address at all.
        send(server, "POST", "/console/sign-in", form, Origin="http://["),
        send(server, "POST", "/console/domains", form, Cookie=cookie, Origin="http://["),
    ]

    assert [status for status, _, _ in refused] == [403] * 7
    assert "Traceback" not in server.log()
    assert "forged" not in json.dumps(server.client().list_domains()["Items"], default=str)


def test_a_cookie_that_was_changed_or_whose_key_is_revoked_is_nobody_s(server: RunningServer) -> None:
    made = run_command("credentials", "create", "--data", server.data_folder, "--name", "gone", "--output", "json")
    keys = json.loads(made.stdout)
    cookie = cookie_of(server, keys["access_key_id"], keys["secret_access_key"])
    assert send(server, "GET", "/console/", Cookie=cookie)[0] == 200

    changed = cookie[:-3] + ("AAA" if not cookie.endswith("AAA") else "BBB")
    run_command("credentials", "revoke", keys["access_key_id"], "--data", server.data_folder)

    for one in (changed, "openprofiles_session=%F0", "openprofiles_session=" + "A" * 200):
        assert send(server, "GET", "/console/", Cookie=one)[0] == 303
    # A server knows a credential for a second.
    time.sleep(1.1)
    assert send(server, "GET", "/console/", Cookie=cookie)[0] == 303
    told = send(server, "GET", "/console/", Cookie=cookie, Accept="application/json")
    assert (told[0], "session expired" in told[2]) == (401, True)


def test_what_no_person_sends_is_refused_plainly(server: RunningServer) -> None:
    cookie = cookie_of(server, *server.admin())
    token = csrf_token_of(server, cookie)
    many = "&".join(f"x{number}=" for number in range(100_001))

    told = [
        send(server, "POST", "/console/sign-in", "access_key_id=%00&secret_access_key=%00")[0],
        send(server, "GET", "/console/static/x/" + "x" * 300)[0],
        send(server, "GET", "/console/static/x/..%2Fapp.py")[0],
        send(
            server,
            "POST",
            "/console/domains",
            f"csrf_token={token}&name=a&expiration_days={'9' * 5_000}",
            Cookie=cookie,
        )[0],
        send(server, "POST", "/console/domains", f"csrf_token={token}&{many}", Cookie=cookie)[0],
    ]

    assert told == [403, 404, 404, 400, 400]
    assert "Traceback" not in server.log()


def test_no_body_is_read_of_whoever_has_no_session_or_no_token(server: RunningServer) -> None:
    own = {"Cookie": cookie_of(server, *server.admin())}
    token = csrf_token_of(server, own["Cookie"])
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    address = urlsplit(server.url)

    def status_before_the_body(**headers: str) -> int:
        with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=2)) as connection:
            connection.putrequest("POST", "/console/domains")
            for name, value in {"Content-Length": str(2 * 1024 * 1024), **headers}.items():
                connection.putheader(name, value)
            connection.endheaders()
            return connection.getresponse().status

    assert status_before_the_body(**form) == 303
    assert status_before_the_body(**form, **{"X-CSRF-Token": token}) == 303
    assert status_before_the_body(**form, Cookie="openprofiles_session=" + "A" * 200) == 303
    assert status_before_the_body(**own) == 403
    assert status_before_the_body(**own, **{"X-CSRF-Token": "0" * 64}) == 403
    assert status_before_the_body(**own, **form, Origin="https://evil.example") == 403
    with pytest.raises(TimeoutError):
        # It may have the token, which stands in the body.
        status_before_the_body(**own, **form)


def test_a_key_is_held_to_its_rate_in_the_console_too(server: RunningServer) -> None:
    made = run_command(
        "credentials", "create", "--data", server.data_folder, "--name", "slow", "--requests-per-second", "1",
        "--output", "json",
    )  # fmt: skip
    keys = json.loads(made.stdout)
    cookie = cookie_of(server, keys["access_key_id"], keys["secret_access_key"])

    told = [send(server, "GET", "/console/connect", Cookie=cookie)[0] for _ in range(3)]

    assert told[0] == 200
    assert 429 in told


def test_who_watches_a_job_uses_up_nothing_of_the_rate_of_the_key(server: RunningServer) -> None:
    server.client().create_domain(DomainName="watched", DefaultExpirationDays=30)
    job_id = load(server, "watched", b"Email,First,Tier\na@x.example,Ann,\n")["JobId"]
    keys = make_key(server, "--name", "slow watcher", "--requests-per-second", "0.01")
    cookie = cookie_of(server, *keys)
    place = f"/console/domains/watched/jobs/{job_id}"

    told = [send(server, "GET", f"{place}/state", Cookie=cookie)[0] for _ in range(20)]

    assert told == [200] * 20
    assert send(server, "GET", place, Cookie=cookie)[0] == 200
    assert send(server, "GET", place, Cookie=cookie)[0] == 429


def test_a_form_that_comes_after_the_session_leads_back_to_its_page(server: RunningServer) -> None:
    def next_place(**headers: str) -> str:
        status, found, _ = send(server, "POST", "/console/domains/x/jobs/y/start", "csrf_token=0", **headers)
        assert status == 303
        address = urlsplit(found["location"])
        assert address.path == "/console/sign-in"
        query = parse_qs(address.query)
        assert query["expired"] == ["1"]
        return query["next"][0]

    own = server.url + "/console/domains/x/jobs/y"
    assert next_place(Referer=own + "?a=b%26c") == "/console/domains/x/jobs/y?a=b%26c"
    elsewhere = ("https://evil.example/console/domains/x", "http://[", f"{server.url}//evil.example/console/", "", "x")
    for referer in (own + "/start", *elsewhere, f"{server.url}/console/sign-out", f"{server.url}/domains"):
        assert next_place(Referer=referer) == "/console/"
    assert next_place() == "/console/"
    page = send(server, "GET", f"/console/sign-in?expired=1&next={own}")[2]
    assert "Your session expired, and nothing was saved." in page
    assert 'name="next" value="/console/"' in page


def test_whoever_has_no_session_signs_out_too(server: RunningServer) -> None:
    cookie = cookie_of(server, *server.admin())
    token = csrf_token_of(server, cookie)

    for own in ({}, {"Cookie": "openprofiles_session=AAAA"}):
        status, headers, _ = send(server, "POST", "/console/sign-out", f"csrf_token={token}", **own)
        # Another site gets here without the cookie, which is left alone.
        assert (status, headers["location"], "set-cookie" in headers) == (303, "/console/sign-in", False)
    assert send(server, "POST", "/console/sign-out", "csrf_token=0", Cookie=cookie)[0] == 403
    status, headers, _ = send(server, "POST", "/console/sign-out", f"csrf_token={token}", Cookie=cookie)
    assert (status, headers["location"]) == (303, "/console/sign-in")
    assert "Max-Age=0" in headers["set-cookie"]


@pytest.fixture
def webmail() -> Iterator[Callable[[str], str]]:
    """Another site with one link; a function that sets where it leads to and gives the site's address."""
    target = ""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<a href="{target}">a link</a>'.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Thread(target=site.serve_forever).start()

    def lead_to(address: str) -> str:
        nonlocal target
        target = address
        # The other name makes it another site than the server's.
        return f"http://localhost:{site.server_port}/"

    yield lead_to
    site.shutdown()
    site.server_close()


def test_a_link_on_another_site_leads_whoever_is_signed_in_straight_to_the_page(
    page: Page, server: RunningServer, webmail: Callable[[str], str]
) -> None:
    server.client().create_domain(DomainName="sent", DefaultExpirationDays=30)
    asked: list[str] = []
    page.goto(webmail(f"{server.url}/console/domains/sent?x=1%262"))
    page.on("request", lambda request: asked.append(request.url) if request.is_navigation_request() else None)

    page.get_by_role("link", name="a link").click()

    expect(page.get_by_role("heading", name="sent", level=1)).to_be_visible()
    assert page.url == f"{server.url}/console/domains/sent?x=1%262"
    assert len(asked) == 3
    page.go_back()
    page.wait_for_url("http://localhost:*/")


def test_a_link_on_another_site_leads_whoever_is_not_signed_in_to_the_sign_in_and_on(
    visitor: Page, server: RunningServer, webmail: Callable[[str], str]
) -> None:
    server.client().create_domain(DomainName="sent2", DefaultExpirationDays=30)
    asked: list[str] = []
    visitor.goto(webmail(f"{server.url}/console/domains/sent2"))
    visitor.on("request", lambda request: asked.append(request.url) if request.is_navigation_request() else None)
    visitor.get_by_role("link", name="a link").click()
    visitor.get_by_label("Access key ID").fill(server.admin()[0])
    assert len(asked) == 2
    visitor.get_by_label("Secret access key").fill(server.admin()[1])
    visitor.keyboard.press("Enter")

    expect(visitor.get_by_role("heading", name="sent2", level=1)).to_be_visible()


def test_the_step_for_links_on_other_sites_leads_nowhere_else(server: RunningServer) -> None:
    status, _, text = send(server, "GET", "/console/domains/%22%3E%3Cb%3E", **{"Sec-Fetch-Site": "cross-site"})
    assert (status, "<b>" in text) == (200, False)
    assert 'content="0;url=/console/sign-in?next=%2Fconsole%2Fdomains%2F' in text
    keys = make_key(server, "--name", "shut out")
    cookie = cookie_of(server, *keys)
    run_command("credentials", "revoke", keys[0], "--data", server.data_folder)
    time.sleep(1.1)
    # Whoever was shut out stays at the sign-in.
    assert send(server, "GET", "/console/sign-in?next=/console/", Cookie=cookie)[0] == 200
    own = cookie_of(server, *server.admin())
    status, headers, _ = send(server, "GET", "/console/sign-in?next=//evil.example/", Cookie=own)
    assert (status, headers["location"]) == (303, "/console/")
    # Whoever wants to be somebody else is let.
    assert send(server, "GET", "/console/sign-in", Cookie=own)[0] == 200


def test_who_may_only_list_jobs_learns_no_counts_of_them(server: RunningServer) -> None:
    server.client().create_domain(DomainName="listed", DefaultExpirationDays=30)
    load(server, "listed", b"Email,First,Tier\na@x.example,Ann,\n")
    made = run_command(
        "credentials", "create", "--data", server.data_folder, "--name", "lister", "--action", "profile:List*",
        "--action", "profile:GetDomain", "--output", "json",
    )  # fmt: skip
    keys = json.loads(made.stdout)
    cookie = cookie_of(server, keys["access_key_id"], keys["secret_access_key"])

    pages = [send(server, "GET", f"/console/domains/listed{rest}", Cookie=cookie) for rest in ("/jobs", "")]

    assert [status for status, _, _ in pages] == [200, 200]
    for _, _, page in pages:
        assert "Succeeded" in page
        assert ">Failed</th>" not in page
        assert "Unchanged" not in page
        assert "Profiles created by imports" not in page
