"""The JSON documents that the script of the upload page sends and receives.

The script names columns by their headers; this module turns them into what an upload job needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from openprofiles.job_kinds import PHASE_WORDS
from openprofiles.server.console.job_words import notice_sentences
from openprofiles.server.job_options_document import file_form_document
from openprofiles.server.json_bodies import members, read_json, text
from openprofiles.server.mapping_documents import key_evidence_document, read_mapping_document
from openprofiles.server.upload_job_documents import read_create_document
from openprofiles.uploads.failures.failure_groups import FailureGroup
from openprofiles.uploads.job_options import LOAD, REFUSE
from openprofiles.uploads.job_report import JobReport
from openprofiles.uploads.jobs import JobRequest
from openprofiles.uploads.mappings.header_drift import compare_headers
from openprofiles.uploads.mappings.phone_country import weigh_phone_country
from openprofiles.uploads.mappings.saved_mappings import NewMapping, SavedMapping
from openprofiles.uploads.mappings.suggest import SuggestedField, Suggestion, suggest_mapping
from openprofiles.uploads.mappings.upload_mapping import read_mapping
from openprofiles.uploads.reading.file_choices import FileChoices
from openprofiles.uploads.reading.file_form import FileForm
from openprofiles.wire.check import Violation, describe_violations, violations
from openprofiles.wire.errors import bad_request
from openprofiles.wire.model import load_model

if TYPE_CHECKING:
    from openprofiles.uploads.reading.detect_encoding import Candidate, EncodingGuess
    from openprofiles.uploads.reading.file_sample import FileSample

_ROWS_SHOWN = 8
_LINES_ABOVE_SHOWN = 20
_EXAMPLES_PER_COLUMN = 3
# A cell may have a megabyte, too much for a table.
_LENGTH_SHOWN = 200

_MAPPING_MEMBERS = ("Columns", "Targets", "UniqueKey")
_NAME_MEMBER = "DisplayName"
_DOUBTFUL_ROWS_MEMBER = "DoubtfulRows"
_JOB_MEMBERS = (
    *_MAPPING_MEMBERS,
    _NAME_MEMBER,
    "DataExpiry",
    "Options",
    _DOUBTFUL_ROWS_MEMBER,
    "IdempotencyToken",
    "Replaces",
)


@dataclass(frozen=True, slots=True)
class JobGiven:
    """The job that the page describes.

    Attributes:
        doubtful_rows: whether it may import doubtful rows. This is a question of the page, not an option that needs a
            permission.
        replaces: the id of the job that the page created earlier for the same file.
    """

    job: JobRequest
    doubtful_rows: str
    replaces: str | None


def read_job(domain_name: str, body: bytes) -> JobGiven:
    """Read the job to create. Checks in its options are named by header.

    Raises:
        WireError: the document is not valid, or a value cannot be used; the message names it.
        InvalidRequest: the mapping or an option cannot be used.
    """
    sent = members("The body", read_json(body), _JOB_MEMBERS)
    suggestion, unique_key = _read_choice(sent)
    document: dict[str, Any] = {
        name: sent[name] for name in (_NAME_MEMBER, "DataExpiry", "IdempotencyToken") if name in sent
    }
    document |= {"Fields": suggestion.to_fields(), "UniqueKey": unique_key.name}
    if "Options" in sent:
        options = dict(members("Options", sent["Options"], sent["Options"]))
        checks = members("Checks", options.get("Checks", {}), options.get("Checks", {}))
        options["Checks"] = {suggestion.find_unique_key(header).name: check for header, check in checks.items()}
        document["Options"] = options
    given = read_create_document(domain_name, json.dumps(document).encode())
    replaces = text("Replaces", sent["Replaces"]) if sent.get("Replaces") is not None else None
    return JobGiven(given, _read_doubtful_rows(sent), replaces)


def read_start(body: bytes) -> bool:
    """Return whether the job is to import doubtful rows, whatever it was created with.

    Raises:
        WireError: the document is not valid.
    """
    sent = members("The body", read_json(body), (_DOUBTFUL_ROWS_MEMBER,)) if body else {}
    return _read_doubtful_rows(sent) == LOAD


def read_name(body: bytes) -> str:
    """Read the new name of a job.

    Raises:
        WireError: a job cannot have this name.
    """
    sent = members("The body", read_json(body), (_NAME_MEMBER,))
    name = text(_NAME_MEMBER, sent.get(_NAME_MEMBER))
    shape = load_model().operations["CreateUploadJob"].input.members[_NAME_MEMBER].shape
    if broken := violations(shape, name):
        raise bad_request(describe_violations([Violation(_NAME_MEMBER, one.message) for one in broken]))
    return name


def read_mapping_to_save(name: str, body: bytes, *, strict: bool) -> NewMapping:
    """Read the mapping of the page, in the form that is saved.

    Raises:
        WireError, InvalidRequest: as ``read_job``.
    """
    sent = members("The body", read_json(body), (*_MAPPING_MEMBERS, "Reading"))
    suggestion, unique_key = _read_choice(sent)
    document = {"Fields": suggestion.to_fields(), "UniqueKey": unique_key.name, "Columns": sent["Columns"]}
    if "Reading" in sent:
        document["Reading"] = sent["Reading"]
    return read_mapping_document(name, json.dumps(document).encode(), strict=strict)


def read_columns(body: bytes) -> list[str]:
    """Read the header of the file that a saved mapping is requested for.

    Raises:
        WireError: the document is not a header.
    """
    return _columns(members("The body", read_json(body), ("Columns",)))


def question_about_encoding(reason: str, candidates: Iterable[Candidate]) -> dict[str, Any]:
    """Return why the encoding of a file has to be chosen, with the likely ones."""
    return {
        "message": f"{reason} Choose the encoding it was saved in, or save it as UTF-8.",
        "Asks": "encoding",
        "Candidates": _candidate_documents(candidates),
    }


def question_about_header(doubt: str) -> dict[str, Any]:
    """Return why the user has to say which line of a file is the header."""
    return {"message": doubt, "Asks": "header"}


def sample_document(
    form: FileForm, sample: FileSample, suggestion: Suggestion, region: str, doubt: EncodingGuess | None = None
) -> dict[str, Any]:
    """Return a sample of a file and the suggestion for each of its columns.

    Args:
        region: the country of the domain's phone numbers.
        doubt: what the encoding was detected from, if that is little.
    """
    left_out = {column.column_number: column.reason for column in suggestion.left_out}
    fields = iter(suggestion.fields)
    columns = []
    for number, header in enumerate(sample.headers, start=1):
        column: dict[str, Any] = {"Header": header, "Examples": _examples(sample, number - 1)}
        if number in left_out:
            column["Reason"] = left_out[number]
        else:
            field = next(fields)
            column |= {
                "Target": field.target,
                "Confidence": field.confidence,
                "IsDoubtful": field.is_doubtful,
                "Reason": field.reason,
            }
        columns.append(column)
    key = suggestion.unique_key
    country = weigh_phone_country(suggestion.fields, sample.headers, sample.rows, region)
    return {
        "File": file_form_document(form),
        "Columns": columns,
        "LinesAbove": [
            {"Line": line, "Text": _cut(above)}
            for line, above in islice(sample.lines_above.items(), _LINES_ABOVE_SHOWN)
        ],
        "Rows": [[_cut(cell) for cell in row] for row in sample.rows[:_ROWS_SHOWN]],
        "UniqueKey": None if key is None else key.header,
        "Keys": {
            field.header: key_evidence_document(evidence)
            for field in suggestion.fields
            if (evidence := suggestion.weigh_key(field))
        },
        "PhoneCountry": None if country is None else {"Text": country.describe(), "Doubt": country.describe_doubt()},
        "Candidates": [] if doubt is None else _candidate_documents(doubt.candidates),
    }


def saved_mapping_document(mapping: SavedMapping, reading: FileChoices, columns: Sequence[str]) -> dict[str, Any]:
    """Return a saved mapping for a file, and how its header has changed.

    Args:
        reading: what the mapping keeps about reading the file.
    """
    read = read_mapping(mapping.fields, mapping.unique_key, strict=False)
    targets: dict[str, str] = {}
    doubled = []
    for field in read.fields:
        if targets.setdefault(field.header, field.path) != field.path:
            doubled.append(field.header)
    drift = compare_headers(targets, mapping.columns, columns)
    return {
        "Targets": targets,
        "UniqueKey": read.unique_key.header,
        "MissingMapped": drift.missing_mapped,
        "MissingOther": drift.missing_other,
        "New": drift.new,
        "Doubled": doubled,
        "Sheet": reading.sheet,
        "ShortRows": reading.short_rows,
        # Then the file has to be read again with the mapping.
        "ReadsFile": reading.sheet is not None or bool(reading.file.given),
    }


def preview_counts(report: JobReport) -> dict[str, Any]:
    """Return the progress of a preview and its counts."""
    job = report.job
    return {
        "Status": job.status.value,
        "Message": job.failure_message,
        "Phase": job.phase,
        "Doing": PHASE_WORDS.get(job.phase or "", "Queued"),
        "Position": job.position,
        "Records": job.record_count,
        "Created": job.created_count,
        "Updated": job.updated_count - job.unchanged_count,
        "Unchanged": job.unchanged_count,
        "Failed": job.failed_count,
        "Repeated": report.repeated_count,
        "Notices": [
            {"Text": sentence, "IsDoubtful": notice.is_doubtful}
            for notice, sentence in zip(report.notices, notice_sentences(report), strict=True)
        ],
        "HasEnded": job.completed_at is not None,
    }


def fault_members(groups: Sequence[FailureGroup], *, more_reasons: int) -> dict[str, Any]:
    """Return why rows would fail, the most frequent reason first, each with its first examples.

    Args:
        more_reasons: how many are not among the groups.
    """
    faults = [
        {
            "Count": group.count,
            "Sentence": group.sentence,
            "Examples": [{"Line": example.line, "Text": example.text} for example in group.examples],
        }
        for group in groups
    ]
    return {"Faults": faults, "MoreReasons": more_reasons}


def _read_choice(sent: Mapping[str, Any]) -> tuple[Suggestion, SuggestedField]:
    columns, targets = _columns(sent), sent.get("Targets")
    if not isinstance(targets, dict):
        raise bad_request("Targets must be a JSON object: a field of the profile for each column.")
    chosen = {text("A column", header): text("A target", target) for header, target in targets.items()}
    # Columns without a choice are skipped.
    suggestion = suggest_mapping(columns, dict.fromkeys(columns, "") | chosen)
    return suggestion, suggestion.find_unique_key(text("UniqueKey", sent.get("UniqueKey")))


def _candidate_documents(candidates: Iterable[Candidate]) -> list[dict[str, Any]]:
    # The page shows the words to the sender of the file; they are never stored.
    return [{"Encoding": one.encoding, "Words": list(one.examples)} for one in candidates]


def _read_doubtful_rows(sent: Mapping[str, Any]) -> str:
    return text(_DOUBTFUL_ROWS_MEMBER, sent.get(_DOUBTFUL_ROWS_MEMBER, REFUSE))


def _columns(sent: Mapping[str, Any]) -> list[str]:
    columns = sent.get("Columns")
    if not isinstance(columns, list):
        raise bad_request("Columns must be the header of the file: a list of the names of all its columns.")
    return [text("The name of a column", name) for name in columns]


def _examples(sample: FileSample, index: int) -> list[str]:
    values = (row[index] for row in sample.rows if index < len(row) and row[index].strip())
    return [_cut(value) for value in list(dict.fromkeys(values))[:_EXAMPLES_PER_COLUMN]]


def _cut(value: str) -> str:
    return value if len(value) <= _LENGTH_SHOWN else value[:_LENGTH_SHOWN] + "…"
