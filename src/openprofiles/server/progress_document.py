"""The progress of a running job as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprofiles.uploads.progress import Progress


def progress_document(progress: Progress) -> dict[str, Any]:
    """The document of a progress, without what is not known."""
    members = {
        "Step": progress.step,
        "StepCount": progress.step_count,
        "Doing": progress.doing,
        "Done": progress.done,
        "Total": progress.total,
        "Unit": progress.unit,
        "Share": round(progress.share, 4),
        "PerSecond": progress.per_second,
        "SecondsLeft": progress.seconds_left,
    }
    return {name: value for name, value in members.items() if value is not None}


def read_progress_document(document: Mapping[str, Any]) -> Progress:
    """The progress that ``progress_document`` made this of."""
    return Progress(
        step=document["Step"],
        step_count=document["StepCount"],
        doing=document["Doing"],
        done=document["Done"],
        total=document.get("Total"),
        unit=document["Unit"],
        share=document["Share"],
        per_second=document.get("PerSecond"),
        seconds_left=document.get("SecondsLeft"),
    )
