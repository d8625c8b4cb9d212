"""A proxy that forwards every request and corrupts answers, as a failing network does."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

CUT = 0


@dataclass
class CuttingProxy:
    """A running proxy.

    Attributes:
        url: where it listens.
        spoilt: by the end of a path, what becomes of the first answers, in this order: CUT, the connection is closed
            without a word, or a status that is answered in place of the server's. The server has always done its work.
        bodies: by the same ends of paths, what was sent.
    """

    url: str
    spoilt: dict[str, list[int]]
    bodies: dict[str, list[bytes]] = field(default_factory=dict)

    def next_spoilt(self, path: str, body: bytes) -> int | None:
        """Decide what happens to the answer to this request; None forwards it."""
        for end, left in self.spoilt.items():
            if path.endswith(end):
                self.bodies.setdefault(end, []).append(body)
                return left.pop(0) if left else None
        return None


@contextmanager
def cutting_proxy(server_url: str, spoilt: Mapping[str, Sequence[int]]) -> Iterator[CuttingProxy]:
    """Run a proxy in front of a server, on a free port."""
    there = urlsplit(server_url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            connection = http.client.HTTPConnection(str(there.hostname), there.port, timeout=60)
            try:
                # With the Host that the client signed.
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                status, headers, content = answer.status, answer.getheaders(), answer.read()
            finally:
                connection.close()
            match proxy.next_spoilt(self.path, body):
                case None:
                    pass
                case 0:
                    self.close_connection = True
                    return
                case other:
                    status, headers, content = other, [], b""
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = pass_on  # noqa: N815  (http.server's names)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        proxy = CuttingProxy(
            f"http://127.0.0.1:{server.server_port}", {end: list(what) for end, what in spoilt.items()}
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
