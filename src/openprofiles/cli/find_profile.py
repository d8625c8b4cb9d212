"""Find the profile that a command names by its id, or by a key."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.facts.typed_keys import MAX_KEY_LENGTH

if TYPE_CHECKING:
    from openprofiles.cli.place import Place

_PROFILES_NAMED = 10


class NotOneProfile(CommandFault):
    """The text finds no profile, or several."""


def find_profile_id(place: Place, domain: str, given: str) -> str:
    """Find the id of the profile that is meant.

    Raises:
        NotOneProfile: there is none, or there are several; the message lists these.
    """
    from openprofiles.profiles.search_text import likely_keys

    found: dict[str, None] = {}
    for key in likely_keys(given):
        # No key is longer.
        values = [value for value in key.values if len(value) <= MAX_KEY_LENGTH]
        if not values:
            continue
        page = place.call("SearchProfiles", DomainName=domain, KeyName=key.name, Values=values)
        found |= dict.fromkeys(one["ProfileId"] for one in page["Items"])
    if not found:
        raise NotOneProfile(f"No profile of the domain {domain} has the id, address, number or name {given}.")
    if len(found) > 1:
        ids = "".join(f"\n  {profile_id}" for profile_id in islice(found, _PROFILES_NAMED))
        raise NotOneProfile(f"Several profiles of the domain {domain} are found by {given}. Give the id of one:{ids}")
    return next(iter(found))
