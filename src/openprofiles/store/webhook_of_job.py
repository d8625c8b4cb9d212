"""Who is to be told that an upload job has ended, as SQL that every engine reads."""

from __future__ import annotations

# A column of a statement on upload_job: the job's own URL or its domain's; null: nobody. A domain without a webhook has
# no secret to sign with, and so nobody is told; nor is anybody of a preview or an undo. It comes with the update that
# ends a job, so that where there are no webhooks nothing is asked. It is text since SQLAlchemy takes the names of
# tables off the columns that SQLite returns, and domain_id would be the webhook's.
WEBHOOK_URL_OF_JOB = (
    "(select coalesce(upload_job.options ->> 'webhook_url', webhook.url) from webhook "
    "where webhook.domain_id = upload_job.domain_id and upload_job.preview_of is null "
    "and upload_job.undo_of is null)"
)
