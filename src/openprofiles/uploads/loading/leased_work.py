"""What every step shares that writes to profiles or keys on behalf of a job, whether that loads or undoes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from openprofiles.clock import Clock
from openprofiles.store.bulk import BulkReader, BulkStore, ChunkState, LeasedJob
from openprofiles.uploads.loading.key_columns import KeyRule, key_rules
from openprofiles.uploads.loading.prefetch import prefetch
from openprofiles.uploads.loading.scratch import Scratch, ScratchCursor
from openprofiles.uploads.loading.steps import Stopped
from openprofiles.uploads.mappings.upload_mapping import UploadMapping

T = TypeVar("T")

# Each thread needs memory for every mapped field. Two of them exceed the default memory limit at 500 fields, and one
# does not; in between, this number leaves room.
MOST_FIELDS_OF_TWO_THREADS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedWork:
    """The job, its mapping, and where its steps work.

    Attributes:
        cursor: where the present thread works on the scratch database.
        reader: where it reads the store; ``store`` itself in the thread that writes.
        key_version: of the domain, when what is written was found out.
    """

    scratch: Scratch
    cursor: ScratchCursor
    store: BulkStore
    reader: BulkReader
    job: LeasedJob
    mapping: UploadMapping
    key_version: int
    clock: Clock

    @property
    def key_rules(self) -> list[KeyRule]:
        """The keys that a change of the mapped fields can change."""
        return key_rules((field.path for field in self.mapping.fields), self.job.indexed_paths)

    @contextmanager
    def in_another_thread(self) -> Iterator[Self]:
        """The same work, with connections for reading in another thread."""
        cursor, reader = self.scratch.another(), self.store.open_reader()
        try:
            yield replace(self, cursor=cursor, reader=reader)
        finally:
            cursor.close()
            reader.close()

    @contextmanager
    def made_ahead(self, make: Callable[[Self], Generator[T, None, None]], depth: int) -> Iterator[Iterator[T]]:
        """Make the next ``depth`` items in another thread, or each when it is taken if the job has few rows.

        Args:
            make: makes them from connections that nothing else uses.
        """
        if self.scratch.has_few_records or len(self.mapping.fields) > MOST_FIELDS_OF_TWO_THREADS:
            cursor = self.scratch.another()
            with closing(cursor), closing(make(replace(self, cursor=cursor))) as items:
                yield items
        else:
            with self.in_another_thread() as ahead, prefetch(make(ahead), depth) as items:
                yield items


def check_stop(state: ChunkState) -> None:
    """End the work if that was asked for.

    Raises:
        Stopped: it was.
    """
    if state.stop_requested or state.domain_deleted:
        raise Stopped
