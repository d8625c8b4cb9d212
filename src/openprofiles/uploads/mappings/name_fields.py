"""Find the columns that hold the name of a customer, whatever fields they are loaded into."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from openprofiles.facts.blanks import BLANKS
from openprofiles.facts.sql_text import sql_text
from openprofiles.facts.standard_profile import field_of_target
from openprofiles.uploads.mappings.header_names import is_full_name, words_of
from openprofiles.uploads.mappings.header_words import CUSTOMERS

PERSON = ("FirstName", "LastName")
BUSINESS = ("BusinessName",)

_BLANK_BETWEEN = f"[^{BLANKS}][{BLANKS}]+[^{BLANKS}]"


@dataclass(frozen=True, slots=True)
class NameFields:
    """The fields of a file that hold the name of a customer.

    Attributes:
        paths: of the fields, as they are mapped. A row without a value in the last one has no name.
        is_unsure: whether the column may hold something else, such as the number of the customer: its header is only a
            word for a customer. Then a value is a name only if it has a blank between two words.
    """

    paths: tuple[str, ...]
    is_unsure: bool = False

    def is_name(self, text: str) -> bool:
        """Return whether a value may be a name, and not a number or an address."""
        words = text.strip(BLANKS)
        has_letter = any(character.isalpha() for character in words)
        return has_letter and "@" not in words and not (self.is_unsure and not any(blank in words for blank in BLANKS))

    def sql_is_name(self, text: str) -> str:
        """Build SQL (DuckDB) for ``is_name`` of a text expression."""
        condition = f"regexp_matches({text}, '\\p{{L}}') and not contains({text}, '@')"
        return f"{condition} and regexp_matches({text}, {sql_text(_BLANK_BETWEEN)})" if self.is_unsure else condition


def find_name_fields(columns: Iterable[tuple[str, str]]) -> NameFields | None:
    """Find the fields of the name; None if the file has none.

    They are the first and last name; else a column of whole names; else the last name alone; else a column whose header
    is only a word for a customer; else the business.

    Args:
        columns: header of each column, and the path of the field that it is loaded into.
    """
    # A column of addresses or numbers may be called "Contact".
    header_of = {path: header for header, path in columns if not _is_key(path)}
    if header_of.keys() >= {*PERSON}:
        return NameFields(PERSON)
    for path, header in header_of.items():
        if is_full_name(header):
            return NameFields((path,))
    if PERSON[-1] in header_of:
        return NameFields(PERSON[-1:])
    for path, header in header_of.items():
        if _is_customer(header):
            return NameFields((path,), is_unsure=True)
    if BUSINESS[0] in header_of:
        return NameFields(BUSINESS)
    return None


def _is_key(path: str) -> bool:
    standard = field_of_target(path)
    return standard is not None and standard.key_name is not None


def _is_customer(header: str) -> bool:
    return "".join(words_of(header)) in CUSTOMERS
