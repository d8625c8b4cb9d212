"""SQL, for every engine, that finds the webhook URL of a job that has ended."""

from __future__ import annotations

from openprofiles.job_kinds import UPLOADS

# A column of a statement on job: the job's own URL or its domain's, or null. A domain without a webhook has no
# secret to sign with, so there is no call; nor is there one for a preview or an undo. The column is part of the
# update that ends a job, so that it costs no query without webhooks. It is text because SQLAlchemy removes the
# names of tables from the columns that SQLite returns, and domain_id would be the webhook's.
WEBHOOK_URL_OF_JOB = (
    "(select coalesce(upload_job.options ->> 'webhook_url', webhook.url) from webhook "
    "join upload_job on upload_job.job_number = job.job_number "
    f"where webhook.domain_id = job.domain_id and job.kind in {UPLOADS})"
)
