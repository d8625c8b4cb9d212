"""Choose the mapping for ``openprofiles import``: the suggested one, or one that was saved by name."""

from __future__ import annotations

import csv
import shlex
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openprofiles.cli.importer import ImportFault, KeptMapping
from openprofiles.cli.terminal_text import shown
from openprofiles.errors import InvalidRequest
from openprofiles.facts.standard_profile import ATTRIBUTES_PREFIX, FIELD_BY_PATH, TWINS, attribute_of_target
from openprofiles.uploads.mappings.header_drift import HeaderDrift, compare_headers
from openprofiles.uploads.mappings.key_evidence import KeySample
from openprofiles.uploads.mappings.likely_names import did_you_mean, fields_like, find_name, names_like
from openprofiles.uploads.mappings.suggest import (
    LeftOut,
    SuggestedField,
    Suggestion,
    describe_missing_column,
    suggest_mapping,
)
from openprofiles.uploads.mappings.upload_mapping import (
    MAX_FIELDS,
    TARGET_PREFIX,
    MappedField,
    UploadMapping,
    read_mapping,
)
from openprofiles.uploads.reading.file_header import describe_columns

if TYPE_CHECKING:
    from openprofiles.cli.source_file import SourceFile

_MOST_OTHER_KEYS = 5
# Of more columns that are left out for one reason, only the number is printed.
_MOST_LEFT_OUT = 50

_NO_DRIFT = HeaderDrift((), (), ())


@dataclass(frozen=True, slots=True)
class ImportMapping:
    """What a file is loaded with.

    Attributes:
        columns: where each column goes, for people.
        unique_key: one of the fields of ``columns``.
        fields: ``Fields`` of CreateUploadJob.
        drift: how the header of the file differs from that which a saved mapping was made for, as far as it matters.
    """

    columns: Suggestion
    unique_key: SuggestedField
    fields: Mapping[str, Mapping[str, str]]
    drift: HeaderDrift = _NO_DRIFT


def suggest_for(
    source: SourceFile,
    choices: Sequence[str],
    phone_region: str,
    unique_key: str | None = None,
    find_attributes: Callable[[], Iterable[str]] = tuple,
) -> Suggestion:
    """Suggest a mapping for a file, with what ``--map`` says.

    Args:
        phone_region: country (ISO 3166) of phone numbers without a country code.
        unique_key: what ``--unique-key`` says.
        find_attributes: as of ``suggest_mapping``.

    Raises:
        ImportFault, InvalidRequest: a choice cannot be kept, or it is not clear that the file has a header.
    """
    source.require_header()
    key_header = None if unique_key is None else find_name(unique_key, source.headers)
    chosen = read_choices(choices, source.headers)
    return suggest_mapping(source.headers, chosen, source.sample.rows, phone_region, key_header, find_attributes)


def choices_of_only(
    only: Sequence[str], choices: Sequence[str], unique_key: str | None, headers: Sequence[str]
) -> list[str]:
    """Turn ``--only`` into choices of ``--map`` that exclude the other columns.

    Args:
        only: each with one column or several, separated by commas; a name with a comma is in double quotes.
        choices: of ``--map``, whose columns are loaded too, as is that of the unique key.

    Raises:
        ImportFault: the file has no such column.
    """
    if not only:
        return []
    kept = set(read_choices(choices, headers))
    if unique_key is not None and (header := find_name(unique_key, headers)) is not None:
        kept.add(header)
    for given in only:
        # A name may have a comma itself.
        for name in [given] if given in headers else next(csv.reader([given], skipinitialspace=True), []):
            header = find_name(name, headers)
            if header is None:
                raise ImportFault(f"--only {given!r}: {describe_missing_column(name, headers)}")
            kept.add(header)
    return [f"{header}=" for header in dict.fromkeys(headers) if header not in kept]


