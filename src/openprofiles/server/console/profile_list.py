"""Profiles in a list: the values that identify them."""

from __future__ import annotations

from openprofiles.facts.records import Profile
from openprofiles.facts.standard_profile import ACCOUNT_KEY, EMAIL_KEY, FULL_NAME_PATHS, KEY_PATHS, PHONE_KEY


def name_of(profile: Profile) -> str:
    """Return the full name, else the business name; empty if there is neither."""
    full_name = " ".join(text for path in FULL_NAME_PATHS if (text := profile.values.get(path)))
    return full_name or profile.values.get("BusinessName", "")


def first_of(profile: Profile, paths: tuple[str, ...]) -> str:
    """Return the first value among these fields; empty if all are empty."""
    return next((text for path in paths if (text := profile.values.get(path))), "")


def result_of(profile: Profile) -> dict[str, str]:
    """Return a profile as ``profile_list.html`` shows it."""
    return {
        "id": profile.profile_id,
        "name": name_of(profile),
        "email": first_of(profile, KEY_PATHS[EMAIL_KEY]),
        "phone": first_of(profile, KEY_PATHS[PHONE_KEY]),
        "account": first_of(profile, KEY_PATHS[ACCOUNT_KEY]),
    }
