"""The fields of a profile in groups, for all pages."""

from __future__ import annotations

from dataclasses import dataclass

from openprofiles.facts.field_labels import ADDRESS_TITLES
from openprofiles.facts.standard_profile import ADDRESSES, FIELDS


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Fields that belong together, by path.

    Attributes:
        usual: the fields that a form offers even if they have no value.
    """

    title: str
    paths: tuple[str, ...]
    usual: frozenset[str] = frozenset()


_NAMES = ("FirstName", "MiddleName", "LastName", "BusinessName")
_CONTACT = tuple(field.path for field in FIELDS if field.path.endswith(("EmailAddress", "PhoneNumber")))
_OTHER = tuple(field.path for field in FIELDS if "." not in field.path and field.path not in _NAMES + _CONTACT)

GROUPS: tuple[FieldGroup, ...] = (
    FieldGroup("Names", _NAMES, frozenset(("FirstName", "LastName"))),
    FieldGroup(
        "Contact",
        tuple(sorted(_CONTACT, key=lambda path: path.endswith("PhoneNumber"))),
        frozenset(("EmailAddress", "PhoneNumber")),
    ),
    *(
        FieldGroup(
            ADDRESS_TITLES[address], tuple(field.path for field in FIELDS if field.path.startswith(f"{address}."))
        )
        for address in ADDRESSES
    ),
    FieldGroup("Other", _OTHER, frozenset(("AccountNumber",))),
)
