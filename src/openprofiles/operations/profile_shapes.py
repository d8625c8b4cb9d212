"""Profiles as the API shows them and takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from openprofiles.errors import InvalidRequest
from openprofiles.facts.keys import SearchKey
from openprofiles.facts.records import Profile
from openprofiles.facts.standard_profile import FIELDS, TWINS
from openprofiles.profiles.profiles import ProfileChange

if TYPE_CHECKING:
    from openprofiles.wire import types


def change_of_request(request: Mapping[str, Any]) -> ProfileChange:
    """Extract the change of a profile from a CreateProfile or UpdateProfile request.

    ``Gender`` and ``PartyType`` go to their twins ``GenderString`` and ``PartyTypeString``.

    Raises:
        InvalidRequest: a member and its twin differ.
    """
    values: dict[str, str] = {}
    for field in FIELDS:
        member, _, inner = field.path.partition(".")
        given = request.get(member, {}).get(inner) if inner else request.get(member)
        if given is not None:
            values[field.path] = given
    for member, (twin, _) in TWINS.items():
        if member in request and values.setdefault(twin, request[member]) != request[member]:
            raise InvalidRequest(
                f"{member} and {twin} differ. They are the same field: give only one of them, or the same value for "
                "both."
            )
    return ProfileChange(
        values=values,
        attributes=request.get("Attributes", {}),
        engagement_preferences=request.get("EngagementPreferences"),
    )


def members_of_values(values: Mapping[str, str]) -> dict[str, Any]:
    """Convert values by path into members of a request or an answer; an address is a structure."""
    members: dict[str, Any] = {}
    for path, text in values.items():
        member, _, inner = path.partition(".")
        if inner:
            members.setdefault(member, {})[inner] = text
        else:
            members[member] = text
    return members


def profile_answer(profile: Profile, found_by: Iterable[SearchKey] = ()) -> types.Profile:
    """Build a profile of an answer, with the search keys that found it."""
    answer = {"ProfileId": profile.profile_id} | members_of_values(profile.values)
    for member, (twin, allowed_values) in TWINS.items():
        if answer.get(twin) in allowed_values:
            answer[member] = answer[twin]
    if profile.attributes:
        answer["Attributes"] = dict(profile.attributes)
    if profile.engagement_preferences is not None:
        answer["EngagementPreferences"] = profile.engagement_preferences
    if found_by_items := [{"KeyName": key.name, "Values": list(key.values)} for key in found_by]:
        answer["FoundByItems"] = found_by_items
    return cast("types.Profile", answer)
