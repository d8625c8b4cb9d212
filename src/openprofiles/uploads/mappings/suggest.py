"""Suggest where each column of a file goes, from the names in its header and from some of its rows.

A column whose name says what it is goes to that field of the standard profile. One whose name says nothing, but whose
values are clearly email addresses or phone numbers, goes to the field for these if no other column does. Any other
becomes a custom attribute under its own name. No two columns get one target: the better match keeps it, of equal ones
the first in the file.

Each suggestion has a confidence from 0 to 1. It orders suggestions and marks those that a person should look at; it is
not a measured probability.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from openprofiles.errors import InvalidRequest
from openprofiles.profiles.normal_forms import is_blank, normal_text
from openprofiles.profiles.standard_profile import (
    ATTRIBUTES_PREFIX,
    EMAIL_KEY,
    FULL_NAME_PATHS,
    MAX_ATTRIBUTE_NAME_LENGTH,
    PHONE_KEY,
    field_of_target,
)
from openprofiles.uploads.failures.failed_rows_csv import OWN_COLUMNS
from openprofiles.uploads.mappings.header_names import match_header, without_accents, words_of
from openprofiles.uploads.mappings.likely_names import did_you_mean, find_name, names_like
from openprofiles.uploads.mappings.upload_mapping import SOURCE_PREFIX, TARGET_PREFIX
from openprofiles.uploads.mappings.value_kinds import ColumnKind, ValueKind, find_column_kind, share_that_may_be

MAX_FIELD_NAME_LENGTH = 64
# Source and Target of a field have at most 1000 characters (service model, shape text).
_MAX_HEADER_LENGTH = 1000 - len(SOURCE_PREFIX)

_FIELD_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}\Z")
_NOT_IN_FIELD_NAME = re.compile(r"[^a-zA-Z0-9_.-]+")
# The rule of the website for names of custom attributes (reference, section 2.3).
_ATTRIBUTE_NAME = re.compile(r"[a-zA-Z0-9]+(?:[ _\-]+[a-zA-Z0-9]+)*\Z")
_NOT_IN_ATTRIBUTE_NAME = re.compile(r"[^a-zA-Z0-9 _-]+")

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

# So many of the values must be of a kind before it is said that the column holds it; and so few, that it does not.
_CLEAR_SHARE = 0.8
_CONTRADICTING_SHARE = 0.5

_KIND_OF_KEY = {EMAIL_KEY: ValueKind.EMAIL_ADDRESS, PHONE_KEY: ValueKind.PHONE_NUMBER}
_TARGET_OF_KIND = {ValueKind.EMAIL_ADDRESS: "EmailAddress", ValueKind.PHONE_NUMBER: "PhoneNumber"}
# What nobody is called, and no place either.
_NO_NAMES = frozenset(ValueKind)
_NO_TEXT = frozenset((ValueKind.EMAIL_ADDRESS, ValueKind.PHONE_NUMBER, ValueKind.DATE))
_NAMES = (*FULL_NAME_PATHS, "BusinessName", "City", "County", "State", "Province", "Country")
_ANYTHING = ("AccountNumber", "AdditionalInformation")

# The fields that are good unique keys, the best first.
_KEY_CONFIDENCES = {"AccountNumber": 0.95, "EmailAddress": 0.9, "PhoneNumber": 0.7}
_ATTRIBUTE_KEY_CONFIDENCE = 0.6
_ID_WORD = re.compile(
    "id|ids|uid|uuid|guid|key|identifier|no|nr|num|number|nummer|numero|ref|reference|login|username", re.ASCII
)
# Most rows of the sample must have a value, and hardly any two the same: a file may well repeat some customers.
_FEWEST_FILLED = 0.9
_FEWEST_DISTINCT = 0.9


@dataclass(frozen=True, slots=True)
class SuggestedField:
    """One column and where it goes.

    Attributes:
        name: its key in ``Fields``.
        header: the column's header, exactly as in the file.
        target: the field of the profile, such as ``EmailAddress`` or ``Attributes.tier``.
        confidence: that the target is right, 0 to 1; 1: it was chosen.
        reason: for the target, for people; never a value of the file.
    """

    name: str
    header: str
    target: str
    confidence: float = _CHOSEN_CONFIDENCE
    reason: str = "it was chosen"

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
        # If few values are of this kind, the column goes to the wrong field, and is marked as doubtful.
        is_checked = self.content_type in ("EMAIL_ADDRESS", "PHONE_NUMBER") and not self.is_doubtful
        return self.content_type if is_checked else None

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
    """

    fields: tuple[SuggestedField, ...]
    left_out: tuple[LeftOut, ...]
    unique_key: SuggestedField | None = None
    unique_key_confidence: float = 0.0

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
            f"{did_you_mean(names_like(unique_key, known))} Its columns are: {', '.join(map(repr, known))}."
        )


