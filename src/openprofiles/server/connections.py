"""Limit the connections of a server, their time and their bytes.

uvicorn has no such limits, so a client without a credential could take all files or all memory of the process. A
connection with a slow client ends after some 30 seconds. At the limit of connections, the one that has kept the server
waiting for longest makes room for a new one.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from openprofiles.logs import EventLogger
from openprofiles.wire.errors import WireError, write_error

logger = EventLogger("openprofiles.server.connections")

# A route sets this in the state of a request that has proved who sends it and that limits the time of its body itself.
OWN_PACE: Final = "keeps_own_pace"

# New connections that are taken in one turn of the event loop. asyncio takes as many as its backlog says, before the
# first of them can make room, and writes one log entry for each that finds no file.
ACCEPTS_PER_TURN = 16

# Files for everything that is not a connection: 64 connections to the store with three files each, pipes to workers,
# connections to an object store, and new connections that are waiting for room to be made.
_OTHER_FILES = 256
# More would be of no use to one process, and each takes some 10 kB.
_MOST_CONNECTIONS = 4096
_FEWEST_CONNECTIONS = 16

_SWEEP_SECONDS = 1.0
# How long a client that is still sending may take to read why it was refused.
_LINGER_SECONDS = 2.0
_MOST_LINGERING = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for the clients of one server.

    Attributes:
        connections: at one time.
        head_bytes: of the request line and all headers.
        patience_seconds: for a whole head, for a body in addition to ``body_bytes_per_second``, and for each sign that
            an answer is being read.
        body_bytes_per_second: what a client must send on average once its patience is used up.
        held_body_bytes: in memory, of all requests that were not answered yet.
        pipelined_requests: that wait on one connection for the answer of the first.
    """

    connections: int
    head_bytes: int = 32 * 1024
    patience_seconds: float = 30.0
    body_bytes_per_second: int = 64 * 1024
    held_body_bytes: int = 128 * 1024 * 1024
    pipelined_requests: int = 16


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return _MOST_CONNECTIONS * 4 if hard == resource.RLIM_INFINITY else hard


