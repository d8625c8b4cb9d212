"""What a person may mean by a text in a search box: the keys that it is likely to be.

A profile is found by whole values alone, so a text is looked up as each kind of key that it has the form of. Nothing
here reads the store.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from openprofiles.facts.blanks import BLANKS
from openprofiles.facts.keys import SearchKey, field_key_name
from openprofiles.facts.normal_forms import visible_text
from openprofiles.facts.standard_profile import (
    ACCOUNT_KEY,
    EMAIL_KEY,
    FULL_NAME_KEY,
    PHONE_KEY,
    PROFILE_ID_KEY,
)
from openprofiles.ids import is_id

# Longer than any value, and any full name, can be.
MAX_TEXT_LENGTH = 1000

_MIN_PHONE_DIGITS = 4
_MAX_PHONE_DIGITS = 20
_PHONE = re.compile(
    r"(?:tel:)?[\s+(]*\d(?:[\d\s()./\-\u2010-\u2015]*\d)?[\s)]*(?:(?:x|ext\.?)\s*\d{1,7})?", re.IGNORECASE
)
# As mail programs copy it: Ada Lovelace <ada@example.com>.
_ADDRESS_IN_BRACKETS = re.compile(r"[^<>]*<(?:mailto:)?([^<>\s]+@[^<>\s]+)>")
_DASHED_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LAST_NAME_FIRST = re.compile(r"([^,]*[^,\s])\s*,\s*([^,]*[^,\s])")


def likely_keys(text: str, indexed_paths: Iterable[str] = ()) -> tuple[SearchKey, ...]:
    """List the keys that a text may be, most likely first; none for a blank or overlong text.

    Anything may be an account number, so that is among them always. A text with an @ is not tried as a name, and
    one with letters not as a phone number, since every digit of ``C-02888`` would count.

    Args:
        indexed_paths: further fields that the domain's upload jobs find profiles by, by their exact value.
    """
    text = text.strip(BLANKS)
    if not text or len(text) > MAX_TEXT_LENGTH:
        return ()
    keys = []
    if profile_id := _as_id(text):
        keys.append(SearchKey(PROFILE_ID_KEY, (profile_id,)))
    if "@" in text:
        keys.append(SearchKey(EMAIL_KEY, (_bare_address(text),)))
    elif _looks_like_phone(text):
        keys.append(SearchKey(PHONE_KEY, (text,)))
    elif not keys and any(letter.isalpha() for letter in text):
        keys.append(SearchKey(FULL_NAME_KEY, _spellings(text)))
    keys.append(SearchKey(ACCOUNT_KEY, (text,)))
    keys += [SearchKey(field_key_name(path), (text,)) for path in sorted(indexed_paths)]
    return tuple(keys)


def _as_id(text: str) -> str | None:
    """Read a text as a profile id; capitals and the dashes of a UUID are allowed."""
    found = text.lower()
    if _DASHED_ID.fullmatch(found):
        found = found.replace("-", "")
    return found if is_id(found) else None


def _bare_address(text: str) -> str:
    found = _ADDRESS_IN_BRACKETS.fullmatch(text)
    return found[1] if found else re.sub(r"\Amailto:", "", text, flags=re.IGNORECASE)


def _looks_like_phone(text: str) -> bool:
    number = visible_text(text).strip(BLANKS)
    digits = sum(letter.isdecimal() for letter in number)
    return _MIN_PHONE_DIGITS <= digits <= _MAX_PHONE_DIGITS and _PHONE.fullmatch(number) is not None


def _spellings(name: str) -> tuple[str, ...]:
    """List the spellings of a full name: as typed, and ``Ada Lovelace`` for ``Lovelace, Ada``."""
    found = _LAST_NAME_FIRST.fullmatch(name)
    return (name, f"{found[2]} {found[1]}") if found else (name,)
