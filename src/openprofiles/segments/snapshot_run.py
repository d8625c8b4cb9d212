"""The job that exports the members of a segment.

It reads one state of the store into files in the scratch folder, and then sends them. The manifest comes last, so an
export with a manifest is whole. A job that was interrupted begins again, and replaces what it sent.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from openprofiles.clock import Clock
from openprofiles.expressions.tree import EVERYBODY
from openprofiles.job_kinds import SEGMENT_SNAPSHOT
from openprofiles.profiles.session import Reading
from openprofiles.segments.definitions import GROUPS, SORT, SQL_QUERY, expression_of, require_valid, sort_paths
from openprofiles.segments.exports.destinations import TEST_FILE, Destination, ExportFailed, open_destination
from openprofiles.segments.exports.exported_files import MANIFEST
from openprofiles.segments.exports.files import Part, write_csv, write_json_lines, write_orc
from openprofiles.segments.run_end import Counts, OpenState, RunFailed, RunStopped, run_segment_job, scratch_folder
from openprofiles.segments.snapshots import DATA_FORMAT, DESTINATION, ENCRYPTION_KEY, NAME
from openprofiles.segments.surroundings import sql_surroundings
from openprofiles.settings import Settings
from openprofiles.store.export_rows import ConnectionRows, open_sqlite_rows
from openprofiles.store.expressions.fragments import Sql, sql
from openprofiles.store.leased_jobs import LeasedJob
from openprofiles.store.leased_store import LeasedStore
from openprofiles.store.segment_export import SegmentExport
from openprofiles.store.segment_rows import count_members, is_among, members_condition
from openprofiles.store.segment_runs import SegmentRun

if TYPE_CHECKING:
    from openprofiles.segments.sql_members import SqlMembers


def run(store: LeasedStore, settings: Settings, clock: Clock) -> None:
    """Run the leased job to its end."""
    run_segment_job(store, SEGMENT_SNAPSHOT, clock, partial(_export, store, settings))


def _export(store: LeasedStore, settings: Settings, job: LeasedJob, found: SegmentRun, open_state: OpenState) -> Counts:
    request = found.request
    try:
        destination = open_destination(
            request[DESTINATION], settings.export_folder, encryption_key=request.get(ENCRYPTION_KEY)
        )
        destination.put_text(TEST_FILE, "A test of openprofiles: it may write here.\n")
        with scratch_folder(settings, job) as folder:
            files, counts = _write_state(store, settings, job, request, open_state, folder)
            _send_all(store, destination, files, counts, request)
    except ExportFailed as error:
        raise RunFailed(str(error)) from error
    return counts


def _write_state(
    store: LeasedStore,
    settings: Settings,
    job: LeasedJob,
    request: Mapping[str, Any],
    open_state: OpenState,
    folder: Path,
) -> tuple[_Files, Counts]:
    """Write the files of one state of the store.

    It is closed before they are sent, since a bucket may be slow.
    """
    by_sql = _find_by_sql(store, settings, request, open_state, folder) if SQL_QUERY in request else None
    with open_state() as session:
        dialect, domain_id = session.connection.dialect.name, job.domain_id
        expression = EVERYBODY if by_sql else expression_of(session, request, GROUPS)
        require_valid(session, expression)
        surroundings = sql_surroundings(session)
        everybody = count_members(session.connection, domain_id, EVERYBODY, surroundings)
        members = members_condition(dialect, domain_id, expression, surroundings)
        if by_sql:
            members = sql("({0} and {1})", is_among(dialect, by_sql.pids.tolist()), members)
        if dialect != "sqlite":
            files = _write_all(SegmentExport(ConnectionRows(session.connection), members), session, request, folder)
    if dialect == "sqlite":
        with store.suspended(), open_sqlite_rows(settings.store_path) as rows:
            files = _write_all(SegmentExport(rows, members), session, request, folder)
    as_of = by_sql.session.now if by_sql else session.now
    return files, Counts(as_of, sum(part.rows for part in files.parts), everybody, files.members)


def _find_by_sql(
    store: LeasedStore, settings: Settings, request: Mapping[str, Any], open_state: OpenState, folder: Path
) -> SqlMembers:
    # Imported here: it imports the parser.
    from openprofiles.segments.sql_members import find_sql_members

    tables = folder / "tables"
    tables.mkdir()
    found = find_sql_members(store, settings, request, open_state, tables)
    shutil.rmtree(tables)
    return found


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of an export.

    Attributes:
        domain_name: of the state that they are of.
        as_of: the time of that state.
        names: of the columns, if the format has any.
        members: the row numbers of the members, ascending.
    """

    domain_name: str
    as_of: datetime
    names: list[str] | None
    parts: list[Part]
    members: npt.NDArray[np.int64]


def _write_all(export: SegmentExport, session: Reading, request: Mapping[str, Any], folder: Path) -> _Files:
    """Write all files into the folder."""
    names, parts = _parts(export, request[DATA_FORMAT], _order(export, request), folder)
    return _Files(session.domain.name, session.now, names, list(parts), export.read_row_numbers())


def _send_all(
    store: LeasedStore, destination: Destination, files: _Files, counts: Counts, request: Mapping[str, Any]
) -> None:
    """Send all files, and the manifest at the end."""
    snapshot_id = _require_go(store)
    prefix = f"{request[NAME]}/{snapshot_id}"
    sent: list[dict[str, Any]] = []
    for part in files.parts:
        destination.put_file(f"{prefix}/{part.file.name}", part.file)
        sent.append({"Name": part.file.name, "Rows": part.rows, "Bytes": part.file.stat().st_size})
        part.file.unlink()
        _require_go(store)
    manifest = {
        "SnapshotId": snapshot_id,
        "DomainName": files.domain_name,
        NAME: request[NAME],
        DATA_FORMAT: request[DATA_FORMAT],
        "AsOf": counts.as_of.isoformat(),
        "Members": counts.member_count,
        "Columns": files.names,
        "Files": sent,
    }
    destination.put_text(f"{prefix}/{MANIFEST}", json.dumps(manifest, indent=2) + "\n")


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
