"""The options of an upload job as JSON: what is sent to set them, and what is answered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from openprofiles.uploads.file_form import FileForm, FileOptions
from openprofiles.uploads.job_options import JobOptions
from openprofiles.uploads.value_checks import ValueCheck
from openprofiles.wire.errors import bad_request

_FILE_MEMBERS = {"Encoding": "encoding", "Delimiter": "delimiter", "Quote": "quote", "LineEnds": "line_ends"}
_POLICY_MEMBERS = {"WriteMode": "write_mode", "BlankCells": "blank_cells", "HandSetFields": "hand_set_fields"}
_LIMIT_MEMBERS = {"Records": "max_failed_records", "Percent": "max_failed_percent"}
_CHECK_MEMBERS = ("Type", "Values", "Pattern")


def read_options(body: bytes) -> JobOptions:
    """The options that a request sends as its body; see ``read_options_member``.

    Raises:
        WireError: also when it is no JSON.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise bad_request("The body is no JSON.") from None
    return read_options_member("The body", document)


def read_options_member(what: str, document: Any) -> JobOptions:
    """The options that stand in a document.

    Args:
        what: its name for messages.
        document: what the JSON was parsed to.

    Raises:
        WireError: it is no JSON object, or has a member that is not known or of another type; the message names it.
        InvalidRequest: a value is none of the possible ones.
    """
    members = _members(what, document, ("File", *_POLICY_MEMBERS, "FailureLimit", "Checks", "Webhook"))
    file = _members("File", members.get("File", {}), _FILE_MEMBERS)
    limit = _members("FailureLimit", members.get("FailureLimit", {}), _LIMIT_MEMBERS)
    webhook = _members("Webhook", members.get("Webhook", {}), ("Url",))
    checks = members.get("Checks", {})
    if not isinstance(checks, dict):
        raise bad_request("Checks must be a JSON object: a check for each name of a field.")
    given: dict[str, Any] = {
        _POLICY_MEMBERS[name]: _text(name, members[name]) for name in _POLICY_MEMBERS if name in members
    }
    if "Records" in limit:
        given["max_failed_records"] = _number("FailureLimit.Records", limit["Records"], (int,))
    if "Percent" in limit:
        given["max_failed_percent"] = _number("FailureLimit.Percent", limit["Percent"], (int, float))
    if "Url" in webhook:
        given["webhook_url"] = _text("Webhook.Url", webhook["Url"])
    return JobOptions(
        file=FileOptions(**{_FILE_MEMBERS[name]: _text(f"File.{name}", value) for name, value in file.items()}),
        checks={name: _read_check(f"Checks.{name}", check) for name, check in checks.items()},
        **given,
    )


def options_document(options: JobOptions) -> dict[str, Any]:
    """The options that hold; of the form of the file what is not left to detection."""
    file = {name: getattr(options.file, field) for name, field in _FILE_MEMBERS.items()}
    limit = {name: getattr(options, field) for name, field in _LIMIT_MEMBERS.items()}
    return {
        "File": {name: value for name, value in file.items() if value is not None},
        **{name: getattr(options, field) for name, field in _POLICY_MEMBERS.items()},
        "FailureLimit": {name: value for name, value in limit.items() if value is not None},
        "Checks": {name: _check_document(check) for name, check in options.checks.items()},
        "Webhook": {} if options.webhook_url is None else {"Url": options.webhook_url},
    }


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


def _read_check(what: str, document: Any) -> ValueCheck:
    members = _members(what, document, _CHECK_MEMBERS)
    values = members.get("Values", [])
    if not isinstance(values, list):
        raise bad_request(f"{what}.Values must be a list of strings.")
    return ValueCheck(
        kind=_text(f"{what}.Type", members.get("Type")),
        values=tuple(_text(f"{what}.Values", value) for value in values),
        pattern=_text(f"{what}.Pattern", members["Pattern"]) if "Pattern" in members else None,
    )


def _check_document(check: ValueCheck) -> dict[str, Any]:
    document: dict[str, Any] = {"Type": check.kind}
    if check.values:
        document["Values"] = list(check.values)
    if check.pattern is not None:
        document["Pattern"] = check.pattern
    return document


def read_file_form(document: Mapping[str, Any]) -> FileForm:
    """What ``file_form_document`` was made of."""
    return FileForm(
        compression=document["Compression"],
        has_byte_order_mark=document["ByteOrderMark"],
        given=tuple(_FILE_MEMBERS[name] for name in document["Given"]),
        **{field: document[name] for name, field in _FILE_MEMBERS.items()},
    )


def _members(what: str, document: Any, known: Iterable[str]) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise bad_request(f"{what} must be a JSON object.")
    for name in document:
        if name not in known:
            raise bad_request(f"{what} has a member {name!r}, which is not known. Known are: {', '.join(known)}.")
    return document


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise bad_request(f"{what} must be a string.")
    return value


def _number(what: str, value: Any, kinds: tuple[type, ...]) -> Any:
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise bad_request(f"{what} must be {'an integer' if kinds == (int,) else 'a number'}.")
    return value
