"""One POST to the receiver of a webhook, to an address that was checked, within a fixed time."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from types import TracebackType

import openprofiles
from openprofiles.clock import to_milliseconds
from openprofiles.uploads.webhook_url import PrivateAddress, UnknownHost, WebhookUrl, resolve

TIMEOUT_SECONDS = 10.0

_NO_ANSWER = "No response within {:g} seconds."


class DeliveryFailed(Exception):
    """The receiver has not taken it; the message says why, in our words and without anything that it sent."""


def post(url: WebhookUrl, headers: Mapping[str, str], body: bytes, *, private_addresses: bool) -> None:
    """POST the body. Any 2xx is success; redirects are not followed, since they lead elsewhere than was checked.

    Raises:
        DeliveryFailed: it did not come to that.
    """
    try:
        addresses = resolve(url, private_addresses=private_addresses)
    except PrivateAddress:
        raise DeliveryFailed(
            "The host does not have a public IP address. The server's operator can allow it with "
            "--webhook-private-addresses."
        ) from None
    except UnknownHost:
        raise DeliveryFailed("The host cannot be resolved.") from None
    with _Deadline(TIMEOUT_SECONDS) as deadline:
        try:
            status = _exchange(url, addresses, headers, body, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if deadline.is_over or isinstance(error, TimeoutError):
                raise DeliveryFailed(_NO_ANSWER.format(TIMEOUT_SECONDS)) from None
            raise DeliveryFailed(_reason(error)) from None
        if deadline.is_over:
            # Cut off within the answer.
            raise DeliveryFailed(_NO_ANSWER.format(TIMEOUT_SECONDS))
    if 300 <= status < 400:
        raise DeliveryFailed(f"The response was {status}; redirects are not followed.")
    if not 200 <= status < 300:
        raise DeliveryFailed(f"The response was {status}.")


def signed_headers(secret: bytes, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers of a JSON body, with its signature."""
    timestamp = str(to_milliseconds(now) // 1000)
    signature = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "User-Agent": f"openprofiles/{openprofiles.__version__}",
        "x-openprofiles-timestamp": timestamp,
        "x-openprofiles-signature": f"v1={signature}",
    }


class _Deadline:
    """Ends a connection when the time is over, even if bytes still arrive slowly."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    @property
    def is_over(self) -> bool:
        return self.seconds_left <= 0

    @property
    def seconds_left(self) -> float:
        return self._end - time.monotonic()

    def watch(self, connected: socket.socket) -> None:
        """Watch this connection instead of the previous one."""
        with self._lock:
            self._socket = connected
        if self.is_over:
            self._cut()

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def _cut(self) -> None:
        with self._lock:
            if self._socket is not None:
                with suppress(OSError):
                    # The connection itself: TLS would say good-bye first.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _exchange(
    url: WebhookUrl, addresses: Sequence[str], headers: Mapping[str, str], body: bytes, deadline: _Deadline
) -> int:
    connection = http.client.HTTPConnection(url.host, url.port)
    # Already connected, so that http.client does not look the host up again.
    connection.sock = _connect(url, addresses, deadline)
    try:
        connection.request("POST", url.target, body, {"Host": url.authority, "Connection": "close", **headers})
        return connection.getresponse().status
    finally:
        connection.close()


def _connect(url: WebhookUrl, addresses: Sequence[str], deadline: _Deadline) -> socket.socket:
    failure: OSError = ConnectionRefusedError()
    for address in addresses:
        if deadline.is_over:
            raise TimeoutError
        try:
            connected = socket.create_connection((address, url.port), deadline.seconds_left)
        except OSError as error:
            failure = error
            continue
        deadline.watch(connected)
        if url.scheme == "https":
            secured = ssl.create_default_context().wrap_socket(
                connected, server_hostname=url.host, do_handshake_on_connect=False
            )
            deadline.watch(secured)
            secured.do_handshake()
            return secured
        return connected
    raise failure


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "The receiver's certificate could not be verified."
    if isinstance(error, ssl.SSLError):
        return "The TLS connection failed."
    if isinstance(error, ConnectionRefusedError):
        return "The connection was refused."
    if isinstance(error, http.client.HTTPException | ConnectionError):
        return "The connection closed without an HTTP response."
    return "The connection failed."
