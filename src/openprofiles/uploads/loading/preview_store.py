"""Stand in for the store while a preview follows entangled records, and keep in the scratch database what they change.

Records that are followed meet only profiles that one of their unique keys finds, and those that they make. So it has
a copy of these, and of the keys that matter: those of the name that is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from openprofiles.bulk.leased_work import check_stop
from openprofiles.bulk.scratch import Scratch
from openprofiles.facts.sql_text import sql_text
from openprofiles.store.bulk import BulkStore
from openprofiles.store.bulk_protocols import PreparedRows, ProfileWrite
from openprofiles.store.leased_jobs import ChunkState
from openprofiles.store.note_tables import NoteTable
from openprofiles.uploads.mappings.upload_mapping import UploadMapping

_PROFILES_PER_READ = 20_000
# Of the copied domain, which nothing else writes to.
_KEY_VERSION = 0

# Row numbers of profiles that a preview would make; none that is stored comes near.
PREVIEW_PID_BASE = 1 << 40


class PreviewStore:
    """The profiles and keys of a preview; see ``follow.FollowStore``.

    Args:
        columns: those of the table ``profile`` that are read and written, as text.
        mapping: that of the job.
    """

    def __init__(self, scratch: Scratch, store: BulkStore, columns: Sequence[str], mapping: UploadMapping) -> None:
        self._scratch = scratch
        self._store = store
        self._columns = list(dict.fromkeys((*columns, "attributes", "origins")))
        texts = "".join(f", {column} text" for column in self._columns)
        scratch.run(f"create or replace temp table preview_profile (pid bigint primary key{texts})")
        scratch.run(
            "create or replace temp table preview_key (name text, value text, pid bigint, unique (value, pid, name))"
        )
        scratch.run("create or replace temp table preview_held_key (name text, value text, pid bigint)")
        self._copy(mapping)

    def _copy(self, mapping: UploadMapping) -> None:
        """Copy what the records' unique keys find."""
        scratch, name = self._scratch, sql_text(mapping.key_name)
        scratch.run(
            f"insert into preview_key select distinct {name}, {mapping.sql_search_form('key')}, pid from holder "
            "where key in (select key from staged join ordered using (record))"
        )
        pids = scratch.table("select distinct pid from preview_key order by pid")["pid"].combine_chunks()
        for start in range(0, len(pids), _PROFILES_PER_READ):
            some = pids.slice(start, _PROFILES_PER_READ)
            scratch.put("copied", self._store.read_profiles(some, self._columns))
            scratch.run(f"insert into preview_profile select pid, {', '.join(self._columns)} from copied")
            scratch.put("copied", self._store.read_held_keys(some, mapping.key_name))
            scratch.run(f"insert into preview_held_key select {name}, value, pid from copied")

    # ProfileRows

    def read_profiles(self, pids: pa.Array, columns: Sequence[str]) -> pa.Table:
        self._scratch.put("wanted", pa.table({"pid": pids.cast(pa.int64())}))
        names = ", ".join(("pid", *columns))
        return self._scratch.table(f"select {names} from preview_profile semi join wanted using (pid) order by pid")

    def insert_profiles(self, rows: pa.Table | PreparedRows, write: ProfileWrite) -> None:
        names = ["pid", *write.columns, "attributes"]
        self._put_written(rows, ["pid", "profile_id", *write.columns, "attributes"])
        self._scratch.run(f"insert into preview_profile by name select {', '.join(names)} from written")

    def update_profiles(self, rows: pa.Table, write: ProfileWrite) -> None:
        self._put_written(rows, [*write.columns, "attributes", "pid"])
        # Only what clears has empty values.
        changes = "".join(f"{name} = nullif(coalesce(w.{name}, p.{name}), ''), " for name in write.columns)
        self._scratch.run(
            f"update preview_profile p set {changes}attributes = case when w.attributes is null then p.attributes "
            "else nullif(json_merge_patch(coalesce(p.attributes, '{}')::json, w.attributes::json)::varchar, '{}') end "
            "from written w where w.pid = p.pid"
        )

    def update_origins(self, rows: pa.Table) -> None:
        self._put_written(rows, ["origins", "pid"])
        self._scratch.run("update preview_profile p set origins = w.origins from written w where w.pid = p.pid")

    # KeyIndex

    def find_key_holders(self, name: str, keys: pa.Array, columns: Sequence[str] = ()) -> pa.Table:
        held = "".join(
            f", (select {column} from preview_profile p where p.pid = k.pid) as {column}" for column in columns
        )
        return self._find(name, "true", {"value": keys}, f"i, k.pid{held}")

    def find_present_keys(self, name: str, values: pa.Array, pids: pa.Array) -> pa.Table:
        return self._find(name, "wanted.pid = k.pid", {"value": values, "pid": pids}, "i")

    def _find(self, name: str, condition: str, wanted: dict[str, pa.Array], answer: str) -> pa.Table:
        count = len(wanted["value"])
        table = pa.table({"i": pa.array(range(count), pa.int64()), **wanted})
        self._scratch.put("wanted", table.set_column(1, "value", table["value"].cast(pa.string())))
        return self._scratch.table(
            f"select {answer} from wanted join preview_key k on wanted.value = k.value "
            f"and k.name = {sql_text(name)} and {condition}"
        )

    def read_held_keys(self, pids: pa.Array, name: str) -> pa.Table:
        self._scratch.put("wanted", pa.table({"pid": pids.cast(pa.int64())}))
        return self._scratch.table(
            f"select pid, value from preview_held_key semi join wanted using (pid) where name = {sql_text(name)}"
        )

    def add_keys(self, name: str, rows: pa.Table | PreparedRows) -> None:
        self._put_written(rows, ["value", "pid"])
        self._scratch.run(f"insert or ignore into preview_key select {sql_text(name)}, value, pid from written")

    def remove_keys(self, name: str, rows: pa.Table | PreparedRows) -> int:
        self._put_written(rows, ["value", "pid"])
        is_key = "a.value = k.value and a.pid = k.pid and a.name = k.name"
        return int(
            self._scratch.value(
                f"delete from preview_key k using written w where k.name = {sql_text(name)} and k.value = w.value "
                f"and k.pid = w.pid and not exists (select 1 from preview_held_key a where {is_key})"
            )
        )

    def _put_written(self, rows: pa.Table | PreparedRows, names: Sequence[str]) -> None:
        table = rows.table if isinstance(rows, PreparedRows) else rows
        self._scratch.put("written", table.rename_columns(list(names)))

    # JobNotes: those of the preview's own job.

    def read_key_version(self) -> int:
        return _KEY_VERSION

    def read_ordered_records(self, after: int, limit: int) -> pa.Table:
        return self._store.read_ordered_records(after, limit)

    def read_notices(self) -> list[Any]:
        return self._store.read_notices()

    @contextmanager
    def chunk(self) -> Iterator[ChunkState]:
        yield ChunkState(_KEY_VERSION, self._store.read_job().stop_requested, domain_deleted=False)

    def add_notes(self, table: NoteTable, rows: pa.Table) -> None:
        # Numbers alone, but there may be as many as records.
        with self._noting():
            self._store.add_notes(table, rows)

    def record_notices(self, notices: Sequence[Any]) -> None:
        with self._noting():
            self._store.record_notices(notices)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Begin a chunk of the preview's job."""
        with self._store.chunk() as state:
            check_stop(state)
            self._store.check_lease()
            yield
