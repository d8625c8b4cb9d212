"""The operations on upload jobs. The PUT of the file is not an operation of the API: see ``server.upload_route``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from openprofiles.member_names import members_of
from openprofiles.operations import upload_job_options
from openprofiles.operations.call import Call
from openprofiles.operations.registry import operation, page_of
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs
from openprofiles.uploads.arrival.receive import make_upload_path

if TYPE_CHECKING:
    from openprofiles.wire import own_types as own
    from openprofiles.wire import types as aws


@operation("CreateUploadJob")
def create_upload_job(call: Call, request: aws.CreateUploadJobRequest) -> aws.CreateUploadJobResponse:
    """Create a job that waits for its file; its profiles expire after 14 days by default.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: the mapping or the unique key cannot be used; the message names the field.
    """
    # Our own operation takes more, and is the same without it.
    return upload_job_options.create_upload_job(call, cast("own.CreateUploadJobRequest", request))


@operation("GetUploadJobPath")
def get_upload_job_path(call: Call, request: aws.GetUploadJobPathRequest) -> aws.GetUploadJobPathResponse:
    """Return the URL and the key for the PUT of the file; each call gives a new URL.

    Errors:
        ResourceNotFoundException: no such domain, or no such job in it.
        BadRequestException: the job has been started or stopped.
    """
    with call.reading(request["DomainName"]) as session:
        job = jobs.get_job(session, request["JobId"])
    path = make_upload_path(
        call.master_key,
        job,
        base_url=call.base_url,
        lifetime_seconds=call.settings.upload_url_lifetime_seconds,
        now=call.now,
    )
    return {"Url": path.url, "ClientToken": path.client_token, "ValidUntil": path.valid_until}


@operation("StartUploadJob")
def start_upload_job(call: Call, request: aws.StartUploadJobRequest) -> aws.StartUploadJobResponse:
    """Start the job. Errors in its file show later, as the status FAILED.

    Errors:
        ResourceNotFoundException: no such domain, or no such job in it.
        BadRequestException: the job is not CREATED, or no file has arrived.
    """
    upload_job_options.start_upload_job(call, cast("own.StartUploadJobRequest", request))
    return {}


@operation("GetUploadJob")
def get_upload_job(call: Call, request: aws.GetUploadJobRequest) -> aws.GetUploadJobResponse:
    """Show a job; its counts grow while it runs.

    Errors:
        ResourceNotFoundException: no such domain, or no such job in it.
    """
    with call.reading(request["DomainName"]) as session:
        job = jobs.get_job(session, request["JobId"])
    answer = {
        **_summary(job),
        **members_of(job, "fields", "unique_key"),
        "ResultsSummary": {
            "CreatedRecords": job.created_count,
            "UpdatedRecords": job.updated_count,
            "FailedRecords": job.failed_count,
        },
    }
    return cast("aws.GetUploadJobResponse", answer)


@operation("ListUploadJobs")
def list_upload_jobs(call: Call, request: aws.ListUploadJobsRequest) -> aws.ListUploadJobsResponse:
    """List the jobs of a domain, newest first, 100 to a page by default.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: the token is not one of this list's.
    """
    with call.reading(request["DomainName"]) as session:
        page = jobs.list_jobs(session, **page_of(request))
    return {"Items": [cast("aws.UploadJobItem", _summary(job)) for job in page.items], "NextToken": page.next_token}


@operation("StopUploadJob")
def stop_upload_job(call: Call, request: aws.StopUploadJobRequest) -> aws.StopUploadJobResponse:
    """End a job early; it may already have ended that way.

    Profiles that were written stay, are counted and can be searched.

    Errors:
        ResourceNotFoundException: no such domain, or no such job in it.
        BadRequestException: the job has ended otherwise.
    """
    with call.writing(request["DomainName"]) as session:
        jobs.stop_job(session, request["JobId"])
    return {}


def _summary(job: UploadJob) -> dict[str, Any]:
    """Build the members that GetUploadJob and ListUploadJobs share; the wire leaves None out."""
    return {
        **members_of(job, "job_id", "display_name", "status_reason", "created_at", "completed_at"),
        "Status": job.status.value,
        "DataExpiry": job.data_expiry_days,
    }
