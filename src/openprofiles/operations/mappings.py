"""Mappings: what is suggested for a file, and what a domain keeps by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from openprofiles.errors import InvalidRequest
from openprofiles.member_names import members_of
from openprofiles.operations.call import Call
from openprofiles.operations.given_mapping import read_given_mapping
from openprofiles.operations.job_options import form_members, may_set_options
from openprofiles.operations.registry import OWN_PAGE_SIZE, own_operation, page_of
from openprofiles.uploads.mappings import saved_mappings
from openprofiles.uploads.mappings.header_drift import compare_headers
from openprofiles.uploads.mappings.header_evidence import describe_doubt, doubt_header
from openprofiles.uploads.mappings.key_evidence import KeyEvidence
from openprofiles.uploads.mappings.known_attributes import list_known_attributes
from openprofiles.uploads.mappings.suggest import Suggestion, suggest_mapping
from openprofiles.uploads.mappings.upload_mapping import read_mapping
from openprofiles.uploads.reading.file_choices import FileChoices
from openprofiles.uploads.reading.file_form import STRICT_OPTIONS

if TYPE_CHECKING:
    from openprofiles.uploads.reading.file_sample import FileSample
    from openprofiles.wire import own_types as own


@own_operation("SuggestMapping")
def suggest_mapping_of_file(call: Call, request: own.SuggestMappingRequest) -> own.MappingSuggestion:
    """Suggest where the columns of a file go, from its beginning."""
    # It uses numpy, which a server can start without.
    from openprofiles.uploads.reading.file_sample import sample_beginning

    with call.reading(request["DomainName"]) as session:
        region = session.domain.phone_region
    strict = call.strict
    given = STRICT_OPTIONS if strict else None
    form, sample = sample_beginning(request["Body"], given, region=region, strict=strict)
    if not strict and form.header_line is None and (doubt := doubt_header(sample.headers, sample.rows)) is not None:
        raise InvalidRequest(
            f"{describe_doubt(doubt)} Add a row with the column names. If this row is the header, map its "
            "columns yourself."
        )
    suggestion = suggest_for_sample(call, request["DomainName"], sample, region)
    return cast(
        "own.MappingSuggestion", {"File": form_members(form), **_suggestion_members(sample.headers, suggestion)}
    )


def suggest_for_sample(call: Call, domain_name: str, sample: FileSample, region: str) -> Suggestion:
    """Suggest a mapping of a file; a caller who may see other jobs gets their attributes, too.

    Args:
        region: the country of the domain's phone numbers.
    """
    may_know = not call.strict and call.principal.may_do("profile:GetUploadJob")
    find_attributes = partial(list_known_attributes, partial(call.reading, domain_name)) if may_know else tuple
    return suggest_mapping(sample.headers, None, sample.rows, region, find_attributes=find_attributes)


@own_operation("ListMappings")
def list_mappings(call: Call, request: own.ListMappingsRequest) -> own.SavedMappings:
    """List the saved mappings of a domain, by name."""
    with call.reading(request["DomainName"]) as session:
        page = saved_mappings.list_mappings(session, **page_of(request, OWN_PAGE_SIZE))
    items = [{"MappingName": one.name, **members_of(one, *_TIMES)} for one in page.definitions]
    return cast("own.SavedMappings", {"Items": items, "NextToken": page.next_token})


@own_operation("GetMapping")
def get_mapping(call: Call, request: own.GetMappingRequest) -> own.SavedMapping:
    """Return a saved mapping."""
    with call.reading(request["DomainName"]) as session:
        return _members(saved_mappings.get_mapping(session, request["MappingName"]))


@own_operation("PutMapping")
def put_mapping(call: Call, request: own.PutMappingRequest) -> own.SavedMapping:
    """Save a mapping under a name."""
    mapping = read_given_mapping(request)
    given = saved_mappings.NewMapping(
        name=request["MappingName"],
        fields=mapping.fields,
        unique_key=mapping.unique_key,
        columns=request["Columns"],
        reading=FileChoices.from_document(cast("Mapping[str, Any]", request.get("Reading", {}))),
        strict=call.strict,
    )
    with call.writing(request["DomainName"]) as session:
        return _members(saved_mappings.put_mapping(session, given))


@own_operation("DeleteMapping")
def delete_mapping(call: Call, request: own.DeleteMappingRequest) -> own.NoMembers:
    """Delete a saved mapping."""
    with call.writing(request["DomainName"]) as session:
        saved_mappings.delete_mapping(session, request["MappingName"])
    return {}


@own_operation("CompareMapping")
def compare_mapping(call: Call, request: own.CompareMappingRequest) -> own.MappingComparison:
    """Apply a saved mapping to the columns of another file."""
    with call.reading(request["DomainName"]) as session:
        mapping = saved_mappings.get_mapping(session, request["MappingName"])
    read = read_mapping(mapping.fields, mapping.unique_key, strict=False)
    targets: dict[str, str] = {}
    doubled = []
    for field in read.fields:
        if targets.setdefault(field.header, field.path) != field.path:
            doubled.append(field.header)
    # How a job reads its file is one of its options.
    reading = FileChoices.from_json(mapping.reading) if may_set_options(call) else FileChoices()
    members = {
        **members_of(
            compare_headers(targets, mapping.columns, request["Columns"]), "missing_mapped", "missing_other", "new"
        ),
        **members_of(reading, "sheet", "short_rows"),
        "Targets": targets,
        "UniqueKey": read.unique_key.header,
        "Doubled": doubled,
        # Then the file has to be sampled again with the mapping.
        "ReadsFile": reading.sheet is not None or bool(reading.file.given),
    }
    return cast("own.MappingComparison", members)


_TIMES = ("created_at", "updated_at")


def _members(mapping: saved_mappings.SavedMapping) -> own.SavedMapping:
    members = {
        "MappingName": mapping.name,
        **members_of(mapping, "fields", "unique_key", "columns", *_TIMES),
        "Reading": FileChoices.from_json(mapping.reading).to_document() if mapping.reading else None,
    }
    return cast("own.SavedMapping", members)


def _suggestion_members(headers: list[str], suggestion: Suggestion) -> dict[str, Any]:
    """Return the columns of a file in its order, and what CreateUploadJob takes."""
    columns: dict[int, dict[str, Any]] = {
        one.column_number: members_of(one, "header", "reason") for one in suggestion.left_out
    }
    fields = iter(suggestion.fields)
    for number in range(1, len(headers) + 1):
        if number not in columns:
            field = next(fields)
            entry = field.to_entry()
            columns[number] = {
                **members_of(field, "header", "confidence", "reason"),
                "Target": entry["Target"],
                "ContentType": entry["ContentType"],
                "FieldName": field.name,
            }
    key = suggestion.unique_key
    return {
        "Columns": [columns[number] for number in sorted(columns)],
        "Fields": suggestion.to_fields(),
        "UniqueKey": key and key.name,
        "UniqueKeyConfidence": None if key is None else suggestion.unique_key_confidence,
        "UniqueKeys": [key_evidence_members(one) for one in suggestion.weigh_keys()],
    }


def key_evidence_members(evidence: KeyEvidence) -> dict[str, Any]:
    """Return what the sample says about a column as the unique key."""
    return {
        **members_of(evidence, "header", "confidence"),
        "Rows": evidence.row_count,
        "Filled": evidence.filled_count,
        "Repeated": evidence.repeated_count,
        "Evidence": evidence.describe(),
        "Consequence": evidence.describe_consequence(),
        "Doubts": list(evidence.doubts),
    }
