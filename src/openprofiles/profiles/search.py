"""Finding profiles by their keys: equality of normal forms, never a part of a value.

Each key value has its profiles in the index in ascending order of row number. A search walks these lists
side by side in windows: within a window every list is known completely, so that uniting or intersecting is
plain set work. A page costs a bounded number of index entries, however many profiles share a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openprofiles.errors import InvalidRequest
from openprofiles.facts.keys import Key, SearchKey
from openprofiles.facts.records import Profile
from openprofiles.facts.standard_profile import PROFILE_ID_KEY
from openprofiles.facts.typed_keys import searched_key
from openprofiles.ids import row_number_of
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.key_forms import read_forms
from openprofiles.profiles.session import Reading
from openprofiles.store import profile_keys as key_rows
from openprofiles.store import profiles as profile_rows

# Our choice; the service model sets no limit, but each value is a look-up of its own.
MAX_SEARCH_VALUES = 1000

# A page that has read this many entries of the index ends, full or not.
MAX_ENTRIES_PER_PAGE = 20_000

_LIST_NAME = "SearchProfiles"
_MAX_WINDOW = 1000


@dataclass(frozen=True, slots=True)
class FoundProfile:
    """A profile, and the keys with those of their values that found it."""

    profile: Profile
    found_by: tuple[SearchKey, ...]


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of a search, in the order of row numbers; ``next_token`` is None on the last.

    A page may be short, even empty, and have a ``next_token``: then many profiles were looked at in vain.
    """

    found: tuple[FoundProfile, ...]
    next_token: str | None


def search_profiles(
    session: Reading,
    keys: Sequence[SearchKey],
    *,
    match_all_keys: bool = False,
    max_results: int,
    next_token: str | None = None,
) -> SearchPage:
    """Return one page of the profiles that any or all of the keys find.

    Args:
        match_all_keys: a profile must be found by every key, by any value of each.

    Raises:
        InvalidRequest: there are too many values, or the token is not one of this list's.
    """
    value_count = sum(len(key.values) for key in keys)
    if value_count > MAX_SEARCH_VALUES:
        raise InvalidRequest(
            f"The search has {value_count} values; at most {MAX_SEARCH_VALUES} are allowed. Send several searches."
        )
    last_pid = 0 if next_token is None else int(read_token(_LIST_NAME, next_token, (int,))[0])
    found, end_pid = _Search(session, keys, match_all_keys).read_page(last_pid, max_results)
    return SearchPage(tuple(found), None if end_pid is None else write_token(_LIST_NAME, [end_pid]))


class _Search:
    """One search in one state of the store."""

    def __init__(self, session: Reading, keys: Sequence[SearchKey], match_all_keys: bool) -> None:
        self._connection = session.connection
        self._domain = session.domain
        self._now = session.now
        self._keys = keys
        self._match_all_keys = match_all_keys
        self._forms = read_forms(session, [key.name for key in keys])
        # For each key of the request its values, in their order, as keys of the index; None finds nothing.
        self._index_keys = [[self._index_key(key.name, text) for text in key.values] for key in keys]

    def read_page(self, last_pid: int, max_results: int) -> tuple[list[FoundProfile], int | None]:
        """Read the page after ``last_pid``; also return the row number at its end if there may be more."""
        wanted = {key for keys in self._index_keys for key in keys if key is not None}
        window = min(
            _MAX_WINDOW if self._match_all_keys else max_results + 1, MAX_ENTRIES_PER_PAGE // max(1, len(wanted))
        )
        found: list[FoundProfile] = []
        entries_read = 0
        while entries_read < MAX_ENTRIES_PER_PAGE:
            lists = {key: self._read_pids(key, last_pid, window) for key in wanted}
            entries_read += sum(map(len, lists.values()))
            # Up to the least end of a list that continues, every list is known completely.
            known_to = min((pids[-1] for pids in lists.values() if len(pids) == window), default=None)
            found += self._found_in(lists, known_to, max_results + 1 - len(found))
            if len(found) > max_results:
                return found[:max_results], found[max_results - 1].profile.pid
            next_pid = None if known_to is None else self._next_possible_pid(lists, known_to)
            if next_pid is None:
                return found, None
            last_pid = next_pid - 1
        return found, last_pid

    def _index_key(self, name: str, text: str) -> Key | None:
        value = searched_key(name, text, self._forms, self._domain.phone_region)
        return None if value is None else Key(name, value)

    def _read_pids(self, key: Key, after_pid: int, limit: int) -> list[int]:
        if key.name != PROFILE_ID_KEY:
            return key_rows.pids_with_key(self._connection, self._domain.domain_id, key, after_pid, limit)
        pid = row_number_of(key.value)
        if pid is None or pid <= after_pid:
            return []
        profile = profile_rows.read_profiles(self._connection, self._domain.domain_id, [pid], self._now).get(pid)
        return [pid] if profile is not None and profile.profile_id == key.value else []

    def _found_in(self, lists: Mapping[Key, list[int]], known_to: int | None, limit: int) -> list[FoundProfile]:
        """Return up to ``limit`` matching profiles up to ``known_to``, by row number."""
        known = {key: {pid for pid in pids if known_to is None or pid <= known_to} for key, pids in lists.items()}
        found_by_key = [set[int]().union(*(known[key] for key in keys if key is not None)) for keys in self._index_keys]
        combine = set.intersection if self._match_all_keys else set.union
        candidates = sorted(combine(*found_by_key))
        found: list[FoundProfile] = []
        for start in range(0, len(candidates), limit):
            pids = candidates[start : start + limit]
            profiles = profile_rows.read_profiles(self._connection, self._domain.domain_id, pids, self._now)
            found += [FoundProfile(profiles[pid], self._found_by(pid, known)) for pid in pids if pid in profiles]
            if len(found) >= limit:
                break
        return found[:limit]

    def _found_by(self, pid: int, known: Mapping[Key, set[int]]) -> tuple[SearchKey, ...]:
        # With AND all pairs of the request, with OR those that matched (service model, FoundByItems).
        if self._match_all_keys:
            return tuple(self._keys)
        matched = (
            SearchKey(
                key.name,
                tuple(text for text, form in zip(key.values, forms, strict=True) if form and pid in known[form]),
            )
            for key, forms in zip(self._keys, self._index_keys, strict=True)
        )
        return tuple(key for key in matched if key.values)

    def _next_possible_pid(self, lists: Mapping[Key, list[int]], known_to: int) -> int | None:
        """Return the next row number that can match, or None if none after ``known_to`` can."""
        if not self._match_all_keys:
            return known_to + 1
        first_pids = []
        for keys in self._index_keys:
            of_key = [lists[key] for key in keys if key is not None]
            # A list whose last entry is the end of what is known continues after it.
            later = [next((pid for pid in pids if pid > known_to), None) for pids in of_key]
            goes_on = [known_to + 1 for pids in of_key if pids and pids[-1] == known_to]
            first_pid = min((pid for pid in later + goes_on if pid is not None), default=None)
            if first_pid is None:
                return None
            first_pids.append(first_pid)
        return max(first_pids)
