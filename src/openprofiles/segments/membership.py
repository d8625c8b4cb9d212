"""Whether profiles are members of a segment now, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openprofiles.errors import NotFound
from openprofiles.expressions.evaluate import Explanation, explain, holds
from openprofiles.facts.records import Profile
from openprofiles.ids import row_number_of
from openprofiles.profiles.session import Reading
from openprofiles.segments.definitions import segment_expression
from openprofiles.segments.surroundings import ProfileReader
from openprofiles.store.profiles import read_profiles


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


def read_memberships(session: Reading, segment_name: str, profile_ids: Sequence[str]) -> list[Membership]:
    """Find which profiles are members of a segment; each profile once, in the order of the request.

    Raises:
        NotFound: the domain has no segment of this name.
        InvalidRequest: the segment builds on something that was deleted.
    """
    expression = segment_expression(session, segment_name)
    unique_ids = list(dict.fromkeys(profile_ids))
    found = _find_profiles(session, unique_ids)
    reader = ProfileReader(session)
    return [
        Membership(one, profile, profile is not None and holds(expression, reader.values_of(profile)))
        for one in unique_ids
        for profile in [found.get(one)]
    ]


def explain_membership(session: Reading, segment_name: str, profile_id: str) -> Explanation:
    """Explain why a profile is a member of a segment, or is not.

    Raises:
        NotFound: the domain has no segment of this name, or no profile of this id.
        InvalidRequest: the segment builds on something that was deleted.
    """
    expression = segment_expression(session, segment_name)
    profile = _find_profiles(session, [profile_id]).get(profile_id)
    if profile is None:
        raise NotFound(f"Profile {profile_id} does not exist in domain {session.domain.name}.")
    return explain(expression, ProfileReader(session).values_of(profile))


def _find_profiles(session: Reading, profile_ids: Sequence[str]) -> dict[str, Profile]:
    pids = [pid for one in profile_ids if (pid := row_number_of(one)) is not None]
    found = read_profiles(session.connection, session.domain.domain_id, pids, session.now)
    # A row number alone does not identify a profile.
    return {profile.profile_id: profile for profile in found.values()}
