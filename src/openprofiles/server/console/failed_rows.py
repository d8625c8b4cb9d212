"""The rows of an import or a check that failed, as a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from starlette.responses import Response, StreamingResponse

from openprofiles.server.console.render import PAGE_HEADERS
from openprofiles.server.console.visitors import Visitor
from openprofiles.uploads import jobs
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv

_SENT_BYTES = 256 * 1024


def send_as_csv(visitor: Visitor, job_id: str, disposition: str) -> Response:
    """Send the failed rows as a CSV file that can be fixed and imported again."""
    found = jobs.read_failed_rows(visitor.reading, visitor.services.master_key, job_id)
    rows = failed_rows_csv(*found, for_spreadsheet=not visitor.services.settings.compat_strict)
    return StreamingResponse(rows, media_type="text/csv", headers=PAGE_HEADERS | {"Content-Disposition": disposition})


def parts_of_file(file: IO[bytes]) -> Iterator[bytes]:
    """Read a file from its position in parts to send, and close it."""
    with file:
        while part := file.read(_SENT_BYTES):
            yield part
