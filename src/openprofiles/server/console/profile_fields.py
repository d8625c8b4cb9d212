"""The fields of a profile as people read them: in groups, with a label each."""

from __future__ import annotations

import re
from dataclasses import dataclass

from openprofiles.profiles.standard_profile import ADDRESSES, FIELDS


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Fields that belong together, by path.

    Attributes:
        usual: those that a form offers even if they have no value.
    """

    title: str
    paths: tuple[str, ...]
    usual: frozenset[str] = frozenset()


_NAMES = ("FirstName", "MiddleName", "LastName", "BusinessName")
_CONTACT = tuple(field.path for field in FIELDS if field.path.endswith(("EmailAddress", "PhoneNumber")))
_ADDRESS_TITLES = {
    "Address": "Address",
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
    "EmailAddress": "E-mail address",
    "PersonalEmailAddress": "Personal e-mail address",
    "BusinessEmailAddress": "Business e-mail address",
    "GenderString": "Gender",
    "PartyTypeString": "Party type",
}


def label_of(path: str) -> str:
    """``First name`` for ``FirstName``; a field of an address without its address, which its group says."""
    member = path.rpartition(".")[2]
    if member in _LABELS:
        return _LABELS[member]
    if found := re.fullmatch(r"Address(\d)", member):
        return f"Line {found[1]}"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", member).capitalize()


def full_label_of(path: str) -> str:
    """The label with its address, for where no group stands above it."""
    address, dot, _ = path.rpartition(".")
    return f"{_ADDRESS_TITLES[address]}: {label_of(path).lower()}" if dot else label_of(path)
