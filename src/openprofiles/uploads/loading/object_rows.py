"""Rows of a file as objects: a CSV row is an object of its headers, and a JSON line is an object as it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from openprofiles.errors import InvalidRequest
from openprofiles.facts.placeholders import is_leftover, is_placeholder, is_shortened_number
from openprofiles.objects.field_sources import FieldValue
from openprofiles.objects.object_text import parse_object
from openprofiles.objects.placement import DeadLetterCode
from openprofiles.objects.prepared_objects import Fault, FaultyObject, PreparedObject, UsedType, prepare_object
from openprofiles.uploads.failures import faults
from openprofiles.uploads.failures.own_columns import SPREADSHEET_COLUMNS
from openprofiles.uploads.mappings.upload_mapping import MAX_FIELDS, MappedField, UploadMapping
from openprofiles.uploads.reading.file_form import OBJECT_COLUMN

# Of a row of a file: see ``reading.records``.
_MAX_ROW_BYTES = 1 << 20
_MARK = "\ufeff"
_SOURCE_PREFIX = "_source."
_FAULTS = {
    Fault.NOT_AN_OBJECT: faults.NOT_AN_OBJECT,
    Fault.NO_VALUE: faults.NOT_COMPUTABLE,
    Fault.NO_KEY: faults.MISSING_KEY,
    Fault.KEY_TOO_LONG: faults.KEY_TOO_LONG,
    Fault.VALUE_TOO_LONG: faults.FIELD_TOO_LONG,
    Fault.NOT_TEXT: faults.NOT_TEXT,
}
_REJECTIONS = {
    DeadLetterCode.AMBIGUOUS_KEYS: faults.AMBIGUOUS_KEYS,
    DeadLetterCode.NO_PROFILE: faults.NO_PROFILE_FOUND,
    DeadLetterCode.AMBIGUOUS_STANDARD_OBJECT: faults.AMBIGUOUS_STANDARD_OBJECT,
}


class _WholeColumn(MappedField):
    """A column that is a member of an object; how long its values may be is found out when the object is read."""

    __slots__ = ()

    @property
    def max_length(self) -> int:
        return _MAX_ROW_BYTES


class _ObjectMapping(UploadMapping):
    """The columns of a file of objects. Which objects lack a key is found out when they are read."""

    __slots__ = ()

    @property
    def needs_key(self) -> bool:
        return False

    def sql_identity(self, value: str, phone_region: str) -> str:  # noqa: ARG002
        return "''"


class _JsonLinesMapping(_ObjectMapping):
    """The only column of a file of JSON lines, which may be long and are read from the file when they are needed."""

    __slots__ = ()

    @property
    def keeps_texts(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class FaultyRow:
    """A row that is not ingested: why, and the field, key or column that is concerned."""

    code: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """A row of the file: its number, its line, and its object, or what is wrong with it."""

    record: int
    line: int
    read: PreparedObject | FaultyRow


def object_mapping(headers: Sequence[str], object_type: UsedType, *, is_json_lines: bool) -> UploadMapping:
    """Map every column of a file that has a name, in the order of the file.

    Raises:
        InvalidRequest: no column has a name, or there are too many.
    """
    columns = [header for header in dict.fromkeys(headers) if header.strip() and header not in SPREADSHEET_COLUMNS]
    if len(columns) > MAX_FIELDS:
        raise InvalidRequest(
            f"The file has {len(columns)} columns; a file of objects can have at most {MAX_FIELDS}. Leave out those "
            "not needed, or write the rows as JSON objects, one on each line."
        )
    if not columns:
        raise InvalidRequest("The file has no column with a name, so its rows cannot be objects.")
    fields = tuple(_WholeColumn(header, header, f"Attributes.{header}") for header in columns)
    # The column that shows best whether a short row is a row of its own.
    sources = _unique_key_sources(object_type)
    of_key = [field for field in fields if field.header in sources]
    return (_JsonLinesMapping if is_json_lines else _ObjectMapping)(fields, (of_key or fields)[0])


def require_unique_key(mapping: UploadMapping, object_type: UsedType) -> None:
    """Check that a CSV file has the columns of the unique key.

    Raises:
        InvalidRequest: it lacks one.
    """
    columns = [field.header for field in mapping.fields]
    if columns == [OBJECT_COLUMN]:
        return
    for source in _unique_key_sources(object_type):
        if source is not None and source not in columns:
            raise InvalidRequest(
                f"The file has no column {source!r}, which the unique key of the object type {object_type.name} needs. "
                "Rename the column, or add it."
            )


def unused_columns(mapping: UploadMapping, object_type: UsedType) -> list[str]:
    """Return the columns of a CSV file that no field of the type reads, in the order of the file."""
    sources = [member.get("Source", "") for member in object_type.members["Fields"].values()]
    named = set(map(_source_name, sources))
    # A source in Handlebars names, somewhere in it, what it reads.
    expressions = [source for source in sources if _source_name(source) is None]
    headers = [field.header for field in mapping.fields]
    if headers == [OBJECT_COLUMN]:
        return []
    return [one for one in headers if one not in named and not any(one in text for text in expressions)]


def contents_of_table(table: pa.Table, mapping: UploadMapping) -> list[str]:
    """Return the JSON text of an object of each staged CSV row.

    Args:
        table: the value of each field of the mapping, null where it is blank.
    """
    headers = [field.header for field in mapping.fields]
    columns = [table[f"v{index}"].to_pylist() for index in range(len(headers))]
    if headers == [OBJECT_COLUMN]:
        # A file of failed rows of JSON objects.
        return [json_text(value or "") for value in columns[0]]
    return [_content(headers, values) for values in zip(*columns, strict=True)]


def json_text(cell: str) -> str:
    """Return the JSON text of an object, as it stands in the file."""
    return cell.removeprefix(_MARK)


def read_object(content: str, object_type: UsedType, *, salt: bytes, phone_region: str) -> PreparedObject | FaultyRow:
    """Read an object by its type."""
    try:
        prepared = prepare_object(object_type, content, salt=salt, phone_region=phone_region)
    except FaultyObject as error:
        faulty = None
        if error.fault is Fault.NO_KEY:
            # A placeholder may be no key at all.
            source = parse_object(content)
            fields = object_type.mapping.fields
            faulty = _without_identity({name: field.read(source) for name, field in fields.items()}, object_type)
        return faulty or FaultyRow(_FAULTS[error.fault], _source_names(object_type, error.name))
    return _without_identity(prepared.values, object_type) or prepared


def _unique_key_sources(object_type: UsedType) -> list[str | None]:
    """Return the column of each field of the unique key; None for one in Handlebars."""
    fields = object_type.members["Fields"]
    return [_source_name(fields[one.name]["Source"]) for one in object_type.mapping.unique_key.fields]


def _source_name(source: str) -> str | None:
    return source.removeprefix(_SOURCE_PREFIX) if source.startswith(_SOURCE_PREFIX) else None


def rejected_row(code: DeadLetterCode) -> FaultyRow:
    """Describe an object that finds no profile."""
    return FaultyRow(_REJECTIONS[code])


def _content(headers: Sequence[str], values: Sequence[str | None]) -> str:
    return json.dumps(
        {header: value for header, value in zip(headers, values, strict=True) if value is not None},
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _source_names(object_type: UsedType, names: str | None) -> str | None:
    """Return what fields are read from, as far as that has a name in the file; other names stay."""
    if names is None:
        return None
    fields = object_type.members["Fields"]
    return ", ".join(_source_name(fields.get(name, {}).get("Source", "")) or name for name in names.split(", "))


def _without_identity(values: Mapping[str, FieldValue], object_type: UsedType) -> FaultyRow | None:
    """Find a key whose value identifies nothing, such as ``n/a``, which would join objects of many customers."""
    mapping = object_type.mapping
    for key in mapping.keys:
        if key is not mapping.unique_key and not key.is_for_profiles:
            continue
        for field in key.fields:
            text = values.get(field.name)
            if not isinstance(text, str):
                continue
            if is_placeholder(text) or is_leftover(text):
                return FaultyRow(faults.PLACEHOLDER_IN_KEY, _source_names(object_type, field.name))
            if is_shortened_number(text):
                return FaultyRow(faults.SHORTENED_IN_KEY, _source_names(object_type, field.name))
    return None
