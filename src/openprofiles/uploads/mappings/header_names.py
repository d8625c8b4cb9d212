"""Tell from the name of a column which field of the standard profile it means.

Names are compared as their words run together, in lower case and without accents. The words themselves are in
``header_words``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from openprofiles.facts.standard_profile import ADDRESS_MEMBERS, ADDRESSES, FIELD_BY_PATH, FULL_NAME_PATHS
from openprofiles.uploads.mappings.header_words import (
    ADDRESS_WORDS,
    AMBIGUOUS_NAMES,
    CARD_WORDS,
    CONNECTING_WORDS,
    CUSTOMER_WORDS,
    FILLER_WORDS,
    FULL_NAMES,
    ID_WORDS,
    LANGUAGES,
    LAST_NAMES_BESIDE_FIRST,
    NOT_FIELDS,
    PRIMARY_WORDS,
    QUALIFIED_ADDRESS_NAMES,
    ROW_WORDS,
)

_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W_]+")
# The number of the first column of a kind, as in "Phone 1" and "email1".
_FIRST = re.compile(r"(?<![0-9])1\Z")
# No name of a field is longer.
_MOST_WORDS = 8
# Letters that have no accent to leave out.
_LETTERS = str.maketrans(
    {
        "ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "ß": "ss", "þ": "th",
        "Ł": "L", "Ø": "O", "Đ": "D", "Ð": "D", "Ħ": "H", "Æ": "Ae", "Œ": "Oe", "ẞ": "SS", "Þ": "Th",
    }
)  # fmt: skip

# Which of several columns of one kind is meant: the one that is called primary; any other; the one for deliveries,
# which is often somebody else's.
PRIMARY, ORDINARY, SECONDARY = range(3)


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """The field that a header means.

    Attributes:
        rank: 0 is the field's own name, higher is less sure.
        path: of the field.
        qualifier: the words before the name proper, such as ``billing``. Columns with one qualifier belong together.
        order: PRIMARY, ORDINARY or SECONDARY.
    """

    rank: int
    path: str
    qualifier: str = ""
    order: int = ORDINARY

    @property
    def family(self) -> str:
        """The fields that must not be mixed from columns of different qualifiers: an address, a name."""
        if self.path in FULL_NAME_PATHS:
            return "name"
        return self.path.partition(".")[0]


def match_header(header: str) -> HeaderMatch | None:
    """Find the standard field that a header means."""
    return _match(words_of(header))


def is_full_name(header: str) -> bool:
    """Return whether a column has whole names of people."""
    words = words_of(header)
    telling = "".join(word for word in words if word not in FILLER_WORDS)
    return telling in FULL_NAMES or "".join(words) in FULL_NAMES


def may_be_last_name(header: str) -> bool:
    """Return whether a column has last names if there is one of first names: ``Name``, ``Naam``."""
    return "".join(words_of(header)) in LAST_NAMES_BESIDE_FIRST


def names_field(header: str) -> bool:
    """Return whether a header is a known name, also of customer numbers or whole names."""
    return match_header(header) is not None or is_full_name(header) or names_customer_number(header)


def is_ambiguous(header: str) -> bool:
    """Return whether a known name can also mean something else: ``Mobile``, a model of telephone."""
    return "".join(words_of(header)) in AMBIGUOUS_NAMES


def names_customer_number(header: str) -> bool:
    """Return whether a header names the numbers of customers, such as ``Kunden-Nr.``."""
    return _CUSTOMER_NUMBER.fullmatch("".join(words_of(header))) is not None


def names_row_number(header: str) -> bool:
    """Return whether a header names any numbers, such as ``No.``, ``#`` or ``Row``."""
    words = [word for word in words_of(header) if not word.isdigit()]
    return all(word in ROW_WORDS or word in _NUMBER_WORDS for word in words)


def words_of(header: str) -> list[str]:
    """Split a header into words: ``E-Mail``, ``FirstName`` and ``Straße 2`` give e mail, first name, strasse 2."""
    spaced = _CAMEL_CASE.sub(" ", unicodedata.normalize("NFKC", header))
    return _WORD.findall(without_accents(spaced.casefold()))


