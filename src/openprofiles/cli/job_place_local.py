"""``openprofiles jobs`` on the store itself: no server, no credentials."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from openprofiles.cli.existing_domain import find_domain
from openprofiles.cli.job_place import (
    FaultyRow,
    JobAccount,
    JobName,
    KeptProfile,
    ListedJob,
    ToldFault,
    UndoState,
    mapping_members,
)
from openprofiles.cli.job_state import JobState, state_of_job, state_of_report
from openprofiles.clock import utc_now
from openprofiles.master_key import read_master_key
from openprofiles.profiles.records import Domain
from openprofiles.settings import Settings
from openprofiles.store.open import open_existing_store
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs, undos
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv
from openprofiles.uploads.failures.faults import sentence_for
from openprofiles.uploads.job_report import read_report
from openprofiles.uploads.undos import Undo

if TYPE_CHECKING:
    from openprofiles.cli.job_runner import JobRunner


class LocalJobs:
    """The upload jobs of a domain of a store; see ``JobPlace``. A server may run on it."""

    def __init__(self, settings: Settings, domain_name: str) -> None:
        self._settings = settings
        self._domain_name = domain_name
        self._store = open_existing_store(settings)
        # Only to take a job back: everything else looks at jobs, or leaves them to others.
        self._job_runner: JobRunner | None = None

    def list_jobs(self, status: str | None, limit: int) -> list[ListedJob]:
        wanted = (job for job in self._iterate_jobs() if status in (None, job.status.value))
        return [
            ListedJob(
                job_id=job.job_id,
                display_name=job.display_name,
                state=state_of_job(job),
                created_at=job.created_at,
                started_at=job.started_at,
                completed_at=job.completed_at,
            )
            for job in islice(wanted, limit)
        ]

    def iterate_job_names(self) -> Iterator[JobName]:
        return (JobName(job.job_id, job.display_name) for job in self._iterate_jobs())

    def read_report(self, job_id: str) -> JobAccount:
        report = read_report(self._store, self._find_domain(), job_id)
        job = report.job
        return JobAccount(
            job_id=job.job_id,
            display_name=job.display_name,
            state=state_of_report(report),
            created_at=job.created_at,
            started_at=job.started_at,
            completed_at=job.completed_at,
            status_reason=job.status_reason,
            stop_requested=job.stop_requested_at is not None,
            data_expiry_days=job.data_expiry_days,
            **mapping_members(job.fields, job.unique_key),
            columns_not_mapped=None if report.columns_not_mapped is None else tuple(report.columns_not_mapped),
            file_form=report.file_form,
            rows_per_second=None if report.records_per_second is None else round(report.records_per_second),
            undo_until=report.undo_until,
            undo_status=None if report.undo_status is None else report.undo_status.value,
        )

    def read_state(self, job_id: str) -> JobState:
        return state_of_report(read_report(self._store, self._find_domain(), job_id))

    def list_failed_rows(self, job_id: str, limit: int) -> list[FaultyRow]:
        return [
            FaultyRow(
                row.record,
                row.line,
                tuple(ToldFault(fault.code, fault.column_name, sentence_for(fault)) for fault in row.faults),
            )
            for row in islice(self._iterate_failed_rows(self._find_domain(), job_id), limit)
        ]

    def read_failed_rows_file(self, job_id: str, *, for_spreadsheet: bool) -> Iterator[bytes]:
        domain = self._find_domain()
        headers, dialect = jobs.read_file_columns(self._store, domain, job_id)
        return failed_rows_csv(
            headers, self._iterate_failed_rows(domain, job_id), dialect, for_spreadsheet=for_spreadsheet
        )

    def stop_job(self, job_id: str) -> None:
        jobs.stop_job(self._store, self._find_domain(), job_id, now=utc_now())

    def start_undo(self, job_id: str) -> UndoState:
        return _state_of_undo(undos.start_undo(self._store, self._find_domain(), job_id, now=utc_now()))

    def read_undo(self, job_id: str) -> UndoState:
        domain = self._find_domain()
        undo = undos.read_undo(self._store, domain, job_id)
        if undo.job.status is UploadJobStatus.IN_PROGRESS:
            if self._job_runner is None:
                # With all that a worker needs: a fifth of a second that a command which only looks at jobs saves.
                from openprofiles.cli.job_runner import JobRunner

                self._job_runner = JobRunner(self._settings, self._store)
            self._job_runner.run(domain, undo.job.job_id)
        elif self._job_runner is not None:
            self._job_runner.wait_until_idle()
        return _state_of_undo(undo)

    def list_kept_profiles(self, job_id: str, limit: int) -> list[KeptProfile]:
        page = undos.list_kept_profiles(self._store, self._find_domain(), job_id, max_results=limit, next_token=None)
        return [KeptProfile(one.profile_id, one.was_created) for one in page.items]

    def close(self) -> None:
        if self._job_runner is not None:
            self._job_runner.close()
        self._store.close()

    def _find_domain(self) -> Domain:
        # Each time: it may be deleted while one of its jobs is watched.
        return find_domain(self._store, self._domain_name)

    def _iterate_jobs(self) -> Iterator[UploadJob]:
        domain, token = self._find_domain(), None
        while True:
            page = jobs.list_jobs(self._store, domain, max_results=None, next_token=token)
            yield from page.items
            token = page.next_token
            if token is None:
                return

    def _iterate_failed_rows(self, domain: Domain, job_id: str) -> Iterator[jobs.FailedRow]:
        return jobs.iterate_failed_rows(self._store, read_master_key(self._settings.master_key_path), domain, job_id)


def _state_of_undo(undo: Undo) -> UndoState:
    return UndoState(
        status=undo.job.status.value,
        message=undo.job.failure_message,
        removed_count=undo.job.removed_count,
        restored_count=undo.job.restored_count,
        kept_count=undo.job.kept_count,
        gone_count=undo.job.gone_count,
        profile_count=undo.job.total,
    )
