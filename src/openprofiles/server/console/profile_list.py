"""Profiles in a list: the values that identify them."""

from __future__ import annotations

from openprofiles.facts.records import Profile
from openprofiles.facts.standard_profile import ACCOUNT_KEY, EMAIL_KEY, KEY_PATHS, PHONE_KEY
from openprofiles.facts.summaries import city_of, first_of, name_of


def result_of(profile: Profile) -> dict[str, str]:
    """Return a profile as ``profile_list.html`` shows it."""
    return {
        "id": profile.profile_id,
        "name": name_of(profile),
        "email": first_of(profile, KEY_PATHS[EMAIL_KEY]),
        "phone": first_of(profile, KEY_PATHS[PHONE_KEY]),
        "account": first_of(profile, KEY_PATHS[ACCOUNT_KEY]),
        "city": city_of(profile),
    }
