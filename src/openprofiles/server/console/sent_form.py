"""A form that was sent but caused an error: the error page shows again what was typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from openprofiles.facts.field_labels import full_label_of
from openprofiles.facts.standard_profile import FIELD_BY_PATH

CSRF_FIELD = "csrf_token"

_LONG_FROM = 80
# As the small forms call their fields; of other fields the name says enough.
_LABELS = {"expiration_days": "Retention (days)", "phone_region": "Default country for phone numbers"}
_NEVER_TYPED = re.compile(r"csrf_token|revision|was\..*|attribute\.\d+\.was")
_ATTRIBUTE = re.compile(r"(attribute\.\d+)\.(name|value)")


@dataclass(frozen=True, slots=True)
class TypedField:
    """A field that somebody has filled in or changed."""

    name: str
    label: str
    text: str

    @property
    def is_long(self) -> bool:
        """Whether the text needs more than one line."""
        return len(self.text) > _LONG_FROM or "\n" in self.text or "\r" in self.text


@dataclass(frozen=True, slots=True)
class SentForm:
    """The fields of a form of the console, sent to a path by the session of this key and token.

    Attributes:
        fields: the values by name, as in ``profile_form`` and the small forms.
    """

    path: str
    access_key_id: str
    csrf_token: str
    fields: Mapping[str, str]

    def typed(self) -> list[TypedField]:
        """Return the fields that somebody has typed into, in the order of the form."""
        return [
            TypedField(name, self._label_of(name), text) for name, text in self.fields.items() if self._is_typed(name)
        ]

    def others(self) -> dict[str, str]:
        """Return the other fields that the form needs, with the current token."""
        return {name: text for name, text in self.fields.items() if not self._is_typed(name)} | {
            CSRF_FIELD: self.csrf_token
        }

    def _is_typed(self, name: str) -> bool:
        if _NEVER_TYPED.fullmatch(name):
            return False
        if name.startswith("value."):
            return self.fields[name] != self.fields.get("was." + name.removeprefix("value."), "")
        if found := _ATTRIBUTE.fullmatch(name):
            was = self.fields.get(f"{found[1]}.was")
            # The name of an existing attribute is not typed.
            return self.fields[name] != (was or "") and not (found[2] == "name" and was is not None)
        return True

    def _label_of(self, name: str) -> str:
        path = name.removeprefix("value.")
        if path in FIELD_BY_PATH:
            return full_label_of(path)
        if found := _ATTRIBUTE.fullmatch(name):
            attribute = self.fields.get(f"{found[1]}.name", "")
            return "Attribute name" if found[2] == "name" else f"Attribute {attribute}".strip()
        return _LABELS.get(name) or name.replace("_", " ").capitalize()
