"""Creating and starting upload jobs with options, in a way that can be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from openprofiles.operations.call import Call
from openprofiles.operations.job_options import options_members, read_options
from openprofiles.operations.registry import own_operation
from openprofiles.uploads import jobs
from openprofiles.wire.check import Violation, describe_violations
from openprofiles.wire.errors import bad_request

if TYPE_CHECKING:
    from openprofiles.wire import own_types as own

_SETTING_OPTIONS = "openprofiles:SetUploadJobOptions"


@own_operation("CreateUploadJob")
def create_upload_job(call: Call, request: own.CreateUploadJobRequest) -> own.UploadJobMade:
    """Create a job that waits for its file, or find that of an earlier request."""
    options, object_type = request.get("Options"), request.get("ObjectType")
    if object_type is None and (missing := [name for name in ("Fields", "UniqueKey") if name not in request]):
        # As AWS's operation, which has no jobs of objects.
        raise bad_request(describe_violations([Violation(name, "Member must not be null") for name in missing]))
    given = jobs.JobRequest(
        display_name=request["DisplayName"],
        fields=cast("Mapping[str, Mapping[str, str]]", request.get("Fields", {})),
        unique_key=request.get("UniqueKey", ""),
        object_type=object_type,
        data_expiry_days=request.get("DataExpiry"),
        options=None if options is None else read_options(options),
        idempotency_token=request.get("IdempotencyToken"),
    )
    private_addresses = call.settings.webhook_private_addresses
    checked = jobs.check_request(given, strict=call.strict, private_addresses=private_addresses)
    with call.writing(request["DomainName"]) as session:
        return {"JobId": jobs.create_job(session, call.master_key, checked).job_id}


@own_operation("StartUploadJob")
def start_upload_job(call: Call, request: own.StartUploadJobRequest) -> own.NoMembers:
    """Start a job, unless a request with this token has started it."""
    with call.writing(request["DomainName"]) as session:
        jobs.start_job(session, request["JobId"], idempotency_token=request.get("IdempotencyToken"))
    return {}


@own_operation("GetUploadJobOptions")
def get_upload_job_options(call: Call, request: own.GetUploadJobOptionsRequest) -> own.UploadJobOptions:
    """Return the options of a job."""
    with call.reading(request["DomainName"]) as session:
        options = options_members(jobs.get_options(session, request["JobId"]))
    if not call.principal.may_do(_SETTING_OPTIONS):
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
