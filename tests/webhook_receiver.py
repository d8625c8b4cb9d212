"""A real HTTP server that receives webhooks, for tests."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One POST. The names of headers are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    def is_signed_with(self, secret: str) -> bool:
        signed = f"{self.headers['x-openprofiles-timestamp']}.".encode() + self.body
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        return self.headers["x-openprofiles-signature"] == f"v1={expected}"


@dataclass
class Receiver:
    """
    Attributes:
        answers: the statuses of the next answers; when they are used up, 200.
        connections: how many were accepted.
        hold: requests are answered while it is set.
    """

    url: str
    port: int
    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    connections: int = 0
    hold: threading.Event = field(default_factory=threading.Event)

    def jobs(self) -> list[str]:
        """The ids of the jobs whose webhooks arrived, in order."""
        return [one.document["JobId"] for one in self.received]


@contextmanager
def webhook_receiver(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver on a free port, with TLS if a context is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body))
            receiver.hold.wait(60)
            self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
            self.send_header("Location", f"{receiver.url}/elsewhere")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> Any:
            accepted, address = super().get_request()
            receiver.connections += 1
            if context is not None:
                accepted = context.wrap_socket(accepted, server_side=True)
            return accepted, address

        def handle_error(self, *_arguments: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}", server.server_port)
    receiver.hold.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.hold.set()
        server.shutdown()
        server.server_close()
