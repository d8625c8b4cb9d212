"""The files of an export in a folder of this machine, for people who have only a browser."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from openprofiles.errors import InvalidRequest
from openprofiles.segments.exports.destinations import folder_of_destination
from openprofiles.segments.snapshots import DESTINATION, NAME
from openprofiles.store.segment_runs import SegmentRun
from openprofiles.store.upload_job_states import UploadJobStatus

MANIFEST = "manifest.json"
_NAME_OF_PART = re.compile(r"part-[0-9]+\.[a-z]+")


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of an export, as its manifest names it.

    Attributes:
        rows: how many customers it has.
        size_bytes: of the file.
    """

    name: str
    rows: int
    size_bytes: int
    path: Path


def list_exported_files(run: SegmentRun, export_folder: Path | None) -> list[ExportedFile]:
    """List the files of an export that are there; none if it was sent elsewhere, or the folder is no longer allowed.

    Args:
        export_folder: see ``check_destination``.
    """
    if run.status is not UploadJobStatus.SUCCEEDED:
        return []
    try:
        root = folder_of_destination(run.request[DESTINATION], export_folder)
    except InvalidRequest:
        return []
    if root is None:
        return []
    folder = root / run.request[NAME] / run.job_id
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["Files"]
    except (OSError, ValueError, KeyError):
        # It was moved or changed by somebody.
        return []
    found = [
        ExportedFile(one["Name"], one["Rows"], one["Bytes"], folder / one["Name"])
        for one in files
        if _NAME_OF_PART.fullmatch(one["Name"])
    ]
    return [one for one in found if one.path.is_file() and not one.path.is_symlink()]
