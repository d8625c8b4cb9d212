"""Suggest where each column of a file goes, from the names in its header and from some of its rows.

A column whose name says what it is goes to that field of the standard profile. One whose name says nothing, but whose
values are clearly email addresses or phone numbers, goes to the field for these if no other column does. Any other
becomes a custom attribute under its own name. No two columns get one target: of several that mean one field, it goes to
the one that is called primary or numbered 1, else to the one that is filled most, else to the better match.

Each suggestion has a confidence from 0 to 1. It orders suggestions and marks those that a person should look at; it is
not a measured probability.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from openprofiles.errors import InvalidRequest
from openprofiles.facts.blanks import is_blank
from openprofiles.facts.standard_profile import (
    ACCOUNT_KEY,
    ATTRIBUTES_PREFIX,
    EMAIL_KEY,
    FULL_NAME_PATHS,
    MAX_ATTRIBUTE_NAME_LENGTH,
    PHONE_KEY,
    field_of_target,
)
from openprofiles.uploads.failures.own_columns import SPREADSHEET_COLUMNS
from openprofiles.uploads.mappings.header_names import (
    ORDINARY,
    HeaderMatch,
    is_ambiguous,
    match_header,
    may_be_last_name,
    without_accents,
)
from openprofiles.uploads.mappings.key_evidence import KeyEvidence, KeySample
from openprofiles.uploads.mappings.likely_names import did_you_mean, find_name, names_like, quote_name
from openprofiles.uploads.mappings.side_by_side import describe_side_by_side
from openprofiles.uploads.mappings.upload_mapping import SOURCE_PREFIX, TARGET_PREFIX
from openprofiles.uploads.mappings.value_kinds import (
    KIND_OF_KEY,
    ColumnKind,
    ValueKind,
    find_column_kind,
    share_that_may_be,
)

MAX_FIELD_NAME_LENGTH = 64
DEFAULT_PHONE_REGION = "US"
# Source and Target of a field have at most 1000 characters (service model, shape text).
_MAX_HEADER_LENGTH = 1000 - len(SOURCE_PREFIX)

_FIELD_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}\Z")
_NOT_IN_FIELD_NAME = re.compile(r"[^a-zA-Z0-9_.-]+")
# Other signs distinguish columns, such as # and %.
_SEPARATORS = re.compile(r"[\s_.-]+")
# The rule of the website for names of custom attributes (reference, section 2.3).
_ATTRIBUTE_NAME = re.compile(r"[a-zA-Z0-9]+(?:[ _\-]+[a-zA-Z0-9]+)*\Z")
_NOT_IN_ATTRIBUTE_NAME = re.compile(r"[^a-zA-Z0-9 _-]+")

_EXCLUDED = "it is excluded"
_OWN_COLUMN = "openprofiles added it to the file of failed rows"
_NAME_COLUMNS = (
    "Give each column a name of its own in the header. If the line of the header or the delimiter was not detected "
    "correctly, name it."
)
# Of columns of which none can be loaded.
_MOST_COLUMNS_SHOWN = 20

# A suggestion below this is one that somebody should look at.
DOUBTFUL = 0.5

_CHOSEN_CONFIDENCE = 1.0
# By how well the name matches (see match_header), where the values agree.
_NAME_CONFIDENCES = (0.98, 0.95, 0.9, 0.85)
# What is missing where there are no values to agree.
_WITHOUT_VALUES = 0.1
_CONTRADICTED_CONFIDENCE = 0.2
_VALUES_ALONE_CONFIDENCE = 0.6
_ATTRIBUTE_CONFIDENCE = 0.5
_DIVIDED_CONFIDENCE = 0.4

# So many of the values must be of a kind before it is said that the column holds it; and so few, that it does not.
_CLEAR_SHARE = 0.8
_CONTRADICTING_SHARE = 0.5

_FIRST_NAME, _LAST_NAME = "FirstName", "LastName"
# That of a "Name" next to a first name.
_RANK_BESIDE_FIRST_NAME = 2

# Each of two columns of one kind has values in at least this many rows if two lists were put together; none has both.
_FEWEST_OF_LIST, _SHARE_OF_LIST = 5, 0.1

# A column that is called primary, but is filled less than half as often as another one, is not preferred to it.
_FEWEST_FILLED_OF_PRIMARY = 0.5

_TARGET_OF_KIND = {ValueKind.EMAIL_ADDRESS: "EmailAddress", ValueKind.PHONE_NUMBER: "PhoneNumber"}
# What nobody is called, and no place either.
_NO_NAMES = frozenset(ValueKind)
_NO_TEXT = frozenset((ValueKind.EMAIL_ADDRESS, ValueKind.PHONE_NUMBER, ValueKind.DATE))
# Letters other than those of masks such as "xxx-1234".
_WORD = re.compile(r"[^\W\d_xX]{2}")
_NAMES = (*FULL_NAME_PATHS, "BusinessName", "City", "County", "State", "Province", "Country")
_ANYTHING = ("AccountNumber", "AdditionalInformation")


@dataclass(frozen=True, slots=True)
class SuggestedField:
    """One column and where it goes.

    Attributes:
        name: its key in ``Fields``.
        header: the column's header, exactly as in the file.
        target: the field of the profile, such as ``EmailAddress`` or ``Attributes.tier``.
        confidence: that the target is right, 0 to 1; 1: it was chosen.
        reason: for the target, for people; never a value of the file.
        displaced_by: the header of the column that was chosen for the field that this one would go to.
        is_known_attribute: whether the domain has the attribute, and the column another name.
    """

    name: str
    header: str
    target: str
    confidence: float = _CHOSEN_CONFIDENCE
    reason: str = "it was chosen"
    displaced_by: str | None = None
    is_known_attribute: bool = False

    @property
    def is_doubtful(self) -> bool:
        """Whether somebody should look at it."""
        return self.confidence < DOUBTFUL

    @property
    def content_type(self) -> str:
        """The content type, by which the service compares the values."""
        standard = field_of_target(self.target)
        if standard is None:
            return "STRING"
        by_key = {EMAIL_KEY: "EMAIL_ADDRESS", PHONE_KEY: "PHONE_NUMBER"}
        return by_key.get(standard.key_name or "", "NAME" if standard.path in FULL_NAME_PATHS else "STRING")

    @property
    def usual_check(self) -> str | None:
        """The check that a load makes of its values without being asked; None for none."""
        # Even if few values are of this kind: unchecked, a masked column would overwrite the address of every customer.
        return self.content_type if self.content_type in ("EMAIL_ADDRESS", "PHONE_NUMBER") else None

    def to_entry(self) -> dict[str, str]:
        """Make the entry of ``Fields`` of CreateUploadJob."""
        return {
            "Source": SOURCE_PREFIX + self.header,
            "Target": TARGET_PREFIX + self.target,
            "ContentType": self.content_type,
        }


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A column that is not loaded, and why. ``column_number`` counts from 1."""

    column_number: int
    header: str
    reason: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What becomes of every column of a file, in its order.

    Attributes:
        unique_key: the field that identifies customers best; None if none seems to.
        unique_key_confidence: that it does, 0 to 1.
        sample: by which the keys were weighed.
    """

    fields: tuple[SuggestedField, ...]
    left_out: tuple[LeftOut, ...]
    unique_key: SuggestedField | None = None
    unique_key_confidence: float = 0.0
    sample: KeySample | None = None

    def weigh_key(self, field: SuggestedField) -> KeyEvidence | None:
        """Weigh a field as the unique key; None without a sample."""
        return None if self.sample is None else self.sample.weigh(field)

    def weigh_keys(self) -> list[KeyEvidence]:
        """Weigh the fields that may be keys, the suggested one first."""
        best = self.weigh_key(self.unique_key) if self.unique_key is not None else None
        return [*([best] if best is not None else []), *self.weigh_other_keys()]

    def weigh_other_keys(self) -> list[KeyEvidence]:
        """Weigh the other fields that may be keys, the best first."""
        found = [
            evidence for field in self.fields if field is not self.unique_key and (evidence := self.weigh_key(field))
        ]
        return sorted((one for one in found if one.kind_worth), key=lambda one: (-one.worth, -one.kind_worth))

    def to_fields(self) -> dict[str, dict[str, str]]:
        """Make ``Fields`` of CreateUploadJob."""
        return {field.name: field.to_entry() for field in self.fields}

    def find_unique_key(self, unique_key: str) -> SuggestedField:
        """Find the field of a header, field name or target, in this order.

        A header in another case will do, if it means one column only.

        Raises:
            InvalidRequest: it is not one of the columns to load.
        """
        path = unique_key.removeprefix(TARGET_PREFIX)
        standard = field_of_target(path)
        target = standard.path if standard else path
        for found in (
            [field for field in self.fields if field.header == unique_key],
            [field for field in self.fields if field.name == unique_key],
            [field for field in self.fields if field.target == target],
        ):
            if found:
                return found[0]
        for column in self.left_out:
            if column.header == unique_key:
                raise InvalidRequest(f"The unique key {unique_key!r} cannot be used: {column.reason}.")
        known = [field.header for field in self.fields]
        if (header := find_name(unique_key, known)) is not None:
            return self.find_unique_key(header)
        raise InvalidRequest(
            f"The unique key {unique_key!r} is not a column of the file."
            f"{did_you_mean(names_like(unique_key, known))} Its columns are: {', '.join(map(quote_name, known))}."
        )


def suggest_mapping(
    headers: Sequence[str],
    chosen: Mapping[str, str] | None = None,
    sample: Sequence[Sequence[str]] = (),
    phone_region: str = DEFAULT_PHONE_REGION,
    key_header: str | None = None,
    find_attributes: Callable[[], Iterable[str]] = tuple,
) -> Suggestion:
    """Suggest a target for each column, and a unique key.

    Args:
        headers: the names of all columns, in the order of the file.
        chosen: targets that were decided already, by header, with or without ``_profile.``; an empty one leaves the
            column out. No suggestion takes a target that is chosen for another column.
        sample: some rows of the file, each with its cells in the order of the headers; one may have fewer or more.
        phone_region: country (ISO 3166) of phone numbers without a country code.
        key_header: the column that was chosen as the unique key. It means what its name says, whatever its values are.
        find_attributes: returns the names of attributes that the domain has, the newest first; called if there is a
            column for one. Of names that differ only in case, blanks and signs, the domain keeps its own.

    Raises:
        InvalidRequest: a chosen header is not a column, or names several; or no column is left to load, or only one
            of several; or the file has two lists side by side.
    """
    chosen = chosen or {}
    if (side_by_side := describe_side_by_side(headers, sample, chosen)) is not None:
        raise InvalidRequest(side_by_side)
    counts = Counter(headers)
    for header in chosen:
        if header not in counts:
            raise InvalidRequest(describe_missing_column(header, headers))
        if counts[header] > 1 and chosen[header]:
            raise InvalidRequest(
                f"The file's header has {counts[header]} columns named {header!r}, so it is unclear which one is "
                "meant. Rename all but one."
            )
    left_out = [
        LeftOut(number, header, reason)
        for number, header in enumerate(headers, start=1)
        if (reason := _reason_to_leave_out(header, counts, chosen))
    ]
    without = {column.column_number for column in left_out}
    columns = [
        _Column(header, [row[index] if index < len(row) else "" for row in sample])
        for index, header in enumerate(headers)
        if index + 1 not in without
    ]
    if not columns:
        raise InvalidRequest(_describe_nothing_left(left_out))
    if len(columns) == 1 and (lost := [one for one in left_out if _is_lost(one, sample)]):
        raise InvalidRequest(_describe_one_left(columns[0].header, lost))
    targets = _assign_targets(columns, chosen, key_header, find_attributes)
    names = _name_fields([column.header for column in columns])
    fields = tuple(
        SuggestedField(names[column.header], column.header, *target)
        for column, target in zip(columns, targets, strict=True)
    )
    key_sample = KeySample(fields, {column.header: column.values for column in columns}, phone_region)
    unique_key, confidence = _suggest_unique_key(fields, key_sample)
    return Suggestion(fields, tuple(left_out), unique_key, confidence, key_sample)


def describe_missing_column(header: str, headers: Iterable[str]) -> str:
    """Report that a file has no such column, and name similar ones."""
    known = list(dict.fromkeys(headers))
    return (
        f"The file has no column {header!r}.{did_you_mean(names_like(header, known))} "
        f"Its columns are: {', '.join(map(quote_name, known))}."
    )


def _describe_nothing_left(left_out: Sequence[LeftOut]) -> str:
    """Report why no column can be loaded, and what to do."""
    advice = "Load at least one of them." if all(one.reason == _EXCLUDED for one in left_out) else _NAME_COLUMNS
    return f"The file has no column that can be loaded: {_list_left_out(left_out)}. {advice}"


def _describe_one_left(header: str, lost: Sequence[LeftOut]) -> str:
    """Report why only one column could be loaded, and what to do."""
    return (
        f"Of the file's columns, only {header!r} can be loaded: {_list_left_out(lost)}. {_NAME_COLUMNS} To load "
        "this column alone, exclude the others (openprofiles import --only COLUMN)."
    )


def _list_left_out(left_out: Sequence[LeftOut]) -> str:
    shown = left_out[:_MOST_COLUMNS_SHOWN]
    columns = "; ".join(f"column {one.column_number} {one.header!r}: {one.reason}" for one in shown)
    more = len(left_out) - len(shown)
    return f"{columns}{f'; and {more:,} more' if more else ''}"


def _is_lost(column: LeftOut, sample: Sequence[Sequence[str]]) -> bool:
    """Return whether a column is left out although nobody excluded it, and has values."""
    index = column.column_number - 1
    return column.reason not in (_EXCLUDED, _OWN_COLUMN) and any(
        index < len(row) and not is_blank(row[index]) for row in sample
    )


class _Column:
    """A column that is loaded, and what its values are.

    Attributes:
        values: its cells in the sample.
        kind: what they look like.
    """

    def __init__(self, header: str, values: list[str]) -> None:
        self.header = header
        self.values = values
        self.kind: ColumnKind = find_column_kind(values)

    def share_for(self, path: str) -> float:
        """Return the share of the rows whose value the field may have; of an account number, of the different ones."""
        if not self.values:
            return 1.0
        standard = field_of_target(path)
        key_name = standard and standard.key_name
        if key_name == ACCOUNT_KEY:
            return len({value for value in self.values if not is_blank(value)}) / len(self.values)
        kind = KIND_OF_KEY.get(key_name or "")
        share = 1.0 if kind is None else share_that_may_be(kind, self.values) or 0.0
        return share * self.kind.filled_count / len(self.values)

    def is_clearly(self, kinds: Collection[ValueKind]) -> bool:
        return self.kind.kind is not None and self.kind.kind in kinds and self.kind.share >= _CLEAR_SHARE


class _Target(NamedTuple):
    """The last members of a ``SuggestedField``."""

    path: str
    confidence: float
    reason: str
    displaced_by: str | None = None
    is_known_attribute: bool = False


def _reason_to_leave_out(header: str, counts: Mapping[str, int], chosen: Mapping[str, str]) -> str | None:
    if chosen.get(header) == "":
        return _EXCLUDED
    if is_blank(header):
        return "it has no name in the header"
    if header in SPREADSHEET_COLUMNS and header not in chosen:
        return _OWN_COLUMN
    if counts[header] > 1:
        return f"{counts[header]} columns have this name; rename all but one"
    if len(header) > _MAX_HEADER_LENGTH:
        return f"its name has more than {_MAX_HEADER_LENGTH} characters"
    return None


def _assign_targets(
    columns: Sequence[_Column],
    chosen: Mapping[str, str],
    key_header: str | None,
    find_attributes: Callable[[], Iterable[str]],
) -> list[_Target]:
    targets = {
        position: _Target(_full_path(chosen[column.header]), _CHOSEN_CONFIDENCE, "it was chosen")
        for position, column in enumerate(columns)
        if column.header in chosen
    }
    chosen_for = {target.path: columns[position].header for position, target in targets.items()}
    taken = set(chosen_for)
    for position, column in enumerate(columns):
        named = column.header.strip()
        is_attribute = named.startswith(ATTRIBUTES_PREFIX) and len(named) > len(ATTRIBUTES_PREFIX)
        if position not in targets and is_attribute and named not in taken:
            targets[position] = _Target(named, _NAME_CONFIDENCES[0], "it has the name of a custom attribute")
            taken.add(named)
    matches = {
        position: match
        for position, column in enumerate(columns)
        if position not in targets and (match := match_header(column.header))
    }
    others = {
        position
        for position, match in matches.items()
        if columns[position].header != key_header and _means_another_thing(columns[position], match.path)
    }
    matches = {position: match for position, match in matches.items() if position not in others}
    if (last_name := _find_last_name(columns, targets, matches)) is not None:
        matches[last_name] = HeaderMatch(_RANK_BESIDE_FIRST_NAME, _LAST_NAME)
    for position in _choose_columns(columns, matches):
        match = matches[position]
        if match.path not in taken:
            targets[position] = _weigh(columns[position], match.path, match.rank)
            taken.add(match.path)
    by_share = sorted(range(len(columns)), key=lambda position: -columns[position].kind.share)
    for position in by_share:
        kind = columns[position].kind
        target = _TARGET_OF_KIND.get(kind.kind) if kind.kind else None
        if position not in targets and target and target not in taken and kind.share >= _CLEAR_SHARE:
            assert kind.kind is not None
            confidence = round(_VALUES_ALONE_CONFIDENCE * kind.share, 2)
            targets[position] = _Target(
                target, confidence, f"the name is unknown, but the values are {kind.kind.value}"
            )
            taken.add(target)
    names = {target.removeprefix(ATTRIBUTES_PREFIX) for target in taken if target.startswith(ATTRIBUTES_PREFIX)}
    own_names = {
        position: _attribute_name(column.header, position + 1)
        for position, column in enumerate(columns)
        if position not in targets
    }
    known = list(find_attributes()) if own_names else []
    known_of = {_plain_name(name): name for name in reversed(known)}
    for position, own in own_names.items():
        name = own if own in known else known_of.get(_plain_name(own), own)
        is_known = name != own and name not in names.union(own_names.values())
        name = _make_unique(name if is_known else own, names, MAX_ATTRIBUTE_NAME_LENGTH)
        names.add(name)
        path = matches[position].path if position in matches else None
        other = chosen_for.get(path) if path else None
        reason, confidence = "kept as a custom attribute", _ATTRIBUTE_CONFIDENCE
        if is_known:
            reason = f"kept as the custom attribute {name!r}, which the domain has"
        if other is not None:
            reason += f", because {other!r} was chosen for {path}"
        elif path is not None:
            reason += f", because another column goes to {path}"
            owner = next(one for one, target in targets.items() if target.path == path)
            if _are_of_two_lists(columns, matches, owner, position):
                reason += f"; no row has both, so merge it with {columns[owner].header!r} into one column"
                confidence = _DIVIDED_CONFIDENCE
        elif position in others:
            reason += ", because its name can mean other things, and its values do not fit a field"
        targets[position] = _Target(ATTRIBUTES_PREFIX + name, confidence, reason, other, is_known)
    return [targets[position] for position in range(len(columns))]


def _are_of_two_lists(columns: Sequence[_Column], matches: Mapping[int, HeaderMatch], *both: int) -> bool:
    if len({matches[one].qualifier if one in matches else None for one in both}) > 1:
        return False
    of_both = [columns[one].values for one in both]
    filled = [{row for row, value in enumerate(values) if not is_blank(value)} for values in of_both]
    fewest = max(_FEWEST_OF_LIST, _SHARE_OF_LIST * len(of_both[0]))
    return min(map(len, filled)) >= fewest and filled[0].isdisjoint(filled[1])


def _choose_columns(columns: Sequence[_Column], matches: Mapping[int, HeaderMatch]) -> list[int]:
    """Choose the best column for each field.

    No address and no name is put together from columns of two kinds.

    Returns:
        positions of columns, of which the first for a field is the best.
    """
    shares = {position: columns[position].share_for(match.path) for position, match in matches.items()}
    families: dict[str, dict[str, dict[str, list[int]]]] = {}
    for position, match in matches.items():
        members = families.setdefault(match.family, {}).setdefault(match.qualifier, {})
        members.setdefault(match.path, []).append(position)

    def choose(groups: Sequence[Sequence[int]]) -> list[Sequence[int]]:
        """Order groups of columns that mean the same, the best first."""
        fullest = max(sum(shares[position] for position in group) for group in groups)

        def rank(group: Sequence[int]) -> tuple[bool, int, float, int, int]:
            share = sum(shares[position] for position in group)
            order = min(matches[position].order for position in group)
            if share < _FEWEST_FILLED_OF_PRIMARY * fullest:
                order = max(order, ORDINARY)
            return not share, order, -round(share, 1), min(matches[position].rank for position in group), min(group)

        return sorted(groups, key=rank)

    found: list[int] = []
    for qualifiers in families.values():
        groups = [
            [choose([[position] for position in same])[0][0] for same in members.values()]
            for members in qualifiers.values()
        ]
        filled: set[str] = set()
        for group in choose(groups):
            paths = {matches[position].path for position in group}
            if filled.isdisjoint(paths):
                found += group
                filled |= paths
    return found


def _find_last_name(
    columns: Sequence[_Column], targets: Mapping[int, _Target], matches: Mapping[int, HeaderMatch]
) -> int | None:
    """Find a column called ``Name`` that has last names, since another one has first names.

    Args:
        targets: of the columns for which they were chosen.
        matches: of others.
    """
    path_of = {position: target.path for position, target in targets.items()}
    path_of |= {position: match.path for position, match in matches.items() if not match.qualifier}
    first_names = [position for position, path in path_of.items() if path == _FIRST_NAME]
    if not first_names or _LAST_NAME in path_of.values():
        return None
    for position, column in enumerate(columns):
        if position not in path_of and may_be_last_name(column.header):
            rows = [
                (first.strip().casefold(), name.casefold())
                for first, name in zip(columns[first_names[0]].values, column.values, strict=True)
                if not is_blank(first) and not is_blank(name)
            ]
            # The name of a person who is called by the first name as well is a whole name.
            if 2 * sum(first in name for first, name in rows) <= len(rows):
                return position
    return None


def _means_another_thing(column: _Column, path: str) -> bool:
    """Return whether an ambiguous name means another thing than its field.

    A single value in all rows, or values without words, are rather masks of what the name says.
    """
    if not is_ambiguous(column.header) or column.kind.kind is not None:
        return False
    different = {value for value in column.values if _WORD.search(value)}
    return len(different) > 1 and _contradicted_kind(column, path) is not None


def _contradicted_kind(column: _Column, path: str) -> ValueKind | None:
    """Return the kind of the field's values, if the column has others."""
    expected = _expected_kind(path)
    share = None if expected is None else share_that_may_be(expected, column.values)
    return expected if share is not None and share < _CONTRADICTING_SHARE else None


