"""Creating and starting upload jobs with options, in a way that can be repeated."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from openprofiles.errors import NotFound
from openprofiles.operations.call import Call
from openprofiles.operations.given_mapping import read_given_mapping
from openprofiles.operations.job_options import SETTING_OPTIONS, options_members, read_options
from openprofiles.operations.registry import own_operation
from openprofiles.uploads import jobs
from openprofiles.uploads.arrival.receive import make_upload_path, upload_headers
from openprofiles.uploads.job_options import LOAD, JobOptions

if TYPE_CHECKING:
    from openprofiles.wire import own_types as own


@own_operation("CreateUploadJob")
def create_upload_job(call: Call, request: own.CreateUploadJobRequest) -> own.UploadJobMade:
    """Create a job that waits for its file, or find that of an earlier request."""
    # That a domain does not exist is said before anything about the mapping.
    with call.reading(request["DomainName"]):
        pass
    object_type, doubtful_rows = request.get("ObjectType"), request.get("DoubtfulRows")
    mapping = read_given_mapping(request, is_of_objects=object_type is not None)
    options = None if "Options" not in request else mapping.name_checks(read_options(request["Options"]))
    if doubtful_rows is not None:
        options = replace(options or JobOptions(), doubtful_rows=doubtful_rows)
    given = jobs.JobRequest(
        display_name=request["DisplayName"],
        fields=mapping.fields,
        unique_key=mapping.unique_key,
        object_type=object_type,
        data_expiry_days=request.get("DataExpiry"),
        options=options,
        idempotency_token=request.get("IdempotencyToken"),
    )
    private_addresses = call.settings.webhook_private_addresses
    checked = jobs.check_request(given, strict=call.strict, private_addresses=private_addresses)
    with call.writing(request["DomainName"]) as session:
        job = jobs.create_job(session, call.master_key, checked)
        if request.get("Replaces", job.job_id) != job.job_id:
            # Otherwise it would wait for ever. It may be deleted already.
            with suppress(NotFound):
                jobs.stop_job(session, request["Replaces"], only_if_created=True)
    return {"JobId": job.job_id}


@own_operation("StartUploadJob")
def start_upload_job(call: Call, request: own.StartUploadJobRequest) -> own.NoMembers:
    """Start a job, unless a request with this token has started it."""
    with call.writing(request["DomainName"]) as session:
        if request.get("DoubtfulRows") == LOAD:
            jobs.allow_doubtful_rows(session, request["JobId"])
        jobs.start_job(session, request["JobId"], idempotency_token=request.get("IdempotencyToken"))
    return {}


@own_operation("GetUploadTarget")
def get_upload_target(call: Call, request: own.GetUploadTargetRequest) -> own.UploadTarget:
    """Return where to upload the file of a job, with the headers of the PUT."""
    with call.reading(request["DomainName"]) as session:
        job = jobs.get_job(session, request["JobId"])
    lifetime_seconds = call.settings.upload_url_lifetime_seconds
    path = make_upload_path(call.master_key, job, base_url="", lifetime_seconds=lifetime_seconds, now=call.now)
    return {"Path": path.url, "Headers": upload_headers(path.client_token)}


@own_operation("RenameUploadJob")
def rename_upload_job(call: Call, request: own.RenameUploadJobRequest) -> own.NoMembers:
    """Rename a job that has not been started."""
    with call.writing(request["DomainName"]) as session:
        jobs.rename_job(session, request["JobId"], request["DisplayName"])
    return {}


@own_operation("DiscardUploadJob")
def discard_upload_job(call: Call, request: own.DiscardUploadJobRequest) -> own.NoMembers:
    """Stop a job that has not been started."""
    with call.writing(request["DomainName"]) as session:
        jobs.stop_job(session, request["JobId"], only_if_created=True)
    return {}


@own_operation("GetUploadJobOptions")
def get_upload_job_options(call: Call, request: own.GetUploadJobOptionsRequest) -> own.UploadJobOptions:
    """Return the options of a job."""
    with call.reading(request["DomainName"]) as session:
        options = options_members(jobs.get_options(session, request["JobId"]))
    if not call.principal.may_do(SETTING_OPTIONS):
        # The address may hold a token.
        del options["Webhook"]
    return options


@own_operation("SetUploadJobOptions")
def set_upload_job_options(call: Call, request: own.SetUploadJobOptionsRequest) -> own.UploadJobOptions:
    """Replace the options of a job that has not been started."""
    options = read_options(cast("own.UploadJobOptions", request))
    private_addresses = call.settings.webhook_private_addresses
    jobs.check_options(options, strict=call.strict, private_addresses=private_addresses)
    with call.writing(request["DomainName"]) as session:
        jobs.set_options(session, request["JobId"], options)
    return options_members(options)
