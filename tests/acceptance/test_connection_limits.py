"""A client without a credential cannot take the server's files, memory or log."""

from __future__ import annotations

import re
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from acceptance.running import RunningServer, server_with_few_files, wait_until

# As most systems have it for a program that does not ask for more.
FILE_LIMIT = 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with server_with_few_files(tmp_path_factory.mktemp("limits") / "data", FILE_LIMIT) as running:
        yield running


def connect(server: RunningServer) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=30)


@contextmanager
def many_files() -> Iterator[None]:
    """Lets this process open some thousand files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def quickest_answer_seconds(server: RunningServer) -> float:
    """Of three, since another program may hold this one up for a moment."""
    times = []
    for _ in range(3):
        started = time.monotonic()
        assert server.get("/healthz")[0] == 200
        times.append(time.monotonic() - started)
    return min(times)


def test_a_server_may_open_as_many_files_as_the_system_allows_it(server: RunningServer) -> None:
    limits = Path(f"/proc/{server.process.pid}/limits").read_text()

    assert re.search(rf"^Max open files +{FILE_LIMIT} +{FILE_LIMIT} ", limits, re.MULTILINE)


OPENINGS = {
    "idle": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost: h\r\n",
    "half a body": b"POST /domains/d HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{",
}


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=OPENINGS)
def test_fifteen_hundred_connections_that_do_nothing_are_not_in_the_way(server: RunningServer, opening: bytes) -> None:
    log_bytes = len(server.log())
    with many_files(), ExitStack() as stack:
        for _ in range(1500):
            stack.enter_context(connect(server)).sendall(opening)

        seconds = quickest_answer_seconds(server)
        domains = server.client().list_domains()

    assert seconds < 1
    assert domains["Items"] == []
    assert len(server.log()) - log_bytes < 20_000


def test_a_head_of_64_megabytes_takes_no_memory(server: RunningServer) -> None:
    quickest_answer_seconds(server)
    before = memory_bytes(server, "VmRSS")
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
    line = b"X-A: b\r\n" * 8192
    with connect(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n")
        sent_bytes = 0
        while sent_bytes < 64_000_000:
            try:
                connection.sendall(line)
            except (BrokenPipeError, ConnectionResetError):
                break
            sent_bytes += len(line)
        assert quickest_answer_seconds(server) < 1

    # The most since the peak was set back.
    assert memory_bytes(server, "VmHWM") - before < 20_000_000


def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_error_of_the_server(server: RunningServer) -> None:
    for path in ("/openprofiles/v1/domains/d/webhook", "/console/sign-in"):
        method = "PUT" if "webhook" in path else "POST"
        with connect(server) as connection:
            connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{{".encode())

    # Of operations, only answers are logged: those who come and go must not fill the disk.
    wait_until(lambda: server.log().count("status=0") == 1, "the request for a page is logged")
    assert "Traceback" not in server.log()
    assert "InternalServerException" not in server.log()


def memory_bytes(server: RunningServer, name: str) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    (kilobytes,) = re.findall(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return 1024 * int(kilobytes)
