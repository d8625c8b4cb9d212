"""The history of a profile: every change of it, by calls and by jobs, and what it was after each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from openprofiles.errors import NotFound
from openprofiles.facts.records import Profile
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.change_contents import with_values_before, with_values_of_image
from openprofiles.profiles.profiles import get_profile
from openprofiles.profiles.session import Reading
from openprofiles.store.change_actions import KEY_ACTIONS, WITHOUT_VALUES
from openprofiles.store.profile_changes import (
    ProfileChange,
    find_change,
    list_change_numbers,
    read_changes,
    read_content,
    read_image,
)

_LIST_NAME = "ListProfileHistoryRecords"
# To read what a profile was after a change, each later one is undone, which may mean reading a chunk.
_MAX_LATER_CHANGES = 1000
# A page that has looked at this many changes ends, full or not.
_MAX_EXAMINED = 1000


@dataclass(frozen=True, slots=True)
class HistoryRecord:
    """A change of a profile.

    Attributes:
        record_id: 32 hex digits.
    """

    record_id: str
    change: ProfileChange


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A page of the history, newest first; ``next_token`` is None on the last."""

    records: tuple[HistoryRecord, ...]
    next_token: str | None


@dataclass(frozen=True, slots=True)
class WholeHistoryRecord:
    """A change of a profile with what came of it.

    Attributes:
        profile: as it was after the change; None if that is no longer known, or if only keys were changed.
        keys: ``KeyName`` and ``Values`` of changed keys; None if they are no longer known, or if values were changed.
    """

    record: HistoryRecord
    profile: Profile | None
    keys: Mapping[str, Any] | None


def list_history(
    session: Reading,
    profile_id: str,
    *,
    is_wanted: Callable[[ProfileChange], bool] = lambda _change: True,
    max_results: int,
    next_token: str | None,
) -> HistoryPage:
    """List the changes of a profile, newest first.

    A page may be short, even empty, and have a ``next_token``: then many changes were looked at in vain.

    Raises:
        NotFound: the domain has no such profile.
        InvalidRequest: the token is not one of this list's.
    """
    before = None if next_token is None else int(read_token(_LIST_NAME, next_token, (int,))[0])
    profile = get_profile(session, profile_id)
    numbers = list_change_numbers(session.connection, profile.domain_id, profile.pid, before)
    found: list[HistoryRecord] = []
    last_number = None
    for number, change in read_changes(session.connection, profile.domain_id, profile.pid, numbers[:_MAX_EXAMINED]):
        if change is not None and is_wanted(change):
            if len(found) == max_results:
                break
            found.append(_record(profile, change))
        last_number = number
    token = None
    if last_number is not None and last_number != numbers[-1][0]:
        token = write_token(_LIST_NAME, [last_number])
    return HistoryPage(tuple(found), token)


def get_history_record(session: Reading, profile_id: str, record_id: str) -> WholeHistoryRecord:
    """Return a change of a profile with what came of it.

    Raises:
        NotFound: the domain has no such profile, or the profile has no such record.
    """
    connection, profile = session.connection, get_profile(session, profile_id)
    pid, number = int(record_id[:16], 16), int(record_id[16:], 16)
    # No number in the store has more than 63 bits.
    is_possible = pid == profile.pid and number < 1 << 63
    change = find_change(connection, profile.domain_id, pid, number) if is_possible else None
    if change is None:
        raise NotFound(f"Profile {profile_id} has no history record {record_id}.")
    record = _record(profile, change)
    if change.action in KEY_ACTIONS:
        content = read_content(connection, profile.domain_id, number)
        return WholeHistoryRecord(record, None, None if content is None else json.loads(content))
    return WholeHistoryRecord(record, _profile_after(session, profile, number), None)


def _record(profile: Profile, change: ProfileChange) -> HistoryRecord:
    return HistoryRecord(f"{profile.pid:016x}{change.number:016x}", change)


def _profile_after(session: Reading, profile: Profile, number: int) -> Profile | None:
    """Return a profile as it was after a change of it; None if that is no longer known.

    Args:
        profile: as it is now.
    """
    found: Profile | None = profile
    # The jobs that the undos so far have undone, whose changes come next, those of the last one first. An undo makes
    # the profile what it was before these changes; what it was in between is no longer known.
    undone: list[int] = []
    is_in_undone = False
    numbers = list_change_numbers(session.connection, profile.domain_id, profile.pid, None)
    changes = (change for _, change in read_changes(session.connection, profile.domain_id, profile.pid, numbers))
    for later in islice((change for change in changes if change is not None), _MAX_LATER_CHANGES):
        while is_in_undone and later.job_number != undone[-1]:
            undone.pop()
            is_in_undone = bool(undone) and later.job_number == undone[-1]
        if found is None or later.number == number:
            return None if undone else found
        if later.undone_number is not None:
            undone.append(later.undone_number)
            is_in_undone = False
        elif undone:
            is_in_undone = later.job_number == undone[-1]
        elif later.action not in WITHOUT_VALUES:
            found = _before(session, found, later)
    return None


def _before(session: Reading, after: Profile, change: ProfileChange) -> Profile | None:
    if change.job_number is not None:
        image = read_image(session.connection, change)
        return None if image is None else with_values_of_image(after, image)
    content = read_content(session.connection, after.domain_id, change.number)
    return None if content is None else with_values_before(after, content)
