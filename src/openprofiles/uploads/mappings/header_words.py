"""The words that people write in headers, in the languages known; ``header_names`` matches them.

They are in ``header_words.toml``, which says how they are written.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TABLES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class HeaderLanguage:
    """The words of a language.

    Attributes:
        countries: those in which it is the usual one, the likeliest first.
        fields: the names of fields, separated by blanks, by path.
        address: the same of the members of an address.
    """

    countries: tuple[str, ...]
    fields: Mapping[str, str]
    address: Mapping[str, str]


def _words(name: str) -> frozenset[str]:
    return frozenset(_TABLES["words"][name].split())


LANGUAGES = tuple(
    HeaderLanguage(tuple(one["countries"].split()), one["fields"], one["address"])
    for one in _TABLES["languages"].values()
)
QUALIFIED_ADDRESS_NAMES: Mapping[str, str] = _TABLES["qualified_address_names"]
ADDRESS_WORDS: Mapping[str, str] = _TABLES["address_words"]
# The address of a payment card is that to which bills go, if the name says "address", too.
CARD_WORDS = ("card", "address")

PRIMARY_WORDS = _words("primary")
FILLER_WORDS = _words("fillers")
CONNECTING_WORDS = _words("connecting")
AMBIGUOUS_NAMES = _words("ambiguous")
NOT_FIELDS = _words("not_fields")
FULL_NAMES = _words("full_names")
LAST_NAMES_BESIDE_FIRST = _words("last_names_beside_first")
CUSTOMERS = _words("customers")
CUSTOMER_WORDS = _words("who_has_number")
ID_WORDS = _words("ids")
ROW_WORDS = _words("rows")
CHANGES = _words("changes")
DELETIONS = _words("deletions")
CHANGE_DATES = _words("change_dates")
ROW_DATES = _words("row_dates")
CURRENT_FLAGS = _words("current_flags")
