"""The first rows of a file that is to be loaded, with a suggestion for each column."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from openprofiles.errors import InvalidRequest
from openprofiles.member_names import members_of
from openprofiles.operations.call import Call
from openprofiles.operations.job_options import form_members, may_set_options
from openprofiles.operations.mappings import key_evidence_members, suggest_for_sample
from openprofiles.operations.registry import own_operation
from openprofiles.uploads.mappings import saved_mappings
from openprofiles.uploads.mappings.header_evidence import describe_doubt, doubt_header
from openprofiles.uploads.mappings.phone_country import weigh_phone_country
from openprofiles.uploads.mappings.suggest import Suggestion
from openprofiles.uploads.mappings.upload_mapping import SOURCE_PREFIX
from openprofiles.uploads.reading.detect_encoding import Candidate, EncodingGuess, EncodingUnclear
from openprofiles.uploads.reading.file_choices import FileChoices
from openprofiles.uploads.reading.file_form import STRICT_OPTIONS, TABLE_OPTIONS, FileOptions

if TYPE_CHECKING:
    from openprofiles.uploads.reading.file_sample import FileSample
    from openprofiles.wire import own_types as own

_ROWS_SHOWN = 8
_LINES_ABOVE_SHOWN = 20
_EXAMPLES_PER_COLUMN = 3
# A cell may have a megabyte, too much for a table.
_LENGTH_SHOWN = 200


@own_operation("SampleFile")
def sample_file(call: Call, request: own.SampleFileRequest) -> own.FileSample:
    """Return a sample of a file, read as the request says or as detected."""
    # They use numpy, which a server can start without.
    from openprofiles.uploads.reading.file_header import HeaderNotText
    from openprofiles.uploads.reading.file_sample import sample_beginning

    may_choose = may_set_options(call)
    kept: FileChoices | None = None
    columns: list[str] = []
    with call.reading(request["DomainName"]) as session:
        region = session.domain.phone_region
        if "Mapping" in request and may_choose:
            mapping = saved_mappings.get_mapping(session, request["Mapping"])
            kept = FileChoices.from_json(mapping.reading)
            columns = [one["Source"].removeprefix(SOURCE_PREFIX) for one in mapping.fields.values()]
    given = _read_form(request, strict=call.strict)
    doubts: list[EncodingGuess] = []
    try:
        form, sample = sample_beginning(
            request["Body"],
            given,
            is_whole=request.get("IsWhole", False),
            region=region,
            strict=call.strict,
            kept=kept,
            columns=columns,
            on_doubt=doubts.append,
        )
    except EncodingUnclear as error:
        if may_choose:
            return _ask_for_encoding(error.reason, error.candidates)
        raise InvalidRequest(f"{error.reason} {error.advice[0].upper()}{error.advice[1:]}.") from error
    except HeaderNotText as error:
        if may_choose:
            return _ask_for_encoding(error.reason, ())
        raise InvalidRequest(f"{error.reason} Save the file as UTF-8.") from error
    is_known = bool(columns) and set(columns) <= set(sample.headers)
    if not call.strict and not is_known and form.header_line is None and given.header_line is None:
        reason = doubt_header(sample.headers, sample.rows)
        if reason is not None:
            if may_choose:
                return {"Question": {"Asks": "HEADER", "Message": describe_doubt(reason)}}
            raise InvalidRequest(f"{describe_doubt(reason)} Add a row with the column names.")
    suggestion = suggest_for_sample(call, request["DomainName"], sample, region)
    country = weigh_phone_country(suggestion.fields, sample.headers, sample.rows, region)
    members = {
        "File": form_members(form),
        "Columns": _columns(sample, suggestion),
        "LinesAbove": [
            {"Line": line, "Text": _cut(above)}
            for line, above in islice(sample.lines_above.items(), _LINES_ABOVE_SHOWN)
        ],
        "Rows": [[_cut(cell) for cell in row] for row in sample.rows[:_ROWS_SHOWN]],
        "UniqueKey": suggestion.unique_key and suggestion.unique_key.header,
        "UniqueKeys": [
            key_evidence_members(evidence)
            for field in suggestion.fields
            if (evidence := suggestion.weigh_key(field)) is not None
        ],
        "PhoneCountry": country and {"Text": country.describe(), "Doubt": country.describe_doubt()},
        "Candidates": [one for doubt in doubts for one in _candidates(doubt.candidates)],
    }
    return cast("own.FileSample", members)


def _read_form(request: own.SampleFileRequest, *, strict: bool) -> FileOptions:
    header_line = request.get("HeaderLine")
    if strict:
        return STRICT_OPTIONS
    if request.get("IsTable"):
        return replace(TABLE_OPTIONS, header_line=header_line)
    return FileOptions(encoding=request.get("Encoding"), delimiter=request.get("Delimiter"), header_line=header_line)


def _ask_for_encoding(reason: str, candidates: Iterable[Candidate]) -> own.FileSample:
    """Return why the encoding of a file has to be chosen, with the likely ones."""
    message = f"{reason} Choose the encoding it was saved in, or save it as UTF-8."
    return {"Question": {"Asks": "ENCODING", "Message": message}, "Candidates": _candidates(candidates)}


def _candidates(candidates: Iterable[Candidate]) -> list[own.EncodingCandidate]:
    # The words go back to the sender of the file; they are never stored.
    return [{"Encoding": one.encoding, "Words": list(one.examples)} for one in candidates]


def _columns(sample: FileSample, suggestion: Suggestion) -> list[dict[str, Any]]:
    left_out = {column.column_number: column.reason for column in suggestion.left_out}
    fields = iter(suggestion.fields)
    columns = []
    for number, header in enumerate(sample.headers, start=1):
        column: dict[str, Any] = {"Header": header, "Examples": _examples(sample, number - 1)}
        if number in left_out:
            column["Reason"] = left_out[number]
        else:
            field = next(fields)
            column |= members_of(field, "target", "confidence", "reason") | {"Doubtful": field.is_doubtful}
        columns.append(column)
    return columns


def _examples(sample: FileSample, index: int) -> list[str]:
    values = (row[index] for row in sample.rows if index < len(row) and row[index].strip())
    return [_cut(value) for value in list(dict.fromkeys(values))[:_EXAMPLES_PER_COLUMN]]


def _cut(value: str) -> str:
    return value if len(value) <= _LENGTH_SHOWN else value[:_LENGTH_SHOWN] + "…"
