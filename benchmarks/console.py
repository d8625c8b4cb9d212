"""Measure the pages of the console on a store of many profiles: from the request to the last byte of the page.

One connection, like that of a browser, requests each page right after the start of the server and then repeatedly. The
time of style sheets and scripts does not count: they are small, and a browser caches them.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlencode

from benchmarks import data
from benchmarks.api import Caller, Place, running_server
from benchmarks.loads import DOMAIN, Figures, Sizes, first_file, import_command, second_file
from benchmarks.processes import run

PREFIX = "console, "
PAGES = (
    "domains",
    "one domain",
    "its jobs",
    "a job",
    "the profiles that it made",
    "preview of its undo",
    "preview of the undo of a job that has changed many",
    "upload",
    "profiles",
    "a search by email",
    "a search by phone",
    "a search by account",
    "a search by name, of hundreds of profiles",
    "a search by profile id",
    "a profile",
    "editing it",
)
_VIEWS = 20


class ConsoleBenchmark:
    """The store is loaded when an instance is created."""

    def __init__(self, folder: Path, sizes: Sizes, figures: Figures) -> None:
        self._figures = figures
        self._customer = next(data.customers([sizes.many_rows // 2])).split(",")
        self._place = Place(folder / "data-console")
        shutil.rmtree(self._place.folder, ignore_errors=True)
        for file in (
            first_file(folder, sizes.many_rows),
            second_file(folder, min(sizes.rows, sizes.many_rows), sizes.many_rows),
        ):
            run(import_command(file, *self._place.options))

    def round(self) -> None:
        """Request each page."""
        with running_server(self._place) as port:
            caller = Caller(self._place.folder, port)
            browser = _Browser(port)
            browser.sign_in(caller.access_key_id, caller.secret)
            for name, path in self._paths(caller).items():
                views = [browser.view_ms(path) for _ in range(1 + _VIEWS)]
                self._figures.add(f"{PREFIX}{name}, first", views[0])
                self._figures.add(f"{PREFIX}{name}, again", statistics.median(views[1:]))

    def _paths(self, caller: Caller) -> Mapping[str, str]:
        account, first_name, last_name, email, phone = self._customer[:5]
        domain = f"/console/domains/{DOMAIN}"
        second, job = (f"{domain}/jobs/{one['JobId']}" for one in caller.jobs())
        profile_id = caller.find("_account", account)
        profile = f"{domain}/profiles/{profile_id}"
        searches = (email, phone, account, f"{first_name} {last_name}", profile_id)
        of_jobs = (f"{domain}/jobs", job, f"{job}/profiles", f"{job}/undo", f"{second}/undo")
        paths = ("/console/", domain, *of_jobs, f"{domain}/upload", f"{domain}/profiles")
        found = (f"{domain}/profiles?q={quote(text)}" for text in searches)
        return dict(zip(PAGES, (*paths, *found, profile, f"{profile}/edit"), strict=True))


class _Browser:
    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)
        self._origin = f"http://127.0.0.1:{port}"
        self._cookie = ""

    def sign_in(self, access_key_id: str, secret: str) -> None:
        form = urlencode({"access_key_id": access_key_id, "secret_access_key": secret})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self._origin}
        self._connection.request("POST", "/console/sign-in", form, headers)
        answer = self._connection.getresponse()
        answer.read()
        self._cookie = (answer.headers["Set-Cookie"] or "").split(";")[0]

    def view_ms(self, path: str) -> float:
        """Return the milliseconds until the page has arrived.

        Raises:
            RuntimeError: The server answered something else.
        """
        started = time.perf_counter()
        self._connection.request("GET", path, headers={"Accept": "text/html", "Cookie": self._cookie})
        answer = self._connection.getresponse()
        page = answer.read()
        ended = time.perf_counter()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}: {page.decode(errors='replace')}")
        return 1000 * (ended - started)
