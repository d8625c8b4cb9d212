"""Whether profiles are members of a segment now, and why."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from openprofiles.definitions.definitions import find_definition, list_all_definitions
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.expressions.evaluate import Explanation, explain, holds
from openprofiles.expressions.tree import Expression
from openprofiles.facts.records import Profile
from openprofiles.ids import ProfileId
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.profiles import get_profiles, no_such_profile_message
from openprofiles.profiles.session import Reading
from openprofiles.segments.definitions import ENHANCED, SEGMENT, SEGMENT_TYPE, last_export, segment_expression
from openprofiles.segments.surroundings import ProfileReader, sql_surroundings
from openprofiles.store.definitions import Definition
from openprofiles.store.row_sequence import last_reserved
from openprofiles.store.segment_rows import read_members

_LIST = "segment-members"
# A segment with few members in a large domain is looked for in pieces, so that a request does not take seconds.
_ROW_NUMBERS_AT_ONCE = 50_000
_SECONDS_PER_PAGE = 0.2


@dataclass(frozen=True, slots=True)
class Membership:
    """What was asked of one profile.

    Attributes:
        profile: None: there is no profile of this id.
        is_member: whether it is a member of the segment.
    """

    profile_id: str
    profile: Profile | None
    is_member: bool


@dataclass(frozen=True, slots=True)
class MemberPage:
    """The ids of members; ``next_token`` is None on the last page. A page may be short, and another follow."""

    profile_ids: list[str]
    next_token: str | None


def read_memberships(session: Reading, segment_name: str, profile_ids: Sequence[str]) -> list[Membership]:
    """Find which profiles are members of a segment; each profile once, in the order of the request.

    Raises:
        NotFound: the domain has no segment of this name.
        InvalidRequest: the segment builds on something that was deleted.
    """
    expression = segment_expression(session, segment_name)
    unique_ids = list(dict.fromkeys(profile_ids))
    found = {one.profile_id: one for one in get_profiles(session, unique_ids).profiles}
    reader = ProfileReader(session)
    return [
        Membership(one, profile, profile is not None and holds(expression, reader.values_of(profile)))
        for one in unique_ids
        for profile in [found.get(ProfileId(one))]
    ]


def known_since(session: Reading, segment_name: str) -> datetime:
    """Return the time that a segment's members are known for: now, or that of an SQL segment's last export."""
    definition = find_definition(session, SEGMENT, segment_name)
    if definition.summary[SEGMENT_TYPE] != ENHANCED:
        return session.now
    return last_export(session, definition).as_of or session.now


def list_members(session: Reading, segment_name: str, *, max_results: int, next_token: str | None = None) -> MemberPage:
    """List a page of the members of a segment, the oldest profiles first.

    Raises:
        NotFound: the domain has no segment of this name.
        InvalidRequest: the segment builds on something that was deleted, or the token is not one of this list.
    """
    expression = segment_expression(session, segment_name)
    after = 0 if next_token is None else int(read_token(_LIST, next_token, (int,))[0])
    found, end = _find_members(session, expression, after, max_results + 1)
    if len(found) > max_results:
        end = found[max_results - 1][0]
    return MemberPage(
        [profile_id for _, profile_id in found[:max_results]], None if end is None else write_token(_LIST, [end])
    )


def list_matching(session: Reading, expression: Expression, *, limit: int) -> list[str]:
    """List the ids of profiles for which an expression holds, if they are found quickly."""
    found, _ = _find_members(session, expression, 0, limit)
    return [profile_id for _, profile_id in found]


def _find_members(
    session: Reading, expression: Expression, after: int, limit: int
) -> tuple[list[tuple[int, str]], int | None]:
    """Find members above a row number, for a limited time.

    Returns:
        their row numbers and ids, and where to continue; None: there are no more.
    """
    surroundings = sql_surroundings(session)
    domain_id = session.domain.domain_id
    last_pid = last_reserved(session.connection)
    found: list[tuple[int, str]] = []
    ends_at = time.monotonic() + _SECONDS_PER_PAGE
    while after < last_pid:
        upto = after + _ROW_NUMBERS_AT_ONCE
        left = limit - len(found)
        more = read_members(
            session.connection, domain_id, expression, surroundings, after_pid=after, upto_pid=upto, limit=left
        )
        found += more
        after = upto if len(more) < left else more[-1][0]
        if len(found) == limit or time.monotonic() >= ends_at:
            break
    return found, after if after < last_pid else None


def find_segments_of(session: Reading, profile: Profile, *, limit: int) -> list[tuple[Definition, bool]]:
    """Find which of the first segments of the domain a profile is in.

    Those that fail are left out, and those after the time that a page may take.
    """
    values = ProfileReader(session).values_of(profile)
    found = []
    ends_at = time.monotonic() + _SECONDS_PER_PAGE
    for definition in list_all_definitions(session, SEGMENT)[:limit]:
        if time.monotonic() >= ends_at:
            break
        try:
            found.append((definition, holds(segment_expression(session, definition.name), values)))
        except InvalidRequest:
            # It builds on something that was deleted, as its own page says.
            continue
    return found


def explain_membership(session: Reading, segment_name: str, profile_id: str) -> Explanation:
    """Explain why a profile is a member of a segment, or is not.

    Raises:
        NotFound: the domain has no segment of this name, or no profile of this id.
        InvalidRequest: the segment builds on something that was deleted.
    """
    expression = segment_expression(session, segment_name)
    profiles = get_profiles(session, [profile_id]).profiles
    if not profiles:
        raise NotFound(no_such_profile_message(profile_id, session.domain.name))
    return explain(expression, ProfileReader(session).values_of(profiles[0]))
