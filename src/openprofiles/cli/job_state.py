"""What commands conclude from the progress of an upload job, as GetProgress and ListProgress describe it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprofiles.uploads.failures.faults import NOT_A_PHONE_NUMBER, NOT_AN_EMAIL_ADDRESS
from openprofiles.uploads.mappings.value_kinds import ValueKind

KIND_OF_ERROR = {NOT_AN_EMAIL_ADDRESS: ValueKind.EMAIL_ADDRESS, NOT_A_PHONE_NUMBER: ValueKind.PHONE_NUMBER}


def is_running(progress: Mapping[str, Any]) -> bool:
    """Return whether a job has not ended."""
    return progress["Status"] in ("CREATED", "IN_PROGRESS")


def changed_count(progress: Mapping[str, Any]) -> int:
    """Count the rows that changed a profile which was there."""
    return int(progress["UpdatedRecords"] - progress["UnchangedRecords"])


def unprocessed_count(progress: Mapping[str, Any]) -> int:
    """Count the rows without a result; of a job that has ended, those that it left out after a stop."""
    return int(progress.get("RecordCount", progress["ProcessedRecords"]) - progress["ProcessedRecords"])


def notice_messages(progress: Mapping[str, Any]) -> list[str]:
    """List sentences about rows with an outcome that the user may not expect."""
    return [one["Message"] for one in progress.get("Notices", ())]


def columns_of_other_values(progress: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the error and the column of each check that most rows have failed.

    These are the checks for email addresses and phone numbers.
    """
    return [
        (one["Code"], one["Column"])
        for one in progress.get("Faults", ())
        if "Column" in one and one["Code"] in KIND_OF_ERROR and 2 * one["Count"] > progress["ProcessedRecords"]
    ]
