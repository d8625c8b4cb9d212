"""A preview of an upload job as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprofiles.server.json_bodies import without_none
from openprofiles.uploads.preview_sample import PreviewSample
from openprofiles.uploads.previews import Preview


def preview_document(preview: Preview, progress: Mapping[str, Any], *, with_stored: bool) -> dict[str, Any]:
    """The progress of the preview's own job, and the samples.

    Args:
        progress: as of any upload job.
        with_stored: also what is stored of the profiles that would be changed.
    """
    return {**progress, "Samples": [_sample_document(sample, with_stored) for sample in preview.samples]}


def read_sample_document(document: Mapping[str, Any]) -> PreviewSample:
    """What ``preview_document`` made of a sample."""
    fields = tuple((one["Field"], one.get("Before"), one.get("After")) for one in document["Fields"])
    return PreviewSample(document["Record"], document.get("ProfileId"), fields, document.get("Line"))


def _sample_document(sample: PreviewSample, with_stored: bool) -> dict[str, Any]:
    return without_none(
        {
            "Record": sample.record,
            "Line": sample.line,
            "ProfileId": sample.profile_id if with_stored else None,
            "Fields": [
                without_none({"Field": path, "Before": before if with_stored else None, "After": after})
                for path, before, after in sample.fields
            ],
        }
    )
