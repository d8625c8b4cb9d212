"""The operations that show what has changed a profile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from openprofiles.objects.standard_objects import PROFILE
from openprofiles.operations.call import Call
from openprofiles.operations.profile_shapes import profile_answer
from openprofiles.operations.registry import operation, page_of
from openprofiles.profiles import history
from openprofiles.profiles.history import HistoryRecord
from openprofiles.store.profile_changes import ProfileChange

if TYPE_CHECKING:
    from openprofiles.wire import types as aws

# Our choice; AWS does not say.


@operation("ListProfileHistoryRecords")
def list_profile_history_records(
    call: Call, request: aws.ListProfileHistoryRecordsRequest
) -> aws.ListProfileHistoryRecordsResponse:
    """List what has changed a profile, newest first: calls, upload jobs and undos.

    Errors:
        ResourceNotFoundException: no such domain, or no such profile in it.
        BadRequestException: a token of another list.
    """
    domain_name = request["DomainName"]

    def is_wanted(change: ProfileChange) -> bool:
        return (
            request.get("ObjectTypeName", _type_of(change)) == _type_of(change)
            and request.get("ActionType", change.action.api_name) == change.action.api_name
            and request.get("PerformedBy", (by := _performer(call, domain_name, change))) == by
        )

    with call.reading(domain_name) as session:
        page = history.list_history(
            session,
            request["ProfileId"],
            is_wanted=is_wanted,
            **page_of(request),
        )
    return {
        "ProfileHistoryRecords": [_members(call, domain_name, record) for record in page.records],
        "NextToken": page.next_token,
    }


@operation("GetProfileHistoryRecord")
def get_profile_history_record(
    call: Call, request: aws.GetProfileHistoryRecordRequest
) -> aws.GetProfileHistoryRecordResponse:
    """Return a change of a profile with what came of it: the profile, or the keys.

    The content is absent once the values that later changes have replaced are no longer kept.

    Errors:
        ResourceNotFoundException: no such domain, no such profile in it, or no such record of the profile.
    """
    with call.reading(request["DomainName"]) as session:
        found = history.get_history_record(session, request["ProfileId"], request["Id"])
    answer = cast("aws.GetProfileHistoryRecordResponse", _members(call, request["DomainName"], found.record))
    content = found.keys if found.profile is None else profile_answer(found.profile)
    if content is not None:
        answer["Content"] = json.dumps(content, ensure_ascii=False)
    return answer


def _members(call: Call, domain_name: str, record: HistoryRecord) -> Any:
    change = record.change
    return {
        "Id": record.record_id,
        "ObjectTypeName": _type_of(change),
        "CreatedAt": change.changed_at,
        "LastUpdatedAt": change.changed_at,
        "ActionType": change.action.api_name,
        "PerformedBy": _performer(call, domain_name, change),
    }


def _type_of(change: ProfileChange) -> str:
    return change.object_type or PROFILE


def _performer(call: Call, domain_name: str, change: ProfileChange) -> str:
    """Return who made a change: the ARN of the caller, or one for an upload job or its undo."""
    if change.actor is not None:
        return change.actor
    # AWS has no ARN for an upload job; this has the form of those for the other parts of a domain.
    job = f"arn:aws:profile:{call.region}:{call.account_id}:domains/{domain_name}/upload-jobs/{change.job_id}"
    return f"{job}/undo" if change.undone_number is not None else job