def use_suggested(
    source: SourceFile,
    choices: Sequence[str],
    unique_key: str,
    phone_region: str,
    find_attributes: Callable[[], Iterable[str]],
) -> ImportMapping:
    """Make the mapping that is suggested, checked as the job will be.

    Raises:
        ImportFault, InvalidRequest: it cannot be used.
    """
    suggestion = suggest_for(source, choices, phone_region, unique_key, find_attributes)
    _require_loaded(unique_key, choices, source.headers)
    key = suggestion.find_unique_key(unique_key)
    if (too_many := describe_too_many_columns(suggestion)) is not None:
        raise ImportFault(f"{too_many} Nothing was loaded.")
    fields = suggestion.to_fields()
    read_mapping(fields, key.name, strict=False)
    return ImportMapping(suggestion, key, fields)


def describe_too_many_columns(suggestion: Suggestion) -> str | None:
    """Describe how to load a file with too many columns; None if it has not."""
    if (count := len(suggestion.fields)) <= MAX_FIELDS:
        return None
    return (
        f"The file has {count:,} columns to load, and at most {MAX_FIELDS} can be loaded. Name those that you need "
        "with --only COLUMN,COLUMN,..."
    )


def use_saved(
    source: SourceFile,
    name: str,
    saved: KeptMapping,
    choices: Sequence[str],
    unique_key: str | None,
    phone_region: str,
) -> ImportMapping:
    """Apply ``--map`` and ``--unique-key`` to a saved mapping, and check it as a job's.

    Args:
        name: that of the mapping, for messages.

    Raises:
        ImportFault, InvalidRequest: it cannot be used, perhaps because the file has not all of its columns.
    """
    mapping = read_mapping(saved.fields, saved.unique_key, strict=False)
    mapped = [field.header for field in mapping.fields]
    chosen = read_choices(choices, [*source.headers, *mapped])
    # A column that the file has no longer can be left out, or another one take its place.
    added = _suggest_chosen(source, {header: target for header, target in chosen.items() if target})
    taken = {field.target: field.header for field in added}
    replaced = {field.header: taken[field.path] for field in mapping.fields if field.path in taken}
    kept = [field for field in mapping.fields if field.header not in chosen and field.path not in taken]
    decided = {field.header for field in kept} | chosen.keys()
    all_drift = compare_headers(mapped, saved.columns, source.headers)
    drift = HeaderDrift(
        missing_mapped=tuple(header for header in all_drift.missing_mapped if header in {one.header for one in kept}),
        missing_other=all_drift.missing_other,
        new=tuple(header for header in all_drift.new if header not in chosen),
    )
    if drift.missing_mapped:
        raise ImportFault(_describe_missing(source, name, kept, drift))
    _require_once(source, kept)

    taken_names = {field.name for field in kept}
    added = [_renamed(field, taken_names) for field in added]
    fields = {field.name: saved.fields[field.name] for field in kept} | {
        field.name: field.to_entry() for field in added
    }
    suggested = (
        *(SuggestedField(one.name, one.header, one.path, reason=f"set by the mapping {name}") for one in kept),
        *added,
    )
    indexes = {field.header: source.headers.index(field.header) for field in suggested}
    cells = {
        header: [row[index] if index < len(row) else "" for row in source.sample.rows]
        for header, index in indexes.items()
    }
    columns = Suggestion(
        suggested,
        tuple(
            LeftOut(
                number,
                header,
                "it is excluded"
                if header in chosen
                else f"--map loads {replaced[header]!r} into its field"
                if header in replaced
                else f"the mapping {name} excludes it"
                if header in saved.columns
                else f"the mapping {name} does not have it",
            )
            for number, header in enumerate(source.headers, start=1)
            if header not in decided or chosen.get(header) == ""
        ),
        sample=KeySample(suggested, cells, phone_region),
    )
    if not fields:
        raise ImportFault(
            f"--map excludes all columns of the mapping {name}, so none is left to load. "
            f"{describe_columns(source.headers)}"
        )
    if unique_key is not None:
        _require_loaded(unique_key, choices, [*source.headers, *mapped])
    key = columns.find_unique_key(unique_key) if unique_key is not None else _find_kept_key(name, mapping, columns)
    read_mapping(fields, key.name, strict=False)
    return ImportMapping(columns, key, fields, drift)


