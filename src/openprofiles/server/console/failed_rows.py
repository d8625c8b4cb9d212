"""The rows of an import or a check that failed: why, and the rows themselves as a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from starlette.responses import Response, StreamingResponse

from openprofiles.master_key import MasterKey
from openprofiles.profiles.session import Reading
from openprofiles.server.console.render import PAGE_HEADERS
from openprofiles.server.console.visitors import Visitor
from openprofiles.uploads import jobs
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv
from openprofiles.uploads.failures.failure_groups import EXAMPLES_PER_GROUP, FailureGroup, group_failures
from openprofiles.uploads.job_report import JobReport

_REASONS_SHOWN = 20
_SENT_BYTES = 256 * 1024


def read_failures(session: Reading, master_key: MasterKey, report: JobReport) -> tuple[list[FailureGroup], int, bool]:
    """Return why rows failed.

    Returns:
        the most frequent reasons, how many more there are, and whether the rows are still kept.
    """
    if not report.fault_counts:
        return [], 0, False
    job_id = report.job.job_id
    headers, dialect = jobs.read_file_columns(session, job_id)
    counts = report.fault_counts[:_REASONS_SHOWN]
    rows = jobs.list_example_rows(
        session,
        master_key,
        job_id,
        [(one.code, one.column_name, one.first_record) for one in counts],
        rows_per_reason=EXAMPLES_PER_GROUP,
    )
    return group_failures(counts, rows, headers, dialect), len(report.fault_counts) - len(counts), bool(rows)


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
