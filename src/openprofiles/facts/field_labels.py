"""Names of the fields of a profile that people read: the one table of them."""

from __future__ import annotations

import re

from openprofiles.facts.standard_profile import attribute_of_target

ADDRESS_TITLES = {
    "Address": "Home address",
    "ShippingAddress": "Shipping address",
    "MailingAddress": "Mailing address",
    "BillingAddress": "Billing address",
}
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
    return f"{label_of(path)} ({ADDRESS_TITLES[address].lower()})" if dot else label_of(path)
