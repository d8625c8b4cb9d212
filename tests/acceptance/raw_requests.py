"""Requests of openprofiles' own paths as they are on the wire, also those that no client would send."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from acceptance.running import RunningServer

TIMEOUT_SECONDS = 60.0


def send_raw(server: RunningServer, method: str, *parts: str, body: bytes = b"", query: str = "") -> Any:
    """Send a body to the path of these parts below ``domains``, with the administrator's key.

    Returns:
        The document of the answer.

    Raises:
        ClientError: the server refused it.
    """
    path = "/".join(quote(part, safe="") for part in parts)
    url = f"{server.url}/openprofiles/v1/domains/{path}{query}"
    request = AWSRequest(method, url, data=body)
    SigV4Auth(Credentials(*server.admin()), "profile", "us-east-1").add_auth(request)
    answer = requests.request(method, url, data=body, headers=dict(request.headers.items()), timeout=TIMEOUT_SECONDS)
    if answer.ok:
        return answer.json() if answer.content else {}
    detail: Any = {"Code": answer.headers["x-amzn-errortype"], "Message": answer.json()["Message"]}
    raise ClientError({"Error": detail}, "raw")
