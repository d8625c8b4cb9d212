"""The job that exports the members of a segment.

It reads one state of the store into files in the scratch folder, and then sends them. The manifest comes last, so an
export with a manifest is whole. A job that was interrupted begins again, and replaces what it sent.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from openprofiles.clock import Clock
from openprofiles.expressions.tree import EVERYBODY
from openprofiles.job_kinds import SEGMENT_SNAPSHOT
from openprofiles.profiles.session import Reading
from openprofiles.segments.definitions import GROUPS, SORT, expression_of, require_valid, sort_paths
from openprofiles.segments.exports.destinations import TEST_FILE, Destination, ExportFailed, open_destination
from openprofiles.segments.exports.files import Part, write_csv, write_json_lines, write_orc
from openprofiles.segments.run_end import Counts, OpenState, RunFailed, RunStopped, run_segment_job
from openprofiles.segments.snapshots import DATA_FORMAT, DESTINATION, ENCRYPTION_KEY, NAME
from openprofiles.segments.surroundings import sql_surroundings
from openprofiles.settings import Settings
from openprofiles.store.export_rows import ConnectionRows, open_sqlite_rows
from openprofiles.store.expressions.fragments import Sql
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.store.leased_store import LeasedStore
from openprofiles.store.segment_export import SegmentExport
from openprofiles.store.segment_rows import count_members, members_condition
from openprofiles.store.segment_runs import SegmentRun


def run(store: LeasedStore, settings: Settings, clock: Clock) -> None:
    """Run the leased job to its end."""
    run_segment_job(store, SEGMENT_SNAPSHOT, clock, partial(_export, store, settings))


def _export(store: LeasedStore, settings: Settings, job: LeasedJob, found: SegmentRun, open_state: OpenState) -> Counts:
    # In a folder named after the job, so that it is removed if this process dies; another claim of the job has its own.
    folder = settings.scratch_folder / job.job_id / str(job.epoch)
    folder.mkdir(parents=True)
    request = found.request
    try:
        destination = open_destination(
            request[DESTINATION], settings.export_folder, encryption_key=request.get(ENCRYPTION_KEY)
        )
        destination.put_text(TEST_FILE, "A test of openprofiles: it may write here.\n")
        # The state is closed before the files are sent: a slow bucket must not keep it open.
        with open_state() as session:
            dialect = session.connection.dialect.name
            expression = expression_of(session, request, GROUPS)
            require_valid(session, expression)
            surroundings = sql_surroundings(session)
            everybody = count_members(session.connection, job.domain_id, EVERYBODY, surroundings)
            members = members_condition(dialect, job.domain_id, expression, surroundings)
            if dialect != "sqlite":
                names, parts = _write_all(SegmentExport(ConnectionRows(session.connection), members), request, folder)
        if dialect == "sqlite":
            with store.suspended(), open_sqlite_rows(settings.store_path) as rows:
                names, parts = _write_all(SegmentExport(rows, members), request, folder)
        counts = Counts(session.now, sum(part.rows for part in parts), everybody)
        _send_all(store, destination, session, request, names, parts)
    except ExportFailed as error:
        raise RunFailed(str(error)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        # Another claim of the job may still have its folder in there.
        with suppress(OSError):
            folder.parent.rmdir()
    return counts


def _write_all(export: SegmentExport, request: Mapping[str, Any], folder: Path) -> tuple[list[str] | None, list[Part]]:
    """Write all files into the folder; return the names of the columns, and the parts."""
    names, parts = _parts(export, request[DATA_FORMAT], _order(export, request), folder)
    return names, list(parts)


def _send_all(
    store: LeasedStore,
    destination: Destination,
    session: Reading,
    request: Mapping[str, Any],
    names: list[str] | None,
    parts: list[Part],
) -> None:
    """Send all files, and the manifest at the end."""
    snapshot_id = _require_go(store)
    prefix = f"{request[NAME]}/{snapshot_id}"
    sent: list[dict[str, Any]] = []
    for part in parts:
        destination.put_file(f"{prefix}/{part.file.name}", part.file)
        sent.append({"Name": part.file.name, "Rows": part.rows, "Bytes": part.file.stat().st_size})
        part.file.unlink()
        _require_go(store)
    manifest = {
        "SnapshotId": snapshot_id,
        "DomainName": session.domain.name,
        NAME: request[NAME],
        DATA_FORMAT: request[DATA_FORMAT],
        "AsOf": session.now.isoformat(),
        "Members": sum(part.rows for part in parts),
        "Columns": names,
        "Files": sent,
    }
    destination.put_text(f"{prefix}/manifest.json", json.dumps(manifest, indent=2) + "\n")


def _require_go(store: LeasedStore) -> str:
    """Return the id of the job if this process is still to do it.

    Raises:
        LeaseLost: another worker has it.
        RunStopped: it was stopped, or its domain deleted.
    """
    job = store.read_job()
    if job.stop_requested or job.domain_deleted:
        raise RunStopped
    return job.job_id


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
    attributes = request.get(SORT, {}).get("Attributes", ())
    return [
        part
        for attribute, path in zip(attributes, sort_paths(request), strict=True)
        for part in export.order_by(path, attribute.get("DataType", "STRING"), descending=attribute["Order"] == "DESC")
    ]