def _expected_kind(path: str) -> ValueKind | None:
    standard = field_of_target(path)
    return ValueKind.DATE if path == "BirthDate" else KIND_OF_KEY.get((standard and standard.key_name) or "")


def _weigh(column: _Column, path: str, rank: int) -> _Target:
    """Weigh the target of a column's name against its values."""
    confidence = _NAME_CONFIDENCES[min(rank, len(_NAME_CONFIDENCES) - 1)]
    if column.kind.filled_count == 0:
        return _Target(path, round(confidence - _WITHOUT_VALUES, 2), "name matches")
    if (kind := _contradicted_kind(column, path)) is not None:
        return _Target(path, _CONTRADICTED_CONFIDENCE, f"name matches, but the values are not {kind.value}")
    if (expected := _expected_kind(path)) is not None:
        share = share_that_may_be(expected, column.values) or 0.0
        return _Target(path, round(confidence * (0.5 + share / 2), 2), "name and values match")
    wrong = _NO_NAMES if path.rpartition(".")[2] in _NAMES else _NO_TEXT
    if path not in _ANYTHING and column.is_clearly(wrong):
        assert column.kind.kind is not None
        return _Target(path, _CONTRADICTED_CONFIDENCE, f"name matches, but the values are {column.kind.kind.value}")
    return _Target(path, confidence, "name matches; values fit")


