"""Make docs/console-job.png: the console's page of a real import of examples/webshop-export.csv.

Needs a Chromium (``make test-setup``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "console-job.png"
sys.path.insert(0, str(ROOT / "tests"))

from acceptance.running import command, environment, running_server  # noqa: E402  (a helper of the tests)
from browser.conftest import CHROMIUM, sign_in  # noqa: E402

_WIDTH, _HEIGHT = 1280, 900


def main() -> None:
    if CHROMIUM is None:
        raise SystemExit("There is no Chromium here. `make test-setup` installs it.")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "webshop-export.csv"
        shutil.copy(ROOT / "examples" / file.name, file)
        data = Path(folder) / "data"
        # Some of its rows fail, so the command exits with a status of its own.
        subprocess.run(
            command(
                "import", file, "--domain", "webshop", "--unique-key", "E-Mail", "--phone-region", "DE", "--data", data
            ),
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        with running_server(data, "--workers", "1") as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else []
            )
            page = browser.new_page(
                base_url=server.url, viewport={"width": _WIDTH, "height": _HEIGHT}, locale="en-GB", timezone_id="UTC"
            )
            sign_in(page, *server.admin())
            page.goto("/console/domains/webshop/jobs")
            page.get_by_role("link", name=file.name).click()
            page.wait_for_load_state("networkidle")
            page.screenshot(path=PICTURE)
            browser.close()
    print(f"wrote {PICTURE}")


if __name__ == "__main__":
    main()
