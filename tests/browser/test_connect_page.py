"""The lines with which programs connect are true for this server."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from acceptance.running import RunningServer, environment, running_server
from browser.test_profile_pages import require_width
from browser.test_sign_in import cookie_of, send
from openprofiles.server.console.connect import SNIPPETS

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def connect_page(page: Page) -> Page:
    page.goto("/console/")
    page.get_by_role("link", name="Connect").click()
    expect(page.get_by_role("heading", name="Connect your programs")).to_be_visible()
    return page


def keys_of(server: RunningServer) -> dict[str, str]:
    return dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), server.admin(), strict=True))


def run(server: RunningServer, *command: str) -> str:
    place = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "AWS_PAGER": "", "NO_PROXY": "*"}
    variables = environment(**keys_of(server), **place)
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_lines_for_boto3_and_the_aws_cli_run_as_they_stand(connect_page: Page, server: RunningServer) -> None:
    client = server.client()
    if not client.list_domains()["Items"]:
        client.create_domain(DomainName="reached", DefaultExpirationDays=30)
    name = client.list_domains()["Items"][0]["DomainName"]

    python = connect_page.locator("#boto3").text_content() or ""
    shell = connect_page.locator("#aws-cli").text_content() or ""

    assert f"'DomainName': '{name}'" in run(server, sys.executable, "-c", python)
    if shutil.which("aws", path=str(Path(sys.executable).parent)):
        assert f'"DomainName": "{name}"' in run(server, "sh", "-c", shell)


def test_all_lines_have_the_address_of_the_server_and_no_secret(
    connect_page: Page, server: RunningServer, find_barriers: Callable[[Page], list[str]]
) -> None:
    for snippet in SNIPPETS:
        code = connect_page.locator(f"#{snippet.name}")
        expect(code).to_contain_text(server.url)
        expect(code).to_contain_text("us-east-1")
    terraform = connect_page.locator("#terraform")
    expect(terraform).to_contain_text("skip_credentials_validation = true")
    expect(terraform).to_contain_text("skip_requesting_account_id  = true")
    content = connect_page.content()
    assert server.admin()[1] not in content
    assert "<ADDRESS>" not in content
    assert find_barriers(connect_page) == []
    connect_page.set_viewport_size({"width": 360, "height": 800})
    require_width(connect_page)


def test_a_button_copies_the_lines(connect_page: Page, context: BrowserContext, server: RunningServer) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])

    connect_page.get_by_role("button", name="Copy the lines for AWS CLI").click()

    expect(connect_page.get_by_role("status")).to_have_text("Copied.")
    copied = connect_page.evaluate("navigator.clipboard.readText()")
    assert copied == connect_page.locator("#aws-cli").text_content()


def test_behind_a_proxy_the_lines_have_the_public_address_and_the_region(tmp_path: Path) -> None:
    options = ("--workers", "0", "--public-url", "https://profiles.example.com", "--region", "eu-west-1")
    with running_server(tmp_path / "data", *options) as server:
        _, _, body = send(server, "GET", "/console/connect", Cookie=cookie_of(server, *server.admin()))

    assert "https://profiles.example.com" in body
    assert "eu-west-1" in body
    assert server.url not in body
    assert "us-east-1" not in body


def test_the_readme_says_the_same() -> None:
    text = README.read_text(encoding="utf-8")
    terraform = next(one.code for one in SNIPPETS if one.name == "terraform")

    assert terraform.replace("<ADDRESS>", "http://127.0.0.1:8420").replace("<REGION>", "us-east-1") in text
