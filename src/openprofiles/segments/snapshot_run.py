"""The job that exports the members of a segment.

It reads one state of the store into files in the scratch folder, and sends each part once it is complete. The manifest
comes last, so an export with a manifest is whole. A job that was interrupted begins again, and replaces what it sent.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from openprofiles.clock import Clock
from openprofiles.errors import InvalidRequest
from openprofiles.expressions.tree import EVERYBODY
from openprofiles.facts.standard_profile import ATTRIBUTES_PREFIX, FIELD_BY_PATH, TWINS
from openprofiles.job_kinds import SEGMENT_SNAPSHOT
from openprofiles.profiles.session import Reading
from openprofiles.segments.definitions import GROUPS, SORT, expression_of, require_valid
from openprofiles.segments.exports.destinations import TEST_FILE, Destination, ExportFailed, open_destination
from openprofiles.segments.exports.files import Part, write_csv, write_json_lines, write_orc
from openprofiles.segments.run_end import RunFailed, run_segment_job
from openprofiles.segments.snapshots import DATA_FORMAT, DESTINATION, ENCRYPTION_KEY, NAME
from openprofiles.segments.surroundings import sql_surroundings
from openprofiles.settings import Settings
from openprofiles.store.expressions.fragments import Sql
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.store.leased_store import LeasedStore
from openprofiles.store.segment_export import SegmentExport
from openprofiles.store.segment_rows import count_members
from openprofiles.store.segment_runs import SegmentRun


def run(store: LeasedStore, settings: Settings, clock: Clock) -> None:
    """Run the leased job to its end."""
    run_segment_job(store, SEGMENT_SNAPSHOT, clock, partial(_export, settings))


def _export(settings: Settings, job: LeasedJob, found: SegmentRun, session: Reading) -> tuple[int, int]:
    request = found.request
    expression = expression_of(session, request, GROUPS)
    require_valid(session, expression)
    surroundings = sql_surroundings(session)
    profile_count = count_members(session.connection, job.domain_id, EVERYBODY, surroundings)
    export = SegmentExport(session.connection, job.domain_id, expression, surroundings)
    # Named after the job, so that it is removed if this process dies.
    folder = settings.scratch_folder / job.job_id
    folder.mkdir(parents=True, exist_ok=True)
    try:
        destination = open_destination(
            request[DESTINATION], settings.export_folder, encryption_key=request.get(ENCRYPTION_KEY)
        )
        destination.put_text(TEST_FILE, "A test of openprofiles: it may write here.\n")
        member_count = _write_all(export, destination, session, job.job_id, request, folder)
    except ExportFailed as error:
        raise RunFailed(str(error)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return member_count, profile_count


def _write_all(
    export: SegmentExport,
    destination: Destination,
    session: Reading,
    snapshot_id: str,
    request: Mapping[str, Any],
    folder: Path,
) -> int:
    """Write and send all parts and the manifest; return how many members there are."""
    prefix = f"{request[NAME]}/{snapshot_id}"
    order = _order(export, request)
    names, parts = _parts(export, request[DATA_FORMAT], order, folder)
    sent: list[dict[str, Any]] = []
    for part in parts:
        destination.put_file(f"{prefix}/{part.file.name}", part.file)
        sent.append({"Name": part.file.name, "Rows": part.rows, "Bytes": part.file.stat().st_size})
        part.file.unlink()
    member_count: int = sum(one["Rows"] for one in sent)
    manifest = {
        "SnapshotId": snapshot_id,
        "DomainName": session.domain.name,
        NAME: request[NAME],
        DATA_FORMAT: request[DATA_FORMAT],
        "AsOf": session.now.isoformat(),
        "Members": member_count,
        "Columns": names,
        "Files": sent,
    }
    destination.put_text(f"{prefix}/manifest.json", json.dumps(manifest, indent=2) + "\n")
    return member_count


def _parts(
    export: SegmentExport, data_format: str, order: list[Sql], folder: Path
) -> tuple[list[str] | None, Iterator[Part]]:
    """Return the names of the columns, if the format has any, and the parts."""
    columns = export.read_columns(with_attributes=data_format != "JSONL")
    if data_format == "JSONL":
        return None, write_json_lines(export.read_json_lines(columns, order), folder)
    write = write_orc if data_format == "ORC" else write_csv
    return columns.names, write(columns.names, export.read_rows(columns, order), folder)


def _order(export: SegmentExport, request: Mapping[str, Any]) -> list[Sql]:
    order: list[Sql] = []
    for attribute in request.get(SORT, {}).get("Attributes", ()):
        if attribute.get("Type") == "CALCULATED":
            raise InvalidRequest(
                f"The segment is sorted by calculated attribute {attribute['Name']}, which does not exist."
            )
        path = attribute["Name"]
        path = TWINS[path][0] if path in TWINS else path
        if path not in FIELD_BY_PATH:
            path = ATTRIBUTES_PREFIX + path.removeprefix(ATTRIBUTES_PREFIX)
        order += export.order_by(path, attribute.get("DataType", "STRING"), descending=attribute["Order"] == "DESC")
    return order