def without_accents(text: str) -> str:
    """Replace Latin letters by those of ASCII that they look like: ``é`` by ``e``, ``ø`` by ``o``."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character)).translate(_LETTERS)


def _match(words: Sequence[str]) -> HeaderMatch | None:
    if not 0 < len(words) <= _MOST_WORDS:
        return None
    compact = "".join(words)
    if compact in NOT_FIELDS:
        return None
    if compact in _OWN_NAMES:
        return HeaderMatch(0, _OWN_NAMES[compact])
    if compact in _NAMES:
        return HeaderMatch(1, _NAMES[compact])
    if compact in _ADDRESS_NAMES:
        return HeaderMatch(1, f"{ADDRESSES[0]}.{_ADDRESS_NAMES[compact]}")
    # "Phone (home)", "Name, first".
    turned = "".join((words[-1], *words[:-1]))
    if turned in _NAMES or turned in _OWN_SCALARS:
        return HeaderMatch(2, _NAMES.get(turned) or _OWN_SCALARS[turned])
    return (
        _match_address(words)
        or _match_primary(words)
        or _match_first(words)
        or _match_contact_of_address(words)
        or _match_without_fillers(words)
    )


def _match_address(words: Sequence[str]) -> HeaderMatch | None:
    """Match words such as ``billing zip``, ``ship to city``, ``address 1 region``, ``card address city``."""
    for address, qualifier, rest in _split_address(words):
        members = [word for word in rest if word not in CONNECTING_WORDS and word != "value"]
        # "Address 1 - City", but "Billing Address 1" is a line of it.
        ways = [members, members[1:] if members[:1] in (["address"], ["1"]) else members]
        for compact in map("".join, ways):
            if compact in _QUALIFIED_ADDRESS_NAMES:
                return HeaderMatch(2, f"{address}.{_QUALIFIED_ADDRESS_NAMES[compact]}", qualifier)
    return None


def _match_contact_of_address(words: Sequence[str]) -> HeaderMatch | None:
    """Match words such as ``billing phone`` and ``default address company``: whom the address belongs to."""
    for address, qualifier, rest in _split_address(words):
        # "Company phone" is not whom the address of the company belongs to.
        if address == ADDRESSES[0] and qualifier != "address":
            continue
        found = _match([word for word in rest if word not in CONNECTING_WORDS])
        if found is not None and found.path in _OF_CONTACT:
            order = SECONDARY if address == "ShippingAddress" else found.order
            return replace(found, rank=found.rank + 3, qualifier=f"{qualifier} {found.qualifier}".strip(), order=order)
    return None


def _split_address(words: Sequence[str]) -> Iterable[tuple[str, str, list[str]]]:
    """Yield the address that a word means, the word, and the other words."""
    if tuple(words[:2]) == CARD_WORDS:
        yield "BillingAddress", "card", list(words[2:])
        return
    for index, word in enumerate(words):
        # "Address company" is a company.
        is_last_company = word == "company" and index == len(words) - 1
        if len(words) > 1 and not is_last_company and (address := _ADDRESS_OF_WORD.get(word)):
            yield address, word, [*words[:index], *words[index + 1 :]]


def _match_primary(words: Sequence[str]) -> HeaderMatch | None:
    """Match words such as ``primary email`` and ``default address city``."""
    for is_primary, rest in ((words[0] in PRIMARY_WORDS, words[1:]), (words[-1] in PRIMARY_WORDS, words[:-1])):
        found = _match(rest) if is_primary and rest else None
        # A preferred name is a nickname.
        if found is not None and found.family != "name":
            return replace(found, rank=found.rank + 1, qualifier=f"primary {found.qualifier}".strip(), order=PRIMARY)
    return None


def _match_first(words: Sequence[str]) -> HeaderMatch | None:
    """Match words such as ``phone 1`` and ``phone 1 value``; those of a second number mean no field."""
    without = [_FIRST.sub("", word) for word in words]
    rest = [word for word in without if word and word != "value"]
    if without == list(words) or rest[:1] == ["address"]:
        return None
    found = _match(rest)
    return replace(found, rank=found.rank + 1, order=PRIMARY) if found is not None else None


def _match_without_fillers(words: Sequence[str]) -> HeaderMatch | None:
    telling = [word for word in words if word not in FILLER_WORDS]
    found = _match(telling) if telling and telling != words else None
    return replace(found, rank=found.rank + 3) if found is not None else None


def _index(tables: Iterable[Mapping[str, str]], own: Iterable[str] = ()) -> dict[str, str]:
    names = {path.lower(): path for path in own}
    for table in tables:
        for path, synonyms in table.items():
            names |= dict.fromkeys(synonyms.split(), path)
    return names


def _any_of(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_NAMES = _index(one.fields for one in LANGUAGES)
_ADDRESS_NAMES = _index((one.address for one in LANGUAGES), ADDRESS_MEMBERS)
_QUALIFIED_ADDRESS_NAMES = _ADDRESS_NAMES | _index([QUALIFIED_ADDRESS_NAMES])
_ADDRESS_OF_WORD = _index([ADDRESS_WORDS])
_OWN_NAMES = {path.replace(".", "").lower(): path for path in FIELD_BY_PATH} | {
    member.lower(): f"{ADDRESSES[0]}.{member}" for member in ADDRESS_MEMBERS
}
_OWN_SCALARS = {path.lower(): path for path in FIELD_BY_PATH if "." not in path}
_OF_CONTACT = frozenset((*FULL_NAME_PATHS, "BusinessName", "PhoneNumber", "EmailAddress"))
_NUMBER_WORDS = ID_WORDS & frozenset(("no", "nr", "num", "number", "nummer", "numero", "numer"))
_CUSTOMER_NUMBER = re.compile(
    "(?:{customer})(?:{between})?(?:{id})|(?:{id})(?:{between})?(?:{customer})".format(
        customer=_any_of(CUSTOMER_WORDS), between=_any_of(CONNECTING_WORDS), id=_any_of(ID_WORDS | {"n"})
    )
)
