"""The job that exports a segment, where something happens between its files, on every engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import select, update

import by_hand
from openprofiles.errors import NotFound
from openprofiles.facts.records import Domain, Profile
from openprofiles.ids import new_profile_id
from openprofiles.job_kinds import SEGMENT_SNAPSHOT
from openprofiles.profiles.domains import delete_domain
from openprofiles.segments import snapshot_run
from openprofiles.segments.definitions import create_segment, delete_segment
from openprofiles.segments.exports import files
from openprofiles.segments.exports.destinations import open_destination
from openprofiles.segments.exports.files import Part, write_csv
from openprofiles.segments.snapshots import read_snapshot, start_snapshot
from openprofiles.settings import Settings
from openprofiles.store import job_queue
from openprofiles.store.connections import Store
from openprofiles.store.leased_jobs import Lease, LeaseLost
from openprofiles.store.leased_store import LeasedStore
from openprofiles.store.prepared import written_together
from openprofiles.store.profiles import insert_profile
from openprofiles.store.tables import job
from openprofiles.store.upload_job_states import UploadJobStatus
from store.made_rows import NOW, make_domain

LATER = timedelta(minutes=1)


@dataclass
class Export:
    """A segment of three profiles, a file each, which is exported to a folder by the leased job."""

    store: Store
    domain: Domain
    settings: Settings
    monkeypatch: pytest.MonkeyPatch
    snapshot_id: str = ""

    @property
    def folder(self) -> Path:
        assert self.settings.export_folder is not None
        return self.settings.export_folder

    def run(self, *, after_first_file: Callable[[], None] = lambda: None, now: datetime = NOW) -> list[str]:
        """Run the job to its end, and return the names of the files that were sent."""

        def opened(uri: str, export_folder: Path | None, *, encryption_key: str | None) -> _Watched:
            return _Watched(uri, export_folder, after_first_file)

        self.monkeypatch.setattr(snapshot_run, "open_destination", opened)
        with self.store.write() as connection:
            claimed = job_queue.claim_next_job(connection, owner="a", now=now, lease_until=now + LATER)
        assert claimed is not None
        leased = LeasedStore(self.store, Lease(claimed.job_number, "a", claimed.epoch, SEGMENT_SNAPSHOT.name))
        try:
            snapshot_run.run(leased, self.settings, lambda: now)
        finally:
            # Nothing is left behind, however it ends.
            assert list(self.settings.scratch_folder.iterdir()) == []
            sent = sorted(one.name for one in self.folder.rglob("*") if one.is_file())
        return sent

    def status(self) -> UploadJobStatus:
        with self.store.read() as connection:
            return UploadJobStatus(connection.execute(select(job.c.status)).scalar_one())


class _Watched:
    """A folder; something happens when the first file is there."""

    def __init__(self, uri: str, export_folder: Path | None, after_first_file: Callable[[], None]) -> None:
        self._folder = open_destination(uri, export_folder, encryption_key=None)
        self._after_first_file = after_first_file
        self._is_first = True

    def put_text(self, name: str, text: str) -> None:
        self._folder.put_text(name, text)

    def put_file(self, name: str, file: Path) -> None:
        self._folder.put_file(name, file)
        if self._is_first:
            self._is_first = False
            self._after_first_file()


def _write_each_row(columns: Sequence[str], batches: Iterator[pa.RecordBatch], folder: Path) -> Iterator[Part]:
    rows = (batch.slice(row, 1) for batch in batches for row in range(batch.num_rows))
    return write_csv(columns, rows, folder)


@pytest.fixture
def export(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Export:
    monkeypatch.setattr(files, "PART_BYTES", 20)
    monkeypatch.setattr(snapshot_run, "write_csv", _write_each_row)
    domain = make_domain(store, "shop")
    with store.write() as connection, written_together(connection) as writes:
        for pid in (1, 2, 3):
            profile_id = new_profile_id(NOW, pid)
            moments: dict[str, Any] = {"created_at": NOW, "updated_at": NOW, "expires_at": NOW + timedelta(days=1)}
            insert_profile(
                writes, Profile(pid=pid, domain_id=domain.domain_id, profile_id=profile_id, values={}, **moments)
            )
    settings = Settings(data_folder=tmp_path, export_folder=tmp_path / "exports")
    made = Export(store, domain, settings, monkeypatch)
    by_hand.write(store, domain, create_segment, "all", {"DisplayName": "all"}, {}, {})
    request = {"DataFormat": "CSV", "DestinationUri": (tmp_path / "exports").as_uri()}
    made.snapshot_id = by_hand.write(
        store, domain, start_snapshot, "all", request, export_folder=settings.export_folder, strict=False
    )
    return made


def test_an_export_sends_its_files_and_the_manifest_last(export: Export) -> None:
    sent = export.run(after_first_file=lambda: None)

    parts = [f"part-0000{number}.csv" for number in range(3)]
    assert sent == ["customer-profiles-test-file", "manifest.json", *parts]
    found = by_hand.read(export.store, export.domain, read_snapshot, "all", export.snapshot_id)
    assert (found.status, found.member_count) == (UploadJobStatus.SUCCEEDED, 3)


def test_an_export_ends_at_the_next_file_when_its_domain_is_deleted(export: Export) -> None:
    sent = export.run(after_first_file=lambda: by_hand.write(export.store, export.domain, delete_domain))

    assert sent == ["customer-profiles-test-file", "part-00000.csv"]
    assert export.status() == UploadJobStatus.STOPPED


def test_an_export_that_another_worker_has_taken_over_sends_no_more(export: Export) -> None:
    def take_over() -> None:
        with export.store.write() as connection:
            connection.execute(update(job).values(epoch=job.c.epoch + 1, lease_owner="b"))

    with pytest.raises(LeaseLost):
        export.run(after_first_file=take_over)

    assert not list(export.folder.rglob("manifest.json"))
    assert len(list(export.folder.rglob("part-*.csv"))) == 1


def test_the_snapshots_of_a_deleted_segment_are_not_those_of_a_new_one_of_its_name(export: Export) -> None:
    by_hand.write(export.store, export.domain, delete_segment, "all")
    with pytest.raises(NotFound, match="Segment definition all does not exist"):
        by_hand.read(export.store, export.domain, read_snapshot, "all", export.snapshot_id)
    by_hand.write(export.store, export.domain, create_segment, "all", {"DisplayName": "all"}, {}, {})

    with pytest.raises(NotFound, match="has no snapshot"):
        by_hand.read(export.store, export.domain, read_snapshot, "all", export.snapshot_id)


def test_an_export_whose_worker_was_killed_begins_again_and_names_each_file_once(export: Export) -> None:
    def kill() -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        export.run(after_first_file=kill)
    assert export.status() == UploadJobStatus.IN_PROGRESS

    export.run(now=NOW + 2 * LATER)

    (manifest,) = export.folder.rglob("manifest.json")
    parts = [(one["Name"], one["Rows"]) for one in json.loads(manifest.read_text())["Files"]]
    assert parts == [(f"part-0000{number}.csv", 1) for number in range(3)]
    assert [len(one.read_text().splitlines()) for one in manifest.parent.glob("part-*")] == [2, 2, 2]
