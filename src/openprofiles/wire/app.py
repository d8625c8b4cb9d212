"""The endpoint of a service model, and the only place where the parts of the wire layer meet.

A request goes: body (up to a limit), signature, route, read, authorise, check, handler, write. Everything after the
body runs in one hop to the thread pool, since credentials, permissions and handlers may all ask the database.
"""

from __future__ import annotations

import logging
import re
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeAlias, TypeVar

import anyio
import anyio.to_thread
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from openprofiles.wire import codec
from openprofiles.wire.check import describe_violations, violations
from openprofiles.wire.empty_texts import without_empty_texts
from openprofiles.wire.errors import WireError, bad_request, write_error
from openprofiles.wire.model import DEFAULT_BODY_LIMIT_BYTES, Model, Operation
from openprofiles.wire.router import Router
from openprofiles.wire.signature import SignedRequest, signed_region

logger = logging.getLogger("openprofiles.wire")

# To ask for a credential before the body is there takes a hop to the thread pool more, which small ones need not pay.
_SMALL_BODY_BYTES = 64 * 1024

# More threads only contend for the interpreter's lock: sixteen clients get a seventh more answers from four than from
# sixteen. No GET of the API writes, so no GET waits for a lock of the store.
_GETS_AT_A_TIME = 4

# A host name or address, and perhaps a port. A host name has at most 253 characters (RFC 1035).
_HOST = re.compile(rb"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")

# Who sent a request, as the application knows it; the wire layer never looks inside.
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Context(Generic[P]):
    """The facts about a call that a handler gets in addition to the request.

    Attributes:
        principal: who calls, as ``authenticate`` gave it.
        request_id: also in the answer's ``x-amzn-requestid``.
        region: of the caller; ARNs in the answer carry it.
        base_url: how the caller reached this server, without a slash at the end; URLs in the answer begin with it.
        operation: by name.
        now: when the request came, in UTC.
    """

    principal: P
    request_id: str
    region: str
    base_url: str
    operation: str
    now: datetime


