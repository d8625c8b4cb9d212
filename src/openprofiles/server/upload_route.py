"""The PUT of an upload job's file, to the URL of GetUploadJobPath: S3's protocol, in S3's words.

The file goes from the socket to the disk, or on to an object store, in pieces of about 1 MiB and is never whole in
memory. A client that sends ``Expect: 100-continue``, as curl does, is refused before it sends the body.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from xml.sax.saxutils import escape

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from openprofiles.disk_faults import disk_fault
from openprofiles.errors import Busy, FilesUnreachable, StorageFull, StoreNotWritable
from openprofiles.logs import EventLogger
from openprofiles.server.connections import OWN_PACE
from openprofiles.server.services import Services
from openprofiles.uploads.arrival.receive import (
    ALGORITHM_HEADER,
    KEY_MD5_HEADER,
    UPLOAD_PATH,
    FileReceiver,
    open_upload,
)
from openprofiles.uploads.arrival.refused import Refused

logger = EventLogger("openprofiles.server.uploads")

_PIECE_BYTES = 1024 * 1024
# A client that takes longer for one piece has gone, or sends less than 4 kB a second. The worker removes parts that
# nothing was written to for an hour, so this must stay well below.
_PIECE_TIMEOUT_SECONDS = 300.0
# How long the rest of a refused body is read and dropped.
_LINGER_SECONDS = 30.0


def routes(services: Services) -> list[Route]:
    """Serve ``PUT /openprofiles/v1/uploads/{job_id}`` to clients with the signed URL and the job's key."""
    return [Route(UPLOAD_PATH + "{job_id}", _UploadEndpoint(services), methods=["PUT"])]


class _UploadEndpoint:
    """An ASGI application, since it answers some requests before it has read them."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        body = _Body(receive, is_held_back=request.headers.get("expect", "").lower() == "100-continue")
        try:
            entity_tag = await self._store_file(request, body)
        except Exception as error:  # noqa: BLE001  (_refusal_for logs what is unexpected)
            await _refuse(_refusal_for(error), request, body, send)
            return
        # S3 repeats the two headers, not the key.
        headers = {name: request.headers[name] for name in (ALGORITHM_HEADER, KEY_MD5_HEADER)}
        await Response(headers=headers | {"etag": f'"{entity_tag}"'})(scope, receive, send)

    async def _store_file(self, request: Request, body: _Body) -> str:
        receiver = await run_in_threadpool(self._open, request)
        # From here on `_Body` says how long the client may take.
        setattr(request.state, OWN_PACE, True)
        try:
            while piece := await body.read_piece():
                await run_in_threadpool(receiver.write, piece)
            return await run_in_threadpool(receiver.publish)
        except BaseException:
            # Also when the server stops before the file is whole.
            await run_in_threadpool(receiver.discard)
            raise

    def _open(self, request: Request) -> FileReceiver:
        settings = self._services.settings
        return open_upload(
            self._services.store,
            self._services.master_key,
            self._services.files,
            job_id=request.path_params["job_id"],
            query=request.query_params,
            headers=request.headers,
            max_size_bytes=settings.max_upload_size_bytes,
            now=self._services.clock(),
        )


class _Body:
    """The body of one request.

    Args:
        is_held_back: the client waits to be asked for it.
    """

    def __init__(self, receive: Receive, *, is_held_back: bool) -> None:
        self._receive = receive
        self._has_more = True
        self._is_held_back = is_held_back

    async def read_piece(self) -> bytes:
        """Read about 1 MiB; empty at the end of the body.

        Raises:
            ClientDisconnect: the client left before the end.
            TimeoutError: the client was too slow.
        """
        self._is_held_back = False
        parts: list[bytes] = []
        size_bytes = 0
        async with asyncio.timeout(_PIECE_TIMEOUT_SECONDS):
            while self._has_more and size_bytes < _PIECE_BYTES:
                message = await self._receive()
                self._has_more = message.get("more_body", False)
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                parts.append(message.get("body", b""))
                size_bytes += len(parts[-1])
        return b"".join(parts)

    @property
    def is_coming(self) -> bool:
        """Whether the client is sending, or about to send, data that was not read yet."""
        return self._has_more and not self._is_held_back

    async def drop_rest(self) -> None:
        """Read and discard the rest of the body, for at most 30 seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while self.is_coming:
                    self._has_more = (await self._receive()).get("more_body", False)


async def _refuse(refused: Refused, request: Request, body: _Body, send: Send) -> None:
    """Answer with S3's error.

    Most clients listen only when they have sent everything, and would find their connection reset instead of the
    answer, were it closed on them. So the answer is sent at once, and ended when the rest of the body has been dropped.
    """
    request.state.error_code = refused.code
    elements = {"Code": refused.code, "Message": refused.message, "RequestId": request.state.request_id}
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in elements.items())
    response = Response(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>',
        refused.status,
        # Where the body will not be read to its end, no other request can follow it.
        headers={"connection": "close"},
        media_type="application/xml",
    )
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    await body.drop_rest()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _refusal_for(error: Exception) -> Refused:
    match error:
        case Refused():
            return error
        case ClientDisconnect():
            # Nobody reads this any more; the log names it.
            return Refused(400, "IncompleteBody", "The connection was closed before the whole body had arrived.")
        case TimeoutError():
            return Refused(
                400,
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the timeout period. Idle "
                "connections will be closed.",
            )
        case Busy() | FilesUnreachable():
            return Refused(503, "SlowDown", str(error))
        case StorageFull():
            return Refused(507, "InsufficientStorage", str(error))
        case StoreNotWritable():
            return Refused(503, "ServiceUnavailable", str(error))
        case OSError() if isinstance(disk_fault(error), StorageFull):
            logger.exception("upload_disk_full", error)
            return Refused(
                507,
                "InsufficientStorage",
                "This server's disk is full. The file was not stored. Free some space (or ask the operator "
                "to), then upload the file again.",
            )
        case OSError() if disk_fault(error) is not None:
            logger.exception("upload_not_writable", error)
            return Refused(
                503,
                "ServiceUnavailable",
                "The server cannot write to its folder for uploaded files. The file was not stored. Ask the operator "
                "to make the folder writable, then upload the file again.",
            )
    logger.exception("upload_failed", error)
    return Refused(500, "InternalError", "We encountered an internal error. Please try again.")