def connection_limit(file_limit: int) -> int:
    """Derive the limit of connections from the limit of open files.

    Each connection may be an upload, which opens a second file.
    """
    return max(_FEWEST_CONNECTIONS, min(_MOST_CONNECTIONS, (file_limit - _OTHER_FILES) // 2))


class Connections:
    """Keep all connections of one server within its limits.

    Give ``make_protocol`` to uvicorn as its HTTP protocol.

    Attributes:
        limits: they hold for all of them together.
        ended: how many were ended by this server, by reason.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.ended: Counter[str] = Counter()
        self._open: set[_Connection] = set()
        # Refused ones, whose clients may still read why.
        self._lingering: set[_Connection] = set()
        # Those that the server waits for, the one that began first at the beginning.
        self._waiting: dict[_Connection, None] = {}
        self._held_body_bytes = 0
        self._is_sweeping = False

    def make_protocol(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> asyncio.Protocol:
        """Make the protocol of a new connection."""
        return _Connection(self, config, server_state, app_state, _loop)

    @property
    def open_count(self) -> int:
        """The number of open connections."""
        return len(self._open)

    def add(self, connection: _Connection, loop: asyncio.AbstractEventLoop) -> bool:
        """Accept a new connection, closing another one for it if necessary.

        Returns:
            whether there is room for it.
        """
        self._open.add(connection)
        if not self._is_sweeping:
            self._is_sweeping = True
            loop.call_later(_SWEEP_SECONDS, self._sweep, loop)
        if len(self._open) <= self.limits.connections:
            self.await_client(connection)
            return True
        longest_waiting = next((one for one in self._waiting if not one.keeps_own_pace), None)
        if longest_waiting is None:
            return False
        self.note_end("connection limit")
        longest_waiting.drop()
        self.await_client(connection)
        return True

    def remove(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        self._lingering.discard(connection)
        self._waiting.pop(connection, None)

    def await_client(self, connection: _Connection) -> None:
        """Begin to wait for the client."""
        self._waiting.pop(connection, None)
        self._waiting[connection] = None

    def await_server(self, connection: _Connection) -> None:
        """Stop waiting for the client."""
        self._waiting.pop(connection, None)

    def linger(self, connection: _Connection) -> bool:
        """Keep a refused connection for a moment, outside the limit.

        Returns:
            False if there are too many of them already.
        """
        self.remove(connection)
        if len(self._lingering) >= _MOST_LINGERING:
            return False
        self._lingering.add(connection)
        return True

    def hold(self, connection: _Connection, size_bytes: int) -> bool:
        """Count bytes of a body, and end requests to make room for them.

        Returns:
            False if this connection is the one that must end.
        """
        self._held_body_bytes += size_bytes
        while self._held_body_bytes > self.limits.held_body_bytes:
            # Complete ones are about to be answered. Of the others, the first has had most time.
            victim = next((one for one in self._waiting if one.held_bytes and not one.keeps_own_pace), connection)
            if victim is connection:
                return False
            victim.refuse(_no_room_for_bodies(), "body memory")
        return True

    def release(self, size_bytes: int) -> None:
        """Subtract the bytes of bodies that are no longer in memory."""
        self._held_body_bytes -= size_bytes

    def note_end(self, reason: str) -> None:
        """Count the end of a connection, and log it unless the reason is "idle"."""
        self.ended[reason] += 1
        if reason != "idle":
            logger.warning("connection_ended", reason=reason)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        for connection in (*self._open, *self._lingering):
            connection.check_time(now)
        self._is_sweeping = bool(self._open or self._lingering)
        if self._is_sweeping:
            loop.call_later(_SWEEP_SECONDS, self._sweep, loop)


class _Phase(Enum):
    # Nothing of a request has come yet, or since the last answer.
    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    # The request is complete, and the server's turn.
    WHOLE = auto()
    # The client was refused; whatever it still sends is dropped.
    REFUSED = auto()


class _Refusal(Exception):
    """Ends the parsing of a request."""

    def __init__(self, error: WireError, reason: str) -> None:
        super().__init__(reason)
        self.error = error
        self.reason = reason


class _Connection(HttpToolsProtocol):
    """uvicorn's connection, with limits.

    Attributes:
        held_bytes: of bodies of requests that were not answered yet.
    """

    def __init__(
        self,
        connections: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        super().__init__(config, server_state, app_state, loop)
        self.held_bytes = 0
        self._all = connections
        self._limits = connections.limits
        self._phase = _Phase.IDLE
        self._deadline: float | None = None
        self._head_bytes = 0
        # What came since the parser last reported something: the beginning of a header that has no end yet.
        self._unreported_bytes = 0
        self._unsent_bytes = 0
        self._unsent_since = 0.0

    @property
    def keeps_own_pace(self) -> bool:
        """Whether the present request has its own time limit."""
        return self._phase is _Phase.BODY and OWN_PACE in self.cycle.scope["state"]

    @property
    def _has_request(self) -> bool:
        """Whether this connection has had a request; ``cycle`` is its last one."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline = time.monotonic() + self._limits.patience_seconds
        if not self._all.add(self, self.loop):
            self.refuse(_no_room_for_connections(), "connection limit")

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.remove(self)
        self._release_bodies()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._phase is _Phase.REFUSED:
            return
        self._unset_keepalive_if_required()
        if self._phase is _Phase.IDLE and self._has_request and not self._unreported_bytes:
            # The time of the first head began with the connection. Line breaks before a head give no more time.
            self._begin_waiting()
        self._unreported_bytes += len(data)
        try:
            self.parser.feed_data(data)
            if self._unreported_bytes > self._limits.head_bytes:
                raise self._head_too_large()
        except httptools.HttpParserUpgrade:
            # Continue with HTTP/1.1.
            pass
        except _Refusal as refusal:
            self.refuse(refusal.error, refusal.reason)
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, _Refusal):
                self.refuse(cause.error, cause.reason)
            else:
                message = "The request is not HTTP/1.1. If it is meant to be HTTPS, use http:// or a proxy with TLS."
                self.refuse(WireError("BadRequestException", message), "not HTTP")

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= self._limits.pipelined_requests:
            message = f"At most {self._limits.pipelined_requests} requests may be pending on one connection."
            raise _Refusal(WireError("BadRequestException", message), "pipelined requests")
        super().on_message_begin()
        self._phase = _Phase.HEAD
        self._head_bytes = 0
        self._unreported_bytes = 0
        if self._deadline is None:
            self._begin_waiting()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._limits.head_bytes:
            message = f"The request line is longer than {self._limits.head_bytes} bytes."
            raise _Refusal(WireError("RequestUriTooLongException", message), "large head")
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value) + len(b": \r\n"))
        # After a chunked body headers may follow, which were not there when the request was looked at.
        if self._phase is _Phase.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._phase = _Phase.BODY
        self._unreported_bytes = 0
        self._begin_waiting()

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._unreported_bytes = 0
        if self.cycle.response_complete or self.keeps_own_pace or self._deadline is None:
            return
        self._deadline += len(body) / self._limits.body_bytes_per_second
        if self.cycle.response_started:
            # The application reads the rest only to drop it.
            return
        self.held_bytes += len(body)
        if not self._all.hold(self, len(body)):
            raise _Refusal(_no_room_for_bodies(), "body memory")

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._unreported_bytes = 0
        self._deadline = None
        if self.cycle.response_complete:
            self._become_idle()
        else:
            self._phase = _Phase.WHOLE
            self._all.await_server(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:
            self._release_bodies()
            if self._phase is _Phase.WHOLE:
                self._become_idle()

    def timeout_keep_alive_handler(self) -> None:
        # An answer to a request that is still coming, or that is not read yet, has time limits of its own.
        if self._phase is _Phase.IDLE:
            self._deadline = time.monotonic()

    def refuse(self, error: WireError, reason: str) -> None:
        """Answer with an error, if an answer is still possible, and end the connection.

        Args:
            reason: for the log and the metrics.
        """
        self._all.note_end(reason)
        phase = self._phase
        self._phase = _Phase.REFUSED
        self._deadline = None
        self._unset_keepalive_if_required()
        self._release_bodies()
        is_answering = self._has_request and not self.cycle.response_complete
        if phase is not _Phase.BODY and is_answering:
            # The client gets the answers to its earlier requests, and none after those.
            self.cycle.keep_alive = False
            self._all.await_server(self)
        elif phase is _Phase.BODY and is_answering and (self.pipeline or self.cycle.response_started):
            self.drop()
        else:
            if phase is not _Phase.BODY or is_answering:
                self._write_answer(error)
            if is_answering:
                # The application gives up what it was about to read.
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            self._linger()

    def drop(self) -> None:
        """End the connection at once."""
        self._all.remove(self)
        self._release_bodies()
        self.transport.abort()

    def check_time(self, now: float) -> None:
        """End the connection if its client is out of time."""
        unsent_bytes = self.transport.get_write_buffer_size()
        if unsent_bytes != self._unsent_bytes or not unsent_bytes:
            self._unsent_bytes = unsent_bytes
            self._unsent_since = now
        if now - self._unsent_since > self._limits.patience_seconds:
            self._all.note_end("unread answer")
            self.drop()
        elif self._deadline is None or now < self._deadline:
            return
        elif self._phase is _Phase.REFUSED:
            self.drop()
        elif self.keeps_own_pace:
            self._deadline = None
            self._all.await_server(self)
        elif self._phase is _Phase.BODY and (self.flow.read_paused or self.cycle.waiting_for_100_continue):
            # It is the application that keeps the client waiting.
            self._deadline = now + self._limits.patience_seconds
        elif self._phase is _Phase.BODY:
            self.refuse(_too_slow(), "slow body")
        elif self._phase is _Phase.HEAD or self._unreported_bytes:
            self.refuse(_too_slow(), "slow head")
        elif not unsent_bytes:
            self._all.note_end("idle")
            self.drop()

    def _begin_waiting(self) -> None:
        self._deadline = time.monotonic() + self._limits.patience_seconds
        self._all.await_client(self)

    def _become_idle(self) -> None:
        """Wait for the next request; uvicorn ends the connection when none comes in its time for that."""
        self._phase = _Phase.IDLE
        self._deadline = None
        self._all.await_client(self)

    def _count_head(self, size_bytes: int) -> None:
        self._unreported_bytes = 0
        self._head_bytes += size_bytes
        if self._head_bytes > self._limits.head_bytes:
            raise self._head_too_large()

    def _head_too_large(self) -> _Refusal:
        message = f"The head of the request is larger than {self._limits.head_bytes} bytes."
        return _Refusal(WireError("RequestHeaderFieldsTooLargeException", message), "large head")

    def _release_bodies(self) -> None:
        self._all.release(self.held_bytes)
        self.held_bytes = 0

    def _write_answer(self, error: WireError) -> None:
        status, headers, body = write_error(error)
        headers = [
            *self.server_state.default_headers,
            *headers,
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[status] + lines + b"\r\n" + body)

    def _linger(self) -> None:
        """Close our side, and drop what still comes for a moment.

        If the connection were closed at once, most clients would not see the answer.
        """
        if self._all.linger(self):
            self._deadline = time.monotonic() + _LINGER_SECONDS
            self.transport.write_eof()
        else:
            self.drop()


def _too_slow() -> WireError:
    return WireError("RequestTimeoutException", "The request did not arrive in time. Send it again.")


def _no_room_for_connections() -> WireError:
    return WireError("ServiceUnavailableException", "The server has too many open connections. Try again later.")


def _no_room_for_bodies() -> WireError:
    message = "The server is receiving too many request bodies. Try again later."
    return WireError("ServiceUnavailableException", message)
