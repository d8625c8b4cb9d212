"""The standard profile: which fields a profile has, where each is stored, and which keys it feeds.

A field is named by its path, as in an upload job's ``Target`` without ``_profile.``: ``FirstName``,
``ShippingAddress.City``. This module is a table of facts and imports nothing of ours.

Source: service model 2020-08-15, shapes Profile and Address; admin guide, "Standard profile definition".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_VALUE_LENGTH = 255
MAX_ADDITIONAL_INFORMATION_LENGTH = 1000
MAX_ATTRIBUTE_NAME_LENGTH = 255

ATTRIBUTES_PREFIX = "Attributes."
ENGAGEMENT_PREFERENCES_PATH = "EngagementPreferences"

EMAIL_KEY = "_email"
PHONE_KEY = "_phone"
ACCOUNT_KEY = "_account"
FULL_NAME_KEY = "_fullName"
PROFILE_ID_KEY = "_profileId"


@dataclass(frozen=True, slots=True)
class StandardField:
    """One text field of the standard profile.

    Attributes:
        path: its name in the API, address members with their address: ``BillingAddress.City``.
        column: its column in the table ``profile``.
        max_length: in Unicode code points.
        key_name: the standard key that its value alone is found by, or None.
        allowed_values: the only values it takes, or None for any text.
    """

    path: str
    column: str
    max_length: int = MAX_VALUE_LENGTH
    key_name: str | None = None
    allowed_values: tuple[str, ...] | None = None


ADDRESSES = ("Address", "ShippingAddress", "MailingAddress", "BillingAddress")
ADDRESS_MEMBERS = (
    "Address1",
    "Address2",
    "Address3",
    "Address4",
    "City",
    "County",
    "State",
    "Province",
    "Country",
    "PostalCode",
)

PARTY_TYPES = ("INDIVIDUAL", "BUSINESS", "OTHER")
GENDERS = ("MALE", "FEMALE", "UNSPECIFIED")
PROFILE_TYPES = ("PROFILE", "ACCOUNT_PROFILE")

# The deprecated enum members and their free-text twins are one field each: the text is kept in the
# twin, and the enum member is shown when the text is one of its values (reference, section 3.1).
TWINS = {"PartyType": ("PartyTypeString", PARTY_TYPES), "Gender": ("GenderString", GENDERS)}


def _snake(path: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path.replace(".", "_")).replace("__", "_").lower()


def _scalar(
    path: str,
    *,
    key_name: str | None = None,
    max_length: int = MAX_VALUE_LENGTH,
    allowed: tuple[str, ...] | None = None,
) -> StandardField:
    return StandardField(path, _snake(path), max_length, key_name, allowed)


SCALARS: tuple[StandardField, ...] = (
    _scalar("AccountNumber", key_name=ACCOUNT_KEY),
    _scalar("AdditionalInformation", max_length=MAX_ADDITIONAL_INFORMATION_LENGTH),
    _scalar("PartyTypeString"),
    _scalar("BusinessName"),
    _scalar("FirstName"),
    _scalar("MiddleName"),
    _scalar("LastName"),
    _scalar("BirthDate"),
    _scalar("GenderString"),
    _scalar("PhoneNumber", key_name=PHONE_KEY),
    _scalar("MobilePhoneNumber", key_name=PHONE_KEY),
    _scalar("HomePhoneNumber", key_name=PHONE_KEY),
    _scalar("BusinessPhoneNumber", key_name=PHONE_KEY),
    _scalar("EmailAddress", key_name=EMAIL_KEY),
    _scalar("PersonalEmailAddress", key_name=EMAIL_KEY),
    _scalar("BusinessEmailAddress", key_name=EMAIL_KEY),
    _scalar("ProfileType", allowed=PROFILE_TYPES),
)

FIELDS: tuple[StandardField, ...] = SCALARS + tuple(
    _scalar(f"{address}.{member}") for address in ADDRESSES for member in ADDRESS_MEMBERS
)

FIELD_BY_PATH: dict[str, StandardField] = {field.path: field for field in FIELDS}

FULL_NAME_PATHS = ("FirstName", "MiddleName", "LastName")

# Keys that openprofiles derives from a profile's fields, and the fields each is built from.
KEY_PATHS: dict[str, tuple[str, ...]] = {
    name: tuple(field.path for field in SCALARS if field.key_name == name)
    for name in (EMAIL_KEY, PHONE_KEY, ACCOUNT_KEY)
}

# The fields that the keys of every profile come from.
KEY_FIELD_PATHS = frozenset(FULL_NAME_PATHS).union(*KEY_PATHS.values())


def field_of_target(path: str) -> StandardField | None:
    """Return the standard field of a target path; ``Gender`` and ``PartyType`` write to their twins."""
    return FIELD_BY_PATH.get(TWINS[path][0] if path in TWINS else path)


def attribute_of_target(path: str) -> str | None:
    """Return the attribute's name in ``Attributes.<name>``, or None if the path is not an attribute."""
    return path[len(ATTRIBUTES_PREFIX) :] if path.startswith(ATTRIBUTES_PREFIX) else None
