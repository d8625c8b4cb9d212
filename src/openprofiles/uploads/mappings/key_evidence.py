"""Weigh the columns of a file as unique keys, by what a load of its first rows would compare.

A good key has a value in nearly every row. Its repeats are the same customer, and rows of one customer have the same
key. The sample shows where this is not so: rows with one key and different names would be merged, and rows that
share an email address and a name but have different keys would become two customers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from openprofiles.facts.blanks import is_blank
from openprofiles.facts.keys import field_key_name
from openprofiles.facts.normal_forms import identity_key, normal_full_name
from openprofiles.facts.standard_profile import (
    ATTRIBUTES_PREFIX,
    EMAIL_KEY,
    FULL_NAME_PATHS,
    PHONE_KEY,
    field_of_target,
)
from openprofiles.uploads.mappings.header_names import (
    names_customer_number,
    names_row_number,
    words_of,
)
from openprofiles.uploads.mappings.header_words import ID_WORDS
from openprofiles.uploads.mappings.name_fields import BUSINESS, find_name_fields
from openprofiles.uploads.mappings.value_kinds import KIND_OF_KEY, may_be
from openprofiles.uploads.mappings.whole_rows import are_whole_rows

if TYPE_CHECKING:
    from openprofiles.uploads.mappings.suggest import SuggestedField

# The fields that are good unique keys, the best first.
_WORTH = {
    "AccountNumber": 0.95,
    "EmailAddress": 0.9,
    "PersonalEmailAddress": 0.85,
    "BusinessEmailAddress": 0.85,
    "PhoneNumber": 0.7,
    "MobilePhoneNumber": 0.7,
}
_WORTH_OF_ATTRIBUTE = 0.6
# A key that would double or merge customers comes after every one that would not.
_WORTH_IF_DOUBTED = 0.5
_CONFIDENCE_IF_DOUBTED = 0.75

# Most rows of the sample must have a value. Hardly any two may have the same, unless their names agree.
_FEWEST_FILLED = 0.9
_FEWEST_DISTINCT = 0.9
_FEWEST_STEPS_OF_ONE = 0.8


@dataclass(frozen=True, slots=True)
class KeyEvidence:
    """What the sample says about a column as the unique key.

    Attributes:
        header: of the column.
        row_count: rows of the sample.
        filled_count: rows with a value that can identify a customer.
        repeated_count: rows with the value of an earlier row.
        compared_by: what rows that share a value are compared by, "name" or a header; None if there is nothing.
        repeats_agree: whether they all agree in it.
        doubts: why it may be a bad key, for people; never a value of the file.
        confidence: that it is a good key, 0 to 1; 0: it is not suggested.
        worth: orders keys that are suggested, the highest first; 0: it is not suggested.
        kind_worth: the same by name and field alone.
    """

    header: str
    row_count: int
    filled_count: int
    repeated_count: int
    compared_by: str | None
    repeats_agree: bool
    doubts: tuple[str, ...]
    confidence: float
    worth: float
    kind_worth: float

    def describe(self) -> str:
        """Describe how many rows have a value and how many repeat one, for people."""
        if self.row_count == 0:
            return "No rows to judge it by."
        if self.filled_count == self.row_count == 1:
            return "Filled in the only row of the sample."
        parts = [f"Filled in {self.filled_count} of {self.row_count} rows of the sample"]
        if self.repeated_count == 0:
            parts.append("no value is repeated")
        else:
            rows = "1 row repeats" if self.repeated_count == 1 else f"{self.repeated_count} rows repeat"
            which = "the same" if self.repeats_agree else "another"
            parts.append(f"{rows} an earlier value{f', with {which} {self.compared_by}' if self.compared_by else ''}")
        return f"{'; '.join(parts)}."

    def describe_consequence(self) -> str:
        """Describe what a load with this key does, for people."""
        return (
            f"Rows with the same {self.header} become one customer, and later files update this customer. "
            f"Rows without {self.header} fail."
        )


class KeySample:
    """The first rows of a file, as a load would compare them.

    Args:
        fields: the columns that are loaded.
        values: their cells, by header.
        phone_region: country (ISO 3166) of numbers without a country code.
    """

    def __init__(
        self, fields: Sequence[SuggestedField], values: Mapping[str, Sequence[str]], phone_region: str
    ) -> None:
        self._values = values
        self._row_count = max(map(len, values.values()), default=0)
        self._phone_region = phone_region
        self._names = self._find_names(fields)
        identifiers = [
            (field, standard.key_name)
            for field in fields
            if (standard := field_of_target(field.target)) and standard.key_name and not field.is_doubtful
        ]
        self._identifiers = [(field.header, key_name, self._keys_of(field)) for field, key_name in identifiers]

    def weigh(self, field: SuggestedField) -> KeyEvidence:
        """Weigh a column as the unique key."""
        keys = self._keys_of(field)
        filled = [key for key in keys if key is not None]
        repeated_count = len(filled) - len(set(filled))
        merged = self._describe_merged(field, keys)
        doubled = self._describe_doubled(field, keys)
        counts = _is_counter(field, self._values.get(field.header, ()))
        shared = None if doubled else self._describe_shared_address(field, keys)
        doubts = [text for text in (doubled, shared, merged) if text]
        if counts and names_customer_number(field.header):
            doubts.append(
                "its values count up by one, as row numbers do; it is a good key only if a customer has the same "
                "number in every file"
            )
        elif counts:
            doubts.append(
                "its values count up by one, as row numbers do, and its name does not suggest that it contains "
                "customer numbers"
            )
        compared_by = self._find_comparison(field, keys) if repeated_count else None
        # A row without a name does not contradict the others.
        repeats_agree = (compared_by is not None or self._names is not None) and not merged
        is_whole_row = len(self._values) == 1 and are_whole_rows(field.header, self._cells(field.header))
        kind_worth = 0.0 if is_whole_row else _kind_worth(field)
        worth = 0.0 if counts and not names_customer_number(field.header) else kind_worth
        certainty = self._certainty(len(filled), repeated_count, repeats_agree=repeats_agree)
        confidence = worth * certainty
        if doubled and field.target.startswith(ATTRIBUTES_PREFIX):
            # The number of an order, for example.
            worth = confidence = 0.0
        elif doubled or merged:
            worth, confidence = worth * _WORTH_IF_DOUBTED, confidence * _WORTH_IF_DOUBTED
        if counts or shared:
            confidence *= _CONFIDENCE_IF_DOUBTED
        confidence = round(confidence, 2)
        return KeyEvidence(
            field.header,
            self._row_count,
            len(filled),
            repeated_count,
            compared_by,
            repeats_agree,
            tuple(doubts),
            confidence,
            worth if confidence else 0.0,
            kind_worth,
        )

    def is_key_by_kind(self, field: SuggestedField) -> bool:
        """Return whether the name and the target of a field suit a key."""
        return bool(_kind_worth(field))

    def _certainty(self, filled_count: int, repeated_count: int, *, repeats_agree: bool) -> float:
        """Return from 0 to 1 how well the values suit a key; without rows the name decides."""
        if self._row_count == 0:
            return 0.5
        distinct_count = filled_count - repeated_count
        if filled_count < _FEWEST_FILLED * self._row_count:
            return 0.0
        if distinct_count < _FEWEST_DISTINCT * filled_count and not repeats_agree:
            return 0.0
        share = 1.0 if repeats_agree else distinct_count / filled_count
        # A row or two are always distinct.
        return self._row_count / (self._row_count + 2) * (filled_count / self._row_count) * share

    def _describe_doubled(self, field: SuggestedField, keys: Sequence[str | None]) -> str | None:
        """Describe rows that seem to be one customer but have different keys."""
        for header, key_name, others in self._identifiers:
            if header == field.header or (self._names is None and key_name != EMAIL_KEY):
                # Members of a household share a phone number; with the same name they are one person.
                continue
            if count := _count_further(self._pairs_of_one_customer(keys, others, is_email=key_name == EMAIL_KEY)):
                alike = header if self._names is None else f"{header} and name"
                rows = "1 row has" if count == 1 else f"{count} rows have"
                return (
                    f"{rows} the same {alike} as an earlier row but a different {field.header}, so one customer would "
                    "become two"
                )
        return None

    def _describe_shared_address(self, field: SuggestedField, keys: Sequence[str | None]) -> str | None:
        """Describe rows with one email address and different keys, whatever their names."""
        for header, key_name, others in self._identifiers:
            if header == field.header or key_name != EMAIL_KEY:
                continue
            if count := _count_further(_filled_pairs(others, keys)):
                rows = "1 row has" if count == 1 else f"{count} rows have"
                return (
                    f"{rows} the same {header} as an earlier row but a different {field.header} and a different "
                    "name; if they are one customer, that customer would become two"
                )
        return None

    def _pairs_of_one_customer(
        self, keys: Sequence[str | None], others: Sequence[str | None], *, is_email: bool
    ) -> list[tuple[Hashable, str]]:
        """Return for each row what marks its customer (another identifier, the name), and its key."""
        names: Sequence[str | None] = [None] * len(keys) if self._names is None else self._names
        names_by_other: dict[str | None, set[str]] = {}
        for other, name in zip(others, names, strict=True):
            names_by_other.setdefault(other, set()).update({name} if name else ())
        pairs: list[tuple[Hashable, str]] = []
        for key, other, name in zip(keys, others, names, strict=True):
            if key is None or other is None:
                continue
            if is_email and len(names_by_other[other]) <= 1:
                # A row without a name does not contradict the others.
                pairs.append((other, key))
            elif name is not None:
                pairs.append(((other, name), key))
        return pairs

    def _describe_merged(self, field: SuggestedField, keys: Sequence[str | None]) -> str | None:
        """Describe rows with one key that seem to be different customers."""
        for what, values in self._comparisons(field):
            if count := _count_further(_filled_pairs(keys, values)):
                rows = "1 row has" if count == 1 else f"{count} rows have"
                return (
                    f"{rows} the same {field.header} as an earlier row but a different {what}, so different "
                    "customers may become one"
                )
        return None

    def _find_comparison(self, field: SuggestedField, keys: Sequence[str | None]) -> str | None:
        """Find what says of rows with one key whether they are one customer."""
        for what, values in self._comparisons(field):
            pairs = _filled_pairs(keys, values)
            if len(pairs) > len({key for key, _ in pairs}):
                return what
        return None

    def _comparisons(self, field: SuggestedField) -> list[tuple[str, Sequence[str | None]]]:
        """Return what one customer has only one of: the name or, without names, the other identifiers."""
        if self._names is not None:
            return [("name", self._names)]
        return [
            (header, values)
            for header, name, values in self._identifiers
            if name != PHONE_KEY and header != field.header
        ]

    def _keys_of(self, field: SuggestedField) -> list[str | None]:
        """Return what a load compares of each row; None: nothing."""
        standard = field_of_target(field.target)
        name = (standard and standard.key_name) or field_key_name(field.target)
        kind = KIND_OF_KEY.get(name)
        return [
            # A note such as "none" in a column of addresses does not make two rows share an address.
            None
            if is_blank(value) or (kind and not may_be(kind, value))
            else identity_key(name, value, self._phone_region)
            for value in self._cells(field.header)
        ]

    def _find_names(self, fields: Sequence[SuggestedField]) -> list[str | None] | None:
        names = find_name_fields((field.header, field.target) for field in fields)
        if names is None or names.paths == BUSINESS:
            return None
        headers = {field.target: field.header for field in fields}
        paths = FULL_NAME_PATHS if names.paths[-1] == "LastName" else names.paths
        parts = [self._cells(headers[path]) for path in paths if path in headers]
        return [
            normal_full_name(*cells) if names.is_name(" ".join(cells)) else None for cells in zip(*parts, strict=True)
        ]

    def _cells(self, header: str) -> list[str]:
        cells = list(self._values.get(header, ()))
        return cells + [""] * (self._row_count - len(cells))


def _kind_worth(field: SuggestedField) -> float:
    if field.is_doubtful or names_row_number(field.header):
        return 0.0
    worth = _WORTH.get(field.target, 0.0)
    is_id = any(word in ID_WORDS for word in words_of(field.header))
    return _WORTH_OF_ATTRIBUTE if not worth and field.target.startswith(ATTRIBUTES_PREFIX) and is_id else worth


def _is_counter(field: SuggestedField, cells: Iterable[str]) -> bool:
    """Return whether the values count up by one, like row numbers. Phone numbers do not count."""
    standard = field_of_target(field.target)
    if standard is not None and standard.key_name in (EMAIL_KEY, PHONE_KEY):
        return False
    filled = [cell.strip().removesuffix(".0") for cell in cells if not is_blank(cell)]
    if not filled or not all(cell.isascii() and cell.isdigit() and len(cell) <= 18 for cell in filled):
        return False
    numbers = list(map(int, filled))
    if min(numbers) <= 1 and len(set(numbers)) == len(numbers) == max(numbers) - min(numbers) + 1:
        # In another order, too.
        return True
    steps = [later - earlier for earlier, later in pairwise(numbers)]
    return bool(steps) and max(steps.count(1), steps.count(-1)) >= _FEWEST_STEPS_OF_ONE * len(steps)


def _filled_pairs(firsts: Sequence[str | None], seconds: Sequence[str | None]) -> list[tuple[str, str]]:
    return [(one, other) for one, other in zip(firsts, seconds, strict=True) if one is not None and other is not None]


def _count_further(pairs: Iterable[tuple[Hashable, Hashable]]) -> int:
    """Count the different second members of each first one, beyond one each."""
    distinct = set(pairs)
    return len(distinct) - len({first for first, _ in distinct})
