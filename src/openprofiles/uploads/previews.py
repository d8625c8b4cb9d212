"""Previews as callers see them: what an upload job would do, before it is started.

A preview is a separate job that AWS's API does not show. It uses the mapping, the options and the file of the job that
it previews, and writes no profile, so it does not wait for other jobs of its domain.
"""

from __future__ import annotations

from dataclasses import dataclass

from openprofiles.errors import InvalidRequest
from openprofiles.ids import new_job_id
from openprofiles.job_kinds import PREVIEW_OF
from openprofiles.master_key import MasterKey
from openprofiles.profiles.session import Reading, Writing
from openprofiles.store import job_queue, upload_jobs
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads.arrival.client_token import encrypt_client_token
from openprofiles.uploads.failures.failed_row_cipher import (
    FailedRowCipher,
    decrypt_failed_rows_key,
    make_failed_rows_key,
)
from openprofiles.uploads.jobs import client_token, get_job
from openprofiles.uploads.preview_sample import PreviewSample, read_sample


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview and what it has found so far.

    Attributes:
        job: its own job; its counts and its final status are those that the load would have.
        samples: some profiles that would be created or changed, once it has ended.
    """

    job: UploadJob
    samples: tuple[PreviewSample, ...]


def start_preview(session: Writing, master_key: MasterKey, job_id: str) -> UploadJob:
    """Have the workers find out what a job would do.

    Returns:
        the preview's own job.

    Raises:
        NotFound: no such job in this domain.
        InvalidRequest: the job is not CREATED, or no file has arrived.
    """
    job = get_job(session, job_id, for_change=True)
    if job.status is not UploadJobStatus.CREATED:
        raise InvalidRequest(
            f"Upload job {job_id} is in {job.status} status; a job can be previewed only before it is started."
        )
    if job.file_name is None:
        raise InvalidRequest(f"Upload job {job_id} has no file yet, so it cannot be previewed.")
    preview_id = new_job_id(session.now)
    job_queue.insert_job(
        session.connection,
        PREVIEW_OF[job.kind],
        {
            "job_id": preview_id,
            "domain_id": session.domain.domain_id,
            "display_name": job.display_name,
            "fields": job.fields,
            "unique_key": job.unique_key,
            "data_expiry_days": job.data_expiry_days,
            "options": job.options,
            "object_type": job.object_type,
            "status": UploadJobStatus.IN_PROGRESS,
            "created_at": session.now,
            "started_at": session.now,
            "client_token": encrypt_client_token(master_key, client_token(master_key, job), preview_id),
            "failed_rows_key": make_failed_rows_key(master_key, preview_id),
            "file_name": job.file_name,
            "file_size_bytes": job.file_size_bytes,
            "file_received_at": job.file_received_at,
            "subject": job.job_number,
        },
    )
    return get_job(session, preview_id, or_preview=True)


def read_preview(session: Reading, master_key: MasterKey, preview_id: str) -> Preview:
    """Read a preview.

    Raises:
        NotFound: no such preview in this domain.
        InvalidRequest: the id is that of a job which is not a preview.
    """
    job = get_job(session, preview_id, or_preview=True)
    if not job.is_preview:
        raise InvalidRequest(f"Upload job {preview_id} is not a preview.")
    contents = upload_jobs.list_preview_samples(session.connection, job.job_number)
    if job.failed_rows_key is None:
        return Preview(job, ())
    cipher = FailedRowCipher(decrypt_failed_rows_key(master_key, job.failed_rows_key, preview_id))
    return Preview(job, tuple(read_sample(cipher, number, content) for number, content in contents))


def list_running(session: Reading) -> list[str]:
    """List the ids of a domain's jobs and previews that are IN_PROGRESS, in running order."""
    return job_queue.list_running_jobs(session.connection, session.domain.domain_id)
