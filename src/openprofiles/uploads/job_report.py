"""The report of an upload job: the results of its rows, findings about its file, and the time it took."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from openprofiles.facts.field_labels import full_label_of
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.session import Reading
from openprofiles.store import upload_jobs
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import RepeatedRow, UploadJob
from openprofiles.store.webhooks import Delivery, find_delivery
from openprofiles.uploads.jobs import Page, get_job
from openprofiles.uploads.mappings.upload_mapping import read_mapping
from openprofiles.uploads.notice_sentences import CONSOLE_SHORT_ROWS_OPTION, SHORT_ROWS_OPTION, notice_sentence
from openprofiles.uploads.notices import Notice
from openprofiles.uploads.reading.file_form import FileForm
from openprofiles.uploads.undos import find_undo_statuses

DEFAULT_REPEATED_ROWS_PER_PAGE = 1000


@dataclass(frozen=True, slots=True)
class FaultCount:
    """How often rows of a job failed for one reason. A row may have several.

    Attributes:
        first_record: of the first row that has it, from 1; 0 if unknown.
    """

    code: str
    column_name: str | None
    count: int
    first_record: int = 0


@dataclass(frozen=True, slots=True)
class JobReport:
    """An upload job with details beyond its counts.

    Attributes:
        fault_counts: the errors of its failed rows, the most frequent first; empty until it has ended.
        repeated_count: rows whose unique key an earlier row of the file has too; None until the file is read.
        notices: rows with an outcome that the user may not expect; empty until the file is read.
        columns_not_mapped: headers of the columns that no field is mapped from; None until the file is read, and of a
            file of objects, which has no mapping.
        file_form: the format of the file; None until reading has begun.
        step_seconds: the duration of each step, in order; empty until it has ended.
        webhook: the state of the webhook call for its end; None if there is no webhook.
        undo_until: until when it can be undone; None if it cannot, or was.
        undo_status: of its undo; None if no undo was requested.
    """

    job: UploadJob
    fault_counts: list[FaultCount]
    repeated_count: int | None
    notices: list[Notice]
    columns_not_mapped: list[str] | None
    file_form: FileForm | None
    step_seconds: Mapping[str, float]
    webhook: Delivery | None
    undo_until: datetime | None
    undo_status: UploadJobStatus | None

    def notice_sentences(
        self, label_of: Callable[[str], str] = str, *, short_rows_option: str = SHORT_ROWS_OPTION
    ) -> list[str]:
        """Describe the notices for people; the arguments are those of ``notice_sentence``."""
        if not self.notices:
            return []
        header = self.job.unique_key
        if self.job.object_type is None:
            header = read_mapping(self.job.fields, header, strict=False).unique_key.header
        return [
            notice_sentence(notice, header, label_of, short_rows_option=short_rows_option) for notice in self.notices
        ]

    def console_sentences(self) -> list[str]:
        """Describe the notices with the words of the console."""
        return self.notice_sentences(full_label_of, short_rows_option=CONSOLE_SHORT_ROWS_OPTION)

    @property
    def processed_count(self) -> int:
        """The number of rows that were created, updated or failed."""
        return self.job.created_count + self.job.updated_count + self.job.failed_count

    @property
    def unprocessed_count(self) -> int | None:
        """The number of rows that a stopped job did not process; None while it runs."""
        if self.job.completed_at is None or self.job.record_count is None:
            return None
        return self.job.record_count - self.processed_count

    @property
    def seconds_of_work(self) -> float | None:
        """The duration of all steps of a finished job, without the time it waited for a worker."""
        return sum(self.step_seconds.values()) or None

    @property
    def records_per_second(self) -> float | None:
        """The rows that a finished job processed per second of work."""
        return self.processed_count / self.seconds_of_work if self.seconds_of_work else None


def read_report(session: Reading, job_id: str) -> JobReport:
    """Read a job and its report.

    Raises:
        NotFound: no such job in this domain.
    """
    connection = session.connection
    job = get_job(session, job_id, or_preview=True)
    findings = upload_jobs.read_findings(connection, job.job_number)
    has_counts = job.completed_at is not None and job.failed_count > 0
    counts = upload_jobs.read_fault_counts(connection, job.job_number) if has_counts else []
    webhook = find_delivery(connection, job.job_number) if job.completed_at is not None else None
    undo_status = find_undo_statuses(session, [job]).get(job.job_number)
    not_mapped = None
    if findings.file_header is not None and job.object_type is None:
        mapped = {field.header for field in read_mapping(job.fields, job.unique_key, strict=False).fields}
        not_mapped = [header for header in findings.file_header if header not in mapped]
    return JobReport(
        job=job,
        fault_counts=[FaultCount(*count) for count in counts],
        repeated_count=findings.repeated_count,
        notices=[Notice.from_json(stored) for stored in findings.notices or ()],
        columns_not_mapped=not_mapped,
        file_form=None if findings.file_form is None else FileForm.from_json(findings.file_form),
        step_seconds={step: ms / 1000 for step, ms in (findings.step_milliseconds or {}).items()},
        webhook=webhook,
        undo_until=job.undo_until if undo_status is None and (job.created_count or job.updated_count) else None,
        undo_status=undo_status,
    )


def list_repeated_rows(
    session: Reading, job_id: str, *, max_results: int | None = None, next_token: str | None = None
) -> Page[RepeatedRow]:
    """List the rows that repeat the unique key of an earlier row; the first 100,000 are kept.

    Raises:
        NotFound: no such job in this domain.
    """
    after = int(read_token("repeated-rows", next_token, (int,))[0]) if next_token is not None else 0
    limit = max_results or DEFAULT_REPEATED_ROWS_PER_PAGE
    job = get_job(session, job_id, or_preview=True)
    rows = upload_jobs.list_repeated_rows(session.connection, job.job_number, after_record=after, limit=limit + 1)
    token = write_token("repeated-rows", [rows[limit - 1].record]) if len(rows) > limit else None
    return Page(rows[:limit], token)
