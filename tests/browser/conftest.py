"""A real Chromium and a real server.

They end with the last test here: Playwright leaves an event loop running, in which no other test could start its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from acceptance.forked_loaders import ForkedLoaders
from acceptance.running import RunningServer, running_server

CHROMIUM = (
    os.environ.get("OPENPROFILES_CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
)
DEADLINE_MS = 30_000
expect.set_options(timeout=DEADLINE_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("There is no Chromium here, so the console's tests are left out. `make test-setup` installs it.")
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work for root.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        # A page that opens while another one of the site is open needs no process of its own.
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=[*arguments, "--renderer-process-limit=1"])
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, forked_loaders: ForkedLoaders) -> Iterator[RunningServer]:
    """Run a server for all files: to start one takes as long as two tests. Each test uses domains of its own."""
    data_folder = tmp_path_factory.mktemp("console") / "data"
    with running_server(data_folder, "--workers", "1", **forked_loaders.variables) as running:
        yield running


@pytest.fixture(scope="package")
def kept_context(browser: Browser, server: RunningServer) -> Iterator[tuple[BrowserContext, list[str]]]:
    """Open a browser profile for all tests; return it with the faults of its pages."""
    made = browser.new_context(base_url=server.url, locale="en-GB", timezone_id="Europe/Berlin")
    made.set_default_timeout(DEADLINE_MS)
    faults: list[str] = []
    made.on("weberror", lambda error: faults.append(str(error.error)))
    # A refusal by the Content-Security-Policy is told on the browser's console.
    made.on(
        "console", lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None
    )
    # As long as a page is open, the process that renders the others stays.
    made.new_page()
    yield made, faults
    made.close()


@pytest.fixture
def context(kept_context: tuple[BrowserContext, list[str]]) -> Iterator[BrowserContext]:
    """Open a browser profile without cookies and permissions. An error in a page's script fails the test.

    A new profile for each test takes a third more processor time: it also starts a process, and fetches and compiles
    the scripts anew. Pages, with all that a test changes about them, are new in each test.
    """
    kept, faults = kept_context
    faults.clear()
    kept.clear_cookies()
    yield kept
    for page in kept.pages[1:]:
        page.close()
    kept.clear_permissions()
    assert faults == []


@pytest.fixture
def visitor(context: BrowserContext) -> Page:
    """Open a page without signing in."""
    return context.new_page()


@pytest.fixture(scope="package")
def admin_session(browser: Browser, server: RunningServer) -> Any:
    """Sign in as administrator once for all tests; return the cookie."""
    context = browser.new_context(base_url=server.url)
    context.set_default_timeout(DEADLINE_MS)
    sign_in(context.new_page(), *server.admin())
    (cookie,) = context.cookies()
    context.close()
    return cookie


@pytest.fixture
def page(visitor: Page, server: RunningServer, admin_session: Any) -> Page:
    """Open a page as administrator."""
    visitor.context.add_cookies([admin_session])
    return visitor


def sign_in(page: Page, access_key_id: str, secret: str) -> None:
    page.goto("/console/sign-in")
    page.get_by_label("Access key ID").fill(access_key_id)
    page.get_by_label("Secret access key").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console/")


def follow(link: Locator) -> None:
    """Click a link and wait for its page: the click alone returns while the page before is still shown."""
    with link.page.expect_navigation():
        link.click()


# Contrast depends on nothing else than this, and to measure it is half of the work. So of all texts with the same
# colours on the same backgrounds, one is checked.
_FIND_COLOURS = """() => {
    const chains = new Map();
    const chainOf = element => {
        if (element === null) return "";
        if (!chains.has(element)) {
            const style = getComputedStyle(element);
            const own = [style.color, style.backgroundColor, style.backgroundImage, style.opacity, style.position];
            chains.set(element, `${own.join()}/${chainOf(element.parentElement)}`);
        }
        return chains.get(element);
    };
    const found = new Map();
    for (const element of document.body.querySelectorAll("*")) {
        const hasText = [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
        if (!element.checkVisibility() || !(hasText || "value" in element)) continue;
        const style = getComputedStyle(element);
        const own = [element.localName, style.fontSize, style.fontWeight, style.textDecorationLine, style.textShadow];
        const key = [...own, element.disabled, chainOf(element)].join();
        if (!found.has(key)) found.set(key, element);
    }
    return [...found.values()];
}"""


@pytest.fixture
def find_barriers() -> Callable[[Page], list[str]]:
    """Return the accessibility faults of a page; in dark mode, only those of colours."""
    # Where all is well need not be told. No rule of these needs the style sheets a second time.
    told = {"resultTypes": ["violations"], "preload": False}
    rules_of_colour = ["color-contrast", "link-in-text-block"]
    every_other_rule = {
        "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
        "rules": {rule: {"enabled": False} for rule in rules_of_colour},
        **told,
    }

    def find(page: Page) -> list[str]:
        # Without its style sheet, a page that is still being loaded has other faults.
        page.wait_for_load_state()
        if not page.evaluate("'axe' in window"):
            page.evaluate(Axe().axe_script)
        found = [("", page.evaluate("options => axe.run(options)", every_other_rule))]
        of_colours = f"options => axe.run({{include: ({_FIND_COLOURS})()}}, options)"
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
            found.append((f"{scheme}: ", page.evaluate(of_colours, {"runOnly": rules_of_colour, **told})))
        page.emulate_media(color_scheme="light")
        return [
            f"{scheme}{violation['id']} at {[node['target'] for node in violation['nodes']]}: {violation['help']}"
            for scheme, results in found
            for violation in results["violations"]
        ]

    return find


def screenshot(page: Page, path: Path) -> None:
    """Save the whole page as a picture, for inspection by hand."""
    page.screenshot(path=path, full_page=True)
