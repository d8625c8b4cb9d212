"""Write the words by which customers are searched: the reader of the feed of each domain.

It looks at the profiles that the log of changes names, and at all profiles of a domain whose log is not kept for so
long. It waits for the end of a load, which needs the processor and the store; until then a search reads what was
changed since (``profiles/text_search``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from openprofiles.facts.folded_words import SEARCHED_PATHS, words_of_profile
from openprofiles.store import profile_words as rows
from openprofiles.store.connections import Connection
from openprofiles.store.feeds import HeldFeed, is_held, renew_lease
from openprofiles.store.profile_changes import read_changed_after, read_last_change_number
from openprofiles.store.profiles import read_texts, read_texts_of_range
from openprofiles.store.row_sequence import last_reserved
from openprofiles.worker.feeds import FeedLost, FeedWork

# A reader must end well within its lease.
_SECONDS_AT_A_TIME = 5.0
_CHANGED_AT_ONCE = 20_000
# To write the words of 5,000 takes a tenth of a second, and to remove them a quarter, for which nobody else writes to
# SQLite.
_PROFILES_AT_ONCE = 5_000


def write_words_of_changed(work: FeedWork, held: HeldFeed) -> int:
    """Write words for as long as there is time; return the number of the last change that was looked at."""
    writer = _WordsWriter(work, held)
    with work.store.read() as connection:
        scanned_pid = rows.read_scanned_pid(connection, held.domain_id)
        removed_at = rows.read_removed_at(connection, held.domain_id)
    if scanned_pid is not None:
        writer.look_at_all(scanned_pid)
        return held.number
    if removed_at is not None and removed_at + rows.MERGED_AFTER <= work.clock():
        writer.merge_index()
        return held.number
    return writer.look_at_changed()


class _WordsWriter:
    """One act of the reader."""

    def __init__(self, work: FeedWork, held: HeldFeed) -> None:
        self._work = work
        self._held = held
        self._ends_at = time.monotonic() + _SECONDS_AT_A_TIME

    def look_at_all(self, scanned_pid: int) -> None:
        """Look at the profiles above a row number."""
        with self._work.store.read() as connection:
            last_pid = last_reserved(connection)
        while True:
            with self._work.store.read() as connection:
                found = read_texts_of_range(
                    connection, self._held.domain_id, scanned_pid, last_pid, SEARCHED_PATHS, limit=_PROFILES_AT_ONCE
                )
            upto_pid = found[-1][0] if len(found) == _PROFILES_AT_ONCE else last_pid
            words = {pid: words_of_profile(values) for pid, values in found}
            with self._writing() as connection:
                now = self._work.clock()
                rows.remove_words_of_removed(connection, self._held.domain_id, scanned_pid, upto_pid, now)
                rows.write_words(connection, self._held.domain_id, words, now)
                rows.note_scanned_pid(connection, self._held.domain_id, None if upto_pid >= last_pid else upto_pid)
            scanned_pid = upto_pid
            if scanned_pid >= last_pid or time.monotonic() > self._ends_at:
                return

    def merge_index(self) -> None:
        """Remove the words of removed profiles from the pages of the index."""
        while True:
            with self._writing() as connection:
                is_more = rows.merge_index_step(connection)
                if not is_more:
                    rows.note_merged(connection, self._held.domain_id)
            if not is_more or time.monotonic() > self._ends_at:
                return

    def look_at_changed(self) -> int:
        """Look at profiles that were changed; return the number of the last change."""
        held, number = self._held, self._held.number
        while True:
            with self._work.store.read() as connection:
                changed = read_changed_after(connection, held.domain_id, number, most_pids=_CHANGED_AT_ONCE)
                last_number = read_last_change_number(connection, held.domain_id)
            if number == last_number:
                return number
            if changed is None or changed.first_number > number + 1:
                # The log is not kept for so long. What was missed is found by a look at all profiles.
                with self._writing() as connection:
                    rows.begin_words(connection, held.domain_id)
                return last_number if changed is None else changed.first_number - 1
            for start in range(0, len(changed.pids), _PROFILES_AT_ONCE):
                self._look_at(changed.pids[start : start + _PROFILES_AT_ONCE])
            number = changed.last_number
            if time.monotonic() > self._ends_at:
                return number

    def _look_at(self, pids: Sequence[int]) -> None:
        # What changes between the read and the write has a later number in the log, and is looked at again.
        with self._work.store.read() as connection:
            found = read_texts(connection, self._held.domain_id, pids, SEARCHED_PATHS)
        words = {pid: words_of_profile(values) for pid, values in found}
        with self._writing() as connection:
            gone = [pid for pid in pids if pid not in words]
            rows.remove_words(connection, self._held.domain_id, gone, self._work.clock())
            rows.write_words(connection, self._held.domain_id, words, self._work.clock())

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Begin a transaction in which no other worker writes words of the domain.

        Raises:
            FeedLost: another worker does.
        """
        with self._work.store.write() as connection:
            if not renew_lease(connection, self._held, self._work.clock()) or not is_held(connection, self._held):
                raise FeedLost
            yield connection
