"""The wire layer on a real socket, for tests."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
import uvicorn
from botocore.config import Config
from starlette.types import ASGIApp

from openprofiles.wire.model import Operation, load_model
from openprofiles.wire.signature import SignedRequest, verify

MODEL = load_model()
ACCESS_KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

# For servers that trust everyone: well formed, and signed by nobody.
UNVERIFIED = (
    f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/20260131/us-east-1/profile/aws4_request, SignedHeaders=host, "
    "Signature=00"
)


def verify_signature(request: SignedRequest) -> str:
    """Authenticate as the server does; the principal is the access key id."""
    return verify(request, {ACCESS_KEY_ID: SECRET}.get, datetime.now(UTC)).access_key_id


def trust_everyone(request: SignedRequest) -> str:
    return "anyone"


def allow_everything(principal: str, operation: Operation, request: dict[str, Any]) -> None:
    pass


@contextmanager
def serve(app: ASGIApp, http: Any = "httptools") -> Iterator[str]:
    """Run an application under uvicorn in a thread during the block; yield its address.

    Args:
        http: uvicorn's protocol.
    """
    # asyncio turns Nagle's algorithm off only where the protocol is named; otherwise each answer takes 40 ms.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=http, ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline, "uvicorn did not start in 10 seconds"
            time.sleep(0.005)
        yield "http://{}:{}".format(*listener.getsockname())
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        assert not thread.is_alive(), "uvicorn did not stop in 10 seconds"


def connect(address: str, *, secret: str = SECRET, access_key_id: str = ACCESS_KEY_ID) -> Any:
    """Return a boto3 client of the service, untyped, since tests call operations by name."""
    return boto3.client(
        "customer-profiles",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}),
    )


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error_code(self) -> str | None:
        return self.headers.get("x-amzn-errortype")

    @property
    def message(self) -> str:
        return str(json.loads(self.body)["Message"])


@dataclass
class RawClient:
    """Sends requests that no SDK would send."""

    address: str
    _connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=20)

    def send(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> HttpAnswer:
        self._connection.request(method, target, body, {"Authorization": UNVERIFIED, **(headers or {})})
        response = self._connection.getresponse()
        content = response.read()
        return HttpAnswer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def close(self) -> None:
        self._connection.close()
