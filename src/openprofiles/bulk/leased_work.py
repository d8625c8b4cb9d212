"""Share what every step needs that writes to profiles or keys for a job, and the way in which it writes a chunk."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar

import pyarrow as pa

from openprofiles.bulk.chunks import ChunkSize
from openprofiles.bulk.key_columns import KeyRule, key_rules
from openprofiles.bulk.prefetch import prefetch
from openprofiles.bulk.scratch import Scratch, ScratchCursor
from openprofiles.bulk.steps import Stopped
from openprofiles.clock import Clock
from openprofiles.store.bulk import BulkReader, BulkStore
from openprofiles.store.leased_jobs import ChunkState, LeasedJob

T = TypeVar("T")

# Each thread needs memory for every field. Two of them exceed the default memory limit at 500 fields, and one
# does not; in between, this number leaves room.
MOST_FIELDS_OF_TWO_THREADS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedWork:
    """A job, and where its steps work.

    Attributes:
        cursor: where the present thread works on the scratch database.
        paths: the fields that it writes.
        reader: where it reads the store; ``store`` itself in the thread that writes.
        key_version: of the domain, when what is written was found out.
    """

    scratch: Scratch
    cursor: ScratchCursor
    store: BulkStore
    reader: BulkReader
    job: LeasedJob
    paths: tuple[str, ...]
    key_version: int
    clock: Clock

    @property
    def key_rules(self) -> list[KeyRule]:
        """The keys that a change of the fields can change."""
        return key_rules(self.paths, self.job.indexed_paths)

    @contextmanager
    def in_another_thread(self) -> Iterator[Self]:
        """Give another thread the same work, with connections for reading of its own."""
        cursor, reader = self.scratch.another(), self.store.open_reader()
        try:
            yield replace(self, cursor=cursor, reader=reader)
        finally:
            cursor.close()
            reader.close()

    @contextmanager
    def made_ahead(self, make: Callable[[Self], Generator[T, None, None]], depth: int) -> Iterator[Iterator[T]]:
        """Make the next ``depth`` items in another thread, or each when it is taken.

        The latter is faster for few rows.

            Args:
                make: makes them from connections that nothing else uses.
        """
        if self.scratch.has_few_records or len(self.paths) > MOST_FIELDS_OF_TWO_THREADS:
            cursor = self.scratch.another()
            with closing(cursor), closing(make(replace(self, cursor=cursor))) as items:
                yield items
        else:
            with self.in_another_thread() as ahead, prefetch(make(ahead), depth) as items:
                yield items


class Made(Protocol):
    """What a chunk writes, made before it begins."""

    @property
    def key_version(self) -> int:
        """That of the domain, for which it holds."""

    @property
    def made_of(self) -> pa.Table:
        """The rows that it was made of, from which it can be made again."""


Work = TypeVar("Work", bound=LeasedWork)
M = TypeVar("M", bound=Made)


@contextmanager
def valid_chunk(work: Work, made: M, make_again: Callable[[Work, pa.Table], M], size: ChunkSize) -> Iterator[M]:
    """Begin a chunk, with what holds for the domain as the chunk finds it."""
    # What was written to the domain since is looked at before the lock is taken, if possible.
    if work.store.read_key_version() != made.key_version:
        made = make_again(work, made.made_of)
    with work.store.chunk() as state, size.timed(made.made_of.num_rows):
        check_stop(state)
        if state.key_version != made.key_version:
            made = make_again(work, made.made_of)
        yield made


def check_stop(state: ChunkState) -> None:
    """End the work if that was asked for.

    Raises:
        Stopped: it was.
    """
    if state.stop_requested or state.domain_deleted:
        raise Stopped
