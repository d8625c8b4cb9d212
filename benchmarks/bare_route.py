"""A bare Starlette route whose answer is as large as that of GetUploadJob: the cost of the framework alone."""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ANSWER = b'{"JobId": "%s", "Status": "SUCCEEDED", "Results": {"ProfilesCreated": 1000000}}' % (b"x" * 700)


def answer(_request: Request) -> Response:
    return Response(ANSWER, media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(Starlette(routes=[Route("/{path:path}", answer)]), port=int(sys.argv[1]), log_level="error")
