"""Clients that are slow, send too much or never stop: each ends by itself, and none is in the way of others."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from starlette.types import Receive, Scope, Send

from openprofiles.server import connections as module
from openprofiles.server.connections import OWN_PACE, Connections, Limits, connection_limit
from wire.served import serve

PATIENCE_SECONDS = 0.3
GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the size of the body and the number of headers; a path chooses what else happens."""
    if scope["path"] == "/upload":
        scope["state"][OWN_PACE] = True
    if scope["path"] == "/late":
        await asyncio.sleep(4 * PATIENCE_SECONDS)
    if scope["path"] == "/refused":
        await send({"type": "http.response.start", "status": 403, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": b"refused", "more_body": True})
        while (await receive()).get("more_body", False):
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    size_bytes = 0
    while scope["path"] != "/early":
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size_bytes += len(message["body"])
        if not message["more_body"]:
            break
    content = json.dumps({"bytes": size_bytes, "headers": len(scope["headers"])}).encode()
    if scope["path"] == "/large":
        content = b"x" * 50_000_000
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(content))]})
    await send({"type": "http.response.body", "body": content})


@dataclass(frozen=True)
class Served:
    address: tuple[str, int]
    connections: Connections

    def connect(self, receive_buffer_bytes: int | None = None) -> socket.socket:
        connection = socket.socket()
        if receive_buffer_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        connection.settimeout(20)
        connection.connect(self.address)
        return connection

    def answer_to(self, *parts: bytes) -> bytes:
        """All that comes on one connection until the server ends it."""
        with self.connect() as connection:
            for part in parts:
                connection.sendall(part)
            return read_to_end(connection)

    def is_answering(self) -> bool:
        return b" 200 OK" in self.answer_to(GET.replace(b"Host", b"Connection: close\r\nHost"))


def read_to_end(connection: socket.socket) -> bytes:
    received = b""
    while True:
        try:
            part = connection.recv(1 << 16)
        except ConnectionResetError:
            return received
        if not part:
            return received
        received += part


def read_answer(connection: socket.socket) -> bytes:
    """One answer of ``echo``."""
    received = b""
    while not received.endswith(b"}"):
        part = connection.recv(1 << 16)
        assert part, "the server ended the connection"
        received += part
    return received


