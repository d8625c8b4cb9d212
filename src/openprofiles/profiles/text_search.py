"""Find customers by the beginnings of words, and list them, newest first.

A worker writes the words of changed profiles some moments later (``store/profile_words``). Until then, a search reads
these profiles themselves, so that it finds what a call has just written; if there are very many, as during a load, it
says how many it does not know yet.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from openprofiles.errors import InvalidRequest
from openprofiles.facts.folded_words import has_words, searched_words, words_of_profile
from openprofiles.facts.records import Profile
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.search import search_profiles
from openprofiles.profiles.search_text import MAX_TEXT_LENGTH, likely_keys
from openprofiles.profiles.session import Reading
from openprofiles.store import profile_words as rows
from openprofiles.store.profile_changes import read_changed_after, read_changed_alone, read_last_change_number
from openprofiles.store.profiles import read_last_pids, read_profiles
from openprofiles.store.row_sequence import last_reserved

# So many changed profiles are read for each page: it takes some milliseconds.
_MOST_CHANGED = 1_000
_MOST_SHOWN_FIRST = 5
# Some of the profiles found may be gone.
_SPARE_HITS = 20
# In a large store, few of these may be of the domain.
_ROW_NUMBERS_AT_ONCE = 50_000
_SECONDS_PER_PAGE = 0.2
_LIST = "FindProfiles"
_LAST_PID = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class FoundPage:
    """One page of profiles.

    Attributes:
        next_token: None on the last page. A page may be short, even empty, and another follow.
        is_complete: whether every profile of the domain is searched. False while a load writes, and for some moments
            after it.
    """

    profiles: list[Profile]
    next_token: str | None
    is_complete: bool


def find_by_words(session: Reading, text: str, *, max_results: int, next_token: str | None = None) -> FoundPage:
    """Find profiles that have a word with each beginning, the newest first; without a text, all profiles.

    Those that the whole text finds as a key come first: the owner of an email address, before those of longer ones.

    Args:
        text: words of a name, company, email address, city or account number, or digits of a phone number.

    Raises:
        InvalidRequest: the text has no letter or digit, or is too long; or the token is not one of this list.
    """
    if len(text) > MAX_TEXT_LENGTH:
        raise InvalidRequest(f"The text has {len(text):,} characters; at most {MAX_TEXT_LENGTH:,} can be searched for.")
    searched = searched_words(text, session.domain.phone_region)
    if text.strip() and not searched:
        raise InvalidRequest("The text has no letter or digit to search for.")
    before, has_first = _LAST_PID, 1
    if next_token is not None:
        before, has_first = map(int, read_token(_LIST, next_token, (int, int)))
    first = _find_by_key(session, text) if searched and has_first else {}
    if next_token is None and len(first) > max_results:
        first = {}
    shown_first = list(first.values()) if next_token is None else []
    room = max_results - len(shown_first)
    changed, is_whole = _changed(session)
    if searched or is_whole:
        found, end = _find(session, searched, before, room + len(first) + 1)
    else:
        found, end = _list(session, before, room + 1)
        is_whole = True
    # Those below the end come on a later page.
    changed = [pid for pid in changed if (end or 0) <= pid < before]
    found |= _matching(session, changed, searched)
    pids = sorted(found.keys() - first.keys(), reverse=True)
    if len(pids) > room:
        end = pids[room - 1] if room else before
    shown = shown_first + [found[pid] for pid in pids[:room]]
    # Only those that the first page has shown are left out of the others.
    return FoundPage(shown, None if end is None else write_token(_LIST, [end, int(bool(first))]), is_whole)


def _find_by_key(session: Reading, text: str) -> dict[int, Profile]:
    """Find the few profiles of which the text is a whole key; none if there are many."""
    keys = likely_keys(text)
    if not keys:
        return {}
    page = search_profiles(session, keys, max_results=_MOST_SHOWN_FIRST)
    return {} if page.next_token else {one.profile.pid: one.profile for one in page.found}


def is_complete(session: Reading) -> bool:
    """Return whether every profile of the domain is searched now."""
    return _changed(session)[1]


def _changed(session: Reading) -> tuple[Collection[int], bool]:
    """Return the profiles that were changed since words were written, and whether these are all."""
    connection, domain_id = session.connection, session.domain.domain_id
    number, last_number = (
        rows.read_followed_number(connection, domain_id),
        read_last_change_number(connection, domain_id),
    )
    is_scanned = rows.read_scanned_pid(connection, domain_id) is None
    if number == last_number:
        return (), is_scanned
    changed = read_changed_after(connection, domain_id, number, most_pids=_MOST_CHANGED)
    if changed is None or len(changed.pids) > _MOST_CHANGED or changed.last_number < last_number:
        # What people and programs have written one by one is found, whatever a job writes.
        return read_changed_alone(connection, domain_id, number, limit=_MOST_CHANGED), False
    return changed.pids, is_scanned and changed.first_number == number + 1


def _find(
    session: Reading, searched: Sequence[tuple[str, ...]], before: int, limit: int
) -> tuple[dict[int, Profile], int | None]:
    """Find profiles by the index, for a limited time.

    Returns:
        the profiles by row number, and down to which number all are found; None: there are no more.
    """
    found: dict[int, Profile] = {}
    ends_at = time.monotonic() + _SECONDS_PER_PAGE
    while True:
        most = limit - len(found) + _SPARE_HITS
        pids = rows.find_pids(session.connection, session.domain.domain_id, searched, before_pid=before, limit=most)
        found |= _matching(session, pids, searched)
        if len(pids) < most:
            return found, None
        before = pids[-1]
        if len(found) >= limit or time.monotonic() > ends_at:
            return found, before


def _list(session: Reading, before: int, limit: int) -> tuple[dict[int, Profile], int | None]:
    """List profiles whose words are not all written, for a limited time; see ``_find``."""
    connection, domain_id = session.connection, session.domain.domain_id
    found: dict[int, Profile] = {}
    ends_at = time.monotonic() + _SECONDS_PER_PAGE
    before = min(before, last_reserved(connection) + 1)
    while before > 1:
        after = max(0, before - _ROW_NUMBERS_AT_ONCE)
        most = limit - len(found) + _SPARE_HITS
        pids = read_last_pids(connection, domain_id, after, before, limit=most)
        found |= read_profiles(connection, domain_id, pids, session.now)
        before = pids[-1] if len(pids) == most else after + 1
        if len(found) >= limit or time.monotonic() > ends_at:
            return found, before if before > 1 else None
    return found, None


def _matching(session: Reading, pids: Collection[int], searched: Sequence[tuple[str, ...]]) -> dict[int, Profile]:
    """Read the profiles that are found as they are now: some may have been changed or removed since."""
    if not pids:
        return {}
    found = read_profiles(session.connection, session.domain.domain_id, pids, session.now)
    return {pid: one for pid, one in found.items() if has_words(words_of_profile(one.values), searched)}
