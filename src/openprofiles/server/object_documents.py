"""Dead letters, explanations of objects and the lineage of profiles, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openprofiles.clock import to_epoch_seconds
from openprofiles.objects.explanation import Explanation
from openprofiles.objects.lineage import FieldLineage
from openprofiles.objects.objects import unique_key_text
from openprofiles.objects.placement import DeadLetterCode
from openprofiles.server.json_bodies import members, read_json, text, without_none
from openprofiles.store.dead_letters import DeadLetter

_PROFILE = "_profile."


def read_explain_document(body: bytes) -> tuple[str, str]:
    """Read the object type and the object that a request sends.

    Raises:
        WireError: it is not a JSON object, or has a member that is unknown, missing or not a string.
    """
    document = members("The body", read_json(body), ("ObjectTypeName", "Object"))
    return text("ObjectTypeName", document.get("ObjectTypeName")), text("Object", document.get("Object"))


def read_retry_document(body: bytes) -> str | None:
    """Read the fixed object that a request to retry a dead letter sends; None if its body is empty.

    Raises:
        WireError: it is not a JSON object, or has a member that is unknown or not a string.
    """
    if not body:
        return None
    document = members("The body", read_json(body), ("Object",))
    return text("Object", document["Object"]) if "Object" in document else None


def read_scrub_document(body: bytes) -> tuple[str, str, str]:
    """Read which object a request removes: the ids of its profile, its type and its unique key.

    Raises:
        WireError: it is not a JSON object, or has a member that is unknown, missing or not a string.
    """
    names = ("ProfileId", "ObjectTypeName", "ProfileObjectUniqueKey")
    document = members("The body", read_json(body), names)
    profile_id, type_name, unique_key = (text(name, document.get(name)) for name in names)
    return profile_id, type_name, unique_key


def dead_letter_item(letter: DeadLetter) -> dict[str, Any]:
    """Build a dead letter without its object."""
    return {
        "DeadLetterId": str(letter.dead_letter_id),
        "ObjectTypeName": letter.object_type,
        "ProfileObjectUniqueKey": unique_key_text(letter.unique_key),
        "Code": letter.code,
        "Message": DeadLetterCode(letter.code).message,
        "Attempts": letter.attempts,
        "CreatedAt": to_epoch_seconds(letter.created_at),
        "LastAttemptAt": to_epoch_seconds(letter.updated_at),
    }


def dead_letter_document(letter: DeadLetter) -> dict[str, Any]:
    """Build a dead letter with its object."""
    return {**dead_letter_item(letter), "Object": letter.content}


def retry_document(rejection: DeadLetterCode | None) -> dict[str, Any]:
    """Build the result of another attempt."""
    if rejection is None:
        return {"Ingested": True}
    return {"Ingested": False, "Code": rejection.value, "Message": rejection.message}


def explanation_document(explanation: Explanation) -> dict[str, Any]:
    """Build what an object would do, and why."""
    rejection = explanation.rejection
    return without_none(
        {
            "Outcome": explanation.outcome.value,
            "Code": None if rejection is None else rejection.value,
            "Message": None if rejection is None else rejection.message,
            "ProfileId": explanation.profile_id,
            "ProfileObjectUniqueKey": unique_key_text(explanation.unique_key),
            "Overwrites": explanation.overwrites,
            "Keys": [
                {
                    "KeyName": one.key.name,
                    "Profiles": ("NONE", "ONE", "SEVERAL")[one.profile_count],
                    "Decided": one.decided,
                }
                for one in explanation.tried
            ],
            "Fields": [
                without_none(
                    {
                        "Target": _PROFILE + one.path,
                        "Effect": one.effect.value,
                        "Before": one.before,
                        "Given": one.given,
                        "Reason": one.reason,
                    }
                )
                for one in explanation.fields
            ],
            "MissingFields": list(explanation.missing),
            "UnreadTimestampField": explanation.unread_time,
            "StandardObjects": list(explanation.standard_objects),
        }
    )


def lineage_document(fields: Sequence[FieldLineage]) -> dict[str, Any]:
    """Build the lineage of a profile."""
    return {"Fields": [_field_document(one) for one in fields]}


def _field_document(one: FieldLineage) -> dict[str, Any]:
    return without_none(
        {
            "Field": one.path,
            "Origin": one.origin.value,
            "ObjectTypeName": one.object_type,
            "MappingField": one.mapping_field,
            "ProfileObjectUniqueKey": None if one.unique_key is None else unique_key_text(one.unique_key),
            "SourcePriority": one.priority,
            "IngestedAt": to_epoch_seconds(one.ingested_at),
            "SourceLastUpdatedAt": to_epoch_seconds(one.source_at),
            "JobId": one.job_id,
            "NextObjectTypeName": one.next_object_type,
        }
    )
