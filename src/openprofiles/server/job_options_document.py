"""The options of an upload job as JSON: what is sent to set them, and what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprofiles.server.json_bodies import members, number, read_json, text, without_none
from openprofiles.uploads.job_options import JobOptions
from openprofiles.uploads.reading.file_form import FileForm, FileOptions
from openprofiles.uploads.value_checks import ValueCheck
from openprofiles.wire.errors import bad_request

_FILE_MEMBERS = {"Encoding": "encoding", "Delimiter": "delimiter", "Quote": "quote", "LineEnds": "line_ends"}
_NUMBER_MEMBERS = {"HeaderLine": "header_line", "FirstRow": "first_row"}
_POLICY_MEMBERS = {
    "WriteMode": "write_mode",
    "BlankCells": "blank_cells",
    "ShortRows": "short_rows",
    "HandSetFields": "hand_set_fields",
    "DoubtfulRows": "doubtful_rows",
}
_LIMIT_MEMBERS = {"Records": "max_failed_records", "Percent": "max_failed_percent"}
_CHECK_MEMBERS = ("Type", "Values", "Pattern")


def read_options(body: bytes) -> JobOptions:
    """The options that a request sends as its body; see ``read_options_member``.

    Raises:
        WireError: also when it is no JSON.
    """
    return read_options_member("The body", read_json(body))


def read_options_member(what: str, document: Any) -> JobOptions:
    """The options that stand in a document.

    Args:
        what: its name for messages.
        document: what the JSON was parsed to.

    Raises:
        WireError: it is no JSON object, or has a member that is not known or of another type; the message names it.
        InvalidRequest: a value is none of the possible ones.
    """
    sent = members(what, document, ("File", *_POLICY_MEMBERS, "FailureLimit", "Checks", "Webhook"))
    file = members("File", sent.get("File", {}), (*_FILE_MEMBERS, *_NUMBER_MEMBERS))
    form: dict[str, Any] = {
        field: text(f"File.{name}", file[name]) for name, field in _FILE_MEMBERS.items() if name in file
    }
    form |= {
        field: number(f"File.{name}", file[name], whole=True) for name, field in _NUMBER_MEMBERS.items() if name in file
    }
    limit = members("FailureLimit", sent.get("FailureLimit", {}), _LIMIT_MEMBERS)
    webhook = members("Webhook", sent.get("Webhook", {}), ("Url",))
    checks = sent.get("Checks", {})
    if not isinstance(checks, dict):
        raise bad_request("Checks must be a JSON object: a check for each name of a field.")
    given: dict[str, Any] = {_POLICY_MEMBERS[name]: text(name, sent[name]) for name in _POLICY_MEMBERS if name in sent}
    if "Records" in limit:
        given["max_failed_records"] = number("FailureLimit.Records", limit["Records"], whole=True)
    if "Percent" in limit:
        given["max_failed_percent"] = number("FailureLimit.Percent", limit["Percent"], whole=False)
    if "Url" in webhook:
        given["webhook_url"] = text("Webhook.Url", webhook["Url"])
    return JobOptions(
        file=FileOptions(**form),
        checks={text("A name in Checks", name): _read_check(f"Checks.{name}", check) for name, check in checks.items()},
        **given,
    )


def options_document(options: JobOptions) -> dict[str, Any]:
    """The options that hold; of the form of the file what is not left to detection."""
    file = {name: getattr(options.file, field) for name, field in _FILE_MEMBERS.items()}
    file |= {name: getattr(options.file, field) for name, field in _NUMBER_MEMBERS.items()}
    limit = {name: getattr(options, field) for name, field in _LIMIT_MEMBERS.items()}
    return {
        "File": without_none(file),
        **{name: getattr(options, field) for name, field in _POLICY_MEMBERS.items()},
        "FailureLimit": without_none(limit),
        "Checks": {name: _check_document(check) for name, check in options.checks.items()},
        "Webhook": {} if options.webhook_url is None else {"Url": options.webhook_url},
    }


def file_form_document(form: FileForm) -> dict[str, Any]:
    """What a file was read as."""
    if form.is_json_lines:
        return {
            "Compression": form.compression,
            "Encoding": form.encoding,
            "ByteOrderMark": form.has_byte_order_mark,
            "LineEnds": form.line_ends,
            "JsonLines": True,
            "Given": [],
        }
    names = {field: name for name, field in (_FILE_MEMBERS | _NUMBER_MEMBERS).items()}
    numbers = {name: getattr(form, field) for name, field in _NUMBER_MEMBERS.items()}
    return {
        "Compression": form.compression,
        "Encoding": form.encoding,
        "ByteOrderMark": form.has_byte_order_mark,
        "Delimiter": form.delimiter,
        "Quote": form.quote,
        "LineEnds": form.line_ends,
        **without_none(numbers),
        "Given": [names[field] for field in form.given],
    }


def _read_check(what: str, document: Any) -> ValueCheck:
    sent = members(what, document, _CHECK_MEMBERS)
    values = sent.get("Values", [])
    if not isinstance(values, list):
        raise bad_request(f"{what}.Values must be a list of strings.")
    return ValueCheck(
        kind=text(f"{what}.Type", sent.get("Type")),
        values=tuple(text(f"{what}.Values", value) for value in values),
        pattern=text(f"{what}.Pattern", sent["Pattern"]) if "Pattern" in sent else None,
    )


def _check_document(check: ValueCheck) -> dict[str, Any]:
    return without_none({"Type": check.kind, "Values": list(check.values) or None, "Pattern": check.pattern})


def read_file_form(document: Mapping[str, Any]) -> FileForm:
    """What ``file_form_document`` was made of."""
    if document.get("JsonLines"):
        return FileForm.json_lines(document["Compression"])
    numbers: dict[str, Any] = {field: document.get(name) for name, field in _NUMBER_MEMBERS.items()}
    return FileForm(
        compression=document["Compression"],
        has_byte_order_mark=document["ByteOrderMark"],
        given=tuple((_FILE_MEMBERS | _NUMBER_MEMBERS)[name] for name in document["Given"]),
        **numbers,
        **{field: document[name] for name, field in _FILE_MEMBERS.items()},
    )
