"""What objects do: explanations, the lineage of profiles, dead letters, and removal with their fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from openprofiles.member_names import members_of
from openprofiles.objects import dead_letters
from openprofiles.objects.explanation import explain_object
from openprofiles.objects.lineage import FieldLineage, read_lineage
from openprofiles.objects.objects import scrub_profile_object, unique_key_text
from openprofiles.objects.placement import DeadLetterCode
from openprofiles.operations.call import Call
from openprofiles.operations.registry import OWN_PAGE_SIZE, own_operation, page_of
from openprofiles.store.dead_letters import DeadLetter

if TYPE_CHECKING:
    from openprofiles.wire import own_types as own

_PROFILE = "_profile."


@own_operation("ExplainObject")
def explain(call: Call, request: own.ExplainObjectRequest) -> own.Explanation:
    """Explain what an object would do if it were ingested now."""
    with call.writing(request["DomainName"]) as session:
        found = explain_object(session, request["ObjectTypeName"], request["Object"])
    members = {
        **members_of(found, "profile_id", "overwrites"),
        "Outcome": found.outcome.value,
        **_rejection(found.rejection),
        "ProfileObjectUniqueKey": unique_key_text(found.unique_key),
        "Keys": [
            {
                "KeyName": one.key.name,
                "Profiles": ("NONE", "ONE", "SEVERAL")[one.profile_count],
                "Decided": one.decided,
            }
            for one in found.tried
        ],
        "Fields": [
            {
                **members_of(one, "before", "given", "reason"),
                "Target": _PROFILE + one.path,
                "Effect": one.effect.value,
            }
            for one in found.fields
        ],
        "MissingFields": list(found.missing),
        "UnreadTimestampField": found.unread_time,
        "StandardObjects": list(found.standard_objects),
    }
    return cast("own.Explanation", members)


@own_operation("ScrubProfileObject")
def scrub(call: Call, request: own.ScrubProfileObjectRequest) -> own.NoMembers:
    """Delete an object with the fields that it has given its profile."""
    profile_id, type_name = request["ProfileId"], request["ObjectTypeName"]
    with call.writing(request["DomainName"]) as session:
        scrub_profile_object(
            session, profile_id, type_name, request["ProfileObjectUniqueKey"], falls_back=not call.strict
        )
    return {}


@own_operation("GetLineage")
def get_lineage(call: Call, request: own.GetLineageRequest) -> own.Lineage:
    """Return where the value of each field of a profile comes from."""
    with call.reading(request["DomainName"]) as session:
        return {"Fields": [_lineage(one) for one in read_lineage(session, request["ProfileId"])]}


@own_operation("ListDeadLetters")
def list_dead_letters(call: Call, request: own.ListDeadLettersRequest) -> own.DeadLetters:
    """List the objects that found no profile, oldest first, without their content."""
    with call.reading(request["DomainName"]) as session:
        page = dead_letters.list_dead_letters(session, **page_of(request, OWN_PAGE_SIZE))
    return {"Items": [_letter(one) for one in page.letters], "NextToken": page.next_token}


@own_operation("GetDeadLetter")
def get_dead_letter(call: Call, request: own.GetDeadLetterRequest) -> own.DeadLetter:
    """Return an object that found no profile."""
    with call.reading(request["DomainName"]) as session:
        letter = dead_letters.get_dead_letter(session, int(request["DeadLetterId"]))
    return _letter(letter) | {"Object": letter.content}


@own_operation("RetryDeadLetter")
def retry_dead_letter(call: Call, request: own.RetryDeadLetterRequest) -> own.Retry:
    """Ingest an object again that found no profile, or its fixed form."""
    with call.writing(request["DomainName"]) as session:
        rejection = dead_letters.retry_dead_letter(session, int(request["DeadLetterId"]), request.get("Object"))
    return cast("own.Retry", {"Ingested": rejection is None, **_rejection(rejection)})


@own_operation("DeleteDeadLetter")
def delete_dead_letter(call: Call, request: own.DeleteDeadLetterRequest) -> own.NoMembers:
    """Delete an object that found no profile."""
    with call.writing(request["DomainName"]) as session:
        dead_letters.delete_dead_letter(session, int(request["DeadLetterId"]))
    return {}


def _rejection(code: DeadLetterCode | None) -> dict[str, str]:
    return {} if code is None else {"Code": code.value, "Message": code.message}


def _letter(letter: DeadLetter) -> own.DeadLetter:
    """Return a dead letter without its object."""
    members = {
        "DeadLetterId": str(letter.dead_letter_id),
        "ObjectTypeName": letter.object_type,
        "ProfileObjectUniqueKey": unique_key_text(letter.unique_key),
        **_rejection(DeadLetterCode(letter.code)),
        **members_of(letter, "attempts", "created_at"),
        "LastAttemptAt": letter.updated_at,
    }
    return cast("own.DeadLetter", members)


def _lineage(one: FieldLineage) -> own.FieldLineage:
    members: dict[str, Any] = {
        **members_of(one, "mapping_field", "ingested_at", "job_id"),
        "Field": one.path,
        "Origin": one.origin.value,
        "ObjectTypeName": one.object_type,
        "ProfileObjectUniqueKey": None if one.unique_key is None else unique_key_text(one.unique_key),
        "SourcePriority": one.priority,
        "SourceLastUpdatedAt": one.source_at,
        "NextObjectTypeName": one.next_object_type,
    }
    return cast("own.FieldLineage", members)
