"""Keys whose values compare by the content types of the fields that they are made from.

An object type says which fields a key is made from. The values of a standard key, such as ``_email``, compare by its
name, whatever the content types. A key of several fields is one text: the normal forms of its parts, joined.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from openprofiles.facts.blanks import BLANKS
from openprofiles.facts.normal_forms import normal_full_name, normal_key, normal_phone
from openprofiles.facts.placeholders import is_placeholder, is_shortened_number
from openprofiles.facts.standard_profile import ACCOUNT_KEY, EMAIL_KEY, FULL_NAME_KEY, PHONE_KEY, PROFILE_ID_KEY

STRING = "STRING"
NUMBER = "NUMBER"
EMAIL_ADDRESS = "EMAIL_ADDRESS"
PHONE_NUMBER = "PHONE_NUMBER"
NAME = "NAME"

STANDARD_KEYS = frozenset((EMAIL_KEY, PHONE_KEY, ACCOUNT_KEY, FULL_NAME_KEY))

# For each name of a key, the content types of the fields of each of its definitions.
KeyForms: TypeAlias = Mapping[str, Collection[tuple[str, ...]]]

# Between the parts of a key of several fields. Nobody types it.
_JOINT = "\x1f"
# The index of keys takes no longer values: PostgreSQL limits the size of an entry.
MAX_KEY_LENGTH = 255
# A number beyond would have as many digits.
_MAX_DIGITS = 100
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)


def typed_key(
    name: str, content_types: Sequence[str], texts: Sequence[str | None], phone_region: str, *, allow_gaps: bool = False
) -> str | None:
    """Return the value of a key in normal form; None if the texts give no key.

    A placeholder such as NULL gives none, nor does a number that a spreadsheet has shortened.

    Args:
        content_types: of the fields, one for each text.
        allow_gaps: whether one part is enough; otherwise each must have a value.
    """
    if name == FULL_NAME_KEY:
        return normal_full_name(*texts)
    parts = [
        _normal_part(name, content_type, text, phone_region) if text else None
        for content_type, text in zip(content_types, texts, strict=True)
    ]
    if not any(parts) or not (allow_gaps or all(parts)):
        return None
    return _JOINT.join((part or "").replace(_JOINT, " ") for part in parts)


def searched_key(name: str, text: str, forms: KeyForms, phone_region: str) -> str | None:
    """Return the normal form of a value that a caller searches for, adds or deletes.

    A value of several parts is a JSON list of them, or the parts separated by single blanks.

    Args:
        forms: those of all object types of the domain.
    """
    if name in STANDARD_KEYS or name == PROFILE_ID_KEY or name not in forms:
        return normal_key(name, text, phone_region)
    by_size = {len(form): form for form in sorted(forms[name])}
    parts = _listed_parts(text)
    if parts is None or len(parts) not in by_size:
        parts = [text] if 1 in by_size else text.split(" ")
    form = by_size.get(len(parts))
    return None if form is None else typed_key(name, form, parts, phone_region)


def _listed_parts(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parts if isinstance(parts, list) and all(isinstance(part, str) for part in parts) else None


def _normal_part(name: str, content_type: str, text: str, phone_region: str) -> str | None:
    if name in STANDARD_KEYS:
        return normal_key(name, text, phone_region)
    if is_placeholder(text) or (content_type != NUMBER and is_shortened_number(text)):
        return None
    if content_type == EMAIL_ADDRESS:
        return normal_key(EMAIL_KEY, text, phone_region)
    if content_type == PHONE_NUMBER:
        return normal_phone(text, phone_region)
    if content_type == NAME:
        return normal_full_name(text)
    return _normal_number(text) if content_type == NUMBER else text


def _normal_number(text: str) -> str | None:
    trimmed = text.strip(BLANKS)
    if not _NUMBER.fullmatch(trimmed) or len(trimmed) > _MAX_DIGITS:
        return trimmed or None
    number = Decimal(trimmed)
    if abs(number.adjusted()) > _MAX_DIGITS:
        return trimmed
    # In digits, since arithmetic would round to those of the context.
    digits = format(number, "f")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return "0" if digits in ("-0", "-") else digits