def _suggest_unique_key(fields: Sequence[SuggestedField], sample: KeySample) -> tuple[SuggestedField | None, float]:
    weighed = [(sample.weigh(field), field) for field in fields if sample.is_key_by_kind(field)]
    # Of equally worthy ones the first in the file.
    best, field = max(weighed, key=lambda one: one[0].worth, default=(None, None))
    return (field, best.confidence) if best is not None and best.worth else (None, 0.0)


def _full_path(target: str) -> str:
    path = target.removeprefix(TARGET_PREFIX)
    standard = field_of_target(path)
    return standard.path if standard else path


def _attribute_name(header: str, position: int) -> str:
    text = header.strip()
    if not _ATTRIBUTE_NAME.match(text):
        ascii_text = without_accents(text)
        cleaned = _NOT_IN_ATTRIBUTE_NAME.sub("_", ascii_text).strip(" _-")
        # A name in another script would lose everything that distinguishes it from the next one.
        text = cleaned if _keeps_letters(text, cleaned) else text
    return text[:MAX_ATTRIBUTE_NAME_LENGTH].rstrip(" _-") or f"column {position}"


def _plain_name(name: str) -> str:
    """Return a name without case, accents, and what separates its words; the name itself if nothing is left."""
    return _SEPARATORS.sub("", without_accents(name).casefold()) or name


def _name_fields(columns: Sequence[str]) -> dict[str, str]:
    """Choose a name for each field, its header if possible."""
    # First those that can be kept, so that a header is never the field name of another column.
    names = {header: header for header in columns if _FIELD_NAME.match(header)}
    taken = set(names.values())
    for position, header in enumerate(columns, start=1):
        if header not in names:
            cleaned = _NOT_IN_FIELD_NAME.sub("_", without_accents(header)).strip("_.-")
            base = cleaned if _keeps_letters(header, cleaned) else f"column_{position}"
            names[header] = _make_unique(base[:MAX_FIELD_NAME_LENGTH], taken, MAX_FIELD_NAME_LENGTH)
            taken.add(names[header])
    return names


def _keeps_letters(before: str, after: str) -> bool:
    """Return whether at least half of the letters and digits are kept."""
    return 2 * sum(map(str.isalnum, after)) >= max(1, sum(map(str.isalnum, before)))


def _make_unique(name: str, taken: Iterable[str], max_length: int) -> str:
    number, unique = 1, name
    while unique in taken:
        number += 1
        suffix = f"_{number}"
        unique = name[: max_length - len(suffix)] + suffix
    return unique