def describe_drift(source: SourceFile, name: str, drift: HeaderDrift) -> str:
    """Describe the changes of a header whose file can still be loaded."""
    parts = [f"The header of {source.name} differs from the one saved with the mapping {name}."]
    if drift.new:
        parts.append(f"New columns, which are not loaded: {_quoted(drift.new)}.")
    if drift.missing_other:
        parts.append(f"Missing columns, which the mapping does not use: {_quoted(drift.missing_other)}.")
    parts.append(f"To save the new header with the mapping, add --save-mapping {name}.")
    return " ".join(parts)


def describe_mapping(
    suggestion: Suggestion, unique_key: SuggestedField | None, checked: Collection[str]
) -> Iterator[str]:
    """Yield a line for each column; with confidences as long as there is no unique key, and so nothing is loaded.

    Args:
        checked: the names of the fields whose values are checked.
    """
    width = max(len(field.header) for field in suggestion.fields)
    target_width = max(len(field.target) for field in suggestion.fields)
    for field in suggestion.fields:
        line = f"{shown(field.header):<{width}}  ->  {shown(field.target)}"
        if unique_key is None:
            line = f"{line:<{width + 6 + target_width}}  {field.confidence:4.0%}"
        if field is unique_key:
            line += "  (unique key)"
        if field.is_doubtful:
            consequence = ", so these rows fail" if field.name in checked else ""
            line += f"  (doubtful: {field.reason}{consequence})"
        if field.is_known_attribute:
            own = shlex.quote(f"{field.header}={ATTRIBUTES_PREFIX}{field.header}")
            line += shown(f"  (the domain has this attribute; for another one use --map {own})")
        yield line
    reasons = Counter(column.reason for column in suggestion.left_out)
    for column in suggestion.left_out:
        if reasons[column.reason] <= _MOST_LEFT_OUT:
            yield f"column {column.column_number} {shown(column.header)!r} is not loaded: {column.reason}"
    for reason, count in reasons.items():
        if count > _MOST_LEFT_OUT:
            yield f"{count:,} columns are not loaded, each because {reason}"


def describe_key(suggestion: Suggestion, key: SuggestedField) -> Iterator[str]:
    """Yield the evidence for a unique key, and what a load with it does."""
    evidence = suggestion.weigh_key(key)
    if evidence is None:
        return
    yield shown(f"{evidence.describe()} {evidence.describe_consequence()}")
    for doubt in evidence.doubts:
        yield shown(f"Doubtful: {doubt}.")


def describe_keys(suggestion: Suggestion, chosen: SuggestedField | None) -> Iterator[str]:
    """Yield lines about the chosen unique key, the suggested one and others that are possible."""
    key = suggestion.unique_key
    if chosen is not None:
        yield f"Unique key: {shown(chosen.header)}"
        yield from (f"  {line}" for line in describe_key(suggestion, chosen))
    elif key is None:
        yield "No column seems to identify customers. Name one with --unique-key."
    if key is not None and key is not chosen:
        yield f"Suggested unique key: {shown(key.header)}  {suggestion.unique_key_confidence:.0%}"
        yield from (f"  {line}" for line in describe_key(suggestion, key))
    others = suggestion.weigh_other_keys()[:_MOST_OTHER_KEYS] if chosen is None else []
    if others:
        yield "Other columns that may identify customers:"
    for evidence in others:
        doubts = "".join(f" Doubtful: {doubt}." for doubt in evidence.doubts)
        yield shown(f"  {evidence.header}: {evidence.describe()}{doubts}")


