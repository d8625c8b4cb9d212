"""Mappings as JSON: what is suggested for a file, and what is saved by name."""

from __future__ import annotations

from typing import Any

from openprofiles.clock import to_epoch_seconds
from openprofiles.server.job_options_document import file_form_document
from openprofiles.server.json_bodies import members, read_json
from openprofiles.uploads.mappings.key_evidence import KeyEvidence
from openprofiles.uploads.mappings.saved_mappings import NewMapping, SavedMapping, SavedMappingName
from openprofiles.uploads.mappings.suggest import LeftOut, SuggestedField, Suggestion
from openprofiles.uploads.reading.file_choices import FileChoices
from openprofiles.uploads.reading.file_form import MAX_COLUMNS, FileForm
from openprofiles.wire import codec
from openprofiles.wire.check import describe_violations, violations
from openprofiles.wire.errors import bad_request
from openprofiles.wire.model import load_model

_MEMBERS = ("Fields", "UniqueKey", "Columns", "Reading")


def read_mapping_document(mapping_name: str, body: bytes, *, strict: bool) -> NewMapping:
    """The mapping that a request sends; its fields are held to the constraints of CreateUploadJob.

    Raises:
        WireError: it is no JSON object, or a member is missing, not known or of another form; the message names it.
        InvalidRequest: see ``NewMapping``.
    """
    create = load_model().operations["CreateUploadJob"]
    # It refuses what no store can keep as well: NUL, and half of a surrogate pair.
    values = codec.read(create, {"DomainName": b"any"}, b"", body)
    if broken := violations(create.input, values | {"DisplayName": mapping_name}):
        raise bad_request(describe_violations(broken))
    document = members("The body", read_json(body), _MEMBERS)
    return NewMapping(
        name=mapping_name,
        fields=values["Fields"],
        unique_key=values["UniqueKey"],
        columns=_read_columns(document.get("Columns")),
        reading=_read_choices(document.get("Reading", {})),
        strict=strict,
    )


def mapping_document(mapping: SavedMapping) -> dict[str, Any]:
    return _name_members(mapping) | {
        "Fields": mapping.fields,
        "UniqueKey": mapping.unique_key,
        "Columns": list(mapping.columns),
        **({"Reading": FileChoices.from_json(mapping.reading).to_document()} if mapping.reading else {}),
    }


def mapping_item(mapping: SavedMappingName) -> dict[str, Any]:
    return _name_members(mapping)


def suggestion_document(form: FileForm, headers: list[str], suggestion: Suggestion) -> dict[str, Any]:
    """What is suggested for a file; ``Fields`` and ``UniqueKey`` are as CreateUploadJob takes them."""
    left_out = {column.column_number: column for column in suggestion.left_out}
    fields = iter(suggestion.fields)
    columns = [
        _left_out_column(left_out[number]) if number in left_out else _mapped_column(next(fields))
        for number in range(1, len(headers) + 1)
    ]
    key = suggestion.unique_key
    document: dict[str, Any] = {"File": file_form_document(form), "Columns": columns, "Fields": suggestion.to_fields()}
    if key is not None:
        document |= {"UniqueKey": key.name, "UniqueKeyConfidence": suggestion.unique_key_confidence}
    document["UniqueKeys"] = [key_evidence_document(one) for one in suggestion.weigh_keys()]
    return document


def key_evidence_document(evidence: KeyEvidence) -> dict[str, Any]:
    """Return what the sample says about a column as the unique key."""
    return {
        "Header": evidence.header,
        "Confidence": evidence.confidence,
        "Rows": evidence.row_count,
        "Filled": evidence.filled_count,
        "Repeated": evidence.repeated_count,
        "Evidence": evidence.describe(),
        "Consequence": evidence.describe_consequence(),
        "Doubts": list(evidence.doubts),
    }


def _name_members(mapping: SavedMapping | SavedMappingName) -> dict[str, Any]:
    return {
        "MappingName": mapping.name,
        "CreatedAt": to_epoch_seconds(mapping.created_at),
        "UpdatedAt": to_epoch_seconds(mapping.updated_at),
    }


def _mapped_column(field: SuggestedField) -> dict[str, Any]:
    entry = field.to_entry()
    return {
        "Header": field.header,
        "Target": entry["Target"],
        "ContentType": entry["ContentType"],
        "FieldName": field.name,
        "Confidence": field.confidence,
        "Reason": field.reason,
    }


def _left_out_column(column: LeftOut) -> dict[str, Any]:
    return {"Header": column.header, "Reason": column.reason}


def _read_choices(document: Any) -> FileChoices:
    if not isinstance(document, dict):
        raise bad_request("Reading must be a JSON object.")
    return FileChoices.from_document(document)


def _read_columns(columns: Any) -> list[str]:
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise bad_request("Columns must be the header of the file: a list of the names of all its columns.")
    if len(columns) > MAX_COLUMNS:
        raise bad_request(f"Columns has {len(columns)} names; a file can have at most {MAX_COLUMNS} columns.")
    try:
        "".join(columns).encode()
    except UnicodeEncodeError:
        raise bad_request("A name in Columns contains an unpaired surrogate, which is not a valid character.") from None
    if any("\0" in name for name in columns):
        raise bad_request("Columns has a name with the character U+0000.")
    return columns
