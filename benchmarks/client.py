"""A raw HTTP client in a separate process: sends signed requests as fast as the answers arrive.

Run as a program with one JSON object on standard input: ``port``, ``clients`` (connections), ``seconds``, ``requests``
(texts, sent in turn) and ``pause_seconds`` between an answer and the next request. It prints one JSON object:
``per_second``, ``p50_ms``, ``p99_ms``, ``longest_ms``, ``count``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
import time
from collections.abc import Callable, Iterator

_HEADER_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class _Connection(asyncio.Protocol):
    """One client. It sends the next request when the answer to the previous one is complete."""

    def __init__(
        self, requests: Iterator[bytes], latencies: list[float], pause_seconds: float, has_ended: Callable[[], bool]
    ) -> None:
        self.is_waiting = False
        self._has_ended = has_ended
        self._requests = requests
        self._latencies = latencies
        self._pause_seconds = pause_seconds
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(_HEADER_END)
        if not end:
            return
        length = _LENGTH.search(head)
        if length is None or len(body) < int(length[1]):
            return
        self._latencies.append(time.perf_counter() - self._sent_at)
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(self._received.decode(errors="replace"))
        self._received = b""
        self.is_waiting = False
        if self._has_ended():
            return
        if self._pause_seconds:
            asyncio.get_running_loop().call_later(self._pause_seconds, self._send)
        else:
            self._send()

    def _send(self) -> None:
        assert self._transport is not None
        if self._has_ended():
            return
        self.is_waiting = True
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._requests))


async def _measure(port: int, clients: int, seconds: float, requests: list[bytes], pause_seconds: float) -> list[float]:
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    in_turn = itertools.cycle(requests)
    end = time.perf_counter() + seconds
    connections = []
    for _ in range(clients):
        _, connection = await loop.create_connection(
            lambda: _Connection(in_turn, latencies, pause_seconds, lambda: time.perf_counter() >= end),
            "127.0.0.1",
            port,
        )
        connections.append(connection)
    # Requests in progress at the end count too, since these are most likely the long ones.
    while time.perf_counter() < end or any(connection.is_waiting for connection in connections):
        await asyncio.sleep(0.01)
    return latencies


def main() -> None:
    orders = json.load(sys.stdin)
    requests = [text.encode() for text in orders["requests"]]
    latencies = asyncio.run(
        _measure(orders["port"], orders["clients"], orders["seconds"], requests, orders["pause_seconds"])
    )
    latencies.sort()
    print(
        json.dumps(
            {
                "per_second": len(latencies) / orders["seconds"],
                "p50_ms": 1000 * latencies[len(latencies) // 2],
                "p99_ms": 1000 * latencies[len(latencies) * 99 // 100],
                "longest_ms": 1000 * latencies[-1],
                "count": len(latencies),
            }
        )
    )


if __name__ == "__main__":
    main()