def describe_displaced(suggestion: Suggestion) -> Iterator[str]:
    """Yield a warning for each column that another one drove out of its field."""
    for field in suggestion.fields:
        if field.displaced_by is not None:
            chosen = next(one.target for one in suggestion.fields if one.header == field.displaced_by)
            yield shown(
                f"Warning: {field.header!r} is not loaded into {chosen}, because --map loads {field.displaced_by!r} "
                f"into it; {field.header!r} is kept as {field.target}."
            )


def next_command(
    arguments: Sequence[str],
    suggestion: Suggestion,
    *,
    unique_key: str | None = None,
    has_domain: bool = True,
    phone_region: str | None = None,
) -> str:
    """Write the command line that loads the file with what is suggested.

    Args:
        arguments: those that the command was called with.
        unique_key: the one among them, if any.
        has_domain: whether a domain was named.
        phone_region: the country that the phone numbers suggest.
    """
    key = suggestion.unique_key
    value = "COLUMN"
    if key is not None:
        value = key.header if key.header.isprintable() else key.name
    added = [] if has_domain else ["--domain", "NAME"]
    if unique_key is None:
        added += [f"--unique-key={value}"] if value.startswith("-") else ["--unique-key", value]
    added += [] if phone_region is None else ["--phone-region", phone_region]
    # After two dashes there are no options.
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return shlex.join(["openprofiles", "import", *arguments[:end], *added, *arguments[end:]])


def suggestion_json(source: SourceFile, suggestion: Suggestion, command: str) -> dict[str, Any]:
    """Write a suggestion as a document for programs."""
    key = suggestion.unique_key
    return {
        "status": "SUGGESTED",
        "file": source.form_json(),
        "columns": [
            {
                "header": field.header,
                "target": field.target,
                "content_type": field.content_type,
                "confidence": field.confidence,
                "reason": field.reason,
            }
            for field in suggestion.fields
        ],
        "left_out": [
            {"column_number": one.column_number, "header": one.header, "reason": one.reason}
            for one in suggestion.left_out
        ],
        "fields": suggestion.to_fields(),
        "unique_key": None if key is None else key.header,
        "unique_key_confidence": suggestion.unique_key_confidence,
        "unique_keys": [
            {
                "header": one.header,
                "confidence": one.confidence,
                "rows": one.row_count,
                "filled": one.filled_count,
                "repeated": one.repeated_count,
                "evidence": one.describe(),
                "consequence": one.describe_consequence(),
                "doubts": list(one.doubts),
            }
            for one in suggestion.weigh_keys()
        ],
        "command": command,
    }


def read_choices(choices: Sequence[str], headers: Sequence[str]) -> dict[str, str]:
    """Take ``COLUMN=TARGET`` apart.

    Raises:
        ImportFault: a choice is not of this form, or names no field of a profile.
    """
    read: dict[str, str] = {}
    known = set(headers)
    for choice in choices:
        if choice.endswith("=") and choice[:-1] in known and choice[:-1] not in read:
            # Of a wide file, --only excludes thousands of columns.
            read[choice[:-1]] = ""
            continue
        if "=" not in choice:
            raise ImportFault(f"--map {choice!r} is not of the form COLUMN=TARGET, such as 'Login=EmailAddress'.")
        given, target = split_at_header(choice, headers)
        header = find_name(given, headers) or given
        if header in read:
            raise ImportFault(f"--map is given twice for the column {header!r}.")
        read[header] = _read_target(header, target)
    return read


def split_at_header(text: str, headers: Sequence[str]) -> tuple[str, str]:
    """Split ``COLUMN=...`` at the equals sign after the longest known header; a header may hold one itself."""
    splits = [(text[:position], text[position + 1 :]) for position, sign in enumerate(text) if sign == "="]
    known = [one for one in splits if find_name(one[0], headers) is not None]
    return known[-1] if known else splits[0]


