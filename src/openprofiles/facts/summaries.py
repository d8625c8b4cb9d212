"""What identifies a profile in a list."""

from __future__ import annotations

from collections.abc import Sequence

from openprofiles.facts.records import Profile
from openprofiles.facts.standard_profile import ADDRESSES, FULL_NAME_PATHS

_CITY_PATHS = tuple(f"{address}.City" for address in ADDRESSES)


def name_of(profile: Profile) -> str:
    """Return the full name, else the business name; empty if there is neither."""
    full_name = " ".join(text for path in FULL_NAME_PATHS if (text := profile.values.get(path)))
    return full_name or profile.values.get("BusinessName", "")


def first_of(profile: Profile, paths: Sequence[str]) -> str:
    """Return the first value among these fields; empty if all are empty."""
    return next((text for path in paths if (text := profile.values.get(path))), "")


def city_of(profile: Profile) -> str:
    """Return the city of the first address that has one; empty if none has."""
    return first_of(profile, _CITY_PATHS)