def suggest_mapping(
    headers: Sequence[str], chosen: Mapping[str, str] | None = None, sample: Sequence[Sequence[str]] = ()
) -> Suggestion:
    """Suggest a target for each column, and a unique key.

    Args:
        headers: the names of all columns, in the order of the file.
        chosen: targets that were decided already, by header, with or without ``_profile.``; an empty one leaves the
            column out. No suggestion takes a target that is chosen for another column.
        sample: some rows of the file, each with its cells in the order of the headers; one may have fewer or more.

    Raises:
        InvalidRequest: a chosen header is not a column, or names several; or no column is left to load.
    """
    chosen = chosen or {}
    counts = Counter(headers)
    for header in chosen:
        if header not in counts:
            raise InvalidRequest(describe_missing_column(header, headers))
        if counts[header] > 1 and chosen[header]:
            raise InvalidRequest(
                f"The header of the file has {counts[header]} columns {header!r}, so it is unclear which one is "
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
        raise InvalidRequest("No column of the file is left to load.")
    targets = _assign_targets(columns, chosen)
    names = _name_fields([column.header for column in columns])
    fields = tuple(
        SuggestedField(names[column.header], column.header, target.path, target.confidence, target.reason)
        for column, target in zip(columns, targets, strict=True)
    )
    unique_key, confidence = _suggest_unique_key(fields, columns)
    return Suggestion(fields, tuple(left_out), unique_key, confidence)


def describe_missing_column(header: str, headers: Iterable[str]) -> str:
    """Report that a file has no such column, and name similar ones."""
    known = list(dict.fromkeys(headers))
    return (
        f"The file has no column {header!r}.{did_you_mean(names_like(header, known))} "
        f"Its columns are: {', '.join(map(repr, known))}."
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

    def is_clearly(self, kinds: Collection[ValueKind]) -> bool:
        return self.kind.kind is not None and self.kind.kind in kinds and self.kind.share >= _CLEAR_SHARE


@dataclass(frozen=True, slots=True)
class _Target:
    path: str
    confidence: float
    reason: str


def _reason_to_leave_out(header: str, counts: Mapping[str, int], chosen: Mapping[str, str]) -> str | None:
    if chosen.get(header) == "":
        return "it is excluded"
    if is_blank(header):
        return "it has no name in the header"
    if header in OWN_COLUMNS and header not in chosen:
        return "openprofiles added it to the file of failed rows"
    if counts[header] > 1:
        return f"{counts[header]} columns have this name; rename all but one"
    if len(header) > _MAX_HEADER_LENGTH:
        return f"its name has more than {_MAX_HEADER_LENGTH} characters"
    return None


def _assign_targets(columns: Sequence[_Column], chosen: Mapping[str, str]) -> list[_Target]:
    targets = {
        position: _Target(_full_path(chosen[column.header]), _CHOSEN_CONFIDENCE, "it was chosen")
        for position, column in enumerate(columns)
        if column.header in chosen
    }
    taken = {target.path for target in targets.values()}
    matches = [(*match, position) for position, column in enumerate(columns) if (match := match_header(column.header))]
    for rank, path, position in sorted(matches, key=lambda match: (match[0], match[2])):
        if position not in targets and path not in taken:
            targets[position] = _weigh(columns[position], path, rank)
            taken.add(path)
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
    for position, column in enumerate(columns):
        if position not in targets:
            name = _make_unique(_attribute_name(column.header, position + 1), names, MAX_ATTRIBUTE_NAME_LENGTH)
            names.add(name)
            reason = "kept as a custom attribute"
            if match := match_header(column.header):
                reason = f"kept as a custom attribute, because another column goes to {match[1]}"
            targets[position] = _Target(ATTRIBUTES_PREFIX + name, _ATTRIBUTE_CONFIDENCE, reason)
    return [targets[position] for position in range(len(columns))]


def _weigh(column: _Column, path: str, rank: int) -> _Target:
    """Weigh the target of a column's name against its values."""
    confidence = _NAME_CONFIDENCES[min(rank, len(_NAME_CONFIDENCES) - 1)]
    if column.kind.filled_count == 0:
        return _Target(path, round(confidence - _WITHOUT_VALUES, 2), "name matches")
    standard = field_of_target(path)
    expected = ValueKind.DATE if path == "BirthDate" else _KIND_OF_KEY.get((standard and standard.key_name) or "")
    if expected is not None:
        share = share_that_may_be(expected, column.values) or 0.0
        if share < _CONTRADICTING_SHARE:
            return _Target(path, _CONTRADICTED_CONFIDENCE, f"name matches, but the values are not {expected.value}")
        return _Target(path, round(confidence * (0.5 + share / 2), 2), "name and values match")
    wrong = _NO_NAMES if path.rpartition(".")[2] in _NAMES else _NO_TEXT
    if path not in _ANYTHING and column.is_clearly(wrong):
        assert column.kind.kind is not None
        return _Target(path, _CONTRADICTED_CONFIDENCE, f"name matches, but the values are {column.kind.kind.value}")
    return _Target(path, confidence, "name matches; values fit")


def _suggest_unique_key(
    fields: Sequence[SuggestedField], columns: Sequence[_Column]
) -> tuple[SuggestedField | None, float]:
    best: tuple[float, float, SuggestedField] | None = None
    for field, column in zip(fields, columns, strict=True):
        worth = _KEY_CONFIDENCES.get(field.target)
        if worth is None and field.target.startswith(ATTRIBUTES_PREFIX) and _is_id(field.header):
            worth = _ATTRIBUTE_KEY_CONFIDENCE
        if worth is None or field.is_doubtful:
            continue
        evidence = _weigh_key(column)
        # Of equally worthy ones the first in the file.
        if evidence > 0 and (best is None or worth > best[0]):
            best = worth, evidence, field
    return (None, 0.0) if best is None else (best[2], round(best[0] * best[1], 2))


def _is_id(header: str) -> bool:
    return any(map(_ID_WORD.fullmatch, words_of(header)))


def _weigh_key(column: _Column) -> float:
    """Weigh the values as a unique key, from 0 (not one) to 1; without values the name decides."""
    row_count, filled_count = len(column.values), column.kind.filled_count
    if row_count == 0:
        return 0.5
    distinct_count = len({normal_text(value) for value in column.values if not is_blank(value)})
    if filled_count < _FEWEST_FILLED * row_count or distinct_count < _FEWEST_DISTINCT * filled_count:
        return 0.0
    # A row or two are always distinct.
    certainty = row_count / (row_count + 2)
    return certainty * (filled_count / row_count) * (distinct_count / filled_count)


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