def _read_target(header: str, target: str) -> str:
    """Check that a target is a field of a profile; returns its name as the API spells it.

    Raises:
        ImportFault: it is not; the message names those that may be meant.
    """
    path = target.removeprefix(TARGET_PREFIX)
    if not path or attribute_of_target(path):
        return path
    found = find_name(path, (*FIELD_BY_PATH, *TWINS))
    if found is not None:
        return found
    first, dot, rest = path.partition(".")
    if dot and rest and names_like(first, [ATTRIBUTES_PREFIX.removesuffix(".")]):
        # "Atributes.tier" or "attributes.tier".
        name = rest
    else:
        name = "NAME" if f"{path}.".startswith(ATTRIBUTES_PREFIX) else path
    own = shlex.quote(f"{header}={ATTRIBUTES_PREFIX}{name}")
    raise ImportFault(
        f"--map {f'{header}={target}'!r}: {path!r} is not a field of a profile.{did_you_mean(fields_like(path))} To "
        f"keep the column as a custom attribute, use --map {own}. All fields: docs/csv-files.md#targets"
    )


def _require_loaded(unique_key: str, choices: Sequence[str], headers: Sequence[str]) -> None:
    header = find_name(unique_key, headers)
    if header is not None and read_choices(choices, headers).get(header) == "":
        raise ImportFault(
            f"The unique key {unique_key!r} cannot be used: it is excluded by --map {shlex.quote(f'{header}=')}."
        )


def _suggest_chosen(source: SourceFile, chosen: Mapping[str, str]) -> list[SuggestedField]:
    """Map the columns that are chosen, and no others."""
    if not chosen:
        return []
    others: dict[str, str] = dict.fromkeys(source.headers, "")
    return list(suggest_mapping(source.headers, others | dict(chosen)).fields)


def _renamed(field: SuggestedField, taken: set[str]) -> SuggestedField:
    """Give the field a name that no other one has."""
    name, number = field.name, 1
    while name in taken:
        number += 1
        name = f"{field.name[:56]}_{number}"
    taken.add(name)
    return SuggestedField(name, field.header, field.target, field.confidence, field.reason)


def _find_kept_key(name: str, mapping: UploadMapping, columns: Suggestion) -> SuggestedField:
    """Find the unique key of a saved mapping, even if its column has changed."""
    for field in columns.fields:
        if field.target == mapping.unique_key.path:
            return field
    raise ImportFault(
        f"The unique key of the mapping {name}, {mapping.unique_key.header!r}, is excluded or now goes to a "
        "different field. Name the unique key with --unique-key."
    )


def _require_once(source: SourceFile, kept: Sequence[MappedField]) -> None:
    for field in kept:
        if (count := source.headers.count(field.header)) > 1:
            raise ImportFault(
                f"The file's header has {count} columns named {field.header!r}, so it is unclear which one is "
                "meant. Rename all but one."
            )


def _describe_missing(source: SourceFile, name: str, kept: Sequence[MappedField], drift: HeaderDrift) -> str:
    by_target: dict[str, str] = {}
    if drift.new:
        others = {header: "" for header in source.headers if header not in drift.new}
        try:
            suggested = suggest_mapping(source.headers, others, source.sample.rows).fields
        except InvalidRequest:
            # Nothing but columns that share a name.
            suggested = ()
        by_target = {field.target: field.header for field in suggested}
    parts = []
    for field in kept:
        if field.header not in drift.missing_mapped:
            continue
        parts.append(f"The file has no column {field.header!r}, which the mapping {name} loads into {field.path}.")
        if field.path in by_target:
            new = by_target[field.path]
            parts.append(f"Its new column {new!r} may be the same: add --map {shlex.quote(f'{new}={field.path}')}.")
        else:
            parts.append(f"To load without it, add --map {shlex.quote(f'{field.header}=')}.")
    return " ".join([*parts, describe_columns(source.headers)])


def _quoted(headers: Sequence[str]) -> str:
    return ", ".join(repr(header) for header in headers)
