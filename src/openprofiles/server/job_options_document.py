"""The options of an upload job as JSON: what is sent to set them, and what is answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from openprofiles.uploads.file_form import FileForm, FileOptions
from openprofiles.uploads.job_options import JobOptions
from openprofiles.wire.errors import bad_request

_FILE_MEMBERS = {"Encoding": "encoding", "Delimiter": "delimiter", "Quote": "quote", "LineEnds": "line_ends"}


def read_options(body: bytes) -> JobOptions:
    """The options that a request sends.

    Raises:
        WireError: it is no JSON object, or has a member that is not known or of another type; the message names it.
        InvalidRequest: a value is none of the possible ones.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise bad_request("The body is no JSON.") from None
    members = _members("The body", document, ("File",))
    file = _members("File", members.get("File", {}), _FILE_MEMBERS)
    for name, value in file.items():
        if not isinstance(value, str):
            raise bad_request(f"File.{name} must be a string.")
    return JobOptions(file=FileOptions(**{_FILE_MEMBERS[name]: value for name, value in file.items()}))


def options_document(options: JobOptions) -> dict[str, Any]:
    """The options that are set; what is left to detection is not there."""
    file = {name: getattr(options.file, field) for name, field in _FILE_MEMBERS.items()}
    return {"File": {name: value for name, value in file.items() if value is not None}}


def file_form_document(form: FileForm) -> dict[str, Any]:
    """What a file was read as."""
    names = {field: name for name, field in _FILE_MEMBERS.items()}
    return {
        "Compression": form.compression,
        "Encoding": form.encoding,
        "ByteOrderMark": form.has_byte_order_mark,
        "Delimiter": form.delimiter,
        "Quote": form.quote,
        "LineEnds": form.line_ends,
        "Given": [names[field] for field in form.given],
    }


def read_file_form(document: Mapping[str, Any]) -> FileForm:
    """What ``file_form_document`` was made of."""
    return FileForm(
        compression=document["Compression"],
        has_byte_order_mark=document["ByteOrderMark"],
        given=tuple(_FILE_MEMBERS[name] for name in document["Given"]),
        **{field: document[name] for name, field in _FILE_MEMBERS.items()},
    )


def _members(what: str, document: Any, known: Mapping[str, str] | tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise bad_request(f"{what} must be a JSON object.")
    for name in document:
        if name not in known:
            raise bad_request(f"{what} has a member {name!r}, which is not known. Known are: {', '.join(known)}.")
    return document
