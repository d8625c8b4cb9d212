"""Names for the fields of a profile that people read: the one table of them, in groups, for all pages."""

from __future__ import annotations

import re
from dataclasses import dataclass

from openprofiles.facts.standard_profile import ADDRESSES, FIELDS, attribute_of_target


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
_ADDRESS_TITLES = {
    "Address": "Home address",
    "ShippingAddress": "Shipping address",
    "MailingAddress": "Mailing address",
    "BillingAddress": "Billing address",
}
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
            _ADDRESS_TITLES[address], tuple(field.path for field in FIELDS if field.path.startswith(f"{address}."))
        )
        for address in ADDRESSES
    ),
    FieldGroup("Other", _OTHER, frozenset(("AccountNumber",))),
)

_LABELS = {
    "EmailAddress": "Email",
    "PersonalEmailAddress": "Personal email",
    "BusinessEmailAddress": "Business email",
    "GenderString": "Gender",
    "PartyTypeString": "Party type",
}


def label_of(path: str) -> str:
    """Name a field within its group: ``First name`` for ``FirstName``, ``City`` for ``BillingAddress.City``."""
    member = path.rpartition(".")[2]
    if member in _LABELS:
        return _LABELS[member]
    if found := re.fullmatch(r"Address(\d)", member):
        return f"Address line {found[1]}"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", member).capitalize()


def full_label_of(path: str) -> str:
    """Name a field or custom attribute on its own: ``City (billing address)``, ``tier`` for ``Attributes.tier``."""
    attribute = attribute_of_target(path)
    if attribute is not None:
        return attribute
    address, dot, _ = path.rpartition(".")
    return f"{label_of(path)} ({_ADDRESS_TITLES[address].lower()})" if dot else label_of(path)
