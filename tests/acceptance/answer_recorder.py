"""Record the answers to a client. Values that differ in each run are replaced by names.

A name (``<id 3>``) is given in the order of first appearance, so it stays visible which ids, keys, tokens and times are
the same.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Hashable
from typing import Any
from urllib.parse import urlsplit

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

REGION = "us-east-1"
TIMEOUT_SECONDS = 60.0

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID = re.compile(r"\b[0-9a-f]{32}\b")
_SIGNATURE = re.compile(r"\b[0-9a-f]{64}\b")
_MOMENT = re.compile(r"\b[0-9]{8}T[0-9]{6}Z\b")
_DAY = re.compile(r"(?<=')20[0-9]{6}(?=')")
_VERSION = re.compile(r"(?<=openprofiles )[0-9]+\.[0-9][\w.+]*")

Answer = dict[str, Any]


class Signer(SigV4Auth):
    """Signs with a given time, such as ``20260131T120000Z``."""

    def __init__(self, keys: tuple[str, str], service: str, moment: str | None) -> None:
        super().__init__(Credentials(*keys), service, REGION)
        self._moment = moment

    def _modify_request_before_signing(self, request: Any) -> None:
        if self._moment is not None:
            request.context["timestamp"] = self._moment
        super()._modify_request_before_signing(request)  # type: ignore[misc]


class Recorder:
    """Calls one server after the other, and keeps every answer in a form that is the same in each run.

    Attributes:
        answers: in the order of the calls. ``call`` says which call it was, no two alike.
        keys: what calls are signed with.
        quiet: a client whose calls are not recorded.
    """

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self._names: dict[str, dict[Hashable, str]] = {}
        self._literals: dict[str, str] = {}

    def connect(self, url: str, keys: tuple[str, str], *, url_lifetime_seconds: int) -> None:
        """Send the next calls to this server, with these keys by default."""
        self._url, self.keys, self._url_lifetime_seconds = url, keys, url_lifetime_seconds
        self._literals |= {url: "<server>", urlsplit(url).netloc: "<host>", keys[0]: "<access key>"}
        self.quiet = self.client(keys)

    def client(self, keys: tuple[str, str]) -> Any:
        """Return a boto3 client that neither validates nor retries."""
        return boto3.client(
            "customer-profiles",
            endpoint_url=self._url,
            region_name=REGION,
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            config=Config(
                retries={"total_max_attempts": 1}, proxies={}, parameter_validation=False, read_timeout=TIMEOUT_SECONDS
            ),
        )

    def call(self, about: str, operation: str, *, keys: tuple[str, str] | None = None, **members: Any) -> Any:
        """Make one call through boto3; return its answer or error as boto3 reads it.

        Args:
            about: what is special about the call.
            operation: as the client's method: ``create_domain``.
        """
        if keys is not None:
            self._literals.setdefault(keys[0], "<another access key>")
        client = self.quiet if keys is None else self.client(keys)
        seen: list[Any] = []
        event = "after-call.customer-profiles"
        client.meta.events.register(event, lambda http_response, **_: seen.append(http_response), unique_id="recorder")
        started = time.time()
        error = None
        try:
            parsed = getattr(client, operation)(**members)
        except ClientError as caught:
            parsed = caught.response
            error = {name: str(parsed["Error"].get(name)) for name in ("Code", "Message")}
        finally:
            client.meta.events.unregister(event, unique_id="recorder")
        (response,) = seen
        self._keep(f"{operation}: {about}", response.status_code, response.headers, response.content, started, error)
        return parsed

    def send(
        self,
        about: str,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        keys: tuple[str, str] | None = None,
        service: str = "profile",
        moment: str | None = None,
        is_signed: bool = True,
        **changes: str | None,
    ) -> None:
        """Send one request that no SDK would send.

        Args:
            target: path and query, as they go over the wire.
            service: and ``moment``: what the signature is for.
            changes: headers to set after signing, with ``_`` for ``-``; None takes one away.
        """
        signed = AWSRequest(method, self._url + target, data=body)
        if is_signed:
            Signer(keys or self.keys, service, moment).add_auth(signed)
        headers: dict[str, str | None] = dict(signed.headers.items())
        for name, value in changes.items():
            headers.pop(name.replace("_", "-").title(), None)
            headers.pop(name.replace("_", "-"), None)
            if value is not None:
                headers[name.replace("_", "-")] = value
        self._send(f"{method} {target.partition('?')[0]}: {about}", method, self._url + target, body, headers)

    def put(self, about: str, url: str, body: bytes, headers: dict[str, str], method: str = "PUT") -> None:
        """Send a request to the URL of an upload job."""
        self._send(f"{method} of a file: {about}", method, url, body, dict(headers))

    def _send(self, call: str, method: str, url: str, body: bytes, headers: dict[str, str | None]) -> None:
        started = time.time()
        with requests.Session() as session:
            session.trust_env = False
            prepared = requests.Request(method, url, data=body).prepare()
            prepared.url = url
            prepared.headers.update({name: value for name, value in headers.items() if value is not None})
            response = session.send(prepared, timeout=TIMEOUT_SECONDS)
        self._keep(call, response.status_code, response.headers, response.content, started, None)

    def _keep(
        self, call: str, status: int, headers: Any, content: bytes, started: float, error: dict[str, str] | None
    ) -> None:
        call = self._text(call)
        assert all(call != answer["call"] for answer in self.answers), f"two calls are called {call!r}"
        shown = {name.lower(): value for name, value in headers.items() if name.lower() != "date"}
        # It repeats the message of the body.
        shown.pop("x-amzn-error-message", None)
        request_id = shown.get("x-amzn-requestid", "")
        if _UUID.fullmatch(request_id):
            shown["x-amzn-requestid"] = "<request id>"
        if shown.get("content-length") == str(len(content)):
            shown["content-length"] = "<of the body>"
        for name in shown:
            if name.endswith("-key-md5"):
                shown[name] = self._name("MD5 of a key", shown[name])
        text = content.decode()
        if request_id:
            text = text.replace(request_id, "<request id>")
        answer: Answer = {"call": call, "status": status}
        answer["headers"] = "; ".join(f"{name}: {self._text(value)}" for name, value in sorted(shown.items()))
        if shown.get("content-type") == "application/json":
            body = json.loads(text)
            if "ValidUntil" in body:
                self._name_expiry(body, started, time.time())
            answer["body"] = self._value(body, "", None)
        elif text:
            answer["body"] = self._text(text)
        if error is not None:
            error = {name: self._text(value) for name, value in error.items()}
            # What boto3 makes of the body; as a rule nothing else than what stands there.
            is_plain = answer["body"] == {"Message": error["Message"]}
            answer["error"] = error["Code"] if is_plain else error
        self.answers.append(answer)

    def _name_expiry(self, body: dict[str, Any], started: float, ended: float) -> None:
        valid_until = body["ValidUntil"]
        earliest, latest = (int(moment) + self._url_lifetime_seconds for moment in (started, ended))
        assert earliest <= valid_until <= latest, f"{valid_until} is not between {earliest} and {latest}"
        name = f"<{self._url_lifetime_seconds} s from now>"
        body["Url"] = body["Url"].replace(f"expires={int(valid_until)}&", f"expires={name}&")
        body["ValidUntil"] = name

    def _value(self, value: Any, member: str, owner: str | None) -> Any:
        """Rename a value of a JSON body. Equal times get the same name only within a domain or job."""
        if isinstance(value, dict):
            owner = value.get("JobId") or value.get("DomainName") or owner
            return {self._text(name): self._value(one, name, owner) for name, one in value.items()}
        if isinstance(value, list):
            return [self._value(one, member, owner) for one in value]
        if isinstance(value, str):
            if member == "NextToken":
                return self._name("token", value)
            if member == "ClientToken":
                return self._name(f"key of {len(value)} characters", value)
            return self._text(value)
        if member.endswith("At") and isinstance(value, int | float):
            return self._name("time", (owner, value))
        return value

    def _name(self, kind: str, key: Hashable) -> str:
        names = self._names.setdefault(kind, {})
        return names.setdefault(key, f"<{kind} {len(names) + 1}>")

    def _text(self, text: str) -> str:
        for literal, name in self._literals.items():
            text = text.replace(literal, name)
        text = _SIGNATURE.sub("<signature>", text)
        text = _MOMENT.sub("<moment>", text)
        text = _DAY.sub("<day>", text)
        text = _VERSION.sub("<version>", text)
        return _ID.sub(lambda found: self._name("id", found[0]), text)
