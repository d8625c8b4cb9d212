"""The plugin for pytest, in the tests of another project; docs/testing.md has its tutorial, which is tested, too."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from acceptance.running import environment, wait_until

TESTS = """
import os
import time
from pathlib import Path

import pytest


def test_no_proxy_is_between(load_customers, tmp_path):
    file = tmp_path / "customers.csv"
    file.write_text("Email" + chr(10) + "ada@example.com" + chr(10))
    assert load_customers(file, "shop", unique_key="Email").created == 1


@pytest.mark.parametrize("number", range(4))
def test_each_test_begins_without_domains(customer_profiles, openprofiles_service, number):
    assert customer_profiles.list_domains()["Items"] == []
    for name in ("shop", "other"):
        customer_profiles.create_domain(DomainName=name, DefaultExpirationDays=30)
    with Path("urls").open("a") as urls:
        urls.write(openprofiles_service.endpoint_url + chr(10))
    # So that no worker takes all of them.
    time.sleep(0.1)
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments],
        cwd=folder,
        # Settings of another server, which this one must not take, and a proxy that does not exist.
        env=environment(
            OPENPROFILES_REGION="not-a-region",
            OPENPROFILES_STORE="postgresql://127.0.0.1:1/none",
            http_proxy="http://127.0.0.1:1",
        ),
        capture_output=True,
        text=True,
        timeout=120,
    )


def is_running(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((str(parts.hostname), parts.port or 0), timeout=10).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.long(daily="tests/docs/test_tutorial.py::test_the_commands_of_a_tutorial_print_what_it_says[testing]")
def test_each_worker_has_a_service_of_its_own_which_ends_with_the_tests(tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text(TESTS)

    answer = run(tmp_path, "-n", "2")

    assert "5 passed" in answer.stdout, answer.stdout + answer.stderr
    urls = set((tmp_path / "urls").read_text().split())
    assert len(urls) == 2
    assert not any(is_running(url) for url in urls)


def test_the_service_ends_with_tests_that_are_killed(tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text(TESTS.replace("time.sleep(0.1)", "os.kill(os.getpid(), 9)"))

    answer = run(tmp_path, "-k", "0")

    assert answer.returncode == -signal.SIGKILL
    (url,) = (tmp_path / "urls").read_text().split()
    wait_until(lambda: not is_running(url), "the service has ended")


@pytest.mark.parametrize(
    ("conftest", "message"),
    [
        ("import sys\nsys.modules['boto3'] = None\n", "need boto3. Install it: pip install 'openprofiles[client]'"),
        ("import sys\nsys.executable = '/bin/false'\n", "The server has not started. Its log:"),
    ],
    ids=["no boto3", "no server"],
)
def test_a_test_says_why_it_has_no_service(tmp_path: Path, conftest: str, message: str) -> None:
    (tmp_path / "test_shop.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text(conftest)

    answer = run(tmp_path, "-k", "1")

    assert answer.returncode == 1
    assert message in answer.stdout
