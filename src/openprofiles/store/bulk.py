"""What a loader needs of the store, whichever engine it runs on: Arrow tables in and out, no Python object per cell.

Every write of a load is a chunk: one short transaction that also records the job's position and counts. A chunk is
valid only while the lease is the loader's own; otherwise it is rolled back and ``LeaseLost`` raised.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute

from openprofiles.job_kinds import UNDOS
from openprofiles.store.bulk_jobs import JobStore, LeasedJobReader
from openprofiles.store.bulk_protocols import (
    NUMBERS,
    KeyIndex,
    KeyReader,
    PreparedRows,
    ProfileReader,
    ProfileRows,
)


class BulkReader(LeasedJobReader, ProfileReader, KeyReader):
    """One connection of one loader, for reading."""

    @abstractmethod
    def close(self) -> None:
        """Give the connection up."""

    @abstractmethod
    def open_reader(self) -> BulkReader:
        """Another connection, for reading in another thread. It sees what is committed."""

    @abstractmethod
    def prepare_rows(self, table: pa.Table) -> PreparedRows:
        """Do what an insert needs before it holds the lock."""

    # How the text of a column is read where it may be null.
    _TEXT: ClassVar[str]
    # Whether the attributes of a profile are read as ``jsonb`` spells them, whatever was written.
    SPELLS_AS_JSONB: ClassVar[bool] = False
    # A join that may look up the rows of its right side one after the other.
    _JOIN: ClassVar[str]
    # The domain of a profile ``p`` where a range of row numbers is read.
    _OF_DOMAIN: ClassVar[str] = "p.domain_id"
    # What else a query says that may read all profiles of a domain by the index on expiry.
    _FOR_EXPIRY_INDEX: ClassVar[str] = ""

    # The list of fields that are set by hand or protected, for profiles ``p`` with sources; ``{types}`` are the types
    # that protect theirs. Otherwise ``origins`` is read as it is.
    _PROTECTING: ClassVar[str]
    # The types of the domain that protect their fields.
    _PROTECTING_TYPES: ClassVar[str]

    @abstractmethod
    def _fill(self, temporary_table: str, rows: Mapping[str, pa.Array]) -> None:
        """Have a temporary table hold these rows and no others: ``wanted``, ``wanted_pid`` or ``wanted_key``."""

    @abstractmethod
    def _each(self, table: str, condition: str) -> str:
        """Build the join that looks up rows of a table one after the other, for those of a temporary table ``w``.

        Args:
            table: with an alias, which the condition names.
        """

    def _read_texts(self, sql: str, types: Mapping[str, pa.DataType], *parameters: object) -> pa.Table:
        """The answer to a select of ``_chosen``."""
        return self._table(sql, types, *parameters)

    def find_key_holders(self, name: str, keys: pa.Array, columns: Sequence[str] = ()) -> pa.Table:
        """See ``KeyReader``."""
        self._fill("wanted", {"i": pa.array(np.arange(len(keys))), "v": keys})
        each_key = self._each("profile_key k", "k.domain_id = ? and k.name = ? and k.value = w.v")
        found = self._table(
            f"select w.i, k.pid from wanted w {each_key}", {"i": pa.int64(), "pid": pa.int64()}, self._domain_id, name
        )
        # The profiles are looked at in their own order: in that of the keys, each would be a page of its own.
        pids = pa.compute.unique(found["pid"].combine_chunks())
        self._fill("wanted_pid", {"pid": pids.take(pa.compute.sort_indices(pids))})
        chosen, types = self._chosen(columns)
        living = self._read_texts(
            f"select {chosen} from wanted_pid w {self._each_profile} where p.expires_at > ?",
            types,
            *self._job_facts,
        )
        return _only_living(found, living, columns)

    def read_profiles(self, pids: pa.Array, columns: Sequence[str]) -> pa.Table:
        """See ``ProfileReader``."""
        self._fill_pids(pids)
        chosen, types = self._chosen(columns)
        return self._read_texts(
            f"select {chosen} from wanted_pid w {self._each_profile} order by p.pid", types, self._domain_id
        )

    def read_profile_range(self, after: int, upto: int, limit: int, columns: Sequence[str]) -> pa.Table:
        """The same columns of the first profiles of the domain with a row number above ``after``, up to ``upto``."""
        chosen, types = self._chosen(columns)
        return self._read_texts(
            f"select {chosen} from profile p where {self._OF_DOMAIN} = ? and p.pid > ? and p.pid <= ? "
            "order by p.pid limit ?",
            types,
            self._domain_id,
            after,
            upto,
            limit,
        )

    def read_domain_column(self, column: str, after_pid: int, limit: int) -> pa.Table:
        """One text column of a domain's profiles, in order of row number: ``pid`` and ``value``, without nulls."""
        return self._table(
            f"select pid, cast({column} as text) as value from profile "
            f"where domain_id = ? and pid > ? and {column} is not null{self._FOR_EXPIRY_INDEX} order by pid limit ?",
            {"pid": pa.int64(), "value": pa.string()},
            self._domain_id,
            after_pid,
            limit,
        )

    def find_present_keys(self, name: str, values: pa.Array, pids: pa.Array) -> pa.Table:
        """See ``KeyReader``."""
        self._fill("wanted_key", {"i": pa.array(np.arange(len(values))), "v": values, "pid": pids})
        is_key = "k.domain_id = ? and k.name = ? and k.value = w.v and k.pid = w.pid"
        return self._table(
            f"select w.i from wanted_key w {self._each('profile_key k', is_key)}",
            {"i": pa.int64()},
            self._domain_id,
            name,
        )

    def read_held_keys(self, pids: pa.Array, name: str) -> pa.Table:
        """See ``KeyReader``."""
        self._fill_pids(pids)
        return self._table(
            f"select distinct a.pid, a.value from wanted_pid w {self._JOIN} held_key a on a.pid = w.pid and a.name = ?",
            {"pid": pa.int64(), "value": pa.string()},
            name,
        )

    def read_touched(self, pids: pa.Array) -> pa.Table:
        """Those of these profiles that the domain has and that this job was the last upload job to touch: ``pid``."""
        self._fill_pids(pids)
        return self._table(
            f"select p.pid from wanted_pid w {self._each_profile} where p.last_upload_job = ?",
            {"pid": pa.int64()},
            self._domain_id,
            self._lease.job_number,
        )

    @property
    def _each_profile(self) -> str:
        return self._each("profile p", "p.domain_id = ? and p.pid = w.pid")

    def _fill_pids(self, pids: pa.Array) -> None:
        self._fill("wanted_pid", {"pid": pa.compute.unique(pids)})

    def _chosen(self, columns: Sequence[str]) -> tuple[str, dict[str, pa.DataType]]:
        """What a select reads of a profile ``p``, and its types."""
        forms = {column: "coalesce({}, 0)" if column in NUMBERS else self._TEXT for column in columns}
        chosen = "".join(f", {form.format(self._read_form(column))} as {column}" for column, form in forms.items())
        kinds = {column: pa.int64() if column in NUMBERS else pa.string() for column in columns}
        return f"p.pid{chosen}", {"pid": pa.int64(), **kinds}

    def _read_form(self, column: str) -> str:
        if column != "origins" or not self._protecting_types:
            return f"p.{column}"
        types = ", ".join(map(str, self._protecting_types))
        return f"case when p.sources is null then p.origins else {self._PROTECTING.format(types=types)} end"

    @cached_property
    def _protecting_types(self) -> list[int]:
        """The object types whose fields no file replaces; none for an undo, which restores everything."""
        if self._lease.kind in UNDOS:
            return []
        rows = self._table(self._PROTECTING_TYPES, {"definition_id": pa.int64()}, self._domain_id)
        found: list[int] = rows["definition_id"].to_pylist()
        return found


class BulkStore(BulkReader, JobStore, ProfileRows, KeyIndex):
    """The connection of one loader that writes."""

    def checkpoint(self) -> None:
        """Move what is committed to its place for good, if the engine does so later by itself."""

    @abstractmethod
    def restore_profiles(self, rows: pa.Table, columns: Sequence[str], now: datetime) -> None:
        """Make existing profiles, in order of pid, hold exactly this.

        Args:
            rows: ``columns`` (text or null), then ``NUMBERS`` (0 for no last_upload_job), then pid.
        """

    @abstractmethod
    def delete_profiles(self, pids: pa.Array, now: datetime) -> None:
        """Remove these profiles, which are there and in order; the caller removes their keys."""


def _only_living(found: pa.Table, living: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Keep the holders that have not expired, with their columns: see ``BulkReader.find_key_holders``."""
    place = pa.compute.index_in(found["pid"], living["pid"].combine_chunks())
    is_living = pa.compute.is_valid(place)
    kept, places = found.filter(is_living), place.filter(is_living)
    for column in columns:
        kept = kept.append_column(column, living[column].take(places))
    return kept
