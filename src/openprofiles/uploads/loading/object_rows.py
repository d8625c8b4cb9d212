"""Rows of a file as objects: a CSV row is an object of its headers, and a JSON line is an object as it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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
from openprofiles.uploads.mappings.upload_mapping import MappedField, UploadMapping
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


def object_mapping(headers: Sequence[str], object_type: UsedType) -> UploadMapping:
    """Map every column of a file that has a name, in the order of the file.

    Raises:
        InvalidRequest: no column has a name.
    """
    columns = [header for header in dict.fromkeys(headers) if header.strip() and header not in SPREADSHEET_COLUMNS]
    if not columns:
        raise InvalidRequest("The file has no column with a name, so its rows cannot be objects.")
    fields = tuple(_WholeColumn(header, header, f"Attributes.{header}") for header in columns)
    # The column that shows best whether a short row is a row of its own.
    sources = [object_type.members["Fields"][one.name]["Source"] for one in object_type.mapping.unique_key.fields]
    of_key = [field for field in fields if _SOURCE_PREFIX + field.header in sources]
    return _ObjectMapping(fields, (of_key or fields)[0])


def read_object_rows(
    table: pa.Table, mapping: UploadMapping, object_type: UsedType, *, salt: bytes, phone_region: str
) -> Iterator[ObjectRow]:
    """Read the objects of staged rows.

    Args:
        table: record, line, and the value of each field of the mapping, null where it is blank.
    """
    headers = [field.header for field in mapping.fields]
    columns = [table[f"v{index}"].to_pylist() for index in range(len(headers))]
    # Also of a file of failed rows of JSON objects.
    are_json = headers == [OBJECT_COLUMN]
    for record, line, *values in zip(table["record"].to_pylist(), table["line"].to_pylist(), *columns, strict=True):
        content = _json_text(values[0]) if are_json else _content(headers, values)
        yield ObjectRow(record, line, _read(content, object_type, salt, phone_region))


def rejected_row(code: DeadLetterCode) -> FaultyRow:
    """Describe an object that finds no profile."""
    return FaultyRow(_REJECTIONS[code])


def _json_text(cell: str | None) -> str:
    return (cell or "").removeprefix(_MARK)


def _content(headers: Sequence[str], values: Sequence[str | None]) -> str:
    return json.dumps(
        {header: value for header, value in zip(headers, values, strict=True) if value is not None},
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _read(content: str, object_type: UsedType, salt: bytes, phone_region: str) -> PreparedObject | FaultyRow:
    try:
        prepared = prepare_object(object_type, content, salt=salt, phone_region=phone_region)
    except FaultyObject as error:
        faulty = None
        if error.fault is Fault.NO_KEY:
            # A placeholder may be no key at all.
            source = parse_object(content)
            fields = object_type.mapping.fields
            faulty = _without_identity({name: field.read(source) for name, field in fields.items()}, object_type)
        return faulty or FaultyRow(_FAULTS[error.fault], error.name)
    return _without_identity(prepared.values, object_type) or prepared


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
                return FaultyRow(faults.PLACEHOLDER_KEY, field.name)
            if is_shortened_number(text):
                return FaultyRow(faults.SHORTENED_NUMBER, field.name)
    return None