# The request is one of the TypedDicts in `types`, which no other type covers.
Handler: TypeAlias = Callable[[Context[P], Any], Mapping[str, Any]]
Authenticate: TypeAlias = Callable[[SignedRequest], P]
Authorise: TypeAlias = Callable[[P, Operation, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Finished(Generic[P]):
    """An answered request, for logs and metrics. Nothing in it is a customer's value.

    Attributes:
        request_id: as the caller saw it.
        operation: by name; None when the request did not get as far as a route.
        principal: None when the request was not authenticated.
        status: of the answer.
        error_code: None for a good answer.
        duration_seconds: from the end of the request's head to the end of the answer.
    """

    request_id: str
    operation: str | None
    principal: P | None
    status: int
    error_code: str | None
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class WireApp(Generic[P]):
    """An ASGI application that serves the operations of a model.

    Attributes:
        model: the service.
        handlers: by operation; an operation without one answers 400 and says so.
        authenticate: who sent a request; raises `WireError`. Called for every request, also for unknown routes.
        authorise: raises `WireError` when the principal may not call the operation with the request as read.
        version: ours, for the answer of operations without a handler.
        region_of: the region of a request that ``authenticate`` has accepted; by default that of its signature.
        is_exact: whether a request with unknown members is refused, and a PUT without a body.
        check_head: called with a request whose body is large and was not read yet; raises `WireError` if
            ``authenticate`` will do so whatever the body is.
        to_wire_error: the error that the caller sees for a handler's exception, or None when it is unexpected. An
            unexpected one is answered as InternalServerException and logged by type and place, without its text.
        on_finished: called after each answer, on the event loop: it must neither block nor raise.
        body_limit_bytes: a longer body is refused with 413 before it is held in memory.
        clock: gives an aware time.

    Raises:
        ValueError: a handler is for an operation that the model has not.
        UnsupportedModel: as `Router`.
    """

    model: Model
    handlers: Mapping[str, Handler[P]]
    authenticate: Authenticate[P]
    authorise: Authorise[P]
    _: KW_ONLY
    version: str
    region_of: Callable[[SignedRequest], str] = signed_region
    is_exact: bool = False
    check_head: Callable[[SignedRequest], None] = lambda _: None
    to_wire_error: Callable[[Exception], WireError | None] = lambda _: None
    on_finished: Callable[[Finished[P]], None] | None = None
    body_limit_bytes: int = DEFAULT_BODY_LIMIT_BYTES
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _router: Router = field(init=False)
    _gets: anyio.CapacityLimiter = field(init=False)

    def __post_init__(self) -> None:
        if unknown := sorted(self.handlers.keys() - self.model.operations.keys()):
            raise ValueError(f"The model has no operation {', '.join(unknown)}; remove the handler.")
        object.__setattr__(self, "_router", Router(self.model))
        object.__setattr__(self, "_gets", anyio.CapacityLimiter(_GETS_AT_A_TIME))

    def has_path(self, method: str, raw_path: bytes) -> bool:
        """Return whether an operation has this method and path, without a slash at its end."""
        return not raw_path.endswith(b"/") and self._router.match(method, raw_path) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope.get("raw_path") is None:
            # ASGI makes it optional, and without it a tag ARN cannot be distinguished from a path.
            raise RuntimeError('The web server does not provide scope["raw_path"]. Run openprofiles on uvicorn.')
        started = time.perf_counter()
        call: _Call[P] = _Call(request_id=str(uuid.uuid4()), base_url=_base_url(scope))
        answer: _Answer | None = None
        if _may_be_large(scope):
            answer = await anyio.to_thread.run_sync(self._refuse_by_head, call, _as_signed(scope, b""))
        if answer is None:
            try:
                body = await _receive_body(scope, receive, self._body_limit_bytes(scope))
            except _Disconnected:
                return
            except WireError as error:
                answer = _fail(call, error)
            else:
                # None: the limit of the whole process, for what may have to wait for another writer.
                limiter = self._gets if scope["method"] == "GET" else None
                answer = await anyio.to_thread.run_sync(self._answer, call, _as_signed(scope, body), limiter=limiter)
        status, headers, content = answer
        headers += [(b"x-amzn-requestid", call.request_id.encode())]
        if self.is_exact:
            # What a script of the console receives must not stay in a browser or proxy.
            headers += [(b"cache-control", b"no-store")]
        try:
            if isinstance(content, bytes):
                if status != codec.NO_CONTENT:
                    headers += [(b"content-length", b"%d" % len(content))]
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": content})
            else:
                streamed = StreamingResponse(self._logged(call, content), status)
                streamed.raw_headers = headers
                await streamed(scope, receive, send)
        finally:
            if self.on_finished is not None:
                duration_seconds = time.perf_counter() - started
                self.on_finished(
                    Finished(call.request_id, call.operation, call.principal, status, call.error_code, duration_seconds)
                )

    def _logged(self, call: _Call[P], content: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the parts of an answer; log what goes wrong in the middle of it, which ends the connection."""
        try:
            yield from content
        except Exception as error:  # noqa: BLE001  (the connection ends)
            self._fail_by(call, error)
            # Without the text of the error, which the web server would log.
            raise RuntimeError("An answer could not be sent to its end.") from None

    def _body_limit_bytes(self, scope: Scope) -> int:
        found = self._router.match(scope["method"], scope["raw_path"])
        return self.body_limit_bytes if found is None else min(self.body_limit_bytes, found[0].body_limit_bytes)

    def _refuse_by_head(self, call: _Call[P], request: SignedRequest) -> _Answer | None:
        try:
            self.check_head(request)
        except Exception as error:  # noqa: BLE001  (all are answered)
            return self._fail_by(call, error)
        return None

    def _answer(self, call: _Call[P], request: SignedRequest) -> _Answer:
        try:
            operation, answer = self._perform(call, request)
            return codec.write(operation, answer)
        except Exception as error:  # noqa: BLE001  (all are answered)
            return self._fail_by(call, error)

    def _fail_by(self, call: _Call[P], error: Exception) -> _Answer:
        """Build the answer for an exception, also for an unexpected one."""
        expected = error if isinstance(error, WireError) else self.to_wire_error(error)
        if expected is None:
            _log_unexpected(call, error)
            expected = WireError("InternalServerException", "An internal service error occurred.")
        return _fail(call, expected)

    def _perform(self, call: _Call[P], request: SignedRequest) -> tuple[Operation, Mapping[str, Any]]:
        # Nothing is said about routes, members or names before it is clear who asks.
        principal = self.authenticate(request)
        call.principal = principal
        found = self._router.match(request.method, request.raw_path)
        if found is None:
            raise WireError(
                "UnknownOperationException",
                "No operation has this method and path. Check the path for misspelt, extra or empty segments.",
            )
        operation, labels = found
        call.operation = operation.name
        handler = self.handlers.get(operation.name)
        if handler is None:
            raise bad_request(f"{operation.name} is not available in openprofiles {self.version}")
        members = codec.read(operation, labels, request.raw_query, request.body, is_exact=self.is_exact)
        members = without_empty_texts(operation, members)
        self.authorise(principal, operation, members)
        broken = violations(operation.input, members)
        if broken:
            raise bad_request(describe_violations(broken))
        context = Context(
            principal, call.request_id, self.region_of(request), call.base_url, operation.name, self.clock()
        )
        return operation, handler(context, members)


_Answer: TypeAlias = tuple[int, list[tuple[bytes, bytes]], codec.Content]


@dataclass(slots=True)
class _Call(Generic[P]):
    """The facts about a request so far, for its context and its log entry."""

    request_id: str
    base_url: str
    operation: str | None = None
    principal: P | None = None
    error_code: str | None = None


def _base_url(scope: Scope) -> str:
    """Return the URL of this server by the Host header, or else by its address."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) == 1 and _HOST.fullmatch(hosts[0]):
        host = hosts[0].decode("ascii")
    else:
        # Absent, repeated or malformed: nothing that a URL could be made of.
        address, port = scope.get("server") or ("localhost", None)
        host = f"[{address}]" if ":" in address else address
        host += "" if port is None else f":{port}"
    return f"{scope.get('scheme', 'http')}://{host}"


def _as_signed(scope: Scope, body: bytes) -> SignedRequest:
    return SignedRequest(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"], body)


def _may_be_large(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    declared = headers.get(b"content-length", b"0")
    return b"transfer-encoding" in headers or not declared.isdigit() or int(declared) > _SMALL_BODY_BYTES


class _Disconnected(Exception):
    """The client left before it had sent the whole request."""


async def _receive_body(scope: Scope, receive: Receive, limit_bytes: int) -> bytes:
    """Read the whole body; refuse one that is declared, or turns out, too large."""
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > limit_bytes:
        raise _too_large(limit_bytes)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Disconnected
        chunk: bytes = message.get("body", b"")
        if len(body) + len(chunk) > limit_bytes:
            raise _too_large(limit_bytes)
        has_more = message.get("more_body", False)
        if not body and not has_more:
            return chunk
        body += chunk
        if not has_more:
            return bytes(body)


def _too_large(limit_bytes: int) -> WireError:
    return WireError("RequestEntityTooLargeException", f"The body is larger than {limit_bytes} bytes.")


def _fail(call: _Call[Any], error: WireError) -> _Answer:
    call.error_code = error.code
    return write_error(error)


def _log_unexpected(call: _Call[Any], error: Exception) -> None:
    """Log what was raised and where, and never what it says: its text could hold a customer's value."""
    # A codec.AnswerError names members of the model only, and is of no use without them.
    said = f": {error}" if isinstance(error, codec.AnswerError) else ""
    lines = []
    cause: BaseException | None = error
    while cause is not None:
        lines.append(f"{type(cause).__module__}.{type(cause).__qualname__}")
        lines += [
            f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(cause.__traceback__)
        ]
        cause = cause.__cause__ or cause.__context__
    logger.error("%s failed unexpectedly (request %s)%s\n%s", call.operation, call.request_id, said, "\n".join(lines))
