"""Stands in for the store while a preview follows entangled records: what they would change is kept in the scratch
database alone.

Records that are followed meet only profiles that one of their unique keys finds, and those that they make. So it holds
a copy of these, and of the keys that matter: those of the name that is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from openprofiles.store.bulk import BulkStore, ChunkState, LeasedJob
from openprofiles.uploads.loading.leased_work import check_stop
from openprofiles.uploads.loading.scratch import Scratch
from openprofiles.uploads.mappings.upload_mapping import UploadMapping

_PROFILES_PER_READ = 20_000
# Of the copied domain, which nothing else writes to.
_KEY_VERSION = 0

# Row numbers of profiles that a preview would make; none that is stored comes near.
PREVIEW_PID_BASE = 1 << 40


@dataclass(slots=True)
class PreviewCounts:
    """What would become of records."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0


class PreviewStore:
    """As much of ``BulkStore`` as ``follow`` needs.

    Args:
        columns: those of the table ``profile`` that are read and written.
        mapping: that of the job.
    """

    def __init__(
        self, scratch: Scratch, store: BulkStore, job: LeasedJob, columns: Sequence[str], mapping: UploadMapping
    ) -> None:
        self.counts = PreviewCounts()
        self._scratch = scratch
        self._store = store
        self._job = job
        self._mapping = mapping
        self._columns = list(dict.fromkeys((*columns, "attributes", "origins")))
        texts = "".join(f", {column} text" for column in self._columns)
        scratch.run(f"create or replace temp table preview_profile (pid bigint primary key{texts})")
        scratch.run("create or replace temp table preview_key (value text, pid bigint, primary key (value, pid))")
        scratch.run("create or replace temp table preview_added (value text, pid bigint)")
        self._copy()

    def _copy(self) -> None:
        """Everything that the records' unique keys find."""
        scratch = self._scratch
        scratch.run(
            f"insert into preview_key select distinct {self._mapping.sql_search_form('key')}, pid from holder "
            "where key in (select key from staged join ordered using (record))"
        )
        pids = scratch.table("select distinct pid from preview_key order by pid")["pid"].combine_chunks()
        for start in range(0, len(pids), _PROFILES_PER_READ):
            some = pids.slice(start, _PROFILES_PER_READ)
            scratch.put("copied", self._store.read_profiles(self._job.domain_id, some, self._columns))
            scratch.run(f"insert into preview_profile select pid, {', '.join(self._columns)} from copied")
            scratch.put("copied", self._store.read_added_keys(some, self._mapping.key_name))
            scratch.run("insert into preview_added select value, pid from copied")

    def read_ordered_records(self, after: int, limit: int) -> pa.Table:
        return self._store.read_ordered_records(after, limit)

    def read_key_version(self, domain_id: int) -> int:  # noqa: ARG002
        return _KEY_VERSION

    def find_key_holders(
        self,
        domain_id: int,  # noqa: ARG002
        name: str,  # noqa: ARG002
        keys: pa.Array,
        at: datetime,  # noqa: ARG002
        columns: Sequence[str] = (),
    ) -> pa.Table:
        held = "".join(f", (select {name} from preview_profile p where p.pid = k.pid) as {name}" for name in columns)
        return self._find("wanted.value = k.value", {"value": keys}, f"i, k.pid{held}")

    def find_present_keys(self, domain_id: int, name: str, values: pa.Array, pids: pa.Array) -> pa.Table:  # noqa: ARG002
        return self._find("wanted.value = k.value and wanted.pid = k.pid", {"value": values, "pid": pids}, "i")

    def _find(self, condition: str, wanted: dict[str, pa.Array], answer: str) -> pa.Table:
        count = len(wanted["value"])
        table = pa.table({"i": pa.array(range(count), pa.int64()), **wanted})
        self._scratch.put("wanted", table.set_column(1, "value", table["value"].cast(pa.string())))
        return self._scratch.table(f"select {answer} from wanted join preview_key k on {condition}")

    def read_profiles(
        self,
        domain_id: int,  # noqa: ARG002
        pids: pa.Array,
        columns: Sequence[str],
        numbers: Sequence[str] = (),  # noqa: ARG002  (those are for images, which a preview does not keep)
    ) -> pa.Table:
        self._scratch.put("wanted", pa.table({"pid": pids.cast(pa.int64())}))
        return self._scratch.table(
            f"select pid, {', '.join(columns)} from preview_profile where pid in (select pid from wanted) order by pid"
        )

    def read_added_keys(self, pids: pa.Array, name: str) -> pa.Table:  # noqa: ARG002
        self._scratch.put("wanted", pa.table({"pid": pids.cast(pa.int64())}))
        return self._scratch.table("select pid, value from preview_added where pid in (select pid from wanted)")

    @contextmanager
    def chunk(self) -> Iterator[ChunkState]:
        yield ChunkState(_KEY_VERSION, self._store.read_job().stop_requested, domain_deleted=False)

    def insert_failed_rows(self, rows: pa.Table) -> None:
        # Numbers alone, but there may be as many as records.
        with self._store.chunk() as state:
            check_stop(state)
            self._store.insert_failed_rows(rows)
            self._store.check_lease()

    def insert_profiles(
        self,
        rows: pa.Table,
        *,
        domain_id: int,  # noqa: ARG002
        columns: Sequence[str],
        now: datetime,  # noqa: ARG002
        expires_at: datetime,  # noqa: ARG002
    ) -> None:
        self._scratch.put("written", rows.rename_columns(["pid", "profile_id", *columns, "attributes"]))
        names = ", ".join(("pid", *columns, "attributes"))
        self._scratch.run(f"insert into preview_profile ({names}) select {names} from written")

    def update_profiles(
        self,
        rows: pa.Table,
        *,
        domain_id: int,  # noqa: ARG002
        columns: Sequence[str],
        now: datetime,  # noqa: ARG002
        expires_at: datetime,  # noqa: ARG002
        clears: bool,  # noqa: ARG002  (without it there is nothing that clears)
    ) -> None:
        self._scratch.put("written", rows.rename_columns([*columns, "attributes", "pid"]))
        changes = "".join(f"{name} = nullif(coalesce(w.{name}, p.{name}), ''), " for name in columns)
        self._scratch.run(
            f"update preview_profile p set {changes}attributes = case when w.attributes is null then p.attributes "
            "else nullif(json_merge_patch(coalesce(p.attributes, '{}')::json, w.attributes::json)::varchar, '{}') end "
            "from written w where w.pid = p.pid"
        )

    def update_origins(self, domain_id: int, rows: pa.Table) -> None:  # noqa: ARG002
        self._scratch.put("written", rows)
        self._scratch.run("update preview_profile p set origins = w.origins from written w where w.pid = p.pid")

    def add_keys(self, domain_id: int, name: str, rows: pa.Table) -> None:  # noqa: ARG002
        if name == self._mapping.key_name:
            self._scratch.put("written", rows)
            self._scratch.run("insert or ignore into preview_key select value, pid from written")

    def remove_keys(self, domain_id: int, name: str, rows: pa.Table) -> int:  # noqa: ARG002
        if name != self._mapping.key_name:
            return 0
        self._scratch.put("written", rows)
        return int(
            self._scratch.value(
                "delete from preview_key k using written w where k.value = w.value and k.pid = w.pid and not exists "
                "(select 1 from preview_added a where a.value = w.value and a.pid = w.pid)"
            )
        )

    def record_progress(
        self,
        *,
        phase: str,  # noqa: ARG002
        position: int,  # noqa: ARG002
        created: int = 0,
        updated: int = 0,
        unchanged: int = 0,
        failed: int = 0,
    ) -> None:
        self.counts.created += created
        self.counts.updated += updated
        self.counts.unchanged += unchanged
        self.counts.failed += failed
