"""Report the failed rows of a file to the store, and judge whether so many may fail."""

from __future__ import annotations

import pyarrow.compute as pc

from openprofiles.bulk.leased_work import check_stop
from openprofiles.bulk.run_job import End, JobEnded, failed
from openprofiles.bulk.scratch import Scratch
from openprofiles.store.bulk_jobs import JobStore
from openprofiles.store.leased_jobs import LeasedUpload
from openprofiles.store.note_tables import FAILED_ROWS
from openprofiles.store.upload_job_states import VALIDATION_FAILURE, UploadJobStatus
from openprofiles.uploads.failures.failed_row_content import FailedRowContents
from openprofiles.uploads.job_options import JobOptions

_REPORT = "report"
# Each has as many faults as the mapping has fields, at worst.
_FAILED_RECORDS_PER_READ = 2_000


def require_enough_rows(job: LeasedUpload, options: JobOptions) -> None:
    """End a job of which too many rows have failed before anything was written.

    Raises:
        JobEnded: they have.
    """
    if reason := options.too_many_failed(job.failed_count, job.record_count or 0):
        raise JobEnded(failed(f"{reason} Nothing was loaded."))
    if job.failed_count == job.record_count:
        raise JobEnded(failed(_all_failed(job)))


def end_of_rows(job: LeasedUpload, options: JobOptions) -> End:
    """Find how a job ends whose steps are through."""
    if reason := options.too_many_failed(job.failed_count, job.record_count or 0):
        return failed(f"{reason} The rows that were already loaded are kept.")
    if job.failed_count == job.record_count:
        return failed(_all_failed(job))
    if job.failed_count:
        return End(UploadJobStatus.PARTIALLY_SUCCEEDED, VALIDATION_FAILURE)
    return End(UploadJobStatus.SUCCEEDED)


def report_failed_rows(store: JobStore, scratch: Scratch, failed_rows: FailedRowContents, position: int) -> None:
    """Write the failed rows to the store, those after record ``position``."""
    if not scratch.is_done("failed in order"):
        if not scratch.value("create or replace table failed_in_order as select * from failed order by record, fault"):
            return
        scratch.run("create or replace table failed_record as select record from failed_in_order where fault = 0")
        scratch.mark_done("failed in order")
    # The tables were made in order, so their row ids are: a range of them is read without looking at the others.
    first = int(scratch.value("select count(*) from failed_record where record <= ?", [position]))
    while True:
        after, upto = scratch.only_row(
            "select min(record) - 1, max(record) from failed_record where rowid >= ? and rowid < ?",
            [first, first + _FAILED_RECORDS_PER_READ],
        )
        if upto is None:
            return
        first += _FAILED_RECORDS_PER_READ
        rows = scratch.table(
            "select record, fault, line, code, column_name, detail from failed_in_order "
            "where record > ? and record <= ? order by record, fault",
            [after, upto],
        )
        for part in failed_rows.tables(rows):
            with store.chunk() as state:
                check_stop(state)
                store.add_notes(FAILED_ROWS, part)
                failed_count = pc.sum(pc.equal(part["fault"], 0)).as_py()
                store.record_progress(phase=_REPORT, position=part["record"][-1].as_py(), failed=failed_count)


def _all_failed(job: LeasedUpload) -> str:
    return f"All {job.record_count} rows failed. See the failed rows for the reasons."