@contextmanager
def served(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(module, "_SWEEP_SECONDS", 0.05)
    monkeypatch.setattr(module, "_LINGER_SECONDS", 0.1)
    connections = Connections(limits)
    with serve(echo, connections.make_protocol) as address:
        host, port = address.removeprefix("http://").split(":")
        yield Served((host, int(port)), connections)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with served(Limits(connections=50), monkeypatch) as server:
        yield server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    limits = Limits(connections=50, patience_seconds=PATIENCE_SECONDS, body_bytes_per_second=1_000_000)
    with served(limits, monkeypatch) as server:
        yield server


def test_a_connection_that_sends_nothing_ends_without_an_answer(impatient: Served) -> None:
    assert impatient.answer_to() == b""
    assert impatient.connections.ended == {"idle": 1}


SLOW = {
    "half a head": (b"GET / HTTP/1.1\r\nHost: h\r\nX-A", "slow head"),
    "line breaks and no head": (b"\r\n\r\n", "slow head"),
    "half a body": (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf", "slow body"),
    "half a chunked body": (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf", "slow body"),
    "a second head": (GET + b"GET / HT", "slow head"),
}


@pytest.mark.parametrize(("sent", "reason"), SLOW.values(), ids=SLOW)
def test_a_request_that_does_not_go_on_is_answered_408(impatient: Served, sent: bytes, reason: str) -> None:
    answer = impatient.answer_to(sent)

    assert b"HTTP/1.1 408 " in answer
    assert b"x-amzn-errortype: RequestTimeoutException" in answer
    assert impatient.connections.ended == {reason: 1}


@pytest.mark.parametrize("beginning", [b"GET / HTTP/1.1\r\nX-A: ", b"POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n"])
def test_a_request_that_comes_in_drops_does_not_get_more_time(impatient: Served, beginning: bytes) -> None:
    with impatient.connect() as connection:
        connection.sendall(beginning)
        connection.settimeout(PATIENCE_SECONDS / 10)
        started = time.monotonic()
        answer = b""
        while not answer:
            assert time.monotonic() < started + 10, "the server went on waiting"
            try:
                answer = connection.recv(100)
            except TimeoutError:
                connection.sendall(b"x")

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_line_breaks_between_two_requests_do_not_give_more_time(impatient: Served) -> None:
    with impatient.connect() as connection:
        connection.sendall(GET)
        read_answer(connection)
        connection.settimeout(PATIENCE_SECONDS / 10)
        started = time.monotonic()
        answer = b""
        while not answer:
            assert time.monotonic() < started + 10 * PATIENCE_SECONDS, "the server went on waiting"
            try:
                answer = connection.recv(100)
            except TimeoutError:
                connection.sendall(b"\r\n")

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_large_body_that_comes_fast_enough_has_the_time_that_it_needs(impatient: Served) -> None:
    with impatient.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000001\r\n\r\n" + b"x" * 1_000_000)
        connection.settimeout(2 * PATIENCE_SECONDS)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(20)
        connection.sendall(b"x")
        answer = read_answer(connection)

    assert b'"bytes": 1000001' in answer


def test_a_request_that_keeps_its_own_pace_is_left_alone(impatient: Served) -> None:
    with impatient.connect() as connection:
        connection.sendall(b"PUT /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na")
        connection.settimeout(3 * PATIENCE_SECONDS)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(20)
        connection.sendall(b"b")
        answer = read_answer(connection)

    assert b'"bytes": 2' in answer


@pytest.mark.parametrize("header", [b"", b"Expect: 100-continue\r\n"], ids=["at once", "when it is asked for"])
def test_a_client_that_the_server_keeps_waiting_is_not_slow(impatient: Served, header: bytes) -> None:
    head = b"POST /late HTTP/1.1\r\nHost: h\r\n" + header + b"Content-Length: 500000\r\n\r\n"
    with impatient.connect() as connection:
        connection.sendall(head)
        if header:
            assert b" 100 " in connection.recv(100)
        connection.sendall(b"x" * 500_000)
        answer = read_answer(connection)

    assert b'"bytes": 500000' in answer


def test_a_client_that_does_not_read_its_answer_is_given_up(impatient: Served) -> None:
    with impatient.connect(receive_buffer_bytes=4096) as connection:
        connection.sendall(GET.replace(b"/a", b"/large"))
        deadline = time.monotonic() + 20
        while not impatient.connections.ended:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    assert impatient.connections.ended == {"unread answer": 1}


LARGE = {
    "many lines": (b"GET / HTTP/1.1\r\n", b"A: b\r\n", 431),
    "one line without end": (b"GET / HTTP/1.1\r\nA: ", b"x", 431),
    "a name without end": (b"GET / HTTP/1.1\r\n", b"x", 431),
    "a path without end": (b"GET /", b"x", 414),
    "lines after a body": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n", 431),
    "the extension of a chunk": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x", 431),
    "line breaks": (b"", b"\r\n", 431),
}


@pytest.mark.parametrize(("beginning", "more", "status"), LARGE.values(), ids=LARGE)
def test_a_head_of_more_than_32_kib_is_refused(patient: Served, beginning: bytes, more: bytes, status: int) -> None:
    with patient.connect() as connection:
        connection.sendall(beginning)
        # More than the 256 KiB that asyncio reads at once.
        for _ in range(40):
            try:
                connection.sendall(more * (16_384 // len(more)))
            except (ConnectionResetError, BrokenPipeError):
                break
        answer = read_to_end(connection)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert patient.is_answering()


def test_a_head_of_just_under_32_kib_is_taken(patient: Served) -> None:
    lines = b"".join(b"X-%04d: %s\r\n" % (number, b"x" * 90) for number in range(300))

    answer = patient.answer_to(b"GET / HTTP/1.1\r\nConnection: close\r\n" + lines + b"\r\n")

    assert b'"headers": 301' in answer


def test_headers_after_a_chunked_body_are_dropped(patient: Served) -> None:
    body = b"4\r\nbody\r\n0\r\nAuthorization: x\r\nX-Amz-Date: y\r\n\r\n"

    answer = patient.answer_to(b"POST / HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + body)

    assert b'{"bytes": 4, "headers": 2}' in answer


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET ? HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_answered_400(patient: Served, sent: bytes) -> None:
    answer = patient.answer_to(sent)

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"The request is not HTTP/1.1." in answer


def test_a_client_that_offers_another_protocol_is_answered_in_this_one(patient: Served) -> None:
    offer = b"GET / HTTP/1.1\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"

    answer = patient.answer_to(offer)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert patient.connections.ended == {}


def test_what_follows_a_good_request_does_not_cost_it_its_answer(patient: Served) -> None:
    answer = patient.answer_to(GET + b"\x16\x03\x01")

    assert answer.count(b"HTTP/1.1 200 OK") == 1
    assert b" 400 " not in answer


def test_requests_that_wait_on_one_connection_are_answered_in_order_and_are_limited(patient: Served) -> None:
    with patient.connect() as connection:
        connection.sendall(GET * 10)
        received = b""
        while received.count(b"}") < 10:
            received += connection.recv(1 << 16)
    flood = patient.answer_to(GET * 5000)

    assert received.count(b"HTTP/1.1 200 OK") == 10
    assert 1 <= flood.count(b"HTTP/1.1 200 OK") <= 17
    assert patient.connections.ended == {"pipelined requests": 1}


OPENINGS = [
    b"",
    b"GET / HTTP/1.1\r\n",
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf",
    GET,
]


@pytest.mark.parametrize("opening", OPENINGS, ids=["idle", "half a head", "half a body", "kept alive"])
def test_at_the_limit_the_connection_that_waits_for_longest_makes_room(patient: Served, opening: bytes) -> None:
    with ExitStack() as stack:
        connections: list[socket.socket] = []
        for _ in range(81):
            connections.append(stack.enter_context(patient.connect()))
            connections[-1].sendall(opening)
            if opening == GET:
                # Until it is answered, its connection does not wait, and makes no room.
                read_answer(connections[-1])

        assert patient.is_answering()
        assert b" 408 " not in read_to_end(connections[0])
        assert patient.connections.open_count <= 50


def test_at_the_limit_of_requests_that_cannot_end_a_new_one_is_answered_503(patient: Served) -> None:
    with ExitStack() as stack:
        for _ in range(50):
            connection = stack.enter_context(patient.connect())
            connection.sendall(b"PUT /upload HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            assert b" 100 " in connection.recv(100)

        answer = patient.answer_to(GET)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"x-amzn-errortype: ServiceUnavailableException" in answer


def test_the_bodies_of_all_requests_have_one_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(connections=50, held_body_bytes=1_000_000)
    post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\n"
    with served(limits, monkeypatch) as server, ExitStack() as stack:
        halves = [stack.enter_context(server.connect()) for _ in range(4)]
        for half in halves:
            half.sendall(post + b"x" * 300_000)
        # The first had most time.
        assert read_to_end(halves[0]).startswith(b"HTTP/1.1 503 ")
        for half in halves[1:]:
            half.sendall(b"x" * 100_000)
            assert b'"bytes": 400000' in read_answer(half)

        with server.connect() as next_one:
            next_one.sendall(post + b"x" * 400_000)
            assert b'"bytes": 400000' in read_answer(next_one)
        assert server.connections.ended == {"body memory": 1}


def test_a_body_that_is_dropped_after_the_answer_began_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"POST /refused HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n"
    with (
        served(Limits(connections=50, held_body_bytes=1_000_000), monkeypatch) as server,
        server.connect() as connection,
    ):
        connection.sendall(head)
        answer = connection.recv(1 << 16)
        connection.sendall(b"x" * 5_000_000)
        answer += read_to_end(connection)

        assert answer.startswith(b"HTTP/1.1 403 ")
        assert answer.endswith(b"\r\n0\r\n\r\n")
        assert not server.connections.ended


def test_a_body_that_follows_an_early_answer_does_not_count_and_has_its_time(impatient: Served) -> None:
    with impatient.connect() as connection:
        connection.sendall(b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na")
        assert b" 200 OK" in read_answer(connection)
        assert read_to_end(connection) == b""

    assert impatient.connections.ended == {"slow body": 1}


@pytest.mark.parametrize(("files", "connections"), [(1024, 384), (256, 16), (1_048_576, 4096)])
def test_the_limit_of_connections_leaves_files_for_uploads_and_the_store(files: int, connections: int) -> None:
    assert connection_limit(files) == connections
